/*
 * Knows where distributions and people put debug files.  Source: gdb's manual, "Debugging
 * Information in Separate Files"; Debian's linux-image-*-dbg, Fedora's kernel-debuginfo;
 * debuginfod-find(1).
 */
#include "symbols/debug_file.h"

#include <stdio.h>
#include <string.h>

/* %r: release, %i: build id, %h: its first two digits, %t: the others, %b, %f, %g: folders, file */
static const char *const patterns[] = {
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
};

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

static bool fill(const struct debug_wanted *w, const char *pattern, char *to, size_t room)
{
	while (*pattern) {
		const char *part = pattern;
		size_t n = 1;
		if (*pattern == '%')
			part = part_of(w, *++pattern, &n);
		if (!part || n >= room)
			return false;
		memcpy(to, part, n);
		to += n;
		room -= n;
		pattern++;
	}
	*to = '\0';
	return true;
}

bool debug_file_at(const struct debug_wanted *w, size_t nth, char ret_path[DEBUG_PATH_MAX])
{
	for (size_t i = 0; i < sizeof(patterns) / sizeof(*patterns); i++)
		if (fill(w, patterns[i], ret_path, DEBUG_PATH_MAX) && !nth--)
			return true;
	return false;
}
