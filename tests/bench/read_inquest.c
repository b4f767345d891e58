/* page_cost.c's reader that is Inquest's own loader. */
#include <stdio.h>

#include <inquest/dump.h>

#include "page_cost.h"

void *reader_open(const char *path)
{
	struct inq_dump *dump = NULL;
	struct inq_err err;

	if (inq_dump_open(path, &dump, &err))
		fprintf(stderr, "%s\n", err.msg);
	return dump;
}

void *reader_clone(void *reader)
{
	return reader; /* many threads may read */
}

int reader_page(void *reader, uint64_t addr, uint8_t *buf)
{
	const struct inq_dump *dump = reader;
	struct inq_err err;

	return inq_read(dump->phys, addr, buf, PAGE, &err) ? -1 : 0;
}
