/*
 * Knows how memory that lies anywhere becomes an ELF core of ours: headers, notes, memory with its
 * zero pages as holes, SMRAM and the bitmap of zero pages behind it.  docs/snapshot-format.md is
 * the format; inquest-vmm writes the same from its guest's mapping (vmm/snapshot.c).
 */
#include "capture/write.h"

#include <elf.h>
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <zlib.h>

#include "base/scope.h"
#include "capture/notes.h"
#include "snap/notes.h"

enum { PAGE = 4096, CHUNK_PAGES = 256, CHUNK = CHUNK_PAGES * PAGE };

struct writer {
	const struct inq_dump *dump;
	struct snap_out *o;
	struct snap_notes notes;
	struct capture_places at;
	struct capture_smram smram;
	Elf64_Phdr *phdr; /* 1 + extents */
	uint8_t *bitmap;  /* a bit for each page of memory */
	uint64_t bitmap_bytes, bitmap_off, memory_off, memory_bytes, bulk_off, end;
	uint8_t *chunk; /* CHUNK bytes */
	struct capture_done done;
};

static void writer_scope(struct writer *w)
{
	snap_notes_deinit(&w->notes);
	free(w->smram.at);
	free(w->phdr);
	free(w->bitmap);
	free(w->chunk);
}

static uint64_t page_up(uint64_t v)
{
	return (v + PAGE - 1) & ~(uint64_t)(PAGE - 1);
}

static bool is_zero(const uint8_t *page)
{
	return !page[0] && !memcmp(page, page + 1, PAGE - 1);
}

static size_t headers_bytes(const struct writer *w)
{
	return sizeof(Elf64_Ehdr) + (1 + w->dump->nr_extents) * sizeof(Elf64_Phdr);
}

static enum inq_status allocate(struct writer *w, struct inq_err *err)
{
	for (size_t i = 0; i < w->dump->nr_extents; i++)
		w->memory_bytes += w->dump->extents[i].last - w->dump->extents[i].first + 1;
	w->done.pages = w->memory_bytes / PAGE;
	w->bitmap_bytes = (w->done.pages + 7) / 8;
	w->phdr = calloc(1 + w->dump->nr_extents, sizeof(*w->phdr));
	w->bitmap = calloc(1, w->bitmap_bytes + 1);
	w->chunk = malloc(CHUNK);
	if (!w->phdr || !w->bitmap || !w->chunk)
		return inq_fail(err, INQ_ENOMEM, "%" PRIu64 " pages of memory", w->done.pages);
	return INQ_OK;
}

/* What of SMRAM the dump has: pieces of it, without those that it lost. */
static enum inq_status find_smram(struct writer *w, struct inq_err *err)
{
	struct capture_smram *s = &w->smram;
	uint64_t first, last;
	struct inq_run run;

	for (size_t i = 0; w->dump->smm && inq_dump_smram(w->dump, i, &first, &last); i++)
		for (uint64_t at = first; at <= last; at += run.len) {
			struct inq_snap_bulk *before = s->nr ? &s->at[s->nr - 1] : NULL;
			if (inq_runs(w->dump->smm, at, (size_t)(last - at) + 1, &run, err))
				return err->status;
			if (run.kind == INQ_RUN_ABSENT)
				continue;
			s->bytes += run.len;
			if (before && before->gpa + before->bytes == at) {
				before->bytes += run.len;
				continue;
			}
			struct inq_snap_bulk *all = reallocarray(s->at, s->nr + 1, sizeof(*all));
			if (!all)
				return inq_fail(err, INQ_ENOMEM, "pieces of SMRAM");
			s->at = all;
			s->at[s->nr++] = (struct inq_snap_bulk){.gpa = at, .bytes = run.len};
		}
	return INQ_OK;
}

