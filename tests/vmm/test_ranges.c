/* Watched ranges: what the command line may say, and how slots are split around them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "vmm/memory.h"

static void words_of_the_command_line(void **state)
{
	static const char *const wrong[] = {"",       ":8",
					    "x",      "-1",
					    "0x10:",  "16:0",
					    "16:-1",  "16:4097",
					    "16:8:8", "0x1ffffffffffffffff"};
	struct vmm_ranges r = {0};

	(void)state;
	for (size_t i = 0; i < sizeof(wrong) / sizeof(*wrong); i++)
		assert_false(vmm_ranges_add(&r, wrong[i]));
	assert_int_equal(r.nr, 0);
	assert_true(vmm_ranges_add(&r, "0x1000"));
	assert_true(vmm_ranges_add(&r, "4096:0x10"));
	assert_int_equal(r.at[0].bytes, 8);
	assert_int_equal(r.at[1].gpa, 4096);
	assert_int_equal(r.at[1].bytes, 16);
	while (r.nr < VMM_MAX_RANGES)
		assert_true(vmm_ranges_add(&r, "1"));
	assert_false(vmm_ranges_add(&r, "1"));
}

/* Pages of that address space that are read-only; every page must be in exactly one slot. */
static uint64_t protected_bytes(const struct vmm_memory *m, uint32_t as, uint64_t *ret_all)
{
	uint64_t n = 0;

	*ret_all = 0;
	for (unsigned i = 0; i < m->nr_slots; i++) {
		const struct vmm_slot *s = &m->slot[i];

		if (s->as != as)
			continue;
		assert_int_equal((s->gpa | s->bytes) % VMM_PAGE, 0);
		assert_true(s->bytes > 0);
		*ret_all += s->bytes;
		n += s->read_only ? s->bytes : 0;
		for (unsigned k = 0; k < i; k++)
			if (m->slot[k].as == as) {
				assert_int_not_equal(m->slot[k].slot, s->slot);
				assert_true(m->slot[k].gpa + m->slot[k].bytes <= s->gpa ||
					    s->gpa + s->bytes <= m->slot[k].gpa);
			}
	}
	return n;
}

static void pages_become_slots_of_their_own(void **state)
{
	static const uint64_t window = 0x400000;
	struct vmm_memory *m = NULL;
	uint64_t all[2], now;
	struct inq_err err;

	(void)state;
	assert_int_equal(vmm_memory_create(&m, 16, &window, 1, true, &err), INQ_OK);
	for (uint32_t as = 0; as < 2; as++)
		assert_int_equal(protected_bytes(m, as, &all[as]), 0);
	uint8_t *whole = vmm_memory_at(m, 0, 0x100000, 0x200000);

	assert_int_equal(vmm_memory_protect(m, 0x1ffffe, 4, &err), INQ_OK); /* two pages */
	assert_int_equal(vmm_memory_protect(m, 0x200008, 8, &err), INQ_OK); /* one of them again */
	assert_int_equal(vmm_memory_protect(m, 0, 1, &err), INQ_OK); /* the first of a region */
	assert_int_equal(vmm_memory_protect(m, 0xffffff, 1, &err), INQ_OK);   /* the last */
	assert_int_equal(vmm_memory_protect(m, window + 8, 8, &err), INQ_OK); /* also SMRAM */
	for (uint32_t as = 0; as < 2; as++) {
		assert_int_equal(protected_bytes(m, as, &now), 5 * VMM_PAGE);
		assert_int_equal(now, all[as]);
	}
	assert_ptr_equal(vmm_memory_at(m, 0, 0x100000, 0x200000), whole); /* over the cuts */
	assert_ptr_equal(vmm_memory_at(m, 1, window, VMM_SMRAM_BYTES), m->smram);
	assert_null(vmm_memory_at(m, 1, window, VMM_SMRAM_BYTES + 1)); /* RAM behind it */
	assert_null(vmm_memory_at(m, 0, 0xffffff, 2));

	assert_int_equal(vmm_memory_protect(m, 0xa0000, 8, &err), INQ_EUSAGE);
	assert_int_equal(vmm_memory_protect(m, 0x9fff8, 16, &err), INQ_EUSAGE);
	assert_int_equal(vmm_memory_protect(m, UINT64_MAX - 3, 8, &err), INQ_EUSAGE);
	vmm_memory_destroy(m);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(words_of_the_command_line),
		cmocka_unit_test(pages_become_slots_of_their_own),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
