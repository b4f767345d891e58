/* `inquest-vmm resume`: a machine that goes on from its snapshot. */
#ifndef VMM_RESUME_H
#define VMM_RESUME_H

#include <stdbool.h>
#include <stdint.h>

#include <inquest/err.h>

#include "vmm/snapshot.h"
#include "vmm/watch.h"

struct vmm_resume {
	const char *path, *snapshot, *serial; /* snapshot NULL: none; serial as in struct vmm_run */
	const char *disk;                     /* as in struct vmm_run */
	uint64_t for_ms, steps;
	unsigned step_vcpu;
	bool timed; /* for_ms counts; 0: it does not run at all */
	bool force, no_trace;
	struct vmm_triggers trigger;
	const char *control;    /* path of the control socket; NULL: none */
	enum vmm_format format; /* of the snapshot that it writes */
	int *ret_code;          /* what the guest wrote to its exit port; untouched: nothing */
};

/* Prints what it does on stdout.  Without a time, until every vCPU gave its result or one died. */
INQ_MUST enum inq_status vmm_resume(const struct vmm_resume *r, struct inq_err *err);

#endif
