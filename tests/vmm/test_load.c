/*
 * usage: test_load FAKE_CORE
 * Reading a snapshot back: what was written comes back, and whatever is changed in it is refused
 * with a reason, never a crash.  The changes come with right checksums, or nothing behind those
 * would ever be looked at.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>
#include <elf.h>
#include <zlib.h>

#include "vmm/load.h"
#include "vmm/rng.h"

enum { MAX_FILE = 20 << 20 };

static const char *fake_core;

struct core {
	char path[64];
	uint8_t *bytes;
	size_t n;
	size_t notes, notes_n, header; /* offsets in the file */
};

/* The payload of a kind of the whole VM. */
static size_t find(const struct core *c, uint32_t kind)
{
	for (size_t at = c->notes; at < c->notes + c->notes_n;) {
		Elf64_Nhdr h;

		memcpy(&h, c->bytes + at, sizeof(h));
		at += sizeof(h) + ((h.n_namesz + 3) & ~3u);
		if (h.n_type == (INQ_SNAP_NOTE_TYPE | kind))
			return at + sizeof(struct inq_snap_note);
		at += (h.n_descsz + 3) & ~3u;
	}
	fail();
	return 0;
}

static int setup(void **state)
{
	struct core *c = calloc(1, sizeof(*c));
	char command[512];
	Elf64_Phdr p;

	assert_non_null(c);
	snprintf(c->path, sizeof(c->path), "/tmp/test-load-XXXXXX");
	int fd = mkstemp(c->path);
	assert_true(fd >= 0);
	close(fd);
	snprintf(command, sizeof(command), "'%s' %s >/dev/null", fake_core, c->path);
	assert_int_equal(system(command), 0);
	FILE *f = fopen(c->path, "rb");
	assert_non_null(f);
	c->bytes = malloc(MAX_FILE);
	assert_non_null(c->bytes);
	c->n = fread(c->bytes, 1, MAX_FILE, f);
	fclose(f);
	memcpy(&p, c->bytes + 64, sizeof(p));
	c->notes = p.p_offset;
	c->notes_n = p.p_filesz;
	c->header = find(c, INQ_SNAP_HEADER);
	*state = c;
	return 0;
}

static int teardown(void **state)
{
	struct core *c = *state;

	unlink(c->path);
	free(c->bytes);
	free(c);
	return 0;
}

static void fix_checksums(struct core *c)
{
	uint32_t crc = 0;
	uint16_t nr;

	memcpy(&nr, c->bytes + 56, 2);
	size_t headers = 64 + (size_t)nr * 56;
	if (headers < c->n)
		crc = (uint32_t)crc32(0, c->bytes, (uInt)headers);
	memcpy(c->bytes + c->header + 92, &crc, 4);
	memset(c->bytes + c->header + 88, 0, 4);
	crc = (uint32_t)crc32(0, c->bytes + c->notes, (uInt)c->notes_n);
	memcpy(c->bytes + c->header + 88, &crc, 4);
}

static void put(struct core *c, size_t at, uint64_t v, size_t n)
{
	memcpy(c->bytes + at, &v, n);
}

static enum inq_status load(struct core *c, size_t n, struct vmm_memory **m, struct inq_err *err)
{
	struct vmm_load *l;
	FILE *f = fopen(c->path, "wb");

	assert_non_null(f);
	assert_int_equal(fwrite(c->bytes, 1, n, f), n);
	assert_int_equal(fclose(f), 0);
	*m = NULL;
	enum inq_status st = vmm_load_open(&l, c->path, err);
	if (!st) {
		st = vmm_load_memory(l, m, err);
		vmm_load_close(l);
	}
	return st;
}

static void refused(struct core *c, enum inq_status want, const char *why)
{
	struct vmm_memory *m;
	struct inq_err err;

	fix_checksums(c);
	assert_int_equal(load(c, c->n, &m, &err), want);
	if (!strstr(err.msg, why))
		fail_msg("'%s' does not say '%s'", err.msg, why);
}

