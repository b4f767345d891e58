/*
 * Knows the layout of the blobs that frag.inc makes nasm write: which fragments there are, where
 * their patch points lie, and how a value goes into one.
 */
#include "vmm/scenarios/frag.h"

#include <string.h>

#include "base/span.h"

enum { HEAD_BYTES = 8, FRAG_BYTES = 28, MARK_BYTES = 8 };

/* The fragment `index` of a blob; false when it has no such one or ends too early. */
static bool blob_frag(const struct vmm_blob *b, size_t index, struct vmm_frag *ret)
{
	struct span s = span_of(b->data, b->bytes);
	const uint8_t *magic = span_take(&s, 4);
	uint16_t nr_frags = span_u16le(&s);
	struct vmm_frag f = {.nr_marks = span_u16le(&s), .index = (uint16_t)index};

	if (s.bad || memcmp(magic, "IQFR", 4) != 0 || index >= nr_frags)
		return false;
	span_skip(&s, index * FRAG_BYTES);
	const uint8_t *name = span_take(&s, 16);
	if (!name)
		return false;
	memcpy(f.name, name, 16);
	uint16_t off = span_u16le(&s);
	f.len = span_u16le(&s);
	f.bits = span_u8(&s);
	f.kind = span_u8(&s);
	f.pred = span_u8(&s);
	f.width = span_u8(&s);
	f.place = span_u8(&s);
	span_skip(&s, 3 + (nr_frags - index - 1) * (size_t)FRAG_BYTES);
	f.marks = span_take(&s, f.nr_marks * (size_t)MARK_BYTES);
	span_skip(&s, off);
	f.code = span_take(&s, f.len);
	*ret = f;
	return !s.bad;
}

static uint16_t blob_nr_frags(const struct vmm_blob *b)
{
	uint64_t n;

	return span_at(b->data, b->bytes, 4, 2, &n) ? (uint16_t)n : 0;
}

bool vmm_frag_at(size_t n, struct vmm_frag *ret)
{
	for (size_t i = 0; i < vmm_nr_blobs; i++) {
		uint16_t here = blob_nr_frags(&vmm_blobs[i]);

		if (n < here)
			return blob_frag(&vmm_blobs[i], n, ret);
		n -= here;
	}
	return false;
}

struct vmm_frag_mark vmm_frag_mark_at(const struct vmm_frag *f, size_t n)
{
	struct span s = span_of(f->marks + n * MARK_BYTES, MARK_BYTES);
	struct vmm_frag_mark m = {0};

	m.frag = span_u16le(&s);
	m.off = span_u16le(&s);
	m.what = span_u8(&s);
	m.width = span_u8(&s);
	return m;
}

enum inq_status vmm_frag_find(const char *name, struct vmm_frag *ret, struct inq_err *err)
{
	struct vmm_frag f;

	for (size_t n = 0; vmm_frag_at(n, &f); n++)
		if (!strcmp(f.name, name)) {
			*ret = f;
			return INQ_OK;
		}
	return inq_fail(err, INQ_ENOTFOUND, "no guest code fragment '%s'", name);
}

enum inq_status vmm_frag_draw(struct vmm_rng *rng, enum vmm_frag_kind kind, unsigned bits,
			      struct vmm_frag *ret, struct inq_err *err)
{
	struct vmm_frag f = {0};
	uint64_t have = 0;

	for (size_t n = 0; vmm_frag_at(n, &f); n++)
		have += f.kind == kind && f.bits == bits;
	if (!have)
		return inq_fail(err, INQ_ENOTFOUND, "no %u-bit guest code of kind %d", bits,
				(int)kind);

	uint64_t pick = vmm_rng_below(rng, have);
	for (size_t n = 0; vmm_frag_at(n, &f); n++)
		if (f.kind == kind && f.bits == bits && !pick--)
			break;
	*ret = f;
	return INQ_OK;
}

void vmm_code_set(struct vmm_code *c, enum vmm_patch what, uint64_t value)
{
	c->value[what] = value;
	c->known[what] = true;
}

