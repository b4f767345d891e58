/*
 * What it costs to decode a Linux kernel's names, and to understand its types, out of its memory.
 * usage: kernel_parts DUMP.  The best of some rounds, each from nothing but the dump's pages.
 */
#include <stdio.h>
#include <time.h>

#include "machine/machine.h"
#include "machine/names.h"
#include "machine/types.h"

enum { ROUNDS = 15 };

static double cpu_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
	return (double)t.tv_sec * 1e3 + (double)t.tv_nsec / 1e6;
}

/* Milliseconds; negative: it could not be done. */
static double decode_names(const struct inq_machine *m, const struct inq_kallsyms_place *place)
{
	struct kallsyms *k = NULL;
	double began = cpu_ms();

	if (kallsyms_open(inq_machine_kernel(m)->virt, place, &k, NULL))
		return -1;
	double took = cpu_ms() - began;
	kallsyms_close(k);
	return took;
}

/* The same of its BTF, with the index of its names. */
static double understand_types(const struct inq_machine *m, const struct machine_types *known)
{
	struct machine_types t = {0};
	double began = cpu_ms();

	if (machine_types_at(m, known->addr, known->bytes.n, &t, NULL))
		return -1;
	double took = cpu_ms() - began;
	btf_close(t.btf);
	machine_bytes_deinit(&t.bytes);
	return took;
}

int main(int argc, char **argv)
{
	struct inq_dump *dump = NULL;
	struct inq_machine *m = NULL;
	struct machine_names *names = NULL;
	const struct machine_types *types = NULL;
	struct inq_err err = {0};
	double names_ms = 1e9, types_ms = 1e9;

	if (argc != 2 || inq_dump_open(argv[1], &dump, &err) || machine_open(dump, &m, &err) ||
	    machine_names(m, &names, &err) || machine_types(m, false, &types, &err)) {
		fprintf(stderr, "usage: kernel_parts DUMP: %s\n", err.msg);
		return 1;
	}
	for (int i = 0; i < ROUNDS; i++) {
		double a = decode_names(m, &names->kernel->place), b = understand_types(m, types);
		names_ms = a < names_ms ? a : names_ms;
		types_ms = b < types_ms ? b : types_ms;
	}
	printf("names=%zu\nnames_ms=%.3f\ntypes=%u\ntypes_ms=%.3f\n", names->kernel->nr, names_ms,
	       btf_end(types->btf), types_ms);
	machine_close(m);
	inq_dump_close(dump);
	return names_ms < 0 || types_ms < 0;
}
