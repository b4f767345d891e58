/*
 * From a built snapshot to rows: a machine with CPU 1 in SMM, waiting for a word, and CPU 0
 * counting.  Then the same without one note at a time: exactly its cells become NULL.
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
#include <linux/kvm.h>
#include <sqlite3.h>

#include "analyzers/collect/collectors.h"
#include "analyzers/rules.h"
#include "machine/machine.h"
#include "store/store.h"
#include "tests/built/built.h"

enum { SMBASE = 0x30000, GATE = 0x5010, NONE = -1 };

struct lab {
	struct inq_dump *dump;
	struct inq_machine *machine;
	struct store *store;
	int fd;
};

static struct kvm_segment flat(uint8_t type, uint16_t sel)
{
	return (struct kvm_segment){.limit = 0xffffffff,
				    .selector = sel,
				    .type = type,
				    .present = 1,
				    .db = 1,
				    .s = 1,
				    .g = 1};
}

static void add(struct built *b, enum inq_snap_kind kind, uint32_t vcpu, const void *p, size_t n,
		int without)
{
	if ((int)kind != without)
		built_note_of(b, kind, vcpu, p, n);
}

static void add_cpu(struct built *b, uint32_t vcpu, bool smm, int without)
{
	struct kvm_regs regs = {.rip = smm ? 0x8000 : 0x1000, .rflags = 2, .rsp = 0x7000};
	struct kvm_sregs2 s = {.cr0 = smm ? 0x10 : 0x11, .apic_base = 0xfee00900};
	struct kvm_vcpu_events ev = {.flags = KVM_VCPUEVENT_VALID_SMM |
					      KVM_VCPUEVENT_VALID_NMI_PENDING |
					      KVM_VCPUEVENT_VALID_SHADOW};
	struct kvm_debugregs dr = {.dr6 = 0xffff0ff0, .dr7 = smm ? 0x2400 : 0x400};
	struct kvm_mp_state mp = {.mp_state = KVM_MP_STATE_RUNNABLE};
	struct kvm_msr_entry msr[] = {{.index = 0x9e, .data = vcpu ? SMBASE : 0x20000},
				      {.index = 0x34, .data = 1},
				      {.index = 0x10, .reserved = 1}};
	uint8_t lapic[1024] = {0}, run[512] = {0};

	s.cs = s.ds = s.es = s.fs = s.gs = s.ss = flat(3, 16);
	s.cs = flat(11, 8);
	if (smm) {
		s.cs = flat(3, SMBASE >> 4);
		s.cs.base = SMBASE;
		s.cs.db = 0;
		ev.smi.smm = 1;
		ev.nmi.masked = 1;
	}
	lapic[0x23] = (uint8_t)vcpu;
	run[8] = KVM_EXIT_INTR;
	add(b, INQ_SNAP_REGS, vcpu, &regs, sizeof(regs), without);
	add(b, INQ_SNAP_SREGS2, vcpu, &s, sizeof(s), without);
	add(b, INQ_SNAP_EVENTS, vcpu, &ev, sizeof(ev), without);
	add(b, INQ_SNAP_DEBUGREGS, vcpu, &dr, sizeof(dr), without);
	add(b, INQ_SNAP_MP_STATE, vcpu, &mp, sizeof(mp), without);
	add(b, INQ_SNAP_MSRS, vcpu, msr, sizeof(msr), without);
	add(b, INQ_SNAP_LAPIC, vcpu, lapic, sizeof(lapic), without);
	add(b, INQ_SNAP_RUN, vcpu, run, sizeof(run), without);
}

static void add_note_of(struct built *b, uint32_t sample, enum inq_snap_kind kind, const void *p,
			size_t n)
{
	struct inq_snap_note head = {
		.sample = sample, .kind = (uint16_t)kind, .version = 1, .size = n};

	built_note_raw(b, INQ_SNAP_NOTE_TYPE | kind, &head, p, n);
}

/* CPU 0 wrote a byte to a port, was kicked, and got an SMI; CPU 1's KVM_RUN failed. */
static void add_flight(struct built *b)
{
	static const struct inq_snap_flight r[] = {
		{.nr = 40,
		 .t_ns = 1000,
		 .what = INQ_FLIGHT_RUN,
		 .reason = KVM_EXIT_IO,
		 .flags = INQ_FLIGHT_RIP | INQ_FLIGHT_SMM_KNOWN | INQ_FLIGHT_ADDR |
			  INQ_FLIGHT_VALUE | INQ_FLIGHT_WRITE,
		 .rip = 0xffffffff81000002,
		 .addr = 0x80,
		 .value = 0x10,
		 .size = 1,
		 .items = 1},
		{.nr = 41,
		 .t_ns = 2000,
		 .what = INQ_FLIGHT_RUN,
		 .reason = KVM_EXIT_INTR,
		 .flags = INQ_FLIGHT_SMM_KNOWN | INQ_FLIGHT_SMM,
		 .error = 4},
		{.nr = 42, .t_ns = 3000, .what = INQ_FLIGHT_IOCTL, .reason = KVM_SMI},
	};
	static const struct inq_snap_flight failed = {
		.what = INQ_FLIGHT_RUN, .reason = KVM_EXIT_IO, .error = 14};
	static const struct inq_snap_rip rips[] = {
		{.t_ns = 5, .rip = 0x1002, .flags = INQ_FLIGHT_RIP | INQ_FLIGHT_SMM_KNOWN},
		{.t_ns = 6, .rip = 0x1002, .flags = INQ_FLIGHT_HALT_KNOWN | INQ_FLIGHT_HALTED}};
	static const struct inq_snap_last_known last = {.nr = 40, .t_ns = 1000, .age_ns = 500};
	static const struct kvm_regs regs = {.rip = 0xdead, .rsp = 0xbeef};

	for (size_t i = 0; i < 3; i++)
		built_flight(b, 0, &r[i]);
	built_flight(b, 1, &failed);
	built_note_of(b, INQ_SNAP_RIPS, 0, rips, sizeof(rips));
	add_note_of(b, 1, INQ_SNAP_LAST_KNOWN, &last, sizeof(last));
	add_note_of(b, 1, INQ_SNAP_REGS, &regs, sizeof(regs));
}

