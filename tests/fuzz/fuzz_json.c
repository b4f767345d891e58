/* Any bytes as a line of the control socket: read or refused; what was read stays in its room. */
#include <stdlib.h>
#include <string.h>

#include "vmm/json.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	struct vmm_json j;
	struct inq_err err = {0};

	if (vmm_json_read((const char *)data, n, &j, &err)) {
		if (!*err.msg)
			abort();
		return 0;
	}
	for (unsigned i = 0; i < j.nr; i++) {
		const struct vmm_json_member *m = &j.member[i];

		if (vmm_json_get(&j, m->key) != m)
			abort();
		if (m->text && strlen(m->text) >= n)
			abort();
	}
	return 0;
}
