/* A small Linux, built: found through registers, through VMCOREINFO, or not at all. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "machine/machine.h"
#include "machine/vmcoreinfo.h"
#include "tests/built/built.h"
#include "tests/machine/qemu.h"

/* Physical addresses.  The image: 2 MiB of code, 2 MiB of data. */
enum {
	PML5 = 0x1000,
	ROOT = 0x2000,
	USER_ROOT = 0x3000, /* page-table isolation: the page behind */
	PDPT = 0x4000,
	PD = 0x5000,
	IDT = 0x7000,
	INFO = 0x8000,
	ENTRY_TABLES = 0x9000, /* three of them */
	DIRECT_TABLES = 0xc000,
	USER_PDPT = 0xe000,
	USER_PD = 0xf000,
	STALE = 0x11000,
	SPARE_ROOT = 0x12000, /* a process': the kernel's half is the same */
	IMAGE = 0x400000,
	RAM = 0x800000,
	BANNER = 0x2001a0, /* offsets in the image */
	BUILD_ID = 0x201000,
	PER_CPU = 0x202000,
	POINTER = 0x203008,
	VDSO = 0x204000,
};
#define LINKED UINT64_C(0xffffffff81000000)
#define DIRECT UINT64_C(0xffff888000000000) /* entry 273 of the top table */
#define ENTRY_AREA UINT64_C(0xfffffe0000000000)
#define TABLE 0x67ull
#define LARGE 0x1e3ull
#define NX (1ull << 63)
#define RELEASE "6.1.0-7-test"
#define ID "000102030405060708090a0b0c0d0e0f10111213"

struct guest {
	uint64_t kaslr;
	bool la57, user, pointer, note, scanned, stale, no_registers, not_linux;
	const char *note_text; /* instead of the right one */
};

struct lab {
	struct built *b;
	uint8_t *ram;
	struct inq_dump *dump;
	struct inq_machine *m;
	int fd;
};

static void put64(uint8_t *ram, uint64_t at, uint64_t v)
{
	memcpy(ram + at, &v, sizeof(v));
}

static uint64_t text_of(const struct guest *g)
{
	return LINKED + g->kaslr;
}

static uint64_t phys_base_of(const struct guest *g)
{
	return IMAGE - text_of(g) + UINT64_C(0xffffffff80000000);
}

static void put_tables(uint8_t *ram, const struct guest *g)
{
	unsigned int pde = (unsigned int)(text_of(g) >> 21) & 511;
	const uint64_t roots[] = {ROOT, SPARE_ROOT};

	put64(ram, PML5 + 8 * 511, (g->user ? USER_ROOT : ROOT) | TABLE);
	for (unsigned int i = 0; i < 2; i++) {
		put64(ram, roots[i] + 8 * 511, PDPT | TABLE);
		put64(ram, roots[i] + 8 * 508, ENTRY_TABLES | TABLE);
		put64(ram, roots[i] + 8 * 273, DIRECT_TABLES | TABLE);
	}
	put64(ram, PDPT + 8 * 510, PD | TABLE);
	put64(ram, PD + 8 * pde, IMAGE | LARGE);
	put64(ram, PD + 8 * (pde + 1), (IMAGE + 0x200000) | LARGE | NX);
	put64(ram, PD + 8 * (pde + 9), RAM / 2 | LARGE); /* a module: elsewhere */
	put64(ram, ENTRY_TABLES, (ENTRY_TABLES + 0x1000) | TABLE);
	put64(ram, ENTRY_TABLES + 0x1000, (ENTRY_TABLES + 0x2000) | TABLE);
	put64(ram, ENTRY_TABLES + 0x2000, IDT | TABLE | NX);
	put64(ram, DIRECT_TABLES, (DIRECT_TABLES + 0x1000) | TABLE);
	for (unsigned int i = 0; i < 4; i++)
		put64(ram, DIRECT_TABLES + 0x1000 + 8 * i, (uint64_t)i << 21 | LARGE | NX);
	/* the half for user space shows one page of the code */
	put64(ram, USER_ROOT + 8 * 508, ENTRY_TABLES | TABLE);
	put64(ram, USER_ROOT + 8 * 511, USER_PDPT | TABLE);
	put64(ram, USER_PDPT + 8 * 510, USER_PD | TABLE);
	put64(ram, USER_PD + 8 * pde, IMAGE | LARGE);
}

