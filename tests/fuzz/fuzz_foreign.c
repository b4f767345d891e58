/*
 * Fuzz target: any bytes as a dump of another VMM or of Windows, and what machine/ makes of its
 * state: named values of CPUs (QEMU, VMware), headers and lists of processors (Windows).
 */
#include <string.h>

#include "machine/machine.h"
#include "machine/windows.h"
#include "tests/fuzz/file.h"
#include "tests/fuzz/must.h"
#include "tests/fuzz/touch_machine.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

enum { SEARCHED = 4 << 20 }; /* bytes, after which the search for a kernel is ended */

static bool go_on(void *ctx, uint64_t done, uint64_t total)
{
	(void)ctx;
	(void)total;
	return done < SEARCHED;
}

static void touch_windows(const struct inq_windows *w, uint32_t nr_cpus)
{
	MUST(w->nr_cpus <= nr_cpus);
	MUST(w->crashed >= -1 && w->crashed < (int64_t)w->nr_cpus);
	MUST(w->hung >= -1 && w->hung < (int64_t)w->nr_cpus);
	MUST(memchr(w->why, 0, sizeof(w->why)));
	for (uint32_t i = 0; i < w->nr_cpus; i++)
		MUST(w->cpus[i].prcb || !w->cpus[i].has_context || w->crashed == (int64_t)i);
	MUST(!machine_bugcheck_parameter(w->bugcheck, 0) &&
	     !machine_bugcheck_parameter(w->bugcheck, 5));
	const char *name = machine_bugcheck_name(w->bugcheck);
	for (unsigned int nr = 1; nr <= 4; nr++)
		MUST(name || !machine_bugcheck_parameter(w->bugcheck, nr));
}

static void touch(const struct inq_dump *dump)
{
	struct inq_machine *m = NULL;
	struct inq_err err = {0};

	if (machine_open(dump, &m, &err)) {
		MUST(!m && *err.msg);
		return;
	}
	machine_on_search(m, go_on, NULL);
	if (m->windows)
		touch_windows(m->windows, m->nr_cpus);
	touch_machine(m);
	machine_close(m);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	struct inq_dump *dump = NULL;
	struct inq_err err = {0};

	if (!inq_dump_open(fuzz_file(data, n, 0), &dump, &err))
		touch(dump);
	inq_dump_close(dump);
	return 0;
}
