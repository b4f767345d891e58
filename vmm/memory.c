/*
 * Knows the guest's memory map: which RAM lies where, what SMM sees instead of it, and how both
 * become slots.  Address space 1 must hold everything that SMM code can see (KVM switches the whole
 * map on SMI), so RAM appears in both and each window cuts a piece out of the second.
 */
#include "vmm/memory.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/scope.h"
#include "vmm/rng.h"

INQ_DEFINE_SCOPE(struct vmm_memory, vmm_memory_destroy)

uint64_t vmm_memory_low_end(uint64_t mib)
{
	return mib * VMM_MIB < VMM_LOW_END ? mib * VMM_MIB : VMM_LOW_END;
}

/*
 * RAM also lies where a PC has its firmware: a kernel looks for tables there byte by byte, and each
 * byte of nothing would be an exit (Linux drivers/firmware/dmi_scan.c: dmi_scan_machine).
 */
static unsigned lay_out(uint64_t mib, struct vmm_region region[VMM_MAX_REGIONS])
{
	uint64_t low = vmm_memory_low_end(mib), bytes = mib * VMM_MIB;

	region[0] = (struct vmm_region){0, 0xa0000, 0};
	region[1] = (struct vmm_region){VMM_FIRMWARE, low - VMM_FIRMWARE, VMM_FIRMWARE};
	region[2] = (struct vmm_region){VMM_HIGH, bytes - low, low};
	return bytes > low ? 3 : 2;
}

static enum inq_status map_ram(struct vmm_memory *m, const struct vmm_region *region, unsigned nr,
			       struct inq_err *err)
{
	memcpy(m->region, region, nr * sizeof(*region));
	m->nr_regions = nr;
	m->ram_bytes = region[nr - 1].off + region[nr - 1].bytes;
	m->ram_fd = memfd_create("guest-ram", MFD_CLOEXEC);
	if (m->ram_fd < 0 || ftruncate(m->ram_fd, (off_t)m->ram_bytes))
		return inq_fail(err, INQ_ENOMEM, "guest memory of %llu MiB: %s; give less --memory",
				(unsigned long long)(m->ram_bytes / VMM_MIB), strerror(errno));
	void *p = mmap(NULL, m->ram_bytes, PROT_READ | PROT_WRITE, MAP_SHARED, m->ram_fd, 0);
	if (p == MAP_FAILED)
		return inq_fail(err, INQ_ENOMEM, "guest memory of %llu MiB: %s; give less --memory",
				(unsigned long long)(m->ram_bytes / VMM_MIB), strerror(errno));
	m->ram = p;
	return INQ_OK;
}

static int by_address(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return x < y ? -1 : x > y;
}

static enum inq_status map_smram(struct vmm_memory *m, const uint64_t *smbase, unsigned nr,
				 struct inq_err *err)
{
	memcpy(m->window, smbase, nr * sizeof(*smbase));
	qsort(m->window, nr, sizeof(*m->window), by_address);
	for (unsigned i = 1; i < nr; i++)
		if (m->window[i] - m->window[i - 1] < VMM_SMRAM_BYTES)
			return inq_fail(err, INQ_EUSAGE, "two SMRAM windows overlap at 0x%llx",
					(unsigned long long)m->window[i]);
	void *p = mmap(NULL, nr * VMM_SMRAM_BYTES, PROT_READ | PROT_WRITE,
		       MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (p == MAP_FAILED)
		return inq_fail(err, INQ_ENOMEM, "SMRAM: %s", strerror(errno));
	m->smram = p;
	m->nr_windows = nr;
	return INQ_OK;
}

static void add_slot(struct vmm_memory *m, uint32_t as, uint64_t gpa, uint64_t bytes, uint8_t *host,
		     bool smram)
{
	uint32_t nr = 0;

	if (!bytes)
		return;
	for (unsigned i = 0; i < m->nr_slots; i++)
		nr += m->slot[i].as == as;
	m->slot[m->nr_slots++] = (struct vmm_slot){as, nr, gpa, bytes, host, smram, false};
}

/* One region in address space 1: RAM, with the windows cut out. */
static void add_smm_slots(struct vmm_memory *m, const struct vmm_region *r)
{
	uint64_t at = r->gpa, end = r->gpa + r->bytes;

	for (unsigned i = 0; i < m->nr_windows; i++) {
		uint64_t w = m->window[i];

		if (w < r->gpa || w >= end)
			continue;
		add_slot(m, 1, at, w - at, m->ram + r->off + (at - r->gpa), false);
		add_slot(m, 1, w, VMM_SMRAM_BYTES, m->smram + i * VMM_SMRAM_BYTES, true);
		at = w + VMM_SMRAM_BYTES;
	}
	add_slot(m, 1, at, end - at, m->ram + r->off + (at - r->gpa), false);
}

enum inq_status vmm_memory_map(struct vmm_memory **ret, const struct vmm_region *region,
			       unsigned nr_regions, const uint64_t *window, unsigned nr_windows,
			       struct inq_err *err)
{
	INQ_SCOPED(vmm_memory_destroy_scope_) struct vmm_memory *m = calloc(1, sizeof(*m));
	if (!m)
		return inq_fail(err, INQ_ENOMEM, "guest memory");
	m->ram_fd = -1;
	if (!nr_regions || nr_regions > VMM_MAX_REGIONS || nr_windows > VMM_MAX_VCPUS)
		return inq_fail(err, INQ_EUSAGE, "guest memory: %u pieces, %u SMRAM windows",
				nr_regions, nr_windows);

