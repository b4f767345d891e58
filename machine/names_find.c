/*
 * Knows how to come to the tables of a kernel's names: where VMCOREINFO says, else by what one of
 * them looks like; and that they are this kernel's when its image begins at _text.
 */
#include "machine/names.h"

#include <inttypes.h>
#include <string.h>

#include "machine/image.h"
#include "machine/machine.h"

/* Another kernel's tables may lie in memory, too: one that ran before, one to be started. */
static enum inq_status check_kernel(const struct inq_kernel *kn, const struct kallsyms *k,
				    struct inq_err *err)
{
	uint64_t text = kn->text;

	if (!(kn->known & INQ_KERNEL_TEXT))
		return INQ_OK;
	for (size_t i = machine_names_at(k, text); i < k->nr && k->symbol[i].addr == text; i++) {
		const char *name = k->text + k->symbol[i].name + 1;
		/* one whose name is lost may be it: no other symbol is likely to be there */
		if (!*name || !strcmp(name, "_text") || !strcmp(name, "_stext"))
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

struct wanted {
	const struct inq_kernel *kn;
	struct kallsyms **ret;
};

/* What looks like the index of tokens; why the last was none stands in err. */
static enum inq_status try_chunk(void *ctx, uint64_t va, const uint8_t *p, size_t n,
				 struct inq_err *err)
{
	const struct wanted *w = ctx;

	for (size_t at = 0; at < n; at += 4) {
		at += kallsyms_find_index(p + at, n - at);
		enum inq_status st =
			at < n ? open_around(w->kn, va + at, w->ret, err) : INQ_ENOTFOUND;
		if (!st || machine_passes(st))
			return st;
	}
	return INQ_ENOTFOUND;
}

enum inq_status machine_names_find(const struct inq_machine *m, struct kallsyms **ret,
				   struct inq_err *err)
{
	const struct inq_kernel *kn = NULL;
	struct inq_err why = {0};
	enum inq_status st = machine_kernel_for(m, "names", &kn, err);

	if (st || !kn)
		return st;
	st = open_told(kn, ret, &why);
	if (st && !machine_passes(st))
		st = image_scan(kn->virt, KALLSYMS_INDEX_BYTES, try_chunk,
				&(struct wanted){kn, ret}, &why);
	if (st && !machine_passes(st))
		return inq_fail(err, INQ_EABSENT, "no names (kallsyms) in the kernel's image%s%s",
				*why.msg ? ": " : "", why.msg);
	return st ? inq_fail(err, st, "%s", why.msg) : INQ_OK;
}
