/* What a run runs: a scenario or an image; run.c knows the course, a guest knows itself. */
#ifndef VMM_GUEST_H
#define VMM_GUEST_H

#include <stdio.h>

#include "vmm/vm.h"

struct vmm_session;
struct vmm_run;
struct vmm_guest;

/*
 * Adding a kind of guest: a file with these, and a constructor that run.c calls.  load and setup
 * come before anything runs, the others with the session's vCPUs running or stopped.  Operations
 * marked * may be NULL: nothing to do.
 */
struct vmm_guest_ops {
	/* One line: what is going to run. */
	void (*print)(const struct vmm_guest *g, FILE *to);
	/* * INQ_EUNSUPPORTED naming what this guest needs and KVM lacks. */
	enum inq_status (*need)(const struct vmm_guest *g, const struct vmm_caps *caps,
				struct inq_err *err);
	/* Memory with everything that lies in it before the first instruction. */
	enum inq_status (*load)(struct vmm_guest *g, const struct vmm_caps *caps,
				struct vmm_memory **ret, struct inq_err *err);
	/* A vCPU as it begins; cpuid: what KVM supports. */
	enum inq_status (*setup)(const struct vmm_guest *g, struct vmm_vcpu *v,
				 const struct kvm_cpuid2 *cpuid, struct inq_err *err);
	/*
	 * While it runs: until the snapshot is due.  Also returns when a vCPU died, a trigger fired
	 * or somebody said quit.
	 */
	enum inq_status (*course)(const struct vmm_guest *g, struct vmm_session *s,
				  struct inq_err *err);
	/* * Stopped, alive, no trigger: is that vCPU where it should be? */
	enum inq_status (*check)(const struct vmm_guest *g, const struct vmm_session *s,
				 unsigned vcpu, struct inq_err *err);
	/* * A few words more about a stopped vCPU, each behind ", ". */
	void (*report)(const struct vmm_guest *g, const struct vmm_session *s, unsigned vcpu,
		       FILE *to);
	/* * Last changes to memory before it is written. */
	void (*finish)(const struct vmm_guest *g, struct vmm_memory *mem);
	void (*destroy)(struct vmm_guest *g);
};

/* Each kind has it as its first member. */
struct vmm_guest {
	const struct vmm_guest_ops *ops;
	const char *name; /* borrowed, for messages */
	unsigned nr_vcpus;
	uint64_t smi_every; /* ms; 0: as the user says */
	bool tables;        /* ACPI and MP tables lie in its memory (vmm/tables.h), once loaded */
	bool dies;          /* a triple fault is what it is for: no error of the run */
	const char *cpuid;  /* changes, as vmm_features_edit() takes them; NULL: none */
};

/* NULL is fine. */
static inline void vmm_guest_destroy(struct vmm_guest *g)
{
	if (g)
		g->ops->destroy(g);
}

/* r->scenario, drawn from r->seed (scenarios/guest.c). */
INQ_MUST enum inq_status vmm_guest_of_scenario(struct vmm_guest **ret, const struct vmm_run *r,
					       struct inq_err *err);

/* r->boot, its files read (boot/guest.c). */
INQ_MUST enum inq_status vmm_guest_of_image(struct vmm_guest **ret, const struct vmm_run *r,
					    struct inq_err *err);

#endif
