/* Knows how structures of the kernel are read where parts of memory are missing. */
#include "analyzers/collect/linux.h"

#include <inttypes.h>
#include <string.h>

bool linux_here(const struct inq_machine *m)
{
	const char *os = inq_machine_kernel(m)->os;

	return os && !strcmp(os, "linux");
}

const struct inq_space *linux_space(const struct inq_machine *m)
{
	return inq_machine_kernel(m)->virt;
}

enum inq_status linux_gap(const struct inq_machine *m, struct inq_sink *out, uint64_t addr,
			  uint64_t length, const struct inq_err *why, struct inq_err *err)
{
	struct inq_err said = *why;

	if (said.status == INQ_ENOTFOUND || said.status == INQ_EUNSUPPORTED)
		said.status = INQ_EABSENT; /* this kernel, or this dump, does not have it */
	if (!out && inq_is_damage(said.status))
		return INQ_OK;
	if (!out)
		return inq_fail(err, said.status, "%s", said.msg);
	return inq_gap(out, length ? linux_space(m) : NULL, addr, length, &said, err);
}

enum inq_status linux_start(const struct inq_machine *m, struct inq_sink *out, bool *ret_go,
			    struct inq_err *err)
{
	struct inq_err why;

	*ret_go = linux_here(m) && linux_space(m);
	if (*ret_go || !linux_here(m))
		return INQ_OK;
	(void)inq_fail(&why, INQ_EABSENT, "the kernel's page tables are unknown");
	return linux_gap(m, out, 0, 0, &why, err);
}

/* Each block for itself: one that is missing costs what lies in it, no more. */
static enum inq_status read_blocks(struct object *o, struct inq_sink *out, struct inq_err *err)
{
	uint64_t start = o->addr & ~(uint64_t)(OBJECT_BLOCK - 1);
	enum inq_status st = INQ_OK;

	for (size_t at = 0; !st && at < o->n;) {
		size_t block = (size_t)((o->addr + at - start) / OBJECT_BLOCK);
		size_t len = OBJECT_BLOCK - (size_t)((o->addr + at) % OBJECT_BLOCK);
		struct inq_err why = {0};
		if (len > o->n - at)
			len = o->n - at;
		if (inq_read_kernel(o->m, o->addr + at, o->p + at, len, &why)) {
			o->lost |= (uint16_t)(1U << block);
			st = linux_gap(o->m, out, o->addr + at, len, &why, err);
		}
		at += len;
	}
	return st;
}

enum inq_status object_read(struct object *o, const struct inq_machine *m, uint64_t addr,
			    uint64_t n, struct inq_sink *out, struct inq_err *err)
{
	o->m = m;
	o->addr = addr;
	o->n = 0;
	o->lost = 0;
	if (n > OBJECT_MAX - OBJECT_BLOCK || addr + n < addr)
		return inq_fail_at(err, INQ_ECORRUPT, addr, "a structure of %" PRIu64 " bytes", n);
	o->n = (size_t)n;
	return inq_read_kernel(m, addr, o->p, o->n, NULL) ? read_blocks(o, out, err) : INQ_OK;
}

static bool is_there(const struct object *o, uint64_t off, uint64_t n)
{
	uint64_t start = o->addr & ~(uint64_t)(OBJECT_BLOCK - 1);

	if (!n || off > o->n || n > o->n - off)
		return false;
	uint64_t first = (o->addr + off - start) / OBJECT_BLOCK;
	uint64_t last = (o->addr + off + n - 1 - start) / OBJECT_BLOCK;
	for (uint64_t i = first; i <= last; i++)
		if (o->lost >> i & 1)
			return false;
	return true;
}

bool object_get(const struct object *o, const struct inq_field *f, uint64_t *ret)
{
	return is_there(o, f->off, f->size) && inq_field_of(f, o->p, o->n, ret);
}

struct inq_value object_int(const struct object *o, const struct inq_field *f)
{
	uint64_t v;

	return object_get(o, f, &v) ? INQ_V_INT(v) : INQ_V_NULL;
}

struct inq_value object_addr(const struct object *o, const struct inq_field *f)
{
	uint64_t v;

	return object_get(o, f, &v) && v ? INQ_V_ADDR(v) : INQ_V_NULL;
}

bool object_text(const struct object *o, const struct inq_field *f, char *buf, size_t n)
{
	size_t len = f->size < n ? f->size : n - 1;

	*buf = '\0';
	if (!is_there(o, f->off, f->size))
		return false;
	memcpy(buf, o->p + f->off, len);
	buf[len] = '\0';
	return true;
}

enum inq_status linux_list_each(const struct inq_machine *m, struct inq_sink *out, uint64_t head,
				uint64_t at, uint64_t most, linux_object_fn *fn, void *ctx,
				struct inq_err *err)
{
	struct inq_walk *w = NULL;
	struct inq_err why = {0};
	enum inq_status st = INQ_OK,
			bad = inq_walk_open(m, INQ_WALK_LIST, head, at, most, &w, &why);

	while (!bad && !st) {
		uint64_t addr = 0;
		bool more = false;
		bad = inq_walk_next(w, &addr, NULL, &more, &why);
		if (!bad && !more)
			break;
		if (!bad)
			st = fn(ctx, addr, err);
	}
	inq_walk_close(w);
	return bad ? linux_gap(m, out, head, 16, &why, err) : st;
}

enum inq_status linux_string(const struct inq_machine *m, uint64_t addr, char *buf, size_t n,
			     struct inq_err *err)
{
	size_t at = 0;

	*buf = '\0';
	while (at < n - 1) {
		size_t len = OBJECT_BLOCK - (size_t)((addr + at) % OBJECT_BLOCK);
		if (len > n - 1 - at)
			len = n - 1 - at;
		enum inq_status st = inq_read_kernel(m, addr + at, buf + at, len, err);
		if (st) {
			buf[at] = '\0';
			return at ? INQ_OK : st;
		}
		if (memchr(buf + at, '\0', len))
			return INQ_OK;
		at += len;
	}
	buf[at] = '\0';
	return INQ_OK;
}

enum inq_status linux_var(const struct inq_machine *m, const char *name, uint32_t width,
			  uint64_t *ret, struct inq_err *err)
{
	struct inq_type t;
	uint64_t addr = 0;
	enum inq_status st = inq_var(m, name, &addr, &t, err);
	uint64_t size = st ? 0 : inq_type_size(t);
	const struct inq_field f = {.size = size >= 1 && size <= 8 ? (uint32_t)size : width};

	if (!st)
		st = inq_read_field(m, addr, &f, ret, err);
	return inq_wrap(err, st, "%s", name);
}

void linux_taints(uint64_t mask, char buf[65])
{
	static const char letters[] = "PFSRMBUDAWCIOELKXTNJ";
	size_t n = 0;

	for (int i = 0; i < 64; i++)
		if (mask >> i & 1)
			buf[n++] = (size_t)i < sizeof(letters) - 1 ? letters[i] : '?';
	buf[n] = '\0';
}
