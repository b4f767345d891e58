/*
 * Knows whom to believe about the kernel: the CPUs that run it, then VMCOREINFO whose page tables
 * lead to an image, then VMCOREINFO alone.  What the others say is kept beside it.
 */
#include "machine/kernel.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "machine/find.h"

void kernel_destroy(struct inq_kernel *k)
{
	struct whole_kernel *w = (struct whole_kernel *)k;

	if (!w)
		return;
	free(w->facts);
	free(w);
}

struct inq_space *kernel_space(struct inq_kernel *k)
{
	return k->virt ? &((struct whole_kernel *)k)->space.base : NULL;
}

enum inq_status find_fact(struct finder *f, struct inq_kernel_fact fact, struct inq_err *err)
{
	struct whole_kernel *k = f->k;

	if (k->pub.nr_facts == k->facts_cap) {
		size_t cap = k->facts_cap ? 2 * k->facts_cap : 32;
		struct inq_kernel_fact *grown = reallocarray(k->facts, cap, sizeof(*grown));
		if (!grown)
			return inq_fail(err, INQ_ENOMEM, "%zu facts of a kernel", cap);
		k->pub.facts = k->facts = grown;
		k->facts_cap = cap;
	}
	k->facts[k->pub.nr_facts++] = fact;
	return INQ_OK;
}

static void finder_deinit(struct finder *f)
{
	free(f->gs);
	free(f->tables);
	free(f->scratch);
}

static enum inq_status finder_init(struct finder *f, const struct inq_machine *m,
				   struct whole_kernel *k, struct inq_err *err)
{
	*f = (struct finder){
		.m = m, .dump = m->dump, .cpus = m->cpus, .nr_cpus = m->nr_cpus, .k = k};
	f->gs = calloc(m->nr_cpus + (size_t)1, sizeof(*f->gs));
	f->tables = calloc(FIND_MAX_TABLES, sizeof(*f->tables));
	f->scratch = calloc(1, sizeof(*f->scratch));
	return f->gs && f->tables && f->scratch
		       ? INQ_OK
		       : inq_fail(err, INQ_ENOMEM, "the search for a kernel");
}

static const struct find_tables *running(const struct finder *f)
{
	for (size_t i = 0; i < f->nr_tables; i++)
		if (f->tables[i].is_linux)
			return &f->tables[i];
	return NULL;
}

/* The one to go by: it fits what the CPUs run, or at least memory; else the first. */
static const struct find_place *best_place(const struct finder *f, const struct find_tables *t)
{
	const struct find_place *best = NULL;

	for (size_t i = 0; i < f->nr_places; i++) {
		const struct find_place *p = &f->place[i];
		if (t && p->info.has_phys_base && p->info.phys_base == t->im.phys_base &&
		    p->info.has_stext && image_has(&t->im, p->info.stext))
			return p;
		if (!best || (p->fits && !best->fits))
			best = p;
	}
	return t ? NULL : best;
}

static void set_space(struct whole_kernel *k, const struct inq_space *phys,
		      const struct paging_mode *mode)
{
	k->pub.root = mode->root;
	k->pub.levels = mode->levels;
	k->pub.known |= INQ_KERNEL_ROOT;
	paging_space_init(&k->space, "kernel", phys, mode);
	k->pub.virt = &k->space.base;
}

static void set_image(struct inq_kernel *k, const struct image *im)
{
	k->text = im->first;
	k->last = im->last;
	k->phys_base = im->phys_base;
	k->known |= INQ_KERNEL_TEXT | INQ_KERNEL_LAST | INQ_KERNEL_PHYS_BASE;
}

/* What a VMCOREINFO adds to, or all that is known. */
static void set_info(struct inq_kernel *k, const struct vmcoreinfo *v)
{
	memcpy(k->release, v->release, sizeof(v->release));
	if (*v->build_id)
		memcpy(k->build_id, v->build_id, sizeof(v->build_id));
	if (v->has_stext && !(k->known & INQ_KERNEL_TEXT)) {
		k->text = v->stext & ~(IMAGE_ALIGN - 1);
		k->known |= INQ_KERNEL_TEXT;
	}
	if (v->has_phys_base && !(k->known & INQ_KERNEL_PHYS_BASE)) {
		k->phys_base = v->phys_base;
		k->known |= INQ_KERNEL_PHYS_BASE;
	}
	k->kallsyms = v->kallsyms;
	if (v->has_kaslr) {
		k->kaslr = v->kaslr;
		k->known |= INQ_KERNEL_KASLR;
	}
}

