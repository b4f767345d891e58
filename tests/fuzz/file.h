/* The input as a file, for what opens files. */
#ifndef FUZZ_FILE_H
#define FUZZ_FILE_H

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

/* n bytes at p, and behind them more of nothing; its path, good until the next call. */
static inline const char *fuzz_file(const uint8_t *p, size_t n, uint64_t more)
{
	static char path[32];
	static int fd = -1;

	if (fd < 0) {
		fd = memfd_create("fuzz", MFD_CLOEXEC);
		snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	}
	if (ftruncate(fd, 0) || pwrite(fd, p, n, 0) != (ssize_t)n ||
	    ftruncate(fd, (off_t)(n + more)))
		abort();
	return path;
}

#endif
