/* usage: mkdump TEXT OUT: the dump that a text describes (tests/built/text.h). */
#include "tests/built/text.h"

int main(int argc, char **argv)
{
	if (argc != 3)
		return 2;
	struct built *b = built_parse_file(argv[1]);
	built_write(b, argv[2]);
	built_free(b);
	return 0;
}
