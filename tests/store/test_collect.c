/* What becomes of a collector's rows, gaps and failures. */
#include <stdio.h>

#include "tests/store/lab.h"

static const struct inq_column cols[] = {
	{"id", INQ_INT, "which"}, {"at", INQ_ADDR, "where"}, {"bytes", INQ_BLOB, "raw"}, {0}};

static enum inq_status good_run(const struct inq_machine *m, struct inq_sink *out,
				struct inq_err *err)
{
	(void)m;
	enum inq_status st =
		INQ_ROW(out, err, INQ_V_INT(1), INQ_V_ADDR(UINT64_MAX), INQ_V_BLOB("a\0b", 3));
	if (!st)
		st = INQ_ROW(out, err, INQ_V_INT(2), INQ_V_NULL, INQ_V_BLOB(NULL, 0));
	return st ? st : INQ_ROW(out, err, INQ_V_INT(3), INQ_V_ADDR(0), INQ_V_NULL);
}
static enum inq_status half_run(const struct inq_machine *m, struct inq_sink *out,
				struct inq_err *err)
{
	enum inq_status st = good_run(m, out, err);
	return st ? st : inq_fail(err, INQ_ENOMEM, "arena full");
}
static enum inq_status stopped_run(const struct inq_machine *m, struct inq_sink *out,
				   struct inq_err *err)
{
	enum inq_status st = good_run(m, out, err);
	return st ? st : inq_fail(err, INQ_EINTR, "stopped");
}
static enum inq_status nokey_run(const struct inq_machine *m, struct inq_sink *out,
				 struct inq_err *err)
{
	(void)m;
	return INQ_ROW(out, err, INQ_V_NULL, INQ_V_NULL, INQ_V_NULL);
}
static enum inq_status wrong_run(const struct inq_machine *m, struct inq_sink *out,
				 struct inq_err *err)
{
	(void)m;
	return INQ_ROW(out, err, INQ_V_TEXT("1"), INQ_V_NULL, INQ_V_NULL);
}
/* A list that runs into itself. */
static enum inq_status loop_run(const struct inq_machine *m, struct inq_sink *out,
				struct inq_err *err)
{
	struct inq_err why = {0};
	enum inq_status st = good_run(m, out, err);
	if (st)
		return st;
	st = INQ_ROW(out, &why, INQ_V_INT(1), INQ_V_NULL, INQ_V_NULL);
	return st ? inq_gap(out, m->spaces[0], 0x1000, 8, &why, err) : INQ_OK;
}
static enum inq_status gaps_run(const struct inq_machine *m, struct inq_sink *out,
				struct inq_err *err)
{
	struct inq_err why = {0};
	enum inq_status st = inq_fail(&why, INQ_EABSENT, "page was not dumped");
	for (uint64_t i = 0; i < 5000 && st == INQ_EABSENT; i++)
		st = inq_gap(out, m->spaces[1], i * 4096, 4096, &why, err) ? INQ_EIO : INQ_EABSENT;
	return st == INQ_EABSENT ? INQ_OK : st;
}
#define COLLECTOR(n) static const struct inq_collector n = {#n, "test", cols, 1, n##_run}
COLLECTOR(good);
COLLECTOR(half);
COLLECTOR(stopped);
COLLECTOR(nokey);
COLLECTOR(wrong);
COLLECTOR(loop);
COLLECTOR(gaps);

static void rows_keep_every_bit_and_unknown_is_null(void **state)
{
	(void)state;
	struct lab l;
	struct inq_err err = {0};
	lab_init(&l);
	struct store *s = lab_store(&l);

	assert_int_equal(store_collect(s, &good, &l.machine, &err), INQ_OK);
	assert_says(s, "SELECT group_concat(typeof(bytes) || hex(bytes)) FROM good",
		    "blob610062,blob,null");
	assert_says(s, "SELECT group_concat(coalesce(hex64(at), '-')) FROM good",
		    "0xffffffffffffffff,-,0x0");
	assert_says(s, "SELECT state || ' ' || nr_rows || ' ' || typeof(t_ns) FROM run",
		    "complete 3 integer");
	assert_says(s, "SELECT group_concat(name) FROM pragma_table_info('good') WHERE pk",
		    "machine_id,id");
	store_destroy(s);
}

