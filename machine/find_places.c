/*
 * Knows where VMCOREINFO lies: in a note of the dump, or in a page of its own that begins with it.
 * Source: Linux kernel/crash_core.c (vmcoreinfo_data is a zeroed page); __pa_symbol of
 * arch/x86/include/asm/page.h.
 */
#include <stdlib.h>
#include <string.h>

#include "machine/find.h"

enum { BLOCK = 4 << 20 };

static void add_place(struct finder *f, const struct inq_space *space, uint64_t addr,
		      const uint8_t *text, size_t n)
{
	struct find_place p = {.space = space, .addr = addr};
	struct paging_mode mode;

	if (f->nr_places == FIND_MAX_PLACES || !vmcoreinfo_parse(text, n, &p.info))
		return;
	p.fits = find_mode(&p.info, &mode) && image_map(f->dump->phys, &mode, f->scratch) &&
		 f->scratch->phys_base == p.info.phys_base &&
		 (!p.info.has_stext || image_has(f->scratch, p.info.stext));
	f->place[f->nr_places++] = p;
}

bool find_mode(const struct vmcoreinfo *info, struct paging_mode *ret)
{
	if (!info->has_root || !info->has_phys_base || info->root < IMAGE_BASE ||
	    info->root >= IMAGE_END)
		return false;
	*ret = (struct paging_mode){
		.levels = info->l5 ? 5 : 4,
		.nx = true, /* a kernel that has set up all this uses it where it can */
		.gbpages = -1,
		.root = info->root - IMAGE_BASE + info->phys_base,
	};
	return ret->root % VMCOREINFO_PAGE == 0 && ret->root >> 52 == 0;
}

void find_noted(struct finder *f)
{
	for (size_t i = 0; i < f->dump->nr_blobs; i++) {
		const struct inq_blob *b = &f->dump->blobs[i];
		if (b->kind == INQ_BLOB_VMCOREINFO && b->vcpu == INQ_SNAP_VM && b->p) {
			add_place(f, NULL, 0, b->p, b->n);
			return;
		}
	}
}

void find_pointed(struct finder *f, const struct find_tables *t)
{
	uint8_t page[VMCOREINFO_PAGE];
	struct paging_space space;

	if (!t->facts.vmcoreinfo)
		return;
	paging_space_init(&space, "kernel", f->dump->phys, &t->mode);
	if (!inq_read(&space.base, t->facts.vmcoreinfo, page, sizeof(page), NULL))
		add_place(f, &f->k->space.base, t->facts.vmcoreinfo, page, sizeof(page));
}

/* Page starts of n bytes at p, which lie at pa: a page start. */
static void look_at(struct finder *f, uint64_t pa, const uint8_t *p, size_t n)
{
	static const char start[] = VMCOREINFO_START;

	for (size_t at = 0; at + VMCOREINFO_PAGE <= n; at += VMCOREINFO_PAGE)
		if (p[at] == start[0] && !memcmp(p + at, start, sizeof(start) - 1))
			add_place(f, f->dump->phys, pa + at, p + at, VMCOREINFO_PAGE);
}

/* The block at pa where it lies; false when it must be read. */
static bool look_in_place(struct finder *f, uint64_t pa, size_t n)
{
	const struct inq_space *phys = f->dump->phys;
	struct inq_run run;

	for (size_t at = 0; at < n; at += run.len) {
		if (inq_runs(phys, pa + at, n - at, &run, NULL))
			return false;
		size_t skip = -(pa + at) % VMCOREINFO_PAGE;
		if (run.kind == INQ_RUN_BYTES && run.len > skip)
			look_at(f, pa + at + skip, run.p + skip, run.len - skip);
	}
	return true;
}

static void look_page_by_page(struct finder *f, uint64_t pa, uint8_t *buf, size_t n)
{
	for (size_t at = 0; at + VMCOREINFO_PAGE <= n; at += VMCOREINFO_PAGE)
		if (!inq_read(f->dump->phys, pa + at, buf, VMCOREINFO_PAGE, NULL))
			look_at(f, pa + at, buf, VMCOREINFO_PAGE);
}

static void scan_extent(struct finder *f, const struct inq_extent *e, uint8_t *buf)
{
	const uint64_t mask = VMCOREINFO_PAGE - 1;
	uint64_t first = (e->first + mask) & ~mask, end = (e->last + 1) & ~mask;

	for (uint64_t pa = first, n; pa < end && pa >= first; pa += n) {
		n = end - pa < BLOCK ? end - pa : BLOCK;
		if (f->dump->phys->runs && look_in_place(f, pa, (size_t)n))
			continue;
		if (inq_read(f->dump->phys, pa, buf, (size_t)n, NULL))
			look_page_by_page(f, pa, buf, (size_t)n);
		else
			look_at(f, pa, buf, (size_t)n);
	}
}

enum inq_status find_scanned(struct finder *f, struct inq_err *err)
{
	uint8_t *buf = malloc(BLOCK);

	if (!buf)
		return inq_fail(err, INQ_ENOMEM, "a block of memory");
	for (size_t i = 0; i < f->dump->nr_extents; i++)
		if (f->dump->extents[i].kind == INQ_EXTENT_BYTES)
			scan_extent(f, &f->dump->extents[i], buf);
	free(buf);
	return INQ_OK;
}

static enum inq_status number(struct finder *f, const struct find_place *p, bool known,
			      const char *fact, uint64_t value, struct inq_err *err)
{
	if (!known)
		return INQ_OK;
	return find_fact(f,
			 (struct inq_kernel_fact){.fact = fact,
						  .source = "vmcoreinfo",
						  .cpu = INQ_SNAP_VM,
						  .space = p->space,
						  .addr = p->addr,
						  .value = value},
			 err);
}

static enum inq_status word(struct finder *f, const struct find_place *p, const char *fact,
			    const char *text, struct inq_err *err)
{
	struct inq_kernel_fact k = {.fact = fact,
				    .source = "vmcoreinfo",
				    .cpu = INQ_SNAP_VM,
				    .space = p->space,
				    .addr = p->addr};

	if (!*text)
		return INQ_OK;
	memcpy(k.text, text, strlen(text) + 1);
	return find_fact(f, k, err);
}

static enum inq_status facts_of(struct finder *f, const struct find_place *p, struct inq_err *err)
{
	const struct vmcoreinfo *v = &p->info;
	struct paging_mode mode;
	enum inq_status st = word(f, p, "release", v->release, err);

	if (!st)
		st = word(f, p, "build_id", v->build_id, err);
	if (!st)
		st = number(f, p, v->has_stext, "text", v->stext & ~(IMAGE_ALIGN - 1), err);
	if (!st)
		st = number(f, p, v->has_kaslr, "kaslr_offset", v->kaslr, err);
	if (!st)
		st = number(f, p, v->has_phys_base, "phys_base", v->phys_base, err);
	if (!st && find_mode(v, &mode))
		st = number(f, p, true, "root", mode.root, err);
	return st ? st : number(f, p, v->has_l5, "levels", v->l5 ? 5 : 4, err);
}

enum inq_status find_place_facts(struct finder *f, struct inq_err *err)
{
	enum inq_status st = INQ_OK;

	for (size_t i = 0; !st && i < f->nr_places; i++)
		st = facts_of(f, &f->place[i], err);
	return st;
}
