/*
 * Knows the frame of an ELF core: where its program headers, notes and segments lie.  Source:
 * elf(5); what QEMU, kdump and our own VMM write is in docs/snapshot-format.md.  e_ehsize is not
 * looked at: QEMU 7.2 writes 8.
 *
 * libelf decodes single structures, from bytes that were checked to be there; it never gets the
 * file, because it allocates by the section count that the file states.
 */
#include <inttypes.h>
#include <libelf.h>
#include <stdio.h>
#include <stdlib.h>

#include "loader/elfcore.h"

enum { FRONT_MOST = 16 << 20 }; /* bytes of a flattened core in which headers and notes lie */
enum { FLAT_MOST = 64 };        /* pieces of memory in a snapshot that is searched for views */

static const char format[] = "elfcore";

struct core {
	struct span front; /* of the core: all of the file, or what was put together of it */
	Elf64_Ehdr eh;
	const uint8_t *phdrs; /* nr_phdrs of them lie in the file */
	size_t nr_phdrs;
	struct loader_segments loads;
	size_t nr_notes;
	uint64_t notes_n; /* bytes that the headers promise */
	size_t nr_flat;   /* the first of them, as long as p_vaddr is p_paddr */
	uint64_t nr_pages;
	int any_paddr, any_vaddr;
	size_t nr_loads, nr_cut; /* of a flattened core, whose pieces are segments in loads */
};

static void core_scope(struct core *c)
{
	loader_segments_deinit(&c->loads);
}

static int probe(struct span head)
{
	return span_u32le(&head) == 0x464c457f ? 90 : 0;
}

/* Decode one structure of the file; n is its size there, which for ELF64 is that in memory. */
static int decode(Elf_Type type, const uint8_t *p, size_t n, void *ret)
{
	uint8_t raw[sizeof(Elf64_Ehdr)]; /* the largest of them */
	Elf_Data src = {.d_buf = raw, .d_type = type, .d_version = EV_CURRENT, .d_size = n};
	Elf_Data dst = {.d_buf = ret, .d_type = type, .d_version = EV_CURRENT, .d_size = n};

	memcpy(raw, p, n);
	return elf64_xlatetom(&dst, &src, ELFDATA2LSB) != NULL;
}
_Static_assert(sizeof(Elf64_Shdr) <= sizeof(Elf64_Ehdr), "decode has room for all");

static enum inq_status read_ident(const struct core *c, struct inq_err *err)
{
	const uint8_t *id = c->front.p;

	if (c->front.left < EI_NIDENT)
		return inq_fail(err, INQ_ECORRUPT, "the file ends inside its ELF header");
	if (id[EI_CLASS] == ELFCLASS32)
		return inq_fail(err, INQ_EUNSUPPORTED, "a 32-bit ELF file");
	if (id[EI_DATA] == ELFDATA2MSB)
		return inq_fail(err, INQ_EUNSUPPORTED, "a big-endian ELF file");
	if (id[EI_CLASS] != ELFCLASS64 || id[EI_DATA] != ELFDATA2LSB)
		return inq_fail(err, INQ_ECORRUPT, "ELF class %d with data encoding %d",
				id[EI_CLASS], id[EI_DATA]);
	return INQ_OK;
}

static const char *type_name(unsigned int type)
{
	static const char *const names[] = {
		[ET_NONE] = "an ELF file without a type",
		[ET_REL] = "an ELF object file",
		[ET_EXEC] = "an ELF program",
		[ET_DYN] = "an ELF program or shared library",
	};
	return type < sizeof(names) / sizeof(*names) ? names[type] : "an ELF file of unknown type";
}

static enum inq_status read_ehdr(struct core *c, struct inq_err *err)
{
	enum inq_status st = read_ident(c, err);

