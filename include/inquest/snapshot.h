/*
 * The snapshot format: what inquest-vmm writes and the elfcore loader reads.
 * docs/snapshot-format.md is normative; this header is its C side.  All integers little-endian,
 * all structures packed by construction (no implicit padding).
 *
 * File: ELF64 core, e_phoff 64; program header 0 is the only PT_NOTE, all others are PT_LOAD with
 * p_align 0 and p_vaddr == p_paddr (physical mode).  Order in the file: ELF header, program
 * headers, notes (4 MiB at most), memory, bulk region (nothing behind it).
 * A page that is all zero is a hole in the file and has its bit set in the zero bitmap.
 */
#ifndef INQ_SNAPSHOT_H
#define INQ_SNAPSHOT_H

#include <stdint.h>

#define INQ_SNAP_NOTE_NAME "INQUEST"                /* n_namesz 8, with its NUL */
#define INQ_SNAP_NOTE_TYPE UINT32_C(0x494e5100)     /* n_type = this | enum inq_snap_kind */
#define INQ_SNAP_MAGIC UINT64_C(0x3150414e53514e49) /* "INQSNAP1" */
#define INQ_SNAP_VM UINT32_C(0xffffffff) /* vcpu of a note that belongs to the whole VM */
#define INQ_SNAP_MAX_NOTES (4u << 20)    /* bytes of all notes together */
#define INQ_SNAP_MAX_VCPUS 4096u

#define INQ_SNAP_MAJOR 1u /* a reader refuses another major */
#define INQ_SNAP_MINOR 0u /* 0 until the producer is complete */

/* What a note carries: the raw structure as KVM returned it, unless said otherwise. */
enum inq_snap_kind {
	INQ_SNAP_HEADER = 1,    /* struct inq_snap_header; exactly one, the first of ours */
	INQ_SNAP_HOST = 2,      /* text, "key=value\n" lines: facts about VMM and host */
	INQ_SNAP_REGS = 3,      /* struct kvm_regs, 144 */
	INQ_SNAP_SREGS2 = 4,    /* struct kvm_sregs2, 320 */
	INQ_SNAP_SREGS = 5,     /* struct kvm_sregs, 312; only where KVM lacks SREGS2 */
	INQ_SNAP_DEBUGREGS = 6, /* struct kvm_debugregs, 128 */
	INQ_SNAP_LAPIC = 7,     /* struct kvm_lapic_state, 1024 */
	INQ_SNAP_EVENTS = 8,    /* struct kvm_vcpu_events, 64 */
	INQ_SNAP_MP_STATE = 9,  /* struct kvm_mp_state, 4 */
	INQ_SNAP_MSRS = 10,     /* struct kvm_msr_entry[], 16 each; .reserved 1: KVM refused it */
	INQ_SNAP_CPUID2 = 11,   /* struct kvm_cpuid_entry2[], 40 each */
	INQ_SNAP_RUN = 12,      /* the kvm_run page, at least through the exit union (288) */
	INQ_SNAP_SLOTS = 13,    /* struct inq_snap_slot[], VM-wide */
	INQ_SNAP_SMRAM = 14,    /* struct inq_snap_bulk[], VM-wide: what only address space 1 has */
	INQ_SNAP_ZERO = 15,     /* struct inq_snap_bulk[1], VM-wide: the zero bitmap */
	INQ_SNAP_XSAVE = 16,    /* KVM_GET_XSAVE2: 4096 bytes or more, standard format */
	INQ_SNAP_XCRS = 17,     /* struct kvm_xcrs, 392 */
	INQ_SNAP_NESTED = 18,   /* struct kvm_nested_state, as long as KVM can make it */
	INQ_SNAP_TSC = 19,      /* struct inq_snap_tsc */
	INQ_SNAP_STATS = 20,    /* text, "name=value[,value]...\n" lines: KVM's counters */
	INQ_SNAP_PIC1 = 21,     /* struct kvm_irqchip, 520, VM-wide: the master */
	INQ_SNAP_PIC2 = 22,     /* the slave */
	INQ_SNAP_IOAPIC = 23,   /* struct kvm_irqchip, 520, VM-wide */
	INQ_SNAP_PIT2 = 24,     /* struct kvm_pit_state2, 112, VM-wide */
	INQ_SNAP_CLOCK = 25,    /* struct kvm_clock_data, 48, VM-wide: kvmclock */
	INQ_SNAP_DEVICES = 26,  /* records of struct inq_snap_device, VM-wide: the VMM's own */
	INQ_SNAP_TABLES =
		27, /* struct inq_snap_tables and bytes, VM-wide: ACPI and MP, as loaded */
	INQ_SNAP_FLIGHT = 32,      /* struct inq_snap_ring[1] of struct inq_snap_flight, in bulk */
	INQ_SNAP_RIPS = 33,        /* struct inq_snap_rip[], taken just before the snapshot */
	INQ_SNAP_LAST_KNOWN = 34,  /* struct inq_snap_last_known, in sample 1 */
	INQ_SNAP_PT_ROOTS = 35,    /* struct inq_snap_roots */
	INQ_SNAP_TRACE = 36,       /* text: lines of KVM's tracepoints, oldest first */
	INQ_SNAP_WRITES = 37,      /* struct inq_snap_writes, VM-wide: the last to watched memory */
	INQ_SNAP_STEPS = 38,       /* struct inq_snap_step[], oldest first */
	INQ_SNAP_WORDS = 39,       /* struct inq_snap_words, in sample 2, VM-wide */
	INQ_SNAP_GUEST_DEBUG = 42, /* struct kvm_guest_debug, 72: what KVM was told to debug */
	INQ_SNAP_STEP_REGS = 43,   /* struct inq_snap_step_regs[], one for each of STEPS */
};

