/* Views of the VMCSs and VMCBs of hypervisors that run inside. */
#include "views/views.h"

/* Does the same field of another CPU say something else? */
#define DIFFERS(table)                                                                             \
	"iif((f.machine_id, f.sample_id, f.block, f.name) IN (SELECT machine_id, sample_id,"       \
	" block, name FROM " table " GROUP BY 1, 2, 3, 4"                                          \
	" HAVING count(DISTINCT quote(value) || coalesce(text, '')) > 1), '!', '')"

#define FIELDS(table, group)                                                                       \
	"SELECT f.machine_id, cpu, pa, f.rowid, cpu, " group                                       \
	", name, value, " DIFFERS(table) ", coalesce(text, '') FROM " table                        \
					 " f WHERE " VIEW_OF_CPU(f) " ORDER BY f.machine_id,"      \
								    " sample_id, cpu, f.rowid"

/* Opened from a field, its bits; else those of all fields. */
#define BITS(table, of)                                                                            \
	"SELECT b.machine_id, cpu, NULL, b.rowid, cpu, field, bit, iif(is_set, 'x', ''), b.name "  \
	"|| ': ' ||"                                                                               \
	" meaning FROM " table " b WHERE " VIEW_OF_CPU(                                            \
		b) " AND (?4 IS NULL OR (block, field) = (SELECT block, name FROM " of             \
		   " WHERE rowid = ?4)) ORDER BY b.machine_id, sample_id, cpu, b.rowid"

/* Of the VMCS of f: what a field says beside its number. */
#define BESIDE(field, text, holds)                                                                 \
	"coalesce((SELECT " text " FROM vmcs_field o WHERE o.machine_id = f.machine_id"            \
	" AND o.sample_id = f.sample_id AND o.cpu = f.cpu AND o.block = f.block"                   \
	" AND o.name = '" field "' AND " holds "), '')"

/* Only after a failed entry, which is bit 31, is the qualification one of entries. */
#define FAILED_BY                                                                                  \
	BESIDE("EXIT_QUALIFICATION", "': ' || o.text", "o.text <> '' AND f.value >> 31 & 1")

#define INSN_ERROR                                                                                 \
	BESIDE("VM_INSTRUCTION_ERROR",                                                             \
	       "'; VM-instruction error ' || o.value || coalesce(': ' || nullif(o.text, ''), '')", \
	       "o.value <> 0")

/* All ones: SMM was entered, and the exit has no reason (Linux vmx/nested.c, vmx_enter_smm). */
#define LAST_EXIT                                                                                  \
	"iif(f.value = 0xffffffff, 'the last exit has no reason', 'exit reason '"                  \
	" || (f.value & 0xffff) || coalesce(': ' || nullif(f.text, ''), '')"                       \
	" || " FAILED_BY ") || " INSN_ERROR

#define CHECKED                                                                                    \
	"(SELECT count(*) || ' checks: '"                                                          \
	" || coalesce(nullif(sum(verdict = 'fail'), 0), 'none') || ' failed, '"                    \
	" || sum(verdict = 'unknown') || ' unknown' FROM entry_check e"                            \
	" WHERE e.machine_id = f.machine_id AND e.sample_id = f.sample_id AND e.cpu = f.cpu)"

#define FIELD_COLS                                                                                 \
	{                                                                                          \
		{"CPU", VIEW_DEC, 3}, {"GROUP", VIEW_TEXT, 5}, {"FIELD", VIEW_TEXT, 12},           \
			{"VALUE", VIEW_HEX, 10}, {"DIFF", VIEW_TEXT, 4},                           \
		{                                                                                  \
			"MEANING", VIEW_TEXT, 8                                                    \
		}                                                                                  \
	}

#define BIT_COLS                                                                                   \
	{                                                                                          \
		{"CPU", VIEW_DEC, 3}, {"FIELD", VIEW_TEXT, 8}, {"BIT", VIEW_DEC, 3},               \
			{"SET", VIEW_TEXT, 3},                                                     \
		{                                                                                  \
			"MEANING", VIEW_TEXT, 8                                                    \
		}                                                                                  \
	}

const struct view view_group_vmcs[] = {
	{
		.name = "vmcs",
		.title = "VMCS",
		.doc = "VMCSs of hypervisors inside, decoded; !: another CPU's says otherwise",
		.needs = {"vmcs_field"},
		.sql = FIELDS("vmcs_field", "iif(block = 'current', grp, block || ' ' || grp)"),
		.col = FIELD_COLS,
		.opens = "vmcs-bits",
		.mark = "DIFF",
	},
	{
		.name = "vmcs-bits",
		.title = "Bits of a VMCS",
		.doc = "every control, state and qualification bit of them: what it means",
		.needs = {"vmcs_bit", "vmcs_field"},
		.sql = BITS("vmcs_bit", "vmcs_field"),
		.col = BIT_COLS,
		.mark = "SET",
	},
	{
		.name = "vmcb",
		.title = "VMCB",
		.doc = "VMCBs of hypervisors inside, decoded; !: another CPU's says otherwise",
		.needs = {"vmcb_field"},
		.sql = FIELDS("vmcb_field", "block"),
		.col = FIELD_COLS,
		.opens = "vmcb-bits",
		.mark = "DIFF",
	},
	{
		.name = "vmcb-bits",
		.title = "Bits of a VMCB",
		.doc = "every intercept and control bit of them: what it means",
		.needs = {"vmcb_bit", "vmcb_field"},
		.sql = BITS("vmcb_bit", "vmcb_field"),
		.col = BIT_COLS,
		.mark = "SET",
	},
	{
		.name = "entries",
		.title = "VM entries",
		.doc = "how the last VM entry of each CPU ended; would the next one fail",
		.needs = {"vmcs_field", "entry_check"},
		.sql = "SELECT f.machine_id, cpu, pa, f.rowid, cpu, pa, " LAST_EXIT
		       " || '; ' || " CHECKED " FROM vmcs_field f WHERE " VIEW_OF_CPU(
			       f) " AND name = 'VM_EXIT_REASON' AND block = 'current'"
				  " ORDER BY f.machine_id, sample_id, cpu",
		.col = {{"CPU", VIEW_DEC, 3},
			{"VMCS AT", VIEW_HEX, 10},
			{"LAST AND NEXT ENTRY", VIEW_TEXT, 8}},
		.opens = "entry-checks",
	},
	{
		.name = "entry-checks",
		.title = "Checks of a VM entry",
		.doc = "why the next VM entry would fail: field, rule, section of the SDM",
		.needs = {"entry_check"},
		.sql = "SELECT e.machine_id, cpu, NULL, e.rowid, cpu, verdict, field, value,"
		       " rule || ' (SDM vol. 3, ' || section || '; else ' || leads_to"
		       " || coalesce('; ' || lacks, '') || ')'"
		       " FROM entry_check e WHERE " VIEW_OF_CPU(
			       e) " AND verdict <> 'pass' ORDER BY e.machine_id, sample_id, cpu,"
				  " verdict = 'unknown', e.rowid",
		.col = {{"CPU", VIEW_DEC, 3},
			{"VERDICT", VIEW_TEXT, 7},
			{"FIELD", VIEW_TEXT, 12},
			{"VALUE", VIEW_HEX, 10},
			{"RULE", VIEW_TEXT, 8}},
		.opens = "vmcs",
	},
	{0},
};
