/* ELF cores that come as a flattened stream. */
#ifndef LOADER_ELFCORE_H
#define LOADER_ELFCORE_H

#include "loader/dump.h"

/*
 * d->flat makes an ELF file: open that.  Its headers and notes are looked for in the first 16 MiB.
 * Errors: those of the loader.
 */
INQ_MUST enum inq_status loader_elfcore_flat(struct loader_dump *d, struct inq_err *err);

#endif
