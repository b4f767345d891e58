/* Knows as much of ELF as a boot loader must: PT_LOAD at p_paddr, and notes.  Foreign bytes. */
#include <elf.h>
#include <inttypes.h>
#include <string.h>

#include "vmm/boot/boot.h"

enum { XEN_ELFNOTE_PHYS32_ENTRY = 18, MAX_SEGMENTS = 64 };

bool vmm_elf_is(const struct vmm_image *k)
{
	return k->n >= sizeof(Elf32_Ehdr) && !memcmp(k->at, ELFMAG, SELFMAG) &&
	       k->at[EI_DATA] == ELFDATA2LSB &&
	       (k->at[EI_CLASS] == ELFCLASS32 ||
		(k->at[EI_CLASS] == ELFCLASS64 && k->n >= sizeof(Elf64_Ehdr)));
}

/* A program header of either width; false: the file has no such. */
static bool segment(const struct vmm_image *k, unsigned i, Elf64_Phdr *ret)
{
	Elf64_Ehdr h;
	Elf32_Ehdr g;
	Elf32_Phdr q;

	if (k->at[EI_CLASS] == ELFCLASS64) {
		memcpy(&h, k->at, sizeof(h));
		uint64_t at = h.e_phoff + UINT64_C(1) * i * sizeof(*ret);

		if (i >= h.e_phnum || h.e_phentsize != sizeof(*ret) || h.e_phoff > k->n ||
		    at > k->n || sizeof(*ret) > k->n - at)
			return false;
		memcpy(ret, k->at + at, sizeof(*ret));
		return true;
	}
	memcpy(&g, k->at, sizeof(g));
	uint64_t at = g.e_phoff + UINT64_C(1) * i * sizeof(q);
	if (i >= g.e_phnum || g.e_phentsize != sizeof(q) || at > k->n || sizeof(q) > k->n - at)
		return false;
	memcpy(&q, k->at + at, sizeof(q));
	*ret = (Elf64_Phdr){.p_type = q.p_type,
			    .p_offset = q.p_offset,
			    .p_paddr = q.p_paddr,
			    .p_filesz = q.p_filesz,
			    .p_memsz = q.p_memsz};
	return true;
}

static unsigned nr_segments(const struct vmm_image *k)
{
	Elf64_Ehdr h;
	Elf32_Ehdr g;

	if (k->at[EI_CLASS] == ELFCLASS64) {
		memcpy(&h, k->at, sizeof(h));
		return h.e_phnum;
	}
	memcpy(&g, k->at, sizeof(g));
	return g.e_phnum;
}

static bool in_file(const struct vmm_image *k, const Elf64_Phdr *p)
{
	return p->p_offset <= k->n && p->p_filesz <= k->n - p->p_offset;
}

static enum inq_status load_segment(const struct vmm_boot_load *l, const Elf64_Phdr *p,
				    struct inq_err *err)
{
	const struct vmm_image *k = &l->kernel;

	if (!in_file(k, p) || p->p_filesz > p->p_memsz)
		return inq_fail(err, INQ_EUSAGE,
				"%s: ELF cut off: %zu bytes, a segment of %" PRIu64
				" begins at %" PRIu64 "; give the whole file",
				k->path, k->n, p->p_filesz, p->p_offset);
	if (p->p_paddr < VMM_MIB || p->p_paddr > l->low_end || p->p_memsz > l->low_end - p->p_paddr)
		return inq_fail(err, INQ_EUSAGE,
				"%s: no memory for its segment of %" PRIu64 " bytes at 0x%" PRIx64
				"; give more --memory",
				k->path, p->p_memsz, p->p_paddr);
	uint8_t *to = vmm_memory_at(l->mem, 0, p->p_paddr, p->p_memsz);
	if (!to)
		return inq_fail(err, INQ_EUSAGE, "%s: no memory at 0x%" PRIx64, k->path,
				p->p_paddr);
	memcpy(to, k->at + p->p_offset, p->p_filesz);
	if (p->p_memsz > p->p_filesz)
		memset(to + p->p_filesz, 0, p->p_memsz - p->p_filesz);
	return INQ_OK;
}

static uint64_t entry(const struct vmm_image *k)
{
	return k->at[EI_CLASS] == ELFCLASS64 ? vmm_image_u64(k, offsetof(Elf64_Ehdr, e_entry))
					     : vmm_image_u32(k, offsetof(Elf32_Ehdr, e_entry));
}

enum inq_status vmm_elf_load(const struct vmm_boot_load *l, struct vmm_elf *ret,
			     struct inq_err *err)
{
	const struct vmm_image *k = &l->kernel;
	struct vmm_elf e = {.entry = entry(k), .wide = k->at[EI_CLASS] == ELFCLASS64};
	unsigned nr = nr_segments(k);
	enum inq_status st = INQ_OK;
	Elf64_Phdr p;

	if (nr > MAX_SEGMENTS)
		return inq_fail(err, INQ_EUSAGE, "%s: ELF of %u segments; damaged", k->path, nr);
	for (unsigned i = 0; i < nr && !st; i++) {
		if (!segment(k, i, &p))
			return inq_fail(err, INQ_EUSAGE,
					"%s: ELF cut off within its headers; give the whole file",
					k->path);
		if (p.p_type != PT_LOAD || !p.p_memsz)
			continue;
		st = load_segment(l, &p, err);
		if (!st && p.p_paddr + p.p_memsz > e.end)
			e.end = p.p_paddr + p.p_memsz;
	}
	if (!st && !e.end)
		return inq_fail(err, INQ_EUSAGE, "%s: ELF with nothing to load", k->path);
	if (!st)
		*ret = e;
	return st;
}

static bool pvh_in(const struct vmm_image *k, const Elf64_Phdr *p, uint64_t *ret)
{
	uint64_t at = p->p_offset, end = p->p_offset + p->p_filesz;

	while (end - at >= sizeof(Elf64_Nhdr)) {
		uint32_t name = vmm_image_u32(k, at), desc = vmm_image_u32(k, at + 4),
			 type = vmm_image_u32(k, at + 8);
		uint64_t text = at + sizeof(Elf64_Nhdr),
			 data = text + ((UINT64_C(3) + name) & ~UINT64_C(3)),
			 next = data + ((UINT64_C(3) + desc) & ~UINT64_C(3));

		if (data > end || desc > end - data)
			return false;
		if (name == 4 && type == XEN_ELFNOTE_PHYS32_ENTRY &&
		    !memcmp(k->at + text, "Xen", 4) && (desc == 4 || desc == 8)) {
			*ret = desc == 4 ? vmm_image_u32(k, data) : vmm_image_u64(k, data);
			return *ret <= UINT32_MAX;
		}
		if (next > end)
			return false;
		at = next;
	}
	return false;
}

bool vmm_elf_pvh_entry(const struct vmm_image *k, uint64_t *ret)
{
	unsigned nr = vmm_elf_is(k) ? nr_segments(k) : 0;
	Elf64_Phdr p;

	for (unsigned i = 0; i < nr && i < MAX_SEGMENTS && segment(k, i, &p); i++)
		if (p.p_type == PT_NOTE && in_file(k, &p) && pvh_in(k, &p, ret))
			return true;
	return false;
}
