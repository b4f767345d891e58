/* Fragments of guest code: found in the assembled blobs, strung together, patched.  See frag.inc.
 */
#ifndef VMM_FRAG_H
#define VMM_FRAG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <inquest/err.h>

#include "vmm/rng.h"

enum vmm_frag_kind { VMM_FRAG_PLAIN, VMM_FRAG_PAD, VMM_FRAG_SHAPE };

/* What ends a loop, v being the gate's value. */
enum vmm_pred {
	VMM_PRED_NZ = 1,  /* v != 0 */
	VMM_PRED_EQ,      /* v == want */
	VMM_PRED_NE,      /* v != want */
	VMM_PRED_TEST_NZ, /* (v & mask) != 0 */
	VMM_PRED_MASK_EQ, /* (v & mask) == want */
};

/* Where a shape can have its gate. */
enum vmm_place { VMM_PLACE_ANY, VMM_PLACE_LOW, VMM_PLACE_STACK, VMM_PLACE_SMRAM };

/* What goes into a patch point, or what a mark says; the numbers of frag.inc. */
enum vmm_patch {
	VMM_P_GATE = 1,
	VMM_P_BASE,
	VMM_P_DISP,
	VMM_P_REL,
	VMM_P_MASK,
	VMM_P_WANT,
	VMM_P_SEG,
	VMM_P_OFF16,
	VMM_P_DISP16,
	VMM_P_JUNK,
	VMM_P_SELF,
	VMM_P_GDTR,
	VMM_P_CR3,
	VMM_P_STACK,
	VMM_P_COUNTER,
	VMM_P_OPEN,
	VMM_P_FAR,
	VMM_P_VECTOR,
	VMM_P_PERIOD,
	VMM_P_TEXT,
	VMM_P_FACTOR,
	VMM_P_ADDEND,
	VMM_P_SEED,
	VMM_P_ROUNDS,
	VMM_P_STEPS,
	VMM_P_POST_AT,
	VMM_P_TABLE,
	VMM_P_IDTR,
	VMM_P_DR7,
	VMM_P_SAVED_DR7,
	VMM_P_L2,
	VMM_P_DRS,
	VMM_P_ENTRY,
	VMM_P_TSS,
	VMM_P_NP,
	VMM_P_NCR3,
	VMM_P_EPT_AT,
	VMM_P_EPT,
	VMM_P_TASK,
	VMM_NR_PATCHES,
	VMM_M_INSN = 64,
	VMM_M_FIRST,
	VMM_M_END,
	VMM_M_WRITER,
	VMM_M_HANDLER,
	VMM_M_CALL,
	VMM_M_IPI,
	VMM_M_NMI,
	VMM_M_FAULT,
	VMM_M_COPY_DR7,
	VMM_M_READ_DR7,
	VMM_M_TASK,
	VMM_M_LAST,
};
#define VMM_NR_MARKS (VMM_M_LAST - VMM_M_INSN)

struct vmm_blob {
	const char *name;
	const uint8_t *data;
	size_t bytes;
};
extern const struct vmm_blob vmm_blobs[];
extern const size_t vmm_nr_blobs;

/* One fragment, pointing into its blob. */
struct vmm_frag {
	char name[17];
	const uint8_t *code, *marks; /* marks: the whole table of the blob */
	uint16_t len, nr_marks, index;
	uint8_t bits, kind, pred, width, place;
};

/* A mark or patch point of a fragment. */
struct vmm_frag_mark {
	uint16_t frag, off;
	uint8_t what, width;
};

/* The n-th fragment of all blobs; false behind the last, and for a blob that contradicts itself. */
bool vmm_frag_at(size_t n, struct vmm_frag *ret);
struct vmm_frag_mark vmm_frag_mark_at(const struct vmm_frag *f, size_t n);

/* INQ_ENOTFOUND when the blobs lack it. */
INQ_MUST enum inq_status vmm_frag_find(const char *name, struct vmm_frag *ret, struct inq_err *err);

/* Draw one of a kind for that processor mode (16, 32, 64); the blobs must hold one. */
INQ_MUST enum inq_status vmm_frag_draw(struct vmm_rng *rng, enum vmm_frag_kind kind, unsigned bits,
				       struct vmm_frag *ret, struct inq_err *err);

#define VMM_CODE_MAX 4096u

/* Code that grows by fragments.  linear: where the CPU sees its first byte. */
struct vmm_code {
	uint64_t linear;
	uint32_t len;
	uint64_t value[VMM_NR_PATCHES]; /* what patch points get */
	bool known[VMM_NR_PATCHES];     /* a patch point without a value is an error */
	uint64_t mark[VMM_NR_MARKS];    /* linear addresses; 0: not seen */
	uint8_t bytes[VMM_CODE_MAX];
};

void vmm_code_set(struct vmm_code *c, enum vmm_patch what, uint64_t value);
uint64_t vmm_code_mark(const struct vmm_code *c, enum vmm_patch mark);

/* Append and patch.  rng feeds VMM_P_JUNK. */
INQ_MUST enum inq_status vmm_code_add(struct vmm_code *c, const struct vmm_frag *f,
				      struct vmm_rng *rng, struct inq_err *err);
INQ_MUST enum inq_status vmm_code_add_named(struct vmm_code *c, const char *name,
					    struct vmm_rng *rng, struct inq_err *err);
/* Append 0 to `most` fragments that do nothing. */
INQ_MUST enum inq_status vmm_code_pad(struct vmm_code *c, unsigned bits, unsigned most,
				      struct vmm_rng *rng, struct inq_err *err);

#endif
