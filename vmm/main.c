/* Knows the commands of inquest-vmm, their options, and the exit codes. */
#include <errno.h>
#include <getopt.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <unistd.h>

#include "base/wrap.h"
#include "vmm/caps.h"
#include "vmm/resume.h"
#include "vmm/run.h"

enum { EXIT_OK = 0, EXIT_GUEST = 1, EXIT_USAGE = 2 };

static const char top_help[] =
	"inquest-vmm runs a small guest on KVM and writes the whole machine to an ELF core.\n"
	"\n"
	"  inquest-vmm caps\n"
	"      what this KVM offers, and what a snapshot will lack\n"
	"  inquest-vmm scenarios\n"
	"      the guests that are built in\n"
	"  inquest-vmm run --scenario hlt-if0 --snapshot dead.core\n"
	"      run one until it is stuck, write dead.core (a fresh guest each time)\n"
	"  inquest-vmm run --scenario smm-spin --seed 7 --vcpus 2 --snapshot spin.core\n"
	"      the same guest again: everything is drawn from the seed\n"
	"  inquest-vmm resume spin.core --for 100 --snapshot later.core\n"
	"      go on from a snapshot, for 100 ms, and write another\n"
	"  inquest-vmm draw --scenario smm-spin --seed 7\n"
	"      what is drawn for that seed (never in the snapshot)\n"
	"\n"
	"Then: inquest report spin.core.  More: inquest-vmm COMMAND --help.\n"
	"Exit codes: 0 fine, 1 the guest or KVM failed, 2 wrong usage.\n";

static const char run_help[] =
	"inquest-vmm run --scenario NAME --snapshot FILE [options]\n"
	"\n"
	"  --scenario NAME   which guest; inquest-vmm scenarios lists them\n"
	"  --snapshot FILE   where the core goes; appears complete or not at all;\n"
	"                    replaces a core, but no other file\n"
	"  --seed N          draw the guest from N; without it a fresh one, printed\n"
	"  --vcpus N         1 to 32, default 2\n"
	"  --memory MIB      16 to 65536, default 64\n"
	"  --after MS        let it be stuck for so long before the snapshot, default 200\n"
	"  --to-end          instead: until every vCPU gave its result (checksum)\n"
	"  --timeout S       give up when it is not stuck by then, default 30\n"
	"  --serial FILE     the guest's serial port; - is standard output, the default\n"
	"  --fill            no page of the guest's memory is zero (for measurements)\n"
	"  --timing          print write_ns, written_bytes, file_bytes of the snapshot\n"
	"\n"
	"When the snapshot is taken, but for --after: the guest dies, panics (port 0x505) or ends\n"
	"(port 0xf4), and with\n"
	"  --hang MS         a vCPU stays in 512 bytes of code for so long, never halted, with\n"
	"                    interrupts off, in SMM, or a timer interrupt pending and not taken\n"
	"  --smm-limit MS    a vCPU is in SMM for longer, without leaving it\n"
	"  --control PATH    a unix socket that takes a JSON object per line: {\"do\":VERB}, with\n"
	"                    snapshot (\"file\"), pause, resume, nmi and smi (\"vcpu\", else all), "
	"step\n"
	"                    (\"vcpu\", \"n\" up to 64), quit; the run goes on until quit\n"
	"SIGUSR1 takes one into FILE.1, FILE.2, ... and the guest goes on.\n"
	"\n"
	"  --smi-every MS    an SMI for every vCPU, again and again\n"
	"  --nmi-every MS    an NMI likewise\n"
	"\n"
	"  inquest-vmm run --scenario smm-spin --snapshot spin.core\n"
	"  inquest-vmm run --scenario hlt-if0 --memory 1024 --fill --timing --snapshot big.core\n";

static const char resume_help[] =
	"inquest-vmm resume FILE [options]\n"
	"\n"
	"The machine of a snapshot goes on as if nothing had happened: until every vCPU has given "
	"its\n"
	"result (port 0x600), one of them died, or the time is over.\n"
	"\n"
	"  --for MS          run for so long; 0: not at all\n"
	"  --step N          before that, N single steps of one vCPU, each printed\n"
	"  --vcpu N          which one steps, default 0\n"
	"  --snapshot FILE   write another snapshot at the end\n"
	"  --serial FILE     the guest's serial port; - is standard output, the default\n"
	"  --force           leave out what the snapshot lacks or this KVM cannot do\n"
	"\n"
	"  inquest-vmm resume spin.core --for 100 --snapshot later.core\n"
	"  inquest-vmm resume spin.core --step 20 --for 0\n";

