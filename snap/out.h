/* A file that appears under its name complete and on disk, or not at all. */
#ifndef SNAP_OUT_H
#define SNAP_OUT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <inquest/err.h>

struct snap_out {
	const char *path; /* borrowed, for messages */
	const char *name; /* last part of path */
	int dir, fd;
	char temp[64]; /* in dir */
	bool open;
	/* what was written since the disk was told to begin: bytes of it, and where all lies */
	uint64_t waiting, waiting_from, waiting_to;
};

/* Make the temporary file beside path.  INQ_EUSAGE when path cannot be written. */
INQ_MUST enum inq_status snap_out_open(struct snap_out *o, const char *path, struct inq_err *err);

/* All or an error; INQ_EINTR once a signal of snap_out_signal() is pending. */
INQ_MUST enum inq_status snap_out_write(struct snap_out *o, const void *p, size_t n, uint64_t off,
					struct inq_err *err);
INQ_MUST enum inq_status snap_out_resize(const struct snap_out *o, uint64_t bytes,
					 struct inq_err *err);

/* Sync, rename, sync the folder. */
INQ_MUST enum inq_status snap_out_commit(struct snap_out *o, struct inq_err *err);

/* Remove the temporary file unless committed.  Zeroed is fine. */
void snap_out_close(struct snap_out *o);

/* SIGINT, SIGTERM, SIGHUP or SIGQUIT, whichever is pending; 0: none. */
int snap_out_signal(void);

/*
 * Of this and later threads: keeps these and SIGUSR1 blocked, to be looked for; SIGXFSZ and SIGPIPE
 * are ignored, their errors are told.
 */
void snap_out_hold_signals(void);

#endif
