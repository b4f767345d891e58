/* A dump from its text.  usage: make_dump CASE.txt OUT */
#include <libgen.h>
#include <stdio.h>
#include <stdlib.h>

#include "text.h"

int main(int argc, char **argv)
{
	struct built_ask asks[64];
	size_t nr_asks;

	if (argc != 3) {
		fprintf(stderr, "usage: make_dump CASE.txt OUT\n");
		return 2;
	}
	char *text = built_slurp(argv[1]);
	struct built *b = built_parse(argv[1], text, asks, 64, &nr_asks);
	built_write(b, argv[2]);
	built_write_beside(b, dirname(argv[2])); /* which may change it: after its last use */
	built_free(b);
	free(text);
	return 0;
}
