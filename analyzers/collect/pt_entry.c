/*
 * The page-table entries that decide what a CPU does next: those of its instruction, its stack, its
 * descriptor tables and the address of its last page fault.  And entries near the roots of the
 * tables in use that no CPU of this kind accepts.  SDM vol. 3, 4.5 and 4.7; APM vol. 2, 5.3.
 */
#include "analyzers/collect/collectors.h"
#include "analyzers/collect/values.h"
#include "arch/paging.h"
#include "arch/x86_64/decode.h"

enum {
	ENTRIES = 512,
	LOWEST = 3,       /* page-directory pointers: a level further down is mostly data */
	TABLES_MAX = 600, /* looked through below one root */
	REFUSED_MAX = 64, /* rows of one CPU; as many again of 1 GiB, where CPUID is unknown */
};

static const struct inq_column entry_cols[] = {
	COLS_OF_CPU,
	{"what", INQ_TEXT, "whose address: rip, rsp, cr2, idtr, gdtr, tr"},
	{"nr", INQ_INT, "from 0, the root's entry first"},
	{"linear", INQ_ADDR, "the address that is walked to"},
	{"tbl", INQ_TEXT, "pml5, pml4, pdpt, pd, pt; page: the end of the walk"},
	{"idx", INQ_INT, "entry of the table"},
	{"addr", INQ_ADDR, "where the entry lies; of page: the physical address"},
	{"entry", INQ_INT, "its value; NULL: a page, or not known"},
	{"flags", INQ_TEXT, "its bits by name"},
	{"verdict", INQ_TEXT,
	 "ok, not present, reserved bit set, ...; of page: the verdict of the walk"},
	{"why", INQ_TEXT, "the bits that make it so"},
	{"writable", INQ_INT, "of page: 1 all entries allow writes; NULL: the walk failed"},
	{"executable", INQ_INT, "of page: 1 none forbids execution"},
	{"user", INQ_INT, "of page: 1 all entries allow user mode"},
	{0},
};

static const struct inq_column refused_cols[] = {
	COLS_OF_CPU,
	{"linear", INQ_ADDR, "first linear address that it maps"},
	{"tbl", INQ_TEXT, "pml5, pml4, pdpt"},
	{"idx", INQ_INT, "entry of the table"},
	{"addr", INQ_ADDR, "where the entry lies, physical; tables may be shared"},
	{"entry", INQ_INT, "its value"},
	{"no_gbpages", INQ_INT,
	 "1: a page of 1 GiB, which CPUID does not offer; NULL: one, and CPUID is unknown; 0: a "
	 "reserved bit is set"},
	{"why", INQ_TEXT, "the bits that make it so"},
	{0},
};

struct place {
	const char *what;
	enum x86_64_reg reg;
};
static const struct place places[] = {
	{"rip", X86_64_RIP},        {"rsp", X86_64_RSP},        {"cr2", X86_64_CR2},
	{"idtr", X86_64_IDTR_BASE}, {"gdtr", X86_64_GDTR_BASE}, {"tr", X86_64_TR_BASE},
};

/* Where the CPU would look.  False: unknown, or no address (CR2 before the first fault). */
static bool linear_of(const struct inq_cpu *cpu, const struct place *p, uint64_t *ret)
{
	uint64_t lin = 0;

	if (!inq_reg_known(&cpu->regs, p->reg))
		return false;
	lin = cpu->regs.v[p->reg];
	if (p->reg == X86_64_RIP && !x86_64_linear_rip(&cpu->regs, &lin))
		return false;
	if (p->reg == X86_64_RSP && x86_64_mode_of(&cpu->regs) != X86_64_MODE_LONG)
		return false; /* relative to SS, and often cut to 16 bits */
	*ret = lin;
	return lin || p->reg == X86_64_RIP;
}

static bool entry_known(const struct paging_step *s)
{
	return s->verdict != PAGING_ABSENT && s->verdict != PAGING_UNREADABLE;
}

static enum inq_status put_step(const struct inq_machine *m, const struct inq_cpu *cpu,
				const struct paging_mode *mode, const char *what, int nr,
				uint64_t linear, const struct paging_step *s, struct inq_sink *out,
				struct inq_err *err)
{
	char flags[96], why[128];

