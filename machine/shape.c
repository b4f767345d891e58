/* Knows how members become integers, and which of them a structure may lack. */
#include <inquest/types.h>

#include <endian.h>
#include <inttypes.h>
#include <string.h>

enum { WIDE = 8 };

struct inq_field inq_field_for(const struct inq_member *mb)
{
	struct inq_type_info info;
	uint64_t at = mb->bit_offset / 8;

	inq_type_info(mb->type, &info);
	struct inq_field f = {
		.off = at > UINT32_MAX ? 0 : (uint32_t)at,
		.size = at > UINT32_MAX ? 0 : mb->size,
		.is_signed = info.is_signed,
	};
	if (!mb->bits)
		return f;
	f.shift = mb->bit_offset % 8;
	f.bits = mb->bits > 64 ? 64 : (uint8_t)mb->bits;
	f.size = (f.shift + f.bits + 7u) / 8;
	return f;
}

static enum inq_status find_member(struct inq_type t, const struct inq_shape_member *want,
				   struct inq_member *ret, struct inq_err *err)
{
	enum inq_status st = inq_member(t, want->path, ret, err);

	if (st == INQ_ENOTFOUND && want->was && !inq_member(t, want->was, ret, NULL))
		return INQ_OK;
	if (st == INQ_ENOTFOUND && want->before && !inq_member(t, want->before, ret, NULL))
		return INQ_OK;
	return st;
}

enum inq_status inq_shape(const struct inq_machine *m, const char *type,
			  const struct inq_shape_member *members, void *ret_fields,
			  uint64_t *ret_size, struct inq_err *err)
{
	struct inq_type t;
	enum inq_status st = inq_type_named(m, type, &t, err);

	for (; !st && members->path; members++) {
		struct inq_member mb;
		struct inq_field f = {0};
		st = find_member(t, members, &mb, err);
		if (!st)
			f = inq_field_for(&mb);
		if (st == INQ_ENOTFOUND && members->optional)
			st = INQ_OK;
		memcpy((uint8_t *)ret_fields + members->slot, &f, sizeof(f));
	}
	if (!st && ret_size)
		*ret_size = inq_type_size(t);
	return st;
}

bool inq_field_of(const struct inq_field *f, const void *p, size_t n, uint64_t *ret)
{
	uint8_t wide[WIDE + 1] = {0};
	uint64_t v;

	if (!f->size || f->size > sizeof(wide) || f->off > n || f->size > n - f->off)
		return false;
	memcpy(wide, (const uint8_t *)p + f->off, f->size);
	memcpy(&v, wide, sizeof(v));
	v = le64toh(v);
	unsigned bits = f->bits ? f->bits : f->size * 8;
	if (!f->bits && f->size > WIDE)
		return false;
	if (f->shift)
		v = v >> f->shift | (uint64_t)wide[WIDE] << (64 - f->shift);
	if (bits < 64)
		v &= (UINT64_C(1) << bits) - 1;
	if (f->is_signed && bits < 64 && v >> (bits - 1))
		v |= ~UINT64_C(0) << bits;
	*ret = v;
	return true;
}

enum inq_status inq_read_kernel(const struct inq_machine *m, uint64_t addr, void *buf, size_t n,
				struct inq_err *err)
{
	const struct inq_space *virt = inq_machine_kernel(m)->virt;

	if (!virt)
		return inq_fail(err, INQ_EABSENT, "no kernel's page tables to read 0x%" PRIx64,
				addr);
	return inq_read(virt, addr, buf, n, err);
}

enum inq_status inq_read_u64(const struct inq_machine *m, uint64_t addr, uint64_t *ret,
			     struct inq_err *err)
{
	uint64_t v = 0;
	enum inq_status st = inq_read_kernel(m, addr, &v, sizeof(v), err);

	if (!st)
		*ret = le64toh(v);
	return st;
}

enum inq_status inq_read_u32(const struct inq_machine *m, uint64_t addr, uint32_t *ret,
			     struct inq_err *err)
{
	uint32_t v = 0;
	enum inq_status st = inq_read_kernel(m, addr, &v, sizeof(v), err);

	if (!st)
		*ret = le32toh(v);
	return st;
}

enum inq_status inq_read_field(const struct inq_machine *m, uint64_t addr,
			       const struct inq_field *f, uint64_t *ret, struct inq_err *err)
{
	uint8_t buf[WIDE + 1];
	struct inq_field here = *f;

	here.off = 0;
	if (!f->size)
		return inq_fail(err, INQ_EABSENT, "this kernel's structure has no such member");
	if (f->size > sizeof(buf) || (f->size > WIDE && !f->bits))
		return inq_fail(err, INQ_EUNSUPPORTED, "a member of %" PRIu32 " bytes", f->size);
	enum inq_status st = inq_read_kernel(m, addr + f->off, buf, f->size, err);
	if (!st)
		(void)inq_field_of(&here, buf, f->size, ret);
	return st;
}
