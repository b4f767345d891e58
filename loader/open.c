/* Knows the life of a dump, whatever its format: which loader, who frees what, how to look up. */
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "loader/dump.h"

#define DECLARE(n) extern const struct inq_loader loader_##n;
LOADERS(DECLARE)

#define ENTRY(n) &loader_##n,
static const struct inq_loader *const loaders[] = {LOADERS(ENTRY)};

enum {
	NR_LOADERS = sizeof(loaders) / sizeof(*loaders),
	HEAD = 4096,
	SHOWN = 8,
	TRIES = 9 /* a quarter of a second */
};

const struct inq_loader *loader_at(size_t i)
{
	return i < NR_LOADERS ? loaders[i] : NULL;
}

void loader_damage(struct loader_dump *d, enum inq_status st, int in_memory, uint64_t addr,
		   uint64_t length, const char *fmt, ...)
{
	struct inq_damage *dm = &d->damages[LOADER_MAX_DAMAGES - 1];
	va_list ap;

	if (d->nr_damages < LOADER_MAX_DAMAGES - 1) {
		dm = &d->damages[d->nr_damages++];
		*dm = (struct inq_damage){
			.addr = addr, .length = length, .in_memory = in_memory, .status = st};
		va_start(ap, fmt);
		vsnprintf(dm->message, sizeof(dm->message), fmt, ap);
		va_end(ap);
		return;
	}
	d->nr_damages = LOADER_MAX_DAMAGES;
	*dm = (struct inq_damage){.status = INQ_ECORRUPT};
	snprintf(dm->message, sizeof(dm->message), "%zu more contradictions like these",
		 ++d->nr_dropped);
}

static const struct inq_loader *find_loader(struct span head)
{
	const struct inq_loader *ret = NULL;
	int best = 0;

	for (size_t i = 0; i < NR_LOADERS; i++) {
		int sure = loaders[i]->probe(head);
		if (sure > best) {
			best = sure;
			ret = loaders[i];
		}
	}
	return ret;
}

static enum inq_status refuse(struct span head, struct inq_err *err)
{
	char shown[4 * SHOWN + 1] = "";
	size_t at = 0, n = head.left < SHOWN ? head.left : SHOWN;

	if (!head.left)
		return inq_fail(err, INQ_EUNSUPPORTED, "not a dump: the file is empty");
	for (size_t i = 0; i < n; i++) {
		int plain = head.p[i] > 0x20 && head.p[i] < 0x7f && head.p[i] != '\\';
		at += (size_t)snprintf(shown + at, sizeof(shown) - at, plain ? "%c" : "\\x%02x",
				       head.p[i]);
	}
	const char *guess = loader_guess(head);
	bool maybe_memory =
		head.left == HEAD && (!strcmp(guess, "binary data") || !strcmp(guess, "zeros"));
	return inq_fail(err, INQ_EUNSUPPORTED, "not a dump: begins with '%s' (looks like %s)%s",
			shown, guess,
			maybe_memory ? "; is it raw memory? then add --base 0x0" : "");
}

static void publish(struct loader_dump *d)
{
	d->pub.path = d->path;
	d->pub.file_bytes = loader_memory(d)->n;
	d->pub.blobs = d->blobs;
	d->pub.nr_blobs = d->nr_blobs;
	d->pub.extents = d->extents;
	d->pub.damages = d->damages;
	d->pub.nr_damages = d->nr_damages;
	d->pub.virt_extents = d->virt_extents;
	d->pub.nr_virt_extents = d->nr_virt_extents;
}

static void dump_destroy(struct loader_dump *d)
{
	if (!d)
		return;
	if (d->own_free)
		d->own_free(d->own);
	loader_unpacker_destroy(d->unpacker);
	if (d->flat)
		free(d->flat->pieces);
	free(d->flat);
	mapping_close(d->mem);
	mapping_close(d->map);
	for (size_t i = 0; i < d->nr_copies; i++)
		free(d->copies[i]);
	free(d->copies);
	free(d->path);
	free(d->notes);
	free(d->extents);
	free(d->zero_at);
	free(d->blobs);
	free(d->by_key);
	free(d->overlays);
	free(d->rings);
	free(d->virt_extents);
	free(d);
}
INQ_DEFINE_SCOPE(struct loader_dump, dump_destroy)

static void free_text(char **p)
{
	free(*p);
}