	paging_entry_flags(mode, s, flags, sizeof(flags));
	paging_explain(mode, s, why, sizeof(why));
	return INQ_ROW(out, err, INQ_V_INT(m->sample.sample_id), INQ_V_INT(cpu->index),
		       INQ_V_TEXT(what), INQ_V_INT(nr), INQ_V_ADDR(linear),
		       INQ_V_TEXT(paging_table_name(s->level)),
		       INQ_V_INT(paging_index(mode, s->level, linear)), INQ_V_ADDR(s->entry_addr),
		       entry_known(s) ? INQ_V_INT((int64_t)s->entry) : INQ_V_NULL, v_text(flags),
		       INQ_V_TEXT(paging_verdict_name(s->verdict)), v_text(why), INQ_V_NULL,
		       INQ_V_NULL, INQ_V_NULL);
}

static enum inq_status put_page(const struct inq_machine *m, const struct inq_cpu *cpu,
				const char *what, uint64_t linear, const struct paging_walk *w,
				struct inq_sink *out, struct inq_err *err)
{
	bool ok = w->verdict == PAGING_OK;

	return INQ_ROW(out, err, INQ_V_INT(m->sample.sample_id), INQ_V_INT(cpu->index),
		       INQ_V_TEXT(what), INQ_V_INT(w->nr_steps), INQ_V_ADDR(linear),
		       INQ_V_TEXT("page"), INQ_V_NULL, ok ? INQ_V_ADDR(w->pa) : INQ_V_NULL,
		       INQ_V_NULL, INQ_V_NULL, INQ_V_TEXT(paging_verdict_name(w->verdict)),
		       INQ_V_NULL, ok ? INQ_V_INT(w->writable) : INQ_V_NULL,
		       ok ? INQ_V_INT(!w->nx) : INQ_V_NULL, ok ? INQ_V_INT(w->user) : INQ_V_NULL);
}

static enum inq_status walk_of(const struct inq_machine *m, const struct inq_cpu *cpu,
			       const struct place *p, struct inq_sink *out, struct inq_err *err)
{
	const struct paging_space *ps = cpu->virt ? paging_space_of(cpu->virt) : NULL;
	enum inq_status st = INQ_OK;
	struct paging_walk w;
	uint64_t linear = 0;

	if (!ps || !linear_of(cpu, p, &linear))
		return INQ_OK;
	paging_walk(&ps->mode, cpu->virt->lower, linear, &w);
	for (int i = 0; !st && i < w.nr_steps; i++)
		st = put_step(m, cpu, &ps->mode, p->what, i, linear, &w.step[i], out, err);
	return st ? st : put_page(m, cpu, p->what, linear, &w, out, err);
}

static enum inq_status walks_of(const struct inq_machine *m, const struct inq_cpu *cpu,
				struct inq_sink *out, struct inq_err *err)
{
	enum inq_status st = INQ_OK;

	for (size_t i = 0; !st && i < sizeof(places) / sizeof(*places); i++)
		st = walk_of(m, cpu, &places[i], out, err);
	return st;
}

static enum inq_status run_entry(const struct inq_machine *m, struct inq_sink *out,
				 struct inq_err *err)
{
	return each_cpu(m, out, walks_of, err);
}

struct scan {
	const struct inq_machine *m;
	const struct inq_cpu *cpu;
	const struct paging_space *ps;
	int nr_tables, nr_refused, nr_doubtful;
};

/* Once of every limit: what lies beyond it is not said to be well. */
static enum inq_status left_out(const struct scan *sc, enum inq_status st, int max,
				const char *what, struct inq_sink *out, struct inq_err *err)
{
	struct inq_err why;

	(void)inq_fail(&why, st, "cpu %u: more than %d %s, the others are left out",
		       (unsigned int)sc->cpu->index, max, what);
	return inq_gap(out, NULL, 0, 0, &why, err);
}

/* Counts one more of either kind; *ret_put: it gets a row. */
static enum inq_status count_refused(struct scan *sc, bool doubtful, bool *ret_put,
				     struct inq_sink *out, struct inq_err *err)
{
	int *nr = doubtful ? &sc->nr_doubtful : &sc->nr_refused;

	*ret_put = *nr < REFUSED_MAX;
	if ((*nr)++ != REFUSED_MAX)
		return INQ_OK;
	return doubtful ? left_out(sc, INQ_EABSENT, REFUSED_MAX,
				   "entries map 1 GiB while CPUID is unknown", out, err)
			: left_out(sc, INQ_ECORRUPT, REFUSED_MAX, "entries that no CPU accepts",
				   out, err);
}

static enum inq_status put_refused(struct scan *sc, uint64_t linear, const struct paging_step *s,
				   struct inq_sink *out, struct inq_err *err)
{
	const struct paging_mode *mode = &sc->ps->mode;
	char why[128];
	bool put = false;
	enum inq_status st = count_refused(sc, s->verdict == PAGING_OK, &put, out, err);