static const char draw_help[] =
	"inquest-vmm draw --scenario NAME --seed N [--vcpus N] [--memory MIB]\n"
	"\n"
	"Prints what is drawn, as key=value lines, without KVM.  A run with the same options has\n"
	"exactly these facts:\n"
	"\n"
	"  inquest-vmm draw --scenario smm-spin --seed 7 | grep -e ^cpu= -e ^gate=\n";

static int complain(const char *what, const char *why, const char *advice)
{
	fprintf(stderr, "inquest-vmm: %s: %s; %s\n", what, why, advice);
	return EXIT_USAGE;
}

static int fail(enum inq_status st, const struct inq_err *err)
{
	fprintf(stderr, "inquest-vmm: %s\n", err->msg);
	return st == INQ_EUSAGE ? EXIT_USAGE : EXIT_GUEST;
}

/* What was printed must have arrived. */
static int finish(int code)
{
	if (fflush(stdout) || ferror(stdout)) {
		fprintf(stderr, "inquest-vmm: standard output: %s; make room\n", strerror(errno));
		return code ? code : EXIT_GUEST;
	}
	return code;
}

static bool number(const char *text, uint64_t least, uint64_t most, uint64_t *ret)
{
	char *end;

	errno = 0;
	uint64_t v = strtoull(text, &end, 0);
	if (errno || end == text || *end || *text == '-' || v < least || v > most)
		return false;
	*ret = v;
	return true;
}

enum option_id {
	OPT_SCENARIO = 256,
	OPT_SNAPSHOT,
	OPT_SEED,
	OPT_VCPUS,
	OPT_MEMORY,
	OPT_AFTER,
	OPT_TIMEOUT,
	OPT_SERIAL,
	OPT_FILL,
	OPT_TIMING,
	OPT_TO_END,
	OPT_FOR,
	OPT_STEP,
	OPT_VCPU,
	OPT_FORCE,
	OPT_HANG,
	OPT_SMM_LIMIT,
	OPT_SMI_EVERY,
	OPT_NMI_EVERY,
	OPT_CONTROL,
	OPT_HELP,
};

static const struct option run_options[] = {
	{"scenario", required_argument, NULL, OPT_SCENARIO},
	{"snapshot", required_argument, NULL, OPT_SNAPSHOT},
	{"seed", required_argument, NULL, OPT_SEED},
	{"vcpus", required_argument, NULL, OPT_VCPUS},
	{"memory", required_argument, NULL, OPT_MEMORY},
	{"after", required_argument, NULL, OPT_AFTER},
	{"timeout", required_argument, NULL, OPT_TIMEOUT},
	{"serial", required_argument, NULL, OPT_SERIAL},
	{"fill", no_argument, NULL, OPT_FILL},
	{"timing", no_argument, NULL, OPT_TIMING},
	{"to-end", no_argument, NULL, OPT_TO_END},
	{"hang", required_argument, NULL, OPT_HANG},
	{"smm-limit", required_argument, NULL, OPT_SMM_LIMIT},
	{"smi-every", required_argument, NULL, OPT_SMI_EVERY},
	{"nmi-every", required_argument, NULL, OPT_NMI_EVERY},
	{"control", required_argument, NULL, OPT_CONTROL},
	{"help", no_argument, NULL, OPT_HELP},
	{0},
};
static const struct option draw_options[] = {
	{"scenario", required_argument, NULL, OPT_SCENARIO},
	{"seed", required_argument, NULL, OPT_SEED},
	{"vcpus", required_argument, NULL, OPT_VCPUS},
	{"memory", required_argument, NULL, OPT_MEMORY},
	{"help", no_argument, NULL, OPT_HELP},
	{0},
};
static const struct option resume_options[] = {
	{"for", required_argument, NULL, OPT_FOR},
	{"step", required_argument, NULL, OPT_STEP},
	{"vcpu", required_argument, NULL, OPT_VCPU},
	{"snapshot", required_argument, NULL, OPT_SNAPSHOT},
	{"serial", required_argument, NULL, OPT_SERIAL},
	{"force", no_argument, NULL, OPT_FORCE},
	{"help", no_argument, NULL, OPT_HELP},
	{0},
};
static const struct option bare_options[] = {{"help", no_argument, NULL, OPT_HELP}, {0}};

/* What the options said; help: asked for. */
struct args {
	struct vmm_run run;
	struct vmm_resume resume;
	bool seed_given, help;
};

