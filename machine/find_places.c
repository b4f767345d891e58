/*
 * Knows where VMCOREINFO lies: in a note of the dump, or in a page of its own that begins with it.
 * Source: Linux kernel/crash_core.c (vmcoreinfo_data is a zeroed page); __pa_symbol of
 * arch/x86/include/asm/page.h.
 */
#include <string.h>

#include "machine/find.h"
#include "machine/machine.h"
#include "machine/search.h"

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

enum inq_status find_pointed(struct finder *f, const struct find_tables *t, struct inq_err *err)
{
	uint8_t page[VMCOREINFO_PAGE];
	struct paging_space space;
	uint64_t addr = 0;

	paging_space_init(&space, "kernel", f->dump->phys, &t->mode);
	enum inq_status st = image_find_vmcoreinfo(&space.base, &t->im, &addr, err);
	if (!st && addr && !inq_read(&space.base, addr, page, sizeof(page), NULL))
		add_place(f, &f->k->space.base, addr, page, sizeof(page));
	return st;
}

enum inq_status find_scanned(struct finder *f, struct inq_err *err)
{
	const struct machine_made *made = f->m->made;
	const struct inq_space *phys = f->dump->phys;
	INQ_SCOPED(machine_search_close_scope_) struct machine_search *s = NULL;
	uint8_t page[VMCOREINFO_PAGE];
	struct machine_pattern pt;
	bool more = true;
	uint64_t addr;

	enum inq_status st = machine_pattern("text:" VMCOREINFO_START, &pt, err);
	pt.starts_page = true;
	if (!st)
		st = machine_search_open(f->m, phys, 0, UINT64_MAX, &pt, made->go, made->go_ctx, &s,
					 err);
	while (!st && f->nr_places < FIND_MAX_PLACES) {
		st = machine_search_next(s, &addr, &more, err);
		if (!st && !more)
			break;
		if (!st && !inq_read(phys, addr, page, sizeof(page), NULL))
			add_place(f, phys, addr, page, sizeof(page));
	}
	return st;
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
