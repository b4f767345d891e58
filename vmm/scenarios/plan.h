/* A guest worked out from a seed: what lies in its memory and where its vCPUs start.  No KVM. */
#ifndef VMM_PLAN_H
#define VMM_PLAN_H

#include <stdio.h>

#include "vmm/memory.h"
#include "vmm/scenarios/frag.h"

/* What a vCPU does outside SMM. */
enum vmm_role {
	VMM_ROLE_COUNT,   /* counts in memory for ever */
	VMM_ROLE_HALT,    /* halts with interrupts off */
	VMM_ROLE_IDLE,    /* sleeps, and counts its timer's interrupts */
	VMM_ROLE_HIT,     /* counts until something hits it */
	VMM_ROLE_TRAPPED, /* counts, with an exception after each instruction; no POST of its own */
	VMM_ROLE_STUCK,   /* waits for what never comes */
	VMM_ROLE_WORK,    /* works on a result, and counts its timer's interrupts meanwhile */
};

/* Checkpoints: what the guest writes to port 0x80. */
enum vmm_post {
	VMM_POST_COUNTING = 0x10,
	VMM_POST_HALTING = 0x20,
	VMM_POST_TICKING = 0x30, /* third interrupt of the timer */
	VMM_POST_WORKING = 0x40, /* a quarter is done */
	VMM_POST_SMI = 0x51,     /* handler entered */
	VMM_POST_LOOP = 0x52,    /* a few instructions before the loop */
	VMM_POST_LEFT = 0x5f,    /* the handler's end: never seen when it has a dead one */
	VMM_POST_STUCK = 0x70,   /* from here on it waits for ever, or dies */
};

struct vmm_plan_cpu {
	enum vmm_role role;
	uint64_t smbase;
	uint64_t gpr[16]; /* at start, in the order of machine encoding: rax rcx rdx rbx rsp ... */
	uint64_t code_gpa, data_gpa; /* its code; its page of IDT and what follows */
	uint64_t counter;            /* gpa of 8 bytes that grow while it lives */
	uint8_t vector;              /* of its timer, or of whom M_HANDLER serves; 0: none */
	uint8_t ipi_vector;          /* of M_IPI */
	uint8_t fault_vector;        /* of M_FAULT */
	bool fault_ist;              /* M_FAULT on IST 1 */
	bool nmi_ist;                /* M_NMI on a stack of its own, IST 1 */
	bool user;                   /* works in user mode */
	bool flat;                   /* 32-bit protected mode without paging, in hardware tasks */
	bool sums;                   /* has a table and gives a result: */
	uint64_t table_seed;
	uint32_t sum;
	struct vmm_code code;    /* outside SMM, begins at its first instruction */
	struct vmm_code handler; /* at smbase + 0x8000; len 0: just RSM */
};

/* A hardware task of a flat vCPU; its TSS lies in that vCPU's data.  gpr: in the TSS's order, which
 * is that of machine encoding. */
enum { VMM_MAX_TASKS = 3 };

struct vmm_plan_task {
	uint32_t selector, tss, eip, eflags, gpr[8];
};

/* A word of RAM that means something and holds a value before the first instruction. */
struct vmm_plan_word {
	const char *name;
	uint64_t gpa, value;
	uint8_t width;
};

/* An entry of the page tables that is unlike the others, and what leads there. */
struct vmm_plan_entry {
	uint64_t gpa, value, linear;
};

struct vmm_gate {
	uint64_t addr, value, mask, want, open; /* open: a value that ends the loop */
	enum vmm_pred pred;
	uint8_t width;
	bool in_smram;
	bool on_stack; /* the handler's own: nobody else has a reason to write it */
};

struct vmm_plan {
	const struct vmm_scenario *scenario;
	uint64_t seed, mib;
	unsigned nr_vcpus;
	uint64_t high;      /* linear address of guest-physical 0, beside linear 0 */
	uint64_t smi_every; /* ms; 0: no storm */
	unsigned hit;       /* the vCPU that the scenario is about; nr_vcpus: none */
	bool user;          /* user mode may see all memory; a TSS per vCPU */
	uint64_t dr7;       /* what the hit vCPU's guest puts into DR7; 0: nothing */
	uint64_t nested;    /* pages of a hypervisor on the hit vCPU; 0: none */
	uint64_t npt;       /* its nested page tables; 0: none */
	uint64_t ept;       /* VMX: what it makes of .entry in them */
	uint64_t l2_gpa;
	struct vmm_code l2; /* its guest */
	unsigned bits;      /* processor mode of the loop, 0: no loop */
	char shape[17];     /* fragment of the loop */
	struct vmm_gate gate;
	uint64_t insn, first, end, writer; /* linear; writer 0: nobody writes the gate */
	bool has_other;
	unsigned other;              /* the vCPU that .hit waits for */
	struct vmm_plan_entry entry; /* gpa 0: none */
	uint64_t mptable;            /* gpa of the MP table; 0: no tables */
	uint16_t mptable_more;       /* entries that it claims and has not */
	unsigned nr_tasks;           /* of the hit vCPU, which begins in the first */
	struct vmm_plan_task task[VMM_MAX_TASKS];
	struct vmm_plan_word word[4];
	unsigned nr_words;
	struct vmm_plan_cpu cpu[VMM_MAX_VCPUS];
};

