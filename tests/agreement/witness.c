/*
 * What a kernel says of itself, written into the current folder: its symbols, modules, log, memory,
 * and of each thread a line of /proc/PID/task/TID/stat and its stack.  One program that starts no
 * other, so that only one task is gone when the guest is dumped.
 */
#include <ctype.h>
#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static int copy(const char *from, FILE *to)
{
	char buf[8192];
	ssize_t n;
	/* kmsg gives a record a read, and blocks at the end if let. */
	int fd = open(from, O_RDONLY | O_NONBLOCK);

	if (fd < 0)
		return -1;
	while ((n = read(fd, buf, sizeof(buf))) > 0)
		fwrite(buf, 1, (size_t)n, to);
	close(fd);
	return 0;
}

static int keep(const char *from, const char *name)
{
	FILE *to = fopen(name, "w");
	int rc = !to ? -1 : copy(from, to);

	return to && fclose(to) ? -1 : rc;
}

static void each_number(const char *folder, void (*work)(const char *folder, const char *number))
{
	DIR *dir = opendir(folder);
	struct dirent *e;

	while (dir && (e = readdir(dir)))
		if (isdigit((unsigned char)e->d_name[0]))
			work(folder, e->d_name);
	if (dir)
		closedir(dir);
}

static FILE *ps, *stacks;

/* folder: /proc/PID/task */
static void thread(const char *folder, const char *tid)
{
	char path[600];

	snprintf(path, sizeof(path), "%s/%s/stat", folder, tid);
	fprintf(ps, "%d ", (int)strtol(folder + strlen("/proc/"), NULL, 10));
	copy(path, ps);
	snprintf(path, sizeof(path), "%s/%s/stack", folder, tid);
	fprintf(stacks, "task %s\n", tid);
	copy(path, stacks);
}

static void process(const char *proc, const char *pid)
{
	char path[300];

	snprintf(path, sizeof(path), "%s/%s/task", proc, pid);
	each_number(path, thread);
}

int main(void)
{
	static const char *const files[][2] = {
		{"/proc/kallsyms", "kallsyms"}, {"/proc/modules", "modules"},
		{"/proc/meminfo", "meminfo"},   {"/proc/version", "version"},
		{"/proc/cmdline", "cmdline"},   {"/proc/iomem", "iomem"},
		{"/proc/cpuinfo", "cpuinfo"},   {"/proc/stat", "stat"},
		{"/proc/uptime", "uptime"},     {"/proc/mounts", "mounts"},
		{"/proc/slabinfo", "slabinfo"},
	};
	size_t bad = 0;

	for (size_t i = 0; i < sizeof(files) / sizeof(files[0]); i++)
		bad += keep(files[i][0], files[i][1]) != 0;
	ps = fopen("ps", "w");
	stacks = fopen("stacks", "w");
	if (!ps || !stacks)
		return 1;
	each_number("/proc", process);
	bad += keep("/dev/kmsg", "kmsg") != 0;
	return fclose(ps) || fclose(stacks) || bad ? 1 : 0;
}