/* Segments one behind the other, then SMRAM, then the bitmap. */
static void lay_out(struct writer *w)
{
	uint64_t off = w->memory_off = page_up(headers_bytes(w) + w->notes.len);

	w->phdr[0] = (Elf64_Phdr){
		.p_type = PT_NOTE, .p_offset = headers_bytes(w), .p_filesz = w->notes.len};
	for (size_t i = 0; i < w->dump->nr_extents; i++) {
		const struct inq_extent *e = &w->dump->extents[i];
		uint64_t n = e->last - e->first + 1;
		w->phdr[1 + i] = (Elf64_Phdr){.p_type = PT_LOAD,
					      .p_flags = PF_R | PF_W | PF_X,
					      .p_offset = off,
					      .p_vaddr = e->first,
					      .p_paddr = e->first,
					      .p_filesz = n,
					      .p_memsz = n};
		off += n;
	}
	w->bulk_off = off;
	for (size_t i = 0; i < w->smram.nr; i++) {
		w->smram.at[i].file_off = off;
		off += w->smram.at[i].bytes;
	}
	w->bitmap_off = off;
	w->end = off + w->bitmap_bytes;
}

/* n bytes of a space to the file, with *ret_crc of them; zero pages, too. */
static enum inq_status put_smram(struct writer *w, struct inq_snap_bulk *b, struct inq_err *err)
{
	enum inq_status st = INQ_OK;

	b->crc = (uint32_t)crc32(0, NULL, 0);
	for (uint64_t at = 0, n; at < b->bytes && !st; at += n) {
		n = b->bytes - at < CHUNK ? b->bytes - at : CHUNK;
		st = inq_read(w->dump->smm, b->gpa + at, w->chunk, (size_t)n, err);
		if (st)
			break;
		b->crc = (uint32_t)crc32_z(b->crc, w->chunk, (size_t)n);
		st = snap_out_write(w->o, w->chunk, (size_t)n, b->file_off + at, err);
	}
	return st;
}

enum page { PAGE_BYTES, PAGE_ZERO, PAGE_ABSENT };

/* A page of memory to `to`. */
static enum inq_status read_page(struct writer *w, uint64_t gpa, uint8_t *to, enum page *ret,
				 struct inq_err *err)
{
	enum inq_status st = inq_read(w->dump->phys, gpa, to, PAGE, err);

	*ret = st ? PAGE_ABSENT : is_zero(to) ? PAGE_ZERO : PAGE_BYTES;
	w->done.absent_pages += st == INQ_EABSENT;
	return st == INQ_EABSENT ? INQ_OK : st;
}

/* n bytes of memory at gpa, CHUNK at most; what is zero or absent stays a hole. */
static enum inq_status put_chunk(struct writer *w, uint64_t gpa, size_t n, uint64_t off,
				 struct inq_err *err)
{
	enum inq_status st = INQ_OK;
	size_t begin = 0, at;
	enum page kind;

	for (at = 0; at < n && !st; at += PAGE) {
		uint64_t nr = (off + at - w->memory_off) / PAGE;
		st = read_page(w, gpa + at, w->chunk + at, &kind, err);
		if (st || kind == PAGE_BYTES)
			continue;
		if (kind == PAGE_ZERO) {
			w->bitmap[nr / 8] |= (uint8_t)(1u << nr % 8);
			w->done.zero_pages++;
		}
		if (begin < at)
			st = snap_out_write(w->o, w->chunk + begin, at - begin, off + begin, err);
		begin = at + PAGE;
	}
	if (!st && begin < n)
		st = snap_out_write(w->o, w->chunk + begin, n - begin, off + begin, err);
	return st;
}

static enum inq_status put_memory(struct writer *w, struct inq_err *err)
{
	enum inq_status st = INQ_OK;

