/* The LAPIC register page: names, decoding, priorities.  Source: SDM vol. 3 chapter 11. */
#ifndef ARCH_X86_64_LAPIC_H
#define ARCH_X86_64_LAPIC_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { X86_64_LAPIC_BYTES = 0x400 };

struct x86_64_lapic_reg {
	uint16_t off;     /* 0x20 .. 0x3f0, step 0x10 */
	const char *name; /* "id", "tpr", "isr0", "lvt_timer", ... */
};
extern const struct x86_64_lapic_reg x86_64_lapic_reg[];
extern const size_t x86_64_nr_lapic_regs;

uint32_t x86_64_lapic_read(const uint8_t *page, uint16_t off);

/* What the value means, for people: "vector 0x20, periodic, not masked".  Else empty. */
void x86_64_lapic_describe(uint16_t off, uint32_t value, char *buf, size_t n);

/* Highest vector of IRR (0x200), ISR (0x100) or TMR (0x180); -1 when none. */
int x86_64_lapic_highest(const uint8_t *page, uint16_t bank);

/* SDM 10.8.3.1: recomputed from TPR and the highest vector in service. */
uint8_t x86_64_lapic_ppr(const uint8_t *page);

#endif
