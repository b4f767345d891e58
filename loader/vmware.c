/*
 * Knows VMware's suspended states and snapshots (.vmss, .vmsn): groups of tagged values, among them
 * where memory lies (in the file itself, or in the .vmem beside it) and the registers.
 * Source: Volatility layers/vmware.py, layers/vmsn.py; open-vm-tools' vmss2core; crash's
 * vmware_vmss.h for the numbers.  What most of the tags mean nobody tells in public.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "loader/dump.h"

enum {
	HEAD = 12,
	GROUP = 80,
	GROUP_NAME = 64,
	TAG_PACKED = 62, /* value sizes that stand for a block */
	TAG_BLOCK = 63,
	MAX_REGIONS = 64,
	MOST_STATE = 1 << 20, /* bytes of one CPU */
};
#define MAGIC_OLD 0xbed0bed0u /* 32-bit offsets */

/* One tagged value. */
struct tag {
	const uint8_t *name, *value;
	uint8_t name_n;
	uint32_t index[3];
	unsigned int nr_index;
	bool block, packed;
	uint64_t n, unpacked_n; /* bytes of the value in the file; of a block, in memory */
	uint64_t off;           /* of the value */
};

struct region {
	uint64_t file_page, page, pages;
};

struct state {
	uint8_t *p;
	size_t n, cap;
};

struct vmware {
	struct region region[MAX_REGIONS];
	uint64_t nr_regions;
	bool has_memory, packed_memory;
	uint64_t memory_off, memory_n;
	struct state *states; /* one per CPU that was named */
	size_t nr_states;
	char why[200]; /* there is no memory */
};

static void vmware_scope(struct vmware *v)
{
	for (size_t i = 0; i < v->nr_states; i++)
		free(v->states[i].p);
	free(v->states);
}

static int probe(struct span head)
{
	static const uint32_t magics[] = {MAGIC_OLD, 0xbed2bed2, 0xbed3bed3, 0xbad1bad1,
					  0xbad2bad2};
	uint32_t magic = span_u32le(&head);

	for (size_t i = 0; i < sizeof(magics) / sizeof(*magics); i++)
		if (magic == magics[i])
			return 90;
	return 0;
}

static bool is_named(const struct tag *t, const char *name)
{
	return t->name_n == strlen(name) && !memcmp(t->name, name, t->name_n);
}

/* The next tag of a group; false at its end, with s->bad when it breaks off. */
static bool next_tag(struct span *s, size_t file_n, struct tag *ret)
{
	uint16_t head = span_u16le(s);
	uint8_t size = head & 0x3f;

	if (s->bad || !head)
		return false;
	*ret = (struct tag){.name_n = (uint8_t)(head >> 8), .nr_index = head >> 6 & 3};
	ret->name = span_take(s, ret->name_n);
	for (unsigned int i = 0; i < ret->nr_index; i++)
		ret->index[i] = span_u32le(s);
	ret->block = size >= TAG_PACKED;
	ret->packed = size == TAG_PACKED;
	ret->n = ret->unpacked_n = size;
	if (ret->block) {
		ret->n = span_u64le(s);
		ret->unpacked_n = span_u64le(s);
		span_skip(s, span_u16le(s));
	}
	ret->off = file_n - s->left;
	if (s->bad)
		return false;
	uint64_t n = ret->n < s->left ? ret->n : s->left; /* memory may be cut, and is used */
	ret->value = span_take(s, (size_t)n);
	return n == ret->n || is_named(ret, "Memory");
}

static uint64_t number(const struct tag *t)
{
	struct span s = span_of(t->value, t->n < 8 ? (size_t)t->n : 8);

	return span_le(&s, s.left);
}

static void take_memory(struct loader_dump *d, struct vmware *v, const struct tag *t)
{
	struct region *r = t->nr_index ? &v->region[t->index[0] % MAX_REGIONS] : NULL;

	if (is_named(t, "regionsCount"))
		v->nr_regions = number(t);
	if (is_named(t, "Memory") && t->block) {
		v->has_memory = true;
		v->packed_memory = t->packed;
		v->memory_off = t->off;
		v->memory_n = t->unpacked_n;
	}
	if (!r || t->block)
		return;
	if (t->index[0] >= MAX_REGIONS) {
		loader_damage(d, INQ_ECORRUPT, 0, t->off, t->n,
			      "region %" PRIu32 " of memory, %d at most", t->index[0], MAX_REGIONS);
		return;
	}
	if (is_named(t, "regionPageNum"))
		r->file_page = number(t);
	if (is_named(t, "regionPPN"))
		r->page = number(t);
	if (is_named(t, "regionSize"))
		r->pages = number(t);
}