static void a_collector_that_has_run_is_not_run_again(void **state)
{
	(void)state;
	struct lab l;
	struct inq_err err = {0};
	lab_init(&l);
	struct store *s = lab_store(&l);

	assert_int_equal(store_collect(s, &good, &l.machine, &err), INQ_OK);
	assert_int_equal(store_collect(s, &good, &l.machine, &err), INQ_OK);
	assert_says(s, "SELECT count(*) FROM good", "3");
	store_destroy(s);
}

static void our_own_failure_leaves_an_empty_table_and_a_record(void **state)
{
	(void)state;
	struct lab l;
	struct inq_err err = {0};
	lab_init(&l);
	struct store *s = lab_store(&l);

	assert_int_equal(store_collect(s, &half, &l.machine, &err), INQ_ENOMEM);
	assert_string_equal(err.msg, "collector half: arena full");
	assert_says(s, "SELECT count(*) FROM half", "0");
	assert_says(s, "SELECT state || ' ' || message || coalesce(nr_rows, '') FROM run",
		    "failed arena full");
	assert_int_equal(store_collect(s, &nokey, &l.machine, &err), INQ_EIO);
	assert_int_equal(store_collect(s, &wrong, &l.machine, &err), INQ_EUSAGE);
	assert_string_equal(err.msg, "collector wrong: wrong.id: wrong kind");
	store_destroy(s);
}

static void a_stopped_collector_may_run_again(void **state)
{
	(void)state;
	struct lab l;
	struct inq_err err = {0};
	lab_init(&l);
	struct store *s = lab_store(&l);

	assert_int_equal(store_collect(s, &stopped, &l.machine, &err), INQ_EINTR);
	assert_says(s, "SELECT count(*) FROM run", "0");
	assert_says(s, "SELECT count(*) FROM stopped", "0");
	store_destroy(s);
}

static int yes(void *ctx)
{
	(void)ctx;
	return 1;
}

static void the_wish_to_stop_reaches_rows_and_queries(void **state)
{
	(void)state;
	struct lab l;
	struct inq_err err = {0};
	lab_init(&l);
	struct store *s = lab_store(&l);

	store_on_stop(s, yes, NULL);
	assert_int_equal(store_collect(s, &good, &l.machine, &err), INQ_EINTR);
	assert_int_equal(
		sqlite3_exec(store_db(s),
			     "WITH RECURSIVE c(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM c)"
			     " SELECT count(*) FROM c",
			     NULL, NULL, NULL),
		SQLITE_INTERRUPT);
	store_destroy(s);
}

static void damage_becomes_a_gap_and_the_table_partial(void **state)
{
	(void)state;
	struct lab l;
	struct inq_err err = {0};
	lab_init(&l);
	struct store *s = lab_store(&l);

	assert_int_equal(store_collect(s, &loop, &l.machine, &err), INQ_OK);
	assert_says(s, "SELECT count(*) FROM loop", "3");
	assert_says(s, "SELECT state FROM run", "partial");
	assert_says(s,
		    "SELECT space_id || ' ' || hex64(addr) || ' ' || length || ' ' || status"
		    " FROM gap",
		    "1 0x1000 8 corrupt");
	store_destroy(s);
}

static void gaps_beyond_the_cap_are_counted_only(void **state)
{
	(void)state;
	struct lab l;
	struct inq_err err = {0};
	lab_init(&l);
	struct store *s = lab_store(&l);

	assert_int_equal(store_collect(s, &gaps, &l.machine, &err), INQ_OK);
	assert_says(s, "SELECT count(*) FROM gap", "4096");
	assert_says(s, "SELECT state || ': ' || message FROM run",
		    "partial: 904 more gaps left out");
	store_destroy(s);
}

static void a_machine_is_described_with_its_spaces_and_damages(void **state)
{
	(void)state;
	struct lab l;
	lab_init(&l);
	l.dump.nr_damages = 2;
	l.damages[0] = (struct inq_damage){
		.addr = 0x800, .length = 16, .status = INQ_EABSENT, .message = "the file ends"};
	l.damages[1] = (struct inq_damage){.addr = 0x3000,
					   .length = 4096,
					   .in_memory = 1,
					   .status = INQ_ECORRUPT,
					   .message = "lost"};
	struct store *s = lab_store(&l);
	struct inq_err err = {0};

	assert_says(s,
		    "SELECT kind || ' ' || arch || ' ' || nr_cpus || coalesce(parent_id, '')"
		    " FROM machine",
		    "vm x86_64 2");
	assert_says(s, "SELECT group_concat(name || ':' || coalesce(lower_id, '-')) FROM space",
		    "phys:-,smm:1");
	assert_says(s, "SELECT sample_id || ' ' || kind || ' ' || typeof(t_ns) FROM sample",
		    "0 snapshot null");
	assert_says(s,
		    "SELECT group_concat(tbl || coalesce(space_id, '-') || message)"
		    " FROM (SELECT * FROM gap ORDER BY addr)",
		    "dump-the file ends,dump1lost");
	assert_says(s, "SELECT typeof(producer) || typeof(nonce) || typeof(t_ns) FROM dump",
		    "nullnullnull");
	assert_says(s, "SELECT value FROM meta WHERE key = 'content_id'", l.dump.content_id);
	assert_int_equal(store_add_machine(s, &l.machine, &err), INQ_OK); /* again is no harm */
	assert_says(s, "SELECT count(*) FROM machine", "1");
	store_destroy(s);
}