/* CPU 0 as it was before, two steps of CPU 1, one write, and what tracefs said. */
static void add_history(struct built *b)
{
	static const struct inq_snap_rip rip = {
		.t_ns = 7, .rip = 0x1111, .flags = INQ_FLIGHT_RIP | INQ_FLIGHT_SMM_KNOWN};
	static const struct kvm_regs regs = {.rip = 0xfeed};
	static const struct inq_snap_step steps[] = {
		{.rip = 0x1000, .flags = 3, .nr_bytes = 2, .bytes = "\xeb\xfe"},
		{.rip = 0x1002, .flags = 7, .nr_bytes = 99}};
	/* on cpu 0: inc eax, and in 16-bit code a jump to itself; then nothing is known */
	static const struct inq_snap_step known[] = {
		{.rip = 0x1000, .flags = 3, .nr_bytes = 3, .bytes = "\xff\xc0\x90"},
		{.rip = 0x31002, .flags = 3, .nr_bytes = 2, .bytes = "\xeb\xfe"},
		{.rip = 0x31002, .flags = 3, .nr_bytes = 2, .bytes = "\xeb\xfe"}};
	static const struct inq_snap_step_regs known_regs[] = {
		{.gpr = {7}, .rflags = 2, .cr0 = 0x11, .flags = INQ_STEP_KNOWN | INQ_STEP_CS_D},
		{.gpr = {8},
		 .rflags = 0x12,
		 .cr0 = 0x10,
		 .cs_base = 0x30000,
		 .flags = INQ_STEP_KNOWN},
		{.gpr = {9}}};
	static const struct {
		struct inq_snap_writes head;
		struct inq_snap_word range;
		struct inq_snap_write w;
	} log = {{.first = 5, .count = 1, .record_bytes = sizeof(log.w), .nr_ranges = 1},
		 {0x2000, 8},
		 {.nr = 5,
		  .gpa = 0x2000,
		  .old = 1,
		  .value = 2,
		  .vcpu = 1,
		  .size = 4,
		  .rip = 0xbad,
		  .flags = INQ_FLIGHT_RIP}};
	static const char trace[] = "[001] d..1. 12.000345: kvm_exit: reason \033[1m x\nno line\n";

	add_note_of(b, 2, INQ_SNAP_RIPS, &rip, sizeof(rip));
	add_note_of(b, 2, INQ_SNAP_REGS, &regs, sizeof(regs));
	built_note_of(b, INQ_SNAP_STEPS, 1, steps, sizeof(steps));
	built_note_of(b, INQ_SNAP_STEPS, 0, known, sizeof(known));
	built_note_of(b, INQ_SNAP_STEP_REGS, 0, known_regs, sizeof(known_regs));
	built_note_of(b, INQ_SNAP_WRITES, INQ_SNAP_VM, &log, sizeof(log));
	built_note_of(b, INQ_SNAP_TRACE, 0, trace, sizeof(trace) - 1);
}

