/* The 16550A, register by register, as drivers probe and use it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "vmm/serial16550.h"

enum { DATA, IER, IIR, LCR, MCR, LSR, MSR, SCR, FCR = IIR };

struct bench {
	struct vmm_serial u;
	uint8_t sent[64];
	unsigned nr_sent, rises;
	bool level;
};

static void on_send(void *arg, uint8_t byte)
{
	struct bench *b = arg;

	if (b->nr_sent < sizeof(b->sent))
		b->sent[b->nr_sent++] = byte;
}

static void on_irq(void *arg, bool level)
{
	struct bench *b = arg;

	assert_true(level != b->level); /* changes only */
	b->rises += level;
	b->level = level;
}

static struct bench *fresh(void)
{
	static struct bench b;

	memset(&b, 0, sizeof(b));
	b.u = (struct vmm_serial){.arg = &b, .send = on_send, .irq = on_irq};
	vmm_serial_reset(&b.u);
	return &b;
}

static void set(struct bench *b, unsigned reg, uint8_t v)
{
	vmm_serial_write(&b->u, reg, v);
}

static uint8_t get(struct bench *b, unsigned reg)
{
	return vmm_serial_read(&b->u, reg);
}

static void sends_at_once(void **state)
{
	struct bench *b = fresh();

	(void)state;
	assert_int_equal(get(b, LSR), 0x60);
	set(b, DATA, 'h');
	set(b, DATA, 'i');
	assert_int_equal(b->nr_sent, 2);
	assert_memory_equal(b->sent, "hi", 2);
	assert_int_equal(get(b, LSR), 0x60);
	assert_int_equal(b->rises, 0);
}

/* The divisor latch hides data and IER; nothing is sent meanwhile. */
static void divisor_latch(void **state)
{
	struct bench *b = fresh();

	(void)state;
	set(b, IER, 1);
	set(b, LCR, 0x83);
	set(b, DATA, 0x34);
	set(b, IER, 0x12);
	assert_int_equal(get(b, DATA), 0x34);
	assert_int_equal(get(b, IER), 0x12);
	set(b, LCR, 0x03);
	assert_int_equal(get(b, IER), 1);
	assert_int_equal(get(b, LCR), 3);
	assert_int_equal(b->nr_sent, 0);
}

/* What Linux' autoconfig looks at (drivers/tty/serial/8250/8250_port.c). */
static void probed_as_16550a(void **state)
{
	struct bench *b = fresh();

	(void)state;
	set(b, IER, 0xff);
	assert_int_equal(get(b, IER), 0x0f);
	set(b, IER, 0);
	set(b, MCR, 0x10 | 0x0a);
	assert_int_equal(get(b, MSR) & 0xf0, 0x90);
	set(b, MCR, 0);
	set(b, FCR, 1);
	assert_int_equal(get(b, IIR) >> 6, 3);
	set(b, FCR, 0);
	assert_int_equal(get(b, IIR) >> 6, 0);
	set(b, SCR, 0x5a);
	assert_int_equal(get(b, SCR), 0x5a);
}

static void loops_back(void **state)
{
	struct bench *b = fresh();

	(void)state;
	set(b, MCR, 0x10);
	assert_int_equal(vmm_serial_room(&b->u), 0);
	set(b, DATA, 0x77);
	assert_int_equal(b->nr_sent, 0);
	assert_int_equal(get(b, LSR), 0x61);
	assert_int_equal(get(b, DATA), 0x77);
	assert_int_equal(get(b, LSR), 0x60);
	set(b, MCR, 0x1f);
	assert_int_equal(get(b, MSR), 0xf0);
}

/* Without OUT2 the line is cut off, as in every PC. */
static void may_send_interrupt(void **state)
{
	struct bench *b = fresh();

	(void)state;
	set(b, IER, 2);
	assert_false(b->level);
	set(b, MCR, 8);
	assert_true(b->level);
	assert_int_equal(get(b, IIR), 2); /* reading takes it back */
	assert_false(b->level);
	assert_int_equal(get(b, IIR), 1);
	set(b, DATA, 'x');
	assert_true(b->level);
	set(b, DATA, 'y');
	assert_int_equal(b->rises, 3); /* an edge each */
	set(b, IER, 0);
	assert_false(b->level);
	set(b, IER, 2);
	assert_true(b->level); /* switched on: it may send */
}

