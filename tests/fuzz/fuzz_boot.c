/* Any bytes as a kernel, in every format: laid into memory or refused with a line. */
#include <stdlib.h>
#include <string.h>

#include "vmm/boot/boot.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	static const char *const names[] = {"auto", "linux64", "pvh", "multiboot", "flat"};
	static struct vmm_memory *mem; /* kept: what lies in it does not matter */
	struct inq_err err;

	if (!mem && vmm_memory_create(&mem, VMM_MIN_MIB, NULL, 0, false, &err))
		abort();
	for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++) {
		struct vmm_boot how = {.format = names[i]};
		uint8_t *copy = malloc(n ? n : 1); /* its end is watched */
		struct vmm_boot_start start;
		struct vmm_boot_load l = {.how = &how,
					  .mem = mem,
					  .kernel = {"k", copy, n},
					  .low_end = VMM_MIN_MIB * VMM_MIB};

		if (!copy)
			return 0;
		if (n)
			memcpy(copy, data, n);
		err.msg[0] = 0;
		if (vmm_boot_install(&l, &start, &err) ? !err.msg[0] : start.rip >= VMM_HIGH)
			abort();
		free(copy);
	}
	return 0;
}