uint64_t vmm_code_mark(const struct vmm_code *c, enum vmm_patch mark)
{
	return c->mark[mark - VMM_M_INSN];
}

/*
 * The value for one patch point.  frag_at: where its fragment begins in c; old: what its field
 * holds.  A field that VMM_P_REL fills ends its instruction.
 */
static enum inq_status patch_value(const struct vmm_code *c, const struct vmm_frag_mark *m,
				   uint32_t frag_at, uint64_t old, uint64_t *ret,
				   struct inq_err *err)
{
	if (m->what == VMM_P_SELF) {
		*ret = c->linear + frag_at + old;
		return INQ_OK;
	}
	enum vmm_patch from = m->what == VMM_P_REL ? VMM_P_GATE : (enum vmm_patch)m->what;

	if (from >= VMM_NR_PATCHES || !c->known[from])
		return inq_fail(err, INQ_EUSAGE, "guest code wants value %d, which was not drawn",
				(int)from);
	*ret = c->value[from];
	if (m->what == VMM_P_REL)
		*ret -= c->linear + frag_at + m->off + m->width;
	return INQ_OK;
}

static void put_mark(struct vmm_code *c, struct vmm_frag_mark m, uint32_t frag_at)
{
	if (m.what < VMM_M_LAST)
		c->mark[m.what - VMM_M_INSN] = c->linear + frag_at + m.off;
}

static enum inq_status apply(struct vmm_code *c, const struct vmm_frag *f, struct vmm_frag_mark m,
			     uint32_t frag_at, struct vmm_rng *rng, struct inq_err *err)
{
	uint64_t old = 0, value = 0;
	enum inq_status st = INQ_OK;

	if (m.off > f->len || m.width > f->len - m.off)
		return inq_fail(err, INQ_ECORRUPT, "fragment %s: patch beyond its end", f->name);
	uint8_t *field = c->bytes + frag_at + m.off;
	for (unsigned i = 0; i < m.width; i++)
		old |= (uint64_t)field[i] << (8 * i);
	if (m.what == VMM_P_JUNK)
		value = vmm_rng_u64(rng);
	else
		st = patch_value(c, &m, frag_at, old, &value, err);
	for (unsigned i = 0; i < m.width && !st; i++)
		field[i] = (uint8_t)(value >> (8 * i));
	return inq_wrap(err, st, "fragment %s", f->name);
}

enum inq_status vmm_code_add(struct vmm_code *c, const struct vmm_frag *f, struct vmm_rng *rng,
			     struct inq_err *err)
{
	uint32_t at = c->len;

	if (f->len > VMM_CODE_MAX - at)
		return inq_fail(err, INQ_ELIMIT, "fragment %s: guest code over %u bytes", f->name,
				VMM_CODE_MAX);
	memcpy(c->bytes + at, f->code, f->len);
	c->len += f->len;
	for (size_t n = 0; n < f->nr_marks; n++) {
		struct vmm_frag_mark m = vmm_frag_mark_at(f, n);
		enum inq_status st = INQ_OK;

		if (m.frag != f->index)
			continue;
		if (m.what >= VMM_M_INSN)
			put_mark(c, m, at);
		else
			st = apply(c, f, m, at, rng, err);
		if (st)
			return st;
	}
	return INQ_OK;
}

enum inq_status vmm_code_add_named(struct vmm_code *c, const char *name, struct vmm_rng *rng,
				   struct inq_err *err)
{
	struct vmm_frag f;
	enum inq_status st = vmm_frag_find(name, &f, err);

	return st ? st : vmm_code_add(c, &f, rng, err);
}

enum inq_status vmm_code_pad(struct vmm_code *c, unsigned bits, unsigned most, struct vmm_rng *rng,
			     struct inq_err *err)
{
	enum inq_status st = INQ_OK;

	for (uint64_t n = vmm_rng_below(rng, most + 1); n && !st; n--) {
		struct vmm_frag f;

		st = vmm_frag_draw(rng, VMM_FRAG_PAD, bits, &f, err);
		if (!st)
			st = vmm_code_add(c, &f, rng, err);
	}
	return st;
}
