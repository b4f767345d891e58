/* The verdict, from an index with everything collected and all rules asked. */
#ifndef CLI_REPORT_H
#define CLI_REPORT_H

#include <stdio.h>

#include "cli/session.h"

/* For people, 80 columns. */
INQ_MUST enum inq_status report_text(struct session *s, FILE *out, bool colour,
				     struct inq_err *err);
/* {"format":1,"file":...,"findings":[...],"unevaluated":[...],"gaps":[...],"exit":N} */
INQ_MUST enum inq_status report_json(struct session *s, FILE *out, struct inq_err *err);

/* 0, or 1 when there is a finding of severity error or worse. */
INQ_MUST enum inq_status report_exit(struct session *s, int *ret_code, struct inq_err *err);
/* "2 findings, 0 rules not evaluated, 0 gaps"; to be freed. */
INQ_MUST enum inq_status report_counts(struct session *s, char **ret_text, struct inq_err *err);

#endif
