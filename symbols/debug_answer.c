/* Believes nothing that a child says of variables and registers before it was checked. */
#include <string.h>

#include "base/span.h"
#include "symbols/debug_info.h"
#include "symbols/debug_job.h"

/* What was taken of a struct debug_scope so far. */
struct taken {
	struct debug_scope *to;
	size_t ops, text;
};

static enum inq_status nonsense(struct inq_err *err)
{
	return inq_fail(err, INQ_ECORRUPT, "libdwarf answers nonsense");
}

static bool take_bytes(struct span *s, void *to, size_t n)
{
	const uint8_t *p = span_take(s, n);

	if (p)
		memcpy(to, p, n);
	return p != NULL;
}

static bool take_ops(struct span *s, struct taken *t, uint32_t nr, struct debug_ops *ret)
{
	struct job_op op;

	if (nr > DEBUG_SCOPE_OPS - t->ops)
		return false;
	*ret = (struct debug_ops){t->to->ops + t->ops, nr};
	for (uint32_t i = 0; i < nr; i++) {
		if (!take_bytes(s, &op, sizeof(op)))
			return false;
		t->to->ops[t->ops++] = (struct debug_op){op.op, op.a, op.b};
	}
	return true;
}

static const char *take_name(struct span *s, struct taken *t, uint32_t n)
{
	char *to = t->to->text + t->text;

	if (!n || n > JOB_NAME_MAX || n >= DEBUG_SCOPE_TEXT - t->text || !take_bytes(s, to, n) ||
	    memchr(to, 0, n))
		return NULL;
	to[n] = '\0';
	t->text += n + 1;
	return to;
}

static enum debug_kind kind_of(uint32_t kind)
{
	static const enum debug_kind kinds[JOB_KINDS] = {
		[JOB_OTHER] = DEBUG_OTHER,       [JOB_SIGNED] = DEBUG_SIGNED,
		[JOB_UNSIGNED] = DEBUG_UNSIGNED, [JOB_BOOL] = DEBUG_BOOL,
		[JOB_POINTER] = DEBUG_POINTER,
	};

	return kind < JOB_KINDS ? kinds[kind] : DEBUG_OTHER;
}

static bool take_var(struct span *s, struct taken *t, struct debug_scope_var *ret)
{
	struct job_scope_var v;

	if (!take_bytes(s, &v, sizeof(v)))
		return false;
	*ret = (struct debug_scope_var){.name = take_name(s, t, v.name_bytes),
					.depth = v.depth,
					.is_parameter = v.is_parameter != 0,
					.is_value = v.is_value && v.nr_ops == 1,
					.kind = kind_of(v.kind),
					.bytes = v.bytes};
	return ret->name && take_ops(s, t, v.nr_ops, &ret->where);
}

enum inq_status debug_info_take_scope(const uint8_t *p, size_t n, struct debug_scope *ret,
				      struct inq_err *err)
{
	struct span s = span_of(p, n);
	struct taken t = {.to = ret};
	struct job_scope_head h;

	ret->nr = 0;
	if (!take_bytes(&s, &h, sizeof(h)) || !take_ops(&s, &t, h.nr_base, &ret->base))
		return nonsense(err);
	while (s.left) {
		if (ret->nr == DEBUG_SCOPE_VARS)
			return inq_fail(err, INQ_ELIMIT, "more than %d variables",
					DEBUG_SCOPE_VARS);
		if (!take_var(&s, &t, &ret->var[ret->nr]))
			return nonsense(err);
		ret->nr++;
	}
	return INQ_OK;
}

enum inq_status debug_info_take_saved(const uint8_t *p, size_t n, struct debug_saved_regs *ret,
				      struct inq_err *err)
{
	static const enum debug_saved hows[JOB_SAVED_HOWS] = {[JOB_SAVED_LOST] = DEBUG_LOST,
							      [JOB_SAVED_SAME] = DEBUG_SAME,
							      [JOB_SAVED_AT_CFA] = DEBUG_AT_CFA};
	struct job_saved saved;

	if (n != sizeof(saved))
		return nonsense(err);
	memcpy(&saved, p, n);
	for (int i = 0; i < JOB_SAVED_REGS; i++) {
		if (saved.reg[i].how < 0 || saved.reg[i].how >= JOB_SAVED_HOWS)
			return nonsense(err);
		ret->reg[i].how = hows[saved.reg[i].how];
		ret->reg[i].off = saved.reg[i].off;
	}
	return INQ_OK;
}
