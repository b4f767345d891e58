/* A space of its own for tests: 2 MiB of memory, a page that was not dumped, nothing behind. */
#ifndef TESTS_ARCH_MEM_H
#define TESTS_ARCH_MEM_H

#include <inquest/space.h>
#include <stdlib.h>
#include <string.h>

enum { MEM_BYTES = 2 << 20, MEM_ABSENT = 0x1ff000 /* the last page */ };

struct mem {
	struct inq_space base;
	uint8_t *p;
};

static enum inq_status mem_read(const struct inq_space *self, uint64_t addr, void *buf, size_t n,
				struct inq_err *err)
{
	const struct mem *m = (const struct mem *)self;

	if (addr + n > MEM_BYTES)
		return inq_fail_at(err, INQ_EFAULT, addr > MEM_BYTES ? addr : MEM_BYTES,
				   "phys: no memory");
	if (addr + n > MEM_ABSENT)
		return inq_fail_at(err, INQ_EABSENT, addr > MEM_ABSENT ? addr : MEM_ABSENT,
				   "phys: page was not dumped");
	memcpy(buf, m->p + addr, n);
	return INQ_OK;
}

static enum inq_status mem_runs(const struct inq_space *self, uint64_t addr, size_t n,
				struct inq_run *ret, struct inq_err *err)
{
	const struct mem *m = (const struct mem *)self;

	if (addr >= MEM_BYTES)
		return inq_fail_at(err, INQ_EFAULT, addr, "phys: no memory");
	size_t end = addr >= MEM_ABSENT ? MEM_BYTES : MEM_ABSENT;
	size_t len = end - addr < n ? end - addr : n;
	*ret = addr >= MEM_ABSENT ? (struct inq_run){INQ_RUN_ABSENT, NULL, len}
				  : (struct inq_run){INQ_RUN_BYTES, m->p + addr, len};
	return INQ_OK;
}

static inline struct mem mem_new(void)
{
	struct mem m = {.base = {.name = "phys", .read = mem_read, .runs = mem_runs}};

	m.p = calloc(1, MEM_BYTES);
	if (!m.p)
		abort();
	return m;
}

static inline void mem_put(struct mem *m, uint64_t addr, uint64_t v, size_t bytes)
{
	for (size_t i = 0; i < bytes; i++)
		m->p[addr + i] = (uint8_t)(v >> (8 * i));
}

static inline uint64_t mem_get(const struct mem *m, uint64_t addr, size_t bytes)
{
	uint64_t v = 0;

	for (size_t i = 0; i < bytes; i++)
		v |= (uint64_t)m->p[addr + i] << (8 * i);
	return v;
}

#endif
