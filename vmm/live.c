/*
 * Knows KVM's log of written pages (Documentation/virt/kvm/api.rst, KVM_GET_DIRTY_LOG): reading it
 * clears it, and the next write to a page is logged again.  It has what vCPUs and KVM itself write;
 * what the VMM's own devices write is in vmm_memory's .touched.
 */
#include "vmm/live.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "vmm/parts.h"

enum { MAX_PASSES = 8, FEW_PAGES = 512 };

static enum inq_status refused(const char *what, struct inq_err *err)
{
	return inq_fail(err, INQ_EUNSUPPORTED, "--live: /dev/kvm: %s: %s; go without --live", what,
			strerror(errno));
}

static bool set_logging(const struct vmm_vm *vm, const struct vmm_slot *s, bool on)
{
	struct kvm_userspace_memory_region r = {
		.slot = s->as << 16 | s->slot,
		.guest_phys_addr = s->gpa,
		.flags = (s->read_only ? KVM_MEM_READONLY : 0u) |
			 (on ? KVM_MEM_LOG_DIRTY_PAGES : 0u),
		.memory_size = s->bytes,
		.userspace_addr = (uintptr_t)s->host,
	};

	return !ioctl(vm->fd, KVM_SET_USER_MEMORY_REGION, &r);
}

static enum inq_status log_all(struct vmm_live *l, struct inq_err *err)
{
	const struct vmm_memory *m = l->vm->mem;

	l->logging = true;
	for (unsigned i = 0; i < m->nr_slots; i++)
		if (!m->slot[i].smram && !set_logging(l->vm, &m->slot[i], true))
			return refused("logging of writes", err);
	return INQ_OK;
}

static void set_bits(uint8_t *bits, uint64_t from, uint64_t nr)
{
	for (uint64_t i = from; i < from + nr; i++)
		bits[i / 8] |= (uint8_t)(1u << (i % 8));
}

/* What was written to a slot since the last look; a watched one is written by the VMM. */
static enum inq_status fetch_slot(struct vmm_live *l, const struct vmm_slot *s, uint64_t *log,
				  struct inq_err *err)
{
	struct kvm_dirty_log q = {.slot = s->as << 16 | s->slot, .dirty_bitmap = log};
	uint64_t first = (uint64_t)(s->host - l->vm->mem->ram) / VMM_PAGE;

	if (s->smram)
		return INQ_OK;
	memset(log, 0, (s->bytes / VMM_PAGE + 63) / 64 * 8);
	if (ioctl(l->vm->fd, KVM_GET_DIRTY_LOG, &q))
		return refused("KVM_GET_DIRTY_LOG", err);
	for (uint64_t w = 0; w < (s->bytes / VMM_PAGE + 63) / 64; w++)
		for (uint64_t left = log[w]; left; left &= left - 1)
			set_bits(l->dirty, first + w * 64 + (unsigned)__builtin_ctzll(left), 1);
	return INQ_OK;
}

/* Everything written since the last time joins .dirty. */
static enum inq_status fetch(struct vmm_live *l, struct inq_err *err)
{
	const struct vmm_memory *m = l->vm->mem;
	uint64_t pages = m->ram_bytes / VMM_PAGE, *log = calloc(pages / 64 + 1, 8);
	enum inq_status st = log ? INQ_OK : inq_fail(err, INQ_ENOMEM, "log of writes");

	for (unsigned i = 0; i < m->nr_slots && !st; i++)
		st = fetch_slot(l, &m->slot[i], log, err);
	for (uint64_t i = 0; i < (pages + 7) / 8 && !st; i++)
		if (__atomic_load_n(&m->touched[i], __ATOMIC_RELAXED))
			l->dirty[i] |= __atomic_exchange_n(&m->touched[i], 0, __ATOMIC_ACQ_REL);
	free(log);
	return st;
}

static uint64_t nr_dirty(const struct vmm_live *l)
{
	uint64_t n = 0;

	for (uint64_t i = 0; i < (l->vm->mem->ram_bytes / VMM_PAGE + 7) / 8; i++)
		n += (uint64_t)__builtin_popcount(l->dirty[i]);
	return n;
}

/* Until few are left, or the guest writes as fast as we do. */
static enum inq_status passes(struct vmm_live *l, struct inq_err *err)
{
	const uint64_t bytes = (l->vm->mem->ram_bytes / VMM_PAGE + 7) / 8;
	enum inq_status st = log_all(l, err);

	if (!st)
		st = fetch(l, err); /* of the time before: it will be written anyway */
	memset(l->dirty, 0, bytes);
	if (!st)
		st = vmm_pages_put_all(&l->pages, err);
	for (int i = 0; i < MAX_PASSES && !st; i++) {
		st = fetch(l, err);
		if (st || nr_dirty(l) <= FEW_PAGES)
			break;
		st = vmm_pages_put_some(&l->pages, l->dirty, err);
		memset(l->dirty, 0, bytes);
	}
	return st;
}

enum inq_status vmm_live_start(struct vmm_live **ret, struct vmm_vm *vm, struct snap_out *o,
			       struct inq_err *err)
{
	struct vmm_live *l = calloc(1, sizeof(*l));

	if (!l)
		return inq_fail(err, INQ_ENOMEM, "--live");
	*l = (struct vmm_live){.vm = vm};
	l->dirty = calloc(1, (vm->mem->ram_bytes / VMM_PAGE + 7) / 8);
	enum inq_status st = l->dirty ? vmm_pages_init(&l->pages, vm->mem, o, err)
				      : inq_fail(err, INQ_ENOMEM, "--live");
	l->pages.memory_off = vmm_page_up(VMM_LIVE_HEADERS + INQ_SNAP_MAX_NOTES);
	if (!st)
		st = passes(l, err);
	if (!st) {
		vmm_vmcoreinfo_find(vm->mem, NULL, &l->info); /* it takes its time */
		(void)fdatasync(
			o->fd); /* so that the disk has less to do later; errors come then */
		*ret = l;
		return INQ_OK;
	}
	vmm_live_destroy(l);
	return st;
}

enum inq_status vmm_live_stopped(struct vmm_live *l, struct inq_err *err)
{
	enum inq_status st = fetch(l, err);

	if (!st)
		vmm_vmcoreinfo_settle(l->vm->mem, &l->vm->dev.fwcfg, l->dirty, &l->info);
	return st;
}

void vmm_live_destroy(struct vmm_live *l)
{
	if (!l)
		return;
	for (unsigned i = 0; i < l->vm->mem->nr_slots && l->logging; i++)
		if (!l->vm->mem->slot[i].smram)
			(void)set_logging(l->vm, &l->vm->mem->slot[i], false);
	vmm_pages_deinit(&l->pages);
	free(l->dirty);
	free(l);
}
