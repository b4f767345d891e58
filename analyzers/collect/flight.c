/*
 * What the producer saw of the vCPUs before the snapshot: the flight record, RIP samples, and the
 * registers before a triple fault.  Numbers of ioctls: Linux include/uapi/linux/kvm.h; layouts of
 * struct kvm_regs and kvm_sregs: arch/x86/include/uapi/asm/kvm.h.
 */
#include <errno.h>
#include <inttypes.h>

#include "analyzers/collect/collectors.h"
#include "analyzers/collect/values.h"
#include "arch/x86_64/decode.h"
#include "base/span.h"

enum { SAMPLE_NOW = 0, SAMPLE_LAST_KNOWN = 1 };

static const struct inq_column flight_cols[] = {
	COLS_OF_CPU,
	{"nr", INQ_INT, "number of the record, from 0; what is missing was overwritten"},
	{"t_ns", INQ_INT, "when, in ns of the host's CLOCK_MONOTONIC"},
	{"what", INQ_TEXT, "run: KVM_RUN returned; ioctl: an ioctl changed the vCPU"},
	{"exit_reason", INQ_INT, "run: KVM_EXIT_*; ioctl: its number; NULL: KVM_RUN failed"},
	{"exit_name", INQ_TEXT, "the same in words"},
	{"rip", INQ_ADDR, "linear instruction pointer when KVM_RUN returned"},
	{"smm", INQ_INT, "1: in system-management mode then"},
	{"addr", INQ_ADDR, "port, guest-physical address, MSR, or pc of a debug stop"},
	{"is_write", INQ_INT, "1: the guest wrote to it, 0: it read"},
	{"value", INQ_INT, "written (first item, 8 bytes at most), suberror, failure reason, dr6"},
	{"size", INQ_INT, "bytes of one item"},
	{"items", INQ_INT, "how many items"},
	{"error", INQ_INT, "errno; EINTR (4): the vCPU was kicked out"},
	{0},
};

static const struct {
	uint32_t nr;
	const char *name;
} ioctls[] = {
	{0x0000aeb7, "KVM_SMI"},
	{0x0000ae9a, "KVM_NMI"},
	{0x4090ae82, "KVM_SET_REGS"},
	{0x4138ae84, "KVM_SET_SREGS"},
	{0x4140aecd, "KVM_SET_SREGS2"},
	{0x4008ae89, "KVM_SET_MSRS"},
	{0x4008ae90, "KVM_SET_CPUID2"},
	{0x4004ae99, "KVM_SET_MP_STATE"},
	{0x4048ae9b, "KVM_SET_GUEST_DEBUG"},
	{0x4400ae8f, "KVM_SET_LAPIC"},
	{0x4040aea0, "KVM_SET_VCPU_EVENTS"},
	{0x4080aea2, "KVM_SET_DEBUGREGS"},
	{0x5000aea5, "KVM_SET_XSAVE"},
	{0x4188aea7, "KVM_SET_XCRS"},
	{0x4080aebf, "KVM_SET_NESTED_STATE"},
	{0x41a0ae8d, "KVM_SET_FPU"},
	{0x0000aea2, "KVM_SET_TSC_KHZ"},
	{0x4004ae86, "KVM_INTERRUPT"},
	{0x0000aead, "KVM_KVMCLOCK_CTRL"},
	{0x4008ae9c, "KVM_X86_SETUP_MCE"},
	{0x4040ae9e, "KVM_X86_SET_MCE"},
};

static struct inq_value ioctl_name(uint32_t nr)
{
	for (size_t i = 0; i < sizeof(ioctls) / sizeof(*ioctls); i++)
		if (ioctls[i].nr == nr)
			return INQ_V_TEXT(ioctls[i].name);
	return INQ_V_NULL;
}

static struct inq_value if_flag(uint32_t flags, uint32_t flag, struct inq_value v)
{
	return flags & flag ? v : INQ_V_NULL;
}

static struct inq_value smm_of(uint32_t flags)
{
	return if_flag(flags, INQ_FLIGHT_SMM_KNOWN, INQ_V_INT(!!(flags & INQ_FLIGHT_SMM)));
}

static struct inq_value what_name(uint16_t what)
{
	return what == INQ_FLIGHT_RUN     ? INQ_V_TEXT("run")
	       : what == INQ_FLIGHT_IOCTL ? INQ_V_TEXT("ioctl")
					  : INQ_V_NULL;
}

