/* Walks over tables that are written down as lists: entries, then addresses and what they give. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>

#include "arch/paging.h"
#include "arch/x86_64/regs.h"
#include "tests/arch/mem.h"

#define NX (UINT64_C(1) << 63)
#define KERNEL UINT64_C(0xffff800000000000)

struct pte {
	uint64_t addr, value;
};
struct expect {
	uint64_t va, pa;
	enum paging_verdict verdict;
	int steps;          /* entries touched */
	uint64_t bytes;     /* page size when it maps */
	const char *rights; /* "wux": writable, user, executable; '-' where not */
};

static void check(const struct paging_mode *mode, const struct pte *ptes, size_t width,
		  const struct expect *want)
{
	struct mem m = mem_new();

	for (; ptes->value; ptes++)
		mem_put(&m, ptes->addr, ptes->value, width);
	for (; want->rights; want++) {
		struct paging_walk w;
		paging_walk(mode, &m.base, want->va, &w);
		if (w.verdict != want->verdict || w.nr_steps != want->steps)
			fail_msg("0x%llx: %s after %d entries", (unsigned long long)want->va,
				 paging_verdict_name(w.verdict), w.nr_steps);
		for (int i = 0; i < w.nr_steps; i++) {
			assert_int_equal(w.step[i].level, mode->levels - i);
			assert_int_equal(w.step[i].verdict,
					 i + 1 < w.nr_steps ? PAGING_OK : want->verdict);
		}
		if (want->verdict != PAGING_OK)
			continue;
		char rights[4] = {w.writable ? 'w' : '-', w.user ? 'u' : '-', w.nx ? '-' : 'x'};
		if (w.pa != want->pa || w.page_bytes != want->bytes)
			fail_msg("0x%llx -> 0x%llx, page 0x%llx", (unsigned long long)want->va,
				 (unsigned long long)w.pa, (unsigned long long)w.page_bytes);
		assert_string_equal(rights, want->rights);
	}
	free(m.p);
}

static void test_four_levels(void **state)
{
	(void)state;
	static const struct paging_mode mode = {
		.levels = 4, .nx = true, .maxphyaddr = 40, .gbpages = 1, .root = 0x1000};
	static const struct pte ptes[] = {
		{0x1000, 0x2007},             /* pml4[0] */
		{0x1800, 0x2003},             /* pml4[256]: the same, supervisor */
		{0x1808, 0x2087},             /* pml4[257]: PS is reserved */
		{0x1810, 0x10000002007},      /* pml4[258]: beyond MAXPHYADDR */
		{0x1818, 0x7fff000},          /* pml4[259]: not present */
		{0x1820, 0x7fff007},          /* pml4[260]: to where no memory is */
		{0x1828, 0x1ff007},           /* pml4[261]: to the page that was not dumped */
		{0x1ff8, 0x1003},             /* pml4[511]: itself */
		{0x2000, 0x3007},             /* pdpt[0] */
		{0x2008, 0x400000e7},         /* pdpt[1]: 1 GiB */
		{0x2010, 0x400020e7},         /* pdpt[2]: 1 GiB, bit 13 is reserved */
		{0x2018, 0x400010e7},         /* pdpt[3]: 1 GiB, bit 12 is PAT */
		{0x2020, NX | 0x3005},        /* pdpt[4]: nothing below is writable or executable */
		{0x3000, 0x4007},             /* pd[0] */
		{0x3008, NX | 0x2000e5},      /* pd[1]: 2 MiB, not writable, not executable */
		{0x3010, 0x2020e7},           /* pd[2]: 2 MiB, bit 13 is reserved */
		{0x4000, 0x5007},             /* pt[0] */
		{0x4008, NX | 0x6007},        /* pt[1] */
		{0x4010, 0xfffff007},         /* pt[2]: maps where no memory is: still maps */
		{0x4018, 0xfff0000000006007}, /* pt[3]: NX and ignored bits 62:52 */
		{0x4020, 0x8000000006000},    /* pt[4]: not present wins over reserved */
		{0x4028, 0x8000000006087},    /* pt[5]: bit 51 beyond MAXPHYADDR */
		{0},
	};
	static const struct expect want[] = {
		{0x123, 0x5123, PAGING_OK, 4, 0x1000, "wux"},
		{0x1fff, 0x6fff, PAGING_OK, 4, 0x1000, "wu-"},
		{0x2000, 0xfffff000, PAGING_OK, 4, 0x1000, "wux"},
		{0x3000, 0x6000, PAGING_OK, 4, 0x1000, "wu-"},
		{0x4000, 0, PAGING_NOT_PRESENT, 4, 0, ""},
		{0x5000, 0, PAGING_RESERVED, 4, 0, ""},
		{0x6000, 0, PAGING_NOT_PRESENT, 4, 0, ""},
		{KERNEL + 0x123, 0x5123, PAGING_OK, 4, 0x1000, "w-x"},
		{0x212345, 0x212345, PAGING_OK, 3, 0x200000, "-u-"},
		{0x400000, 0, PAGING_RESERVED, 3, 0, ""},
		{0x40000000, 0x40000000, PAGING_OK, 2, 0x40000000, "wux"},
		{0x7fffffff, 0x7fffffff, PAGING_OK, 2, 0x40000000, "wux"},
		{0x80000000, 0, PAGING_RESERVED, 2, 0, ""},
		{0xc0000001, 0x40000001, PAGING_OK, 2, 0x40000000, "wux"},
		{UINT64_C(0x100000123), 0x5123, PAGING_OK, 4, 0x1000, "-u-"},
		{KERNEL + (UINT64_C(1) << 39), 0, PAGING_RESERVED, 1, 0, ""},
		{KERNEL + (UINT64_C(2) << 39), 0, PAGING_RESERVED, 1, 0, ""},
		{KERNEL + (UINT64_C(3) << 39), 0, PAGING_NOT_PRESENT, 1, 0, ""},
		{KERNEL + (UINT64_C(4) << 39), 0, PAGING_UNREADABLE, 2, 0, ""},
		{KERNEL + (UINT64_C(5) << 39), 0, PAGING_ABSENT, 2, 0, ""},
		{UINT64_C(0xffffffffffffff00), 0x1f00, PAGING_OK, 4, 0x1000,
		 "w-x"}, /* the self-map */
		{UINT64_C(0x800000000000), 0, PAGING_NONCANONICAL, 0, 0, ""},
		{KERNEL - 1, 0, PAGING_NONCANONICAL, 0, 0, ""},
		{0},
	};
	check(&mode, ptes, 8, want);
}

