/* Knows how KVM gives the devices that it keeps for the whole VM (Linux api.rst, VM ioctls). */
#include "vmm/vmstate.h"

#include <errno.h>
#include <sys/ioctl.h>

static void take(struct vmm_vmstate *s, enum inq_snap_kind kind, bool have, int fd,
		 unsigned long request, void *to)
{
	s->state[kind] = have ? INQ_SNAP_PRESENT : INQ_SNAP_ABSENT;
	if (have && ioctl(fd, request, to) < 0) {
		s->state[kind] = INQ_SNAP_FAILED;
		s->error[kind] = (uint16_t)errno;
	}
}

void vmm_vmstate_take(struct vmm_vmstate *ret, const struct vmm_vm *vm)
{
	const int *cap = vm->caps.value;
	struct vmm_vmstate *s = ret;

	*s = (struct vmm_vmstate){0};
	take(s, INQ_SNAP_PIT2, vm->has_pit && cap[VMM_CAP_PIT_STATE2], vm->fd, KVM_GET_PIT2,
	     &s->pit);
	for (unsigned i = 0; i < 3; i++) {
		s->chip[i].chip_id = i; /* KVM_IRQCHIP_PIC_MASTER, _SLAVE, _IOAPIC */
		take(s, (enum inq_snap_kind)(INQ_SNAP_PIC1 + i), true, vm->fd, KVM_GET_IRQCHIP,
		     &s->chip[i]);
	}
	take(s, INQ_SNAP_CLOCK, cap[VMM_CAP_ADJUST_CLOCK], vm->fd, KVM_GET_CLOCK, &s->clock);
}

void vmm_vmstate_add_notes(const struct vmm_vmstate *s, struct snap_notes *n)
{
	const struct {
		enum inq_snap_kind kind;
		const void *data;
		size_t size;
	} part[] = {
		{INQ_SNAP_PIC1, &s->chip[0], sizeof(s->chip[0])},
		{INQ_SNAP_PIC2, &s->chip[1], sizeof(s->chip[1])},
		{INQ_SNAP_IOAPIC, &s->chip[2], sizeof(s->chip[2])},
		{INQ_SNAP_PIT2, &s->pit, sizeof(s->pit)},
		{INQ_SNAP_CLOCK, &s->clock, sizeof(s->clock)},
	};

	for (size_t i = 0; i < sizeof(part) / sizeof(*part); i++) {
		enum inq_snap_kind k = part[i].kind;

		if (s->state[k] == INQ_SNAP_PRESENT)
			snap_notes_add(n, INQ_SNAP_VM, k, part[i].data, part[i].size);
		else
			snap_notes_missing(n, INQ_SNAP_VM, k, (enum inq_snap_state)s->state[k],
					   s->error[k]);
	}
}