enum inq_snap_state {
	INQ_SNAP_PRESENT = 0, /* .size bytes follow */
	INQ_SNAP_ABSENT = 1,  /* this KVM has no such thing; size 0 */
	INQ_SNAP_FAILED = 2,  /* KVM has it, the call failed with .error; size 0 */
};

/* Pictures: of which moment a note is. */
enum inq_snap_sample {
	INQ_SNAP_NOW = 0,       /* the snapshot itself */
	INQ_SNAP_LAST_SEEN = 1, /* the last registers before a triple fault */
	INQ_SNAP_TWIN = 2,      /* by the running sampler, some time before */
};

/* At the start of every descriptor of ours; the payload follows at once. */
struct inq_snap_note {
	uint32_t vcpu;    /* index of the vCPU, or INQ_SNAP_VM */
	uint32_t sample;  /* 0: the snapshot itself */
	uint16_t kind;    /* enum inq_snap_kind, as in n_type */
	uint16_t version; /* of this kind's payload, 1 */
	uint16_t state;   /* enum inq_snap_state */
	uint16_t error;   /* errno when FAILED, else 0 */
	uint64_t size;    /* bytes of the payload; the descriptor may be longer, never shorter */
};

enum inq_snap_reason {
	INQ_SNAP_WHY_COMMAND = 1,    /* asked for, or the time given by --after is over */
	INQ_SNAP_WHY_SHUTDOWN = 2,   /* triple fault */
	INQ_SNAP_WHY_KVM_ERROR = 3,  /* KVM_EXIT_INTERNAL_ERROR, or a failed KVM_RUN */
	INQ_SNAP_WHY_PANIC = 4,      /* the guest said so */
	INQ_SNAP_WHY_HANG = 5,       /* a vCPU made no progress */
	INQ_SNAP_WHY_SMM = 6,        /* a vCPU was in SMM for too long */
	INQ_SNAP_WHY_EXIT = 7,       /* the guest ended by itself */
	INQ_SNAP_WHY_FAIL_ENTRY = 8, /* the CPU refused to run a vCPU in its state */
};

/* Payload of INQ_SNAP_HEADER. */
struct inq_snap_header {
	uint64_t magic; /* INQ_SNAP_MAGIC */
	uint16_t major, minor;
	uint32_t nr_vcpus;
	uint32_t reason;                        /* enum inq_snap_reason */
	uint32_t reason_vcpu;                   /* vCPU that caused it, or INQ_SNAP_VM */
	uint64_t t_realtime_ns, t_monotonic_ns; /* when the vCPUs had stopped */
	uint64_t memory_bytes;                  /* sum of all p_memsz of PT_LOADs */
	uint64_t file_bytes;                    /* length of the whole file */
	uint64_t bulk_off, bulk_bytes;          /* the region behind the last segment */
	uint8_t nonce[16];                      /* random, fresh in each snapshot */
	uint32_t notes_crc;    /* crc32 (zlib) of the PT_NOTE segment with this field zero */
	uint32_t headers_crc;  /* crc32 of the ELF header and all program headers */
	char producer[64];     /* "inquest-vmm 0.1.0", NUL-padded */
	char reason_text[128]; /* for people, NUL-padded */
};

/* Payload of INQ_SNAP_TSC.  The counter itself is MSR 0x10. */
struct inq_snap_tsc {
	uint32_t khz;          /* of the guest; 0: unknown */
	uint32_t offset_known; /* 1: KVM told the offset */
	uint64_t offset;       /* what KVM adds to the host's TSC, modulo 2^64 */
};

/* One KVM memory slot. */
struct inq_snap_slot {
	uint32_t as;   /* address space: 0 normal, 1 while in SMM */
	uint32_t slot; /* number within that space */
	uint32_t flags;
	uint32_t pad; /* 0 */
	uint64_t gpa, bytes;
	uint64_t file_off; /* where its bytes lie in this file, 0: not saved */
};

