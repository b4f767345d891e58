/* Any question in SQL: what `inquest sql` prints and what the report is made of.  Read-only. */
#ifndef VIEWS_QUERY_H
#define VIEWS_QUERY_H

#include "views/view.h"

/* One row of finished cells, NULL for unknown.  Borrowed until the callback returns. */
typedef enum inq_status query_row_fn(void *ctx, int nr_cols, const char *const *cell,
				     struct inq_err *err);

/* Call fn for each row until it fails.  Errors: INQ_EUSAGE (not one question, or not readable). */
INQ_MUST enum inq_status query_each(struct store *s, const char *sql, query_row_fn *fn, void *ctx,
				    struct inq_err *err);

/*
 * Print the answers to the questions in sql, separated by semicolons: aligned text with headings,
 * or JSON, one {"format":1,"rows":[...]} per question.
 */
INQ_MUST enum inq_status query_print(struct store *s, const char *sql, enum view_form form,
				     FILE *out, struct inq_err *err);

/* Tell fn each table that sql reads, framework's included, maybe more than once. */
typedef void query_table_fn(void *ctx, const char *table);
INQ_MUST enum inq_status query_tables(struct store *s, const char *sql, query_table_fn *fn,
				      void *ctx, struct inq_err *err);

/* The question's only value as it is, unescaped; to be freed by the caller.  NULL: unknown. */
INQ_MUST enum inq_status query_text(struct store *s, const char *sql, char **ret_text,
				    struct inq_err *err);

/* text as a JSON string, as json_text() in SQL makes it; to be freed.  NULL: no memory. */
char *query_json_text(const char *text);

/* Does text hold whole statements, as far as SQL can tell?  For a prompt. */
int query_complete(const char *text);

#endif