	enum inq_status st = map_ram(m, region, nr_regions, err);
	m->touched = calloc(1, m->ram_bytes / VMM_PAGE / 8 + 1);
	if (!st && !m->touched)
		st = inq_fail(err, INQ_ENOMEM, "guest memory");
	if (!st && nr_windows)
		st = map_smram(m, window, nr_windows, err);
	if (st)
		return st;
	for (unsigned i = 0; i < m->nr_regions; i++)
		add_slot(m, 0, m->region[i].gpa, m->region[i].bytes, m->ram + m->region[i].off,
			 false);
	for (unsigned i = 0; nr_windows && i < m->nr_regions; i++)
		add_smm_slots(m, &m->region[i]);
	*ret = inq_take(m);
	return INQ_OK;
}

enum inq_status vmm_memory_create(struct vmm_memory **ret, uint64_t mib, const uint64_t *smbase,
				  unsigned nr, bool with_smm, struct inq_err *err)
{
	struct vmm_region region[VMM_MAX_REGIONS];

	if (mib < VMM_MIN_MIB || mib > VMM_MAX_MIB || nr > VMM_MAX_VCPUS)
		return inq_fail(err, INQ_EUSAGE, "guest memory: %llu MiB, %u vCPUs",
				(unsigned long long)mib, nr);
	return vmm_memory_map(ret, region, lay_out(mib, region), smbase, with_smm ? nr : 0, err);
}

void vmm_memory_destroy(struct vmm_memory *m)
{
	if (!m)
		return;
	if (m->ram)
		munmap(m->ram, m->ram_bytes);
	if (m->smram)
		munmap(m->smram, m->nr_windows * VMM_SMRAM_BYTES);
	if (m->ram_fd >= 0)
		close(m->ram_fd);
	free(m->touched);
	free(m);
}

static const struct vmm_slot *slot_of(const struct vmm_memory *m, uint32_t as, uint64_t gpa)
{
	for (unsigned i = 0; i < m->nr_slots; i++)
		if (m->slot[i].as == as && gpa >= m->slot[i].gpa &&
		    gpa - m->slot[i].gpa < m->slot[i].bytes)
			return &m->slot[i];
	return NULL;
}

/* Slots that were split lie side by side in our memory, too. */
uint8_t *vmm_memory_at(const struct vmm_memory *m, uint32_t as, uint64_t gpa, uint64_t bytes)
{
	const struct vmm_slot *s = slot_of(m, as, gpa), *next;

	if (!s)
		return NULL;
	uint8_t *at = s->host + (gpa - s->gpa);
	for (uint64_t have = s->bytes - (gpa - s->gpa); have < bytes; have += s->bytes) {
		next = slot_of(m, as, s->gpa + s->bytes);
		if (!next || next->host != s->host + s->bytes || next->smram != s->smram)
			return NULL;
		s = next;
	}
	return at;
}

bool vmm_memory_put(const struct vmm_memory *m, uint32_t as, uint64_t gpa, const void *p,
		    uint64_t n)
{
	uint8_t *at = vmm_memory_at(m, as, gpa, n);

	if (at)
		memcpy(at, p, n);
	return at;
}

void vmm_memory_touch(const struct vmm_memory *m, const uint8_t *at, uint64_t bytes)
{
	uintptr_t off = (uintptr_t)at - (uintptr_t)m->ram;

	if (off >= m->ram_bytes || !bytes) /* SMRAM is written anew in any case */
		return;
	for (uint64_t i = off / VMM_PAGE; i <= (off + bytes - 1) / VMM_PAGE; i++)
		__atomic_fetch_or(&m->touched[i / 8], (uint8_t)(1u << (i % 8)), __ATOMIC_RELEASE);
}

void vmm_memory_device_wrote(const struct vmm_memory *m, const uint8_t *at, uint64_t bytes)
{
	vmm_memory_touch(m, at, bytes);
	for (unsigned i = 0; i < m->nr_slots && m->on_device; i++) {
		const struct vmm_slot *s = &m->slot[i];
		uintptr_t off = (uintptr_t)at - (uintptr_t)s->host;

		if (!s->as && off < s->bytes) {
			m->on_device(m->listener, s->gpa + off, at, bytes);
			return;
		}
	}
}

void vmm_memory_next_data(const struct vmm_memory *m, uint64_t *from, uint64_t *to, uint64_t end)
{
	off_t data = lseek(m->ram_fd, (off_t)*from, SEEK_DATA);

	if (data < 0) {
		*from = errno == ENXIO ? end : *from; /* else: a file that cannot tell */
		*to = end;
		return;
	}
	off_t hole = lseek(m->ram_fd, data, SEEK_HOLE);
	*from = (uint64_t)data < end ? (uint64_t)data & ~(VMM_PAGE - 1) : end;
	*to = hole > 0 && (uint64_t)hole < end ? ((uint64_t)hole + VMM_PAGE - 1) & ~(VMM_PAGE - 1)
					       : end;
}

/* Cut the slot that holds gpa in two there. */
static enum inq_status split(struct vmm_memory *m, uint32_t as, uint64_t gpa, struct inq_err *err)
{
	for (unsigned i = 0; i < m->nr_slots; i++) {
		struct vmm_slot *s = &m->slot[i];
		uint64_t off = gpa - s->gpa;

		if (s->as != as || gpa <= s->gpa || off >= s->bytes)
			continue;
		if (m->nr_slots == VMM_MAX_SLOTS)
			return inq_fail(err, INQ_ELIMIT,
					"too many pieces of guest memory; watch less");
		bool read_only = s->read_only;
		add_slot(m, as, gpa, s->bytes - off, s->host + off, s->smram);
		m->slot[m->nr_slots - 1].read_only = read_only;
		s->bytes = off;
		return INQ_OK;
	}
	return INQ_OK;
}

enum inq_status vmm_memory_protect(struct vmm_memory *m, uint64_t gpa, uint64_t bytes,
				   struct inq_err *err)
{
	uint64_t first = gpa & ~(VMM_PAGE - 1),
		 end = (gpa + bytes + VMM_PAGE - 1) & ~(VMM_PAGE - 1);
	enum inq_status st = INQ_OK;

