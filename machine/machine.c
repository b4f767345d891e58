/* Knows how the pieces of a dump become CPUs, and which memory each of them sees. */
#include "machine/machine.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "arch/paging.h"
#include "arch/x86_64/regs.h"
#include "base/scope.h"
#include "machine/kernel.h"
#include "machine/kvm.h"
#include "machine/lines.h"
#include "machine/names.h"
#include "machine/nested.h"
#include "machine/qemu_note.h"
#include "machine/qemu_state.h"
#include "machine/types.h"
#include "machine/vmware.h"
#include "machine/windows.h"

enum { MSR_SMBASE = 0x9e, MAX_OTHER_SPACES = 3, MAX_CPU_SPACES = 4 };

/* What a CPU owns besides its struct inq_cpu. */
struct owned {
	struct inq_msr *msrs;
	struct inq_cpuid *cpuid;
	struct machine_qemu_state *qemu; /* NULL: not from a stream of QEMU's */
	struct paging_space virt;
	struct machine_nested nested;
	char name[24]; /* of virt */
};

struct whole_machine {
	struct inq_machine m;
	struct machine_made made;
	struct owned *owned; /* one per CPU */
	struct machine_windows *windows;
	const struct inq_space **spaces;
};
INQ_DEFINE_SCOPE(struct inq_machine, machine_close)

static void blobs_free(struct machine_blobs *b)
{
	free(b);
}
INQ_DEFINE_SCOPE(struct machine_blobs, blobs_free)

void machine_close(struct inq_machine *m)
{
	struct whole_machine *w = (struct whole_machine *)m;

	if (!w)
		return;
	for (uint32_t i = 0; w->owned && i < w->m.nr_cpus; i++) {
		free(w->owned[i].msrs);
		free(w->owned[i].cpuid);
		free(w->owned[i].qemu);
	}
	machine_names_destroy(w->made.names);
	machine_types_destroy(w->made.types);
	machine_windows_close(w->windows);
	machine_lines_destroy(w->made.lines);
	free(w->owned);
	kernel_destroy(w->made.kernel);
	free(w->spaces);
	free(w->m.cpus);
	free(w);
}

static bool is_of_cpu(const struct inq_blob *b)
{
	return b->vcpu != INQ_SNAP_VM && b->sample == 0 &&
	       (b->kind < MACHINE_NR_KINDS || b->kind == INQ_BLOB_PRSTATUS ||
		b->kind == INQ_BLOB_NAMED || b->kind == INQ_BLOB_QEMU_CPU);
}

static bool tells_of_cpu(const struct inq_blob *b)
{
	return is_of_cpu(b) || (b->kind == INQ_BLOB_VMWARE && b->vcpu != INQ_SNAP_VM);
}

static enum inq_status count_cpus(const struct inq_dump *dump, uint32_t *ret_nr,
				  struct inq_err *err)
{
	uint32_t nr = dump->header ? dump->header->nr_vcpus : 0;

	for (size_t i = 0; i < dump->nr_blobs; i++)
		if (tells_of_cpu(&dump->blobs[i]) && dump->blobs[i].vcpu >= nr)
			nr = dump->blobs[i].vcpu + 1;
	if (nr > INQ_SNAP_MAX_VCPUS)
		return inq_fail(err, INQ_ELIMIT, "%s: %" PRIu32 " cpus, %u at most", dump->path, nr,
				INQ_SNAP_MAX_VCPUS);
	*ret_nr = nr;
	return INQ_OK;
}

static const struct inq_blob **slot_of(struct machine_blobs *of, uint32_t kind)
{
	return kind == INQ_BLOB_PRSTATUS   ? &of->prstatus
	       : kind == INQ_BLOB_NAMED    ? &of->named
	       : kind == INQ_BLOB_QEMU_CPU ? &of->qemu
					   : &of->of[kind];
}

/* One pass over all blobs: looking each up would take CPUs times kinds times blobs. */
static void sort_blobs(const struct inq_dump *dump, struct machine_blobs *per_cpu)
{
	for (size_t i = 0; i < dump->nr_blobs; i++) {
		const struct inq_blob *b = &dump->blobs[i];
		if (!is_of_cpu(b))
			continue;
		const struct inq_blob **slot = slot_of(&per_cpu[b->vcpu], b->kind);
		if (!*slot)
			*slot = b;
	}
}

static const struct inq_cpuid *cpuid_leaf(const struct inq_cpu *cpu, uint32_t leaf)
{
	for (size_t i = 0; i < cpu->nr_cpuid; i++)
		if (cpu->cpuid[i].leaf == leaf)
			return &cpu->cpuid[i];
	return NULL;
}

static int maxphyaddr(const struct inq_cpu *cpu)
{
	const struct inq_cpuid *c = cpuid_leaf(cpu, 0x80000008);

	return c ? (int)(c->eax & 0xff) : 0;
}

static int gbpages(const struct inq_cpu *cpu)
{
	const struct inq_cpuid *c = cpuid_leaf(cpu, 0x80000001);

	return c ? (int)(c->edx >> 26 & 1) : -1;
}

