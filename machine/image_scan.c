/* Knows in which order a kernel's image is looked through for tables that nothing points to. */
#include <stdlib.h>

#include "arch/paging.h"
#include "machine/bytes.h"
#include "machine/image.h"

enum { CHUNK = 1 << 20 };

static enum inq_status scan_piece(const struct inq_space *virt, const struct image_piece *piece,
				  size_t overlap, image_chunk_fn *fn, void *ctx,
				  struct inq_err *err)
{
	enum inq_status st = INQ_ENOTFOUND;

	for (uint64_t off = 0; off < piece->bytes && st == INQ_ENOTFOUND; off += CHUNK) {
		uint64_t left = piece->bytes - off, va = piece->va + off;
		size_t n = left < CHUNK + overlap ? (size_t)left : CHUNK + overlap;
		struct machine_bytes b;
		st = machine_bytes_there(virt, va, n, &b, err);
		if (st)
			return st;
		st = fn(ctx, va, b.p, n, err);
		machine_bytes_deinit(&b);
	}
	return st;
}

enum inq_status image_scan(const struct inq_space *virt, size_t overlap, image_chunk_fn *fn,
			   void *ctx, struct inq_err *err)
{
	const struct paging_space *ps = paging_space_of(virt);
	struct image *im = malloc(sizeof(*im));
	enum inq_status st = INQ_ENOTFOUND;

	if (!im)
		return inq_fail(err, INQ_ENOMEM, "the kernel's image");
	if (ps && image_map(ps->base.lower, &ps->mode, im))
		/* code holds no tables, but before mark_rodata_ro all may be code */
		for (int nx = 1; nx >= 0; nx--)
			for (size_t i = 0; i < im->nr && st == INQ_ENOTFOUND; i++)
				if (im->piece[i].nx == nx)
					st = scan_piece(virt, &im->piece[i], overlap, fn, ctx, err);
	free(im);
	return st;
}
