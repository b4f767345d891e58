/*
 * Knows the flight records of a snapshot: where the newest records of each vCPU lie in the bulk
 * region.  Source: docs/snapshot-format.md, section 7; snapshot.h.
 */
#include <inttypes.h>
#include <stdlib.h>

#include "loader/dump.h"

enum { MAX_RECORD = 4096 };

static size_t nr_troubles(const struct loader_dump *d)
{
	return d->nr_damages + d->nr_dropped;
}

/* What is wrong with a ring; NULL when nothing is. */
static const char *objection(const struct inq_snap_ring *r)
{
	if (r->record_bytes < INQ_SNAP_FLIGHT_BYTES || r->record_bytes > MAX_RECORD)
		return "its records have an absurd size";
	if (r->bytes != (uint64_t)r->count * r->record_bytes)
		return "its bytes are not those of its records";
	return r->first + r->count < r->first ? "its numbers wrap" : NULL;
}

static void use_ring(struct loader_dump *d, const struct inq_blob *blob)
{
	struct span s = span_of(blob->p, blob->n);
	struct inq_snap_ring r = {
		.file_off = span_u64le(&s),
		.bytes = span_u64le(&s),
		.first = span_u64le(&s),
		.count = span_u32le(&s),
		.record_bytes = span_u32le(&s),
		.crc = span_u32le(&s),
	};
	const char *why = s.bad ? "it is too short" : objection(&r);

	if (why) {
		loader_damage(d, INQ_ECORRUPT, 0, r.file_off, r.bytes,
			      "flight record of vcpu %" PRIu32 ": %s", blob->vcpu, why);
		return;
	}
	struct inq_snap_bulk b = {.file_off = r.file_off, .bytes = r.bytes, .crc = r.crc};
	size_t before = nr_troubles(d);
	uint64_t have = loader_bulk_have(d, &b, "a flight record");
	/* its checksum is wrong, so no record can be trusted; or there is none */
	if (nr_troubles(d) != before && (have == r.bytes || have < r.record_bytes))
		return;
	d->rings[d->pub.nr_rings++] = (struct inq_ring){.vcpu = blob->vcpu,
							.count = (uint32_t)(have / r.record_bytes),
							.record_bytes = r.record_bytes,
							.first = r.first,
							.file_off = r.file_off};
}

static bool is_ring(const struct loader_dump *d, const struct inq_blob *b)
{
	return b->kind == INQ_SNAP_FLIGHT && b->p && b->sample == 0 && b->vcpu != INQ_SNAP_VM &&
	       inq_dump_blob(&d->pub, b->vcpu, 0, INQ_SNAP_FLIGHT) == b;
}

enum inq_status loader_rings(struct loader_dump *d, struct inq_err *err)
{
	size_t n = 0;

	for (size_t i = 0; i < d->nr_blobs; i++)
		n += is_ring(d, &d->blobs[i]);
	d->rings = calloc(n + 1, sizeof(*d->rings)); /* a note takes more in the file */
	if (!d->rings)
		return inq_fail(err, INQ_ENOMEM, "%zu flight records", n);
	d->pub.rings = d->rings;
	for (size_t i = 0; i < d->nr_blobs; i++)
		if (is_ring(d, &d->blobs[i]))
			use_ring(d, &d->blobs[i]);
	return INQ_OK;
}

enum inq_status inq_dump_flight(const struct inq_dump *dump, const struct inq_ring *ring,
				uint32_t i, struct inq_snap_flight *ret, struct inq_err *err)
{
	const struct loader_dump *d = (const struct loader_dump *)dump;
	size_t off = (size_t)(ring->file_off + (uint64_t)i * ring->record_bytes);
	struct span s = span_of(d->map->p + off, INQ_SNAP_FLIGHT_BYTES);
	struct inq_snap_flight r = {
		.nr = span_u64le(&s),
		.t_ns = span_u64le(&s),
		.rip = span_u64le(&s),
		.addr = span_u64le(&s),
		.value = span_u64le(&s),
		.reason = span_u32le(&s),
		.what = span_u16le(&s),
		.flags = span_u16le(&s),
		.size = span_u32le(&s),
		.items = span_u32le(&s),
		.error = (int32_t)span_u32le(&s),
	};

	if (mapping_good(d->map, off, INQ_SNAP_FLIGHT_BYTES) < INQ_SNAP_FLIGHT_BYTES)
		return inq_fail_at(err, INQ_EABSENT, off, "flight record at 0x%zx: lost", off);
	*ret = r;
	return INQ_OK;
}
