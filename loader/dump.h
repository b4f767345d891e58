/* What all loaders share: the dump while it is being filled, and the spaces over its extents. */
#ifndef LOADER_DUMP_H
#define LOADER_DUMP_H

#include <inquest/dump.h>

#include "base/mapping.h"
#include "loader/loaders.h"

enum {
	LOADER_PAGE = 4096,
	LOADER_MAX_DAMAGES = 64, /* the last one says how many more there are */
};
#define LOADER_MAX_NOTES (64u << 20)   /* bytes, of files that are not ours */
#define LOADER_MAX_SEGMENTS (1u << 22) /* 65690 were seen for a guest of 256 MiB */
#define LOADER_NO_BITS UINT64_MAX

/* A space that knows its dump: phys and smm. */
struct loader_space {
	struct inq_space base;
	const struct loader_dump *dump;
};

/* One segment as the file states it, checked for wrapping only. */
struct loader_segment {
	uint64_t gpa, memsz, off, filesz;
	uint64_t zero_at; /* number of its first page in the zero bitmap, or LOADER_NO_BITS */
};

/* A piece that lies over phys in smm; bytes beyond have were lost with the end of the file. */
struct loader_overlay {
	uint64_t first, last; /* inclusive */
	uint64_t off, have;   /* in the file; bytes */
};

struct loader_dump {
	struct inq_dump pub; /* its pointers lead to what is below */
	struct mapping *map;
	char *path;
	uint8_t *notes; /* a copy, so that blobs survive a file that shrinks */
	size_t notes_n;
	struct inq_extent *extents;
	uint64_t *zero_at; /* for each extent, as in loader_segment */
	struct inq_blob *blobs;
	size_t nr_blobs, blobs_cap;
	uint32_t *by_key; /* indexes of blobs, by vcpu, sample, kind, order in the file */
	struct inq_damage damages[LOADER_MAX_DAMAGES];
	size_t nr_damages, nr_dropped;
	unsigned int nr_compared; /* overlaps that were looked at */
	struct inq_snap_header header;
	const uint8_t *header_at; /* its payload in notes; NULL: not ours */
	uint32_t nr_prstatus;     /* seen so far */
	int truncated;            /* and the damage that says so is recorded */
	uint64_t bulk_used;       /* bytes of the bulk region that were checked */
	const uint8_t *zero_bits; /* in the mapping; NULL: the file has none */
	uint64_t nr_zero_bits;
	struct loader_overlay *overlays; /* ascending, without overlap */
	size_t nr_overlays;
	struct inq_ring *rings;
	struct loader_space phys, smm;
};

/* Record damage; never fails.  The message is cut to its room. */
void loader_damage(struct loader_dump *d, enum inq_status st, int in_memory, uint64_t addr,
		   uint64_t length, const char *fmt, ...) INQ_PRINTF(6, 7);

/*
 * Walk the notes at p, which lie at file_off: blobs for those we know.  A broken chain is damage.
 * p stays borrowed.  Errors: INQ_ENOMEM.
 */
INQ_MUST enum inq_status loader_notes(struct loader_dump *d, const uint8_t *p, size_t n,
				      uint64_t file_off, struct inq_err *err);
/* After the last note: sort for inq_dump_blob, report what is there twice.  Errors: INQ_ENOMEM. */
INQ_MUST enum inq_status loader_index_blobs(struct loader_dump *d, struct inq_err *err);

/* The order of by_key. */
int loader_key_cmp(const struct inq_blob *a, const struct inq_blob *b);

/* Segments in file order to d->extents.  Contradictions are damage.  Errors: INQ_ENOMEM. */
INQ_MUST enum inq_status loader_extents(struct loader_dump *d, const struct loader_segment *segs,
					size_t n, struct inq_err *err);

/* What the notes of a snapshot of ours promise: checked and made usable. */
struct loader_frame {
	const uint8_t *ehdr, *phdrs; /* in the file, for headers_crc */
	size_t ehdr_n, phdrs_n;
	const uint8_t *notes; /* the PT_NOTE segment, for notes_crc */
	size_t notes_n;
	uint64_t notes_off;
	uint64_t nr_pages; /* of all PT_LOADs together; LOADER_NO_BITS: not whole pages */
	uint64_t memory_bytes;
	int whole_notes; /* the file holds all of them */
};
/* Errors: INQ_EUNSUPPORTED (another major), INQ_ELIMIT, INQ_ENOMEM. */
INQ_MUST enum inq_status loader_snapshot(struct loader_dump *d, const struct loader_frame *f,
					 struct inq_err *err);

/*
 * How many of a bulk entry's bytes the file has, once its place and checksum were looked at; what
 * is wrong with it is recorded as damage of `what`.
 */
uint64_t loader_bulk_have(struct loader_dump *d, const struct inq_snap_bulk *b, const char *what);

/* Flight records: d->pub.rings.  Contradictions are damage.  Errors: INQ_ENOMEM. */
INQ_MUST enum inq_status loader_rings(struct loader_dump *d, struct inq_err *err);

/* Make d->pub.phys; and smm when with_smm.  Cannot fail. */
void loader_phys_init(struct loader_dump *d);
void loader_smm_init(struct loader_dump *d);

/*
 * The piece at addr as the headers tell it, whatever the file holds by now.  Errors: INQ_EFAULT.
 */
struct loader_piece {
	struct inq_run run;
	size_t off;   /* in the file, INQ_RUN_BYTES only */
	int not_zero; /* the zero bitmap says that none of its pages was all zero */
};
typedef enum inq_status loader_piece_fn(const struct loader_dump *d, uint64_t addr, size_t n,
					struct loader_piece *ret, struct inq_err *err);
loader_piece_fn loader_phys_piece, loader_smm_piece;

/* inq_read and inq_runs over pieces: checks that the file still holds what was looked at. */
INQ_MUST enum inq_status loader_read_pieces(const struct loader_space *sp, loader_piece_fn *piece,
					    uint64_t addr, uint8_t *buf, size_t n,
					    struct inq_err *err);
INQ_MUST enum inq_status loader_run_piece(const struct loader_space *sp, loader_piece_fn *piece,
					  uint64_t addr, size_t n, struct inq_run *ret,
					  struct inq_err *err);

/* d->pub.content_id from head (a few pieces of bytes) and samples of memory.  Errors: INQ_ENOMEM */
INQ_MUST enum inq_status loader_content_id(struct loader_dump *d, const struct span *head,
					   size_t nr_heads, struct inq_err *err);

#endif
