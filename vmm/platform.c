/*
 * Knows a PC's ways to end: the 8042's output port and pulses (IBM PC/AT Technical Reference,
 * 1-44), "fast" port 0x92, the reset control register 0xcf9 (Intel's chipset data sheets), and the
 * PM1 fixed registers (ACPI 6.4, 4.8.3).  There is no keyboard and no mouse: what is sent to them
 * is lost.
 */
#include "vmm/platform.h"

#include <string.h>

enum { KBD_DATA = 0x60, KBD_COMMAND = 0x64, FAST = 0x92, CF9 = 0xcf9 };
enum {
	READ_COMMAND = 0x20,
	WRITE_COMMAND = 0x60,
	DISABLE_AUX = 0xa7,
	ENABLE_AUX = 0xa8,
	SELF_TEST = 0xaa,
	TEST_KBD = 0xab,
	DISABLE_KBD = 0xad,
	ENABLE_KBD = 0xae,
	READ_OUTPUT = 0xd0,
	WRITE_OUTPUT = 0xd1,
	WRITE_AUX = 0xd4,
	PULSE = 0xf0, /* to 0xff: the lines whose bits are 0 */
};
enum { COMMAND_SYSTEM = 4, COMMAND_NO_KBD = 0x10, COMMAND_NO_AUX = 0x20 };
enum { STATUS_FULL = 1, STATUS_SYSTEM = 4, STATUS_UNLOCKED = 0x10 };
enum { OUTPUT_NO_RESET = 1, OUTPUT_A20 = 2, FAST_RESET = 1, FAST_A20 = 2 };
enum { CF9_HARD = 2, CF9_GO = 4, CF9_BITS = 0xe };
enum { PM1_SCI = 1, PM1_TYPE_SHIFT = 10, PM1_TYPE = 7, PM1_GO = 1 << 13, PM1_KEPT = 0x1c03 };

void vmm_platform_reset(struct vmm_platform *p)
{
	*p = (struct vmm_platform){.kbd_command = COMMAND_SYSTEM | COMMAND_NO_KBD | COMMAND_NO_AUX,
				   .port92 = FAST_A20,
				   .pm1_control = PM1_SCI};
}

static void reply(struct vmm_platform *p, uint8_t value)
{
	p->kbd_reply = value;
	p->kbd_full = 1;
}

static enum vmm_platform_end kbd_command(struct vmm_platform *p, uint8_t c)
{
	p->kbd_expects = 0;
	switch (c) {
	case READ_COMMAND:
		reply(p, p->kbd_command);
		break;
	case WRITE_COMMAND:
	case WRITE_OUTPUT:
	case WRITE_AUX:
		p->kbd_expects = c;
		break;
	case DISABLE_AUX:
		p->kbd_command |= COMMAND_NO_AUX;
		break;
	case ENABLE_AUX:
		p->kbd_command &= (uint8_t)~COMMAND_NO_AUX;
		break;
	case SELF_TEST:
		reply(p, 0x55);
		break;
	case TEST_KBD:
		reply(p, 0); /* the line is fine */
		break;
	case DISABLE_KBD:
		p->kbd_command |= COMMAND_NO_KBD;
		break;
	case ENABLE_KBD:
		p->kbd_command &= (uint8_t)~COMMAND_NO_KBD;
		break;
	case READ_OUTPUT:
		reply(p, OUTPUT_NO_RESET | OUTPUT_A20);
		break;
	default:
		if (c >= PULSE && !(c & OUTPUT_NO_RESET))
			return VMM_PLATFORM_RESET_I8042;
		break;
	}
	return VMM_PLATFORM_ON;
}

static enum vmm_platform_end kbd_data(struct vmm_platform *p, uint8_t value)
{
	uint8_t expects = p->kbd_expects;

