/*
 * Fuzz target: any bytes as the notes of a snapshot, through every collector: rows have the kinds
 * that their table says, and what they point to can be read.  Input: tests/fuzz/blobs.h, then the
 * snapshot's time (8 bytes), then memory.
 */
#include <stdlib.h>
#include <string.h>

#include "analyzers/collect/collectors.h"
#include "loader/dump.h"
#include "machine/machine.h"
#include "tests/fuzz/blobs.h"
#include "tests/fuzz/must.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

enum { MAX_ROWS = 100000 };

struct inq_sink {
	const struct inq_collector *c;
	unsigned rows, gaps;
};

/* Every byte of it, so that a sanitizer sees them. */
static unsigned touch(const struct inq_value *v)
{
	const uint8_t *p = v->p;
	unsigned sum = 0;
	size_t n = v->kind == INQ_TEXT ? strlen(v->p) : v->kind == INQ_BLOB ? v->n : 0;

	for (size_t i = 0; i < n; i++)
		sum += p[i];
	return sum;
}

enum inq_status inq_row(struct inq_sink *out, const struct inq_value *v, struct inq_err *err)
{
	static volatile unsigned sum;
	unsigned i = 0;

	for (const struct inq_column *c = out->c->cols; c->name; c++, i++) {
		MUST(v[i].kind == c->kind ||
		     (v[i].kind == INQ_NULL && i >= (unsigned)out->c->nr_keys));
		sum += touch(&v[i]);
	}
	MUST(++out->rows < MAX_ROWS);
	(void)err;
	return INQ_OK;
}

enum inq_status inq_gap(struct inq_sink *out, const struct inq_space *space, uint64_t addr,
			uint64_t length, const struct inq_err *why, struct inq_err *err)
{
	MUST(why->status != INQ_OK && memchr(why->msg, 0, sizeof(why->msg)));
	out->gaps++;
	(void)space;
	(void)addr;
	(void)length;
	(void)err;
	return INQ_OK;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	struct inq_blob blobs[FUZZ_MAX_BLOBS];
	struct span s = span_of(data, n);
	size_t nr = fuzz_blobs(&s, blobs);
	struct inq_snap_header header = {.nr_vcpus = 4, .t_monotonic_ns = span_u64le(&s)};
	struct fuzz_memory phys = fuzz_memory("phys", s), smm = fuzz_memory("smm", s);
	struct loader_dump dump = {.pub = {.path = "fuzz",
					   .header = n % 3 ? &header : NULL,
					   .blobs = blobs,
					   .nr_blobs = nr,
					   .extents = &fuzz_extent,
					   .nr_extents = 1,
					   .phys = &phys.base,
					   .smm = n % 2 ? &smm.base : NULL},
				   .blobs = blobs,
				   .nr_blobs = nr};
	const struct inq_collector *c;
	struct inq_machine *m;
	struct inq_err err;

	if (!loader_index_blobs(&dump, &err) && !machine_open(&dump.pub, &m, &err)) {
		for (size_t i = 0; (c = collector_at(i)); i++) {
			struct inq_sink out = {.c = c};

			(void)!c->run(m, &out, &err);
		}
		machine_close(m);
	}
	free(dump.by_key);
	return 0;
}
