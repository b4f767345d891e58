/* Knows how the program speaks beside its answers: errors, notes, progress, and how it stops. */
#include "cli/say.h"

#include <errno.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/text.h"
#include "cli/commands.h"
#include "store/store.h"

/* The only state that a signal handler can reach. */
static volatile sig_atomic_t interrupted;

void cli_put_safe(FILE *out, const char *text)
{
	const uint8_t *t = (const uint8_t *)text;
	size_t left = strlen(text);

	while (left) {
		size_t n = text_printable(t, left);
		if (n)
			fwrite(t, 1, n, out);
		else
			fprintf(out, "\\x%02x", *t);
		n += !n;
		t += n;
		left -= n;
	}
}

int cli_fail(const char *file, const struct inq_err *err, const char *hint)
{
	if (!hint && err->status == INQ_EUNSUPPORTED)
		hint = file && store_is_index(file) ? "inquest index DUMP makes a new one"
						    : "inquest formats lists what can be opened";
	fflush(stdout);
	if (err->status == INQ_EINTR) {
		fputs("inquest: stopped\n", stderr);
		cli_die_of_interrupt();
		return CLI_FAILED;
	}
	fputs("inquest: ", stderr);
	size_t n = file ? strlen(file) : 0;
	if (n && !(strncmp(err->msg, file, n) == 0 && err->msg[n] == ':')) {
		cli_put_safe(stderr, file);
		fputs(": ", stderr);
	}
	cli_put_safe(stderr, err->msg[0] ? err->msg : inq_status_name(err->status));
	if (hint) {
		fputs("; ", stderr);
		cli_put_safe(stderr, hint);
	}
	fputc('\n', stderr);
	return CLI_FAILED;
}

int cli_fail_usage(const char *hint, const char *fmt, ...)
{
	char text[512];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	fputs("inquest: ", stderr);
	cli_put_safe(stderr, text);
	fputs("; try ", stderr);
	cli_put_safe(stderr, hint);
	fputc('\n', stderr);
	return CLI_FAILED;
}

void cli_note(const char *file, const char *fmt, ...)
{
	char text[1024];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	fputs("inquest: ", stderr);
	cli_put_safe(stderr, file);
	fputs(": ", stderr);
	cli_put_safe(stderr, text);
	fputc('\n', stderr);
}

/* Does the terminal know escape sequences? */
static bool knows_escapes(void)
{
	const char *term = getenv("TERM");

	return term && *term && strcmp(term, "dumb") != 0;
}

void cli_progress_start(struct cli_progress *p)
{
	*p = (struct cli_progress){.on = isatty(STDERR_FILENO) && knows_escapes()};
	clock_gettime(CLOCK_MONOTONIC, &p->start);
}

void cli_progress_show(struct cli_progress *p, const char *what)
{
	struct timespec t;

	if (!p->on)
		return;
	clock_gettime(CLOCK_MONOTONIC, &t);
	long ms = (long)(t.tv_sec - p->start.tv_sec) * 1000 +
		  (t.tv_nsec - p->start.tv_nsec) / 1000000;
	if (ms < 500)
		return;
	fprintf(stderr, "\r%ld.%ld s: %.60s\033[K", ms / 1000, ms % 1000 / 100, what);
	p->shown = true;
}

void cli_progress_wipe(struct cli_progress *p)
{
	if (p->shown)
		fputs("\r\033[K", stderr);
	p->shown = false;
}

static void on_interrupt(int sig)
{
	interrupted = sig;
}

void cli_catch_interrupt(void)
{
	static const int stops[] = {SIGINT, SIGTERM, SIGHUP};
	struct sigaction sa = {.sa_handler = on_interrupt, .sa_flags = (int)SA_RESETHAND};

	sigemptyset(&sa.sa_mask);
	for (size_t i = 0; i < sizeof(stops) / sizeof(*stops); i++) {
		struct sigaction old;

		/* ignored is what nohup asked for */
		if (!sigaction(stops[i], NULL, &old) && old.sa_handler != SIG_IGN)
			sigaction(stops[i], &sa, NULL);
	}
}

bool cli_interrupted(void)
{
	return interrupted;
}

bool cli_forget_interrupt(void)
{
	if (interrupted != SIGINT)
		return false;
	interrupted = 0;
	cli_catch_interrupt();
	return true;
}

void cli_die_of_interrupt(void)
{
	int sig = interrupted ? interrupted : SIGINT;

	signal(sig, SIG_DFL);
	raise(sig);
}

int cli_flush(int code)
{
	int bad = ferror(stdout);

	errno = 0;
	if (fflush(stdout) || bad) {
		struct inq_err err;
		(void)inq_fail(&err, interrupted ? INQ_EINTR : INQ_EIO, "%s",
			       errno ? strerror(errno) : "write failed");
		return cli_fail("standard output", &err, NULL);
	}
	return code;
}

bool cli_colour(void)
{
	const char *no = getenv("NO_COLOR");

	return isatty(STDOUT_FILENO) && !(no && *no) && knows_escapes();
}
