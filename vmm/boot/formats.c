/* Knows the formats, the order in which they are tried, and where the common pieces lie. */
#include <inttypes.h>
#include <string.h>

#include "vmm/boot/boot.h"

static const struct vmm_boot_format *const formats[] = {
	&vmm_boot_bzimage, &vmm_boot_multiboot, &vmm_boot_vmlinux, &vmm_boot_pvh, &vmm_boot_flat};

enum { NR_FORMATS = sizeof(formats) / sizeof(*formats) };

/* linux64 stands for two formats, so the name alone does not decide. */
static enum inq_status find(const struct vmm_boot_load *l, const struct vmm_boot_format **ret,
			    struct inq_err *err)
{
	const char *name = l->how->format;
	bool any = !name || !strcmp(name, "auto"), known = any;

	for (unsigned i = 0; i < NR_FORMATS; i++) {
		bool named = !any && !strcmp(name, formats[i]->name);

		known |= named;
		if ((any || named) && formats[i]->probe(&l->kernel) &&
		    (named || formats[i] != &vmm_boot_flat)) {
			*ret = formats[i];
			return INQ_OK;
		}
	}
	if (!known)
		return inq_fail(err, INQ_EUSAGE,
				"--boot %s: unknown; give auto, linux64, pvh, multiboot or flat",
				name);
	if (!any)
		return inq_fail(err, INQ_EUSAGE, "%s: cannot be booted as %s; give --boot auto",
				l->kernel.path, name);
	return inq_fail(err, INQ_EUSAGE,
			"%s: neither bzImage nor vmlinux nor multiboot (wrong magic or too short); "
			"give --boot flat for a plain binary",
			l->kernel.path);
}

static void add_range(struct vmm_boot_load *l, uint64_t from, uint64_t to, uint32_t type)
{
	if (to > from)
		l->range[l->nr_ranges++] = (struct vmm_boot_range){from, to - from, type};
}

/* Base memory less its last KiB, low memory to low_end, what is kept back, high memory. */
static void make_map(struct vmm_boot_load *l)
{
	uint64_t low = 0;

	l->nr_ranges = 0;
	add_range(l, 0, VMM_BOOT_BASE_END, VMM_E820_RAM);
	add_range(l, VMM_BOOT_BASE_END, VMM_MIB, VMM_E820_RESERVED);
	for (unsigned i = 0; i < l->mem->nr_regions; i++) {
		const struct vmm_region *r = &l->mem->region[i];

		if (r->gpa >= VMM_HIGH)
			add_range(l, r->gpa, r->gpa + r->bytes, VMM_E820_RAM);
		else
			low = r->gpa + r->bytes;
		if (r->gpa < VMM_HIGH && r->gpa + r->bytes > VMM_MIB) {
			add_range(l, VMM_MIB, l->low_end, VMM_E820_RAM);
			add_range(l, l->low_end, low, VMM_E820_RESERVED);
		}
	}
}

enum inq_status vmm_boot_install(struct vmm_boot_load *l, struct vmm_boot_start *ret,
				 struct inq_err *err)
{
	const struct vmm_boot_format *f = NULL;
	enum inq_status st = find(l, &f, err);

	if (st)
		return st;
	make_map(l);
	return f->load(l, ret, err);
}

enum inq_status vmm_boot_put(const struct vmm_boot_load *l, uint64_t gpa, const void *p, uint64_t n,
			     const char *what, struct inq_err *err)
{
	uint8_t *at = vmm_memory_at(l->mem, 0, gpa, n);

	if (!at)
		return inq_fail(err, INQ_EUSAGE,
				"%s: no memory for %s, %" PRIu64 " bytes at 0x%" PRIx64
				"; give more --memory",
				l->kernel.path, what, n, gpa);
	memcpy(at, p, n);
	return INQ_OK;
}

enum inq_status vmm_boot_put_text(const struct vmm_boot_load *l, uint64_t most, struct inq_err *err)
{
	const char *text = l->how->append ? l->how->append : "";
	size_t n = strlen(text);

	if (n > most || n >= VMM_BOOT_CMDLINE)
		return inq_fail(err, INQ_EUSAGE,
				"--append: %zu bytes, this kernel takes %" PRIu64 "; shorten it", n,
				most < VMM_BOOT_CMDLINE ? most : VMM_BOOT_CMDLINE - 1);
	return vmm_boot_put(l, VMM_BOOT_TEXT, text, n + 1, "the command line", err);
}

enum inq_status vmm_boot_put_initrd(const struct vmm_boot_load *l, uint64_t from, uint64_t max,
				    uint64_t *ret_gpa, struct inq_err *err)
{
	uint64_t end = max < l->low_end ? max : l->low_end, n = l->initrd.n;

	*ret_gpa = 0;
	if (!l->initrd.at)
		return INQ_OK;
	if (n > end || ((end - n) & ~(VMM_PAGE - 1)) < from)
		return inq_fail(err, INQ_EUSAGE,
				"%s: initrd too big: %" PRIu64 " bytes, room for %" PRIu64
				"; give more --memory",
				l->initrd.path, n, end > from ? end - from : 0);
	*ret_gpa = (end - n) & ~(VMM_PAGE - 1);
	return vmm_boot_put(l, *ret_gpa, l->initrd.at, n, "the initrd", err);
}
