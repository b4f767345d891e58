/* Knows what every space promises, whatever it is made of: no wrapping, no empty piece. */
#include <inquest/space.h>

#include <inttypes.h>

enum inq_status inq_read(const struct inq_space *sp, uint64_t addr, void *buf, size_t n,
			 struct inq_err *err)
{
	if (!n)
		return INQ_OK;
	if (addr + (n - 1) < addr)
		return inq_fail(err, INQ_EUSAGE, "%s: range wraps at 0x%" PRIx64, sp->name, addr);
	return sp->read(sp, addr, buf, n, err);
}

enum inq_status inq_runs(const struct inq_space *sp, uint64_t addr, size_t n, struct inq_run *ret,
			 struct inq_err *err)
{
	if (!n || addr + (n - 1) < addr)
		return inq_fail(err, INQ_EUSAGE, "%s: empty or wrapping range at 0x%" PRIx64,
				sp->name, addr);
	if (!sp->runs)
		return inq_fail(err, INQ_EUNSUPPORTED, "%s: nothing lies mapped", sp->name);
	return sp->runs(sp, addr, n, ret, err);
}