static void what_was_written_comes_back(void **state)
{
	struct core *c = *state;
	struct vmm_memory *m = NULL;
	struct inq_err err = {0};

	if (load(c, c->n, &m, &err) || !m) {
		fail_msg("%s", err.msg);
		return;
	}
	assert_int_equal(m->nr_regions, 2);
	assert_int_equal(m->nr_windows, 2);
	for (unsigned i = 0; i < 4096; i++)
		assert_int_equal(vmm_memory_at(m, 0, 0x5000, 4096)[i], 0xab);
	assert_int_equal(*vmm_memory_at(m, 0, 0x7000, 1), 0);
	assert_int_equal(*vmm_memory_at(m, 0, 0x9ffff, 1), 1);
	assert_int_equal(*vmm_memory_at(m, 0, 0xffffff, 1), 3);
	assert_int_equal(*vmm_memory_at(m, 1, 0x408000, 1), 0x51);
	assert_int_equal(*vmm_memory_at(m, 0, 0x408000, 1), 0);
	vmm_memory_destroy(m);
}

static void notes_are_found_and_absent_is_not_zero(void **state)
{
	struct core *c = *state;
	struct vmm_load *l;
	struct inq_err err;

	assert_int_equal(vmm_load_open(&l, c->path, &err), INQ_OK);
	assert_int_equal(vmm_load_note(l, 1, INQ_SNAP_REGS)->n, 144);
	assert_int_equal(vmm_load_note(l, 1, INQ_SNAP_SREGS2)->state, INQ_SNAP_ABSENT);
	assert_null(vmm_load_note(l, 1, INQ_SNAP_SREGS2)->p);
	assert_int_equal(vmm_load_note(l, 0, INQ_SNAP_DEBUGREGS)->error, 22);
	assert_null(vmm_load_note(l, 2, INQ_SNAP_REGS));
	vmm_load_close(l);
}

static void a_newer_format_is_named(void **state)
{
	struct core *c = *state;

	put(c, c->header + 8, 2, 2);
	refused(c, INQ_EUNSUPPORTED, "snapshot format 2.");
}

static void a_flipped_byte_is_damage(void **state)
{
	struct core *c = *state;
	struct vmm_memory *m;
	struct inq_err err;

	c->bytes[find(c, INQ_SNAP_HOST)] ^= 1;
	assert_int_equal(load(c, c->n, &m, &err), INQ_ECORRUPT);
	assert_non_null(strstr(err.msg, "checksum"));
}

static void a_lost_page_is_noticed(void **state)
{
	struct core *c = *state;
	Elf64_Phdr p;

	memcpy(&p, c->bytes + 64 + 56, sizeof(p));
	memset(c->bytes + p.p_offset + 0x5000, 0, 4096);
	refused(c, INQ_ECORRUPT, "the page at 0x5000 was lost");
}

static void changed_smram_is_noticed(void **state)
{
	struct core *c = *state;
	struct inq_snap_bulk b;

	memcpy(&b, c->bytes + find(c, INQ_SNAP_SMRAM), sizeof(b));
	c->bytes[b.file_off + 5] ^= 0x80;
	refused(c, INQ_ECORRUPT, "SMRAM at 0x408000 is damaged");
}

static void a_changed_bitmap_is_noticed(void **state)
{
	struct core *c = *state;
	struct inq_snap_bulk b;

	memcpy(&b, c->bytes + find(c, INQ_SNAP_ZERO), sizeof(b));
	c->bytes[b.file_off] ^= 1;
	refused(c, INQ_ECORRUPT, "zero bitmap is damaged");
}

static void sizes_beyond_the_file_are_refused(void **state)
{
	struct core *c = *state;
	size_t smram = find(c, INQ_SNAP_SMRAM), zero = find(c, INQ_SNAP_ZERO);

	put(c, smram + 8, UINT64_MAX - 100, 8);
	refused(c, INQ_ECORRUPT, "SMRAM");
	put(c, smram, UINT64_MAX & ~UINT64_C(0xfff), 8);
	refused(c, INQ_EUNSUPPORTED, "SMRAM window");
	put(c, zero + 16, UINT64_MAX, 8);
	put(c, smram - 8, 0, 8);
	refused(c, INQ_EUNSUPPORTED, "slots");
}

