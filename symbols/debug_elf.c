/*
 * Knows how ELF keeps debug information: in sections that may be compressed (gABI, "Compressed
 * Sections"), and in a file that is not linked yet, as modules are, lack their relocation (psABI
 * of x86-64, "Relocation Types").  A linked kernel keeps the relocations that were applied
 * (ld(1), --emit-relocs, 500 MB of them): those are left alone.
 */
#include "symbols/debug_elf.h"

#include <gelf.h>
#include <stdlib.h>

struct debug_elf {
	Elf *elf;
	bool relocatable;
	struct {
		Elf_Scn *scn;      /* NULL: there is none */
		uint64_t size;     /* bytes, decompressed */
		struct span bytes; /* p NULL: nobody has asked yet */
	} at[DEBUG_SECTIONS];
	Elf_Scn *rela[DEBUG_SECTIONS];
};

static const char *const names[DEBUG_SECTIONS] = {
	[DEBUG_INFO] = ".debug_info",         [DEBUG_ABBREV] = ".debug_abbrev",
	[DEBUG_LINE] = ".debug_line",         [DEBUG_LINE_STR] = ".debug_line_str",
	[DEBUG_STR] = ".debug_str",           [DEBUG_STR_OFFSETS] = ".debug_str_offsets",
	[DEBUG_ADDR] = ".debug_addr",         [DEBUG_RANGES] = ".debug_ranges",
	[DEBUG_RNGLISTS] = ".debug_rnglists", [DEBUG_ARANGES] = ".debug_aranges",
	[DEBUG_LOC] = ".debug_loc",           [DEBUG_LOCLISTS] = ".debug_loclists",
	[DEBUG_FRAME] = ".debug_frame",
};

const char *debug_section_name(enum debug_section s)
{
	return names[s];
}

uint64_t debug_elf_size(const struct debug_elf *e, enum debug_section s)
{
	return e->at[s].size;
}

bool debug_elf_relocatable(const struct debug_elf *e)
{
	return e->relocatable;
}

/* 4 GiB apart, below the kernel's half: no two overlap, and none is 0. */
uint64_t debug_elf_made_up(size_t section)
{
	return (uint64_t)section << 32;
}

static uint64_t address_of(const struct debug_elf *e, Elf_Scn *scn, const GElf_Shdr *h)
{
	if (!e->relocatable)
		return h->sh_addr;
	return h->sh_flags & SHF_ALLOC ? debug_elf_made_up(elf_ndxscn(scn)) : 0;
}

static void note_section(struct debug_elf *e, Elf_Scn *scn, const GElf_Shdr *h, const char *name)
{
	for (int s = 0; s < DEBUG_SECTIONS; s++) {
		GElf_Chdr c;
		if (e->at[s].scn || strcmp(name, names[s]) != 0 || h->sh_type == SHT_NOBITS)
			continue;
		e->at[s].scn = scn;
		e->at[s].size = h->sh_size;
		if (h->sh_flags & SHF_COMPRESSED)
			e->at[s].size = gelf_getchdr(scn, &c) ? c.ch_size : 0;
	}
}

static void note_relocations(struct debug_elf *e, Elf_Scn *scn, const GElf_Shdr *h)
{
	for (int s = 0; s < DEBUG_SECTIONS; s++)
		if (e->at[s].scn && elf_ndxscn(e->at[s].scn) == h->sh_info)
			e->rela[s] = scn;
}

static enum inq_status find_sections(struct debug_elf *e, struct inq_err *err)
{
	size_t strings;
	GElf_Shdr h;

	if (elf_getshdrstrndx(e->elf, &strings))
		return inq_fail(err, INQ_ECORRUPT, "its sections have no names");
	for (Elf_Scn *s = NULL; (s = elf_nextscn(e->elf, s));) {
		const char *name =
			gelf_getshdr(s, &h) ? elf_strptr(e->elf, strings, h.sh_name) : NULL;
		if (name)
			note_section(e, s, &h, name);
	}
	for (Elf_Scn *s = NULL; e->relocatable && (s = elf_nextscn(e->elf, s));)
		if (gelf_getshdr(s, &h) && h.sh_type == SHT_RELA)
			note_relocations(e, s, &h);
	return INQ_OK;
}

enum inq_status debug_elf_open(int fd, struct debug_elf **ret_elf, struct inq_err *err)
{
	static struct debug_elf e; /* one to a child */
	GElf_Ehdr h;

	if (elf_version(EV_CURRENT) == EV_NONE)
		return inq_fail(err, INQ_EUNSUPPORTED, "libelf is too old");
	/* a file that shrinks kills the child, and only that */
	e = (struct debug_elf){.elf = elf_begin(fd, ELF_C_READ_MMAP, NULL)};
	if (!e.elf || elf_kind(e.elf) != ELF_K_ELF || !gelf_getehdr(e.elf, &h))
		return inq_fail(err, INQ_EUNSUPPORTED, "no ELF file");
	if (h.e_machine != EM_X86_64 || h.e_ident[EI_CLASS] != ELFCLASS64 ||
	    h.e_ident[EI_DATA] != ELFDATA2LSB)
		return inq_fail(err, INQ_EUNSUPPORTED, "no ELF file of x86-64");
	e.relocatable = h.e_type == ET_REL;
	*ret_elf = &e;
	return find_sections(&e, err);
}

