/*
 * Knows what is common to formats that state their memory as a list of ranges: which of them can
 * be believed, how much of them the file lost, and how that is said.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "loader/dump.h"

void loader_segments_deinit(struct loader_segments *l)
{
	free(l->p);
}

static void add_to(uint64_t *sum, uint64_t n)
{
	if (__builtin_add_overflow(*sum, n, sum))
		*sum = UINT64_MAX;
}

static enum inq_status make_room(struct loader_segments *l, struct inq_err *err)
{
	if (l->nr < l->cap)
		return INQ_OK;
	if (l->nr == LOADER_MAX_SEGMENTS)
		return inq_fail(err, INQ_ELIMIT, "more than %u ranges of memory",
				LOADER_MAX_SEGMENTS);
	size_t cap = l->cap ? 2 * l->cap : 32;
	struct loader_segment *grown = reallocarray(l->p, cap, sizeof(*grown));
	if (!grown)
		return inq_fail(err, INQ_ENOMEM, "%zu ranges of memory", cap);
	l->p = grown;
	l->cap = cap;
	return INQ_OK;
}

enum inq_status loader_segments_add(struct loader_dump *d, struct loader_segments *l,
				    struct loader_segment s, struct inq_err *err)
{
	uint64_t size = loader_memory(d)->n, left = s.off < size ? size - s.off : 0;

	if (s.filesz > s.memsz) {
		loader_damage(d, INQ_ECORRUPT, 1, s.gpa, s.filesz,
			      "segment 0x%" PRIx64 ": more bytes in the file than in memory",
			      s.gpa);
		s.filesz = s.memsz;
	}
	if (!s.memsz)
		return INQ_OK;
	if (s.gpa + (s.memsz - 1) < s.gpa) {
		loader_damage(d, INQ_ECORRUPT, 1, s.gpa, s.memsz,
			      "segment 0x%" PRIx64 ": its 0x%" PRIx64 " bytes wrap", s.gpa,
			      s.memsz);
		return INQ_OK;
	}
	enum inq_status st = make_room(l, err);
	if (st)
		return st;
	if (s.left_out) {
		l->nr_left_out++;
	} else {
		add_to(&l->memory_bytes, s.memsz);
		loader_segments_lost(l, s.filesz > left ? s.filesz - left : 0);
	}
	l->p[l->nr++] = s;
	return INQ_OK;
}

void loader_segments_lost(struct loader_segments *l, uint64_t missing)
{
	add_to(&l->missing_bytes, missing);
	l->nr_cut += missing != 0;
}

void loader_share(uint64_t part, uint64_t whole, char *ret)
{
	unsigned int percent = (unsigned int)((__uint128_t)part * 100 / whole);

	snprintf(ret, LOADER_SHARE, percent ? "%u %%" : "under 1 %%", percent);
}

void loader_segments_report(struct loader_dump *d, const struct loader_segments *l,
			    const char *cause)
{
	uint64_t n = loader_memory(d)->n;
	char share[LOADER_SHARE], end[40];

	if (!l->missing_bytes)
		return;
	loader_share(l->missing_bytes, l->memory_bytes, share);
	snprintf(end, sizeof(end), "the file ends at 0x%" PRIx64, n);
	d->truncated = 1;
	loader_damage(d, INQ_EABSENT, 0, n, l->missing_bytes,
		      "%s: %zu of %zu segments and %s of memory are missing", cause ? cause : end,
		      l->nr_cut, l->nr - l->nr_left_out, share);
}

enum inq_status loader_segments_use(struct loader_dump *d, const struct loader_segments *l,
				    struct inq_err *err)
{
	if (!l->nr)
		return inq_fail(err, INQ_ECORRUPT, "the file states no memory");
	loader_segments_report(d, l, NULL);
	loader_phys_init(d);
	return loader_extents(d, l->p, l->nr, err);
}

enum inq_status loader_still_there(const struct loader_dump *d, struct inq_err *err)
{
	if (!loader_dump_lost(&d->pub))
		return INQ_OK;
	return inq_fail(err, INQ_EIO, "the file shrank or could not be read while it was opened");
}
