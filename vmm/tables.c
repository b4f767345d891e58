/*
 * Knows ACPI (its specification 6.4, chapter 5) and MultiProcessor 1.4 tables, as far as a machine
 * of CPUs, one IOAPIC and ISA interrupts needs them.  KVM's default routing joins interrupt n to
 * pin n, the timer's 0 too, hence no overrides.
 */
#include "vmm/tables.h"

#include <string.h>

#include "vmm/dsdt.h"
#include "vmm/platform.h"
#include "vmm/rtc.h"

enum {
	RSDP = 0x0,
	XSDT = 0x40,
	FADT = 0x100,
	MADT = 0x300,
	DSDT = VMM_TABLES_DSDT - VMM_TABLES_GPA,
	MP_CONFIG = 0x1000,
	MP_POINTER = 0x3c00, /* 639 KiB */
	BYTES = VMM_TABLES_END - VMM_TABLES_GPA,
	FADT_BYTES = 276,
	NR_IRQS = 16,
	SCI = 9,
	RESET_PORT = 0xcf9,
	RESET_VALUE = 6,
};
#define LAPIC_GPA 0xfee00000u
#define IOAPIC_GPA 0xfec00000u

/* Bytes that are written one after the other; room is known beforehand. */
struct writer {
	uint8_t *base, *at;
};

static void put(struct writer *w, uint64_t v, unsigned n)
{
	memcpy(w->at, &v, n);
	w->at += n;
}

static void put_text(struct writer *w, const char *text, size_t n)
{
	memcpy(w->at, text, n);
	w->at += n;
}

void vmm_tables_seal(uint8_t *p, size_t n, size_t at)
{
	uint8_t sum = 0;

	p[at] = 0;
	for (size_t i = 0; i < n; i++)
		sum = (uint8_t)(sum + p[i]);
	p[at] = (uint8_t)-sum;
}

static struct writer begin(uint8_t *p, const char *name, uint8_t revision)
{
	struct writer w = {p, p};

	put_text(&w, name, 4);
	put(&w, 0, 4);
	put(&w, revision, 1);
	put(&w, 0, 1);
	put_text(&w, "INQVMMINQUESTVM", 6 + 8);
	put(&w, 1, 4);
	put_text(&w, "INQ ", 4);
	put(&w, 1, 4);
	return w;
}

static void end(struct writer *w)
{
	uint32_t n = (uint32_t)(w->at - w->base);

	memcpy(w->base + 4, &n, 4);
	vmm_tables_seal(w->base, n, 9);
}

static void put_rsdp(uint8_t *p)
{
	struct writer w = {p + RSDP, p + RSDP};

	put_text(&w, "RSD PTR ", 8);
	put(&w, 0, 1);
	put_text(&w, "INQVMM", 6);
	put(&w, 2, 1);
	put(&w, 0, 4); /* no RSDT */
	put(&w, 36, 4);
	put(&w, VMM_TABLES_GPA + XSDT, 8);
	vmm_tables_seal(w.base, 20, 8);
	vmm_tables_seal(w.base, 36, 32);
	w = begin(p + XSDT, "XSDT", 1);
	put(&w, VMM_TABLES_GPA + FADT, 8);
	put(&w, VMM_TABLES_GPA + MADT, 8);
	end(&w);
}

/* No mode but ACPI mode: no SMI command port.  No PM timer.  A reset through port 0xcf9. */
static void put_fadt(uint8_t *p)
{
	struct writer w = begin(p + FADT, "FACP", 6);
	uint8_t *f = w.base;
	const uint16_t sci = SCI, boot_arch = 3; /* legacy devices, i8042 */
	const uint32_t dsdt = VMM_TABLES_GPA + DSDT, event = VMM_PM1_STATUS,
		       control = VMM_PM1_CONTROL,
		       flags = 1 | 1 << 4 | 1 << 5 | 1 << 10; /* WBINVD, no buttons, reset */
	const uint8_t reset[13] = {
		1, 8, 0, 1, RESET_PORT & 0xff, RESET_PORT >> 8, [12] = RESET_VALUE}; /* an 8-bit I/O
											port, the
											value */

	memcpy(f + 40, &dsdt, 4);
	memcpy(f + 46, &sci, 2);
	memcpy(f + 56, &event, 4);
	memcpy(f + 64, &control, 4);
	f[88] = 4; /* bytes of the event block */
	f[89] = 2;
	f[108] = VMM_RTC_CENTURY;
	memcpy(f + 109, &boot_arch, 2);
	memcpy(f + 112, &flags, 4);
	memcpy(f + 116, reset, sizeof(reset));
	memcpy(f + 140, &dsdt, 4);
	w.at = w.base + FADT_BYTES;
	end(&w);
	memcpy(p + DSDT, vmm_dsdt, vmm_dsdt_bytes);
}

