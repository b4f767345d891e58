/*
 * Writing a snapshot, with the first, the second, the third ... call that can fail failing, until
 * all succeed: each time an error, no file under the name, none beside it, nothing leaked.
 */
#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "vmm/snapshot.h"

static unsigned countdown; /* 0: nothing fails; 1: the next call does */

static bool now(void)
{
	if (countdown && !--countdown) {
		errno = EIO;
		return true;
	}
	return false;
}

/* The linker sends the calls of the code under test here (--wrap). */
#define WRAP(type, name, args, pass, bad)                                                          \
	type __real_##name args;                                                                   \
	type __wrap_##name args;                                                                   \
	type __wrap_##name args                                                                    \
	{                                                                                          \
		return now() ? (bad) : __real_##name pass;                                         \
	}
WRAP(void *, calloc, (size_t n, size_t size), (n, size), NULL)
WRAP(void *, realloc, (void *p, size_t size), (p, size), NULL)
WRAP(int, memfd_create, (const char *name, unsigned flags), (name, flags), -1)
WRAP(void *, mmap64, (void *p, size_t n, int prot, int flags, int fd, off_t off),
     (p, n, prot, flags, fd, off), MAP_FAILED)
WRAP(int, ftruncate64, (int fd, off_t n), (fd, n), -1)
WRAP(ssize_t, pwrite64, (int fd, const void *p, size_t n, off_t off), (fd, p, n, off), -1)
WRAP(int, fsync, (int fd), (fd), -1)
WRAP(int, renameat, (int from, const char *a, int to, const char *b), (from, a, to, b), -1)

static enum inq_status attempt(const char *path, enum vmm_format format, struct inq_err *err)
{
	static const uint64_t smbase[] = {0xa00000};
	struct vmm_snapshot s = {.format = format, .host = "a=b\n", .header = {.nr_vcpus = 1}};
	struct vmm_snapshot_done done;
	struct vmm_memory *m = NULL;
	static const struct inq_snap_flight record = {.what = 1};
	struct vmm_snapshot_ring ring = {.ring = {.bytes = 64, .count = 1, .record_bytes = 64},
					 .at = &record};
	struct snap_out out = {0};
	uint64_t reg[SNAP_NR_USER_REGS] = {1};

	enum inq_status st = vmm_memory_create(&m, 16, smbase, 1, true, err);
	if (!st)
		st = snap_out_open(&out, path, err);
	if (!st) {
		memset(m->ram + 0x3000, 1, 4096);
		snap_notes_prstatus(&s.core, 0, reg);
		snap_notes_add(&s.vcpu, 0, INQ_SNAP_REGS, reg, 144);
		s.mem = m;
		s.ring = &ring;
		s.nr_rings = 1;
		st = vmm_snapshot_write(&s, &out, &done, err);
		if (!st)
			st = snap_out_commit(&out, err);
		snap_out_close(&out);
	}
	snap_notes_deinit(&s.core);
	snap_notes_deinit(&s.vcpu);
	vmm_memory_destroy(m);
	return st;
}

static unsigned nr_files(const char *dir)
{
	DIR *d = opendir(dir);
	unsigned n = 0;

	for (struct dirent *e; d && (e = readdir(d));)
		n += strcmp(e->d_name, ".") != 0 && strcmp(e->d_name, "..") != 0;
	if (d)
		closedir(d);
	return n;
}

/* False: some failure was not reported, or left something behind. */
static bool try_all(enum vmm_format format)
{
	char dir[] = "/tmp/inquest-fault-XXXXXX", path[64];
	struct inq_err err;
	unsigned n = 1;

	if (!mkdtemp(dir))
		return false;
	snprintf(path, sizeof(path), "%s/x.core", dir);
	for (;; n++) {
		err = (struct inq_err){0};
		countdown = n;
		enum inq_status st = attempt(path, format, &err);
		bool failed = !countdown; /* somebody saw it */

		countdown = 0;
		if (!failed)
			break;
		/* the very last fsync is that of the folder: the file is there by then */
		bool there = nr_files(dir) == 1 && !access(path, F_OK);
		if (!st || !*err.msg ||
		    (nr_files(dir) && !(there && strstr(err.msg, "power cut")))) {
			printf("call %u: status %d, %u files, '%s'\n", n, (int)st, nr_files(dir),
			       err.msg);
			return false;
		}
		unlink(path);
	}
	printf("%u calls failed one by one\n", n - 1);
	bool good = nr_files(dir) == 1 && n > 12;
	unlink(path);
	rmdir(dir);
	return good;
}

int main(void)
{
	return !(try_all(VMM_FORMAT_ELF) && try_all(VMM_FORMAT_KDUMP_ZLIB) &&
		 try_all(VMM_FORMAT_KDUMP_ZSTD));
}
