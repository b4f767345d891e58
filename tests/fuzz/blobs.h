/* Any bytes as the notes of a snapshot. */
#ifndef FUZZ_BLOBS_H
#define FUZZ_BLOBS_H

#include <inquest/machine.h>

#include "base/span.h"

enum { FUZZ_MAX_BLOBS = 64, FUZZ_KIND_FOREIGN = 0xf0 };

struct fuzz_memory {
	struct inq_space base;
	struct span bytes; /* again and again; 2^40 and more is not there */
};

/*
 * Take records of kind (0xff, 0xfe, ...: INQ_BLOB_PRSTATUS and those behind it), vcpu (0xff: the
 * VM), state and sample (a byte each: low two bits and high two bits of the third), length (2
 * bytes) and that many bytes out of s; kind 0 ends them.
 */
size_t fuzz_blobs(struct span *s, struct inq_blob blobs[FUZZ_MAX_BLOBS]);

/* What is searched of it. */
extern const struct inq_extent fuzz_extent;

struct fuzz_memory fuzz_memory(const char *name, struct span bytes);

#endif
