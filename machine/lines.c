/* Knows which debug file belongs to the kernel of a dump, and how far that kernel was moved. */
#include "machine/lines.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "machine/lines_parts.h"
#include "machine/machine.h"

void machine_lines_destroy(struct machine_lines *l)
{
	if (!l)
		return;
	debug_info_close(l->kernel);
	lines_modules_destroy(l);
	free(l);
}

void machine_debug_where(const struct inq_machine *m, const struct machine_debug *where)
{
	if (m->made && !m->made->lines)
		m->made->lines = calloc(1, sizeof(*m->made->lines));
	if (m->made && m->made->lines)
		m->made->lines->where = *where;
}

const char *machine_debug_note(const struct inq_machine *m, size_t i)
{
	const struct machine_lines *l = m->made ? m->made->lines : NULL;

	return l && i < l->nr_notes ? l->note[i] : NULL;
}

void lines_note(struct machine_lines *l, const char *fmt, ...)
{
	va_list ap;

	if (l->nr_notes == LINES_NOTES)
		return;
	va_start(ap, fmt);
	vsnprintf(l->note[l->nr_notes++], sizeof(l->note[0]), fmt, ap);
	va_end(ap);
}

static bool is_of_build(struct machine_lines *l, const struct debug_info *d, const char *whose,
			const char *build_id, bool given)
{
	const char *have = debug_info_build_id(d), *path = debug_info_path(d);

	if (*build_id && !strcmp(have, build_id))
		return true;
	if (!*build_id && given) {
		lines_note(l, "%s: not checked: the dump tells no build id of its kernel", path);
		return true;
	}
	lines_note(l, "%s: of build id %s, but %s has %s", path, *have ? have : "unknown", whose,
		   *build_id ? build_id : "an unknown one");
	return false;
}

struct debug_info *lines_try_file(struct machine_lines *l, const char *path, const char *whose,
				  const char *build_id, bool given)
{
	struct debug_info *d = NULL;
	struct inq_err err = {0};

	if (access(path, F_OK))
		return NULL;
	if (debug_info_open(path, l->where.cache, &d, &err)) {
		lines_note(l, "%s: %s", path, err.msg);
		return NULL;
	}
	if (is_of_build(l, d, whose, build_id, given)) {
		lines_note(l, "%s: lines come from it", path);
		return d;
	}
	debug_info_close(d);
	return NULL;
}

static void look(struct machine_lines *l, const struct inq_kernel *k)
{
	const struct debug_wanted w = {.build_id = k->build_id,
				       .release = k->release,
				       .given = l->where.given,
				       .beside = l->where.beside,
				       .fetched = l->where.fetched};
	char path[DEBUG_PATH_MAX];

	l->looked = true;
	for (size_t i = 0; !l->kernel && debug_file_at(&w, i, path); i++)
		l->kernel = lines_try_file(l, path, "the kernel", k->build_id,
					   l->where.given && !strcmp(path, l->where.given));
	if (!l->kernel)
		lines_note(l, "no debug file of kernel %s, build id %s",
			   *k->release ? k->release : "(unknown)",
			   *k->build_id ? k->build_id : "unknown");
}

static enum inq_status no_file(const struct machine_lines *l, struct inq_err *err)
{
	/* the last note is the conclusion, the first one says what stood in the way */
	if (l->nr_notes > 1)
		return inq_fail(err, INQ_EABSENT, "%.200s", l->note[0]);
	return inq_fail(err, INQ_EABSENT,
			"%.140s; looked at --vmlinux, beside the dump, in "
			"/usr/lib/debug",
			l->note[0]);
}

/* To an address of the file; INQ_ENOTFOUND: not of the kernel's image. */
static enum inq_status link_address(const struct inq_kernel *k, uint64_t addr, uint64_t *ret,
				    struct inq_err *err)
{
	if (!k->os)
		return inq_fail(err, INQ_EABSENT, "no kernel was found: %s", k->note);
	if (!(k->known & INQ_KERNEL_KASLR))
		return inq_fail(err, INQ_EABSENT, "how far the kernel was moved is unknown");
	if ((k->known & INQ_KERNEL_TEXT && addr < k->text) ||
	    (k->known & INQ_KERNEL_LAST && addr > k->last))
		return inq_fail(err, INQ_ENOTFOUND, "0x%" PRIx64 " is not in the kernel's image",
				addr);
	*ret = addr - k->kaslr;
	return INQ_OK;
}

/* The kernel's debug file, looked for now if nobody has before. */
static enum inq_status file_of(const struct inq_machine *m, struct debug_info **ret,
			       struct inq_err *err)
{
	struct machine_lines *l = m->made ? m->made->lines : NULL;

	if (!l)
		return inq_fail(err, INQ_EABSENT, "no debug files");
	if (!l->looked)
		look(l, inq_machine_kernel(m));
	*ret = l->kernel;
	return l->kernel ? INQ_OK : no_file(l, err);
}

enum inq_status lines_file_at(const struct inq_machine *m, uint64_t addr, struct debug_info **ret,
			      uint64_t *ret_at, struct inq_err *err)
{
	enum inq_status st = link_address(inq_machine_kernel(m), addr, ret_at, err);

	if (!st)
		return file_of(m, ret, err);
	return st == INQ_ENOTFOUND ? lines_of_module(m, addr, ret, ret_at, err) : st;
}

enum inq_status inq_lines_at(const struct inq_machine *m, uint64_t addr, struct inq_lines *ret,
			     struct inq_err *err)
{
	struct debug_info *d = NULL;
	uint64_t at = 0;
	enum inq_status st = lines_file_at(m, addr, &d, &at, err);

	if (st)
		return st;
	st = debug_info_lines(d, at, ret, err);
	return inq_wrap(err, st, "0x%" PRIx64, addr);
}

enum inq_status inq_debug_var(const struct inq_machine *m, const char *name,
			      struct inq_debug_var *ret, struct inq_err *err)
{
	const struct inq_kernel *k = inq_machine_kernel(m);
	struct debug_info *d = NULL;
	struct debug_var v;
	uint64_t at = 0;
	enum inq_status st = link_address(k, k->text, &at, err);

	if (!st)
		st = file_of(m, &d, err);
	if (!st)
		st = inq_wrap(err, debug_info_var(d, name, &v, err), "%s", name);
	if (st)
		return st;
	/* per-CPU variables are linked at 0: vmlinux.lds.S, PERCPU_VADDR */
	ret->addr = v.addr < at ? v.addr : v.addr + k->kaslr;
	memcpy(ret->type, v.type, sizeof(ret->type));
	return INQ_OK;
}
