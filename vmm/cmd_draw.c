/* Knows the options of `inquest-vmm draw`. */
#include <stdio.h>

#include "vmm/commands.h"
#include "vmm/options.h"
#include "vmm/scenarios/scenarios.h"

static const char draw_help[] =
	"inquest-vmm draw --scenario NAME --seed N [--vcpus N] [--memory MIB]\n"
	"\n"
	"Prints what is drawn, as key=value lines, without KVM.  A run with the same options has\n"
	"exactly these facts:\n"
	"\n"
	"  inquest-vmm draw --scenario smm-spin --seed 7 | grep -e ^cpu= -e ^gate=\n";

struct draw {
	const struct vmm_scenario *scenario;
	uint64_t seed, mib;
	unsigned nr_vcpus;
	bool seed_given;
};

static int take_scenario(const char *value, void *to)
{
	struct draw *d = to;

	d->scenario = vmm_scenario_find(value);
	return d->scenario ? VMM_EXIT_OK
			   : vmm_complain(value, "unknown scenario",
					  "inquest-vmm scenarios lists them");
}

#define AT(member) offsetof(struct draw, member)
static const struct vmm_option options[] = {
	{.name = "scenario", .kind = VMM_OPTION_TAKE, .take = take_scenario},
	{"seed", VMM_OPTION_NUMBER, AT(seed), AT(seed_given), 0, UINT64_MAX},
	{"vcpus", VMM_OPTION_UNSIGNED, AT(nr_vcpus), 0, 1, VMM_MAX_VCPUS},
	{"memory", VMM_OPTION_NUMBER, AT(mib), 0, VMM_MIN_MIB, VMM_MAX_MIB},
	{0},
};
#undef AT
static const struct vmm_command command = {"draw", draw_help, options, false};

int vmm_cmd_draw(int argc, char **argv)
{
	struct draw d = {.mib = 64, .nr_vcpus = 2};
	struct vmm_plan *plan;
	const char *none;
	struct inq_err err;
	int end = vmm_options_parse(&command, argc, argv, &d, &none);

	if (end >= 0)
		return end;
	if (!d.scenario || !d.seed_given)
		return vmm_complain("draw", "--scenario and --seed are needed",
				    "see inquest-vmm draw --help");
	enum inq_status st = vmm_plan_create(&plan, d.scenario, d.seed, d.nr_vcpus, d.mib, &err);
	if (st)
		return vmm_fail(st, &err);
	vmm_plan_print(plan, stdout);
	vmm_plan_destroy(plan);
	return VMM_EXIT_OK;
}
