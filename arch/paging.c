/*
 * Knows the shape of every x86 paging structure and which of its bits must be zero.
 * Source: SDM vol. 3, 4.2 to 4.7 (tables 4-3 to 4-20); APM vol. 2, chapter 5.
 */
#include "arch/paging.h"

#include <inttypes.h>

#include "arch/x86_64/regs.h"

enum { MAX_PHYS_BITS = 52, PSE36_BITS = 40 };

#define BIT(n) (UINT64_C(1) << (n))
#define ENTRY_P BIT(0)
#define ENTRY_RW BIT(1)
#define ENTRY_US BIT(2)
#define ENTRY_PS BIT(7)
#define ENTRY_XD BIT(63)

#define bits paging_bits
uint64_t paging_bits(int hi, int lo)
{
	if (lo > hi)
		return 0;
	return (UINT64_MAX >> (63 - hi)) & (UINT64_MAX << lo);
}

static enum inq_status need(const struct inq_regset *rs, enum x86_64_reg r, struct inq_err *err)
{
	if (inq_reg_known(rs, r))
		return INQ_OK;
	return inq_fail(err, INQ_EABSENT, "paging mode: %s is unknown", x86_64_reg_info[r].name);
}

static void load_pdptrs(const struct inq_regset *rs, struct paging_mode *m)
{
	m->pdptr_known = true;
	for (unsigned int i = 0; i < 4; i++) {
		m->pdptr[i] = rs->v[X86_64_PDPTR0 + i];
		if (!inq_reg_known(rs, X86_64_PDPTR0 + i))
			m->pdptr_known = false;
	}
}

/* CR4.PAE is set: legacy PAE or IA-32e. */
static void mode_pae(const struct inq_regset *rs, struct paging_mode *m)
{
	uint64_t cr3 = rs->v[X86_64_CR3];

	m->nx = !inq_reg_known(rs, X86_64_EFER) || (rs->v[X86_64_EFER] & X86_64_EFER_NXE);
	if (x86_64_long_mode(rs) == 1) {
		m->levels = rs->v[X86_64_CR4] & X86_64_CR4_LA57 ? 5 : 4;
		m->root = cr3 & bits(MAX_PHYS_BITS - 1, 12);
		return;
	}
	m->levels = 3;
	m->root = cr3 & bits(31, 5);
	load_pdptrs(rs, m);
}

enum inq_status paging_mode_of(const struct inq_regset *rs, int maxphyaddr, int gbpages,
			       struct paging_mode *ret_mode, struct inq_err *err)
{
	struct paging_mode m = {.gbpages = gbpages};
	enum inq_status st = need(rs, X86_64_CR0, err);

	if (st)
		return st;
	if (maxphyaddr >= 32) /* less is no CPU that ever was: unknown */
		m.maxphyaddr = maxphyaddr < MAX_PHYS_BITS ? maxphyaddr : MAX_PHYS_BITS;
	if (rs->v[X86_64_CR0] & X86_64_CR0_PG) {
		if ((st = need(rs, X86_64_CR3, err)) || (st = need(rs, X86_64_CR4, err)))
			return st;
		if (rs->v[X86_64_CR4] & X86_64_CR4_PAE) {
			if (x86_64_long_mode(rs) < 0 && (st = need(rs, X86_64_EFER, err)))
				return st;
			mode_pae(rs, &m);
		} else {
			m.levels = 2;
			m.pse = rs->v[X86_64_CR4] & X86_64_CR4_PSE;
			m.root = rs->v[X86_64_CR3] & bits(31, 12);
		}
	}
	*ret_mode = m;
	return INQ_OK;
}

static enum paging_verdict judge_address(const struct paging_mode *m, uint64_t va)
{
	if (m->kind != PAGING_CPU) /* no sign: what is above the tables' reach must be zero */
		return m->levels < 4 ? va >> 32 ? PAGING_TOO_WIDE : PAGING_OK
		       : va >> (paging_shift(m, m->levels) + 9) ? PAGING_TOO_WIDE
								: PAGING_OK;
	if (m->levels < 4)
		return va <= UINT32_MAX ? PAGING_OK : PAGING_NONCANONICAL;
	int64_t top = (int64_t)va >> (m->levels == 5 ? 56 : 47);
	return top == 0 || top == -1 ? PAGING_OK : PAGING_NONCANONICAL;
}

int paging_shift(const struct paging_mode *m, int level)
{
	return 12 + (level - 1) * (m->levels == 2 ? 10 : 9);
}

unsigned int paging_index(const struct paging_mode *m, int level, uint64_t va)
{
	return (unsigned int)(va >> paging_shift(m, level)) & (m->levels == 2 ? 0x3ff : 0x1ff);
}

bool paging_is_leaf(const struct paging_mode *m, int level, uint64_t entry)
{
	if (level == 1)
		return true;
	if (!(entry & ENTRY_PS))
		return false;
	return level == 2 ? m->levels > 2 || m->pse : level == 3 && m->levels > 3;
}

/* 32-bit paging has reserved bits in a PDE of 4 MiB only: address bits that this CPU lacks. */
static uint64_t reserved_pse36(const struct paging_mode *m, int level, bool leaf)
{
	int width = m->maxphyaddr && m->maxphyaddr < PSE36_BITS ? m->maxphyaddr : PSE36_BITS;

	return leaf && level == 2 ? bits(21, width - 19) : 0;
}

