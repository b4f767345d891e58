/* Modules and their symbols in a small memory, in both shapes that a module has, whole and damaged.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

#include "machine/machine.h"
#include "machine/names.h"
#include "machine/place.h"
#include "machine/types.h"
#include "tests/machine/fake_names.h"
#include "tests/symbols/btf_build.h"

#define TEXT UINT64_C(0xffffffff81000000)
#define BASE UINT64_C(0xffffffffc0000000)
enum {
	BYTES = 0x8000,
	HEAD = 0x100,     /* the list of modules */
	MODULE = 0x1000,  /* the first; the second is 0x400 behind */
	TABLE = 0x2000,   /* its struct mod_kallsyms */
	SYMBOLS = 0x2100, /* Elf64_Sym */
	STRINGS = 0x3000,
	TYPES = 0x3800,
	CODE = 0x4000,
	INIT = 0x7000,
};
/* Offsets in the struct module that build_types makes. */
enum { STATE = 0, LIST = 8, NAME = 24, KALLSYMS = 80, REGIONS = 88 };

/* Memory at BASE. */
struct memory {
	struct inq_space base;
	uint8_t bytes[BYTES];
};

struct lab {
	struct memory memory;
	struct btf_build build;
	struct machine_types types;
	struct machine_made made;
	struct inq_kernel kernel;
	struct inq_machine m;
};

static enum inq_status read_memory(const struct inq_space *self, uint64_t addr, void *buf, size_t n,
				   struct inq_err *err)
{
	const struct memory *mem = (const struct memory *)self;

	if (addr < BASE || addr - BASE >= BYTES || n > BYTES - (addr - BASE))
		return inq_fail_at(err, INQ_EFAULT, addr, "nothing there");
	memcpy(buf, mem->bytes + (addr - BASE), n);
	return INQ_OK;
}

static uint32_t pair(struct btf_build *b, const char *name, uint32_t addr, uint32_t u32, bool text)
{
	uint32_t t = btf_build(b, BTF_STRUCT, name, text ? 3 : 2, 16, false);

	btf_build_member(b, "base", addr, 0);
	btf_build_member(b, "size", u32, 64);
	if (text)
		btf_build_member(b, "text_size", u32, 96);
	return t;
}

static void build_module(struct btf_build *b, bool newer, uint32_t u32, uint32_t ptr, uint32_t list,
			 uint32_t name, uint32_t layout)
{
	uint32_t mem = newer ? btf_build_array(b, layout, u32, MACHINE_MODULE_REGIONS) : 0;

	btf_build(b, BTF_STRUCT, "module", newer ? 5 : 6, 200, false);
	btf_build_member(b, "state", u32, 8 * STATE);
	btf_build_member(b, "list", list, 8 * LIST);
	btf_build_member(b, "name", name, 8 * NAME);
	btf_build_member(b, "kallsyms", ptr, 8 * KALLSYMS);
	if (newer) {
		btf_build_member(b, "mem", mem, 8 * REGIONS);
		return;
	}
	btf_build_member(b, "core_layout", layout, 8 * REGIONS);
	btf_build_member(b, "init_layout", layout, 8 * (REGIONS + 16));
}

static void build_types(struct btf_build *b, bool newer)
{
	uint32_t u8 = btf_build_int(b, "char", 1, 0);
	uint32_t u32 = btf_build_int(b, "unsigned int", 4, 0);
	uint32_t ptr = btf_build(b, BTF_PTR, "", 0, 0, false);
	uint32_t list = btf_build(b, BTF_STRUCT, "list_head", 2, 16, false);

	btf_build_member(b, "next", ptr, 0);
	btf_build_member(b, "prev", ptr, 64);
	uint32_t name = btf_build_array(b, u8, u32, 56);
	uint32_t layout = pair(b, newer ? "module_memory" : "module_layout", ptr, u32, !newer);
	build_module(b, newer, u32, ptr, list, name, layout);
	btf_build(b, BTF_STRUCT, "mod_kallsyms", 4, 32, false);
	btf_build_member(b, "symtab", ptr, 0);
	btf_build_member(b, "num_symtab", u32, 64);
	btf_build_member(b, "strtab", ptr, 128);
	btf_build_member(b, "typetab", ptr, 192);
}

