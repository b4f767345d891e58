/* Knows which instructions an evaluator may follow, and which leave the world of registers. */
#include "arch/x86_64/insn_class.h"

#include <stdbool.h>

#define ARRAY_SIZE(a) (sizeof(a) / sizeof(*(a)))

enum x86_64_mn x86_64_insn_mn_of(ZydisMnemonic m)
{
	static const struct {
		ZydisMnemonic from;
		enum x86_64_mn to;
	} map[] = {
		{ZYDIS_MNEMONIC_MOV, X86_64_MN_MOV},
		{ZYDIS_MNEMONIC_MOVZX, X86_64_MN_MOVZX},
		{ZYDIS_MNEMONIC_MOVSX, X86_64_MN_MOVSX},
		{ZYDIS_MNEMONIC_MOVSXD, X86_64_MN_MOVSXD},
		{ZYDIS_MNEMONIC_LEA, X86_64_MN_LEA},
		{ZYDIS_MNEMONIC_TEST, X86_64_MN_TEST},
		{ZYDIS_MNEMONIC_CMP, X86_64_MN_CMP},
		{ZYDIS_MNEMONIC_AND, X86_64_MN_AND},
		{ZYDIS_MNEMONIC_OR, X86_64_MN_OR},
		{ZYDIS_MNEMONIC_XOR, X86_64_MN_XOR},
		{ZYDIS_MNEMONIC_ADD, X86_64_MN_ADD},
		{ZYDIS_MNEMONIC_SUB, X86_64_MN_SUB},
		{ZYDIS_MNEMONIC_INC, X86_64_MN_INC},
		{ZYDIS_MNEMONIC_DEC, X86_64_MN_DEC},
		{ZYDIS_MNEMONIC_NOT, X86_64_MN_NOT},
		{ZYDIS_MNEMONIC_NEG, X86_64_MN_NEG},
		{ZYDIS_MNEMONIC_SHL, X86_64_MN_SHL},
		{ZYDIS_MNEMONIC_SHR, X86_64_MN_SHR},
		{ZYDIS_MNEMONIC_BT, X86_64_MN_BT},
		{ZYDIS_MNEMONIC_NOP, X86_64_MN_NOP},
		{ZYDIS_MNEMONIC_PAUSE, X86_64_MN_PAUSE},
		{ZYDIS_MNEMONIC_XCHG, X86_64_MN_XCHG},
		{ZYDIS_MNEMONIC_PUSH, X86_64_MN_PUSH},
		{ZYDIS_MNEMONIC_POP, X86_64_MN_POP},
		{ZYDIS_MNEMONIC_CLD, X86_64_MN_CLD},
		{ZYDIS_MNEMONIC_CLI, X86_64_MN_CLI},
		{ZYDIS_MNEMONIC_STI, X86_64_MN_STI},
		{ZYDIS_MNEMONIC_LFENCE, X86_64_MN_FENCE},
		{ZYDIS_MNEMONIC_MFENCE, X86_64_MN_FENCE},
		{ZYDIS_MNEMONIC_SFENCE, X86_64_MN_FENCE},
		{ZYDIS_MNEMONIC_CMPXCHG, X86_64_MN_CMPXCHG},
		{ZYDIS_MNEMONIC_ENDBR32, X86_64_MN_NOP},
		{ZYDIS_MNEMONIC_ENDBR64, X86_64_MN_NOP},
		{ZYDIS_MNEMONIC_SETB, X86_64_MN_SETCC},
		{ZYDIS_MNEMONIC_SETBE, X86_64_MN_SETCC},
		{ZYDIS_MNEMONIC_SETL, X86_64_MN_SETCC},
		{ZYDIS_MNEMONIC_SETLE, X86_64_MN_SETCC},
		{ZYDIS_MNEMONIC_SETNB, X86_64_MN_SETCC},
		{ZYDIS_MNEMONIC_SETNBE, X86_64_MN_SETCC},
		{ZYDIS_MNEMONIC_SETNL, X86_64_MN_SETCC},
		{ZYDIS_MNEMONIC_SETNLE, X86_64_MN_SETCC},
		{ZYDIS_MNEMONIC_SETNO, X86_64_MN_SETCC},
		{ZYDIS_MNEMONIC_SETNP, X86_64_MN_SETCC},
		{ZYDIS_MNEMONIC_SETNS, X86_64_MN_SETCC},
		{ZYDIS_MNEMONIC_SETNZ, X86_64_MN_SETCC},
		{ZYDIS_MNEMONIC_SETO, X86_64_MN_SETCC},
		{ZYDIS_MNEMONIC_SETP, X86_64_MN_SETCC},
		{ZYDIS_MNEMONIC_SETS, X86_64_MN_SETCC},
		{ZYDIS_MNEMONIC_SETZ, X86_64_MN_SETCC},
	};

	for (size_t i = 0; i < ARRAY_SIZE(map); i++)
		if (map[i].from == m)
			return map[i].to;
	return X86_64_MN_OTHER;
}

