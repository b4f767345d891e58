/*
 * Fuzz target: any bytes as memory without a header, larger than an input is.  Input: how many GiB
 * of nothing follow it (u8), whether it is told where it begins (u8), and where (u64); the file.
 */
#include <inquest/dump.h>

#include "base/span.h"
#include "tests/fuzz/file.h"
#include "tests/fuzz/must.h"
#include "tests/loader/touch.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

enum { MOST_GIB = 5 };

/* Where each stretch begins and ends: GiB of nothing are not read. */
static void touch_ends(const struct inq_dump *d)
{
	for (size_t i = 0; i < d->nr_extents; i++) {
		const struct inq_extent *e = &d->extents[i];
		uint8_t byte;

		MUST(e->first <= e->last && (!i || e[-1].last < e->first));
		MUST(e->file_off < d->file_bytes &&
		     e->last - e->first < d->file_bytes - e->file_off);
		MUST(!inq_read(d->phys, e->first, &byte, 1, NULL));
		MUST(!inq_read(d->phys, e->last, &byte, 1, NULL));
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	struct span s = span_of(data, n);
	uint64_t more = (uint64_t)(span_u8(&s) % (MOST_GIB + 1)) << 30;
	uint8_t told = span_u8(&s);
	uint64_t base = span_u64le(&s);
	struct inq_dump *d = NULL;
	struct inq_err err = {0};

	if (s.bad)
		return 0;
	const char *path = fuzz_file(s.p, s.left, more);
	enum inq_status st =
		told ? inq_dump_open_raw(path, base, &d, &err) : inq_dump_open(path, &d, &err);
	MUST(st ? !d && err.status == st && *err.msg : d != NULL);
	if (d && more)
		touch_ends(d);
	else if (d)
		touch_dump(d);
	inq_dump_close(d);
	return 0;
}
