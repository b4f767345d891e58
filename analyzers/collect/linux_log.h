/* The kernel's log out of its memory: which ring it has, and where. */
#ifndef ANALYZERS_COLLECT_LINUX_LOG_H
#define ANALYZERS_COLLECT_LINUX_LOG_H

#include "analyzers/log_ring.h"

enum { LINUX_LOG_LINE = 65537 };

/* Errors: INQ_ENOTFOUND, INQ_EABSENT (names or types are missing), and those of the sink. */
INQ_MUST enum inq_status linux_log_each(const struct inq_machine *m, const struct log_sink *sink,
					struct inq_err *err);
/* n bytes as a C string: a NUL within shows as a blank. */
void linux_log_text(const char *text, size_t n, char *buf, size_t room);

#endif
