/*
 * Knows where variables are: the kernel's names say it of global ones, its type information of
 * per-CPU ones, which each CPU has at an offset of its own.
 * Source: Linux include/linux/percpu-defs.h, arch/x86/kernel/setup_percpu.c; since 6.15 the section
 * is no longer linked at 0, which __per_cpu_start tells.
 */
#include "machine/vars.h"

#include <inttypes.h>
#include <string.h>

#include <inquest/lines.h>
#include <inquest/names.h>

#include "symbols/vars.h"

enum { MAX_CPUS = 8192 }; /* arch/x86/Kconfig, NR_CPUS_RANGE_END */

/* The kernel's section of per-CPU variables. */
static enum inq_status section(const struct inq_machine *m, struct btf_type *ret,
			       struct inq_err *err)
{
	const struct machine_types *all;
	uint32_t id;
	enum inq_status st = machine_types(m, false, &all, err);

	if (!st)
		st = btf_find(all->btf, ".data..percpu", BTF_BIT(BTF_DATASEC), 0, &id, err);
	if (!st && !btf_type(all->btf, id, ret))
		st = inq_fail(err, INQ_ECORRUPT, "the section of per-CPU variables");
	return st;
}

static uint64_t section_start(const struct inq_machine *m)
{
	struct inq_symbol sym;

	return inq_symbol_named(m, "__per_cpu_start", 0, &sym, NULL) ? 0 : sym.addr;
}

bool inq_per_cpu_at(const struct inq_machine *m, size_t i, const char **ret_name, uint64_t *ret_off,
		    struct inq_type *ret_type, uint32_t *ret_size)
{
	struct btf_type sec;
	struct btf_part p;

	if (section(m, &sec, NULL) || i > UINT32_MAX || !btf_part(&sec, (uint32_t)i, &p))
		return false;
	*ret_name = p.name;
	*ret_off = p.off + section_start(m);
	*ret_type = (struct inq_type){.unit = sec.of, .id = p.type};
	*ret_size = p.size;
	return true;
}

static enum inq_status per_cpu_named(const struct inq_machine *m, const char *name,
				     struct machine_var *ret, struct inq_err *err)
{
	struct btf_type sec;
	struct btf_part p;
	enum inq_status st = section(m, &sec, err);

	for (uint32_t i = 0; !st && i < sec.nr; i++)
		if (btf_part(&sec, i, &p) && !strcmp(p.name, name)) {
			*ret = (struct machine_var){.addr = p.off + section_start(m),
						    .size = p.size,
						    .type = {.unit = sec.of, .id = p.type},
						    .is_per_cpu = true};
			return INQ_OK;
		}
	return st ? st : inq_fail(err, INQ_ENOTFOUND, "no per-CPU variable %s", name);
}

/* Where no type information tells of them, their symbols lie between two others. */
static bool lies_per_cpu(const struct inq_machine *m, uint64_t addr)
{
	struct inq_symbol start, end;

	return !inq_symbol_named(m, "__per_cpu_start", 0, &start, NULL) &&
	       !inq_symbol_named(m, "__per_cpu_end", 0, &end, NULL) && addr >= start.addr &&
	       addr < end.addr;
}

/* The array of a symbol is as long as the symbol. */
static void set_length(struct machine_var *v)
{
	struct inq_type one = inq_type_target(v->type);
	uint64_t size = inq_type_size(one);

	if (v->type.elements == INQ_ANY_NUMBER && size && v->size >= size)
		v->type.elements = v->size / size;
}

enum inq_status machine_var(const struct inq_machine *m, const char *name, struct machine_var *ret,
			    struct inq_err *err)
{
	struct inq_symbol sym;
	const char *type = symbols_var_type(name);

	if (!per_cpu_named(m, name, ret, NULL))
		return INQ_OK;
	enum inq_status st = inq_symbol_named(m, name, 0, &sym, err);
	if (st)
		return st;
	*ret = (struct machine_var){
		.addr = sym.addr, .size = sym.size, .is_per_cpu = lies_per_cpu(m, sym.addr)};
	/* another kernel may lack the type: the variable is still there */
	if (type && !inq_type_named(m, type, &ret->type, NULL))
		set_length(ret);
	return INQ_OK;
}

