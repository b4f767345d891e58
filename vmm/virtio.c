/*
 * Knows virtio's split queue (virtio 1.1, 2.6) and its registers over MMIO (4.2.2).  Requests are
 * done while the guest's write to QueueNotify waits, so none is half done in a snapshot; those that
 * a stop left in the queue are taken up when the VM goes on, or goes on from its snapshot.
 * What a driver breaks is its own: a device that finds nonsense asks for a reset and does no more.
 */
#include "vmm/virtio.h"

#include <inttypes.h>
#include <string.h>

enum {
	MAGIC = 0x00,
	VERSION = 0x04,
	DEVICE_ID = 0x08,
	VENDOR_ID = 0x0c,
	FEATURES = 0x10,
	FEATURES_SEL = 0x14,
	DRIVER_FEATURES = 0x20,
	DRIVER_FEATURES_SEL = 0x24,
	QUEUE_SEL = 0x30,
	QUEUE_NUM_MAX = 0x34,
	QUEUE_NUM = 0x38,
	QUEUE_READY = 0x44,
	QUEUE_NOTIFY = 0x50,
	INTERRUPT_STATUS = 0x60,
	INTERRUPT_ACK = 0x64,
	STATUS = 0x70,
	QUEUE_DESC = 0x80, /* low, high; so the other two */
	QUEUE_AVAIL = 0x90,
	QUEUE_USED = 0xa0,
	CONFIG = 0x100,
};
enum { FEATURES_OK = 8, DRIVER_OK = 4, NEEDS_RESET = 0x40, STATUS_BITS = 0xcf };
enum { DESC_NEXT = 1, DESC_WRITE = 2, DESC_BYTES = 16, NO_INTERRUPT = 1 };
enum { USED_BUFFERS = 1, CONFIG_CHANGED = 2, BLOCK = 2, CONFIG_BYTES = 16 };
static const uint64_t f_size_max = 1u << 1, f_seg_max = 1u << 2, f_ro = 1u << 5, f_flush = 1u << 9,
		      f_version_1 = UINT64_C(1) << 32;

static void set_line(struct vmm_virtio *v)
{
	bool level = v->s.interrupt;

	if (v->line != level && v->irq)
		v->irq(v->arg, level);
	v->line = level;
}

/* The line falls and rises again: its pin sees edges. */
static void raise(struct vmm_virtio *v, uint32_t why)
{
	uint32_t now = v->s.interrupt | why;

	v->s.interrupt = 0;
	set_line(v);
	v->s.interrupt = now;
	set_line(v);
}

void vmm_virtio_reset(struct vmm_virtio *v, const struct vmm_block *disk)
{
	v->disk = disk;
	v->cut = false;
	v->s = (struct vmm_virtio_state){.sectors = disk ? disk->sectors : 0};
	set_line(v);
}

/* Whether its driver may write is settled until the next reset. */
static enum inq_status check_mode(const struct vmm_virtio_state *s, const struct vmm_block *disk,
				  struct inq_err *err)
{
	bool was = s->driver_features & f_ro;

	if (!disk || !(s->status & DRIVER_OK) || was == disk->read_only)
		return INQ_OK;
	return was ? inq_fail(err, INQ_EUSAGE,
			      "the machine knows its disk as read-only; give --disk FILE:ro, or "
			      "--force")
		   : inq_fail(err, INQ_EUSAGE,
			      "the machine may write to its disk; give --disk FILE without :ro, or "
			      "--force");
}

enum inq_status vmm_virtio_attach(struct vmm_virtio *v, const struct vmm_block *disk, bool force,
				  struct inq_err *err)
{
	uint64_t had = v->s.sectors, has = disk ? disk->sectors : 0;

	if (!had) {
		vmm_virtio_reset(v, disk);
		return INQ_OK;
	}
	if (has != had && !force)
		return inq_fail(err, INQ_EUSAGE,
				"the machine had a disk of %" PRIu64 " sectors, not %" PRIu64
				"; give it with --disk FILE, or --force",
				had, has);
	enum inq_status st = force ? INQ_OK : check_mode(&v->s, disk, err);
	if (st)
		return st;
	v->disk = disk;
	if (disk)
		v->s.sectors = has; /* without one: what it had, for who goes on from there */
	return INQ_OK;
}

static uint64_t features(const struct vmm_virtio *v)
{
	return f_version_1 | f_size_max | f_seg_max | f_flush |
	       (v->disk && v->disk->read_only ? f_ro : 0);
}

static uint32_t get(const struct vmm_virtio *v, uint32_t off)
{
	switch (off) {
	case MAGIC:
		return 0x74726976; /* "virt" */
	case VERSION:
		return 2;
	case DEVICE_ID:
		return v->disk ? BLOCK : 0;
	case VENDOR_ID:
		return 0x51514e49; /* "INQQ" */
	case FEATURES:
		return v->s.features_sel < 2 ? (uint32_t)(features(v) >> 32 * v->s.features_sel)
					     : 0;
	case QUEUE_NUM_MAX:
		return v->s.queue_sel ? 0 : VMM_VIRTIO_QUEUE;
	case QUEUE_READY:
		return v->s.queue_sel ? 0 : v->s.queue_ready;
	case INTERRUPT_STATUS:
		return v->s.interrupt;
	case STATUS:
		return v->s.status;
	default:
		return 0;
	}
}

