/* Knows the list of scenarios. */
#include "vmm/scenarios/scenarios.h"

#include <string.h>

#define SCENARIO_ENTRY(n) &vmm_scenario_##n,
static const struct vmm_scenario *const scenarios[] = {VMM_SCENARIOS(SCENARIO_ENTRY)};

const struct vmm_scenario *vmm_scenario_at(size_t i)
{
	return i < sizeof(scenarios) / sizeof(*scenarios) ? scenarios[i] : NULL;
}

const struct vmm_scenario *vmm_scenario_find(const char *name)
{
	const struct vmm_scenario *s = NULL;

	for (size_t i = 0; (s = vmm_scenario_at(i)); i++)
		if (!strcmp(s->name, name))
			break;
	return s;
}

const char *vmm_scenario_kind_name(enum vmm_scenario_kind kind)
{
	static const char *const names[] = {
		[VMM_FAULT] = "fault", [VMM_FINE] = "fine", [VMM_NEAR_MISS] = "near-miss"};

	return names[kind];
}

const char *vmm_scenario_machines_name(enum vmm_machines machines)
{
	static const char *const names[] = {
		[VMM_ON_SVM] = "svm", [VMM_ON_VMX] = "vmx", [VMM_ON_BOTH] = "svm,vmx"};

	return names[machines];
}
