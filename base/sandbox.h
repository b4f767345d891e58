/*
 * The fence around a process that reads a hostile file: Landlock for files, seccomp for system
 * calls.  First say what may still be read and written, then enter; there is no way back, and
 * children inherit it.  What a kernel lacks weakens the fence and stops nothing: it is told.
 */
#ifndef BASE_SANDBOX_H
#define BASE_SANDBOX_H

#include <stdint.h>

struct sandbox {
	int ruleset;         /* Landlock's, a file descriptor; -1: there is none */
	uint64_t handled;    /* kinds of file access that it rules, LANDLOCK_ACCESS_FS_* */
	char files[160];     /* a line for people: what keeps from files, what is missing of it */
	char calls[160];     /* the same of system calls */
	unsigned nr_allowed; /* rules added */
};

/* Nothing is allowed yet, nothing is forbidden yet.  sandbox_enter or sandbox_drop follows. */
void sandbox_init(struct sandbox *sb);
void sandbox_drop(struct sandbox *sb); /* forget it, forbid nothing */

/*
 * A file, or a folder with all beneath it; a symbolic link counts as what it leads to.  A path that
 * does not exist, or cannot be looked up, is passed over: opening it later tells why.
 */
void sandbox_may_read(struct sandbox *sb, const char *path);

/*
 * The regular files in folder, not those of folders in it, and no symbolic link: who made the dump
 * may have made that too.  A folder of more than 256 is allowed as a whole.
 */
void sandbox_may_read_in(struct sandbox *sb, const char *folder);

/* Make, write, replace and remove regular files in folder and beneath it. */
void sandbox_may_write_in(struct sandbox *sb, const char *folder);

/*
 * From here on this thread, and every thread and process that it starts, opens only what was
 * allowed, gets no socket, starts no program, traces nobody, changes no file's mode or owner, and
 * cannot type into its terminal: EACCES from Landlock, EPERM from seccomp.  What is open stays
 * usable.  Call before there are threads.
 */
void sandbox_enter(struct sandbox *sb);

#endif
