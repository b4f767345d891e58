/*
 * Knows where everything lies in an ELF core: its header, program headers, notes, memory from the
 * next page on, the bulk region.  Notes are laid out first, memory is streamed from the guest's
 * mapping in one pass, and what the pass found out (zero bitmap, its checksum) goes into the notes,
 * which are written last.
 */
#include "vmm/snapshot.h"

#include <elf.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "snap/notes.h"
#include "vmm/kdump.h"
#include "vmm/parts.h"

struct writer {
	const struct vmm_snapshot *s;
	struct snap_out *o;
	struct vmm_parts parts;
	struct vmm_pages *pages, own; /* own: unless the snapshot brings some along */
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

/* Live, memory lies where there was room for all notes. */
static enum inq_status place_memory(struct writer *w, struct inq_err *err)
{
	uint64_t first = vmm_page_up(headers_bytes(w) + w->parts.notes.len);

	if (w->s->pages && first > w->pages->memory_off)
		return inq_fail(err, INQ_ELIMIT, "%s: notes do not fit before memory", w->o->path);
	if (!w->s->pages)
		w->pages->memory_off = first;
	w->parts.memory_off = w->pages->memory_off;
	return INQ_OK;
}

static enum inq_status lay_out(struct writer *w, struct inq_err *err)
{
	struct vmm_parts *p = &w->parts;
	enum inq_status st = w->s->pages ? INQ_OK : vmm_pages_init(&w->own, w->s->mem, w->o, err);

	w->pages = w->s->pages ? w->s->pages : &w->own;
	if (!st)
		st = vmm_parts_build(p, w->o, err);
	if (!st)
		st = place_memory(w, err);
	if (st)
		return st;
	p->bitmap = w->pages->zero;
	p->bitmap_bytes = w->pages->zero_bytes;
	vmm_parts_place_bulk(p, p->memory_off + vmm_parts_memory_bytes(w->s->mem));
	st = vmm_parts_build(p, w->o, err);
	return st ? st : snap_out_resize(w->o, p->bulk_end, err);
}

static enum inq_status put(struct writer *w, const void *p, uint64_t n, uint64_t off,
			   struct inq_err *err)
{
	w->done.written_bytes += n;
	return snap_out_write(w->o, p, n, off, err);
}

static enum inq_status put_memory(struct writer *w, struct inq_err *err)
{
	enum inq_status st = w->s->pages ? vmm_pages_put_some(w->pages, w->s->dirty, err)
					 : vmm_pages_put_all(w->pages, err);

	return st ? st : vmm_parts_put_bulk(&w->parts, w->o, &w->done.written_bytes, err);
}

/* Where guest-physical memory lies in the file. */
static uint64_t gpa_file_off(const struct writer *w, uint64_t gpa)
{
	const uint8_t *host = vmm_memory_at(w->s->mem, 0, gpa, 1);

	return host ? vmm_parts_ram_off(&w->parts, host) : 0;
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
		.p_type = PT_NOTE, .p_offset = headers_bytes(w), .p_filesz = w->parts.notes.len};
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
	Elf64_Ehdr e = snap_core_header(nr);

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

static enum inq_status put_headers(struct writer *w, struct inq_err *err)
{
	size_t n = headers_bytes(w);
	uint8_t *headers = calloc(1, n);

	if (!headers)
		return inq_fail(err, INQ_ENOMEM, "%s: program headers", w->o->path);
	build_headers(w, headers);
	vmm_parts_finish(&w->parts, headers, sizeof(Elf64_Ehdr) + nr_phdrs(w) * sizeof(Elf64_Phdr),
			 w->parts.bulk_end);
	enum inq_status st = put(w, headers, n, 0, err);
	free(headers);
	return st ? st : put(w, w->parts.notes.bytes, w->parts.notes.len, n, err);
}

bool vmm_format_find(const char *name, enum vmm_format *ret)
{
	static const char *const names[] = {[VMM_FORMAT_ELF] = "elf",
					    [VMM_FORMAT_KDUMP_ZLIB] = "kdump-zlib",
					    [VMM_FORMAT_KDUMP_ZSTD] = "kdump-zstd"};

	for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++)
		if (!strcmp(names[i], name)) {
			*ret = (enum vmm_format)i;
			return true;
		}
	return false;
}

enum inq_status vmm_snapshot_write(const struct vmm_snapshot *s, struct snap_out *o,
				   struct vmm_snapshot_done *ret, struct inq_err *err)
{
	struct writer w = {.s = s, .o = o, .parts = {.s = s, .has_bitmap = true}};

	if (s->format != VMM_FORMAT_ELF)
		return vmm_kdump_write(s, o, ret, err);
	enum inq_status st = lay_out(&w, err);
	if (!st)
		st = put_memory(&w, err);
	if (!st)
		st = put_headers(&w, err);
	w.done.file_bytes = w.parts.bulk_end;
	if (!st) {
		w.done.pages = w.pages->nr;
		w.done.zero_pages = vmm_pages_nr_zero(w.pages);
		w.done.written_bytes += w.pages->written_bytes;
		*ret = w.done;
	}
	vmm_pages_deinit(&w.own);
	vmm_parts_deinit(&w.parts);
	return st;
}
