/* The control socket: one JSON object per line in, one per line out.  */
#ifndef VMM_CONTROL_H
#define VMM_CONTROL_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include <inquest/err.h>

#include "vmm/inject.h"

enum vmm_verb {
	VMM_VERB_SNAPSHOT, /* file */
	VMM_VERB_PAUSE,
	VMM_VERB_RESUME,
	VMM_VERB_NMI,  /* vcpu, or all */
	VMM_VERB_SMI,  /* vcpu, or all */
	VMM_VERB_STEP, /* vcpu, n */
	VMM_VERB_INJECT,
	VMM_VERB_QUIT,
};

struct vmm_request {
	enum vmm_verb verb;
	char file[4096]; /* VMM_VERB_SNAPSHOT */
	bool vcpu_given;
	uint32_t vcpu;
	uint32_t n;
	struct vmm_injection inject; /* VMM_VERB_INJECT, checked */
};

enum { VMM_CONTROL_CLIENTS = 8 };

struct vmm_control;

/*
 * Listen at path, for its owner only.  A socket there that nobody listens at is replaced.
 * Errors: INQ_EUSAGE.
 */
INQ_MUST enum inq_status vmm_control_create(struct vmm_control **ret, const char *path,
					    struct inq_err *err);
/* NULL is fine; removes the socket. */
void vmm_control_destroy(struct vmm_control *c);

/*
 * The next request that is waiting, without blocking; false: none.  Clients have their turn one
 * after the other.  Lines that are no requests are answered here and cost nothing else.  nr_vcpus:
 * those there are.  Each request wants one answer before the next is asked for; it goes to whose
 * request it was, if that is still there.
 */
bool vmm_control_next(struct vmm_control *c, unsigned nr_vcpus, struct vmm_request *ret);

/* {"ok":true,MORE}; more: members, or "". */
void vmm_control_done(struct vmm_control *c, const char *more);
/* {"ok":false,"error":TEXT} */
void vmm_control_refuse(struct vmm_control *c, const char *text);

#endif
