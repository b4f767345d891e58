/*
 * Knows the 16550A (National Semiconductor's PC16550D data sheet, section 8).  Sending takes no
 * time, so the transmitter is empty unless the other end has no room; bytes that come wait for no
 * time-out either: fewer than the trigger level are reported as one at once.
 */
#include "vmm/serial16550.h"

#include <string.h>

enum { RBR_THR, IER, IIR_FCR, LCR, MCR, LSR, MSR, SCR };
enum { IER_RX = 1, IER_THRE = 2, IER_LINE = 4, IER_BITS = 0xf };
enum { IIR_NONE = 1, IIR_THRE = 2, IIR_RX = 4, IIR_LINE = 6, IIR_TIMEOUT = 0xc, IIR_FIFO = 0xc0 };
enum { FCR_ON = 1, FCR_CLEAR_RX = 2, FCR_KEPT = 0xc9 };
enum { LCR_DLAB = 0x80 };
enum { MCR_OUT2 = 8, MCR_LOOP = 0x10, MCR_BITS = 0x1f };
enum { LSR_DATA = 1, LSR_OVERRUN = 2, LSR_EMPTY = 0x60 };
enum { MSR_READY = 0xb0 }; /* DCD, DSR, CTS: somebody is there */

static unsigned trigger(const struct vmm_serial_state *s)
{
	static const uint8_t level[] = {1, 4, 8, 14};

	return s->fcr & FCR_ON ? level[s->fcr >> 6] : 1;
}

/* In loopback it is its own other end. */
static bool may_send(const struct vmm_serial *u)
{
	return !u->busy || u->s.mcr & MCR_LOOP;
}

/* The pending interrupt of the highest priority (table 4 of the data sheet). */
static uint8_t pending(const struct vmm_serial *u)
{
	const struct vmm_serial_state *s = &u->s;

	if (s->ier & IER_LINE && s->overrun)
		return IIR_LINE;
	if (s->ier & IER_RX && s->nr_rx)
		return s->nr_rx >= trigger(s) ? IIR_RX : IIR_TIMEOUT;
	if (s->ier & IER_THRE && s->thre && may_send(u)) /* else it stays to be told */
		return IIR_THRE;
	return IIR_NONE;
}

/* OUT2 is the gate of the interrupt line in every PC; in loopback it is cut off. */
static bool wants_line(const struct vmm_serial *u)
{
	return pending(u) != IIR_NONE && (u->s.mcr & (MCR_OUT2 | MCR_LOOP)) == MCR_OUT2;
}

static void set_line(struct vmm_serial *u, bool level)
{
	if (u->line != level && u->irq)
		u->irq(u->arg, level);
	u->line = level;
}

void vmm_serial_reset(struct vmm_serial *u)
{
	u->s = (struct vmm_serial_state){.dll = 12}; /* 9600 baud */
	set_line(u, false);
}

static unsigned depth(const struct vmm_serial_state *s)
{
	return s->fcr & FCR_ON ? VMM_SERIAL_FIFO : 1;
}

static void take(struct vmm_serial_state *s, uint8_t byte)
{
	if (s->nr_rx >= depth(s)) { /* without a FIFO the last one stays, with one it is lost */
		s->overrun = 1;
		if (depth(s) == 1)
			s->rx[0] = byte;
		return;
	}
	s->rx[s->nr_rx++] = byte;
}

static uint8_t next(struct vmm_serial_state *s)
{
	uint8_t byte = s->rx[0];

	if (!s->nr_rx)
		return 0;
	s->nr_rx--;
	memmove(s->rx, s->rx + 1, s->nr_rx);
	memset(s->rx + s->nr_rx, 0, sizeof(s->rx) - s->nr_rx);
	return byte;
}

static uint8_t modem(const struct vmm_serial_state *s)
{
	if (!(s->mcr & MCR_LOOP))
		return MSR_READY;
	/* DTR to DSR, RTS to CTS, OUT1 to RI, OUT2 to DCD */
	return (uint8_t)((s->mcr & 1) << 5 | (s->mcr & 2) << 3 | (s->mcr & 4) << 4 |
			 (s->mcr & 8) << 4);
}

static uint8_t read_iir(struct vmm_serial *u)
{
	uint8_t id = pending(u);

	if (id == IIR_THRE)
		u->s.thre = 0;
	return (uint8_t)(id | (u->s.fcr & FCR_ON ? IIR_FIFO : 0));
}

