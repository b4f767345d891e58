/*
 * Tasks in many states, for a guest that is dumped: each asleep in another system call, two in
 * modules, one that nothing can interrupt, one stopped, one dead, one with many threads, and two
 * that run: on CPU 1 in user mode, and if asked on CPU 0 in the kernel.  None of them moves again.
 * More of them, all asleep, when a number says so.
 *
 * usage: people [kernel] [NUMBER]
 */
#include <fcntl.h>
#include <linux/futex.h>
#include <linux/if_tun.h>
#include <net/if.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/file.h>
#include <sys/inotify.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/msg.h>
#include <sys/prctl.h>
#include <sys/sem.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/timerfd.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

static void on_cpu(int cpu)
{
	cpu_set_t set;

	CPU_ZERO(&set);
	CPU_SET(cpu, &set);
	sched_setaffinity(0, sizeof(set), &set);
}

static void spin_user(void)
{
	on_cpu(1);
	for (volatile unsigned long n = 0;; n++)
		;
}

/* The kernel clears user memory nearly all of the time. */
static void spin_kernel(void)
{
	static char to[1 << 24];
	int fd = open("/dev/zero", O_RDONLY);

	on_cpu(0);
	while (read(fd, to, sizeof(to)) > 0)
		;
}

static void sleeper(void)
{
	sleep(100000);
}

static void pauser(void)
{
	pause();
}

static void pipe_reader(void)
{
	int p[2];
	char c;

	if (!pipe(p))
		(void)!read(p[0], &c, 1);
}

static void pipe_writer(void)
{
	static const char block[4096];
	int p[2];

	if (!pipe(p))
		while (write(p[1], block, sizeof(block)) > 0)
			;
}

static void poller(void)
{
	int p[2];

	if (pipe(p))
		return;
	struct pollfd one = {.fd = p[0], .events = POLLIN};
	poll(&one, 1, -1);
}

static void selector(void)
{
	int p[2];
	fd_set set;

	if (pipe(p))
		return;
	FD_ZERO(&set);
	FD_SET(p[0], &set);
	select(p[0] + 1, &set, NULL, NULL, NULL);
}

static void epoller(void)
{
	struct epoll_event got;

	epoll_wait(epoll_create1(0), &got, 1, -1);
}

static void timer_reader(void)
{
	uint64_t times;
	int fd = timerfd_create(CLOCK_MONOTONIC, 0);

	(void)!read(fd, &times, sizeof(times));
}

static void accepter(void)
{
	struct sockaddr_un name = {.sun_family = AF_UNIX, .sun_path = "/tmp/socket"};
	int fd = socket(AF_UNIX, SOCK_STREAM, 0);

	if (!bind(fd, (struct sockaddr *)&name, sizeof(name)) && !listen(fd, 1))
		accept(fd, NULL, NULL);
}

static void receiver(void)
{
	int pair[2];
	char c;

	if (!socketpair(AF_UNIX, SOCK_DGRAM, 0, pair))
		recv(pair[0], &c, 1, 0);
}

static void udp_receiver(void)
{
	char c;

	recv(socket(AF_INET, SOCK_DGRAM, 0), &c, 1, 0);
}

static void signal_waiter(void)
{
	sigset_t set;
	int got;

	sigfillset(&set);
	sigwait(&set, &got);
}

static void locker(void)
{
	int mine = open("/tmp/lock", O_RDWR | O_CREAT, 0600);
	int theirs = open("/tmp/lock", O_RDWR);

	if (!flock(mine, LOCK_EX))
		flock(theirs, LOCK_EX);
}

static void fifo_opener(void)
{
	if (!mkfifo("/tmp/fifo", 0600))
		open("/tmp/fifo", O_RDONLY);
}

static void inotifier(void)
{
	char buf[4096];

	(void)!read(inotify_init1(0), buf, sizeof(buf));
}

