/* Raw structures of KVM, and of foreign cores, to registers.  For machine.c only. */
#ifndef MACHINE_KVM_H
#define MACHINE_KVM_H

#include <inquest/machine.h>
#include <stdbool.h>

enum { MACHINE_NR_KINDS = INQ_SNAP_NESTED + 1 };

/* What the dump holds of one CPU: the first note of each kind, whatever its state, or NULL. */
struct machine_blobs {
	const struct inq_blob *of[MACHINE_NR_KINDS]; /* by enum inq_snap_kind */
	const struct inq_blob *prstatus, *named, *qemu;
};

/* What the raw structure at off becomes. */
struct machine_field {
	uint16_t off;
	uint8_t bytes;
	uint16_t reg;
};

/* The bytes of a structure that is there and has at least that many, else NULL. */
const uint8_t *machine_whole(const struct inq_blob *b, size_t bytes);

/* Did the producer say that there is no such thing, or that it could not get it? */
bool machine_refused(const struct inq_blob *b);

/* The caller has checked that p holds all fields. */
void machine_set_fields(const uint8_t *p, const struct machine_field *f, size_t n,
			struct inq_regset *rs);

/* The same, but what is known already stands. */
void machine_set_missing(const uint8_t *p, const struct machine_field *f, size_t n,
			 struct inq_regset *rs);

/* Sets all that is known but SMBASE, which is an MSR; the rest of rs stays as it is. */
void machine_kvm_regs(const struct machine_blobs *b, struct inq_regset *rs);

/* The LAPIC page, borrowed; NULL: unknown. */
const uint8_t *machine_kvm_lapic(const struct machine_blobs *b);

/* Nested state, borrowed and unchecked: .nested, .nr_nested and .nested_known of the CPU. */
void machine_kvm_nested(const struct machine_blobs *b, struct inq_cpu *cpu);

/*
 * The MSRs in ascending order, each once; entries that contradict each other are unknown.  NULL
 * and 0 when the dump does not say.  free() it.  Errors: INQ_ENOMEM.
 */
INQ_MUST enum inq_status machine_kvm_msrs(const struct machine_blobs *b, struct inq_msr **ret_msrs,
					  size_t *ret_nr, struct inq_err *err);

/* The CPUID leaves as KVM had them; the same rules. */
INQ_MUST enum inq_status machine_kvm_cpuid(const struct machine_blobs *b,
					   struct inq_cpuid **ret_cpuid, size_t *ret_nr,
					   struct inq_err *err);

#endif