	p->kbd_expects = 0;
	if (expects == WRITE_COMMAND)
		p->kbd_command = value;
	return expects == WRITE_OUTPUT && !(value & OUTPUT_NO_RESET) ? VMM_PLATFORM_RESET_I8042
								     : VMM_PLATFORM_ON;
}

static enum vmm_platform_end write_92(struct vmm_platform *p, uint8_t value)
{
	bool reset = value & ~p->port92 & FAST_RESET;

	p->port92 = value & (FAST_RESET | FAST_A20);
	return reset ? VMM_PLATFORM_RESET_92 : VMM_PLATFORM_ON;
}

/* The bit going up is the order. */
static enum vmm_platform_end write_cf9(struct vmm_platform *p, uint8_t value)
{
	bool reset = value & ~p->cf9 & CF9_GO;

	p->cf9 = value & CF9_BITS;
	return reset ? VMM_PLATFORM_RESET_CF9 : VMM_PLATFORM_ON;
}

/* The byte of a 16-bit register that lies at its port + high. */
static uint16_t with_byte(uint16_t reg, bool high, uint8_t value)
{
	return (uint16_t)(high ? (reg & 0xff) | value << 8 : (reg & 0xff00) | value);
}

static enum vmm_platform_end write_control(struct vmm_platform *p, bool high, uint8_t value)
{
	uint16_t v = with_byte(p->pm1_control, high, value);

	p->pm1_control = (v & PM1_KEPT) | PM1_SCI; /* ACPI mode is the only one there is */
	return high && v & PM1_GO && (v >> PM1_TYPE_SHIFT & PM1_TYPE) == VMM_SLP_TYP_S5
		       ? VMM_PLATFORM_OFF
		       : VMM_PLATFORM_ON;
}

uint8_t vmm_platform_read(struct vmm_platform *p, uint16_t port)
{
	switch (port) {
	case KBD_DATA:
		p->kbd_full = 0;
		return p->kbd_reply;
	case KBD_COMMAND:
		return (uint8_t)(STATUS_UNLOCKED | (p->kbd_command & STATUS_SYSTEM) |
				 (p->kbd_full ? STATUS_FULL : 0));
	case FAST:
		return p->port92;
	case CF9:
		return p->cf9;
	case VMM_PM1_STATUS + 2:
	case VMM_PM1_STATUS + 3:
		return (uint8_t)(p->pm1_enable >> (port & 1) * 8);
	case VMM_PM1_CONTROL:
	case VMM_PM1_CONTROL + 1:
		return (uint8_t)(p->pm1_control >> (port & 1) * 8);
	default:
		return 0; /* no event is ever there */
	}
}

enum vmm_platform_end vmm_platform_write(struct vmm_platform *p, uint16_t port, uint8_t value)
{
	switch (port) {
	case KBD_DATA:
		return kbd_data(p, value);
	case KBD_COMMAND:
		return kbd_command(p, value);
	case FAST:
		return write_92(p, value);
	case CF9:
		return write_cf9(p, value);
	case VMM_PM1_STATUS + 2:
	case VMM_PM1_STATUS + 3:
		p->pm1_enable = with_byte(p->pm1_enable, port & 1, value);
		return VMM_PLATFORM_ON;
	case VMM_PM1_CONTROL:
	case VMM_PM1_CONTROL + 1:
		return write_control(p, port & 1, value);
	default:
		return VMM_PLATFORM_ON;
	}
}

bool vmm_platform_valid(const struct vmm_platform *p)
{
	static const uint8_t zero[sizeof(p->pad)];
	uint8_t e = p->kbd_expects;

	return p->kbd_full <= 1 &&
	       (!e || e == WRITE_COMMAND || e == WRITE_OUTPUT || e == WRITE_AUX) &&
	       !(p->port92 & ~(FAST_RESET | FAST_A20)) && !(p->cf9 & ~CF9_BITS) &&
	       p->pm1_control & PM1_SCI && !(p->pm1_control & ~PM1_KEPT) &&
	       !memcmp(p->pad, zero, sizeof(zero));
}
