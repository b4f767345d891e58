/*
 * Knows how a snapshot is laid out (docs/snapshot-format.md), as a reader that trusts nothing:
 * every offset and count is checked against the bytes of the file before it is used.
 */
#include "vmm/load.h"

#include <elf.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include <zlib.h>

#include "base/mapping.h"
#include "base/span.h"

INQ_DEFINE_SCOPE(struct vmm_load, vmm_load_close)

enum { PHDR = sizeof(Elf64_Phdr), CRC_FIELD = 88, NHDR = 12 };

const char *vmm_load_kind_name(enum inq_snap_kind kind)
{
	static const char *const names[] = {
		"?",
		"HEADER",
		"HOST",
		"REGS",
		"SREGS2",
		"SREGS",
		"DEBUGREGS",
		"LAPIC",
		"EVENTS",
		"MP_STATE",
		"MSRS",
		"CPUID2",
		"RUN",
		"SLOTS",
		"SMRAM",
		"ZERO",
		"XSAVE",
		"XCRS",
		"NESTED",
		"TSC",
		"STATS",
		"PIC1",
		"PIC2",
		"IOAPIC",
		"PIT2",
		"CLOCK",
		"DEVICES",
		"TABLES",
		[INQ_SNAP_GUEST_DEBUG] = "GUEST_DEBUG",
	};

	return (size_t)kind < sizeof(names) / sizeof(*names) && names[kind] ? names[kind]
									    : names[0];
}

static enum inq_status bad(const struct vmm_load *l, const char *what, struct inq_err *err)
{
	return inq_fail(err, INQ_ECORRUPT, "%s: %s", l->path, what);
}

static bool in_file(const struct vmm_load *l, uint64_t off, uint64_t n)
{
	return off <= l->map->n && n <= l->map->n - off;
}

static Elf64_Phdr phdr_at(const struct vmm_load *l, size_t i)
{
	Elf64_Phdr p;

	memcpy(&p, l->map->p + sizeof(Elf64_Ehdr) + i * PHDR, sizeof(p));
	return p;
}

/* The next PT_LOAD; those before it end at *gpa and, in the file, at *off. */
static enum inq_status add_load(struct vmm_load *l, const Elf64_Phdr *p, uint64_t *gpa,
				uint64_t *off, struct inq_err *err)
{
	uint64_t most = (uint64_t)VMM_MAX_MIB * VMM_MIB;

	if (p->p_type != PT_LOAD || p->p_paddr != p->p_vaddr || p->p_filesz != p->p_memsz ||
	    !p->p_memsz || (p->p_paddr | p->p_memsz | p->p_offset) % VMM_PAGE)
		return bad(l, "a segment is no memory", err);
	if (p->p_paddr < *gpa || p->p_offset < *off || p->p_memsz > most ||
	    p->p_paddr > (UINT64_C(1) << 52) - most)
		return bad(l, "its memory is out of order", err);
	if (!in_file(l, p->p_offset, p->p_memsz))
		return bad(l, "cut off within its memory", err);
	*gpa = p->p_paddr + p->p_memsz;
	*off = p->p_offset + p->p_memsz;
	l->load[l->nr_loads++] = (struct vmm_region){p->p_paddr, p->p_memsz, p->p_offset};
	return INQ_OK;
}

/* elf(5), PN_XNUM: more than fit e_phnum are counted in the first section header. */
static uint64_t count_phdrs(const struct vmm_load *l, const Elf64_Ehdr *e)
{
	Elf64_Shdr s;

	if (e->e_phnum != PN_XNUM)
		return e->e_phnum;
	if (!in_file(l, e->e_shoff, sizeof(s)))
		return 0;
	memcpy(&s, l->map->p + e->e_shoff, sizeof(s));
	return s.sh_info;
}

/* ELF header and program headers; *ret_notes is the PT_NOTE. */
static enum inq_status read_elf(struct vmm_load *l, Elf64_Phdr *ret_notes, struct inq_err *err)
{
	Elf64_Ehdr e;
	uint64_t gpa = 0, off;