static void test_bits_that_depend_on_the_cpu(void **state)
{
	(void)state;
	static const struct pte ptes[] = {
		{0x1000, 0x2007}, {0x2000, 0x3007},      {0x2008, 0x400000e7},    {0x3000, 0x4007},
		{0x4000, 0x5007}, {0x4008, NX | 0x6007}, {0x4010, 0x10000006007}, {0},
	};
	static const struct paging_mode old = {
		.levels = 4, .nx = false, .maxphyaddr = 0, .gbpages = 0, .root = 0x1000};
	static const struct expect want_old[] = {
		{0, 0x5000, PAGING_OK, 4, 0x1000, "wux"},
		{0x1000, 0, PAGING_RESERVED, 4, 0, ""},               /* NXE is off */
		{0x2000, 0x10000006000, PAGING_OK, 4, 0x1000, "wux"}, /* MAXPHYADDR unknown */
		{0x40000000, 0, PAGING_NO_GBPAGES, 2, 0, ""},
		{0},
	};
	check(&old, ptes, 8, want_old);

	static const struct paging_mode unsure = {
		.levels = 4, .nx = true, .maxphyaddr = 52, .gbpages = -1, .root = 0x1000};
	static const struct expect want_unsure[] = {
		{0x2000, 0x10000006000, PAGING_OK, 4, 0x1000, "wux"},
		{0x40000000, 0x40000000, PAGING_OK, 2, 0x40000000, "wux"},
		{0},
	};
	check(&unsure, ptes, 8, want_unsure);
}

static void test_five_levels(void **state)
{
	(void)state;
	static const struct paging_mode mode = {
		.levels = 5, .nx = true, .maxphyaddr = 46, .gbpages = 1, .root = 0x8000};
	static const struct pte ptes[] = {
		{0x8000, 0x1007}, /* pml5[0] */
		{0x8800, 0x1007}, /* pml5[256] */
		{0x8808, 0x1087}, /* pml5[257]: PS is reserved */
		{0x1000, 0x2007}, {0x2000, 0x3007}, {0x3000, 0x4007}, {0x4000, 0x5007}, {0},
	};
	static const struct expect want[] = {
		{0xfff, 0x5fff, PAGING_OK, 5, 0x1000, "wux"},
		{UINT64_C(0xff00000000000010), 0x5010, PAGING_OK, 5, 0x1000, "wux"},
		{UINT64_C(0xff01000000000010), 0, PAGING_RESERVED, 1, 0, ""},
		{UINT64_C(0x800000000000), 0, PAGING_NOT_PRESENT, 2, 0, ""}, /* canonical here */
		{UINT64_C(0x100000000000000), 0, PAGING_NONCANONICAL, 0, 0, ""},
		{UINT64_C(0xfeffffffffffffff), 0, PAGING_NONCANONICAL, 0, 0, ""},
		{0},
	};
	check(&mode, ptes, 8, want);
}

static void test_pae(void **state)
{
	(void)state;
	static const struct pte ptes[] = {
		{0x1020, 0x2001},      /* pdpt[0] */
		{0x1028, 0x2003},      /* pdpt[1]: bit 1 is reserved */
		{0x1030, 0x2021},      /* pdpt[2]: bit 5 is reserved */
		{0x1038, NX | 0x2001}, /* pdpt[3]: bit 63 is reserved even with NXE */
		{0x2000, 0x3007},           {0x2008, 0x8002000e7},
		{0x2010, 0x10000000003007}, /* bit 52: reserved here, ignored in long mode */
		{0x3000, NX | 0x5003},      {0},
	};
	struct paging_mode mode = {.levels = 3, .nx = true, .maxphyaddr = 36, .root = 0x1020};
	static const struct expect want[] = {
		{0xabc, 0x5abc, PAGING_OK, 3, 0x1000, "w--"},
		{0x200010, UINT64_C(0x800200010), PAGING_OK, 2, 0x200000, "wux"},
		{0x400000, 0, PAGING_RESERVED, 2, 0, ""},
		{0x40000000, 0, PAGING_RESERVED, 1, 0, ""},
		{0x80000000, 0, PAGING_RESERVED, 1, 0, ""},
		{0xc0000000, 0, PAGING_RESERVED, 1, 0, ""},
		{UINT64_C(0x100000000), 0, PAGING_NONCANONICAL, 0, 0, ""},
		{0},
	};
	check(&mode, ptes, 8, want);

	/* loaded pointers win over memory, which may have changed since */
	mode.pdptr_known = true;
	mode.pdptr[3] = 0x2001;
	static const struct expect loaded[] = {
		{0xc0000abc, 0x5abc, PAGING_OK, 3, 0x1000, "w--"},
		{0xabc, 0, PAGING_NOT_PRESENT, 1, 0, ""},
		{0},
	};
	check(&mode, ptes, 8, loaded);
}

