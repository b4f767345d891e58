/*
 * Knows where an SMI leaves the registers, in the three layouts in use.
 * Sources: amd64: APM vol. 2, table "SMRAM state-save area", as KVM and QEMU fill it (Linux
 * arch/x86/kvm/smm.h); p6: SDM vol. 3, 32.4.1, KVM the same; intel64: SDM vol. 3, 32.4.1.1 and EDK2
 * MdePkg SmramSaveStateMap.h.
 */
#include "arch/x86_64/smm.h"

#include <string.h>

enum { REVISION_OFF = 0xfefc };

#define COUNT(a) (sizeof(a) / sizeof(*(a)))

#define AMD64_SEG(name, off)                                                                       \
	{name ".sel", (off), 2, 0}, {name ".attr", (off) + 2, 2, 0},                               \
		{name ".limit", (off) + 4, 4, 0},                                                  \
	{                                                                                          \
		name ".base", (off) + 8, 8, 0                                                      \
	}
#define TABLE(name, limit, base, width)                                                            \
	{name ".limit", limit, 4, 0},                                                              \
	{                                                                                          \
		name ".base", base, width, 0                                                       \
	}

/*
 * Left out: what AMD saves of an SVM host and SSP (0xff18 to 0xff47).  KVM never writes it, and
 * emulators disagree about its place, so a zero there would mean nothing.
 */
static const struct x86_64_smm_field amd64_fields[] = {
	AMD64_SEG("es", 0xfe00),
	AMD64_SEG("cs", 0xfe10),
	AMD64_SEG("ss", 0xfe20),
	AMD64_SEG("ds", 0xfe30),
	AMD64_SEG("fs", 0xfe40),
	AMD64_SEG("gs", 0xfe50),
	TABLE("gdtr", 0xfe64, 0xfe68, 8),
	AMD64_SEG("ldtr", 0xfe70),
	TABLE("idtr", 0xfe84, 0xfe88, 8),
	AMD64_SEG("tr", 0xfe90),
	{"io_restart.rip", 0xfea0, 8, 0},
	{"io_restart.rcx", 0xfea8, 8, 0},
	{"io_restart.rsi", 0xfeb0, 8, 0},
	{"io_restart.rdi", 0xfeb8, 8, 0},
	{"io_restart.info", 0xfec0, 4, 0},
	{"io_restart", 0xfec8, 1, 0},
	{"auto_halt_restart", 0xfec9, 1, 0},
	{"nmi_mask", 0xfeca, 1, 0},
	{"int_shadow", 0xfecb, 1, 0}, /* KVM's own, since Linux 6.2 */
	{"efer", 0xfed0, 8, 0},
	{"svm_guest", 0xfed8, 8, 0},
	{"vmcb", 0xfee0, 8, 0},
	{"svm_vintr", 0xfee8, 8, 0},
	{"revision", REVISION_OFF, 4, 0},
	{"smbase", 0xff00, 4, 0},
	{"cr4", 0xff48, 8, 0},
	{"cr3", 0xff50, 8, 0},
	{"cr0", 0xff58, 8, 0},
	{"dr7", 0xff60, 8, 0},
	{"dr6", 0xff68, 8, 0},
	{"rflags", 0xff70, 8, 0},
	{"rip", 0xff78, 8, 0},
	{"r15", 0xff80, 8, 0},
	{"r14", 0xff88, 8, 0},
	{"r13", 0xff90, 8, 0},
	{"r12", 0xff98, 8, 0},
	{"r11", 0xffa0, 8, 0},
	{"r10", 0xffa8, 8, 0},
	{"r9", 0xffb0, 8, 0},
	{"r8", 0xffb8, 8, 0},
	{"rdi", 0xffc0, 8, 0},
	{"rsi", 0xffc8, 8, 0},
	{"rbp", 0xffd0, 8, 0},
	{"rsp", 0xffd8, 8, 0},
	{"rbx", 0xffe0, 8, 0},
	{"rdx", 0xffe8, 8, 0},
	{"rcx", 0xfff0, 8, 0},
	{"rax", 0xfff8, 8, 0},
};

/* flags is the second dword of a descriptor; its middle bytes are the attributes. */
#define P6_SEG(name, sel, flags)                                                                   \
	{name ".sel", sel, 2, 0}, {name ".attr", (flags) + 1, 2, 0},                               \
		{name ".limit", (flags) + 4, 4, 0},                                                \
	{                                                                                          \
		name ".base", (flags) + 8, 4, 0                                                    \
	}

static const struct x86_64_smm_field p6_fields[] = {
	{"smbase", 0xfef8, 4, 0},
	{"revision", REVISION_OFF, 4, 0},
	{"io_restart", 0xff00, 2, 0},
	{"auto_halt_restart", 0xff02, 2, 0},
	{"io_restart.rdi", 0xff04, 4, 0},
	{"io_restart.rcx", 0xff08, 4, 0},
	{"io_restart.rsi", 0xff0c, 4, 0},
	{"io_restart.rip", 0xff10, 4, 0},
	{"cr4", 0xff14, 4, 0},
	{"int_shadow", 0xff1a, 1, 0}, /* KVM's own, since Linux 6.2 */
	P6_SEG("ds", 0xffb4, 0xff2c),
	P6_SEG("fs", 0xffb8, 0xff38),
	P6_SEG("gs", 0xffbc, 0xff44),
	TABLE("idtr", 0xff54, 0xff58, 4),
	P6_SEG("tr", 0xffc4, 0xff5c),
	TABLE("gdtr", 0xff70, 0xff74, 4),
	P6_SEG("ldtr", 0xffc0, 0xff78),
	P6_SEG("es", 0xffa8, 0xff84),
	P6_SEG("cs", 0xffac, 0xff90),
	P6_SEG("ss", 0xffb0, 0xff9c),
	{"dr7", 0xffc8, 4, 0},
	{"dr6", 0xffcc, 4, 0},
	{"rax", 0xffd0, 4, 0},
	{"rcx", 0xffd4, 4, 0},
	{"rdx", 0xffd8, 4, 0},
	{"rbx", 0xffdc, 4, 0},
	{"rsp", 0xffe0, 4, 0},
	{"rbp", 0xffe4, 4, 0},
	{"rsi", 0xffe8, 4, 0},
	{"rdi", 0xffec, 4, 0},
	{"rip", 0xfff0, 4, 0},
	{"rflags", 0xfff4, 4, 0},
	{"cr3", 0xfff8, 4, 0},
	{"cr0", 0xfffc, 4, 0},
};

