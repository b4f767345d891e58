/* Knows which folders are the user's.  Source: XDG Base Directory Specification 0.8. */
#include "cli/places.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/scope.h"

static void free_text(char **p)
{
	free(*p);
}

char *places_index_beside(const char *file)
{
	char *path = NULL;

	return asprintf(&path, "%s.inq", file) < 0 ? NULL : path;
}

char *places_below_home(const char *below)
{
	const char *home = getenv("HOME");
	char *path = NULL;

	if (!home || *home != '/')
		return NULL;
	return asprintf(&path, "%s/%s", home, below) < 0 ? NULL : path;
}

/* A relative XDG_CACHE_HOME is to be ignored. */
char *places_cache(const char *below)
{
	INQ_SCOPED(free_text) char *in_home = places_below_home(".cache");
	const char *xdg = getenv("XDG_CACHE_HOME");
	const char *root = xdg && *xdg == '/' ? xdg : in_home;
	char *path = NULL;

	return !root || asprintf(&path, "%s/%s", root, below) < 0 ? NULL : path;
}

char *places_index_cached(const char *content_id)
{
	char name[80];

	snprintf(name, sizeof(name), "inquest/%s.inq", content_id);
	return places_cache(name);
}

char *places_folder_of(const char *path)
{
	char *folder = strdup(path);
	char *slash = folder ? strrchr(folder, '/') : NULL;

	if (slash) {
		slash[slash == folder] = '\0';
		return folder;
	}
	free(folder);
	return folder ? strdup(".") : NULL;
}

bool places_beside_is_writable(const char *file)
{
	INQ_SCOPED(free_text) char *folder = places_folder_of(file);

	return folder && !access(folder, W_OK);
}

char *places_debug_cache(void)
{
	return places_cache("inquest/debug");
}

/* With the folders that it lies in. */
static char *make_folder(char *path)
{
	for (char *p = path ? strchr(path + 1, '/') : NULL; p; p = strchr(p + 1, '/')) {
		*p = '\0';
		(void)mkdir(path, 0700); /* who writes there says what is wrong, if anything */
		*p = '/';
	}
	if (path)
		(void)mkdir(path, 0700);
	return path;
}

char *places_make_cache(void)
{
	return make_folder(places_cache("inquest"));
}

char *places_make_debug_cache(void)
{
	return make_folder(places_debug_cache());
}
