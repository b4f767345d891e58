/*
 * Knows where everything lies in the file: ELF header, program headers, notes, memory from the next
 * page on, the bulk region (SMRAM windows, zero bitmap, flight records).  Notes are laid out first,
 * memory is streamed from the guest's mapping in one pass, and what the pass found out (zero
 * bitmap, its checksum) goes into the notes, which are written last.
 */
#include "vmm/snapshot.h"

#include <elf.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <zlib.h>

struct writer {
	const struct vmm_snapshot *s;
	const struct vmm_out *o;
	struct vmm_notes notes;    /* all of them */
	size_t header_at, zero_at; /* payloads in notes.bytes */
	uint64_t memory_off, smram_off, bitmap_off, rings_off, file_bytes;
	uint8_t *bitmap;
	uint64_t bitmap_bytes, page; /* page: next bit */
	struct vmm_snapshot_done done;
};

static size_t nr_phdrs(const struct writer *w)
{
	return 1 + w->s->mem->nr_regions + w->s->nr_views;
}

/* elf(5), PN_XNUM: then the number lies in a section header, which follows the program headers. */
static size_t headers_bytes(const struct writer *w)
{
	size_t n = nr_phdrs(w);

	return sizeof(Elf64_Ehdr) + n * sizeof(Elf64_Phdr) +
	       (n >= PN_XNUM ? sizeof(Elf64_Shdr) : 0);
}

static uint64_t page_up(uint64_t v)
{
	return (v + VMM_PAGE - 1) & ~(VMM_PAGE - 1);
}

static uint64_t memory_bytes(const struct vmm_memory *m)
{
	uint64_t n = 0;

	for (unsigned i = 0; i < m->nr_regions; i++)
		n += m->region[i].bytes;
	return n;
}

/* Where RAM at host lies in the file. */
static uint64_t ram_file_off(const struct writer *w, const uint8_t *host)
{
	const struct vmm_memory *m = w->s->mem;
	uint64_t off = (uint64_t)(host - m->ram), at = w->memory_off;

	for (unsigned i = 0; i < m->nr_regions; i++) {
		const struct vmm_region *r = &m->region[i];

		if (off >= r->off && off - r->off < r->bytes)
			return at + (off - r->off);
		at += r->bytes;
	}
	return 0;
}

static void add_slots(struct writer *w, struct inq_snap_slot *slot)
{
	const struct vmm_memory *m = w->s->mem;

	for (unsigned i = 0; i < m->nr_slots; i++) {
		const struct vmm_slot *s = &m->slot[i];
		uint64_t off = s->smram ? w->smram_off + (uint64_t)(s->host - m->smram)
					: ram_file_off(w, s->host);

		slot[i] =
			(struct inq_snap_slot){.as = s->as,
					       .slot = s->slot,
					       .flags = s->read_only ? 2 : 0, /* KVM_MEM_READONLY */
					       .gpa = s->gpa,
					       .bytes = s->bytes,
					       .file_off = off};
	}
	vmm_notes_add(&w->notes, INQ_SNAP_VM, INQ_SNAP_SLOTS, slot, m->nr_slots * sizeof(*slot));
}

static void add_smram(struct writer *w)
{
	const struct vmm_memory *m = w->s->mem;
	struct inq_snap_bulk bulk[VMM_MAX_VCPUS];

	for (unsigned i = 0; i < m->nr_windows; i++) {
		const uint8_t *p = m->smram + i * VMM_SMRAM_BYTES;

		bulk[i] = (struct inq_snap_bulk){
			.gpa = m->window[i],
			.file_off = w->smram_off + i * VMM_SMRAM_BYTES,
			.bytes = VMM_SMRAM_BYTES,
			.crc = (uint32_t)crc32(0, p, VMM_SMRAM_BYTES),
		};
	}
	if (m->nr_windows)
		vmm_notes_add(&w->notes, INQ_SNAP_VM, INQ_SNAP_SMRAM, bulk,
			      m->nr_windows * sizeof(*bulk));
	else
		vmm_notes_missing(&w->notes, INQ_SNAP_VM, INQ_SNAP_SMRAM, INQ_SNAP_ABSENT, 0);
}

