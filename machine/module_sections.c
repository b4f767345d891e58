/*
 * Knows the list that the kernel keeps of a module's sections: a group of files in sysfs, each with
 * the section's name, and its address behind it or in it.
 * Sources: Linux kernel/module/sysfs.c (add_sect_attrs), include/linux/sysfs.h; elf(5), Elf64_Nhdr.
 */
#include "machine/module_sections.h"

#include <inquest/types.h>
#include <string.h>

#include "base/span.h"
#include "base/text.h"

enum { NOTE_HEAD = 16, BUILD_ID_MOST = (SYMBOLS_BUILD_ID - 1) / 2, NT_BUILD_ID = 3 };

struct section_offs {
	struct inq_field list;       /* of struct module: the list, 0: there is none */
	struct inq_field files;      /* of the list: pointers to files, NULL at the end */
	struct inq_field name, data; /* of a file */
	struct inq_field addr;       /* of what a file is the first member of */
};
#define OFFS(f) offsetof(struct section_offs, f)
static const struct inq_shape_member of_module[] = {{OFFS(list), "sect_attrs"}, {0}};
/* a file each since Linux 5.8: "module: Refactor section attr into bin attribute" */
static const struct inq_shape_member of_list[] = {{OFFS(files), "grp.bin_attrs"}, {0}};
static const struct inq_shape_member of_file[] = {
	{OFFS(name), "attr.name"}, {OFFS(data), "private"}, {0}};
/* until Linux 6.13; since then the file has the address itself */
static const struct inq_shape_member of_section[] = {{OFFS(addr), "address"}, {0}};

static enum inq_status find_offs(const struct inq_machine *m, struct section_offs *ret,
				 struct inq_err *err)
{
	enum inq_status st = inq_shape(m, "struct module", of_module, ret, NULL, err);

	if (!st)
		st = inq_shape(m, "struct module_sect_attrs", of_list, ret, NULL, err);
	if (!st)
		st = inq_shape(m, "struct bin_attribute", of_file, ret, NULL, err);
	if (!st && inq_shape(m, "struct module_sect_attr", of_section, ret, NULL, NULL))
		ret->addr = ret->data;
	return st;
}

static bool read_name(const struct inq_machine *m, uint64_t at, char name[MACHINE_SECTION_NAME])
{
	for (size_t i = 0; i < MACHINE_SECTION_NAME; i++) {
		if (inq_read_kernel(m, at + i, &name[i], 1, NULL))
			return false;
		if (!name[i])
			return i > 0;
	}
	return false;
}

static void take_section(const struct inq_machine *m, const struct section_offs *o, uint64_t file,
			 struct machine_sections *ret)
{
	struct machine_section *to = &ret->at[ret->nr];
	uint64_t name = 0;

	if (!inq_read_field(m, file, &o->name, &name, NULL) && read_name(m, name, to->name) &&
	    !inq_read_field(m, file, &o->addr, &to->addr, NULL) && to->addr)
		ret->nr++;
}

static void read_build_id(const struct inq_machine *m, uint64_t at, char to[SYMBOLS_BUILD_ID])
{
	uint8_t p[NOTE_HEAD + BUILD_ID_MOST];

	if (inq_read_kernel(m, at, p, NOTE_HEAD, NULL))
		return;
	struct span s = span_of(p, NOTE_HEAD);
	uint32_t name = span_u32le(&s), n = span_u32le(&s), type = span_u32le(&s);
	if (name != sizeof("GNU") || type != NT_BUILD_ID || memcmp(p + 12, "GNU", sizeof("GNU")) ||
	    n > BUILD_ID_MOST || inq_read_kernel(m, at + NOTE_HEAD, p + NOTE_HEAD, n, NULL))
		return;
	text_hex(p + NOTE_HEAD, n, to);
}

enum inq_status machine_module_sections(const struct inq_machine *m, const struct inq_module *mod,
					struct machine_sections *ret, struct inq_err *err)
{
	struct section_offs o = {0};
	uint64_t list = 0, files = 0, file = 0;
	enum inq_status st = find_offs(m, &o, err);

	ret->nr = 0;
	*ret->build_id = '\0';
	if (!st)
		st = inq_read_field(m, mod->addr, &o.list, &list, err);
	if (!st && !list)
		st = inq_fail(err, INQ_EABSENT, "the kernel keeps no list of its sections");
	if (!st)
		st = inq_read_field(m, list, &o.files, &files, err);
	for (int i = 0; !st && i < MACHINE_SECTIONS_MOST; i++, files += 8) {
		st = inq_read_u64(m, files, &file, err);
		if (st || !file)
			break;
		take_section(m, &o, file, ret);
	}
	for (size_t i = 0; !st && i < ret->nr; i++)
		if (!strcmp(ret->at[i].name, ".note.gnu.build-id"))
			read_build_id(m, ret->at[i].addr, ret->build_id);
	return inq_wrap(err, st, "sections of module %s", mod->name);
}
