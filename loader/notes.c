/*
 * Knows how notes are chained and which ones carry the state of a CPU.
 * Source: elf(5), Elf64_Nhdr; Linux include/linux/elfcore.h, struct elf_prstatus; snapshot.h.
 */
#include <inttypes.h>
#include <stdlib.h>

#include "loader/dump.h"

enum {
	NT_CPU = 1, /* NT_PRSTATUS */
	PRSTATUS_BYTES = 336,
	PRSTATUS_PID = 32,
	PRSTATUS32_BYTES = 144, /* of i386: QEMU writes it for a CPU that is not in long mode */
	PRSTATUS32_PID = 24,
	QEMU_CPU_BYTES = 432, /* up to kernel_gs_base, which older ones lack */
	VMCOREINFO_BYTES = 64 << 10,
	NOTE_HEAD = 12,
};

struct note {
	const uint8_t *name, *desc;
	uint32_t namesz, descsz, type;
	uint64_t file_off; /* of its head */
};

/* Most writers count the NUL of the name, some do not. */
static int is_named(const struct note *nt, const char *name)
{
	size_t n = strlen(name);

	return (nt->namesz == n || (nt->namesz == n + 1 && !nt->name[n])) &&
	       !memcmp(nt->name, name, n);
}

static enum inq_status add_prstatus(struct loader_dump *d, const struct note *nt,
				    struct inq_err *err)
{
	uint32_t vcpu = d->nr_prstatus++;
	bool short_form = nt->descsz == PRSTATUS32_BYTES;

	if ((nt->descsz < PRSTATUS_BYTES && !short_form) || vcpu >= INQ_SNAP_MAX_VCPUS) {
		loader_damage(d, INQ_ECORRUPT, 0, nt->file_off, nt->descsz,
			      "prstatus note %" PRIu32 " has %" PRIu32 " bytes, not %d", vcpu,
			      nt->descsz, PRSTATUS_BYTES);
		return INQ_OK;
	}
	return loader_blob(d,
			   (struct inq_blob){.vcpu = vcpu,
					     .kind = INQ_BLOB_PRSTATUS,
					     .p = nt->desc,
					     .n = short_form ? PRSTATUS32_BYTES : PRSTATUS_BYTES},
			   err);
}

/* QEMUCPUState, of which no field tells the CPU. */
static enum inq_status add_qemu_cpu(struct loader_dump *d, const struct note *nt,
				    struct inq_err *err)
{
	uint32_t vcpu = d->nr_qemu_cpu++;

	if (nt->descsz < QEMU_CPU_BYTES || vcpu >= INQ_SNAP_MAX_VCPUS) {
		loader_damage(d, INQ_ECORRUPT, 0, nt->file_off, nt->descsz,
			      "QEMU note %" PRIu32 " has %" PRIu32 " bytes, not %d", vcpu,
			      nt->descsz, QEMU_CPU_BYTES);
		return INQ_OK;
	}
	return loader_blob(
		d,
		(struct inq_blob){
			.vcpu = vcpu, .kind = INQ_BLOB_QEMU_CPU, .p = nt->desc, .n = nt->descsz},
		err);
}

static enum inq_status add_vmcoreinfo(struct loader_dump *d, const struct note *nt,
				      struct inq_err *err)
{
	size_t n = nt->descsz < VMCOREINFO_BYTES ? nt->descsz : VMCOREINFO_BYTES;

	return loader_blob(
		d,
		(struct inq_blob){
			.vcpu = INQ_SNAP_VM, .kind = INQ_BLOB_VMCOREINFO, .p = nt->desc, .n = n},
		err);
}

/* What is wrong with a note of ours; NULL when nothing is. */
static const char *objection(const struct note *nt, const struct inq_snap_note *head, size_t room)
{
	if (nt->type != (INQ_SNAP_NOTE_TYPE | head->kind))
		return "its type and its kind differ";
	if (head->version != 1)
		return "its version is not known";
	if (head->vcpu != INQ_SNAP_VM && head->vcpu >= INQ_SNAP_MAX_VCPUS)
		return "its vcpu is absurd";
	if (head->state > INQ_SNAP_FAILED)
		return "its state is not known";
	if (head->state != INQ_SNAP_PRESENT && head->size)
		return "it is not there and has bytes";
	return head->size > room ? "it is longer than its note" : NULL;
}

static enum inq_status add_ours(struct loader_dump *d, const struct note *nt, struct inq_err *err)
{
	struct span s = span_of(nt->desc, nt->descsz);
	struct inq_snap_note head = {
		.vcpu = span_u32le(&s),
		.sample = span_u32le(&s),
		.kind = span_u16le(&s),
		.version = span_u16le(&s),
		.state = span_u16le(&s),
		.error = span_u16le(&s),
		.size = span_u64le(&s),
	};
	const char *why = s.bad ? "it is too short" : objection(nt, &head, s.left);

	if (why) {
		loader_damage(d, INQ_ECORRUPT, 0, nt->file_off, nt->descsz,
			      "note 0x%" PRIx32 " at 0x%" PRIx64 ": %s", nt->type, nt->file_off,
			      why);
		return INQ_OK;
	}
	int present = head.state == INQ_SNAP_PRESENT;
	if (head.kind == INQ_SNAP_HEADER && present && !d->header_at &&
	    head.size >= sizeof(struct inq_snap_header))
		d->header_at = s.p;
	return loader_blob(d,
			   (struct inq_blob){.vcpu = head.vcpu,
					     .sample = head.sample,
					     .kind = head.kind,
					     .state = (enum inq_snap_state)head.state,
					     .error = head.error,
					     .p = present ? s.p : NULL,
					     .n = (size_t)head.size},
			   err);
}

