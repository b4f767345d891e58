/*
 * Knows which debug file belongs to a module: the one of the build that its note in the kernel's
 * memory tells.  Such a file is not linked; where its sections went the kernel keeps.
 */
#include <stdio.h>
#include <stdlib.h>

#include "machine/lines_parts.h"
#include "machine/machine.h"

void lines_modules_destroy(struct machine_lines *l)
{
	for (size_t i = 0; i < l->nr_modules; i++) {
		if (l->module[i])
			debug_info_close(l->module[i]->file);
		free(l->module[i]);
	}
	free(l->module);
}

static void look_for_file(struct machine_lines *l, const struct inq_kernel *k, const char *name,
			  struct lines_module *of)
{
	const struct debug_wanted w = {.build_id = of->sections.build_id,
				       .release = k->release,
				       .module = name,
				       .by_given = l->where.by_given,
				       .beside = l->where.beside,
				       .fetched = l->where.fetched};
	char path[DEBUG_PATH_MAX], whose[80];

	(void)snprintf(whose, sizeof(whose), "module %s", name);
	for (size_t i = 0; !of->file && debug_file_at(&w, i, path); i++)
		of->file = lines_try_file(l, path, whose, of->sections.build_id, false);
	for (size_t i = 0; !of->file && debug_file_in_tree(&w, i, path); i++)
		of->file = lines_try_file(l, path, whose, of->sections.build_id, false);
	if (of->file)
		return;
	(void)inq_fail(&of->why, INQ_EABSENT, "no debug file of %s, build id %s", whose,
		       *of->sections.build_id ? of->sections.build_id : "unknown");
	lines_note(l, "%s", of->why.msg);
}

static struct lines_module *make_entry(const struct inq_machine *m, const struct inq_module *mod)
{
	struct machine_lines *l = m->made->lines;
	struct lines_module *of = calloc(1, sizeof(*of));

	if (of && machine_module_sections(m, mod, &of->sections, &of->why))
		lines_note(l, "%s", of->why.msg);
	else if (of)
		look_for_file(l, inq_machine_kernel(m), mod->name, of);
	return of;
}

/* The module's entry, its file looked for now if nobody has before; NULL: no memory. */
static struct lines_module *entry_of(const struct inq_machine *m, const struct inq_module *mod)
{
	struct machine_lines *l = m->made->lines;
	const struct inq_module *all = NULL;
	size_t nr = 0;

	if (inq_modules(m, &all, &nr, NULL, NULL))
		return NULL;
	if (!l->module && !(l->module = calloc(nr, sizeof(struct lines_module *))))
		return NULL;
	l->nr_modules = nr;
	struct lines_module **of = &l->module[mod - all];
	if (!*of)
		*of = make_entry(m, mod);
	return *of;
}

static bool file_address(const struct lines_module *of, uint64_t addr, uint64_t *ret)
{
	for (size_t i = 0; i < of->sections.nr; i++) {
		const struct machine_section *s = &of->sections.at[i];
		uint64_t at, bytes;
		if (addr < s->addr || !debug_info_section(of->file, s->name, &at, &bytes) ||
		    addr - s->addr >= bytes)
			continue;
		*ret = at + (addr - s->addr);
		return true;
	}
	return false;
}

enum inq_status lines_of_module(const struct inq_machine *m, uint64_t addr, struct debug_info **ret,
				uint64_t *ret_at, struct inq_err *err)
{
	const struct inq_module *mod = NULL;

	if (!m->made || !m->made->lines || !inq_is_text(m, addr, &mod) || !mod)
		return INQ_ENOTFOUND;
	const struct lines_module *of = entry_of(m, mod);
	if (!of)
		return inq_fail(err, INQ_ENOMEM, "lines of modules");
	if (!of->file)
		return inq_fail(err, INQ_EABSENT, "%s", of->why.msg);
	if (!file_address(of, addr, ret_at))
		return inq_fail(err, INQ_ENOTFOUND, "no section of module %s is there", mod->name);
	*ret = of->file;
	return INQ_OK;
}
