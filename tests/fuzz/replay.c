/* Runs a fuzz target over a corpus without libFuzzer.  usage: replay FILE|FOLDER ... */
#include <ftw.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

static unsigned int nr_files;

static int replay(const char *path, const struct stat *sb, int type, struct FTW *where)
{
	size_t n = (size_t)sb->st_size;
	uint8_t *data = malloc(n + 1);
	FILE *f = type == FTW_F ? fopen(path, "rb") : NULL;

	(void)where;
	if (f && data) {
		if (fread(data, 1, n, f) != n)
			return 1;
		LLVMFuzzerTestOneInput(data, n);
		nr_files++;
	}
	if (f)
		fclose(f);
	free(data);
	return 0;
}

int main(int argc, char **argv)
{
	for (int i = 1; i < argc; i++)
		if (nftw(argv[i], replay, 8, FTW_PHYS)) {
			fprintf(stderr, "%s: cannot read\n", argv[i]);
			return 2;
		}
	printf("%u files\n", nr_files);
	return nr_files ? 0 : 2; /* an empty corpus proves nothing */
}