static int take_number_of(const char *help, const char *name, uint64_t least, uint64_t most,
			  uint64_t *ret)
{
	char why[96];

	if (number(optarg, least, most, ret))
		return EXIT_OK;
	snprintf(why, sizeof(why), "not a number from %" PRIu64 " to %" PRIu64, least, most);
	char what[64];
	snprintf(what, sizeof(what), "--%s %.32s", name, optarg);
	return complain(what, why, help);
}

static int take_number(const char *name, uint64_t least, uint64_t most, uint64_t *ret)
{
	return take_number_of("see inquest-vmm run --help", name, least, most, ret);
}

static int take_resume_option(int id, struct args *a)
{
	static const char help[] = "see inquest-vmm resume --help";
	struct vmm_resume *r = &a->resume;
	uint64_t n = 0;
	int bad = 0;

	switch (id) {
	case OPT_FOR:
		r->timed = true;
		return take_number_of(help, "for", 0, 86400000, &r->for_ms);
	case OPT_STEP:
		return take_number_of(help, "step", 1, 1000000, &r->steps);
	case OPT_VCPU:
		bad = take_number_of(help, "vcpu", 0, VMM_MAX_VCPUS - 1, &n);
		r->step_vcpu = (unsigned)n;
		return bad;
	case OPT_FORCE:
		r->force = true;
		return EXIT_OK;
	default:
		a->help = true;
		return EXIT_OK;
	}
}

static int take_option(int id, struct args *a)
{
	struct vmm_run *r = &a->run;
	uint64_t n = 0;
	int bad = 0;

	switch (id) {
	case OPT_SCENARIO:
		r->scenario = vmm_scenario_find(optarg);
		return r->scenario ? EXIT_OK
				   : complain(optarg, "unknown scenario",
					      "inquest-vmm scenarios lists them");
	case OPT_SNAPSHOT:
		r->snapshot = optarg;
		return EXIT_OK;
	case OPT_SEED:
		a->seed_given = true;
		return take_number("seed", 0, UINT64_MAX, &r->seed);
	case OPT_VCPUS:
		bad = take_number("vcpus", 1, VMM_MAX_VCPUS, &n);
		r->nr_vcpus = (unsigned)n;
		return bad;
	case OPT_MEMORY:
		return take_number("memory", VMM_MIN_MIB, VMM_MAX_MIB, &r->mib);
	case OPT_AFTER:
		return take_number("after", 0, 86400000, &r->after_ms);
	case OPT_TIMEOUT:
		return take_number("timeout", 1, 86400, &r->timeout_s);
	case OPT_SERIAL:
		r->serial = optarg;
		return EXIT_OK;
	case OPT_FILL:
		r->fill = true;
		return EXIT_OK;
	case OPT_TO_END:
		r->to_end = true;
		return EXIT_OK;
	case OPT_TIMING:
		r->timing = true;
		return EXIT_OK;
	case OPT_HANG:
		return take_number("hang", 1, 86400000, &r->trigger.hang);
	case OPT_SMM_LIMIT:
		return take_number("smm-limit", 1, 86400000, &r->trigger.smm_limit);
	case OPT_SMI_EVERY:
		return take_number("smi-every", 1, 86400000, &r->trigger.smi_every);
	case OPT_NMI_EVERY:
		return take_number("nmi-every", 1, 86400000, &r->trigger.nmi_every);
	case OPT_CONTROL:
		r->control = optarg;
		return EXIT_OK;
	default:
		return take_resume_option(id, a);
	}
}

/* argv[0] is the command. */
static int parse(int argc, char **argv, const struct option *options, struct args *a)
{
	*a = (struct args){
		.run = {.serial = "-", .mib = 64, .after_ms = 200, .timeout_s = 30, .nr_vcpus = 2}};
	int id, bad = 0;

	opterr = 0;
	while (!bad && (id = getopt_long(argc, argv, ":h", options, NULL)) != -1) {
		if (id == ':')
			return complain(argv[optind - 1], "wants a value",
					"see inquest-vmm --help");
		if (id == '?')
			return complain(argv[optind - 1], "unknown option",
					"see inquest-vmm --help");
		bad = take_option(id, a);
	}
	if (!bad && options == resume_options && optind < argc)
		a->resume.path = argv[optind++];
	if (!bad && !a->help && optind < argc)
		return complain(argv[optind], "not expected here", "see inquest-vmm --help");
	return bad;
}

