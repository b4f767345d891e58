/* The log of writes: what devices write to watched memory is in it, and nothing else of theirs. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>
#include <sys/ioctl.h>

#include "vmm/writes.h"

enum { PAYLOAD = 12 + 8 + 24 /* behind a note's header, name and ours */, WATCHED = 0x200ff0 };

static struct vmm_memory *mem;
static struct vmm_writes *log_of;

/* A KVM that has whatever is asked for. */
int ioctl(int fd, unsigned long request, ...)
{
	(void)fd;
	(void)request;
	return 1;
}

static int set_up(void **state)
{
	const struct vmm_ranges ranges = {.at = {{WATCHED, 32}, {0x300000, 4}}, .nr = 2};
	struct inq_err err;

	(void)state;
	if (vmm_memory_create(&mem, 16, NULL, 0, false, &err))
		return 1;
	return vmm_writes_create(&log_of, 0, mem, &ranges, &err);
}

static int tear_down(void **state)
{
	(void)state;
	vmm_writes_destroy(log_of);
	vmm_memory_destroy(mem);
	return 0;
}

static void write_by_device(uint64_t gpa, const void *p, size_t n)
{
	uint8_t *at = vmm_memory_at(mem, 0, gpa, n);

	assert_non_null(at);
	memcpy(at, p, n);
	vmm_memory_device_wrote(mem, at, n);
}

/* What the note says. */
static uint32_t records(struct inq_snap_write *to, uint32_t most)
{
	struct snap_notes n = {0};
	struct inq_snap_writes head;

	vmm_writes_add_note(log_of, &n);
	memcpy(&head, n.bytes + PAYLOAD, sizeof(head));
	assert_int_equal(head.nr_ranges, 2);
	assert_true(head.count <= most);
	const uint8_t *at = n.bytes + PAYLOAD + sizeof(head) + 2 * sizeof(struct inq_snap_word);
	memcpy(to, at, head.count * sizeof(*to));
	assert_true(at + head.count * sizeof(*to) == n.bytes + n.len);
	snap_notes_deinit(&n);
	return head.count;
}

static void devices_are_heard(void **state)
{
	static uint8_t block[0x3000];
	struct inq_snap_write r[8];

	(void)state;
	for (size_t i = 0; i < sizeof(block); i++)
		block[i] = (uint8_t)i;
	write_by_device(WATCHED - 4, block, 4);  /* before it */
	write_by_device(WATCHED + 32, block, 4); /* behind it */
	assert_int_equal(records(r, 8), 0);
	write_by_device(0x200000, block,
			sizeof(block)); /* across pages that are slots of their own */
	write_by_device(WATCHED + 30, "\xaa\xbb\xcc", 3);
	write_by_device(0x300000, "\1\2\3\4", 4);
	assert_int_equal(records(r, 8), 3);
	assert_true(r[0].gpa == WATCHED && r[0].size == 32);
	assert_true(r[0].value == 0xf7f6f5f4f3f2f1f0);
	assert_true(r[1].gpa == WATCHED + 30 && r[1].size == 2 && r[1].value == 0xbbaa);
	assert_true(r[2].gpa == 0x300000 && r[2].size == 4 && r[2].value == 0x04030201);
	for (uint32_t i = 0; i < 3; i++) {
		assert_true(r[i].nr == i && r[i].vcpu == INQ_SNAP_VM && !r[i].rip && !r[i].old);
		assert_int_equal(r[i].flags, INQ_WRITE_DEVICE | INQ_WRITE_NO_OLD);
	}
}

static void the_last_are_kept(void **state)
{
	struct inq_snap_write r[VMM_NR_WRITES];

	(void)state;
	for (uint32_t i = 0; i < VMM_NR_WRITES + 5; i++)
		write_by_device(0x300000, &i, sizeof(i));
	assert_int_equal(records(r, VMM_NR_WRITES), VMM_NR_WRITES);
	assert_true(r[0].nr == 5 && r[0].value == 5);
	assert_true(r[VMM_NR_WRITES - 1].value == VMM_NR_WRITES + 4);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(devices_are_heard, set_up, tear_down),
		cmocka_unit_test_setup_teardown(the_last_are_kept, set_up, tear_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
