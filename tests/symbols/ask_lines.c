/* Prints what a debug file tells of addresses: for a test that asks another program the same. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "symbols/debug_info.h"

static void print(uint64_t addr, const struct inq_lines *l)
{
	for (size_t i = 0; i < l->nr; i++) {
		const struct inq_line_frame *f = &l->frame[i];
		printf("0x%" PRIx64 "\t%s\t%s\t%u\n", addr, f->function ? f->function : "?",
		       f->file ? f->file : "?", f->line);
	}
}

int main(int argc, char **argv)
{
	static struct inq_lines l;
	struct debug_info *d = NULL;
	struct inq_err err = {0};

	if (argc < 2 || debug_info_open(argv[1], NULL, &d, &err)) {
		fprintf(stderr, "%s\n", err.msg);
		return 1;
	}
	for (int i = 2; i < argc; i++) {
		uint64_t addr = strtoull(argv[i], NULL, 0);
		if (!debug_info_lines(d, addr, &l, &err))
			print(addr, &l);
		else if (err.status != INQ_ENOTFOUND)
			fprintf(stderr, "%s: %s\n", argv[i], err.msg);
	}
	debug_info_close(d);
	return 0;
}
