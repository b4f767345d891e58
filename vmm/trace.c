/*
 * Knows tracefs: an instance is a directory with events, buffer and clock of its own, made and
 * removed like any other (Documentation/trace/ftrace.rst, "Instances").  The kernel decodes the
 * events when `trace` is read; events of KVM: arch/x86/kvm/trace.h, mmu/mmutrace.h,
 * include/trace/events/kvm.h.  What this kernel lacks of them is left out.
 */
#include "vmm/trace.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* All notes together have 4 MiB; a vCPU gets its share of one. */
enum {
	VCPU_BYTES = 32 << 10,
	ALL_BYTES = 1 << 20,
	FIRST_TEXT = 1 << 20,
	MAX_TEXT = VMM_TRACE_MAX_TEXT
};

static const char *const places[] = {"/sys/kernel/tracing", "/sys/kernel/debug/tracing"};
static const char *const events[] = {
	"kvm/kvm_entry",
	"kvm/kvm_exit",
	"kvm/kvm_inj_virq",
	"kvm/kvm_inj_exception",
	"kvm/kvm_apic_accept_irq",
	"kvm/kvm_apic_ipi",
	"kvm/kvm_eoi",
	"kvm/kvm_msi_set_irq",
	"kvm/kvm_smm_transition",
	"kvm/kvm_enter_smm",
	"kvm/kvm_page_fault",
	"kvm/kvm_emulate_insn",
	"kvm/kvm_nested_vmrun",
	"kvm/kvm_nested_vmenter",
	"kvm/kvm_nested_vmenter_failed",
	"kvm/kvm_nested_vmexit",
	"kvm/kvm_nested_vmexit_inject",
	"kvm/kvm_nested_intr_vmexit",
	"kvmmmu/kvm_mmu_pagetable_walk",
	"kvmmmu/kvm_mmu_paging_element",
	"kvmmmu/kvm_mmu_walker_error",
	"kvmmmu/mark_mmio_spte",
};

struct vmm_trace {
	char dir[128]; /* of the instance; "" without */
	int error;     /* why there is none; 0: no tracefs at all */
};

static int put(const char *dir, const char *file, const char *text)
{
	char path[256];

	snprintf(path, sizeof(path), "%s/%s", dir, file);
	int fd = open(path, O_WRONLY | O_CLOEXEC), e = errno;
	if (fd < 0)
		return e;
	e = write(fd, text, strlen(text)) < 0 ? errno : 0;
	close(fd);
	return e;
}

/*
 * Instances that a killed inquest-vmm left behind; one with our own number, too: we have none yet,
 * and in a container the next one often gets the same.
 */
static void sweep(const char *instances)
{
	DIR *d = opendir(instances);
	char path[512];

	for (struct dirent *e; d && (e = readdir(d));) {
		char *end = NULL;
		bool ours = !strncmp(e->d_name, "inquest-", 8);
		long pid = ours ? strtol(e->d_name + 8, &end, 10) : 0;

		if (pid <= 0 || *end)
			continue;
		if (pid != (long)getpid() && (!kill((pid_t)pid, 0) || errno != ESRCH))
			continue;
		snprintf(path, sizeof(path), "%s/%s", instances, e->d_name);
		rmdir(path);
	}
	if (d)
		closedir(d);
}

/* 0, or errno; *t has a directory then. */
static int make_instance(struct vmm_trace *t, const char *place)
{
	char instances[64];

	snprintf(instances, sizeof(instances), "%s/instances", place);
	if (access(instances, F_OK))
		return errno;
	sweep(instances);
	snprintf(t->dir, sizeof(t->dir), "%s/inquest-%ld", instances, (long)getpid());
	return mkdir(t->dir, 0700) ? errno : 0;
}

/* Everything but the events, which may be missing one by one. */
static int set_up(const struct vmm_trace *t)
{
	char pid[32], file[128];
	unsigned heard = 0;

	snprintf(pid, sizeof(pid), "%ld", (long)gettid());
	int e = put(t->dir, "trace_clock", "mono"); /* as all other times of a snapshot */
	if (!e)
		e = put(t->dir, "options/event-fork", "1");
	if (!e)
		e = put(t->dir, "set_event_pid", pid);
	if (!e)
		e = put(t->dir, "buffer_size_kb", "512");
	for (size_t i = 0; i < sizeof(events) / sizeof(*events) && !e; i++) {
		snprintf(file, sizeof(file), "events/%s/enable", events[i]);
		heard += !put(t->dir, file, "1");
	}
	return e ? e : heard ? 0 : ENOENT;
}

enum inq_status vmm_trace_create(struct vmm_trace **ret, struct inq_err *err)
{
	struct vmm_trace *t = calloc(1, sizeof(*t));

