/*
 * Knows the names of CPU features as Linux prints them (arch/x86/include/asm/cpufeatures.h), by the
 * CPUID bits they stand for.
 */
#include "vmm/cpuid_edit.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MAX_NAME = 32, MAX_EDIT = 64, NEAR = 2, NR_NEAR = 3 };

/* One register: names from bit 0 on, "-" where none is known. */
static const struct {
	uint32_t leaf, sub;
	enum vmm_cpuid_reg reg;
	const char *names;
} words[] = {
	{1, 0, VMM_EDX,
	 "fpu vme de pse tsc msr pae mce cx8 apic - sep mtrr pge mca cmov pat pse36 pn clflush - "
	 "dts "
	 "acpi mmx fxsr sse sse2 ss ht tm ia64 pbe"},
	{1, 0, VMM_ECX,
	 "pni pclmulqdq dtes64 monitor ds_cpl vmx smx est tm2 ssse3 cid sdbg fma cx16 xtpr pdcm - "
	 "pcid dca sse4_1 sse4_2 x2apic movbe popcnt tsc_deadline_timer aes xsave osxsave avx f16c "
	 "rdrand hypervisor"},
	{6, 0, VMM_EAX, "dtherm ida arat - pln - pts hwp"},
	{7, 0, VMM_EBX,
	 "fsgsbase tsc_adjust sgx bmi1 hle avx2 - smep bmi2 erms invpcid rtm cqm - mpx rdt_a "
	 "avx512f avx512dq rdseed adx smap avx512ifma - clflushopt clwb intel_pt avx512pf avx512er "
	 "avx512cd sha_ni avx512bw avx512vl"},
	{7, 0, VMM_ECX,
	 "- avx512vbmi umip pku ospke waitpkg avx512_vbmi2 - gfni vaes vpclmulqdq avx512_vnni "
	 "avx512_bitalg tme avx512_vpopcntdq - la57 - - - - - rdpid - bus_lock_detect cldemote - "
	 "movdiri movdir64b enqcmd"},
	{7, 0, VMM_EDX,
	 "- - avx512_4vnniw avx512_4fmaps fsrm - - - avx512_vp2intersect - md_clear - - - "
	 "serialize "
	 "- tsxldtrk - pconfig arch_lbr ibt - amx_bf16 avx512_fp16 amx_tile amx_int8 - - flush_l1d "
	 "arch_capabilities"},
	{7, 1, VMM_EAX, "- - - - avx_vnni avx512_bf16"},
	{0xd, 1, VMM_EAX, "xsaveopt xsavec xgetbv1 xsaves"},
	{0x80000001, 0, VMM_EDX,
	 "- - - - - - - - - - - syscall - - - - - - - mp nx - mmxext - - fxsr_opt pdpe1gb rdtscp - "
	 "lm 3dnowext 3dnow"},
	{0x80000001, 0, VMM_ECX,
	 "lahf_lm cmp_legacy svm extapic cr8_legacy abm sse4a misalignsse 3dnowprefetch osvw ibs "
	 "xop "
	 "skinit wdt - lwp fma4 tce - nodeid_msr - tbm topoext perfctr_core perfctr_nb - bpext "
	 "ptsc "
	 "perfctr_llc mwaitx"},
	{0x80000007, 0, VMM_EDX, "- - - - - - - hw_pstate constant_tsc cpb"},
	{0x80000008, 0, VMM_EBX,
	 "clzero irperf xsaveerptr - rdpru - - - - wbnoinvd - - amd_ibpb - amd_ibrs amd_stibp - - "
	 "- "
	 "- - - - amd_ppin amd_ssbd virt_ssbd"},
	{0x8000000a, 0, VMM_EDX,
	 "npt lbrv svm_lock nrip_save tsc_scale vmcb_clean flushbyasid decodeassists - - "
	 "pausefilter "
	 "- pfthreshold avic - v_vmsave_vmload vgif - - - v_spec_ctrl"},
};

enum { NR_WORDS = sizeof(words) / sizeof(*words) };

/* The next name of a word; false at its end. */
static bool next(const char **at, char name[MAX_NAME])
{
	size_t n = strcspn(*at, " ");

	if (!n || n >= MAX_NAME)
		return false;
	memcpy(name, *at, n);
	name[n] = 0;
	*at += n + ((*at)[n] == ' ');
	return true;
}

bool vmm_feature_find(const char *wanted, struct vmm_feature *ret)
{
	char name[MAX_NAME];

	for (size_t w = 0; w < NR_WORDS; w++) {
		const char *at = words[w].names;

		for (unsigned bit = 0; next(&at, name); bit++)
			if (strcmp(name, "-") != 0 && !strcmp(name, wanted)) {
				*ret = (struct vmm_feature){words[w].leaf, words[w].sub,
							    words[w].reg, bit};
				return true;
			}
	}
	return false;
}

unsigned vmm_feature_count(void)
{
	char name[MAX_NAME];
	unsigned n = 0;

	for (size_t w = 0; w < NR_WORDS; w++)
		for (const char *at = words[w].names; next(&at, name);)
			n += strcmp(name, "-") != 0;
	return n;
}

