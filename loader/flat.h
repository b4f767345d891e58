/* Flattened streams: "makedumpfile", then pieces of a file with their places in it. */
#ifndef LOADER_FLAT_H
#define LOADER_FLAT_H

#include "loader/dump.h"

int loader_flat_probe(struct span head); /* as inq_loader.probe */

/*
 * The file begins like a flattened stream: find its pieces, so that loader_bytes serves the file
 * that they make.  A stream that was cut is damage.  Errors: INQ_ENOMEM, INQ_EUNSUPPORTED.
 */
INQ_MUST enum inq_status loader_flat_open(struct loader_dump *d, struct inq_err *err);

#endif