static void test_two_levels(void **state)
{
	(void)state;
	static const struct pte ptes[] = {
		{0x1000, 0x2007},     /* pd[0] */
		{0x1004, 0x0040a0e7}, /* pd[1]: 4 MiB; PSE-36 bits 0xa0000 say 0x05 */
		{0x1008, 0x006000e7}, /* pd[2]: 4 MiB, bit 21 is reserved */
		{0x100c, 0x004000e7}, /* pd[3]: 4 MiB */
		{0x2004, 0x5005},     /* pt[1] */
		{0x2008, 0xfffff087}, /* pt[2]: bit 7 is PAT, no size */
		{0},
	};
	struct paging_mode mode = {.levels = 2, .pse = true, .maxphyaddr = 40, .root = 0x1000};
	static const struct expect want[] = {
		{0x1abc, 0x5abc, PAGING_OK, 2, 0x1000, "-ux"},
		{0x2abc, 0xfffffabc, PAGING_OK, 2, 0x1000, "wux"},
		{0, 0, PAGING_NOT_PRESENT, 2, 0, ""},
		{0x400123, UINT64_C(0x500400123), PAGING_OK, 1, 0x400000, "wux"},
		{0x800000, 0, PAGING_RESERVED, 1, 0, ""},
		{0xc12345, 0x412345, PAGING_OK, 1, 0x400000, "wux"},
		{0xffffffff, 0, PAGING_NOT_PRESENT, 1, 0, ""},
		{0},
	};
	check(&mode, ptes, 4, want);

	mode.maxphyaddr = 32; /* no PSE-36 at all: bits 21:13 are reserved */
	static const struct expect narrow[] = {
		{0x400123, 0, PAGING_RESERVED, 1, 0, ""},
		{0xc12345, 0x412345, PAGING_OK, 1, 0x400000, "wux"},
		{0},
	};
	check(&mode, ptes, 4, narrow);

	mode.pse = false; /* bit 7 is ignored, the entry leads to a table */
	static const struct expect no_pse[] = {
		{0xc00000, 0, PAGING_UNREADABLE, 2, 0, ""},
		{0},
	};
	check(&mode, ptes, 4, no_pse);
}

static void test_without_paging_an_address_is_itself(void **state)
{
	(void)state;
	static const struct paging_mode mode = {.levels = 0};
	static const struct pte none[] = {{0}};
	static const struct expect want[] = {{0xfffff000, 0xfffff000, PAGING_OK, 0, 0x1000, "wux"},
					     {0}};
	check(&mode, none, 8, want);
}

/* Rights of EPT: "rwx", readable, writable, executable; nothing is supervisor's. */
static void check_ept(const struct paging_mode *mode, const struct pte *ptes,
		      const struct expect *want)
{
	struct mem m = mem_new();

	for (; ptes->value; ptes++)
		mem_put(&m, ptes->addr, ptes->value, 8);
	for (; want->rights; want++) {
		struct paging_walk w;
		paging_walk(mode, &m.base, want->va, &w);
		if (w.verdict != want->verdict || w.nr_steps != want->steps)
			fail_msg("0x%llx: %s after %d entries", (unsigned long long)want->va,
				 paging_verdict_name(w.verdict), w.nr_steps);
		if (want->verdict != PAGING_OK)
			continue;
		char rights[4] = {w.unreadable ? '-' : 'r', w.writable ? 'w' : '-',
				  w.nx ? '-' : 'x'};
		assert_true(w.pa == want->pa && w.page_bytes == want->bytes);
		assert_string_equal(rights, want->rights);
	}
	free(m.p);
}

static const struct pte ept_tables[] = {
	{0x1000, 0x2007},             /* pml4[0] */
	{0x1008, 0x2087},             /* pml4[1]: bit 7 is reserved */
	{0x1010, 0x200f},             /* pml4[2]: bit 3 is reserved */
	{0x1018, 0x10000002007},      /* pml4[3]: beyond MAXPHYADDR */
	{0x1020, 0x2001},             /* pml4[4]: reads only */
	{0x2000, 0x3007},             /* pdpt[0] */
	{0x2008, 0x400000b7},         /* pdpt[1]: 1 GiB, WB */
	{0x2010, 0x400010b7},         /* pdpt[2]: 1 GiB, bit 12 is reserved */
	{0x2018, 0x3047},             /* pdpt[3]: bit 6 is reserved where a table follows */
	{0x3000, 0x4007},             /* pd[0] */
	{0x3008, 0x2000b7},           /* pd[1]: 2 MiB, WB */
	{0x3010, 0x2010b7},           /* pd[2]: 2 MiB, bit 12 is reserved */
	{0x3018, 0x200087},           /* pd[3]: 2 MiB, UC */
	{0x4000, 0x5037},             /* pt[0] */
	{0x4008, 0x5032},             /* pt[1]: writable, not readable */
	{0x4010, 0x5036},             /* pt[2]: writable and executable, not readable */
	{0x4018, 0x5034},             /* pt[3]: executable only */
	{0x4020, 0x5017},             /* pt[4]: memory type 2 */
	{0x4028, 0x501f},             /* pt[5]: memory type 3 */
	{0x4030, 0x503f},             /* pt[6]: memory type 7 */
	{0x4038, 0x5010},             /* pt[7]: not present wins over the memory type */
	{0x4040, 0x5430},             /* pt[8]: bit 10 alone: execution by users */
	{0x4048, 0xfff0000000005fb7}, /* pt[9]: what EPT ignores */
	{0},
};

