/*
 * Fuzz target: any bytes as the beginning of a dump that libkdumpfile reads, and as what it then
 * answers.  Input: 8 bytes of the file, whether the child starts (u8: 0), tests/fuzz/answers.h.
 */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "tests/fuzz/answers.h"
#include "tests/loader/touch.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

enum { MAGIC = 8, FILE_BYTES = 4096 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	static char path[32];
	static int fd = -1;
	uint8_t file[FILE_BYTES] = {0};
	struct span s = span_of(data, n);
	const uint8_t *magic = span_take(&s, MAGIC);
	struct inq_err err;

	if (fd < 0) {
		fd = memfd_create("fuzz", MFD_CLOEXEC);
		snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	}
	if (!magic)
		return 0;
	memcpy(file, magic, MAGIC);
	if (pwrite(fd, file, sizeof(file), 0) != sizeof(file))
		abort();
	fuzz_answers(s);
	(void)touch_path(path, &err);
	return 0;
}
