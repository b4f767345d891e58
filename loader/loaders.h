/* Adding a format: one new file, one name in this list, one line in meson.build. */
#ifndef LOADER_LOADERS_H
#define LOADER_LOADERS_H

#include <inquest/dump.h>

#include "base/span.h"

#define LOADERS(X)                                                                                 \
	X(elfcore)                                                                                 \
	X(kdump)                                                                                   \
	X(lime)                                                                                    \
	X(qemu)                                                                                    \
	X(libkdump)                                                                                \
	X(windows)                                                                                 \
	X(vmware)                                                                                  \
	X(cloud_hypervisor)                                                                        \
	X(raw)

struct loader_dump;

/* Of what a format tells beside memory, for the table of inquest formats. */
enum loader_much { LOADER_NO, LOADER_SOME /* it depends on the writer */, LOADER_YES };
struct loader_tells {
	enum loader_much registers; /* general registers per CPU */
	enum loader_much control;   /* control registers, segments, descriptor tables */
	enum loader_much msrs, lapic, smm, nested;
};

/*
 * A dump format.  To add one: loader/<name>.c that defines `const struct inq_loader loader_<name>`,
 * its name in LOADERS above, its file in meson.build.  Its tests: a case in tests/built/cases, the
 * truncation sweep of tests/loader, a target and seeds in tests/fuzz.
 *
 * probe decides by content, never by the file's name: 0 (not mine) to 100, how sure it is, from the
 * first bytes alone.  The highest wins.
 *
 * open fills the loader_dump (loader/dump.h) whose map lies ready: variant, extents, blobs,
 * damages, phys, smm and content_id, through the helpers of that header.  It reads headers only,
 * never memory; believes no count or offset before the bytes that should hold it were seen; and
 * returns a dump with damages rather than an error as long as anything is left to look at.  On an
 * error it may leave the loader_dump half filled: the caller frees it.
 */
struct inq_loader {
	const char *name;    /* "elfcore" */
	const char *doc;     /* one line: whose files these are */
	const char *carries; /* one line: what such a file can tell */
	struct loader_tells tells;
	int (*probe)(struct span head);
	enum inq_status (*open)(struct loader_dump *d, struct inq_err *err);
};

/* The i-th loader in the order of the list; NULL behind the last. */
const struct inq_loader *loader_at(size_t i);

/* Did the file lose bytes after it was opened?  Then a run that was handed out may read as zero. */
int loader_dump_lost(const struct inq_dump *dump);

/*
 * What a file that no loader knows looks like, from its first bytes: "a PNG picture", "text".
 * Static text.
 */
const char *loader_guess(struct span head);

#endif
