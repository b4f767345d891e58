/* Which guest-physical memory there is, and which of it the dump holds. */
#include "analyzers/collect/collectors.h"

static const struct inq_column cols[] = {
	{"first", INQ_ADDR, "first guest-physical address"},
	{"last", INQ_ADDR, "last one, inclusive"},
	{"space_id", INQ_INT, "the space it belongs to"},
	{"kind", INQ_TEXT, "bytes: in the dump; absent: lost; excluded: left out on purpose"},
	{0},
};

static enum inq_status run(const struct inq_machine *m, struct inq_sink *out, struct inq_err *err)
{
	static const char *const kinds[] = {[INQ_EXTENT_BYTES] = "bytes",
					    [INQ_EXTENT_ABSENT] = "absent",
					    [INQ_EXTENT_EXCLUDED] = "excluded"};
	enum inq_status st = INQ_OK;

	for (size_t i = 0; !st && i < m->dump->nr_extents; i++) {
		const struct inq_extent *x = &m->dump->extents[i];
		st = INQ_ROW(out, err, INQ_V_ADDR(x->first), INQ_V_ADDR(x->last),
			     INQ_V_INT(m->dump->phys->space_id), INQ_V_TEXT(kinds[x->kind]));
	}
	return st;
}

const struct inq_collector collect_mem_range = {
	.table = "mem_range",
	.doc = "guest-physical memory: what there is and what the dump holds",
	.cols = cols,
	.nr_keys = 1,
	.run = run,
};
