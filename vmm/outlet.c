/*
 * Knows how to write to a pipe or a terminal that may not be read.  The file description may be
 * shared with other processes, so O_NONBLOCK is not for it: a thread waits in write() instead, and
 * a signal gets it out of there at the end, if need be.
 */
#include "vmm/outlet.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

enum { AGAIN_MS = 2, CHUNK = 4096 };

struct vmm_outlet {
	int fd;
	FILE *file;
	pthread_t thread;
	pthread_mutex_t room_lock; /* taken before the other; held while .on_room is called */
	bool (*on_room)(void *arg);
	void *arg;
	pthread_mutex_t lock;   /* all below */
	pthread_cond_t changed; /* CLOCK_MONOTONIC */
	size_t first, used;     /* of .ring */
	uint64_t lost;
	bool held; /* somebody waits for room */
	bool end;
	bool give_up; /* whatever is left */
	bool over;    /* the thread is */
	int error;    /* errno of a write; nothing is written any more */
	char ring[VMM_OUTLET_BYTES];
};

/* Never fails: what has no room is lost, and counted. */
static ssize_t put(void *outlet, const char *p, size_t n)
{
	struct vmm_outlet *o = outlet;

	pthread_mutex_lock(&o->lock);
	size_t fits = o->error ? 0 : VMM_OUTLET_BYTES - o->used, done = 0;
	fits = n < fits ? n : fits;
	while (done < fits) {
		size_t at = (o->first + o->used) % VMM_OUTLET_BYTES, most = VMM_OUTLET_BYTES - at;

		most = fits - done < most ? fits - done : most;
		memcpy(o->ring + at, p + done, most);
		o->used += most;
		done += most;
	}
	o->lost += n - fits;
	pthread_cond_broadcast(&o->changed);
	pthread_mutex_unlock(&o->lock);
	return (ssize_t)n;
}

/* Until something changed; false: nothing did. */
static bool wait_ms(struct vmm_outlet *o, unsigned ms)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	t.tv_nsec += (long)(ms % 1000) * 1000000;
	t.tv_sec += ms / 1000 + t.tv_nsec / 1000000000;
	t.tv_nsec %= 1000000000;
	return pthread_cond_timedwait(&o->changed, &o->lock, &t) != ETIMEDOUT;
}

static void on_signal(int sig)
{
	(void)sig; /* its arrival ends write() and poll() */
}

static ssize_t write_some(int fd, const char *p, size_t n)
{
	struct pollfd ready = {.fd = fd, .events = POLLOUT};
	ssize_t done = write(fd, p, n);
	int e = errno;

	if (done < 0 && e == EAGAIN) /* somebody else made it so */
		(void)poll(&ready, 1, -1);
	errno = e;
	return done;
}

/* Under the lock, given up meanwhile. */
static void write_chunk(struct vmm_outlet *o)
{
	size_t n = VMM_OUTLET_BYTES - o->first;
	const char *from = o->ring + o->first;

	n = o->used < n ? o->used : n;
	pthread_mutex_unlock(&o->lock);
	ssize_t done = write_some(o->fd, from, n < CHUNK ? n : CHUNK);
	int e = errno;
	pthread_mutex_lock(&o->lock);
	if (done > 0) {
		o->first = (o->first + (size_t)done) % VMM_OUTLET_BYTES;
		o->used -= (size_t)done;
	} else if (done < 0 && e != EINTR && e != EAGAIN) {
		o->error = e;
		o->lost += o->used;
		o->used = 0;
	}
	pthread_cond_broadcast(&o->changed);
}

/* Under the lock, given up meanwhile. */
static void tell_room(struct vmm_outlet *o)
{
	pthread_mutex_unlock(&o->lock);
	pthread_mutex_lock(&o->room_lock);
	pthread_mutex_lock(&o->lock);
	o->held = false; /* before: who is told may fill it again */
	pthread_mutex_unlock(&o->lock);
	bool told = !o->on_room || o->on_room(o->arg);
	pthread_mutex_unlock(&o->room_lock);
	pthread_mutex_lock(&o->lock);
	if (told)
		return;
	o->held = true;
	(void)wait_ms(o, AGAIN_MS);
}

