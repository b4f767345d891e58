/*
 * Knows what a CPU's registers say about the kernel that it runs.
 * Source: Linux arch/x86/mm/pti.c and arch/x86/entry/calling.h (the half for user space is the
 * page behind: bit 12 of CR3), arch/x86/mm/cpu_entry_area.c; SDM vol. 3, 6.14.1 (gates), 5.8.8
 * (IA32_LSTAR), 3.4.4 (bases of GS).
 */
#include <string.h>

#include "arch/x86_64/regs.h"
#include "base/span.h"
#include "machine/find.h"

enum { TOP_ENTRY = 511, GATE = 16, MAX_IDT = 4096 };

#define USER_HALF (UINT64_C(1) << 12)
#define MSR_LSTAR UINT32_C(0xc0000082)
#define MSR_KERNEL_GS_BASE UINT32_C(0xc0000102)
#define ENTRY_AREA_FIRST UINT64_C(0xfffffe0000000000) /* CPU_ENTRY_AREA_BASE and its 512 GiB */
#define ENTRY_AREA_LAST UINT64_C(0xfffffe7fffffffff)

static bool is_kernels(uint64_t va)
{
	return va >> 56 == 0xff;
}

/* SWAPGS has exchanged the two in the kernel: the one of the upper half is the kernel's. */
static uint64_t gs_of(const struct inq_cpu *cpu)
{
	uint64_t v = cpu->regs.v[X86_64_GS_BASE], other = 0;

	if (inq_reg_known(&cpu->regs, X86_64_GS_BASE) && is_kernels(v))
		return v;
	return inq_cpu_msr(cpu, MSR_KERNEL_GS_BASE, &other) && is_kernels(other) ? other : 0;
}

/* In SMM, or in a guest of the guest's: its tables are not those of the kernel. */
static bool is_elsewhere(const struct finder *f, const struct inq_cpu *cpu)
{
	return (inq_reg_known(&cpu->regs, X86_64_SMM) && cpu->regs.v[X86_64_SMM]) ||
	       (cpu->virt && cpu->virt->lower != f->dump->phys);
}

/* Can the CPU's tables be asked at all?  *ret_key: the entry of its root for the kernel's half. */
static bool tables_of(const struct finder *f, const struct inq_cpu *cpu, struct paging_mode *mode,
		      uint64_t *ret_key)
{
	uint8_t raw[8];
	struct span s = span_of(raw, sizeof(raw));

	if (is_elsewhere(f, cpu) || paging_mode_of(&cpu->regs, 0, -1, mode, NULL))
		return false;
	*ret_key = 0;
	if (mode->levels < 4)
		return true;
	if (inq_read(f->dump->phys, mode->root + TOP_ENTRY * sizeof(raw), raw, sizeof(raw), NULL))
		return false;
	*ret_key = span_u64le(&s);
	return true;
}

/* With page-table isolation a CPU in user space has a root that shows hardly more than the way in;
   the kernel's own is the page before. */
static bool map_either(const struct finder *f, struct find_tables *t)
{
	struct image *other = f->scratch;
	bool found = image_map(f->dump->phys, &t->mode, &t->im);
	struct paging_mode before = t->mode;

	before.root &= ~USER_HALF;
	if (!(t->mode.root & USER_HALF) || !image_map(f->dump->phys, &before, other))
		return found;
	if (found && (other->mapped <= t->im.mapped || other->phys_base != t->im.phys_base))
		return true;
	t->mode = before;
	t->isolated = true;
	t->im = *other;
	return true;
}

static enum inq_status look_into(struct finder *f, struct find_tables *t, struct inq_err *err)
{
	struct paging_space space;

	if (!map_either(f, t))
		return INQ_OK;
	for (const struct find_tables *same = f->tables; same < t; same++)
		if (same->is_linux && same->im.first == t->im.first &&
		    same->im.phys_base == t->im.phys_base) {
			t->facts = same->facts;
			t->is_linux = true;
			return INQ_OK;
		}
	paging_space_init(&space, "kernel", f->dump->phys, &t->mode);
	enum inq_status st = image_search(&space.base, &t->im, f->gs, f->nr_cpus, &t->facts, err);
	t->is_linux = !st && t->facts.banner;
	return st;
}

static struct find_tables *tables_with(const struct finder *f, uint64_t key)
{
	for (size_t i = 0; i < f->nr_tables; i++)
		if (f->tables[i].key == key)
			return &f->tables[i];
	return NULL;
}

static enum inq_status ask(struct finder *f, const struct inq_cpu *cpu, struct inq_err *err)
{
	struct paging_mode mode;
	uint64_t key;

	if (!tables_of(f, cpu, &mode, &key)) {
		f->nr_lost++;
		return INQ_OK;
	}
	f->nr_asked++;
	if (!(key & 1) || tables_with(f, key) || f->nr_tables == FIND_MAX_TABLES)
		return INQ_OK;
	struct find_tables *t = &f->tables[f->nr_tables++];
	*t = (struct find_tables){.key = key, .cpu = cpu->index, .mode = mode};
	return look_into(f, t, err);
}

enum inq_status find_by_registers(struct finder *f, struct inq_err *err)
{
	enum inq_status st = INQ_OK;

	for (uint32_t i = 0; i < f->nr_cpus; i++)
		f->gs[i] = gs_of(&f->cpus[i]);
	for (uint32_t i = 0; !st && i < f->nr_cpus; i++)
		st = ask(f, &f->cpus[i], err);
	return st;
}