static void put(struct lab *l, size_t at, uint64_t v, size_t width)
{
	memcpy(l->memory.bytes + at, &v, width);
}

static void put_symbol(struct lab *l, size_t i, const char *name, uint64_t value, bool defined,
		       char type)
{
	size_t string = 1 + 32 * i, at = SYMBOLS + 24 * i;

	memcpy(l->memory.bytes + STRINGS + string, name, strlen(name) + 1);
	put(l, at, string, 4);
	put(l, at + 6, defined, 2);
	put(l, at + 8, value, 8);
	put(l, TYPES + i, (uint8_t)type, 1);
}

static void put_module(struct lab *l, size_t at, const char *name, bool newer)
{
	memcpy(l->memory.bytes + at + NAME, name, strlen(name) + 1);
	put(l, at + KALLSYMS, BASE + TABLE, 8);
	put(l, at + REGIONS, BASE + CODE, 8);
	put(l, at + REGIONS + 8, newer ? 0x1000 : 0x2000, 4);
	if (!newer)
		put(l, at + REGIONS + 12, 0x1000, 4);
	size_t init = at + REGIONS + 16 * (newer ? 4 : 1);
	put(l, init, BASE + INIT, 8);
	put(l, init + 8, 0x100, 4);
	if (!newer)
		put(l, init + 12, 0x80, 4);
}

/* Two modules; the second is only being formed. */
static void fill(struct lab *l, bool newer)
{
	size_t second = MODULE + 0x400;

	put_module(l, MODULE, "virtio", newer);
	put(l, second + STATE, 3, 4);
	memcpy(l->memory.bytes + second + NAME, "unformed", 9);
	const size_t node[] = {HEAD, MODULE + LIST, second + LIST};
	for (size_t i = 0; i < 3; i++) {
		put(l, node[i], BASE + node[(i + 1) % 3], 8);
		put(l, node[i] + 8, BASE + node[(i + 2) % 3], 8);
	}
	put(l, TABLE, BASE + SYMBOLS, 8);
	put(l, TABLE + 8, 7, 4);
	put(l, TABLE + 16, BASE + STRINGS, 8);
	put(l, TABLE + 24, BASE + TYPES, 8);
	put_symbol(l, 0, "", 0, false, 'U');
	put_symbol(l, 1, "virtio_init", BASE + INIT, true, 't');
	put_symbol(l, 2, "probe", BASE + CODE + 0x40, true, 'T');
	put_symbol(l, 3, ".LC5", BASE + CODE + 0x50, true, 'r');
	put_symbol(l, 4, "remove", BASE + CODE + 0x80, true, 't');
	put_symbol(l, 5, "also_remove", BASE + CODE + 0x80, true, 't');
	put_symbol(l, 6, "schedule", TEXT + 0x100, false, 'U');
}

static void put_kernel(struct machine_names *n)
{
	static const struct fake_symbol symbols[] = {
		{0x1000, "Acurrent_task"},
		{TEXT, "T_stext"},
		{TEXT, "T_text"},
		{TEXT + 0x100, "Tschedule"},
		{TEXT + 0x180, "tprobe"},
		{TEXT + 0x200, "tprobe"},
		{TEXT + 0x280, "tstep.llvm.123"},
		{TEXT + 0x300, "T_etext"},
		{TEXT + 0x400, "B_end"},
		{BASE + HEAD, "Dmodules"}, /* where the small memory has it */
	};

	n->kernel = fake_symbols(symbols, sizeof(symbols) / sizeof(*symbols));
}

static void forget(struct lab *l)
{
	machine_names_destroy(l->made.names);
	l->made.names = calloc(1, sizeof(*l->made.names));
	put_kernel(l->made.names);
}

