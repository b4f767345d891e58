/*
 * Fuzz target: an ORC table and a stack.  A count of entries, RSP's and RBP's offsets in the stack,
 * then the addresses, the entries, and words of the stack, all of which is also the code.
 */
#include <stdint.h>
#include <string.h>

#include "arch/x86_64/unwind.h"
#include "base/span.h"
#include "symbols/orc.h"
#include "tests/fuzz/must.h"

#define BYTES UINT64_C(0xffffffff81000000)
enum { STEPS = 32 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

static enum inq_status read_span(void *ctx, uint64_t addr, void *buf, size_t n, struct inq_err *err)
{
	const struct span *s = ctx;

	if (addr < BYTES || addr - BYTES > s->left || n > s->left - (addr - BYTES))
		return inq_fail_at(err, INQ_EFAULT, addr, "not mapped");
	memcpy(buf, s->p + (addr - BYTES), n);
	return INQ_OK;
}

static bool is_code(void *ctx, uint64_t addr)
{
	const struct span *s = ctx;

	return addr >= BYTES && addr - BYTES < s->left;
}

static bool step(const struct symbols_orc *o, const struct x86_64_memory *mem,
		 struct x86_64_frame *f)
{
	struct x86_64_frame up;
	struct inq_unwind_rule r;
	struct inq_err err = {0};

	if (!o || symbols_orc_find(o, f->v[X86_64_RIP], &r, &err) ||
	    x86_64_unwind_rule(f, &r, mem, &up, &err)) {
		if (x86_64_unwind_bp(f, mem, &up, &err) &&
		    x86_64_unwind_scan(f->v[X86_64_RSP], UINT64_MAX, mem, &up, &err)) {
			MUST(err.status && err.msg[0]);
			return false;
		}
		MUST(up.v[X86_64_RSP] > f->v[X86_64_RSP] && is_code(mem->ctx, up.v[X86_64_RIP]));
	}
	MUST(x86_64_frame_known(&up, X86_64_RIP) && x86_64_frame_known(&up, X86_64_RSP));
	*f = up;
	return true;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	struct span s = span_of(data, n);
	uint64_t nr = span_u8(&s), rsp = span_u16le(&s), rbp = span_u16le(&s);
	struct x86_64_memory mem = {read_span, is_code, &s};
	struct x86_64_frame f = {0};
	struct symbols_orc o;

	if (s.bad)
		return 0;
	bool have = !symbols_orc_open(read_span, &s, BYTES, BYTES + 4 * nr, nr, NULL, &o, NULL);
	MUST(!have || o.first <= o.last);
	x86_64_frame_set(&f, X86_64_RIP, have ? o.first : BYTES);
	x86_64_frame_set(&f, X86_64_RSP, BYTES + rsp);
	x86_64_frame_set(&f, X86_64_RBP, BYTES + rbp);
	for (int i = 0; i < STEPS && step(have ? &o : NULL, &mem, &f); i++)
		;
	return 0;
}
