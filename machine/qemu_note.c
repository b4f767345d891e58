/*
 * Knows the note that QEMU, libvirt and Cloud Hypervisor add for each CPU: more than NT_PRSTATUS,
 * less than KVM.  Source: QEMU target/i386/arch_dump.c, struct QEMUCPUState, QEMUCPUSegment;
 * flags of a segment: target/i386/cpu.h, DESC_*_MASK.
 */
#include "machine/qemu_note.h"

#include <stdlib.h>

#include "arch/x86_64/regs.h"
#include "base/span.h"

#define KERNEL_GS_BASE UINT32_C(0xc0000102) /* SDM vol. 4, table 2-2 */
#define COUNT(a) (sizeof(a) / sizeof(*(a)))

enum {
	VERSION = 1,
	SIZE_OFF = 4,
	OLD_BYTES = 432,
	KERNEL_GS_OFF = 432,
	ALL_BYTES = 440,
};

static const struct machine_field general[] = {
	{8, 8, X86_64_RAX},   {16, 8, X86_64_RBX},     {24, 8, X86_64_RCX},  {32, 8, X86_64_RDX},
	{40, 8, X86_64_RSI},  {48, 8, X86_64_RDI},     {56, 8, X86_64_RSP},  {64, 8, X86_64_RBP},
	{72, 8, X86_64_R8},   {80, 8, X86_64_R9},      {88, 8, X86_64_R10},  {96, 8, X86_64_R11},
	{104, 8, X86_64_R12}, {112, 8, X86_64_R13},    {120, 8, X86_64_R14}, {128, 8, X86_64_R15},
	{136, 8, X86_64_RIP}, {144, 8, X86_64_RFLAGS},
};

/* cr[1] does not exist */
static const struct machine_field system_fields[] = {
	{344 + 4, 2, X86_64_GDTR_LIMIT},
	{344 + 16, 8, X86_64_GDTR_BASE},
	{368 + 4, 2, X86_64_IDTR_LIMIT},
	{368 + 16, 8, X86_64_IDTR_BASE},
	{392, 8, X86_64_CR0},
	{408, 8, X86_64_CR2},
	{416, 8, X86_64_CR3},
	{424, 8, X86_64_CR4},
};

/* X86_64_<seg>_SEL and the struct QEMUCPUSegment at off */
static const struct machine_field segments[] = {
	{152, 24, X86_64_CS_SEL},   {176, 24, X86_64_DS_SEL}, {200, 24, X86_64_ES_SEL},
	{224, 24, X86_64_FS_SEL},   {248, 24, X86_64_GS_SEL}, {272, 24, X86_64_SS_SEL},
	{296, 24, X86_64_LDTR_SEL}, {320, 24, X86_64_TR_SEL},
};

static const uint8_t *note_of(const struct machine_blobs *b, size_t bytes)
{
	const uint8_t *p = machine_whole(b->qemu, bytes);
	uint64_t version = 0, size = 0;

	if (!p || !span_at(p, bytes, 0, 4, &version) || !span_at(p, bytes, SIZE_OFF, 4, &size))
		return NULL;
	return version == VERSION && size >= bytes ? p : NULL;
}

/* Sets what is not known: selector, base, limit, and the descriptor's bits 55:40 out of flags. */
static void set_segment(const uint8_t *p, unsigned int sel, struct inq_regset *rs)
{
	enum { SELECTOR, LIMIT = 4, FLAGS = 8, BASE = 16 };
	const struct machine_field f[] = {
		{SELECTOR, 2, (uint16_t)sel},
		{BASE, 8, (uint16_t)(sel + (X86_64_CS_BASE - X86_64_CS_SEL))},
		{LIMIT, 4, (uint16_t)(sel + (X86_64_CS_LIMIT - X86_64_CS_SEL))},
	};
	unsigned int attr = sel + (X86_64_CS_ATTR - X86_64_CS_SEL);
	uint64_t flags = 0;

	machine_set_missing(p, f, COUNT(f), rs);
	if (!inq_reg_known(rs, attr) && span_at(p, BASE + 8, FLAGS, 4, &flags))
		inq_reg_set(rs, attr, flags >> 8 & 0xf0ff);
}

void machine_qemu_regs(const struct machine_blobs *b, struct inq_regset *rs)
{
	const uint8_t *p = note_of(b, OLD_BYTES);

	if (!p)
		return;
	machine_set_missing(p, general, COUNT(general), rs);
	machine_set_missing(p, system_fields, COUNT(system_fields), rs);
	for (size_t i = 0; i < COUNT(segments); i++)
		set_segment(p + segments[i].off, segments[i].reg, rs);
}

enum inq_status machine_qemu_msrs(const struct machine_blobs *b, struct inq_msr **ret_msrs,
				  size_t *ret_nr, struct inq_err *err)
{
	const uint8_t *p = note_of(b, ALL_BYTES);
	uint64_t value;

	*ret_msrs = NULL;
	*ret_nr = 0;
	if (!p || machine_refused(b->of[INQ_SNAP_MSRS]) ||
	    !span_at(p, ALL_BYTES, KERNEL_GS_OFF, 8, &value))
		return INQ_OK;
	struct inq_msr *msr = calloc(1, sizeof(*msr));
	if (!msr)
		return inq_fail(err, INQ_ENOMEM, "an msr");
	*msr = (struct inq_msr){.index = KERNEL_GS_BASE, .known = 1, .value = value};
	*ret_msrs = msr;
	*ret_nr = 1;
	return INQ_OK;
}
