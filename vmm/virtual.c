/*
 * Knows which linear addresses a guest's kernel uses and how page tables that may be anything are
 * walked in bounded time: whole empty entries are skipped, and what leads nowhere new is cut off.
 */
#include "vmm/virtual.h"

#include <stdlib.h>
#include <string.h>

#include "arch/paging.h"

enum { MAX_WALKS = 1 << 24 };

/* KVM's AMD64 save map (arch/x86/kvm/x86.c, enter_smm_save_state_64), from SMBASE on. */
enum {
	SAVE_REV = 0xfefc,
	REV_64 = 0x20064,
	SAVE_EFER = 0xfed0,
	SAVE_CR4 = 0xff48,
	SAVE_CR3 = 0xff50,
	SAVE_CR0 = 0xff58,
	MSR_SMBASE = 0x9e
};
enum {
	CR0_PG = 1u << 31,
	CR4_PSE = 0x10,
	CR4_PAE = 0x20,
	CR4_LA57 = 0x1000,
	EFER_LMA = 0x400,
	EFER_NXE = 0x800
};

struct walker {
	const struct vmm_memory *m;
	struct inq_space phys;
	struct vmm_virtual v;
	size_t room;
	uint32_t walks;
};

static enum inq_status read_ram(const struct inq_space *self, uint64_t addr, void *buf, size_t n,
				struct inq_err *err)
{
	const struct walker *w =
		(const struct walker *)(const void *)((const char *)self -
						      offsetof(struct walker, phys));
	const uint8_t *p = vmm_memory_at(w->m, 0, addr, n);

	if (!p)
		return inq_fail(err, INQ_EFAULT, "no memory at 0x%llx", (unsigned long long)addr);
	memcpy(buf, p, n);
	return INQ_OK;
}

/* The registers that decide how it translates; false: unknown. */
struct controls {
	uint64_t cr0, cr3, cr4, efer;
};

static bool live_controls(const struct vmm_state *s, struct controls *c)
{
	if (s->state[INQ_SNAP_SREGS2] == INQ_SNAP_PRESENT)
		*c = (struct controls){s->sregs2.cr0, s->sregs2.cr3, s->sregs2.cr4, s->sregs2.efer};
	else if (s->state[INQ_SNAP_SREGS] == INQ_SNAP_PRESENT)
		*c = (struct controls){s->sregs.cr0, s->sregs.cr3, s->sregs.cr4, s->sregs.efer};
	else
		return false;
	return true;
}

static uint64_t saved(const uint8_t *at)
{
	uint64_t v;

	memcpy(&v, at, sizeof(v));
	return v;
}

static bool saved_controls(const struct vmm_state *s, const struct vmm_memory *m,
			   struct controls *c)
{
	uint64_t smbase = UINT64_MAX;
	uint32_t rev;

	for (uint32_t i = 0; i < s->nr_msrs; i++)
		if (s->msrs[i].index == MSR_SMBASE && !s->msrs[i].reserved)
			smbase = s->msrs[i].data;
	const uint8_t *at =
		smbase > UINT32_MAX ? NULL : vmm_memory_at(m, 1, smbase, VMM_SMRAM_BYTES);
	if (!at)
		return false;
	memcpy(&rev, at + SAVE_REV, sizeof(rev));
	*c = (struct controls){saved(at + SAVE_CR0), saved(at + SAVE_CR3), saved(at + SAVE_CR4),
			       saved(at + SAVE_EFER)};
	return rev == REV_64;
}

/* False: it translates nothing, or nobody knows how. */
static bool mode_of(const struct vmm_state *s, const struct vmm_memory *m, struct paging_mode *ret)
{
	struct controls c;
	bool smm = s->state[INQ_SNAP_EVENTS] == INQ_SNAP_PRESENT && s->events.smi.smm;

	if (!(smm ? saved_controls(s, m, &c) : live_controls(s, &c)) || !(c.cr0 & CR0_PG))
		return false;
	*ret = (struct paging_mode){.nx = c.efer & EFER_NXE, .gbpages = -1, .pse = c.cr4 & CR4_PSE};
	ret->levels = !(c.cr4 & CR4_PAE) ? 2 : !(c.efer & EFER_LMA) ? 3 : c.cr4 & CR4_LA57 ? 5 : 4;
	ret->root = c.cr3 & (ret->levels >= 4   ? UINT64_C(0xffffffffff000)
			     : ret->levels == 3 ? UINT64_C(0xffffffe0)
						: UINT64_C(0xfffff000));
	return true;
}

/* The part of a mapping that is RAM; it may leave RAM in between. */
static enum inq_status add(struct walker *w, uint64_t va, uint64_t gpa, uint64_t bytes,
			   struct inq_err *err)
{
	struct vmm_snapshot_view *last = w->v.nr ? &w->v.run[w->v.nr - 1] : NULL;

	if (last && last->va + last->bytes == va && last->gpa + last->bytes == gpa &&
	    vmm_memory_at(w->m, 0, last->gpa, last->bytes + bytes)) {
		last->bytes += bytes;
		return INQ_OK;
	}
	if (w->v.nr == VMM_MAX_VIRTUAL_RUNS) {
		w->v.cut = true;
		return INQ_OK;
	}
	if (!w->v.run || w->v.nr == w->room) {
		size_t room = w->room ? 2 * w->room : 64;
		struct vmm_snapshot_view *p = realloc(w->v.run, room * sizeof(*p));

		if (!p)
			return inq_fail(err, INQ_ENOMEM, "%zu linear addresses", room);
		w->v.run = p;
		w->room = room;
	}
	w->v.run[w->v.nr++] = (struct vmm_snapshot_view){va, gpa, bytes};
	return INQ_OK;
}

