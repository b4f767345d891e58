/* Which operating system the machine runs, and everything that says so: found by machine/. */
#include "analyzers/collect/collectors.h"
#include "analyzers/collect/values.h"

static const struct inq_column kernel_cols[] = {
	{"nr", INQ_INT, "0: a machine runs one"},
	{"os", INQ_TEXT, "'linux'; NULL: no kernel that is known here was found"},
	{"note", INQ_TEXT, "os is NULL: where it was looked for"},
	{"source", INQ_TEXT, "what it was found by: cr3, vmcoreinfo note, vmcoreinfo in memory"},
	{"release", INQ_TEXT, "as of uname -r"},
	{"build_id", INQ_TEXT, "of its vmlinux, hex digits"},
	{"text", INQ_ADDR, "first virtual address of its image (_text)"},
	{"last", INQ_ADDR, "last virtual address of its image"},
	{"kaslr_offset", INQ_ADDR, "bytes from where it was linked to where it runs"},
	{"phys_base", INQ_ADDR, "physical = virtual - 0xffffffff80000000 + phys_base (mod 2^64)"},
	{"root", INQ_ADDR, "physical address of its top page table"},
	{"levels", INQ_INT, "levels of its page tables: 4 or 5"},
	{"space_id", INQ_INT, "space of its virtual addresses"},
	{0},
};

static struct inq_value known(const struct inq_kernel *k, enum inq_kernel_known bit, uint64_t v)
{
	return k->known & bit ? INQ_V_ADDR(v) : INQ_V_NULL;
}

static enum inq_status run_kernel(const struct inq_machine *m, struct inq_sink *out,
				  struct inq_err *err)
{
	const struct inq_kernel *k = inq_machine_kernel(m);

	if (k->st)
		return inq_fail(err, k->st, "%s", k->note);
	return INQ_ROW(out, err, INQ_V_INT(0), v_text(k->os), v_text(k->note), v_text(k->source),
		       v_text(k->release), v_text(k->build_id), known(k, INQ_KERNEL_TEXT, k->text),
		       known(k, INQ_KERNEL_LAST, k->last), known(k, INQ_KERNEL_KASLR, k->kaslr),
		       known(k, INQ_KERNEL_PHYS_BASE, k->phys_base),
		       known(k, INQ_KERNEL_ROOT, k->root),
		       k->known & INQ_KERNEL_ROOT ? INQ_V_INT(k->levels) : INQ_V_NULL,
		       k->virt ? INQ_V_INT(k->virt->space_id) : INQ_V_NULL);
}

const struct inq_collector collect_kernel = {
	.table = "kernel",
	.doc = "the kernel that the machine runs, one row",
	.cols = kernel_cols,
	.nr_keys = 1,
	.run = run_kernel,
};

static const struct inq_column fact_cols[] = {
	{"nr", INQ_INT, "from 0, in the order in which they were found"},
	{"fact", INQ_TEXT,
	 "release, build_id, text, kaslr_offset, phys_base, root, levels as in table kernel; "
	 "idt_handler, syscall_entry: code that must lie in its image; per_cpu: base of a CPU's "
	 "data, which the image has, too"},
	{"value", INQ_ADDR, "what is said; NULL where it is text"},
	{"words", INQ_TEXT, "what is said, where it is text"},
	{"source", INQ_TEXT,
	 "what says it: vmcoreinfo; image: the kernel's own bytes; cr3: the CPU's page tables; "
	 "cr4, idtr, lstar, gs"},
	{"cpu", INQ_INT, "whose register that is; NULL: none's"},
	{"space_id", INQ_INT, "where it was read; NULL: in a register, or in a note of the dump"},
	{"addr", INQ_ADDR, "and at which address"},
	{0},
};

static enum inq_status run_facts(const struct inq_machine *m, struct inq_sink *out,
				 struct inq_err *err)
{
	const struct inq_kernel *k = inq_machine_kernel(m);
	enum inq_status st = INQ_OK;

	if (k->st)
		return inq_fail(err, k->st, "%s", k->note);
	for (size_t i = 0; !st && i < k->nr_facts; i++) {
		const struct inq_kernel_fact *f = &k->facts[i];
		st = INQ_ROW(out, err, INQ_V_INT(i), INQ_V_TEXT(f->fact),
			     *f->text ? INQ_V_NULL : INQ_V_ADDR(f->value), v_text(f->text),
			     INQ_V_TEXT(f->source),
			     f->cpu == INQ_SNAP_VM ? INQ_V_NULL : INQ_V_INT(f->cpu),
			     f->space ? INQ_V_INT(f->space->space_id) : INQ_V_NULL,
			     f->space ? INQ_V_ADDR(f->addr) : INQ_V_NULL);
	}
	return st;
}

const struct inq_collector collect_kernel_fact = {
	.table = "kernel_fact",
	.doc = "what says something about the kernel: a register, its image, VMCOREINFO",
	.cols = fact_cols,
	.nr_keys = 1,
	.run = run_facts,
};
