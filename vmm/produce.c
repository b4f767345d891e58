/*
 * Knows what a snapshot tells about its origin: producer, host, capabilities, reason, time, nonce.
 * Nothing of what was drawn for the guest goes in; a reader has to find it out.
 */
#include "vmm/produce.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/random.h>
#include <sys/utsname.h>

static enum inq_status fill_header(const struct vmm_vm *vm, const struct vmm_why *why,
				   struct inq_snap_header *h, struct inq_err *err)
{
	*h = (struct inq_snap_header){
		.nr_vcpus = vm->nr_vcpus,
		.reason = why->reason,
		.reason_vcpu = why->vcpu,
		.t_realtime_ns = why->t_realtime_ns,
		.t_monotonic_ns = why->t_monotonic_ns,
	};
	snprintf(h->producer, sizeof(h->producer), "inquest-vmm " INQ_VERSION);
	snprintf(h->reason_text, sizeof(h->reason_text), "%s", why->text);
	if (getrandom(h->nonce, sizeof(h->nonce), 0) != (ssize_t)sizeof(h->nonce))
		return inq_fail(err, INQ_EIO, "nonce: %s", strerror(errno));
	return INQ_OK;
}

static void print_host(const struct vmm_vm *vm, FILE *f)
{
	struct utsname u = {0};
	int khz = vm->caps.value[VMM_CAP_TSC_KHZ] ? ioctl(vm->vcpu[0].fd, KVM_GET_TSC_KHZ, 0) : -1;

	uname(&u);
	fprintf(f,
		"producer=inquest-vmm " INQ_VERSION "\nhost.sysname=%s\nhost.release=%s\n"
		"host.version=%s\nhost.machine=%s\nkvm.api=%d\nvm.vcpus=%u\nvm.irqchip=kernel\n"
		"vm.smram=%s\n",
		u.sysname, u.release, u.version, u.machine, vm->caps.api, vm->nr_vcpus,
		vm->mem->nr_windows ? "address space 1" : "absent");
	if (khz > 0)
		fprintf(f, "vm.tsc_khz=%d\n", khz);
	for (int i = 0; i < VMM_NR_CAPS; i++)
		fprintf(f, "kvm.cap.%s=%d\n", vmm_cap_name((enum vmm_cap)i), vm->caps.value[i]);
}

/* Heap; NULL when memory ran out. */
static char *host_text(const struct vmm_vm *vm)
{
	char *text = NULL;
	size_t n;
	FILE *f = open_memstream(&text, &n);

	if (!f)
		return NULL;
	print_host(vm, f);
	if (fclose(f)) {
		free(text);
		return NULL;
	}
	return text;
}

enum inq_status vmm_produce(const struct vmm_vm *vm, const struct vmm_vmstate *vmstate,
			    const struct vmm_state *state, const struct vmm_why *why,
			    struct vmm_out *out, struct vmm_snapshot_done *ret, struct inq_err *err)
{
	struct vmm_snapshot snap = {.mem = vm->mem};
	char *host = host_text(vm);

	if (!host)
		return inq_fail(err, INQ_ENOMEM, "facts about the host");
	snap.host = host;
	for (unsigned i = 0; i < vm->nr_vcpus; i++) {
		vmm_state_add_prstatus(&state[i], i, &snap.core);
		vmm_state_add_notes(&state[i], &vm->vcpu[i], &snap.vcpu);
	}
	vmm_vmstate_add_notes(vmstate, &snap.vcpu);
	enum inq_status st = fill_header(vm, why, &snap.header, err);
	if (!st)
		st = vmm_snapshot_write(&snap, out, ret, err);
	if (!st)
		st = vmm_out_commit(out, err);
	vmm_notes_deinit(&snap.core);
	vmm_notes_deinit(&snap.vcpu);
	free(host);
	return st;
}
