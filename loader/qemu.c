/*
 * Knows the frame of QEMU's migration streams, which `migrate` and `virsh save` write: header,
 * sections, and who reads which.  Source: QEMU's docs/devel/migration/main.rst, migration/savevm.c,
 * savevm.h; libvirt's src/qemu/qemu_saveimage.h.
 */
#include "loader/qemu.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

enum {
	MAGIC = 0x5145564d, /* "QEVM" */
	VERSION = 3,
	MAX_COMMAND = 65535,
};
enum {
	S_EOF = 0,
	S_START = 1,
	S_PART = 2,
	S_END = 3,
	S_FULL = 4,
	S_SUBSECTION = 5,
	S_CONFIGURATION = 7,
	S_COMMAND = 8,
	S_FOOTER = 0x7e,
};
/* Before the stream in a file of `virsh save`: magic, then u32 version, length of XML, ... */
static const char libvirt_magic[] = "LibvirtQemudSave", libvirt_partial[] = "LibvirtQemudPart";
enum { LIBVIRT_MAGIC = 16, LIBVIRT_HEADER = 92, LIBVIRT_DATA = 20, LIBVIRT_COMPRESSED = 28 };

static bool is_libvirt(struct span head)
{
	return head.left >= LIBVIRT_HEADER && (!memcmp(head.p, libvirt_magic, LIBVIRT_MAGIC) ||
					       !memcmp(head.p, libvirt_partial, LIBVIRT_MAGIC));
}

static int probe(struct span head)
{
	return is_libvirt(head) || (span_be(&head, 4) == MAGIC && span_be(&head, 4) == VERSION) ? 90
												: 0;
}

void qemu_string(struct qemu *q, char *ret)
{
	size_t n = (size_t)span_be(&q->s, 1);
	const uint8_t *p = span_take(&q->s, n);

	if (p)
		memcpy(ret, p, n);
	ret[p ? n : 0] = 0;
}

/* Integers of libvirt's header are the host's: little-endian on x86. */
static enum inq_status skip_libvirt(struct qemu *q, struct inq_err *err)
{
	const uint8_t *p = q->s.p;
	uint64_t data = 0, packed = 0;

	if (!is_libvirt(q->s))
		return INQ_OK;
	(void)span_at(p, LIBVIRT_HEADER, LIBVIRT_DATA, 4, &data);
	(void)span_at(p, LIBVIRT_HEADER, LIBVIRT_COMPRESSED, 4, &packed);
	q->d->pub.variant = "libvirt save";
	if (packed)
		return inq_fail(err, INQ_EUNSUPPORTED,
				"libvirt compressed the stream: unpack what follows its header of "
				"0x%" PRIx64 " bytes",
				LIBVIRT_HEADER + data);
	span_skip(&q->s, LIBVIRT_HEADER + (size_t)data);
	if (span_be(&q->s, 4) != MAGIC || span_be(&q->s, 4) != VERSION)
		return inq_fail(err, INQ_ECORRUPT, "no stream of QEMU behind libvirt's header");
	return INQ_OK;
}

static void read_capabilities(struct qemu *q)
{
	uint64_t nr = span_be(&q->s, 4);
	char name[QEMU_NAME];

	for (uint64_t i = 0; i < nr && !q->s.bad; i++) {
		qemu_string(q, name);
		q->mapped_ram |= !strcmp(name, "mapped-ram");
		q->ignore_shared |= !strcmp(name, "x-ignore-shared");
	}
}

/* savevm.c, vmstate_configuration: nothing in the stream says how long a subsection is. */
static void read_configuration_part(struct qemu *q)
{
	enum { UUID = 16 };
	char name[QEMU_NAME];

	span_skip(&q->s, 1); /* S_SUBSECTION */
	qemu_string(q, name);
	span_skip(&q->s, 4); /* its version */
	if (!strcmp(name, "configuration/capabilities"))
		read_capabilities(q);
	else if (!strcmp(name, "configuration/target-page-bits"))
		span_skip(&q->s, 4);
	else if (!strcmp(name, "configuration/uuid"))
		span_skip(&q->s, UUID);
	else
		qemu_odd(q);
}

static void read_configuration(struct qemu *q)
{
	size_t n = (size_t)span_be(&q->s, 4);
	const uint8_t *p = span_take(&q->s, n);

	if (!p || n >= QEMU_NAME) {
		qemu_odd(q);
		return;
	}
	memcpy(q->machine, p, n);
	while (!q->s.bad && q->s.left && q->s.p[0] == S_SUBSECTION)
		read_configuration_part(q);
}

/* What has no length of its own and is not RAM cannot be skipped. */
static enum inq_status read_start(struct qemu *q, struct inq_err *err)
{
	enum { RAM_VERSION = 4 };

