/* The flight record's ring: what it keeps, what it forgets, what it knows of each exit. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <errno.h>

#include "vmm/flight.h"

enum { RUN_BYTES = 8192 };

struct lab {
	struct vmm_flight f;
	struct kvm_run *run;
	struct inq_snap_flight out[INQ_SNAP_FLIGHT_RECORDS];
	struct inq_snap_ring ring;
};

static int set_up(void **state)
{
	struct lab *l = calloc(1, sizeof(*l));
	struct inq_err err;

	l->run = calloc(1, RUN_BYTES);
	*state = l;
	return vmm_flight_init(&l->f, &err);
}

static int tear_down(void **state)
{
	struct lab *l = *state;

	vmm_flight_deinit(&l->f);
	free(l->run);
	free(l);
	return 0;
}

static void an_empty_record_has_no_records(void **state)
{
	struct lab *l = *state;

	vmm_flight_copy(&l->f, l->out, &l->ring);
	assert_int_equal(l->ring.count, 0);
	assert_int_equal(l->ring.bytes, 0);
	assert_int_equal(l->ring.first, 0);
}

/* Around a full ring, and around twice that. */
static void a_full_ring_forgets_the_oldest_only(void **state)
{
	struct lab *l = *state;
	const uint64_t full = INQ_SNAP_FLIGHT_RECORDS;

	for (uint64_t n = 1; n <= 2 * full + 1; n++) {
		vmm_flight_note(&l->f, n - 1, 0);
		if (n > 3 && (n + 2) % full > 4)
			continue;
		vmm_flight_copy(&l->f, l->out, &l->ring);
		assert_int_equal(l->ring.count, n < full ? n : full);
		assert_int_equal(l->ring.first, n < full ? 0 : n - full);
		assert_int_equal(l->ring.bytes, l->ring.count * 64);
		for (uint32_t i = 0; i < l->ring.count; i++) {
			assert_int_equal(l->out[i].nr, l->ring.first + i);
			assert_int_equal(l->out[i].reason, l->ring.first + i);
			assert_true(!i || l->out[i].t_ns >= l->out[i - 1].t_ns);
		}
		assert_int_equal(vmm_flight_newest(&l->f)->nr, n - 1);
	}
}

static const struct inq_snap_flight *seen(struct lab *l, int e)
{
	vmm_flight_exit(&l->f, l->run, RUN_BYTES, false, e);
	return vmm_flight_newest(&l->f);
}

static void port_output_keeps_its_first_item(void **state)
{
	struct lab *l = *state;

	l->run->exit_reason = KVM_EXIT_IO;
	l->run->io.direction = KVM_EXIT_IO_OUT;
	l->run->io.port = 0x3f8;
	l->run->io.size = 2;
	l->run->io.count = 3;
	l->run->io.data_offset = 4096;
	memcpy((uint8_t *)l->run + 4096, "\x34\x12\x78\x56", 4);
	const struct inq_snap_flight *r = seen(l, 0);
	assert_int_equal(r->what, INQ_FLIGHT_RUN);
	assert_int_equal(r->reason, KVM_EXIT_IO);
	assert_int_equal(r->addr, 0x3f8);
	assert_int_equal(r->value, 0x1234);
	assert_int_equal(r->size, 2);
	assert_int_equal(r->items, 3);
	assert_int_equal(r->flags, INQ_FLIGHT_SMM_KNOWN | INQ_FLIGHT_ADDR | INQ_FLIGHT_VALUE |
					   INQ_FLIGHT_WRITE);
}

static void data_outside_the_page_is_not_read(void **state)
{
	struct lab *l = *state;

	l->run->exit_reason = KVM_EXIT_IO;
	l->run->io.direction = KVM_EXIT_IO_OUT;
	l->run->io.size = 4;
	l->run->io.count = 1;
	l->run->io.data_offset = RUN_BYTES - 3;
	assert_false(seen(l, 0)->flags & INQ_FLIGHT_VALUE);
	l->run->io.data_offset = UINT64_MAX - 1;
	assert_false(seen(l, 0)->flags & INQ_FLIGHT_VALUE);
}

static void what_the_guest_reads_is_not_known_yet(void **state)
{
	struct lab *l = *state;

	l->run->exit_reason = KVM_EXIT_MMIO;
	l->run->mmio.phys_addr = 0xfed00000;
	l->run->mmio.len = 4;
	const struct inq_snap_flight *r = seen(l, 0);
	assert_int_equal(r->flags, INQ_FLIGHT_SMM_KNOWN | INQ_FLIGHT_ADDR);
	assert_int_equal(r->addr, 0xfed00000);
}

static void a_kick_is_no_exit_of_the_guest(void **state)
{
	struct lab *l = *state;

	l->run->exit_reason = KVM_EXIT_IO; /* of an earlier exit */
	l->run->flags = KVM_RUN_X86_SMM;
	const struct inq_snap_flight *r = seen(l, EINTR);
	assert_int_equal(r->reason, KVM_EXIT_INTR);
	assert_int_equal(r->error, EINTR);
	assert_int_equal(r->flags, INQ_FLIGHT_SMM_KNOWN | INQ_FLIGHT_SMM);
	assert_int_equal(seen(l, EFAULT)->reason, KVM_EXIT_UNKNOWN);
}

static void the_linear_rip_wraps_only_outside_64_bit_code(void **state)
{
	struct lab *l = *state;
	struct kvm_sregs *s = &l->run->s.regs.sregs;

	l->run->s.regs.regs.rip = 0xfff0;
	s->cs.base = 0xffff0000;
	vmm_flight_exit(&l->f, l->run, RUN_BYTES, true, 0);
	assert_int_equal(vmm_flight_newest(&l->f)->rip, 0xfffffff0);
	s->cs.base = 0xffff8000;
	vmm_flight_exit(&l->f, l->run, RUN_BYTES, true, 0);
	assert_int_equal(vmm_flight_newest(&l->f)->rip, 0x7ff0);
	s->cs.base = 0;
	s->cs.l = 1;
	s->efer = 0x500;
	l->run->s.regs.regs.rip = 0xffffffff81000000;
	vmm_flight_exit(&l->f, l->run, RUN_BYTES, true, 0);
	assert_true(vmm_flight_newest(&l->f)->rip == 0xffffffff81000000);
	assert_true(vmm_flight_newest(&l->f)->flags & INQ_FLIGHT_RIP);
}

static void a_refused_ioctl_is_recorded_with_its_errno(void **state)
{
	struct lab *l = *state;

	assert_int_equal(vmm_flight_ioctl(&l->f, -1, KVM_SMI, NULL), -1);
	assert_int_equal(errno, EBADF);
	const struct inq_snap_flight *r = vmm_flight_newest(&l->f);
	assert_int_equal(r->what, INQ_FLIGHT_IOCTL);
	assert_int_equal(r->reason, KVM_SMI);
	assert_int_equal(r->error, EBADF);
}

#define TEST(t) cmocka_unit_test_setup_teardown(t, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(an_empty_record_has_no_records),
		TEST(a_full_ring_forgets_the_oldest_only),
		TEST(port_output_keeps_its_first_item),
		TEST(data_outside_the_page_is_not_read),
		TEST(what_the_guest_reads_is_not_known_yet),
		TEST(a_kick_is_no_exit_of_the_guest),
		TEST(the_linear_rip_wraps_only_outside_64_bit_code),
		TEST(a_refused_ioctl_is_recorded_with_its_errno),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
