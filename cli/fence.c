/* Knows which files a command still needs once it reads what somebody else made. */
#include "cli/fence.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/sandbox.h"
#include "base/scope.h"
#include "cli/places.h"
#include "cli/say.h"
#include "cli/session.h"

static void free_text(char **p)
{
	free(*p);
}

/*
 * What the system's libraries open when they please (character sets, terminals, unwinding), and
 * where distributions put debug files and kernels.  Everybody's to read.
 */
static const char *const of_system[] = {
	"/usr/lib",      "/usr/lib64",
	"/lib",          "/lib64",
	"/boot",         "/usr/share/terminfo",
	"/etc/terminfo", "/etc/ld.so.cache",
	"/dev/urandom",  "/sys/devices/system/cpu",
};

static void may_read_list(struct sandbox *sb, const char *list)
{
	INQ_SCOPED(free_text) char *copy = list ? strdup(list) : NULL;
	char *rest = copy, *path;

	while (copy && (path = strsep(&rest, ":")))
		if (*path)
			sandbox_may_read(sb, path);
}

/* terminfo(5), "Fetching Compiled Descriptions"; debuginfod(8), client's cache. */
static void may_read_of_user(struct sandbox *sb)
{
	INQ_SCOPED(free_text) char *terminfo = places_below_home(".terminfo");
	INQ_SCOPED(free_text) char *fetched = places_cache("debuginfod_client");
	INQ_SCOPED(free_text) char *cache = places_cache("inquest");
	const char *const paths[] = {terminfo, fetched, cache, getenv("TERMINFO"),
				     getenv("DEBUGINFOD_CACHE_PATH")};

	for (size_t i = 0; i < sizeof(paths) / sizeof(*paths); i++)
		if (paths[i])
			sandbox_may_read(sb, paths[i]);
	may_read_list(sb, getenv("TERMINFO_DIRS"));
}

/* A dump may lie in several files: the memory beside the state, an index beside the dump. */
static void may_read_beside(struct sandbox *sb, const char *file)
{
	INQ_SCOPED(free_text) char *folder = places_folder_of(file);

	if (folder)
		sandbox_may_read_in(sb, folder);
}

static void may_read_given(struct sandbox *sb, const char *file)
{
	INQ_SCOPED(free_text) char *real = realpath(file, NULL);

	sandbox_may_read(sb, file);
	may_read_beside(sb, file);
	if (real && strcmp(real, file) != 0)
		may_read_beside(sb, real);
}

static void may_write_beside(struct sandbox *sb, const char *file)
{
	INQ_SCOPED(free_text) char *folder = places_folder_of(file);

	if (folder)
		sandbox_may_write_in(sb, folder);
}

/* The index: where -o says, beside the dump, or in the cache folder. */
static void may_write_index(struct sandbox *sb, const struct session_plan *plan)
{
	if (plan->output) {
		may_write_beside(sb, plan->output);
	} else if (places_beside_is_writable(plan->file)) {
		may_write_beside(sb, plan->file);
	} else {
		INQ_SCOPED(free_text) char *cache = places_make_cache();
		if (cache)
			sandbox_may_write_in(sb, cache);
	}
}

static void may_write_debug_cache(struct sandbox *sb)
{
	INQ_SCOPED(free_text) char *cache = places_make_debug_cache();

	if (cache)
		sandbox_may_write_in(sb, cache);
}

void fence_enter(const struct session_plan *plan)
{
	struct sandbox sb;

	sandbox_init(&sb);
	for (size_t i = 0; i < sizeof(of_system) / sizeof(*of_system); i++)
		sandbox_may_read(&sb, of_system[i]);
	may_read_of_user(&sb);
	may_read_given(&sb, plan->file);
	if (plan->vmlinux)
		may_read_given(&sb, plan->vmlinux);
	for (int i = 0; i < plan->nr_given; i++)
		sandbox_may_read(&sb, plan->given[i]);
	if (plan->keeps_index)
		may_write_index(&sb, plan);
	if (plan->lines)
		may_write_debug_cache(&sb);
	sandbox_enter(&sb);
	if (plan->verbose) {
		cli_note("sandbox", "%s; %u rules", sb.files, sb.nr_allowed);
		cli_note("sandbox", "%s", sb.calls);
	}
}
