/* When a vCPU counts as stuck, or as too long in SMM; with made-up looks and times. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "vmm/watch.h"

enum { HANG_MS = 100, STEP_MS = 10 };

static struct vmm_watch watch_for(uint64_t hang, uint64_t smm)
{
	const struct vmm_triggers t = {.hang = hang, .smm_limit = smm};
	struct vmm_watch w;

	vmm_watch_init(&w, &t, 0);
	return w;
}

static const struct vmm_look spin = {.rip = {.rip = 0x1000, .flags = INQ_FLIGHT_RIP},
				     .intr_off = true};

/* Looks every STEP_MS from *ms on, for so many; what the last one said, the first that fired. */
static enum vmm_fired looks(struct vmm_watch *w, struct vmm_look look, unsigned n, uint64_t *ms)
{
	uint64_t rip = look.rip.rip;
	enum vmm_fired fired = VMM_FIRED_NOT;

	for (unsigned i = 0; i < n && !fired; i++, *ms += STEP_MS) {
		look.rip.t_ns = *ms * 1000000;
		look.rip.rip = rip + i % 3;
		fired = vmm_watch_feed(w, 0, &look);
	}
	return fired;
}

static void a_deaf_vcpu_in_a_small_range_hangs(void **state)
{
	(void)state;
	struct vmm_look with_timer = spin, in_smm = spin;
	with_timer.intr_off = in_smm.intr_off = false;
	with_timer.timer_pending = true;
	in_smm.rip.flags |= INQ_FLIGHT_SMM_KNOWN | INQ_FLIGHT_SMM;
	const struct vmm_look all[] = {spin, with_timer, in_smm};

	for (size_t i = 0; i < 3; i++) {
		struct vmm_watch w = watch_for(HANG_MS, 0);
		uint64_t ms = 5;
		assert_int_equal(looks(&w, all[i], 10, &ms), VMM_FIRED_NOT);
		assert_int_equal(looks(&w, all[i], 1, &ms), VMM_FIRED_HANG);
	}
}

static void a_loop_that_serves_its_interrupts_is_busy_and_no_more(void **state)
{
	(void)state;
	struct vmm_watch w = watch_for(HANG_MS, 0);
	struct vmm_look busy = spin;
	uint64_t ms = 5;

	busy.intr_off = false;
	assert_int_equal(looks(&w, busy, 100, &ms), VMM_FIRED_NOT);
	/* one look that hears begins it anew */
	assert_int_equal(looks(&w, spin, 10, &ms), VMM_FIRED_NOT);
	assert_int_equal(looks(&w, busy, 1, &ms), VMM_FIRED_NOT);
	assert_int_equal(looks(&w, spin, 10, &ms), VMM_FIRED_NOT);
	assert_int_equal(looks(&w, spin, 1, &ms), VMM_FIRED_HANG);
}

static void a_halted_vcpu_does_not_hang(void **state)
{
	(void)state;
	struct vmm_watch w = watch_for(HANG_MS, 0);
	struct vmm_look halted = spin;
	uint64_t ms = 5;

	halted.rip.flags |= INQ_FLIGHT_HALT_KNOWN | INQ_FLIGHT_HALTED;
	assert_int_equal(looks(&w, halted, 100, &ms), VMM_FIRED_NOT);
}

static void an_unknown_rip_proves_nothing(void **state)
{
	(void)state;
	struct vmm_watch w = watch_for(HANG_MS, 0);
	struct vmm_look unknown = spin;
	uint64_t ms = 5;

	unknown.rip.flags = 0;
	assert_int_equal(looks(&w, unknown, 100, &ms), VMM_FIRED_NOT);
}

static void a_vcpu_that_moves_on_does_not_hang(void **state)
{
	(void)state;
	struct vmm_watch w = watch_for(HANG_MS, 0);
	struct vmm_look moving = spin;
	uint64_t ms = 5;

	for (int i = 0; i < 50; i++) {
		assert_int_equal(looks(&w, moving, 4, &ms), VMM_FIRED_NOT);
		moving.rip.rip += 513 + 2;
	}
}

static void two_looks_far_apart_are_not_enough(void **state)
{
	(void)state;
	struct vmm_watch w = watch_for(HANG_MS, 0);
	struct vmm_look look = spin;

	for (uint64_t s = 1; s <= 7; s++) {
		look.rip.t_ns = s * 1000000000;
		assert_int_equal(vmm_watch_feed(&w, 0, &look), VMM_FIRED_NOT);
	}
	look.rip.t_ns = UINT64_C(8000000000);
	assert_int_equal(vmm_watch_feed(&w, 0, &look), VMM_FIRED_HANG);
}

static void a_pause_is_forgotten(void **state)
{
	(void)state;
	struct vmm_watch w = watch_for(HANG_MS, 0);
	uint64_t ms = 5;

	assert_int_equal(looks(&w, spin, 10, &ms), VMM_FIRED_NOT);
	vmm_watch_reset(&w, ms * 1000000); /* a look of before comes again, of who was late */
	uint64_t before = ms - STEP_MS;
	assert_int_equal(looks(&w, spin, 1, &before), VMM_FIRED_NOT);
	ms += 1000;
	assert_int_equal(looks(&w, spin, 10, &ms), VMM_FIRED_NOT);
	assert_int_equal(looks(&w, spin, 1, &ms), VMM_FIRED_HANG);
}

static void smm_is_too_long_only_when_it_was_the_same_smi(void **state)
{
	(void)state;
	struct vmm_watch w = watch_for(0, HANG_MS);
	struct vmm_look smm = {.rip = {.rip = 0x38000, .flags = INQ_FLIGHT_RIP | INQ_FLIGHT_SMM},
			       .smi_count_known = true};
	uint64_t ms = 5;

	for (int i = 0; i < 50; i++, smm.smi_count++, smm.rip.rip += 4096)
		assert_int_equal(looks(&w, smm, 5, &ms), VMM_FIRED_NOT); /* a storm */
	assert_int_equal(looks(&w, smm, 10, &ms), VMM_FIRED_NOT);
	assert_int_equal(looks(&w, smm, 1, &ms), VMM_FIRED_SMM);
	assert_int_equal(looks(&w, spin, 100, &ms), VMM_FIRED_NOT); /* outside SMM */
}

static void without_a_limit_nothing_fires(void **state)
{
	(void)state;
	struct vmm_watch w = watch_for(0, 0);
	struct vmm_look look = spin;
	uint64_t ms = 5;

	look.rip.flags |= INQ_FLIGHT_SMM;
	assert_int_equal(looks(&w, look, 1000, &ms), VMM_FIRED_NOT);
	assert_int_equal(vmm_watch_idle(&w, 77), 77);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_deaf_vcpu_in_a_small_range_hangs),
		cmocka_unit_test(a_loop_that_serves_its_interrupts_is_busy_and_no_more),
		cmocka_unit_test(a_halted_vcpu_does_not_hang),
		cmocka_unit_test(an_unknown_rip_proves_nothing),
		cmocka_unit_test(a_vcpu_that_moves_on_does_not_hang),
		cmocka_unit_test(two_looks_far_apart_are_not_enough),
		cmocka_unit_test(a_pause_is_forgotten),
		cmocka_unit_test(smm_is_too_long_only_when_it_was_the_same_smi),
		cmocka_unit_test(without_a_limit_nothing_fires),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
