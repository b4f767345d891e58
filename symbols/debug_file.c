/*
 * Knows where distributions and people put debug files.  Source: gdb's manual, "Debugging
 * Information in Separate Files"; Debian's linux-image-*-dbg, Fedora's kernel-debuginfo;
 * debuginfod-find(1).
 */
#include "symbols/debug_file.h"

#include <fts.h>
#include <stdio.h>
#include <string.h>

/*
 * %r: release, %i: build id, %h: its first two digits, %t: the others, %m: module, %n: the same
 * with dashes, %b, %f, %v: folders, %g: file
 */
static const char *const of_kernel[] = {
	"%g",
	"%b/vmlinux-%r.debug",
	"%b/vmlinux-%r",
	"%b/vmlinux.debug",
	"%b/vmlinux",
	"%b/%i.debug",
	"/usr/lib/debug/.build-id/%h/%t.debug",
	"/usr/lib/debug/boot/vmlinux-%r",
	"/usr/lib/debug/lib/modules/%r/vmlinux",
	"/usr/lib/debug/usr/lib/modules/%r/vmlinux",
	"/usr/lib/debug/vmlinux-%r",
	"/usr/lib/modules/%r/build/vmlinux",
	"/boot/vmlinux-%r",
	"%f/%i/debuginfo",
	NULL,
};
static const char *const of_module[] = {
	"%v/%m.ko.debug",  "%v/%n.ko.debug",
	"%b/%m.ko.debug",  "%b/%n.ko.debug",
	"%b/%m.ko",        "%b/%n.ko",
	"%b/%i.debug",     "/usr/lib/debug/.build-id/%h/%t.debug",
	"%f/%i/debuginfo", NULL,
};
static const char *const trees[] = {
	"/usr/lib/debug/lib/modules/%r",
	"/usr/lib/debug/usr/lib/modules/%r",
	"/usr/lib/modules/%r",
};
enum { TREE_FILES = 1 << 16, TREE_DEPTH = 16 };

static bool is_id(const char *text)
{
	return text && strlen(text) >= 4 && !text[strspn(text, "0123456789abcdef")];
}

static bool is_name(const char *text)
{
	return text && *text && *text != '.' && !strchr(text, '/');
}

/* What a letter stands for; n: characters of it.  NULL: unknown. */
static const char *part_of(const struct debug_wanted *w, char letter, size_t *ret_n)
{
	const char *id = is_id(w->build_id) ? w->build_id : NULL, *text = NULL;

	switch (letter) {
	case 'r':
		text = is_name(w->release) ? w->release : NULL;
		break;
	case 'i':
	case 'h':
		text = id;
		break;
	case 't':
		text = id ? id + 2 : NULL;
		break;
	case 'm':
	case 'n':
		text = is_name(w->module) ? w->module : NULL;
		break;
	case 'v':
		text = w->by_given;
		break;
	case 'b':
		text = w->beside;
		break;
	case 'f':
		text = w->fetched;
		break;
	case 'g':
		text = w->given;
		break;
	default:
		break;
	}
	*ret_n = !text ? 0 : letter == 'h' ? 2 : strlen(text);
	return text && *text ? text : NULL;
}

static void use_dashes(char *text, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (text[i] == '_')
			text[i] = '-';
}

static bool fill(const struct debug_wanted *w, const char *pattern, char *to, size_t room)
{
	while (*pattern) {
		const char *part = pattern;
		size_t n = 1;
		char letter = '\0';
		if (*pattern == '%')
			part = part_of(w, letter = *++pattern, &n);
		if (!part || n >= room)
			return false;
		memcpy(to, part, n);
		if (letter == 'n')
			use_dashes(to, n);
		to += n;
		room -= n;
		pattern++;
	}
	*to = '\0';
	return true;
}

bool debug_file_at(const struct debug_wanted *w, size_t nth, char ret_path[DEBUG_PATH_MAX])
{
	const char *const *patterns = w->module ? of_module : of_kernel;

	for (size_t i = 0; patterns[i]; i++)
		if (fill(w, patterns[i], ret_path, DEBUG_PATH_MAX) && !nth--)
			return true;
	return false;
}

/* "snd-hda-intel.ko" and "snd_hda_intel.ko.debug" are of snd_hda_intel. */
static bool is_of_module(const char *file, const char *module)
{
	for (; *module; module++, file++)
		if (*file != *module && !(*file == '-' && *module == '_'))
			return false;
	return !strcmp(file, ".ko") || !strcmp(file, ".ko.debug");
}

static bool find_below(char *root, const char *module, char ret_path[DEBUG_PATH_MAX])
{
	char *const roots[] = {root, NULL};
	FTS *tree = fts_open(roots, FTS_PHYSICAL | FTS_NOCHDIR | FTS_NOSTAT, NULL);
	bool found = false;

	for (int i = 0; tree && !found && i < TREE_FILES; i++) {
		FTSENT *e = fts_read(tree);
		if (!e)
			break;
		if (e->fts_level > TREE_DEPTH)
			(void)fts_set(tree, e, FTS_SKIP);
		found = e->fts_info != FTS_D && e->fts_pathlen < DEBUG_PATH_MAX &&
			is_of_module(e->fts_name, module);
		if (found)
			memcpy(ret_path, e->fts_path, e->fts_pathlen + 1);
	}
	if (tree)
		fts_close(tree);
	return found;
}

bool debug_file_in_tree(const struct debug_wanted *w, size_t nth, char ret_path[DEBUG_PATH_MAX])
{
	char root[DEBUG_PATH_MAX];

	for (size_t i = 0; is_name(w->module) && i < sizeof(trees) / sizeof(*trees); i++)
		if (fill(w, trees[i], root, sizeof(root)) &&
		    find_below(root, w->module, ret_path) && !nth--)
			return true;
	return false;
}