	if (!t)
		return inq_fail(err, INQ_ENOMEM, "trace");
	for (size_t i = 0; i < sizeof(places) / sizeof(*places); i++) {
		int e = make_instance(t, places[i]);

		if (!e && (e = set_up(t)))
			rmdir(t->dir);
		t->error = e == ENOENT ? t->error : e;
		if (!e)
			break;
		*t->dir = '\0';
	}
	*ret = t;
	return INQ_OK;
}

void vmm_trace_destroy(struct vmm_trace *t)
{
	if (t && *t->dir)
		rmdir(t->dir);
	free(t);
}

bool vmm_trace_is_on(const struct vmm_trace *t)
{
	return *t->dir;
}

/* Text has no room left: twice as much, or the newer half of what there is. */
static void make_room(struct vmm_trace_text *t)
{
	char *grown = t->room < MAX_TEXT ? realloc(t->text, 2 * t->room) : NULL;

	if (grown) {
		t->text = grown;
		t->room *= 2;
	} else {
		t->n -= t->n / 2;
		memmove(t->text, t->text + t->room - t->n, t->n);
	}
}

int vmm_trace_read(int fd, struct vmm_trace_text *t)
{
	ssize_t got = 1;

	*t = (struct vmm_trace_text){.text = malloc(FIRST_TEXT), .room = FIRST_TEXT};
	if (!t->text)
		return ENOMEM;
	while (got > 0) {
		if (t->n == t->room)
			make_room(t);
		do
			got = read(fd, t->text + t->n, t->room - t->n);
		while (got < 0 && errno == EINTR);
		t->n += got > 0 ? (size_t)got : 0;
	}
	if (!got)
		return 0;
	int e = errno;
	free(t->text);
	t->text = NULL;
	return e;
}

/* The buffer as text; 0 or errno. */
static int read_trace(const char *dir, struct vmm_trace_text *t)
{
	char path[256];

	snprintf(path, sizeof(path), "%s/trace", dir);
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return errno;
	int e = vmm_trace_read(fd, t);
	close(fd);
	return e;
}

long vmm_trace_thread(const char *line, size_t n, size_t *ret_rest)
{
	for (size_t i = 1; i + 1 < n; i++) {
		size_t digits = 0, end = i;
		long tid = 0;

		if (line[i] != '[' || line[i - 1] != ' ')
			continue;
		while (end && line[end - 1] == ' ')
			end--;
		while (digits < end && digits < 9 && line[end - 1 - digits] >= '0' &&
		       line[end - 1 - digits] <= '9')
			digits++;
		if (!digits || digits == end || line[end - 1 - digits] != '-')
			continue; /* a task may be called anything */
		for (size_t k = end - digits; k < end; k++)
			tid = 10 * tid + (line[k] - '0');
		*ret_rest = i;
		return tid;
	}
	return -1;
}

/* The lines of one thread, the newest `most` bytes of them, into to; how many bytes. */
static size_t lines_of(const char *text, size_t n, long tid, char *to, size_t most)
{
	size_t at = most, end = n;

	while (end) { /* backwards, from the newest */
		const char *nl = memrchr(text, '\n', end - 1);
		size_t from = nl ? (size_t)(nl - text) + 1 : 0, rest = 0;
		size_t line = end - from - (text[end - 1] == '\n');

		if (vmm_trace_thread(text + from, line, &rest) == tid) {
			size_t keep = line - rest;

			if (keep + 1 > at)
				break;
			to[--at] = '\n';
			at -= keep;
			memcpy(to + at, text + from + rest, keep);
		}
		end = from;
	}
	memmove(to, to + at, most - at);
	return most - at;
}

void vmm_trace_add_notes(const struct vmm_trace *t, const struct vmm_vm *vm, struct snap_notes *n)
{
	size_t most = ALL_BYTES / vm->nr_vcpus;
	struct vmm_trace_text all = {0};
	int e = t->error;

	if (*t->dir) {
		(void)put(t->dir, "tracing_on", "0"); /* else reading never ends */
		e = read_trace(t->dir, &all);
		(void)put(t->dir, "tracing_on", "1");
	}
	if (!all.text) {
		snap_notes_missing(n, INQ_SNAP_VM, INQ_SNAP_TRACE,
				   e ? INQ_SNAP_FAILED : INQ_SNAP_ABSENT, e);
		return;
	}
	most = most < VCPU_BYTES ? most : VCPU_BYTES;
	char *lines = malloc(most);
	for (unsigned i = 0; i < vm->nr_vcpus && lines; i++) {
		size_t len = lines_of(all.text, all.n, vm->vcpu[i].tid, lines, most);

		snap_notes_add(n, i, INQ_SNAP_TRACE, lines, len);
	}
	n->failed |= !lines;
	free(lines);
	free(all.text);
}
