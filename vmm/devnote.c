/*
 * Knows the note DEVICES (docs/snapshot-format.md, section 3): which device has which record, and
 * how records follow each other.
 */
#include "vmm/devnote.h"

#include <inttypes.h>
#include <string.h>

struct device {
	uint32_t id, version;
	const char *name;
	void (*save)(const struct vmm_vm *vm, struct vmm_notes *to); /* appends its payload */
	/* n bytes of that version.  False: they make no sense. */
	bool (*restore)(struct vmm_vm *vm, const uint8_t *p, size_t n);
};

static void append(struct vmm_notes *n, const void *data, size_t size)
{
	static const uint8_t zero[8];

	vmm_notes_raw(n, data, size);
	vmm_notes_raw(n, zero, -size & 7);
}

static void posts_save(const struct vmm_vm *vm, struct vmm_notes *to)
{
	for (unsigned i = 0; i < vm->nr_vcpus; i++) {
		const struct vmm_vcpu *v = &vm->vcpu[i];
		struct inq_snap_posts p = {.last_post = v->last_post,
					   .flags = v->has_result ? INQ_SNAP_POSTS_RESULT : 0,
					   .result = v->has_result ? v->result : 0};

		memcpy(p.seen, v->posts, sizeof(p.seen));
		append(to, &p, sizeof(p));
	}
}

static bool posts_restore(struct vmm_vm *vm, const uint8_t *bytes, size_t n)
{
	struct inq_snap_posts p;

	if (n != vm->nr_vcpus * sizeof(p))
		return false;
	for (unsigned i = 0; i < vm->nr_vcpus; i++) {
		struct vmm_vcpu *v = &vm->vcpu[i];

		memcpy(&p, bytes + i * sizeof(p), sizeof(p));
		if (p.last_post < -1 || p.last_post > UINT8_MAX)
			return false;
		v->last_post = p.last_post;
		v->has_result = p.flags & INQ_SNAP_POSTS_RESULT;
		v->result = p.result;
		memcpy(v->posts, p.seen, sizeof(v->posts));
	}
	return true;
}

static void serial_save(const struct vmm_vm *vm, struct vmm_notes *to)
{
	append(to, &vm->dev.serial.s, sizeof(vm->dev.serial.s));
}

static bool serial_restore(struct vmm_vm *vm, const uint8_t *bytes, size_t n)
{
	struct vmm_serial_state s;

	if (n != sizeof(s))
		return false;
	memcpy(&s, bytes, sizeof(s));
	return vmm_serial_load(&vm->dev.serial, &s);
}

static void platform_save(const struct vmm_vm *vm, struct vmm_notes *to)
{
	append(to, &vm->dev.platform, sizeof(vm->dev.platform));
}

static bool platform_restore(struct vmm_vm *vm, const uint8_t *bytes, size_t n)
{
	struct vmm_platform p;

	if (n != sizeof(p))
		return false;
	memcpy(&p, bytes, sizeof(p));
	if (!vmm_platform_valid(&p))
		return false;
	vm->dev.platform = p;
	return true;
}

static void rtc_save(const struct vmm_vm *vm, struct vmm_notes *to)
{
	append(to, &vm->dev.rtc, sizeof(vm->dev.rtc));
}

static bool rtc_restore(struct vmm_vm *vm, const uint8_t *bytes, size_t n)
{
	struct vmm_rtc r;

	if (n != sizeof(r))
		return false;
	memcpy(&r, bytes, sizeof(r));
	if (!vmm_rtc_valid(&r))
		return false;
	vm->dev.rtc = r;
	return true;
}

static void fwcfg_save(const struct vmm_vm *vm, struct vmm_notes *to)
{
	append(to, &vm->dev.fwcfg, sizeof(vm->dev.fwcfg));
}

static bool fwcfg_restore(struct vmm_vm *vm, const uint8_t *bytes, size_t n)
{
	struct vmm_fwcfg f;

	if (n != sizeof(f))
		return false;
	memcpy(&f, bytes, sizeof(f));
	if (!vmm_fwcfg_valid(&f))
		return false;
	vm->dev.fwcfg = f;
	return true;
}

static void virtio_save(const struct vmm_vm *vm, struct vmm_notes *to)
{
	append(to, &vm->dev.virtio.s, sizeof(vm->dev.virtio.s));
}

