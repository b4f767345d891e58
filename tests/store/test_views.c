/* Views: what reaches the screen, what a row opens, what unknown and hostile values look like. */
#include <stdio.h>
#include <stdlib.h>

#include "tests/store/lab.h"
#include "views/view.h"

/* The collectors' tables as they are documented; here without their code. */
static const char tables[] =
	"CREATE TABLE cpu(machine_id, sample_id, cpu, mode, rip, lin_rip, smm, halted, intr_flag,"
	" mp_name, exit_name);"
	"CREATE TABLE reg(machine_id, sample_id, cpu, name, grp, value, text);"
	"CREATE TABLE dbgreg(machine_id, sample_id, cpu, name, value, text);"
	"CREATE TABLE msr(machine_id, sample_id, cpu, idx, name, value);"
	"CREATE TABLE lapic_reg(machine_id, sample_id, cpu, off, name, value, text);"
	"CREATE TABLE smm(machine_id, sample_id, cpu, in_smm, smbase, map, revision, smi_count);"
	"CREATE TABLE smm_save(machine_id, sample_id, cpu, name, addr, value, text);"
	"CREATE TABLE vmcs_field(machine_id, sample_id, cpu, block, name, pa, grp, value, text);"
	"CREATE TABLE vmcb_field(machine_id, sample_id, cpu, block, name, pa, grp, value, text);"
	"CREATE TABLE entry_check(machine_id, sample_id, cpu, field, value, rule, verdict,"
	" lacks, leads_to, section);"
	"CREATE TABLE vmcs_bit(machine_id, sample_id, cpu, block, field, bit, name, is_set, "
	"meaning);"
	"CREATE TABLE vmcb_bit(machine_id, sample_id, cpu, block, field, bit, name, is_set, "
	"meaning);"
	"CREATE TABLE kernel_fact(machine_id, nr, fact, value, words, source, cpu, space_id, addr);"
	"CREATE TABLE mem_range(machine_id, first, last, space_id, kind);"
	"CREATE TABLE insn(machine_id, sample_id, cpu, addr, nr, len, bytes, text, is_rip, in_loop,"
	" mem_addr);"
	"CREATE TABLE loop(machine_id, sample_id, cpu, first, last, head, kind, nr_insns, nr_gates,"
	" intr_flag, smm, text);"
	"CREATE TABLE loop_insn(machine_id, sample_id, cpu, nr, addr, bytes, text, role,"
	" target);"
	"CREATE TABLE loop_gate(machine_id, sample_id, cpu, nr, insn_addr, linear, phys, space, "
	"bytes,"
	" value, exit_cond, exit_value, class, nr_writers, insn);"
	"CREATE TABLE gate_writer(machine_id, sample_id, cpu, nr, by_cpu, insn_addr, text, how);"
	"CREATE TABLE flight(machine_id, sample_id, cpu, nr, t_ns, what, exit_reason, exit_name, "
	"rip,"
	" smm, addr, is_write, value, size, items, error);"
	"CREATE TABLE rip_sample(machine_id, sample_id, cpu, nr, rip, smm, halted, t_ns);"
	"CREATE TABLE last_known(machine_id, sample_id, cpu, nr, t_ns, age_ns, rip, cs_base, rsp,"
	" rflags, cr0, cr2, cr3, cr4, efer);"
	"CREATE TABLE twin(machine_id, sample_id, cpu, t_ns, age_ns, lin_rip, smm, mp_state,"
	" nmi_masked, rip, cs_base, rsp, rflags, cr0, cr2, cr3, cr4, efer);"
	"CREATE TABLE step(machine_id, sample_id, cpu, nr, rip, smm, bytes, len, text, changed);"
	"CREATE TABLE write_log(machine_id, sample_id, cpu, nr, t_ns, phys, size, old, value, rip,"
	" smm, rsp, cr3);"
	"CREATE TABLE trace(machine_id, sample_id, cpu, nr, t_ns, event, text);"
	"CREATE TABLE sysinfo(machine_id, nr, release, version, nodename, domainname, "
	"cmdline, t_ns, uptime_ns, boot_ns, jiffies, load1, load5, load15, mem_total, "
	"mem_free, mem_file, mem_anon, mem_slab, taints, taint_mask, panic, panic_cpu);"
	"CREATE TABLE log(machine_id, seq, line, t_ns, level, facility, cpu, pid, kind, "
	"text, open);"
	"CREATE TABLE task(machine_id, task, pid, tgid, ppid, comm, state, cpu, on_cpu, "
	"flags, kthread, state_bits, prio, policy, utime_ns, stime_ns, start_ns, nvcsw, "
	"nivcsw, parent, stack, sp, mm);"
	"CREATE TABLE frame(machine_id, task, nr, pc, sp, function, how, mode, stack, regs, "
	"note, complete, why);"
	"CREATE TABLE cpu_os(machine_id, sample_id, cpu, task, pid, comm, idle, online, "
	"nr_running, nr_switches, clock_ns, wakeup_pending, preempt, softirq_depth, "
	"hardirq_depth, nmi_depth, need_resched, softirq_pending, softirqs, last_tick_ns, "
	"last_jiffies, jiffies_behind, tick_stopped, tick_idle, soft_touch, soft_report, "
	"hr_interrupts, hr_saved, hard_warned, rcu_gp_seq, rcu_gp_needed, rcu_no_qs, "
	"rcu_core_needs, rcu_ticks, rcu_state, rcu_holds);"
	"CREATE TABLE rcu(machine_id, nr, gp_seq, in_progress, gp_state, gp_state_name, "
	"gp_flags, gp_kthread, gp_start, gp_activity, age, idle, n_force_qs, ncpus, "
	"expedited_seq);"
	"CREATE TABLE module(machine_id, module, name, state, base, text_bytes, bytes, "
	"refs, used_by, taints, version, srcversion, build_id);";

