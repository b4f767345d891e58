/*
 * Knows what a 64-bit Windows kernel leaves in a dump about its processors: the header's context of
 * the one that crashed, and KdDebuggerDataBlock, which leads over KiProcessorBlock to each KPRCB.
 * Source: wdbgexts.h, KDDEBUGGER_DATA64; winnt.h, CONTEXT of AMD64; ntdiff.github.io for
 * KSPECIAL_REGISTERS and the beginning of KPRCB; QEMU contrib/elf2dmp.
 */
#include "machine/windows.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "arch/x86_64/regs.h"
#include "base/span.h"

#define COUNT(a) (sizeof(a) / sizeof(*(a)))
#define KDBG_TAG 0x4742444bu                 /* "KDBG" */
#define PAGE_FRAME UINT64_C(0xffffffffff000) /* of CR3: without the PCID */
#define PAGE_FILLER UINT64_C(0x4547415045474150)
#define FILETIME_1970 INT64_C(116444736000000000) /* 100 ns from 1601 to 1970 */

enum {
	HEADER_BYTES = 0x2000,
	HEADER_CONTEXT = 0x348,
	CONTEXT_BYTES = 0x4d0,
	SPECIAL_BYTES = 0xe0,
	KDBG_BYTES = 0x340,
	PRCB_NUMBER = 0x24, /* also told by the debugger's data */
	CLOCK_WATCHDOG_TIMEOUT = 0x101,
};

/* Groups of CONTEXT, and the bit of ContextFlags that says the group is there. */
enum {
	CONTEXT_FLAGS = 0x30,
	CONTEXT_AMD64 = 0x100000,
	CONTROL = 1,
	INTEGER = 2,
	SEGMENTS = 4,
	DEBUG = 16
};

struct field {
	uint16_t off;
	uint8_t bytes, group;
	uint16_t reg;
};

static const struct field context_fields[] = {
	{0x38, 2, CONTROL, X86_64_CS_SEL},  {0x42, 2, CONTROL, X86_64_SS_SEL},
	{0x44, 4, CONTROL, X86_64_RFLAGS},  {0x98, 8, CONTROL, X86_64_RSP},
	{0xf8, 8, CONTROL, X86_64_RIP},     {0x3a, 2, SEGMENTS, X86_64_DS_SEL},
	{0x3c, 2, SEGMENTS, X86_64_ES_SEL}, {0x3e, 2, SEGMENTS, X86_64_FS_SEL},
	{0x40, 2, SEGMENTS, X86_64_GS_SEL}, {0x48, 8, DEBUG, X86_64_DR0},
	{0x50, 8, DEBUG, X86_64_DR1},       {0x58, 8, DEBUG, X86_64_DR2},
	{0x60, 8, DEBUG, X86_64_DR3},       {0x68, 8, DEBUG, X86_64_DR6},
	{0x70, 8, DEBUG, X86_64_DR7},       {0x78, 8, INTEGER, X86_64_RAX},
	{0x80, 8, INTEGER, X86_64_RCX},     {0x88, 8, INTEGER, X86_64_RDX},
	{0x90, 8, INTEGER, X86_64_RBX},     {0xa0, 8, INTEGER, X86_64_RBP},
	{0xa8, 8, INTEGER, X86_64_RSI},     {0xb0, 8, INTEGER, X86_64_RDI},
	{0xb8, 8, INTEGER, X86_64_R8},      {0xc0, 8, INTEGER, X86_64_R9},
	{0xc8, 8, INTEGER, X86_64_R10},     {0xd0, 8, INTEGER, X86_64_R11},
	{0xd8, 8, INTEGER, X86_64_R12},     {0xe0, 8, INTEGER, X86_64_R13},
	{0xe8, 8, INTEGER, X86_64_R14},     {0xf0, 8, INTEGER, X86_64_R15},
};

static const struct field special_fields[] = {
	{0x00, 8, 0, X86_64_CR0},        {0x08, 8, 0, X86_64_CR2},
	{0x10, 8, 0, X86_64_CR3},        {0x18, 8, 0, X86_64_CR4},
	{0x56, 2, 0, X86_64_GDTR_LIMIT}, {0x58, 8, 0, X86_64_GDTR_BASE},
	{0x66, 2, 0, X86_64_IDTR_LIMIT}, {0x68, 8, 0, X86_64_IDTR_BASE},
	{0x70, 2, 0, X86_64_TR_SEL},     {0x72, 2, 0, X86_64_LDTR_SEL},
	{0xa0, 8, 0, X86_64_CR8},
};

/* Ascending by MSR. */
static const struct {
	uint32_t msr;
	uint16_t off;
} special_msrs[] = {
	{0xc0000081, 0xb8}, {0xc0000082, 0xc0}, {0xc0000083, 0xc8},
	{0xc0000084, 0xd0}, {0xc0000101, 0xa8}, {0xc0000102, 0xb0},
};

