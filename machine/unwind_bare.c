/*
 * Knows how far a stack can be climbed without anybody's tables: in firmware, in a hypervisor, in a
 * guest.  Frame pointers lead, else words that are the address of code right behind a call.
 * Source: APM vol. 2, 10.3.1 (where the handler of an SMI begins).
 */
#include <inttypes.h>
#include <string.h>

#include "machine/unwind_parts.h"

enum { BARE_FRAMES = 32, SMI_ENTRY = 0x8000, SMI_SAVED = 0xfc00 };

/* One such world; a return address into it is all that can be asked of. */
struct bare {
	struct x86_64_memory mem;
	const struct inq_space *virt;
	uint64_t first, last; /* that callers of the present frame can lie in */
	bool is_entry;        /* it is where the handler of an SMI begins */
	bool smbase_known;    /* the CPU is in SMM */
	uint64_t smbase;
};

static enum inq_status read_bare(void *ctx, uint64_t addr, void *buf, size_t n, struct inq_err *err)
{
	const struct bare *b = ctx;

	return inq_read(b->virt, addr, buf, n, err);
}

static bool is_code(void *ctx, uint64_t addr)
{
	const struct bare *b = ctx;

	return addr >= b->first && addr <= b->last;
}

/* Half of the address space is the kernel's; the first page is nobody's. */
static void set_range(struct bare *b, uint64_t pc)
{
	const uint64_t half = UINT64_C(1) << 63;

	b->is_entry = b->smbase_known && pc - b->smbase >= SMI_ENTRY && pc - b->smbase < SMI_SAVED;
	b->first = pc & half ? half : 4096;
	b->last = pc & half ? UINT64_MAX : half - 1;
	if (b->is_entry) { /* where the handler begins, nobody from outside has called */
		b->first = b->smbase + SMI_ENTRY;
		b->last = b->smbase + SMI_SAVED - 1;
	}
}

static bool step(struct bare *b, struct x86_64_frame *f, const char **ret_how, struct inq_err *why)
{
	struct x86_64_frame up = {0};

	if (!x86_64_frame_known(f, X86_64_RSP)) {
		inq_fail(why, INQ_EABSENT, "rsp is not known here");
		return false;
	}
	set_range(b, f->v[X86_64_RIP]);
	*ret_how = "frame pointer";
	if (x86_64_unwind_bp(f, &b->mem, &up, NULL)) {
		*ret_how = "scan";
		if (x86_64_unwind_scan(f->v[X86_64_RSP], UINT64_MAX, &b->mem, &up, why))
			return false;
	}
	*f = up;
	return true;
}

static bool is_64bit(const struct inq_regset *rs)
{
	enum x86_64_mode mode = x86_64_mode_of(rs);

	return mode == X86_64_MODE_LONG || /* what is saved of a segment does not always tell */
	       (mode == X86_64_MODE_UNKNOWN && x86_64_long_mode(rs) == 1);
}

static bool is_user(const struct inq_regset *rs, const struct x86_64_frame *f)
{
	return x86_64_frame_is_user(f) && x86_64_mode_of(rs) != X86_64_MODE_REAL;
}

/* What ends the climb before it begins; false: nothing. */
static bool ends_at_once(const struct inq_regset *rs, const struct x86_64_frame *f,
			 const struct inq_space *virt, struct unwind_stack *ret)
{
	if (is_user(rs, f))
		unwind_end(ret, true, "user mode");
	else if (!virt)
		unwind_end(ret, false,
			   "cut: what decides how its addresses are translated is "
			   "not in the dump");
	else if (!is_64bit(rs))
		unwind_end(ret, false, "cut: stacks of %s mode are not climbed",
			   x86_64_mode_name(x86_64_mode_of(rs)));
	else
		return false;
	return true;
}

static void climb(struct bare *b, struct x86_64_frame *f, const char *mode,
		  struct unwind_stack *ret)
{
	struct inq_err why = {0};
	const char *how;

	for (int i = 1; i < BARE_FRAMES && step(b, f, &how, &why); i++)
		if (!unwind_add(ret, f, how, mode))
			break;
	if (!why.status)
		unwind_end(ret, false, "cut: more frames than are climbed without tables");
	else if (b->is_entry)
		unwind_end(ret, true, "where the handler of the SMI begins");
	else
		unwind_end(ret, false, "cut: %.*s", UNWIND_NOTE - 8, why.msg);
}

struct unwind_frame *unwind_bare(const struct inq_regset *rs, const char *how, const char *mode,
				 const struct inq_space *virt, struct unwind_stack *ret)
{
	struct bare b = {.virt = virt,
			 .smbase_known = inq_reg_known(rs, X86_64_SMM) && rs->v[X86_64_SMM] &&
					 inq_reg_known(rs, X86_64_SMBASE),
			 .smbase = rs->v[X86_64_SMBASE]};
	struct x86_64_frame f;
	uint64_t pc = 0;

	b.mem = (struct x86_64_memory){read_bare, is_code, &b};
	x86_64_frame_of(rs, &f);
	if (!x86_64_frame_known(&f, X86_64_RIP)) {
		unwind_end(ret, false, "cut: rip is not known here");
		return NULL;
	}
	if (x86_64_linear_rip(rs, &pc))
		f.v[X86_64_RIP] = pc;
	bool to_user = is_user(rs, &f) && !strcmp(mode, "kernel");
	struct unwind_frame *first = unwind_add(ret, &f, how, to_user ? "user" : mode);
	if (!first)
		return NULL;
	if (ends_at_once(rs, &f, virt, ret))
		return first;
	climb(&b, &f, mode, ret);
	return first;
}