static struct store *open_rows(const char *sql)
{
	struct lab l;
	lab_init(&l);
	struct store *s = lab_store(&l);
	lab_live(s);
	run_sql(s, tables);
	run_sql(s, sql);
	return s;
}

static void assert_prints(struct store *s, const char *name, const struct view_ref *from,
			  enum view_form form, const char *expected)
{
	struct inq_err err = {0};
	char *text = NULL;
	size_t len = 0;
	FILE *f = open_memstream(&text, &len);

	assert_non_null(view_find(name));
	enum inq_status st = view_print(s, view_find(name), from, form, f, &err);
	fclose(f);
	if (st)
		fail_msg("%s", err.msg);
	if (strcmp(text, expected) != 0)
		fail_msg("\n%sexpected\n%s", text, expected);
	free(text);
}

static void every_view_can_be_asked_alone_and_opened(void **state)
{
	(void)state;
	struct store *s = open_rows("");
	const struct view *v;

	for (size_t i = 0; (v = view_at(i)); i++) {
		struct inq_err err = {0};
		const struct view_ref ref = {.part = {1, 0, 0, 1}, .known = 0xf};
		FILE *f = fopen("/dev/null", "w");
		assert_non_null(v->title);
		assert_non_null(v->doc);
		assert_ptr_equal(view_find(v->name), v);
		for (int form = VIEW_FORM_TEXT; form <= VIEW_FORM_SQL; form++)
			if (view_print(s, v, NULL, (enum view_form)form, f, &err) ||
			    view_print(s, v, &ref, (enum view_form)form, f, &err))
				fail_msg("%s", err.msg);
		fclose(f);
		if (v->opens && !view_find(v->opens))
			fail_msg("%s opens %s, which is no view", v->name, v->opens);
		bool marked = !v->mark;
		for (int c = 0; v->mark && c < VIEW_COLS && v->col[c].head; c++)
			marked |= !strcmp(v->mark, v->col[c].head);
		if (!marked)
			fail_msg("%s is marked by a column that it has not", v->name);
	}
	assert_null(view_find("nonsense"));
	assert_null(view_at(1000));
	store_destroy(s);
}

static void unknown_is_a_dash_and_never_zero(void **state)
{
	(void)state;
	struct store *s = open_rows(
		"INSERT INTO cpu VALUES(1, 0, 0, 'long', 1, -4096, 0, 1, 0, 'halted', 'hlt'),"
		" (1, 0, 1, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL)");

	assert_prints(s, "cpus", NULL, VIEW_FORM_TEXT,
		      "CPU MODE                    RIP SMM HALTED IF STATE    EXIT\n"
		      "  0 long     0xfffffffffffff000   0      1  0 halted   hlt\n"
		      "  1 -                         -   -      -  - -        -\n");
	assert_prints(
		s, "cpus", NULL, VIEW_FORM_JSON,
		"{\"format\":1,\"view\":\"cpus\",\"rows\":[\n"
		"{\"machine_id\":1,\"cpu\":0,\"mode\":\"long\",\"rip\":\"0xfffffffffffff000\","
		"\"smm\":0,\"halted\":1,\"if\":0,\"state\":\"halted\",\"exit\":\"hlt\"},\n"
		"{\"machine_id\":1,\"cpu\":1,\"mode\":null,\"rip\":null,\"smm\":null,"
		"\"halted\":null,\"if\":null,\"state\":null,\"exit\":null}]}\n");
	store_destroy(s);
}