/* Mnemonics whose category says something else, or nothing. */
static const struct {
	ZydisMnemonic mnemonic;
	enum x86_64_insn_class cls;
} by_mnemonic[] = {
	{ZYDIS_MNEMONIC_HLT, X86_64_CLASS_HLT},       {ZYDIS_MNEMONIC_MWAIT, X86_64_CLASS_HLT},
	{ZYDIS_MNEMONIC_MWAITX, X86_64_CLASS_HLT},    {ZYDIS_MNEMONIC_UMWAIT, X86_64_CLASS_HLT},
	{ZYDIS_MNEMONIC_TPAUSE, X86_64_CLASS_HLT},    {ZYDIS_MNEMONIC_RDTSC, X86_64_CLASS_TIMER},
	{ZYDIS_MNEMONIC_RDTSCP, X86_64_CLASS_TIMER},  {ZYDIS_MNEMONIC_RSM, X86_64_CLASS_RET},
	{ZYDIS_MNEMONIC_SYSRET, X86_64_CLASS_RET},    {ZYDIS_MNEMONIC_SYSEXIT, X86_64_CLASS_RET},
	{ZYDIS_MNEMONIC_LEA, X86_64_CLASS_PLAIN},     {ZYDIS_MNEMONIC_ENTER, X86_64_CLASS_PLAIN},
	{ZYDIS_MNEMONIC_LEAVE, X86_64_CLASS_PLAIN},   {ZYDIS_MNEMONIC_XLAT, X86_64_CLASS_PLAIN},
	{ZYDIS_MNEMONIC_PAUSE, X86_64_CLASS_PLAIN},   {ZYDIS_MNEMONIC_LFENCE, X86_64_CLASS_PLAIN},
	{ZYDIS_MNEMONIC_MFENCE, X86_64_CLASS_PLAIN},  {ZYDIS_MNEMONIC_SFENCE, X86_64_CLASS_PLAIN},
	{ZYDIS_MNEMONIC_CPUID, X86_64_CLASS_SYSTEM},  {ZYDIS_MNEMONIC_UD0, X86_64_CLASS_SYSTEM},
	{ZYDIS_MNEMONIC_UD1, X86_64_CLASS_SYSTEM},    {ZYDIS_MNEMONIC_UD2, X86_64_CLASS_SYSTEM},
	{ZYDIS_MNEMONIC_BOUND, X86_64_CLASS_SYSTEM},  {ZYDIS_MNEMONIC_XBEGIN, X86_64_CLASS_OTHER},
	{ZYDIS_MNEMONIC_XABORT, X86_64_CLASS_OTHER},  {ZYDIS_MNEMONIC_ENDBR32, X86_64_CLASS_PLAIN},
	{ZYDIS_MNEMONIC_ENDBR64, X86_64_CLASS_PLAIN},
};

static const struct {
	ZydisInstructionCategory category;
	enum x86_64_insn_class cls;
} by_category[] = {
	{ZYDIS_CATEGORY_RET, X86_64_CLASS_RET},
	{ZYDIS_CATEGORY_SYSRET, X86_64_CLASS_RET},
	{ZYDIS_CATEGORY_IO, X86_64_CLASS_IO},
	{ZYDIS_CATEGORY_IOSTRINGOP, X86_64_CLASS_IO},
	{ZYDIS_CATEGORY_INTERRUPT, X86_64_CLASS_SYSTEM},
	{ZYDIS_CATEGORY_SYSCALL, X86_64_CLASS_SYSTEM},
	{ZYDIS_CATEGORY_SYSTEM, X86_64_CLASS_SYSTEM},
	{ZYDIS_CATEGORY_VTX, X86_64_CLASS_SYSTEM},
	{ZYDIS_CATEGORY_SEGOP, X86_64_CLASS_SYSTEM},
	{ZYDIS_CATEGORY_ADOX_ADCX, X86_64_CLASS_PLAIN},
	{ZYDIS_CATEGORY_BINARY, X86_64_CLASS_PLAIN},
	{ZYDIS_CATEGORY_BITBYTE, X86_64_CLASS_PLAIN},
	{ZYDIS_CATEGORY_BMI1, X86_64_CLASS_PLAIN},
	{ZYDIS_CATEGORY_BMI2, X86_64_CLASS_PLAIN},
	{ZYDIS_CATEGORY_CMOV, X86_64_CLASS_PLAIN},
	{ZYDIS_CATEGORY_CONVERT, X86_64_CLASS_PLAIN},
	{ZYDIS_CATEGORY_DATAXFER, X86_64_CLASS_PLAIN},
	{ZYDIS_CATEGORY_DECIMAL, X86_64_CLASS_PLAIN},
	{ZYDIS_CATEGORY_FLAGOP, X86_64_CLASS_PLAIN},
	{ZYDIS_CATEGORY_LOGICAL, X86_64_CLASS_PLAIN},
	{ZYDIS_CATEGORY_LZCNT, X86_64_CLASS_PLAIN},
	{ZYDIS_CATEGORY_NOP, X86_64_CLASS_PLAIN},
	{ZYDIS_CATEGORY_POP, X86_64_CLASS_PLAIN},
	{ZYDIS_CATEGORY_PREFETCH, X86_64_CLASS_PLAIN},
	{ZYDIS_CATEGORY_PUSH, X86_64_CLASS_PLAIN},
	{ZYDIS_CATEGORY_ROTATE, X86_64_CLASS_PLAIN},
	{ZYDIS_CATEGORY_SEMAPHORE, X86_64_CLASS_PLAIN},
	{ZYDIS_CATEGORY_SETCC, X86_64_CLASS_PLAIN},
	{ZYDIS_CATEGORY_SHIFT, X86_64_CLASS_PLAIN},
	{ZYDIS_CATEGORY_WIDENOP, X86_64_CLASS_PLAIN},
};

