/*
 * Knows which ioctls yield a vCPU's state, and in which order: MP_STATE first, because it lets
 * pending INIT and SIPI take effect; EVENTS next, because it folds queued NMI and SMI into what is
 * shown (Linux arch/x86/kvm/x86.c: kvm_arch_vcpu_ioctl_get_mpstate, process_nmi).
 */
#include "vmm/state.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>

enum { MAX_MSRS = 4096, MAX_CPUID = 256, RUN_BYTES = 288 };

/* Part of the state, yet in no list of KVM_GET_MSR_INDEX_LIST: first and last of each range. */
static const struct {
	uint32_t first, last;
} extra_msrs[] = {
	{0x1b, 0x1b},   /* APIC_BASE */
	{0x34, 0x34},   /* SMI_COUNT */
	{0x9e, 0x9e},   /* SMBASE */
	{0xfe, 0xfe},   /* MTRRcap */
	{0x1d9, 0x1d9}, /* DEBUGCTL */
	{0x200, 0x20f}, /* variable MTRRs */
	{0x250, 0x250}, /* fixed MTRRs */
	{0x258, 0x259},
	{0x268, 0x26f},
	{0x277, 0x277},           /* PAT */
	{0x2ff, 0x2ff},           /* MTRRdefType */
	{0x6e0, 0x6e0},           /* TSC_DEADLINE */
	{0xda0, 0xda0},           /* XSS */
	{0xc0000080, 0xc0000084}, /* EFER, STAR, LSTAR, CSTAR, SFMASK */
	{0xc0000100, 0xc0000103}, /* FS, GS and kernel GS base, TSC_AUX */
	{0xc0010114, 0xc0010114}, /* VM_CR */
	{0xc0010117, 0xc0010117}, /* VM_HSAVE_PA */
};

static void take(struct vmm_state *s, enum inq_snap_kind kind, bool have, int fd,
		 unsigned long request, void *to)
{
	if (!have)
		s->state[kind] = INQ_SNAP_ABSENT;
	else if (ioctl(fd, request, to) < 0) {
		s->state[kind] = INQ_SNAP_FAILED;
		s->error[kind] = (uint16_t)errno;
	} else {
		s->state[kind] = INQ_SNAP_PRESENT;
	}
}

static void add_msr(struct vmm_state *s, const struct vmm_vcpu *v, uint32_t index)
{
	struct kvm_msr_entry e = {.index = index};

	for (uint32_t i = 0; i < s->nr_msrs; i++)
		if (s->msrs[i].index == index)
			return;
	if (s->nr_msrs == MAX_MSRS)
		return;
	e.reserved = !vmm_vcpu_msr(v, KVM_GET_MSRS, &e);
	s->msrs[s->nr_msrs++] = e;
}

/* One by one: KVM_GET_MSRS stops at the first that it refuses. */
static enum inq_status take_msrs(struct vmm_state *s, const struct vmm_vcpu *v, struct inq_err *err)
{
	struct kvm_msr_list *list = calloc(1, sizeof(*list) + MAX_MSRS * sizeof(uint32_t));

	s->msrs = calloc(MAX_MSRS, sizeof(*s->msrs));
	if (!list || !s->msrs) {
		free(list);
		return inq_fail(err, INQ_ENOMEM, "list of MSRs");
	}
	list->nmsrs = MAX_MSRS;
	if (ioctl(v->vm->kvm, KVM_GET_MSR_INDEX_LIST, list)) {
		s->state[INQ_SNAP_MSRS] = INQ_SNAP_FAILED;
		s->error[INQ_SNAP_MSRS] = (uint16_t)errno;
		free(list);
		return INQ_OK;
	}
	for (uint32_t i = 0; i < list->nmsrs; i++)
		add_msr(s, v, list->indices[i]);
	for (size_t i = 0; i < sizeof(extra_msrs) / sizeof(*extra_msrs); i++)
		for (uint32_t m = extra_msrs[i].first; m <= extra_msrs[i].last; m++)
			add_msr(s, v, m);
	free(list);
	return INQ_OK;
}

static enum inq_status take_cpuid(struct vmm_state *s, int fd, struct inq_err *err)
{
	struct kvm_cpuid2 *c = calloc(1, sizeof(*c) + MAX_CPUID * sizeof(c->entries[0]));

	s->cpuid = calloc(MAX_CPUID, sizeof(*s->cpuid));
	if (!c || !s->cpuid) {
		free(c);
		return inq_fail(err, INQ_ENOMEM, "CPUID table");
	}
	c->nent = MAX_CPUID;
	take(s, INQ_SNAP_CPUID2, true, fd, KVM_GET_CPUID2, c);
	if (s->state[INQ_SNAP_CPUID2] == INQ_SNAP_PRESENT) {
		s->nr_cpuid = c->nent;
		memcpy(s->cpuid, c->entries, c->nent * sizeof(c->entries[0]));
	}
	free(c);
	return INQ_OK;
}

enum inq_status vmm_state_take(struct vmm_state *ret, const struct vmm_vcpu *v, struct inq_err *err)
{
	const int *cap = v->vm->caps.value;
	struct vmm_state *s = ret;
	int fd = v->fd;

