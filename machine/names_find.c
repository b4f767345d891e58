/*
 * Knows how to come to the tables of a kernel's names: where VMCOREINFO says, else by what one of
 * them looks like; and that they are this kernel's when its image begins at _text.
 */
#include "machine/names.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "arch/paging.h"
#include "machine/bytes.h"
#include "machine/image.h"

enum { CHUNK = 1 << 20 };

/* Another kernel's tables may lie in memory, too: one that ran before, one to be started. */
static enum inq_status check_kernel(const struct inq_kernel *kn, const struct kallsyms *k,
				    struct inq_err *err)
{
	uint64_t text = kn->text;

	if (!(kn->known & INQ_KERNEL_TEXT))
		return INQ_OK;
	for (size_t i = machine_names_at(k, text); i < k->nr && k->symbol[i].addr == text; i++) {
		const char *name = k->text + k->symbol[i].name + 1;
		if (!strcmp(name, "_text") || !strcmp(name, "_stext"))
			return INQ_OK;
	}
	return inq_fail(err, INQ_ECORRUPT,
			"kallsyms has no _text at 0x%" PRIx64 ", where the image begins", text);
}

static enum inq_status open_at(const struct inq_kernel *kn, const struct inq_kallsyms_place *place,
			       struct kallsyms **ret, struct inq_err *err)
{
	struct kallsyms *k = NULL;
	enum inq_status st = kallsyms_open(kn->virt, place, &k, err);

	if (!st)
		st = check_kernel(kn, k, err);
	if (st)
		kallsyms_close(k);
	else
		*ret = k;
	return st;
}

static enum inq_status open_around(const struct inq_kernel *kn, uint64_t index,
				   struct kallsyms **ret, struct inq_err *err)
{
	struct inq_kallsyms_place place;
	enum inq_status st = kallsyms_locate(kn->virt, index, &place, err);

	return st ? st : open_at(kn, &place, ret, err);
}

static enum inq_status open_told(const struct inq_kernel *kn, struct kallsyms **ret,
				 struct inq_err *err)
{
	const struct inq_kallsyms_place *at = &kn->kallsyms;
	enum inq_status st = INQ_ENOTFOUND;

	if (at->names && at->num_syms && at->token_table && at->token_index && at->offsets)
		st = open_at(kn, at, ret, err);
	if (st && st != INQ_ENOMEM && at->token_index)
		st = open_around(kn, at->token_index, ret, err);
	return st;
}

/* What looks like the index of tokens in one piece of the image, chunk by chunk. */
static enum inq_status try_piece(const struct inq_kernel *kn, const struct image_piece *piece,
				 struct kallsyms **ret, struct inq_err *err)
{
	enum inq_status st = INQ_ENOTFOUND;

	for (uint64_t off = 0; off < piece->bytes && st && st != INQ_ENOMEM; off += CHUNK) {
		uint64_t left = piece->bytes - off, va = piece->va + off;
		size_t overlap = KALLSYMS_INDEX_BYTES, n = CHUNK + overlap;
		struct machine_bytes b;
		n = left < n ? (size_t)left : n;
		st = machine_bytes_there(kn->virt, va, n, &b, err);
		if (st)
			return st;
		st = INQ_ENOTFOUND;
		for (size_t at = 0; at < n && st && st != INQ_ENOMEM; at += 4) {
			at += kallsyms_find_index(b.p + at, n - at);
			if (at < n)
				st = open_around(kn, va + at, ret, err);
		}
		machine_bytes_deinit(&b);
	}
	return st;
}

static enum inq_status search(const struct inq_kernel *kn, struct kallsyms **ret,
			      struct inq_err *err)
{
	const struct paging_space *ps = paging_space_of(kn->virt);
	struct image *im = malloc(sizeof(*im));
	enum inq_status st = INQ_ENOTFOUND;

	if (!im)
		return inq_fail(err, INQ_ENOMEM, "the kernel's image");
	if (ps && image_map(ps->base.lower, &ps->mode, im))
		/* code holds none, but before mark_rodata_ro all may be code */
		for (int nx = 1; nx >= 0; nx--)
			for (size_t i = 0; i < im->nr && st && st != INQ_ENOMEM; i++)
				if (im->piece[i].nx == nx)
					st = try_piece(kn, &im->piece[i], ret, err);
	free(im);
	return st;
}

enum inq_status machine_names_find(const struct inq_machine *m, struct kallsyms **ret,
				   struct inq_err *err)
{
	const struct inq_kernel *kn = inq_machine_kernel(m);
	struct inq_err why = {0};

	if (kn->st)
		return inq_fail(err, kn->st, "%s", kn->note);
	if (!kn->os)
		return inq_fail(err, INQ_EABSENT, "no kernel was found, hence no names");
	if (!kn->virt)
		return inq_fail(err, INQ_EABSENT, "the kernel's page tables are unknown");
	enum inq_status st = open_told(kn, ret, &why);
	if (st && st != INQ_ENOMEM)
		st = search(kn, ret, &why);
	if (st && st != INQ_ENOMEM)
		return inq_fail(err, INQ_EABSENT, "no names (kallsyms) in the kernel's image%s%s",
				*why.msg ? ": " : "", why.msg);
	return st ? inq_fail(err, st, "%s", why.msg) : INQ_OK;
}
