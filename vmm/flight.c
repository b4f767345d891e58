/*
 * Knows which data of each KVM exit is worth keeping, and how little may be spent on it: 64 bytes
 * are filled in place, no lock, no call into the kernel but the vDSO's clock.  The RIP comes from
 * KVM_CAP_SYNC_REGS, which makes KVM leave the registers in the kvm_run page at every exit.
 * Source: include/uapi/linux/kvm.h, struct kvm_run; Documentation/virt/kvm/api.rst, 5.
 */
#include "vmm/flight.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <time.h>

_Static_assert(sizeof(struct inq_snap_flight) == INQ_SNAP_FLIGHT_BYTES, "file format");
_Static_assert(sizeof(struct inq_snap_ring) == 40, "no padding in the file format");
_Static_assert(sizeof(struct inq_snap_rip) == 24, "no padding in the file format");
_Static_assert(sizeof(struct inq_snap_last_known) == 24, "no padding in the file format");
_Static_assert(!(INQ_SNAP_FLIGHT_RECORDS & (INQ_SNAP_FLIGHT_RECORDS - 1)), "a mask is enough");

enum { EFER_LMA = 0x400 };

uint64_t vmm_now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

enum inq_status vmm_flight_init(struct vmm_flight *f, struct inq_err *err)
{
	*f = (struct vmm_flight){.at = calloc(INQ_SNAP_FLIGHT_RECORDS, sizeof(*f->at))};
	return f->at ? INQ_OK : inq_fail(err, INQ_ENOMEM, "flight record");
}

void vmm_flight_deinit(struct vmm_flight *f)
{
	free(f->at);
	*f = (struct vmm_flight){0};
}

static struct inq_snap_flight *begin(const struct vmm_flight *f, enum inq_snap_flight_what what)
{
	struct inq_snap_flight *r = &f->at[f->next & (INQ_SNAP_FLIGHT_RECORDS - 1)];

	*r = (struct inq_snap_flight){.nr = f->next, .t_ns = vmm_now(), .what = (uint16_t)what};
	return r;
}

uint64_t vmm_flight_rip(const struct kvm_regs *regs, const struct kvm_sregs *sregs)
{
	uint64_t rip = sregs->cs.base + regs->rip;

	return sregs->efer & EFER_LMA && sregs->cs.l ? rip : (uint32_t)rip;
}

static void set_value(struct inq_snap_flight *r, uint64_t v)
{
	r->value = v;
	r->flags |= INQ_FLIGHT_VALUE;
}

static void set_addr(struct inq_snap_flight *r, uint64_t addr)
{
	r->addr = addr;
	r->flags |= INQ_FLIGHT_ADDR;
}

static void set_bytes(struct inq_snap_flight *r, const uint8_t *at, size_t n)
{
	uint64_t v = 0;

	memcpy(&v, at, n < sizeof(v) ? n : sizeof(v));
	set_value(r, v);
}

/* What the guest reads is only known once the exit was handled. */
static void of_io(struct inq_snap_flight *r, const struct kvm_run *run, size_t run_bytes)
{
	uint64_t off = run->io.data_offset, n = (uint64_t)run->io.size * run->io.count;

	set_addr(r, run->io.port);
	r->size = run->io.size;
	r->items = run->io.count;
	if (run->io.direction != KVM_EXIT_IO_OUT)
		return;
	r->flags |= INQ_FLIGHT_WRITE;
	if (n && off <= run_bytes && n <= run_bytes - off)
		set_bytes(r, (const uint8_t *)run + off, run->io.size);
}

static void of_mmio(struct inq_snap_flight *r, const struct kvm_run *run)
{
	set_addr(r, run->mmio.phys_addr);
	r->size = run->mmio.len;
	r->items = 1;
	if (!run->mmio.is_write)
		return;
	r->flags |= INQ_FLIGHT_WRITE;
	set_bytes(r, run->mmio.data, run->mmio.len);
}

static void of_reason(struct inq_snap_flight *r, const struct kvm_run *run, size_t run_bytes)
{
	switch (run->exit_reason) {
	case KVM_EXIT_IO:
		of_io(r, run, run_bytes);
		break;
	case KVM_EXIT_MMIO:
		of_mmio(r, run);
		break;
	case KVM_EXIT_DEBUG:
		set_addr(r, run->debug.arch.pc);
		set_value(r, run->debug.arch.dr6);
		break;
	case KVM_EXIT_FAIL_ENTRY:
		set_value(r, run->fail_entry.hardware_entry_failure_reason);
		break;
	case KVM_EXIT_INTERNAL_ERROR:
		set_value(r, run->internal.suberror);
		break;
	case KVM_EXIT_SYSTEM_EVENT:
		set_value(r, run->system_event.type);
		break;
	case KVM_EXIT_X86_WRMSR:
		r->flags |= INQ_FLIGHT_WRITE;
		set_value(r, run->msr.data);
		set_addr(r, run->msr.index);
		break;
	case KVM_EXIT_X86_RDMSR:
		set_addr(r, run->msr.index);
		break;
	default:
		break;
	}
}

void vmm_flight_exit(struct vmm_flight *f, const struct kvm_run *run, size_t run_bytes, bool synced,
		     int e)
{
	struct inq_snap_flight *r = begin(f, INQ_FLIGHT_RUN);

	/* with immediate_exit, and after a failure, the page still holds an older reason */
	r->reason = !e ? run->exit_reason : e == EINTR ? KVM_EXIT_INTR : KVM_EXIT_UNKNOWN;
	r->error = e;
	r->flags = INQ_FLIGHT_SMM_KNOWN;
	if (run->flags & KVM_RUN_X86_SMM)
		r->flags |= INQ_FLIGHT_SMM;
	if (synced) {
		r->rip = vmm_flight_rip(&run->s.regs.regs, &run->s.regs.sregs);
		r->flags |= INQ_FLIGHT_RIP;
	}
	if (!e)
		of_reason(r, run, run_bytes);
	f->next++;
}

void vmm_flight_note(struct vmm_flight *f, unsigned long request, int e)
{
	struct inq_snap_flight *r = begin(f, INQ_FLIGHT_IOCTL);

	r->reason = (uint32_t)request;
	r->error = e;
	f->next++;
}

int vmm_flight_ioctl(struct vmm_flight *f, int fd, unsigned long request, void *arg)
{
	int ret = ioctl(fd, request, arg), e = ret < 0 ? errno : 0;

	vmm_flight_note(f, request, e);
	errno = e;
	return ret;
}

const struct inq_snap_flight *vmm_flight_newest(const struct vmm_flight *f)
{
	return &f->at[(f->next - 1) & (INQ_SNAP_FLIGHT_RECORDS - 1)];
}

void vmm_flight_copy(const struct vmm_flight *f, struct inq_snap_flight *to,
		     struct inq_snap_ring *ret)
{
	uint64_t n = f->next < INQ_SNAP_FLIGHT_RECORDS ? f->next : INQ_SNAP_FLIGHT_RECORDS;
	uint64_t first = f->next - n, at = first & (INQ_SNAP_FLIGHT_RECORDS - 1);
	uint64_t head = INQ_SNAP_FLIGHT_RECORDS - at < n ? INQ_SNAP_FLIGHT_RECORDS - at : n;

	memcpy(to, f->at + at, head * sizeof(*to));
	memcpy(to + head, f->at, (n - head) * sizeof(*to));
	*ret = (struct inq_snap_ring){.bytes = n * sizeof(*to),
				      .first = first,
				      .count = (uint32_t)n,
				      .record_bytes = sizeof(*to)};
}
