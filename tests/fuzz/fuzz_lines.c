/*
 * Fuzz target: what the child that libdwarf runs in may answer.  Input: the bytes of a JOB_LINES,
 * of a JOB_SCOPE, whose locations are followed, and of a JOB_SAVED.
 */
#include <stdlib.h>
#include <string.h>

#include "machine/frame_parts.h"
#include "machine/machine.h"
#include "tests/fuzz/must.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

static void must_be_text(const struct inq_lines *l, const char *text)
{
	if (!text)
		return;
	MUST(text >= l->text && text < l->text + sizeof(l->text) && *text);
	MUST(memchr(text, 0, (size_t)(l->text + sizeof(l->text) - text)));
}

/* In a frame that knows half of its registers, of a machine without memory. */
static void follow_all(const struct debug_scope *scope)
{
	const struct inq_machine m = {0};
	const struct unwind_frame f = {.pc = 4096, .cfa = 8192, .at = {.known = 0x5555}};
	const struct frame_view view = {.m = &m, .f = &f, .base = scope->base, .moved_known = true};

	for (size_t i = 0; i < scope->nr; i++) {
		MUST(scope->var[i].name[0] && strlen(scope->var[i].name) < sizeof(scope->text));
		struct frame_value v = frame_follow(&view, &scope->var[i].where);
		MUST(v.where != FRAME_NOWHERE || !scope->var[i].where.nr);
	}
}

static void take_scope(const uint8_t *data, size_t n)
{
	struct debug_scope *scope = malloc(sizeof(*scope));
	struct inq_err err = {0};

	if (scope && !debug_info_take_scope(data, n, scope, &err))
		follow_all(scope);
	else if (scope)
		MUST(err.msg[0]);
	free(scope);
}

static void take_saved(const uint8_t *data, size_t n)
{
	struct debug_saved_regs saved;
	struct inq_err err = {0};

	if (debug_info_take_saved(data, n, &saved, &err))
		MUST(err.msg[0]);
	else
		for (size_t i = 0; i < sizeof(saved.reg) / sizeof(*saved.reg); i++)
			MUST(saved.reg[i].how <= DEBUG_AT_CFA);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	struct inq_lines *l = malloc(sizeof(*l));
	struct inq_err err = {0};

	if (!l)
		return 0;
	if (debug_info_take_lines(data, n, l, &err)) {
		MUST(err.msg[0]);
	} else {
		MUST(l->nr && l->nr <= INQ_LINES_FRAMES);
		for (size_t i = 0; i < l->nr; i++) {
			must_be_text(l, l->frame[i].function);
			must_be_text(l, l->frame[i].file);
		}
	}
	free(l);
	take_scope(data, n);
	take_saved(data, n);
	return 0;
}
