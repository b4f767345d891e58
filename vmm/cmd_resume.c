/* Knows the options of `inquest-vmm resume`. */
#include <stdio.h>

#include "vmm/commands.h"
#include "vmm/memory.h"
#include "vmm/options.h"
#include "vmm/resume.h"

enum { MAX_MS = 86400000 };

static const char resume_help[] =
	"inquest-vmm resume FILE [options]\n"
	"\n"
	"The machine of a snapshot goes on as if nothing had happened: until every vCPU has given "
	"its\n"
	"result (port 0x600), one of them died, the guest ended (as in inquest-vmm run --help,\n"
	"with the same exit code), or the time is over.\n"
	"\n"
	"  --for MS          run for so long; 0: not at all\n"
	"  --step N          before that, N single steps of one vCPU, each printed\n"
	"  --vcpu N          which one steps, default 0\n"
	"  --snapshot FILE   write another snapshot at the end\n"
	"  --format NAME     of that: elf, kdump-zlib or kdump-zstd\n"
	"  --serial WHERE    the guest's serial port: a file, - (the default), stdio or pty, as "
	"in\n"
	"                    inquest-vmm run --help\n"
	"  --disk FILE[:ro]  the disk that the machine had\n"
	"  --hang MS, --smm-limit MS, --smi-every MS, --nmi-every MS, --control PATH, --no-trace\n"
	"                    as in inquest-vmm run --help; with a trigger or a socket it runs "
	"until\n"
	"                    that fires, or quit\n"
	"  --force           leave out what the snapshot lacks or this KVM cannot do\n"
	"\n"
	"SIGUSR1 takes a snapshot into FILE.1, FILE.2, ... (of --snapshot, else of the resumed "
	"file).\n"
	"\n"
	"  inquest-vmm resume spin.core --for 100 --snapshot later.core\n"
	"  inquest-vmm resume spin.core --step 20 --for 0\n";

static int take_format(const char *value, void *to)
{
	struct vmm_resume *r = to;

	return vmm_format_find(value, &r->format)
		       ? VMM_EXIT_OK
		       : vmm_complain(value, "no format of snapshots",
				      "give --format elf, kdump-zlib or kdump-zstd");
}

#define AT(member) offsetof(struct vmm_resume, member)
static const struct vmm_option options[] = {
	{"for", VMM_OPTION_NUMBER, AT(for_ms), AT(timed), 0, MAX_MS},
	{"step", VMM_OPTION_NUMBER, AT(steps), 0, 1, 1000000},
	{"vcpu", VMM_OPTION_UNSIGNED, AT(step_vcpu), 0, 0, VMM_MAX_VCPUS - 1},
	{"snapshot", VMM_OPTION_TEXT, AT(snapshot)},
	{.name = "format", .kind = VMM_OPTION_TAKE, .take = take_format},
	{"serial", VMM_OPTION_TEXT, AT(serial)},
	{"disk", VMM_OPTION_TEXT, AT(disk)},
	{"hang", VMM_OPTION_NUMBER, AT(trigger.hang), 0, 1, MAX_MS},
	{"smm-limit", VMM_OPTION_NUMBER, AT(trigger.smm_limit), 0, 1, MAX_MS},
	{"smi-every", VMM_OPTION_NUMBER, AT(trigger.smi_every), 0, 1, MAX_MS},
	{"nmi-every", VMM_OPTION_NUMBER, AT(trigger.nmi_every), 0, 1, MAX_MS},
	{"control", VMM_OPTION_TEXT, AT(control)},
	{"no-trace", VMM_OPTION_FLAG, AT(no_trace)},
	{"force", VMM_OPTION_FLAG, AT(force)},
	{0},
};
#undef AT
static const struct vmm_command command = {"resume", resume_help, options, true};

int vmm_cmd_resume(int argc, char **argv)
{
	struct vmm_resume r = {.serial = "-"};
	const char *path = NULL;
	struct inq_err err;
	int end = vmm_options_parse(&command, argc, argv, &r, &path);

	if (end >= 0)
		return end;
	if (!path)
		return vmm_complain("resume", "a snapshot is needed",
				    "see inquest-vmm resume --help");
	int code = -1;
	r.path = path;
	r.ret_code = &code;
	enum inq_status st = vmm_resume(&r, &err);
	if (!st && code >= 0)
		return (code << 1 | 1) & 0xff; /* as vmm_cmd_run() */
	return st ? vmm_fail(st, &err) : VMM_EXIT_OK;
}