static void test_ept(void **state)
{
	(void)state;
	struct paging_mode mode;
	static const struct expect want[] = {
		{0x123, 0x5123, PAGING_OK, 4, 0x1000, "rwx"},
		{0x1000, 0, PAGING_WRITE_ONLY, 4, 0, ""},
		{0x2000, 0, PAGING_WRITE_ONLY, 4, 0, ""},
		{0x3000, 0x5000, PAGING_OK, 4, 0x1000, "--x"},
		{0x4000, 0, PAGING_MEMORY_TYPE, 4, 0, ""},
		{0x5000, 0, PAGING_MEMORY_TYPE, 4, 0, ""},
		{0x6000, 0, PAGING_MEMORY_TYPE, 4, 0, ""},
		{0x7000, 0, PAGING_NOT_PRESENT, 4, 0, ""},
		{0x8000, 0, PAGING_NOT_PRESENT, 4, 0, ""},
		{0x9000, 0x5000, PAGING_OK, 4, 0x1000, "rwx"},
		{0x212345, 0x212345, PAGING_OK, 3, 0x200000, "rwx"},
		{0x400000, 0, PAGING_RESERVED, 3, 0, ""},
		{0x600000, 0x200000, PAGING_OK, 3, 0x200000, "rwx"},
		{0x7fffffff, 0x7fffffff, PAGING_OK, 2, 0x40000000, "rwx"},
		{0x80000000, 0, PAGING_RESERVED, 2, 0, ""},
		{0xc0000000, 0, PAGING_RESERVED, 2, 0, ""},
		{UINT64_C(1) << 39, 0, PAGING_RESERVED, 1, 0, ""},
		{UINT64_C(2) << 39, 0, PAGING_RESERVED, 1, 0, ""},
		{UINT64_C(3) << 39, 0, PAGING_RESERVED, 1, 0, ""},
		{UINT64_C(4) << 39, 0x5000, PAGING_OK, 4, 0x1000, "r--"},
		{UINT64_C(5) << 39, 0, PAGING_NOT_PRESENT, 1, 0, ""},
		{UINT64_C(1) << 48, 0, PAGING_TOO_WIDE, 0, 0, ""}, /* no sign extension */
		{UINT64_C(0xffff800000000000), 0, PAGING_TOO_WIDE, 0, 0, ""},
		{0},
	};
	/* A.10: execute-only (0), 4 levels (6), 1 GiB pages (17) */
	assert_int_equal(paging_mode_of_eptp(0x101e, 0x20041, 40, &mode, NULL), INQ_OK);
	check_ept(&mode, ept_tables, want);

	static const struct expect poor[] = {
		{0x3000, 0, PAGING_EXEC_ONLY, 4, 0, ""},
		{0x40000000, 0, PAGING_NO_GBPAGES, 2, 0, ""},
		{0},
	};
	assert_int_equal(paging_mode_of_eptp(0x101e, 0x40, 40, &mode, NULL), INQ_OK);
	check_ept(&mode, ept_tables, poor);

	/* MSR not seen: what the CPU can is unknown, so nothing is said against these */
	static const struct expect unsure[] = {
		{0x3000, 0x5000, PAGING_OK, 4, 0x1000, "--x"},
		{0x40000000, 0x40000000, PAGING_OK, 2, 0x40000000, "rwx"},
		{0},
	};
	assert_int_equal(paging_mode_of_eptp(0x101e, 0, 40, &mode, NULL), INQ_OK);
	check_ept(&mode, ept_tables, unsure);

	static const struct expect by_users[] = {{0x8000, 0x5000, PAGING_OK, 4, 0x1000, "--x"},
						 {0}};
	mode.mbec = true;
	check_ept(&mode, ept_tables, by_users);
}

static void test_an_eptp_tells_its_levels(void **state)
{
	(void)state;
	struct paging_mode mode = {.levels = -1};
	struct inq_err err;

	assert_int_equal(paging_mode_of_eptp(0xfff0000000001026, 0, 0, &mode, &err), INQ_OK);
	assert_true(mode.levels == 5 && mode.root == 0x1000);
	assert_int_equal(paging_mode_of_eptp(0x1006, 0, 0, &mode, &err), INQ_ECORRUPT);
	assert_string_equal(err.msg, "eptp 0x1006: a walk of 1 levels");
	assert_int_equal(paging_mode_of_eptp(0x103e, 0, 0, &mode, &err), INQ_ECORRUPT);
}

/* A host's tables, walked as a user: a supervisor's page is none. */
static void test_npt(void **state)
{
	(void)state;
	static const struct paging_mode mode = {.kind = PAGING_NPT,
						.levels = 4,
						.nx = true,
						.maxphyaddr = 40,
						.gbpages = 1,
						.root = 0x1000};
	static const struct pte ptes[] = {
		{0x1000, 0x2007}, {0x1008, 0x2003},      {0x2000, 0x3007},
		{0x3000, 0x4007}, {0x3008, 0x2000e3},    {0x4000, 0x5007},
		{0x4008, 0x5003}, {0x4010, NX | 0x5005}, {0},
	};
	static const struct expect want[] = {
		{0x123, 0x5123, PAGING_OK, 4, 0x1000, "wux"},
		{0x1000, 0, PAGING_SUPERVISOR, 4, 0, ""},
		{0x2000, 0x5000, PAGING_OK, 4, 0x1000, "-u-"},
		{0x200000, 0, PAGING_SUPERVISOR, 3, 0, ""},
		{UINT64_C(1) << 39, 0, PAGING_SUPERVISOR, 1, 0, ""},
		{KERNEL, 0, PAGING_TOO_WIDE, 0, 0, ""},
		{0},
	};
	check(&mode, ptes, 8, want);

	/* a 32-bit hypervisor in PAE mode: pointers have no rights, addresses 32 bits */
	static const struct paging_mode pae = {.kind = PAGING_NPT, .levels = 3, .root = 0x1000};
	static const struct pte three[] = {
		{0x1000, 0x2001}, {0x2000, 0x3007}, {0x3000, 0x5007}, {0}};
	static const struct expect want_pae[] = {
		{0x10, 0x5010, PAGING_OK, 3, 0x1000, "wux"},
		{UINT64_C(1) << 32, 0, PAGING_TOO_WIDE, 0, 0, ""},
		{0},
	};
	check(&pae, three, 8, want_pae);
}

