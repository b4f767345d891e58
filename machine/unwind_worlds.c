/*
 * Knows what lies below the stack of a CPU in SMM or in a guest: the code that the SMI interrupted,
 * and the hypervisor, each in its own address space; together they are one stack.  Sources: APM
 * vol. 2, 10.2 and appendix B; SDM vol. 3, 28.5; Linux arch/x86/kvm/svm/svm.c (svm_enter_smm),
 * arch/x86/kvm/vmx/vmx.c (vmx_enter_smm), arch/x86/kvm/smm.c.
 */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "arch/x86_64/smm.h"
#include "machine/nested.h"
#include "machine/unwind_parts.h"
#include "vmcs/fields.h"

enum { MSR_VM_HSAVE_PA = 0xc0010117, CPUID_UNKNOWN = 0, GBPAGES_UNKNOWN = -1 };

/* Registers that the SMI saved, and what else the area tells. */
struct saved {
	struct inq_regset regs;
	const char *map; /* static */
	uint64_t at;     /* of the area, in the SMM view */
	bool hit_guest;  /* SVM: vmcb is the VMCB12 of the guest that it hit */
	uint64_t vmcb;
};

static bool read_saved(const struct unwinder *u, const struct inq_cpu *cpu, struct saved *ret,
		       struct inq_err *err)
{
	uint8_t area[X86_64_SMM_AREA];
	uint32_t revision = 0;

	*ret = (struct saved){.at = cpu->regs.v[X86_64_SMBASE] + X86_64_SMM_AREA_OFF};
	if (!u->m->dump->smm || !inq_reg_known(&cpu->regs, X86_64_SMBASE)) {
		inq_fail(err, INQ_EABSENT, "the dump does not hold what the SMI saved");
		return false;
	}
	if (inq_read(u->m->dump->smm, ret->at, area, sizeof(area), err))
		return false;
	const struct x86_64_smm_map *map = x86_64_smm_map_of(area, &revision);
	if (!map) {
		inq_fail(err, INQ_ECORRUPT, "no save area of revision 0x%" PRIx32 " is known",
			 revision);
		return false;
	}
	ret->map = map->name;
	for (size_t i = 0; i < map->nr_fields; i++) {
		int r = x86_64_reg_find(map->field[i].name);
		if (r >= 0)
			inq_reg_set(&ret->regs, (unsigned int)r,
				    x86_64_smm_value(&map->field[i], area));
	}
	ret->hit_guest = x86_64_smm_hit_guest(map, area, &ret->vmcb);
	return true;
}

/* The address space that registers tell of, over lower; NULL: they do not. */
static const struct inq_space *space_of(const struct inq_regset *rs, const char *name,
					const struct inq_space *lower, struct paging_space *room)
{
	struct paging_mode mode;

	if (!lower || paging_mode_of(rs, CPUID_UNKNOWN, GBPAGES_UNKNOWN, &mode, NULL))
		return NULL;
	paging_space_init(room, name, lower, &mode);
	return &room->base;
}

/* Code of the machine itself: its kernel's, if it has one that is known, or any. */
static struct unwind_frame *climb_machine(struct unwinder *u, uint32_t os_cpu,
					  const struct inq_regset *rs, const char *how,
					  struct unwind_stack *ret)
{
	struct paging_space room;
	unsigned int nr = ret->nr;

	if (!inq_machine_kernel(u->m)->os)
		return unwind_bare(rs, how, "kernel", space_of(rs, "virt", u->m->dump->phys, &room),
				   ret);
	unwind_kernel(u, os_cpu, rs, how, ret);
	return nr < ret->nr ? &ret->frame[nr] : NULL;
}

/* Where one world ends and another follows, a stack that was cut says so at its last frame. */
static void say_cut(struct unwind_stack *s)
{
	if (s->complete || !s->nr)
		return;
	struct unwind_frame *f = &s->frame[s->nr - 1];
	size_t used = strlen(f->note);
	(void)snprintf(f->note + used, sizeof(f->note) - used, "%s(%.*s)", used ? " " : "",
		       UNWIND_NOTE - 4, s->why);
}

/* What stands between two worlds. */
static void say_boundary(struct unwind_frame *f, const char *what, const char *where, uint64_t at)
{
	char rest[UNWIND_NOTE];

	if (!f)
		return;
	memcpy(rest, f->note, sizeof(rest));
	(void)snprintf(f->note, sizeof(f->note), "%s: %s 0x%" PRIx64 "%s%.*s", what, where, at,
		       *rest ? "; " : "", UNWIND_NOTE - 80, rest);
}

/* The hypervisor goes on when its guest exits. */
static void to_hypervisor(struct unwinder *u, const struct inq_cpu *cpu,
			  const struct vmcs_nested *s, struct unwind_stack *ret)
{
	struct inq_regset host = {0};

	say_cut(ret);
	if (!vmcs_nested_host_regs(s, &cpu->regs, &host)) {
		unwind_end(ret, false, "cut: where its hypervisor goes on is not in the dump");
		return;
	}
	say_boundary(climb_machine(u, cpu->index, &host, "hypervisor", ret),
		     "its guest exits to here", s->format == VMCS_SVM ? "VMCB12" : "VMCS12",
		     s->block_pa);
}

