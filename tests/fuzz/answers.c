#include "tests/fuzz/answers.h"

#include <stdlib.h>
#include <string.h>

#include "base/child.h"
#include "tests/fuzz/must.h"

struct child {
	size_t room;
};

static struct span answers;

enum inq_status __wrap_child_start(const struct child_job *job, struct child **ret_child,
				   struct inq_err *err);
void __wrap_child_stop(struct child *c);
enum inq_status __wrap_child_ask(struct child *c, const struct child_call *call, void *buf,
				 size_t n, size_t *ret_n, struct inq_err *err);

void fuzz_answers(struct span s)
{
	answers = s;
}

enum inq_status __wrap_child_start(const struct child_job *job, struct child **ret_child,
				   struct inq_err *err)
{
	uint8_t st = span_u8(&answers);

	if (st)
		return inq_fail(err, INQ_EIO, "the child died at once");
	*ret_child = calloc(1, sizeof(**ret_child));
	MUST(*ret_child);
	(*ret_child)->room = job->room;
	return INQ_OK;
}

void __wrap_child_stop(struct child *c)
{
	free(c);
}

/* As base/child.c: never more bytes than the job's longest answer, nor than the caller's n. */
enum inq_status __wrap_child_ask(struct child *c, const struct child_call *call, void *buf,
				 size_t n, size_t *ret_n, struct inq_err *err)
{
	uint8_t st = span_u8(&answers);
	size_t len = span_u16le(&answers), times = span_u8(&answers), done = 0;

	(void)call;
	if (n > c->room)
		n = c->room;
	if (len > answers.left)
		len = answers.left;
	const uint8_t *piece = span_take(&answers, len);
	if (st || answers.bad || !piece)
		return inq_fail(err, st && st <= INQ_EINTR ? st : INQ_ECORRUPT, "the child died");
	for (; times-- && done < n; done += len < n - done ? len : n - done)
		memcpy((uint8_t *)buf + done, piece, len < n - done ? len : n - done);
	*ret_n = done;
	return INQ_OK;
}