static void add_space(struct whole_machine *w, struct inq_space *sp)
{
	w->spaces[w->m.nr_spaces++] = sp;
	sp->space_id = (int64_t)w->m.nr_spaces;
}

static void add_nested(struct whole_machine *w, struct machine_nested *nested)
{
	struct paging_space *all[] = {&nested->phys, &nested->virt, &nested->outer};

	for (size_t i = 0; i < sizeof(all) / sizeof(*all); i++)
		if (all[i]->base.name)
			add_space(w, &all[i]->base);
}

static void open_spaces(struct whole_machine *w, struct inq_cpu *cpu, const struct machine_blobs *b,
			struct owned *own)
{
	const struct inq_space *under;
	const struct inq_dump *dump = w->m.dump;
	struct paging_mode mode;

	cpu->phys = dump->phys;
	if (dump->smm && inq_reg_known(&cpu->regs, X86_64_SMM) && cpu->regs.v[X86_64_SMM])
		cpu->phys = dump->smm;
	machine_nested_open(b, cpu, dump->phys, maxphyaddr(cpu), gbpages(cpu), &own->nested);
	/* an inner guest's page tables lie where its hypervisor's tables say */
	under = own->nested.runs && own->nested.phys.base.name ? &own->nested.phys.base : cpu->phys;
	cpu->virt = dump->virt; /* a file that holds linear memory has no page tables */
	if (!dump->virt &&
	    (!paging_mode_of(&cpu->regs, maxphyaddr(cpu), gbpages(cpu), &mode, NULL) ||
	     machine_windows_mode(w->windows, &cpu->regs, &mode))) {
		(void)snprintf(own->name, sizeof(own->name), "cpu%" PRIu32 "-virt", cpu->index);
		paging_space_init(&own->virt, own->name, under, &mode);
		add_space(w, &own->virt.base);
		cpu->virt = &own->virt.base;
	}
	add_nested(w, &own->nested);
}

/* QEMU's words become structures of KVM's, unless the dump has those itself. */
static enum inq_status translate(struct whole_machine *w, struct owned *own,
				 struct machine_blobs *b, struct inq_err *err)
{
	if (!b->named)
		return INQ_OK;
	own->qemu = malloc(sizeof(*own->qemu));
	if (!own->qemu)
		return inq_fail(err, INQ_ENOMEM, "%s: state of a cpu", w->m.dump->path);
	machine_qemu_state(b->named, inq_dump_blob(w->m.dump, INQ_SNAP_VM, 0, INQ_BLOB_NAMED),
			   own->qemu);
	for (unsigned k = 0; k < own->qemu->nr; k++) {
		const struct inq_blob *made = &own->qemu->blob[k];
		if (made->kind < MACHINE_NR_KINDS && !b->of[made->kind])
			b->of[made->kind] = made;
	}
	return INQ_OK;
}

static enum inq_status open_cpu(struct whole_machine *w, uint32_t i, struct machine_blobs *b,
				struct inq_err *err)
{
	struct inq_cpu *cpu = &w->m.cpus[i];
	struct owned *own = &w->owned[i];
	enum inq_status st;
	uint64_t smbase;

	cpu->index = i;
	if ((st = translate(w, own, b, err)))
		return st;
	st = machine_kvm_msrs(b, &own->msrs, &cpu->nr_msrs, err);
	if (!st && !own->msrs)
		st = machine_qemu_msrs(b, &own->msrs, &cpu->nr_msrs, err);
	if (!st)
		st = machine_kvm_cpuid(b, &own->cpuid, &cpu->nr_cpuid, err);
	if (st)
		return inq_wrap(err, st, "%s: cpu %" PRIu32, w->m.dump->path, i);
	if (!own->msrs)
		st = machine_windows_msrs(w->windows, i, &own->msrs, &cpu->nr_msrs, err);
	if (st)
		return inq_wrap(err, st, "%s: cpu %" PRIu32, w->m.dump->path, i);
	cpu->msrs = own->msrs;
	cpu->cpuid = own->cpuid;
	cpu->lapic = machine_kvm_lapic(b);
	machine_kvm_nested(b, cpu);
	machine_kvm_regs(b, &cpu->regs);
	machine_windows_regs(w->windows, i, &cpu->regs);
	machine_vmware_regs(inq_dump_blob(w->m.dump, i, 0, INQ_BLOB_VMWARE), &cpu->regs);
	if (inq_cpu_msr(cpu, MSR_SMBASE, &smbase))
		inq_reg_set(&cpu->regs, X86_64_SMBASE, smbase);
	open_spaces(w, cpu, b, own);
	return INQ_OK;
}

static enum inq_status allocate(struct whole_machine *w, uint32_t nr, struct inq_err *err)
{
	size_t at_least = nr ? nr : 1; /* calloc(0) may return NULL */