	if (st || !put)
		return st;
	paging_explain(mode, s, why, sizeof(why));
	return INQ_ROW(out, err, INQ_V_INT(sc->m->sample.sample_id), INQ_V_INT(sc->cpu->index),
		       INQ_V_ADDR(linear), INQ_V_TEXT(paging_table_name(s->level)),
		       INQ_V_INT(paging_index(mode, s->level, linear)), INQ_V_ADDR(s->entry_addr),
		       INQ_V_INT((int64_t)s->entry),
		       s->verdict == PAGING_OK ? INQ_V_NULL
					       : INQ_V_INT(s->verdict == PAGING_NO_GBPAGES),
		       v_text(why));
}

/* The linear address at which the table's entry begins, sign-extended at the root. */
static uint64_t linear_at(const struct paging_mode *mode, int level, uint64_t base, unsigned int i)
{
	uint64_t lin = base + ((uint64_t)i << paging_shift(mode, level));
	int width = paging_shift(mode, mode->levels) + 9;

	return lin >> (width - 1) & 1 ? lin | ~((UINT64_C(1) << width) - 1) : lin;
}

static enum inq_status scan_table(struct scan *sc, int level, uint64_t table, uint64_t base,
				  struct inq_sink *out, struct inq_err *err)
{
	const struct paging_mode *mode = &sc->ps->mode;
	uint64_t page[ENTRIES]; /* host and target are both little-endian: loader/ refuses others */
	enum inq_status st = INQ_OK;
	struct inq_err why;

	if (sc->nr_tables++ == TABLES_MAX)
		return left_out(sc, INQ_ECORRUPT, TABLES_MAX, "page tables", out, err);
	if (sc->nr_tables > TABLES_MAX)
		return INQ_OK;
	if (inq_read(sc->ps->base.lower, table, page, sizeof(page), &why))
		return inq_gap(out, sc->ps->base.lower, table, sizeof(page), &why, err);
	for (unsigned int i = 0; !st && i < ENTRIES; i++) {
		struct paging_step s = {
			.level = level, .entry_addr = table + (uint64_t)i * 8, .entry = page[i]};
		uint64_t linear = linear_at(mode, level, base, i);
		s.verdict = paging_judge(mode, level, s.entry);
		bool doubtful = s.verdict == PAGING_OK && level == LOWEST && mode->gbpages < 0 &&
				paging_is_leaf(mode, level, s.entry);
		if (doubtful || s.verdict == PAGING_RESERVED || s.verdict == PAGING_NO_GBPAGES)
			st = put_refused(sc, linear, &s, out, err);
		else if (s.verdict == PAGING_OK && level > LOWEST)
			st = scan_table(sc, level - 1, s.entry & paging_bits(51, 12), linear, out,
					err);
	}
	return st;
}

/* Once for all CPUs that use the same tables. */
static bool seen_before(const struct inq_machine *m, const struct inq_cpu *cpu)
{
	const struct paging_space *a = paging_space_of(cpu->virt);

	for (uint32_t i = 0; i < cpu->index && i < m->nr_cpus; i++) {
		const struct inq_space *v = m->cpus[i].virt;
		const struct paging_space *b = v ? paging_space_of(v) : NULL;
		if (b && b->mode.root == a->mode.root && v->lower == cpu->virt->lower)
			return true;
	}
	return false;
}

static enum inq_status refused_of(const struct inq_machine *m, const struct inq_cpu *cpu,
				  struct inq_sink *out, struct inq_err *err)
{
	const struct paging_space *ps = cpu->virt ? paging_space_of(cpu->virt) : NULL;
	struct scan sc = {.m = m, .cpu = cpu, .ps = ps};

	if (!ps || ps->mode.kind != PAGING_CPU || ps->mode.levels < 4 || seen_before(m, cpu))
		return INQ_OK;
	return scan_table(&sc, ps->mode.levels, ps->mode.root, 0, out, err);
}

static enum inq_status run_refused(const struct inq_machine *m, struct inq_sink *out,
				   struct inq_err *err)
{
	return each_cpu(m, out, refused_of, err);
}

const struct inq_collector collect_pt_entry = {
	.table = "pt_entry",
	.doc = "walks to every CPU's code, stack, tables and last page fault",
	.cols = entry_cols,
	.nr_keys = 4,
	.run = run_entry,
};

const struct inq_collector collect_pt_refused = {
	.table = "pt_refused",
	.doc = "entries of the upper page tables in use that no CPU accepts",
	.cols = refused_cols,
	.nr_keys = 3,
	.run = run_refused,
};
