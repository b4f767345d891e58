/* Searching a space, on all cores; hits come in the order of their addresses, as they are found. */
#ifndef MACHINE_SEARCH_H
#define MACHINE_SEARCH_H

#include "base/scope.h"
#include "machine/machine.h"
#include "machine/pattern.h"
#include "machine/place.h"

struct machine_search;

/*
 * Search [first, last] of sp, which with m must outlive the search.  go may be NULL.
 * Errors: INQ_ENOMEM.  Close accepts NULL.
 */
INQ_MUST enum inq_status machine_search_open(const struct inq_machine *m,
					     const struct inq_space *sp, uint64_t first,
					     uint64_t last, const struct machine_pattern *pt,
					     machine_search_go_fn *go, void *ctx,
					     struct machine_search **ret, struct inq_err *err);
void machine_search_close(struct machine_search *s);
INQ_DEFINE_SCOPE(struct machine_search, machine_search_close)

/* The next hit; *ret_more false: there is none any more.  Errors: INQ_EINTR, INQ_ENOMEM. */
INQ_MUST enum inq_status machine_search_next(struct machine_search *s, uint64_t *ret_addr,
					     bool *ret_more, struct inq_err *err);

/* Bytes that exist but could not be read, so far: a hit in them would not have been seen. */
uint64_t machine_search_unseen(const struct machine_search *s);

#endif