/* A stretch of the bulk region. */
struct inq_snap_bulk {
	uint64_t gpa;      /* first guest-physical address it speaks of */
	uint64_t file_off; /* from the start of the file, within the bulk region */
	uint64_t bytes;    /* in the file */
	uint32_t crc;      /* crc32 of those bytes */
	uint32_t pad;      /* 0 */
};

/* The newest records of a vCPU, oldest first; they lie in the bulk region. */
struct inq_snap_ring {
	uint64_t file_off, bytes; /* as in inq_snap_bulk; bytes = count * record_bytes */
	uint64_t first;           /* number of the first record; that many are lost */
	uint32_t count;
	uint32_t record_bytes; /* INQ_SNAP_FLIGHT_BYTES or more: what follows is to be skipped */
	uint32_t crc;          /* crc32 of those bytes */
	uint32_t pad;          /* 0 */
};

#define INQ_SNAP_FLIGHT_BYTES 64u
#define INQ_SNAP_FLIGHT_RECORDS 4096u /* kept per vCPU */

enum inq_snap_flight_what {
	INQ_FLIGHT_RUN = 1,   /* KVM_RUN returned */
	INQ_FLIGHT_IOCTL = 2, /* an ioctl changed the vCPU */
};

enum inq_snap_flight_flags {
	INQ_FLIGHT_RIP = 1, /* .rip is known */
	INQ_FLIGHT_SMM_KNOWN = 2,
	INQ_FLIGHT_SMM = 4,     /* in SMM when KVM_RUN returned */
	INQ_FLIGHT_ADDR = 8,    /* .addr is known */
	INQ_FLIGHT_VALUE = 16,  /* .value is known */
	INQ_FLIGHT_WRITE = 32,  /* the guest wrote; else it read */
	INQ_FLIGHT_HALTED = 64, /* rips only: waited in HLT */
	INQ_FLIGHT_HALT_KNOWN = 128,
};

/* One record of the flight record, 64 bytes. */
struct inq_snap_flight {
	uint64_t nr;     /* from 0, one more each time */
	uint64_t t_ns;   /* CLOCK_MONOTONIC */
	uint64_t rip;    /* linear, when it was over */
	uint64_t addr;   /* port, guest-physical address, MSR, linear address of a debug stop */
	uint64_t value;  /* moved, or what the exit says; see docs/snapshot-format.md */
	uint32_t reason; /* KVM_EXIT_*, or the ioctl's number */
	uint16_t what;   /* enum inq_snap_flight_what */
	uint16_t flags;  /* enum inq_snap_flight_flags */
	uint32_t size;   /* bytes of one item moved */
	uint32_t items;  /* how many of them */
	int32_t error;   /* errno of KVM_RUN or the ioctl, 0: fine */
	uint32_t pad;    /* 0 */
};

/* Where a vCPU was when it was made to leave KVM_RUN. */
struct inq_snap_rip {
	uint64_t t_ns;  /* CLOCK_MONOTONIC */
	uint64_t rip;   /* linear */
	uint32_t flags; /* enum inq_snap_flight_flags */
	uint32_t pad;   /* 0 */
};

/*
 * Of which moment the registers of sample 1 are: the last that were seen before a triple fault,
 * never those of the fault itself.
 */
struct inq_snap_last_known {
	uint64_t nr;     /* number of that record in the flight record */
	uint64_t t_ns;   /* CLOCK_MONOTONIC of it */
	uint64_t age_ns; /* from then to the triple fault */
};

/* A single step that a vCPU was made to do. */
struct inq_snap_step {
	uint64_t rip;      /* linear: of the instruction that comes next */
	uint32_t flags;    /* INQ_FLIGHT_RIP, _SMM_KNOWN, _SMM */
	uint32_t nr_bytes; /* of .bytes that could be read: 0 to 15 */
	uint8_t bytes[16]; /* that instruction, and what follows it */
};

enum inq_snap_step_flags {
	INQ_STEP_KNOWN = 1, /* the registers */
	INQ_STEP_CS_L = 2,  /* code segment: 64-bit */
	INQ_STEP_CS_D = 4,  /* 32-bit, else 16-bit */
};

/* Registers behind the same single step. */
struct inq_snap_step_regs {
	uint64_t gpr[16]; /* rax rbx rcx rdx rsi rdi rsp rbp r8 ... r15 */
	uint64_t rflags, cr0, cr3, cr4, efer;
	uint64_t cs_base;
	uint32_t flags; /* enum inq_snap_step_flags */
	uint32_t pad;   /* 0 */
};

/* Memory that the sampler was told to look at; .count of inq_snap_word, then their bytes. */
struct inq_snap_words {
	uint64_t t_ns; /* CLOCK_MONOTONIC */
	uint32_t count;
	uint32_t pad; /* 0 */
};
struct inq_snap_word {
	uint64_t gpa, bytes;
};

