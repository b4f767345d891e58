/* QMP, the control protocol of QEMU, over its unix socket: a command, its answer. */
#ifndef CAPTURE_QMP_H
#define CAPTURE_QMP_H

#include <inquest/err.h>
#include <json-c/json.h>
#include <stdbool.h>

#include "base/scope.h"

struct capture_qmp {
	int fd;
	const char *path; /* borrowed, for messages */
	struct json_tokener *tokener;
	char buf[4096]; /* of what came, from .at to .end is not read yet */
	size_t at, end;
	char version[64]; /* of QEMU: "7.2.22" */
};

static inline void capture_qmp_json_scope(struct json_object **j)
{
	json_object_put(*j);
}

/* Connect and leave the greeting behind.  Errors: INQ_EIO, INQ_EUNSUPPORTED (not QMP). */
INQ_MUST enum inq_status capture_qmp_open(struct capture_qmp *q, const char *path,
					  struct inq_err *err);
void capture_qmp_close(struct capture_qmp *q); /* zeroed is fine */

/*
 * Run a command; args is NULL or becomes the command's.  fd goes along, -1: none.  ret_return: the
 * caller's, NULL: nobody wants it.  Errors: INQ_EIO, also with QEMU's own words when it refuses.
 */
INQ_MUST enum inq_status capture_qmp_run(struct capture_qmp *q, const char *command,
					 struct json_object *args, int fd,
					 struct json_object **ret_return, struct inq_err *err);

/* Members of an answer; NULL, or `otherwise`, when there is none of that kind. */
const char *capture_qmp_text(const struct json_object *j, const char *key);
bool capture_qmp_bool(const struct json_object *j, const char *key, bool otherwise);

#endif
