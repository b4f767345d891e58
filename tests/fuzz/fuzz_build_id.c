/*
 * Fuzz target: any bytes as a vmlinux whose build id is wanted, and as what a child says of one.
 * Input: the file; its beginning is also whether the child starts (u8: 0) and its answer.
 */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "symbols/build_id.h"
#include "tests/fuzz/answers.h"
#include "tests/fuzz/must.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

static void check(enum inq_status st, const char *id, const struct inq_err *err)
{
	if (st) {
		MUST(err->status == st && *err->msg);
		return;
	}
	size_t digits = strnlen(id, SYMBOLS_BUILD_ID);
	MUST(digits && digits < SYMBOLS_BUILD_ID && strspn(id, "0123456789abcdef") == digits);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	static char path[32];
	static int fd = -1;
	char id[SYMBOLS_BUILD_ID];
	struct inq_err err = {0};

	if (fd < 0) {
		fd = memfd_create("fuzz", MFD_CLOEXEC);
		snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	}
	if (ftruncate(fd, 0) || pwrite(fd, data, n, 0) != (ssize_t)n)
		abort();
	check(symbols_build_id_of(fd, id, &err), id, &err);
	fuzz_answers(span_of(data, n));
	check(symbols_build_id(path, id, &err), id, &err);
	return 0;
}