/*
 * u64 capacity, u32 size_max, u32 seg_max: of a chain, header and status excluded.  A driver that
 * keeps to both makes no request that is too big (virtio 1.2, 5.2.5).
 */
static void get_config(const struct vmm_virtio *v, uint32_t off, uint8_t *data, unsigned len)
{
	uint8_t config[CONFIG_BYTES] = {0};
	const uint32_t segments = VMM_VIRTIO_QUEUE - 2, size = 64 << 10;

	_Static_assert((VMM_VIRTIO_QUEUE - 2) * (64 << 10) <= VMM_BLOCK_MAX_BYTES, "they fit");
	memcpy(config, &v->s.sectors, 8);
	memcpy(config + 8, &size, 4);
	memcpy(config + 12, &segments, 4);
	memset(data, 0, len);
	if (off < CONFIG_BYTES)
		memcpy(data, config + off, len < CONFIG_BYTES - off ? len : CONFIG_BYTES - off);
}

void vmm_virtio_read(const struct vmm_virtio *v, uint32_t off, uint8_t *data, unsigned len)
{
	if (off >= CONFIG) {
		get_config(v, off - CONFIG, data, len);
		return;
	}
	uint32_t value = len == 4 ? get(v, off) : 0;
	memset(data, 0, len);
	memcpy(data, &value, len < 4 ? len : 4);
}

/* Where the queue lies, for the time of a notification. */
struct queue {
	const struct vmm_memory *mem;
	uint8_t *desc, *avail, *used;
	uint32_t num;
};

static bool find_queue(const struct vmm_virtio_state *s, const struct vmm_memory *mem,
		       struct queue *ret)
{
	*ret = (struct queue){.mem = mem, .num = s->queue_num};
	if (!mem || !s->queue_ready || !s->queue_num || s->desc % 16 || s->avail % 2 || s->used % 4)
		return false;
	ret->desc = vmm_memory_at(mem, 0, s->desc, (uint64_t)DESC_BYTES * s->queue_num);
	ret->avail = vmm_memory_at(mem, 0, s->avail, 6 + 2 * (uint64_t)s->queue_num);
	ret->used = vmm_memory_at(mem, 0, s->used, 6 + 8 * (uint64_t)s->queue_num);
	return ret->desc && ret->avail && ret->used;
}

static uint16_t ring_u16(const uint8_t *p)
{
	return __atomic_load_n((const uint16_t *)(const void *)p, __ATOMIC_ACQUIRE);
}

/* The chain that begins at head; 0: nonsense.  No longer than the queue, so that rings end. */
static unsigned walk(const struct queue *q, uint16_t head, struct vmm_block_part *part)
{
	uint16_t i = head;
	bool writable = false;

	for (unsigned n = 0; n < q->num && n < VMM_BLOCK_MAX_PARTS; n++) {
		struct {
			uint64_t gpa;
			uint32_t bytes;
			uint16_t flags, next;
		} d;

		if (i >= q->num)
			return 0;
		memcpy(&d, q->desc + (size_t)i * DESC_BYTES, sizeof(d));
		part[n] = (struct vmm_block_part){vmm_memory_at(q->mem, 0, d.gpa, d.bytes), d.bytes,
						  d.flags & DESC_WRITE};
		if (!part[n].at || !d.bytes || (writable && !part[n].writable))
			return 0;
		writable = part[n].writable;
		if (!(d.flags & DESC_NEXT))
			return n + 1;
		i = d.next;
	}
	return 0;
}

static void put_used(struct vmm_virtio_state *s, const struct queue *q, uint16_t head,
		     uint32_t bytes)
{
	const uint32_t entry[2] = {head, bytes};

	uint8_t *to = q->used + 4 + (size_t)(s->used_next % q->num) * 8;

	memcpy(to, entry, sizeof(entry));
	s->used_next++;
	__atomic_store_n((uint16_t *)(void *)(q->used + 2), s->used_next, __ATOMIC_RELEASE);
	vmm_memory_device_wrote(q->mem, to, sizeof(entry));
	vmm_memory_device_wrote(q->mem, q->used + 2, sizeof(uint16_t));
}

static bool serve(struct vmm_virtio *v, const struct queue *q)
{
	struct vmm_block_part part[VMM_BLOCK_MAX_PARTS];
	uint16_t head = ring_u16(q->avail + 4 + (size_t)(v->s.next % q->num) * 2);
	unsigned nr = walk(q, head, part);
	uint32_t bytes = nr ? vmm_block_request(v->disk, part, nr) : 0;

	if (!bytes)
		return false;
	for (unsigned i = 0; i < nr; i++)
		if (part[i].writable)
			vmm_memory_device_wrote(q->mem, part[i].at, part[i].bytes);
	v->s.next++;
	put_used(&v->s, q, head, bytes);
	return true;
}

