/* Knows what conditions mean as comparisons.  Source: SDM vol. 1, appendix B.1 (EFLAGS conditions).
 */
#include "analyzers/loopcond.h"

#include <inttypes.h>
#include <stdio.h>

/* The comparison that condition cc states after CMP value, rhs. */
static const char *relation(int cc)
{
	static const char *const rel[16] = {
		[0x2] = "< (unsigned)", [0x3] = ">= (unsigned)", [0x4] = "==",
		[0x5] = "!=",           [0x6] = "<= (unsigned)", [0x7] = "> (unsigned)",
		[0xc] = "< (signed)",   [0xd] = ">= (signed)",   [0xe] = "<= (signed)",
		[0xf] = "> (signed)",
	};
	return rel[cc & 15];
}

/* The same comparison with the sides changed over. */
static int swap_sides(int cc)
{
	switch (cc) {
	case 0x2:
		return 0x7;
	case 0x7:
		return 0x2;
	case 0x3:
		return 0x6;
	case 0x6:
		return 0x3;
	case 0xc:
		return 0xf;
	case 0xf:
		return 0xc;
	case 0xd:
		return 0xe;
	case 0xe:
		return 0xd;
	default:
		return cc;
	}
}

/* "value", "value >> 3 & 0xff", ... : the expression that was compared. */
static void put_expression(char *buf, size_t n, const struct eval_sym *sym, unsigned int bytes,
			   unsigned int load_bytes)
{
	uint64_t m = sym->mask & eval_mask(bytes);
	char shifted[32] = "value";

	if (sym->shift)
		snprintf(shifted, sizeof(shifted), "(value >> %u)", sym->shift);
	if (m == eval_mask(load_bytes) >> (sym->shift < 64 ? sym->shift : 63))
		snprintf(buf, n, "%s", shifted);
	else
		snprintf(buf, n, "(%s & 0x%" PRIx64 ")", shifted, m);
}

/* A load value whose compared part becomes want, all other bits as they are. */
static void try_part(struct loopcond *c, const struct eval_sym *sym, const struct eval_load *g,
		     uint64_t want)
{
	uint64_t part = sym->mask << sym->shift;

	if (c->nr_tries < LOOPCOND_TRIES)
		c->tries[c->nr_tries++] =
			((g->value & ~part) | (((want - sym->add) << sym->shift) & part)) &
			eval_mask(g->bytes);
}

static bool of_cmp(const struct eval_flags *f, int cc, const struct eval_load *g,
		   struct loopcond *ret)
{
	char ex[64];
	int rel = f->swapped ? swap_sides(cc) : cc;
	uint64_t m = eval_mask(f->bytes), add = f->sym.add & m, rhs = f->rhs & m;

	if (!relation(rel))
		return false;
	put_expression(ex, sizeof(ex), &f->sym, f->bytes, g->bytes);
	if (!add || rel == 0x4 || rel == 0x5) /* an order does not survive a wrap */
		snprintf(ret->text, sizeof(ret->text), "%s %s 0x%" PRIx64, ex, relation(rel),
			 (rhs - add) & m);
	else
		snprintf(ret->text, sizeof(ret->text), "(%s + 0x%" PRIx64 ") %s 0x%" PRIx64, ex,
			 add, relation(rel), rhs);
	try_part(ret, &f->sym, g, f->rhs & m);
	try_part(ret, &f->sym, g, (f->rhs + 1) & m);
	try_part(ret, &f->sym, g, (f->rhs - 1) & m);
	return true;
}

static bool of_test(const struct eval_flags *f, int cc, const struct eval_load *g,
		    struct loopcond *ret)
{
	char ex[64];
	uint64_t low = f->rhs & -f->rhs;

	if (relation(cc) && cc != 0x2 && cc != 0x3 && cc != 0x4 && cc != 0x5 &&
	    f->rhs == eval_mask(f->bytes)) { /* TEST r, r: against zero, CF and OF are clear */
		struct eval_flags zero = *f;
		zero.rhs = 0;
		return of_cmp(&zero, cc, g, ret);
	}
	put_expression(ex, sizeof(ex), &f->sym, f->bytes, g->bytes);
	if (cc == 0x4 || cc == 0x5) {
		snprintf(ret->text, sizeof(ret->text), "%s %s 0x0", ex, cc == 0x4 ? "==" : "!=");
	} else if (cc == 0x8 || cc == 0x9) {
		low = (UINT64_C(1) << (8 * f->bytes - 1)) & f->rhs;
		snprintf(ret->text, sizeof(ret->text), "bit %d of %s is %s", 8 * f->bytes - 1, ex,
			 cc == 0x8 ? "set" : "clear");
	} else {
		return false;
	}
	try_part(ret, &f->sym, g, cc == 0x4 || cc == 0x9 ? 0 : low);
	try_part(ret, &f->sym, g, f->rhs);
	return true;
}

static bool of_bit(const struct eval_flags *f, int cc, const struct eval_load *g,
		   struct loopcond *ret)
{
	uint64_t bit = UINT64_C(1) << (f->rhs & 63);
	unsigned int nr = (unsigned int)(f->rhs & 63) + f->sym.shift;

	if (cc != 0x2 && cc != 0x3)
		return false;
	snprintf(ret->text, sizeof(ret->text), "bit %u of value is %s", nr,
		 cc == 0x2 ? "set" : "clear");
	uint64_t now = g->value >> f->sym.shift & f->sym.mask;
	try_part(ret, &f->sym, g, cc == 0x2 ? now | bit : now & ~bit);
	return true;
}

bool loopcond_of(const struct eval_flags *f, int cc, bool taken, const struct eval_load *g,
		 struct loopcond *ret)
{
	*ret = (struct loopcond){.nr_tries = 0};
	if (cc < 0)
		return false;
	cc = taken ? cc : cc ^ 1;
	switch (f->about) {
	case EVAL_ABOUT_CMP:
		return of_cmp(f, cc, g, ret);
	case EVAL_ABOUT_SUM:
		return (cc == 0x4 || cc == 0x5) && of_cmp(f, cc, g, ret);
	case EVAL_ABOUT_TEST:
		return of_test(f, cc, g, ret);
	case EVAL_ABOUT_BIT:
		return of_bit(f, cc, g, ret);
	case EVAL_ABOUT_NONE:
		break;
	}
	return false;
}