uint64_t paging_reserved_bits(const struct paging_mode *m, int level, bool leaf)
{
	if (m->kind == PAGING_EPT)
		return paging_ept_reserved(m, level, leaf);
	if (m->levels == 2)
		return reserved_pse36(m, level, leaf);

	uint64_t r = bits(MAX_PHYS_BITS - 1, m->maxphyaddr ? m->maxphyaddr : MAX_PHYS_BITS);
	if (m->levels == 3 && level == 3)
		return r | bits(63, MAX_PHYS_BITS) | bits(8, 5) | bits(2, 1);
	if (m->levels == 3)
		r |= bits(62, MAX_PHYS_BITS);
	if (!m->nx)
		r |= ENTRY_XD;
	if (level >= 4)
		r |= ENTRY_PS;
	if (leaf && level > 1)
		r |= bits(paging_shift(m, level) - 1, 13);
	return r;
}

bool paging_is_present(const struct paging_mode *m, uint64_t entry)
{
	if (m->kind == PAGING_EPT)
		return entry & (bits(2, 0) | (m->mbec ? BIT(10) : 0));
	return entry & ENTRY_P;
}

static bool has_rights(const struct paging_mode *m, int level)
{
	return m->levels != 3 || level != 3; /* a legacy PDPTE has none */
}

enum paging_verdict paging_judge(const struct paging_mode *m, int level, uint64_t entry)
{
	bool leaf = paging_is_leaf(m, level, entry);

	if (!paging_is_present(m, entry))
		return PAGING_NOT_PRESENT;
	if (leaf && level == 3 && m->gbpages == 0)
		return PAGING_NO_GBPAGES;
	if (m->kind == PAGING_EPT)
		return paging_ept_judge(m, level, entry);
	if (entry & paging_reserved_bits(m, level, leaf))
		return PAGING_RESERVED;
	if (m->kind == PAGING_NPT && has_rights(m, level) && !(entry & ENTRY_US))
		return PAGING_SUPERVISOR;
	return PAGING_OK;
}

static void combine_rights(const struct paging_mode *m, int level, uint64_t entry,
			   struct paging_walk *w)
{
	if (!has_rights(m, level))
		return;
	if (m->kind == PAGING_EPT) {
		w->unreadable = w->unreadable || !(entry & BIT(0));
		w->writable = w->writable && (entry & BIT(1));
		w->nx = w->nx || !(entry & (BIT(2) | (m->mbec ? BIT(10) : 0)));
		return;
	}
	w->writable = w->writable && (entry & ENTRY_RW);
	w->user = w->user && (entry & ENTRY_US);
	w->nx = w->nx || (m->levels > 2 && (entry & ENTRY_XD));
}

static uint64_t page_address(const struct paging_mode *m, int level, uint64_t entry)
{
	if (m->levels == 2 && level == 2) /* PSE-36: bits 20:13 are address bits 39:32 */
		return (entry & bits(31, 22)) | (entry & bits(20, 13)) << 19;
	return entry & bits(MAX_PHYS_BITS - 1, paging_shift(m, level));
}

static enum paging_verdict fetch(const struct paging_mode *m, const struct inq_space *phys,
				 uint64_t table, uint64_t va, struct paging_step *step)
{
	unsigned int index = paging_index(m, step->level, va);
	size_t width = m->levels == 2 ? 4 : 8;
	uint8_t raw[8] = {0};

	if (m->levels == 3 && step->level == 3 && m->pdptr_known) {
		step->entry_addr = index;
		step->entry = m->pdptr[index & 3];
		return PAGING_OK;
	}
	step->entry_addr = table + index * width;
	enum inq_status st = inq_read(phys, step->entry_addr, raw, width, NULL);
	if (st)
		return st == INQ_EABSENT ? PAGING_ABSENT : PAGING_UNREADABLE;
	for (size_t i = 0; i < width; i++)
		step->entry |= (uint64_t)raw[i] << (8 * i);
	return PAGING_OK;
}

void paging_walk(const struct paging_mode *m, const struct inq_space *phys, uint64_t va,
		 struct paging_walk *ret)
{
	uint64_t table = m->root;

	*ret = (struct paging_walk){.writable = true, .user = true, .page_bytes = 4096};
	if (m->levels && (ret->verdict = judge_address(m, va)))
		return;
	ret->pa = va;
	for (int level = m->levels; level > 0; level--) {
		struct paging_step *step = &ret->step[ret->nr_steps++];

		*step = (struct paging_step){.level = level};
		step->verdict = fetch(m, phys, table, va, step);
		if (step->verdict == PAGING_OK)
			step->verdict = paging_judge(m, level, step->entry);
		ret->verdict = step->verdict;
		if (ret->verdict != PAGING_OK)
			return;
		combine_rights(m, level, step->entry, ret);
		if (paging_is_leaf(m, level, step->entry)) {
			ret->page_bytes = BIT(paging_shift(m, level));
			ret->pa =
				page_address(m, level, step->entry) | (va & (ret->page_bytes - 1));
			return;
		}
		table = step->entry & bits(m->levels == 2 ? 31 : MAX_PHYS_BITS - 1, 12);
	}
}
