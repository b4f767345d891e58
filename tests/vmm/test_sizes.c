/* The sizes that docs/snapshot-format.md gives are those of the kernel's structures. */
#include <stddef.h>

#include <inquest/snapshot.h>
#include <linux/kvm.h>

#define IS(type, size) _Static_assert(sizeof(struct type) == (size), #type)
IS(kvm_regs, 144);
IS(kvm_sregs, 312);
IS(kvm_sregs2, 320);
IS(kvm_debugregs, 128);
IS(kvm_lapic_state, 1024);
IS(kvm_vcpu_events, 64);
IS(kvm_mp_state, 4);
IS(kvm_msr_entry, 16);
IS(kvm_cpuid_entry2, 40);
IS(kvm_xcrs, 392);
IS(kvm_irqchip, 520);
IS(kvm_pit_state2, 112);
IS(kvm_clock_data, 48);
IS(inq_snap_tsc, 16);
IS(inq_snap_note, 24);
IS(inq_snap_header, 288);
IS(inq_snap_slot, 40);
IS(inq_snap_bulk, 32);
IS(inq_snap_step, 32);
IS(inq_snap_step_regs, 184);
_Static_assert(offsetof(struct kvm_run, kvm_valid_regs) == 288, "end of the exit union");
_Static_assert(offsetof(struct kvm_nested_state, size) == 4, "kvm_nested_state.size");
_Static_assert(offsetof(struct kvm_sregs2, flags) == 280, "kvm_sregs2.flags");
_Static_assert(offsetof(struct kvm_vcpu_events, smi) == 24, "kvm_vcpu_events.smi");
_Static_assert(offsetof(struct inq_snap_header, nonce) == 72, "nonce");
_Static_assert(offsetof(struct inq_snap_header, notes_crc) == 88, "notes_crc");
_Static_assert(offsetof(struct inq_snap_header, producer) == 96, "producer");

int main(void)
{
	return 0;
}
