/* A dump, understood: CPUs, stacked address spaces.  Built by machine/, read by collectors. */
#ifndef INQ_MACHINE_H
#define INQ_MACHINE_H

#include <inquest/dump.h>
#include <inquest/regs.h>

struct inq_msr {
	uint32_t index;
	uint32_t known;
	uint64_t value; /* meaningless unless known */
};

struct inq_cpuid {
	uint32_t leaf, subleaf, flags, eax, ebx, ecx, edx;
};

struct inq_cpu {
	uint32_t index;             /* in the dump, from 0 */
	struct inq_regset regs;     /* also events and run state: see arch/x86_64/regs.def */
	const struct inq_msr *msrs; /* ascending index; NULL: unknown */
	size_t nr_msrs;
	const struct inq_cpuid *cpuid; /* NULL: unknown */
	size_t nr_cpuid;
	const uint8_t *lapic;  /* 1024 bytes, a register each 16; NULL: unknown */
	const uint8_t *nested; /* struct kvm_nested_state, nr_nested bytes that nobody has checked;
				  NULL: there is none, or see nested_known */
	size_t nr_nested;
	int nested_known;             /* 0: the dump does not tell whether there is any */
	const struct inq_space *phys; /* the dump's memory as the CPU sees it now: phys or smm */
	const struct inq_space *virt; /* linear addresses through its page tables, or phys without
					 paging; NULL when the control registers are unknown.  While
					 a guest of the guest runs, over that one's memory */
};

/* One picture of all CPUs.  Sample 0 is the snapshot itself. */
struct inq_sample {
	int64_t sample_id;
	const char *kind; /* "snapshot" */
	int64_t t_ns;     /* realtime; meaningless unless t_known */
	int t_known;
};

/* One thing that was found out about the kernel, and where. */
struct inq_kernel_fact {
	const char *fact;   /* "release", "build_id", "text", ...: analyzers/collect/kernel.c */
	const char *source; /* "vmcoreinfo", "image", "cr3", "cr4", "idtr", "lstar", "gs" */
	uint32_t cpu;       /* whose register it is, or INQ_SNAP_VM */
	const struct inq_space *space; /* in which it was read at addr; NULL: note or register */
	uint64_t addr;
	uint64_t value; /* unless text says it */
	char text[65];  /* "": value says it */
};

/* Where the tables of the kernel's names lie, by the names that Linux gives them; 0: unknown. */
struct inq_kallsyms_place {
	uint64_t names, num_syms, token_table, token_index;
	uint64_t offsets;       /* or kallsyms_addresses: see relative_base */
	uint64_t relative_base; /* 0 where the others are known: there is none, and offsets is a
				   table of addresses */
};

enum inq_kernel_known {
	INQ_KERNEL_TEXT = 1, /* .text */
	INQ_KERNEL_LAST = 2,
	INQ_KERNEL_KASLR = 4,
	INQ_KERNEL_PHYS_BASE = 8,
	INQ_KERNEL_ROOT = 16, /* .root and .levels */
};

/* The operating system's kernel.  A value without its bit in known is unknown. */
struct inq_kernel {
	enum inq_status st;  /* INQ_OK: it was looked for; else what kept from it */
	const char *os;      /* "linux"; NULL: none that is known here */
	char note[160];      /* os NULL: what was looked at; else "" */
	const char *source;  /* "cr3", "vmcoreinfo note", "vmcoreinfo in memory"; NULL */
	char release[65];    /* "6.1.0-56-amd64"; "": unknown */
	char build_id[41];   /* hex digits; "": unknown */
	unsigned int known;  /* enum inq_kernel_known */
	uint64_t text, last; /* its image, virtual, inclusive */
	uint64_t kaslr;      /* how far it was moved from where it was linked */
	uint64_t phys_base;  /* physical = virtual - 0xffffffff80000000 + this, modulo 2^64 */
	uint64_t root;       /* physical address of the top table of its page tables */
	int levels;          /* of them */
	struct inq_kallsyms_place kallsyms; /* by VMCOREINFO */
	const struct inq_space *virt;       /* "kernel": addresses through root; NULL: no root */
	const struct inq_kernel_fact *facts;
	size_t nr_facts;
};

/* One processor as the Windows kernel lists it. */
struct inq_windows_cpu {
	uint64_t prcb;   /* linear address of its KPRCB; 0: unknown */
	int has_context; /* registers were found, in the header or at the PRCB */
	int has_special; /* control registers were found at the PRCB */
};

/* What a Windows kernel said when it stopped; from the header of its dump, and its memory. */
struct inq_windows {
	uint32_t build;
	uint32_t bugcheck; /* code */
	uint64_t param[4];
	uint64_t cr3;  /* of the process that was current: DirectoryTableBase */
	uint64_t kdbg; /* linear address of KdDebuggerDataBlock */
	int64_t t_ns;  /* realtime of the crash; meaningless unless t_known */
	int t_known;
	uint64_t rip, rsp; /* of the processor that crashed; meaningless unless has_context */
	int has_context;
	int64_t crashed, hung; /* number of the CPU; -1: unknown; hung: of CLOCK_WATCHDOG_TIMEOUT */
	const struct inq_windows_cpu *cpus; /* nr_cpus of the machine */
	uint32_t nr_cpus;
	char why[256]; /* why the processors could not be found; empty: they were */
};

struct machine_made; /* machine/machine.h */

struct inq_machine {
	int64_t machine_id;               /* 1 for the machine of the dump itself */
	const struct inq_machine *parent; /* NULL for that one */
	const char *kind;                 /* "vm", "bare", "guest", "unknown" */
	const char *arch;                 /* "x86_64" */
	const struct inq_dump *dump;
	struct inq_sample sample;
	const struct inq_windows *windows; /* NULL unless the dump was written by Windows */
	struct inq_cpu *cpus;
	uint32_t nr_cpus;
	/* All; [i]->space_id is unique in the file.  The kernel's comes when it is found. */
	const struct inq_space *const *spaces;
	size_t nr_spaces;
	struct machine_made *made; /* what machine/ makes when it is asked; NULL: it cannot */
};

/*
 * The kernel that it runs, looked for when it is first asked for; never NULL.  Without memory for
 * that it has no .os and .st is INQ_ENOMEM, or INQ_EINTR when a person stopped it; the next to ask
 * makes it look again.
 */
const struct inq_kernel *inq_machine_kernel(const struct inq_machine *m);

/* The MSR, when the dump knows it.  Returns 1 and sets *ret_value, else 0. */
int inq_cpu_msr(const struct inq_cpu *cpu, uint32_t index, uint64_t *ret_value);

#endif
