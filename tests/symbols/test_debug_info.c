/* Lines and inlined functions of small files: DWARF 4 and 5, compressed, not linked, with none. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <string.h>

#include "symbols/debug_elf.h"
#include "symbols/debug_file.h"
#include "symbols/debug_info.h"
#include "tests/symbols/symbol_of.h"

static const char *folder;

static struct debug_info *open_file(const char *name, char path[256])
{
	struct debug_info *d = NULL;
	struct inq_err err = {0};

	snprintf(path, 256, "%s/lines-%s.elf", folder, name);
	if (debug_info_open(path, NULL, &d, &err))
		fail_msg("%s: %s", path, err.msg);
	return d;
}

static void assert_frame(const struct inq_lines *l, size_t i, const char *function, uint32_t line,
			 bool inlined)
{
	assert_true(i < l->nr);
	assert_non_null(l->frame[i].function);
	assert_string_equal(l->frame[i].function, function);
	assert_non_null(l->frame[i].file);
	const char *slash = strrchr(l->frame[i].file, '/');
	assert_string_equal(slash ? slash + 1 : l->frame[i].file, "lines.c");
	assert_int_equal(l->frame[i].line, line);
	assert_int_equal(l->frame[i].inlined, inlined);
}

static void assert_lines(struct debug_info *d, uint64_t inner, uint64_t plain)
{
	struct inq_lines l;
	struct inq_err err = {0};

	if (debug_info_lines(d, inner, &l, &err))
		fail_msg("%s", err.msg);
	assert_int_equal(l.nr, 3);
	assert_frame(&l, 0, "innermost", 6, true);
	assert_frame(&l, 1, "between", 12, true);
	assert_frame(&l, 2, "outer", 19, false);
	if (debug_info_lines(d, plain, &l, &err))
		fail_msg("%s", err.msg);
	assert_int_equal(l.nr, 1);
	assert_frame(&l, 0, "plain", 28, false);
	assert_int_equal(debug_info_lines(d, 0x1234, &l, &err), INQ_ENOTFOUND);
	assert_string_equal(err.msg, "no unit has that address");
}

static void test_lines_and_inlined_functions_are_found_in_each_form(void **state)
{
	static const char *const forms[] = {"dwarf5", "dwarf4", "zlib", "relocs", "wide"};

	(void)state;
	for (size_t i = 0; i < sizeof(forms) / sizeof(*forms); i++) {
		char path[256];
		struct debug_info *d = open_file(forms[i], path);
		assert_string_equal(debug_info_build_id(d), "0102030405060708");
		assert_string_equal(debug_info_path(d), path);
		assert_lines(d, symbol_of(path, "at_innermost", NULL),
			     symbol_of(path, "at_plain", NULL));
		debug_info_close(d);
	}
}

static void test_a_file_that_is_not_linked_has_addresses_by_section(void **state)
{
	char path[256];
	struct debug_info *d = open_file("bare", path);
	size_t section = 0;
	uint64_t plain = symbol_of(path, "at_plain", &section), addr = 0, bytes = 0;

	(void)state;
	assert_true(debug_info_section(d, ".text", &addr, &bytes));
	assert_int_equal(addr, debug_elf_made_up(section));
	assert_true(bytes > plain);
	assert_false(debug_info_section(d, ".nowhere", &addr, &bytes));
	assert_lines(d, addr + symbol_of(path, "at_innermost", NULL), addr + plain);
	assert_string_equal(debug_info_build_id(d), "");
	debug_info_close(d);
}

static void assert_var(struct debug_info *d, const char *path, const char *name, const char *type)
{
	struct debug_var v;
	struct inq_err err = {0};

	if (debug_info_var(d, name, &v, &err))
		fail_msg("%s: %s", name, err.msg);
	assert_int_equal(v.addr, symbol_of(path, name, NULL));
	assert_string_equal(v.type, type);
}

static void test_variables_have_an_address_and_a_type(void **state)
{
	static const char *const forms[] = {"dwarf5", "dwarf4", "zlib", "relocs", "wide"};
	struct debug_var v;

	(void)state;
	for (size_t i = 0; i < sizeof(forms) / sizeof(*forms); i++) {
		char path[256];
		struct debug_info *d = open_file(forms[i], path);
		assert_var(d, path, "global_number", "int");
		assert_var(d, path, "boxes", "struct box * [6]");
		assert_var(d, path, "counter", "word");
		assert_var(d, path, "callback", "void *");
		assert_var(d, path, "anything", "void *");
		assert_var(d, path, "colour", "enum colour");
		assert_int_equal(debug_info_var(d, "nowhere", &v, NULL), INQ_ENOTFOUND);
		assert_int_equal(debug_info_var(d, "outer", &v, NULL), INQ_ENOTFOUND);
		debug_info_close(d);
	}
}

static void test_what_is_no_debug_file_says_so(void **state)
{
	char path[256];
	struct debug_info *d = NULL;
	struct inq_err err = {0};

	(void)state;
	snprintf(path, sizeof(path), "%s/lines-none.elf", folder);
	assert_int_equal(debug_info_open(path, NULL, &d, &err), INQ_ENOTFOUND);
	assert_string_equal(err.msg, "it has no debug information");
	assert_int_equal(debug_info_open("/dev/null", NULL, &d, &err), INQ_EUNSUPPORTED);
	assert_string_equal(err.msg, "libdwarf: no ELF file");
	assert_int_equal(debug_info_open("/nowhere", NULL, &d, &err), INQ_EIO);
	assert_string_equal(err.msg, "cannot open: No such file or directory");
	assert_null(d);
}

static void test_frames_that_contradict_themselves_are_refused(void **state)
{
	struct inq_lines l;
	struct inq_err err = {0};
	uint32_t frame[8] = {7, 3, 3, 2, 1, 0};

	(void)state;
	memcpy(frame + 6, "foob.c", 6);
	assert_int_equal(debug_info_take_lines((uint8_t *)frame, 24 + 5, &l, &err), INQ_OK);
	assert_string_equal(l.frame[0].function, "foo");
	assert_string_equal(l.frame[0].file, "b.");
	assert_int_equal(debug_info_take_lines((uint8_t *)frame, 24 + 4, &l, &err), INQ_ECORRUPT);
	assert_int_equal(debug_info_take_lines((uint8_t *)frame, 23, &l, &err), INQ_ECORRUPT);
	assert_int_equal(debug_info_take_lines((uint8_t *)frame, 0, &l, &err), INQ_ECORRUPT);
	frame[2] = UINT32_MAX;
	assert_int_equal(debug_info_take_lines((uint8_t *)frame, 32, &l, &err), INQ_ECORRUPT);
}

static const struct debug_scope_var *var_of(const struct debug_scope *s, size_t depth,
					    const char *name)
{
	for (size_t i = 0; i < s->nr; i++)
		if (s->var[i].depth == depth && !strcmp(s->var[i].name, name))
			return &s->var[i];
	fail_msg("no %s at depth %zu", name, depth);
	return NULL;
}

/* Where a section of a file that is not linked begins; 0 in others. */
static uint64_t text_of(struct debug_info *d, const char *form)
{
	uint64_t addr = 0, bytes = 0;

	if (!strcmp(form, "bare"))
		assert_true(debug_info_section(d, ".text", &addr, &bytes));
	return addr;
}

