/* A 16550A: the registers of a serial port and its interrupt.  No KVM, no files. */
#ifndef VMM_SERIAL16550_H
#define VMM_SERIAL16550_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { VMM_SERIAL_FIFO = 16 };

/* All that it remembers, as a snapshot holds it. */
struct vmm_serial_state {
	uint8_t ier, lcr, mcr, scr, fcr;
	uint8_t overrun;  /* 1: a byte came too many since the line status was read */
	uint8_t thre;     /* 1: "may send" has not been reported yet */
	uint8_t dll, dlm; /* divisor latch */
	uint8_t nr_rx;    /* bytes received and not read */
	uint8_t pad[6];   /* 0 */
	uint8_t rx[VMM_SERIAL_FIFO];
};

struct vmm_serial {
	struct vmm_serial_state s;
	bool line; /* as .irq was told last */
	bool busy; /* the other end has no room; no state of the guest's: it passes */
	void *arg;
	void (*send)(void *arg, uint8_t byte); /* to the other end; NULL: nobody listens */
	void (*irq)(void *arg, bool level);    /* called at changes only; NULL: not wired */
};

/* Registers as after a reset; what is wired stays. */
void vmm_serial_reset(struct vmm_serial *u);

/* reg: 0 to 7. */
uint8_t vmm_serial_read(struct vmm_serial *u, unsigned reg);
void vmm_serial_write(struct vmm_serial *u, unsigned reg, uint8_t value);

/* How many bytes it takes without an overrun; 0 while it listens to itself (loopback). */
size_t vmm_serial_room(const struct vmm_serial *u);
void vmm_serial_receive(struct vmm_serial *u, uint8_t byte);

/* Whether the other end has no room for now: what the guest sends all the same is .send's. */
void vmm_serial_set_busy(struct vmm_serial *u, bool busy);

/* From a snapshot, which is foreign.  False: no 16550A is ever in that state; nothing changed. */
bool vmm_serial_load(struct vmm_serial *u, const struct vmm_serial_state *s);

#endif
