/* Fuzz target: any text as SPACE:ADDRESS and as what to search for.  Input: the text, up to a NUL.
 */
#include <stdlib.h>
#include <string.h>

#include "machine/pattern.h"
#include "machine/place.h"
#include "tests/fuzz/blobs.h"
#include "tests/fuzz/must.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

static void touch_place(const struct inq_machine *m, const char *text)
{
	struct machine_where w;
	struct inq_err err = {0};
	uint64_t addr = 0, next = 0;
	uint8_t bytes[8];

	if (machine_place(m, text, &w, &addr, &err)) {
		MUST(err.msg[0] && memchr(err.msg, 0, sizeof(err.msg)));
		return;
	}
	MUST(w.space && w.space->name[0] && memchr(w.name, 0, sizeof(w.name)));
	if (machine_space_next(m, w.space, addr, UINT64_MAX, &next))
		MUST(next >= addr);
	(void)!inq_read(w.space, addr, bytes, sizeof(bytes), &err);
}

static void touch_pattern(const char *text, const uint8_t *data, size_t n)
{
	struct machine_pattern pt;
	struct inq_err err = {0};

	if (machine_pattern(text, &pt, &err)) {
		MUST(err.msg[0]);
		return;
	}
	MUST(pt.n && pt.n <= MACHINE_PATTERN_MAX && pt.first <= pt.last);
	for (size_t at = 0; (at = machine_pattern_find(&pt, data, n, 0x1000, at)) < n; at++)
		MUST(n - at >= pt.n);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	struct fuzz_memory phys = fuzz_memory("phys", span_of(data, n));
	struct paging_space virt, ept;
	const struct paging_mode mode = {.levels = 4, .root = 0x1000};
	const struct paging_mode outer = {.kind = PAGING_EPT, .levels = 4, .root = 0x1000};
	struct inq_cpu cpu = {.index = 0, .virt = &virt.base};
	const struct inq_space *spaces[] = {&phys.base, &virt.base, &ept.base};
	struct inq_dump dump = {.path = "fuzz", .phys = &phys.base};
	struct inq_machine m = {
		.dump = &dump, .cpus = &cpu, .nr_cpus = 1, .spaces = spaces, .nr_spaces = 3};
	char *text = malloc(n + 1);

	if (!text)
		return 0;
	memcpy(text, data, n);
	text[n] = '\0';
	paging_space_init(&ept, "nested0", &phys.base, &outer);
	paging_space_init(&virt, "cpu0-virt", &ept.base, &mode);
	touch_place(&m, text);
	touch_pattern(text, data, n);
	free(text);
	return 0;
}