/* The next note; false at the end or where the chain breaks, which is damage. */
static bool next_note(struct loader_dump *d, struct span *s, uint64_t file_off, struct note *ret)
{
	size_t left = s->left;

	if (left < NOTE_HEAD) {
		if (left)
			loader_damage(d, INQ_ECORRUPT, 0, file_off, left,
				      "%zu bytes behind the last note", left);
		return false;
	}
	*ret = (struct note){.file_off = file_off};
	ret->namesz = span_u32le(s);
	ret->descsz = span_u32le(s);
	ret->type = span_u32le(s);
	ret->name = span_take(s, ret->namesz);
	span_skip(s, -(size_t)ret->namesz & 3);
	ret->desc = span_take(s, ret->descsz);
	if (s->bad) {
		loader_damage(d, INQ_ECORRUPT, 0, file_off, left,
			      "note at 0x%" PRIx64 " is longer than what is left: 0x%zx bytes",
			      file_off, left);
		return false;
	}
	size_t pad = -(size_t)ret->descsz & 3;
	span_skip(s, pad < s->left ? pad : s->left); /* the last one may go without */
	return true;
}

enum inq_status loader_notes(struct loader_dump *d, const uint8_t *p, size_t n, uint64_t file_off,
			     struct inq_err *err)
{
	struct span s = span_of(p, n);
	enum inq_status st = INQ_OK;
	struct note nt;

	while (!st && next_note(d, &s, file_off + (n - s.left), &nt)) {
		if (is_named(&nt, "CORE") && nt.type == NT_CPU)
			st = add_prstatus(d, &nt, err);
		else if (is_named(&nt, "QEMU"))
			st = add_qemu_cpu(d, &nt, err);
		else if (is_named(&nt, "VMCOREINFO"))
			st = add_vmcoreinfo(d, &nt, err);
		else if (is_named(&nt, INQ_SNAP_NOTE_NAME))
			st = add_ours(d, &nt, err);
	}
	return st;
}

/* The CPU that a PRSTATUS of QEMU's is of: pr_pid is its index plus one. */
static uint32_t told_vcpu(const struct inq_blob *b)
{
	uint64_t pid = 0;

	(void)span_at(b->p, b->n, b->n == PRSTATUS32_BYTES ? PRSTATUS32_PID : PRSTATUS_PID, 4,
		      &pid);
	return (uint32_t)pid - 1;
}

/* Do the PRSTATUS notes tell a CPU each, and ascending as QEMU has them? */
static bool tell_vcpus(const struct loader_dump *d)
{
	uint64_t least = 0;

	if (!d->nr_qemu_cpu || d->nr_qemu_cpu != d->nr_prstatus)
		return false;
	for (size_t i = 0; i < d->nr_blobs; i++) {
		const struct inq_blob *b = &d->blobs[i];
		if (b->kind != INQ_BLOB_PRSTATUS)
			continue;
		uint32_t vcpu = told_vcpu(b);
		if (vcpu < least || vcpu >= INQ_SNAP_MAX_VCPUS)
			return false;
		least = vcpu + UINT64_C(1);
	}
	return true;
}

/* QEMU writes both kinds in the same order; where a CPU was unplugged, its index is left out. */
static void renumber_qemu(struct loader_dump *d)
{
	uint32_t told[INQ_SNAP_MAX_VCPUS], nr = 0;

	if (!tell_vcpus(d))
		return;
	for (size_t i = 0; i < d->nr_blobs; i++)
		if (d->blobs[i].kind == INQ_BLOB_PRSTATUS && nr < INQ_SNAP_MAX_VCPUS)
			d->blobs[i].vcpu = told[nr++] = told_vcpu(&d->blobs[i]);
	for (size_t i = 0; i < d->nr_blobs; i++)
		if (d->blobs[i].kind == INQ_BLOB_QEMU_CPU && d->blobs[i].vcpu < nr)
			d->blobs[i].vcpu = told[d->blobs[i].vcpu];
}

int loader_key_cmp(const struct inq_blob *a, const struct inq_blob *b)
{
	if (a->vcpu != b->vcpu)
		return a->vcpu < b->vcpu ? -1 : 1;
	if (a->sample != b->sample)
		return a->sample < b->sample ? -1 : 1;
	return a->kind < b->kind ? -1 : a->kind > b->kind;
}

static int by_key_then_place(const void *a, const void *b, void *blobs)
{
	uint32_t ia = *(const uint32_t *)a, ib = *(const uint32_t *)b;
	const struct inq_blob *at = blobs;
	int c = loader_key_cmp(&at[ia], &at[ib]);

	return c ? c : ia < ib ? -1 : ia > ib;
}

enum inq_status loader_index_blobs(struct loader_dump *d, struct inq_err *err)
{
	renumber_qemu(d);
	d->by_key = calloc(d->nr_blobs + 1, sizeof(*d->by_key));
	if (!d->by_key)
		return inq_fail(err, INQ_ENOMEM, "%zu notes", d->nr_blobs);
	for (size_t i = 0; i < d->nr_blobs; i++)
		d->by_key[i] = (uint32_t)i;
	d->pub.blobs = d->blobs;
	d->pub.nr_blobs = d->nr_blobs;
	d->pub.by_key = d->by_key;
	qsort_r(d->by_key, d->nr_blobs, sizeof(*d->by_key), by_key_then_place, d->blobs);
	for (size_t i = 1; i < d->nr_blobs; i++) {
		const struct inq_blob *b = &d->blobs[d->by_key[i]];
		if (!loader_key_cmp(&d->blobs[d->by_key[i - 1]], b))
			loader_damage(d, INQ_ECORRUPT, 0, 0, 0,
				      "kind %" PRIu32 " of vcpu %" PRIu32
				      " is there twice: the first counts",
				      b->kind, b->vcpu);
	}
	return INQ_OK;
}