struct processor {
	uint8_t context[CONTEXT_BYTES], special[SPECIAL_BYTES];
};

/* What KDDEBUGGER_DATA64 says about where things are. */
struct kdbg {
	uint64_t processor_block;
	uint16_t prcb_number, prcb_special, prcb_context, prcb_state_context;
};

struct machine_windows {
	struct inq_windows pub;
	const struct inq_dump *dump;
	struct paging_space paged; /* the kernel's memory, of a dump with physical pages */
	const struct inq_space *kernel;
	struct kdbg kdbg;
	struct inq_windows_cpu *cpus;
	struct processor *processors; /* nr_cpus of them, and behind them the header's */
};

static uint64_t get(const uint8_t *p, size_t n, size_t off, size_t width)
{
	uint64_t v = 0;

	return span_at(p, n, off, width, &v) ? v : 0;
}

const struct inq_windows *machine_windows_pub(const struct machine_windows *w)
{
	return w ? &w->pub : NULL;
}

void machine_windows_close(struct machine_windows *w)
{
	if (!w)
		return;
	free(w->cpus);
	free(w->processors);
	free(w);
}

/* Bytes of a structure that the dump holds apart from memory; NULL: it does not. */
static const struct inq_blob *part(const struct inq_dump *dump, uint32_t kind)
{
	const struct inq_blob *b = inq_dump_blob(dump, INQ_SNAP_VM, 0, kind);

	return b && b->state == INQ_SNAP_PRESENT && b->p ? b : NULL;
}

static bool context_says(const uint8_t *context, unsigned int group)
{
	uint64_t flags = get(context, CONTEXT_BYTES, CONTEXT_FLAGS, 4);

	return (flags & CONTEXT_AMD64) && (flags & group);
}

static void read_header(struct machine_windows *w, const uint8_t *p)
{
	struct inq_windows *pub = &w->pub;
	struct processor *crashed = &w->processors[pub->nr_cpus];
	uint64_t t = get(p, HEADER_BYTES, 0xfa8, 8);

	pub->build = (uint32_t)get(p, HEADER_BYTES, 0x0c, 4);
	pub->cr3 = get(p, HEADER_BYTES, 0x10, 8);
	pub->bugcheck = (uint32_t)get(p, HEADER_BYTES, 0x38, 4);
	for (size_t i = 0; i < COUNT(pub->param); i++)
		pub->param[i] = get(p, HEADER_BYTES, 0x40 + 8 * i, 8);
	pub->kdbg = get(p, HEADER_BYTES, 0x80, 8);
	if (t != PAGE_FILLER && t - (uint64_t)FILETIME_1970 < INT64_MAX / 100) {
		pub->t_ns = ((int64_t)t - FILETIME_1970) * 100;
		pub->t_known = 1;
	}
	memcpy(crashed->context, p + HEADER_CONTEXT, CONTEXT_BYTES);
	pub->has_context = context_says(crashed->context, CONTROL);
	pub->rip = get(crashed->context, CONTEXT_BYTES, 0xf8, 8);
	pub->rsp = get(crashed->context, CONTEXT_BYTES, 0x98, 8);
}

/* Linear memory: as the dump holds it, or through the page tables that were current. */
static void find_memory(struct machine_windows *w)
{
	struct paging_mode mode = {.levels = 4, .nx = true, .gbpages = -1};

	if (w->dump->virt) {
		w->kernel = w->dump->virt;
		return;
	}
	mode.root = w->pub.cr3 & PAGE_FRAME;
	paging_space_init(&w->paged, "windows", w->dump->phys, &mode);
	w->kernel = &w->paged.base;
}

/* Record why the processors stay unknown. */
static bool give_up(struct machine_windows *w, const char *what, uint64_t addr, const char *why)
{
	snprintf(w->pub.why, sizeof(w->pub.why), "%s at 0x%" PRIx64 ": %.180s", what, addr, why);
	return false;
}

static bool read_kdbg(struct machine_windows *w)
{
	uint8_t raw[KDBG_BYTES] = {0};
	const struct inq_blob *b = part(w->dump, INQ_BLOB_WIN_KDBG);
	struct inq_err err;

	if (b && b->n >= sizeof(raw))
		memcpy(raw, b->p, sizeof(raw));
	else if (inq_read(w->kernel, w->pub.kdbg, raw, sizeof(raw), &err))
		return give_up(w, "KdDebuggerDataBlock", w->pub.kdbg, err.msg);
	if (get(raw, sizeof(raw), 0x10, 4) != KDBG_TAG)
		return give_up(w, "KdDebuggerDataBlock", w->pub.kdbg,
			       "no debugger data: encoded, or overwritten");
	w->kdbg = (struct kdbg){
		.processor_block = get(raw, sizeof(raw), 0x218, 8),
		.prcb_state_context = (uint16_t)get(raw, sizeof(raw), 0x2bc, 2),
		.prcb_number = (uint16_t)get(raw, sizeof(raw), 0x2be, 2),
		.prcb_special = (uint16_t)get(raw, sizeof(raw), 0x2f2, 2),
		.prcb_context = (uint16_t)get(raw, sizeof(raw), 0x338, 2),
	};
	return true;
}

