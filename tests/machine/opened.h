/* A built dump, opened, and its machine.  For tests. */
#ifndef TESTS_MACHINE_OPENED_H
#define TESTS_MACHINE_OPENED_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <unistd.h>

#include "machine/machine.h"
#include "tests/built/text.h"
#include "tests/machine/raw.h"

/* An opened dump and its machine. */
struct lab {
	struct built *b;
	struct inq_dump *dump;
	struct inq_machine *m;
	int fd;
};

static inline struct lab lab_open(struct built *b)
{
	struct lab l = {.b = b, .fd = -1};
	struct inq_err err = {0};
	char path[32];
	size_t n;
	uint8_t *bytes = built_finish(b, &n);

	l.fd = built_memfd(bytes, n, path);
	if (inq_dump_open(path, &l.dump, &err) || machine_open(l.dump, &l.m, &err))
		fail_msg("%s", err.msg);
	return l;
}

static inline void lab_close(struct lab *l)
{
	machine_close(l->m);
	inq_dump_close(l->dump);
	close(l->fd);
	built_free(l->b);
}

enum lost { LOST_NOTHING, LOST_NOTE, LOST_ABSENT, LOST_FAILED };

/* Two vCPUs; the note of kind piece of vCPU 1 is lost in one of the ways. */
static inline struct built *two_cpus(const struct raw raw[2], size_t piece, enum lost how)
{
	struct built *b = built_snapshot(2);

	built_segment(b, 0, 0x4000);
	for (uint32_t cpu = 0; cpu < 2; cpu++) {
		for (size_t i = 0; i < RAW_NR_PIECES; i++) {
			const struct raw_piece *p = &raw_piece[i];
			if (cpu == 0 || i != piece || how == LOST_NOTHING)
				built_note_of(b, p->kind, cpu, raw_bytes(&raw[cpu], p), p->bytes);
			else if (how != LOST_NOTE)
				built_note_lacks(b, p->kind, cpu,
						 how == LOST_ABSENT ? INQ_SNAP_ABSENT
								    : INQ_SNAP_FAILED,
						 how == LOST_FAILED ? 22 : 0);
		}
	}
	return b;
}

#endif
