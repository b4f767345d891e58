/* `inquest-vmm run`: from options to a snapshot on disk. */
#ifndef VMM_RUN_H
#define VMM_RUN_H

#include <stdbool.h>
#include <stdint.h>

#include <inquest/err.h>

#include "vmm/boot/boot.h"
#include "vmm/sampler.h"
#include "vmm/scenarios/scenarios.h"
#include "vmm/watch.h"
#include "vmm/watchpoint.h"

struct vmm_run {
	const struct vmm_scenario *scenario; /* NULL: boot.kernel */
	struct vmm_boot boot;
	const char *snapshot, *serial; /* serial: "-" standard output, NULL nowhere */
	const char *disk;              /* FILE[:ro]; NULL: none */
	uint64_t seed, mib, after_ms, timeout_s;
	unsigned nr_vcpus;
	const char *cpuid; /* changes of CPUID, in vmm_features_edit()'s words; NULL: none */
	bool seed_given;   /* else drawn fresh */
	bool after_given;  /* else an image runs until it ends */
	bool fill, timing, to_end, want_virtual;
	enum vmm_format format;
	struct vmm_triggers trigger;
	struct vmm_sampler_options sampler;
	struct vmm_ranges watch;       /* whose writes are recorded */
	struct vmm_watchpoints points; /* likewise, of linear addresses */
	bool live;                     /* memory is written before the guest is stopped */
	bool no_trace;                 /* KVM's tracepoints are not listened to */
	uint64_t step_stuck;           /* single steps of the vCPU that fired a trigger */
	const char *control;           /* path of the control socket; NULL: none */
	int *ret_code; /* what the guest wrote to its exit port; untouched: nothing.  NULL is fine
			*/
};

/* Prints what it does on stdout.  INQ_EUSAGE: what was asked for cannot be. */
INQ_MUST enum inq_status vmm_run(const struct vmm_run *r, struct inq_err *err);

#endif
