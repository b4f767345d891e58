/* Where a kernel's debug information lies on this machine. */
#ifndef SYMBOLS_DEBUG_FILE_H
#define SYMBOLS_DEBUG_FILE_H

#include <stdbool.h>
#include <stddef.h>

#include "symbols/build_id.h"

/* What is known of a kernel, and where else to look; NULL or "": unknown, nowhere. */
struct debug_wanted {
	const char *build_id; /* hexadecimal digits */
	const char *release;  /* "6.1.0-56-amd64" */
	const char *module;   /* "virtio_blk": its file, not the kernel's, is wanted */
	const char *given;    /* a file that somebody named */
	const char *by_given; /* a folder: the one of that file; it may hold modules */
	const char *beside;   /* a folder: the dump's */
	const char *fetched;  /* a folder: what debuginfod's client fetched */
};

enum { DEBUG_PATH_MAX = 512 };

/*
 * The nth path where it may lie, the likeliest first; there need not be such a file.  False: there
 * are no more.  A release that is no file's name, and an id that is none, are passed over: both
 * come from the dump.
 */
bool debug_file_at(const struct debug_wanted *w, size_t nth, char ret_path[DEBUG_PATH_MAX]);

/*
 * A module's file in the trees that packages install, which only looking through them finds: the
 * nth of them that has it.  False: there are no more.
 */
bool debug_file_in_tree(const struct debug_wanted *w, size_t nth, char ret_path[DEBUG_PATH_MAX]);

#endif
