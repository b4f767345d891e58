/* Fuzz target: any bytes as a dump.  What must hold afterwards is in tests/loader/touch.h. */
#include "tests/fuzz/file.h"
#include "tests/loader/touch.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	struct inq_err err;

	(void)touch_path(fuzz_file(data, n, 0), &err);
	return 0;
}
