/*
 * What a table for unwinding says of one place of code: where its caller's registers lie.  Made by
 * symbols/ (ORC; DWARF's CFI fits the same), followed by arch/.
 */
#ifndef INQ_UNWIND_H
#define INQ_UNWIND_H

#include <stdbool.h>
#include <stdint.h>

/* General registers by the number that instructions use: 4 is RSP, 5 is RBP. */
enum { INQ_UNWIND_REGS_NR = 16, INQ_UNWIND_SP = 4, INQ_UNWIND_BP = 5 };

enum inq_unwind_kind {
	INQ_UNWIND_UNKNOWN, /* the table says that it does not know */
	INQ_UNWIND_END,     /* nobody called: the outermost frame */
	INQ_UNWIND_CALL,    /* a return address lies below the frame address */
	INQ_UNWIND_REGS,    /* all registers lie at the frame address: Linux struct pt_regs */
	INQ_UNWIND_IRET,    /* the processor's own frame lies at it: RIP, CS, RFLAGS, RSP, SS */
};

enum inq_unwind_saved {
	INQ_UNWIND_LOST,    /* the caller's value is not known */
	INQ_UNWIND_SAME,    /* it is still in the register */
	INQ_UNWIND_AT_CFA,  /* at the frame address + off */
	INQ_UNWIND_AT_SELF, /* at the register's own value here + off */
};

/* The frame address (CFA) is reg + off, or with deref the word there, + off_behind. */
struct inq_unwind_rule {
	enum inq_unwind_kind kind;
	bool interrupts; /* the caller did not call: it goes on at the very instruction */
	bool deref;
	uint8_t reg;
	int32_t off, off_behind;
	struct {
		enum inq_unwind_saved how;
		int32_t off;
	} saved[INQ_UNWIND_REGS_NR]; /* RSP's is not used: it is the frame address */
};

#endif