	*s = (struct vmm_state){0};
	take(s, INQ_SNAP_MP_STATE, true, fd, KVM_GET_MP_STATE, &s->mp);
	take(s, INQ_SNAP_EVENTS, cap[VMM_CAP_VCPU_EVENTS], fd, KVM_GET_VCPU_EVENTS, &s->events);
	take(s, INQ_SNAP_REGS, true, fd, KVM_GET_REGS, &s->regs);
	take(s, INQ_SNAP_SREGS2, cap[VMM_CAP_SREGS2], fd, KVM_GET_SREGS2, &s->sregs2);
	take(s, INQ_SNAP_SREGS, true, fd, KVM_GET_SREGS, &s->sregs);
	take(s, INQ_SNAP_DEBUGREGS, cap[VMM_CAP_DEBUGREGS], fd, KVM_GET_DEBUGREGS, &s->debugregs);
	take(s, INQ_SNAP_LAPIC, true, fd, KVM_GET_LAPIC, &s->lapic);
	enum inq_status st = take_msrs(s, v, err);
	if (!st)
		st = take_cpuid(s, fd, err);
	if (st)
		vmm_state_deinit(s);
	return st;
}

void vmm_state_deinit(struct vmm_state *s)
{
	free(s->msrs);
	free(s->cpuid);
	*s = (struct vmm_state){0};
}

bool vmm_state_rip(const struct vmm_state *s, uint64_t *ret)
{
	if (s->state[INQ_SNAP_REGS] || s->state[INQ_SNAP_SREGS])
		return false;
	*ret = s->sregs.cs.base + s->regs.rip;
	return true;
}

void vmm_state_add_prstatus(const struct vmm_state *s, unsigned index, struct vmm_notes *n)
{
	const struct kvm_regs *r = &s->regs;
	const struct kvm_sregs *q = &s->sregs;
	const uint64_t reg[VMM_NR_USER_REGS] = {
		[VMM_R15] = r->r15,         [VMM_R14] = r->r14,
		[VMM_R13] = r->r13,         [VMM_R12] = r->r12,
		[VMM_RBP] = r->rbp,         [VMM_RBX] = r->rbx,
		[VMM_R11] = r->r11,         [VMM_R10] = r->r10,
		[VMM_R9] = r->r9,           [VMM_R8] = r->r8,
		[VMM_RAX] = r->rax,         [VMM_RCX] = r->rcx,
		[VMM_RDX] = r->rdx,         [VMM_RSI] = r->rsi,
		[VMM_RDI] = r->rdi,         [VMM_ORIG_RAX] = UINT64_MAX, /* not in a system call */
		[VMM_RIP] = r->rip,         [VMM_CS] = q->cs.selector,
		[VMM_RFLAGS] = r->rflags,   [VMM_RSP] = r->rsp,
		[VMM_SS] = q->ss.selector,  [VMM_FS_BASE] = q->fs.base,
		[VMM_GS_BASE] = q->gs.base, [VMM_DS] = q->ds.selector,
		[VMM_ES] = q->es.selector,  [VMM_FS] = q->fs.selector,
		[VMM_GS] = q->gs.selector,
	};
	/* zeros that nobody read would look like registers */
	if (s->state[INQ_SNAP_REGS] == INQ_SNAP_PRESENT &&
	    s->state[INQ_SNAP_SREGS] == INQ_SNAP_PRESENT)
		vmm_notes_prstatus(n, index, reg);
}

void vmm_state_add_notes(const struct vmm_state *s, const struct vmm_vcpu *v, struct vmm_notes *n)
{
	const struct {
		enum inq_snap_kind kind;
		const void *data;
		size_t size;
	} part[] = {
		{INQ_SNAP_MP_STATE, &s->mp, sizeof(s->mp)},
		{INQ_SNAP_EVENTS, &s->events, sizeof(s->events)},
		{INQ_SNAP_REGS, &s->regs, sizeof(s->regs)},
		{INQ_SNAP_SREGS2, &s->sregs2, sizeof(s->sregs2)},
		{INQ_SNAP_SREGS, &s->sregs, sizeof(s->sregs)},
		{INQ_SNAP_DEBUGREGS, &s->debugregs, sizeof(s->debugregs)},
		{INQ_SNAP_LAPIC, &s->lapic, sizeof(s->lapic)},
		{INQ_SNAP_MSRS, s->msrs, s->nr_msrs * sizeof(*s->msrs)},
		{INQ_SNAP_CPUID2, s->cpuid, s->nr_cpuid * sizeof(*s->cpuid)},
		{INQ_SNAP_RUN, v->run_seen, RUN_BYTES},
	};

	for (size_t i = 0; i < sizeof(part) / sizeof(*part); i++) {
		enum inq_snap_kind k = part[i].kind;

		if (k == INQ_SNAP_SREGS && s->state[INQ_SNAP_SREGS2] == INQ_SNAP_PRESENT)
			continue;
		if (s->state[k] == INQ_SNAP_PRESENT)
			vmm_notes_add(n, v->index, k, part[i].data, part[i].size);
		else
			vmm_notes_missing(n, v->index, k, (enum inq_snap_state)s->state[k],
					  s->error[k]);
	}
}