static const struct x86_64_smm_field intel64_fields[] = {
	{"io.rip", 0xfde8, 8, 0},
	{"cr4", 0xfe40, 4, 0},
	{"gdtr.base", 0xfe8c, 4, 0xfdd0},
	{"idtr.base", 0xfe94, 4, 0xfdd8},
	{"ldtr.base", 0xfe9c, 4, 0xfdd4},
	{"eptp", 0xfed8, 8, 0},
	{"ept_enabled", 0xfee0, 4, 0},
	{"smbase", 0xfef8, 4, 0},
	{"revision", REVISION_OFF, 4, 0},
	{"io_restart", 0xff00, 2, 0},
	{"auto_halt_restart", 0xff02, 2, 0},
	{"r15", 0xff1c, 8, 0},
	{"r14", 0xff24, 8, 0},
	{"r13", 0xff2c, 8, 0},
	{"r12", 0xff34, 8, 0},
	{"r11", 0xff3c, 8, 0},
	{"r10", 0xff44, 8, 0},
	{"r9", 0xff4c, 8, 0},
	{"r8", 0xff54, 8, 0},
	{"rax", 0xff5c, 8, 0},
	{"rcx", 0xff64, 8, 0},
	{"rdx", 0xff6c, 8, 0},
	{"rbx", 0xff74, 8, 0},
	{"rsp", 0xff7c, 8, 0},
	{"rbp", 0xff84, 8, 0},
	{"rsi", 0xff8c, 8, 0},
	{"rdi", 0xff94, 8, 0},
	{"io.mem_addr", 0xff9c, 8, 0},
	{"io.misc", 0xffa4, 4, 0},
	{"es.sel", 0xffa8, 2, 0},
	{"cs.sel", 0xffac, 2, 0},
	{"ss.sel", 0xffb0, 2, 0},
	{"ds.sel", 0xffb4, 2, 0},
	{"fs.sel", 0xffb8, 2, 0},
	{"gs.sel", 0xffbc, 2, 0},
	{"ldtr.sel", 0xffc0, 2, 0},
	{"tr.sel", 0xffc4, 2, 0},
	{"dr7", 0xffc8, 8, 0},
	{"dr6", 0xffd0, 8, 0},
	{"rip", 0xffd8, 8, 0},
	{"efer", 0xffe0, 8, 0},
	{"rflags", 0xffe8, 8, 0},
	{"cr3", 0xfff0, 8, 0},
	{"cr0", 0xfff8, 8, 0},
};

static const struct x86_64_smm_map amd64 = {"amd64", amd64_fields, COUNT(amd64_fields)};
static const struct x86_64_smm_map p6 = {"p6", p6_fields, COUNT(p6_fields)};
static const struct x86_64_smm_map intel64 = {"intel64", intel64_fields, COUNT(intel64_fields)};

static uint64_t get(const uint8_t *area, unsigned int off, unsigned int bytes)
{
	uint64_t v = 0;

	for (unsigned int i = 0; i < bytes; i++)
		v |= (uint64_t)area[off - X86_64_SMM_AREA_OFF + i] << (8 * i);
	return v;
}

const struct x86_64_smm_map *x86_64_smm_map_of(const uint8_t area[X86_64_SMM_AREA],
					       uint32_t *ret_revision)
{
	uint32_t rev = (uint32_t)get(area, REVISION_OFF, 4), level = rev & 0xffff;

	*ret_revision = rev;
	/* bits 16 and 17 say what the CPU can do on RSM; nothing is defined above */
	if (!rev || rev >> 18)
		return NULL;
	if (level == 0x64)
		return &amd64;
	if (level <= 4)
		return &p6;
	return level >> 8 == 1 ? &intel64 : NULL;
}

uint64_t x86_64_smm_value(const struct x86_64_smm_field *f, const uint8_t area[X86_64_SMM_AREA])
{
	uint64_t v = get(area, f->off, f->bytes);

	if (f->off_high)
		v |= get(area, f->off_high, 4) << 32;
	return v;
}

bool x86_64_smm_hit_guest(const struct x86_64_smm_map *map, const uint8_t area[X86_64_SMM_AREA],
			  uint64_t *ret_vmcb)
{
	uint64_t guest = 0, vmcb = 0;

	for (size_t i = 0; i < map->nr_fields; i++) {
		if (!strcmp(map->field[i].name, "svm_guest"))
			guest = x86_64_smm_value(&map->field[i], area);
		if (!strcmp(map->field[i].name, "vmcb"))
			vmcb = x86_64_smm_value(&map->field[i], area);
	}
	if (guest & 1)
		*ret_vmcb = vmcb;
	return guest & 1;
}