/* The guest that a guest runs; virt: its linear addresses. */
static void climb_guest(struct unwinder *u, const struct inq_cpu *cpu, const struct inq_regset *rs,
			const char *how, const struct inq_space *virt, const struct vmcs_nested *s,
			struct unwind_stack *ret)
{
	unsigned int nr = ret->nr;

	(void)unwind_bare(rs, how, "guest", virt, ret);
	if (nr < ret->nr)
		(void)snprintf(ret->frame[nr].note, sizeof(ret->frame[nr].note),
			       "guest of the hypervisor below");
	to_hypervisor(u, cpu, s, ret);
}

/* Linear addresses of a guest that an SMI hit, through its hypervisor's tables. */
static void guest_in_smm(struct unwinder *u, const struct inq_cpu *cpu, const struct saved *saved,
			 const struct vmcs_nested *s, struct unwind_stack *ret)
{
	struct paging_space phys, virt;
	struct paging_mode mode;
	const struct inq_space *lower = u->m->dump->phys;
	uint64_t root = 0;

	if (!s->block) { /* whether it has tables below its own is not known */
		lower = NULL;
	} else if (vmcs_nested_paging(s, &root)) {
		bool known =
			machine_nested_mode(cpu, s, root, CPUID_UNKNOWN, GBPAGES_UNKNOWN, &mode);
		if (known)
			paging_space_init(&phys, "guest", lower, &mode);
		lower = known ? &phys.base : NULL;
	}
	climb_guest(u, cpu, &saved->regs, "save area",
		    space_of(&saved->regs, "guest-virt", lower, &virt), s, ret);
}

/* The guest that the SMI hit, of which KVM keeps nothing under SVM: it left it.  block: room. */
static bool hit_guest(const struct unwinder *u, const struct inq_cpu *cpu,
		      const struct saved *saved, uint8_t *block, struct vmcs_nested *ret)
{
	uint8_t host[VMCS12_BYTES], control[VMCS12_BYTES];
	uint64_t hsave = 0;
	const struct inq_blob *b = inq_dump_blob(u->m->dump, cpu->index, 0, INQ_SNAP_NESTED);

	if (saved->hit_guest && inq_cpu_msr(cpu, MSR_VM_HSAVE_PA, &hsave) &&
	    !inq_read(u->m->dump->phys, saved->vmcb, control, sizeof(control), NULL) &&
	    !inq_read(u->m->dump->phys, hsave, host, sizeof(host), NULL)) {
		vmcs_nested_of_smm(control, host, saved->vmcb, block, ret);
		return true;
	}
	return unwind_nested(b, ret) && ret->format == VMCS_VMX && ret->smm_guest_mode;
}

/* Its registers are none of the machine's own kernel. */
static void guest_of_unknown(const struct saved *saved, struct unwind_stack *ret)
{
	(void)unwind_bare(&saved->regs, "save area", "guest", NULL, ret);
	unwind_end(ret, false, "cut: VMCB12, or the page of VM_HSAVE_PA, is not in the dump");
}

void unwind_smm(struct unwinder *u, const struct inq_cpu *cpu, struct unwind_stack *ret)
{
	struct saved saved;
	struct vmcs_nested nested;
	struct inq_err why = {0};
	uint8_t block[VMCS12_BYTES];
	struct unwind_frame *f = unwind_bare(&cpu->regs, "registers", "smm", cpu->virt, ret);

	if (f)
		(void)snprintf(f->note, sizeof(f->note), "system-management mode");
	if (!read_saved(u, cpu, &saved, &why)) {
		unwind_end(ret, false, "cut: %.*s", UNWIND_NOTE - 8, why.msg);
		return;
	}
	say_cut(ret);
	unsigned int nr = ret->nr;
	if (hit_guest(u, cpu, &saved, block, &nested))
		guest_in_smm(u, cpu, &saved, &nested, ret);
	else if (saved.hit_guest)
		guest_of_unknown(&saved, ret);
	else
		(void)climb_machine(u, unwind_os_cpu(u, cpu), &saved.regs, "save area", ret);
	if (nr < ret->nr)
		say_boundary(&ret->frame[nr], "interrupted by the SMI", "save area", saved.at);
}

bool unwind_nested(const struct inq_blob *b, struct vmcs_nested *ret)
{
	return b && b->state == INQ_SNAP_PRESENT && b->p &&
	       !vmcs_nested_parse(b->p, b->n, ret, NULL);
}

bool unwind_guest(struct unwinder *u, const struct inq_cpu *cpu, struct unwind_stack *ret)
{
	struct vmcs_nested s;

	/* then the CPU's registers are the guest's */
	if (!unwind_nested(inq_dump_blob(u->m->dump, cpu->index, 0, INQ_SNAP_NESTED), &s) ||
	    !s.guest_mode)
		return false;
	climb_guest(u, cpu, &cpu->regs, "registers", cpu->virt, &s, ret);
	return true;
}

void unwind_machine(struct unwinder *u, const struct inq_cpu *cpu, struct unwind_stack *ret)
{
	if (inq_machine_kernel(u->m)->os)
		unwind_kernel(u, unwind_os_cpu(u, cpu), &cpu->regs, "registers", ret);
	else
		(void)unwind_bare(&cpu->regs, "registers", "kernel", cpu->virt, ret);
}
