/*
 * usage: write_cost FILE MIB [FORMAT]
 * Memory of that size, no page of it zero, as a core: what a snapshot's writing takes where there
 * is no KVM to run a guest.  Prints write_ns, as inquest-vmm run --timing does.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "vmm/flight.h"
#include "vmm/snapshot.h"

int main(int argc, char **argv)
{
	struct vmm_snapshot s = {.host = "producer=write_cost\n",
				 .header = {.nr_vcpus = 1, .reason_vcpu = INQ_SNAP_VM}};
	struct vmm_memory *m = NULL;
	struct vmm_snapshot_done done;
	struct snap_out out;
	struct inq_err err;

	if (argc < 3 || argc > 4 || (argc == 4 && !vmm_format_find(argv[3], &s.format)))
		return 2;
	enum inq_status st =
		vmm_memory_create(&m, strtoull(argv[2], NULL, 0), NULL, 0, false, &err);
	if (!st)
		st = snap_out_open(&out, argv[1], &err);
	if (!st) {
		s.mem = m;
		vmm_memory_fill(m, 1);
		uint64_t began = vmm_now();
		st = vmm_snapshot_write(&s, &out, &done, &err);
		if (!st)
			st = snap_out_commit(&out, &err);
		if (!st)
			printf("write_ns=%" PRIu64 "\n", vmm_now() - began);
		snap_out_close(&out);
	}
	vmm_memory_destroy(m);
	if (st)
		fprintf(stderr, "%s\n", err.msg);
	return st != INQ_OK;
}
