#include <inquest/err.h>

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

const char *inq_status_name(enum inq_status st)
{
	static const char *const names[] = {
		[INQ_OK] = "ok",
		[INQ_ENOMEM] = "nomem",
		[INQ_EIO] = "io",
		[INQ_ECORRUPT] = "corrupt",
		[INQ_EUNSUPPORTED] = "unsupported",
		[INQ_EABSENT] = "absent",
		[INQ_EFAULT] = "fault",
		[INQ_ENOTFOUND] = "notfound",
		[INQ_ELIMIT] = "limit",
		[INQ_EUSAGE] = "usage",
		[INQ_EINTR] = "interrupted",
	};
	return names[st];
}

static void mark_truncated(struct inq_err *err)
{
	memcpy(err->msg + sizeof(err->msg) - 4, "...", 4);
}

INQ_PRINTF(2, 0)
static void fill(struct inq_err *err, const char *fmt, va_list ap)
{
	int n = vsnprintf(err->msg, sizeof(err->msg), fmt, ap);

	if (n >= (int)sizeof(err->msg))
		mark_truncated(err);
}

#undef inq_fail
enum inq_status inq_fail(struct inq_err *err, enum inq_status st, const char *fmt, ...)
{
	if (!err)
		return st;
	*err = (struct inq_err){.status = st};

	va_list ap;
	va_start(ap, fmt);
	fill(err, fmt, ap);
	va_end(ap);
	return st;
}

enum inq_status inq_fail_at(struct inq_err *err, enum inq_status st, uint64_t addr, const char *fmt,
			    ...)
{
	if (!err)
		return st;
	*err = (struct inq_err){.status = st, .addr = addr};

	va_list ap;
	va_start(ap, fmt);
	fill(err, fmt, ap);
	va_end(ap);
	return st;
}

enum inq_status inq_wrap(struct inq_err *err, enum inq_status st, const char *fmt, ...)
{
	if (st == INQ_OK || !err)
		return st;

	char cause[sizeof(err->msg)];
	memcpy(cause, err->msg, sizeof(cause));

	va_list ap;
	va_start(ap, fmt);
	int n = vsnprintf(err->msg, sizeof(err->msg), fmt, ap);
	va_end(ap);
	if (n < 0)
		n = 0;
	if ((size_t)n < sizeof(err->msg))
		n += snprintf(err->msg + n, sizeof(err->msg) - (size_t)n, ": %s", cause);
	if ((size_t)n >= sizeof(err->msg))
		mark_truncated(err);
	return st;
}
