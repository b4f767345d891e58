/* What the files about variables of frames share.  For machine/frame_*.c only. */
#ifndef MACHINE_FRAME_PARTS_H
#define MACHINE_FRAME_PARTS_H

#include "machine/frame_vars.h"
#include "machine/lines_parts.h"

/* Where a variable, or what a location description leads to, is. */
struct frame_value {
	enum frame_where {
		FRAME_NOWHERE, /* nothing of it is left */
		FRAME_UNKNOWN, /* it takes what is not known */
		FRAME_VALUE,   /* it is v */
		FRAME_MEMORY,  /* it lies at v */
	} where;
	uint64_t v;
};

/* What location descriptions of a frame count from. */
struct frame_view {
	const struct inq_machine *m;
	const struct unwind_frame *f;
	struct debug_ops base; /* of the function's frame */
	uint64_t moved;        /* added to addresses of the file; meaningless unless */
	bool moved_known;
};

/* A register by DWARF's number; -1: there is no such. */
int frame_register(uint64_t number);

/* The address that a frame's code is to be looked up at: inside of the call. */
static inline uint64_t frame_place(const struct unwind_frame *f)
{
	return f->pc - !f->interrupted;
}

/* Make known what the functions of the stack saved. */
void frame_registers(const struct inq_machine *m, struct unwind_stack *s);

/* Follow a location description; whatever is not understood is FRAME_UNKNOWN. */
struct frame_value frame_follow(const struct frame_view *view, const struct debug_ops *ops);

#endif
