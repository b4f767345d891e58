/* Knows the names of spaces and the ways to write an address. */
#include "machine/place.h"

#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>

#include "arch/x86_64/regs.h"
#include "base/order.h"
#include "machine/name_addr.h"

static unsigned int digit_of(char c)
{
	if (c >= '0' && c <= '9')
		return (unsigned int)(c - '0');
	c |= 0x20;
	return c >= 'a' && c <= 'f' ? (unsigned int)(c - 'a') + 10 : UINT_MAX;
}

enum { MAX_STEPS = 1 << 14 };

bool machine_number(const char *text, size_t n, uint64_t *ret)
{
	unsigned int base = 10;
	uint64_t v = 0;

	if (n > 2 && text[0] == '0' && (text[1] | 0x20) == 'x') {
		base = 16;
		text += 2;
		n -= 2;
	}
	for (size_t i = 0; i < n; i++) {
		unsigned int digit = digit_of(text[i]);
		if (digit >= base || v > (UINT64_MAX - digit) / base)
			return false;
		v = v * base + digit;
	}
	*ret = v;
	return n > 0;
}

static const struct inq_cpu *cpu_of(const struct inq_machine *m, const struct inq_space *sp)
{
	for (uint32_t i = 0; i < m->nr_cpus; i++)
		if (m->cpus[i].virt == sp)
			return &m->cpus[i];
	return NULL;
}

static enum inq_status fail_unknown(const struct inq_machine *m, const char *text, size_t n,
				    struct inq_err *err)
{
	char names[160] = "";
	size_t len = 0;

	(void)inq_machine_kernel(m); /* it may bring a space */
	for (size_t i = 0; i < m->nr_spaces && len < sizeof(names) - 1; i++)
		len += (size_t)snprintf(names + len, sizeof(names) - len, "%s%s", i ? ", " : "",
					m->spaces[i]->name);
	if (len >= sizeof(names))
		memcpy(names + sizeof(names) - 4, "...", 4);
	return inq_fail(err, INQ_ENOTFOUND, "no space %.*s; there are %s", (int)(n < 40 ? n : 40),
			text, names);
}

static const struct inq_space *listed(const struct inq_machine *m, const char *text, size_t n)
{
	uint64_t cpu;

	if (n == strlen("kernel") && !memcmp(text, "kernel", n))
		return inq_machine_kernel(m)->virt;
	for (size_t i = 0; i < m->nr_spaces; i++)
		if (strlen(m->spaces[i]->name) == n && !memcmp(m->spaces[i]->name, text, n))
			return m->spaces[i];
	if (n > 3 && !memcmp(text, "cpu", 3) && machine_number(text + 3, n - 3, &cpu) &&
	    cpu < m->nr_cpus)
		return m->cpus[cpu].virt;
	return NULL;
}

/* How a CPU that sees lower as its physical memory translates: the first that is known. */
static void mode_over(const struct inq_machine *m, const struct inq_space *lower,
		      struct paging_mode *ret)
{
	(void)inq_machine_kernel(m); /* where no CPU tells, it may */
	for (size_t i = 0; i < m->nr_spaces; i++) {
		const struct paging_space *ps = paging_space_of(m->spaces[i]);
		if (!ps || ps->base.lower != lower || ps->mode.kind != PAGING_CPU ||
		    !ps->mode.levels)
			continue;
		*ret = ps->mode;
		return;
	}
	*ret = (struct paging_mode){.levels = 4, .nx = true, .gbpages = -1};
}

/* cr3=ROOT or cr3=ROOT@SPACE. */
static enum inq_status space_of_root(const struct inq_machine *m, const char *text, size_t n,
				     struct machine_where *ret, struct inq_err *err)
{
	const char *at = memchr(text, '@', n);
	size_t digits = (at ? (size_t)(at - text) : n) - 4;
	const struct inq_space *lower =
		at ? listed(m, at + 1, n - (size_t)(at + 1 - text)) : m->dump->phys;
	struct paging_mode mode;
	uint64_t root;

	if (!machine_number(text + 4, digits, &root))
		return inq_fail(err, INQ_EUSAGE, "%s: no page table root, as in cr3=0x1000",
				ret->name);
	if (!lower)
		return fail_unknown(m, at + 1, n - (size_t)(at + 1 - text), err);
	mode_over(m, lower, &mode);
	mode.pdptr_known = false; /* those are the running process's */
	mode.root = root & (mode.levels == 3 ? paging_bits(31, 5) : paging_bits(51, 12));
	paging_space_init(&ret->own, ret->name, lower, &mode);
	ret->space = &ret->own.base;
	return INQ_OK;
}

