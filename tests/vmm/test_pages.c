/* Pages written once and again: what the file then holds is what memory holds, and so says the
 * bitmap. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "vmm/pages.h"

enum { MIB = 16, OFF = 0x3000 };

struct fixture {
	struct vmm_memory *mem;
	struct snap_out out;
	struct vmm_pages pages;
	char dir[64], path[96];
	uint8_t *which;
};

static int set_up(void **state)
{
	static const uint64_t smbase[] = {0x400000};
	struct fixture *f = calloc(1, sizeof(*f));
	struct inq_err err;

	strcpy(f->dir, "/tmp/test_pages.XXXXXX");
	assert_non_null(mkdtemp(f->dir));
	snprintf(f->path, sizeof(f->path), "%s/x", f->dir);
	assert_int_equal(vmm_memory_create(&f->mem, MIB, smbase, 1, true, &err), INQ_OK);
	assert_int_equal(snap_out_open(&f->out, f->path, &err), INQ_OK);
	assert_int_equal(vmm_pages_init(&f->pages, f->mem, &f->out, &err), INQ_OK);
	f->pages.memory_off = OFF;
	f->which = calloc(1, f->mem->ram_bytes / VMM_PAGE / 8 + 1);
	*state = f;
	return 0;
}

static int tear_down(void **state)
{
	struct fixture *f = *state;

	vmm_pages_deinit(&f->pages);
	snap_out_close(&f->out);
	vmm_memory_destroy(f->mem);
	rmdir(f->dir);
	free(f->which);
	free(f);
	return 0;
}

/* A page's first byte, and that it is to be written once more. */
static void change(struct fixture *f, uint64_t gpa, uint8_t value)
{
	uint8_t *at = vmm_memory_at(f->mem, 0, gpa, VMM_PAGE);
	uint64_t page = (uint64_t)(at - f->mem->ram) / VMM_PAGE;

	at[17] = value;
	f->which[page / 8] |= (uint8_t)(1u << (page % 8));
}

static void file_is_memory(struct fixture *f)
{
	uint64_t off = OFF, page = 0, zero = 0;

	for (unsigned i = 0; i < f->mem->nr_regions; i++) {
		const struct vmm_region *r = &f->mem->region[i];

		for (uint64_t at = 0; at < r->bytes; at += VMM_PAGE, off += VMM_PAGE, page++) {
			const uint8_t *p = f->mem->ram + r->off + at;
			uint8_t got[4096] = {0};
			bool is_zero = !p[17];

			assert_true(pread(f->out.fd, got, sizeof(got), (off_t)off) >= 0);
			assert_memory_equal(got, p, sizeof(got));
			assert_int_equal(f->pages.zero[page / 8] >> (page % 8) & 1, is_zero);
			zero += is_zero;
		}
	}
	assert_int_equal(page, f->pages.nr);
	assert_int_equal(zero, vmm_pages_nr_zero(&f->pages));
}

static void written_once(void **state)
{
	struct fixture *f = *state;
	struct inq_err err;

	change(f, 0, 1);
	change(f, 0x9f000, 2);
	change(f, 0xc0000, 3);
	change(f, MIB * VMM_MIB - VMM_PAGE, 4);
	change(f, 0x5000, 0); /* touched and zero */
	assert_int_equal(vmm_pages_put_all(&f->pages, &err), INQ_OK);
	assert_int_equal(f->pages.written_bytes, 4 * VMM_PAGE);
	file_is_memory(f);
}

static void written_again(void **state)
{
	struct fixture *f = *state;
	struct inq_err err;

	change(f, 0x1000, 1);
	change(f, 0x2000, 2);
	change(f, 0xc0000, 3);
	assert_int_equal(vmm_pages_put_all(&f->pages, &err), INQ_OK);
	memset(f->which, 0, f->mem->ram_bytes / VMM_PAGE / 8 + 1);
	change(f, 0x1000, 0);  /* was something, is zero */
	change(f, 0x9f000, 5); /* was zero, is something */
	change(f, 0xc0000, 6); /* the next region */
	change(f, 0xc1000, 0); /* still zero */
	assert_int_equal(vmm_pages_put_some(&f->pages, f->which, &err), INQ_OK);
	assert_int_equal(f->pages.written_bytes, (3 + 4) * VMM_PAGE);
	file_is_memory(f);
}

/* What the VMM wrote itself is known by page; SMRAM is none of that. */
static void touched(void **state)
{
	struct fixture *f = *state;
	const struct vmm_memory *m = f->mem;

	vmm_memory_touch(m, vmm_memory_at(m, 0, 0x4fff, 2), 2);
	vmm_memory_touch(m, vmm_memory_at(m, 0, 0x8000, 1), 0);
	vmm_memory_touch(m, vmm_memory_at(m, 1, 0x400000, 8), 8);
	vmm_memory_touch(m, vmm_memory_at(m, 0, MIB * VMM_MIB - 1, 1), 1);
	for (uint64_t i = 0; i < m->ram_bytes / VMM_PAGE; i++)
		assert_int_equal(m->touched[i / 8] >> (i % 8) & 1,
				 i == 4 || i == 5 ||
					 m->ram + i * VMM_PAGE ==
						 vmm_memory_at(m, 0, MIB * VMM_MIB - VMM_PAGE, 1));
}

#define TEST(t) cmocka_unit_test_setup_teardown(t, set_up, tear_down)
int main(void)
{
	const struct CMUnitTest tests[] = {TEST(written_once), TEST(written_again), TEST(touched)};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