/* An inner guest's tables lie where the hypervisor's say: both dimensions are walked. */
static void test_a_space_over_a_space(void **state)
{
	(void)state;
	static const struct paging_mode inner = {.levels = 4, .nx = true, .root = 0x400000};
	static const struct pte ptes[] = {
		/* EPT: 0x400000.. of the inner guest lies at 0.., 4 KiB each */
		{0x10000, 0x11007},
		{0x11000, 0x12007},
		{0x12010, 0x13007},
		{0x13000, 0x20037},
		{0x13008, 0x21037},
		{0x13010, 0x22037},
		{0x13018, 0x23037},
		{0x13020, 0x24037},
		{0x13028, 0x25032}, /* misconfigured */
		/* the guest's tables, in its own addresses */
		{0x20000, 0x401007},
		{0x21000, 0x402007},
		{0x22000, 0x403007},
		{0x23000, 0x404007},
		{0x23008, 0x405007},
		{0x23010, 0x800007},
		{0x24010, 0x6f6c6c6568},
		{0},
	};
	struct paging_space phys, virt;
	const struct inq_space *at;
	struct paging_mode mode;
	struct mem m = mem_new();
	struct inq_err err;
	uint64_t v = 0, pa = 0;

	for (const struct pte *p = ptes; p->value; p++)
		mem_put(&m, p->addr, p->value, 8);
	assert_int_equal(paging_mode_of_eptp(0x1001e, 0, 0, &mode, &err), INQ_OK);
	paging_space_init(&phys, "nested0", &m.base, &mode);
	paging_space_init(&virt, "nested0-virt", &phys.base, &inner);
	assert_int_equal(inq_read(&virt.base, 0x10, &v, 8, &err), INQ_OK);
	assert_true(v == 0x6f6c6c6568);
	assert_int_equal(paging_resolve(&virt.base, 0x10, &at, &pa, &err), INQ_OK);
	assert_true(at == &m.base && pa == 0x24010);
	assert_true(paging_space_of(&virt.base) == &virt && !paging_space_of(&m.base));

	assert_int_equal(inq_read(&virt.base, 0x1008, &v, 8, &err), INQ_EFAULT);
	assert_string_equal(err.msg, "nested0-virt: 0x1008: nested0: 0x405008: pt[5] = 0x25032: "
				     "writable but not readable");
	assert_int_equal(paging_resolve(&virt.base, 0x1008, &at, &pa, &err), INQ_EFAULT);
	assert_true(err.addr == 0x1008);
	assert_int_equal(inq_read(&virt.base, 0x2000, &v, 8, &err), INQ_EFAULT);
	free(m.p);
}

static void say(const struct paging_mode *mode, int level, uint64_t entry,
		enum paging_verdict verdict, const char *why, const char *flags)
{
	struct paging_step s = {.level = level, .entry = entry, .verdict = verdict};
	char text[128];

	paging_explain(mode, &s, text, sizeof(text));
	assert_string_equal(text, why);
	paging_entry_flags(mode, &s, text, sizeof(text));
	assert_string_equal(text, flags);
	for (size_t n = 1; n < sizeof(text); n++) { /* any room will do */
		paging_explain(mode, &s, text, n);
		assert_true(strlen(text) < n);
		paging_entry_flags(mode, &s, text, n);
		assert_true(strlen(text) < n);
	}
}

static void test_words(void **state)
{
	(void)state;
	static const struct paging_mode old = {.levels = 4, .maxphyaddr = 40, .gbpages = 0};
	static const struct paging_mode pae = {.levels = 3, .nx = true, .maxphyaddr = 36};
	static const struct paging_mode ept = {.kind = PAGING_EPT, .levels = 4, .maxphyaddr = 40};

	say(&old, 1, 0x1067, PAGING_OK, "", "P RW US A D");
	say(&old, 1, NX | 0x1000000001003, PAGING_RESERVED,
	    "bit 63 (XD) while EFER.NXE is 0, bit 48 is above MAXPHYADDR 40", "P RW XD");
	say(&old, 4, 0x1087, PAGING_RESERVED, "bit 7 (PS) in a pml4 entry", "P RW US PS");
	say(&old, 2, 0x2020e7, PAGING_RESERVED, "bit 13", "P RW US A D PS");
	say(&old, 3, 0x400000e7, PAGING_NO_GBPAGES, "CPUID 0x80000001 EDX bit 26 is 0",
	    "P RW US A D PS");
	say(&pae, 3, NX | 1, PAGING_RESERVED, "bit 63", "P XD");
	say(&old, 1, 0, PAGING_ABSENT, "", "");
	say(&ept, 1, 0x5032, PAGING_WRITE_ONLY, "bit 1 without bit 0: misconfiguration", "W WB");
	say(&ept, 1, 0x5017, PAGING_MEMORY_TYPE, "bits 5:3 are 2: misconfiguration", "R W X");
	say(&ept, 4, 0x2087, PAGING_RESERVED, "bit 7 (PS) in a pml4 entry: misconfiguration",
	    "R W X");
	say(&ept, 3, 0x400000b7, PAGING_NO_GBPAGES, "bit 17 of IA32_VMX_EPT_VPID_CAP is 0",
	    "R W X PS WB");
}

/* ---- random tables: what was mapped is found, what was not is a hole ---- */

static uint32_t rnd_state;
static uint32_t rnd(void)
{
	rnd_state = rnd_state * 1664525 + 1013904223;
	return rnd_state >> 8;
}

struct tables {
	struct mem m;
	uint64_t next; /* free page */
};

