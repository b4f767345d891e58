/* `--watchpoint`: who wrote to a linear address last, by the CPU's own debug registers. */
#ifndef VMM_WATCHPOINT_H
#define VMM_WATCHPOINT_H

#include <linux/kvm.h>
#include <stdbool.h>
#include <stdint.h>

#include <inquest/err.h>

enum { VMM_MAX_WATCHPOINTS = 4 };

struct vmm_watchpoints {
	unsigned nr;
	struct {
		uint64_t linear;
		uint32_t bytes; /* 1, 2, 4 or 8; .linear is a multiple of it */
	} at[VMM_MAX_WATCHPOINTS];
};

/* "LINEAR[:LEN]" as one more, LEN else 8; false: it is none, or too many. */
bool vmm_watchpoints_add(struct vmm_watchpoints *w, const char *text);

/*
 * Make a guest of three bytes store to a watched one.  INQ_EUNSUPPORTED when that goes unnoticed:
 * under some emulators debug registers never fire, and a log would be empty for no reason.
 */
INQ_MUST enum inq_status vmm_watchpoints_test(int kvm, struct inq_err *err);

/* d also watches these.  NULL: d as it is. */
void vmm_watchpoints_arm(const struct vmm_watchpoints *w, struct kvm_guest_debug *d);

#endif