/* All tables of what b builds, which is freed. */
static void collect(struct lab *l, struct built *b)
{
	struct inq_err err = {0};
	char path[32];
	size_t n = 0;
	uint8_t *file = built_finish(b, &n);

	l->fd = built_memfd(file, n, path);
	assert_int_equal(inq_dump_open(path, &l->dump, &err), INQ_OK);
	assert_int_equal(machine_open(l->dump, &l->machine, &err), INQ_OK);
	assert_int_equal(store_create(&l->store, &err), INQ_OK);
	assert_int_equal(store_add_machine(l->store, l->machine, &err), INQ_OK);
	for (size_t i = 0; collector_at(i); i++)
		if (store_collect(l->store, collector_at(i), l->machine, &err))
			fail_msg("%s", err.msg);
	built_free(b);
}

static void open_lab(struct lab *l, int without)
{
	struct built *b = built_snapshot(2);

	uint8_t *ram = built_segment(b, 0, 0x40000);
	memcpy(ram + 0x1000, "\xff\x05\x00\x20\x00\x00\xeb\xf8", 8); /* inc dword [0x2000]; jmp */
	memcpy(ram + GATE, "\x78\x56\x34\x12", 4);
	if (without != INQ_SNAP_SMRAM) {
		uint8_t *smram = built_smram(b, SMBASE, 0x10000);
		static const uint64_t saved_rip = 0x1002;
		/* mov eax, [0x5010]; test eax, eax; jns */
		memcpy(smram + 0x8000, "\x66\xa1\x10\x50\x66\x85\xc0\x79\xf7", 9);
		memcpy(smram + 0xfefc, "\x64\x00\x02\x00", 4);
		memcpy(smram + 0xff78, &saved_rip, 8);
	}
	add_cpu(b, 0, false, without);
	add_cpu(b, 1, true, without);
	add_flight(b);
	add_history(b);
	collect(l, b);
}

static void close_lab(struct lab *l)
{
	store_destroy(l->store);
	machine_close(l->machine);
	inq_dump_close(l->dump);
	close(l->fd);
}

/* The first cell of the first row as text; NULL is "NULL", no row is "none". */
static const char *ask(struct lab *l, const char *sql)
{
	static char text[256];
	sqlite3_stmt *q = NULL;

	if (sqlite3_prepare_v2(store_db(l->store), sql, -1, &q, NULL))
		fail_msg("%s: %s", sql, sqlite3_errmsg(store_db(l->store)));
	int rc = sqlite3_step(q);
	const unsigned char *cell = rc == SQLITE_ROW ? sqlite3_column_text(q, 0) : NULL;
	snprintf(text, sizeof(text), "%s",
		 rc != SQLITE_ROW ? "none"
		 : cell           ? (const char *)cell
				  : "NULL");
	sqlite3_finalize(q);
	return text;
}

#define SAYS(sql, expected) assert_string_equal(ask(&l, sql), expected)