static void start(struct machine_where *w, const struct inq_machine *m, const char *text, size_t n)
{
	*w = (struct machine_where){.m = m};
	if (n >= sizeof(w->name))
		n = sizeof(w->name) - 1;
	for (size_t i = 0; i < n; i++)
		w->name[i] = text[i];
}

enum inq_status machine_space_nr(const struct inq_machine *m, int64_t space_id,
				 struct machine_where *ret, struct inq_err *err)
{
	char text[24];
	int n = snprintf(text, sizeof(text), "%" PRId64, space_id);

	start(ret, m, text, (size_t)n);
	if (space_id > (int64_t)m->nr_spaces)
		(void)inq_machine_kernel(m);
	for (size_t i = 0; i < m->nr_spaces; i++)
		if (m->spaces[i]->space_id == space_id)
			ret->space = m->spaces[i];
	if (!ret->space)
		return fail_unknown(m, text, (size_t)n, err);
	ret->cpu = cpu_of(m, ret->space);
	return INQ_OK;
}

enum inq_status machine_space_named(const struct inq_machine *m, const char *text, size_t n,
				    struct machine_where *ret, struct inq_err *err)
{
	uint64_t nr;

	if (n >= sizeof(ret->name))
		return inq_fail(err, INQ_EUSAGE, "%.40s...: no name of a space is so long", text);
	if (n > 3 && !memcmp(text, "cr3=", 4)) {
		start(ret, m, text, n);
		return space_of_root(m, text, n, ret, err);
	}
	if (machine_number(text, n, &nr) && nr <= INT64_MAX)
		return machine_space_nr(m, (int64_t)nr, ret, err);
	start(ret, m, text, n);
	ret->space = listed(m, text, n);
	if (!ret->space)
		return fail_unknown(m, text, n, err);
	ret->cpu = cpu_of(m, ret->space);
	return INQ_OK;
}

/* Its value as an address: rip and rsp are relative to a segment. */
static enum inq_status register_value(const struct machine_where *w, unsigned int r,
				      const char *name, uint64_t *ret, struct inq_err *err)
{
	const struct inq_regset *rs = &w->cpu->regs;

	if (!inq_reg_known(rs, r))
		return inq_fail(err, INQ_EABSENT, "%s: the dump does not tell register %s", w->name,
				name);
	*ret = rs->v[r];
	bool flat = x86_64_mode_of(rs) == X86_64_MODE_LONG;
	unsigned int base = r == X86_64_RSP ? X86_64_SS_BASE : X86_64_CS_BASE;
	if (flat || (r != X86_64_RSP && r != X86_64_RIP))
		return INQ_OK;
	if (!inq_reg_known(rs, base))
		return inq_fail(err, INQ_EABSENT, "%s: the dump does not tell the base of %s",
				w->name, name);
	*ret = (uint32_t)(*ret + rs->v[base]); /* SDM vol. 3, 3.3.1 */
	return INQ_OK;
}

/* May names of the kernel be meant there?  Not in physical memory, nor in an inner guest's. */
static bool has_names(const struct machine_where *w)
{
	const struct inq_kernel *k = inq_machine_kernel(w->m);
	const struct paging_space *ps = paging_space_of(w->space);

	return k->virt && (w->space == k->virt || (ps && ps->mode.kind == PAGING_CPU &&
						   w->space->lower == w->m->dump->phys));
}

static enum inq_status named_value(const struct machine_where *w, const char *name, uint64_t *ret,
				   struct inq_err *err)
{
	int r = w->cpu ? x86_64_reg_find(name) : -1;
	struct machine_name found = {0};

	if (r >= 0)
		return register_value(w, (unsigned int)r, name, ret, err);
	if (!has_names(w))
		return inq_fail(err, INQ_EUSAGE,
				"%.40s: no address; write 0x... or a decimal number%s", name,
				w->cpu ? ", or a register" : "");
	enum inq_status st = machine_name_addr(w->m, name, strlen(name),
					       w->cpu ? &w->cpu->index : NULL, &found, err);
	if (st == INQ_ENOTFOUND)
		return inq_fail(err, st, "%.80s: no number%s, and no name of the kernel", name,
				w->cpu ? ", no register" : "");
	*ret = found.addr;
	return st;
}

enum inq_status machine_address(const struct machine_where *w, const char *text, uint64_t *ret_addr,
				struct inq_err *err)
{
	size_t n = strcspn(text, "+-"), rest = strlen(text);
	char name[160];
	uint64_t base = 0, more = 0;
	enum inq_status st = INQ_OK;

