/*
 * Knows what the registers of a system call prove: its number and its arguments, nothing behind
 * them.  Sources: Linux arch/x86/entry/entry_64.S; System V ABI for AMD64, A.2.1.
 */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "machine/unwind_parts.h"

enum { CALLS_MOST = 1024 };

/* Of the function that the kernel's table leads to: "__x64_sys_read" is read. */
static bool name_of(const struct unwinder *u, uint64_t nr, struct inq_symbol *ret)
{
	uint64_t at;

	return nr < CALLS_MOST && !inq_symbol_named(u->m, "sys_call_table", 0, ret, NULL) &&
	       (!ret->size || 8 * nr < ret->size) &&
	       !inq_read_u64(u->m, ret->addr + 8 * nr, &at, NULL) &&
	       !inq_symbol_at(u->m, at, ret, NULL) && ret->addr == at;
}

void unwind_syscall(const struct unwinder *u, const struct x86_64_frame *f, char *buf, size_t n)
{
	static const unsigned int regs[] = {X86_64_RDI, X86_64_RSI, X86_64_RDX,
					    X86_64_R10, X86_64_R8,  X86_64_R9};
	struct inq_symbol sym = {0};
	const char *name = "";
	size_t used;

	*buf = '\0';
	/* exceptions keep -1 or an error code there, interrupts the complement of their vector */
	if (!f->has_regs || f->orig_rax >= CALLS_MOST)
		return;
	if (name_of(u, f->orig_rax, &sym))
		name = strstr(sym.name, "sys_") ? strstr(sym.name, "sys_") + 4 : sym.name;
	(void)snprintf(buf, n, "syscall %" PRIu64 "%s%s(", f->orig_rax, *name ? " " : "", name);
	for (size_t i = 0; i < sizeof(regs) / sizeof(*regs); i++) {
		used = strlen(buf);
		(void)snprintf(buf + used, n - used, "%s0x%" PRIx64, i ? ", " : "", f->v[regs[i]]);
	}
	used = strlen(buf);
	(void)snprintf(buf + used, n - used, ")");
}
