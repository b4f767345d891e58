/* What a Windows kernel said when it stopped, and its processors as it lists them. */
#include "analyzers/collect/collectors.h"
#include "machine/windows.h"

static struct inq_value cpu_or_null(int64_t cpu)
{
	return cpu < 0 ? INQ_V_NULL : INQ_V_INT(cpu);
}

static struct inq_value text_or_null(const char *text)
{
	return text ? INQ_V_TEXT(text) : INQ_V_NULL;
}

static const struct inq_column bugcheck_cols[] = {
	{"code", INQ_INT, "code of the bug check"},
	{"name", INQ_TEXT, "its name, as in bugcodes.h; NULL: not in our table"},
	{"build", INQ_INT, "build number of Windows"},
	{"crashed_cpu", INQ_INT, "the processor that crashed"},
	{"hung_cpu", INQ_INT, "CLOCK_WATCHDOG_TIMEOUT: the processor that did not respond"},
	{"rip", INQ_ADDR, "where the processor was that crashed"},
	{"rsp", INQ_ADDR, "its stack pointer"},
	{"cr3", INQ_ADDR, "page-table root of the process that was current"},
	{"t_ns", INQ_INT, "time of the crash, ns since 1970"},
	{"no_list", INQ_TEXT, "why the kernel's list of processors is unknown; NULL: it was read"},
	{0},
};

static enum inq_status run_bugcheck(const struct inq_machine *m, struct inq_sink *out,
				    struct inq_err *err)
{
	const struct inq_windows *w = m->windows;

	if (!w)
		return INQ_OK;
	return INQ_ROW(out, err, INQ_V_INT(w->bugcheck),
		       text_or_null(machine_bugcheck_name(w->bugcheck)), INQ_V_INT(w->build),
		       cpu_or_null(w->crashed), cpu_or_null(w->hung),
		       w->has_context ? INQ_V_ADDR(w->rip) : INQ_V_NULL,
		       w->has_context ? INQ_V_ADDR(w->rsp) : INQ_V_NULL, INQ_V_ADDR(w->cr3),
		       w->t_known ? INQ_V_INT(w->t_ns) : INQ_V_NULL,
		       text_or_null(*w->why ? w->why : NULL));
}

const struct inq_collector collect_bugcheck = {
	.table = "bugcheck",
	.doc = "why a Windows kernel stopped: its bug check",
	.cols = bugcheck_cols,
	.nr_keys = 1,
	.run = run_bugcheck,
};

static const struct inq_column param_cols[] = {
	{"nr", INQ_INT, "which parameter of the bug check, 1 to 4"},
	{"value", INQ_ADDR, "its value"},
	{"meaning", INQ_TEXT, "what it says for this code; NULL: not in our table"},
	{0},
};

static enum inq_status run_params(const struct inq_machine *m, struct inq_sink *out,
				  struct inq_err *err)
{
	enum inq_status st = INQ_OK;

	for (unsigned int i = 0; m->windows && !st && i < 4; i++)
		st = INQ_ROW(out, err, INQ_V_INT(i + 1), INQ_V_ADDR(m->windows->param[i]),
			     text_or_null(machine_bugcheck_parameter(m->windows->bugcheck, i + 1)));
	return st;
}

const struct inq_collector collect_bugcheck_param = {
	.table = "bugcheck_param",
	.doc = "the parameters of a Windows bug check, with their meaning",
	.cols = param_cols,
	.nr_keys = 1,
	.run = run_params,
};

static const struct inq_column cpu_cols[] = {
	{"cpu", INQ_INT, "number of the processor"},
	{"prcb", INQ_ADDR, "linear address of its KPRCB"},
	{"has_context", INQ_INT, "1: its registers are in the dump"},
	{"has_special", INQ_INT, "1: its control registers are in the dump"},
	{0},
};

static enum inq_status run_cpus(const struct inq_machine *m, struct inq_sink *out,
				struct inq_err *err)
{
	const struct inq_windows *w = m->windows;
	enum inq_status st = INQ_OK;

	for (uint32_t i = 0; w && !st && i < w->nr_cpus; i++)
		st = INQ_ROW(out, err, INQ_V_INT(i),
			     w->cpus[i].prcb ? INQ_V_ADDR(w->cpus[i].prcb) : INQ_V_NULL,
			     INQ_V_INT(w->cpus[i].has_context), INQ_V_INT(w->cpus[i].has_special));
	return st;
}

const struct inq_collector collect_windows_cpu = {
	.table = "windows_cpu",
	.doc = "processors as the Windows kernel lists them",
	.cols = cpu_cols,
	.nr_keys = 1,
	.run = run_cpus,
};
