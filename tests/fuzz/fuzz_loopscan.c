/*
 * Fuzz target: any bytes as code, any registers.  The loop engine answers, and the same again; a
 * closed loop has a body that holds its head; gates lie in it.
 */
#include <stdlib.h>
#include <string.h>

#include "analyzers/loopscan.h"
#include "analyzers/writers.h"
#include "tests/analyzers/frozen.h"

enum { HEAD = 1 + 16 * 2 }; /* a mode, then 16 bits for each general register */

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

static void check(int holds)
{
	if (!holds)
		abort();
}

static void fill(struct frozen *f, const uint8_t *data, size_t n)
{
	frozen_init(f);
	if (data[0] & 1)
		frozen_real(f, 0, 0, FROZEN_CODE);
	if (data[0] & 2)
		f->phys.absent = 0x3000;
	for (unsigned int i = 0; i < 16; i++)
		frozen_set(f, 0, (enum x86_64_reg)(X86_64_RAX + i),
			   data[1 + 2 * i] | (uint64_t)data[2 + 2 * i] << 8);
	frozen_code(f, FROZEN_CODE, (const char *)data + HEAD, n - HEAD);
	frozen_code(f, 0x9000, (const char *)data + HEAD, n - HEAD);
	frozen_set(f, 1, X86_64_RIP, 0x9000);
}

static void check_loop(const struct loop *l)
{
	check(l->nr_insns >= 0 && l->nr_insns <= LOOP_INSNS && l->nr_gates <= LOOP_GATES);
	check(l->kind == LOOP_NONE || (l->first <= l->head && l->head <= l->last));
	check(l->kind != LOOP_CLOSED || l->nr_insns > 0);
	check((l->kind != LOOP_OPEN && l->kind != LOOP_BOUNDED) || l->why);
	for (int i = 0; i < l->nr_gates; i++) {
		int found = 0;
		for (int k = 0; k < l->nr_insns; k++)
			found += l->insn[k].rip == l->gate[i].load.rip;
		check(found == 1);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	static struct frozen f;
	static struct loop l, again;
	struct writer w[WRITERS_MAX];
	struct writers *all = NULL;
	struct inq_err err;

	if (n <= HEAD || n > HEAD + 0x800)
		return 0;
	fill(&f, data, n);
	enum inq_status st = loop_scan(&f.cpu[0], &l, &err);
	check(st == loop_scan(&f.cpu[0], &again, &err));
	if (st)
		return 0;
	check_loop(&l);
	check(l.kind == again.kind && l.nr_insns == again.nr_insns && l.nr_gates == again.nr_gates);
	check(!writers_create(&f.machine, &all, &err));
	for (int i = 0; i < l.nr_gates; i++)
		check(writers_find(all, &f.cpu[0], l.gate[i].load.space, l.gate[i].load.phys,
				   l.gate[i].load.bytes, w) <= WRITERS_MAX);
	writers_destroy(all);
	return 0;
}
