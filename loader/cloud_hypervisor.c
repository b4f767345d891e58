/*
 * Knows the folder that a snapshot of Cloud Hypervisor is: state.json with all of the VM's state as
 * a tree of named parts, and memory-ranges with memory, range behind range.
 * Source: Cloud Hypervisor vm-migration/src/lib.rs (Snapshot, SnapshotData), vmm/src/{cpu,
 * memory_manager}.rs, hypervisor/src/kvm/x86_64/mod.rs (VcpuKvmState); kvm-bindings
 * src/serialize.rs: a structure of KVM is an array of its bytes.
 *
 * A part's own state is JSON within a string (or, before version 37, within an array of bytes).
 */
#include <inttypes.h>
#include <json-c/json.h>
#include <libgen.h>
#include <stdio.h>
#include <stdlib.h>

#include "loader/dump.h"

enum {
	MOST_STATE = 32 << 20, /* bytes of state.json; each may cost fifty in memory */
	MOST_DEPTH = 64,
	MSR_BYTES = 16,
	CPUID_BYTES = 40,
};

static void json_scope(struct json_object **j)
{
	json_object_put(*j);
}

/* NULL: the text is no JSON, which why tells. */
static struct json_object *parse(const char *text, size_t n, const char **why)
{
	struct json_tokener *t = json_tokener_new_ex(MOST_DEPTH);
	struct json_object *j = t ? json_tokener_parse_ex(t, text, (int)n) : NULL;

	enum json_tokener_error e = t ? json_tokener_get_error(t) : json_tokener_success;
	*why = !t                           ? "out of memory"
	       : e == json_tokener_continue ? "it ends early"
					    : json_tokener_error_desc(e);
	json_tokener_free(t);
	return j;
}

static struct json_object *member(struct json_object *j, const char *name)
{
	struct json_object *v = NULL;

	if (!json_object_is_type(j, json_type_object) || !json_object_object_get_ex(j, name, &v))
		return NULL;
	return v;
}

static uint64_t number(struct json_object *j)
{
	int64_t v = json_object_is_type(j, json_type_int) ? json_object_get_int64(j) : 0;

	return v < 0 ? (uint64_t)v : json_object_get_uint64(j);
}

/* An array of bytes, signed or not; free() it.  NULL: it is none, or out of memory. */
static uint8_t *bytes_of(struct json_object *j, size_t *ret_n)
{
	size_t n = json_object_is_type(j, json_type_array) ? json_object_array_length(j) : 0;
	uint8_t *p = n ? malloc(n) : NULL;

	for (size_t i = 0; p && i < n; i++) {
		struct json_object *e = json_object_array_get_idx(j, i);
		if (!json_object_is_type(e, json_type_int)) {
			free(p);
			return NULL;
		}
		p[i] = (uint8_t)json_object_get_int64(e);
	}
	*ret_n = n;
	return p;
}

static void free_bytes(uint8_t **p)
{
	free(*p);
}

static void free_text(char **p)
{
	free(*p);
}

/* The JSON within a string or within an array of bytes. */
static struct json_object *unwrap(struct json_object *j)
{
	size_t n = 0;
	INQ_SCOPED(free_bytes) uint8_t *bytes = bytes_of(j, &n);
	const char *why;

	if (bytes)
		return parse((const char *)bytes, n, &why);
	if (!json_object_is_type(j, json_type_string))
		return NULL;
	return parse(json_object_get_string(j), (size_t)json_object_get_string_len(j), &why);
}

/* A part's own state, in any of the forms that it had over the versions; to be put. */
static struct json_object *state_of(struct json_object *part)
{
	struct json_object *data = member(part, "snapshot_data"), *inner = member(data, "state");

	if (inner)
		return unwrap(inner);
	if (json_object_is_type(data, json_type_array))
		return unwrap(data);
	if (!json_object_is_type(data, json_type_object))
		return NULL;
	json_object_object_foreach(data, key, section) /* "<id>-section": {id, snapshot} */
	{
		(void)key;
		return unwrap(member(section, "snapshot"));
	}
	return NULL;
}

static enum inq_status add_bytes(struct loader_dump *d, uint32_t vcpu, uint32_t kind,
				 struct json_object *j, size_t least, struct inq_err *err)
{
	size_t n = 0;
	INQ_SCOPED(free_bytes) uint8_t *p = bytes_of(j, &n);

