/*
 * The first process of a Linux guest.  It says on the console what the kernel made of the machine;
 * then a child on each CPU counts in a page that a snapshot shows.  After ROUND rounds it ends the
 * machine through port 0xf4; a snapshot of that goes on, and after as many the machine is reset.
 * With modules in its root it loads them, reads all of /dev/vda, and writes a sector each round.
 */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <sched.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/io.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/reboot.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <termios.h>
#include <time.h>
#include <unistd.h>

enum {
	EXIT = 0xf4,
	EXIT_CODE = 16,
	ROUND = 8,
	LAST_ROUND = 2 * ROUND,
	MAX_CPUS = 64,
	PAUSE_MS = 20
};

/* One page; the counters are of the children. */
struct shown {
	char magic[16];
	uint64_t seed, round;
	volatile uint64_t ticks[MAX_CPUS];
};

/* The file's first line that begins with `key`, without it; "" when there is none. */
static void line_of(const char *path, const char *key, char *ret, size_t n)
{
	FILE *f = fopen(path, "re");

	ret[0] = 0;
	while (f && fgets(ret, (int)n, f)) {
		ret[strcspn(ret, "\n")] = 0;
		if (!strncmp(ret, key, strlen(key))) {
			memmove(ret, ret + strlen(key), strlen(ret + strlen(key)) + 1);
			break;
		}
		ret[0] = 0;
	}
	if (f)
		fclose(f);
}

static void pause_ms(long ms)
{
	const struct timespec t = {.tv_nsec = ms * 1000000};

	nanosleep(&t, NULL);
}

static void tell(struct shown *s, long cpus)
{
	char clock[64], memory[64], release[128];

	mkdir("/proc", 0755);
	mkdir("/sys", 0755);
	mount("proc", "/proc", "proc", 0, NULL);
	mount("sys", "/sys", "sysfs", 0, NULL);
	line_of("/sys/devices/system/clocksource/clocksource0/current_clocksource", "", clock,
		sizeof(clock));
	line_of("/proc/meminfo", "MemTotal:", memory, sizeof(memory));
	line_of("/proc/sys/kernel/osrelease", "", release, sizeof(release));
	printf("init: seed %" PRIu64 " cpus %ld clock %s kib %ld release %s\n", s->seed, cpus,
	       clock, strtol(memory, NULL, 10), release);
}

static void load_modules(void)
{
	char path[32];

	for (int i = 0;; i++) {
		snprintf(path, sizeof(path), "/modules/%d.ko", i);
		int fd = open(path, O_RDONLY | O_CLOEXEC);
		if (fd < 0)
			return;
		if (syscall(SYS_finit_module, fd, "", 0))
			printf("%s: %s\n", path, strerror(errno));
		close(fd);
	}
}

/* -1: there is none. */
static int open_disk(void)
{
	static uint8_t some[1 << 16];
	uint64_t bytes = 0, sum = 0;

	load_modules();
	mount("dev", "/dev", "devtmpfs", 0, NULL);
	int fd = open("/dev/vda", O_RDWR | O_CLOEXEC);
	for (ssize_t n; fd >= 0 && (n = read(fd, some, sizeof(some))) > 0; bytes += (uint64_t)n)
		for (ssize_t i = 0; i < n; i++)
			sum += some[i];
	if (fd >= 0)
		printf("disk: %" PRIu64 " bytes, sum %" PRIu64 "\n", bytes, sum);
	return fd;
}

static void write_disk(int fd, const struct shown *s)
{
	uint64_t sector[64] = {s->seed, s->round};

	if (pwrite(fd, sector, sizeof(sector), (off_t)(s->round * sizeof(sector))) !=
		    sizeof(sector) ||
	    fsync(fd))
		printf("disk: %s\n", strerror(errno));
}

static void count_on(struct shown *s, unsigned cpu)
{
	cpu_set_t set;

	CPU_ZERO(&set);
	CPU_SET(cpu, &set);
	if (sched_setaffinity(0, sizeof(set), &set))
		_exit(1);
	for (;;) {
		s->ticks[cpu]++;
		pause_ms(PAUSE_MS / 2);
	}
}

int main(void)
{
	const char *seed = getenv("seed"); /* the kernel hands on what it does not know itself */
	long cpus = sysconf(_SC_NPROCESSORS_ONLN);
	struct shown *s =
		mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);

	if (iopl(3) || s == MAP_FAILED || cpus < 1 || cpus > MAX_CPUS)
		return 1;
	setvbuf(stdout, NULL, _IOLBF, 0);
	memcpy(s->magic, "INQ-LINUX-INIT.", sizeof(s->magic));
	s->seed = seed ? strtoull(seed, NULL, 0) : 0;
	tell(s, cpus);
	int disk = open_disk();
	for (unsigned i = 0; i < (unsigned)cpus; i++)
		if (!fork())
			count_on(s, i);
	for (;;) {
		struct timespec t;

		pause_ms(PAUSE_MS);
		clock_gettime(CLOCK_MONOTONIC, &t);
		s->round++;
		if (disk >= 0)
			write_disk(disk, s);
		printf("round %" PRIu64 " at %lld ms\n", s->round,
		       (long long)t.tv_sec * 1000 + t.tv_nsec / 1000000);
		if (s->round == ROUND) {
			tcdrain(STDOUT_FILENO);
			outb(EXIT_CODE, EXIT);
		}
		if (s->round == LAST_ROUND) {
			tcdrain(STDOUT_FILENO);
			reboot(RB_AUTOBOOT);
		}
	}
}
