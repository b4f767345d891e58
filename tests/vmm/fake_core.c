/*
 * usage: fake_core FILE [VIEWS [FORMAT]]
 * A core with made-up contents, so that the writer can be tested without KVM.  What is in it is
 * known to test_writer.py.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "vmm/flight.h"
#include "vmm/snapshot.h"

enum { MIB = 16, TOUCHED = 0x7000, NOISE = 0x321000 };

static void fill_memory(struct vmm_memory *m)
{
	memset(vmm_memory_at(m, 0, 0x5000, 4096), 0xab, 4096);
	memset(vmm_memory_at(m, 0, TOUCHED, 4096), 0, 4096); /* in memory, and zero */
	*vmm_memory_at(m, 0, 0x9ffff, 1) = 1;                /* last byte below the hole */
	*vmm_memory_at(m, 0, 0x100000, 1) = 2;
	*vmm_memory_at(m, 0, MIB * VMM_MIB - 1, 1) = 3;
	for (uint32_t i = 0, x = 1; i < 4096;
	     i++, x = x * 1103515245 + 12345) /* no way to compress it */
		vmm_memory_at(m, 0, NOISE, 4096)[i] = (uint8_t)(x >> 23);
	memset(vmm_memory_at(m, 0, 0x200000, 0x10000), 0xcd, 0x10000);
	for (unsigned i = 0; i < m->nr_windows; i++)
		memset(m->smram + i * VMM_SMRAM_BYTES, (int)(0x51 + i), VMM_SMRAM_BYTES);
}

/* What was seen before, and how KVM debugs. */
static void fill_history(struct snap_notes *n, unsigned vcpu)
{
	static const struct inq_snap_step step = {
		.rip = 0x1000, .flags = 3, .nr_bytes = 1, .bytes = "\x90"};
	static const struct inq_snap_step_regs regs = {.rflags = 2, .flags = INQ_STEP_KNOWN};
	static const char trace[] = "[000] ..... 1.000001: kvm_entry: vcpu 0\n";
	static const struct kvm_guest_debug debug = {.control = KVM_GUESTDBG_ENABLE};

	snap_notes_add(n, vcpu, INQ_SNAP_TRACE, trace, sizeof(trace) - 1);
	snap_notes_add(n, vcpu, INQ_SNAP_STEPS, &step, sizeof(step));
	snap_notes_add(n, vcpu, INQ_SNAP_STEP_REGS, &regs, sizeof(regs));
	snap_notes_add(n, vcpu, INQ_SNAP_GUEST_DEBUG, &debug, sizeof(debug));
}

static void fill_notes(struct vmm_snapshot *s)
{
	uint64_t reg[SNAP_NR_USER_REGS] = {[SNAP_RIP] = 0x1000, [SNAP_RSP] = 0x2000};
	static const struct {
		struct inq_snap_tables head;
		char bytes[8];
	} tables = {{.gpa = 0xe0000, .bytes = 8}, "RSD PTR"};
	static const struct {
		struct inq_snap_writes head;
		struct inq_snap_word range;
		struct inq_snap_write w;
	} log = {{.count = 1, .record_bytes = sizeof(log.w), .nr_ranges = 1},
		 {0x5000, 8},
		 {.gpa = 0x5000, .size = 4}};
	static const struct {
		struct inq_snap_words head;
		struct inq_snap_word word;
		uint64_t value;
	} words = {{.t_ns = 1, .count = 1}, {0x5000, 8}, 7};
	uint8_t regs[144];

	for (unsigned i = 0; i < sizeof(regs); i++)
		regs[i] = (uint8_t)i;
	for (unsigned i = 0; i < 2; i++) {
		reg[SNAP_RIP] += i;
		snap_notes_prstatus(&s->core, i, reg);
		snap_notes_add(&s->vcpu, i, INQ_SNAP_REGS, regs, sizeof(regs));
		snap_notes_missing(&s->vcpu, i, INQ_SNAP_SREGS2, INQ_SNAP_ABSENT, 0);
		snap_notes_missing(&s->vcpu, i, INQ_SNAP_DEBUGREGS, INQ_SNAP_FAILED, 22);
		snap_notes_add(&s->vcpu, i, INQ_SNAP_MSRS, regs, 16);
		fill_history(&s->vcpu, i);
	}
	snap_notes_add(&s->vcpu, INQ_SNAP_VM, INQ_SNAP_TABLES, &tables, sizeof(tables));
	snap_notes_add(&s->vcpu, INQ_SNAP_VM, INQ_SNAP_WRITES, &log, sizeof(log));
	snap_notes_add_in(&s->vcpu, INQ_SNAP_TWIN, INQ_SNAP_VM, INQ_SNAP_WORDS, &words,
			  sizeof(words));
}