static bool virtio_restore(struct vmm_vm *vm, const uint8_t *bytes, size_t n)
{
	struct vmm_virtio_state s;

	if (n != sizeof(s))
		return false;
	memcpy(&s, bytes, sizeof(s));
	return vmm_virtio_load(&vm->dev.virtio, &s);
}

/* The states are kept as they lie in memory. */
_Static_assert(sizeof(struct vmm_serial_state) == 32, "record of the format");
_Static_assert(sizeof(struct vmm_platform) == 16, "record of the format");
_Static_assert(sizeof(struct vmm_rtc) == 144, "record of the format");
_Static_assert(sizeof(struct vmm_fwcfg) == 32, "record of the format");
_Static_assert(sizeof(struct vmm_virtio_state) == 72, "record of the format");

/* Every device that a snapshot holds; restored in this order. */
static const struct device devices[] = {
	{INQ_SNAP_DEV_POSTS, 1, "POST and result ports", posts_save, posts_restore},
	{INQ_SNAP_DEV_SERIAL, 1, "serial port", serial_save, serial_restore},
	{INQ_SNAP_DEV_PLATFORM, 1, "chipset's registers", platform_save, platform_restore},
	{INQ_SNAP_DEV_RTC, 1, "clock and CMOS", rtc_save, rtc_restore},
	{INQ_SNAP_DEV_FWCFG, 1, "fw_cfg", fwcfg_save, fwcfg_restore},
	{INQ_SNAP_DEV_VIRTIO, 1, "virtio disk", virtio_save, virtio_restore},
};

enum { NR_DEVICES = sizeof(devices) / sizeof(*devices) };

void vmm_devnote_add(const struct vmm_vm *vm, struct vmm_notes *n)
{
	struct vmm_notes all = {0};

	for (size_t i = 0; i < NR_DEVICES; i++) {
		struct inq_snap_device d = {.id = devices[i].id, .version = devices[i].version};
		size_t at = all.len;

		append(&all, &d, sizeof(d));
		devices[i].save(vm, &all);
		if (all.failed)
			break;
		d.size = (uint32_t)(all.len - at - sizeof(d));
		memcpy(all.bytes + at, &d, sizeof(d));
	}
	n->failed |= all.failed;
	if (!all.failed)
		vmm_notes_add(n, INQ_SNAP_VM, INQ_SNAP_DEVICES, all.bytes, all.len);
	vmm_notes_deinit(&all);
}

static const struct device *device_of(uint32_t id)
{
	for (size_t i = 0; i < NR_DEVICES; i++)
		if (devices[i].id == id)
			return &devices[i];
	return NULL;
}

static enum inq_status restore_one(const struct vmm_load *l, bool force, struct vmm_vm *vm,
				   const struct inq_snap_device *d, const uint8_t *p,
				   struct inq_err *err)
{
	const struct device *to = device_of(d->id);

	if (to && d->version == to->version)
		return to->restore(vm, p, d->size)
			       ? INQ_OK
			       : inq_fail(err, INQ_ECORRUPT, "%s: its %s make no sense", l->path,
					  to->name);
	if (force)
		return INQ_OK;
	return inq_fail(err, INQ_EUNSUPPORTED,
			"%s: device %" PRIu32 " version %" PRIu32
			" is unknown here; --force goes on without",
			l->path, d->id, d->version);
}

enum inq_status vmm_devnote_restore(const struct vmm_load *l, bool force, struct vmm_vm *vm,
				    struct inq_err *err)
{
	const struct vmm_load_note *note = vmm_load_note(l, INQ_SNAP_VM, INQ_SNAP_DEVICES);
	enum inq_status st = INQ_OK;
	struct inq_snap_device d;
	size_t left = note && note->p ? note->n : 0;
	const uint8_t *p = left ? note->p : NULL;

	for (; left >= sizeof(d) && !st; left -= d.size, p += d.size) {
		memcpy(&d, p, sizeof(d));
		p += sizeof(d);
		left -= sizeof(d);
		if (d.size > left || d.size % 8)
			return inq_fail(err, INQ_ECORRUPT, "%s: its DEVICES are cut short",
					l->path);
		st = restore_one(l, force, vm, &d, p, err);
	}
	if (!st && left)
		return inq_fail(err, INQ_ECORRUPT, "%s: its DEVICES are cut short", l->path);
	return st;
}
