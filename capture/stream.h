/* A guest of QEMU's, stopped, and its whole state as a migration stream in a file. */
#ifndef CAPTURE_STREAM_H
#define CAPTURE_STREAM_H

#include <stdbool.h>
#include <stdint.h>

#include "capture/qmp.h"

struct capture_stream {
	struct capture_qmp qmp;
	bool was_running, stopped;                     /* the guest; stopped: by us */
	bool migrated;                                 /* all of it is in the file */
	uint64_t t_realtime_ns, t_monotonic_ns;        /* when it had stopped */
	struct json_object *capabilities, *parameters; /* to be set back; NULL: none changed */
};

/* Connect; nothing of the guest changes. */
INQ_MUST enum inq_status capture_stream_open(struct capture_stream *s, const char *socket,
					     struct inq_err *err);
/* Stop the guest and write its stream to fd.  After a failure: capture_stream_continue. */
INQ_MUST enum inq_status capture_stream_take(struct capture_stream *s, int fd, struct inq_err *err);
/*
 * The guest goes on as it was before: settings of its migration, and it runs if it ran.  Can be
 * called at any time, and again.
 */
INQ_MUST enum inq_status capture_stream_continue(struct capture_stream *s, struct inq_err *err);
void capture_stream_close(struct capture_stream *s); /* zeroed is fine */

#endif
