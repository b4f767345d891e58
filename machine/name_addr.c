/* Knows how a name becomes the one address that it is meant for. */
#include "machine/name_addr.h"

#include <inttypes.h>
#include <string.h>

#include <inquest/names.h>

#include "machine/place.h"
#include "machine/vars.h"

enum { NAME = 512 }; /* KSYM_NAME_LEN since 6.1 */

/* Functions of files may be named alike; which is meant nobody can tell. */
static enum inq_status only_one(const struct inq_machine *m, const char *name, struct inq_err *err)
{
	struct inq_symbol first, s;

	if (inq_symbol_named(m, name, 0, &first, NULL))
		return INQ_OK;
	for (size_t i = 1; !inq_symbol_named(m, name, i, &s, NULL); i++)
		if (s.addr != first.addr)
			return inq_fail(err, INQ_EUSAGE,
					"%s is at 0x%" PRIx64 ", at 0x%" PRIx64
					" and maybe more: write the address",
					name, first.addr, s.addr);
	return INQ_OK;
}

/* The table of bases has more entries than there are CPUs; those say nothing. */
static enum inq_status base_of(const struct inq_machine *m, uint32_t cpu, uint64_t *ret,
			       struct inq_err *err)
{
	uint32_t nr = 0;

	if (!inq_nr_cpus(m, &nr, NULL) && cpu >= nr)
		return inq_fail(err, INQ_ENOTFOUND, "cpu %" PRIu32 ": the kernel has %" PRIu32, cpu,
				nr);
	return inq_per_cpu_base(m, cpu, ret, err);
}

enum inq_status machine_name_addr(const struct inq_machine *m, const char *text, size_t n,
				  const uint32_t *cpu, struct machine_name *ret,
				  struct inq_err *err)
{
	char name[NAME];
	const char *at = memchr(text, '@', n);
	size_t len = at ? (size_t)(at - text) : n;
	struct machine_var v;
	uint64_t whose = cpu ? *cpu : 0, base = 0;

	if (!len || len >= sizeof(name))
		return inq_fail(err, INQ_ENOTFOUND, "%.40s: no name", text);
	memcpy(name, text, len);
	name[len] = '\0';
	if (at && (!machine_number(at + 1, n - len - 1, &whose) || whose > UINT32_MAX))
		return inq_fail(err, INQ_EUSAGE, "%.80s: no number of a CPU behind the @", text);
	enum inq_status st = machine_var(m, name, &v, err);
	st = st ? st : only_one(m, name, err);
	if (st)
		return st;
	if (at && !v.is_per_cpu)
		return inq_fail(err, INQ_EUSAGE, "%s is no per-CPU variable", name);
	if (v.is_per_cpu && !at && !cpu)
		return inq_fail(err, INQ_EUSAGE, "each CPU has a %s: write %s@CPU", name, name);
	if (v.is_per_cpu && (st = base_of(m, (uint32_t)whose, &base, err)))
		return st;
	*ret = (struct machine_name){base + v.addr, v.size};
	return INQ_OK;
}
