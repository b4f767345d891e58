/* A disk through virtio, as a driver uses it, as a careless one does, and as a hostile one would.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "vmm/devices.h"

enum {
	DESC = 0x10000,
	AVAIL = 0x11000,
	USED = 0x12000,
	HEAD = 0x20000,
	STATUS = 0x20010,
	DATA = 0x30000
};
enum { SECTORS = 8, QUEUE = 16, NEXT = 1, WRITE = 2 };
enum { IN = 0, OUT = 1, FLUSH = 4, GET_ID = 8 };

struct fixture {
	struct vmm_devices d;
	struct vmm_memory *mem;
	struct vmm_block *disk;
	char path[64];
	unsigned edges;
};

static void on_irq(void *arg, unsigned gsi, bool level)
{
	struct fixture *f = arg;

	if (gsi == VMM_GSI_VIRTIO)
		f->edges += level;
}

static void *mem(const struct fixture *f, uint64_t gpa)
{
	void *p = vmm_memory_at(f->mem, 0, gpa, 1);

	assert_non_null(p);
	return p;
}

static uint32_t in(struct fixture *f, uint32_t off)
{
	uint32_t v = 0;

	vmm_devices_mmio(&f->d, false, VMM_VIRTIO_GPA + off, (uint8_t *)&v, 4);
	return v;
}

static void out(struct fixture *f, uint32_t off, uint32_t v)
{
	vmm_devices_mmio(&f->d, true, VMM_VIRTIO_GPA + off, (uint8_t *)&v, 4);
}

/* The driver's start (virtio 1.1, 3.1.1). */
static void start(struct fixture *f)
{
	out(f, 0x70, 0);
	out(f, 0x70, 1 | 2);
	out(f, 0x24, 1);
	out(f, 0x20, 1); /* VERSION_1 */
	out(f, 0x24, 0);
	out(f, 0x20, 1 << 9); /* FLUSH */
	out(f, 0x70, 1 | 2 | 8);
	assert_int_equal(in(f, 0x70), 1 | 2 | 8);
	out(f, 0x30, 0);
	out(f, 0x38, QUEUE);
	out(f, 0x80, DESC);
	out(f, 0x90, AVAIL);
	out(f, 0xa0, USED);
	out(f, 0x44, 1);
	out(f, 0x70, 1 | 2 | 8 | 4);
	memset(mem(f, AVAIL), 0, 4096);
	memset(mem(f, USED), 0, 4096);
}

static int set_up(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));
	struct inq_err err;
	char spec[80];

	snprintf(f->path, sizeof(f->path), "/tmp/test_virtio.XXXXXX");
	int fd = mkstemp(f->path);
	for (unsigned i = 0; i < SECTORS * VMM_SECTOR + 100; i++) { /* and a bit of a sector */
		uint8_t b = (uint8_t)(i / VMM_SECTOR + 1);
		assert_int_equal(write(fd, &b, 1), 1);
	}
	close(fd);
	snprintf(spec, sizeof(spec), "%s", f->path);
	assert_int_equal(vmm_block_open(&f->disk, spec, &err), INQ_OK);
	assert_int_equal(vmm_memory_create(&f->mem, 16, NULL, 0, false, &err), INQ_OK);
	vmm_devices_init(&f->d);
	f->d.mem = f->mem;
	f->d.arg = f;
	f->d.irq = on_irq;
	assert_int_equal(vmm_virtio_attach(&f->d.virtio, f->disk, false, &err), INQ_OK);
	start(f);
	*state = f;
	return 0;
}

static int tear_down(void **state)
{
	struct fixture *f = *state;

	vmm_memory_destroy(f->mem);
	vmm_block_close(f->disk);
	unlink(f->path);
	free(f);
	return 0;
}

static void desc(struct fixture *f, unsigned i, uint64_t gpa, uint32_t n, uint16_t flags,
		 uint16_t next)
{
	uint8_t *p = mem(f, DESC + i * 16u);

	memcpy(p, &gpa, 8);
	memcpy(p + 8, &n, 4);
	memcpy(p + 12, &flags, 2);
	memcpy(p + 14, &next, 2);
}

static void give(struct fixture *f, uint16_t head)
{
	uint16_t *avail = mem(f, AVAIL);

	avail[2 + avail[1] % QUEUE] = head;
	avail[1]++;
	out(f, 0x50, 0);
}

static void header(struct fixture *f, uint32_t type, uint64_t sector)
{
	uint8_t *p = mem(f, HEAD);

	memset(p, 0, 16);
	memcpy(p, &type, 4);
	memcpy(p + 8, &sector, 8);
	p[16] = 0xee;
}