/* The file; or of a folder the one that tells what the folder is. */
static enum inq_status open_map(struct loader_dump *d, struct inq_err *err)
{
	INQ_SCOPED(free_text) char *state = NULL;
	struct stat sb;

	if (stat(d->path, &sb) || !S_ISDIR(sb.st_mode))
		return mapping_open(d->path, &d->map, err);
	if (asprintf(&state, "%s/state.json", d->path) < 0) {
		state = NULL;
		return inq_fail(err, INQ_ENOMEM, "out of memory");
	}
	d->folder = true;
	if (access(state, F_OK))
		return inq_fail(
			err, INQ_EUNSUPPORTED,
			"is a directory without state.json, no snapshot of Cloud Hypervisor");
	return mapping_open(state, &d->map, err);
}

/* base NULL: content decides.  ret_lost: it failed, and the file shrank while it was opened. */
static enum inq_status open_dump(const char *path, const uint64_t *base, struct inq_dump **ret_dump,
				 int *ret_lost, struct inq_err *err)
{
	INQ_SCOPED(dump_destroy_scope_) struct loader_dump *d = calloc(1, sizeof(*d));

	if (d)
		d->path = strdup(path);
	if (!d || !d->path)
		return inq_fail(err, INQ_ENOMEM, "out of memory");
	enum inq_status st = open_map(d, err);
	if (st)
		return st;

	struct span head = span_of(d->map->p, d->map->n < HEAD ? d->map->n : HEAD);
	const struct inq_loader *ld = base ? &loader_raw : find_loader(head);
	if (!ld)
		return refuse(head, err);
	d->base_given = base != NULL;
	d->base = base ? *base : 0;
	st = ld->open(d, err);
	if (st) {
		*ret_lost = loader_dump_lost(&d->pub);
		return st;
	}
	if (!d->pub.format) /* a flattened stream makes a file of another format */
		d->pub.format = ld->name;
	publish(d);
	*ret_dump = &inq_take(d)->pub;
	return INQ_OK;
}

static enum inq_status open_again(const char *path, const uint64_t *base,
				  struct inq_dump **ret_dump, struct inq_err *err)
{
	enum inq_status st = INQ_OK;
	struct timespec pause = {.tv_nsec = 1000000};
	int lost = 0, tries = TRIES;

	for (;;) { /* what is left of a file that shrank is a dump that was cut */
		lost = 0;
		st = open_dump(path, base, ret_dump, &lost, err);
		if (!st || !lost || !--tries)
			break;
		(void)nanosleep(&pause, NULL); /* whoever shrinks it may not be done yet */
		pause.tv_nsec *= 2;
	}
	return inq_wrap(err, st, "%s", path);
}

enum inq_status inq_dump_open(const char *path, struct inq_dump **ret_dump, struct inq_err *err)
{
	return open_again(path, NULL, ret_dump, err);
}

enum inq_status inq_dump_open_raw(const char *path, uint64_t base, struct inq_dump **ret_dump,
				  struct inq_err *err)
{
	return open_again(path, &base, ret_dump, err);
}

void inq_dump_close(struct inq_dump *dump)
{
	dump_destroy((struct loader_dump *)dump);
}

int loader_dump_lost(const struct inq_dump *dump)
{
	const struct loader_dump *d = (const struct loader_dump *)dump;

	return mapping_lost(d->map) || (d->mem && mapping_lost(d->mem));
}

/* Without an order: a dump that no loader made. */
static const struct inq_blob *look_through(const struct inq_dump *dump, const struct inq_blob *key)
{
	for (size_t i = 0; i < dump->nr_blobs; i++)
		if (!loader_key_cmp(&dump->blobs[i], key))
			return &dump->blobs[i];
	return NULL;
}

const struct inq_blob *inq_dump_blob(const struct inq_dump *dump, uint32_t vcpu, uint32_t sample,
				     uint32_t kind)
{
	const struct inq_blob key = {.vcpu = vcpu, .sample = sample, .kind = kind};
	size_t low = 0, high = dump->nr_blobs;

	if (!dump->by_key)
		return look_through(dump, &key);
	while (low < high) {
		size_t mid = low + (high - low) / 2;
		if (loader_key_cmp(&dump->blobs[dump->by_key[mid]], &key) < 0)
			low = mid + 1;
		else
			high = mid;
	}
	if (low == dump->nr_blobs || loader_key_cmp(&dump->blobs[dump->by_key[low]], &key))
		return NULL;
	return &dump->blobs[dump->by_key[low]];
}