	if (n >= sizeof(name) || !n)
		return inq_fail(err, INQ_EUSAGE, "%.40s: no address", text);
	memcpy(name, text, n);
	name[n] = '\0';
	if (!machine_number(name, n, &base))
		st = named_value(w, name, &base, err);
	if (!st && n < rest && !machine_number(text + n + 1, rest - n - 1, &more))
		return inq_fail(err, INQ_EUSAGE, "%.40s: no number behind the %c", text, text[n]);
	if (!st)
		*ret_addr = n < rest && text[n] == '-' ? base - more : base + more;
	return st;
}

/* A name needs no space: the kernel's is meant.  Numbers say nothing of theirs. */
static enum inq_status place_of_name(const struct inq_machine *m, const char *text,
				     struct machine_where *ret_where, uint64_t *ret_addr,
				     struct inq_err *err)
{
	uint64_t nr;

	if (!*text || machine_number(text, strcspn(text, "+-"), &nr) ||
	    !inq_machine_kernel(m)->virt)
		return inq_fail(err, INQ_EUSAGE, "%.40s: no SPACE:ADDRESS, as in phys:0x1000",
				text);
	enum inq_status st = machine_space_named(m, "kernel", strlen("kernel"), ret_where, err);
	return st ? st : machine_address(ret_where, text, ret_addr, err);
}

enum inq_status machine_place(const struct inq_machine *m, const char *text,
			      struct machine_where *ret_where, uint64_t *ret_addr,
			      struct inq_err *err)
{
	const char *colon = strrchr(text, ':');

	if (!colon)
		return place_of_name(m, text, ret_where, ret_addr, err);
	enum inq_status st = machine_space_named(m, text, (size_t)(colon - text), ret_where, err);
	return st ? st : machine_address(ret_where, colon + 1, ret_addr, err);
}

static bool next_extent(const struct inq_dump *d, uint64_t addr, uint64_t last, uint64_t *ret)
{
	size_t n = ORDER_BELOW(d->extents, d->nr_extents, last, addr);

	if (n == d->nr_extents || d->extents[n].first > last)
		return false;
	*ret = d->extents[n].first > addr ? d->extents[n].first : addr;
	return true;
}

/* Behind what the entry at which the walk ended would have mapped. */
static bool behind(const struct paging_mode *mode, const struct paging_walk *w, uint64_t addr,
		   uint64_t *ret)
{
	if (w->verdict == PAGING_TOO_WIDE)
		return false;
	if (w->verdict == PAGING_NONCANONICAL) {
		*ret = ~paging_bits(paging_shift(mode, mode->levels) + 7, 0);
		return mode->levels >= 4 && addr < *ret;
	}
	uint64_t size = UINT64_C(1)
			<< paging_shift(mode, w->nr_steps ? w->step[w->nr_steps - 1].level : 1);
	*ret = (addr | (size - 1)) + 1;
	return *ret > addr;
}

/* Only below 4 GiB SMRAM may lie where nothing else does: SMBASE has 32 bits. */
static bool next_physical(const struct inq_machine *m, const struct inq_space *sp, uint64_t addr,
			  uint64_t last, uint64_t *ret)
{
	if (sp == m->dump->phys || (sp == m->dump->smm && addr > UINT32_MAX))
		return next_extent(m->dump, addr, last, ret);
	*ret = addr;
	return true;
}

/*
 * steps: how many entries may still be looked at, of all spaces together.  Hostile tables map
 * 2^36 pages to where no memory is: who asks looks for himself when there are none left.
 */
static bool next_mapped(const struct inq_machine *m, const struct inq_space *sp, uint64_t addr,
			uint64_t last, unsigned int *steps, uint64_t *ret)
{
	const struct paging_space *ps = paging_space_of(sp);
	struct paging_walk w;
	uint64_t left, at;

	if (!ps)
		return addr <= last && next_physical(m, sp, addr, last, ret);
	for (; addr <= last && *steps; --*steps) {
		paging_walk(&ps->mode, sp->lower, addr, &w);
		if (w.verdict == PAGING_ABSENT)
			break;
		if (w.verdict != PAGING_OK) {
			if (!behind(&ps->mode, &w, addr, &addr))
				return false;
			continue;
		}
		left = ps->mode.levels ? (addr | (w.page_bytes - 1)) - addr : UINT64_MAX - addr;
		if (left > last - addr)
			left = last - addr;
		if (next_mapped(m, sp->lower, w.pa, w.pa + left, steps, &at)) {
			*ret = addr + (at - w.pa);
			return true;
		}
		if (left == last - addr)
			return false;
		addr += left + 1;
		if (!*steps)
			break;
	}
	*ret = addr;
	return addr <= last;
}

bool machine_space_next(const struct inq_machine *m, const struct inq_space *sp, uint64_t addr,
			uint64_t last, uint64_t *ret_addr)
{
	unsigned int steps = MAX_STEPS;

	return next_mapped(m, sp, addr, last, &steps, ret_addr);
}
