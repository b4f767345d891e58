/*
 * The loaders: what lies in memory after each format, one line for each kind of damage, and a sweep
 * of every truncation and byte flip over small images built here.  No KVM.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <elf.h>

#include "vmm/boot/boot.h"
#include "vmm/tables.h"

enum {
	LOW_MIB = 32,
	BZ_CODE = 0x1000,
	BZ_SECTORS = 2,
	BZ_BYTES = (BZ_SECTORS + 1) * 512 + BZ_CODE
};

struct fixture {
	struct vmm_memory *mem;
	struct vmm_boot how;
	struct vmm_boot_load load;
	struct vmm_boot_start start;
	struct inq_err err;
	uint8_t bytes[0x3000], initrd[5000];
};

static void set16(uint8_t *p, unsigned at, uint16_t v)
{
	memcpy(p + at, &v, 2);
}

static void set32(uint8_t *p, unsigned at, uint32_t v)
{
	memcpy(p + at, &v, 4);
}

static void set64(uint8_t *p, unsigned at, uint64_t v)
{
	memcpy(p + at, &v, 8);
}

static size_t make_bzimage(uint8_t *p)
{
	memset(p, 0x90, BZ_BYTES);
	memset(p, 0, (size_t)(BZ_SECTORS + 1) * 512);
	p[0x1f1] = BZ_SECTORS;
	set32(p, 0x1f4, BZ_CODE / 16);
	set16(p, 0x1fe, 0xaa55);
	p[0x201] = 0x6a;
	memcpy(p + 0x202, "HdrS", 4);
	set16(p, 0x206, 0x20f);
	set32(p, 0x22c, 0x7fffffff);
	p[0x234] = 1;
	set16(p, 0x236, 1);
	set32(p, 0x238, 100);
	set64(p, 0x258, 0x1000000);
	set32(p, 0x260, 0x400000);
	return BZ_BYTES;
}

/* A PT_LOAD of 0x200 bytes at 1 MiB, .bss behind it, and a PT_NOTE with a PVH entry. */
static size_t make_elf64(uint8_t *p)
{
	Elf64_Ehdr h = {.e_type = ET_EXEC,
			.e_machine = EM_X86_64,
			.e_entry = 0x100010,
			.e_phoff = sizeof(h),
			.e_phentsize = sizeof(Elf64_Phdr),
			.e_phnum = 2};
	Elf64_Phdr q[2] = {{.p_type = PT_LOAD,
			    .p_offset = 0x200,
			    .p_paddr = 0x100000,
			    .p_filesz = 0x200,
			    .p_memsz = 0x1000},
			   {.p_type = PT_NOTE, .p_offset = 0x180, .p_filesz = 20}};
	const uint32_t note[] = {4, 4, 18, 0x006e6558, 0x100020};

	memset(p, 0, 0x400);
	memcpy(h.e_ident, ELFMAG, SELFMAG);
	h.e_ident[EI_CLASS] = ELFCLASS64;
	h.e_ident[EI_DATA] = ELFDATA2LSB;
	memcpy(p, &h, sizeof(h));
	memcpy(p + sizeof(h), q, sizeof(q));
	memcpy(p + 0x180, note, sizeof(note));
	memset(p + 0x200, 0xf4, 0x200);
	return 0x400;
}

/* An ELF32 whose segment begins with a multiboot header. */
static size_t make_multiboot(uint8_t *p)
{
	Elf32_Ehdr h = {.e_type = ET_EXEC,
			.e_machine = EM_386,
			.e_entry = 0x100010,
			.e_phoff = sizeof(h),
			.e_phentsize = sizeof(Elf32_Phdr),
			.e_phnum = 1};
	Elf32_Phdr q = {.p_type = PT_LOAD,
			.p_offset = 0x100,
			.p_paddr = 0x100000,
			.p_filesz = 0x40,
			.p_memsz = 0x80};

	memset(p, 0, 0x140);
	memcpy(h.e_ident, ELFMAG, SELFMAG);
	h.e_ident[EI_CLASS] = ELFCLASS32;
	h.e_ident[EI_DATA] = ELFDATA2LSB;
	memcpy(p, &h, sizeof(h));
	memcpy(p + sizeof(h), &q, sizeof(q));
	set32(p, 0x100, 0x1badb002);
	set32(p, 0x104, 3);
	set32(p, 0x108, -(uint32_t)(0x1badb002 + 3));
	return 0x140;
}

static int set_up(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));
	struct inq_err err;

	if (!f || vmm_memory_create(&f->mem, LOW_MIB, NULL, 0, false, &err))
		return 1;
	f->load = (struct vmm_boot_load){.how = &f->how,
					 .mem = f->mem,
					 .kernel = {.path = "k", .at = f->bytes},
					 .low_end = LOW_MIB * VMM_MIB};
	f->how.append = "quiet";
	*state = f;
	return 0;
}

