/* Knows the registers of the local APIC and their arithmetic.  SDM vol. 3, 11.4 to 11.8. */
#include "arch/x86_64/lapic.h"

#include "arch/x86_64/say.h"

enum {
	OFF_ID = 0x20,
	OFF_VERSION = 0x30,
	OFF_TPR = 0x80,
	OFF_PPR = 0xa0,
	OFF_DFR = 0xe0,
	OFF_SVR = 0xf0,
	OFF_ISR = 0x100,
	OFF_TMR = 0x180,
	OFF_IRR = 0x200,
	OFF_ESR = 0x280,
	OFF_LVT_CMCI = 0x2f0,
	OFF_ICR = 0x300,
	OFF_ICR_HIGH = 0x310,
	OFF_LVT_TIMER = 0x320,
	OFF_LVT_ERROR = 0x370,
	OFF_DIVIDE = 0x3e0,
};

#define BANK(off, name)                                                                            \
	{(off), name "0"}, {(off) + 0x10, name "1"}, {(off) + 0x20, name "2"},                     \
		{(off) + 0x30, name "3"}, {(off) + 0x40, name "4"}, {(off) + 0x50, name "5"},      \
		{(off) + 0x60, name "6"},                                                          \
	{                                                                                          \
		(off) + 0x70, name "7"                                                             \
	}

const struct x86_64_lapic_reg x86_64_lapic_reg[] = {
	{OFF_ID, "id"},
	{OFF_VERSION, "version"},
	{OFF_TPR, "tpr"},
	{0x90, "apr"},
	{OFF_PPR, "ppr"},
	{0xb0, "eoi"},
	{0xc0, "rrd"},
	{0xd0, "ldr"},
	{OFF_DFR, "dfr"},
	{OFF_SVR, "svr"},
	BANK(OFF_ISR, "isr"),
	BANK(OFF_TMR, "tmr"),
	BANK(OFF_IRR, "irr"),
	{OFF_ESR, "esr"},
	{OFF_LVT_CMCI, "lvt_cmci"},
	{OFF_ICR, "icr_low"},
	{OFF_ICR_HIGH, "icr_high"},
	{OFF_LVT_TIMER, "lvt_timer"},
	{0x330, "lvt_thermal"},
	{0x340, "lvt_pmc"},
	{0x350, "lvt_lint0"},
	{0x360, "lvt_lint1"},
	{OFF_LVT_ERROR, "lvt_error"},
	{0x380, "timer_initial"},
	{0x390, "timer_current"},
	{OFF_DIVIDE, "timer_divide"},
	{0x3f0, "self_ipi"},
};
const size_t x86_64_nr_lapic_regs = sizeof(x86_64_lapic_reg) / sizeof(*x86_64_lapic_reg);

uint32_t x86_64_lapic_read(const uint8_t *page, uint16_t off)
{
	uint32_t v = 0;

	for (unsigned int i = 0; i < 4; i++)
		v |= (uint32_t)page[off + i] << (8 * i);
	return v;
}

static const char *delivery(uint32_t value)
{
	static const char *const names[] = {
		"fixed", "lowest priority", "smi", "reserved mode", "nmi", "init",
		"sipi",  "extint"};
	return names[value >> 8 & 7];
}

static void say_vector(struct say *s, uint32_t value)
{
	uint32_t mode = value >> 8 & 7;

	if (mode > 1 && mode != 6)
		x86_64_say(s, "%s", delivery(value));
	else
		x86_64_say(s, "%s vector 0x%x", delivery(value), value & 0xff);
}

static void say_lvt(struct say *s, uint16_t off, uint32_t value)
{
	static const char *const modes[] = {"one-shot", "periodic", "tsc-deadline",
					    "reserved timer mode"};

	if (off == OFF_LVT_TIMER) {
		x86_64_say(s, "vector 0x%x", value & 0xff);
		x86_64_say(s, "%s", modes[value >> 17 & 3]);
	} else if (off == OFF_LVT_ERROR) {
		x86_64_say(s, "vector 0x%x", value & 0xff);
	} else {
		say_vector(s, value);
	}
	x86_64_say(s, value & 1u << 16 ? "masked" : "not masked");
	if (value & 1u << 12)
		x86_64_say(s, "send pending");
	if (off != OFF_LVT_TIMER && (value & 1u << 15))
		x86_64_say(s, value & 1u << 14 ? "level, waits for eoi" : "level");
}

