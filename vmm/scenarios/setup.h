/* A scenario's vCPU as it begins. */
#ifndef VMM_SCENARIO_SETUP_H
#define VMM_SCENARIO_SETUP_H

#include "vmm/scenarios/plan.h"
#include "vmm/vm.h"

/* Set a vCPU's CPUID, SMBASE and registers. */
INQ_MUST enum inq_status vmm_plan_setup(const struct vmm_plan *plan, struct vmm_vcpu *v,
					const struct kvm_cpuid2 *cpuid, struct inq_err *err);

#endif