static void test_variables_in_scope_are_of_the_function_they_belong_to(void **state)
{
	static const char *const forms[] = {"dwarf5", "dwarf4", "zlib", "relocs", "wide", "bare"};
	static struct debug_scope s;

	(void)state;
	for (size_t i = 0; i < sizeof(forms) / sizeof(*forms); i++) {
		char path[256];
		struct inq_err err = {0};
		struct debug_info *d = open_file(forms[i], path);
		uint64_t text = text_of(d, forms[i]);
		if (debug_info_scope(d, text + symbol_of(path, "at_plain", NULL), &s, &err))
			fail_msg("%s: %s", forms[i], err.msg);
		assert_int_equal(s.nr, 1);
		assert_true(s.base.nr); /* DW_OP_call_frame_cfa */
		const struct debug_scope_var *x = var_of(&s, 0, "x");
		assert_true(x->is_parameter && !x->is_value);
		assert_int_equal(x->kind, DEBUG_SIGNED);
		assert_int_equal(x->bytes, 4);
		assert_int_equal(x->where.nr, 1);
		assert_int_equal(x->where.at->op, 0x55); /* DW_OP_reg5: rdi */
		assert_int_equal(
			debug_info_scope(d, text + symbol_of(path, "at_innermost", NULL), &s, &err),
			INQ_OK);
		for (size_t depth = 0; depth < 3; depth++)
			assert_true(var_of(&s, depth, "x")->is_parameter);
		assert_false(var_of(&s, 2, "y")->is_parameter);
		assert_int_equal(debug_info_scope(d, 0x1234, &s, &err), INQ_ENOTFOUND);
		debug_info_close(d);
	}
}

/* main keeps what outer returned, in a register that it saved. */
static void test_call_frame_information_tells_who_keeps_registers(void **state)
{
	static const char *const forms[] = {"dwarf5", "dwarf4", "bare"};

	(void)state;
	for (size_t i = 0; i < sizeof(forms) / sizeof(*forms); i++) {
		char path[256];
		struct debug_saved_regs saved;
		struct inq_err err = {0};
		size_t section = 0;
		struct debug_info *d = open_file(forms[i], path);
		uint64_t main_at = symbol_of(path, "main", &section);
		if (!strcmp(forms[i], "bare"))
			main_at += debug_elf_made_up(section);
		if (debug_info_saved(d, main_at, &saved, &err))
			fail_msg("%s: %s", forms[i], err.msg);
		assert_int_equal(saved.reg[3].how, DEBUG_SAME);
		assert_int_equal(saved.reg[0].how, DEBUG_LOST); /* rax is nobody's to keep */
		assert_int_equal(debug_info_saved(d, main_at + 12, &saved, &err), INQ_OK);
		assert_int_equal(saved.reg[3].how, DEBUG_AT_CFA);
		assert_int_equal(saved.reg[3].off, -16);
		assert_int_equal(debug_info_saved(d, 0x1234, &saved, &err), INQ_ENOTFOUND);
		debug_info_close(d);
	}
}