	if (!p || n < least)
		return INQ_OK; /* not told in this form: unknown */
	return loader_blob_copy(d, vcpu, kind, p, n, err);
}

static void put_le(uint8_t *at, uint64_t v, size_t n)
{
	for (size_t i = 0; i < n; i++)
		at[i] = (uint8_t)(v >> (8 * i));
}

/* Where a named number goes in a structure of KVM. */
struct slot {
	const char *name;
	uint16_t off;
	uint8_t bytes;
};

static const struct slot regs_slots[] = {
	{"rax", 0, 8},   {"rbx", 8, 8},   {"rcx", 16, 8},     {"rdx", 24, 8},  {"rsi", 32, 8},
	{"rdi", 40, 8},  {"rsp", 48, 8},  {"rbp", 56, 8},     {"r8", 64, 8},   {"r9", 72, 8},
	{"r10", 80, 8},  {"r11", 88, 8},  {"r12", 96, 8},     {"r13", 104, 8}, {"r14", 112, 8},
	{"r15", 120, 8}, {"rip", 128, 8}, {"rflags", 136, 8}, {NULL, 0, 0},
};
static const struct slot sregs_slots[] = {
	{"cr0", 224, 8}, {"cr2", 232, 8},  {"cr3", 240, 8},       {"cr4", 248, 8},
	{"cr8", 256, 8}, {"efer", 264, 8}, {"apic_base", 272, 8}, {NULL, 0, 0},
};
static const struct slot segment_slots[] = {
	{"base", 0, 8},     {"limit", 8, 4}, {"selector", 12, 2}, {"type_", 14, 1},
	{"present", 15, 1}, {"dpl", 16, 1},  {"db", 17, 1},       {"s", 18, 1},
	{"l", 19, 1},       {"g", 20, 1},    {"avl", 21, 1},      {"unusable", 22, 1},
	{NULL, 0, 0},
};
static const struct slot table_slots[] = {{"base", 0, 8}, {"limit", 8, 2}, {NULL, 0, 0}};
static const struct slot msr_slots[] = {{"index", 0, 4}, {"data", 8, 8}, {NULL, 0, 0}};
static const struct slot cpuid_slots[] = {
	{"function", 0, 4}, {"index", 4, 4}, {"flags", 8, 4}, {"eax", 12, 4},
	{"ebx", 16, 4},     {"ecx", 20, 4},  {"edx", 24, 4},  {NULL, 0, 0},
};

/* Older versions name each member.  False when one of them is not there: half of it is nothing. */
static bool fill(struct json_object *j, const struct slot *s, uint8_t *at)
{
	for (; s->name; s++) {
		struct json_object *v = member(j, s->name);
		if (!json_object_is_type(v, json_type_int))
			return false;
		put_le(at + s->off, number(v), s->bytes);
	}
	return true;
}

static bool fill_sregs(struct json_object *j, uint8_t *at)
{
	static const char *const segments[] = {"cs", "ds", "es", "fs", "gs", "ss", "tr", "ldt"};
	bool good = fill(j, sregs_slots, at);

	for (size_t i = 0; good && i < sizeof(segments) / sizeof(*segments); i++)
		good = fill(member(j, segments[i]), segment_slots, at + 24 * i);
	return good && fill(member(j, "gdt"), table_slots, at + 192) &&
	       fill(member(j, "idt"), table_slots, at + 208);
}

static enum inq_status add_regs(struct loader_dump *d, uint32_t vcpu, struct json_object *kvm,
				struct inq_err *err)
{
	enum { REGS = 144, SREGS = 312 };
	uint8_t regs[REGS] = {0}, sregs[SREGS] = {0};
	enum inq_status st = add_bytes(d, vcpu, INQ_SNAP_REGS, member(kvm, "regs"), REGS, err);

	if (!st)
		st = add_bytes(d, vcpu, INQ_SNAP_SREGS, member(kvm, "sregs"), SREGS, err);
	if (!st && fill(member(kvm, "regs"), regs_slots, regs))
		st = loader_blob_copy(d, vcpu, INQ_SNAP_REGS, regs, REGS, err);
	if (!st && fill_sregs(member(kvm, "sregs"), sregs))
		st = loader_blob_copy(d, vcpu, INQ_SNAP_SREGS, sregs, SREGS, err);
	return st;
}

