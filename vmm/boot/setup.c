/* Knows the modes in which an image's first instruction is executed. */
#include "vmm/boot/setup.h"

#include <errno.h>
#include <string.h>
#include <sys/ioctl.h>

enum { PRESENT = 1, WRITABLE = 2, LARGE = 0x80, CODE_SELECTOR = 0x10, DATA_SELECTOR = 0x18 };
enum { GDT_LIMIT = 4 * 8 - 1, STACK = 0x8ff0 };

static enum inq_status put_page_tables(const struct vmm_boot_load *l, struct inq_err *err)
{
	uint64_t t[6 * 512] = {0};
	const uint64_t at = VMM_BOOT_TABLES, flags = PRESENT | WRITABLE;

	t[0] = (at + VMM_PAGE) | flags;
	for (uint64_t i = 0; i < 4; i++)
		t[512 + i] = (at + (2 + i) * VMM_PAGE) | flags;
	for (uint64_t i = 0; i < 4 * UINT64_C(512); i++)
		t[1024 + i] = i << 21 | flags | LARGE;
	return vmm_boot_put(l, at, t, sizeof(t), "page tables", err);
}

/* Selectors as Linux's boot protocol wants them: 0x10 code, 0x18 data. */
enum inq_status vmm_boot_put_tables(const struct vmm_boot_load *l, const struct vmm_boot_start *s,
				    struct inq_err *err)
{
	bool wide = s->mode == VMM_MODE_LONG;
	const uint64_t gdt[4] = {0, 0, wide ? 0x00af9b000000ffff : 0x00cf9b000000ffff,
				 0x00cf93000000ffff};

	if (s->mode == VMM_MODE_REAL)
		return INQ_OK;
	enum inq_status st = vmm_boot_put(l, VMM_BOOT_GDT, gdt, sizeof(gdt), "the GDT", err);
	return st || !wide ? st : put_page_tables(l, err);
}

static struct kvm_segment flat(uint16_t selector, uint8_t type)
{
	return (struct kvm_segment){.limit = 0xffffffff,
				    .selector = selector,
				    .present = 1,
				    .type = type,
				    .s = 1,
				    .db = 1,
				    .g = 1};
}

static void set_protected(struct kvm_sregs *q, bool wide)
{
	q->cs = flat(CODE_SELECTOR, 11);
	q->ds = q->es = q->fs = q->gs = q->ss = flat(DATA_SELECTOR, 3);
	q->tr = (struct kvm_segment){.limit = 0x67, .present = 1, .type = 11};
	q->gdt = (struct kvm_dtable){.base = VMM_BOOT_GDT, .limit = GDT_LIMIT};
	q->idt = (struct kvm_dtable){0};
	q->cr0 = 0x11; /* ET PE */
	if (!wide)
		return;
	q->cs.db = 0;
	q->cs.l = 1;
	q->cr3 = VMM_BOOT_TABLES;
	q->cr4 = 0x20;        /* PAE */
	q->cr0 |= 0x80000000; /* PG */
	q->efer = 0x500;      /* LMA LME */
}

static void set_real(struct kvm_sregs *q)
{
	q->cs.base = 0;
	q->cs.selector = 0;
	q->ss.base = q->ds.base = q->es.base = 0;
	q->ss.selector = q->ds.selector = q->es.selector = 0;
}

static enum inq_status refused(struct inq_err *err, unsigned vcpu, const char *what)
{
	return inq_fail(err, INQ_EIO, "/dev/kvm: vCPU %u: %s: %s", vcpu, what, strerror(errno));
}

static enum inq_status set_first(struct vmm_vcpu *v, const struct vmm_boot_start *s,
				 struct inq_err *err)
{
	struct kvm_regs r = {.rip = s->rip,
			     .rax = s->rax,
			     .rbx = s->rbx,
			     .rsi = s->rsi,
			     .rsp = s->mode == VMM_MODE_REAL ? 0x7c00 : STACK,
			     .rflags = 2};
	struct kvm_sregs q;

	if (ioctl(v->fd, KVM_GET_SREGS, &q))
		return refused(err, v->index, "KVM_GET_SREGS");
	if (s->mode == VMM_MODE_REAL) {
		set_real(&q);
		q.cs.base = s->rip & ~UINT64_C(0xffff); /* ip has 16 bits */
		q.cs.selector = (uint16_t)(q.cs.base >> 4);
		r.rip = s->rip & 0xffff;
	} else {
		set_protected(&q, s->mode == VMM_MODE_LONG);
	}
	if (vmm_flight_ioctl(&v->flight, v->fd, KVM_SET_SREGS, &q))
		return refused(err, v->index, "KVM_SET_SREGS");
	return vmm_flight_ioctl(&v->flight, v->fd, KVM_SET_REGS, &r)
		       ? refused(err, v->index, "KVM_SET_REGS")
		       : INQ_OK;
}

enum inq_status vmm_boot_setup(struct vmm_vcpu *v, const struct vmm_boot_start *s,
			       struct inq_err *err)
{
	struct kvm_mp_state mp = {v->index ? KVM_MP_STATE_UNINITIALIZED : KVM_MP_STATE_RUNNABLE};
	enum inq_status st = v->index ? INQ_OK : set_first(v, s, err);

	if (st)
		return st;
	return vmm_flight_ioctl(&v->flight, v->fd, KVM_SET_MP_STATE, &mp)
		       ? refused(err, v->index, "KVM_SET_MP_STATE")
		       : INQ_OK;
}