static void every_table_says_what_the_snapshot_holds(void **state)
{
	struct lab l;
	(void)state;

	open_lab(&l, NONE);
	SAYS("SELECT group_concat(mode) FROM cpu", "prot32,real");
	SAYS("SELECT hex64(lin_rip) FROM cpu WHERE cpu = 1", "0x38000");
	SAYS("SELECT smm || nmi_masked || halted || intr_flag FROM cpu WHERE cpu = 1", "1100");
	SAYS("SELECT apic_id FROM cpu WHERE cpu = 1", "1");
	SAYS("SELECT exit_name FROM cpu WHERE cpu = 0", "intr");
	SAYS("SELECT hex64(value) FROM reg WHERE cpu = 0 AND name = 'rsp'", "0x7000");
	SAYS("SELECT hex64(value) || ' ' || text FROM dbgreg WHERE cpu = 1 AND name = 'dr7'",
	     "0x2400 GD");
	SAYS("SELECT hex64(value) FROM msr WHERE cpu = 1 AND idx = 158", "0x30000");
	SAYS("SELECT value FROM msr WHERE cpu = 1 AND idx = 16", "NULL");
	SAYS("SELECT map || ' ' || hex64(revision) || ' ' || smi_count FROM smm WHERE cpu = 1",
	     "amd64 0x20064 1");
	SAYS("SELECT hex64(value) FROM smm_save WHERE cpu = 1 AND name = 'rip'", "0x1002");
	SAYS("SELECT map FROM smm WHERE cpu = 0", "NULL");
	SAYS("SELECT name FROM lapic_reg WHERE cpu = 1 AND off = 32 AND value = 16777216", "id");
	SAYS("SELECT count(*) FROM mem_range", "1");
	SAYS("SELECT kind FROM mem_range", "bytes");
	SAYS("SELECT group_concat(DISTINCT state) FROM run WHERE tbl NOT LIKE 'vmc%'"
	     " AND tbl <> 'entry_check'",
	     "complete");
	SAYS("SELECT count(*) FROM gap WHERE message NOT LIKE '%nested state'", "0");
	/* nested state is not among its notes, so that there is none is not known */
	SAYS("SELECT group_concat(DISTINCT tbl || ' ' || state) FROM run WHERE tbl LIKE 'vmc%'",
	     "vmcs_field partial,vmcs_bit partial,vmcb_field partial,vmcb_bit partial");
	SAYS("SELECT DISTINCT message FROM gap", "the dump does not tell nested state");
	SAYS("SELECT text LIKE 'inc %[0x2000]' FROM insn WHERE cpu = 0 AND is_rip = 1", "1");
	SAYS("SELECT hex64(mem_addr) FROM insn WHERE cpu = 0 AND is_rip = 1", "0x2000");
	close_lab(&l);
}

static void the_flight_record_says_what_is_known_and_no_more(void **state)
{
	struct lab l;
	(void)state;

	open_lab(&l, NONE);
	SAYS("SELECT group_concat(cpu || ':' || nr, ' ') FROM flight", "0:40 0:41 0:42 1:0");
	SAYS("SELECT exit_name || ' ' || hex64(rip) || ' ' || smm || ' ' || addr || ' ' || is_write"
	     " || ' ' || value || ' ' || size || ' ' || items FROM flight WHERE nr = 40",
	     "io 0xffffffff81000002 0 128 1 16 1 1");
	SAYS("SELECT rip FROM flight WHERE nr = 41", "NULL");
	SAYS("SELECT coalesce(addr, is_write, value, size, items) FROM flight WHERE nr = 41",
	     "NULL");
	SAYS("SELECT exit_name || ' ' || smm || ' ' || error FROM flight WHERE nr = 41",
	     "intr 1 4");
	SAYS("SELECT what || ' ' || exit_name FROM flight WHERE nr = 42", "ioctl KVM_SMI");
	SAYS("SELECT smm FROM flight WHERE nr = 42", "NULL");
	SAYS("SELECT coalesce(exit_reason, exit_name, 'unknown') || ' ' || error FROM flight"
	     " WHERE cpu = 1",
	     "unknown 14");
	SAYS("SELECT group_concat(nr || ' ' || coalesce(hex64(rip), '-') || ' ' ||"
	     " coalesce(smm, '-') || ' ' || coalesce(halted, '-') || ' ' || t_ns, '; ')"
	     " FROM rip_sample",
	     "0 0x1002 0 - 5; 1 - - 1 6");
	close_lab(&l);
}

