/*
 * Knows how KVM is made to interrupt a guest.  With the irqchip in the kernel KVM_INTERRUPT is
 * refused, so an interrupt goes the way of a message (Documentation/virt/kvm/api.rst,
 * KVM_SIGNAL_MSI; SDM vol. 3, 11.11); an exception goes into KVM_SET_VCPU_EVENTS.
 */
#include "vmm/inject.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>

enum { MSI_ADDRESS = 0xfee00000u, MSI_DEST_SHIFT = 12, NMI_VECTOR = 2, PAGE_FAULT = 14 };
enum { NR_GSIS = 24 };
/* #DF #TS #NP #SS #GP #PF #AC #CP #VC #SX: SDM vol. 3, 6.15; APM vol. 2, 8.2 */
enum { WITH_ERROR = 1 << 8 | 0x1f << 10 | 1 << 17 | 1 << 21 | 1 << 29 | 1 << 30 };

enum {
	HAS_VCPU = 1,
	HAS_VECTOR = 2,
	HAS_ERROR = 4,
	HAS_ADDRESS = 8,
	HAS_GSI = 16,
	HAS_LEVEL = 32,
	HAS_DATA = 64,
};

static const struct {
	const char *name;
	enum vmm_injected what;
	unsigned needs, may;
} kinds[] = {
	{"irq", VMM_INJECTED_IRQ, HAS_VCPU | HAS_VECTOR, 0},
	{"exception", VMM_INJECTED_EXCEPTION, HAS_VCPU | HAS_VECTOR, HAS_ERROR | HAS_ADDRESS},
	{"line", VMM_INJECTED_LINE, HAS_GSI | HAS_LEVEL, 0},
	{"msi", VMM_INJECTED_MSI, HAS_ADDRESS | HAS_DATA, 0},
};

static const struct {
	const char *key;
	unsigned bit;
	uint64_t most;
	size_t at; /* of a uint32_t; the address is none */
} members[] = {
	{"vcpu", HAS_VCPU, UINT32_MAX, offsetof(struct vmm_injection, vcpu)},
	{"vector", HAS_VECTOR, 255, offsetof(struct vmm_injection, vector)},
	{"error", HAS_ERROR, UINT32_MAX, offsetof(struct vmm_injection, error)},
	{"gsi", HAS_GSI, NR_GSIS - 1, offsetof(struct vmm_injection, gsi)},
	{"level", HAS_LEVEL, 1, offsetof(struct vmm_injection, level)},
	{"data", HAS_DATA, UINT32_MAX, offsetof(struct vmm_injection, data)},
	{"address", HAS_ADDRESS, UINT64_MAX, offsetof(struct vmm_injection, address)},
};
enum { NR_MEMBERS = sizeof(members) / sizeof(*members) };

/* A number, or "0x..." */
static bool number_of(const struct vmm_json_member *m, uint64_t most, uint64_t *ret)
{
	char *end;

	*ret = m->number;
	if (m->is_number)
		return *ret <= most;
	if (!m->text || strncmp(m->text, "0x", 2) != 0 ||
	    strspn(m->text + 2, "0123456789abcdefABCDEF") != strlen(m->text + 2))
		return false;
	errno = 0;
	*ret = strtoull(m->text, &end, 16);
	return !errno && !*end && m->text[2] && *ret <= most;
}

static enum inq_status take_kind(struct vmm_injection *q, const char *name, struct inq_err *err)
{
	for (size_t i = 0; name && i < sizeof(kinds) / sizeof(*kinds); i++)
		if (!strcmp(kinds[i].name, name)) {
			q->what = kinds[i].what;
			return INQ_OK;
		}
	return inq_fail(err, INQ_EUSAGE, "what: not irq, exception, line or msi");
}

enum inq_status vmm_injection_member(struct vmm_injection *q, const struct vmm_json_member *m,
				     unsigned nr_vcpus, struct inq_err *err)
{
	uint64_t v = 0;
	size_t i = 0;

	if (!strcmp(m->key, "what"))
		return take_kind(q, m->text, err);
	while (i < NR_MEMBERS && strcmp(members[i].key, m->key) != 0)
		i++;
	if (i == NR_MEMBERS)
		return inq_fail(err, INQ_EUSAGE, "'%.64s' is not expected here", m->key);
	uint64_t most = members[i].bit == HAS_VCPU ? nr_vcpus - 1 : members[i].most;
	if (!number_of(m, most, &v))
		return inq_fail(err, INQ_EUSAGE, "%s: not 0 to %llu", m->key,
				(unsigned long long)most);
	q->has |= members[i].bit;
	if (members[i].bit == HAS_ADDRESS)
		q->address = v;
	else
		memcpy((char *)q + members[i].at, &(uint32_t){(uint32_t)v}, sizeof(uint32_t));
	return INQ_OK;
}

static enum inq_status check_exception(const struct vmm_injection *q, struct inq_err *err)
{
	bool wants = q->vector < 32 && (uint32_t)WITH_ERROR >> q->vector & 1;

	if (q->vector > 31 || q->vector == NMI_VECTOR)
		return inq_fail(err, INQ_EUSAGE,
				"vector: an exception is 0 to 31 but 2; nmi is a verb");
	if (wants != !!(q->has & HAS_ERROR))
		return inq_fail(err, INQ_EUSAGE, "exception %u has %s error code", q->vector,
				wants ? "an" : "no");
	if (q->has & HAS_ADDRESS && q->vector != PAGE_FAULT)
		return inq_fail(err, INQ_EUSAGE, "only exception 14 has an address");
	return INQ_OK;
}

