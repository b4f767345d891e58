/* Names of model-specific registers. */
#ifndef ARCH_X86_64_MSR_H
#define ARCH_X86_64_MSR_H

#include <stdint.h>

/* "IA32_EFER", "SMBASE", "MSR_KVM_STEAL_TIME", ...; NULL when it has no name here.  Static. */
const char *x86_64_msr_name(uint32_t index);

#endif