static void start(struct lab *l, bool newer)
{
	struct inq_err err;

	*l = (struct lab){.memory.base = {.name = "kernel", .read = read_memory}};
	build_types(&l->build, newer);
	size_t n = btf_build_finish(&l->build);
	if (btf_open(l->build.out, n, NULL, NULL, &l->types.btf, &err))
		fail_msg("%s", err.msg);
	l->types.modules_asked = true;
	l->kernel = (struct inq_kernel){.os = "linux",
					.virt = &l->memory.base,
					.known = INQ_KERNEL_TEXT | INQ_KERNEL_LAST,
					.text = TEXT,
					.last = TEXT + 0x3fff};
	l->made.types = &l->types;
	l->made.kernel = &l->kernel;
	l->m = (struct inq_machine){.made = &l->made};
	fill(l, newer);
	forget(l);
}

static void stop(struct lab *l)
{
	machine_names_destroy(l->made.names);
	btf_close(l->types.btf);
}

static void says(const struct lab *l, uint64_t addr, const char *text)
{
	char buf[128];

	assert_int_equal(inq_symbol_text(&l->m, addr, buf, sizeof(buf)), text != NULL);
	assert_string_equal(buf, text ? text : "");
}

static void the_kernel_names_its_own_image(void **state)
{
	static struct lab l;

	(void)state;
	start(&l, false);
	says(&l, TEXT, "_stext");
	says(&l, TEXT + 0x101, "schedule+0x1/0x80");
	says(&l, TEXT + 0x3ff, "_etext+0xff/0x100");
	says(&l, 0x1000, NULL); /* a value, no address */
	says(&l, TEXT - 1, NULL);
	says(&l, TEXT + 0x4000, NULL);
	stop(&l);
}

static void a_name_has_all_its_symbols(void **state)
{
	static struct lab l;
	struct inq_symbol s;
	struct inq_err err;

	(void)state;
	start(&l, true);
	assert_int_equal(inq_symbol_named(&l.m, "probe", 0, &s, &err), INQ_OK);
	assert_int_equal(s.addr, TEXT + 0x180);
	assert_int_equal(inq_symbol_named(&l.m, "probe", 1, &s, &err), INQ_OK);
	assert_int_equal(s.addr, TEXT + 0x200);
	assert_int_equal(inq_symbol_named(&l.m, "probe", 2, &s, &err), INQ_OK);
	assert_string_equal(s.module, "virtio");
	assert_int_equal(inq_symbol_named(&l.m, "probe", 3, &s, &err), INQ_ENOTFOUND);
	assert_string_equal(err.msg, "only 3 symbols are named probe");
	assert_int_equal(inq_symbol_named(&l.m, "virtio:probe", 0, &s, &err), INQ_OK);
	assert_int_equal(s.addr, BASE + CODE + 0x40);
	assert_int_equal(inq_symbol_named(&l.m, "virt:probe", 0, &s, &err), INQ_ENOTFOUND);
	assert_int_equal(inq_symbol_named(&l.m, "step", 0, &s, &err), INQ_OK);
	assert_string_equal(s.name, "step.llvm.123");
	assert_int_equal(inq_symbol_named(&l.m, "schedul", 0, &s, &err), INQ_ENOTFOUND);
	assert_string_equal(err.msg, "no symbol is named schedul");
	stop(&l);
}

/* Memory where per-CPU data of two CPUs lie, 0x100 apart, by a table of three. */
static void put_per_cpu(struct lab *l, const struct inq_space **spaces, struct inq_dump *dump)
{
	enum { OFFSETS = 0x200, NR_CPUS = 0x220 };
	static const struct fake_symbol symbols[] = {
		{0, "A__per_cpu_start"},
		{0x40, "Arunqueues"},
		{0x1000, "A__per_cpu_end"},
		{TEXT, "T_text"},
		{TEXT + 0x100, "Tschedule"},
		{TEXT + 0x180, "tprobe"},
		{TEXT + 0x200, "tprobe"},
		{TEXT + 0x300, "T_etext"},
		{BASE + OFFSETS, "D__per_cpu_offset"},
		{BASE + NR_CPUS, "Dnr_cpu_ids"},
		{BASE + NR_CPUS + 4, "D_end"},
	};

	l->memory.base.space_id = 1;
	*spaces = &l->memory.base;
	*dump = (struct inq_dump){.path = "lab"};
	l->m.spaces = spaces;
	l->m.nr_spaces = 1;
	l->m.dump = dump;
	kallsyms_close(l->made.names->kernel);
	l->made.names->kernel = fake_symbols(symbols, sizeof(symbols) / sizeof(*symbols));
	for (size_t i = 0; i < 3; i++)
		put(l, OFFSETS + 8 * i, BASE + 0x100 * i, 8);
	put(l, NR_CPUS, 2, 4);
}

