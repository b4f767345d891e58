/* The note DEVICES: what goes in comes out, and whatever else it holds is refused or made sense of.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "vmm/devnote.h"

enum { NR_VCPUS = 3 };

/* In the heap, so that a byte read too far is noticed. */
struct saved {
	uint8_t *p;
	size_t n;
};

static struct vmm_vm *new_vm(void)
{
	struct vmm_vm *vm = calloc(1, sizeof(*vm));

	assert_non_null(vm);
	vm->nr_vcpus = NR_VCPUS;
	vmm_devices_init(&vm->dev);
	for (unsigned i = 0; i < NR_VCPUS; i++)
		vm->vcpu[i].last_post = -1;
	return vm;
}

static struct saved save(const struct vmm_vm *vm)
{
	const size_t head = 12 + 8 + sizeof(struct inq_snap_note);
	struct snap_notes n = {0};
	struct inq_snap_note h;

	vmm_devnote_add(vm, &n);
	assert_false(n.failed);
	memcpy(&h, n.bytes + 12 + 8, sizeof(h));
	assert_int_equal(h.kind, INQ_SNAP_DEVICES);
	assert_int_equal(h.vcpu, INQ_SNAP_VM);
	struct saved s = {malloc(h.size), h.size};
	assert_non_null(s.p);
	memcpy(s.p, n.bytes + head, h.size);
	snap_notes_deinit(&n);
	return s;
}

static enum inq_status restore(const uint8_t *p, size_t n, bool force, struct vmm_vm *vm)
{
	uint8_t *copy = malloc(n ? n : 1);
	struct vmm_load_note note = {
		.vcpu = INQ_SNAP_VM, .kind = INQ_SNAP_DEVICES, .p = copy, .n = n};
	struct vmm_load l = {.path = "x.core", .note = &note, .nr_notes = 1};
	struct inq_err err = {0};

	assert_non_null(copy);
	memcpy(copy, p, n);
	enum inq_status st = vmm_devnote_restore(&l, force, vm, &err);
	free(copy);
	return st;
}

static struct vmm_vm *busy_vm(void)
{
	struct vmm_vm *vm = new_vm();

	vm->vcpu[0].last_post = 0xff;
	vm->vcpu[0].posts[3] = UINT64_C(1) << 63;
	vm->vcpu[2].has_result = true;
	vm->vcpu[2].result = 0xfeedbeef;
	vmm_serial_write(&vm->dev.serial, 2, 1);
	vmm_serial_receive(&vm->dev.serial, 'k');
	(void)vmm_platform_write(&vm->dev.platform, 0x64, 0xae);
	vmm_rtc_write(&vm->dev.rtc, 0, 0x77, 0);
	vmm_rtc_write(&vm->dev.rtc, 1, 0x55, 0);
	vm->dev.rtc.offset = -86400;
	vm->dev.fwcfg.vmcoreinfo[2] = 1;
	return vm;
}

static void round_trip(void **state)
{
	struct vmm_vm *a = busy_vm(), *b = new_vm();
	struct saved s = save(a);

	(void)state;
	assert_int_equal(restore(s.p, s.n, false, b), INQ_OK);
	for (unsigned i = 0; i < NR_VCPUS; i++) {
		assert_int_equal(a->vcpu[i].last_post, b->vcpu[i].last_post);
		assert_int_equal(a->vcpu[i].has_result, b->vcpu[i].has_result);
		assert_int_equal(a->vcpu[i].result, b->vcpu[i].result);
		assert_memory_equal(a->vcpu[i].posts, b->vcpu[i].posts, sizeof(a->vcpu[i].posts));
	}
	assert_memory_equal(&a->dev.serial.s, &b->dev.serial.s, sizeof(a->dev.serial.s));
	assert_memory_equal(&a->dev.platform, &b->dev.platform, sizeof(a->dev.platform));
	assert_memory_equal(&a->dev.fwcfg, &b->dev.fwcfg, sizeof(a->dev.fwcfg));
	assert_memory_equal(&a->dev.rtc, &b->dev.rtc, sizeof(a->dev.rtc));
	free(s.p);
	free(a);
	free(b);
}

/* Cut anywhere but between records it is refused, forced or not. */
static void truncated(void **state)
{
	struct vmm_vm *a = busy_vm(), *b = new_vm();
	struct saved s = save(a);

	(void)state;
	for (size_t n = 1; n < s.n; n++) {
		struct inq_snap_device d;
		size_t at = 0;

		for (; at + sizeof(d) <= n; at += sizeof(d) + d.size)
			memcpy(&d, s.p + at, sizeof(d));
		if (at != n)
			assert_int_equal(restore(s.p, n, true, b), INQ_ECORRUPT);
	}
	assert_int_equal(restore(s.p, 0, false, b), INQ_OK);
	free(s.p);
	free(a);
	free(b);
}

/* Each byte in turn: no status but those that are promised, and nothing read outside. */
static void flipped(void **state)
{
	struct vmm_vm *a = busy_vm(), *b = new_vm();
	struct saved s = save(a);

	(void)state;
	for (size_t i = 0; i < s.n; i++) {
		for (unsigned bit = 0; bit < 8; bit++) {
			s.p[i] ^= 1u << bit;
			enum inq_status st = restore(s.p, s.n, bit & 1, b);
			assert_true(st == INQ_OK || st == INQ_ECORRUPT ||
				    (st == INQ_EUNSUPPORTED && !(bit & 1)));
			s.p[i] ^= 1u << bit;
		}
	}
	free(s.p);
	free(a);
	free(b);
}

static void unknown_device(void **state)
{
	const struct inq_snap_device d[] = {{.id = 0x7fff, .version = 1, .size = 16}, {0}};
	struct vmm_vm *b = new_vm();

	(void)state;
	assert_int_equal(restore((const uint8_t *)d, sizeof(d), false, b), INQ_EUNSUPPORTED);
	assert_int_equal(restore((const uint8_t *)d, sizeof(d), true, b), INQ_OK);
	free(b);
}

static void other_number_of_vcpus(void **state)
{
	struct vmm_vm *a = busy_vm(), *b = new_vm();
	struct saved s = save(a);

	(void)state;
	b->nr_vcpus = NR_VCPUS - 1;
	assert_int_equal(restore(s.p, s.n, false, b), INQ_ECORRUPT);
	free(s.p);
	free(a);
	free(b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(round_trip),
		cmocka_unit_test(truncated),
		cmocka_unit_test(flipped),
		cmocka_unit_test(unknown_device),
		cmocka_unit_test(other_number_of_vcpus),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