static void *drain(void *outlet)
{
	struct vmm_outlet *o = outlet;

	pthread_mutex_lock(&o->lock);
	while (!o->give_up && (o->used || !o->end)) {
		if (o->held && o->used <= VMM_OUTLET_FULL / 2)
			tell_room(o);
		if (o->used)
			write_chunk(o);
		else if (!o->held && !o->end)
			pthread_cond_wait(&o->changed, &o->lock);
	}
	o->over = true;
	pthread_cond_broadcast(&o->changed);
	pthread_mutex_unlock(&o->lock);
	return NULL;
}

static int start(struct vmm_outlet *o)
{
	const struct sigaction sa = {.sa_handler = on_signal}; /* no SA_RESTART */
	pthread_condattr_t a;

	sigaction(SIGRTMIN + 1, &sa, NULL);
	pthread_mutex_init(&o->lock, NULL);
	pthread_mutex_init(&o->room_lock, NULL);
	pthread_condattr_init(&a);
	pthread_condattr_setclock(&a, CLOCK_MONOTONIC);
	pthread_cond_init(&o->changed, &a);
	pthread_condattr_destroy(&a);
	return pthread_create(&o->thread, NULL, drain, o);
}

static void destroy(struct vmm_outlet *o)
{
	fclose(o->file);
	pthread_cond_destroy(&o->changed);
	pthread_mutex_destroy(&o->room_lock);
	pthread_mutex_destroy(&o->lock);
	free(o);
}

enum inq_status vmm_outlet_create(struct vmm_outlet **ret, int fd, struct inq_err *err)
{
	struct vmm_outlet *o = calloc(1, sizeof(*o));

	if (!o)
		return inq_fail(err, INQ_ENOMEM, "the console");
	o->fd = fd;
	o->file = fopencookie(o, "w", (cookie_io_functions_t){.write = put});
	if (!o->file) {
		free(o);
		return inq_fail(err, INQ_ENOMEM, "the console");
	}
	setvbuf(o->file, NULL, _IONBF, 0);
	int e = start(o);
	if (e) {
		destroy(o);
		return inq_fail(err, INQ_ENOMEM, "the console's thread: %s", strerror(e));
	}
	*ret = o;
	return INQ_OK;
}

FILE *vmm_outlet_file(struct vmm_outlet *o)
{
	return o->file;
}

bool vmm_outlet_full(struct vmm_outlet *o)
{
	pthread_mutex_lock(&o->lock);
	bool full = o->used >= VMM_OUTLET_FULL;
	o->held |= full;
	pthread_mutex_unlock(&o->lock);
	return full;
}

void vmm_outlet_on_room(struct vmm_outlet *o, bool (*on_room)(void *arg), void *arg)
{
	pthread_mutex_lock(&o->room_lock);
	o->on_room = on_room;
	o->arg = arg;
	pthread_mutex_unlock(&o->room_lock);
}

int vmm_outlet_close(struct vmm_outlet *o, unsigned patience_ms, uint64_t *ret_lost)
{
	*ret_lost = 0;
	if (!o)
		return 0;
	pthread_mutex_lock(&o->lock);
	o->end = true;
	pthread_cond_broadcast(&o->changed);
	while (!o->over && wait_ms(o, patience_ms))
		; /* each write is a change */
	o->give_up = true;
	while (!o->over) { /* again: one may come just before it waits */
		pthread_kill(o->thread, SIGRTMIN + 1);
		(void)wait_ms(o, AGAIN_MS);
	}
	pthread_mutex_unlock(&o->lock);
	pthread_join(o->thread, NULL);
	*ret_lost = o->lost + o->used;
	int e = o->error;
	destroy(o);
	return e;
}
