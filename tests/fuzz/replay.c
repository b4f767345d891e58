/*
 * Runs a fuzz target over a corpus without libFuzzer.  usage: replay [--sweep[=all]] FILE|FOLDER
 * ...
 * --sweep: of every small file also each beginning, and each single bit the other way.
 * --sweep=all: of a large one as many of them as of a small one, spread over it.
 * --sweep=N: only each N-th of those, where one takes long.
 */
#include <ftw.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

enum { SWEEP_BYTES = 2500 };

static unsigned int nr_files;
static bool sweeps, sweeps_all;
static size_t thin = 1; /* only each so many of them */

/* From a copy of exactly n bytes, so that a sanitizer sees who reads behind it. */
static void run(const uint8_t *data, size_t n)
{
	uint8_t *copy = malloc(n + !n);

	if (!copy)
		abort();
	memcpy(copy, data, n);
	LLVMFuzzerTestOneInput(copy, n);
	free(copy);
}

static void sweep(uint8_t *data, size_t n)
{
	size_t step = (n / SWEEP_BYTES + 1) * thin;

	for (size_t i = 0; i < n; i += step)
		run(data, i);
	step += step > 1 && step % 2 == 0; /* odd: all bits of a byte get their turn */
	for (size_t bit = 0; bit < 8 * n; bit += step) {
		data[bit / 8] ^= (uint8_t)(1u << bit % 8);
		run(data, n);
		data[bit / 8] ^= (uint8_t)(1u << bit % 8);
	}
}

static int replay(const char *path, const struct stat *sb, int type, struct FTW *where)
{
	size_t n = (size_t)sb->st_size;
	uint8_t *data = malloc(n + 1);
	FILE *f = type == FTW_F ? fopen(path, "rb") : NULL;

	(void)where;
	if (f && data) {
		if (fread(data, 1, n, f) != n)
			return 1;
		run(data, n);
		if (sweeps && (sweeps_all || n <= SWEEP_BYTES))
			sweep(data, n);
		nr_files++;
	}
	if (f)
		fclose(f);
	free(data);
	return 0;
}

int main(int argc, char **argv)
{
	sweeps_all = argc > 1 && !strncmp(argv[1], "--sweep=", 8);
	if (sweeps_all && strcmp(argv[1], "--sweep=all") != 0)
		thin = strtoul(argv[1] + 8, NULL, 10);
	if (!thin)
		return 2;
	sweeps = sweeps_all || (argc > 1 && !strcmp(argv[1], "--sweep"));
	for (int i = 1 + sweeps; i < argc; i++)
		if (nftw(argv[i], replay, 8, FTW_PHYS)) {
			fprintf(stderr, "%s: cannot read\n", argv[i]);
			return 2;
		}
	printf("%u files\n", nr_files);
	return nr_files ? 0 : 2; /* an empty corpus proves nothing */
}