static void put_madt(uint8_t *p, unsigned nr)
{
	struct writer w = begin(p + MADT, "APIC", 4);

	put(&w, LAPIC_GPA, 4);
	put(&w, 1, 4); /* there are PICs, too */
	for (unsigned i = 0; i < nr; i++) {
		put(&w, 0 | 8 << 8, 2); /* a LAPIC */
		put(&w, i | i << 8, 2);
		put(&w, 1, 4);
	}
	put(&w, 1 | 12 << 8, 2); /* the IOAPIC */
	put(&w, nr, 2);
	put(&w, IOAPIC_GPA, 4);
	put(&w, 0, 4);
	put(&w, 4 | 6 << 8, 2); /* NMI at LINT1 of all */
	put(&w, 0xff, 1);
	put(&w, 0, 2);
	put(&w, 1, 1);
	end(&w);
}

static unsigned put_mp_entries(struct writer *w, unsigned nr)
{
	unsigned n = 0;

	for (unsigned i = 0; i < nr; i++, n++) {
		put(w, 0 | i << 8 | 0x14 << 16 | (i ? 1u : 3u) << 24, 4); /* enabled; the first */
		put(w, 0x600, 4);
		put(w, 0x201, 4);
		put(w, 0, 8);
	}
	put(w, 1, 2);
	put_text(w, "ISA   ", 6);
	put(w, 2 | nr << 8 | 0x11 << 16 | 1 << 24, 4);
	put(w, IOAPIC_GPA, 4);
	n += 2;
	for (unsigned irq = 0; irq < NR_IRQS; irq++, n++) {
		put(w, 3, 4);
		put(w, 0 | irq << 8 | nr << 16 | irq << 24, 4);
	}
	put(w, 4 | 3 << 8, 4); /* ExtINT at LINT0 of the first */
	put(w, 0, 4);
	put(w, 4 | 1 << 8, 4); /* NMI at LINT1 of all */
	put(w, 0xff << 16 | 1 << 24, 4);
	return n + 2;
}

static void put_mp(uint8_t *p, unsigned nr)
{
	struct writer w = {p + MP_CONFIG, p + MP_CONFIG};

	put_text(&w, "PCMP", 4);
	put(&w, 0, 2); /* length */
	put(&w, 4, 1);
	put(&w, 0, 1);
	put_text(&w, "INQVMM  INQUEST VM  ", 20);
	put(&w, 0, 6);
	put(&w, 0, 2); /* entries */
	put(&w, LAPIC_GPA, 4);
	put(&w, 0, 4);
	uint16_t entries = (uint16_t)put_mp_entries(&w, nr), n = (uint16_t)(w.at - w.base);
	memcpy(w.base + 4, &n, 2);
	memcpy(w.base + 34, &entries, 2);
	vmm_tables_seal(w.base, n, 7);
	w = (struct writer){p + MP_POINTER, p + MP_POINTER};
	put_text(&w, "_MP_", 4);
	put(&w, VMM_TABLES_GPA + MP_CONFIG, 4);
	put(&w, 1 | 4 << 8, 2);
	put(&w, 0, 6);
	vmm_tables_seal(w.base, 16, 10);
}

enum inq_status vmm_tables_install(const struct vmm_memory *mem, unsigned nr_vcpus,
				   uint64_t *ret_rsdp, struct inq_err *err)
{
	uint8_t *p = vmm_memory_at(mem, 0, VMM_TABLES_GPA, BYTES);

	if (!p || !nr_vcpus || nr_vcpus > VMM_MAX_VCPUS || vmm_dsdt_bytes > MP_CONFIG - DSDT)
		return inq_fail(err, INQ_EUSAGE, "no memory for the ACPI and MP tables");
	memset(p, 0, BYTES);
	put_rsdp(p);
	put_fadt(p);
	put_madt(p, nr_vcpus);
	put_mp(p, nr_vcpus);
	*ret_rsdp = VMM_TABLES_GPA + RSDP;
	return INQ_OK;
}

void vmm_tables_copy(const struct vmm_memory *mem, struct snap_notes *to)
{
	const struct inq_snap_tables head = {.gpa = VMM_TABLES_GPA, .bytes = BYTES};
	const uint8_t *p = vmm_memory_at(mem, 0, VMM_TABLES_GPA, BYTES);

	if (!p)
		return;
	snap_notes_raw(to, &head, sizeof(head));
	snap_notes_raw(to, p, BYTES);
}