/* Guest-physical layout outside SMM. */
enum {
	VMM_GPA_PML4 = 0x2000,
	VMM_GPA_PDPT = 0x3000,
	VMM_GPA_PD = 0x4000, /* 4 pages: 4 GiB */
	VMM_GPA_GDT = 0x8000,
	VMM_GPA_TSS = 0x9000,
	VMM_GPA_TEXT = 0xc000,
	VMM_GPA_LOW_GATE = 0x10000, /* to LOW_END */
	VMM_GPA_LOW_END = 0x9f000,
	VMM_GPA_CODE = 0x100000,  /* VMM_CPU_BYTES per vCPU */
	VMM_GPA_DATA = 0x200000,  /* VMM_CPU_BYTES per vCPU: IDT, counter, stack */
	VMM_GPA_GATE = 0x300000,  /* to SMRAM */
	VMM_GPA_SMRAM = 0x400000, /* from here on windows may lie */
	VMM_CPU_BYTES = 0x4000,
	VMM_CPU_GDT = 0x800,    /* in a vCPU's data: a flat one's GDT, behind its IDT */
	VMM_CPU_TASKS = 0x2000, /* and its TSSs: VMM_TASK_BYTES for each */
	VMM_CPU_TABLE = 0x2000,
	VMM_CPU_USER_STACK = 0x3000,
	VMM_CPU_CALL_STACK = 0x3800, /* of what interrupts user mode, or IST 1 */
	VMM_TABLE_ENTRIES = 256,
	VMM_TSS_BYTES = 0x80,
	VMM_TASK_BYTES = 0x400,
	VMM_FLAT_DESCRIPTORS = 32, /* in a flat vCPU's GDT */
	VMM_FLAT_TSS_LIMIT = 103,
};

/* Offsets in an SMRAM window. */
enum {
	VMM_SMM_TABLES = 0x0, /* 6 pages */
	VMM_SMM_GDT = 0x6000,
	VMM_SMM_GDTR = 0x6040,
	VMM_SMM_IDTR = 0x6048,
	VMM_SMM_IDT = 0x6200,   /* 32 gates */
	VMM_SMM_STACK = 0x7000, /* to CODE */
	VMM_SMM_CODE = 0x8000,
	VMM_SMM_DATA = 0xa000, /* to SAVE, less what KVM writes */
	VMM_SMM_DATA_END = 0xfc00,
};

/* Draw everything.  The same arguments give the same plan on every machine. */
INQ_MUST enum inq_status vmm_plan_create(struct vmm_plan **ret, const struct vmm_scenario *s,
					 uint64_t seed, unsigned nr_vcpus, uint64_t mib,
					 struct inq_err *err);
/* NULL is fine. */
void vmm_plan_destroy(struct vmm_plan *p);

/* Building blocks for scenarios. */
INQ_MUST enum inq_status vmm_plan_start(struct vmm_plan *p, unsigned cpu, struct vmm_rng *rng,
					struct inq_err *err); /* what precedes its role's code */
INQ_MUST enum inq_status vmm_plan_count(struct vmm_plan *p, struct vmm_rng *rng,
					struct inq_err *err); /* all vCPUs count */
/* cpu begins in 32-bit protected mode without paging: call it before anything is drawn for it. */
void vmm_plan_flat(struct vmm_plan *p, unsigned cpu);
/* cpu sleeps, and serves its periodic timer. */
INQ_MUST enum inq_status vmm_plan_idle(struct vmm_plan *p, unsigned cpu, struct vmm_rng *rng,
				       struct inq_err *err);
/* Draw vector and period: `least` to three times that, in ns.  lvt: the timer's mode bits. */
void vmm_plan_timer(struct vmm_plan_cpu *c, uint32_t lvt, uint32_t least, struct vmm_rng *rng);
/* A word of its own somewhere in RAM; returns its linear address.  At most 4 in a plan. */
uint64_t vmm_plan_word(struct vmm_plan *p, const char *name, uint8_t width, uint64_t value,
		       struct vmm_rng *rng);
/* Draw a gate that fits, and set every value that a shape can ask for. */
void vmm_gate_draw(struct vmm_plan *p, const struct vmm_frag *shape, bool shared,
		   struct vmm_rng *rng);

/* Lay code, tables and the gate into memory. */
INQ_MUST enum inq_status vmm_plan_install(const struct vmm_plan *p, struct vmm_memory *m,
					  struct inq_err *err);

/* The gate's bytes, in SMRAM or RAM; NULL when the memory has no such place. */
uint8_t *vmm_plan_gate(const struct vmm_plan *p, const struct vmm_memory *m);
void vmm_plan_gate_write(const struct vmm_plan *p, struct vmm_memory *m, uint64_t value);

/* "key=value" lines: what was drawn. */
void vmm_plan_print(const struct vmm_plan *p, FILE *to);

#endif
