/* Fuzz target: an image with the tables of kallsyms somewhere in it, found and decoded. */
#include <stdint.h>
#include <string.h>

#include "symbols/kallsyms.h"
#include "tests/fuzz/must.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

struct image {
	struct inq_space space;
	const uint8_t *p;
	size_t n;
};
enum { PAGE = 4096 };
#define BASE UINT64_C(0xffffffff81e00000)

static enum inq_status read_image(const struct inq_space *sp, uint64_t addr, void *buf, size_t n,
				  struct inq_err *err)
{
	const struct image *im = (const struct image *)sp;
	uint64_t off = addr - BASE;

	size_t end = (im->n + PAGE - 1) & ~(size_t)(PAGE - 1); /* memory ends with a page */
	if (addr < BASE || off > end || n > end - off)
		return inq_fail_at(err, INQ_EFAULT, addr, "behind the input");
	size_t known = off < im->n ? im->n - (size_t)off : 0;
	known = known < n ? known : n;
	memset(buf, 0, n);
	if (known)
		memcpy(buf, im->p + off, known);
	return INQ_OK;
}

static void decode(const struct image *im, const struct inq_kallsyms_place *at)
{
	struct kallsyms *k = NULL;

	if (kallsyms_open(&im->space, at, &k, NULL))
		return;
	for (size_t i = 0; i < k->nr; i++) {
		MUST(k->symbol[i].name < k->text_bytes);
		MUST(strlen(k->text + k->symbol[i].name) < k->text_bytes - k->symbol[i].name);
		MUST(!i || k->symbol[i - 1].addr <= k->symbol[i].addr);
	}
	kallsyms_close(k);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	const struct image im = {{.name = "image", .read = read_image}, data, n};
	struct inq_kallsyms_place at = {0};

	for (size_t i = 0; i < n; i += 4) {
		i += kallsyms_find_index(data + i, n - i);
		if (i < n && !kallsyms_locate(&im.space, BASE + i, &at, NULL))
			decode(&im, &at);
	}
	/* the last 48 bytes: where VMCOREINFO says that the tables are */
	if (n >= sizeof(at)) {
		memcpy(&at, data + n - sizeof(at), sizeof(at));
		decode(&im, &at);
	}
	return 0;
}
