/*
 * Knows where a serial port's bytes go and come from.  Input has a thread of its own, which gives
 * the guest one FIFO at a time and nothing at all while the VM is stopped, so that a snapshot sees
 * a receiver that stands still.
 */
#include "vmm/console.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/stat.h>
#include <termios.h>
#include <unistd.h>

#include "vmm/outlet.h"
#include "vmm/vm.h"

enum { CTRL_A = 1, FULL_MS = 2, HUNG_MS = 50, PATIENCE_MS = 2000, QUEUE = 256 };

struct vmm_console {
	char name[128];
	FILE *to;
	struct vmm_outlet *outlet; /* what stdout is meanwhile; NULL: .to waits for nobody */
	FILE *was_stdout;          /* then */
	int from;                  /* -1: nothing comes in */
	int end;                   /* eventfd: the thread is to end */
	bool own;                  /* .to is ours to close */
	bool raw;                  /* .from is a terminal whose settings were changed */
	bool command;              /* Ctrl-A was typed */
	uint8_t queue[QUEUE];      /* for the guest, which takes it when it has room */
	size_t queued;
	struct termios was;
	struct vmm_vm *vm;
	pthread_t thread;
	bool started;
};

static enum inq_status cannot(const char *where, struct inq_err *err)
{
	return inq_fail(err, INQ_EUSAGE, "%s: %s; give another file for --serial", where,
			strerror(errno));
}

static bool is_one_of(const struct stat *sb, const char *const *others)
{
	struct stat other;

	for (; others && *others; others++)
		if (!stat(*others, &other) && other.st_dev == sb->st_dev &&
		    other.st_ino == sb->st_ino)
			return true;
	return false;
}

/* What a refusal made is not left behind, wherever a symbolic link put it. */
static void remove_made(const char *where)
{
	char *real = realpath(where, NULL);

	if (real)
		unlink(real);
	free(real);
}

/* Emptied only when it is known not to be what this run reads or writes under another name. */
static enum inq_status take_file(struct vmm_console *c, int fd, const char *where,
				 const char *const *others, struct inq_err *err)
{
	struct stat sb;

	if (fstat(fd, &sb))
		return cannot(where, err);
	if (is_one_of(&sb, others))
		return inq_fail(err, INQ_EUSAGE,
				"%s: named twice, for --serial and as another file of this "
				"machine; give another file for --serial",
				where);
	if (S_ISREG(sb.st_mode) && ftruncate(fd, 0))
		return cannot(where, err);
	c->to = fdopen(fd, "w");
	c->own = c->to;
	return c->to ? INQ_OK : cannot(where, err);
}

static enum inq_status open_file(struct vmm_console *c, const char *where,
				 const char *const *others, struct inq_err *err)
{
	int fd = open(where, O_WRONLY | O_CLOEXEC);
	bool made = fd < 0 && errno == ENOENT;

	if (made)
		fd = open(where, O_WRONLY | O_CREAT | O_CLOEXEC, 0666);
	if (fd < 0)
		return cannot(where, err);
	enum inq_status st = take_file(c, fd, where, others, err);
	if (st && made)
		remove_made(where);
	if (st)
		close(fd);
	return st;
}

/* Each key reaches the guest as it is pressed, Ctrl-C too.  print: our own lines stay lines. */
static void make_raw(struct vmm_console *c, int fd, bool print)
{
	struct termios t;

	if (tcgetattr(fd, &c->was))
		return;
	t = c->was;
	cfmakeraw(&t);
	if (print)
		t.c_oflag = c->was.c_oflag;
	c->raw = !tcsetattr(fd, TCSANOW, &t);
}

/*
 * Our own lines go the same way, or they would come before the guest's, and wait for a reader while
 * the guest is to be attended.  A file waits for nobody.
 */
static enum inq_status open_stdout(struct vmm_console *c, struct inq_err *err)
{
	struct stat sb;

	c->to = stdout;
	if (!fstat(STDOUT_FILENO, &sb) && S_ISREG(sb.st_mode))
		return INQ_OK;
	fflush(stdout);
	enum inq_status st = vmm_outlet_create(&c->outlet, STDOUT_FILENO, err);
	if (st)
		return st;
	c->was_stdout = stdout;
	c->to = stdout = vmm_outlet_file(c->outlet);
	return INQ_OK;
}