	w->m.cpus = calloc(at_least, sizeof(*w->m.cpus));
	w->owned = calloc(at_least, sizeof(*w->owned));
	w->spaces =
		calloc(at_least * MAX_CPU_SPACES + MAX_OTHER_SPACES, sizeof(struct inq_space *));
	if (!w->m.cpus || !w->owned || !w->spaces)
		return inq_fail(err, INQ_ENOMEM, "%s: %" PRIu32 " cpus", w->m.dump->path, nr);
	w->m.nr_cpus = nr;
	w->m.spaces = w->spaces;
	return INQ_OK;
}

const struct inq_kernel *inq_machine_kernel(const struct inq_machine *m)
{
	static const struct inq_kernel lost = {
		.st = INQ_ENOMEM, .note = "the kernel was not looked for: out of memory"};
	static const struct inq_kernel stopped = {.st = INQ_EINTR, .note = "stopped"};
	static const struct inq_kernel closed = {.note = "the kernel was not looked for"};
	struct machine_made *made = m->made;

	if (!made)
		return &closed;
	if (made->kernel)
		return made->kernel;
	enum inq_status st = kernel_find(m, &made->kernel, NULL);
	if (st)
		return st == INQ_EINTR ? &stopped : &lost;
	if (made->kernel->virt)
		add_space(made->whole, kernel_space(made->kernel));
	return made->kernel;
}

void machine_on_search(struct inq_machine *m, machine_search_go_fn *go, void *ctx)
{
	m->made->go = go;
	m->made->go_ctx = ctx;
}

enum inq_status machine_kernel_for(const struct inq_machine *m, const char *what,
				   const struct inq_kernel **ret, struct inq_err *err)
{
	const struct inq_kernel *k = inq_machine_kernel(m);

	if (k->st)
		return inq_fail(err, k->st, "%s", k->note);
	if (!k->os)
		return inq_fail(err, INQ_EABSENT, "no kernel was found, hence no %s", what);
	if (!k->virt)
		return inq_fail(err, INQ_EABSENT, "the kernel's page tables are unknown");
	*ret = k;
	return INQ_OK;
}

static void describe(struct inq_machine *m, const struct inq_dump *dump)
{
	m->machine_id = 1;
	m->kind = dump->header ? "vm" : "unknown";
	m->arch = "x86_64";
	m->dump = dump;
	m->sample.kind = "snapshot";
	if (dump->header && dump->header->t_realtime_ns) {
		m->sample.t_ns = (int64_t)dump->header->t_realtime_ns;
		m->sample.t_known = 1;
	}
}

/* Of a Windows dump, which knows more CPUs than it has blobs of. */
static enum inq_status open_windows(struct whole_machine *w, uint32_t *nr, struct inq_err *err)
{
	enum inq_status st = machine_windows_open(w->m.dump, &w->windows, err);
	const struct inq_windows *pub = machine_windows_pub(w->windows);

	if (st || !pub)
		return inq_wrap(err, st, "%s", w->m.dump->path);
	w->m.windows = pub;
	if (*nr < pub->nr_cpus)
		*nr = pub->nr_cpus;
	w->m.sample.t_ns = pub->t_ns;
	w->m.sample.t_known = pub->t_known;
	return INQ_OK;
}

enum inq_status machine_open(const struct inq_dump *dump, struct inq_machine **ret_machine,
			     struct inq_err *err)
{
	uint32_t nr = 0;
	enum inq_status st = count_cpus(dump, &nr, err);

	if (st)
		return st;
	struct whole_machine *w = calloc(1, sizeof(*w));
	if (!w)
		return inq_fail(err, INQ_ENOMEM, "%s: machine", dump->path);
	INQ_SCOPED(machine_close_scope_) struct inq_machine *m = &w->m;
	m->made = &w->made;
	w->made.whole = w;
	describe(m, dump);
	st = open_windows(w, &nr, err);
	if (!st)
		st = allocate(w, nr, err);
	if (st)
		return st;
	INQ_SCOPED(blobs_free_scope_)
	struct machine_blobs *blobs = calloc(nr ? nr : 1, sizeof(*blobs));
	if (!blobs)
		return inq_fail(err, INQ_ENOMEM, "%s: %" PRIu32 " cpus", dump->path, nr);

	sort_blobs(dump, blobs);
	add_space(w, dump->phys);
	if (dump->smm)
		add_space(w, dump->smm);
	if (dump->virt)
		add_space(w, dump->virt);
	for (uint32_t i = 0; i < nr; i++)
		if ((st = open_cpu(w, i, &blobs[i], err)))
			return st;
	*ret_machine = inq_take(m);
	return INQ_OK;
}

static int by_index(const void *key, const void *entry)
{
	uint32_t x = *(const uint32_t *)key, y = ((const struct inq_msr *)entry)->index;

	return (x > y) - (x < y);
}

int inq_cpu_msr(const struct inq_cpu *cpu, uint32_t index, uint64_t *ret_value)
{
	const struct inq_msr *m = cpu->nr_msrs ? bsearch(&index, cpu->msrs, cpu->nr_msrs,
							 sizeof(*cpu->msrs), by_index)
					       : NULL;

	if (!m || !m->known)
		return 0;
	*ret_value = m->value;
	return 1;
}
