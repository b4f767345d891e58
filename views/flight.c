/* Views of what the producer saw before the snapshot. */
#include "views/views.h"

const struct view view_group_flight[] = {
	{
		.name = "flight",
		.title = "Flight record",
		.doc = "what each vCPU left KVM_RUN for, newest first",
		.needs = {"flight", "addr_name"},
		.sql = "SELECT f.machine_id, cpu, rip, f.rowid, cpu, nr,"
		       " (max(t_ns) OVER (PARTITION BY f.machine_id) - t_ns) / 1000,"
		       " coalesce(exit_name, exit_reason), rip, smm, addr, value, "
		       "error, " VIEW_NAME(
			       f, rip) ""
				       " FROM flight f WHERE " VIEW_OF_CPU(
					       f) " ORDER BY f.machine_id, sample_id, cpu, nr DESC",
		.col = {{"CPU", VIEW_DEC, 3},
			{"NR", VIEW_DEC, 4},
			{"AGE US", VIEW_DEC, 7},
			{"EXIT", VIEW_TEXT, 4},
			{"RIP", VIEW_HEX, 18},
			{"SMM", VIEW_DEC, 3},
			{"ADDR", VIEW_HEX, 4},
			{"VALUE", VIEW_HEX, 5},
			{"ERRNO", VIEW_DEC, 5},
			{"FUNCTION", VIEW_TEXT, 8}},
	},
	{
		.name = "rips",
		.title = "RIP samples",
		.doc = "where each vCPU was, about 1 ms apart, before the snapshot",
		.needs = {"rip_sample", "addr_name"},
		.sql = "SELECT r.machine_id, cpu, rip, r.rowid, cpu, nr, rip, smm, halted,"
		       " (max(t_ns) OVER (PARTITION BY r.machine_id) - t_ns) / 1000, " VIEW_NAME(
			       r,
			       rip) " FROM rip_sample r WHERE " VIEW_OF_CPU(r) " ORDER BY "
									       "r.machine_id, "
									       "sample_id, cpu, nr",
		.col = {{"CPU", VIEW_DEC, 3},
			{"NR", VIEW_DEC, 3},
			{"RIP", VIEW_HEX, 18},
			{"SMM", VIEW_DEC, 3},
			{"HALTED", VIEW_DEC, 6},
			{"AGE US", VIEW_DEC, 9},
			{"FUNCTION", VIEW_TEXT, 24}},
	},
	{
		.name = "last-known",
		.title = "Registers some time before a triple fault (not those of the crash)",
		.doc = "last registers seen before a triple fault, and how old they are",
		.needs = {"last_known"},
		.sql = "SELECT l.machine_id, cpu, rip, l.rowid, cpu, nr, age_ns / 1000, rip, rsp,"
		       " rflags, cr3"
		       " FROM last_known l WHERE " VIEW_OF_CPU(
			       l) " ORDER BY l.machine_id, sample_id, cpu",
		.col = {{"CPU", VIEW_DEC, 3},
			{"NR", VIEW_DEC, 5},
			{"AGE US", VIEW_DEC, 9},
			{"RIP", VIEW_HEX, 18},
			{"RSP", VIEW_HEX, 18},
			{"RFLAGS", VIEW_HEX, 7},
			{"CR3", VIEW_HEX, 8}},
	},
	{
		.name = "twin",
		.title = "Every CPU some time before the snapshot",
		.doc = "every CPU as a running sampler saw it some time before",
		.needs = {"twin"},
		.sql = "SELECT t.machine_id, cpu, lin_rip, t.rowid, cpu, age_ns / 1000, lin_rip, "
		       "smm,"
		       " mp_state, nmi_masked, rflags, cr3"
		       " FROM twin t WHERE " VIEW_OF_CPU(
			       t) " ORDER BY t.machine_id, sample_id, cpu",
		.col = {{"CPU", VIEW_DEC, 3},
			{"AGE US", VIEW_DEC, 9},
			{"RIP", VIEW_HEX, 18},
			{"SMM", VIEW_DEC, 3},
			{"MP", VIEW_DEC, 2},
			{"NMI MASKED", VIEW_DEC, 10},
			{"RFLAGS", VIEW_HEX, 7},
			{"CR3", VIEW_HEX, 8}},
	},
	{
		.name = "steps",
		.title = "Single steps",
		.doc = "single steps: each next instruction, and what it changed",
		.needs = {"step"},
		.sql = "SELECT s.machine_id, cpu, rip, s.rowid, cpu, nr, rip, smm, CASE"
		       " WHEN coalesce(len, length(bytes)) > 6"
		       " THEN lower(hex(substr(bytes, 1, 5))) || '..'"
		       " ELSE lower(hex(substr(bytes, 1, coalesce(len, length(bytes))))) END,"
		       " text || CASE WHEN changed IS NULL OR changed = '' THEN ''"
		       " ELSE '   ; ' || changed END"
		       " FROM step s WHERE " VIEW_OF_CPU(
			       s) " ORDER BY s.machine_id, sample_id, cpu, nr",
		.col = {{"CPU", VIEW_DEC, 3},
			{"NR", VIEW_DEC, 2},
			{"RIP", VIEW_HEX, 10},
			{"SMM", VIEW_DEC, 3},
			{"BYTES", VIEW_TEXT, 12},
			{"INSTRUCTION", VIEW_TEXT, 24}},
	},
	{
		.name = "writes",
		.title = "Last writes to watched memory, newest first",
		.doc = "who wrote to the memory that was watched, newest first",
		.needs = {"write_log"},
		.sql = "SELECT w.machine_id, cpu, rip, w.rowid, nr, cpu, phys, old, value, rip, smm"
		       " FROM write_log w WHERE " VIEW_OF_CPU(
			       w) " ORDER BY w.machine_id, sample_id, nr DESC",
		.col = {{"NR", VIEW_DEC, 5},
			{"CPU", VIEW_DEC, 3},
			{"PHYS", VIEW_HEX, 10},
			{"OLD", VIEW_HEX, 8},
			{"NEW", VIEW_HEX, 8},
			{"RIP AFTER", VIEW_HEX, 18},
			{"SMM", VIEW_DEC, 3}},
	},
	{
		.name = "trace",
		.title = "What the host's KVM said, newest first",
		.doc = "what the host's KVM said of each vCPU, newest first",
		.needs = {"trace"},
		.sql = "SELECT t.machine_id, cpu, NULL, t.rowid, cpu, nr,"
		       " (max(t_ns) OVER (PARTITION BY t.machine_id) - t_ns) / 1000, event, text"
		       " FROM trace t WHERE " VIEW_OF_CPU(
			       t) " ORDER BY t.machine_id, sample_id, cpu, nr DESC",
		.col = {{"CPU", VIEW_DEC, 3},
			{"NR", VIEW_DEC, 5},
			{"AGE US", VIEW_DEC, 9},
			{"EVENT", VIEW_TEXT, 16},
			{"TEXT", VIEW_TEXT, 24}},
	},
	{0},
};
