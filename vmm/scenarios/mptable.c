/*
 * mptable-count, and a table that is right: article 004.  A VMM counted the entries of its MP table
 * one too high.  Linux reads by length and never notices; a kernel that counts, as the
 * MultiProcessor specification 1.4 (4.2) has it, reads on into what lies behind: there the ACPI
 * table DSDT, whose 'D' is an entry of type 68.
 */
#include <string.h>

#include "vmm/scenarios/scenarios.h"
#include "vmm/tables.h"

enum { POINTER = 0x9fc00, LENGTH = 4, CHECKSUM = 7, ENTRIES = 34, AREA = 0x9d800, ALIGN = 16 };
enum { BEHIND = 0x200 }; /* room for what follows the table */

/* Each vCPU counts; the table lies where it likes, from its own end on up to the pointer. */
static enum inq_status draw_table(struct vmm_plan *p, uint16_t more, struct vmm_rng *rng,
				  struct inq_err *err)
{
	const uint64_t most = 44 + 20 * VMM_MAX_VCPUS + 8 * 24 + BEHIND;

	p->mptable = vmm_rng_within(rng, AREA, POINTER - most, ALIGN);
	p->mptable_more = more;
	return vmm_plan_count(p, rng, err);
}

static enum inq_status draw_count(struct vmm_plan *p, struct vmm_rng *rng, struct inq_err *err)
{
	p->hit = p->nr_vcpus;
	return draw_table(p, 1, rng, err);
}

static enum inq_status draw_fine(struct vmm_plan *p, struct vmm_rng *rng, struct inq_err *err)
{
	p->hit = p->nr_vcpus;
	return draw_table(p, 0, rng, err);
}

/* The machine's own table, moved, perhaps miscounted, and the DSDT directly behind it. */
static bool install(const struct vmm_plan *p, const struct vmm_memory *m)
{
	struct inq_err err;
	uint64_t rsdp;
	uint32_t from = 0, dsdt_bytes = 0;
	uint16_t n = 0, entries = 0;

	if (vmm_tables_install(m, p->nr_vcpus, &rsdp, &err))
		return false;
	uint8_t *pointer = vmm_memory_at(m, 0, POINTER, 16), *to;
	memcpy(&from, pointer + 4, 4);
	uint8_t *table = vmm_memory_at(m, 0, from, 44),
		*dsdt = vmm_memory_at(m, 0, VMM_TABLES_DSDT, BEHIND);
	if (!table || !dsdt)
		return false;
	memcpy(&n, table + LENGTH, 2);
	memcpy(&entries, table + ENTRIES, 2);
	memcpy(&dsdt_bytes, dsdt + 4, 4);
	to = vmm_memory_at(m, 0, p->mptable, n + UINT64_C(0) + BEHIND);
	if (!to || dsdt_bytes > BEHIND)
		return false;
	memmove(to, table, n);
	memset(table, 0, n);
	memcpy(to + n, dsdt, dsdt_bytes);
	entries = (uint16_t)(entries + p->mptable_more);
	memcpy(to + ENTRIES, &entries, 2);
	vmm_tables_seal(to, n, CHECKSUM);
	memcpy(pointer + 4, &(uint32_t){(uint32_t)p->mptable}, 4);
	vmm_tables_seal(pointer, 16, 10);
	return true;
}

const struct vmm_scenario vmm_scenario_mptable_count = {
	.name = "mptable-count",
	.doc = "the MP table claims an entry more than it has; behind it lies the DSDT",
	.kind = VMM_FAULT,
	.machines = VMM_ON_BOTH,
	.draw = draw_count,
	.install = install,
};
const struct vmm_scenario vmm_scenario_mptable_fine = {
	.name = "mptable-fine",
	.doc = "an MP table that counts its entries right, the DSDT behind it",
	.kind = VMM_NEAR_MISS,
	.machines = VMM_ON_BOTH,
	.draw = draw_fine,
	.install = install,
};
