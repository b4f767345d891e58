/* The headers of a Windows crash dump, as far as more than one file needs them. */
#ifndef LOADER_WINDOWS_H
#define LOADER_WINDOWS_H

#include "loader/dump.h"

enum { WINDOWS_HEADER = 0x2000 }; /* bytes of the header; what follows depends on the type */

/* A mini dump: its pieces of linear memory, its blobs.  Errors: INQ_ENOMEM. */
INQ_MUST enum inq_status loader_windows_mini(struct loader_dump *d, struct inq_err *err);

#endif
