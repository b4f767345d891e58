/* Knows the options of `inquest-vmm run`. */
#include <stdio.h>
#include <string.h>
#include <sys/random.h>

#include "vmm/commands.h"
#include "vmm/cpuid_edit.h"
#include "vmm/options.h"
#include "vmm/run.h"

enum { MAX_MS = 86400000, MAX_S = 86400 };

static const char run_help[] =
	"inquest-vmm run --scenario NAME --snapshot FILE [options]\n"
	"inquest-vmm run --kernel FILE --snapshot FILE [options]\n"
	"\n"
	"  --scenario NAME   which guest; inquest-vmm scenarios lists them\n"
	"  --kernel FILE     or an image: bzImage, vmlinux, multiboot; it runs until it ends\n"
	"  --initrd FILE     what the kernel gets as its first root (multiboot: a module)\n"
	"  --append TEXT     the kernel's command line\n"
	"  --boot FORMAT     auto, linux64 (bzImage or vmlinux), pvh, multiboot, flat\n"
	"  --disk FILE[:ro]  a virtio disk, which the guest writes to; the snapshot has no copy of "
	"it\n"
	"  --load-at ADDR    where a flat binary lies, default 0x7c00; --entry 64: 0x100000\n"
	"  --entry real|64   how a flat binary begins, default real\n"
	"  --snapshot FILE   where the core goes; appears complete or not at all;\n"
	"                    replaces a core, but no other file\n"
	"  --format NAME     elf, the default; kdump-zlib or kdump-zstd: compressed, for inquest,\n"
	"                    crash, drgn and libkdumpfile (resume does not read it)\n"
	"  --cpuid LIST      what the guest's CPUs have: -pdpe1gb,+x2apic, names as in\n"
	"                    /proc/cpuinfo, or bits: 0x80000001:edx.26=0\n"
	"  --seed N          draw the guest from N; without it a fresh one, printed\n"
	"  --vcpus N         1 to 64, default 2\n"
	"  --memory MIB      16 to 65536, default 64\n"
	"  --after MS        let it be stuck for so long before the snapshot, default 200;\n"
	"                    an image: let it run for so long, else until it ends\n"
	"  --to-end          instead: until every vCPU gave its result (checksum)\n"
	"  --timeout S       give up when it is not stuck by then, default 30\n"
	"  --serial WHERE    the guest's serial port: a file, - for standard output (the\n"
	"                    default), stdio (that and the keyboard; Ctrl-A x ends, Ctrl-A s\n"
	"                    snapshots), pty (a new pseudo terminal, its name is printed)\n"
	"  --live            write memory while the guest runs, and stop it only for what it "
	"changed\n"
	"                    meanwhile, registers and devices\n"
	"  --fill            no page of the guest's memory is zero (for measurements)\n"
	"  --virtual         the core also has the kernel's linear addresses, for gdb\n"
	"  --timing          print write_ns, pause_ns, written_bytes, file_bytes of it\n"
	"\n"
	"When the snapshot is taken, but for --after: the guest dies, panics (port 0x505) or ends\n"
	"(port 0xf4), and with\n"
	"  --hang MS         a vCPU stays in 512 bytes of code for so long, never halted, with\n"
	"                    interrupts off, in SMM, or a timer interrupt pending and not taken\n"
	"  --smm-limit MS    a vCPU is in SMM for longer, without leaving it\n"
	"  --on-post CODE    a vCPU writes CODE (1 to 0xff) to port 0x80; it stands still there\n"
	"  --control PATH    a unix socket that takes a JSON object per line: {\"do\":VERB}, with\n"
	"                    snapshot (\"file\"), pause, resume, nmi and smi (\"vcpu\", else all), "
	"step\n"
	"                    (\"vcpu\", \"n\" up to 64), inject (docs/control-socket.md), quit;\n"
	"                    the run goes on until quit\n"
	"  An image's exit code V (port 0xf4) becomes ours as V*2+1.  It ends, too, when it "
	"resets\n"
	"  the machine (i8042, ports 0x92 and 0xcf9) or switches it off (ACPI S5).\n"
	"SIGUSR1 takes one into FILE.1, FILE.2, ... and the guest goes on.\n"
	"\n"
	"What a snapshot then tells of the time before:\n"
	"  --sampler MS      a look at all vCPUs every MS: a snapshot holds one of them, an older\n"
	"                    twin of itself (registers, events, LAPIC, words)\n"
	"  --word GPA[:LEN]  with --sampler: memory that is kept, too; up to 16 times\n"
	"  --watch GPA[:LEN] the last 256 writes to that memory: who, where, old and new value; "
	"up\n"
	"                    to 16 times.  Reads cost nothing, each write of the page an exit;\n"
	"                    page tables in use, and what is locked by two vCPUs, are not for it\n"
	"  --watchpoint LINEAR[:LEN]\n"
	"                    in the same log, by the CPU's debug registers: stores to 1, 2, 4 or\n"
	"                    8 bytes at a linear address, at full speed in between; up to 4\n"
	"                    times.  Refused where a test sees none fire; the guest's own\n"
	"                    breakpoints do not fire meanwhile, and a device's writes are not "
	"seen\n"
	"  --no-trace        do not record KVM's own tracepoints, where tracefs lets us\n"
	"  --step-stuck N    when --hang, --smm-limit or --on-post fires: N single steps of it (1 "
	"to\n"
	"                    64) before the snapshot, with the bytes of each instruction\n"
	"\n"
	"  --smi-every MS    an SMI for every vCPU, again and again\n"
	"  --nmi-every MS    an NMI likewise\n"
	"\n"
	"  inquest-vmm run --scenario smm-spin --snapshot spin.core\n"
	"  inquest-vmm run --kernel vmlinuz --initrd root.cpio --memory 512 --timeout 600 \\\n"
	"      --append 'earlyprintk=ttyS0,keep panic=-1' --snapshot dead.core\n"
	"  inquest-vmm run --scenario hlt-if0 --memory 1024 --fill --timing --snapshot big.core\n";