static enum inq_status flight_row(const struct inq_ring *ring, uint64_t nr,
				  const struct inq_snap_flight *r, struct inq_sink *out,
				  struct inq_err *err)
{
	bool run = r->what == INQ_FLIGHT_RUN, ioctl = r->what == INQ_FLIGHT_IOCTL;
	bool reason = ioctl || (run && (!r->error || r->error == EINTR));
	struct inq_value name = INQ_V_NULL;
	char buf[64] = "";

	if (reason && run) {
		x86_64_describe(X86_64_EXIT_REASON, r->reason, buf, sizeof(buf));
		name = v_text(buf);
	} else if (ioctl) {
		name = ioctl_name(r->reason);
	}
	return INQ_ROW(out, err, INQ_V_INT(SAMPLE_NOW), INQ_V_INT(ring->vcpu), INQ_V_INT(nr),
		       INQ_V_INT(r->t_ns), what_name(r->what),
		       reason ? INQ_V_INT(r->reason) : INQ_V_NULL, name,
		       if_flag(r->flags, INQ_FLIGHT_RIP, INQ_V_ADDR(r->rip)), smm_of(r->flags),
		       if_flag(r->flags, INQ_FLIGHT_ADDR, INQ_V_ADDR(r->addr)),
		       r->items ? INQ_V_INT(!!(r->flags & INQ_FLIGHT_WRITE)) : INQ_V_NULL,
		       if_flag(r->flags, INQ_FLIGHT_VALUE, INQ_V_INT(r->value)),
		       r->items ? INQ_V_INT(r->size) : INQ_V_NULL,
		       r->items ? INQ_V_INT(r->items) : INQ_V_NULL, INQ_V_INT(r->error));
}

static enum inq_status of_ring(const struct inq_machine *m, const struct inq_ring *ring,
			       struct inq_sink *out, struct inq_err *err)
{
	for (uint32_t i = 0; i < ring->count; i++) {
		struct inq_snap_flight r;
		struct inq_err why;
		enum inq_status st = inq_dump_flight(m->dump, ring, i, &r, &why);

		if (!st && r.nr != ring->first + i)
			st = inq_fail(&why, INQ_ECORRUPT,
				      "cpu %" PRIu32 ": flight record %" PRIu64
				      " says that it is %" PRIu64,
				      ring->vcpu, ring->first + i, r.nr);
		if (st) /* what follows is not better */
			return inq_gap(out, m->dump->phys, 0, 0, &why, err);
		st = flight_row(ring, r.nr, &r, out, err);
		if (st)
			return st;
	}
	return INQ_OK;
}

static enum inq_status run_flight(const struct inq_machine *m, struct inq_sink *out,
				  struct inq_err *err)
{
	enum inq_status st = INQ_OK;

	for (size_t i = 0; !st && !m->parent && i < m->dump->nr_rings; i++)
		st = of_ring(m, &m->dump->rings[i], out, err);
	return st;
}

const struct inq_collector collect_flight = {
	.table = "flight",
	.doc = "the newest records of what each vCPU left KVM_RUN for",
	.cols = flight_cols,
	.nr_keys = 3,
	.run = run_flight,
};

static const struct inq_column rip_cols[] = {
	COLS_OF_CPU,
	{"nr", INQ_INT, "number of the sample, from 0"},
	{"rip", INQ_ADDR, "linear instruction pointer"},
	{"smm", INQ_INT, "1: in system-management mode"},
	{"halted", INQ_INT, "1: waited in HLT"},
	{"t_ns", INQ_INT, "when, in ns of the host's CLOCK_MONOTONIC"},
	{0},
};

static enum inq_status rips_of(const struct inq_machine *m, const struct inq_blob *b,
			       struct inq_sink *out, struct inq_err *err)
{
	struct span s = span_of(b->p, b->n);
	enum inq_status st = INQ_OK;

	for (int64_t nr = 0; !st && s.left >= sizeof(struct inq_snap_rip); nr++) {
		uint64_t t = span_u64le(&s), rip = span_u64le(&s);
		uint32_t flags = span_u32le(&s);

		span_skip(&s, sizeof(uint32_t));
		st = INQ_ROW(out, err, INQ_V_INT(SAMPLE_NOW), INQ_V_INT(b->vcpu), INQ_V_INT(nr),
			     if_flag(flags, INQ_FLIGHT_RIP, INQ_V_ADDR(rip)), smm_of(flags),
			     if_flag(flags, INQ_FLIGHT_HALT_KNOWN,
				     INQ_V_INT(!!(flags & INQ_FLIGHT_HALTED))),
			     INQ_V_INT(t));
	}
	if (!st && s.left) {
		struct inq_err why;

		(void)inq_fail(&why, INQ_ECORRUPT, "cpu %" PRIu32 ": half a rip sample", b->vcpu);
		st = inq_gap(out, m->dump->phys, 0, 0, &why, err);
	}
	return st;
}

