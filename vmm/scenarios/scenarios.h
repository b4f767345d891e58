/* Adding a scenario: one new file, one name in this list, one line in meson.build. */
#ifndef VMM_SCENARIOS_H
#define VMM_SCENARIOS_H

#include "vmm/scenarios/plan.h"

#define VMM_SCENARIOS(X)                                                                           \
	X(smm_spin)                                                                                \
	X(hlt_if0)                                                                                 \
	X(checksum)                                                                                \
	X(healthy)                                                                                 \
	X(smm_gate_open)                                                                           \
	X(smm_gate_written)                                                                        \
	X(smm_rdtsc_bounded)                                                                       \
	X(lapic_masked)                                                                            \
	X(lapic_stopped)                                                                           \
	X(deadlock)                                                                                \
	X(ipi_lost)                                                                                \
	X(triple_fault)                                                                            \
	X(healthy_busy)                                                                            \
	X(nmi_masked)                                                                              \
	X(nmi_pending_irq)                                                                         \
	X(nmi_intgate)                                                                             \
	X(nmi_nested)                                                                              \
	X(nmi_iret_gp)                                                                             \
	X(singlestep_leak)                                                                         \
	X(nmi_served)                                                                              \
	X(nmi_task_switch)                                                                         \
	X(nmi_task_served)                                                                         \
	X(smm_dr7gd)                                                                               \
	X(smm_dr7gd_l1)                                                                            \
	X(smm_dr7gd_svm)                                                                           \
	X(smm_dr7gd_noload)                                                                        \
	X(smm_dr7gd_fixed)                                                                         \
	X(rsvd_bit)                                                                                \
	X(pdpe1gb)                                                                                 \
	X(stack_overflow)                                                                          \
	X(mptable_count)                                                                           \
	X(mptable_fine)                                                                            \
	X(nmi_iret_npf)                                                                            \
	X(ept_misconfig)                                                                           \
	X(checksum_l2)                                                                             \
	X(checksum_smm)                                                                            \
	X(lapic_x2apic_mix)                                                                        \
	X(ioapic_remote_irr)                                                                       \
	X(smi_storm)                                                                               \
	X(smi_often)                                                                               \
	X(smm_rendezvous)

enum { VMM_HOLD_STEPS = 40 /* padding, and some passes of the loop */ };

enum vmm_scenario_kind {
	VMM_FAULT,     /* something is wrong with the machine */
	VMM_FINE,      /* nothing is */
	VMM_NEAR_MISS, /* looks like a fault and is none */
};

/* Testbeds: KVM on AMD as QEMU emulates it, KVM on Intel as Bochs does (docs of
 * tests/bed/machines.py). */
enum vmm_machines {
	VMM_ON_SVM = 1,
	VMM_ON_VMX = 2, /* there a guest that spins with IF = 0 never gives control back */
	VMM_ON_BOTH = VMM_ON_SVM | VMM_ON_VMX,
};

/* What is done to the hit vCPU once all others are where they should be. */
enum vmm_scenario_do {
	VMM_STEP_END,
	VMM_STEP_NMI,  /* an NMI */
	VMM_STEP_POST, /* wait until it writes .post to port 0x80 */
};
struct vmm_scenario_step {
	enum vmm_scenario_do what;
	int post, other; /* .other: or that one, where this may go either way; 0: no other */
};

struct vmm_scenario {
	const char *name, *doc;
	enum vmm_scenario_kind kind;
	enum vmm_machines machines;            /* where it was seen to work */
	bool storm;                            /* all get SMIs; KVM must have SMM */
	bool smm;                              /* the hit vCPU gets an SMI; KVM must have SMM */
	bool meet;                             /* so do all others, but p->other, and wait for it */
	const struct vmm_scenario_step *steps; /* NULL: none; ends with VMM_STEP_END */
	bool dies;    /* the hit vCPU takes a triple fault: that is how it shall end */
	bool returns; /* its SMI handler comes to its end */
	/* KVM on AMD debugs the hit vCPU, and so emulates its accesses to DR7 */
	bool guest_debug;
	/* from POST_LOOP on it makes single steps, and then none: in the vmx machine a loop without
	   interrupts would never give control back */
	bool hold;
	bool open_gate;    /* once stopped, the gate gets a value that ends the loop */
	const char *cpuid; /* changes of CPUID, unless the user names others; NULL: none */
	/* Lay down what is special, behind everything else; NULL: nothing.  False: no room. */
	bool (*install)(const struct vmm_plan *p, const struct vmm_memory *m);
	/* Fill in what this scenario is about; layout and registers are drawn. */
	enum inq_status (*draw)(struct vmm_plan *p, struct vmm_rng *rng, struct inq_err *err);
};

#define SCENARIO_DECLARE(n) extern const struct vmm_scenario vmm_scenario_##n;
VMM_SCENARIOS(SCENARIO_DECLARE)
#undef SCENARIO_DECLARE

/* The SMI handler of that vCPU: from its entry into the mode p->bits. */
INQ_MUST enum inq_status vmm_smm_enter(struct vmm_plan *p, unsigned cpu, struct vmm_rng *rng,
				       struct inq_err *err);

/* Each core has a result that counts the NMIs of the hit one, which that fragment serves. */
INQ_MUST enum inq_status vmm_nmi_serve(struct vmm_plan *p, const char *handler, struct vmm_rng *rng,
				       struct inq_err *err);

/* checksum's work for the hit vCPU's L2, whose code has its P_GATE and P_COUNTER. */
INQ_MUST enum inq_status vmm_sum_l2(struct vmm_plan *p, struct vmm_rng *rng, struct inq_err *err);

/* A handler that waits for a word of its own, in any mode, with a POST code each time. */
INQ_MUST enum inq_status vmm_smm_post_wait(struct vmm_plan *p, struct vmm_rng *rng,
					   struct inq_err *err);

/* NULL behind the last. */
const struct vmm_scenario *vmm_scenario_at(size_t i);
const struct vmm_scenario *vmm_scenario_find(const char *name);
const char *vmm_scenario_kind_name(enum vmm_scenario_kind kind);
/* "svm", "vmx" or "svm,vmx". */
const char *vmm_scenario_machines_name(enum vmm_machines machines);

#endif
