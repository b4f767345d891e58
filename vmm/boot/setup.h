/* The vCPUs of an image as they begin. */
#ifndef VMM_BOOT_SETUP_H
#define VMM_BOOT_SETUP_H

#include "vmm/boot/boot.h"
#include "vmm/vm.h"

/* GDT and page tables that the first vCPU begins with. */
INQ_MUST enum inq_status vmm_boot_put_tables(const struct vmm_boot_load *l,
					     const struct vmm_boot_start *s, struct inq_err *err);

/* Registers of the first vCPU; the others wait for INIT and SIPI. */
INQ_MUST enum inq_status vmm_boot_setup(struct vmm_vcpu *v, const struct vmm_boot_start *s,
					struct inq_err *err);

#endif