	if (st)
		return st;
	if (c->front.left < sizeof(c->eh) || !decode(ELF_T_EHDR, c->front.p, sizeof(c->eh), &c->eh))
		return inq_fail(err, INQ_ECORRUPT, "the file ends inside its ELF header");
	if (c->eh.e_type != ET_CORE)
		return inq_fail(err, INQ_EUNSUPPORTED, "%s, not a core", type_name(c->eh.e_type));
	if (c->eh.e_machine != EM_X86_64)
		return inq_fail(err, INQ_EUNSUPPORTED, "a core of machine %d%s, not of x86-64",
				c->eh.e_machine, c->eh.e_machine == EM_386 ? " (32-bit x86)" : "");
	if (c->eh.e_phentsize != sizeof(Elf64_Phdr))
		return inq_fail(err, INQ_ECORRUPT, "program headers of %d bytes, not %zu",
				c->eh.e_phentsize, sizeof(Elf64_Phdr));
	return INQ_OK;
}

/* More than 65534 headers: their number lies in the first section header. */
static enum inq_status count_phdrs(const struct core *c, uint64_t *ret_nr, struct inq_err *err)
{
	Elf64_Shdr sh;
	uint64_t off = c->eh.e_shoff, n = c->front.left;

	*ret_nr = c->eh.e_phnum;
	if (c->eh.e_phnum != PN_XNUM)
		return INQ_OK;
	if (off > n || n - off < sizeof(sh) ||
	    !decode(ELF_T_SHDR, c->front.p + off, sizeof(sh), &sh))
		return inq_fail(err, INQ_ECORRUPT,
				"the number of program headers should be at 0x%" PRIx64
				", behind the end of the file",
				off);
	*ret_nr = sh.sh_info;
	return INQ_OK;
}

static enum inq_status find_phdrs(struct loader_dump *d, struct core *c, struct inq_err *err)
{
	uint64_t nr = 0, off = c->eh.e_phoff;
	enum inq_status st = count_phdrs(c, &nr, err);

	if (st)
		return st;
	if (nr > LOADER_MAX_SEGMENTS)
		return inq_fail(err, INQ_ELIMIT, "%" PRIu64 " program headers, %u at most", nr,
				LOADER_MAX_SEGMENTS);
	uint64_t fit = off < c->front.left ? (c->front.left - off) / sizeof(Elf64_Phdr) : 0;
	if (!nr || !fit)
		return inq_fail(err, nr ? INQ_ECORRUPT : INQ_EUNSUPPORTED,
				nr ? "the file ends before its program headers"
				   : "the core has no program headers");
	if (fit < nr) {
		d->truncated = 1;
		loader_damage(d, INQ_EABSENT, 0, d->map->n, (nr - fit) * sizeof(Elf64_Phdr),
			      "the file ends at 0x%zx: %" PRIu64 " of %" PRIu64
			      " program headers are missing",
			      d->map->n, nr - fit, nr);
	}
	c->phdrs = c->front.p + off;
	c->nr_phdrs = (size_t)(fit < nr ? fit : nr);
	return INQ_OK;
}

static int phdr_at(const struct core *c, size_t i, Elf64_Phdr *ret)
{
	return decode(ELF_T_PHDR, c->phdrs + i * sizeof(*ret), sizeof(*ret), ret);
}

/* How many of n bytes at off the file has. */
static uint64_t in_file(const struct core *c, uint64_t off, uint64_t n)
{
	uint64_t left = off < c->front.left ? c->front.left - off : 0;

	return n < left ? n : left;
}

/*
 * The same bytes again, at the kernel's linear addresses: what a snapshot of --virtual has behind
 * its memory (docs/snapshot-format.md, section 1).
 */
static bool is_view(const struct core *c, const Elf64_Phdr *ph)
{
	if (ph->p_vaddr == ph->p_paddr || ph->p_filesz != ph->p_memsz || c->nr_flat > FLAT_MOST)
		return false;
	for (size_t i = 0; i < c->nr_flat; i++) {
		const struct loader_segment *s = &c->loads.p[i];
		uint64_t at = ph->p_paddr - s->gpa;

		if (ph->p_paddr >= s->gpa && at < s->filesz && ph->p_memsz <= s->filesz - at &&
		    ph->p_offset - s->off == at)
			return true;
	}
	return false;
}

/* The first piece that ends behind off. */
static size_t piece_from(const struct loader_flat *f, uint64_t off)
{
	size_t low = 0, high = f->nr;

	while (low < high) {
		size_t mid = low + (high - low) / 2;
		if (f->pieces[mid].off + f->pieces[mid].n <= off)
			low = mid + 1;
		else
			high = mid;
	}
	return low;
}