static int cmd_caps(int argc, char **argv)
{
	struct vmm_caps caps;
	struct inq_err err;
	struct args a;
	int fd, bad = parse(argc, argv, bare_options, &a);

	if (bad)
		return bad;
	if (a.help) {
		fputs(top_help, stdout);
		return EXIT_OK;
	}
	enum inq_status st = vmm_caps_open(&fd, &caps, &err);
	if (st)
		return fail(st, &err);
	vmm_caps_print(&caps, stdout);
	close(fd);
	return EXIT_OK;
}

static int cmd_scenarios(int argc, char **argv)
{
	struct args a;
	int bad = parse(argc, argv, bare_options, &a);
	const struct vmm_scenario *s;

	if (bad)
		return bad;
	if (a.help) {
		fputs(top_help, stdout);
		return EXIT_OK;
	}
	for (size_t i = 0; (s = vmm_scenario_at(i)); i++) {
		printf("%-18s %-9s  %-7s  ", s->name, vmm_scenario_kind_name(s->kind),
		       vmm_scenario_machines_name(s->machines));
		text_put_wrapped(stdout, s->doc, 39, 39);
	}
	return EXIT_OK;
}

static int cmd_draw(int argc, char **argv)
{
	struct vmm_plan *plan;
	struct inq_err err;
	struct args a;
	int bad = parse(argc, argv, draw_options, &a);

	if (bad)
		return bad;
	if (a.help) {
		fputs(draw_help, stdout);
		return EXIT_OK;
	}
	if (!a.run.scenario || !a.seed_given)
		return complain("draw", "--scenario and --seed are needed",
				"see inquest-vmm draw --help");
	enum inq_status st =
		vmm_plan_create(&plan, a.run.scenario, a.run.seed, a.run.nr_vcpus, a.run.mib, &err);
	if (st)
		return fail(st, &err);
	vmm_plan_print(plan, stdout);
	vmm_plan_destroy(plan);
	return EXIT_OK;
}

static int cmd_run(int argc, char **argv)
{
	struct inq_err err;
	struct args a;
	int bad = parse(argc, argv, run_options, &a);

	if (bad)
		return bad;
	if (a.help) {
		fputs(run_help, stdout);
		return EXIT_OK;
	}
	if (!a.run.scenario || !a.run.snapshot)
		return complain("run", "--scenario and --snapshot are needed",
				"see inquest-vmm run --help");
	if (!strcmp(a.run.serial, a.run.snapshot))
		return complain(a.run.serial, "named twice, --serial and --snapshot",
				"give another file for --serial");
	if (!a.seed_given) {
		uint32_t seed; /* short enough to type */

		if (getrandom(&seed, sizeof(seed), 0) != (ssize_t)sizeof(seed))
			return complain("run", "no random numbers", "give --seed N");
		a.run.seed = seed;
		a.run.fresh_seed = true;
	}
	enum inq_status st = vmm_run(&a.run, &err);
	return st ? fail(st, &err) : EXIT_OK;
}

static int cmd_resume(int argc, char **argv)
{
	struct inq_err err;
	struct args a;
	int bad = parse(argc, argv, resume_options, &a);

	if (bad)
		return bad;
	if (a.help) {
		fputs(resume_help, stdout);
		return EXIT_OK;
	}
	if (!a.resume.path)
		return complain("resume", "a snapshot is needed", "see inquest-vmm resume --help");
	a.resume.snapshot = a.run.snapshot;
	a.resume.serial = a.run.serial;
	enum inq_status st = vmm_resume(&a.resume, &err);
	return st ? fail(st, &err) : EXIT_OK;
}

static const struct {
	const char *name;
	int (*run)(int argc, char **argv);
} commands[] = {
	{"caps", cmd_caps},           {"run", cmd_run},   {"resume", cmd_resume},
	{"scenarios", cmd_scenarios}, {"draw", cmd_draw},
};

int main(int argc, char **argv)
{
	const char *name = argc > 1 ? argv[1] : NULL;

	if (!name)
		return complain("command", "missing", "see inquest-vmm --help");
	if (!strcmp(name, "--help") || !strcmp(name, "help") || !strcmp(name, "-h")) {
		fputs(top_help, stdout);
		return finish(EXIT_OK);
	}
	if (!strcmp(name, "--version")) {
		puts("inquest-vmm " INQ_VERSION);
		return finish(EXIT_OK);
	}
	for (size_t i = 0; i < sizeof(commands) / sizeof(*commands); i++)
		if (!strcmp(commands[i].name, name))
			return finish(commands[i].run(argc - 1, argv + 1));
	return complain(name, "unknown command", "see inquest-vmm --help");
}
