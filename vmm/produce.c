/*
 * Knows what a snapshot tells about its origin: producer, host, capabilities, reason, time, nonce.
 * Nothing of what was drawn for the guest goes in; a reader has to find it out.
 */
#include "vmm/produce.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/random.h>
#include <sys/utsname.h>

#include "vmm/devnote.h"
#include "vmm/roots.h"
#include "vmm/sampler.h"
#include "vmm/trace.h"
#include "vmm/virtual.h"
#include "vmm/vmcoreinfo.h"
#include "vmm/writes.h"

void vmm_why_ended(struct vmm_why *why, const struct vmm_vcpu *v)
{
	static const enum inq_snap_reason of_end[] = {
		[VMM_END_SHUTDOWN] = INQ_SNAP_WHY_SHUTDOWN,
		[VMM_END_PANIC] = INQ_SNAP_WHY_PANIC,
		[VMM_END_EXIT] = INQ_SNAP_WHY_EXIT,
		[VMM_END_KVM_ERROR] = INQ_SNAP_WHY_KVM_ERROR,
		[VMM_END_FAIL_ENTRY] = INQ_SNAP_WHY_FAIL_ENTRY,
	};
	char all[sizeof(v->end_text) + 32];

	why->reason = of_end[v->end];
	why->vcpu = v->index;
	snprintf(all, sizeof(all), "vCPU %u: %s", v->index, v->end_text);
	if (strlen(all) >= sizeof(why->text))
		strcpy(all + sizeof(why->text) - sizeof("..."), "...");
	memcpy(why->text, all, strlen(all) + 1);
}

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

/* The registers that a triple fault may have erased, as sample 1: never those of the snapshot. */
static void add_last_known(const struct vmm_vcpu *v, struct snap_notes *n)
{
	struct inq_snap_last_known k = v->before_at;
	struct kvm_run page;

	if (v->end != VMM_END_SHUTDOWN || !v->synced || !k.t_ns)
		return;
	memcpy(&page, v->run_before, sizeof(page));
	k.age_ns = v->seen_at.t_ns - k.t_ns;
	const struct {
		enum inq_snap_kind kind;
		const void *p;
		size_t n;
	} part[] = {{INQ_SNAP_LAST_KNOWN, &k, sizeof(k)},
		    {INQ_SNAP_REGS, &page.s.regs.regs, sizeof(page.s.regs.regs)},
		    {INQ_SNAP_SREGS, &page.s.regs.sregs, sizeof(page.s.regs.sregs)},
		    {INQ_SNAP_EVENTS, &page.s.regs.events, sizeof(page.s.regs.events)}};

	for (size_t i = 0; i < sizeof(part) / sizeof(*part); i++)
		snap_notes_add_in(n, INQ_SNAP_LAST_SEEN, v->index, part[i].kind, part[i].p,
				  part[i].n);
}

/* What was recorded while it ran.  Heap, to be freed as one by the caller: *ret_records. */
static enum inq_status take_rings(const struct vmm_vm *vm, struct vmm_snapshot *snap,
				  struct vmm_snapshot_ring *ring,
				  struct inq_snap_flight **ret_records, struct inq_err *err)
{
	size_t n = (size_t)vm->nr_vcpus * INQ_SNAP_FLIGHT_RECORDS;
	struct inq_snap_flight *at = calloc(n, sizeof(*at));

	if (!at)
		return inq_fail(err, INQ_ENOMEM, "flight records");
	*ret_records = at;
	for (unsigned i = 0; i < vm->nr_vcpus; i++, at += INQ_SNAP_FLIGHT_RECORDS) {
		ring[i] = (struct vmm_snapshot_ring){.vcpu = i, .at = at};
		vmm_flight_copy(&vm->vcpu[i].flight, at, &ring[i].ring);
	}
	snap->ring = ring;
	snap->nr_rings = vm->nr_vcpus;
	return INQ_OK;
}

