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

#include "loader/dump.h"

enum { FLAT_MOST = 64 }; /* pieces of memory in a snapshot that is searched for views */

struct core {
	Elf64_Ehdr eh;
	const uint8_t *phdrs; /* nr_phdrs of them lie in the file */
	size_t nr_phdrs;
	struct loader_segments loads;
	size_t nr_notes;
	uint64_t notes_n; /* bytes that the headers promise */
	size_t nr_flat;   /* the first of them, as long as p_vaddr is p_paddr */
	uint64_t nr_pages;
	int any_paddr, any_vaddr;
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

static enum inq_status read_ident(struct loader_dump *d, struct inq_err *err)
{
	const uint8_t *id = d->map->p;

	if (d->map->n < EI_NIDENT)
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

static enum inq_status read_ehdr(struct loader_dump *d, struct core *c, struct inq_err *err)
{
	enum inq_status st = read_ident(d, err);

	if (st)
		return st;
	if (d->map->n < sizeof(c->eh) || !decode(ELF_T_EHDR, d->map->p, sizeof(c->eh), &c->eh))
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
static enum inq_status count_phdrs(const struct loader_dump *d, const struct core *c,
				   uint64_t *ret_nr, struct inq_err *err)
{
	Elf64_Shdr sh;
	uint64_t off = c->eh.e_shoff, n = d->map->n;

	*ret_nr = c->eh.e_phnum;
	if (c->eh.e_phnum != PN_XNUM)
		return INQ_OK;
	if (off > n || n - off < sizeof(sh) ||
	    !decode(ELF_T_SHDR, d->map->p + off, sizeof(sh), &sh))
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
	enum inq_status st = count_phdrs(d, c, &nr, err);

	if (st)
		return st;
	if (nr > LOADER_MAX_SEGMENTS)
		return inq_fail(err, INQ_ELIMIT, "%" PRIu64 " program headers, %u at most", nr,
				LOADER_MAX_SEGMENTS);
	uint64_t fit = off < d->map->n ? (d->map->n - off) / sizeof(Elf64_Phdr) : 0;
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
	c->phdrs = d->map->p + off;
	c->nr_phdrs = (size_t)(fit < nr ? fit : nr);
	return INQ_OK;
}

static int phdr_at(const struct core *c, size_t i, Elf64_Phdr *ret)
{
	return decode(ELF_T_PHDR, c->phdrs + i * sizeof(*ret), sizeof(*ret), ret);
}

/* How many of n bytes at off the file has. */
static uint64_t in_file(const struct loader_dump *d, uint64_t off, uint64_t n)
{
	uint64_t left = off < d->map->n ? d->map->n - off : 0;

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
static enum inq_status read_note_segment(struct loader_dump *d, const Elf64_Phdr *ph,
					 struct loader_frame *f, struct inq_err *err)
{
	size_t n = (size_t)in_file(d, ph->p_offset, ph->p_filesz);
	uint8_t *at = d->notes + d->notes_n;

	if (n)
		memcpy(at, d->map->p + ph->p_offset, n);
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

	if (room > d->map->n && room > (uint64_t)d->map->n * c->nr_notes)
		room = (uint64_t)d->map->n * c->nr_notes;
	d->notes = malloc((size_t)room + 1);
	if (!d->notes)
		return inq_fail(err, INQ_ENOMEM, "0x%" PRIx64 " bytes of notes", c->notes_n);
	for (size_t i = 0; !st && i < c->nr_phdrs && phdr_at(c, i, &ph); i++)
		if (ph.p_type == PT_NOTE)
			st = read_note_segment(d, &ph, f, err);
	if (!st && d->header_at && c->nr_notes > 1)
		loader_damage(d, INQ_ECORRUPT, 0, 0, 0, "%zu note segments in a snapshot, not one",
			      c->nr_notes);
	return st ? st : loader_index_blobs(d, err);
}

/* Everything that open believed came through the mapping: was it there all the time? */
static enum inq_status check_still_there(const struct loader_dump *d, const struct core *c,
					 struct inq_err *err)
{
	size_t at = (size_t)(c->phdrs - d->map->p), n = c->nr_phdrs * sizeof(Elf64_Phdr);

	if (mapping_good(d->map, 0, sizeof(c->eh)) < sizeof(c->eh) ||
	    mapping_good(d->map, at, n) < n || mapping_lost(d->map))
		return inq_fail(err, INQ_EIO,
				"the file shrank or could not be read while it was opened");
	return INQ_OK;
}

static enum inq_status read_frame(struct loader_dump *d, struct core *c, struct inq_err *err)
{
	enum inq_status st = read_ehdr(d, c, err);

	if (!st)
		st = find_phdrs(d, c, err);
	return st ? st : read_phdrs(d, c, err);
}

static enum inq_status open_core(struct loader_dump *d, struct inq_err *err)
{
	INQ_SCOPED(core_scope) struct core c = {.nr_phdrs = 0};
	enum inq_status st = read_frame(d, &c, err);

	if (st)
		return st;
	struct loader_frame f = {.ehdr = d->map->p,
				 .ehdr_n = sizeof(c.eh),
				 .phdrs = c.phdrs,
				 .phdrs_n = c.nr_phdrs * sizeof(Elf64_Phdr),
				 .nr_pages = c.nr_pages,
				 .memory_bytes = c.loads.memory_bytes};
	d->pub.variant = "elf core";
	loader_segments_report(d, &c.loads, NULL);
	loader_phys_init(d);
	st = loader_extents(d, c.loads.p, c.loads.nr, err);
	if (!st)
		st = read_notes(d, &c, &f, err);
	if (!st)
		st = loader_snapshot(d, &f, err);
	const struct span head[] = {span_of(f.ehdr, f.ehdr_n), span_of(f.phdrs, f.phdrs_n),
				    span_of(d->notes, d->notes_n)};
	if (!st)
		st = loader_content_id(d, head, sizeof(head) / sizeof(*head), err);
	return st ? st : check_still_there(d, &c, err);
}

const struct inq_loader loader_elfcore = {
	.name = "elfcore",
	.doc = "ELF cores of 64-bit x86 machines: inquest-vmm, QEMU, kdump's vmcore",
	.carries = "memory; registers per vCPU; with inquest-vmm also SMRAM, APIC, MSRs, events",
	.tells = {LOADER_YES, LOADER_SOME, LOADER_SOME, LOADER_SOME, LOADER_SOME, LOADER_SOME},
	.probe = probe,
	.open = open_core,
};