static int info_text(const struct guest *g, char *text, size_t n)
{
	return snprintf(text, n,
			"OSRELEASE=" RELEASE "\nBUILD-ID=" ID "\nPAGESIZE=4096\n"
			"SYMBOL(swapper_pg_dir)=%" PRIx64 "\nSYMBOL(_stext)=%" PRIx64
			"\nNUMBER(phys_base)=%" PRId64 "\nKERNELOFFSET=%" PRIx64
			"\nNUMBER(pgtable_l5_enabled)=%d\n",
			ROOT - phys_base_of(g) + UINT64_C(0xffffffff80000000), text_of(g) + 0x40,
			(int64_t)phys_base_of(g), g->kaslr, 0);
}

static void put_build_id(uint8_t *at)
{
	static const uint8_t head[16] = {4, 0, 0, 0, 20, 0, 0, 0, 3, 0, 0, 0, 'G', 'N', 'U'};

	memcpy(at, head, sizeof(head));
	for (uint8_t i = 0; i < 20; i++)
		at[16 + i] = i;
}

static void put_image(uint8_t *ram, const struct guest *g)
{
	uint8_t *image = ram + IMAGE;

	if (!g->not_linux)
		strcpy((char *)image + BANNER, "Linux version " RELEASE " (somebody) #1 SMP");
	put_build_id(image + BUILD_ID);
	memcpy(image + VDSO, "\177ELF", 4);
	put_build_id(image + VDSO + 0x1100);
	image[VDSO + 0x1100 + 16] = 0xff;
	put64(image, PER_CPU, DIRECT + 0x700000);
	put64(image, PER_CPU + 8, DIRECT + 0x780000);
	if (g->pointer) {
		put64(image, POINTER, DIRECT + INFO);
		put64(image, POINTER - 8, 300);
	}
	/* gates 0 to 2 */
	for (unsigned int i = 0; i < 3; i++) {
		uint64_t to = text_of(g) + 0x1000 + 0x10 * i;
		put64(ram, IDT + 16 * i,
		      (to & 0xffff) | 0x8e00ull << 32 | 0x10 << 16 | (to >> 16 & 0xffff) << 48);
		put64(ram, IDT + 16 * i + 8, to >> 32);
	}
}

static void put_cpu(struct built *b, const struct guest *g, uint32_t i)
{
	struct qemu_cpu q = {.version = 1, .size = sizeof(q)};
	uint64_t root = g->user ? USER_ROOT : i ? SPARE_ROOT : ROOT;

	q.gpr[17] = 2;
	q.seg[0].flags = 0xaf9b00; /* cs: 64-bit code */
	q.seg[9].base = ENTRY_AREA, q.seg[9].limit = 0xfff;
	q.cr[0] = 0x80050033, q.cr[4] = 0x20 | (g->la57 ? 0x1000 : 0);
	q.cr[3] = g->la57 ? PML5 : root;
	if (g->user) /* SWAPGS has put it away */
		q.kernel_gs_base = DIRECT + 0x700000 + 0x80000 * i;
	else
		q.seg[4].base = DIRECT + 0x700000 + 0x80000 * i;
	built_note(b, "QEMU", 0, &q, sizeof(q));
}

static struct lab lab_of(const struct guest *g)
{
	struct lab l = {.b = built_core(), .fd = -1};
	char text[512];
	int n = info_text(g, text, sizeof(text));