static int take_scenario(const char *value, void *to)
{
	struct vmm_run *r = to;

	r->scenario = vmm_scenario_find(value);
	return r->scenario ? VMM_EXIT_OK
			   : vmm_complain(value, "unknown scenario",
					  "inquest-vmm scenarios lists them");
}

static int take_word(const char *value, void *to)
{
	struct vmm_run *r = to;

	return vmm_ranges_add(&r->sampler.word, value)
		       ? VMM_EXIT_OK
		       : vmm_complain(value, "not GPA[:LEN], or more than 16",
				      "give --word a guest-physical address, 1 to 4096 bytes");
}

static int take_watch(const char *value, void *to)
{
	struct vmm_run *r = to;

	return vmm_ranges_add(&r->watch, value)
		       ? VMM_EXIT_OK
		       : vmm_complain(value, "not GPA[:LEN], or more than 16",
				      "give --watch a guest-physical address, 1 to 4096 bytes");
}

static int take_point(const char *value, void *to)
{
	struct vmm_run *r = to;

	return vmm_watchpoints_add(&r->points, value)
		       ? VMM_EXIT_OK
		       : vmm_complain(value, "not LINEAR[:1|2|4|8], aligned, or more than 4",
				      "give --watchpoint an address that is a multiple of LEN (8)");
}

static int take_format(const char *value, void *to)
{
	struct vmm_run *r = to;

	return vmm_format_find(value, &r->format)
		       ? VMM_EXIT_OK
		       : vmm_complain(value, "no format of snapshots",
				      "give --format elf, kdump-zlib or kdump-zstd");
}

static int take_entry(const char *value, void *to)
{
	struct vmm_run *r = to;

	r->boot.entry64 = !strcmp(value, "64");
	return r->boot.entry64 || !strcmp(value, "real")
		       ? VMM_EXIT_OK
		       : vmm_complain(value, "no way to begin", "give --entry real or 64");
}

static int take_cpuid(const char *value, void *to)
{
	struct vmm_run *r = to;
	struct inq_err err;
	enum inq_status st = vmm_features_edit(value, NULL, &err);

	r->cpuid = value;
	return st ? vmm_fail(st, &err) : VMM_EXIT_OK;
}

