/* What belongs to the whole VM and to no vCPU: interrupt controllers, PIT, kvmclock. */
#ifndef VMM_VMSTATE_H
#define VMM_VMSTATE_H

#include "snap/notes.h"
#include "vmm/vm.h"

/* state[k], error[k]: as in struct vmm_state. */
struct vmm_vmstate {
	struct kvm_irqchip chip[3]; /* PIC1, PIC2, IOAPIC */
	struct kvm_pit_state2 pit;
	struct kvm_clock_data clock;
	uint16_t state[INQ_SNAP_CLOCK + 1], error[INQ_SNAP_CLOCK + 1];
};

/*
 * All vCPUs are parked.  Call it before vmm_state_take(): an interrupt on its way from here to a
 * LAPIC is then in one of the two.
 */
void vmm_vmstate_take(struct vmm_vmstate *ret, const struct vmm_vm *vm);
void vmm_vmstate_add_notes(const struct vmm_vmstate *s, struct snap_notes *n);

#endif