	l.ram = built_segment(l.b, 0, RAM);
	put_tables(l.ram, g);
	put_image(l.ram, g);
	if (g->pointer || g->scanned)
		memcpy(l.ram + INFO, text, (size_t)n);
	if (g->stale) /* of a kernel that ran before */
		strcpy((char *)l.ram + (g->scanned ? 0x6000 : STALE),
		       "OSRELEASE=5.0-old\nNUMBER(phys_base)=4096\n"
		       "SYMBOL(swapper_pg_dir)=ffffffff83000000\n");
	for (uint32_t i = 0; !g->no_registers && i < 2; i++)
		put_cpu(l.b, g, i);
	if (g->note_text)
		built_note(l.b, "VMCOREINFO", 0, g->note_text, strlen(g->note_text));
	else if (g->note)
		built_note(l.b, "VMCOREINFO", 0, text, (size_t)n);
	return l;
}

static void lab_open(struct lab *l)
{
	struct inq_err err = {0};
	char path[32];
	size_t n;
	uint8_t *bytes = built_finish(l->b, &n);

	l->fd = built_memfd(bytes, n, path);
	if (inq_dump_open(path, &l->dump, &err) || machine_open(l->dump, &l->m, &err))
		fail_msg("%s", err.msg);
}

static void lab_close(struct lab *l)
{
	machine_close(l->m);
	inq_dump_close(l->dump);
	close(l->fd);
	built_free(l->b);
}

/* How many facts of that name from that source, and whether all have the value. */
static unsigned int facts(const struct inq_kernel *k, const char *fact, const char *source,
			  uint64_t value)
{
	unsigned int nr = 0;

	for (size_t i = 0; i < k->nr_facts; i++) {
		const struct inq_kernel_fact *f = &k->facts[i];
		if (strcmp(f->fact, fact) || strcmp(f->source, source))
			continue;
		assert_true(*f->text || f->value == value);
		nr++;
	}
	return nr;
}

static void check_found(const struct lab *l, const struct guest *g, const char *source,
			uint64_t root)
{
	const struct inq_kernel *k = inq_machine_kernel(l->m);
	char banner[8];

	assert_non_null(k->os);
	assert_string_equal(k->os, "linux");
	assert_string_equal(k->source, source);
	assert_string_equal(k->release, RELEASE);
	assert_int_equal(k->known, 31);
	assert_true(k->text == text_of(g));
	assert_true(k->last == text_of(g) + 0x3fffff);
	assert_true(k->kaslr == g->kaslr);
	assert_true(k->phys_base == phys_base_of(g));
	assert_true(k->root == root);
	assert_int_equal(k->levels, g->la57 ? 5 : 4);
	assert_string_equal(k->build_id, ID);
	assert_non_null(k->virt);
	assert_string_equal(k->virt->name, "kernel");
	assert_ptr_equal(l->m->spaces[k->virt->space_id - 1], k->virt);
	assert_int_equal(inq_read(k->virt, text_of(g) + BANNER, banner, 5, NULL), INQ_OK);
	assert_memory_equal(banner, "Linux", 5);
}

static void test_registers_alone_find_it(void **state)
{
	(void)state;
	static const struct guest all[] = {
		{.kaslr = 0},
		{.kaslr = 0x12600000},
		{.kaslr = 0x3e800000}, /* phys_base is negative */
		{.kaslr = 0x200000, .la57 = true},
		{.kaslr = 0x200000, .user = true},
		{.kaslr = 0x600000, .stale = true}, /* memory is not searched */
	};
	for (size_t i = 0; i < sizeof(all) / sizeof(*all); i++) {
		const struct guest *g = &all[i];
		struct lab l = lab_of(g);
		lab_open(&l);
		const struct inq_kernel *k = inq_machine_kernel(l.m);
		check_found(&l, g, "cr3", g->la57 ? PML5 : ROOT);
		assert_int_equal(facts(k, "text", "cr3", text_of(g)), 2);
		assert_int_equal(facts(k, "phys_base", "cr3", phys_base_of(g)), 2);
		assert_int_equal(facts(k, "idt_handler", "idtr", text_of(g) + 0x1000), 2);
		assert_int_equal(facts(k, "release", "image", 0), 1);
		assert_int_equal(facts(k, "build_id", "image", 0), 1);
		assert_int_equal(facts(k, "kaslr_offset", "cr3", g->kaslr), 1);
		for (size_t n = 0; n < k->nr_facts; n++) {
			assert_string_not_equal(k->facts[n].source, "vmcoreinfo");
			if (!strcmp(k->facts[n].fact, "per_cpu"))
				assert_true(k->facts[n].addr ==
					    text_of(g) + PER_CPU + 8 * k->facts[n].cpu);
		}
		lab_close(&l);
	}
}

