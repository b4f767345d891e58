/* Knows the commands of inquest-vmm, and the small ones' own work. */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/wrap.h"
#include "vmm/caps.h"
#include "vmm/commands.h"
#include "vmm/options.h"
#include "vmm/scenarios/scenarios.h"

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

/* What was printed must have arrived. */
static int finish(int code)
{
	if (fflush(stdout) || ferror(stdout)) {
		fprintf(stderr, "inquest-vmm: standard output: %s; make room\n", strerror(errno));
		return code ? code : VMM_EXIT_GUEST;
	}
	return code;
}

static const struct vmm_option no_options[] = {{0}};

static int cmd_caps(int argc, char **argv)
{
	static const struct vmm_command command = {"caps", top_help, no_options, false};
	struct vmm_caps caps;
	struct inq_err err;
	const char *none;
	int fd, end = vmm_options_parse(&command, argc, argv, NULL, &none);

	if (end >= 0)
		return end;
	enum inq_status st = vmm_caps_open(&fd, &caps, &err);
	if (st)
		return vmm_fail(st, &err);
	vmm_caps_print(&caps, stdout);
	close(fd);
	return VMM_EXIT_OK;
}

static int cmd_scenarios(int argc, char **argv)
{
	static const struct vmm_command command = {"scenarios", top_help, no_options, false};
	const struct vmm_scenario *s;
	const char *none;
	int end = vmm_options_parse(&command, argc, argv, NULL, &none);

	if (end >= 0)
		return end;
	for (size_t i = 0; (s = vmm_scenario_at(i)); i++) {
		printf("%-18s %-9s  %-7s  ", s->name, vmm_scenario_kind_name(s->kind),
		       vmm_scenario_machines_name(s->machines));
		text_put_wrapped(stdout, s->doc, 39, 39);
	}
	return VMM_EXIT_OK;
}

static const struct {
	const char *name;
	int (*run)(int argc, char **argv);
} commands[] = {
	{"caps", cmd_caps},           {"run", vmm_cmd_run},   {"resume", vmm_cmd_resume},
	{"scenarios", cmd_scenarios}, {"draw", vmm_cmd_draw},
};

int main(int argc, char **argv)
{
	const char *name = argc > 1 ? argv[1] : NULL;

	if (!name)
		return vmm_complain("command", "missing", "see inquest-vmm --help");
	if (!strcmp(name, "--help") || !strcmp(name, "help") || !strcmp(name, "-h")) {
		fputs(top_help, stdout);
		return finish(VMM_EXIT_OK);
	}
	if (!strcmp(name, "--version")) {
		puts("inquest-vmm " INQ_VERSION);
		return finish(VMM_EXIT_OK);
	}
	for (size_t i = 0; i < sizeof(commands) / sizeof(*commands); i++)
		if (!strcmp(commands[i].name, name))
			return finish(commands[i].run(argc - 1, argv + 1));
	return vmm_complain(name, "unknown command", "see inquest-vmm --help");
}