/* The first gate that leads out of the image, or else the first at all. */
static bool pick_handler(const uint8_t *idt, size_t n, const struct image *im, uint64_t *ret)
{
	bool found = false;

	for (size_t at = 0; at + GATE <= n; at += GATE) {
		uint64_t low = 0, access = 0, mid = 0, high = 0;
		(void)span_at(idt, n, at, 2, &low);
		(void)span_at(idt, n, at + 5, 1, &access);
		(void)span_at(idt, n, at + 6, 2, &mid);
		(void)span_at(idt, n, at + 8, 4, &high);
		if (!(access & 0x80))
			continue;
		uint64_t to = low | mid << 16 | high << 32;
		if (!found || !image_has(im, to))
			*ret = to;
		found = true;
		if (!image_has(im, to))
			break;
	}
	return found;
}

static enum inq_status idt_fact(struct finder *f, const struct inq_cpu *cpu,
				const struct find_tables *t, struct inq_err *err)
{
	const struct inq_regset *rs = &cpu->regs;
	uint64_t base = rs->v[X86_64_IDTR_BASE], to;
	size_t n = (size_t)(rs->v[X86_64_IDTR_LIMIT] & 0xffff) + 1;
	uint8_t idt[MAX_IDT];
	struct paging_space space;

	if (!inq_reg_known(rs, X86_64_IDTR_BASE) || !inq_reg_known(rs, X86_64_IDTR_LIMIT))
		return INQ_OK;
	n = n < sizeof(idt) ? n : sizeof(idt);
	paging_space_init(&space, "kernel", f->dump->phys, &t->mode);
	if (base + n < base || inq_read(&space.base, base, idt, n, NULL) ||
	    !pick_handler(idt, n, &t->im, &to))
		return INQ_OK;
	return find_fact(f,
			 (struct inq_kernel_fact){.fact = "idt_handler",
						  .source = "idtr",
						  .cpu = cpu->index,
						  .space = &f->k->space.base,
						  .addr = base,
						  .value = to},
			 err);
}

/* Linux 4.15 to 4.19 entered through a trampoline in the entry area. */
static enum inq_status lstar_fact(struct finder *f, const struct inq_cpu *cpu, struct inq_err *err)
{
	uint64_t v;

	if (!inq_cpu_msr(cpu, MSR_LSTAR, &v) || !v ||
	    (v >= ENTRY_AREA_FIRST && v <= ENTRY_AREA_LAST))
		return INQ_OK;
	return find_fact(
		f,
		(struct inq_kernel_fact){
			.fact = "syscall_entry", .source = "lstar", .cpu = cpu->index, .value = v},
		err);
}

static enum inq_status number(struct finder *f, const char *fact, const char *source, uint32_t cpu,
			      uint64_t value, struct inq_err *err)
{
	return find_fact(f,
			 (struct inq_kernel_fact){
				 .fact = fact, .source = source, .cpu = cpu, .value = value},
			 err);
}

static enum inq_status cpu_facts(struct finder *f, const struct inq_cpu *cpu,
				 const struct paging_mode *mode, const struct find_tables *t,
				 struct inq_err *err)
{
	uint64_t root = t->isolated ? mode->root & ~USER_HALF : mode->root;
	enum inq_status st = number(f, "text", "cr3", cpu->index, t->im.first, err);

	if (!st)
		st = number(f, "phys_base", "cr3", cpu->index, t->im.phys_base, err);
	if (!st)
		st = number(f, "root", "cr3", cpu->index, root, err);
	if (!st)
		st = number(f, "levels", "cr4", cpu->index, (uint64_t)mode->levels, err);
	if (!st)
		st = idt_fact(f, cpu, t, err);
	return st ? st : lstar_fact(f, cpu, err);
}

static enum inq_status image_facts_of(struct finder *f, const struct find_tables *t,
				      struct inq_err *err)
{
	struct inq_kernel_fact release = {.fact = "release",
					  .source = "image",
					  .cpu = INQ_SNAP_VM,
					  .space = &f->k->space.base,
					  .addr = t->facts.banner};
	struct inq_kernel_fact id = release, gs = release;
	enum inq_status st;

	memcpy(release.text, t->facts.release, sizeof(t->facts.release));
	st = find_fact(f, release, err);
	id.fact = "build_id";
	id.addr = t->facts.build_id_at;
	memcpy(id.text, t->facts.build_id, sizeof(t->facts.build_id));
	if (!st && *id.text)
		st = find_fact(f, id, err);
	for (uint32_t i = 0; !st && t->facts.per_cpu && i < f->nr_cpus; i++) {
		if (!f->gs[i])
			continue;
		gs.fact = "per_cpu";
		gs.source = "gs";
		gs.cpu = i;
		gs.addr = t->facts.per_cpu + UINT64_C(8) * i;
		gs.value = f->gs[i];
		st = find_fact(f, gs, err);
	}
	return st;
}

enum inq_status find_register_facts(struct finder *f, struct inq_err *err)
{
	enum inq_status st = INQ_OK;

	for (size_t i = 0; !st && i < f->nr_tables; i++) {
		const struct find_tables *t = &f->tables[i];
		bool again = false;
		for (size_t k = 0; k < i; k++)
			again |= f->tables[k].is_linux &&
				 f->tables[k].facts.banner == t->facts.banner &&
				 f->tables[k].im.phys_base == t->im.phys_base;
		if (t->is_linux && !again)
			st = image_facts_of(f, t, err);
	}
	for (uint32_t i = 0; !st && i < f->nr_cpus; i++) {
		struct paging_mode mode;
		uint64_t key;
		if (!tables_of(f, &f->cpus[i], &mode, &key) || !(key & 1))
			continue;
		const struct find_tables *t = tables_with(f, key);
		if (t && t->is_linux)
			st = cpu_facts(f, &f->cpus[i], &mode, t, err);
	}
	return st;
}
