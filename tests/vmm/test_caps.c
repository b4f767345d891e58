/* What `inquest-vmm caps` prints, whatever the KVM here can do. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "vmm/caps.h"

static char *printed(const struct vmm_caps *c)
{
	char *text = NULL;
	size_t len = 0;
	FILE *f = open_memstream(&text, &len);

	assert_non_null(f);
	vmm_caps_print(c, f);
	assert_int_equal(fclose(f), 0);
	return text;
}

static void the_table_fits_a_screen_and_goes_on_below_its_last_column(void **unused)
{
	(void)unused;
	char *text = printed(&(struct vmm_caps){.api = 12}), *save = NULL;
	int nr_more = 0;

	for (char *l = strtok_r(text, "\n", &save); l; l = strtok_r(NULL, "\n", &save)) {
		assert_in_range(strlen(l), 1, 80);
		if (*l == ' ') {
			assert_int_equal(strspn(l, " "), 42);
			nr_more++;
		}
	}
	assert_true(nr_more > 0);
	free(text);
}

static void every_capability_has_its_line(void **unused)
{
	(void)unused;
	struct vmm_caps c = {.api = 12};

	for (int i = 0; i < VMM_NR_CAPS; i++)
		c.value[i] = i % 2 ? 1000 + i : 0;
	char *text = printed(&c);
	for (int i = 0; i < VMM_NR_CAPS; i++) {
		char line[96];
		snprintf(line, sizeof(line), "\n%-24s %6d  %s ", vmm_cap_name((enum vmm_cap)i),
			 c.value[i], i % 2 ? "present" : "absent");
		assert_non_null(strstr(text, line));
	}
	free(text);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_table_fits_a_screen_and_goes_on_below_its_last_column),
		cmocka_unit_test(every_capability_has_its_line),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