/*
 * The next part of a segment, from byte `done` of it on: as far as one piece of the stream holds
 * it, or as far as none does, which lies behind the end of the file then.
 */
static struct loader_segment next_part(const struct loader_dump *d, const struct loader_segment *s,
				       uint64_t done, size_t *i)
{
	const struct loader_flat *f = d->flat;
	uint64_t at = s->off + done, left = s->filesz - done;
	struct loader_segment ret = {.gpa = s->gpa + done, .zero_at = LOADER_NO_BITS};

	while (*i < f->nr && f->pieces[*i].off + f->pieces[*i].n <= at)
		(*i)++;
	const struct loader_flat_piece *p = *i < f->nr ? &f->pieces[*i] : NULL;
	uint64_t n = left;
	ret.off = d->map->n;
	if (p && p->off <= at) {
		ret.off = p->at + (at - p->off);
		n = p->off + p->n - at;
	} else if (p) {
		n = p->off - at;
	}
	ret.memsz = ret.filesz = n < left ? n : left;
	return ret;
}

/* A segment of a flattened core, in parts that lie together in the stream. */
static enum inq_status add_pieces(struct loader_dump *d, struct core *c, const Elf64_Phdr *ph,
				  struct inq_err *err)
{
	struct loader_segment s = {.gpa = ph->p_paddr,
				   .memsz = ph->p_memsz,
				   .off = ph->p_offset,
				   .filesz = ph->p_filesz};
	uint64_t before = c->loads.missing_bytes, end;
	size_t i = piece_from(d->flat, s.off);
	enum inq_status st = INQ_OK;

	c->nr_pages = LOADER_NO_BITS;
	c->any_paddr |= ph->p_paddr != 0;
	c->any_vaddr |= ph->p_vaddr != 0;
	if (s.filesz > s.memsz || s.gpa + s.memsz < s.gpa ||
	    __builtin_add_overflow(s.off, s.filesz, &end))
		return loader_segments_add(d, &c->loads,
					   (struct loader_segment){.gpa = s.gpa,
								   .memsz = s.memsz,
								   .off = d->map->n,
								   .filesz = s.filesz,
								   .zero_at = LOADER_NO_BITS},
					   err);
	for (uint64_t done = 0; !st && done < s.filesz;) {
		struct loader_segment part = next_part(d, &s, done, &i);
		st = loader_segments_add(d, &c->loads, part, err);
		done += part.filesz;
	}
	c->nr_loads++;
	c->nr_cut += c->loads.missing_bytes != before;
	if (st || s.memsz == s.filesz)
		return st;
	s.gpa += s.filesz;
	s.memsz -= s.filesz;
	s.filesz = 0;
	s.zero_at = LOADER_NO_BITS;
	return loader_segments_add(d, &c->loads, s, err);
}

static enum inq_status add_load(struct loader_dump *d, struct core *c, const Elf64_Phdr *ph,
				struct inq_err *err)
{
	struct loader_segment s = {.gpa = ph->p_paddr,
				   .memsz = ph->p_memsz,
				   .off = ph->p_offset,
				   .filesz = ph->p_filesz,
				   .zero_at = c->nr_pages};
	size_t before = c->loads.nr;

	if (is_view(c, ph))
		return INQ_OK;
	if (d->flat)
		return add_pieces(d, c, ph, err);
	enum inq_status st = loader_segments_add(d, &c->loads, s, err);
	if (st || c->loads.nr == before) /* one that contradicts itself does not count */
		return st;
	if ((s.gpa | s.memsz) % LOADER_PAGE)
		c->nr_pages = LOADER_NO_BITS;
	if (c->nr_pages != LOADER_NO_BITS)
		c->nr_pages += s.memsz / LOADER_PAGE;
	c->any_paddr |= ph->p_paddr != 0;
	c->any_vaddr |= ph->p_vaddr != 0;
	c->nr_flat += c->nr_flat == before && ph->p_vaddr == ph->p_paddr;
	return INQ_OK;
}

static enum inq_status read_phdrs(struct loader_dump *d, struct core *c, struct inq_err *err)
{
	Elf64_Phdr ph;

