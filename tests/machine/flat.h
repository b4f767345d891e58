/* A kernel's memory of a few pages, at an address of its own, for tests without a dump. */
#ifndef TESTS_FLAT_H
#define TESTS_FLAT_H

#include <inquest/space.h>
#include <string.h>

#define FLAT_BASE UINT64_C(0xffff888000000000)
enum { FLAT_BYTES = 0x4000 };

struct flat {
	struct inq_space base; /* .read = flat_read */
	uint8_t bytes[FLAT_BYTES];
};

static inline enum inq_status flat_read(const struct inq_space *self, uint64_t addr, void *buf,
					size_t n, struct inq_err *err)
{
	const struct flat *mem = (const struct flat *)self;
	uint64_t at = addr - FLAT_BASE;

	if (addr < FLAT_BASE || at >= FLAT_BYTES || n > FLAT_BYTES - at)
		return inq_fail_at(err, INQ_EFAULT, addr, "nothing there");
	memcpy(buf, mem->bytes + at, n);
	return INQ_OK;
}

static inline void flat_put(struct flat *mem, uint64_t at, uint64_t v)
{
	memcpy(mem->bytes + at, &v, sizeof(v));
}

#endif
