/* page_cost.c's reader that is libkdumpfile. */
#include <fcntl.h>
#include <stdio.h>

#include <libkdumpfile/kdumpfile.h>

#include "page_cost.h"

void *reader_open(const char *path)
{
	kdump_ctx_t *ctx = kdump_new();
	int fd = open(path, O_RDONLY | O_CLOEXEC);

	if (!ctx || fd < 0 || kdump_open_fd(ctx, fd) != KDUMP_OK) {
		fprintf(stderr, "%s: %s\n", path, ctx ? kdump_get_err(ctx) : "out of memory");
		return NULL;
	}
	return ctx;
}

void *reader_clone(void *reader)
{
	return kdump_clone(reader, 0);
}

int reader_page(void *reader, uint64_t addr, uint8_t *buf)
{
	size_t n = PAGE;

	return kdump_read(reader, KDUMP_MACHPHYSADDR, addr, buf, &n) == KDUMP_OK ? 0 : -1;
}
