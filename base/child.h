/*
 * A process of its own for a library that parses foreign bytes: it may crash, loop and eat memory,
 * and all that comes of it is an error.  It is forked, holds one file, has limits, and seccomp
 * leaves it reading that file, memory of its own, and answering.
 */
#ifndef BASE_CHILD_H
#define BASE_CHILD_H

#include <inquest/err.h>
#include <stddef.h>
#include <stdint.h>

enum { CHILD_ARGS = 4 };

/* What is asked and answered; the job gives numbers their meaning. */
struct child_call {
	uint64_t arg[CHILD_ARGS];
};

/*
 * What runs in the child.  open is called once, first, and again in each new child; it yields the
 * state for serve.  serve puts up to room bytes at buf and tells how many.  An error of either is
 * the answer, message included, and ends nothing.  Neither may count on anything but memory and fd.
 */
struct child_job {
	const char *name; /* for messages: "libkdumpfile" */
	int fd;           /* the file, open; the child gets it as it is */
	enum inq_status (*open)(const struct child_job *job, void **ret_state, struct inq_err *err);
	enum inq_status (*serve)(void *state, const struct child_call *call, uint8_t *buf,
				 size_t room, size_t *ret_n, struct inq_err *err);
	void *ctx;
	size_t room;      /* bytes of the longest answer */
	size_t memory;    /* bytes that it may allocate beyond what the process has already */
	unsigned seconds; /* of CPU time, for open and for each call */
};

struct child;

/*
 * Start the child; job is copied.  Call it early: what the process holds counts as the child's.
 * Errors: INQ_ENOMEM, INQ_EIO (the system refuses), and what open says or dies of.
 */
INQ_MUST enum inq_status child_start(const struct child_job *job, struct child **ret_child,
				     struct inq_err *err);
void child_stop(struct child *c); /* accepts NULL */

/*
 * Ask, and copy n bytes at most of the answer to buf.  Any thread may; one is served at a time.
 * A child that dies fails this call and is started anew for the next, some times.
 * Errors: what serve says; INQ_ECORRUPT ("libkdumpfile died of SIGSEGV"), INQ_ELIMIT (more CPU
 * time than allowed), INQ_EIO.
 */
INQ_MUST enum inq_status child_ask(struct child *c, const struct child_call *call, void *buf,
				   size_t n, size_t *ret_n, struct inq_err *err);

#endif
