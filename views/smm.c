/* Views of system management mode. */
#include "views/views.h"

const struct view view_group_smm[] = {
	{
		.name = "smm",
		.title = "System management mode",
		.doc = "per CPU: in SMM or not, SMBASE, layout of the saved state",
		.needs = {"smm"},
		.sql = "SELECT s.machine_id, cpu, smbase, s.rowid, cpu, in_smm, smbase, map,"
		       " revision, smi_count"
		       " FROM smm s WHERE " VIEW_OF_CPU(s) " ORDER BY s.machine_id, sample_id, cpu",
		.col = {{"CPU", VIEW_DEC, 3},
			{"IN SMM", VIEW_DEC, 6},
			{"SMBASE", VIEW_HEX, 10},
			{"MAP", VIEW_TEXT, 8},
			{"REVISION", VIEW_HEX, 8},
			{"SMI COUNT", VIEW_DEC, 9}},
		.opens = "smm-save",
	},
	{
		.name = "smm-save",
		.title = "SMM save area",
		.doc = "what the CPU was doing when the SMI came",
		.needs = {"smm_save"},
		.sql = "SELECT s.machine_id, cpu, addr, s.rowid, cpu, name, addr, value, text"
		       " FROM smm_save s WHERE " VIEW_OF_CPU(
			       s) " ORDER BY s.machine_id, sample_id, cpu, s.rowid",
		.col = {{"CPU", VIEW_DEC, 3},
			{"FIELD", VIEW_TEXT, 16},
			{"ADDRESS", VIEW_HEX, 10},
			{"VALUE", VIEW_HEX, 18},
			{"MEANING", VIEW_TEXT, 8}},
	},
	{0},
};
