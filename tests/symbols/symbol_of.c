#include "tests/symbols/symbol_of.h"

#include <fcntl.h>
#include <gelf.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static int look(Elf *e, Elf_Scn *s, const char *name, GElf_Sym *ret)
{
	GElf_Shdr h;
	Elf_Data *d = elf_getdata(s, NULL);

	if (!gelf_getshdr(s, &h) || h.sh_type != SHT_SYMTAB || !d)
		return 0;
	for (int i = 0; gelf_getsym(d, i, ret); i++) {
		const char *have = elf_strptr(e, h.sh_link, ret->st_name);
		if (have && !strcmp(have, name))
			return 1;
	}
	return 0;
}

uint64_t symbol_of(const char *path, const char *name, size_t *ret_section)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC), found = 0;
	GElf_Sym sym = {0};

	elf_version(EV_CURRENT);
	Elf *e = elf_begin(fd, ELF_C_READ, NULL);
	for (Elf_Scn *s = NULL; e && !found && (s = elf_nextscn(e, s));)
		found = look(e, s, name, &sym);
	if (!found) {
		fprintf(stderr, "%s has no %s\n", path, name);
		abort();
	}
	elf_end(e);
	close(fd);
	if (ret_section)
		*ret_section = sym.st_shndx;
	return sym.st_value;
}