static bool put(struct state *s, const void *p, size_t n)
{
	if (n > MOST_STATE - s->n)
		return true; /* of a hostile file, which has more than any CPU */
	if (s->n + n > s->cap) {
		size_t cap = 2 * (s->n + n);
		uint8_t *grown = realloc(s->p, cap);
		if (!grown)
			return false;
		s->p = grown;
		s->cap = cap;
	}
	if (n)
		memcpy(s->p + s->n, p, n);
	s->n += n;
	return true;
}

static bool put_u32(struct state *s, uint32_t v)
{
	const uint8_t le[4] = {(uint8_t)v, (uint8_t)(v >> 8), (uint8_t)(v >> 16),
			       (uint8_t)(v >> 24)};

	return put(s, le, sizeof(le));
}

/* "CR64[0]": the indexes behind the first, which is the CPU, become part of the name. */
static size_t full_name(const struct tag *t, char *name, size_t size)
{
	size_t n = (size_t)snprintf(name, size, "%.*s", (int)t->name_n, (const char *)t->name);

	for (unsigned int i = 1; i < t->nr_index && n < size; i++)
		n += (size_t)snprintf(name + n, size - n, "[%" PRIu32 "]", t->index[i]);
	return n < size ? n : size - 1;
}

/* A value of a CPU, kept as it is for who knows what it means. */
static enum inq_status take_cpu(struct vmware *v, const struct tag *t, struct inq_err *err)
{
	char name[300];
	size_t n = full_name(t, name, sizeof(name));

	if (!t->nr_index || t->index[0] >= INQ_SNAP_MAX_VCPUS || t->n > MOST_STATE / 4)
		return INQ_OK;
	if (t->index[0] >= v->nr_states) {
		size_t nr = t->index[0] + 1;
		struct state *grown = reallocarray(v->states, nr, sizeof(*grown));
		if (!grown)
			return inq_fail(err, INQ_ENOMEM, "%zu cpus", nr);
		memset(grown + v->nr_states, 0, (nr - v->nr_states) * sizeof(*grown));
		v->states = grown;
		v->nr_states = nr;
	}
	struct state *s = &v->states[t->index[0]];
	if (s->n + n + t->n + 8 > MOST_STATE)
		return INQ_OK;
	if (!put_u32(s, (uint32_t)n) || !put_u32(s, (uint32_t)t->n) || !put(s, name, n) ||
	    !put(s, t->value, (size_t)t->n))
		return inq_fail(err, INQ_ENOMEM, "state of cpu %" PRIu32, t->index[0]);
	return INQ_OK;
}

static enum inq_status read_group(struct loader_dump *d, struct vmware *v, const char *name,
				  uint64_t off, struct inq_err *err)
{
	bool memory = !strcmp(name, "memory"), cpu = !strcmp(name, "cpu");
	enum inq_status st = INQ_OK;
	struct tag t;

	if (!memory && !cpu)
		return INQ_OK;
	struct span s = off < d->map->n ? span_of(d->map->p + off, (size_t)(d->map->n - off))
					: (struct span){.bad = true};
	while (!st && next_tag(&s, d->map->n, &t)) {
		if (memory)
			take_memory(d, v, &t);
		else
			st = take_cpu(v, &t, err);
	}
	if (s.bad)
		loader_damage(d, INQ_EABSENT, 0, d->map->n, 0,
			      "the file ends at 0x%zx, inside its group '%s'", d->map->n, name);
	return st;
}

static enum inq_status read_groups(struct loader_dump *d, struct vmware *v, struct inq_err *err)
{
	struct span s = span_of(d->map->p, d->map->n);
	uint32_t magic = span_u32le(&s);
	enum inq_status st = INQ_OK;

	span_skip(&s, 4);
	uint32_t nr = span_u32le(&s);
	if (magic == MAGIC_OLD)
		return inq_fail(err, INQ_EUNSUPPORTED,
				"a suspended state of an old VMware, with 32-bit offsets");
	if (s.bad || !nr)
		return inq_fail(err, INQ_ECORRUPT, "no groups in it");
	if (s.left / GROUP < nr) {
		loader_damage(d, INQ_EABSENT, 0, d->map->n, (nr - s.left / GROUP) * GROUP,
			      "the file ends at 0x%zx: %" PRIu64 " of %" PRIu32
			      " groups are missing",
			      d->map->n, (uint64_t)(nr - s.left / GROUP), nr);
		nr = (uint32_t)(s.left / GROUP);
	}
	for (uint32_t i = 0; !st && i < nr; i++) {
		char name[GROUP_NAME + 1] = "";
		memcpy(name, span_take(&s, GROUP_NAME), GROUP_NAME);
		uint64_t off = span_u64le(&s);
		span_skip(&s, 8);
		st = read_group(d, v, name, off, err);
	}
	return st;
}