static void test_scopes_that_contradict_themselves_are_refused(void **state)
{
	static struct debug_scope s;
	struct inq_err err = {0};
	uint8_t p[8 + 32 + 1 + 24] = {0};
	uint32_t nr = 1;

	(void)state;
	p[8 + 12] = 1; /* bytes of its name */
	p[8 + 32] = 'x';
	assert_int_equal(debug_info_take_scope(p, 8 + 32 + 1, &s, &err), INQ_OK);
	assert_int_equal(s.nr, 1);
	assert_string_equal(s.var[0].name, "x");
	memcpy(p + 8 + 16, &nr, sizeof(nr));
	assert_int_equal(debug_info_take_scope(p, sizeof(p), &s, &err), INQ_OK);
	assert_int_equal(s.var[0].where.nr, 1);
	for (size_t n = 9; n < sizeof(p); n++)
		assert_int_equal(debug_info_take_scope(p, n, &s, &err), INQ_ECORRUPT);
	nr = UINT32_MAX;
	memcpy(p + 8 + 16, &nr, sizeof(nr));
	assert_int_equal(debug_info_take_scope(p, sizeof(p), &s, &err), INQ_ECORRUPT);
	memcpy(p, &nr, sizeof(nr));
	assert_int_equal(debug_info_take_scope(p, sizeof(p), &s, &err), INQ_ECORRUPT);
}

static void assert_nth(const struct debug_wanted *w, size_t nth, const char *expected)
{
	char path[DEBUG_PATH_MAX];

	if (!expected) {
		assert_false(debug_file_at(w, nth, path));
		return;
	}
	assert_true(debug_file_at(w, nth, path));
	assert_string_equal(path, expected);
}

static void test_debug_files_are_looked_for_where_people_put_them(void **state)
{
	const struct debug_wanted all = {.build_id = "eb4fbc",
					 .release = "6.1.0-56-amd64",
					 .given = "v",
					 .beside = "/d",
					 .fetched = "/f"};
	const struct debug_wanted id = {.build_id = "eb4fbc"};
	const struct debug_wanted evil = {.build_id = "../../etc", .release = "../x"};
	const struct debug_wanted none = {0};

	(void)state;
	assert_nth(&all, 0, "v");
	assert_nth(&all, 1, "/d/vmlinux-6.1.0-56-amd64.debug");
	assert_nth(&all, 6, "/usr/lib/debug/.build-id/eb/4fbc.debug");
	assert_nth(&all, 7, "/usr/lib/debug/boot/vmlinux-6.1.0-56-amd64");
	assert_nth(&all, 13, "/f/eb4fbc/debuginfo");
	assert_nth(&all, 14, NULL);
	assert_nth(&id, 0, "/usr/lib/debug/.build-id/eb/4fbc.debug");
	assert_nth(&id, 1, NULL);
	assert_nth(&evil, 0, NULL);
	assert_nth(&none, 0, NULL);
}

static void test_debug_files_of_modules_are_looked_for_by_name_and_build(void **state)
{
	const struct debug_wanted all = {.build_id = "eb4fbc",
					 .release = "6.1.0-56-amd64",
					 .module = "snd_hda_intel",
					 .given = "g/vmlinux",
					 .by_given = "g",
					 .beside = "/d",
					 .fetched = "/f"};
	const struct debug_wanted evil = {.release = "..", .module = "../x", .beside = "/d"};
	char path[DEBUG_PATH_MAX];

	(void)state;
	assert_nth(&all, 0, "g/snd_hda_intel.ko.debug");
	assert_nth(&all, 1, "g/snd-hda-intel.ko.debug");
	assert_nth(&all, 6, "/d/eb4fbc.debug");
	assert_nth(&all, 7, "/usr/lib/debug/.build-id/eb/4fbc.debug");
	assert_nth(&all, 8, "/f/eb4fbc/debuginfo");
	assert_nth(&all, 9, NULL);
	assert_nth(&evil, 0, NULL);
	assert_false(debug_file_in_tree(&evil, 0, path));
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_lines_and_inlined_functions_are_found_in_each_form),
		cmocka_unit_test(test_a_file_that_is_not_linked_has_addresses_by_section),
		cmocka_unit_test(test_variables_have_an_address_and_a_type),
		cmocka_unit_test(test_what_is_no_debug_file_says_so),
		cmocka_unit_test(test_frames_that_contradict_themselves_are_refused),
		cmocka_unit_test(test_variables_in_scope_are_of_the_function_they_belong_to),
		cmocka_unit_test(test_call_frame_information_tells_who_keeps_registers),
		cmocka_unit_test(test_scopes_that_contradict_themselves_are_refused),
		cmocka_unit_test(test_debug_files_are_looked_for_where_people_put_them),
		cmocka_unit_test(test_debug_files_of_modules_are_looked_for_by_name_and_build),
	};

	folder = argc > 1 ? argv[1] : ".";
	return cmocka_run_group_tests_name("debug information", tests, NULL, NULL);
}