/* Its other end has no room: "may send" is told once it has. */
static void waits_for_room(void **state)
{
	struct bench *b = fresh();

	(void)state;
	set(b, IER, 2);
	set(b, MCR, 8);
	assert_int_equal(get(b, IIR), 2);
	vmm_serial_set_busy(&b->u, true);
	assert_int_equal(get(b, LSR), 0);
	set(b, DATA, 'x'); /* who does not look first */
	assert_int_equal(b->nr_sent, 1);
	assert_false(b->level);
	assert_int_equal(get(b, IIR), 1);
	struct vmm_serial_state s = b->u.s;
	vmm_serial_set_busy(&b->u, false);
	assert_true(b->level);
	assert_int_equal(get(b, LSR), 0x60);
	assert_int_equal(get(b, IIR), 2);
	assert_false(b->level);
	assert_true(vmm_serial_load(&b->u, &s)); /* a snapshot from meanwhile: it is told there */
	assert_true(b->level);
	vmm_serial_set_busy(&b->u, true);
	set(b, MCR, 0x10);
	assert_int_equal(get(b, LSR), 0x60);
}

static void receives_one(void **state)
{
	struct bench *b = fresh();

	(void)state;
	set(b, MCR, 8);
	set(b, IER, 5);
	assert_int_equal(vmm_serial_room(&b->u), 1);
	vmm_serial_receive(&b->u, 'a');
	assert_int_equal(vmm_serial_room(&b->u), 0);
	assert_true(b->level);
	assert_int_equal(get(b, IIR), 4);
	vmm_serial_receive(&b->u, 'b'); /* one too many: the register holds the new one */
	assert_int_equal(get(b, IIR), 6);
	assert_int_equal(get(b, LSR), 0x63);
	assert_int_equal(get(b, LSR), 0x61);
	assert_int_equal(get(b, DATA), 'b');
	assert_false(b->level);
	assert_int_equal(get(b, IIR), 1);
	assert_int_equal(get(b, DATA), 0);
}

static void receives_with_fifo(void **state)
{
	struct bench *b = fresh();

	(void)state;
	set(b, MCR, 8);
	set(b, IER, 1);
	set(b, FCR, 0x81); /* at 8 */
	assert_int_equal(vmm_serial_room(&b->u), 16);
	for (unsigned i = 0; i < 7; i++)
		vmm_serial_receive(&b->u, (uint8_t)i);
	assert_int_equal(get(b, IIR), 0xcc);
	vmm_serial_receive(&b->u, 7);
	assert_int_equal(get(b, IIR), 0xc4);
	for (unsigned i = 8; i < 17; i++)
		vmm_serial_receive(&b->u, (uint8_t)i); /* the last is lost */
	assert_int_equal(get(b, LSR) & 2, 2);
	for (unsigned i = 0; i < 16; i++)
		assert_int_equal(get(b, DATA), i);
	assert_false(b->level);
}

static void fifo_is_emptied(void **state)
{
	struct bench *b = fresh();

	(void)state;
	set(b, FCR, 1);
	vmm_serial_receive(&b->u, 1);
	set(b, FCR, 3);
	assert_int_equal(get(b, LSR), 0x60);
	vmm_serial_receive(&b->u, 2);
	set(b, FCR, 0);
	assert_int_equal(get(b, LSR), 0x60);
}

/* Loaded, it goes on: bytes, and a line that is up. */
static void save_and_load(void **state)
{
	static struct bench other;
	struct bench *b = fresh();

	(void)state;
	set(b, FCR, 0x41);
	set(b, MCR, 8);
	set(b, IER, 3);
	vmm_serial_receive(&b->u, 'q');
	vmm_serial_receive(&b->u, 'r');
	struct vmm_serial_state s = b->u.s;
	memset(&other, 0, sizeof(other));
	other.u = (struct vmm_serial){.arg = &other, .send = on_send, .irq = on_irq};
	assert_true(vmm_serial_load(&other.u, &s));
	assert_true(other.level);
	assert_int_equal(get(&other, IIR), 0xcc);
	assert_int_equal(get(&other, DATA), 'q');
	assert_int_equal(get(&other, DATA), 'r');
	assert_int_equal(get(&other, IIR), 0xc2);
}

static void impossible_states(void **state)
{
	struct bench *b = fresh();
	const struct vmm_serial_state bad[] = {
		{.ier = 0x10},
		{.mcr = 0x20},
		{.fcr = 0xc0},
		{.fcr = 3},
		{.overrun = 2},
		{.thre = 2},
		{.nr_rx = 2},
		{.nr_rx = 17, .fcr = 1},
		{.pad = {[5] = 1}},
		{.rx = {[0] = 1}},
		{.rx = {1, 2}, .nr_rx = 1, .fcr = 1},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++)
		assert_false(vmm_serial_load(&b->u, &bad[i]));
	assert_int_equal(b->u.s.dll, 12); /* untouched */
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(sends_at_once),      cmocka_unit_test(divisor_latch),
		cmocka_unit_test(probed_as_16550a),   cmocka_unit_test(loops_back),
		cmocka_unit_test(may_send_interrupt), cmocka_unit_test(waits_for_room),
		cmocka_unit_test(receives_one),       cmocka_unit_test(receives_with_fifo),
		cmocka_unit_test(fifo_is_emptied),    cmocka_unit_test(save_and_load),
		cmocka_unit_test(impossible_states),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
