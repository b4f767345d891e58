/* A view's rows before they become cells; for this folder. */
#ifndef VIEWS_ROWS_H
#define VIEWS_ROWS_H

#include <sqlite3.h>

#include "views/view.h"

typedef enum inq_status view_stmt_fn(void *ctx, const struct view *v, sqlite3_stmt *q,
				     struct inq_err *err);

/* Call fn for each row until it fails. */
INQ_MUST enum inq_status view_rows(struct store *s, const struct view *v,
				   const struct view_ref *from, view_stmt_fn *fn, void *ctx,
				   struct inq_err *err);

int view_nr_cols(const struct view *v);

#endif