/* Cut to what lies in RAM: a large page may begin before it and end behind it. */
static enum inq_status add_in_ram(struct walker *w, uint64_t va, uint64_t gpa, uint64_t bytes,
				  struct inq_err *err)
{
	enum inq_status st = INQ_OK;

	for (unsigned i = 0; i < w->m->nr_regions && va != gpa && !st; i++) {
		const struct vmm_region *r = &w->m->region[i];
		uint64_t from = gpa > r->gpa ? gpa : r->gpa;
		uint64_t end = gpa + bytes < r->gpa + r->bytes ? gpa + bytes : r->gpa + r->bytes;

		if (from < end)
			st = add(w, va + (from - gpa), from, end - from, err);
	}
	return st;
}

static enum inq_status walk_root(struct walker *w, const struct paging_mode *mode,
				 struct inq_err *err)
{
	uint64_t va = mode->levels >= 4 ? UINT64_MAX << (mode->levels == 5 ? 56 : 47)
					: UINT64_C(0x80000000);
	uint64_t last = mode->levels >= 4 ? UINT64_MAX : UINT32_MAX, step;
	enum inq_status st = INQ_OK;

	for (bool more = true; more && !st; va += step) {
		struct paging_walk k;

		if (w->walks++ == MAX_WALKS) {
			w->v.cut = true;
			break;
		}
		paging_walk(mode, &w->phys, va, &k);
		if (k.verdict == PAGING_OK) {
			step = k.page_bytes;
			st = add_in_ram(w, va, k.pa, step, err);
		} else {
			int level = k.nr_steps ? k.step[k.nr_steps - 1].level : mode->levels;

			step = UINT64_C(1) << paging_shift(mode, level);
		}
		more = last - va >= step;
	}
	return st;
}

static int by_va(const void *a, const void *b)
{
	const struct vmm_snapshot_view *x = a, *y = b;

	return x->va < y->va ? -1 : x->va > y->va;
}

/* What of r is in none of the first `sorted` runs of to; *at: the first of them that may matter. */
static enum inq_status add_new(struct walker *to, size_t sorted, size_t *at,
			       struct vmm_snapshot_view r, struct inq_err *err)
{
	enum inq_status st = INQ_OK;

	while (r.bytes && !st) {
		const struct vmm_snapshot_view *k;

		while (*at < sorted && to->v.run[*at].va + (to->v.run[*at].bytes - 1) < r.va)
			++*at;
		k = *at < sorted ? &to->v.run[*at] : NULL;
		uint64_t n = !k || k->va > r.va + (r.bytes - 1) ? r.bytes
			     : k->va > r.va                     ? k->va - r.va
								: 0;
		if (n)
			st = add(to, r.va, r.gpa, n, err);
		else if ((n = k->va + k->bytes - r.va) > r.bytes)
			n = r.bytes;
		r = (struct vmm_snapshot_view){r.va + n, r.gpa + n, r.bytes - n};
	}
	return st;
}

/* What this root has and those before had not. */
static enum inq_status join(struct walker *to, const struct vmm_virtual *from, struct inq_err *err)
{
	size_t sorted = to->v.nr, at = 0;
	enum inq_status st = INQ_OK;

	for (size_t i = 0; i < from->nr && !st; i++)
		st = add_new(to, sorted, &at, from->run[i], err);
	if (to->v.nr)
		qsort(to->v.run, to->v.nr, sizeof(*to->v.run), by_va);
	to->v.cut |= from->cut;
	return st;
}

static bool is_new(const struct paging_mode *root, unsigned nr)
{
	for (unsigned i = 0; i < nr; i++)
		if (root[i].root == root[nr].root && root[i].levels == root[nr].levels)
			return false;
	return true;
}

enum inq_status vmm_virtual_collect(struct vmm_virtual *ret, const struct vmm_memory *m,
				    const struct vmm_state *state, unsigned nr_vcpus,
				    struct inq_err *err)
{
	struct walker all = {.m = m};
	struct paging_mode root[VMM_MAX_VCPUS];
	enum inq_status st = INQ_OK;
	unsigned nr = 0;

	for (unsigned i = 0; i < nr_vcpus && i < VMM_MAX_VCPUS && !st; i++) {
		struct walker one = {.m = m, .phys = {.name = "phys", .read = read_ram}};

		if (!mode_of(&state[i], m, &root[nr]) || !is_new(root, nr))
			continue;
		one.walks = all.walks;
		st = walk_root(&one, &root[nr++], err);
		all.walks = one.walks;
		if (!st)
			st = join(&all, &one.v, err);
		vmm_virtual_deinit(&one.v);
	}
	if (st)
		vmm_virtual_deinit(&all.v);
	else
		*ret = all.v;
	return st;
}

void vmm_virtual_deinit(struct vmm_virtual *v)
{
	free(v->run);
	*v = (struct vmm_virtual){0};
}
