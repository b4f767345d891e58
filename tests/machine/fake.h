/* A dump without a file: blobs given by the test, memory that reads as one value. */
#ifndef TESTS_MACHINE_FAKE_H
#define TESTS_MACHINE_FAKE_H

#include <inquest/dump.h>
#include <stdlib.h>
#include <string.h>

enum { FAKE_MAX_BLOBS = 64 };

struct fake {
	struct inq_dump dump;
	struct inq_blob blob[FAKE_MAX_BLOBS];
	struct inq_snap_header header;
	struct inq_space phys, smm;
};

static inline enum inq_status fake_read_phys(const struct inq_space *self, uint64_t addr, void *buf,
					     size_t n, struct inq_err *err)
{
	if (addr >> 32)
		return inq_fail_at(err, INQ_EFAULT, addr, "%s: no memory", self->name);
	memset(buf, self->name[0] == 's' ? 0x55 : 0xaa, n);
	return INQ_OK;
}

static inline void fake_init(struct fake *f, uint32_t nr_vcpus)
{
	memset(f, 0, sizeof(*f));
	f->phys = (struct inq_space){.name = "phys", .read = fake_read_phys};
	f->smm = (struct inq_space){.name = "smm", .read = fake_read_phys};
	f->header.nr_vcpus = nr_vcpus;
	f->dump.path = "fake";
	f->dump.header = &f->header;
	f->dump.blobs = f->blob;
	f->dump.phys = &f->phys;
	f->dump.smm = &f->smm;
}

static inline struct inq_blob *fake_blob(struct fake *f, uint32_t vcpu, uint32_t kind,
					 const void *p, size_t n)
{
	struct inq_blob *b = &f->blob[f->dump.nr_blobs++];

	if (f->dump.nr_blobs > FAKE_MAX_BLOBS)
		abort();
	*b = (struct inq_blob){.vcpu = vcpu, .kind = kind, .p = p, .n = n};
	return b;
}

#endif