static void a_row_opens_only_what_is_its_own(void **state)
{
	(void)state;
	struct store *s = open_rows("INSERT INTO machine VALUES(2, 1, 1, 'guest', 'x86_64', 1);"
				    "INSERT INTO dbgreg VALUES(1, 0, 0, 'dr0', 16, NULL),"
				    " (1, 0, 1, 'dr0', 17, NULL), (2, 0, 1, 'dr0', 18, NULL)");
	struct view_ref ref = {.part = {1, 1}, .known = 3};

	assert_prints(s, "dbgregs", &ref, VIEW_FORM_TEXT,
		      "CPU REGISTER              VALUE MEANING\n"
		      "  1 dr0                    0x11 -\n");
	ref.known = 2; /* whatever the machine */
	assert_prints(s, "dbgregs", &ref, VIEW_FORM_TEXT,
		      "CPU REGISTER              VALUE MEANING\n"
		      "  1 dr0                    0x11 -\n"
		      "  1 dr0                    0x12 -\n");
	store_destroy(s);
}

static void hostile_text_reaches_no_terminal_and_breaks_no_json(void **state)
{
	(void)state;
	struct store *s = open_rows("INSERT INTO dbgreg VALUES(1, 0, 'x', 'a' || char(27) || '[2J',"
				    " '\"\\', CAST(x'ff9b41' AS TEXT))");

	assert_prints(s, "dbgregs", NULL, VIEW_FORM_TEXT,
		      "CPU REGISTER              VALUE MEANING\n"
		      "  x a\\x1b[2J                 \"\\ \\xff\\x9bA\n");
	assert_prints(s, "dbgregs", NULL, VIEW_FORM_JSON,
		      "{\"format\":1,\"view\":\"dbgregs\",\"rows\":[\n"
		      "{\"machine_id\":1,\"cpu\":\"x\",\"register\":\"a\\u001b[2J\",\"value\":"
		      "\"\\\"\\\\\","
		      "\"meaning\":\"\\\\xff\\\\x9bA\"}]}\n");
	store_destroy(s);
}

static void the_loop_and_the_next_instruction_are_marked(void **state)
{
	(void)state;
	struct store *s = open_rows("INSERT INTO insn VALUES"
				    "(1, 0, 0, 16, 0, 1, '90', 'nop', 0, 0, NULL),"
				    "(1, 0, 0, 17, 1, 2, 'f390', 'pause', 1, 1, NULL),"
				    "(1, 0, 0, 19, 2, 2, 'ebfc', 'jmp 0x11', NULL, 1, 4096)");

	assert_prints(s, "insns", NULL, VIEW_FORM_TEXT,
		      "CPU MARK    ADDRESS BYTES          INSTRUCTION\n"
		      "  0            0x10 90             nop\n"
		      "  0 =>*        0x11 f390           pause\n"
		      "  0   *        0x13 ebfc           jmp 0x11   ; 0x1000\n");
	store_destroy(s);
}

static void findings_stand_worst_first_and_evidence_follows(void **state)
{
	(void)state;
	struct store *s = open_rows(
		"INSERT INTO cpu(machine_id, cpu) VALUES(1, 5), (1, 3);"
		"INSERT INTO finding VALUES"
		"(1, 1, 'r-info', 1, 'info', 'proof', 't', 'cpu 0', 'd', 'w', 'f'),"
		"(2, 1, 'r-error', 1, 'error', 'strong', 't2', 'cpu 3', 'd2', 'w2', 'f2'),"
		"(3, 1, 'r-fatal', 1, 'fatal', 'heuristic', 't3', 'cpu 1', NULL, 'w3', 'f3');"
		"INSERT INTO evidence VALUES(1, 2, 1, 'cpu', 2, 'it is halted'),"
		" (1, 2, 2, 'nowhere', 9, 'a long story about a CPU that did not wake up, told in "
		"so"
		" many words that it does not fit on one line of the screen')");
	struct view_ref ref = {.part = {1, 0, 0, 2}, .known = 9};

	assert_prints(s, "findings", NULL, VIEW_FORM_TEXT,
		      "SEVERITY RULE             SUBJECT  DETAIL\n"
		      "fatal    r-fatal          cpu 1    t3\n"
		      "error    r-error          cpu 3    d2\n"
		      "info     r-info           cpu 0    d\n");
	assert_prints(s, "finding", &ref, VIEW_FORM_TEXT,
		      "FIELD      TEXT\n"
		      "finding    t2\n"
		      "subject    cpu 3\n"
		      "detail     d2\n"
		      "severity   error\n"
		      "confidence strong\n"
		      "rule       r-error\n"
		      "why        w2\n"
		      "next       f2\n");
	assert_prints(
		s, "evidence", &ref, VIEW_FORM_TEXT,
		"SUBJECT  NR TABLE     EVIDENCE\n"
		"cpu 3     1 cpu       it is halted\n"
		"cpu 3     2 nowhere   a long story about a CPU that did not wake up, told in so\n"
		"                      many words that it does not fit on one line of the "
		"screen\n");
	store_destroy(s);
}