#define AT(member) offsetof(struct vmm_run, member)
static const struct vmm_option options[] = {
	{.name = "scenario", .kind = VMM_OPTION_TAKE, .take = take_scenario},
	{"kernel", VMM_OPTION_TEXT, AT(boot.kernel)},
	{"initrd", VMM_OPTION_TEXT, AT(boot.initrd)},
	{"disk", VMM_OPTION_TEXT, AT(disk)},
	{"append", VMM_OPTION_TEXT, AT(boot.append)},
	{"boot", VMM_OPTION_TEXT, AT(boot.format)},
	{"load-at", VMM_OPTION_NUMBER, AT(boot.load_at), AT(boot.load_at_given), 0, UINT32_MAX},
	{.name = "entry", .kind = VMM_OPTION_TAKE, .take = take_entry},
	{.name = "cpuid", .kind = VMM_OPTION_TAKE, .take = take_cpuid},
	{"snapshot", VMM_OPTION_TEXT, AT(snapshot)},
	{.name = "format", .kind = VMM_OPTION_TAKE, .take = take_format},
	{"seed", VMM_OPTION_NUMBER, AT(seed), AT(seed_given), 0, UINT64_MAX},
	{"vcpus", VMM_OPTION_UNSIGNED, AT(nr_vcpus), 0, 1, VMM_MAX_VCPUS},
	{"memory", VMM_OPTION_NUMBER, AT(mib), 0, VMM_MIN_MIB, VMM_MAX_MIB},
	{"after", VMM_OPTION_NUMBER, AT(after_ms), AT(after_given), 0, MAX_MS},
	{"timeout", VMM_OPTION_NUMBER, AT(timeout_s), 0, 1, MAX_S},
	{"serial", VMM_OPTION_TEXT, AT(serial)},
	{"live", VMM_OPTION_FLAG, AT(live)},
	{"fill", VMM_OPTION_FLAG, AT(fill)},
	{"timing", VMM_OPTION_FLAG, AT(timing)},
	{"virtual", VMM_OPTION_FLAG, AT(want_virtual)},
	{"to-end", VMM_OPTION_FLAG, AT(to_end)},
	{"hang", VMM_OPTION_NUMBER, AT(trigger.hang), 0, 1, MAX_MS},
	{"smm-limit", VMM_OPTION_NUMBER, AT(trigger.smm_limit), 0, 1, MAX_MS},
	{"on-post", VMM_OPTION_NUMBER, AT(trigger.on_post), 0, 1, UINT8_MAX},
	{"smi-every", VMM_OPTION_NUMBER, AT(trigger.smi_every), 0, 1, MAX_MS},
	{"nmi-every", VMM_OPTION_NUMBER, AT(trigger.nmi_every), 0, 1, MAX_MS},
	{"sampler", VMM_OPTION_NUMBER, AT(sampler.ms), 0, 1, MAX_MS},
	{.name = "word", .kind = VMM_OPTION_TAKE, .take = take_word},
	{.name = "watch", .kind = VMM_OPTION_TAKE, .take = take_watch},
	{.name = "watchpoint", .kind = VMM_OPTION_TAKE, .take = take_point},
	{"no-trace", VMM_OPTION_FLAG, AT(no_trace)},
	{"step-stuck", VMM_OPTION_NUMBER, AT(step_stuck), 0, 1, VMM_MAX_STEPS},
	{"control", VMM_OPTION_TEXT, AT(control)},
	{0},
};
#undef AT
static const struct vmm_command command = {"run", run_help, options, false};

/* Without --seed a fresh one, short enough to type. */
static bool draw_seed(struct vmm_run *r)
{
	uint32_t seed;

	if (r->seed_given)
		return true;
	r->seed = 0;
	if (getrandom(&seed, sizeof(seed), 0) != (ssize_t)sizeof(seed))
		return false;
	r->seed = seed;
	return true;
}

/* Options that do not go together, or want another; -1: fine. */
static int check_together(const struct vmm_run *r)
{
	if (r->scenario && r->boot.kernel)
		return vmm_complain("run", "--scenario and --kernel exclude each other",
				    "leave one out");
	if (!r->boot.kernel && (r->boot.initrd || r->boot.append || r->boot.format))
		return vmm_complain("run", "--initrd, --append and --boot want an image",
				    "give --kernel FILE");
	if (!(r->scenario || r->boot.kernel) || !r->snapshot)
		return vmm_complain("run", "--scenario (or --kernel) and --snapshot are needed",
				    "see inquest-vmm run --help");
	if (r->live && (r->want_virtual || r->format != VMM_FORMAT_ELF))
		return vmm_complain("run", "--live is for --format elf, and not with --virtual",
				    "leave one out");
	if (r->want_virtual && r->format != VMM_FORMAT_ELF)
		return vmm_complain("run", "--virtual is for --format elf", "leave one out");
	if (!r->boot.kernel && (r->boot.load_at_given || r->boot.entry64))
		return vmm_complain("run", "--load-at and --entry want a flat binary",
				    "give --kernel FILE");
	if (r->to_end && (r->boot.kernel || r->after_given))
		return vmm_complain("--to-end", "is for scenarios, and instead of --after",
				    "leave one out");
	if (r->step_stuck && !(r->trigger.hang || r->trigger.smm_limit || r->trigger.on_post))
		return vmm_complain("--step-stuck", "nothing says when",
				    "give --hang, --smm-limit or --on-post, too");
	if (r->sampler.word.nr && !r->sampler.ms)
		return vmm_complain("--word", "nobody looks at it", "give --sampler MS, too");
	return -1;
}

int vmm_cmd_run(int argc, char **argv)
{
	struct vmm_run r = {
		.serial = "-", .mib = 64, .after_ms = 200, .timeout_s = 30, .nr_vcpus = 2};
	const char *none;
	struct inq_err err;
	int end = vmm_options_parse(&command, argc, argv, &r, &none);

	if (end >= 0)
		return end;
	end = check_together(&r);
	if (end >= 0)
		return end;
	if (!draw_seed(&r))
		return vmm_complain("run", "no random numbers", "give --seed N");
	int code = -1;
	r.ret_code = &code;
	enum inq_status st = vmm_run(&r, &err);
	if (!st && r.boot.kernel && code >= 0)
		return (code << 1 | 1) & 0xff; /* as QEMU's isa-debug-exit */
	return st ? vmm_fail(st, &err) : VMM_EXIT_OK;
}