static bool read_u64(const struct inq_space *sp, uint64_t addr, uint64_t *ret)
{
	uint8_t raw[8];

	if (inq_read(sp, addr, raw, sizeof(raw), NULL))
		return false;
	*ret = get(raw, sizeof(raw), 0, 8);
	return true;
}

/*
 * A processor's registers: the bug check's NMI saves them where PRCB.Context points; one that never
 * took it keeps what was there before, so they may be old.
 */
static void read_processor(struct machine_windows *w, uint32_t i)
{
	struct inq_windows_cpu *cpu = &w->cpus[i];
	struct processor *p = &w->processors[i];
	uint64_t context = 0;

	if (!read_u64(w->kernel, w->kdbg.processor_block + 8 * (uint64_t)i, &cpu->prcb) ||
	    !cpu->prcb) {
		cpu->prcb = 0;
		return;
	}
	if (w->kdbg.prcb_context)
		(void)read_u64(w->kernel, cpu->prcb + w->kdbg.prcb_context, &context);
	if (!context && w->kdbg.prcb_state_context)
		context = cpu->prcb + w->kdbg.prcb_state_context;
	cpu->has_context = context &&
			   !inq_read(w->kernel, context, p->context, CONTEXT_BYTES, NULL) &&
			   context_says(p->context, CONTROL);
	cpu->has_special =
		w->kdbg.prcb_special && !inq_read(w->kernel, cpu->prcb + w->kdbg.prcb_special,
						  p->special, SPECIAL_BYTES, NULL);
}

static void read_processors(struct machine_windows *w)
{
	for (uint32_t i = 0; i < w->pub.nr_cpus; i++)
		read_processor(w, i);
	if (w->pub.nr_cpus && !w->cpus[0].prcb)
		(void)give_up(w, "KiProcessorBlock", w->kdbg.processor_block, "not in the dump");
}

/* A mini dump has the PRCB of the processor that crashed, and no list. */
static void read_mini_prcb(struct machine_windows *w)
{
	const struct inq_blob *b = part(w->dump, INQ_BLOB_WIN_PRCB);
	size_t at = w->kdbg.prcb_number ? w->kdbg.prcb_number : PRCB_NUMBER;
	uint64_t nr;

	if (!b || !span_at(b->p, b->n, at, 4, &nr) || nr >= w->pub.nr_cpus)
		return;
	w->pub.crashed = (int64_t)nr;
	if (w->kdbg.prcb_special && b->n >= (size_t)w->kdbg.prcb_special + SPECIAL_BYTES) {
		memcpy(w->processors[nr].special, b->p + w->kdbg.prcb_special, SPECIAL_BYTES);
		w->cpus[nr].has_special = 1;
	}
}

/* Which CPU is it that the header speaks of? */
static void find_crashed(struct machine_windows *w)
{
	const struct processor *crashed = &w->processors[w->pub.nr_cpus];

	for (uint32_t i = 0; w->pub.crashed < 0 && w->pub.has_context && i < w->pub.nr_cpus; i++)
		if (w->cpus[i].has_context &&
		    !memcmp(w->processors[i].context + CONTEXT_FLAGS,
			    crashed->context + CONTEXT_FLAGS, 0x100 - CONTEXT_FLAGS))
			w->pub.crashed = i;
	if (w->pub.crashed < 0 && w->pub.nr_cpus == 1)
		w->pub.crashed = 0;
	if (w->pub.crashed < 0 || !w->pub.has_context)
		return;
	memcpy(w->processors[w->pub.crashed].context, crashed->context, CONTEXT_BYTES);
	w->cpus[w->pub.crashed].has_context = 1;
}

static void find_hung(struct machine_windows *w)
{
	for (uint32_t i = 0; i < w->pub.nr_cpus; i++)
		if (w->pub.bugcheck == CLOCK_WATCHDOG_TIMEOUT && w->cpus[i].prcb &&
		    w->cpus[i].prcb == w->pub.param[2])
			w->pub.hung = i;
}

