#include "tests/fuzz/blobs.h"

#include <string.h>

static enum inq_status memory_read(const struct inq_space *self, uint64_t addr, void *buf, size_t n,
				   struct inq_err *err)
{
	const struct span *s = &((const struct fuzz_memory *)self)->bytes;

	if (!s->left || addr >> 40)
		return inq_fail_at(err, addr >> 41 ? INQ_EFAULT : INQ_EABSENT, addr,
				   "memory: none");
	for (size_t at = (size_t)(addr % s->left), done = 0; done < n; at = 0) {
		size_t some = s->left - at < n - done ? s->left - at : n - done;

		memcpy((uint8_t *)buf + done, s->p + at, some);
		done += some;
	}
	return INQ_OK;
}

const struct inq_extent fuzz_extent = {.last = 0xffff, .kind = INQ_EXTENT_BYTES};

size_t fuzz_blobs(struct span *s, struct inq_blob blobs[FUZZ_MAX_BLOBS])
{
	size_t nr = 0;

	while (nr < FUZZ_MAX_BLOBS) {
		uint8_t kind = span_u8(s), vcpu = span_u8(s), state = span_u8(s);
		size_t len = span_u16le(s);
		if (s->bad || !kind)
			break;
		if (len > s->left)
			len = s->left;
		blobs[nr++] = (struct inq_blob){
			.vcpu = vcpu == 0xff ? INQ_SNAP_VM : vcpu,
			.sample = state >> 6,
			.kind = kind >= FUZZ_KIND_FOREIGN ? INQ_BLOB_PRSTATUS + 0xffu - kind : kind,
			.state = (state & 3) % 3,
			.n = len,
			.p = (state & 3) % 3 ? NULL : span_take(s, len),
		};
	}
	return nr;
}

struct fuzz_memory fuzz_memory(const char *name, struct span bytes)
{
	return (struct fuzz_memory){.base = {.name = name, .read = memory_read}, .bytes = bytes};
}
