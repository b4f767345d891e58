/* Knows how an image gets from its file into this process, and how its bytes are read. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "vmm/boot/boot.h"

#define MAX_IMAGE (UINT64_C(1) << 30)

static enum inq_status read_all(FILE *f, struct vmm_image *i, struct inq_err *err)
{
	struct stat s;

	if (fstat(fileno(f), &s))
		return inq_fail(err, INQ_EUSAGE, "%s: %s; give another file", i->path,
				strerror(errno));
	if (!S_ISREG(s.st_mode))
		return inq_fail(err, INQ_EUSAGE, "%s: no plain file; give another", i->path);
	if (!s.st_size || (uint64_t)s.st_size > MAX_IMAGE)
		return inq_fail(err, INQ_EUSAGE, "%s: %s; give another file", i->path,
				s.st_size ? "larger than 1 GiB" : "empty");
	i->at = malloc((size_t)s.st_size);
	if (!i->at)
		return inq_fail(err, INQ_ENOMEM, "%s", i->path);
	i->n = fread(i->at, 1, (size_t)s.st_size, f);
	return i->n == (size_t)s.st_size
		       ? INQ_OK
		       : inq_fail(err, INQ_EIO, "%s: cannot be read; try again", i->path);
}

enum inq_status vmm_image_read(struct vmm_image *ret, const char *path, struct inq_err *err)
{
	struct vmm_image i = {.path = path};
	FILE *f = fopen(path, "re");

	if (!f)
		return inq_fail(err, INQ_EUSAGE, "%s: %s; give another file", path,
				strerror(errno));
	enum inq_status st = read_all(f, &i, err);
	fclose(f);
	if (st)
		vmm_image_deinit(&i);
	else
		*ret = i;
	return st;
}

void vmm_image_deinit(struct vmm_image *i)
{
	free(i->at);
	i->at = NULL;
}

static bool copy(const struct vmm_image *k, uint64_t at, void *to, size_t n)
{
	if (at > k->n || n > k->n - at)
		return false;
	memcpy(to, k->at + at, n);
	return true;
}

uint16_t vmm_image_u16(const struct vmm_image *k, uint64_t at)
{
	uint16_t v = 0;

	return copy(k, at, &v, sizeof(v)) ? v : 0;
}

uint32_t vmm_image_u32(const struct vmm_image *k, uint64_t at)
{
	uint32_t v = 0;

	return copy(k, at, &v, sizeof(v)) ? v : 0;
}

uint64_t vmm_image_u64(const struct vmm_image *k, uint64_t at)
{
	uint64_t v = 0;

	return copy(k, at, &v, sizeof(v)) ? v : 0;
}