static void a_name_is_a_place(void **state)
{
	static const struct {
		const char *text;
		enum inq_status st;
		uint64_t addr;
	} all[] = {
		{"schedule", INQ_OK, TEXT + 0x100},
		{"kernel:schedule+0x20", INQ_OK, TEXT + 0x120},
		{"schedule-1", INQ_OK, TEXT + 0xff},
		{"runqueues@1", INQ_OK, BASE + 0x140},
		{"kernel:runqueues@0+8", INQ_OK, BASE + 0x48},
		{"runqueues", INQ_EUSAGE, 0},      /* whose? */
		{"schedule@0", INQ_EUSAGE, 0},     /* nobody's */
		{"runqueues@2", INQ_ENOTFOUND, 0}, /* the table goes on, CPUs do not */
		{"runqueues@", INQ_EUSAGE, 0},
		{"runqueues@-1", INQ_EUSAGE, 0},
		{"@1", INQ_ENOTFOUND, 0},
		{"probe", INQ_EUSAGE, 0}, /* which? */
		{"schedul", INQ_ENOTFOUND, 0},
		{"schedule+", INQ_EUSAGE, 0},
		{"0x1000", INQ_EUSAGE, 0}, /* where? */
		{"", INQ_EUSAGE, 0},
	};
	static struct lab l;
	const struct inq_space *spaces;
	struct inq_dump dump;

	(void)state;
	start(&l, false);
	put_per_cpu(&l, &spaces, &dump);
	for (size_t i = 0; i < sizeof(all) / sizeof(*all); i++) {
		struct machine_where w;
		struct inq_err err = {0};
		uint64_t addr = 0;
		enum inq_status st = machine_place(&l.m, all[i].text, &w, &addr, &err);
		if (st != all[i].st || addr != all[i].addr || (st && !err.msg[0]))
			fail_msg("%s: %s 0x%llx %s", all[i].text, inq_status_name(st),
				 (unsigned long long)addr, err.msg);
	}
	stop(&l);
}

static void both_shapes(void (*check)(struct lab *l, bool newer))
{
	static struct lab l;

	for (int newer = 0; newer < 2; newer++) {
		start(&l, newer);
		check(&l, newer);
		stop(&l);
	}
}

static void is_listed(struct lab *l, bool newer)
{
	const struct inq_module *mod = NULL;
	const char *why = NULL;
	struct inq_err err;
	size_t nr = 0;

	if (inq_modules(&l->m, &mod, &nr, &why, &err))
		fail_msg("%s", err.msg);
	assert_string_equal(why, "");
	assert_int_equal(nr, 2);
	assert_string_equal(mod[0].name, "virtio");
	assert_int_equal(mod[0].base, BASE + CODE);
	assert_int_equal(mod[0].bytes, newer ? 0x1100 : 0x2100);
	assert_int_equal(mod[0].text_bytes, 0x1000);
	assert_int_equal(mod[0].init_text, BASE + INIT);
	assert_int_equal(mod[0].init_text_bytes, newer ? 0x100 : 0x80);
	assert_int_equal(mod[0].nr_symbols, 5);
	assert_int_equal(mod[0].damage, INQ_OK);
	assert_string_equal(mod[1].name, "unformed");
	assert_int_equal(mod[1].damage, INQ_EABSENT);
	says(l, BASE + CODE + 0x7f, "probe+0x3f/0x40 [virtio]");
	says(l, BASE + CODE + 0x90,
	     newer ? "remove+0x10/0xf80 [virtio]" : "remove+0x10/0x1f80 [virtio]");
	says(l, BASE + CODE + 0x3f, NULL);
	says(l, BASE + INIT + 8, "virtio_init+0x8/0x100 [virtio]");
	says(l, BASE + INIT + 0x100, NULL);
}