	if (!bytes || end <= first || !vmm_memory_at(m, 0, first, end - first))
		return inq_fail(err, INQ_EUSAGE,
				"0x%llx: no memory of the guest lies there; give a guest-physical "
				"address",
				(unsigned long long)gpa);
	for (uint32_t as = 0; as < (m->nr_windows ? 2u : 1u) && !st; as++) {
		st = split(m, as, first, err);
		if (!st)
			st = split(m, as, end, err);
		for (unsigned i = 0; i < m->nr_slots && !st; i++)
			if (m->slot[i].as == as && m->slot[i].gpa >= first && m->slot[i].gpa < end)
				m->slot[i].read_only = true;
	}
	return st;
}

bool vmm_range_parse(const char *text, uint64_t *ret_at, uint64_t *ret_bytes)
{
	uint64_t bytes = 8;
	char *end;

	errno = 0;
	uint64_t at = strtoull(text, &end, 0);
	if (end != text && *end == ':' && end[1] != '-')
		bytes = strtoull(end + 1, &end, 0);
	if (errno || end == text || *end || *text == '-' || !bytes)
		return false;
	*ret_at = at;
	*ret_bytes = bytes;
	return true;
}

bool vmm_ranges_add(struct vmm_ranges *r, const char *text)
{
	uint64_t gpa, bytes;

	if (!vmm_range_parse(text, &gpa, &bytes) || bytes > VMM_PAGE || r->nr == VMM_MAX_RANGES)
		return false;
	r->at[r->nr].gpa = gpa;
	r->at[r->nr++].bytes = bytes;
	return true;
}

void vmm_memory_fill(struct vmm_memory *m, uint64_t seed)
{
	struct vmm_rng rng = {seed};

	for (unsigned i = 0; i < m->nr_regions; i++) {
		uint8_t *at = m->ram + m->region[i].off, *end = at + m->region[i].bytes;

		for (; at < end; at += 8) {
			uint64_t v = vmm_rng_u64(&rng) | 1;

			memcpy(at, &v, 8);
		}
	}
}