/* Header, n bytes of data, status, in three parts; the status, or 0xee: none came. */
static uint8_t request(struct fixture *f, uint32_t type, uint64_t sector, uint32_t n)
{
	header(f, type, sector);
	desc(f, 3, HEAD, 16, NEXT, n ? 4 : 5);
	desc(f, 4, DATA, n, (uint16_t)(NEXT | (type == OUT ? 0 : WRITE)), 5);
	desc(f, 5, STATUS, 1, WRITE, 0);
	give(f, 3);
	return *(uint8_t *)mem(f, STATUS);
}

static uint32_t used_bytes(struct fixture *f)
{
	const uint16_t *used = mem(f, USED);
	uint32_t v;

	memcpy(&v, (const uint8_t *)used + 8 + (size_t)((uint16_t)(used[1] - 1) % QUEUE) * 8, 4);
	return v;
}

static void identifies(void **state)
{
	struct fixture *f = *state;
	uint64_t capacity;

	assert_int_equal(in(f, 0), 0x74726976);
	assert_int_equal(in(f, 4), 2);
	assert_int_equal(in(f, 8), 2);
	vmm_devices_mmio(&f->d, false, VMM_VIRTIO_GPA + 0x100, (uint8_t *)&capacity, 8);
	assert_int_equal(capacity, SECTORS);
	assert_int_equal(in(f, 0x10c), VMM_VIRTIO_QUEUE - 2);
	out(f, 0x30, 1);
	assert_int_equal(in(f, 0x34), 0); /* one queue only */
	uint8_t b[4] = {0};
	vmm_devices_mmio(&f->d, false, VMM_VIRTIO_GPA - 4, b, 4);
	assert_memory_equal(b, "\377\377\377\377", 4);
	vmm_virtio_reset(&f->d.virtio, NULL);
	assert_int_equal(in(f, 8), 0);
}

static void reads_and_writes(void **state)
{
	struct fixture *f = *state;
	uint8_t *data = mem(f, DATA), b[VMM_SECTOR];

	assert_int_equal(request(f, IN, 2, 1024), 0);
	assert_int_equal(used_bytes(f), 1025);
	assert_true(data[0] == 3 && data[511] == 3 && data[512] == 4 && data[1023] == 4);
	assert_int_equal(f->edges, 1);
	assert_int_equal(in(f, 0x60), 1);
	out(f, 0x64, 1);
	assert_int_equal(in(f, 0x60), 0);
	memset(data, 0x77, 512);
	assert_int_equal(request(f, OUT, 7, 512), 0);
	assert_int_equal(used_bytes(f), 1);
	assert_int_equal(f->edges, 2);
	assert_int_equal(pread(f->disk->fd, b, sizeof(b), (off_t)7 * VMM_SECTOR), VMM_SECTOR);
	assert_memory_equal(b, data, sizeof(b));
	assert_int_equal(request(f, FLUSH, 0, 0), 0);
	assert_int_equal(request(f, GET_ID, 0, 20), 0);
	assert_string_equal((char *)data, "inquest");
	assert_int_equal(request(f, 99, 0, 512), 2);
}

/* The same request in pieces that fit nothing. */
static void any_framing(void **state)
{
	struct fixture *f = *state;
	uint8_t *data = mem(f, DATA);

	header(f, IN, 1);
	desc(f, 0, HEAD, 5, NEXT, 1);
	desc(f, 1, HEAD + 5, 11, NEXT, 2);
	desc(f, 2, DATA, 500, NEXT | WRITE, 9);
	desc(f, 9, DATA + 500, 13, WRITE, 0); /* 12 of data, the status */
	give(f, 0);
	assert_int_equal(used_bytes(f), 513);
	assert_true(data[0] == 2 && data[511] == 2 && data[512] == 0);
}

static void errors_of_requests(void **state)
{
	struct fixture *f = *state;

	assert_int_equal(request(f, IN, SECTORS, 512), 1); /* the bit of a sector is not there */
	assert_int_equal(request(f, IN, 7, 1024), 1);
	assert_int_equal(request(f, IN, UINT64_MAX, 512), 1);
	assert_int_equal(request(f, IN, 0, 100), 1);
	f->disk->read_only = true;
	assert_int_equal(request(f, OUT, 0, 512), 1);
	assert_int_equal(request(f, IN, 0, 512), 0);
}

/* Each is nonsense of its own kind: the device asks for a reset, does no more, and after the reset
   works. */
