/* Lists of free objects in a small slab: as they are, disguised, torn. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <byteswap.h>
#include <cmocka.h>
#include <string.h>

#include "analyzers/slab_state.h"

#define FIRST UINT64_C(0xffff888001000000)
enum { SIZE = 64, OBJECTS = 8, LINK = 32 };

static uint8_t memory[SIZE * OBJECTS];

static bool read_memory(void *ctx, uint64_t addr, uint64_t *ret)
{
	(void)ctx;
	if (addr < FIRST || addr - FIRST > sizeof(memory) - sizeof(*ret))
		return false;
	memcpy(ret, memory + (addr - FIRST), sizeof(*ret));
	return true;
}

static struct slab_lists slab(void)
{
	memset(memory, 0, sizeof(memory));
	return (struct slab_lists){.first = FIRST,
				   .size = SIZE,
				   .link = LINK,
				   .objects = OBJECTS,
				   .random = 0x1234567};
}

/* Object from's link; to < 0: the end. */
static void link_to(const struct slab_lists *l, int from, int to, bool swapped)
{
	uint64_t at = FIRST + (uint64_t)from * SIZE + l->pad + LINK;
	uint64_t p = to < 0 ? 0 : FIRST + (uint64_t)to * SIZE + l->pad;

	if (l->hardened)
		p ^= l->random ^ (swapped ? bswap_64(at) : at);
	memcpy(memory + (at - FIRST), &p, sizeof(p));
}

static bool mark(const struct slab_lists *l, int first, struct slab_free *f, char *why)
{
	*f = (struct slab_free){0};
	return slab_list_mark(l, FIRST + (uint64_t)first * SIZE + l->pad, read_memory, NULL, f,
			      why);
}

static void a_list_marks_what_is_free(void **state)
{
	static struct slab_free f;
	char why[SLAB_WHY] = "";

	(void)state;
	for (int form = 0; form < 3; form++) {
		struct slab_lists l = slab();
		l.hardened = form;
		l.pad = form ? 0 : 16;
		link_to(&l, 5, 2, form == 1);
		link_to(&l, 2, 7, form == 1);
		link_to(&l, 7, -1, form == 1);
		assert_true(mark(&l, 5, &f, why));
		assert_true(f.nr == 3 && f.bit[0] == (1 << 5 | 1 << 2 | 1 << 7));
	}
}

static void a_loop_ends_and_says_so(void **state)
{
	static struct slab_free f;
	char why[SLAB_WHY] = "";
	struct slab_lists l = slab();

	(void)state;
	link_to(&l, 1, 3, false);
	link_to(&l, 3, 1, false);
	assert_false(mark(&l, 1, &f, why));
	assert_non_null(strstr(why, "object 1 is on its lists twice"));
	link_to(&l, 3, 6, false);
	memory[3 * SIZE + LINK] |= 4; /* between two objects */
	assert_false(mark(&l, 1, &f, why));
	assert_non_null(strstr(why, "leads to 0x"));
}

static void any_byte_of_a_list_ends_it(void **state)
{
	static struct slab_free f;
	char why[SLAB_WHY];

	(void)state;
	for (size_t at = 0; at < sizeof(memory); at++)
		for (int bit = 0; bit < 8; bit++) {
			struct slab_lists l = slab();
			l.hardened = bit & 1;
			for (int i = 0; i < OBJECTS; i++)
				link_to(&l, i, i + 1 < OBJECTS ? i + 1 : -1, true);
			memory[at] ^= (uint8_t)(1 << bit);
			*why = '\0';
			assert_true(mark(&l, 0, &f, why) == !*why);
			assert_true(f.nr <= OBJECTS);
		}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_list_marks_what_is_free),
		cmocka_unit_test(a_loop_ends_and_says_so),
		cmocka_unit_test(any_byte_of_a_list_ends_it),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