/* Map va to pa with a page of the size of that level; false when something is there already. */
static bool map(struct tables *t, const struct paging_mode *mode, uint64_t va, uint64_t pa,
		int leaf)
{
	size_t width = mode->levels == 2 ? 4 : 8;
	uint64_t table = mode->root;

	for (int level = mode->levels; level > leaf; level--) {
		uint64_t at = table + paging_index(mode, level, va) * width;
		uint64_t e = mem_get(&t->m, at, width);
		if (!e) {
			assert_true(t->next + 0x1000 <= MEM_ABSENT);
			e = t->next | (mode->levels == 3 && level == 3 ? 1 : 7);
			t->next += 0x1000;
			mem_put(&t->m, at, e, width);
		}
		if (e & 0x80)
			return false;
		table = e & ~UINT64_C(0xfff);
	}
	uint64_t at = table + paging_index(mode, leaf, va) * width;
	if (mem_get(&t->m, at, width))
		return false;
	mem_put(&t->m, at, pa | 7 | (leaf > 1 ? 0x80 : 0), width);
	return true;
}

static uint64_t random_va(const struct paging_mode *mode)
{
	uint64_t va = (uint64_t)rnd() << 40 ^ (uint64_t)rnd() << 20 ^ rnd();

	if (mode->levels < 4)
		return va & UINT32_MAX;
	int top = mode->levels == 5 ? 57 : 48;
	return (uint64_t)((int64_t)(va << (64 - top)) >> (64 - top));
}

static void round_trip(const struct paging_mode *mode, int max_leaf)
{
	enum { MAPS = 60 };
	struct tables t = {.m = mem_new(), .next = mode->root + 0x1000};
	uint64_t va[MAPS], pa[MAPS], bytes[MAPS];
	size_t n = 0;

	while (n < MAPS) {
		int leaf = 1 + (int)(rnd() % (unsigned int)max_leaf);
		bytes[n] = UINT64_C(1) << paging_shift(mode, leaf);
		va[n] = random_va(mode) & ~(bytes[n] - 1);
		pa[n] = ((uint64_t)rnd() << 12) & UINT32_MAX & ~(bytes[n] - 1);
		if (map(&t, mode, va[n], pa[n], leaf))
			n++;
	}
	for (size_t i = 0; i < n; i++) {
		uint64_t off = (((uint64_t)rnd() << 20) ^ rnd()) & (bytes[i] - 1);
		struct paging_walk w;
		paging_walk(mode, &t.m.base, va[i] + off, &w);
		assert_int_equal(w.verdict, PAGING_OK);
		assert_true(w.page_bytes == bytes[i]);
		assert_true(w.pa == pa[i] + off);
	}
	for (size_t i = 0; i < 1000; i++) {
		uint64_t probe = random_va(mode);
		bool mapped = false;
		struct paging_walk w;
		for (size_t k = 0; k < n; k++)
			mapped |= probe - va[k] < bytes[k];
		paging_walk(mode, &t.m.base, probe, &w);
		assert_int_equal(w.verdict, mapped ? PAGING_OK : PAGING_NOT_PRESENT);
	}
	free(t.m.p);
}

static void test_random_mappings_are_found_again(void **state)
{
	(void)state;
	static const struct {
		struct paging_mode mode;
		int max_leaf;
	} all[] = {
		{{.levels = 2, .pse = true, .root = 0x1000}, 2},
		{{.levels = 3, .root = 0x1000}, 2},
		{{.levels = 4, .nx = true, .maxphyaddr = 40, .gbpages = 1, .root = 0x1000}, 3},
		{{.levels = 5, .nx = true, .gbpages = -1, .root = 0x1000}, 3},
	};
	for (rnd_state = 1; rnd_state < 11; rnd_state++) {
		uint32_t seed = rnd_state;
		for (size_t i = 0; i < sizeof(all) / sizeof(*all); i++)
			round_trip(&all[i].mode, all[i].max_leaf);
		rnd_state = seed;
	}
}

/* ---- the mode, from registers ---- */

static struct inq_regset regs(uint64_t cr0, uint64_t cr3, uint64_t cr4, uint64_t efer)
{
	struct inq_regset rs = {{0}, {0}};

	inq_reg_set(&rs, X86_64_CR0, cr0);
	inq_reg_set(&rs, X86_64_CR3, cr3);
	inq_reg_set(&rs, X86_64_CR4, cr4);
	inq_reg_set(&rs, X86_64_EFER, efer);
	return rs;
}

static struct paging_mode mode_of(const struct inq_regset *rs, int width, int gb)
{
	struct paging_mode m = {.levels = -1};
	struct inq_err err = {0};

	if (paging_mode_of(rs, width, gb, &m, &err))
		fail_msg("%s", err.msg);
	return m;
}

static void test_registers_decide_the_levels(void **state)
{
	(void)state;
	struct inq_regset rs = regs(0x80000001, 0x1234567000000fff, 0x20, 0xd00);
	struct paging_mode m = mode_of(&rs, 46, 1);
	assert_int_equal(m.levels, 4);
	assert_true(m.nx && m.root == 0x4567000000000); /* neither PCID nor LAM bits */
	assert_int_equal(m.maxphyaddr, 46);
	assert_int_equal(m.gbpages, 1);
	rs = regs(0x80000001, 0x1000, 0x1020, 0x500);
	m = mode_of(&rs, 255, -1);
	assert_int_equal(m.levels, 5);
	assert_false(m.nx);
	assert_int_equal(m.maxphyaddr, 52);
	rs = regs(0x80000001, 0x1fff, 0x20, 0);
	m = mode_of(&rs, 5, 0);
	assert_int_equal(m.levels, 3);
	assert_true(m.root == 0x1fe0 && !m.pdptr_known);
	assert_int_equal(m.maxphyaddr, 0);
	rs = regs(0x80000001, 0x1fff, 0x10, 0);
	m = mode_of(&rs, 36, 0);
	assert_int_equal(m.levels, 2);
	assert_true(m.pse && m.root == 0x1000);
	rs = regs(0x1, 0x1fff, 0x20, 0x100);
	m = mode_of(&rs, 36, 0);
	assert_int_equal(m.levels, 0);
}

