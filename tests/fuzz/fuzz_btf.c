/* Fuzz target: a BTF, and behind it, where it ends by its own header, that of a module over it. */
#include <stdint.h>

#include "tests/fuzz/must.h"
#include "tests/symbols/btf_ask.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

static void look_up(const struct btf *b)
{
	struct btf_type t;
	uint32_t id;

	for (uint32_t i = btf_first(b); i < btf_end(b); i++) {
		MUST(btf_type(b, i, &t) && t.id == i);
		if (*t.name && t.kind != BTF_FUNC) {
			MUST(!btf_find(b, t.name, BTF_BIT(t.kind), i, &id, NULL));
			MUST(id == i);
		}
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	struct btf *kernel = NULL, *module = NULL;
	size_t end = btf_looks_like(data, n);

	if (!end || end > n)
		end = n;
	if (!btf_open(data, end, NULL, NULL, &kernel, NULL)) {
		look_up(kernel);
		btf_ask_all(kernel);
		if (!btf_open(data + end, n - end, kernel, "m", &module, NULL)) {
			look_up(module);
			btf_ask_all(module);
		}
	}
	btf_close(module);
	btf_close(kernel);
	return 0;
}
