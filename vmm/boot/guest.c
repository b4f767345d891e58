/*
 * Knows the course of an image: it runs until it ends by itself, a trigger fires, or the time that
 * was given is over.  SMRAM windows lie at the end of low memory, told to the guest as reserved.
 */
#include "vmm/guest.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/scope.h"
#include "vmm/attend.h"
#include "vmm/boot/setup.h"
#include "vmm/cpuid.h"
#include "vmm/msrs.h"
#include "vmm/tables.h"

enum { MSR_SMBASE = 0x9e, SMM_ENTRY = 0x8000 };

struct image_guest {
	struct vmm_guest base;
	const struct vmm_run *r;
	struct vmm_boot_load load;
	struct vmm_boot_start start;
};

static struct image_guest *own(const struct vmm_guest *g)
{
	return (struct image_guest *)(uintptr_t)g; /* NOLINT(performance-no-int-to-ptr) */
}

static void print(const struct vmm_guest *g, FILE *to)
{
	fprintf(to, "%s: %u vCPUs, %" PRIu64 " MiB\n", g->name, g->nr_vcpus, own(g)->r->mib);
}

static uint64_t smbase(const struct image_guest *g, unsigned cpu)
{
	return vmm_memory_low_end(g->r->mib) - (cpu + UINT64_C(1)) * VMM_SMRAM_BYTES;
}

/* Who gets an SMI leaves it at once. */
static void put_handlers(const struct image_guest *g, const struct vmm_memory *m)
{
	static const uint8_t rsm[] = {0x0f, 0xaa};

	for (unsigned i = 0; i < g->base.nr_vcpus && m->nr_windows; i++)
		(void)vmm_memory_put(m, 1, smbase(g, i) + SMM_ENTRY, rsm, sizeof(rsm));
}

static enum inq_status fill(struct image_guest *g, struct vmm_memory *m, struct inq_err *err)
{
	struct vmm_boot_load *l = &g->load;

	l->mem = m;
	l->low_end =
		m->nr_windows ? smbase(g, g->base.nr_vcpus - 1) : vmm_memory_low_end(g->r->mib);
	put_handlers(g, m);
	enum inq_status st = vmm_tables_install(m, g->base.nr_vcpus, &l->rsdp, err);
	if (!st)
		st = vmm_boot_install(l, &g->start, err);
	return st ? st : vmm_boot_put_tables(l, &g->start, err);
}

static enum inq_status load(struct vmm_guest *guest, const struct vmm_caps *caps,
			    struct vmm_memory **ret, struct inq_err *err)
{
	struct image_guest *g = own(guest);
	uint64_t window[VMM_MAX_VCPUS];
	struct vmm_memory *m = NULL;

	for (unsigned i = 0; i < guest->nr_vcpus; i++)
		window[i] = smbase(g, i);
	enum inq_status st =
		vmm_memory_create(&m, g->r->mib, window, guest->nr_vcpus, vmm_caps_smm(caps), err);
	if (!st)
		st = fill(g, m, err);
	if (st)
		vmm_memory_destroy(m);
	else
		*ret = m;
	return st;
}

static enum inq_status setup(const struct vmm_guest *guest, struct vmm_vcpu *v,
			     const struct kvm_cpuid2 *cpuid, struct inq_err *err)
{
	const struct image_guest *g = own(guest);
	struct kvm_msr_entry e = {.index = MSR_SMBASE, .data = smbase(g, v->index)};
	enum inq_status st = vmm_cpuid_set(v, cpuid, err);

	if (!st && vmm_caps_smm(&v->vm->caps) && vmm_msrs_set(v->fd, &e, 1) != 1)
		st = inq_fail(err, INQ_EIO, "/dev/kvm: vCPU %u: SMBASE was refused", v->index);
	return st ? st : vmm_boot_setup(v, &g->start, err);
}

static bool never(struct vmm_session *s, void *arg)
{
	(void)s;
	(void)arg;
	return false;
}

/* Past --after it is due; without it, only --timeout ends the waiting, and that is an error. */
static enum inq_status course(const struct vmm_guest *g, struct vmm_session *s, struct inq_err *err)
{
	const struct vmm_run *r = s->r;
	bool late = false;
	uint64_t ms = r->after_given ? r->after_ms : r->timeout_s * 1000;
	uint64_t until = s->control && !r->after_given ? UINT64_MAX : vmm_now() + ms * 1000000u;
	enum inq_status st = vmm_attend_until(s, never, NULL, until, &late, err);

	if (!st && late && !r->after_given)
		return inq_fail(err, INQ_EIO,
				"%s: did not end within %" PRIu64 " s; give more --timeout, or "
				"--after MS",
				g->name, r->timeout_s);
	return st;
}

static void destroy(struct vmm_guest *g)
{
	struct image_guest *i = own(g);

	vmm_image_deinit(&i->load.kernel);
	vmm_image_deinit(&i->load.initrd);
	free(i);
}

static const struct vmm_guest_ops ops = {
	.print = print,
	.load = load,
	.setup = setup,
	.course = course,
	.destroy = destroy,
};

INQ_DEFINE_SCOPE(struct vmm_guest, vmm_guest_destroy)

enum inq_status vmm_guest_of_image(struct vmm_guest **ret, const struct vmm_run *r,
				   struct inq_err *err)
{
	struct image_guest *g = calloc(1, sizeof(*g));

	if (!g)
		return inq_fail(err, INQ_ENOMEM, "the guest");
	g->base = (struct vmm_guest){&ops, r->boot.kernel, r->nr_vcpus, .tables = true};
	g->r = r;
	g->load.how = &r->boot;
	INQ_SCOPED(vmm_guest_destroy_scope_) struct vmm_guest *guest = &g->base;
	enum inq_status st = vmm_image_read(&g->load.kernel, r->boot.kernel, err);
	if (!st && r->boot.initrd)
		st = vmm_image_read(&g->load.initrd, r->boot.initrd, err);
	if (!st)
		*ret = inq_take(guest);
	return st;
}
