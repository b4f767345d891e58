/*
 * Fuzz target: any bytes as the raw structures of vCPUs, and as the memory behind them.
 * Input: tests/fuzz/blobs.h, then memory.
 */
#include <stdlib.h>

#include "base/span.h"
#include "loader/dump.h"
#include "machine/machine.h"
#include "tests/fuzz/blobs.h"
#include "tests/fuzz/touch_machine.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	struct inq_blob blobs[FUZZ_MAX_BLOBS];
	struct span s = span_of(data, n);
	size_t nr = fuzz_blobs(&s, blobs);
	struct fuzz_memory phys = fuzz_memory("phys", s), smm = fuzz_memory("smm", s);
	struct loader_dump dump = {.pub = {.path = "fuzz",
					   .blobs = blobs,
					   .nr_blobs = nr,
					   .extents = &fuzz_extent,
					   .nr_extents = 1,
					   .phys = &phys.base,
					   .smm = n % 2 ? &smm.base : NULL},
				   .blobs = blobs,
				   .nr_blobs = nr};
	struct inq_machine *m = NULL;
	struct inq_err err;

	if (!loader_index_blobs(&dump, &err) && !machine_open(&dump.pub, &m, &err))
		touch_machine(m);
	machine_close(m);
	free(dump.by_key);
	return 0;
}
