/* Damaged debug files: whatever libdwarf does in its child, here there is an answer or an error. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/sanitized.h"
#include "symbols/debug_info.h"
#include "tests/built/built.h"
#include "tests/symbols/symbol_of.h"

enum { STEP = BASE_SANITIZED ? 301 : 41 };

static const char *folder;

static uint8_t *slurp(const char *path, size_t *ret_n)
{
	FILE *f = fopen(path, "rb");
	uint8_t *p = malloc(1 << 20);

	assert_non_null(f);
	assert_non_null(p);
	*ret_n = fread(p, 1, 1 << 20, f);
	fclose(f);
	return p;
}

static void check_lines(const struct inq_lines *l)
{
	assert_true(l->nr && l->nr <= INQ_LINES_FRAMES);
	for (size_t i = 0; i < l->nr; i++) {
		if (l->frame[i].function)
			assert_true(strlen(l->frame[i].function) < sizeof(l->text));
		if (l->frame[i].file)
			assert_true(strlen(l->frame[i].file) < sizeof(l->text));
	}
}

/* Variables in scope, and saved registers. */
static void ask_scope(struct debug_info *d, uint64_t addr)
{
	static struct debug_scope scope;
	struct debug_saved_regs saved;
	struct inq_err err = {0};

	if (debug_info_scope(d, addr, &scope, &err))
		assert_true(*err.msg);
	else
		for (size_t i = 0; i < scope.nr; i++)
			assert_true(*scope.var[i].name);
	if (debug_info_saved(d, addr, &saved, &err))
		assert_true(*err.msg);
}

/* What a file is asked, of addresses that it has and of one that it has not. */
static void ask(const uint8_t *p, size_t n, const uint64_t *addr)
{
	char path[32];
	int fd = built_memfd(p, n, path);
	struct debug_info *d = NULL;
	struct inq_err err = {0};

	if (debug_info_open(path, NULL, &d, &err)) {
		assert_true(*err.msg);
		close(fd);
		return;
	}
	for (int i = 0; i < 3; i++) {
		struct inq_lines l;
		if (debug_info_lines(d, addr[i], &l, &err))
			assert_true(*err.msg);
		else
			check_lines(&l);
		if (!i)
			ask_scope(d, addr[i]);
	}
	struct debug_var v;
	if (debug_info_var(d, "boxes", &v, &err))
		assert_true(*err.msg);
	else
		assert_true(strlen(v.type) < sizeof(v.type));
	debug_info_close(d);
	close(fd);
}

static void sweep(const char *name, size_t step)
{
	char path[256];
	size_t n = 0;

	snprintf(path, sizeof(path), "%s/lines-%s.elf", folder, name);
	uint8_t *p = slurp(path, &n);
	const uint64_t addr[] = {symbol_of(path, "at_innermost", NULL),
				 symbol_of(path, "at_plain", NULL), UINT64_C(0x500000001)};
	for (size_t at = 0; at < n; at += step) {
		uint8_t was = p[at];
		ask(p, at, addr);
		p[at] = (uint8_t)(was ^ 1 << at % 8);
		ask(p, n, addr);
		p[at] = (uint8_t)~was;
		ask(p, n, addr);
		p[at] = was;
	}
	free(p);
}

static void test_dwarf_5(void **state)
{
	(void)state;
	sweep("dwarf5", STEP);
}

static void test_dwarf_4(void **state)
{
	(void)state;
	sweep("dwarf4", STEP + 2);
}

static void test_compressed(void **state)
{
	(void)state;
	sweep("zlib", STEP + 6);
}

static void test_not_linked(void **state)
{
	(void)state;
	sweep("bare", STEP);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_dwarf_5),
		cmocka_unit_test(test_dwarf_4),
		cmocka_unit_test(test_compressed),
		cmocka_unit_test(test_not_linked),
	};

	folder = argc > 1 ? argv[1] : ".";
	return cmocka_run_group_tests_name("damaged debug information", tests, NULL, NULL);
}