/* A list of structures with named members: all that are whole. */
static enum inq_status add_list(struct loader_dump *d, uint32_t vcpu, uint32_t kind,
				struct json_object *list, const struct slot *slots, size_t each,
				struct inq_err *err)
{
	size_t n = json_object_is_type(list, json_type_array) ? json_object_array_length(list) : 0;
	INQ_SCOPED(free_bytes) uint8_t *all = n ? calloc(n, each) : NULL;
	size_t kept = 0;

	if (!n)
		return INQ_OK;
	if (!all)
		return inq_fail(err, INQ_ENOMEM, "%zu entries of a cpu", n);
	for (size_t i = 0; i < n; i++)
		kept += fill(json_object_array_get_idx(list, i), slots, all + kept * each);
	return kept ? loader_blob_copy(d, vcpu, kind, all, kept * each, err) : INQ_OK;
}

static enum inq_status add_mp_state(struct loader_dump *d, uint32_t vcpu, struct json_object *j,
				    struct inq_err *err)
{
	struct json_object *v = member(j, "mp_state");
	uint8_t raw[4];

	if (!json_object_is_type(v, json_type_int))
		return add_bytes(d, vcpu, INQ_SNAP_MP_STATE, j, sizeof(raw), err);
	put_le(raw, number(v), sizeof(raw));
	return loader_blob_copy(d, vcpu, INQ_SNAP_MP_STATE, raw, sizeof(raw), err);
}

static enum inq_status add_vcpu(struct loader_dump *d, uint32_t vcpu, struct json_object *kvm,
				struct inq_err *err)
{
	static const struct {
		const char *name, *inner;
		uint32_t kind;
		size_t least;
	} raw[] = {
		{"vcpu_events", NULL, INQ_SNAP_EVENTS, 64},
		{"lapic_state", "regs", INQ_SNAP_LAPIC, 1024},
		{"lapic_state", NULL, INQ_SNAP_LAPIC, 1024},
		{"xcrs", NULL, INQ_SNAP_XCRS, 392},
		{"nested_state", NULL, INQ_SNAP_NESTED, 128},
	};
	enum inq_status st = add_regs(d, vcpu, kvm, err);

	for (size_t i = 0; !st && i < sizeof(raw) / sizeof(*raw); i++) {
		struct json_object *j = member(kvm, raw[i].name);
		if (raw[i].inner)
			j = member(j, raw[i].inner);
		st = add_bytes(d, vcpu, raw[i].kind, j, raw[i].least, err);
	}
	if (!st)
		st = add_list(d, vcpu, INQ_SNAP_MSRS, member(kvm, "msrs"), msr_slots, MSR_BYTES,
			      err);
	if (!st)
		st = add_list(d, vcpu, INQ_SNAP_CPUID2, member(kvm, "cpuid"), cpuid_slots,
			      CPUID_BYTES, err);
	return st ? st : add_mp_state(d, vcpu, member(kvm, "mp_state"), err);
}

static enum inq_status read_vcpus(struct loader_dump *d, struct json_object *vcpus,
				  struct inq_err *err)
{
	enum inq_status st = INQ_OK;

	if (!json_object_is_type(vcpus, json_type_object))
		return INQ_OK;
	json_object_object_foreach(vcpus, key, part)
	{
		char *end;
		unsigned long nr = strtoul(key, &end, 10);
		INQ_SCOPED(json_scope) struct json_object *state = state_of(part);
		struct json_object *kvm = member(state, "Kvm");
		if (st || end == key || *end || nr >= INQ_SNAP_MAX_VCPUS)
			continue;
		if (!state) {
			loader_damage(d, INQ_ECORRUPT, 0, 0, 0,
				      "state of vcpu %lu: in a form that is not known", nr);
			continue;
		}
		st = add_vcpu(d, (uint32_t)nr, kvm ? kvm : state, err);
	}
	return st;
}

/* Ranges of {gpa, length}: how many bytes of the file they take is the sum of those before. */
static enum inq_status add_ranges(struct loader_dump *d, struct loader_segments *l,
				  struct json_object *list, const char *length, uint64_t off,
				  struct inq_err *err)
{
	size_t n = json_object_is_type(list, json_type_array) ? json_object_array_length(list) : 0;
	enum inq_status st = INQ_OK;