static void memory_out_of_order_is_refused(void **state)
{
	struct core *c = *state;

	put(c, 64 + 56 * 2 + 16, 0x1000, 8); /* p_vaddr, p_paddr of the second PT_LOAD */
	put(c, 64 + 56 * 2 + 24, 0x1000, 8);
	refused(c, INQ_ECORRUPT, "out of order");
}

static void too_many_segments_are_refused(void **state)
{
	struct core *c = *state;

	Elf64_Phdr last;

	put(c, 56, 0xffff, 2); /* and no section header with the number */
	refused(c, INQ_ECORRUPT, "program headers");
	memcpy(&last, c->bytes + 64 + 2 * sizeof(last), sizeof(last));
	last.p_offset += last.p_filesz;
	last.p_vaddr = last.p_paddr = last.p_paddr + last.p_memsz;
	last.p_filesz = last.p_memsz = VMM_PAGE;
	for (size_t i = 3; i < 5; i++, last.p_offset += VMM_PAGE) {
		memcpy(c->bytes + 64 + i * sizeof(last), &last, sizeof(last));
		last.p_vaddr = last.p_paddr += VMM_PAGE;
	}
	put(c, 56, 5, 2);
	refused(c, INQ_EUNSUPPORTED, "pieces");
}

static void too_many_vcpus_are_refused(void **state)
{
	struct core *c = *state;

	put(c, c->header + 12, 0, 4);
	refused(c, INQ_EUNSUPPORTED, "vCPUs");
	put(c, c->header + 12, 4000000000u, 4);
	refused(c, INQ_EUNSUPPORTED, "vCPUs");
}

static void a_file_that_was_cut_off_is_refused(void **state)
{
	struct core *c = *state;
	struct vmm_memory *m;
	struct inq_err err;

	for (size_t n = 0; n < c->n; n = n < 6000 ? n + 61 : n + c->n / 7)
		assert_int_not_equal(load(c, n, &m, &err), INQ_OK);
}

static void slots_that_cannot_be_built_are_refused(void **state)
{
	struct core *c = *state;

	put(c, find(c, INQ_SNAP_SLOTS) + 16, 0x3000, 8);
	refused(c, INQ_EUNSUPPORTED, "memory slots");
}

/* Any byte of headers and notes, any value: an answer, within the file's bytes. */
static void no_change_makes_it_crash(void **state)
{
	struct core *c = *state;
	struct vmm_rng rng = {7};

	for (unsigned i = 0; i < 400; i++) {
		size_t at = vmm_rng_below(&rng, c->notes + c->notes_n), n = 1 + i % 8;
		uint8_t keep[96 + 8 + 288];
		struct vmm_memory *m;
		struct inq_err err;

		memcpy(keep, c->bytes + at, 8);
		memcpy(keep + 8, c->bytes + c->header, 288);
		put(c, at, i % 3 ? vmm_rng_u64(&rng) : UINT64_MAX, n);
		fix_checksums(c);
		if (!load(c, c->n, &m, &err))
			vmm_memory_destroy(m);
		memcpy(c->bytes + c->header, keep + 8, 288);
		memcpy(c->bytes + at, keep, 8);
	}
	fix_checksums(c);
	what_was_written_comes_back(state);
}

#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		T(what_was_written_comes_back),
		T(notes_are_found_and_absent_is_not_zero),
		T(a_newer_format_is_named),
		T(a_flipped_byte_is_damage),
		T(a_lost_page_is_noticed),
		T(changed_smram_is_noticed),
		T(a_changed_bitmap_is_noticed),
		T(sizes_beyond_the_file_are_refused),
		T(memory_out_of_order_is_refused),
		T(too_many_segments_are_refused),
		T(too_many_vcpus_are_refused),
		T(a_file_that_was_cut_off_is_refused),
		T(slots_that_cannot_be_built_are_refused),
		T(no_change_makes_it_crash),
	};

	if (argc != 2)
		return 2;
	fake_core = argv[1];
	return cmocka_run_group_tests(tests, NULL, NULL);
}
