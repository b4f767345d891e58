/* What all loaders share: the dump while it is being filled, and the spaces over its extents. */
#ifndef LOADER_DUMP_H
#define LOADER_DUMP_H

#include <inquest/dump.h>
#include <stdbool.h>

#include "base/mapping.h"
#include "loader/loaders.h"

enum {
	LOADER_PAGE = 4096,
	LOADER_MAX_DAMAGES = 64, /* the last one says how many more there are */
};
#define LOADER_MAX_NOTES (64u << 20) /* bytes, of files that are not ours */
#define LOADER_MAX_VMCOREINFO (64u << 10)
#define LOADER_MAX_SEGMENTS (1u << 22) /* 65690 were seen for a guest of 256 MiB */
#define LOADER_NO_BITS UINT64_MAX
#define LOADER_MAX_BLOCK (1u << 20) /* bytes of one, unpacked */

/* How a block of memory is stored where memory does not lie flat in the file. */
enum loader_codec {
	LOADER_RAW,
	LOADER_ZERO,     /* the format says so; nothing is stored */
	LOADER_ABSENT,   /* the file lost it, or does not tell */
	LOADER_EXCLUDED, /* left out on purpose */
	LOADER_BAD,      /* what the file says of it cannot be */
	LOADER_ZLIB,     /* the codecs from here on are packed */
	LOADER_LZO,      /* LZO1X */
	LOADER_SNAPPY,   /* one raw block of it */
	LOADER_ZSTD,
	LOADER_FOREIGN, /* d->fetch gets it; off tells blocks apart */
};

struct loader_block {
	uint64_t first,
		bytes;   /* guest-physical memory that it holds; whole, not cut to a request */
	uint64_t off;    /* in the file of memory; of its packed bytes, or of the raw ones */
	uint32_t packed; /* bytes there, of a packed block */
	enum loader_codec codec;
};

/*
 * The block that holds addr, which lies in an extent of kind INQ_EXTENT_BYTES.  Any number of
 * threads asks at once.  What is packed is LOADER_MAX_BLOCK bytes at most; off and packed need not
 * be checked against the file.
 */
typedef void loader_block_fn(const struct loader_dump *d, uint64_t addr, struct loader_block *ret);

/* Fill out with all bytes of a block of LOADER_FOREIGN.  NULL, or what is wrong, as long-lived. */
typedef const char *loader_fetch_fn(const struct loader_dump *d, const struct loader_block *b,
				    uint8_t *out);

/* A space that knows its dump: phys and smm. */
struct loader_space {
	struct inq_space base;
	const struct loader_dump *dump;
};

/* One segment as the file states it, checked for wrapping only. */
struct loader_segment {
	uint64_t gpa, memsz, off, filesz;
	uint64_t zero_at; /* number of its first page in the zero bitmap, or LOADER_NO_BITS */
	bool left_out;    /* the machine has it, and the writer wanted none of it in the file */
};

/* A piece that lies over phys in smm; bytes beyond have were lost with the end of the file. */
struct loader_overlay {
	uint64_t first, last; /* inclusive */
	uint64_t off, have;   /* in the file; bytes */
};

/*
 * A flattened stream (makedumpfile -F, QEMU's kdump): pieces of a file in the order in which they
 * were written.  Offsets of the dump are those of the file that they make.
 */
struct loader_flat_piece {
	uint64_t off, n, at; /* in the file that they make; bytes; where they lie in ours */
};
struct loader_flat {
	struct loader_flat_piece *pieces; /* ascending, without overlap */
	size_t nr;
	uint64_t bytes; /* of the file that they make */
};