bool debug_elf_loaded(const struct debug_elf *e, size_t nth, struct debug_loaded *ret)
{
	size_t strings;
	GElf_Shdr h;

	if (elf_getshdrstrndx(e->elf, &strings))
		return false;
	for (Elf_Scn *s = NULL; (s = elf_nextscn(e->elf, s));) {
		const char *name =
			gelf_getshdr(s, &h) ? elf_strptr(e->elf, strings, h.sh_name) : NULL;
		if (!name || !(h.sh_flags & SHF_ALLOC) || !h.sh_size || nth--)
			continue;
		*ret = (struct debug_loaded){name, address_of(e, s, &h), h.sh_size};
		return true;
	}
	return false;
}

/* The symbol's address, as the made up ones have it; undefined and common ones have none. */
static uint64_t symbol_value(const struct debug_elf *e, const GElf_Sym *sym)
{
	Elf_Scn *scn = sym->st_shndx && sym->st_shndx < SHN_LORESERVE
			       ? elf_getscn(e->elf, sym->st_shndx)
			       : NULL;
	GElf_Shdr h;

	if (sym->st_shndx == SHN_ABS)
		return sym->st_value;
	return scn && gelf_getshdr(scn, &h) ? address_of(e, scn, &h) + sym->st_value : 0;
}

/* Modules have fewer than SHN_LORESERVE sections: scripts/module.lds.S joins them. */
static enum inq_status relocate_one(const struct debug_elf *e, Elf_Data *symbols,
				    const GElf_Rela *r, uint8_t *to, size_t n, struct inq_err *err)
{
	size_t width;
	GElf_Sym sym;

	switch (GELF_R_TYPE(r->r_info)) {
	case R_X86_64_NONE:
		return INQ_OK;
	case R_X86_64_64:
		width = 8;
		break;
	case R_X86_64_32:
	case R_X86_64_32S:
		width = 4;
		break;
	default: /* counts from where it stands: nothing of what is read does */
		return INQ_OK;
	}
	if (n < width || r->r_offset > n - width || GELF_R_SYM(r->r_info) > INT32_MAX ||
	    !gelf_getsym(symbols, (int)GELF_R_SYM(r->r_info), &sym))
		return inq_fail(err, INQ_ECORRUPT, "a relocation leads out of the file");
	uint64_t value = symbol_value(e, &sym) + (uint64_t)r->r_addend;
	memcpy(to + r->r_offset, &value, width);
	return INQ_OK;
}

static enum inq_status relocate(const struct debug_elf *e, Elf_Scn *rela, uint8_t *to, size_t n,
				struct inq_err *err)
{
	GElf_Shdr h;
	Elf_Data *d = elf_getdata(rela, NULL);
	Elf_Scn *table = gelf_getshdr(rela, &h) ? elf_getscn(e->elf, h.sh_link) : NULL;
	Elf_Data *symbols = table ? elf_getdata(table, NULL) : NULL;
	enum inq_status st = INQ_OK;

	if (!d || !symbols)
		return inq_fail(err, INQ_ECORRUPT, "relocations without symbols");
	for (int i = 0; !st; i++) {
		GElf_Rela r;
		if (!gelf_getrela(d, i, &r))
			break;
		st = relocate_one(e, symbols, &r, to, n, err);
	}
	return st;
}

static enum inq_status decompress(Elf_Scn *scn, const char *name, struct inq_err *err)
{
	GElf_Shdr h;

	if (!gelf_getshdr(scn, &h) || !(h.sh_flags & SHF_COMPRESSED) || elf_compress(scn, 0, 0) > 0)
		return INQ_OK;
	return inq_fail(err, INQ_EUNSUPPORTED, "%s cannot be decompressed: %s", name,
			elf_errmsg(-1));
}

enum inq_status debug_elf_section(struct debug_elf *e, enum debug_section s, struct span *ret,
				  struct inq_err *err)
{
	if (!e->at[s].scn)
		return inq_fail(err, INQ_ENOTFOUND, "it has no %s", names[s]);
	if (!e->at[s].bytes.p) {
		enum inq_status st = decompress(e->at[s].scn, names[s], err);
		Elf_Data *d = st ? NULL : elf_rawdata(e->at[s].scn, NULL);
		if (st)
			return st;
		if (!d || !d->d_buf || d->d_size != e->at[s].size)
			return inq_fail(err, INQ_ECORRUPT, "%s lies outside of the file", names[s]);
		struct span whole = span_of(d->d_buf, d->d_size);
		if (e->rela[s]) { /* what is mapped cannot be written to */
			uint8_t *own = malloc(d->d_size ? d->d_size : 1);
			if (!own)
				return inq_fail(err, INQ_ENOMEM, "%s", names[s]);
			memcpy(own, d->d_buf, d->d_size);
			whole.p = own;
			st = relocate(e, e->rela[s], own, d->d_size, err);
			if (st)
				return st;
		}
		e->at[s].bytes = whole;
	}
	*ret = e->at[s].bytes;
	return INQ_OK;
}
