/* What is kept of debug files: kept, found again, refused when it is damaged or of another file. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "symbols/debug_cache.h"

static const struct job_range ranges[] = {{0x1000, 0x1fff, 0}, {0x2000, 0x2000, 0x76}};
static char folder[] = "/tmp/inquest-cache-XXXXXX";

static struct debug_cache_key key_of(const char *id)
{
	return (struct debug_cache_key){.folder = folder,
					.suffix = "ranges",
					.build_id = id,
					.info_bytes = 1000,
					.line_bytes = 100};
}

static size_t count_files(bool remove)
{
	DIR *d = opendir(folder);
	size_t nr = 0;
	struct dirent *e;

	assert_non_null(d);
	while ((e = readdir(d))) {
		nr += *e->d_name != '.';
		if (remove && *e->d_name != '.')
			assert_int_equal(unlinkat(dirfd(d), e->d_name, 0), 0);
	}
	closedir(d);
	return nr;
}

static int make_folder(void **state)
{
	(void)state;
	return !mkdtemp(folder);
}

static int remove_folder(void **state)
{
	(void)state;
	(void)count_files(true);
	return rmdir(folder);
}

static void test_what_was_saved_is_loaded(void **state)
{
	struct debug_cache_key key = key_of("0102");
	struct job_range *r = NULL;
	size_t nr = 0;

	(void)state;
	assert_int_equal(debug_cache_load(&key, &r, &nr, NULL), INQ_ENOTFOUND);
	debug_cache_save(&key, ranges, 2);
	assert_int_equal(debug_cache_load(&key, &r, &nr, NULL), INQ_OK);
	assert_int_equal(nr, 2);
	assert_memory_equal(r, ranges, sizeof(ranges));
	free(r);
	key.line_bytes++; /* another file of that build */
	assert_int_equal(debug_cache_load(&key, &r, &nr, NULL), INQ_ECORRUPT);
	debug_cache_save(&key, ranges, 1);
	assert_int_equal(debug_cache_load(&key, &r, &nr, NULL), INQ_OK);
	assert_int_equal(nr, 1);
	free(r);
	assert_int_equal(count_files(false), 1);
}

static void test_without_a_folder_or_an_id_nothing_is_kept(void **state)
{
	struct debug_cache_key key = key_of("");
	struct job_range *r = NULL;
	size_t nr = 0;

	(void)state;
	debug_cache_save(&key, ranges, 2);
	assert_int_equal(debug_cache_load(&key, &r, &nr, NULL), INQ_ENOTFOUND);
	key = key_of("0102");
	key.folder = NULL;
	debug_cache_save(&key, ranges, 2);
	assert_int_equal(debug_cache_load(&key, &r, &nr, NULL), INQ_ENOTFOUND);
	key.folder = "/nowhere";
	debug_cache_save(&key, ranges, 2);
	assert_int_equal(debug_cache_load(&key, &r, &nr, NULL), INQ_ENOTFOUND);
}

static void test_the_folder_stays_small(void **state)
{
	(void)state;
	for (unsigned i = 0; i < DEBUG_CACHE_FILES + 9; i++) {
		char id[16];
		snprintf(id, sizeof(id), "%08x", i);
		const struct debug_cache_key key = key_of(id);
		debug_cache_save(&key, ranges, 2);
	}
	assert_int_equal(count_files(true), DEBUG_CACHE_FILES);
}

/* Every length, and every byte another one: refused, or what was saved. */
static void test_damage_is_noticed(void **state)
{
	struct debug_cache_key key = key_of("0102");
	uint8_t whole[4096], *copy;
	struct job_range *r = NULL;
	size_t nr = 0;
	char path[96];

	(void)state;
	debug_cache_save(&key, ranges, 2);
	snprintf(path, sizeof(path), "%s/0102.ranges", folder);
	FILE *f = fopen(path, "rb");
	assert_non_null(f);
	size_t n = fread(whole, 1, sizeof(whole), f);
	fclose(f);
	for (size_t at = 0; at < n; at++) {
		struct inq_err err = {0};
		copy = malloc(at ? at : 1); /* so that a read too far is seen */
		memcpy(copy, whole, at);
		assert_int_equal(debug_cache_take(&key, copy, at, &r, &nr, &err), INQ_ECORRUPT);
		assert_true(*err.msg);
		free(copy);
		whole[at] ^= (uint8_t)(1 << at % 8);
		assert_int_equal(debug_cache_take(&key, whole, n, &r, &nr, &err), INQ_ECORRUPT);
		whole[at] ^= (uint8_t)(1 << at % 8);
	}
	assert_int_equal(debug_cache_take(&key, whole, n, &r, &nr, NULL), INQ_OK);
	free(r);
}

static void test_ranges_that_contradict_themselves_are_refused(void **state)
{
	const struct debug_cache_key key = key_of("0304");
	const struct job_range twice[] = {ranges[0], ranges[0]};
	struct job_range *r = NULL;
	struct inq_err err = {0};
	size_t nr = 0;

	(void)state;
	debug_cache_save(&key, twice, 2);
	assert_int_equal(debug_cache_load(&key, &r, &nr, &err), INQ_ECORRUPT);
	assert_non_null(strstr(err.msg, "0304.ranges: contradicts itself"));
}

static void test_what_is_no_file_is_left_alone(void **state)
{
	const struct debug_cache_key key = key_of("0506");
	struct job_range *r = NULL;
	char path[96];
	size_t nr = 0;

	(void)state;
	snprintf(path, sizeof(path), "%s/0506.ranges", folder);
	assert_int_equal(mkfifo(path, 0600), 0);
	assert_int_equal(debug_cache_load(&key, &r, &nr, NULL), INQ_ECORRUPT);
	assert_int_equal(unlink(path), 0);
	assert_int_equal(symlink("/etc/passwd", path), 0);
	assert_int_equal(debug_cache_load(&key, &r, &nr, NULL), INQ_ENOTFOUND);
	assert_int_equal(unlink(path), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_what_was_saved_is_loaded),
		cmocka_unit_test(test_without_a_folder_or_an_id_nothing_is_kept),
		cmocka_unit_test(test_the_folder_stays_small),
		cmocka_unit_test(test_damage_is_noticed),
		cmocka_unit_test(test_ranges_that_contradict_themselves_are_refused),
		cmocka_unit_test(test_what_is_no_file_is_left_alone),
	};

	return cmocka_run_group_tests_name("debug cache", tests, make_folder, remove_folder);
}