	for (size_t i = 0; i < w->dump->nr_extents && !st; i++) {
		const Elf64_Phdr *p = &w->phdr[1 + i];
		for (uint64_t at = 0, n; at < p->p_memsz && !st; at += n) {
			n = p->p_memsz - at < CHUNK ? p->p_memsz - at : CHUNK;
			st = put_chunk(w, p->p_paddr + at, (size_t)n, p->p_offset + at, err);
		}
	}
	for (size_t i = 0; i < w->smram.nr && !st; i++)
		st = put_smram(w, &w->smram.at[i], err);
	return st ? st : snap_out_write(w->o, w->bitmap, w->bitmap_bytes, w->bitmap_off, err);
}

/* What is known at the end: checksums, sizes; that of the notes last. */
static enum inq_status finish_notes(struct writer *w, uint32_t headers_crc, struct inq_err *err)
{
	uint8_t *n = w->notes.bytes;
	struct inq_snap_bulk zero = {.file_off = w->bitmap_off,
				     .bytes = w->bitmap_bytes,
				     .crc = (uint32_t)crc32_z(0, w->bitmap, w->bitmap_bytes)};
	struct inq_snap_header h;

	memcpy(&h, n + w->at.header, sizeof(h));
	h.magic = INQ_SNAP_MAGIC;
	h.major = INQ_SNAP_MAJOR;
	h.minor = INQ_SNAP_MINOR;
	h.memory_bytes = w->memory_bytes;
	h.file_bytes = w->end;
	h.bulk_off = w->bulk_off;
	h.bulk_bytes = w->end - w->bulk_off;
	h.headers_crc = headers_crc;
	if (getrandom(h.nonce, sizeof(h.nonce), 0) != (ssize_t)sizeof(h.nonce))
		return inq_fail(err, INQ_EIO, "nonce: %s", strerror(errno));
	if (w->smram.nr)
		memcpy(n + w->at.smram, w->smram.at, w->smram.nr * sizeof(*w->smram.at));
	memcpy(n + w->at.zero, &zero, sizeof(zero));
	memcpy(n + w->at.header, &h, sizeof(h));
	h.notes_crc = (uint32_t)crc32_z(0, n, w->notes.len);
	memcpy(n + w->at.header, &h, sizeof(h));
	return INQ_OK;
}

static enum inq_status put_headers(struct writer *w, struct inq_err *err)
{
	size_t phdrs = (1 + w->dump->nr_extents) * sizeof(*w->phdr);
	Elf64_Ehdr e = snap_core_header(1 + w->dump->nr_extents);
	uint32_t crc = (uint32_t)crc32_z(0, (const uint8_t *)&e, sizeof(e));
	enum inq_status st;

	crc = (uint32_t)crc32_z(crc, (const uint8_t *)w->phdr, phdrs);
	st = finish_notes(w, crc, err);
	if (!st)
		st = snap_out_write(w->o, &e, sizeof(e), 0, err);
	if (!st)
		st = snap_out_write(w->o, w->phdr, phdrs, sizeof(e), err);
	return st ? st : snap_out_write(w->o, w->notes.bytes, w->notes.len, headers_bytes(w), err);
}

enum inq_status capture_write(const struct inq_dump *dump, const struct capture_facts *f,
			      struct snap_out *o, struct capture_done *ret, struct inq_err *err)
{
	INQ_SCOPED(writer_scope) struct writer w = {.dump = dump, .o = o};
	enum inq_status st = allocate(&w, err);

	if (!st && dump->nr_extents >= PN_XNUM - 1)
		st = inq_fail(err, INQ_ELIMIT, "%zu pieces of memory", dump->nr_extents);
	if (!st)
		st = find_smram(&w, err);
	if (!st)
		st = capture_notes(dump, f, &w.smram, &w.notes, &w.at, &w.done.nr_vcpus, err);
	if (st)
		return st;
	lay_out(&w);
	st = snap_out_resize(o, w.end, err);
	if (!st)
		st = put_memory(&w, err);
	if (!st)
		st = put_headers(&w, err);
	w.done.file_bytes = w.end;
	*ret = w.done;
	return st;
}