static uint8_t read_lsr(struct vmm_serial *u)
{
	struct vmm_serial_state *s = &u->s;
	uint8_t v = (uint8_t)((may_send(u) ? LSR_EMPTY : 0) | (s->nr_rx ? LSR_DATA : 0) |
			      (s->overrun ? LSR_OVERRUN : 0));

	s->overrun = 0;
	return v;
}

static uint8_t get(struct vmm_serial *u, unsigned reg)
{
	struct vmm_serial_state *s = &u->s;
	bool latch = s->lcr & LCR_DLAB;

	switch (reg) {
	case RBR_THR:
		return latch ? s->dll : next(s);
	case IER:
		return latch ? s->dlm : s->ier;
	case IIR_FCR:
		return read_iir(u);
	case LCR:
		return s->lcr;
	case MCR:
		return s->mcr;
	case LSR:
		return read_lsr(u);
	case MSR:
		return modem(s);
	default:
		return s->scr;
	}
}

uint8_t vmm_serial_read(struct vmm_serial *u, unsigned reg)
{
	uint8_t v = get(u, reg);

	set_line(u, wants_line(u));
	return v;
}

/* The line falls and rises again, so that an edge-triggered pin sees each "may send". */
static void send(struct vmm_serial *u, uint8_t byte)
{
	u->s.thre = 0;
	set_line(u, wants_line(u));
	if (u->s.mcr & MCR_LOOP)
		take(&u->s, byte);
	else if (u->send)
		u->send(u->arg, byte);
	u->s.thre = 1;
}

static void set_ier(struct vmm_serial_state *s, uint8_t value)
{
	if (value & ~s->ier & IER_THRE)
		s->thre = 1; /* switching it on reports what is so already */
	s->ier = value & IER_BITS;
}

/* Switching the FIFOs on or off empties them (8.5 of the data sheet). */
static void set_fcr(struct vmm_serial_state *s, uint8_t value)
{
	if ((value ^ s->fcr) & FCR_ON || value & FCR_CLEAR_RX) {
		s->nr_rx = 0;
		memset(s->rx, 0, sizeof(s->rx));
	}
	s->fcr = value & FCR_ON ? value & FCR_KEPT : 0;
}

static void put(struct vmm_serial *u, unsigned reg, uint8_t value)
{
	struct vmm_serial_state *s = &u->s;
	bool latch = s->lcr & LCR_DLAB;

	if (reg == RBR_THR && !latch)
		send(u, value);
	else if (reg == RBR_THR)
		s->dll = value;
	else if (reg == IER && latch)
		s->dlm = value;
	else if (reg == IER)
		set_ier(s, value);
	else if (reg == IIR_FCR)
		set_fcr(s, value);
	else if (reg == LCR)
		s->lcr = value;
	else if (reg == MCR)
		s->mcr = value & MCR_BITS;
	else if (reg == SCR)
		s->scr = value;
}

void vmm_serial_write(struct vmm_serial *u, unsigned reg, uint8_t value)
{
	put(u, reg, value);
	set_line(u, wants_line(u));
}

size_t vmm_serial_room(const struct vmm_serial *u)
{
	unsigned most = depth(&u->s);

	return u->s.mcr & MCR_LOOP || u->s.nr_rx >= most ? 0 : most - u->s.nr_rx;
}

void vmm_serial_receive(struct vmm_serial *u, uint8_t byte)
{
	take(&u->s, byte);
	set_line(u, wants_line(u));
}

static bool valid(const struct vmm_serial_state *s)
{
	static const uint8_t zero[VMM_SERIAL_FIFO];

	if (s->ier & ~IER_BITS || s->mcr & ~MCR_BITS || s->overrun > 1 || s->thre > 1)
		return false;
	if (s->fcr & ~FCR_KEPT || (s->fcr && !(s->fcr & FCR_ON)) || s->nr_rx > depth(s))
		return false;
	return !memcmp(s->pad, zero, sizeof(s->pad)) &&
	       !memcmp(s->rx + s->nr_rx, zero, sizeof(s->rx) - s->nr_rx);
}

void vmm_serial_set_busy(struct vmm_serial *u, bool busy)
{
	u->busy = busy;
	set_line(u, wants_line(u));
}

bool vmm_serial_load(struct vmm_serial *u, const struct vmm_serial_state *s)
{
	if (!valid(s))
		return false;
	u->s = *s;
	set_line(u, wants_line(u));
	return true;
}