	if (!in_file(l, 0, sizeof(e)))
		return bad(l, "too short for a snapshot", err);
	memcpy(&e, l->map->p, sizeof(e));
	if (memcmp(e.e_ident, ELFMAG, SELFMAG) != 0 || e.e_ident[EI_CLASS] != ELFCLASS64 ||
	    e.e_ident[EI_DATA] != ELFDATA2LSB || e.e_type != ET_CORE || e.e_machine != EM_X86_64 ||
	    e.e_phoff != sizeof(e) || e.e_phentsize != PHDR)
		return bad(l, "not a snapshot of inquest-vmm", err);
	l->nr_phdrs = count_phdrs(l, &e);
	if (l->nr_phdrs < 2 || !in_file(l, sizeof(e), l->nr_phdrs * PHDR))
		return bad(l, "its program headers are not there", err);
	*ret_notes = phdr_at(l, 0);
	if (ret_notes->p_type != PT_NOTE || ret_notes->p_filesz > INQ_SNAP_MAX_NOTES ||
	    !in_file(l, ret_notes->p_offset, ret_notes->p_filesz))
		return bad(l, "its notes are not there", err);
	off = ret_notes->p_offset + ret_notes->p_filesz;
	enum inq_status st = INQ_OK;
	for (size_t i = 1; i < l->nr_phdrs && !st; i++) {
		Elf64_Phdr p = phdr_at(l, i);

		if (p.p_vaddr != p.p_paddr && p.p_type == PT_LOAD)
			break; /* from here on the same memory at linear addresses */
		if (l->nr_loads == VMM_MAX_REGIONS)
			return inq_fail(err, INQ_EUNSUPPORTED,
					"%s: memory in more than %u pieces cannot run", l->path,
					VMM_MAX_REGIONS);
		st = add_load(l, &p, &gpa, &off, err);
	}
	return st || l->nr_loads ? st : bad(l, "it has no memory", err);
}

/* One descriptor of ours.  false: it contradicts itself. */
static bool parse_note(struct span desc, uint32_t type, struct vmm_load_note *ret,
		       uint32_t *ret_sample)
{
	struct vmm_load_note t = {.vcpu = span_u32le(&desc)};

	*ret_sample = span_u32le(&desc);
	t.kind = span_u16le(&desc);
	span_skip(&desc, 2);
	t.state = span_u16le(&desc);
	t.error = span_u16le(&desc);
	uint64_t n = span_u64le(&desc);
	if (desc.bad || n > desc.left || type != (INQ_SNAP_NOTE_TYPE | t.kind))
		return false;
	if (t.state == INQ_SNAP_PRESENT) {
		t.p = span_take(&desc, (size_t)n);
		t.n = (size_t)n;
	}
	*ret = t;
	return true;
}

static int by_key(const void *a, const void *b)
{
	const struct vmm_load_note *x = a, *y = b;

	if (x->vcpu != y->vcpu)
		return x->vcpu < y->vcpu ? -1 : 1;
	return x->kind < y->kind ? -1 : x->kind > y->kind;
}

static enum inq_status read_notes(struct vmm_load *l, const Elf64_Phdr *at, struct inq_err *err)
{
	struct span s = span_of(l->map->p + at->p_offset, at->p_filesz);
	size_t most = s.left / (NHDR + 8 + sizeof(struct inq_snap_note)) + 1;

	l->note = calloc(most, sizeof(*l->note));
	if (!l->note)
		return inq_fail(err, INQ_ENOMEM, "%s: notes", l->path);
	while (s.left && !s.bad) {
		uint32_t namesz = span_u32le(&s), descsz = span_u32le(&s), type = span_u32le(&s);
		const uint8_t *name = span_take(&s, ((size_t)namesz + 3) & ~(size_t)3);
		const uint8_t *desc = span_take(&s, ((size_t)descsz + 3) & ~(size_t)3);
		struct vmm_load_note t;
		uint32_t sample;

		if (s.bad || namesz != sizeof(INQ_SNAP_NOTE_NAME) ||
		    memcmp(name, INQ_SNAP_NOTE_NAME, namesz) != 0)
			continue; /* of others, or the end */
		if (!parse_note(span_of(desc, descsz), type, &t, &sample) || l->nr_notes == most)
			return bad(l, "a note contradicts itself", err);
		if (!sample)
			l->note[l->nr_notes++] = t;
	}
	if (s.bad)
		return bad(l, "a note runs out of its segment", err);
	qsort(l->note, l->nr_notes, sizeof(*l->note), by_key);
	for (size_t i = 1; i < l->nr_notes; i++)
		if (!by_key(&l->note[i - 1], &l->note[i]))
			return bad(l, "a note is there twice", err);
	return INQ_OK;
}