static void nonsense_breaks_it_down(void **state)
{
	struct fixture *f = *state;

	for (unsigned i = 0; i < 8; i++) {
		header(f, IN, 0);
		desc(f, 3, HEAD, 16, NEXT, 4);
		desc(f, 4, DATA, 512, NEXT | WRITE, 5);
		desc(f, 5, STATUS, 1, WRITE, 0);
		switch (i) {
		case 0: /* a ring */
			desc(f, 5, STATUS, 1, NEXT | WRITE, 4);
			break;
		case 1:
			desc(f, 4, DATA, 512, NEXT | WRITE, QUEUE);
			break;
		case 2: /* no memory */
			desc(f, 4, 16 << 20, 512, NEXT | WRITE, 5);
			break;
		case 3:
			desc(f, 4, UINT64_MAX - 10, 512, NEXT | WRITE, 5);
			break;
		case 4: /* readable behind writable */
			desc(f, 5, STATUS, 1, 0, 0);
			break;
		case 5: /* no room for a status */
			desc(f, 3, HEAD, 16, 0, 0);
			break;
		case 6: /* a header too short */
			desc(f, 3, HEAD, 15, NEXT, 4);
			break;
		default: /* more entries than there are */
			((uint16_t *)mem(f, AVAIL))[1] += QUEUE + 1;
			break;
		}
		give(f, 3);
		assert_int_equal(in(f, 0x70) & 0x40, 0x40);
		assert_int_equal(in(f, 0x60) & 2, 2);
		assert_int_equal(request(f, IN, 0, 512), 0xee);
		start(f);
		assert_int_equal(request(f, IN, 0, 512), 0);
	}
}

static void queue_outside_memory(void **state)
{
	struct fixture *f = *state;

	for (uint32_t reg = 0x80; reg <= 0xa0; reg += 0x10) {
		out(f, 0x44, 0);
		out(f, reg + 4, 0x12);
		out(f, 0x44, 1);
		assert_int_equal(request(f, IN, 0, 512), 0xee);
		assert_int_equal(in(f, 0x70) & 0x40, 0x40);
		start(f);
		out(f, 0x44, 0);
		out(f, reg + 4, 0);
		out(f, 0x44, 1);
	}
	assert_int_equal(request(f, IN, 0, 512), 0);
}

static void features_that_it_has_not(void **state)
{
	struct fixture *f = *state;

	out(f, 0x70, 0);
	out(f, 0x24, 0);
	out(f, 0x20, 1 << 9);
	out(f, 0x70, 1 | 2 | 8); /* no VERSION_1 */
	assert_int_equal(in(f, 0x70), 1 | 2);
	out(f, 0x24, 1);
	out(f, 0x20, 1 | 1 << 2);
	out(f, 0x70, 1 | 2 | 8);
	assert_int_equal(in(f, 0x70), 1 | 2);
}

/* A state that is saved and loaded goes on with the next request; its disk must fit. */
static void save_and_load(void **state)
{
	struct fixture *f = *state;
	struct vmm_block smaller;
	struct inq_err err;

	assert_int_equal(request(f, IN, 0, 512), 0);
	struct vmm_virtio_state s = f->d.virtio.s;
	f->edges = 0;
	vmm_devices_init(&f->d);
	f->d.mem = f->mem;
	f->d.arg = f;
	f->d.irq = on_irq;
	assert_true(vmm_virtio_load(&f->d.virtio, &s));
	assert_int_equal(f->edges, 1); /* was pending */
	smaller = *f->disk;
	smaller.sectors--;
	assert_int_equal(vmm_virtio_attach(&f->d.virtio, NULL, false, &err), INQ_EUSAGE);
	assert_int_equal(vmm_virtio_attach(&f->d.virtio, &smaller, false, &err), INQ_EUSAGE);
	struct vmm_block locked = *f->disk;
	locked.read_only = true; /* which its driver was not told */
	assert_int_equal(vmm_virtio_attach(&f->d.virtio, &locked, false, &err), INQ_EUSAGE);
	assert_int_equal(vmm_virtio_attach(&f->d.virtio, &locked, true, &err), INQ_OK);
	f->d.virtio.s.driver_features |= 1u << 5; /* and the other way round */
	assert_int_equal(vmm_virtio_attach(&f->d.virtio, &locked, false, &err), INQ_OK);
	assert_int_equal(vmm_virtio_attach(&f->d.virtio, f->disk, false, &err), INQ_EUSAGE);
	assert_non_null(strstr(err.msg, "give --disk FILE:ro"));
	assert_int_equal(vmm_virtio_attach(&f->d.virtio, f->disk, true, &err), INQ_OK);
	f->d.virtio.s.driver_features &= ~UINT64_C(0x20);
	assert_int_equal(vmm_virtio_attach(&f->d.virtio, NULL, true, &err), INQ_OK);
	uint32_t status = f->d.virtio.s.status;
	assert_int_equal(vmm_virtio_attach(&f->d.virtio, f->disk, false, &err), INQ_OK);
	assert_int_equal(f->d.virtio.s.status, status); /* in use, as before it was taken away */
	assert_int_equal(request(f, IN, 5, 512), 0);
	assert_int_equal(*(uint8_t *)mem(f, DATA), 6);
	s.queue_num = 3;
	assert_false(vmm_virtio_load(&f->d.virtio, &s));
	s.queue_num = 256;
	assert_false(vmm_virtio_load(&f->d.virtio, &s));
}