static enum inq_status guess_kaslr(struct finder *f, const struct find_tables *t,
				   struct inq_err *err)
{
	struct inq_kernel *k = &f->k->pub;

	if ((k->known & INQ_KERNEL_KASLR) || t->im.first < IMAGE_LINKED)
		return INQ_OK;
	k->kaslr = t->im.first - IMAGE_LINKED;
	k->known |= INQ_KERNEL_KASLR;
	return find_fact(
		f,
		(struct inq_kernel_fact){
			.fact = "kaslr_offset", .source = "cr3", .cpu = t->cpu, .value = k->kaslr},
		err);
}

static enum inq_status settle(struct finder *f, const struct find_tables *t,
			      const struct find_place *p, struct inq_err *err)
{
	struct inq_kernel *k = &f->k->pub;
	struct paging_mode mode;

	k->os = "linux";
	k->source = t ? "cr3" : p->space ? "vmcoreinfo in memory" : "vmcoreinfo note";
	if (t) {
		set_image(k, &t->im);
		memcpy(k->release, t->facts.release, sizeof(t->facts.release));
		memcpy(k->build_id, t->facts.build_id, sizeof(t->facts.build_id));
		set_space(f->k, f->dump->phys, &t->mode);
	}
	if (p && find_mode(&p->info, &mode)) {
		bool maps = image_map(f->dump->phys, &mode, f->scratch) &&
			    f->scratch->phys_base == p->info.phys_base;
		if (maps && !t)
			set_image(k, f->scratch);
		if (maps || !t) /* a process' tables are as good, but end with it */
			set_space(f->k, f->dump->phys, &mode);
	}
	if (p)
		set_info(k, &p->info);
	return t ? guess_kaslr(f, t, err) : INQ_OK;
}

/* Why there is none, for people. */
static void say_none(struct finder *f)
{
	char *note = f->k->pub.note;
	size_t n = sizeof(f->k->pub.note);

	if (!f->nr_cpus)
		snprintf(note, n,
			 "no registers, and VMCOREINFO is neither in a note nor in memory");
	else if (f->nr_asked)
		snprintf(note, n, "no CPU's page tables lead to a Linux image%s",
			 f->nr_lost ? ", and not all could be looked at" : "");
	else
		snprintf(note, n,
			 "no CPU's page tables could be looked at, and VMCOREINFO is "
			 "neither in a note nor in memory");
}

static enum inq_status find(struct finder *f, struct inq_err *err)
{
	enum inq_status st = find_by_registers(f, err);
	const struct find_tables *t = running(f);

	if (st)
		return st;
	find_noted(f);
	if (t && !best_place(f, t))
		st = find_pointed(f, t, err);
	/* CPUs that run something else say so; those that cannot be asked say nothing */
	if (!st && !t && !f->nr_places && (f->nr_lost || !f->nr_asked))
		st = find_scanned(f, err);
	const struct find_place *p = best_place(f, t);
	if (!st && (t || p))
		st = settle(f, t, p, err);
	else if (!st)
		say_none(f);
	if (!st)
		st = find_place_facts(f, err);
	return st ? st : find_register_facts(f, err);
}

enum inq_status kernel_find(const struct inq_machine *m, struct inq_kernel **ret_kernel,
			    struct inq_err *err)
{
	struct whole_kernel *k = calloc(1, sizeof(*k));
	struct finder f;

	if (!k)
		return inq_fail(err, INQ_ENOMEM, "%s: kernel", m->dump->path);
	enum inq_status st = finder_init(&f, m, k, err);
	if (!st)
		st = find(&f, err);
	finder_deinit(&f);
	if (st) {
		kernel_destroy(&k->pub);
		return st;
	}
	*ret_kernel = &k->pub;
	return INQ_OK;
}