static int tear_down(void **state)
{
	struct fixture *f = *state;

	vmm_memory_destroy(f->mem);
	free(f);
	return 0;
}

static enum inq_status install(struct fixture *f)
{
	return vmm_boot_install(&f->load, &f->start, &f->err);
}

static const uint8_t *mem(const struct fixture *f, uint64_t gpa, uint64_t n)
{
	const uint8_t *p = vmm_memory_at(f->mem, 0, gpa, n);

	assert_non_null(p);
	return p;
}

static void refused(struct fixture *f, const char *line)
{
	assert_int_equal(install(f), INQ_EUSAGE);
	assert_string_equal(f->err.msg, line);
}

/* What lies behind the setup header in the zero page is the VMM's to say. */
static void a_longer_header_ends_where_others_begin(void **state)
{
	struct fixture *f = *state;

	f->load.kernel.n = make_bzimage(f->bytes);
	f->bytes[0x201] = 0xff;
	f->bytes[0x28f] = 0xee;
	memset(f->bytes + 0x290, 0xee, 0x80);
	assert_int_equal(install(f), INQ_OK);
	const uint8_t *z = mem(f, VMM_BOOT_ZERO_PAGE, 4096);
	assert_int_equal(z[0x28f], 0xee);
	for (size_t i = 0x290; i < 0x2d0; i++)
		assert_int_equal(z[i], 0);
}

static void a_bzimage_gets_its_zero_page(void **state)
{
	struct fixture *f = *state;
	uint64_t v = 0;

	f->load.kernel.n = make_bzimage(f->bytes);
	f->load.initrd = (struct vmm_image){"i", f->initrd, sizeof(f->initrd)};
	memset(f->initrd, 7, sizeof(f->initrd));
	f->load.rsdp = 0xe1234;
	assert_int_equal(install(f), INQ_OK);
	assert_int_equal(f->start.mode, VMM_MODE_LONG);
	assert_int_equal(f->start.rip, 0x1000200);
	assert_int_equal(f->start.rsi, VMM_BOOT_ZERO_PAGE);
	const uint8_t *z = mem(f, VMM_BOOT_ZERO_PAGE, 4096);
	memcpy(&v, z + 0x70, 8);
	assert_int_equal(v, 0xe1234);
	v = 0;
	memcpy(&v, z + 0x218, 4);
	assert_int_equal(v, LOW_MIB * VMM_MIB - 0x2000);
	assert_int_equal(*mem(f, v + sizeof(f->initrd) - 1, 1), 7);
	assert_int_equal(z[0x1e8], 3);
	assert_string_equal((const char *)mem(f, VMM_BOOT_TEXT, 6), "quiet");
	assert_int_equal(*mem(f, 0x1000000, 1), 0x90);
}

static void memory_above_4_gib_is_in_the_map(void **state)
{
	struct fixture *f = *state;
	struct inq_err err;
	uint64_t v;

	vmm_memory_destroy(f->mem);
	f->mem = NULL;
	assert_int_equal(vmm_memory_create(&f->mem, 5120, NULL, 0, false, &err), INQ_OK);
	f->load.mem = f->mem;
	f->load.low_end = VMM_LOW_END - 0x20000;
	f->load.kernel.n = make_bzimage(f->bytes);
	assert_int_equal(install(f), INQ_OK);
	const uint8_t *z = mem(f, VMM_BOOT_ZERO_PAGE, 4096);
	assert_int_equal(z[0x1e8], 5); /* base, hole, low, kept back, high */
	const uint8_t *high = z + 0x2d0 + (size_t)4 * 20;
	memcpy(&v, high, 8);
	assert_int_equal(v, VMM_HIGH);
	memcpy(&v, high + 8, 8);
	assert_int_equal(v, 5120 * VMM_MIB - VMM_LOW_END);
	assert_int_equal(z[0x2d0 + 3 * 20 + 16], VMM_E820_RESERVED);
}

static void vmlinux_by_its_entry_or_by_pvh(void **state)
{
	struct fixture *f = *state;

	f->load.kernel.n = make_elf64(f->bytes);
	assert_int_equal(install(f), INQ_OK);
	assert_int_equal(f->start.rip, 0x100010);
	assert_int_equal(f->start.mode, VMM_MODE_LONG);
	f->how.format = "pvh";
	assert_int_equal(install(f), INQ_OK);
	assert_int_equal(f->start.rip, 0x100020);
	assert_int_equal(f->start.mode, VMM_MODE_PROTECTED);
	assert_int_equal(f->start.rbx, VMM_BOOT_INFO);
	uint32_t magic;
	memcpy(&magic, mem(f, VMM_BOOT_INFO, 4), 4);
	assert_int_equal(magic, 0x336ec578);
}