	for (size_t i = 0; !st && i < n; i++) {
		struct json_object *r = json_object_array_get_idx(list, i);
		uint64_t gpa = number(member(r, "gpa")), bytes = number(member(r, length));
		st = loader_segments_add(d, l,
					 (struct loader_segment){.gpa = gpa,
								 .memsz = bytes,
								 .off = off,
								 .filesz = bytes,
								 .zero_at = LOADER_NO_BITS},
					 err);
		if (__builtin_add_overflow(off, bytes, &off))
			off = UINT64_MAX / 2; /* behind the end of any file */
	}
	return st;
}

static void segments_scope(struct loader_segments *l)
{
	loader_segments_deinit(l);
}

static enum inq_status read_memory(struct loader_dump *d, struct json_object *part, const char *why,
				   struct inq_err *err)
{
	INQ_SCOPED(segments_scope) struct loader_segments l = {0};
	INQ_SCOPED(json_scope) struct json_object *state = state_of(part);
	uint64_t off = why ? UINT64_MAX / 2 : 0;
	enum inq_status st = add_ranges(d, &l, member(member(state, "memory_ranges"), "data"),
					"length", off, err);

	if (!st && !l.nr) { /* memory that is shared or has a file of its own is not written */
		why = "memory is not in the snapshot: it is shared, or has a file of its own";
		st = add_ranges(d, &l, member(state, "guest_ram_mappings"), "size", UINT64_MAX / 2,
				err);
	}
	if (st)
		return st;
	if (!l.nr)
		return inq_fail(err, INQ_ECORRUPT, "state.json does not tell where memory is");
	loader_segments_report(d, &l, why);
	loader_phys_init(d);
	return loader_extents(d, l.p, l.nr, err);
}

/* memory-ranges beside state.json; missing: why it cannot be read, empty when it can. */
static void find_memory(struct loader_dump *d, char *missing, size_t n)
{
	INQ_SCOPED(free_text) char *path = NULL, *copy = strdup(d->path);
	struct inq_err err;

	*missing = '\0';
	if (!copy || asprintf(&path, "%s/memory-ranges", d->folder ? copy : dirname(copy)) < 0) {
		path = NULL;
		snprintf(missing, n, "out of memory");
	} else if (mapping_open(path, &d->mem, &err)) {
		snprintf(missing, n, "memory-ranges: %.150s", err.msg);
	}
}

static int probe(struct span head)
{
	return head.left && *head.p == '{' && memmem(head.p, head.left, "\"cpu-manager\"", 13) ? 80
											       : 0;
}

static enum inq_status open_cloud_hypervisor(struct loader_dump *d, struct inq_err *err)
{
	char missing[200];
	const char *why = NULL;
	const struct mapping *m = d->map;

	if (m->n > MOST_STATE)
		return inq_fail(err, INQ_ELIMIT, "state.json has 0x%zx bytes, 0x%x at most", m->n,
				(unsigned int)MOST_STATE);
	INQ_SCOPED(json_scope) struct json_object *root = parse((const char *)m->p, m->n, &why);
	struct json_object *parts = member(root, "snapshots");
	if (!parts)
		return inq_fail(err, INQ_ECORRUPT, "state.json is not the state of a snapshot: %s",
				root ? "no part named snapshots" : why);
	d->pub.variant = "cloud hypervisor snapshot";
	find_memory(d, missing, sizeof(missing));
	enum inq_status st =
		read_memory(d, member(parts, "memory-manager"), *missing ? missing : NULL, err);
	if (!st)
		st = read_vcpus(d, member(member(parts, "cpu-manager"), "snapshots"), err);
	if (!st)
		st = loader_index_blobs(d, err);
	const struct span head = span_of(m->p, m->n);
	if (!st)
		st = loader_content_id(d, &head, 1, err);
	return st ? st : loader_still_there(d, err);
}

const struct inq_loader loader_cloud_hypervisor = {
	.name = "chv",
	.doc = "snapshot folders of Cloud Hypervisor (its coredump is an ELF core)",
	.carries = "memory; registers, MSRs, CPUID, APIC, events, nested state per vCPU",
	.tells = {LOADER_YES, LOADER_YES, LOADER_YES, LOADER_YES, LOADER_YES, LOADER_SOME},
	.probe = probe,
	.open = open_cloud_hypervisor,
};
