/*
 * Knows where Linux keeps VMCOREINFO (kernel/crash_core.c): a text of key=value lines in a page of
 * its own, zeros behind it, which begins with OSRELEASE=; and the ELF note of another page, whose
 * address a guest with fw_cfg hands over.
 */
#include "vmm/vmcoreinfo.h"

#include <elf.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

static const char begin[] = "OSRELEASE=";

/* A line that a text of that kind cannot do without, behind its first one. */
static bool has_line(const uint8_t *p, size_t n, const char *start)
{
	size_t want = strlen(start);

	for (size_t i = 1; i + want <= n; i++)
		if (p[i - 1] == '\n' && !memcmp(p + i, start, want))
			return true;
	return false;
}

size_t vmm_vmcoreinfo_text(const uint8_t *p, size_t n)
{
	size_t len = 0;

	if (n < sizeof(begin) || memcmp(p, begin, sizeof(begin) - 1) != 0)
		return 0;
	for (; len < n && p[len]; len++)
		if (p[len] != '\n' && (p[len] < ' ' || p[len] > '~'))
			return 0;
	return len && p[len - 1] == '\n' && has_line(p, len, "PAGESIZE=") &&
			       has_line(p, len, "SYMBOL(")
		       ? len
		       : 0;
}

static bool take(uint64_t gpa, const uint8_t *p, size_t most, enum vmm_vmcoreinfo_from from,
		 struct vmm_vmcoreinfo *ret)
{
	size_t n = vmm_vmcoreinfo_text(p, most);

	if (!n)
		return false;
	*ret = (struct vmm_vmcoreinfo){
		.from = from, .gpa = gpa, .text = (const char *)p, .bytes = n, .nr = ret->nr};
	return true;
}

/* An ELF note of the guest's: foreign. */
static bool handed(const struct vmm_memory *m, const struct vmm_fwcfg *f,
		   struct vmm_vmcoreinfo *ret)
{
	static const char name[] = "VMCOREINFO";
	Elf64_Nhdr h;
	uint64_t gpa;
	uint32_t n;

	if (!vmm_fwcfg_vmcoreinfo(f, &gpa, &n) || n < sizeof(h) + 12)
		return false;
	const uint8_t *p = vmm_memory_at(m, 0, gpa, n);
	if (!p)
		return false;
	memcpy(&h, p, sizeof(h));
	if (h.n_namesz != sizeof(name) || memcmp(p + sizeof(h), name, sizeof(name)) != 0)
		return false;
	uint32_t head = sizeof(h) + 12, most = n - head;
	return take(gpa + head, p + head, h.n_descsz < most ? h.n_descsz : most,
		    VMM_VMCOREINFO_HANDED, ret);
}

static void look_in(const struct vmm_memory *m, const struct vmm_region *r,
		    struct vmm_vmcoreinfo *ret)
{
	uint64_t at = r->off, end = r->off + r->bytes;

	while (at < end) {
		uint64_t from = at, to;

		vmm_memory_next_data(m, &from, &to, end);
		for (; from < to; from += VMM_PAGE)
			if (m->ram[from] == (uint8_t)begin[0] &&
			    take(r->gpa + (from - r->off), m->ram + from, VMM_PAGE,
				 VMM_VMCOREINFO_FOUND, ret))
				ret->nr++;
		at = to;
	}
}

void vmm_vmcoreinfo_find(const struct vmm_memory *m, const struct vmm_fwcfg *f,
			 struct vmm_vmcoreinfo *ret)
{
	*ret = (struct vmm_vmcoreinfo){0};
	if (f && handed(m, f, ret))
		return;
	for (unsigned i = 0; i < m->nr_regions; i++)
		look_in(m, &m->region[i], ret);
	if (ret->nr > 1)
		*ret = (struct vmm_vmcoreinfo){.from = VMM_VMCOREINFO_MANY, .nr = ret->nr};
}

static bool is_set(const uint8_t *bits, uint64_t page)
{
	return bits[page / 8] >> (page % 8) & 1;
}

/* A page that was written to is, or was, one of those that *v tells of. */
static bool may_differ(const struct vmm_memory *m, const uint8_t *dirty,
		       const struct vmm_vmcoreinfo *v)
{
	const uint64_t pages = m->ram_bytes / VMM_PAGE;

	if (v->from == VMM_VMCOREINFO_FOUND &&
	    is_set(dirty, (uint64_t)((const uint8_t *)v->text - m->ram) / VMM_PAGE))
		return true;
	for (uint64_t i = 0; i < pages; i++)
		if (is_set(dirty, i) && (v->from == VMM_VMCOREINFO_MANY ||
					 vmm_vmcoreinfo_text(m->ram + i * VMM_PAGE, VMM_PAGE)))
			return true;
	return false;
}

void vmm_vmcoreinfo_settle(const struct vmm_memory *m, const struct vmm_fwcfg *f,
			   const uint8_t *dirty, struct vmm_vmcoreinfo *v)
{
	struct vmm_vmcoreinfo now = {0};

	if (handed(m, f, &now))
		*v = now;
	else if (may_differ(m, dirty, v))
		vmm_vmcoreinfo_find(m, f, v);
}

bool vmm_vmcoreinfo_number(const char *text, size_t n, const char *key, int base, uint64_t *ret)
{
	size_t len = strlen(key);

	for (size_t at = 0; at + len + 1 < n; at++) {
		char number[24] = "", *end;

		if ((at && text[at - 1] != '\n') || memcmp(text + at, key, len) != 0 ||
		    text[at + len] != '=')
			continue;
		const char *p = text + at + len + 1,
			   *stop = memchr(p, '\n', n - (size_t)(p - text));
		if (!stop || stop == p || (size_t)(stop - p) >= sizeof(number))
			return false;
		memcpy(number, p, (size_t)(stop - p));
		errno = 0;
		*ret = *number == '-' ? (uint64_t)strtoll(number, &end, base)
				      : strtoull(number, &end, base);
		return !errno && !*end && *number != ' ';
	}
	return false;
}

/* Symbols of the kernel's image lie at a fixed distance from its memory. */
const uint8_t *vmm_vmcoreinfo_uts(const struct vmm_memory *m, const char *text, size_t n)
{
	enum { FIELD = 65, BYTES = 6 * FIELD };
	const uint64_t image = UINT64_C(0xffffffff80000000);
	uint64_t base, symbol, off;

	if (!text || !vmm_vmcoreinfo_number(text, n, "NUMBER(phys_base)", 10, &base) ||
	    !vmm_vmcoreinfo_number(text, n, "SYMBOL(init_uts_ns)", 16, &symbol) ||
	    !vmm_vmcoreinfo_number(text, n, "OFFSET(uts_namespace.name)", 10, &off) ||
	    symbol < image || off > VMM_PAGE)
		return NULL;
	const uint8_t *p = vmm_memory_at(m, 0, symbol + off - image + base, BYTES);
	return p && !memcmp(p, "Linux", sizeof("Linux")) ? p : NULL;
}
