/*
 * Knows the lines of VMCOREINFO, and that some numbers in it are hexadecimal without a sign of it.
 * Source: Linux kernel/crash_core.c (crash_save_vmcoreinfo_init), arch/x86/kernel/crash_core_64.c,
 * include/linux/crash_core.h; Documentation/admin-guide/kdump/vmcoreinfo.rst.
 */
#include "machine/vmcoreinfo.h"

#include <ctype.h>
#include <string.h>

struct line {
	const char *value;
	size_t n;
};

/* The value of key; false when no line has it. */
static bool find(const char *p, size_t n, const char *key, struct line *ret)
{
	size_t len = strlen(key);

	while (n) {
		const char *end = memchr(p, '\n', n);
		size_t line = end ? (size_t)(end - p) : n;
		if (line > len && p[len] == '=' && !memcmp(p, key, len)) {
			*ret = (struct line){p + len + 1, line - len - 1};
			return true;
		}
		if (!end)
			return false;
		n -= line + 1;
		p = end + 1;
	}
	return false;
}

/* A word of graphic characters that fits, else "". */
static void find_word(const char *p, size_t n, const char *key, int (*allowed)(int), char *ret,
		      size_t size)
{
	struct line l;

	*ret = 0;
	if (!find(p, n, key, &l) || l.n >= size)
		return;
	for (size_t i = 0; i < l.n; i++)
		if (!isascii(l.value[i]) || !allowed(l.value[i]))
			return;
	memcpy(ret, l.value, l.n);
	ret[l.n] = 0;
}

static int digit_of(char c)
{
	return c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : 16;
}

/* Digits of that base and nothing else, with a minus in front when decimal. */
static bool find_number(const char *p, size_t n, const char *key, unsigned int base, uint64_t *ret)
{
	struct line l;
	uint64_t v = 0;

	if (!find(p, n, key, &l))
		return false;
	bool minus = base == 10 && l.n && l.value[0] == '-';
	if (l.n == (size_t)minus)
		return false;
	for (size_t i = minus; i < l.n; i++) {
		unsigned int digit = (unsigned int)digit_of(l.value[i]);
		if (digit >= base || __builtin_mul_overflow(v, base, &v) ||
		    __builtin_add_overflow(v, digit, &v))
			return false;
	}
	*ret = minus ? -v : v;
	return true;
}

/* Since Linux 6.0. */
static void find_kallsyms(const char *p, size_t n, struct inq_kallsyms_place *ret)
{
	const struct {
		const char *key;
		uint64_t *to;
	} lines[] = {
		{"SYMBOL(kallsyms_names)", &ret->names},
		{"SYMBOL(kallsyms_num_syms)", &ret->num_syms},
		{"SYMBOL(kallsyms_token_table)", &ret->token_table},
		{"SYMBOL(kallsyms_token_index)", &ret->token_index},
		{"SYMBOL(kallsyms_addresses)", &ret->offsets},
		{"SYMBOL(kallsyms_offsets)", &ret->offsets},
		{"SYMBOL(kallsyms_relative_base)", &ret->relative_base},
	};

	for (size_t i = 0; i < sizeof(lines) / sizeof(*lines); i++)
		(void)find_number(p, n, lines[i].key, 16, lines[i].to);
}

bool vmcoreinfo_parse(const uint8_t *bytes, size_t n, struct vmcoreinfo *ret)
{
	const char *p = (const char *)bytes;
	uint64_t l5 = 0;

	if (n < sizeof(VMCOREINFO_START) - 1 ||
	    memcmp(p, VMCOREINFO_START, sizeof(VMCOREINFO_START) - 1))
		return false;
	n = strnlen(p, n);
	*ret = (struct vmcoreinfo){0};
	find_word(p, n, "OSRELEASE", isgraph, ret->release, sizeof(ret->release));
	find_word(p, n, "BUILD-ID", isxdigit, ret->build_id, sizeof(ret->build_id));
	ret->has_stext = find_number(p, n, "SYMBOL(_stext)", 16, &ret->stext);
	ret->has_root = find_number(p, n, "SYMBOL(swapper_pg_dir)", 16, &ret->root) ||
			find_number(p, n, "SYMBOL(init_top_pgt)", 16, &ret->root);
	ret->has_kaslr = find_number(p, n, "KERNELOFFSET", 16, &ret->kaslr);
	ret->has_phys_base = find_number(p, n, "NUMBER(phys_base)", 10, &ret->phys_base);
	ret->has_l5 = find_number(p, n, "NUMBER(pgtable_l5_enabled)", 10, &l5);
	ret->l5 = l5 != 0;
	find_kallsyms(p, n, &ret->kallsyms);
	return true;
}
