/* Every length and every flipped bit of small dumps: an error with a message, or a valid dump. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <string.h>
#include <unistd.h>

#include "tests/built/text.h"
#include "tests/loader/touch.h"

/* All that the loader knows, in a few KiB. */
static const char snapshot_text[] = "snapshot vcpus=2\n"
				    "packed\n"
				    "@0x1000 00*4096\n"
				    "@0x8000 55*64\n"
				    "regs vcpu=0 rip=0x1000\n"
				    "absent lapic vcpu=1\n"
				    "smram 0x1000 f4*32\n"
				    "smram 0x30000 f5*32\n"
				    "zero-bitmap\n";
static const char aligned_text[] = "snapshot vcpus=1\n"
				   "packed\n"
				   "@0x1000 00*4096\n"
				   "zero-bitmap\n"
				   "smram 0x1000 f4*32\n";
static const char core_text[] = "core\n"
				"packed\n"
				"pn-xnum\n"
				"@0x1000 11*64\n"
				"@0x1020 22*64\n"
				"memsz 0x100\n"
				"alias 0x1000 0\n"
				"prstatus rip=1\n"
				"note QEMU 0 01000000\n";
static const char *const texts[] = {snapshot_text, aligned_text, core_text};
enum { NR_TEXTS = sizeof(texts) / sizeof(*texts) };

struct sweep {
	struct built *b;
	uint8_t *file;
	size_t n, opened, refused;
	int fd;
	char path[32];
};

static void begin(struct sweep *s, const char *text)
{
	*s = (struct sweep){.b = built_parse("sweep", text, NULL, 0, NULL)};
	s->file = built_finish(s->b, &s->n);
	s->fd = built_memfd(s->file, s->n, s->path);
}

static void end(struct sweep *s)
{
	close(s->fd);
	built_free(s->b);
}

static void try(struct sweep *s)
{
	struct inq_err err;

	if (touch_path(s->path, &err))
		s->refused++;
	else
		s->opened++;
}

static void every_truncation_opens_or_says_why(void **state)
{
	(void)state;
	for (size_t i = 0; i < NR_TEXTS; i++) {
		struct sweep s;
		begin(&s, texts[i]);
		for (size_t n = s.n + 1; n-- > 0;) {
			assert_int_equal(ftruncate(s.fd, (off_t)n), 0);
			try(&s);
		}
		assert_true(s.opened > s.n / 2); /* what is left of a dump is worth opening */
		assert_true(s.refused >= 64);    /* but not without its ELF header */
		end(&s);
	}
}

static void a_truncated_dump_says_so(void **state)
{
	(void)state;
	struct sweep s;
	begin(&s, snapshot_text);
	for (size_t n = s.n; n-- > 64 + 3 * 56;) {
		struct inq_dump *d;
		struct inq_err err;
		assert_int_equal(ftruncate(s.fd, (off_t)n), 0);
		assert_int_equal(inq_dump_open(s.path, &d, &err), INQ_OK);
		assert_true(d->nr_damages > 0);
		inq_dump_close(d);
	}
	end(&s);
}

/* Bytes before memory: everything that is parsed. */
static size_t parsed_bytes(const struct sweep *s)
{
	struct inq_dump *d;
	struct inq_err err;
	uint64_t first = UINT64_MAX;

	assert_int_equal(inq_dump_open(s->path, &d, &err), INQ_OK);
	for (size_t i = 0; i < d->nr_extents; i++)
		if (d->extents[i].kind == INQ_EXTENT_BYTES && d->extents[i].file_off < first)
			first = d->extents[i].file_off;
	inq_dump_close(d);
	return (size_t)first;
}

static void every_flipped_bit_opens_or_says_why(void **state)
{
	(void)state;
	for (size_t i = 0; i < NR_TEXTS; i++) {
		struct sweep s;
		begin(&s, texts[i]);
		size_t n = parsed_bytes(&s);
		for (size_t at = 0; at < 8 * n; at++) {
			uint8_t flipped = (uint8_t)(s.file[at / 8] ^ 1u << at % 8);
			assert_int_equal(pwrite(s.fd, &flipped, 1, (off_t)(at / 8)), 1);
			try(&s);
			assert_int_equal(pwrite(s.fd, &s.file[at / 8], 1, (off_t)(at / 8)), 1);
		}
		assert_true(s.opened > 0 && s.refused > 0);
		end(&s);
	}
}

static void every_flipped_bit_of_a_snapshot_is_noticed(void **state)
{
	(void)state;
	struct sweep s;
	begin(&s, snapshot_text);
	size_t n = parsed_bytes(&s);
	for (size_t at = 0; at < 8 * n; at++) {
		uint8_t flipped = (uint8_t)(s.file[at / 8] ^ 1u << at % 8);
		struct inq_dump *d;
		struct inq_err err;
		assert_int_equal(pwrite(s.fd, &flipped, 1, (off_t)(at / 8)), 1);
		if (!inq_dump_open(s.path, &d, &err)) {
			/* A flip may make it a core that is not ours, which then promises nothing
			 */
			if (d->header && !d->nr_damages)
				fail_msg("bit %zu of byte 0x%zx goes unnoticed", at % 8, at / 8);
			inq_dump_close(d);
		}
		assert_int_equal(pwrite(s.fd, &s.file[at / 8], 1, (off_t)(at / 8)), 1);
	}
	end(&s);
}

static void the_content_id_follows_the_content(void **state)
{
	(void)state;
	struct sweep s;
	struct inq_err err;
	struct inq_dump *a, *b;
	begin(&s, snapshot_text);
	assert_int_equal(inq_dump_open(s.path, &a, &err), INQ_OK);
	assert_int_equal(inq_dump_open(s.path, &b, &err), INQ_OK);
	assert_string_equal(a->content_id, b->content_id);
	inq_dump_close(b);
	assert_int_equal(pwrite(s.fd, "x", 1, (off_t)a->extents[a->nr_extents - 1].file_off), 1);
	assert_int_equal(inq_dump_open(s.path, &b, &err), INQ_OK);
	assert_string_not_equal(a->content_id, b->content_id);
	inq_dump_close(b);
	inq_dump_close(a);
	end(&s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_truncation_opens_or_says_why),
		cmocka_unit_test(a_truncated_dump_says_so),
		cmocka_unit_test(every_flipped_bit_opens_or_says_why),
		cmocka_unit_test(every_flipped_bit_of_a_snapshot_is_noticed),
		cmocka_unit_test(the_content_id_follows_the_content),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