	for (size_t i = 0; i < c->nr_phdrs && phdr_at(c, i, &ph); i++) {
		enum inq_status st = ph.p_type == PT_LOAD ? add_load(d, c, &ph, err) : INQ_OK;
		if (st)
			return st;
		if (ph.p_type != PT_NOTE)
			continue;
		c->nr_notes++;
		if (ph.p_filesz > LOADER_MAX_NOTES - c->notes_n)
			return inq_fail(err, INQ_ELIMIT,
					"0x%" PRIx64 " bytes of notes, 0x%x at most", ph.p_filesz,
					LOADER_MAX_NOTES);
		c->notes_n += ph.p_filesz;
	}
	if (!c->loads.nr && d->flat && d->truncated)
		return inq_fail(err, INQ_ECORRUPT,
				"the file ends at 0x%zx, before the program headers of the "
				"flattened core came: where memory lies is unknown",
				d->map->n);
	if (!c->loads.nr)
		return inq_fail(err, INQ_EUNSUPPORTED, "the core has no memory segment");
	if (c->loads.nr > 1 && !c->any_paddr && c->any_vaddr)
		return inq_fail(err, INQ_EUNSUPPORTED,
				"a core of a process: no segment has a physical address");
	if (c->nr_pages == LOADER_NO_BITS)
		for (size_t i = 0; i < c->loads.nr; i++)
			c->loads.p[i].zero_at = LOADER_NO_BITS;
	return INQ_OK;
}

/* Copy one PT_NOTE and walk it. */
static enum inq_status read_note_segment(struct loader_dump *d, const struct core *c,
					 const Elf64_Phdr *ph, struct loader_frame *f,
					 struct inq_err *err)
{
	size_t n = (size_t)in_file(c, ph->p_offset, ph->p_filesz);
	uint8_t *at = d->notes + d->notes_n;

	if (n)
		memcpy(at, c->front.p + ph->p_offset, n);
	d->notes_n += n;
	if (n < ph->p_filesz) {
		d->truncated = 1;
		loader_damage(d, INQ_EABSENT, 0, d->map->n, ph->p_filesz - n,
			      "the file ends at 0x%zx: 0x%" PRIx64 " of 0x%" PRIx64
			      " bytes of notes are missing",
			      d->map->n, ph->p_filesz - n, ph->p_filesz);
	}
	const uint8_t *header_before = d->header_at;
	enum inq_status st = loader_notes(d, at, n, ph->p_offset, err);
	if (!st && d->header_at != header_before) {
		f->notes = at;
		f->notes_n = n;
		f->notes_off = ph->p_offset;
		f->whole_notes = n == ph->p_filesz;
	}
	return st;
}

static enum inq_status read_notes(struct loader_dump *d, const struct core *c,
				  struct loader_frame *f, struct inq_err *err)
{
	enum inq_status st = INQ_OK;
	uint64_t room = c->notes_n; /* in a short file not as much as it promises */
	Elf64_Phdr ph;

	if (room > c->front.left && room > (uint64_t)c->front.left * c->nr_notes)
		room = (uint64_t)c->front.left * c->nr_notes;
	d->notes = malloc((size_t)room + 1);
	if (!d->notes)
		return inq_fail(err, INQ_ENOMEM, "0x%" PRIx64 " bytes of notes", c->notes_n);
	for (size_t i = 0; !st && i < c->nr_phdrs && phdr_at(c, i, &ph); i++)
		if (ph.p_type == PT_NOTE)
			st = read_note_segment(d, c, &ph, f, err);
	if (!st && d->header_at && c->nr_notes > 1)
		loader_damage(d, INQ_ECORRUPT, 0, 0, 0, "%zu note segments in a snapshot, not one",
			      c->nr_notes);
	return st ? st : loader_index_blobs(d, err);
}

/* Everything that open believed came through the mapping: was it there all the time? */
static enum inq_status check_still_there(const struct loader_dump *d, const struct core *c,
					 struct inq_err *err)
{
	size_t n = c->nr_phdrs * sizeof(Elf64_Phdr);

	if (c->front.p != d->map->p)
		return loader_still_there(d, err);
	size_t at = (size_t)(c->phdrs - d->map->p);