enum inq_status vmm_injection_check(const struct vmm_injection *q, struct inq_err *err)
{
	size_t k = 0;

	while (k < sizeof(kinds) / sizeof(*kinds) && kinds[k].what != q->what)
		k++;
	if (k == sizeof(kinds) / sizeof(*kinds))
		return inq_fail(err, INQ_EUSAGE, "\"what\" is missing");
	for (size_t i = 0; i < NR_MEMBERS; i++) {
		if (kinds[k].needs & ~q->has & members[i].bit)
			return inq_fail(err, INQ_EUSAGE, "\"%s\" is missing", members[i].key);
		if (q->has & ~(kinds[k].needs | kinds[k].may) & members[i].bit)
			return inq_fail(err, INQ_EUSAGE, "'%s' is not expected here",
					members[i].key);
	}
	if (q->what == VMM_INJECTED_IRQ && q->vector < 16)
		return inq_fail(err, INQ_EUSAGE, "vector: an interrupt is 16 to 255");
	return q->what == VMM_INJECTED_EXCEPTION ? check_exception(q, err) : INQ_OK;
}

static enum inq_status refused(struct inq_err *err, const char *what)
{
	return inq_fail(err, INQ_EIO, "/dev/kvm: %s: %s", what, strerror(errno));
}

static enum inq_status send_msi(const struct vmm_vm *vm, uint64_t address, uint32_t data,
				bool *ret_taken, struct inq_err *err)
{
	struct kvm_msi msi = {.address_lo = (uint32_t)address,
			      .address_hi = (uint32_t)(address >> 32),
			      .data = data};

	if (ioctl(vm->kvm, KVM_CHECK_EXTENSION, (unsigned long)KVM_CAP_SIGNAL_MSI) <= 0)
		return inq_fail(err, INQ_EUNSUPPORTED, "this KVM cannot send messages");
	int r = ioctl(vm->fd, KVM_SIGNAL_MSI, &msi);
	*ret_taken = r > 0;
	return r < 0 ? refused(err, "KVM_SIGNAL_MSI") : INQ_OK;
}

static enum inq_status set_line(const struct vmm_vm *vm, const struct vmm_injection *q,
				struct inq_err *err)
{
	struct kvm_irq_level line = {.irq = q->gsi, .level = q->level};

	return ioctl(vm->fd, KVM_IRQ_LINE, &line) ? refused(err, "KVM_IRQ_LINE") : INQ_OK;
}

/* Where KVM knows payloads, CR2 changes when the fault is delivered, not before. */
static void set_exception(const struct vmm_vm *vm, const struct vmm_injection *q,
			  struct kvm_vcpu_events *e)
{
	bool payload = vm->caps.value[VMM_CAP_EXCEPTION_PAYLOAD];

	e->exception.nr = (uint8_t)q->vector;
	e->exception.has_error_code = !!(q->has & HAS_ERROR);
	e->exception.error_code = q->error;
	e->exception.pending = payload;
	e->exception.injected = !payload;
	if (payload && q->has & HAS_ADDRESS) {
		e->exception_has_payload = 1;
		e->exception_payload = q->address;
	}
}

static enum inq_status raise_exception(struct vmm_vm *vm, const struct vmm_injection *q,
				       struct inq_err *err)
{
	struct vmm_vcpu *v = &vm->vcpu[q->vcpu];
	struct kvm_vcpu_events e;
	struct kvm_mp_state mp;

	if (q->has & HAS_ADDRESS && !vm->caps.value[VMM_CAP_EXCEPTION_PAYLOAD])
		return inq_fail(err, INQ_EUNSUPPORTED, "this KVM takes no address");
	if (v->end != VMM_ALIVE)
		return inq_fail(err, INQ_EUSAGE, "vCPU %u ended: %s", v->index, v->end_text);
	if (ioctl(v->fd, KVM_GET_MP_STATE, &mp) || ioctl(v->fd, KVM_GET_VCPU_EVENTS, &e))
		return refused(err, "KVM_GET_VCPU_EVENTS");
	if (mp.mp_state != KVM_MP_STATE_RUNNABLE)
		return inq_fail(err, INQ_EUSAGE,
				"vCPU %u executes nothing (mp_state %u), so it faults on nothing",
				v->index, mp.mp_state);
	if (e.exception.injected || e.exception.pending)
		return inq_fail(err, INQ_EUSAGE, "vCPU %u has exception %u on its way already",
				v->index, e.exception.nr);
	set_exception(vm, q, &e);
	return vmm_flight_ioctl(&v->flight, v->fd, KVM_SET_VCPU_EVENTS, &e)
		       ? refused(err, "KVM_SET_VCPU_EVENTS")
		       : INQ_OK;
}

enum inq_status vmm_inject_now(struct vmm_vm *vm, const struct vmm_injection *q, bool *ret_taken,
			       struct inq_err *err)
{
	*ret_taken = true;
	switch (q->what) {
	case VMM_INJECTED_IRQ: /* fixed, edge, to one LAPIC; its id is the vCPU's number */
		return send_msi(vm, MSI_ADDRESS | (uint64_t)q->vcpu << MSI_DEST_SHIFT, q->vector,
				ret_taken, err);
	case VMM_INJECTED_MSI:
		return send_msi(vm, q->address, q->data, ret_taken, err);
	case VMM_INJECTED_LINE:
		return set_line(vm, q, err);
	case VMM_INJECTED_EXCEPTION:
		return raise_exception(vm, q, err);
	case VMM_INJECTED_NOTHING:
		break;
	}
	return inq_fail(err, INQ_EUSAGE, "nothing to inject");
}