static void a_header_without_end_is_read_to_its_size(void **state)
{
	(void)state;
	struct lab l;
	lab_init(&l);
	memset(l.header.producer, 'p', sizeof(l.header.producer));
	l.header.reason = INQ_SNAP_WHY_PANIC;
	l.header.reason_vcpu = INQ_SNAP_VM;
	l.header.nonce[0] = 0xa5;
	l.header.t_realtime_ns = 7;
	l.dump.header = &l.header;
	struct store *s = lab_store(&l);

	assert_says(s,
		    "SELECT length(producer) || reason || typeof(reason_text) ||"
		    " typeof(reason_cpu) || substr(nonce, 1, 4) || length(nonce) || t_ns"
		    " FROM dump",
		    "64panicnullnulla500327");
	store_destroy(s);
}

static void a_guest_brings_its_parent(void **state)
{
	(void)state;
	struct lab l;
	struct store *s = NULL;
	struct inq_err err = {0};
	lab_init(&l);
	const struct inq_machine guest = {.machine_id = 2,
					  .parent = &l.machine,
					  .kind = "guest",
					  .arch = "x86_64",
					  .dump = &l.dump,
					  .sample = {.kind = "snapshot"}};

	assert_int_equal(store_create(&s, &err), INQ_OK);
	assert_int_equal(store_add_machine(s, &guest, &err), INQ_OK);
	assert_says(s, "SELECT group_concat(machine_id || coalesce(parent_id, '-')) FROM machine",
		    "1-,21");
	store_destroy(s);
}

static void addresses_are_unsigned_and_wrap(void **state)
{
	(void)state;
	struct lab l;
	lab_init(&l);
	struct store *s = lab_store(&l);

	assert_says(s, "SELECT hex64(-1)", "0xffffffffffffffff");
	assert_says(s, "SELECT hex64(NULL)", "NULL");
	assert_says(s, "SELECT hex64(addr_add(0x7fffffffffffffff, 1))", "0x8000000000000000");
	assert_says(s, "SELECT typeof(addr_add(0x7fffffffffffffff, 1))", "integer");
	assert_says(s,
		    "SELECT addr_in(-1, -16, 16) || addr_in(-17, -16, 16) || addr_in(0, -16, 16)",
		    "100");
	assert_says(s, "SELECT addr_in(-1, NULL, 16)", "NULL");
	assert_says(s, "SELECT addr_cmp(-1, 1) || addr_cmp(1, -1) || addr_cmp(-1, -1)", "1-10");
	assert_says(s, "SELECT json_text('a\"\\' || char(27) || char(155) || CAST(x'ff' AS TEXT))",
		    "\"a\\\"\\\\\\u001b\\u009b\\\\xff\"");
	assert_says(s, "SELECT json_text('') || coalesce(json_text(NULL), '-')", "\"\"-");
	store_destroy(s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(rows_keep_every_bit_and_unknown_is_null),
		cmocka_unit_test(a_collector_that_has_run_is_not_run_again),
		cmocka_unit_test(our_own_failure_leaves_an_empty_table_and_a_record),
		cmocka_unit_test(a_stopped_collector_may_run_again),
		cmocka_unit_test(the_wish_to_stop_reaches_rows_and_queries),
		cmocka_unit_test(damage_becomes_a_gap_and_the_table_partial),
		cmocka_unit_test(gaps_beyond_the_cap_are_counted_only),
		cmocka_unit_test(a_machine_is_described_with_its_spaces_and_damages),
		cmocka_unit_test(a_header_without_end_is_read_to_its_size),
		cmocka_unit_test(a_guest_brings_its_parent),
		cmocka_unit_test(addresses_are_unsigned_and_wrap),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