struct loader_dump {
	struct inq_dump pub; /* its pointers lead to what is below */
	struct mapping *map;
	struct mapping *mem;       /* the file that holds memory; NULL: map does */
	loader_block_fn *block_at; /* NULL: memory lies flat at file_off of its extents */
	loader_block_fn *smm_at;   /* the same of overlays, whose off and have mean nothing then */
	loader_fetch_fn *fetch;    /* for blocks of LOADER_FOREIGN */
	struct loader_flat *flat;  /* NULL: an offset is one in the file of memory */
	void *own;                 /* the format's, for block_at */
	void (*own_free)(void *own);
	struct loader_unpacker *unpacker; /* made by loader_blocks_init */
	char *path;
	bool folder;     /* path is one, and map a file in it */
	uint64_t base;   /* of raw memory, when the user told it */
	bool base_given; /* then nothing else is looked for */
	uint8_t *notes;  /* a copy, so that blobs survive a file that shrinks */
	size_t notes_n;
	struct inq_extent *extents;
	size_t extents_cap; /* of loader_extent */
	uint64_t *zero_at;  /* for each extent, as in loader_segment; NULL: no bitmap */
	void **copies;      /* what loader_blob_copy made */
	size_t nr_copies;
	struct inq_blob *blobs;
	size_t nr_blobs, blobs_cap;
	uint32_t *by_key; /* indexes of blobs, by vcpu, sample, kind, order in the file */
	struct inq_damage damages[LOADER_MAX_DAMAGES];
	size_t nr_damages, nr_dropped;
	unsigned int nr_compared; /* overlaps that were looked at */
	struct inq_snap_header header;
	const uint8_t *header_at;          /* its payload in notes; NULL: not ours */
	uint32_t nr_prstatus, nr_qemu_cpu; /* notes seen so far */
	int truncated;                     /* and the damage that says so is recorded */
	uint64_t bulk_used;                /* bytes of the bulk region that were checked */
	const uint8_t *zero_bits;          /* in the mapping; NULL: the file has none */
	uint64_t nr_zero_bits;
	struct loader_overlay *overlays; /* ascending, without overlap */
	size_t nr_overlays;
	struct inq_ring *rings;
	struct inq_extent *virt_extents; /* of loader_virt_add */
	size_t nr_virt_extents, virt_cap;
	struct loader_space phys, smm, virt;
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

/* Memory as a format states it, range by range; {0} is an empty list, deinit frees it. */
struct loader_segments {
	struct loader_segment *p;
	size_t nr, cap;
	uint64_t memory_bytes, missing_bytes;
	size_t nr_cut;      /* segments that miss something */
	size_t nr_left_out; /* and that are not there on purpose */
};
void loader_segments_deinit(struct loader_segments *l);
/* One more, unless it contradicts itself, which is damage.  Errors: INQ_ENOMEM, INQ_ELIMIT. */
INQ_MUST enum inq_status loader_segments_add(struct loader_dump *d, struct loader_segments *l,
					     struct loader_segment s, struct inq_err *err);
/* The last one misses so many bytes, which the end of the file cannot tell. */
void loader_segments_lost(struct loader_segments *l, uint64_t missing);
/* Damage that says how much is missing, if anything is; cause NULL: because the file ends. */
void loader_segments_report(struct loader_dump *d, const struct loader_segments *l,
			    const char *cause);
/* The share of a whole that is not 0: "41 %", "under 1 %".  ret: LOADER_SHARE bytes. */
enum { LOADER_SHARE = 16 };
void loader_share(uint64_t part, uint64_t whole, char *ret);
/* All of the above, then phys and extents.  Errors: INQ_ECORRUPT (there is none), INQ_ENOMEM. */
INQ_MUST enum inq_status loader_segments_use(struct loader_dump *d, const struct loader_segments *l,
					     struct inq_err *err);

/* Was all that open believed there while it looked?  Errors: INQ_EIO. */
INQ_MUST enum inq_status loader_still_there(const struct loader_dump *d, struct inq_err *err);

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
	int bulk_inside; /* the bulk region does not end with the file */
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

/* A stretch of linear memory that lies flat at off, as much as the file has.  Errors: INQ_ENOMEM.
 */
INQ_MUST enum inq_status loader_virt_add(struct loader_dump *d, uint64_t addr, uint64_t n,
					 uint64_t off, struct inq_err *err);
/* After the last one: make d->pub.virt of them.  Cannot fail. */
void loader_virt_init(struct loader_dump *d);

/* The file that holds memory. */
static inline const struct mapping *loader_memory(const struct loader_dump *d)
{
	return d->mem ? d->mem : d->map;
}

/*
 * The n bytes at off of the file of memory: where they lie, or put together in buf when they do not
 * lie flat, which with buf NULL is a failure.  NULL: the file has not all of them.
 */
const uint8_t *loader_bytes(const struct loader_dump *d, uint64_t off, size_t n, uint8_t *buf);
/* Did the file still hold them after they were looked at? */
bool loader_bytes_good(const struct loader_dump *d, uint64_t off, size_t n);
/* Bytes of the file of memory; of a flattened stream, of the file that its pieces make. */
uint64_t loader_bytes_n(const struct loader_dump *d);

/*
 * Memory lies in blocks of `most` bytes at most: use d->block_at, which must be set, for it.
 * Errors: INQ_ENOMEM.
 */
INQ_MUST enum inq_status loader_blocks_init(struct loader_dump *d, size_t most,
					    struct inq_err *err);
void loader_unpacker_destroy(struct loader_unpacker *u); /* accepts NULL */
/* n bytes of a packed block from byte `from` of it on.  NULL, or what is wrong: "is damaged ..." */
const char *loader_unpack(const struct loader_dump *d, const struct loader_block *b, uint64_t from,
			  size_t n, uint8_t *out);

/* One more blob whose bytes the dump keeps as they are (loader_blob) or copies (.._copy). */
INQ_MUST enum inq_status loader_blob(struct loader_dump *d, struct inq_blob blob,
				     struct inq_err *err);
INQ_MUST enum inq_status loader_blob_copy(struct loader_dump *d, uint32_t vcpu, uint32_t kind,
					  const void *p, size_t n, struct inq_err *err);

/* The first of nr ascending extents that ends at addr or behind it; NULL when there is none. */
const struct inq_extent *loader_extent_from(const struct inq_extent *e, size_t nr, uint64_t addr);

/* One more stretch of memory, behind those that are there.  Errors: INQ_ENOMEM. */
INQ_MUST enum inq_status loader_extent(struct loader_dump *d, struct inq_extent e,
				       struct inq_err *err);

/*
 * The piece at addr as the headers tell it, whatever the file holds by now.  Errors: INQ_EFAULT.
 */
struct loader_piece {
	struct inq_run run;
	struct loader_block block; /* INQ_RUN_PACKED, and ABSENT where memory lies in blocks */
	size_t off;                /* in the file, INQ_RUN_BYTES only */
	int not_zero;              /* the zero bitmap says that none of its pages was all zero */
};
typedef enum inq_status loader_piece_fn(const struct loader_dump *d, uint64_t addr, size_t n,
					struct loader_piece *ret, struct inq_err *err);
loader_piece_fn loader_phys_piece, loader_smm_piece;
/* Where memory lies in blocks: the piece, n bytes at most, of the block that holds addr. */
void loader_block_piece(const struct loader_dump *d, loader_block_fn *block_at, uint64_t addr,
			size_t n, struct loader_piece *ret);

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
