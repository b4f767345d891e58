/* Knows how the parts of a dump grow while its format is read, and who owns their bytes. */
#include <stdlib.h>

#include "loader/dump.h"

#include "base/order.h"

/* Room for one more of `size` bytes in *list, which has n of *cap. */
static enum inq_status grow(void **list, size_t n, size_t *cap, size_t size, struct inq_err *err)
{
	if (n < *cap)
		return INQ_OK;
	size_t more = *cap ? 2 * *cap : 32; /* each takes bytes in the file, which bounds them */
	void *grown = reallocarray(*list, more, size);
	if (!grown)
		return inq_fail(err, INQ_ENOMEM, "%zu parts of %zu bytes", more, size);
	*list = grown;
	*cap = more;
	return INQ_OK;
}

enum inq_status loader_blob(struct loader_dump *d, struct inq_blob blob, struct inq_err *err)
{
	enum inq_status st =
		grow((void **)&d->blobs, d->nr_blobs, &d->blobs_cap, sizeof(blob), err);

	if (!st)
		d->blobs[d->nr_blobs++] = blob;
	return st;
}

enum inq_status loader_blob_copy(struct loader_dump *d, uint32_t vcpu, uint32_t kind, const void *p,
				 size_t n, struct inq_err *err)
{
	void **copies = reallocarray(d->copies, d->nr_copies + 1, sizeof(*copies));

	if (copies)
		d->copies = copies;
	uint8_t *copy = copies ? malloc(n + 1) : NULL;
	if (!copy)
		return inq_fail(err, INQ_ENOMEM, "%zu bytes of a cpu", n);
	d->copies[d->nr_copies++] = copy;
	if (n)
		memcpy(copy, p, n);
	return loader_blob(d, (struct inq_blob){.vcpu = vcpu, .kind = kind, .p = copy, .n = n},
			   err);
}

const struct inq_extent *loader_extent_from(const struct inq_extent *e, size_t nr, uint64_t addr)
{
	size_t n = ORDER_BELOW(e, nr, last, addr);

	return n < nr ? &e[n] : NULL;
}

enum inq_status loader_extent(struct loader_dump *d, struct inq_extent e, struct inq_err *err)
{
	enum inq_status st =
		grow((void **)&d->extents, d->pub.nr_extents, &d->extents_cap, sizeof(e), err);

	if (!st)
		d->extents[d->pub.nr_extents++] = e;
	return st;
}
