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
	void (*save)(const struct vmm_vm *vm, struct snap_notes *to); /* appends its payload; or */
	size_t at, bytes; /* of struct vmm_vm: the payload as it lies there */
	/* n bytes of that version (.bytes, if there is no .save).  False: they make no sense. */
	bool (*restore)(struct vmm_vm *vm, const uint8_t *p, size_t n);
};

static void append(struct snap_notes *n, const void *data, size_t size)
{
	static const uint8_t zero[8];

	snap_notes_raw(n, data, size);
	snap_notes_raw(n, zero, -size & 7);
}

static void posts_save(const struct vmm_vm *vm, struct snap_notes *to)
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

/* Those below get as many bytes as their record has. */
static bool serial_restore(struct vmm_vm *vm, const uint8_t *bytes, size_t n)
{
	struct vmm_serial_state s;

	(void)n;
	memcpy(&s, bytes, sizeof(s));
	return vmm_serial_load(&vm->dev.serial, &s);
}

static bool platform_restore(struct vmm_vm *vm, const uint8_t *bytes, size_t n)
{
	struct vmm_platform p;
	bool valid;

	memcpy(&p, bytes, sizeof(p));
	valid = vmm_platform_valid(&p);
	if (valid)
		memcpy(&vm->dev.platform, &p, n);
	return valid;
}

static bool rtc_restore(struct vmm_vm *vm, const uint8_t *bytes, size_t n)
{
	struct vmm_rtc r;
	bool valid;

	memcpy(&r, bytes, sizeof(r));
	valid = vmm_rtc_valid(&r);
	if (valid)
		memcpy(&vm->dev.rtc, &r, n);
	return valid;
}

static bool fwcfg_restore(struct vmm_vm *vm, const uint8_t *bytes, size_t n)
{
	struct vmm_fwcfg f;
	bool valid;

	memcpy(&f, bytes, sizeof(f));
	valid = vmm_fwcfg_valid(&f);
	if (valid)
		memcpy(&vm->dev.fwcfg, &f, n);
	return valid;
}

static bool virtio_restore(struct vmm_vm *vm, const uint8_t *bytes, size_t n)
{
	struct vmm_virtio_state s;

	(void)n;
	memcpy(&s, bytes, sizeof(s));
	return vmm_virtio_load(&vm->dev.virtio, &s);
}

/* The states are kept as they lie in memory. */
_Static_assert(sizeof(struct vmm_serial_state) == 32, "record of the format");
_Static_assert(sizeof(struct vmm_platform) == 16, "record of the format");
_Static_assert(sizeof(struct vmm_rtc) == 144, "record of the format");
_Static_assert(sizeof(struct vmm_fwcfg) == 32, "record of the format");
_Static_assert(sizeof(struct vmm_virtio_state) == 72, "record of the format");

#define AT(member)                                                                                 \
	NULL, offsetof(struct vmm_vm, dev.member), sizeof(((struct vmm_vm *)NULL)->dev.member)
/* Every device that a snapshot holds; restored in this order. */
static const struct device devices[] = {
	{INQ_SNAP_DEV_POSTS, 1, "POST and result ports", posts_save, 0, 0, posts_restore},
	{INQ_SNAP_DEV_SERIAL, 1, "serial port", AT(serial.s), serial_restore},
	{INQ_SNAP_DEV_PLATFORM, 1, "chipset's registers", AT(platform), platform_restore},
	{INQ_SNAP_DEV_RTC, 1, "clock and CMOS", AT(rtc), rtc_restore},
	{INQ_SNAP_DEV_FWCFG, 1, "fw_cfg", AT(fwcfg), fwcfg_restore},
	{INQ_SNAP_DEV_VIRTIO, 1, "virtio disk", AT(virtio.s), virtio_restore},
};
#undef AT

enum { NR_DEVICES = sizeof(devices) / sizeof(*devices) };

void vmm_devnote_add(const struct vmm_vm *vm, struct snap_notes *n)
{
	struct snap_notes all = {0};

	for (size_t i = 0; i < NR_DEVICES; i++) {
		struct inq_snap_device d = {.id = devices[i].id, .version = devices[i].version};
		size_t at = all.len;

		append(&all, &d, sizeof(d));
		if (devices[i].save)
			devices[i].save(vm, &all);
		else
			append(&all, (const char *)vm + devices[i].at, devices[i].bytes);
		if (all.failed)
			break;
		d.size = (uint32_t)(all.len - at - sizeof(d));
		memcpy(all.bytes + at, &d, sizeof(d));
	}
	n->failed |= all.failed;
	if (!all.failed)
		snap_notes_add(n, INQ_SNAP_VM, INQ_SNAP_DEVICES, all.bytes, all.len);
	snap_notes_deinit(&all);
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
		return (to->save || d->size == to->bytes) && to->restore(vm, p, d->size)
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
