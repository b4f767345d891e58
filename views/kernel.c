/* Views of the kernel: what it is, and everything that says so. */
#include "views/views.h"

const struct view view_group_kernel[] = {
	{
		.name = "kernel",
		.title = "Kernel facts",
		.doc = "what each register, VMCOREINFO and the image say about the kernel",
		.needs = {"kernel_fact"},
		.sql = "SELECT k.machine_id, cpu, value, k.rowid, fact,"
		       " coalesce(words, printf('0x%x', value)), source, cpu, s.name, addr"
		       " FROM kernel_fact k LEFT JOIN space s USING (machine_id, space_id)"
		       " WHERE " VIEW_OF_CPU(k) " ORDER BY k.machine_id, fact, nr",
		.col = {{"FACT", VIEW_TEXT, 13},
			{"VALUE", VIEW_TEXT, 18},
			{"SOURCE", VIEW_TEXT, 10},
			{"CPU", VIEW_DEC, 3},
			{"SPACE", VIEW_TEXT, 6},
			{"AT", VIEW_HEX, 18}},
	},
	{0},
};