static void multiboot_elf(void **state)
{
	struct fixture *f = *state;

	f->load.kernel.n = make_multiboot(f->bytes);
	assert_int_equal(install(f), INQ_OK);
	assert_int_equal(f->start.rax, 0x2badb002);
	assert_int_equal(f->start.rip, 0x100010);
	assert_int_equal(f->start.mode, VMM_MODE_PROTECTED);
}

static void flat_binaries_lie_where_they_are_told(void **state)
{
	struct fixture *f = *state;

	f->load.kernel.n = 16;
	memset(f->bytes, 0xf4, 16);
	f->how.format = "flat";
	assert_int_equal(install(f), INQ_OK);
	assert_int_equal(f->start.rip, 0x7c00);
	f->how.entry64 = true;
	assert_int_equal(install(f), INQ_OK);
	assert_int_equal(f->start.rip, 0x100000);
	f->how.load_at_given = true;
	f->how.load_at = 0x9000;
	refused(f, "k: 0x9000 is where the first page tables lie; give --load-at 0x10000 or more");
	f->how.entry64 = false;
	f->how.load_at = 0x100000;
	refused(f,
		"k: real mode does not reach 0x100000; give --load-at below 1 MiB, or --entry 64");
}

static void each_damage_has_its_line(void **state)
{
	struct fixture *f = *state;
	char *text = calloc(1, 200);

	f->load.kernel.n = make_bzimage(f->bytes) - 1;
	refused(f,
		"k: bzImage cut off: 5631 bytes, its header speaks of 5632; give the whole file");
	f->load.kernel.n = 0x240;
	refused(f, "k: bzImage cut off within its header, after 576 bytes; give the whole file");
	f->load.kernel.n = 0x200;
	refused(f, "k: neither bzImage nor vmlinux nor multiboot (wrong magic or too short); give "
		   "--boot flat for a plain binary");
	f->load.kernel.n = make_bzimage(f->bytes);
	set32(f->bytes, 0x260, 64 << 20);
	refused(f, "k: needs 64 MiB from 0x200000 on to unpack itself; give more --memory");
	make_bzimage(f->bytes);
	set16(f->bytes, 0x206, 0x208);
	refused(f, "k: bzImage without a 64-bit entry (boot protocol 2.8); give a 64-bit kernel");
	make_bzimage(f->bytes);
	f->load.initrd = (struct vmm_image){"i", f->bytes, 30 << 20};
	refused(f, "i: initrd too big: 31457280 bytes, room for 12582912; give more --memory");
	f->load.initrd.at = NULL;
	memset(text, 'x', 101);
	f->how.append = text;
	refused(f, "--append: 101 bytes, this kernel takes 100; shorten it");
	f->how.append = NULL;
	f->how.format = "pvh";
	refused(f, "k: cannot be booted as pvh; give --boot auto");
	f->how.format = "coff";
	refused(f, "--boot coff: unknown; give auto, linux64, pvh, multiboot or flat");
	free(text);
}

static uint8_t sum(const uint8_t *p, size_t n)
{
	uint8_t s = 0;

	for (size_t i = 0; i < n; i++)
		s = (uint8_t)(s + p[i]);
	return s;
}

/* The number of entries that the header claims is the number that can be walked to its end. */
static void the_mp_table_counts_its_entries_right(void **state)
{
	static const uint8_t bytes[] = {20, 8, 8, 8, 8};
	struct fixture *f = *state;
	const unsigned cpus[] = {1, 2, 64};

	for (size_t i = 0; i < sizeof(cpus) / sizeof(*cpus); i++) {
		uint64_t rsdp = 0;
		uint32_t at = 0, n = 0, found = 0, enabled = 0, claimed = 0;

		assert_int_equal(vmm_tables_install(f->mem, cpus[i], &rsdp, &f->err), INQ_OK);
		const uint8_t *p = mem(f, UINT64_C(639) * 1024, 16);
		assert_memory_equal(p, "_MP_", 4);
		assert_int_equal(sum(p, 16), 0);
		memcpy(&at, p + 4, 4);
		p = mem(f, at, 44);
		memcpy(&n, p + 4, 2);
		memcpy(&claimed, p + 34, 2);
		p = mem(f, at, n);
		assert_int_equal(sum(p, n), 0);
		for (at = 44; at < n; at += bytes[p[at]], found++) {
			assert_in_range(p[at], 0, 4);
			enabled += p[at] == 0;
		}
		assert_int_equal(at, n);
		assert_int_equal(found, claimed);
		assert_int_equal(enabled, cpus[i]);
	}
}

