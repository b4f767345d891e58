/* The build id of an ELF file that has it in a segment or in a section, and of damaged ones. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <elf.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "symbols/build_id.h"
#include "tests/built/built.h"

#define ID "000102030405060708090a0b0c0d0e0f10111213"

/* Two notes, of which the second is the build id. */
struct file {
	Elf64_Ehdr ehdr;
	Elf64_Phdr phdr[1];
	struct {
		Elf64_Nhdr head;
		char name[4];
		uint32_t desc;
		Elf64_Nhdr id_head;
		char id_name[4];
		uint8_t id[20];
	} notes;
	char names[16];
	Elf64_Shdr shdr[3];
};

static struct file file_with(bool segment, bool section)
{
	struct file f = {
		.ehdr = {.e_ident = {0x7f, 'E', 'L', 'F', ELFCLASS64, ELFDATA2LSB, EV_CURRENT},
			 .e_type = ET_EXEC,
			 .e_machine = EM_X86_64,
			 .e_version = EV_CURRENT,
			 .e_ehsize = sizeof(Elf64_Ehdr),
			 .e_phentsize = sizeof(Elf64_Phdr),
			 .e_shentsize = sizeof(Elf64_Shdr)},
		.notes = {.head = {4, 4, 1},
			  .name = "Xen",
			  .id_head = {4, 20, NT_GNU_BUILD_ID},
			  .id_name = "GNU"},
		.names = "\0.notes\0.names",
	};
	for (uint8_t i = 0; i < 20; i++)
		f.notes.id[i] = i;
	if (segment) {
		f.ehdr.e_phoff = offsetof(struct file, phdr);
		f.ehdr.e_phnum = 1;
		f.phdr[0] = (Elf64_Phdr){.p_type = PT_NOTE,
					 .p_offset = offsetof(struct file, notes),
					 .p_filesz = sizeof(f.notes),
					 .p_align = 4};
	}
	if (section) {
		f.ehdr.e_shoff = offsetof(struct file, shdr);
		f.ehdr.e_shnum = 3;
		f.ehdr.e_shstrndx = 2;
		f.shdr[1] = (Elf64_Shdr){.sh_name = 1,
					 .sh_type = SHT_NOTE,
					 .sh_offset = offsetof(struct file, notes),
					 .sh_size = sizeof(f.notes),
					 .sh_addralign = 4};
		f.shdr[2] = (Elf64_Shdr){.sh_name = 8,
					 .sh_type = SHT_STRTAB,
					 .sh_offset = offsetof(struct file, names),
					 .sh_size = sizeof(f.names)};
	}
	return f;
}

static enum inq_status ask(const void *bytes, size_t n, char *ret_id, struct inq_err *err)
{
	char path[32];
	int fd = built_memfd(bytes, n, path);
	enum inq_status st = symbols_build_id_of(fd, ret_id, err);

	close(fd);
	return st;
}

static void test_it_is_found_in_a_segment_and_in_a_section(void **state)
{
	(void)state;
	for (int how = 1; how < 4; how++) {
		struct file f = file_with(how & 1, how & 2);
		char id[SYMBOLS_BUILD_ID] = "";
		assert_int_equal(ask(&f, sizeof(f), id, NULL), INQ_OK);
		assert_string_equal(id, ID);
	}
}

static void test_a_child_finds_the_same(void **state)
{
	(void)state;
	struct file f = file_with(true, true);
	char id[SYMBOLS_BUILD_ID] = "", path[32];
	struct inq_err err = {0};
	int fd = built_memfd(&f, sizeof(f), path);
	if (symbols_build_id(path, id, &err))
		fail_msg("%s", err.msg);
	assert_string_equal(id, ID);
	close(fd);
	assert_int_equal(symbols_build_id("/nowhere", id, &err), INQ_EIO);
	assert_string_equal(err.msg, "cannot open: No such file or directory");
	assert_int_equal(symbols_build_id("/dev/null", id, &err), INQ_ENOTFOUND);
}

static void test_what_has_none_says_so(void **state)
{
	(void)state;
	struct file f = file_with(false, false);
	char id[SYMBOLS_BUILD_ID];
	struct inq_err err = {0};
	assert_int_equal(ask(&f, sizeof(f), id, &err), INQ_ENOTFOUND);
	assert_string_equal(err.msg, "it has no build id");
	assert_int_equal(ask("MZ", 2, id, &err), INQ_ENOTFOUND);
	assert_string_equal(err.msg, "no ELF file: a vmlinux is wanted");
	for (uint32_t n = 0; n < 100; n += 99) { /* too short, too long */
		f = file_with(true, false);
		f.notes.id_head.n_descsz = n;
		assert_int_equal(ask(&f, sizeof(f), id, &err), INQ_ENOTFOUND);
	}
}

/* Every length, and every byte another one: an id of hex digits, or an error with a message. */
static void test_damaged_files_end_in_an_answer(void **state)
{
	(void)state;
	for (int how = 1; how < 3; how++) {
		struct file whole = file_with(how & 1, how & 2);
		for (size_t at = 0; at < sizeof(whole); at++) {
			for (unsigned int bit = 0; bit <= 8; bit++) {
				struct file f = whole;
				char id[SYMBOLS_BUILD_ID] = "";
				struct inq_err err = {0};
				if (bit < 8)
					((uint8_t *)&f)[at] ^= (uint8_t)(1 << bit);
				size_t n = bit < 8 ? sizeof(f) : at;
				if (ask(&f, n, id, &err))
					assert_true(*err.msg);
				else
					assert_true(*id && strspn(id, "0123456789abcdef") ==
								   strnlen(id, sizeof(id)));
			}
		}
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_it_is_found_in_a_segment_and_in_a_section),
		cmocka_unit_test(test_a_child_finds_the_same),
		cmocka_unit_test(test_what_has_none_says_so),
		cmocka_unit_test(test_damaged_files_end_in_an_answer),
	};
	return cmocka_run_group_tests_name("build id", tests, NULL, NULL);
}