bool machine_var_by_debug_file(const struct inq_machine *m, const char *name, struct machine_var *v)
{
	struct inq_debug_var d;

	if (inq_debug_var(m, name, &d, NULL) || d.addr != v->addr || !*d.type ||
	    inq_type_named(m, d.type, &v->type, NULL))
		return false;
	set_length(v);
	return true;
}

enum inq_status inq_var(const struct inq_machine *m, const char *name, uint64_t *ret_addr,
			struct inq_type *ret_type, struct inq_err *err)
{
	struct machine_var v;
	enum inq_status st = machine_var(m, name, &v, err);

	if (st)
		return st;
	*ret_addr = v.addr;
	*ret_type = v.type;
	return INQ_OK;
}

/* What the kernel's own registers told. */
static enum inq_status base_of_register(const struct inq_machine *m, uint32_t cpu, uint64_t *ret,
					struct inq_err *err)
{
	const struct inq_kernel *k = inq_machine_kernel(m);

	for (size_t i = 0; i < k->nr_facts; i++)
		if (!strcmp(k->facts[i].fact, "per_cpu") && k->facts[i].cpu == cpu) {
			*ret = k->facts[i].value;
			return INQ_OK;
		}
	return inq_fail(err, INQ_EABSENT, "where the data of cpu %" PRIu32 " lie is unknown", cpu);
}

enum inq_status inq_per_cpu_base(const struct inq_machine *m, uint32_t cpu, uint64_t *ret,
				 struct inq_err *err)
{
	struct inq_symbol sym;

	if (cpu >= MAX_CPUS)
		return inq_fail(err, INQ_ENOTFOUND, "cpu %" PRIu32 ": no kernel has as many", cpu);
	if (inq_symbol_named(m, "__per_cpu_offset", 0, &sym, NULL))
		return base_of_register(m, cpu, ret, err);
	if (sym.size && UINT64_C(8) * cpu >= sym.size)
		return inq_fail(err, INQ_ENOTFOUND, "cpu %" PRIu32 ": the kernel has no such", cpu);
	return inq_wrap(err, inq_read_u64(m, sym.addr + UINT64_C(8) * cpu, ret, err),
			"data of cpu %" PRIu32, cpu);
}

enum inq_status inq_per_cpu(const struct inq_machine *m, const char *name, uint32_t cpu,
			    uint64_t *ret_addr, struct inq_type *ret_type, struct inq_err *err)
{
	struct machine_var v;
	uint64_t base = 0;
	enum inq_status st = machine_var(m, name, &v, err);

	if (!st && !v.is_per_cpu)
		st = inq_fail(err, INQ_ENOTFOUND, "%s is no per-CPU variable", name);
	if (!st)
		st = inq_per_cpu_base(m, cpu, &base, err);
	if (st)
		return st;
	*ret_addr = base + v.addr;
	*ret_type = v.type;
	return INQ_OK;
}

enum inq_status inq_nr_cpus(const struct inq_machine *m, uint32_t *ret, struct inq_err *err)
{
	struct inq_symbol sym;
	uint32_t nr = 0;

	if (inq_symbol_named(m, "nr_cpu_ids", 0, &sym, NULL)) {
		*ret = m->nr_cpus; /* as many as the dump has are there */
		return m->nr_cpus ? INQ_OK
				  : inq_fail(err, INQ_EABSENT,
					     "how many CPUs the kernel has is unknown");
	}
	enum inq_status st = inq_read_u32(m, sym.addr, &nr, err);
	if (!st && (!nr || nr > MAX_CPUS))
		st = inq_fail(err, INQ_ECORRUPT, "nr_cpu_ids is %" PRIu32, nr);
	if (st)
		return st;
	*ret = nr;
	return INQ_OK;
}
