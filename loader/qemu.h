/* What the parts of the loader for QEMU's migration streams share. */
#ifndef LOADER_QEMU_H
#define LOADER_QEMU_H

#include "base/named.h"
#include "loader/dump.h"

enum { QEMU_NAME = 256, QEMU_MAX_BLOCKS = 65536, QEMU_MAX_PLACES = 48 };
#define QEMU_MAX_RAM (UINT64_C(1) << 52) /* bytes of all blocks together */

/* A RAM block of QEMU's: "pc.ram", "system.flash0". */
struct qemu_block {
	char name[QEMU_NAME];
	uint64_t bytes;
	uint64_t page0; /* number of its first page; blocks are counted through */
};

/* Pages that follow each other, in the machine and in the file. */
struct qemu_pages {
	uint64_t first, nr;
	uint64_t off;  /* of the first one's bytes; of a zero page, where the stream says so */
	uint32_t step; /* bytes from one to the next; 0 unless they are LOADER_RAW */
	uint32_t packed;
	enum loader_codec codec;
};

/* Guest-physical memory, and the page that lies there. */
struct qemu_place {
	uint64_t first, last; /* inclusive, whole pages */
	uint64_t page;
};
struct qemu_places {
	struct qemu_place at[QEMU_MAX_PLACES]; /* ascending, without overlap */
	size_t nr;
};

struct qemu {
	struct loader_dump *d;
	struct span s; /* what was not read yet */
	char machine[QEMU_NAME];
	bool odd;                /* it says what it cannot; else it ends early */
	bool cut, between;       /* the file ends early; between: behind a whole section */
	char section[QEMU_NAME]; /* the last one that began; "": its name is cut off */
	uint64_t instance, section_at;
	bool footers;                   /* sections have some: machines since QEMU 2.4 */
	size_t nr_whole;                /* sections of devices, where nothing describes them */
	bool mapped_ram, ignore_shared; /* capabilities that change the RAM section */
	struct qemu_block *blocks;
	size_t nr_blocks, blocks_cap;
	uint64_t total_pages;
	struct qemu_pages *pages; /* ascending, without overlap, once qemu_ram_sort was called */
	size_t nr_pages, pages_cap;
	const struct qemu_block *block; /* that the stream speaks of */
	struct named *cpus;             /* their state, nr_cpus of them */
	size_t nr_cpus, last_cpu;       /* last_cpu: whose section came last */
	struct named vm;                /* all other devices, "SECTION.FIELD" */
	struct qemu_places phys, smm;   /* smm: what only a CPU in SMM sees */
};

/* Where in the file the next byte lies. */
static inline uint64_t qemu_at(const struct qemu *q)
{
	return q->d->map->n - q->s.left;
}

/* What was read cannot be: nothing behind it can be found any more. */
static inline void qemu_odd(struct qemu *q)
{
	q->odd |= !q->s.bad;
	q->s.bad = true;
}

/* u8 length and that many bytes; an empty string after a failure.  ret: QEMU_NAME bytes. */
void qemu_string(struct qemu *q, char *ret);

/*
 * The RAM section: its list of blocks, then a part of pages up to its end.  What cannot be read is
 * damage, and q->s.bad.  Errors: INQ_ENOMEM, INQ_ELIMIT, INQ_EUNSUPPORTED (XBZRLE, multifd).
 */
INQ_MUST enum inq_status qemu_ram_start(struct qemu *q, struct inq_err *err);
INQ_MUST enum inq_status qemu_ram_part(struct qemu *q, struct inq_err *err);
/* After the last part: of a page that came twice the last one counts.  Errors: INQ_ENOMEM. */
INQ_MUST enum inq_status qemu_ram_sort(struct qemu *q, struct inq_err *err);
/* The pages that hold number page, or the first behind it; NULL: none. */
const struct qemu_pages *qemu_pages_at(const struct qemu *q, uint64_t page);
const struct qemu_block *qemu_block_named(const struct qemu *q, const char *name);

/*
 * The sections of devices, from the first on, by the description at the end of the stream.
 * Errors: INQ_ENOMEM.
 */
INQ_MUST enum inq_status qemu_devices(struct qemu *q, struct inq_err *err);
/* The file ends early: damage that says what was lost with the devices.  Cannot fail. */
void qemu_devices_cut(const struct qemu *q);

/* Where the machine has its RAM, firmware and SMRAM: q->phys and q->smm.  Errors: INQ_EUNSUPPORTED.
 */
INQ_MUST enum inq_status qemu_map(struct qemu *q, struct inq_err *err);

#endif