	if (mapping_good(d->map, 0, sizeof(c->eh)) < sizeof(c->eh) ||
	    mapping_good(d->map, at, n) < n || mapping_lost(d->map))
		return inq_fail(err, INQ_EIO,
				"the file shrank or could not be read while it was opened");
	return INQ_OK;
}

static enum inq_status read_frame(struct loader_dump *d, struct core *c, struct inq_err *err)
{
	enum inq_status st = read_ehdr(c, err);

	if (!st)
		st = find_phdrs(d, c, err);
	return st ? st : read_phdrs(d, c, err);
}

static void report_memory(struct loader_dump *d, const struct core *c)
{
	struct loader_segments told = c->loads;

	if (d->flat) { /* its parts are no segments */
		told.nr = c->nr_loads;
		told.nr_cut = c->nr_cut;
		told.nr_left_out = 0;
	}
	loader_segments_report(d, &told,
			       d->flat && !d->truncated ? "the flattened stream has holes" : NULL);
}

/* Segments tell by now where memory lies in our file: offsets are those of it from here on. */
static void drop_pieces(struct loader_dump *d)
{
	if (d->flat)
		free(d->flat->pieces);
	free(d->flat);
	d->flat = NULL;
}

static enum inq_status open_front(struct loader_dump *d, struct span front, struct inq_err *err)
{
	INQ_SCOPED(core_scope) struct core c = {.front = front};
	enum inq_status st = read_frame(d, &c, err);

	if (st)
		return st;
	struct loader_frame f = {.ehdr = front.p,
				 .ehdr_n = sizeof(c.eh),
				 .phdrs = c.phdrs,
				 .phdrs_n = c.nr_phdrs * sizeof(Elf64_Phdr),
				 .nr_pages = c.nr_pages,
				 .memory_bytes = c.loads.memory_bytes};
	d->pub.variant = d->flat ? "elf core, flattened" : "elf core";
	report_memory(d, &c);
	drop_pieces(d);
	loader_phys_init(d);
	st = loader_extents(d, c.loads.p, c.loads.nr, err);
	if (!st)
		st = read_notes(d, &c, &f, err);
	if (front.p != d->map->p)
		d->header_at = NULL; /* what lay behind memory, makedumpfile left out */
	if (!st)
		st = loader_snapshot(d, &f, err);
	const struct span head[] = {span_of(f.ehdr, f.ehdr_n), span_of(f.phdrs, f.phdrs_n),
				    span_of(d->notes, d->notes_n)};
	if (!st)
		st = loader_content_id(d, head, sizeof(head) / sizeof(*head), err);
	return st ? st : check_still_there(d, &c, err);
}

static enum inq_status open_core(struct loader_dump *d, struct inq_err *err)
{
	return open_front(d, span_of(d->map->p, d->map->n), err);
}

/* Up to its first hole. */
enum inq_status loader_elfcore_flat(struct loader_dump *d, struct inq_err *err)
{
	const struct loader_flat *f = d->flat;
	size_t n = 0;

	for (size_t i = 0; i < f->nr && f->pieces[i].off == n && n < FRONT_MOST; i++)
		n += (size_t)f->pieces[i].n;
	n = n < FRONT_MOST ? n : FRONT_MOST;
	uint8_t *front = malloc(n + 1);
	d->own = front;
	d->own_free = free;
	if (!front)
		return inq_fail(err, INQ_ENOMEM, "0x%zx bytes of headers", n);
	const uint8_t *p = loader_bytes(d, 0, n, front);
	if (p && p != front)
		memcpy(front, p, n);
	d->pub.format = format;
	return open_front(d, span_of(front, p ? n : 0), err);
}

const struct inq_loader loader_elfcore = {
	.name = format,
	.doc = "ELF cores of 64-bit x86 machines: inquest-vmm, QEMU, kdump's vmcore",
	.carries = "memory; registers per vCPU; with inquest-vmm also SMRAM, APIC, MSRs, events",
	.tells = {LOADER_YES, LOADER_SOME, LOADER_SOME, LOADER_SOME, LOADER_SOME, LOADER_SOME},
	.probe = probe,
	.open = open_core,
};