const struct vmm_load_note *vmm_load_note(const struct vmm_load *l, uint32_t vcpu,
					  enum inq_snap_kind kind)
{
	const struct vmm_load_note key = {.vcpu = vcpu, .kind = (uint16_t)kind};

	return bsearch(&key, l->note, l->nr_notes, sizeof(*l->note), by_key);
}

static uint32_t crc(const uint8_t *p, size_t n, uint32_t before)
{
	return (uint32_t)crc32_z(before, p, n);
}

/* Over the notes, with the header's own field taken as zero. */
static uint32_t notes_crc(const uint8_t *notes, size_t n, size_t field)
{
	static const uint8_t zero[4];
	uint32_t c = crc(notes, field, 0);

	c = crc(zero, sizeof(zero), c);
	return crc(notes + field + 4, n - field - 4, c);
}

static enum inq_status read_header(struct vmm_load *l, const Elf64_Phdr *at, struct inq_err *err)
{
	const struct vmm_load_note *t = vmm_load_note(l, INQ_SNAP_VM, INQ_SNAP_HEADER);
	const uint8_t *notes = l->map->p + at->p_offset;
	struct inq_snap_header *h = &l->header;
	uint64_t memory = 0;

	if (!t || t->n < sizeof(*h))
		return bad(l, "has no header note", err);
	memcpy(h, t->p, sizeof(*h));
	if (h->magic != INQ_SNAP_MAGIC)
		return bad(l, "its header note has another magic", err);
	if (h->major != INQ_SNAP_MAJOR)
		return inq_fail(err, INQ_EUNSUPPORTED,
				"%s: snapshot format %u.%u, this program knows %u; use its own "
				"inquest-vmm",
				l->path, h->major, h->minor, INQ_SNAP_MAJOR);
	if (h->headers_crc != crc(l->map->p, sizeof(Elf64_Ehdr) + (size_t)l->nr_phdrs * PHDR, 0) ||
	    h->notes_crc != notes_crc(notes, at->p_filesz, (size_t)(t->p - notes) + CRC_FIELD))
		return bad(l, "damaged, the checksum of its headers or notes is wrong", err);
	for (unsigned i = 0; i < l->nr_loads; i++)
		memory += l->load[i].bytes;
	if (h->file_bytes != l->map->n || h->memory_bytes != memory ||
	    !in_file(l, h->bulk_off, h->bulk_bytes))
		return bad(l, "it has another length than its header says", err);
	if (!h->nr_vcpus || h->nr_vcpus > VMM_MAX_VCPUS)
		return inq_fail(err, INQ_EUNSUPPORTED, "%s: %u vCPUs, 1 to %u can run", l->path,
				h->nr_vcpus, VMM_MAX_VCPUS);
	return INQ_OK;
}

enum inq_status vmm_load_open(struct vmm_load **ret, const char *path, struct inq_err *err)
{
	INQ_SCOPED(vmm_load_close_scope_) struct vmm_load *l = calloc(1, sizeof(*l));
	Elf64_Phdr notes = {0};

	if (!l)
		return inq_fail(err, INQ_ENOMEM, "%s", path);
	l->path = path;
	enum inq_status st = inq_wrap(err, mapping_open(path, &l->map, err), "%s", path);
	if (!st)
		st = read_elf(l, &notes, err);
	if (!st)
		st = read_notes(l, &notes, err);
	if (!st)
		st = read_header(l, &notes, err);
	if (!st && mapping_lost(l->map))
		st = inq_fail(err, INQ_EIO, "%s: the file changed while it was read", path);
	if (!st)
		*ret = inq_take(l);
	return st;
}

void vmm_load_close(struct vmm_load *l)
{
	if (!l)
		return;
	free(l->note);
	mapping_close(l->map);
	free(l);
}