static void message_waiter(void)
{
	struct {
		long type;
		char text[8];
	} got;

	msgrcv(msgget(IPC_PRIVATE, 0600), &got, sizeof(got.text), 0, 0);
}

static void semaphore_waiter(void)
{
	struct sembuf take = {.sem_op = -1};

	semop(semget(IPC_PRIVATE, 1, 0600), &take, 1);
}

static void child_waiter(void)
{
	if (!fork()) {
		prctl(PR_SET_NAME, "waited-for");
		pause();
	}
	wait(NULL);
}

/* Its child is stopped: nobody ever waits for it. */
static void stopped(void)
{
	raise(SIGSTOP);
}

static void parent_of_dead(void)
{
	if (!fork()) {
		prctl(PR_SET_NAME, "dead");
		_exit(3);
	}
	pause();
}

/* Asleep in state D until its child executes or ends. */
static void forker(void)
{
	if (!vfork()) {
		pause();
		_exit(0);
	}
}

static void *thread(void *word)
{
	prctl(PR_SET_NAME, "thread");
	syscall(SYS_futex, word, FUTEX_WAIT, 0, NULL, NULL, 0);
	return NULL;
}

static void threads(void)
{
	static int word;
	pthread_t id;

	for (int i = 0; i < 8; i++)
		pthread_create(&id, NULL, thread, &word);
	pthread_join(id, NULL);
}

/* Waits in the module tun for a packet. */
static void tunneler(void)
{
	struct ifreq name = {.ifr_flags = IFF_TUN, .ifr_name = "tun0"};
	int fd = open("/dev/net/tun", O_RDWR);
	char buf[2048];

	if (!ioctl(fd, TUNSETIFF, &name))
		(void)!read(fd, buf, sizeof(buf));
}

/* Waits in the file system fuse for a daemon that is not there, in state D once it is killed. */
static void fused(void)
{
	char options[64];
	int fd = open("/dev/fuse", O_RDWR);
	struct stat st;

	mkdir("/tmp/fuse", 0700);
	snprintf(options, sizeof(options), "fd=%d,rootmode=40000,user_id=0,group_id=0", fd);
	if (!mount("none", "/tmp/fuse", "fuse", 0, options))
		stat("/tmp/fuse/any", &st);
}

static const struct {
	const char *name;
	void (*work)(void);
} people[] = {
	{"sleeper", sleeper},
	{"pauser", pauser},
	{"pipe-reader", pipe_reader},
	{"pipe-writer", pipe_writer},
	{"poller", poller},
	{"selector", selector},
	{"epoller", epoller},
	{"timer-reader", timer_reader},
	{"accepter", accepter},
	{"receiver", receiver},
	{"udp-receiver", udp_receiver},
	{"signal-waiter", signal_waiter},
	{"locker", locker},
	{"fifo-opener", fifo_opener},
	{"inotifier", inotifier},
	{"message-waiter", message_waiter},
	{"sem-waiter", semaphore_waiter},
	{"child-waiter", child_waiter},
	{"stopped", stopped},
	{"parent-of-dead", parent_of_dead},
	{"vforker", forker},
	{"threads", threads},
	{"tunneler", tunneler},
	{"fused", fused},
	{"spin-user", spin_user},
};

static void start(const char *name, void (*work)(void))
{
	if (fork())
		return;
	prctl(PR_SET_NAME, name);
	work();
	/* Only when the work could not be done; the truth says so then. */
	prctl(PR_SET_NAME, "has-failed");
	pause();
}

int main(int argc, char **argv)
{
	int more = 0;

	for (size_t i = 0; i < sizeof(people) / sizeof(people[0]); i++)
		start(people[i].name, people[i].work);
	for (int i = 1; i < argc; i++)
		if (!strcmp(argv[i], "kernel"))
			start("spin-kernel", spin_kernel);
		else
			more = atoi(argv[i]);
	while (more-- > 0)
		start("idler", sleeper);
	return 0;
}