/* Letters to be changed, put in or left out (Levenshtein). */
static unsigned distance(const char *a, const char *b)
{
	unsigned row[MAX_NAME + 1];
	size_t n = strlen(b);

	for (unsigned j = 0; j <= n; j++)
		row[j] = j;
	for (unsigned i = 1; a[i - 1]; i++) {
		unsigned corner = row[0];

		row[0] = i;
		for (size_t j = 1; j <= n; j++) {
			unsigned best = corner + (a[i - 1] != b[j - 1]);

			corner = row[j];
			if (row[j] + 1 < best)
				best = row[j] + 1;
			if (row[j - 1] + 1 < best)
				best = row[j - 1] + 1;
			row[j] = best;
		}
	}
	return row[n];
}

static enum inq_status unknown(const char *wanted, struct inq_err *err)
{
	char name[MAX_NAME], like[NR_NEAR * (MAX_NAME + 4)] = "";
	unsigned found = 0;

	for (size_t w = 0; w < NR_WORDS; w++)
		for (const char *at = words[w].names; next(&at, name);)
			if (strcmp(name, "-") != 0 && strlen(wanted) > NEAR && found < NR_NEAR &&
			    distance(wanted, name) <= NEAR) {
				size_t n = strlen(like);

				snprintf(like + n, sizeof(like) - n, "%s%s", found++ ? ", " : "",
					 name);
			}
	if (found)
		return inq_fail(err, INQ_EUSAGE, "--cpuid: unknown feature %s; did you mean %s?",
				wanted, like);
	return inq_fail(err, INQ_EUSAGE,
			"--cpuid: unknown feature %s; give a name of /proc/cpuinfo, or "
			"LEAF:REG.BIT=0",
			wanted);
}

static uint32_t *find_reg(struct kvm_cpuid2 *t, const struct vmm_feature *f)
{
	for (uint32_t i = 0; i < t->nent; i++) {
		struct kvm_cpuid_entry2 *e = &t->entries[i];
		uint32_t *const reg[] = {&e->eax, &e->ebx, &e->ecx, &e->edx};

		if (e->function == f->leaf &&
		    (e->index == f->sub || !(e->flags & KVM_CPUID_FLAG_SIGNIFCANT_INDEX)))
			return reg[f->reg];
	}
	return NULL;
}

static bool number(const char **at, uint32_t *ret)
{
	char *end;

	errno = 0;
	unsigned long v = strtoul(*at, &end, 0);
	if (errno || end == *at || **at == '-' || **at == '+' || v > UINT32_MAX)
		return false;
	*at = end;
	*ret = (uint32_t)v;
	return true;
}

/* LEAF[.SUBLEAF]:REG.BIT=0|1 */
static bool parse_raw(const char *at, struct vmm_feature *f, bool *on)
{
	static const char names[][4] = {"eax", "ebx", "ecx", "edx"};
	uint32_t bit = 0, value = 0;
	bool named = false;

	*f = (struct vmm_feature){0};
	if (!number(&at, &f->leaf))
		return false;
	if (*at == '.' && (at++, !number(&at, &f->sub)))
		return false;
	if (*at++ != ':')
		return false;
	for (unsigned r = 0; r < 4; r++)
		if (!strncmp(at, names[r], 3)) {
			f->reg = (enum vmm_cpuid_reg)r;
			named = true;
		}
	if (!named || at[3] != '.')
		return false;
	at += 4;
	if (!number(&at, &bit) || bit > 31 || *at++ != '=' || !number(&at, &value) || value > 1 ||
	    *at)
		return false;
	f->bit = bit;
	*on = value;
	return true;
}

static enum inq_status edit_one(const char *text, struct kvm_cpuid2 *t, struct inq_err *err)
{
	bool named = *text == '+' || *text == '-', on = *text == '+';
	struct vmm_feature f;

	if (named && !vmm_feature_find(text + 1, &f))
		return unknown(text + 1, err);
	if (!named && !parse_raw(text, &f, &on))
		return inq_fail(err, INQ_EUSAGE,
				"--cpuid: %s: not +NAME, -NAME or LEAF[.SUBLEAF]:REG.BIT=0|1; see "
				"inquest-vmm run --help",
				text);
	if (!t)
		return INQ_OK;
	uint32_t *reg = find_reg(t, &f), bit = UINT32_C(1) << f.bit;
	if (named && on && !(reg && *reg & bit))
		return inq_fail(err, INQ_EUNSUPPORTED,
				"/dev/kvm: cannot give a guest %s; leave it out of --cpuid",
				text + 1);
	if (!reg && on)
		return inq_fail(err, INQ_EUNSUPPORTED,
				"/dev/kvm: has no CPUID leaf 0x%x.%u; leave it out of --cpuid",
				f.leaf, f.sub);
	if (reg)
		*reg = on ? *reg | bit : *reg & ~bit;
	return INQ_OK;
}

enum inq_status vmm_features_edit(const char *text, struct kvm_cpuid2 *table, struct inq_err *err)
{
	enum inq_status st = INQ_OK;
	char one[MAX_EDIT];

	while (!st) {
		size_t n = strcspn(text, ",");

		if (!n || n >= sizeof(one) || (*text != '+' && *text != '-' && n < 2))
			return inq_fail(err, INQ_EUSAGE,
					"--cpuid: empty or too long at \"%.20s\"; see inquest-vmm "
					"run --help",
					text);
		memcpy(one, text, n);
		one[n] = 0;
		if ((*one == '+' || *one == '-') && n > MAX_NAME)
			return inq_fail(err, INQ_EUSAGE, "--cpuid: unknown feature %s", one + 1);
		st = edit_one(one, table, err);
		text += n;
		if (!*text++)
			break;
	}
	return st;
}
