/*
 * Knows how Zydis says what an instruction is, and how short addresses and immediates extend.
 * Source: SDM vol. 2, chapter 2 and appendix B.1.
 */
#include "arch/x86_64/insn.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "arch/x86_64/insn_class.h"

static const struct {
	ZydisMachineMode machine;
	ZydisStackWidth stack;
} decoders[] = {
	[X86_64_MODE_REAL] = {ZYDIS_MACHINE_MODE_REAL_16, ZYDIS_STACK_WIDTH_16},
	[X86_64_MODE_VM86] = {ZYDIS_MACHINE_MODE_REAL_16, ZYDIS_STACK_WIDTH_16},
	[X86_64_MODE_PROT16] = {ZYDIS_MACHINE_MODE_LEGACY_16, ZYDIS_STACK_WIDTH_16},
	[X86_64_MODE_PROT32] = {ZYDIS_MACHINE_MODE_LEGACY_32, ZYDIS_STACK_WIDTH_32},
	[X86_64_MODE_COMPAT16] = {ZYDIS_MACHINE_MODE_LONG_COMPAT_16, ZYDIS_STACK_WIDTH_16},
	[X86_64_MODE_COMPAT32] = {ZYDIS_MACHINE_MODE_LONG_COMPAT_32, ZYDIS_STACK_WIDTH_32},
	[X86_64_MODE_LONG] = {ZYDIS_MACHINE_MODE_LONG_64, ZYDIS_STACK_WIDTH_64},
};

static uint64_t mask_of(unsigned int bits)
{
	return bits < 64 ? (UINT64_C(1) << bits) - 1 : UINT64_MAX;
}

static int64_t sign_extend(uint64_t v, unsigned int bits)
{
	if (!bits || bits >= 64)
		return (int64_t)v;
	uint64_t sign = UINT64_C(1) << (bits - 1);
	return (int64_t)(((v & mask_of(bits)) ^ sign) - sign);
}

/* Outside 64-bit mode a branch wraps at its operand size. */
static uint64_t branch_target(const ZydisDecodedInstruction *zi, const ZydisDecodedOperand *op,
			      uint64_t rip)
{
	unsigned int bits = zi->machine_mode == ZYDIS_MACHINE_MODE_LONG_64 ? 64 : zi->operand_width;

	return (rip + zi->length + op->imm.value.u) & mask_of(bits);
}

/* RIP-relative, with an address-size prefix EIP-relative: the address; else the displacement. */
static uint64_t mem_disp(const ZydisDecodedInstruction *zi, const ZydisDecodedOperand *op,
			 uint64_t rip)
{
	uint64_t disp = (uint64_t)op->mem.disp.value;

	if (op->mem.base == ZYDIS_REGISTER_RIP || op->mem.base == ZYDIS_REGISTER_EIP)
		return (rip + zi->length + disp) & mask_of(zi->address_width);
	return disp;
}

static int general_register(ZydisRegister r)
{
	ZydisRegister full = ZydisRegisterGetLargestEnclosing(ZYDIS_MACHINE_MODE_LONG_64, r);

	if (full < ZYDIS_REGISTER_RAX || full > ZYDIS_REGISTER_R15)
		return -1;
	return X86_64_RAX + (int)(full - ZYDIS_REGISTER_RAX);
}

/* -1 never comes back: an operand without a segment (LEA) counts as DS. */
static int segment_register(ZydisRegister r)
{
	static const int segs[] = {X86_64_ES_SEL, X86_64_CS_SEL, X86_64_SS_SEL,
				   X86_64_DS_SEL, X86_64_FS_SEL, X86_64_GS_SEL};

	if (r < ZYDIS_REGISTER_ES || r > ZYDIS_REGISTER_GS)
		return X86_64_DS_SEL;
	return segs[r - ZYDIS_REGISTER_ES];
}

static void fill_mem(const ZydisDecodedInstruction *zi, const ZydisDecodedOperand *zo, uint64_t rip,
		     struct x86_64_op *op)
{
	op->kind = X86_64_OP_MEM;
	op->base = general_register(zo->mem.base);
	op->index = general_register(zo->mem.index);
	op->seg = segment_register(zo->mem.segment);
	op->scale = zo->mem.scale;
	op->disp = (int64_t)mem_disp(zi, zo, rip);
	op->agen = zo->mem.type == ZYDIS_MEMOP_TYPE_AGEN;
	if (op->agen)
		op->read = op->write = false;
}

