/* Which build an ELF file is of: to tell whether a vmlinux belongs to a dump. */
#ifndef SYMBOLS_BUILD_ID_H
#define SYMBOLS_BUILD_ID_H

#include <inquest/err.h>

enum { SYMBOLS_BUILD_ID = 2 * 64 + 1 }; /* hex digits of 64 bytes at most, and a NUL */

/*
 * The GNU build id of the file, in lower-case hex.  libelf reads it in a child of its own.
 * Errors: INQ_EIO (with the system's reason), INQ_ENOTFOUND (no ELF file, or it has none),
 * INQ_ECORRUPT, INQ_ELIMIT, INQ_ENOMEM.
 */
INQ_MUST enum inq_status symbols_build_id(const char *path, char ret_id[SYMBOLS_BUILD_ID],
					  struct inq_err *err);

/* The same in this process, for the child and for tests. */
INQ_MUST enum inq_status symbols_build_id_of(int fd, char ret_id[SYMBOLS_BUILD_ID],
					     struct inq_err *err);

#endif
