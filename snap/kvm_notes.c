/* Knows which registers of KVM's debuggers find where: NT_PRSTATUS, and QEMU's note. */
#include "snap/kvm_notes.h"

#include <linux/kvm.h>
#include <stddef.h>

void snap_kvm_prstatus(struct snap_notes *n, unsigned index, const struct kvm_regs *r,
		       const struct kvm_sregs *q)
{
	const uint64_t reg[SNAP_NR_USER_REGS] = {
		[SNAP_R15] = r->r15,
		[SNAP_R14] = r->r14,
		[SNAP_R13] = r->r13,
		[SNAP_R12] = r->r12,
		[SNAP_RBP] = r->rbp,
		[SNAP_RBX] = r->rbx,
		[SNAP_R11] = r->r11,
		[SNAP_R10] = r->r10,
		[SNAP_R9] = r->r9,
		[SNAP_R8] = r->r8,
		[SNAP_RAX] = r->rax,
		[SNAP_RCX] = r->rcx,
		[SNAP_RDX] = r->rdx,
		[SNAP_RSI] = r->rsi,
		[SNAP_RDI] = r->rdi,
		[SNAP_ORIG_RAX] = UINT64_MAX, /* not in a system call */
		[SNAP_RIP] = r->rip,
		[SNAP_CS] = q->cs.selector,
		[SNAP_RFLAGS] = r->rflags,
		[SNAP_RSP] = r->rsp,
		[SNAP_SS] = q->ss.selector,
		[SNAP_FS_BASE] = q->fs.base,
		[SNAP_GS_BASE] = q->gs.base,
		[SNAP_DS] = q->ds.selector,
		[SNAP_ES] = q->es.selector,
		[SNAP_FS] = q->fs.selector,
		[SNAP_GS] = q->gs.selector,
	};

	snap_notes_prstatus(n, index, reg);
}

static struct snap_qemu_segment qemu_segment(const struct kvm_segment *s)
{
	return (struct snap_qemu_segment){
		.selector = s->selector,
		.limit = s->limit,
		.flags = (uint32_t)s->type << 8 | (uint32_t)s->s << 12 | (uint32_t)s->dpl << 13 |
			 (uint32_t)s->present << 15 | (uint32_t)s->avl << 20 |
			 (uint32_t)s->l << 21 | (uint32_t)s->db << 22 | (uint32_t)s->g << 23,
		.base = s->base,
	};
}

void snap_kvm_qemu(struct snap_notes *n, const struct kvm_regs *r, const struct kvm_sregs *q,
		   const uint64_t *kernel_gs_base)
{
	struct snap_qemu_cpu c = {
		.version = 1,
		.size = sizeof(c),
		.rax = r->rax,
		.rbx = r->rbx,
		.rcx = r->rcx,
		.rdx = r->rdx,
		.rsi = r->rsi,
		.rdi = r->rdi,
		.rsp = r->rsp,
		.rbp = r->rbp,
		.r = {r->r8, r->r9, r->r10, r->r11, r->r12, r->r13, r->r14, r->r15},
		.rip = r->rip,
		.rflags = r->rflags,
		.cs = qemu_segment(&q->cs),
		.ds = qemu_segment(&q->ds),
		.es = qemu_segment(&q->es),
		.fs = qemu_segment(&q->fs),
		.gs = qemu_segment(&q->gs),
		.ss = qemu_segment(&q->ss),
		.ldt = qemu_segment(&q->ldt),
		.tr = qemu_segment(&q->tr),
		.gdt = {.limit = q->gdt.limit, .base = q->gdt.base},
		.idt = {.limit = q->idt.limit, .base = q->idt.base},
		.cr = {q->cr0, 0, q->cr2, q->cr3, q->cr4},
	};

	if (kernel_gs_base)
		c.kernel_gs_base = *kernel_gs_base;
	else
		c.size = offsetof(struct snap_qemu_cpu, kernel_gs_base); /* it has none */
	snap_notes_foreign(n, "QEMU", 0, &c, c.size);
}
