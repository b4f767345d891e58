/*
 * Knows how memory comes back from a snapshot: pages that the zero bitmap names stay untouched, a
 * page that is zero without being named was lost on the way, SMRAM windows must match their
 * checksums, and the slots of such a machine must be those that the snapshot lists.
 */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include <zlib.h>

#include "base/mapping.h"
#include "base/scope.h"
#include "vmm/load.h"

INQ_DEFINE_SCOPE(struct vmm_memory, vmm_memory_destroy)

/* A bulk entry whose bytes are there and have their checksum; NULL: not so. */
static const uint8_t *bulk_bytes(const struct vmm_load *l, const struct inq_snap_bulk *b)
{
	uint64_t end = l->header.bulk_off + l->header.bulk_bytes; /* within the file */

	if (b->file_off < l->header.bulk_off || b->file_off > end || b->bytes > end - b->file_off)
		return NULL;
	const uint8_t *p = l->map->p + b->file_off;
	return (uint32_t)crc32_z(0, p, b->bytes) == b->crc ? p : NULL;
}

static bool in_ram(const struct vmm_load *l, uint64_t gpa)
{
	for (unsigned i = 0; i < l->nr_loads; i++) {
		const struct vmm_region *r = &l->load[i];

		if (gpa >= r->gpa && r->bytes >= VMM_SMRAM_BYTES &&
		    gpa - r->gpa <= r->bytes - VMM_SMRAM_BYTES)
			return true;
	}
	return false;
}

/* The entries of SMRAM; *ret_nr 0: the machine has none. */
static enum inq_status read_windows(const struct vmm_load *l, struct inq_snap_bulk *to,
				    unsigned *ret_nr, struct inq_err *err)
{
	const struct vmm_load_note *t = vmm_load_note(l, INQ_SNAP_VM, INQ_SNAP_SMRAM);
	size_t nr = t ? t->n / sizeof(*to) : 0;

	if (nr > VMM_MAX_VCPUS)
		return inq_fail(err, INQ_EUNSUPPORTED, "%s: %zu SMRAM windows, at most %u can run",
				l->path, nr, VMM_MAX_VCPUS);
	for (size_t i = 0; i < nr; i++) {
		memcpy(&to[i], t->p + i * sizeof(*to), sizeof(*to));
		if (to[i].bytes != VMM_SMRAM_BYTES || to[i].gpa % VMM_PAGE ||
		    !in_ram(l, to[i].gpa) || (i && to[i].gpa < to[i - 1].gpa + VMM_SMRAM_BYTES))
			return inq_fail(err, INQ_EUNSUPPORTED,
					"%s: an SMRAM window at 0x%" PRIx64 " cannot be built",
					l->path, to[i].gpa);
	}
	*ret_nr = (unsigned)nr;
	return INQ_OK;
}

static enum inq_status fill_windows(const struct vmm_load *l, struct vmm_memory *m,
				    const struct inq_snap_bulk *bulk, struct inq_err *err)
{
	for (unsigned i = 0; i < m->nr_windows; i++) {
		const uint8_t *p = bulk_bytes(l, &bulk[i]);

		if (!p)
			return inq_fail(err, INQ_ECORRUPT, "%s: SMRAM at 0x%" PRIx64 " is damaged",
					l->path, bulk[i].gpa);
		memcpy(m->smram + i * VMM_SMRAM_BYTES, p, VMM_SMRAM_BYTES);
	}
	return INQ_OK;
}

static enum inq_status read_bitmap(const struct vmm_load *l, const uint8_t **ret,
				   struct inq_err *err)
{
	const struct vmm_load_note *t = vmm_load_note(l, INQ_SNAP_VM, INQ_SNAP_ZERO);
	struct inq_snap_bulk b = {0};

	if (t && t->n >= sizeof(b))
		memcpy(&b, t->p, sizeof(b));
	*ret = b.bytes == (l->header.memory_bytes / VMM_PAGE + 7) / 8 ? bulk_bytes(l, &b) : NULL;
	return *ret ? INQ_OK
		    : inq_fail(err, INQ_ECORRUPT, "%s: its zero bitmap is damaged", l->path);
}