/* While the VM is to stop: one request, and the others when it goes on. */
static void stops_between_requests(void **state)
{
	struct fixture *f = *state;
	const uint16_t *used = mem(f, USED);

	assert_int_equal(request(f, IN, 1, 512), 0);
	uint16_t *avail = mem(f, AVAIL);
	avail[2 + avail[1] % QUEUE] = avail[2 + (avail[1] + 1) % QUEUE] = 3;
	avail[1] += 2;
	vmm_virtio_hurry(&f->d.virtio);
	give(f, 3);
	assert_int_equal(used[1], 2);
	struct vmm_virtio_state s = f->d.virtio.s;
	vmm_virtio_go_on(&f->d.virtio, f->mem);
	assert_int_equal(used[1], 4);
	vmm_virtio_go_on(&f->d.virtio, f->mem); /* nothing is left */
	assert_int_equal(used[1], 4);
	assert_true(vmm_virtio_load(&f->d.virtio, &s)); /* a snapshot from meanwhile */
	vmm_virtio_go_on(&f->d.virtio, f->mem);
	assert_int_equal(f->d.virtio.s.next, 4);
	assert_int_equal(in(f, 0x70), 1 | 2 | 4 | 8);
}

static void disks_that_are_none(void **state)
{
	struct fixture *f = *state;
	struct vmm_block *b;
	struct inq_err err;
	char text[160];

	assert_int_equal(vmm_block_open(&b, "/nonexistent/disk", &err), INQ_EUSAGE);
	assert_string_equal(err.msg, "/nonexistent/disk: No such file or directory; give another "
				     "file for --disk");
	assert_int_equal(vmm_block_open(&b, f->path, &err), INQ_EUSAGE);
	snprintf(text, sizeof(text), "%s: another machine uses it; give another file for --disk",
		 f->path);
	assert_string_equal(err.msg, text);
	assert_int_equal(truncate(f->path, 511), 0);
	vmm_block_close(f->disk);
	f->disk = NULL;
	assert_int_equal(vmm_block_open(&b, f->path, &err), INQ_EUSAGE);
	assert_non_null(strstr(err.msg, "not one sector"));
}

/* Neither a folder nor a pipe, for which open() would wait. */
static void only_files_and_block_devices(void **state)
{
	char dir[] = "/tmp/test_virtio.XXXXXX", fifo[64];
	struct vmm_block *b;
	struct inq_err err;

	(void)state;
	assert_non_null(mkdtemp(dir));
	snprintf(fifo, sizeof(fifo), "%s/p", dir);
	assert_int_equal(mkfifo(fifo, 0600), 0);
	assert_int_equal(vmm_block_open(&b, "/tmp:ro", &err), INQ_EUSAGE);
	assert_non_null(strstr(err.msg, "/tmp: neither a file nor a block device;"));
	assert_int_equal(vmm_block_open(&b, fifo, &err), INQ_EUSAGE);
	strcat(fifo, ":ro");
	assert_int_equal(vmm_block_open(&b, fifo, &err), INQ_EUSAGE);
	assert_non_null(strstr(err.msg, "neither a file nor a block device;"));
	fifo[strlen(fifo) - 3] = 0;
	unlink(fifo);
	rmdir(dir);
}

#define TEST(t) cmocka_unit_test_setup_teardown(t, set_up, tear_down)
int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(identifies),
		TEST(reads_and_writes),
		TEST(any_framing),
		TEST(errors_of_requests),
		TEST(nonsense_breaks_it_down),
		TEST(queue_outside_memory),
		TEST(features_that_it_has_not),
		TEST(save_and_load),
		TEST(stops_between_requests),
		TEST(disks_that_are_none),
		TEST(only_files_and_block_devices),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