static enum inq_status open_stdio(struct vmm_console *c, struct inq_err *err)
{
	enum inq_status st = open_stdout(c, err);

	if (st)
		return st;
	c->from = STDIN_FILENO;
	if (isatty(STDIN_FILENO))
		make_raw(c, STDIN_FILENO, true);
	return INQ_OK;
}

/* Not waiting: a guest must not hang because nobody reads its console. */
static enum inq_status open_pty(struct vmm_console *c, struct inq_err *err)
{
	int fd = posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC | O_NONBLOCK);
	const char *name = fd >= 0 && !grantpt(fd) && !unlockpt(fd) ? ptsname(fd) : NULL;

	if (!name) {
		enum inq_status st = cannot("pty", err);
		if (fd >= 0)
			close(fd);
		return st;
	}
	make_raw(c, fd, false);
	c->raw = false; /* goes away with it */
	c->to = fdopen(fd, "r+e");
	if (!c->to) {
		close(fd);
		return cannot("pty", err);
	}
	c->own = true;
	c->from = fd;
	setvbuf(c->to, NULL, _IONBF, 0);
	printf("serial: %s\n", name);
	fflush(stdout);
	return INQ_OK;
}

enum inq_status vmm_console_open(struct vmm_console **ret, const char *where,
				 const char *const *others, struct inq_err *err)
{
	enum inq_status st = INQ_OK;

	*ret = NULL;
	if (!where)
		return INQ_OK;
	struct vmm_console *c = calloc(1, sizeof(*c));
	if (!c)
		return inq_fail(err, INQ_ENOMEM, "the console");
	c->from = c->end = -1;
	snprintf(c->name, sizeof(c->name), "%s", where);
	if (!strcmp(where, "-"))
		st = open_stdout(c, err);
	else if (!strcmp(where, "stdio"))
		st = open_stdio(c, err);
	else if (!strcmp(where, "pty"))
		st = open_pty(c, err);
	else
		st = open_file(c, where, others, err);
	if (st)
		free(c);
	else
		*ret = c;
	return st;
}

/* Never waits for a pipe or a pseudo terminal that nobody reads.  Under vm->lock. */
static void send(void *listener, uint8_t byte)
{
	struct vmm_console *c = listener;

	putc(byte, c->to);
	if (c->from >= 0 || byte == '\n')
		fflush(c->to);
	if (c->own && c->from >= 0)
		clearerr(c->to); /* a pseudo terminal that is full or has nobody */
	if (c->outlet && vmm_outlet_full(c->outlet))
		vmm_serial_set_busy(&c->vm->dev.serial, true);
}

/* A snapshot sees a transmitter that stands still, too: false while the VM is stopped. */
static bool on_room(void *console)
{
	struct vmm_console *c = console;

	pthread_mutex_lock(&c->vm->lock);
	bool runs = !c->vm->stop;
	if (runs)
		vmm_serial_set_busy(&c->vm->dev.serial, false);
	pthread_mutex_unlock(&c->vm->lock);
	return runs;
}

/* Typed on the terminal.  False: nothing for the guest. */
static bool for_guest(struct vmm_console *c, uint8_t key)
{
	bool command = c->command;

	if (!c->raw)
		return true;
	c->command = !command && key == CTRL_A;
	if (command && key == 'x')
		kill(getpid(), SIGTERM);
	else if (command && key == 's')
		kill(getpid(), SIGUSR1);
	return command ? key == CTRL_A : key != CTRL_A;
}

/* Give the guest what it has room for. */
static void give(struct vmm_console *c)
{
	size_t n = 0;

	pthread_mutex_lock(&c->vm->lock);
	while (n < c->queued && !c->vm->stop && vmm_serial_room(&c->vm->dev.serial))
		vmm_serial_receive(&c->vm->dev.serial, c->queue[n++]);
	pthread_mutex_unlock(&c->vm->lock);
	c->queued -= n;
	memmove(c->queue, c->queue + n, c->queued);
}