static bool is_zero(const uint8_t *page)
{
	return !page[0] && !memcmp(page, page + 1, VMM_PAGE - 1);
}

static enum inq_status fill_ram(const struct vmm_load *l, struct vmm_memory *m,
				const uint8_t *bitmap, struct inq_err *err)
{
	uint64_t page = 0;

	for (unsigned i = 0; i < m->nr_regions; i++) {
		const uint8_t *from = l->map->p + l->load[i].off;
		uint8_t *to = m->ram + m->region[i].off;

		for (uint64_t at = 0; at < m->region[i].bytes; at += VMM_PAGE, page++) {
			if (bitmap[page / 8] >> (page % 8) & 1)
				continue;
			if (is_zero(from + at))
				return inq_fail(err, INQ_ECORRUPT,
						"%s: the page at 0x%" PRIx64 " was lost on the way",
						l->path, l->load[i].gpa + at);
			memcpy(to + at, from + at, VMM_PAGE);
		}
	}
	return INQ_OK;
}

enum { READ_ONLY = 2 /* KVM_MEM_READONLY */ };

/*
 * The slots that this machine has hold what those of the snapshot held.  They need not be the same:
 * a watched page was a slot of its own.
 */
static bool same_map(const struct vmm_load_note *t, const struct vmm_memory *m)
{
	uint64_t left[2] = {0};
	struct inq_snap_slot s;

	if (t->n % sizeof(s) || t->n / sizeof(s) > VMM_MAX_SLOTS)
		return false;
	for (unsigned i = 0; i < m->nr_slots; i++)
		left[m->slot[i].as] += m->slot[i].bytes;
	for (size_t i = 0; i < t->n / sizeof(s); i++) {
		memcpy(&s, t->p + i * sizeof(s), sizeof(s));
		if (s.as > 1 || s.flags & ~(uint32_t)READ_ONLY || s.bytes > left[s.as] ||
		    !vmm_memory_at(m, s.as, s.gpa, s.bytes))
			return false;
		left[s.as] -= s.bytes;
	}
	return !left[0] && !left[1];
}

static enum inq_status check_slots(const struct vmm_load *l, const struct vmm_memory *m,
				   struct inq_err *err)
{
	const struct vmm_load_note *t = vmm_load_note(l, INQ_SNAP_VM, INQ_SNAP_SLOTS);

	return t && same_map(t, m) ? INQ_OK
				   : inq_fail(err, INQ_EUNSUPPORTED,
					      "%s: its memory slots cannot be built", l->path);
}

enum inq_status vmm_load_memory(const struct vmm_load *l, struct vmm_memory **ret,
				struct inq_err *err)
{
	INQ_SCOPED(vmm_memory_destroy_scope_) struct vmm_memory *m = NULL;
	struct vmm_region region[VMM_MAX_REGIONS];
	struct inq_snap_bulk bulk[VMM_MAX_VCPUS] = {0};
	uint64_t window[VMM_MAX_VCPUS], off = 0;
	const uint8_t *bitmap = NULL;
	unsigned nr = 0;
	enum inq_status st = read_windows(l, bulk, &nr, err);

	for (unsigned i = 0; i < nr && !st; i++)
		window[i] = bulk[i].gpa;
	for (unsigned i = 0; i < l->nr_loads; i++) {
		region[i] = (struct vmm_region){l->load[i].gpa, l->load[i].bytes, off};
		off = (off + region[i].bytes + VMM_MIB - 1) & ~(VMM_MIB - 1);
	}
	if (!st)
		st = vmm_memory_map(&m, region, l->nr_loads, window, nr, err);
	if (!st)
		st = check_slots(l, m, err);
	if (!st)
		st = read_bitmap(l, &bitmap, err);
	if (!st)
		st = fill_ram(l, m, bitmap, err);
	if (!st)
		st = fill_windows(l, m, bulk, err);
	if (!st && mapping_lost(l->map))
		st = inq_fail(err, INQ_EIO, "%s: the file changed while it was read", l->path);
	if (!st)
		*ret = inq_take(m);
	return st;
}
