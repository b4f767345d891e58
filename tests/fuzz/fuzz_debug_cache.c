/* Fuzz target: a file of the cache for debug files, found lying about. Input: the file. */
#include <stdlib.h>
#include <string.h>

#include "symbols/debug_cache.h"
#include "tests/fuzz/must.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	const struct debug_cache_key key = {.folder = "/",
					    .suffix = "ranges",
					    .build_id = "0102",
					    .info_bytes = 1000,
					    .line_bytes = 100};
	struct job_range *r = NULL;
	struct inq_err err = {0};
	size_t nr = 0;

	if (debug_cache_take(&key, data, n, &r, &nr, &err))
		MUST(err.msg[0] && !r);
	else
		MUST(nr && debug_ranges_sorted(r, nr));
	free(r);
	return 0;
}
