/* Knows how the tables of a hypervisor and those of its guest stack, whoever runs right now. */
#include "machine/nested.h"

#include <inttypes.h>
#include <stdio.h>

#include "arch/x86_64/regs.h"
#include "vmcs/nested.h"

enum { MSR_EPT_VPID_CAP = 0x48c };

/* What every space of one vCPU is made from. */
struct maker {
	const struct inq_cpu *cpu;
	const struct inq_space *phys;
	int maxphyaddr, gbpages;
	struct vmcs_nested state;
	struct machine_nested *to;
};

static void add(const struct maker *mk, struct paging_space *ps, int nr, const char *fmt,
		const struct inq_space *lower, const struct paging_mode *mode)
{
	char *name = mk->to->name[nr];

	(void)snprintf(name, MACHINE_NESTED_NAME, "%s%" PRIu32 "%s", nr == 2 ? "outer" : "nested",
		       mk->cpu->index, fmt);
	paging_space_init(ps, name, lower, mode);
}

/* NPT: the hypervisor's own kind of tables, below another root.  APM vol. 2, 15.25.3. */
static bool npt_mode(const struct inq_cpu *cpu, const struct vmcs_nested *state, uint64_t root,
		     int maxphyaddr, int gbpages, struct paging_mode *ret)
{
	struct inq_regset host = {0};

	if (!vmcs_nested_host_regs(state, &cpu->regs, &host))
		return false;
	host.v[X86_64_CR3] = root;
	if (paging_mode_of(&host, maxphyaddr, gbpages, ret, NULL))
		return false;
	ret->kind = PAGING_NPT;
	return true;
}

bool machine_nested_mode(const struct inq_cpu *cpu, const struct vmcs_nested *state, uint64_t root,
			 int maxphyaddr, int gbpages, struct paging_mode *ret)
{
	uint64_t cap = 0;

	if (state->format == VMCS_SVM)
		return npt_mode(cpu, state, root, maxphyaddr, gbpages, ret);
	(void)inq_cpu_msr(cpu, MSR_EPT_VPID_CAP, &cap);
	return !paging_mode_of_eptp(root, cap, maxphyaddr, ret, NULL);
}

/* The registers of the inner guest: the vCPU's own while it runs, else what its block keeps. */
static void add_virt(const struct maker *mk)
{
	struct inq_regset kept = {0};
	const struct inq_regset *rs = &mk->cpu->regs;
	const struct inq_space *lower = mk->to->name[0][0] ? &mk->to->phys.base : mk->phys;
	struct paging_mode mode;

	if (!mk->state.guest_mode) {
		if (!vmcs_nested_guest_regs(&mk->state, rs, &kept))
			return;
		rs = &kept;
	}
	if (!paging_mode_of(rs, mk->maxphyaddr, mk->gbpages, &mode, NULL))
		add(mk, &mk->to->virt, 1, "-virt", lower, &mode);
}

static void add_outer(const struct maker *mk)
{
	struct inq_regset host = {0};
	struct paging_mode mode;

	if (mk->state.guest_mode && vmcs_nested_host_regs(&mk->state, &mk->cpu->regs, &host) &&
	    !paging_mode_of(&host, mk->maxphyaddr, mk->gbpages, &mode, NULL))
		add(mk, &mk->to->outer, 2, "-virt", mk->phys, &mode);
}

void machine_nested_open(const struct machine_blobs *b, const struct inq_cpu *cpu,
			 const struct inq_space *phys, int maxphyaddr, int gbpages,
			 struct machine_nested *ret)
{
	const struct inq_blob *note = b->of[INQ_SNAP_NESTED];
	struct maker mk = {cpu, phys, maxphyaddr, gbpages, {0}, ret};
	struct paging_mode mode;
	uint64_t root;

	*ret = (struct machine_nested){0};
	if (!note || note->state != INQ_SNAP_PRESENT || !note->p ||
	    vmcs_nested_parse(note->p, note->n, &mk.state, NULL))
		return;
	ret->runs = mk.state.guest_mode;
	if (vmcs_nested_paging(&mk.state, &root)) {
		if (!machine_nested_mode(cpu, &mk.state, root, maxphyaddr, gbpages, &mode))
			return; /* without it the inner guest's own tables lie nowhere */
		add(&mk, &ret->phys, 0, "", phys, &mode);
	}
	add_virt(&mk);
	add_outer(&mk);
}
