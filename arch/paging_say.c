/*
 * Knows how to say what an entry of a page table is, bit by bit.  Source: SDM vol. 3, 4.2 to 4.7
 * and 29.3.2; APM vol. 2, 5.4.
 */
#include <stdarg.h>
#include <stdio.h>

#include "arch/paging.h"

const char *paging_table_name(int level)
{
	static const char *const names[] = {
		[1] = "pt", [2] = "pd", [3] = "pdpt", [4] = "pml4", [5] = "pml5",
	};
	return names[level];
}

const char *paging_verdict_name(enum paging_verdict v)
{
	static const char *const names[] = {
		[PAGING_OK] = "ok",
		[PAGING_NOT_PRESENT] = "not present",
		[PAGING_RESERVED] = "reserved bit set",
		[PAGING_NO_GBPAGES] = "1 GiB page on a cpu without them",
		[PAGING_NONCANONICAL] = "non-canonical address",
		[PAGING_TOO_WIDE] = "address is wider than the tables",
		[PAGING_SUPERVISOR] = "not a user page, as nested paging needs",
		[PAGING_WRITE_ONLY] = "writable but not readable",
		[PAGING_EXEC_ONLY] = "executable only on a cpu without that",
		[PAGING_MEMORY_TYPE] = "reserved memory type",
		[PAGING_ABSENT] = "not dumped",
		[PAGING_UNREADABLE] = "outside memory",
	};
	return names[v];
}

struct words {
	char *buf;
	size_t n, len;
};

INQ_PRINTF(3, 4) static void add(struct words *w, const char *between, const char *fmt, ...)
{
	va_list ap;

	if (w->len)
		w->len += (size_t)snprintf(w->buf + w->len, w->n - w->len, "%s", between);
	if (w->len >= w->n)
		w->len = w->n - 1;
	va_start(ap, fmt);
	w->len += (size_t)vsnprintf(w->buf + w->len, w->n - w->len, fmt, ap);
	va_end(ap);
	if (w->len >= w->n)
		w->len = w->n - 1;
}

/* Runs of reserved bits that are set, each with why it is reserved. */
static void explain_reserved(const struct paging_mode *m, const struct paging_step *s,
			     struct words *w)
{
	bool leaf = paging_is_leaf(m, s->level, s->entry);
	uint64_t bad = s->entry & paging_reserved_bits(m, s->level, leaf);
	int address = m->maxphyaddr ? m->maxphyaddr : 52;

	for (int bit = 63; bit >= 0; bit--) {
		if (!(bad >> bit & 1))
			continue;
		if (bit == 63 && m->kind != PAGING_EPT && m->levels != 3)
			add(w, ", ", "bit 63 (XD) while EFER.NXE is 0");
		else if (bit >= address && bit < 52 && m->levels != 2)
			add(w, ", ", "bit %d is above MAXPHYADDR %d", bit, address);
		else if (bit == 7)
			add(w, ", ", "bit 7 (PS) in a %s entry", paging_table_name(s->level));
		else
			add(w, ", ", "bit %d", bit);
	}
}

void paging_explain(const struct paging_mode *m, const struct paging_step *s, char *buf, size_t n)
{
	struct words w = {.buf = buf, .n = n};

	buf[0] = '\0';
	if (s->verdict == PAGING_RESERVED)
		explain_reserved(m, s, &w);
	else if (s->verdict == PAGING_NO_GBPAGES && m->kind == PAGING_EPT)
		add(&w, "", "bit 17 of IA32_VMX_EPT_VPID_CAP is 0");
	else if (s->verdict == PAGING_NO_GBPAGES)
		add(&w, "", "CPUID 0x80000001 EDX bit 26 is 0");
	else if (s->verdict == PAGING_WRITE_ONLY)
		add(&w, "", "bit 1 without bit 0: misconfiguration");
	else if (s->verdict == PAGING_EXEC_ONLY)
		add(&w, "", "bit 0 of IA32_VMX_EPT_VPID_CAP is 0: misconfiguration");
	else if (s->verdict == PAGING_MEMORY_TYPE)
		add(&w, "", "bits 5:3 are %u: misconfiguration", (unsigned)(s->entry >> 3 & 7));
	if (s->verdict == PAGING_RESERVED && m->kind == PAGING_EPT)
		add(&w, ": ", "misconfiguration");
}

struct flag {
	int bit;
	const char *name;
};

static void add_flags(const struct flag *f, uint64_t entry, struct words *w)
{
	for (; f->name; f++)
		if (entry >> f->bit & 1)
			add(w, " ", "%s", f->name);
}

static void ept_flags(const struct paging_mode *m, const struct paging_step *s, bool leaf,
		      struct words *w)
{
	static const struct flag rights[] = {{0, "R"}, {1, "W"}, {2, "X"}, {8, "A"}, {0}};
	static const struct flag of_leaf[] = {{6, "IPAT"}, {9, "D"}, {0}};
	static const char *const types[] = {"UC", "WC", NULL, NULL, "WT", "WP", "WB", NULL};

	add_flags(rights, s->entry, w);
	if (m->mbec && s->entry >> 10 & 1)
		add(w, " ", "XU");
	if (!leaf)
		return;
	add_flags(of_leaf, s->entry, w);
	if (s->level > 1)
		add(w, " ", "PS");
	if (types[s->entry >> 3 & 7])
		add(w, " ", "%s", types[s->entry >> 3 & 7]);
}

void paging_entry_flags(const struct paging_mode *m, const struct paging_step *s, char *buf,
			size_t n)
{
	static const struct flag all[] = {{0, "P"},   {1, "RW"}, {2, "US"}, {3, "PWT"},
					  {4, "PCD"}, {5, "A"},  {0}};
	static const struct flag of_leaf[] = {{6, "D"}, {8, "G"}, {0}};
	struct words w = {.buf = buf, .n = n};
	bool leaf = paging_is_leaf(m, s->level, s->entry);

	buf[0] = '\0';
	if (s->verdict == PAGING_ABSENT || s->verdict == PAGING_UNREADABLE)
		return;
	if (m->kind == PAGING_EPT) {
		ept_flags(m, s, leaf, &w);
		return;
	}
	add_flags(all, s->entry, &w);
	if (leaf)
		add_flags(of_leaf, s->entry, &w);
	if (s->level > 1 && s->entry >> 7 & 1)
		add(&w, " ", "PS");
	if (m->levels > 2 && s->entry >> 63)
		add(&w, " ", "XD");
}