static void registers_before_a_triple_fault_are_a_sample_of_their_own(void **state)
{
	struct lab l;
	(void)state;

	open_lab(&l, NONE);
	SAYS("SELECT group_concat(sample_id || ' ' || kind, ', ') FROM sample",
	     "0 snapshot, 1 last-known, 2 twin");
	SAYS("SELECT sample_id || ' ' || nr || ' ' || age_ns || ' ' || hex64(rip) || ' ' ||"
	     " hex64(rsp) FROM last_known",
	     "1 40 500 0xdead 0xbeef");
	SAYS("SELECT coalesce(cs_base, cr0, cr3, efer) FROM last_known", "NULL");
	SAYS("SELECT hex64(rip) FROM cpu WHERE cpu = 0", "0x1000");
	SAYS("SELECT count(*) FROM reg WHERE sample_id <> 0 OR value = 0xdead", "0");
	close_lab(&l);
}

static void the_time_before_is_told_apart(void **state)
{
	struct lab l;
	(void)state;

	open_lab(&l, NONE);
	SAYS("SELECT sample_id || ' ' || cpu || ' ' || t_ns || ' ' || hex64(lin_rip) || ' ' || smm"
	     " || ' ' || hex64(rip) || ' ' || coalesce(cr3, '-') FROM twin",
	     "2 0 7 0x1111 0 0xfeed -");
	SAYS("SELECT count(*) FROM rip_sample WHERE rip = 0x1111", "0");
	SAYS("SELECT group_concat(nr || ' ' || hex64(rip) || ' ' || smm || ' ' ||"
	     " hex(bytes), ', ') FROM step WHERE cpu = 1",
	     "0 0x1000 0 EBFE, 1 0x1002 1 ");
	SAYS("SELECT coalesce(len, text, changed) FROM step WHERE cpu = 1", "NULL");
	SAYS("SELECT group_concat(coalesce(len, '-') || ' ' || coalesce(text, '-') || ' ' ||"
	     " coalesce(changed, '-'), '; ') FROM step WHERE cpu = 0",
	     "2 inc eax rax=0x8 rflags=0x12 cr0=0x10; 2 jmp 0x1002 -; - - -");
	SAYS("SELECT nr || ' ' || cpu || ' ' || hex64(phys) || ' ' || size || ' ' || old || ' ' ||"
	     " value || ' ' || hex64(rip) || ' ' || coalesce(smm, '-') FROM write_log",
	     "5 1 0x2000 4 1 2 0xbad -");
	SAYS("SELECT t_ns || ' ' || event || ' ' || replace(text, char(27), 'E') FROM trace"
	     " WHERE nr = 0",
	     "12000345000 kvm_exit reason E[1m x");
	SAYS("SELECT coalesce(t_ns, '-') || ' ' || text FROM trace WHERE nr = 1", "- no line");
	close_lab(&l);
}

static void the_loop_in_smm_names_its_gate_and_who_does_not_write_it(void **state)
{
	struct lab l;
	(void)state;

	open_lab(&l, NONE);
	SAYS("SELECT kind || ' ' || nr_gates || ' ' || smm FROM loop WHERE cpu = 1", "closed 1 1");
	SAYS("SELECT hex64(phys) || ' ' || hex64(value) || ' ' || bytes || ' ' || class"
	     " FROM loop_gate WHERE cpu = 1",
	     "0x5010 0x12345678 4 shared");
	SAYS("SELECT exit_cond FROM loop_gate WHERE cpu = 1", "bit 31 of value is set");
	SAYS("SELECT nr_writers FROM loop_gate WHERE cpu = 1", "0");
	SAYS("SELECT kind || ': ' || text FROM loop WHERE cpu = 0", "open: it writes memory");
	SAYS("SELECT group_concat(coalesce(role, '-'), ' ') FROM loop_insn WHERE cpu = 1",
	     "gate - exit");
	close_lab(&l);
}