static void test_loaded_pdptrs_count_only_when_all_are_known(void **state)
{
	(void)state;
	struct inq_regset rs = regs(0x80000001, 0x1000, 0x20, 0);
	for (unsigned int i = 0; i < 4; i++) {
		assert_false(mode_of(&rs, 0, 0).pdptr_known);
		inq_reg_set(&rs, X86_64_PDPTR0 + i, 0x2001 + i * 0x1000);
	}
	struct paging_mode m = mode_of(&rs, 0, 0);
	assert_true(m.pdptr_known && m.pdptr[3] == 0x5001);
}

static void test_an_unknown_deciding_register_is_no_mode(void **state)
{
	(void)state;
	static const enum x86_64_reg deciding[] = {X86_64_CR0, X86_64_CR3, X86_64_CR4, X86_64_EFER};
	for (size_t i = 0; i < 4; i++) {
		struct inq_regset rs = regs(0x80000001, 0x1000, 0x20, 0x500);
		struct paging_mode m;
		struct inq_err err = {0};
		inq_reg_forget(&rs, deciding[i]);
		assert_int_equal(paging_mode_of(&rs, 0, 0, &m, &err), INQ_EABSENT);
		assert_non_null(strstr(err.msg, x86_64_reg_info[deciding[i]].name));
	}
	/* without PAE, EFER decides nothing */
	struct inq_regset rs = regs(0x80000001, 0x1000, 0x10, 0);
	inq_reg_forget(&rs, X86_64_EFER);
	assert_int_equal(mode_of(&rs, 0, 0).levels, 2);
}

/* ---- the space ---- */

struct lab {
	struct mem m;
	struct paging_space ps;
};

/* pt[0] -> 0x7000, pt[1] -> 0x9000, pt[2] -> the absent page, pt[3] -> no memory, pt[4] hole;
   pd[1] -> a table that was not dumped */
static struct lab *lab_new(void)
{
	static const struct paging_mode mode = {
		.levels = 4, .nx = true, .maxphyaddr = 40, .gbpages = 1, .root = 0x1000};
	static const struct pte ptes[] = {
		{0x1000, 0x2007},
		{0x2000, 0x3007},
		{0x3000, 0x4007},
		{0x3008, MEM_ABSENT | 7},
		{0x3010, 0x8000007},
		{0x3018, 0x2010e7},
		{0x3020, 0x2000e7 | 1 << 13},
		{0x4000, 0x7007},
		{0x4008, 0x9007},
		{0x4010, MEM_ABSENT | 7},
		{0x4018, 0x900007},
		{0},
	};
	struct lab *l = calloc(1, sizeof(*l));

	assert_non_null(l);
	l->m = mem_new();
	for (const struct pte *p = ptes; p->value; p++)
		mem_put(&l->m, p->addr, p->value, 8);
	for (unsigned int i = 0; i < 0x3000; i++)
		l->m.p[0x7000 + i] = (uint8_t)(i / 0x1000 * 100 + i % 97);
	paging_space_init(&l->ps, "cpu0-virt", &l->m.base, &mode);
	return l;
}

static void lab_free(struct lab *l)
{
	free(l->m.p);
	free(l);
}

static void test_a_read_crosses_pages_that_lie_apart(void **state)
{
	(void)state;
	struct lab *l = lab_new();
	uint8_t buf[0x100];
	struct inq_err err = {0};
	assert_int_equal(inq_read(&l->ps.base, 0xf80, buf, sizeof(buf), &err), INQ_OK);
	assert_memory_equal(buf, l->m.p + 0x7f80, 0x80);
	assert_memory_equal(buf + 0x80, l->m.p + 0x9000, 0x80);
	lab_free(l);
}

static void test_errors_name_level_and_entry(void **state)
{
	(void)state;
	static const struct {
		uint64_t va, bad;
		enum inq_status st;
		const char *msg;
	} want[] = {
		{0x4000, 0x4000, INQ_EFAULT, "cpu0-virt: 0x4000: pt[4] = 0x0: not present"},
		{UINT64_C(0xffff888000000000), UINT64_C(0xffff888000000000), INQ_EFAULT,
		 "cpu0-virt: 0xffff888000000000: pml4[273] = 0x0: not present"},
		{0x200000, 0x200000, INQ_EABSENT,
		 "cpu0-virt: 0x200000: pt[0] at 0x1ff000: not dumped"},
		{0x400000, 0x400000, INQ_EFAULT,
		 "cpu0-virt: 0x400000: pt[0] at 0x8000000: outside memory"},
		{0x800000, 0x800000, INQ_EFAULT,
		 "cpu0-virt: 0x800000: pd[4] = 0x2020e7: reserved bit set"},
		{UINT64_C(0x800000000000), UINT64_C(0x800000000000), INQ_EFAULT,
		 "cpu0-virt: 0x800000000000: non-canonical address"},
		{0x1ff8, 0x2000, INQ_EABSENT, "cpu0-virt: 0x2000: phys: page was not dumped"},
		{0x3010, 0x3010, INQ_EFAULT, "cpu0-virt: 0x3010: phys: no memory"},
	};
	struct lab *l = lab_new();
	for (size_t i = 0; i < sizeof(want) / sizeof(*want); i++) {
		uint8_t buf[16];
		struct inq_err err = {0};
		assert_int_equal(inq_read(&l->ps.base, want[i].va, buf, 16, &err), want[i].st);
		assert_string_equal(err.msg, want[i].msg);
		assert_true(err.addr == want[i].bad);
		assert_int_equal(inq_read(&l->ps.base, want[i].va, buf, 16, NULL), want[i].st);
	}
	lab_free(l);
}