/* ACPI and MP tables as they lay in memory before the first instruction; .bytes bytes follow. */
struct inq_snap_tables {
	uint64_t gpa, bytes;
};

/* A device that the VMM plays itself; .size bytes follow, padded to 8. */
struct inq_snap_device {
	uint32_t id; /* enum inq_snap_device_id */
	uint32_t version;
	uint32_t size; /* a multiple of 8 */
	uint32_t pad;  /* 0 */
};

enum inq_snap_device_id {
	INQ_SNAP_DEV_POSTS = 1,  /* struct inq_snap_posts per vCPU */
	INQ_SNAP_DEV_SERIAL = 2, /* these as docs/snapshot-format.md has them */
	INQ_SNAP_DEV_PLATFORM = 3,
	INQ_SNAP_DEV_RTC = 4,
	INQ_SNAP_DEV_FWCFG = 5,
	INQ_SNAP_DEV_VIRTIO = 6,
};

#define INQ_SNAP_POSTS_RESULT 1u /* .result was written */

/* What a vCPU wrote to the debug ports 0x80 and 0x600. */
struct inq_snap_posts {
	int32_t last_post; /* -1: none */
	uint32_t flags;
	uint32_t result;
	uint32_t pad;     /* 0 */
	uint64_t seen[4]; /* POST codes, a bit each */
};

/* The last writes to watched memory: .nr_ranges of inq_snap_word, then .count of inq_snap_write. */
struct inq_snap_writes {
	uint64_t first; /* number of the first record; that many are lost */
	uint32_t count;
	uint32_t record_bytes; /* 208 or more: what follows is to be skipped */
	uint32_t nr_ranges;
	uint32_t pad; /* 0 */
};
enum inq_snap_write_flags {                         /* beside those of inq_snap_flight_flags */
			    INQ_WRITE_POINT = 256,  /* seen by a debug register: the store hit that
						       many bytes */
			    INQ_WRITE_NO_OLD = 512, /* .old is unknown */
			    INQ_WRITE_NO_PLACE = 1024, /* .gpa and .value are unknown */
			    INQ_WRITE_DEVICE = 2048,   /* no vCPU but a device of the VMM's: .size
							  may be more, .value the first 8 bytes */
};
struct inq_snap_write {
	uint64_t nr, t_ns; /* from 0 without a gap; CLOCK_MONOTONIC */
	uint64_t gpa;
	uint64_t old, value; /* before and after, .size bytes of each */
	uint64_t rip;        /* linear, behind the instruction that wrote */
	uint64_t gpr[16];    /* likewise; rax rbx rcx rdx rsi rdi rsp rbp r8 ... r15 */
	uint64_t rflags, cr3;
	uint32_t vcpu, size; /* who, or INQ_SNAP_VM: a device; 1 to 8 bytes */
	uint32_t flags;      /* enum inq_snap_flight_flags; INQ_FLIGHT_RIP: registers are known */
	uint32_t pad;        /* 0 */
};

enum inq_snap_roots_flags {
	INQ_ROOTS_CR3 = 1,        /* .cr3 and .levels are known */
	INQ_ROOTS_PDPTRS = 2,     /* .pdptr[] holds what the CPU has loaded */
	INQ_ROOTS_GUEST_MODE = 4, /* a guest of the guest runs; all above is its */
	INQ_ROOTS_OUTER_CR3 = 8,  /* .outer_cr3 is known */
	INQ_ROOTS_NESTED = 16,    /* its hypervisor uses nested paging, .nested is known */
	INQ_ROOTS_EPT = 32,       /* .nested is an EPTP; else an nCR3 */
	INQ_ROOTS_SMM = 64,       /* in SMM */
	INQ_ROOTS_SMM_CR3 = 128,  /* .smm_cr3 is known */
};

/* Roots of all page tables that matter for a vCPU; a field without its flag is unknown. */
struct inq_snap_roots {
	uint32_t flags;     /* enum inq_snap_roots_flags */
	uint32_t levels;    /* 0: paging is off; 2, 3 (PAE), 4, 5 */
	uint64_t cr3;       /* with PCID and all */
	uint64_t pdptr[4];  /* PAE */
	uint64_t nested;    /* EPTP of VMCS12, or nCR3 of VMCB12 */
	uint64_t outer_cr3; /* of the guest's hypervisor: loaded when its guest exits */
	uint64_t smm_cr3;   /* of what the SMI interrupted, from the save area */
};

/*
 * The zero bitmap: one bit per 4 KiB page of all PT_LOADs in program-header order, bit 0 of byte 0
 * first; a set bit says that the page was all zero in the guest.  A zero page in the file without
 * its bit is damage: somebody lost it on the way.
 */

#endif