static void add_rings(struct writer *w)
{
	uint64_t off = w->rings_off;

	for (unsigned i = 0; i < w->s->nr_rings; i++) {
		struct vmm_snapshot_ring *r = &w->s->ring[i];

		r->ring.file_off = off;
		r->ring.crc = (uint32_t)crc32_z(0, (const uint8_t *)r->at, r->ring.bytes);
		vmm_notes_add(&w->notes, r->vcpu, INQ_SNAP_FLIGHT, &r->ring, sizeof(r->ring));
		off += r->ring.bytes;
	}
}

static void append(struct vmm_notes *to, const struct vmm_notes *from)
{
	if (to->failed || from->failed || from->len > INQ_SNAP_MAX_NOTES - to->len) {
		to->failed = 1;
		return;
	}
	uint8_t *p = realloc(to->bytes, to->len + from->len + 1);
	if (!p) {
		to->failed = 1;
		return;
	}
	if (from->len)
		memcpy(p + to->len, from->bytes, from->len);
	to->bytes = p;
	to->room = to->len + from->len + 1;
	to->len += from->len;
}

/* All notes in their order; offsets in them are right on the second call. */
static enum inq_status build_notes(struct writer *w, struct inq_err *err)
{
	struct inq_snap_slot slot[VMM_MAX_SLOTS];
	struct inq_snap_bulk zero = {0};
	const struct vmm_snapshot *s = w->s;
	struct vmm_notes *n = &w->notes;

	vmm_notes_deinit(n);
	append(n, &s->core);
	w->header_at =
		vmm_notes_add(n, INQ_SNAP_VM, INQ_SNAP_HEADER, &s->header, sizeof(s->header));
	vmm_notes_add(n, INQ_SNAP_VM, INQ_SNAP_HOST, s->host, strlen(s->host));
	append(n, &s->vcpu);
	add_rings(w);
	add_slots(w, slot);
	add_smram(w);
	w->zero_at = vmm_notes_add(n, INQ_SNAP_VM, INQ_SNAP_ZERO, &zero, sizeof(zero));
	return n->failed ? inq_fail(err, INQ_ENOMEM, "%s: notes do not fit", w->o->path) : INQ_OK;
}

static enum inq_status lay_out(struct writer *w, struct inq_err *err)
{
	const struct vmm_memory *m = w->s->mem;
	enum inq_status st = build_notes(w, err);

	if (st)
		return st;
	w->memory_off = page_up(headers_bytes(w) + w->notes.len);
	w->smram_off = w->memory_off + memory_bytes(m);
	w->bitmap_off = w->smram_off + m->nr_windows * VMM_SMRAM_BYTES;
	w->done.pages = memory_bytes(m) / VMM_PAGE;
	w->bitmap_bytes = (w->done.pages + 7) / 8;
	w->rings_off = w->bitmap_off + w->bitmap_bytes;
	w->file_bytes = w->rings_off;
	for (unsigned i = 0; i < w->s->nr_rings; i++)
		w->file_bytes += w->s->ring[i].ring.bytes;
	w->bitmap = calloc(1, w->bitmap_bytes);
	if (!w->bitmap)
		return inq_fail(err, INQ_ENOMEM, "zero bitmap");
	st = build_notes(w, err);
	return st ? st : vmm_out_resize(w->o, w->file_bytes, err);
}

static bool is_zero(const uint8_t *page)
{
	uint64_t first;

	memcpy(&first, page, sizeof(first));
	return !first && !memcmp(page, page + 8, VMM_PAGE - 8);
}

static void mark_zero(struct writer *w, uint64_t nr_pages)
{
	for (; nr_pages; nr_pages--, w->page++, w->done.zero_pages++)
		w->bitmap[w->page / 8] |= (uint8_t)(1u << (w->page % 8));
}

