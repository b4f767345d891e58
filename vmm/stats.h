/* KVM's own counters of a vCPU, as text. */
#ifndef VMM_STATS_H
#define VMM_STATS_H

#include <stddef.h>

/*
 * "name=value[,value]...\n" lines, heap; fd: of the vCPU.  NULL: errno of *ret_error says why.
 */
char *vmm_stats_text(int fd, size_t *ret_len, int *ret_error);

#endif