static void test_runs_end_at_pages_and_show_what_was_not_dumped(void **state)
{
	(void)state;
	struct lab *l = lab_new();
	struct inq_run run;
	struct inq_err err = {0};
	assert_int_equal(inq_runs(&l->ps.base, 0xf80, 0x10000, &run, &err), INQ_OK);
	assert_int_equal(run.kind, INQ_RUN_BYTES);
	assert_true(run.p == l->m.p + 0x7f80 && run.len == 0x80);
	assert_int_equal(inq_runs(&l->ps.base, 0x2004, 0x10000, &run, &err), INQ_OK);
	assert_int_equal(run.kind, INQ_RUN_ABSENT);
	assert_true(run.len == 0xffc);
	/* a lost table hides all that it maps: to the end of what its first entry covers */
	assert_int_equal(inq_runs(&l->ps.base, 0x200010, 0x10000, &run, &err), INQ_OK);
	assert_int_equal(run.kind, INQ_RUN_ABSENT);
	assert_true(run.len == 0xff0);
	assert_int_equal(inq_runs(&l->ps.base, 0x4000, 1, &run, &err), INQ_EFAULT);
	assert_int_equal(inq_runs(&l->ps.base, 0x3000, 1, &run, &err), INQ_EFAULT);
	assert_string_equal(err.msg, "cpu0-virt: 0x3000: phys: no memory");
	lab_free(l);
}

static void test_without_paging_the_space_passes_through(void **state)
{
	(void)state;
	static const struct paging_mode flat = {.levels = 0};
	struct lab *l = lab_new();
	struct paging_space ps;
	struct inq_run run;
	uint8_t buf[0x1800];
	struct inq_err err = {0};
	paging_space_init(&ps, "cpu1-virt", &l->m.base, &flat);
	assert_int_equal(inq_read(&ps.base, 0x7000, buf, sizeof(buf), &err), INQ_OK);
	assert_memory_equal(buf, l->m.p + 0x7000, sizeof(buf));
	assert_int_equal(inq_runs(&ps.base, 0x7000, 0x1800, &run, &err), INQ_OK);
	assert_true(run.len == 0x1800);
	assert_int_equal(inq_read(&ps.base, MEM_ABSENT - 4, buf, 8, &err), INQ_EABSENT);
	assert_string_equal(err.msg, "cpu1-virt: 0x1ff000: phys: page was not dumped");
	lab_free(l);
}

static void test_a_space_over_one_without_pieces_has_none(void **state)
{
	(void)state;
	struct lab *l = lab_new();
	struct paging_space ps;
	struct inq_run run;
	l->m.base.runs = NULL;
	paging_space_init(&ps, "cpu0-virt", &l->m.base, &l->ps.mode);
	assert_int_equal(inq_runs(&ps.base, 0, 1, &run, NULL), INQ_EUNSUPPORTED);
	lab_free(l);
}

/* Tables of random bytes, in every mode: a walk ends, and within the levels. */
static void test_random_bytes_as_tables_end_in_a_verdict(void **state)
{
	(void)state;
	struct mem m = mem_new();
	rnd_state = 7;
	for (size_t i = 0; i < MEM_BYTES; i++)
		m.p[i] = (uint8_t)rnd();
	for (size_t i = 0; i < MEM_BYTES; i += 8) { /* most lead on, within the memory */
		m.p[i] |= 1;
		m.p[i + 3] = m.p[i + 4] = m.p[i + 5] = m.p[i + 6] = 0;
		m.p[i + 7] = 0;
		m.p[i + 2] &= 0x1f;
	}
	for (int levels = 2; levels <= 5; levels++) {
		struct paging_mode mode = {
			.levels = levels, .nx = true, .pse = true, .gbpages = 1, .root = 0x1000};
		for (int i = 0; i < 20000; i++) {
			struct paging_walk w;
			paging_walk(&mode, &m.base, random_va(&mode), &w);
			assert_in_range(w.nr_steps, 1, levels);
			assert_true(w.verdict == w.step[w.nr_steps - 1].verdict);
		}
	}
	free(m.p);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_four_levels),
		cmocka_unit_test(test_bits_that_depend_on_the_cpu),
		cmocka_unit_test(test_five_levels),
		cmocka_unit_test(test_pae),
		cmocka_unit_test(test_two_levels),
		cmocka_unit_test(test_without_paging_an_address_is_itself),
		cmocka_unit_test(test_ept),
		cmocka_unit_test(test_an_eptp_tells_its_levels),
		cmocka_unit_test(test_npt),
		cmocka_unit_test(test_a_space_over_a_space),
		cmocka_unit_test(test_words),
		cmocka_unit_test(test_random_mappings_are_found_again),
		cmocka_unit_test(test_registers_decide_the_levels),
		cmocka_unit_test(test_loaded_pdptrs_count_only_when_all_are_known),
		cmocka_unit_test(test_an_unknown_deciding_register_is_no_mode),
		cmocka_unit_test(test_a_read_crosses_pages_that_lie_apart),
		cmocka_unit_test(test_errors_name_level_and_entry),
		cmocka_unit_test(test_runs_end_at_pages_and_show_what_was_not_dumped),
		cmocka_unit_test(test_without_paging_the_space_passes_through),
		cmocka_unit_test(test_a_space_over_one_without_pieces_has_none),
		cmocka_unit_test(test_random_bytes_as_tables_end_in_a_verdict),
	};
	return cmocka_run_group_tests_name("paging", tests, NULL, NULL);
}
