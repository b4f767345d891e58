/* Knows how the value of a variable is written, and when it must not be. */
#include "machine/frame_vars.h"

#include <inquest/types.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "machine/frame_parts.h"

struct frame_vars {
	const struct inq_machine *m;
	const struct unwind_stack *stack;
	bool asked;
	unsigned int frame; /* whose scope it is, once asked */
	struct frame_view view;
	struct debug_scope scope; /* nr 0: nothing is known of it */
};

void frame_vars_close(struct frame_vars *v)
{
	free(v);
}

enum inq_status frame_vars_open(const struct inq_machine *m, struct unwind_stack *stack,
				struct frame_vars **ret, struct inq_err *err)
{
	struct frame_vars *v = calloc(1, sizeof(*v));

	if (!v)
		return inq_fail(err, INQ_ENOMEM, "variables of frames");
	v->m = m;
	v->stack = stack;
	frame_registers(m, stack);
	*ret = v;
	return INQ_OK;
}

static void look_up(struct frame_vars *v, unsigned int frame)
{
	const struct unwind_frame *f = &v->stack->frame[frame];
	const struct inq_module *mod = NULL;
	struct debug_info *d = NULL;
	uint64_t at = 0;

	if (v->asked && v->frame == frame)
		return;
	v->asked = true;
	v->frame = frame;
	v->scope.nr = 0;
	if (strcmp(f->mode, "kernel") != 0 || lines_file_at(v->m, frame_place(f), &d, &at, NULL))
		return;
	if (debug_info_scope(d, at, &v->scope, NULL))
		v->scope.nr = 0;
	/* a module's sections were moved each by itself */
	v->view =
		(struct frame_view){.m = v->m,
				    .f = f,
				    .base = v->scope.base,
				    .moved = frame_place(f) - at,
				    .moved_known = inq_is_text(v->m, frame_place(f), &mod) && !mod};
}

/* n bytes of an integer, as its type has them. */
static void put_number(const struct debug_scope_var *var, uint64_t v, char *buf, size_t n)
{
	unsigned int bits = var->bytes && var->bytes < 8 ? (unsigned int)var->bytes * 8 : 64;
	uint64_t mask = bits < 64 ? (UINT64_C(1) << bits) - 1 : UINT64_MAX;

	v &= mask;
	if (var->kind == DEBUG_SIGNED && bits < 64 && v >> (bits - 1))
		v |= ~mask;
	if (var->kind == DEBUG_SIGNED)
		(void)snprintf(buf, n, "%" PRId64, (int64_t)v);
	else if (var->kind == DEBUG_UNSIGNED)
		(void)snprintf(buf, n, "%" PRIu64, v);
	else if (var->kind == DEBUG_BOOL && v <= 1)
		(void)snprintf(buf, n, "%s", v ? "true" : "false");
	else
		(void)snprintf(buf, n, "0x%" PRIx64, v);
}

static void put_memory(const struct inq_machine *m, const struct debug_scope_var *var,
		       uint64_t addr, char *buf, size_t n)
{
	uint64_t v = 0;

	if (var->kind == DEBUG_OTHER || !var->bytes || var->bytes > sizeof(v)) {
		(void)snprintf(buf, n, "{at 0x%" PRIx64 "}", addr);
		return;
	}
	enum inq_status st = inq_read_kernel(m, addr, &v, (size_t)var->bytes, NULL);
	if (st)
		(void)snprintf(buf, n, "<%s>", st == INQ_EABSENT ? "not dumped" : "not mapped");
	else
		put_number(var, v, buf, n);
}

static void put_value(const struct frame_vars *v, const struct debug_scope_var *var, char *buf,
		      size_t n)
{
	struct frame_value at = {FRAME_VALUE, var->is_value ? var->where.at->a : 0};

	if (!var->is_value)
		at = frame_follow(&v->view, &var->where);
	if (at.where == FRAME_VALUE)
		put_number(var, at.v, buf, n);
	else if (at.where == FRAME_MEMORY)
		put_memory(v->m, var, at.v, buf, n);
	else
		(void)snprintf(buf, n, "<%s>",
			       at.where == FRAME_NOWHERE ? "optimized out" : "unknown");
}

bool frame_vars_text(struct frame_vars *v, unsigned int frame, size_t depth,
		     enum frame_vars_which which, char *buf, size_t n)
{
	char value[64];
	size_t used = 0;

	*buf = '\0';
	look_up(v, frame);
	for (size_t i = 0; i < v->scope.nr; i++) {
		const struct debug_scope_var *var = &v->scope.var[i];
		if (var->depth != depth || var->is_parameter != (which == FRAME_PARAMETERS))
			continue;
		put_value(v, var, value, sizeof(value));
		int len = snprintf(buf + used, n - used, "%s%s=%s", used ? ", " : "", var->name,
				   value);
		if (len < 0 || (size_t)len >= n - used) {
			(void)snprintf(buf + used, n - used, "...");
			break;
		}
		used += (size_t)len;
	}
	return *buf;
}