/* "guest.vmem" for "guest.vmss"; NULL: the name has no such end, or out of memory. */
static char *beside(const char *path)
{
	const char *slash = strrchr(path, '/'), *dot = strrchr(path, '.');
	char *name = NULL;

	if (!dot || (slash && dot < slash))
		return NULL;
	return asprintf(&name, "%.*s.vmem", (int)(dot - path), path) < 0 ? NULL : name;
}

static void free_text(char **p)
{
	free(*p);
}

/* Where memory is: in this file, in the one beside it, or nowhere and v->why says why. */
static void find_memory(struct loader_dump *d, struct vmware *v)
{
	INQ_SCOPED(free_text) char *name = beside(d->path);
	struct inq_err err;

	if (v->packed_memory)
		snprintf(v->why, sizeof(v->why), "memory is compressed in a way that is not known");
	if (v->has_memory)
		return;
	if (!name)
		snprintf(v->why, sizeof(v->why),
			 "memory lies in another file, a .vmem of the same name");
	else if (mapping_open(name, &d->mem, &err))
		snprintf(v->why, sizeof(v->why), "memory lies in another file: %.150s", err.msg);
	else
		v->memory_n = d->mem->n;
}

static enum inq_status add_region(struct loader_dump *d, const struct vmware *v,
				  struct loader_segments *l, const struct region *r,
				  struct inq_err *err)
{
	struct loader_segment s = {.gpa = r->page * LOADER_PAGE,
				   .memsz = r->pages * LOADER_PAGE,
				   .off = v->memory_off + r->file_page * LOADER_PAGE,
				   .filesz = r->pages * LOADER_PAGE,
				   .zero_at = LOADER_NO_BITS};

	if (r->page >> 40 || r->pages >> 40 || r->file_page >> 40) {
		loader_damage(d, INQ_ECORRUPT, 0, 0, 0,
			      "a region of memory is absurd: 0x%" PRIx64 " pages at 0x%" PRIx64,
			      r->pages, r->page);
		return INQ_OK;
	}
	if (*v->why)
		s.off = UINT64_MAX / 2; /* behind the end of any file */
	return loader_segments_add(d, l, s, err);
}

static void segments_scope(struct loader_segments *l)
{
	loader_segments_deinit(l);
}

static enum inq_status use_memory(struct loader_dump *d, const struct vmware *v,
				  struct inq_err *err)
{
	INQ_SCOPED(segments_scope) struct loader_segments l = {0};
	const struct region whole = {.pages = v->memory_n / LOADER_PAGE};
	enum inq_status st = INQ_OK;

	if (!v->nr_regions)
		st = add_region(d, v, &l, &whole, err);
	for (size_t i = 0; !st && i < v->nr_regions && i < MAX_REGIONS; i++)
		st = add_region(d, v, &l, &v->region[i], err);
	if (st)
		return st;
	if (!l.nr)
		return inq_fail(err, *v->why ? INQ_EIO : INQ_ECORRUPT, "%s",
				*v->why ? v->why : "the file states no memory");
	loader_segments_report(d, &l, *v->why ? v->why : NULL);
	loader_phys_init(d);
	return loader_extents(d, l.p, l.nr, err);
}

static enum inq_status open_vmware(struct loader_dump *d, struct inq_err *err)
{
	INQ_SCOPED(vmware_scope) struct vmware v = {0};
	enum inq_status st = read_groups(d, &v, err);

	if (st)
		return st;
	d->pub.variant = "vmware suspended state or snapshot";
	find_memory(d, &v);
	st = use_memory(d, &v, err);
	for (size_t i = 0; !st && i < v.nr_states; i++)
		if (v.states[i].n)
			st = loader_blob_copy(d, (uint32_t)i, INQ_BLOB_VMWARE, v.states[i].p,
					      v.states[i].n, err);
	if (!st)
		st = loader_index_blobs(d, err);
	const struct span head = span_of(d->map->p, d->map->n < 4096 ? d->map->n : 4096);
	if (!st)
		st = loader_content_id(d, &head, 1, err);
	return st ? st : loader_still_there(d, err);
}

const struct inq_loader loader_vmware = {
	.name = "vmware",
	.doc = "VMware's .vmss and .vmsn, with memory in them or in the .vmem beside them",
	.carries = "memory; general and control registers per CPU",
	.tells = {LOADER_YES, LOADER_SOME, LOADER_NO, LOADER_NO, LOADER_NO, LOADER_NO},
	.probe = probe,
	.open = open_vmware,
};