static enum inq_status allocate(struct machine_windows *w, uint32_t nr, struct inq_err *err)
{
	w->pub.nr_cpus = nr;
	w->cpus = calloc((size_t)nr + 1, sizeof(*w->cpus));
	w->processors = calloc((size_t)nr + 1, sizeof(*w->processors));
	w->pub.cpus = w->cpus;
	if (!w->cpus || !w->processors)
		return inq_fail(err, INQ_ENOMEM, "%" PRIu32 " processors", nr);
	return INQ_OK;
}

enum inq_status machine_windows_open(const struct inq_dump *dump, struct machine_windows **ret,
				     struct inq_err *err)
{
	const struct inq_blob *header = part(dump, INQ_BLOB_WIN_HEADER);

	*ret = NULL;
	if (!header || header->n < HEADER_BYTES)
		return INQ_OK;
	struct machine_windows *w = calloc(1, sizeof(*w));
	if (!w)
		return inq_fail(err, INQ_ENOMEM, "state of Windows");
	uint64_t nr = get(header->p, HEADER_BYTES, 0x34, 4);
	w->dump = dump;
	w->pub.crashed = w->pub.hung = -1;
	enum inq_status st = allocate(w, nr <= INQ_SNAP_MAX_VCPUS ? (uint32_t)nr : 0, err);
	if (st) {
		machine_windows_close(w);
		return st;
	}
	read_header(w, header->p);
	find_memory(w);
	if (read_kdbg(w))
		read_processors(w);
	read_mini_prcb(w);
	find_crashed(w);
	find_hung(w);
	*ret = w;
	return INQ_OK;
}

/* The GDT of every x64 Windows is the same: KGDT64_R0_CODE, KGDT64_R3_CODE, KGDT64_R3_CMCODE. */
static void set_code_segment(struct inq_regset *rs)
{
	static const struct {
		uint16_t sel;
		uint16_t attr; /* see regs.def */
	} code[] = {{0x10, 0x209b}, {0x33, 0x20fb}, {0x23, 0xc0fb}};

	for (size_t i = 0; inq_reg_known(rs, X86_64_CS_SEL) && i < COUNT(code); i++) {
		if (rs->v[X86_64_CS_SEL] != code[i].sel)
			continue;
		inq_reg_set(rs, X86_64_CS_ATTR, code[i].attr);
		inq_reg_set(rs, X86_64_CS_BASE, 0);
	}
}

void machine_windows_regs(const struct machine_windows *w, uint32_t cpu, struct inq_regset *rs)
{
	if (!w || cpu >= w->pub.nr_cpus)
		return;
	const struct processor *p = &w->processors[cpu];
	for (size_t i = 0; w->cpus[cpu].has_context && i < COUNT(context_fields); i++) {
		const struct field *f = &context_fields[i];
		if (context_says(p->context, f->group))
			inq_reg_set(rs, f->reg, get(p->context, CONTEXT_BYTES, f->off, f->bytes));
	}
	for (size_t i = 0; w->cpus[cpu].has_special && i < COUNT(special_fields); i++) {
		const struct field *f = &special_fields[i];
		inq_reg_set(rs, f->reg, get(p->special, SPECIAL_BYTES, f->off, f->bytes));
	}
	set_code_segment(rs);
}

enum inq_status machine_windows_msrs(const struct machine_windows *w, uint32_t cpu,
				     struct inq_msr **ret_msrs, size_t *ret_nr, struct inq_err *err)
{
	*ret_msrs = NULL;
	*ret_nr = 0;
	if (!w || cpu >= w->pub.nr_cpus || !w->cpus[cpu].has_special)
		return INQ_OK;
	struct inq_msr *msrs = calloc(COUNT(special_msrs), sizeof(*msrs));
	if (!msrs)
		return inq_fail(err, INQ_ENOMEM, "%zu msrs", COUNT(special_msrs));
	for (size_t i = 0; i < COUNT(special_msrs); i++)
		msrs[i] = (struct inq_msr){.index = special_msrs[i].msr,
					   .known = 1,
					   .value = get(w->processors[cpu].special, SPECIAL_BYTES,
							special_msrs[i].off, 8)};
	*ret_msrs = msrs;
	*ret_nr = COUNT(special_msrs);
	return INQ_OK;
}

bool machine_windows_mode(const struct machine_windows *w, const struct inq_regset *rs,
			  struct paging_mode *ret)
{
	if (!w || !inq_reg_known(rs, X86_64_CR3) || !inq_reg_known(rs, X86_64_CR4))
		return false;
	*ret = (struct paging_mode){
		.levels = rs->v[X86_64_CR4] & X86_64_CR4_LA57 ? 5 : 4,
		.nx = true,
		.gbpages = -1,
		.root = rs->v[X86_64_CR3] & PAGE_FRAME,
	};
	return true;
}