static bool is_branch(const ZydisDecodedInstruction *zi)
{
	return zi->meta.category == ZYDIS_CATEGORY_COND_BR ||
	       zi->meta.category == ZYDIS_CATEGORY_UNCOND_BR ||
	       zi->meta.category == ZYDIS_CATEGORY_CALL;
}

static enum x86_64_insn_class branch_class(const ZydisDecodedInstruction *zi,
					   const ZydisDecodedOperand *op)
{
	if (!zi->operand_count_visible || op[0].type != ZYDIS_OPERAND_TYPE_IMMEDIATE)
		return X86_64_CLASS_INDIRECT;
	if (zi->meta.category == ZYDIS_CATEGORY_COND_BR)
		return X86_64_CLASS_JCC;
	return zi->meta.category == ZYDIS_CATEGORY_CALL ? X86_64_CLASS_CALL : X86_64_CLASS_JMP;
}

/* Does an operand reach registers that steer the CPU? */
static bool is_system_operand(const ZydisDecodedOperand *op)
{
	if (op->type != ZYDIS_OPERAND_TYPE_REGISTER)
		return false;

	ZydisRegisterClass c = ZydisRegisterGetClass(op->reg.value);
	if (c == ZYDIS_REGCLASS_SEGMENT)
		return op->actions & ZYDIS_OPERAND_ACTION_MASK_WRITE;
	return c == ZYDIS_REGCLASS_CONTROL || c == ZYDIS_REGCLASS_DEBUG ||
	       c == ZYDIS_REGCLASS_TEST || c == ZYDIS_REGCLASS_TABLE;
}

/* General, flag, segment and instruction-pointer registers, and none at all, are plain. */
static bool is_plain_register(ZydisRegister r)
{
	ZydisRegisterClass c = ZydisRegisterGetClass(r);

	return r == ZYDIS_REGISTER_NONE || c == ZYDIS_REGCLASS_GPR8 || c == ZYDIS_REGCLASS_GPR16 ||
	       c == ZYDIS_REGCLASS_GPR32 || c == ZYDIS_REGCLASS_GPR64 ||
	       c == ZYDIS_REGCLASS_FLAGS || c == ZYDIS_REGCLASS_IP || c == ZYDIS_REGCLASS_SEGMENT;
}

static bool is_plain_operand(const ZydisDecodedOperand *op)
{
	if (op->type == ZYDIS_OPERAND_TYPE_REGISTER)
		return is_plain_register(op->reg.value);
	if (op->type == ZYDIS_OPERAND_TYPE_MEMORY)
		return is_plain_register(op->mem.base) && is_plain_register(op->mem.index);
	return true;
}

static enum x86_64_insn_class category_class(const ZydisDecodedInstruction *zi,
					     const ZydisDecodedOperand *op)
{
	enum x86_64_insn_class cls = X86_64_CLASS_OTHER;

	for (size_t i = 0; i < ARRAY_SIZE(by_category); i++)
		if (by_category[i].category == zi->meta.category)
			cls = by_category[i].cls;
	if (cls == X86_64_CLASS_OTHER && (zi->attributes & ZYDIS_ATTRIB_IS_PRIVILEGED))
		return X86_64_CLASS_SYSTEM;
	for (size_t i = 0; cls == X86_64_CLASS_PLAIN && i < zi->operand_count; i++)
		if (!is_plain_operand(&op[i]))
			return X86_64_CLASS_OTHER;
	return cls;
}

enum x86_64_insn_class x86_64_insn_class_of(const ZydisDecodedInstruction *zi,
					    const ZydisDecodedOperand *op)
{
	for (size_t i = 0; i < ARRAY_SIZE(by_mnemonic); i++)
		if (by_mnemonic[i].mnemonic == zi->mnemonic)
			return by_mnemonic[i].cls;
	if (is_branch(zi))
		return branch_class(zi, op);
	for (size_t i = 0; i < zi->operand_count_visible; i++)
		if (is_system_operand(&op[i]))
			return X86_64_CLASS_SYSTEM;
	return category_class(zi, op);
}
