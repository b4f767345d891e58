/* Memory files that are too large to be built: Firecracker's, with its hole below 4 GiB. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <inquest/dump.h>

#define GIB UINT64_C(0x40000000)

/* A sparse file: the segments at 0x500, entries of the kernel's memory map, one byte at the end. */
static int make_file(uint64_t n, uint64_t ram_end, char path[32])
{
	static const uint64_t gdt[] = {0, 0x00af9b000000ffff, 0x00cf93000000ffff,
				       0x008f8b000000ffff};
	const uint64_t low[] = {0, 0x9fc00}, high[] = {0x100000, ram_end - 0x100000};
	const uint64_t above[] = {4 * GIB, n - ram_end};
	const uint64_t *const entry[] = {low, high, above};
	const uint32_t ram = 1;
	const uint8_t nr = 3;
	int fd = memfd_create("firecracker", MFD_CLOEXEC);

	assert_int_equal(ftruncate(fd, (off_t)n), 0);
	assert_int_equal(pwrite(fd, gdt, sizeof(gdt), 0x500), sizeof(gdt));
	for (int i = 0; ram_end && i < nr; i++) {
		assert_int_equal(pwrite(fd, entry[i], 16, 0x72d0 + 20 * i), 16);
		assert_int_equal(pwrite(fd, &ram, 4, 0x72e0 + 20 * i), 4);
	}
	if (ram_end)
		assert_int_equal(pwrite(fd, &nr, 1, 0x71e8), 1);
	assert_int_equal(pwrite(fd, "\x55", 1, (off_t)n - 1), 1);
	snprintf(path, 32, "/proc/self/fd/%d", fd);
	return fd;
}

static void check(uint64_t n, uint64_t ram_end)
{
	char path[32];
	int fd = make_file(n, ram_end, path);
	struct inq_dump *d = NULL;
	struct inq_err err;
	uint8_t byte = 0;

	assert_int_equal(inq_dump_open(path, &d, &err), INQ_OK);
	assert_string_equal(d->variant, "firecracker memory file");
	assert_int_equal(d->nr_extents, 2);
	assert_int_equal(d->extents[0].last, ram_end - 1);
	assert_int_equal(d->extents[1].first, 4 * GIB);
	assert_int_equal(d->extents[1].last, 4 * GIB + (n - ram_end) - 1);
	assert_int_equal(inq_read(d->phys, d->extents[1].last, &byte, 1, &err), INQ_OK);
	assert_int_equal(byte, 0x55);
	assert_int_equal(d->nr_damages, 0);
	inq_dump_close(d);
	close(fd);
}

static void memory_goes_on_behind_the_hole_that_the_kernel_was_told(void **state)
{
	(void)state;
	check(3 * GIB + GIB / 2, 3 * GIB);           /* since 1.12 */
	check(3 * GIB + GIB / 2, 3 * GIB + GIB / 4); /* before */
}

static void memory_of_unknown_place_is_not_used(void **state)
{
	char path[32];
	int fd = make_file(3 * GIB + 4096, 0, path);
	struct inq_dump *d = NULL;
	struct inq_err err;

	(void)state;
	assert_int_equal(inq_dump_open(path, &d, &err), INQ_OK);
	assert_int_equal(d->nr_extents, 1);
	assert_int_equal(d->extents[0].last, 3 * GIB - 1);
	assert_int_equal(d->nr_damages, 1);
	assert_non_null(strstr(d->damages[0].message, "behind 3 GiB"));
	inq_dump_close(d);
	close(fd);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(memory_goes_on_behind_the_hole_that_the_kernel_was_told),
		cmocka_unit_test(memory_of_unknown_place_is_not_used),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
