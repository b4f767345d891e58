/* In one line of text: why KVM could not run a vCPU on.  No KVM in here but its structures. */
#ifndef VMM_ENDS_H
#define VMM_ENDS_H

#include <stddef.h>
#include <stdint.h>

#include <linux/kvm.h>

enum { VMM_INSN_BYTES = 15 };

/* KVM_EXIT_FAIL_ENTRY: what the CPU said, with its name where that is certain. */
void vmm_ends_fail_entry(const struct kvm_run *run, char *to, size_t n);

/*
 * KVM_EXIT_INTERNAL_ERROR: suberror and its name, the instruction that KVM could not emulate (else
 * code[], nr_code bytes at RIP as memory holds them), data words as far as they fit.  Words that
 * hold the instruction are not told twice; those that do not fit are counted.
 */
void vmm_ends_internal(const struct kvm_run *run, const uint8_t *code, size_t nr_code, char *to,
		       size_t n);

#endif