/* vCPU 0 wrote 3 records, vCPU 1 so many that the oldest are lost. */
static void fill_rings(struct vmm_snapshot *s, struct vmm_snapshot_ring *ring,
		       struct inq_snap_flight *at)
{
	static const unsigned n[] = {3, INQ_SNAP_FLIGHT_RECORDS + 5};
	struct inq_err err;

	for (unsigned i = 0; i < 2; i++, at += INQ_SNAP_FLIGHT_RECORDS) {
		struct vmm_flight f;

		if (vmm_flight_init(&f, &err))
			abort();
		for (unsigned k = 0; k < n[i]; k++)
			vmm_flight_note(&f, 0x1000 + k, 0);
		ring[i] = (struct vmm_snapshot_ring){.vcpu = i, .at = at};
		vmm_flight_copy(&f, at, &ring[i].ring);
		vmm_flight_deinit(&f);
	}
	s->ring = ring;
	s->nr_rings = 2;
}

/* Every other page of a stretch of linear addresses shows one of 16 pages, in turn.  Heap. */
static struct vmm_snapshot_view *fill_views(struct vmm_snapshot *s, const char *number)
{
	size_t nr = strtoul(number, NULL, 0);
	struct vmm_snapshot_view *v = calloc(nr + 1, sizeof(*v));

	if (!v)
		abort();
	for (size_t i = 0; i < nr; i++)
		v[i] = (struct vmm_snapshot_view){UINT64_C(0xffff888000000000) + i * 2 * VMM_PAGE,
						  0x200000 + i % 16 * VMM_PAGE, VMM_PAGE};
	s->view = v;
	s->nr_views = nr;
	return v;
}

int main(int argc, char **argv)
{
	static const uint64_t smbase[] = {0xa00000, 0x408000};
	struct vmm_snapshot s = {.host = "producer=fake\n",
				 .header = {.nr_vcpus = 2,
					    .reason = INQ_SNAP_WHY_COMMAND,
					    .reason_vcpu = INQ_SNAP_VM,
					    .producer = "fake_core"}};
	static struct inq_snap_flight records[2 * INQ_SNAP_FLIGHT_RECORDS];
	struct vmm_snapshot_ring ring[2];
	struct vmm_snapshot_view *views = NULL;
	struct vmm_snapshot_done done;
	struct vmm_memory *m = NULL;
	struct snap_out out;
	struct inq_err err;

	if (argc < 2 || argc > 4 || (argc == 4 && !vmm_format_find(argv[3], &s.format)))
		return 2;
	enum inq_status st = vmm_memory_create(&m, MIB, smbase, 2, true, &err);
	if (!st)
		st = snap_out_open(&out, argv[1], &err);
	if (!st) {
		s.mem = m;
		fill_memory(m);
		fill_notes(&s);
		fill_rings(&s, ring, records);
		if (argc >= 3)
			views = fill_views(&s, argv[2]);
		st = vmm_snapshot_write(&s, &out, &done, &err);
		if (!st)
			st = snap_out_commit(&out, &err);
		snap_out_close(&out);
		snap_notes_deinit(&s.core);
		snap_notes_deinit(&s.vcpu);
		free(views);
	}
	vmm_memory_destroy(m);
	if (st)
		fprintf(stderr, "%s\n", err.msg);
	else
		printf("%llu %llu\n", (unsigned long long)done.zero_pages,
		       (unsigned long long)done.written_bytes);
	return st != INQ_OK;
}