/* Present, of a CPU, and the one that counts. */
static bool is_first(const struct inq_machine *m, const struct inq_blob *b, uint32_t sample,
		     uint32_t kind)
{
	return b->kind == kind && b->sample == sample && b->p && b->vcpu != INQ_SNAP_VM &&
	       inq_dump_blob(m->dump, b->vcpu, sample, kind) == b;
}

static enum inq_status run_rips(const struct inq_machine *m, struct inq_sink *out,
				struct inq_err *err)
{
	enum inq_status st = INQ_OK;

	for (size_t i = 0; !st && !m->parent && i < m->dump->nr_blobs; i++)
		if (is_first(m, &m->dump->blobs[i], SAMPLE_NOW, INQ_SNAP_RIPS))
			st = rips_of(m, &m->dump->blobs[i], out, err);
	return st;
}

const struct inq_collector collect_rip_sample = {
	.table = "rip_sample",
	.doc = "where each vCPU was, about 1 ms apart, just before the snapshot",
	.cols = rip_cols,
	.nr_keys = 3,
	.run = run_rips,
};

static const struct inq_column last_cols[] = {
	COLS_OF_CPU,
	{"nr", INQ_INT, "number of the flight record that they are of"},
	{"t_ns", INQ_INT, "when, in ns of the host's CLOCK_MONOTONIC"},
	{"age_ns", INQ_INT, "from then to the triple fault, in ns"},
	{"rip", INQ_ADDR, "instruction pointer, relative to cs_base"},
	{"cs_base", INQ_ADDR, "base of the code segment"},
	{"rsp", INQ_ADDR, "stack pointer"},
	{"rflags", INQ_INT, "flags"},
	{"cr0", INQ_INT, "control register 0"},
	{"cr2", INQ_ADDR, "address of the last page fault"},
	{"cr3", INQ_ADDR, "page-table root"},
	{"cr4", INQ_INT, "control register 4"},
	{"efer", INQ_INT, "extended features"},
	{0},
};

/* 8 bytes of a blob of sample 1; unknown when it does not hold them. */
static struct inq_value word(const struct inq_blob *b, size_t off, enum inq_kind kind)
{
	uint64_t v;

	if (!b || !b->p || !span_at(b->p, b->n, off, 8, &v))
		return INQ_V_NULL;
	return (struct inq_value){.kind = kind, .i = (int64_t)v};
}

static enum inq_status last_known_of(const struct inq_machine *m, const struct inq_blob *b,
				     struct inq_sink *out, struct inq_err *err)
{
	enum { RSP = 48, RIP = 128, RFLAGS = 136 };
	enum { CS_BASE = 0, CR0 = 224, CR2 = 232, CR3 = 240, CR4 = 248, EFER = 264 };
	const struct inq_blob *regs, *sregs;

	regs = inq_dump_blob(m->dump, b->vcpu, SAMPLE_LAST_KNOWN, INQ_SNAP_REGS);
	sregs = inq_dump_blob(m->dump, b->vcpu, SAMPLE_LAST_KNOWN, INQ_SNAP_SREGS);
	return INQ_ROW(
		out, err, INQ_V_INT(SAMPLE_LAST_KNOWN), INQ_V_INT(b->vcpu), word(b, 0, INQ_INT),
		word(b, 8, INQ_INT), word(b, 16, INQ_INT), word(regs, RIP, INQ_ADDR),
		word(sregs, CS_BASE, INQ_ADDR), word(regs, RSP, INQ_ADDR),
		word(regs, RFLAGS, INQ_INT), word(sregs, CR0, INQ_INT), word(sregs, CR2, INQ_ADDR),
		word(sregs, CR3, INQ_ADDR), word(sregs, CR4, INQ_INT), word(sregs, EFER, INQ_INT));
}

static enum inq_status run_last_known(const struct inq_machine *m, struct inq_sink *out,
				      struct inq_err *err)
{
	enum inq_status st = INQ_OK;

	for (size_t i = 0; !st && !m->parent && i < m->dump->nr_blobs; i++)
		if (is_first(m, &m->dump->blobs[i], SAMPLE_LAST_KNOWN, INQ_SNAP_LAST_KNOWN))
			st = last_known_of(m, &m->dump->blobs[i], out, err);
	return st;
}

const struct inq_collector collect_last_known = {
	.table = "last_known",
	.doc = "registers some time before a triple fault; not those of the crash",
	.cols = last_cols,
	.nr_keys = 2,
	.run = run_last_known,
};