static void the_rules_find_the_stuck_cpu_and_nothing_else(void **state)
{
	struct lab l;
	struct inq_err err = {0};
	(void)state;

	open_lab(&l, NONE);
	for (const struct inq_rule *r = analyzers_rules; r->id; r++)
		assert_int_equal(store_detect(l.store, r, &err), INQ_OK);
	SAYS("SELECT group_concat(rule || ' ' || subject, ', ') FROM (SELECT * FROM finding ORDER"
	     " BY rule)",
	     "smm-core-in-smm cpu 1, smm-live-dr7-gd cpu 1, smm-tight-loop cpu 1");
	SAYS("SELECT severity FROM finding WHERE rule = 'smm-tight-loop'", "error");
	SAYS("SELECT count(*) FROM unevaluated", "0");
	close_lab(&l);
}

/* Registers known with a note and unknown without it, those of both unknown or changed. */
static void without_one(int kind, const char *expected_lost)
{
	struct lab with, l;

	open_lab(&with, NONE);
	open_lab(&l, kind);
	sqlite3_exec(store_db(l.store),
		     "ATTACH ':memory:' AS other; CREATE TABLE other.reg(cpu,"
		     " name, value)",
		     NULL, NULL, NULL);
	sqlite3_stmt *from = NULL, *to = NULL;
	sqlite3_prepare_v2(store_db(with.store), "SELECT cpu, name, value FROM reg", -1, &from,
			   NULL);
	sqlite3_prepare_v2(store_db(l.store), "INSERT INTO other.reg VALUES(?, ?, ?)", -1, &to,
			   NULL);
	while (sqlite3_step(from) == SQLITE_ROW) {
		for (int i = 0; i < 3; i++)
			sqlite3_bind_value(to, i + 1, sqlite3_column_value(from, i));
		assert_int_equal(sqlite3_step(to), SQLITE_DONE);
		sqlite3_reset(to);
	}
	sqlite3_finalize(from);
	sqlite3_finalize(to);
	SAYS("SELECT count(*) FROM main.reg a JOIN other.reg b USING(cpu, name)"
	     " WHERE a.value IS NOT b.value AND a.value IS NOT NULL",
	     "0");
	SAYS("SELECT group_concat(DISTINCT a.grp) FROM (SELECT * FROM main.reg ORDER BY grp) a"
	     " JOIN other.reg b USING(cpu, name)"
	     " WHERE a.value IS NULL AND b.value IS NOT NULL",
	     expected_lost);
	close_lab(&l);
	close_lab(&with);
}

static void a_missing_note_makes_exactly_its_registers_unknown(void **state)
{
	(void)state;
	without_one(NONE, "NULL");
	without_one(INQ_SNAP_REGS, "general");
	without_one(INQ_SNAP_SREGS2, "control,segment,table");
	without_one(INQ_SNAP_EVENTS, "event");
	without_one(INQ_SNAP_DEBUGREGS, "debug");
	without_one(INQ_SNAP_MP_STATE, "run");
	without_one(INQ_SNAP_RUN, "run");
	without_one(INQ_SNAP_MSRS, "run");
	without_one(INQ_SNAP_LAPIC, "NULL");
	without_one(INQ_SNAP_SMRAM, "NULL");
}

static void without_its_registers_a_cpu_has_a_gap_and_no_loop(void **state)
{
	struct lab l;
	struct inq_err err = {0};
	(void)state;

	open_lab(&l, INQ_SNAP_REGS);
	SAYS("SELECT count(*) FROM loop", "0");
	SAYS("SELECT state FROM run WHERE tbl = 'loop'", "partial");
	for (const struct inq_rule *r = analyzers_rules; r->id; r++)
		assert_int_equal(store_detect(l.store, r, &err), INQ_OK);
	SAYS("SELECT count(*) > 0 FROM unevaluated WHERE rule = 'smm-tight-loop'", "1");
	SAYS("SELECT count(*) FROM finding WHERE rule = 'smm-tight-loop'", "0");
	close_lab(&l);
}

