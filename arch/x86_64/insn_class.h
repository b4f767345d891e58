/* What a Zydis instruction is in the analyzer's terms.  For insn.c only. */
#ifndef ARCH_X86_64_INSN_CLASS_H
#define ARCH_X86_64_INSN_CLASS_H

#include <Zydis/Zydis.h>

#include "arch/x86_64/insn.h"

enum x86_64_mn x86_64_insn_mn_of(ZydisMnemonic m);

/* op: all operands of zi, hidden ones too. */
enum x86_64_insn_class x86_64_insn_class_of(const ZydisDecodedInstruction *zi,
					    const ZydisDecodedOperand *op);

#endif
