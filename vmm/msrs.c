/*
 * Knows which MSRs are state: KVM_GET_MSR_INDEX_LIST, and those that are in no list of KVM's
 * (Linux arch/x86/kvm/x86.c: msrs_to_save_all, emulated_msrs_all), machine-check banks as many as
 * MCG_CAP says.
 */
#include "vmm/msrs.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>

enum { MAX_MSRS = 4096, CHUNK = 64, MSR_MCG_CAP = 0x179, MSR_MC0_CTL = 0x400, MAX_BANKS = 32 };

/* First and last of each range. */
static const struct {
	uint32_t first, last;
} extra_msrs[] = {
	{0x11, 0x12},   /* kvmclock, the old numbers */
	{0x1b, 0x1b},   /* APIC_BASE */
	{0x34, 0x34},   /* SMI_COUNT */
	{0x3a, 0x3b},   /* FEATURE_CONTROL, TSC_ADJUST */
	{0x9e, 0x9e},   /* SMBASE */
	{0xfe, 0xfe},   /* MTRRcap */
	{0x179, 0x17b}, /* MCG_CAP, MCG_STATUS, MCG_CTL */
	{0x1d9, 0x1d9}, /* DEBUGCTL */
	{0x200, 0x20f}, /* variable MTRRs */
	{0x250, 0x250}, /* fixed MTRRs */
	{0x258, 0x259},
	{0x268, 0x26f},
	{0x277, 0x277},           /* PAT */
	{0x2ff, 0x2ff},           /* MTRRdefType */
	{0x6e0, 0x6e0},           /* TSC_DEADLINE */
	{0xda0, 0xda0},           /* XSS */
	{0x4b564d00, 0x4b564d08}, /* KVM's own */
	{0xc0000080, 0xc0000084}, /* EFER, STAR, LSTAR, CSTAR, SFMASK */
	{0xc0000100, 0xc0000103}, /* FS, GS and kernel GS base, TSC_AUX */
	{0xc0010114, 0xc0010114}, /* VM_CR */
	{0xc0010117, 0xc0010117}, /* VM_HSAVE_PA */
};

struct list {
	struct kvm_msr_entry *e;
	uint32_t nr;
};

static void add(struct list *l, uint32_t index)
{
	for (uint32_t i = 0; i < l->nr; i++)
		if (l->e[i].index == index)
			return;
	if (l->nr < MAX_MSRS)
		l->e[l->nr++] = (struct kvm_msr_entry){.index = index};
}

static void add_range(struct list *l, uint32_t first, uint32_t last)
{
	for (uint32_t m = first; m <= last; m++)
		add(l, m);
}

/* One call; the number done, 0 for an error. */
static uint32_t call(int fd, unsigned long request, struct kvm_msr_entry *e, uint32_t nr)
{
	union {
		struct kvm_msrs msrs;
		uint8_t room[sizeof(struct kvm_msrs) + CHUNK * sizeof(*e)];
	} u = {.room = {0}};

	u.msrs.nmsrs = nr;
	memcpy(u.msrs.entries, e, nr * sizeof(*e));
	int done = ioctl(fd, request, &u.msrs);
	if (done <= 0)
		return 0;
	memcpy(e, u.msrs.entries, nr * sizeof(*e));
	return (uint32_t)done < nr ? (uint32_t)done : nr;
}

static uint32_t call_all(int fd, unsigned long request, struct kvm_msr_entry *e, uint32_t nr)
{
	uint32_t done = 0;

	while (done < nr) {
		uint32_t want = nr - done < CHUNK ? nr - done : CHUNK;
		uint32_t got = call(fd, request, e + done, want);

		done += got;
		if (got < want)
			break;
	}
	return done;
}

uint32_t vmm_msrs_get(int fd, struct kvm_msr_entry *e, uint32_t nr)
{
	return call_all(fd, KVM_GET_MSRS, e, nr);
}

uint32_t vmm_msrs_set(int fd, const struct kvm_msr_entry *e, uint32_t nr)
{
	struct kvm_msr_entry copy[CHUNK];
	uint32_t done = 0;

	while (done < nr) {
		uint32_t want = nr - done < CHUNK ? nr - done : CHUNK;

		memcpy(copy, e + done, want * sizeof(*e));
		uint32_t got = call(fd, KVM_SET_MSRS, copy, want);
		done += got;
		if (got < want)
			break;
	}
	return done;
}

static void add_banks(struct list *l, int fd)
{
	struct kvm_msr_entry cap = {.index = MSR_MCG_CAP};

	if (vmm_msrs_get(fd, &cap, 1) != 1)
		return;
	uint32_t nr = (uint32_t)cap.data & 0xff;
	if (nr)
		add_range(l, MSR_MC0_CTL, MSR_MC0_CTL + 4 * (nr < MAX_BANKS ? nr : MAX_BANKS) - 1);
}

/* KVM_GET_MSRS stops at the first that it refuses: note that one, go on behind it. */
static void read_all(struct list *l, int fd)
{
	for (uint32_t at = 0; at < l->nr; at++) {
		at += vmm_msrs_get(fd, l->e + at, l->nr - at);
		if (at < l->nr)
			l->e[at] = (struct kvm_msr_entry){.index = l->e[at].index, .reserved = 1};
	}
}

enum inq_status vmm_msrs_take(const struct vmm_vcpu *v, struct kvm_msr_entry **ret_msrs,
			      uint32_t *ret_nr, int *ret_error, struct inq_err *err)
{
	struct kvm_msr_list *known = calloc(1, sizeof(*known) + MAX_MSRS * sizeof(uint32_t));
	struct list l = {.e = calloc(MAX_MSRS, sizeof(*l.e))};

	if (!known || !l.e) {
		free(known);
		free(l.e);
		return inq_fail(err, INQ_ENOMEM, "list of MSRs");
	}
	known->nmsrs = MAX_MSRS;
	*ret_error = ioctl(v->vm->kvm, KVM_GET_MSR_INDEX_LIST, known) ? errno : 0;
	if (!*ret_error) {
		for (uint32_t i = 0; i < known->nmsrs; i++)
			add(&l, known->indices[i]);
		for (size_t i = 0; i < sizeof(extra_msrs) / sizeof(*extra_msrs); i++)
			add_range(&l, extra_msrs[i].first, extra_msrs[i].last);
		add_banks(&l, v->fd);
		read_all(&l, v->fd);
	}
	free(known);
	*ret_msrs = l.e;
	*ret_nr = l.nr;
	return INQ_OK;
}