static void break_down(struct vmm_virtio *v)
{
	v->s.status |= NEEDS_RESET;
	raise(v, CONFIG_CHANGED);
}

static void notify(struct vmm_virtio *v, const struct vmm_memory *mem)
{
	struct queue q;
	unsigned done = 0;

	if (!v->disk || !(v->s.status & DRIVER_OK) || v->s.status & NEEDS_RESET)
		return;
	if (!find_queue(&v->s, mem, &q)) {
		break_down(v);
		return;
	}
	/* no more than the queue holds: a guest that refills it meanwhile notifies again */
	while (done < q.num && ring_u16(q.avail + 2) != v->s.next) {
		if (done && __atomic_load_n(&v->hurry, __ATOMIC_RELAXED)) {
			v->cut = true;
			break;
		}
		if ((uint16_t)(ring_u16(q.avail + 2) - v->s.next) > q.num || !serve(v, &q)) {
			break_down(v);
			return;
		}
		done++;
	}
	if (done && !(ring_u16(q.avail) & NO_INTERRUPT))
		raise(v, USED_BUFFERS);
}

void vmm_virtio_hurry(struct vmm_virtio *v)
{
	__atomic_store_n(&v->hurry, true, __ATOMIC_RELAXED);
}

void vmm_virtio_go_on(struct vmm_virtio *v, const struct vmm_memory *mem)
{
	bool cut = v->cut;

	__atomic_store_n(&v->hurry, false, __ATOMIC_RELAXED);
	v->cut = false;
	if (cut && v->s.queue_ready)
		notify(v, mem);
}

static void set_half(uint64_t *to, bool high, uint32_t value)
{
	*to = high ? (*to & UINT32_MAX) | (uint64_t)value << 32
		   : (*to & ~(uint64_t)UINT32_MAX) | value;
}

static void set_status(struct vmm_virtio *v, uint32_t value)
{
	if (!value) {
		vmm_virtio_reset(v, v->disk);
		return;
	}
	value &= STATUS_BITS & ~NEEDS_RESET;
	if (v->s.driver_features & ~features(v) || !(v->s.driver_features & f_version_1))
		value &= ~(uint32_t)FEATURES_OK; /* a driver that reads it back sees the refusal */
	v->s.status = value | (v->s.status & NEEDS_RESET);
}

/* While it is in use the queue stays as it is. */
static void set_queue(struct vmm_virtio *v, uint32_t off, uint32_t value)
{
	struct vmm_virtio_state *s = &v->s;

	if (s->queue_sel)
		return;
	if (off == QUEUE_READY)
		s->queue_ready = value & 1;
	else if (s->queue_ready)
		return;
	else if (off == QUEUE_NUM)
		s->queue_num = value <= VMM_VIRTIO_QUEUE && !(value & (value - 1)) ? value : 0;
	else if (off == QUEUE_DESC || off == QUEUE_DESC + 4)
		set_half(&s->desc, off & 4, value);
	else if (off == QUEUE_AVAIL || off == QUEUE_AVAIL + 4)
		set_half(&s->avail, off & 4, value);
	else if (off == QUEUE_USED || off == QUEUE_USED + 4)
		set_half(&s->used, off & 4, value);
}

void vmm_virtio_write(struct vmm_virtio *v, uint32_t off, const uint8_t *data, unsigned len,
		      const struct vmm_memory *mem)
{
	uint32_t value;

	if (len != 4)
		return;
	memcpy(&value, data, 4);
	switch (off) {
	case FEATURES_SEL:
		v->s.features_sel = value;
		break;
	case DRIVER_FEATURES_SEL:
		v->s.driver_features_sel = value;
		break;
	case DRIVER_FEATURES:
		if (v->s.driver_features_sel < 2 && !(v->s.status & FEATURES_OK))
			set_half(&v->s.driver_features, v->s.driver_features_sel, value);
		break;
	case QUEUE_SEL:
		v->s.queue_sel = value;
		break;
	case QUEUE_NOTIFY:
		if (!value)
			notify(v, mem);
		break;
	case INTERRUPT_ACK:
		v->s.interrupt &= ~value;
		set_line(v);
		break;
	case STATUS:
		set_status(v, value);
		break;
	default:
		set_queue(v, off, value);
		break;
	}
}

bool vmm_virtio_load(struct vmm_virtio *v, const struct vmm_virtio_state *s)
{
	uint32_t num = s->queue_num;

	if (s->status & ~(uint32_t)STATUS_BITS || num > VMM_VIRTIO_QUEUE || num & (num - 1) ||
	    s->queue_ready > 1 || s->interrupt > (USED_BUFFERS | CONFIG_CHANGED))
		return false;
	v->s = *s;
	v->cut = true; /* maybe; a device may look into its queue at any time */
	set_line(v);
	return true;
}