static void test_the_kernels_own_pointer_leads_to_vmcoreinfo(void **state)
{
	(void)state;
	static const struct guest g = {.kaslr = 0x4c00000, .pointer = true, .user = true};
	struct lab l = lab_of(&g);
	lab_open(&l);
	const struct inq_kernel *k = inq_machine_kernel(l.m);
	check_found(&l, &g, "cr3", ROOT);
	assert_int_equal(facts(k, "phys_base", "vmcoreinfo", phys_base_of(&g)), 1);
	assert_int_equal(facts(k, "text", "vmcoreinfo", text_of(&g)), 1);
	assert_int_equal(facts(k, "kaslr_offset", "vmcoreinfo", g.kaslr), 1);
	assert_int_equal(facts(k, "kaslr_offset", "cr3", 0), 0);
	lab_close(&l);
}

static void test_vmcoreinfo_alone_finds_it(void **state)
{
	(void)state;
	static const struct {
		struct guest g;
		const char *source;
	} all[] = {
		{{.kaslr = 0x3e800000, .note = true, .no_registers = true}, "vmcoreinfo note"},
		{{.kaslr = 0x1000000, .scanned = true, .no_registers = true},
		 "vmcoreinfo in memory"},
		/* what a kernel before it left lies in front, and leads nowhere */
		{{.kaslr = 0x1000000, .scanned = true, .stale = true, .no_registers = true},
		 "vmcoreinfo in memory"},
	};
	for (size_t i = 0; i < sizeof(all) / sizeof(*all); i++) {
		struct lab l = lab_of(&all[i].g);
		lab_open(&l);
		check_found(&l, &all[i].g, all[i].source, ROOT);
		assert_int_equal(l.m->nr_cpus, 0);
		lab_close(&l);
	}
}

static bool stop_if(void *stop, uint64_t done, uint64_t total)
{
	assert_true(done <= total);
	return !*(bool *)stop;
}

static void test_a_stopped_search_may_be_asked_again(void **state)
{
	(void)state;
	static const struct guest g = {.kaslr = 0x1000000, .scanned = true, .no_registers = true};
	struct lab l = lab_of(&g);
	bool stop = true;
	lab_open(&l);
	machine_on_search(l.m, stop_if, &stop);
	assert_int_equal(inq_machine_kernel(l.m)->st, INQ_EINTR);
	assert_null(inq_machine_kernel(l.m)->os);
	stop = false;
	check_found(&l, &g, "vmcoreinfo in memory", ROOT);
	lab_close(&l);
}

/* The CPUs are believed, and what the note says stands beside it. */
static void test_a_note_of_another_kernel_is_not_gone_by(void **state)
{
	(void)state;
	static const struct guest g = {.kaslr = 0x4c00000,
				       .pointer = true,
				       .note_text = "OSRELEASE=5.0-old\nNUMBER(phys_base)=-4096\n"
						    "SYMBOL(_stext)=ffffffffa0000000\n"
						    "SYMBOL(swapper_pg_dir)=ffffffffa1000000\n"};
	struct lab l = lab_of(&g);
	lab_open(&l);
	unsigned int stale = 0;
	check_found(&l, &g, "cr3", ROOT);
	for (size_t i = 0; i < inq_machine_kernel(l.m)->nr_facts; i++)
		stale += !strcmp(inq_machine_kernel(l.m)->facts[i].text, "5.0-old");
	assert_int_equal(stale, 1);
	lab_close(&l);
}