/* Of a terminal everything is read, for the sake of Ctrl-A; what does not fit is lost. */
static bool wants_input(const struct vmm_console *c)
{
	return c->raw || c->queued < QUEUE;
}

/* False: nothing will come any more. */
static bool take(struct vmm_console *c)
{
	uint8_t some[64];
	size_t most = c->raw || QUEUE - c->queued > sizeof(some) ? sizeof(some) : QUEUE - c->queued;
	ssize_t n = read(c->from, some, most);

	if (n <= 0)
		return n < 0 && (errno == EAGAIN || errno == EINTR || (errno == EIO && c->own));
	for (ssize_t i = 0; i < n; i++)
		if (for_guest(c, some[i]) && c->queued < QUEUE)
			c->queue[c->queued++] = some[i];
	return true;
}

/* A pseudo terminal that nobody has open says hang-up at once: look again a little later. */
static void *listen_in(void *arg)
{
	struct vmm_console *c = arg;
	bool open = true, hung = false;

	while (open || c->queued) {
		struct pollfd p[] = {
			{.fd = c->end, .events = POLLIN},
			{.fd = open && !hung && wants_input(c) ? c->from : -1, .events = POLLIN}};
		int wait = c->queued ? FULL_MS : hung ? HUNG_MS : -1;

		if (poll(p, 2, wait) < 0 && errno != EINTR)
			break;
		if (p[0].revents)
			break;
		hung = c->own && p[1].revents && !(p[1].revents & POLLIN);
		if (p[1].revents && !hung)
			open = take(c);
		if (c->queued)
			give(c);
	}
	return NULL;
}

enum inq_status vmm_console_attach(struct vmm_console *c, struct vmm_vm *vm, struct inq_err *err)
{
	if (!c)
		return INQ_OK;
	vm->dev.listener = c;
	vm->dev.send = send;
	c->vm = vm;
	if (c->outlet)
		vmm_outlet_on_room(c->outlet, on_room, c);
	if (c->from < 0)
		return INQ_OK;
	c->end = eventfd(0, EFD_CLOEXEC);
	int e = c->end < 0 ? errno : pthread_create(&c->thread, NULL, listen_in, c);
	c->started = !e;
	return e ? inq_fail(err, INQ_ENOMEM, "the console's thread: %s", strerror(e)) : INQ_OK;
}

void vmm_console_detach(struct vmm_console *c)
{
	if (!c || !c->vm)
		return;
	if (c->started) {
		(void)eventfd_write(c->end, 1);
		pthread_join(c->thread, NULL);
	}
	c->started = false;
	if (c->outlet)
		vmm_outlet_on_room(c->outlet, NULL, NULL);
	if (c->end >= 0)
		close(c->end);
	c->end = -1;
	pthread_mutex_lock(&c->vm->lock);
	c->vm->dev.send = NULL;
	pthread_mutex_unlock(&c->vm->lock);
	c->vm = NULL;
}

static enum inq_status close_stdout(struct vmm_console *c, struct inq_err *err)
{
	uint64_t lost;

	stdout = c->was_stdout;
	int e = vmm_outlet_close(c->outlet, PATIENCE_MS, &lost);
	if (e)
		return inq_fail(err, INQ_EIO, "standard output: %s; make room", strerror(e));
	if (lost)
		return inq_fail(err, INQ_EIO,
				"standard output: nobody read %" PRIu64
				" bytes of it; read it, or give --serial FILE",
				lost);
	return INQ_OK;
}

enum inq_status vmm_console_close(struct vmm_console *c, struct inq_err *err)
{
	enum inq_status st = INQ_OK;

	if (!c)
		return INQ_OK;
	if (c->raw)
		tcsetattr(c->from, TCSANOW, &c->was);
	bool log = c->own && c->from < 0, failed = log && ferror(c->to);
	if (c->outlet)
		st = close_stdout(c, err);
	else if ((c->own ? fclose(c->to) : fflush(c->to)) || failed)
		st = log ? inq_fail(err, INQ_EIO,
				    "%s: the guest sent more than could be written; make room for "
				    "the serial log",
				    c->name)
			 : INQ_OK; /* of standard output main() tells */
	free(c);
	return st;
}