static void fill_op(const ZydisDecodedInstruction *zi, const ZydisDecodedOperand *zo, uint64_t rip,
		    struct x86_64_op *op)
{
	*op = (struct x86_64_op){
		.bytes = (uint8_t)(zo->size / 8),
		.read = zo->actions & ZYDIS_OPERAND_ACTION_MASK_READ,
		.write = zo->actions & ZYDIS_OPERAND_ACTION_MASK_WRITE,
		.reg = -1,
		.base = -1,
		.index = -1,
		.seg = X86_64_DS_SEL,
	};
	if (zo->type == ZYDIS_OPERAND_TYPE_REGISTER) {
		op->kind = X86_64_OP_REG;
		op->reg = general_register(zo->reg.value);
		if (zo->reg.value >= ZYDIS_REGISTER_AH && zo->reg.value <= ZYDIS_REGISTER_BH)
			op->shift = 8;
	} else if (zo->type == ZYDIS_OPERAND_TYPE_MEMORY) {
		fill_mem(zi, zo, rip, op);
	} else if (zo->type == ZYDIS_OPERAND_TYPE_IMMEDIATE) {
		op->kind = X86_64_OP_IMM;
		op->imm = sign_extend(zo->imm.value.u, zo->size);
	}
}

/* Zydis does not wrap a branch at 32 bits; shift the instruction so that its sum comes out right.
 */
static ZyanStatus print_address(const ZydisFormatter *f, ZydisFormatterBuffer *buf,
				ZydisFormatterContext *ctx)
{
	const ZydisFormatterFunc *original = ctx->user_data;
	const ZydisDecodedOperand *op = ctx->operand;
	uint64_t rip = ctx->runtime_address;

	if (op->type == ZYDIS_OPERAND_TYPE_IMMEDIATE)
		ctx->runtime_address = branch_target(ctx->instruction, op, rip) -
				       ctx->instruction->length - op->imm.value.u;
	ZyanStatus st = (*original)(f, buf, ctx);
	ctx->runtime_address = rip;
	return st;
}

static bool formatter_init(ZydisFormatter *f, ZydisFormatterFunc *ret_original)
{
	static const ZydisFormatterProperty plain[] = {
		ZYDIS_FORMATTER_PROP_ADDR_PADDING_ABSOLUTE,
		ZYDIS_FORMATTER_PROP_ADDR_PADDING_RELATIVE,
		ZYDIS_FORMATTER_PROP_DISP_PADDING,
		ZYDIS_FORMATTER_PROP_IMM_PADDING,
	};
	ZydisFormatterFunc mine = print_address;
	const void *hook;

	if (ZYAN_FAILED(ZydisFormatterInit(f, ZYDIS_FORMATTER_STYLE_INTEL)))
		return false;
	for (size_t i = 0; i < sizeof(plain) / sizeof(*plain); i++)
		if (ZYAN_FAILED(ZydisFormatterSetProperty(f, plain[i], ZYDIS_PADDING_DISABLED)))
			return false;
	memcpy(&hook, &mine, sizeof(hook));
	if (ZYAN_FAILED(
		    ZydisFormatterSetProperty(f, ZYDIS_FORMATTER_PROP_HEX_UPPERCASE, ZYAN_FALSE)) ||
	    ZYAN_FAILED(ZydisFormatterSetProperty(f, ZYDIS_FORMATTER_PROP_FORCE_SIZE, ZYAN_TRUE)) ||
	    ZYAN_FAILED(ZydisFormatterSetHook(f, ZYDIS_FORMATTER_FUNC_PRINT_ADDRESS_ABS, &hook)))
		return false;
	memcpy(ret_original, &hook, sizeof(hook));
	return true;
}

static void fill_text(const ZydisDecodedInstruction *zi, const ZydisDecodedOperand *op,
		      uint64_t rip, char text[X86_64_INSN_TEXT])
{
	ZydisFormatter f;
	ZydisFormatterFunc original;

	if (!formatter_init(&f, &original) ||
	    ZYAN_FAILED(ZydisFormatterFormatInstruction(&f, zi, op, zi->operand_count_visible, text,
							X86_64_INSN_TEXT, rip, &original)))
		(void)snprintf(text, X86_64_INSN_TEXT, "(%s)",
			       ZydisMnemonicGetString(zi->mnemonic));
}