static enum inq_status put(struct writer *w, const void *p, uint64_t n, uint64_t off,
			   struct inq_err *err)
{
	w->done.written_bytes += n;
	return vmm_out_write(w->o, p, n, off, err);
}

/* Bytes that may be anything: runs of pages that are not zero, each with one write. */
static enum inq_status put_pages(struct writer *w, const uint8_t *at, const uint8_t *end,
				 uint64_t off, struct inq_err *err)
{
	enum inq_status st = INQ_OK;

	while (at < end && !st) {
		const uint8_t *run = at;

		while (at < end && is_zero(at))
			at += VMM_PAGE;
		mark_zero(w, (uint64_t)(at - run) / VMM_PAGE);
		off += (uint64_t)(at - run);
		run = at;
		while (at < end && !is_zero(at))
			at += VMM_PAGE;
		w->page += (uint64_t)(at - run) / VMM_PAGE;
		if (at > run)
			st = put(w, run, (uint64_t)(at - run), off, err);
		off += (uint64_t)(at - run);
	}
	return st;
}

static enum inq_status put_region(struct writer *w, const struct vmm_region *r, uint64_t off,
				  struct inq_err *err)
{
	const struct vmm_memory *m = w->s->mem;
	uint64_t at = r->off, end = r->off + r->bytes;
	enum inq_status st = INQ_OK;

	while (at < end && !st) {
		uint64_t from = at, to;

		vmm_memory_next_data(m, &from, &to, end);
		mark_zero(w, (from - at) / VMM_PAGE);
		st = put_pages(w, m->ram + from, m->ram + to, off + (from - r->off), err);
		at = to;
	}
	return st;
}

static enum inq_status put_memory(struct writer *w, struct inq_err *err)
{
	const struct vmm_memory *m = w->s->mem;
	uint64_t off = w->memory_off;
	enum inq_status st = INQ_OK;

	for (unsigned i = 0; i < m->nr_regions && !st; i++) {
		st = put_region(w, &m->region[i], off, err);
		off += m->region[i].bytes;
	}
	if (!st && m->nr_windows)
		st = put(w, m->smram, m->nr_windows * VMM_SMRAM_BYTES, w->smram_off, err);
	if (!st)
		st = put(w, w->bitmap, w->bitmap_bytes, w->bitmap_off, err);
	for (unsigned i = 0; i < w->s->nr_rings && !st; i++) {
		const struct vmm_snapshot_ring *r = &w->s->ring[i];

		st = put(w, r->at, r->ring.bytes, r->ring.file_off, err);
	}
	return st;
}

/* Where guest-physical memory lies in the file. */
static uint64_t gpa_file_off(const struct writer *w, uint64_t gpa)
{
	const uint8_t *host = vmm_memory_at(w->s->mem, 0, gpa, 1);

	return host ? ram_file_off(w, host) : 0;
}

static Elf64_Phdr load_of(uint64_t va, uint64_t gpa, uint64_t bytes, uint64_t off)
{
	return (Elf64_Phdr){.p_type = PT_LOAD,
			    .p_flags = PF_R | PF_W | PF_X,
			    .p_offset = off,
			    .p_vaddr = va,
			    .p_paddr = gpa,
			    .p_filesz = bytes,
			    .p_memsz = bytes};
}

static void build_phdrs(const struct writer *w, Elf64_Phdr *p)
{
	const struct vmm_memory *m = w->s->mem;

	*p++ = (Elf64_Phdr){
		.p_type = PT_NOTE, .p_offset = headers_bytes(w), .p_filesz = w->notes.len};
	for (unsigned i = 0; i < m->nr_regions; i++) {
		const struct vmm_region *r = &m->region[i];

		*p++ = load_of(r->gpa, r->gpa, r->bytes, gpa_file_off(w, r->gpa));
	}
	for (size_t i = 0; i < w->s->nr_views; i++) {
		const struct vmm_snapshot_view *v = &w->s->view[i];

		*p++ = load_of(v->va, v->gpa, v->bytes, gpa_file_off(w, v->gpa));
	}
}