static void acpi_tables_add_up(void **state)
{
	struct fixture *f = *state;
	uint64_t rsdp = 0, xsdt = 0, fadt = 0, madt = 0, dsdt = 0;
	uint32_t n = 0, cpus = 0;

	assert_int_equal(vmm_tables_install(f->mem, 64, &rsdp, &f->err), INQ_OK);
	const uint8_t *p = mem(f, rsdp, 36);
	assert_int_equal(sum(p, 20), 0);
	assert_int_equal(sum(p, 36), 0);
	memcpy(&xsdt, p + 24, 8);
	p = mem(f, xsdt, 52);
	assert_int_equal(sum(p, 52), 0);
	memcpy(&fadt, p + 36, 8);
	memcpy(&madt, p + 44, 8);
	memcpy(&n, mem(f, madt, 8) + 4, 4);
	p = mem(f, madt, n);
	assert_memory_equal(p, "APIC", 4);
	assert_int_equal(sum(p, n), 0);
	uint32_t at = 44;
	for (; at < n; at += p[at + 1]) {
		assert_true(p[at + 1]);
		cpus += p[at] == 0;
	}
	assert_int_equal(at, n);
	assert_int_equal(cpus, 64);
	p = mem(f, fadt, 276);
	assert_int_equal(sum(p, 276), 0);
	assert_int_equal(p[116 + 4] | p[116 + 5] << 8, 0xcf9);
	memcpy(&dsdt, p + 140, 8);
	memcpy(&n, mem(f, dsdt, 8) + 4, 4);
	p = mem(f, dsdt, n);
	assert_memory_equal(p, "DSDT", 4);
	assert_int_equal(sum(p, n), 0);
	assert_in_range(n, 200, 0x800); /* up to the MP table */
	assert_true(madt + 44 + UINT64_C(64) * 8 + 18 <= dsdt);
}

/* Whatever the bytes: fine, or an error with a line.  ASan sees reads behind the copy's end. */
static void try(struct fixture *f, const uint8_t *bytes, size_t n, const char *format)
{
	uint8_t *copy = malloc(n ? n : 1);

	memcpy(copy, bytes, n);
	f->load.kernel = (struct vmm_image){"k", copy, n};
	f->how.format = format;
	f->err.msg[0] = 0;
	if (install(f))
		assert_true(f->err.msg[0]);
	else
		assert_true(f->start.rip < VMM_HIGH);
	free(copy);
}

static void no_truncation_and_no_flip_does_harm(void **state)
{
	struct fixture *f = *state;
	static const struct {
		size_t (*make)(uint8_t *p);
		const char *format;
		size_t headers; /* what is flipped */
	} images[] = {{make_bzimage, NULL, 0x270},
		      {make_elf64, "linux64", 0x1a0},
		      {make_elf64, "pvh", 0x1a0},
		      {make_multiboot, NULL, 0x110}};

	for (size_t i = 0; i < sizeof(images) / sizeof(*images); i++) {
		size_t n = images[i].make(f->bytes);

		for (size_t cut = 0; cut < n; cut++)
			try(f, f->bytes, cut, images[i].format);
		for (size_t at = 0; at < images[i].headers; at++)
			for (unsigned bit = 0; bit < 8; bit++) {
				f->bytes[at] ^= (uint8_t)(1 << bit);
				try(f, f->bytes, n, images[i].format);
				f->bytes[at] ^= (uint8_t)(1 << bit);
			}
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(a_bzimage_gets_its_zero_page, set_up, tear_down),
		cmocka_unit_test_setup_teardown(a_longer_header_ends_where_others_begin, set_up,
						tear_down),
		cmocka_unit_test_setup_teardown(memory_above_4_gib_is_in_the_map, set_up,
						tear_down),
		cmocka_unit_test_setup_teardown(vmlinux_by_its_entry_or_by_pvh, set_up, tear_down),
		cmocka_unit_test_setup_teardown(multiboot_elf, set_up, tear_down),
		cmocka_unit_test_setup_teardown(flat_binaries_lie_where_they_are_told, set_up,
						tear_down),
		cmocka_unit_test_setup_teardown(the_mp_table_counts_its_entries_right, set_up,
						tear_down),
		cmocka_unit_test_setup_teardown(acpi_tables_add_up, set_up, tear_down),
		cmocka_unit_test_setup_teardown(each_damage_has_its_line, set_up, tear_down),
		cmocka_unit_test_setup_teardown(no_truncation_and_no_flip_does_harm, set_up,
						tear_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
