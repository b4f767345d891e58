/*
 * Knows what the CPU and KVM say when a vCPU cannot run on (Documentation/virt/kvm/api.rst,
 * KVM_EXIT_FAIL_ENTRY and KVM_EXIT_INTERNAL_ERROR).
 */
#include "vmm/ends.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <inquest/err.h>

struct line {
	char *to;
	size_t n, at;
};

/* All of it or nothing. */
static int put(struct line *l, const char *fmt, ...) INQ_PRINTF(2, 3);
static int put(struct line *l, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	int n = vsnprintf(l->to + l->at, l->n - l->at, fmt, ap);
	va_end(ap);
	if (n < 0 || (size_t)n >= l->n - l->at) {
		l->to[l->at] = '\0';
		return 0;
	}
	l->at += (size_t)n;
	return 1;
}

/*
 * VMX gives the exit reason with bit 31 when the guest's state is at fault (Intel SDM 3C, 26.8;
 * appendix C), and the number of a VM-instruction error (30.4) when its controls are; SVM the exit
 * code VMEXIT_INVALID, -1 (AMD APM 2, appendix C), of which some kernels keep 32 bits.
 */
static const struct {
	uint64_t reason;
	const char *name;
} entry_names[] = {
	{0x80000021, "invalid guest state"},
	{0x80000022, "a bad MSR to load"},
	{0x80000029, "machine check on entry"},
	{7, "invalid control fields"},
	{8, "invalid host state"},
	{0xffffffff, "VMEXIT_INVALID"},
	{UINT64_MAX, "VMEXIT_INVALID"},
};

void vmm_ends_fail_entry(const struct kvm_run *run, char *to, size_t n)
{
	uint64_t reason = run->fail_entry.hardware_entry_failure_reason;
	struct line l = {to, n, 0};

	put(&l, "VM entry failed, hardware reason 0x%" PRIx64, reason);
	for (size_t i = 0; i < sizeof(entry_names) / sizeof(*entry_names); i++)
		if (entry_names[i].reason == reason)
			put(&l, " (%s)", entry_names[i].name);
}

static const char *suberror_name(uint32_t suberror)
{
	switch (suberror) {
	case KVM_INTERNAL_ERROR_EMULATION:
		return " (emulation)";
	case KVM_INTERNAL_ERROR_SIMUL_EX:
		return " (simultaneous exceptions)";
	case KVM_INTERNAL_ERROR_DELIVERY_EV:
		return " (event delivery)";
	case KVM_INTERNAL_ERROR_UNEXPECTED_EXIT_REASON:
		return " (unexpected exit)";
	default:
		return "";
	}
}

static void put_bytes(struct line *l, const char *what, const uint8_t *p, size_t n)
{
	char hex[2 * VMM_INSN_BYTES + 1] = "";

	for (size_t i = 0; i < n && i < VMM_INSN_BYTES; i++)
		snprintf(hex + 2 * i, 3, "%02x", p[i]);
	if (*hex)
		put(l, ", %s %s", what, hex);
}

/* A note of what is left out must have room, too. */
static void put_words(struct line *l, const __u64 *word, uint32_t from, uint32_t nr)
{
	enum { ROOM = sizeof(" +16 more") };
	struct line most = *l;
	uint32_t i = from;

	if (from >= nr || l->n < ROOM)
		return;
	most.n -= ROOM;
	if (most.at >= most.n || !put(&most, ", data"))
		return;
	while (i < nr && put(&most, " 0x%llx", word[i]))
		i++;
	l->at = most.at;
	if (i < nr)
		put(l, " +%" PRIu32 " more", nr - i);
}

void vmm_ends_internal(const struct kvm_run *run, const uint8_t *code, size_t nr_code, char *to,
		       size_t n)
{
	enum { WORDS = sizeof(run->internal.data) / sizeof(*run->internal.data) };
	/* the flags, then the length and 15 bytes of the instruction */
	enum { INSN_WORDS = 3 };
	uint32_t nr = run->internal.ndata < WORDS ? run->internal.ndata : WORDS, from = 0;
	struct line l = {to, n, 0};

	put(&l, "KVM internal error, suberror %" PRIu32 "%s", run->internal.suberror,
	    suberror_name(run->internal.suberror));
	if (run->internal.suberror == KVM_INTERNAL_ERROR_EMULATION && nr >= INSN_WORDS &&
	    run->emulation_failure.flags & KVM_INTERNAL_ERROR_EMULATION_FLAG_INSTRUCTION_BYTES) {
		put_bytes(&l, "instruction", run->emulation_failure.insn_bytes,
			  run->emulation_failure.insn_size);
		from = INSN_WORDS;
	} else {
		put_bytes(&l, "code", code, nr_code);
	}
	put_words(&l, run->internal.data, from, nr);
}
