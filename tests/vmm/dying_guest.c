/*
 * usage: dying_guest FILE
 * A guest that dies instead of getting anywhere: vCPU 1 writes a POST code and takes #UD with an
 * empty IDT.  The snapshot
 * must be written all the same, with the reason in it, and the run must fail.
 */
#include <stdio.h>
#include <string.h>

#include "vmm/run.h"

static enum inq_status draw(struct vmm_plan *p, struct vmm_rng *rng, struct inq_err *err)
{
	static const uint8_t ud2[] = {0xb0, 0x10, 0xe6, 0x80, 0x0f, 0x0b}; /* mov al; out; ud2 */
	enum inq_status st = vmm_plan_count(p, rng, err);
	struct vmm_code *c = &p->cpu[1].code;

	memcpy(c->bytes, ud2, sizeof(ud2));
	return st;
}

static const struct vmm_scenario dies = {
	.name = "dies", .doc = "a test's own", .kind = VMM_FAULT, .draw = draw};

int main(int argc, char **argv)
{
	struct inq_err err;
	struct vmm_run r = {.scenario = &dies,
			    .seed = 1,
			    .mib = 16,
			    .timeout_s = 30,
			    .nr_vcpus = 2,
			    .snapshot = argc > 1 ? argv[1] : "x.core"};

	if (!vmm_run(&r, &err))
		return 0;
	fprintf(stderr, "%s\n", err.msg);
	return 1;
}