static void modules_are_listed_with_their_symbols(void **state)
{
	(void)state;
	both_shapes(is_listed);
}

static void code_is_told_from_data(void **state)
{
	static struct lab l;
	const struct inq_module *mod = NULL;

	(void)state;
	start(&l, false);
	assert_true(inq_is_text(&l.m, TEXT + 0x2ff, &mod));
	assert_null(mod);
	assert_false(inq_is_text(&l.m, TEXT + 0x300, &mod));
	assert_true(inq_is_text(&l.m, BASE + CODE + 0xfff, &mod));
	assert_string_equal(mod->name, "virtio");
	assert_false(inq_is_text(&l.m, BASE + CODE + 0x1000, &mod));
	assert_true(inq_is_text(&l.m, BASE + INIT + 0x7f, &mod));
	assert_false(inq_is_text(&l.m, BASE + INIT + 0x80, &mod));
	assert_true(inq_is_text(&l.m, TEXT + 0x2ff, NULL));
	assert_true(inq_is_text(&l.m, BASE + CODE + 0xfff, NULL));
	assert_false(inq_is_text(&l.m, BASE + INIT + 0x80, NULL));
	stop(&l);
}

/* Its neighbours are not taken for it, and it has its address and size. */
static void a_symbol_without_a_name_is_no_other(void **state)
{
	static struct lab l;
	struct inq_symbol s;
	struct inq_err err;
	uint64_t page = 0;

	(void)state;
	start(&l, false);
	assert_false(inq_names_lost(&l.m, &page, &err));
	struct kallsyms *k = l.made.names->kernel;
	memset(k->text + k->symbol[4].name, 0, 2);
	memset(k->text + k->symbol[1].name, 0, 2);
	k->lost = 2;
	k->hole = TEXT + 0x5000;
	(void)inq_fail(&k->why, INQ_EABSENT, "2 names are lost");
	says(&l, TEXT + 0x17f, "schedule+0x7f/0x80");
	says(&l, TEXT + 0x181, NULL);
	says(&l, TEXT + 0x201, "probe+0x1/0x80");
	says(&l, TEXT + 1, "_text+0x1/0x100");
	assert_int_equal(inq_symbol_at(&l.m, TEXT + 0x181, &s, &err), INQ_ENOTFOUND);
	assert_non_null(strstr(err.msg, "; 2 names are lost"));
	assert_int_equal(inq_symbol_named(&l.m, "", 0, &s, &err), INQ_ENOTFOUND);
	assert_int_equal(inq_symbol_named(&l.m, "tick", 0, &s, &err), INQ_ENOTFOUND);
	assert_string_equal(err.msg, "no symbol is named tick; 2 names are lost");
	assert_true(inq_symbol_nth(&l.m, 4, &s));
	assert_string_equal(s.name, "");
	assert_int_equal(s.size, 0x80);
	assert_true(inq_names_lost(&l.m, &page, &err));
	assert_int_equal(page, TEXT + 0x5000);
	assert_int_equal(err.status, INQ_EABSENT);
	stop(&l);
}

/* Whoever stops a search says nothing about the dump: the next one who asks gets an answer. */
static void a_stopped_search_is_no_answer(void **state)
{
	static struct lab l;
	struct inq_symbol s;
	struct inq_type t;
	struct inq_err err;

	(void)state;
	start(&l, false);
	machine_names_destroy(l.made.names);
	l.made.names = NULL;
	l.made.types = NULL;
	l.kernel.st = INQ_EINTR;
	assert_int_equal(inq_type_named(&l.m, "struct module", &t, &err), INQ_EINTR);
	assert_null(l.made.types);
	assert_int_equal(inq_symbol_named(&l.m, "schedule", 0, &s, &err), INQ_EINTR);
	assert_null(l.made.names);
	l.kernel.st = INQ_OK;
	l.made.types = &l.types;
	forget(&l);
	assert_int_equal(inq_type_named(&l.m, "struct module", &t, &err), INQ_OK);
	assert_int_equal(inq_symbol_named(&l.m, "schedule", 0, &s, &err), INQ_OK);
	stop(&l);
}

