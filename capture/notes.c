/*
 * Knows which notes of our format a migration stream can fill.  What it does not tell (CPUID,
 * XSAVE, devices, memory slots) has no note: unknown.
 */
#include "capture/notes.h"

#include <linux/kvm.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/utsname.h>

#include "base/named.h"
#include "base/scope.h"
#include "machine/qemu_state.h"
#include "snap/kvm_notes.h"

#define MSR_KERNEL_GS_BASE 0xc0000102u

static void free_state(struct machine_qemu_state **p)
{
	free(*p);
}

static void free_text(char **p)
{
	free(*p);
}

static const struct inq_blob *made(const struct machine_qemu_state *s, uint32_t kind)
{
	for (unsigned i = 0; i < s->nr; i++)
		if (s->blob[i].kind == kind)
			return &s->blob[i];
	return NULL;
}

/* CORE notes, and QEMU's: for debuggers. */
static void add_for_others(const struct machine_qemu_state *s, uint32_t vcpu,
			   struct snap_notes *core, struct snap_notes *qemu)
{
	struct kvm_regs regs;
	struct kvm_sregs sregs = {.cr8 = 0};
	uint64_t gs_base;

	if (!made(s, INQ_SNAP_REGS) || !made(s, INQ_SNAP_SREGS2))
		return;
	memcpy(&regs, s->regs, sizeof(regs));
	memcpy(&sregs, s->sregs2, offsetof(struct kvm_sregs, interrupt_bitmap)); /* alike so far */
	snap_kvm_prstatus(core, vcpu, &regs, &sregs);
	int known = machine_qemu_msr(s, MSR_KERNEL_GS_BASE, &gs_base);
	snap_kvm_qemu(qemu, &regs, &sregs, known ? &gs_base : NULL);
}

static char *host_text(const struct inq_dump *dump, const struct capture_facts *f, uint32_t nr)
{
	struct utsname u = {.sysname = ""};
	char *text = NULL;
	size_t n;
	FILE *to = open_memstream(&text, &n);

	if (!to)
		return NULL;
	(void)uname(&u);
	fprintf(to,
		"producer=inquest " INQ_VERSION "\nhost.sysname=%s\nhost.release=%s\n"
		"host.version=%s\nhost.machine=%s\nqemu.version=%s\nvm.vcpus=%u\nvm.smram=%s\n",
		u.sysname, u.release, u.version, u.machine, f->qemu, nr,
		dump->smm ? "address space 1" : "absent");
	if (fclose(to)) {
		free(text);
		return NULL;
	}
	return text;
}

static size_t add_header(struct snap_notes *n, const struct capture_facts *f, uint32_t nr)
{
	struct inq_snap_header h = {.nr_vcpus = nr,
				    .reason = INQ_SNAP_WHY_COMMAND,
				    .reason_vcpu = INQ_SNAP_VM,
				    .t_realtime_ns = f->t_realtime_ns,
				    .t_monotonic_ns = f->t_monotonic_ns};

	snprintf(h.producer, sizeof(h.producer), "inquest " INQ_VERSION);
	snprintf(h.reason_text, sizeof(h.reason_text), "captured from QEMU %s", f->qemu);
	return snap_notes_add(n, INQ_SNAP_VM, INQ_SNAP_HEADER, &h, sizeof(h));
}

/* All notes of one CPU, and the CORE and QEMU notes apart. */
struct parts {
	struct snap_notes core, qemu, vcpu;
};

static void parts_scope(struct parts *p)
{
	snap_notes_deinit(&p->core);
	snap_notes_deinit(&p->qemu);
	snap_notes_deinit(&p->vcpu);
}

static enum inq_status add_cpus(const struct inq_dump *dump, struct parts *p, uint32_t *ret_nr,
				struct inq_err *err)
{
	const struct inq_blob *vm = inq_dump_blob(dump, INQ_SNAP_VM, 0, INQ_BLOB_NAMED);
	INQ_SCOPED(free_state) struct machine_qemu_state *s = malloc(sizeof(*s));

	if (!s)
		return inq_fail(err, INQ_ENOMEM, "state of the cpus");
	*ret_nr = 0;
	for (size_t i = 0; i < dump->nr_blobs; i++) {
		const struct inq_blob *b = &dump->blobs[i];
		if (b->kind != INQ_BLOB_NAMED || b->vcpu == INQ_SNAP_VM)
			continue;
		machine_qemu_state(b, vm, s);
		add_for_others(s, b->vcpu, &p->core, &p->qemu);
		for (unsigned k = 0; k < s->nr; k++)
			(void)snap_notes_add(&p->vcpu, b->vcpu, s->blob[k].kind, s->blob[k].p,
					     s->blob[k].n);
		if (b->vcpu >= *ret_nr)
			*ret_nr = b->vcpu + 1;
	}
	return *ret_nr ? INQ_OK
		       : inq_fail(err, INQ_EUNSUPPORTED, "QEMU's stream tells nothing of its CPUs");
}

static size_t add_smram(const struct inq_dump *dump, const struct capture_smram *smram,
			struct snap_notes *n)
{
	if (dump->smm)
		return snap_notes_add(n, INQ_SNAP_VM, INQ_SNAP_SMRAM, smram->at,
				      smram->nr * sizeof(*smram->at));
	snap_notes_missing(n, INQ_SNAP_VM, INQ_SNAP_SMRAM, INQ_SNAP_ABSENT, 0);
	return 0;
}

enum inq_status capture_notes(const struct inq_dump *dump, const struct capture_facts *f,
			      const struct capture_smram *smram, struct snap_notes *ret,
			      struct capture_places *ret_places, uint32_t *ret_nr_vcpus,
			      struct inq_err *err)
{
	INQ_SCOPED(parts_scope) struct parts p = {.core = {0}};
	const struct inq_snap_bulk zero = {0};
	enum inq_status st = add_cpus(dump, &p, ret_nr_vcpus, err);

	if (st)
		return st;
	INQ_SCOPED(free_text) char *host = host_text(dump, f, *ret_nr_vcpus);
	if (!host)
		return inq_fail(err, INQ_ENOMEM, "facts about the host");
	snap_notes_append(ret, &p.core);
	snap_notes_append(ret, &p.qemu);
	ret_places->header = add_header(ret, f, *ret_nr_vcpus);
	(void)snap_notes_add(ret, INQ_SNAP_VM, INQ_SNAP_HOST, host, strlen(host));
	snap_notes_append(ret, &p.vcpu);
	ret_places->smram = add_smram(dump, smram, ret);
	ret_places->zero = snap_notes_add(ret, INQ_SNAP_VM, INQ_SNAP_ZERO, &zero, sizeof(zero));
	return ret->failed ? inq_fail(err, INQ_ENOMEM, "notes do not fit") : INQ_OK;
}