	span_skip(&q->s, 4); /* its number */
	qemu_string(q, q->section);
	q->instance = span_be(&q->s, 4);
	uint64_t version = span_be(&q->s, 4);
	if (!q->s.bad && (strcmp(q->section, "ram") != 0 || version != RAM_VERSION))
		return inq_fail(err, INQ_EUNSUPPORTED,
				"the stream has a section \"%.40s\" version %" PRIu64
				", which nothing tells how to skip: migrate without it",
				q->section, version);
	return q->s.bad ? INQ_OK : qemu_ram_start(q, err);
}

static void read_command(struct qemu *q)
{
	span_skip(&q->s, 2);
	span_skip(&q->s, (size_t)span_be(&q->s, 2));
}

/* What a section is called whose head has no name; the parts that get here are those of RAM. */
static void name_section(struct qemu *q, uint64_t kind)
{
	const char *name = kind == S_CONFIGURATION           ? "configuration"
			   : kind == S_COMMAND               ? "command"
			   : kind == S_PART || kind == S_END ? "ram"
							     : "";

	if (kind == S_FOOTER)
		return; /* it belongs to the section before */
	snprintf(q->section, sizeof(q->section), "%s", name);
	q->instance = 0;
	q->section_at = qemu_at(q) - 1;
}

/* One section, up to the first of a device; its kind is read. */
static enum inq_status read_section(struct qemu *q, uint64_t kind, struct inq_err *err)
{
	name_section(q, kind);
	switch (kind) {
	case S_CONFIGURATION:
		read_configuration(q);
		return INQ_OK;
	case S_START:
		return read_start(q, err);
	case S_PART:
	case S_END:
		span_skip(&q->s, 4);
		return q->nr_blocks ? qemu_ram_part(q, err) : INQ_OK;
	case S_FOOTER:
		q->footers = true;
		span_skip(&q->s, 4);
		return INQ_OK;
	case S_COMMAND:
		read_command(q);
		return INQ_OK;
	default:
		qemu_odd(q);
		return INQ_OK;
	}
}

/* Where the stream breaks, the rest of it is lost: sections have no lengths. */
static void report_break(struct qemu *q, uint64_t at)
{
	struct loader_dump *d = q->d;

	q->cut = !q->odd;
	q->between = !q->s.bad;
	if (q->odd)
		loader_damage(d, INQ_ECORRUPT, 0, at, d->map->n - at,
			      "the section at 0x%" PRIx64 " makes no sense at 0x%" PRIx64
			      ": what follows is unknown",
			      at, qemu_at(q));
}

static enum inq_status read_sections(struct qemu *q, struct inq_err *err)
{
	enum inq_status st = INQ_OK;
	uint64_t at = qemu_at(q);

	while (!st && !q->s.bad && q->s.left && q->s.p[0] != S_FULL && q->s.p[0] != S_EOF) {
		at = qemu_at(q);
		st = read_section(q, span_be(&q->s, 1), err);
	}
	if (st)
		return st;
	if (q->s.bad || !q->s.left) {
		report_break(q, at);
		return INQ_OK;
	}
	return qemu_devices(q, err);
}

static void qemu_free(void *own)
{
	struct qemu *q = own;

	for (size_t i = 0; i < q->nr_cpus; i++)
		named_deinit(&q->cpus[i]);
	named_deinit(&q->vm);
	free(q->cpus);
	free(q->blocks);
	free(q->pages);
	free(q);
}

/* The place that holds addr; there is one. */
static const struct qemu_place *place_at(const struct qemu_places *in, uint64_t addr)
{
	size_t i = 0;

	while (i + 1 < in->nr && in->at[i].last < addr)
		i++;
	return &in->at[i];
}

/* Cut pages to their place, counted from the page that holds addr. */
static void block_in(const struct qemu *q, const struct qemu_places *in, uint64_t addr,
		     struct loader_block *ret)
{
	const struct qemu_place *at = place_at(in, addr);
	uint64_t page = at->page + (addr - at->first) / LOADER_PAGE;
	uint64_t left = (at->last - addr) / LOADER_PAGE + 1; /* pages */
	const struct qemu_pages *p = qemu_pages_at(q, page);

	*ret = (struct loader_block){.first = addr - addr % LOADER_PAGE, .codec = LOADER_ABSENT};
	uint64_t nr = !p ? left : p->first > page ? p->first - page : p->first + p->nr - page;
	if (p && p->first <= page) {
		ret->codec = p->codec;
		ret->packed = p->packed;
		ret->off = p->off + (page - p->first) * p->step;
		if (p->codec == LOADER_RAW && p->step != LOADER_PAGE)
			nr = 1;
	}
	ret->bytes = (nr < left ? nr : left) * LOADER_PAGE;
}

static void phys_block(const struct loader_dump *d, uint64_t addr, struct loader_block *ret)
{
	const struct qemu *q = d->own;

	block_in(q, &q->phys, addr, ret);
}

static void smm_block(const struct loader_dump *d, uint64_t addr, struct loader_block *ret)
{
	const struct qemu *q = d->own;

	block_in(q, &q->smm, addr, ret);
}