static void all_come_in_order(void **state)
{
	static struct lab l;
	struct inq_symbol s;
	struct inq_err err;
	uint64_t last = 0;
	size_t nr = 0;

	(void)state;
	start(&l, true);
	assert_int_equal(inq_nr_symbols(&l.m, &nr, &err), INQ_OK);
	assert_int_equal(nr, 15);
	for (size_t i = 0; i < nr; i++) {
		assert_true(inq_symbol_nth(&l.m, i, &s));
		assert_true(s.addr >= last);
		last = s.addr;
	}
	assert_false(inq_symbol_nth(&l.m, nr, &s));
	assert_int_equal(inq_symbol_first(&l.m, TEXT), 1);
	assert_int_equal(inq_symbol_first(&l.m, UINT64_MAX), nr);
	stop(&l);
}

static void a_list_that_is_torn_keeps_what_came_before(void **state)
{
	static struct lab l;
	const struct inq_module *mod = NULL;
	const char *why = NULL;
	struct inq_err err;
	size_t nr = 0;

	(void)state;
	start(&l, true);
	put(&l, MODULE + 0x400 + LIST, 0x1234, 8);
	assert_int_equal(inq_modules(&l.m, &mod, &nr, &why, &err), INQ_OK);
	assert_int_equal(nr, 2);
	assert_string_not_equal(why, "");
	forget(&l);
	put(&l, HEAD, 0, 8);
	assert_int_equal(inq_modules(&l.m, &mod, &nr, &why, &err), INQ_ECORRUPT);
	assert_non_null(strstr(err.msg, "not the head of a list"));
	says(&l, TEXT + 0x101, "schedule+0x1/0x80");
	stop(&l);
}

static void a_module_without_its_table_says_why(void **state)
{
	static struct lab l;
	const struct inq_module *mod = NULL;
	struct inq_err err;
	size_t nr = 0;

	(void)state;
	start(&l, true);
	put(&l, TABLE + 8, UINT32_MAX, 4);
	assert_int_equal(inq_modules(&l.m, &mod, &nr, NULL, &err), INQ_OK);
	assert_int_equal(mod[0].damage, INQ_ELIMIT);
	assert_non_null(strstr(mod[0].why, "symbols of module virtio: "));
	says(&l, BASE + CODE + 0x40, NULL);
	assert_true(inq_is_text(&l.m, BASE + CODE + 0x40, &mod));
	stop(&l);
}

static void flip(struct lab *l, size_t first, size_t n)
{
	for (size_t at = first; at < first + n; at++) {
		for (int bit = 1; bit < 256; bit *= 2) {
			struct inq_symbol s;
			l->memory.bytes[at] ^= (uint8_t)bit;
			forget(l);
			for (size_t i = 0; inq_symbol_nth(&l->m, i, &s); i++)
				assert_true(strlen(s.name) < KALLSYMS_MAX_NAME);
			l->memory.bytes[at] ^= (uint8_t)bit;
		}
	}
}

/* Every bit that means anything. */
static void flip_all(struct lab *l, bool newer)
{
	(void)newer;
	flip(l, HEAD, 16);
	flip(l, MODULE, 200);
	flip(l, MODULE + 0x400, NAME);
	flip(l, TABLE, 32);
	flip(l, SYMBOLS, (size_t)24 * 7);
}

static void flipped_bits_do_no_harm(void **state)
{
	(void)state;
	both_shapes(flip_all);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_kernel_names_its_own_image),
		cmocka_unit_test(a_name_has_all_its_symbols),
		cmocka_unit_test(a_name_is_a_place),
		cmocka_unit_test(modules_are_listed_with_their_symbols),
		cmocka_unit_test(code_is_told_from_data),
		cmocka_unit_test(a_symbol_without_a_name_is_no_other),
		cmocka_unit_test(a_stopped_search_is_no_answer),
		cmocka_unit_test(all_come_in_order),
		cmocka_unit_test(a_list_that_is_torn_keeps_what_came_before),
		cmocka_unit_test(a_module_without_its_table_says_why),
		cmocka_unit_test(flipped_bits_do_no_harm),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
