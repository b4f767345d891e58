/* fw_cfg as a kernel's driver uses it, and as a hostile guest would. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "vmm/devices.h"
#include "vmm/memory.h"

enum { ORDER = 0x1000, BUFFER = 0x2000 };
enum { READ = 2, SKIP = 4, SELECT = 8, WRITE = 16 };

static struct vmm_devices d;
static struct vmm_memory *mem;

static int set_up(void **state)
{
	struct inq_err err;

	(void)state;
	vmm_devices_init(&d);
	assert_int_equal(vmm_memory_create(&mem, 16, NULL, 0, false, &err), INQ_OK);
	d.mem = mem;
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	vmm_memory_destroy(mem);
	return 0;
}

static void out(uint16_t port, unsigned size, uint32_t v)
{
	(void)vmm_devices_io(&d, true, port, size, 1, (uint8_t *)&v);
}

static void read_item(uint16_t key, uint8_t *to, uint32_t n)
{
	out(0x510, 2, key);
	(void)vmm_devices_io(&d, false, 0x511, 1, n, to);
}

/* The control word afterwards. */
static uint32_t dma(uint32_t control, uint32_t n, uint64_t address)
{
	uint32_t order[4] = {__builtin_bswap32(control), __builtin_bswap32(n),
			     __builtin_bswap32((uint32_t)(address >> 32)),
			     __builtin_bswap32((uint32_t)address)};
	uint8_t *p = vmm_memory_at(mem, 0, ORDER, sizeof(order));

	memcpy(p, order, sizeof(order));
	out(0x514, 4, 0);
	out(0x518, 4, __builtin_bswap32(ORDER));
	memcpy(order, p, sizeof(order));
	return __builtin_bswap32(order[0]);
}

static void signature_and_dma(void **state)
{
	uint8_t b[8];
	uint32_t v = 0;

	(void)state;
	read_item(0, b, 8);
	assert_memory_equal(b, "QEMU\0\0\0\0", 8);
	read_item(1, b, 4);
	assert_memory_equal(b, "\3\0\0\0", 4);
	(void)vmm_devices_io(&d, false, 0x514, 4, 1, (uint8_t *)&v);
	assert_memory_equal(&v, "QEMU", 4);
	(void)vmm_devices_io(&d, false, 0x518, 4, 1, (uint8_t *)&v);
	assert_memory_equal(&v, " CFG", 4);
	read_item(0x1234, b, 1);
	assert_int_equal(b[0], 0);
}

static void directory(void **state)
{
	uint8_t b[68];

	(void)state;
	read_item(0x19, b, sizeof(b));
	assert_memory_equal(b, "\0\0\0\1\0\0\0\20\0\40\0\0etc/vmcoreinfo\0", 4 + 8 + 15);
	assert_int_equal(dma(SELECT | READ | 0x19 << 16, 100, BUFFER), 0);
	assert_memory_equal(vmm_memory_at(mem, 0, BUFFER, 68), b, 68);
	assert_int_equal(*vmm_memory_at(mem, 0, BUFFER + 99, 1), 0);
	assert_int_equal(dma(SELECT | SKIP | 0x19 << 16, 12, 0), 0);
	assert_int_equal(dma(READ, 3, BUFFER), 0);
	assert_memory_equal(vmm_memory_at(mem, 0, BUFFER, 3), "etc", 3);
}

/* Linux' drivers/firmware/qemu_fw_cfg.c:write_vmcoreinfo. */
static void vmcoreinfo(void **state)
{
	const uint8_t said[16] = {0, 0, 1, 0, 0x34, 8, 0, 0, 0, 0x50, 0x12, 0, 0, 0, 0, 0};
	uint8_t back[16];
	uint64_t gpa;
	uint32_t n;

	(void)state;
	assert_false(vmm_fwcfg_vmcoreinfo(&d.fwcfg, &gpa, &n));
	memcpy(vmm_memory_at(mem, 0, BUFFER, 16), said, 16);
	assert_int_equal(dma(SELECT | WRITE | 0x20 << 16, 16, BUFFER), 0);
	assert_true(vmm_fwcfg_vmcoreinfo(&d.fwcfg, &gpa, &n));
	assert_true(gpa == 0x125000 && n == 0x834);
	read_item(0x20, back, sizeof(back));
	assert_memory_equal(back, "\1\0", 2); /* what the host takes */
	assert_memory_equal(back + 2, said + 2, 14);
	assert_true(vmm_fwcfg_valid(&d.fwcfg));
}

static void abuse(void **state)
{
	uint8_t before[16];

	(void)state;
	memcpy(before, d.fwcfg.vmcoreinfo, 16);
	assert_int_equal(dma(SELECT | WRITE | 0x20 << 16, 17, BUFFER), 1); /* too long */
	assert_int_equal(dma(SELECT | WRITE | 0x20 << 16, 4, BUFFER), 1);  /* a part */
	assert_int_equal(dma(SELECT | WRITE, 16, BUFFER), 1);              /* read-only */
	assert_int_equal(dma(SELECT | READ, 4, UINT64_MAX - 1), 1);        /* no memory */
	assert_int_equal(dma(SELECT | READ, 0xffffffff, BUFFER), 1);       /* not so much */
	assert_int_equal(dma(SELECT | READ, 1 << 20, 0x200000), 0);
	assert_int_equal(dma(SELECT | READ, (1 << 20) + 1, 0x200000), 1); /* holds up the others */
	assert_int_equal(dma(SELECT | WRITE | 0x20 << 16, 16, 16 << 20), 1);
	assert_int_equal(dma(SELECT | SKIP | 0x20 << 16, 0xffffffff, 0), 0);
	assert_int_equal(dma(WRITE, 1, BUFFER), 1); /* at its end */
	out(0x514, 4, 0xffffffff);
	out(0x518, 4, 0xffffffff); /* an order that lies nowhere */
	assert_memory_equal(before, d.fwcfg.vmcoreinfo, 16);
	d.mem = NULL;
	out(0x518, 4, __builtin_bswap32(ORDER));
	assert_true(vmm_fwcfg_valid(&d.fwcfg));
	d.fwcfg.at = 17;
	assert_false(vmm_fwcfg_valid(&d.fwcfg));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(signature_and_dma, set_up, tear_down),
		cmocka_unit_test_setup_teardown(directory, set_up, tear_down),
		cmocka_unit_test_setup_teardown(vmcoreinfo, set_up, tear_down),
		cmocka_unit_test_setup_teardown(abuse, set_up, tear_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
