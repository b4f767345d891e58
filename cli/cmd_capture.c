/* inquest capture: the whole state of a guest of QEMU's, as a snapshot of our own format. */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/wrap.h"
#include "capture/stream.h"
#include "capture/write.h"
#include "cli/commands.h"
#include "cli/say.h"

static void close_fd(const int *fd)
{
	if (*fd >= 0)
		close(*fd);
}

/* A file without a name in the folder of the output: the stream is as large as that. */
static enum inq_status open_temporary(const char *output, int *ret_fd, struct inq_err *err)
{
	char *folder = strdup(output), *slash = folder ? strrchr(folder, '/') : NULL;

	if (!folder)
		return inq_fail(err, INQ_ENOMEM, "%s", output);
	if (slash)
		slash[slash == folder] = '\0';
	*ret_fd = open(slash ? folder : ".", O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
	free(folder);
	return *ret_fd >= 0 ? INQ_OK
			    : inq_fail(err, INQ_EIO, "%s: cannot write beside it: %s", output,
				       strerror(errno));
}

/* The stream in fd, to a snapshot. */
static enum inq_status convert(const struct capture_stream *s, int fd, struct snap_out *out,
			       struct capture_done *ret, struct inq_err *err)
{
	const struct capture_facts facts = {.qemu = s->qmp.version,
					    .t_realtime_ns = s->t_realtime_ns,
					    .t_monotonic_ns = s->t_monotonic_ns};
	char path[32];
	struct inq_dump *dump = NULL;

	(void)snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	enum inq_status st = inq_dump_open(path, &dump, err);
	if (!st && dump->nr_damages)
		st = inq_fail(err, INQ_ECORRUPT, "QEMU's stream: %s", dump->damages[0].message);
	if (!st)
		st = capture_write(dump, &facts, out, ret, err);
	inq_dump_close(dump);
	return st ? st : snap_out_commit(out, err);
}

/* Stop, take, perhaps go on, write. */
static enum inq_status capture(struct capture_stream *s, const struct cli_args *a,
			       struct capture_done *ret, struct inq_err *err)
{
	struct snap_out out = {.path = a->output};
	INQ_SCOPED(close_fd) int fd = -1;
	enum inq_status st = snap_out_open(&out, a->output, err);

	if (!st)
		st = open_temporary(a->output, &fd, err);
	if (!st)
		st = capture_stream_open(s, a->qmp, err);
	if (!st)
		st = capture_stream_take(s, fd, err);
	if (!st && a->resume)
		st = capture_stream_continue(s, err);
	if (!st)
		st = convert(s, fd, &out, ret, err);
	snap_out_close(&out);
	return st;
}

static void say_done(const struct cli_args *a, const struct capture_stream *s,
		     const struct capture_done *done)
{
	char line[256];

	cli_put_safe(stdout, a->output);
	(void)snprintf(line, sizeof(line),
		       ": %" PRIu32 " CPU%s, %" PRIu64 " MiB of memory, %" PRIu64
		       " pages zero, %" PRIu64 " missing; the guest %s",
		       done->nr_vcpus, done->nr_vcpus == 1 ? "" : "s", done->pages / 256,
		       done->zero_pages, done->absent_pages,
		       s->was_running && a->resume ? "runs again"
						   : "stands still: cont at its monitor");
	text_put_wrapped(stdout, line, (int)strlen(a->output), 2);
}

static int run(const struct cli_args *a)
{
	struct capture_stream s = {.was_running = false};
	struct capture_done done = {0};
	struct inq_err err = {0}, also = {0};

	if (!a->qmp || !a->output)
		return cli_fail_usage("inquest help capture", "capture: --qmp and -o are needed");
	snap_out_hold_signals();
	enum inq_status st = capture(&s, a, &done, &err);
	/* whatever went wrong, the guest goes on as it was */
	bool stuck = st && capture_stream_continue(&s, &also);
	if (!st)
		say_done(a, &s, &done);
	capture_stream_close(&s);
	if (stuck)
		(void)cli_fail(a->qmp, &also, "the guest may stand still: cont at its monitor");
	bool of_qemu = !strncmp(err.msg, a->qmp, strlen(a->qmp));
	return st ? cli_fail(of_qemu ? a->qmp : a->output, &err, NULL) : CLI_GOOD;
}

const struct cli_command cli_cmd_capture = {
	.name = "capture",
	.usage = "--qmp SOCKET -o FILE [--resume]",
	.doc = "take a snapshot of a guest that QEMU runs",
	.help = "  inquest capture --qmp /run/guest.qmp -o guest.core --resume\n"
		"\n"
		"Stops the guest, takes its whole state by a migration into a pipe, and writes a\n"
		"snapshot: memory, SMRAM, and of each CPU registers, MSRs, APIC, pending events,\n"
		"SMM and nested state.  --resume lets it run again; without, it stands still\n"
		"until somebody says cont.  If anything fails it goes on as it was.\n"
		"\n"
		"QEMU 7.2 or later, started with a monitor of its own for this, for example\n"
		"  -qmp unix:/run/guest.qmp,server=on,wait=off\n",
	.options = CLI_OUTPUT | CLI_QMP | CLI_RESUME,
	.min_args = 0,
	.max_args = 0,
	.run = run,
};
