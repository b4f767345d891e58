/*
 * Knows how to tell the kernel's BTF from other bytes of its image: a header whose sections follow
 * each other, and among the types that of tasks.
 * Source: Linux scripts/link-vmlinux.sh (gen_btf), include/asm-generic/vmlinux.lds.h (BTF).
 */
#include "machine/types.h"

#include <inttypes.h>
#include <string.h>

#include "machine/image.h"
#include "machine/machine.h"

enum { LEAST = 1 << 16 }; /* a kernel's BTF has megabytes, a BPF program's less */

enum inq_status machine_types_at(const struct inq_machine *m, uint64_t addr, size_t n,
				 struct machine_types *t, struct inq_err *err)
{
	struct machine_bytes bytes;
	struct btf *btf = NULL;
	uint32_t id;

	if (n < BTF_HEADER || n > BTF_MAX_BYTES)
		return inq_fail(err, INQ_ELIMIT, "BTF of %zu bytes at 0x%" PRIx64, n, addr);
	enum inq_status st = machine_bytes(inq_machine_kernel(m)->virt, addr, n, &bytes, err);
	if (st)
		return inq_wrap(err, st, "BTF of the kernel");
	st = btf_open(bytes.p, n, NULL, NULL, &btf, err);
	if (!st)
		st = btf_find(btf, "task_struct", BTF_BIT(BTF_STRUCT), 0, &id, err);
	if (st) {
		btf_close(btf);
		machine_bytes_deinit(&bytes);
		return st;
	}
	t->btf = btf;
	t->bytes = bytes;
	t->addr = addr;
	return INQ_OK;
}

struct wanted {
	const struct inq_machine *m;
	struct machine_types *t;
};

/* The candidates of one chunk; why the last was none stands in err. */
static enum inq_status try_chunk(void *ctx, uint64_t va, const uint8_t *p, size_t n,
				 struct inq_err *err)
{
	/* magic, version 1, no flags, a header of 24 bytes, which types follow at once */
	static const uint8_t head[12] = {0x9f, 0xeb, 1, 0, BTF_HEADER};
	const struct wanted *w = ctx;
	const uint8_t *end = p + n, *hit = p;
	enum inq_status st = INQ_ENOTFOUND;

	while ((hit = memmem(hit, (size_t)(end - hit), head, sizeof(head)))) {
		size_t bytes = btf_looks_like(hit, (size_t)(end - hit));
		if (bytes >= LEAST)
			st = machine_types_at(w->m, va + (uint64_t)(hit - p), bytes, w->t, err);
		if (!st || machine_passes(st))
			return st;
		hit++;
	}
	return INQ_ENOTFOUND;
}

enum inq_status machine_types_search(const struct inq_machine *m, struct machine_types *t,
				     struct inq_err *err)
{
	struct wanted w = {m, t};
	enum inq_status st =
		image_scan(inq_machine_kernel(m)->virt, BTF_HEADER, try_chunk, &w, err);

	return st == INQ_ENOTFOUND ? inq_fail(err, INQ_EABSENT,
					      "no type information (BTF) in the kernel's image")
				   : st;
}