static void build_headers(const struct writer *w, uint8_t *to)
{
	size_t nr = nr_phdrs(w), end = sizeof(Elf64_Ehdr) + nr * sizeof(Elf64_Phdr);
	Elf64_Ehdr e = {
		.e_ident = {ELFMAG0, ELFMAG1, ELFMAG2, ELFMAG3, ELFCLASS64, ELFDATA2LSB,
			    EV_CURRENT},
		.e_type = ET_CORE,
		.e_machine = EM_X86_64,
		.e_version = EV_CURRENT,
		.e_phoff = sizeof(e),
		.e_ehsize = sizeof(e),
		.e_phentsize = sizeof(Elf64_Phdr),
		.e_phnum = nr < PN_XNUM ? (uint16_t)nr : PN_XNUM,
	};

	if (nr >= PN_XNUM) {
		Elf64_Shdr s = {.sh_info = (uint32_t)nr};

		e.e_shoff = end;
		e.e_shentsize = sizeof(s);
		e.e_shnum = 1;
		memcpy(to + end, &s, sizeof(s));
	}
	memcpy(to, &e, sizeof(e));
	build_phdrs(w, (Elf64_Phdr *)(void *)(to + sizeof(e)));
}

/* What is known only now; the checksum of the notes last, over everything else in them. */
static void finish_notes(struct writer *w, const uint8_t *headers, size_t headers_bytes)
{
	struct inq_snap_bulk zero = {.file_off = w->bitmap_off, .bytes = w->bitmap_bytes};
	struct inq_snap_header h = w->s->header;
	uint8_t *n = w->notes.bytes;

	zero.crc = (uint32_t)crc32_z(0, w->bitmap, w->bitmap_bytes);
	memcpy(n + w->zero_at, &zero, sizeof(zero));
	h.magic = INQ_SNAP_MAGIC;
	h.major = INQ_SNAP_MAJOR;
	h.minor = INQ_SNAP_MINOR;
	h.memory_bytes = memory_bytes(w->s->mem);
	h.file_bytes = w->file_bytes;
	h.bulk_off = w->smram_off;
	h.bulk_bytes = w->file_bytes - w->smram_off;
	h.headers_crc = (uint32_t)crc32_z(0, headers, headers_bytes);
	h.notes_crc = 0;
	memcpy(n + w->header_at, &h, sizeof(h));
	h.notes_crc = (uint32_t)crc32_z(0, n, w->notes.len);
	memcpy(n + w->header_at, &h, sizeof(h));
}

static enum inq_status put_headers(struct writer *w, struct inq_err *err)
{
	size_t n = headers_bytes(w);
	uint8_t *headers = calloc(1, n);

	if (!headers)
		return inq_fail(err, INQ_ENOMEM, "%s: program headers", w->o->path);
	build_headers(w, headers);
	finish_notes(w, headers, sizeof(Elf64_Ehdr) + nr_phdrs(w) * sizeof(Elf64_Phdr));
	enum inq_status st = put(w, headers, n, 0, err);
	free(headers);
	return st ? st : put(w, w->notes.bytes, w->notes.len, n, err);
}

enum inq_status vmm_snapshot_write(const struct vmm_snapshot *s, const struct vmm_out *o,
				   struct vmm_snapshot_done *ret, struct inq_err *err)
{
	struct writer w = {.s = s, .o = o};
	enum inq_status st = lay_out(&w, err);

	if (!st)
		st = put_memory(&w, err);
	if (!st)
		st = put_headers(&w, err);
	w.done.file_bytes = w.file_bytes;
	if (!st)
		*ret = w.done;
	free(w.bitmap);
	vmm_notes_deinit(&w.notes);
	return st;
}