static void print_vmcoreinfo(const struct vmm_vmcoreinfo *c, FILE *f)
{
	fputs("vm.vmcoreinfo=", f);
	switch (c->from) {
	case VMM_VMCOREINFO_HANDED:
		fprintf(f, "handed over, at 0x%" PRIx64 "\n", c->gpa);
		break;
	case VMM_VMCOREINFO_FOUND:
		fprintf(f, "found in memory, at 0x%" PRIx64 "\n", c->gpa);
		break;
	case VMM_VMCOREINFO_MANY:
		fprintf(f, "ambiguous, %u pages look like it\n", c->nr);
		break;
	case VMM_VMCOREINFO_NONE:
		fputs("none\n", f);
		break;
	}
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

static void add_tables(const struct vmm_vm *vm, struct snap_notes *n)
{
	n->failed |= vm->tables.failed;
	if (vm->tables.len)
		snap_notes_add(n, INQ_SNAP_VM, INQ_SNAP_TABLES, vm->tables.bytes, vm->tables.len);
	else
		snap_notes_missing(n, INQ_SNAP_VM, INQ_SNAP_TABLES, INQ_SNAP_ABSENT, 0);
}

/* Behind the CORE notes: what other tools look for in the core of a kernel. */
static void add_for_others(const struct vmm_vm *vm, const struct vmm_state *state,
			   const struct vmm_vmcoreinfo *info, struct snap_notes *n)
{
	for (unsigned i = 0; i < vm->nr_vcpus; i++)
		vmm_state_add_qemu(&state[i], n);
	if (info->bytes)
		snap_notes_foreign(n, "VMCOREINFO", 0, info->text, info->bytes);
}

/* Heap; NULL when memory ran out. */
static char *host_text(const struct vmm_vm *vm, const struct vmm_vmcoreinfo *c)
{
	char *text = NULL;
	size_t n;
	FILE *f = open_memstream(&text, &n);

	if (!f)
		return NULL;
	print_host(vm, f);
	print_vmcoreinfo(c, f);
	if (fclose(f)) {
		free(text);
		return NULL;
	}
	return text;
}

static void add_vcpu(const struct vmm_vm *vm, unsigned i, const struct vmm_state *state,
		     struct vmm_snapshot *snap)
{
	const struct vmm_vcpu *v = &vm->vcpu[i];

	vmm_state_add_prstatus(state, i, &snap->core);
	vmm_state_add_notes(state, v, &snap->vcpu);
	vmm_roots_add_note(state, vm->mem, i, &snap->vcpu);
	if (v->nr_rips)
		snap_notes_add(&snap->vcpu, i, INQ_SNAP_RIPS, v->rip, v->nr_rips * sizeof(*v->rip));
	add_last_known(v, &snap->vcpu);
	vmm_vcpu_add_steps(v, &snap->vcpu);
}

static void add_notes(const struct vmm_vm *vm, const struct vmm_moment *at,
		      const struct vmm_vmcoreinfo *info, struct vmm_snapshot *snap)
{
	for (unsigned i = 0; i < vm->nr_vcpus; i++)
		add_vcpu(vm, i, &at->state[i], snap);
	add_for_others(vm, at->state, info, &snap->core);
	if (vm->trace)
		vmm_trace_add_notes(vm->trace, vm, &snap->vcpu);
	if (vm->writes)
		vmm_writes_add_note(vm->writes, &snap->vcpu);
	if (vm->sampler)
		vmm_sampler_add_notes(vm->sampler, &snap->vcpu);
	vmm_vmstate_add_notes(at->vmstate, &snap->vcpu);
	vmm_devnote_add(vm, &snap->vcpu);
	add_tables(vm, &snap->vcpu);
}

/* With what has to be freed behind it. */
static enum inq_status write_all(const struct vmm_vm *vm, const struct vmm_moment *at,
				 const struct vmm_snapshot *notes, struct snap_out *out,
				 struct vmm_snapshot_done *ret, struct inq_err *err)
{
	struct vmm_snapshot snap = *notes;
	struct vmm_snapshot_ring ring[VMM_MAX_VCPUS];
	struct inq_snap_flight *records = NULL;
	struct vmm_virtual views = {0};
	enum inq_status st = fill_header(vm, at->why, &snap.header, err);

	if (!st)
		st = take_rings(vm, &snap, ring, &records, err);
	if (!st && vm->want_virtual)
		st = vmm_virtual_collect(&views, vm->mem, at->state, vm->nr_vcpus, err);
	snap.view = views.run;
	snap.nr_views = views.nr;
	if (!st)
		st = vmm_snapshot_write(&snap, out, ret, err);
	vmm_virtual_deinit(&views);
	free(records);
	return st;
}

enum inq_status vmm_produce(const struct vmm_vm *vm, const struct vmm_moment *at,
			    struct snap_out *out, struct vmm_snapshot_done *ret,
			    struct inq_err *err)
{
	struct vmm_snapshot snap = {.format = vm->format, .mem = vm->mem};
	struct vmm_vmcoreinfo info;
	enum inq_status st = at->live ? vmm_live_stopped(at->live, err) : INQ_OK;

	if (st)
		return st;
	if (at->live) {
		info = at->live->info;
		snap.pages = &at->live->pages;
		snap.dirty = at->live->dirty;
	} else {
		vmm_vmcoreinfo_find(vm->mem, &vm->dev.fwcfg, &info);
	}
	char *host = host_text(vm, &info);
	if (!host)
		return inq_fail(err, INQ_ENOMEM, "facts about the host");
	snap.host = host;
	snap.vmcoreinfo = info.text;
	snap.vmcoreinfo_bytes = info.bytes;
	add_notes(vm, at, &info, &snap);
	st = write_all(vm, at, &snap, out, ret, err);
	snap_notes_deinit(&snap.core);
	snap_notes_deinit(&snap.vcpu);
	free(host);
	return st;
}