/* A CPU in 64-bit mode, its CPUID unknown: entries of 1 GiB, `reserved` of them with bit 13 set. */
static void open_tables(struct lab *l, unsigned int pages, unsigned int reserved)
{
	struct built *b = built_snapshot(1);
	struct kvm_regs regs = {.rip = 0x1000, .rflags = 2};
	struct kvm_sregs2 s = {.cr0 = 0x80000011, .cr3 = 0x2000, .cr4 = 0x20, .efer = 0x500};
	uint8_t *ram = built_segment(b, 0, 0x4000);

	memcpy(ram + 0x2000, &(uint64_t){0x3023}, 8);
	for (unsigned int i = 0; i < pages; i++)
		memcpy(ram + 0x3000 + (size_t)i * 8,
		       &(uint64_t){(uint64_t)i << 30 | 0xa3 | (i < pages - reserved ? 0 : 1 << 13)},
		       8);
	s.cs = flat(11, 8);
	s.cs.db = 0;
	s.cs.l = 1;
	built_note_of(b, INQ_SNAP_REGS, 0, &regs, sizeof(regs));
	built_note_of(b, INQ_SNAP_SREGS2, 0, &s, sizeof(s));
	collect(l, b);
}

static void what_is_doubtful_does_not_hide_what_is_refused(void **state)
{
	struct lab l;
	(void)state;

	open_tables(&l, 66, 2); /* 64 doubtful ones, as many as get a row */
	SAYS("SELECT state FROM run WHERE tbl = 'pt_refused'", "complete");
	SAYS("SELECT count(*) FROM pt_refused WHERE no_gbpages IS NULL", "64");
	SAYS("SELECT count(*) FROM pt_refused WHERE no_gbpages = 0", "2");
	close_lab(&l);
	open_tables(&l, 70, 2);
	SAYS("SELECT state FROM run WHERE tbl = 'pt_refused'", "partial");
	SAYS("SELECT count(*) FROM gap WHERE tbl = 'pt_refused'", "1");
	SAYS("SELECT count(*) FROM pt_refused WHERE no_gbpages IS NULL", "64");
	SAYS("SELECT count(*) FROM pt_refused WHERE no_gbpages = 0", "2");
	close_lab(&l);
	open_tables(&l, 200, 100);
	SAYS("SELECT count(*) FROM gap WHERE tbl = 'pt_refused'", "2");
	SAYS("SELECT count(*) FROM pt_refused WHERE no_gbpages = 0", "64");
	close_lab(&l);
}

static void reassess(struct lab *l, const char *change)
{
	struct inq_err err = {0};

	assert_int_equal(sqlite3_exec(store_db(l->store), change, NULL, NULL, NULL), SQLITE_OK);
	for (const struct inq_rule *r = analyzers_rules; r->id; r++)
		assert_int_equal(store_detect(l->store, r, &err), INQ_OK);
}

static void what_may_end_the_loop_yet_makes_it_a_warning(void **state)
{
	static const char *const changes[] = {
		"UPDATE reg SET value = 1 WHERE cpu = 1 AND name = 'exc.pending'",
		"UPDATE cpu SET rflags = 0x102 WHERE cpu = 1",
		"UPDATE cpu SET nmi_pending = 1, nmi_masked = 0 WHERE cpu = 1",
		"UPDATE cpu SET smi_pending = 1 WHERE cpu = 0",
		"UPDATE cpu SET smm = 1 WHERE cpu = 0",
	};
	(void)state;

	for (size_t i = 0; i < sizeof(changes) / sizeof(*changes); i++) {
		struct lab l;
		open_lab(&l, NONE);
		reassess(&l, changes[i]);
		SAYS("SELECT severity || (detail LIKE '%; but %') FROM finding"
		     " WHERE rule = 'smm-tight-loop'",
		     "warning1");
		close_lab(&l);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_table_says_what_the_snapshot_holds),
		cmocka_unit_test(the_flight_record_says_what_is_known_and_no_more),
		cmocka_unit_test(registers_before_a_triple_fault_are_a_sample_of_their_own),
		cmocka_unit_test(the_time_before_is_told_apart),
		cmocka_unit_test(the_loop_in_smm_names_its_gate_and_who_does_not_write_it),
		cmocka_unit_test(the_rules_find_the_stuck_cpu_and_nothing_else),
		cmocka_unit_test(what_may_end_the_loop_yet_makes_it_a_warning),
		cmocka_unit_test(a_missing_note_makes_exactly_its_registers_unknown),
		cmocka_unit_test(without_its_registers_a_cpu_has_a_gap_and_no_loop),
		cmocka_unit_test(what_is_doubtful_does_not_hide_what_is_refused),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