static void fill_insn(const ZydisDecodedInstruction *zi, const ZydisDecodedOperand *op,
		      struct x86_64_insn *ret)
{
	ret->len = zi->length;
	ret->cls = x86_64_insn_class_of(zi, op);
	ret->mn = x86_64_insn_mn_of(zi->mnemonic);
	ret->addr_bits = zi->address_width;
	ret->op_bits = zi->operand_width;
	ret->lock = zi->attributes & ZYDIS_ATTRIB_HAS_LOCK;
	ret->rep = zi->attributes &
		   (ZYDIS_ATTRIB_HAS_REP | ZYDIS_ATTRIB_HAS_REPE | ZYDIS_ATTRIB_HAS_REPNE);
	if (ret->cls == X86_64_CLASS_JMP || ret->cls == X86_64_CLASS_JCC ||
	    ret->cls == X86_64_CLASS_CALL)
		ret->target = branch_target(zi, &op[0], ret->rip);
	for (size_t i = 0; i < zi->operand_count; i++) {
		int reg = op[i].type == ZYDIS_OPERAND_TYPE_REGISTER
				  ? general_register(op[i].reg.value)
				  : -1;
		if (reg >= 0 && op[i].actions & ZYDIS_OPERAND_ACTION_MASK_WRITE)
			ret->writes |= (uint16_t)(1u << (reg - X86_64_RAX));
	}
	for (size_t i = 0; i < zi->operand_count_visible && ret->nr_ops < X86_64_INSN_OPS; i++)
		fill_op(zi, &op[i], ret->rip, &ret->op[ret->nr_ops++]);
	fill_text(zi, op, ret->rip, ret->text);
}

enum inq_status x86_64_insn_decode(enum x86_64_mode mode, uint64_t rip, const void *bytes, size_t n,
				   struct x86_64_insn *ret, struct inq_err *err)
{
	ZydisDecoder dec;
	ZydisDecodedInstruction zi;
	ZydisDecodedOperand op[ZYDIS_MAX_OPERAND_COUNT];

	if (mode == X86_64_MODE_UNKNOWN)
		return inq_fail_at(err, INQ_EABSENT, rip, "rip 0x%" PRIx64 ": code size is unknown",
				   rip);
	if (n > X86_64_INSN_MAX)
		n = X86_64_INSN_MAX;
	if (ZYAN_FAILED(ZydisDecoderInit(&dec, decoders[mode].machine, decoders[mode].stack)))
		return inq_fail(err, INQ_EUSAGE, "no decoder for mode %d", (int)mode);

	ZyanStatus st =
		n ? ZydisDecoderDecodeFull(&dec, bytes, n, &zi, op) : ZYDIS_STATUS_NO_MORE_DATA;
	if (st == ZYDIS_STATUS_NO_MORE_DATA && n < X86_64_INSN_MAX)
		return inq_fail_at(err, INQ_ECORRUPT, rip,
				   "rip 0x%" PRIx64 ": instruction is cut off after %zu bytes", rip,
				   n);
	if (ZYAN_FAILED(st))
		return inq_fail_at(err, INQ_ECORRUPT, rip, "rip 0x%" PRIx64 ": no instruction",
				   rip);

	*ret = (struct x86_64_insn){.rip = rip};
	memcpy(ret->bytes, bytes, zi.length);
	fill_insn(&zi, op, ret);
	return INQ_OK;
}

static int is_prefix(uint8_t b)
{
	/* a REX lies before the opcode of a JCC only in 64-bit code */
	return (b & 0xf0) == 0x40 || b == 0x66 || b == 0x67 || b == 0xf2 || b == 0xf3 ||
	       b == 0x2e || b == 0x36 || b == 0x3e || b == 0x26 || b == 0x64 || b == 0x65;
}

int x86_64_insn_cc(const struct x86_64_insn *in)
{
	size_t i = 0;

	if (in->cls != X86_64_CLASS_JCC && in->mn != X86_64_MN_SETCC)
		return -1;
	while (i + 1 < in->len && is_prefix(in->bytes[i]))
		i++;
	if (in->bytes[i] == 0x0f && i + 1 < in->len)
		return in->bytes[i + 1] & 0xf;
	return (in->bytes[i] & 0xf0) == 0x70 ? in->bytes[i] & 0xf : -1;
}
