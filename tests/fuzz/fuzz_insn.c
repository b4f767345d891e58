/* Fuzz target: a mode, eight bytes of RIP, and what lies there. */
#include <stdlib.h>
#include <string.h>

#include "arch/x86_64/insn.h"
#include "base/span.h"
#include "tests/fuzz/must.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	struct span s = span_of(data, n);
	enum x86_64_mode mode = span_u8(&s) % (X86_64_MODE_LONG + 1);
	uint64_t rip = span_u64le(&s);
	struct x86_64_insn in, again;

	if (s.bad || x86_64_insn_decode(mode, rip, s.p, s.left, &in, NULL))
		return 0;
	MUST(in.len >= 1 && in.len <= X86_64_INSN_MAX && in.len <= s.left);
	MUST(memchr(in.text, 0, sizeof(in.text)) && in.text[0]);
	MUST(in.nr_ops <= X86_64_INSN_OPS);
	MUST(x86_64_insn_cc(&in) < 16);
	MUST(in.cls == X86_64_CLASS_JCC || x86_64_insn_cc(&in) == -1);
	/* what lies behind an instruction is no part of it */
	MUST(!x86_64_insn_decode(mode, rip, s.p, in.len, &again, NULL));
	MUST(again.len == in.len && again.cls == in.cls && !strcmp(again.text, in.text));
	return 0;
}