/* Where the file ends: "the file ends at 0x2067, in section ram (instance 0) at 0x1053". */
static void say_end(const struct qemu *q, char *ret, size_t n)
{
	snprintf(ret, n,
		 "the file ends at 0x%zx, %s section %.32s (instance %" PRIu64 ") at 0x%" PRIx64,
		 q->d->map->n, q->between ? "behind" : "in", *q->section ? q->section : "?",
		 q->instance, q->section_at);
}

/* How much of the machine's memory the stream had when it broke off. */
static void report_missing(const struct qemu *q)
{
	char share[LOADER_SHARE] = "nothing", end[128];
	uint64_t nr = 0, all = q->total_pages;

	for (size_t i = 0; i < q->nr_pages; i++)
		nr += q->pages[i].nr;
	if (nr < all)
		loader_share(all - nr, all, share);
	if (!q->cut) {
		if (nr < all)
			loader_damage(q->d, INQ_EABSENT, 0, q->d->map->n, 0,
				      "%" PRIu64 " of %" PRIu64 " pages of memory are missing (%s)",
				      all - nr, all, share);
		return;
	}
	q->d->truncated = 1;
	say_end(q, end, sizeof(end));
	loader_damage(q->d, INQ_EABSENT, 0, q->d->map->n, 0, "%s of memory is missing%s %s", share,
		      nr < all ? ":" : ", but", end);
	qemu_devices_cut(q);
}

static enum inq_status no_memory(const struct qemu *q, struct inq_err *err)
{
	char end[128] = "the stream ends";

	if (q->cut)
		say_end(q, end, sizeof(end));
	return inq_fail(err, INQ_ECORRUPT, "%s, before its list of memory", end);
}

static enum inq_status publish_memory(struct qemu *q, struct inq_err *err)
{
	struct loader_dump *d = q->d;
	enum inq_status st = qemu_map(q, err);

	d->block_at = phys_block;
	if (!st)
		st = loader_blocks_init(d, LOADER_PAGE, err);
	for (size_t i = 0; i < q->phys.nr && !st; i++)
		st = loader_extent(d,
				   (struct inq_extent){.first = q->phys.at[i].first,
						       .last = q->phys.at[i].last,
						       .kind = INQ_EXTENT_BYTES,
						       .file_off = INQ_NO_OFFSET},
				   err);
	if (st || !q->smm.nr)
		return st;
	d->overlays = calloc(q->smm.nr, sizeof(*d->overlays));
	if (!d->overlays)
		return inq_fail(err, INQ_ENOMEM, "%zu pieces of SMRAM", q->smm.nr);
	for (size_t i = 0; i < q->smm.nr; i++)
		d->overlays[i] = (struct loader_overlay){.first = q->smm.at[i].first,
							 .last = q->smm.at[i].last};
	d->nr_overlays = q->smm.nr;
	d->smm_at = smm_block;
	loader_smm_init(d);
	return INQ_OK;
}

static enum inq_status publish_state(struct qemu *q, struct inq_err *err)
{
	enum inq_status st = INQ_OK;

	if (q->vm.n)
		st = loader_blob_copy(q->d, INQ_SNAP_VM, INQ_BLOB_NAMED, q->vm.p, q->vm.n, err);
	for (size_t i = 0; i < q->nr_cpus && !st; i++)
		if (q->cpus[i].n)
			st = loader_blob_copy(q->d, (uint32_t)i, INQ_BLOB_NAMED, q->cpus[i].p,
					      q->cpus[i].n, err);
	return st ? st : loader_index_blobs(q->d, err);
}

static enum inq_status open_stream(struct loader_dump *d, struct inq_err *err)
{
	struct qemu *q = calloc(1, sizeof(*q));

	if (!q)
		return inq_fail(err, INQ_ENOMEM, "out of memory");
	d->own = q;
	d->own_free = qemu_free;
	d->pub.variant = "migration stream";
	q->d = d;
	q->s = span_of(d->map->p, d->map->n);
	loader_phys_init(d);
	enum inq_status st = skip_libvirt(q, err);
	if (!st && q->s.p == d->map->p)
		span_skip(&q->s, 8); /* magic and version, as probe saw them */
	if (!st)
		st = read_sections(q, err);
	if (!st && !q->nr_blocks)
		st = no_memory(q, err);
	if (!st)
		st = qemu_ram_sort(q, err);
	if (!st)
		report_missing(q);
	if (!st)
		st = publish_memory(q, err);
	if (!st)
		st = publish_state(q, err);
	return st ? st : loader_content_id(d, NULL, 0, err);
}

const struct inq_loader loader_qemu = {
	.name = "qemu",
	.doc = "QEMU's migration streams (migrate to a file), also as virsh save wraps them",
	.carries = "memory, SMRAM, registers, APIC, MSRs, events, SMBASE, nested state of VMX",
	.tells = {.registers = LOADER_YES,
		  .control = LOADER_YES,
		  .msrs = LOADER_YES,
		  .lapic = LOADER_YES,
		  .smm = LOADER_YES,
		  .nested = LOADER_SOME},
	.probe = probe,
	.open = open_stream,
};