static enum inq_status keep(void *ctx, const struct view_ref *ref, const char *const *cell,
			    struct inq_err *err)
{
	(void)cell;
	(void)err;
	*(struct view_ref *)ctx = *ref;
	return INQ_OK;
}

static void evidence_knows_its_cpu(void **state)
{
	(void)state;
	struct inq_err err = {0};
	struct view_ref ref = {0};
	struct store *s =
		open_rows("INSERT INTO cpu(machine_id, cpu) VALUES(1, 5), (1, 3);"
			  "INSERT INTO finding VALUES"
			  "(2, 1, 'r', 1, 'error', 'strong', 't', 'cpu 3', 'd', 'w', 'f');"
			  "INSERT INTO evidence VALUES(1, 2, 1, 'cpu', 2, 'it is halted')");

	assert_int_equal(view_each(s, view_find("evidence"), NULL, keep, &ref, &err), INQ_OK);
	assert_int_equal(ref.part[VIEW_REF_MACHINE], 1);
	assert_int_equal(ref.part[VIEW_REF_CPU], 3);
	assert_int_equal(ref.part[VIEW_REF_ROW], 2);
	assert_int_equal(ref.known,
			 1u << VIEW_REF_MACHINE | 1u << VIEW_REF_CPU | 1u << VIEW_REF_ROW);
	store_destroy(s);
}

static void memory_sizes_are_right_up_to_the_top(void **state)
{
	(void)state;
	struct store *s = open_rows("INSERT INTO mem_range VALUES(1, -4096, -1, 1, 'bytes'),"
				    " (1, 0, 4095, 1, 'absent'),"
				    " (1, (-9223372036854775807 - 1), -4097, 1, 'excluded')");

	assert_prints(s, "memory", NULL, VIEW_FORM_TEXT,
		      "SPACE               FIRST               LAST              BYTES KIND\n"
		      "phys                  0x0              0xfff             0x1000 absent\n"
		      "phys   0x8000000000000000 0xffffffffffffefff 0x7ffffffffffff000 excluded\n"
		      "phys   0xfffffffffffff000 0xffffffffffffffff             0x1000 bytes\n");
	store_destroy(s);
}

static void fields_that_cpus_disagree_on_are_marked_whichever_cpu_is_asked(void **state)
{
	(void)state;
	struct store *s = open_rows(
		"INSERT INTO vmcs_field(machine_id, sample_id, cpu, block, name, grp, value, text)"
		" VALUES(1, 0, 0, 'current', 'GUEST_CR3', 'guest', 4096, ''),"
		" (1, 0, 1, 'current', 'GUEST_CR3', 'guest', 8192, ''),"
		" (1, 0, 0, 'current', 'GUEST_CR4', 'guest', 32, ''),"
		" (1, 0, 1, 'current', 'GUEST_CR4', 'guest', 32, ''),"
		" (1, 0, 0, 'current', 'GUEST_SSP', 'guest', NULL, ''),"
		" (1, 0, 1, 'current', 'GUEST_SSP', 'guest', 0, '')");
	struct view_ref ref = {.part = {1, 1}, .known = 3};

	assert_prints(s, "vmcs", &ref, VIEW_FORM_TEXT,
		      "CPU GROUP FIELD             VALUE DIFF MEANING\n"
		      "  1 guest GUEST_CR3        0x2000 !\n"
		      "  1 guest GUEST_CR4          0x20\n"
		      "  1 guest GUEST_SSP           0x0 !\n");
	store_destroy(s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_view_can_be_asked_alone_and_opened),
		cmocka_unit_test(unknown_is_a_dash_and_never_zero),
		cmocka_unit_test(a_row_opens_only_what_is_its_own),
		cmocka_unit_test(hostile_text_reaches_no_terminal_and_breaks_no_json),
		cmocka_unit_test(the_loop_and_the_next_instruction_are_marked),
		cmocka_unit_test(findings_stand_worst_first_and_evidence_follows),
		cmocka_unit_test(evidence_knows_its_cpu),
		cmocka_unit_test(memory_sizes_are_right_up_to_the_top),
		cmocka_unit_test(fields_that_cpus_disagree_on_are_marked_whichever_cpu_is_asked),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
