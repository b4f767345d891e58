/*
 * usage: dying_guest FILE [mmio|panic|exit|entry]
 * A guest that ends instead of getting anywhere.  Without a word: vCPU 1 writes a POST code and
 * takes #UD with an empty IDT.  The snapshot must be written all the same, with the reason in it,
 * and the run must fail.  entry: vCPU 1 begins with CS.L and CS.D both set, which KVM_SET_SREGS
 * lets pass and no CPU runs (Intel SDM 3C, 26.3.1.2; AMD APM 2, 15.5.1).
 */
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>

#include "vmm/run.h"
#include "vmm/scenarios/setup.h"

struct end {
	const char *name;
	uint8_t n, code[16];
};
static const struct end ends[] = {
	{"ud2", 6, {0xb0, 0x10, 0xe6, 0x80, 0x0f, 0x0b}}, /* mov al; out; ud2 */
	/* mov al; out; mov eax, 0xe0000000; jmp rax: there is no memory */
	{"mmio", 11, {0xb0, 0x10, 0xe6, 0x80, 0xb8, 0, 0, 0, 0xe0, 0xff, 0xe0}},
	{"panic", 9, {0x66, 0xba, 0x05, 0x05, 0xb0, 0x01, 0xee, 0xeb, 0xfe}}, /* out dx, al */
	{"entry", 2, {0xeb, 0xfe}},
	{"exit", 6, {0xb0, 0x03, 0xe6, 0xf4, 0xeb, 0xfe}},
};
static const struct end *chosen = &ends[0];

static enum inq_status draw(struct vmm_plan *p, struct vmm_rng *rng, struct inq_err *err)
{
	enum inq_status st = vmm_plan_count(p, rng, err);
	struct vmm_code *c = &p->cpu[1].code;

	memcpy(c->bytes, chosen->code, chosen->n);
	return st;
}

/* The linker sends the call of scenarios/guest.c here (--wrap). */
enum inq_status __real_vmm_plan_setup(const struct vmm_plan *p, struct vmm_vcpu *v,
				      const struct kvm_cpuid2 *cpuid, struct inq_err *err);
enum inq_status __wrap_vmm_plan_setup(const struct vmm_plan *p, struct vmm_vcpu *v,
				      const struct kvm_cpuid2 *cpuid, struct inq_err *err);
enum inq_status __wrap_vmm_plan_setup(const struct vmm_plan *p, struct vmm_vcpu *v,
				      const struct kvm_cpuid2 *cpuid, struct inq_err *err)
{
	enum inq_status st = __real_vmm_plan_setup(p, v, cpuid, err);
	struct kvm_sregs s;

	if (st || v->index != 1 || strcmp(chosen->name, "entry") != 0)
		return st;
	if (ioctl(v->fd, KVM_GET_SREGS, &s))
		return inq_fail(err, INQ_EIO, "KVM_GET_SREGS");
	s.cs.db = 1;
	return ioctl(v->fd, KVM_SET_SREGS, &s) ? inq_fail(err, INQ_EIO, "KVM_SET_SREGS") : INQ_OK;
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

	for (size_t i = 0; argc > 2 && i < sizeof(ends) / sizeof(*ends); i++)
		if (!strcmp(ends[i].name, argv[2]))
			chosen = &ends[i];
	if (!vmm_run(&r, &err))
		return 0;
	fprintf(stderr, "%s\n", err.msg);
	return 1;
}