static void test_a_note_whose_memory_is_gone_still_says_what_it_says(void **state)
{
	(void)state;
	static const struct guest g = {.no_registers = true,
				       .note_text =
					       "OSRELEASE=5.0-old\nNUMBER(phys_base)=16777216\n"
					       "SYMBOL(_stext)=ffffffff81000040\n"};
	struct lab l = lab_of(&g);
	lab_open(&l);
	const struct inq_kernel *k = inq_machine_kernel(l.m);
	assert_string_equal(k->os, "linux");
	assert_string_equal(k->release, "5.0-old");
	assert_int_equal(k->known, INQ_KERNEL_TEXT | INQ_KERNEL_PHYS_BASE);
	assert_true(k->text == LINKED && k->phys_base == 0x1000000);
	assert_null(k->virt);
	lab_close(&l);
}

static void test_no_kernel_is_said_to_be_none(void **state)
{
	(void)state;
	static const struct {
		struct guest g;
		const char *note;
	} all[] = {
		{{.not_linux = true, .scanned = true},
		 "no CPU's page tables lead to a Linux image"},
		{{.no_registers = true},
		 "no registers, and VMCOREINFO is neither in a note nor in memory"},
		{{.no_registers = true, .note_text = "OSRELEAS=6\n"},
		 "no registers, and VMCOREINFO is neither in a note nor in memory"},
	};
	for (size_t i = 0; i < sizeof(all) / sizeof(*all); i++) {
		struct lab l = lab_of(&all[i].g);
		lab_open(&l);
		assert_null(inq_machine_kernel(l.m)->os);
		assert_null(inq_machine_kernel(l.m)->virt);
		assert_string_equal(inq_machine_kernel(l.m)->note, all[i].note);
		assert_int_equal(inq_machine_kernel(l.m)->nr_facts, 0);
		assert_int_equal(l.m->nr_spaces, 1 + l.m->nr_cpus);
		lab_close(&l);
	}
}

static void test_a_gate_that_leads_elsewhere_is_the_one_told(void **state)
{
	(void)state;
	static const struct guest g = {.kaslr = 0x4c00000};
	struct lab l = lab_of(&g);
	put64(l.ram, IDT + 24, 0xffffc900); /* vector 1 */
	lab_open(&l);
	assert_int_equal(
		facts(inq_machine_kernel(l.m), "idt_handler", "idtr",
		      UINT64_C(0xffffc90000000000) | ((text_of(&g) + 0x1010) & 0xffffffff)),
		2);
	lab_close(&l);
}

static void test_vmcoreinfo_is_read_line_by_line(void **state)
{
	(void)state;
	static const char text[] =
		"OSRELEASE=1.2\nBUILD-ID=xyz\nSYMBOL(_stext)=0x12\n"
		"SYMBOL(init_top_pgt)=ffffffff82000000\nNUMBER(phys_base)=-2097152\n"
		"KERNELOFFSET=10000000000000000\nNUMBER(pgtable_l5_enabled)=1";
	struct vmcoreinfo v;
	assert_true(vmcoreinfo_parse((const uint8_t *)text, sizeof(text), &v));
	assert_string_equal(v.release, "1.2");
	assert_string_equal(v.build_id, "");
	assert_true(!v.has_stext && !v.has_kaslr && v.has_root && v.has_phys_base && v.has_l5);
	assert_true(v.l5 && v.root == UINT64_C(0xffffffff82000000));
	assert_true(v.phys_base == UINT64_C(0xffffffffffe00000));
	assert_false(vmcoreinfo_parse((const uint8_t *)text, 9, &v));
	assert_false(vmcoreinfo_parse((const uint8_t *)"\nOSRELEASE=1", 12, &v));
	assert_true(vmcoreinfo_parse((const uint8_t *)"OSRELEASE=\x1b[31m", 15, &v));
	assert_string_equal(v.release, "");
}

