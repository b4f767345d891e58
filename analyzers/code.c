/* Knows how RIP becomes bytes: segment base, the mode's wrapping, a fetch that may end at a page.
 */
#include "analyzers/code.h"

#include <inttypes.h>

enum { PAGE = 4096 };

uint64_t code_linear(const struct inq_cpu *cpu, enum x86_64_mode mode, uint64_t seg_base,
		     uint64_t offset)
{
	(void)cpu;
	/* SDM vol. 3, 3.3.1: outside 64-bit mode linear addresses are 32 bits wide */
	return mode == X86_64_MODE_LONG ? seg_base + offset : (uint32_t)(seg_base + offset);
}

/* As many bytes as can be read, at least one. */
static enum inq_status fetch_bytes(const struct inq_cpu *cpu, uint64_t linear, uint8_t *buf,
				   size_t *ret_n, struct inq_err *err)
{
	size_t n = X86_64_INSN_MAX, in_page = PAGE - linear % PAGE;
	enum inq_status st = inq_read(cpu->virt, linear, buf, n, err);

	if (st && in_page < n) {
		n = in_page;
		st = inq_read(cpu->virt, linear, buf, n, err);
	}
	if (!st)
		*ret_n = n;
	return st;
}

enum inq_status code_fetch(const struct inq_cpu *cpu, uint64_t rip, struct x86_64_insn *ret_insn,
			   struct inq_err *err)
{
	enum x86_64_mode mode = x86_64_mode_of(&cpu->regs);
	uint8_t buf[X86_64_INSN_MAX];
	uint64_t base = 0;
	size_t n = 0;

	if (mode == X86_64_MODE_UNKNOWN || !cpu->virt)
		return inq_fail(err, INQ_EUNSUPPORTED, "cpu %" PRIu32 ": its mode is unknown",
				cpu->index);
	if (mode != X86_64_MODE_LONG) {
		if (!inq_reg_known(&cpu->regs, X86_64_CS_BASE))
			return inq_fail(err, INQ_EUNSUPPORTED,
					"cpu %" PRIu32 ": cs.base is unknown", cpu->index);
		base = cpu->regs.v[X86_64_CS_BASE];
	}
	enum inq_status st = fetch_bytes(cpu, code_linear(cpu, mode, base, rip), buf, &n, err);
	if (!st)
		st = x86_64_insn_decode(mode, rip, buf, n, ret_insn, err);
	return inq_wrap(err, st, "code at 0x%" PRIx64, rip);
}
