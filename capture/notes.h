/* The notes of a captured snapshot. */
#ifndef CAPTURE_NOTES_H
#define CAPTURE_NOTES_H

#include "capture/write.h"
#include "snap/notes.h"

/* A stretch of memory that only a CPU in SMM sees, as it lies in the bulk region. */
struct capture_smram {
	struct inq_snap_bulk *at; /* nr of them, ascending; heap */
	size_t nr;
	uint64_t bytes;
};

/* Where the parts that are known last lie in the notes. */
struct capture_places {
	size_t header, smram, zero; /* payloads */
};

/*
 * All of them, in the order of the format; what *ret_places leads to is filled in later.  Errors:
 * INQ_ENOMEM, INQ_EUNSUPPORTED (no CPU's state in the dump).
 */
INQ_MUST enum inq_status capture_notes(const struct inq_dump *dump, const struct capture_facts *f,
				       const struct capture_smram *smram, struct snap_notes *ret,
				       struct capture_places *ret_places, uint32_t *ret_nr_vcpus,
				       struct inq_err *err);

#endif