/* Any byte of it another one, and every length: an answer, and nothing beyond its end is read. */
static void test_vmcoreinfo_cut_and_flipped(void **state)
{
	(void)state;
	static const struct guest g = {.kaslr = 0x4c00000};
	char text[512];
	size_t n = (size_t)info_text(&g, text, sizeof(text));
	for (size_t len = 0; len <= n; len++) {
		struct vmcoreinfo v;
		uint8_t *copy = malloc(len ? len : 1);
		memcpy(copy, text, len);
		(void)vmcoreinfo_parse(copy, len, &v);
		for (unsigned int bit = 0; len && bit < 8; bit++) {
			copy[len - 1] ^= (uint8_t)(1 << bit);
			if (vmcoreinfo_parse(copy, len, &v))
				assert_true(strnlen(v.release, sizeof(v.release)) <
					    sizeof(v.release));
			copy[len - 1] ^= (uint8_t)(1 << bit);
		}
		free(copy);
	}
}

/* Memory that a test may change under an open dump. */
struct ram_space {
	struct inq_space base;
	uint8_t *ram;
};

static enum inq_status ram_read(const struct inq_space *self, uint64_t addr, void *buf, size_t n,
				struct inq_err *err)
{
	if (addr > RAM || n > RAM - addr)
		return inq_fail_at(err, INQ_EFAULT, addr, "ram: no memory there");
	memcpy(buf, ((const struct ram_space *)self)->ram + addr, n);
	return INQ_OK;
}

/* Each entry of the tables gone or wild: a kernel, or none, but always an answer. */
static void test_damaged_tables_end_in_an_answer(void **state)
{
	(void)state;
	static const struct guest g = {.kaslr = 0x4c00000, .pointer = true};
	static const uint64_t values[] = {0, UINT64_MAX, 0x1067, ROOT | TABLE,
					  UINT64_C(1) << 51 | LARGE};
	struct lab l = lab_of(&g);
	struct ram_space mem = {.base = {.name = "phys", .read = ram_read}, .ram = malloc(RAM)};
	memcpy(mem.ram, l.ram, RAM);
	lab_open(&l);
	struct inq_dump dump = *l.dump;
	dump.phys = &mem.base;
	for (uint64_t at = ROOT; at < STALE; at += 8) {
		uint64_t was;
		memcpy(&was, mem.ram + at, sizeof(was));
		for (size_t i = 0; was && i < sizeof(values) / sizeof(*values); i++) {
			struct inq_machine *m = NULL;
			put64(mem.ram, at, values[i]);
			assert_int_equal(machine_open(&dump, &m, NULL), INQ_OK);
			assert_true(inq_machine_kernel(m)->os || *inq_machine_kernel(m)->note);
			machine_close(m);
		}
		put64(mem.ram, at, was);
	}
	free(mem.ram);
	lab_close(&l);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_registers_alone_find_it),
		cmocka_unit_test(test_the_kernels_own_pointer_leads_to_vmcoreinfo),
		cmocka_unit_test(test_vmcoreinfo_alone_finds_it),
		cmocka_unit_test(test_a_stopped_search_may_be_asked_again),
		cmocka_unit_test(test_a_note_of_another_kernel_is_not_gone_by),
		cmocka_unit_test(test_a_note_whose_memory_is_gone_still_says_what_it_says),
		cmocka_unit_test(test_no_kernel_is_said_to_be_none),
		cmocka_unit_test(test_a_gate_that_leads_elsewhere_is_the_one_told),
		cmocka_unit_test(test_vmcoreinfo_is_read_line_by_line),
		cmocka_unit_test(test_vmcoreinfo_cut_and_flipped),
		cmocka_unit_test(test_damaged_tables_end_in_an_answer),
	};
	return cmocka_run_group_tests_name("kernel", tests, NULL, NULL);
}
