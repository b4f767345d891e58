/* Views of the CPUs: an overview, then registers of every kind. */
#include "views/views.h"

const struct view view_group_cpu[] = {
	{
		.name = "cpus",
		.title = "CPUs",
		.doc = "one line per CPU: mode, where it runs, what it can be woken by",
		.needs = {"cpu"},
		.sql = "SELECT c.machine_id, cpu, lin_rip, c.rowid, cpu, mode, lin_rip, smm, "
		       "halted,"
		       " intr_flag, mp_name, exit_name"
		       " FROM cpu c WHERE " VIEW_OF_CPU(c) " ORDER BY c.machine_id, sample_id, cpu",
		.col = {{"CPU", VIEW_DEC, 3},
			{"MODE", VIEW_TEXT, 8},
			{"RIP", VIEW_HEX, 18},
			{"SMM", VIEW_DEC, 3},
			{"HALTED", VIEW_DEC, 6},
			{"IF", VIEW_DEC, 2},
			{"STATE", VIEW_TEXT, 8},
			{"EXIT", VIEW_TEXT, 8}},
		.opens = "regs",
	},
	{
		.name = "regs",
		.title = "Registers",
		.doc = "registers and run state of the CPUs",
		.needs = {"reg"},
		.sql = "SELECT r.machine_id, cpu, value, r.rowid, cpu, grp, name, value, text"
		       " FROM reg r WHERE " VIEW_OF_CPU(
			       r) " ORDER BY r.machine_id, sample_id, cpu, r.rowid",
		.col = {{"CPU", VIEW_DEC, 3},
			{"GROUP", VIEW_TEXT, 7},
			{"REGISTER", VIEW_TEXT, 12},
			{"VALUE", VIEW_HEX, 18},
			{"MEANING", VIEW_TEXT, 8}},
		.opens = "insns",
	},
	{
		.name = "dbgregs",
		.title = "Debug registers",
		.doc = "breakpoints that were set, and which one fired",
		.needs = {"dbgreg"},
		.sql = "SELECT r.machine_id, cpu, value, r.rowid, cpu, name, value, text"
		       " FROM dbgreg r WHERE " VIEW_OF_CPU(
			       r) " ORDER BY r.machine_id, sample_id, cpu, name",
		.col = {{"CPU", VIEW_DEC, 3},
			{"REGISTER", VIEW_TEXT, 8},
			{"VALUE", VIEW_HEX, 18},
			{"MEANING", VIEW_TEXT, 8}},
		.opens = "insns",
	},
	{
		.name = "msrs",
		.title = "Model-specific registers",
		.doc = "MSRs that the dump knows",
		.needs = {"msr"},
		.sql = "SELECT m.machine_id, cpu, value, m.rowid, cpu, idx, name, value"
		       " FROM msr m WHERE " VIEW_OF_CPU(
			       m) " ORDER BY m.machine_id, sample_id, cpu, idx",
		.col = {{"CPU", VIEW_DEC, 3},
			{"INDEX", VIEW_HEX, 10},
			{"NAME", VIEW_TEXT, 24},
			{"VALUE", VIEW_HEX, 18}},
	},
	{
		.name = "lapic",
		.title = "Local APIC",
		.doc = "registers of the local APICs: pending, in service, timer",
		.needs = {"lapic_reg"},
		.sql = "SELECT l.machine_id, cpu, NULL, l.rowid, cpu, off, name, value, text"
		       " FROM lapic_reg l WHERE " VIEW_OF_CPU(
			       l) " ORDER BY l.machine_id, sample_id, cpu, off",
		.col = {{"CPU", VIEW_DEC, 3},
			{"OFFSET", VIEW_HEX, 6},
			{"REGISTER", VIEW_TEXT, 9},
			{"VALUE", VIEW_HEX, 10},
			{"MEANING", VIEW_TEXT, 8}},
	},
	{0},
};
