/* Knows the promises of a dump that do not depend on what is in it. */
#include "touch.h"

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { BIG = 1 << 16, MOST_READ = 1 << 20, MOST_RUNS = 4096, MOST_EXTENTS = 512 };

static void hold(bool holds, const char *what, int line)
{
	if (holds)
		return;
	fprintf(stderr, "%s:%d: does not hold: %s\n", __FILE__, line, what);
	abort();
}
#define HOLD(x) hold((x), #x, __LINE__)

static unsigned int sum(const uint8_t *p, size_t n)
{
	unsigned int s = 0;

	for (size_t i = 0; i < n; i++)
		s += p[i];
	return s;
}

static void touch_err(enum inq_status st, const struct inq_err *err)
{
	HOLD(err->status == st);
	HOLD(err->msg[0] && strnlen(err->msg, sizeof(err->msg)) < sizeof(err->msg));
}

static void touch_read(const struct inq_space *sp, uint64_t addr, size_t n)
{
	static uint8_t buf[BIG];
	struct inq_err err = {0};
	enum inq_status st = inq_read(sp, addr, buf, n, &err);

	if (!st) {
		(void)sum(buf, n);
		return;
	}
	touch_err(st, &err);
	HOLD(st == INQ_EABSENT || st == INQ_EFAULT || st == INQ_EUSAGE);
	if (st != INQ_EUSAGE)
		HOLD(err.addr >= addr && err.addr - addr < n);
}

static void touch_run(const struct inq_run *run, uint64_t most)
{
	static volatile unsigned int seen;

	HOLD(run->len >= 1 && run->len <= most);
	HOLD((run->kind == INQ_RUN_BYTES) == (run->p != NULL));
	if (run->p)
		seen = seen + sum(run->p, run->len);
}

static void touch_rings(const struct inq_dump *d)
{
	for (size_t i = 0; i < d->nr_rings; i++) {
		const struct inq_ring *r = &d->rings[i];
		HOLD(d->header && r->record_bytes >= INQ_SNAP_FLIGHT_BYTES);
		HOLD(!r->count ||
		     r->file_off + (uint64_t)r->count * r->record_bytes <= d->file_bytes);
		HOLD(r->first + r->count >= r->first);
		for (uint32_t at = 0; at < r->count; at += at < 16 ? 1 : r->count - 16) {
			struct inq_snap_flight f;
			struct inq_err err = {0};
			enum inq_status st = inq_dump_flight(d, r, at, &f, &err);
			HOLD(!st || st == INQ_EABSENT);
		}
	}
}

static void touch_runs(const struct inq_space *sp, uint64_t addr, uint64_t n)
{
	for (unsigned int i = 0; n && i < MOST_RUNS; i++) {
		struct inq_run run = {0};
		struct inq_err err = {0};
		enum inq_status st = inq_runs(sp, addr, (size_t)n, &run, &err);
		if (st) {
			touch_err(st, &err);
			HOLD(st == INQ_EFAULT || st == INQ_EUSAGE);
			return;
		}
		touch_run(&run, n);
		addr += run.len;
		n -= run.len;
	}
}

static void touch_around(const struct inq_space *sp, uint64_t addr)
{
	touch_read(sp, addr, 1);
	touch_read(sp, addr - 1, 2);
	touch_read(sp, addr - 8, 8);
	touch_read(sp, addr, 4097);
	touch_runs(sp, addr, 4097);
}

static void touch_space(const struct inq_dump *d, const struct inq_space *sp)
{
	touch_around(sp, 0);
	touch_around(sp, UINT64_MAX);
	for (size_t i = 0; i < d->nr_extents && i < MOST_EXTENTS; i++) {
		const struct inq_extent *e = &d->extents[i];
		uint64_t n = e->last - e->first;
		touch_around(sp, e->first);
		touch_around(sp, e->last);
		touch_around(sp, e->first + n / 2);
		touch_runs(sp, e->first, n);
		for (uint64_t off = 0; off < n && off < MOST_READ; off += BIG)
			touch_read(sp, e->first + off, BIG);
	}
}

static void touch_virt(const struct inq_dump *d)
{
	touch_around(d->virt, 0);
	for (size_t i = 0; i < d->nr_virt_extents; i++) {
		const struct inq_extent *e = &d->virt_extents[i];
		HOLD(e->kind == INQ_EXTENT_BYTES && e->first <= e->last);
		HOLD(!i || e[-1].last < e->first);
		HOLD(e->file_off < d->file_bytes &&
		     e->last - e->first < d->file_bytes - e->file_off);
		touch_around(d->virt, e->first);
		touch_around(d->virt, e->last);
	}
}

static void touch_blobs(const struct inq_dump *d)
{
	for (size_t i = 0; i < d->nr_blobs; i++) {
		const struct inq_blob *b = &d->blobs[i];
		HOLD((b->state == INQ_SNAP_PRESENT) == (b->p != NULL));
		HOLD(b->p || !b->n);
		HOLD(b->vcpu == INQ_SNAP_VM || b->vcpu < INQ_SNAP_MAX_VCPUS);
		(void)sum(b->p, b->n);
		const struct inq_blob *found = inq_dump_blob(d, b->vcpu, b->sample, b->kind);
		HOLD(found && found <= b && found->kind == b->kind && found->vcpu == b->vcpu);
	}
	HOLD(!inq_dump_blob(d, 12345678, 99, INQ_SNAP_REGS));
}

void touch_dump(const struct inq_dump *d)
{
	HOLD(d->phys && d->format && d->variant && (d->nr_extents || d->virt));
	HOLD(strlen(d->content_id) == 32 && strspn(d->content_id, "0123456789abcdef") == 32);
	for (size_t i = 0; i < d->nr_extents; i++) {
		const struct inq_extent *e = &d->extents[i];
		HOLD(e->first <= e->last);
		HOLD(!i || e[-1].last < e->first);
		if (e->kind == INQ_EXTENT_BYTES && e->file_off != INQ_NO_OFFSET)
			HOLD(e->file_off < d->file_bytes &&
			     e->last - e->first < d->file_bytes - e->file_off);
	}
	for (size_t i = 0; i < d->nr_damages; i++) {
		HOLD(d->damages[i].message[0]);
		HOLD(memchr(d->damages[i].message, 0, sizeof(d->damages[i].message)));
		HOLD(d->damages[i].status == INQ_EABSENT || d->damages[i].status == INQ_ECORRUPT);
	}
	if (d->header)
		HOLD(d->header->nr_vcpus <= INQ_SNAP_MAX_VCPUS);
	touch_blobs(d);
	touch_rings(d);
	touch_space(d, d->phys);
	if (d->smm)
		touch_space(d, d->smm);
	if (d->virt)
		touch_virt(d);
}

enum inq_status touch_path(const char *path, struct inq_err *ret_err)
{
	struct inq_dump *d = NULL;

	*ret_err = (struct inq_err){0};
	enum inq_status st = inq_dump_open(path, &d, ret_err);
	if (st) {
		HOLD(!d);
		touch_err(st, ret_err);
		return st;
	}
	touch_dump(d);
	inq_dump_close(d);
	return INQ_OK;
}