static void say_icr(struct say *s, uint32_t value)
{
	static const char *const whom[] = {NULL, "to self", "to all", "to all others"};

	say_vector(s, value);
	if (value >> 18 & 3)
		x86_64_say(s, "%s", whom[value >> 18 & 3]);
	else
		x86_64_say(s, value & 1u << 11 ? "logical destination" : "physical destination");
	if (value & 1u << 15)
		x86_64_say(s, value & 1u << 14 ? "level assert" : "level de-assert");
	if (value & 1u << 12)
		x86_64_say(s, "send pending");
}

static void say_bank(struct say *s, unsigned int first, uint32_t value)
{
	for (unsigned int i = 0; i < 32; i++)
		if (value >> i & 1)
			x86_64_say(s, "0x%x", first + i);
}

static void say_svr(struct say *s, uint32_t value)
{
	x86_64_say(s, "spurious vector 0x%x", value & 0xff);
	x86_64_say(s, value & 1u << 8 ? "enabled" : "disabled by software");
	if (value & 1u << 12)
		x86_64_say(s, "no eoi broadcast");
}

static void say_esr(struct say *s, uint32_t value)
{
	static const char *const names[] = {
		"send checksum",           "receive checksum", "send accept",
		"receive accept",          "redirectable",     "sent illegal vector",
		"received illegal vector", "illegal register"};

	for (unsigned int i = 0; i < 8; i++)
		if (value >> i & 1)
			x86_64_say(s, "%s", names[i]);
}

/* Bits 3, 1, 0: 0 divides by 2, then powers of two up to 128 at 6; 7 divides by 1. */
static unsigned int divisor(uint32_t value)
{
	unsigned int code = (value & 3) | (value >> 1 & 4);

	return code == 7 ? 1 : 2u << code;
}

static void say_id(struct say *s, uint32_t value)
{
	if (value & 0xffffff)
		x86_64_say(s, "x2apic id 0x%x", value);
	else
		x86_64_say(s, "apic id 0x%x", value >> 24);
}

static void say_dfr(struct say *s, uint32_t value)
{
	if (value >> 28 == 0xf)
		x86_64_say(s, "flat");
	else if (value >> 28 == 0)
		x86_64_say(s, "cluster");
}

void x86_64_lapic_describe(uint16_t off, uint32_t value, char *buf, size_t n)
{
	struct say s;

	x86_64_say_init(&s, buf, n);
	if (off >= OFF_ISR && off < OFF_ESR)
		say_bank(&s, (off & 0x70u) * 2, value);
	else if (off == OFF_LVT_CMCI || (off >= OFF_LVT_TIMER && off <= OFF_LVT_ERROR))
		say_lvt(&s, off, value);
	else if (off == OFF_ICR)
		say_icr(&s, value);
	else if (off == OFF_SVR)
		say_svr(&s, value);
	else if (off == OFF_ESR)
		say_esr(&s, value);
	else if (off == OFF_ID)
		say_id(&s, value);
	else if (off == OFF_DFR)
		say_dfr(&s, value);
	else if (off == OFF_VERSION)
		x86_64_say(&s, "version 0x%x, %u lvt entries", value & 0xff,
			   (value >> 16 & 0xff) + 1);
	else if ((off == OFF_TPR || off == OFF_PPR) && (value & 0xff))
		x86_64_say(&s, "holds back vectors up to 0x%x", (value & 0xf0) | 0xf);
	else if (off == OFF_DIVIDE)
		x86_64_say(&s, "divide by %u", divisor(value));
}

int x86_64_lapic_highest(const uint8_t *page, uint16_t bank)
{
	for (int word = 7; word >= 0; word--) {
		uint32_t v = x86_64_lapic_read(page, (uint16_t)(bank + word * 0x10));
		if (v)
			return word * 32 + 31 - __builtin_clz(v);
	}
	return -1;
}

uint8_t x86_64_lapic_ppr(const uint8_t *page)
{
	uint8_t tpr = (uint8_t)x86_64_lapic_read(page, OFF_TPR);
	int isrv = x86_64_lapic_highest(page, OFF_ISR);

	if (isrv < 0)
		isrv = 0;
	return tpr >> 4 >= isrv >> 4 ? tpr : (uint8_t)(isrv & 0xf0);
}
