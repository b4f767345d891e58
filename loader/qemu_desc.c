/*
 * Knows how QEMU describes its devices' sections: as JSON behind the end of the stream, with the
 * name, type and size of each field.  Source: QEMU's migration/vmstate.c (vmstate_save_state),
 * savevm.c, scripts/analyze-migration.py.
 */
#include <endian.h>
#include <inttypes.h>
#include <json-c/json.h>
#include <stdarg.h>
#include <stdio.h>

#include "loader/qemu.h"

enum {
	EOS = 0,
	FULL = 4,
	SUBSECTION = 5,
	DESCRIPTION = 6,
	FOOTER = 0x7e,
	DEPTH = 32,   /* of JSON */
	NAME = 512,   /* bytes of a value's name */
	VALUE = 4096, /* bytes of a value worth keeping */
	MAX_JSON = 64 << 20,
};

struct walk {
	struct qemu *q;
	struct named *to;
	char name[NAME]; /* of the value that is read */
};

static void json_scope(struct json_object **j)
{
	json_object_put(*j);
}

static void tokener_scope(struct json_tokener **t)
{
	if (*t)
		json_tokener_free(*t);
}

static const char *text_of(const struct json_object *j, const char *key)
{
	struct json_object *v;

	if (!json_object_object_get_ex(j, key, &v) || !json_object_is_type(v, json_type_string))
		return "";
	return json_object_get_string(v);
}

/* A member that is a number, else `otherwise`. */
static uint64_t number_of(const struct json_object *j, const char *key, uint64_t otherwise)
{
	struct json_object *v;

	if (!json_object_object_get_ex(j, key, &v) || !json_object_is_type(v, json_type_int) ||
	    json_object_get_int64(v) < 0)
		return otherwise;
	return (uint64_t)json_object_get_int64(v);
}

static struct json_object *array_of(const struct json_object *j, const char *key)
{
	struct json_object *v;

	return json_object_object_get_ex(j, key, &v) && json_object_is_type(v, json_type_array)
		       ? v
		       : NULL;
}

static size_t length_of(const struct json_object *array)
{
	return array ? json_object_array_length(array) : 0;
}

/* Is a description at that byte, and whole?  Then how long. */
static size_t description_bytes(const uint8_t *p, size_t left)
{
	struct span s = span_of(p, left);

	if (span_be(&s, 1) != EOS || span_be(&s, 1) != DESCRIPTION)
		return 0;
	size_t n = (size_t)span_be(&s, 4);
	if (s.bad || n < 2 || n > s.left || n > MAX_JSON)
		return 0;
	return s.p[0] == '{' && s.p[1] == '"' && s.p[n - 1] == '}' ? n : 0;
}

/* It lies behind all sections, whose lengths nothing but itself can tell: look for it. */
static struct json_object *find_description(const struct qemu *q)
{
	enum { BEFORE = 6 };
	const uint8_t *end = q->s.p + q->s.left;
	INQ_SCOPED(tokener_scope) struct json_tokener *tok = json_tokener_new_ex(DEPTH);

	for (const uint8_t *p = q->s.p; tok && (size_t)(end - p) > BEFORE; p++) {
		p = memchr(p, EOS, (size_t)(end - p));
		size_t n = p ? description_bytes(p, (size_t)(end - p)) : 0;
		if (!p)
			return NULL;
		if (!n)
			continue;
		struct json_object *j =
			json_tokener_parse_ex(tok, (const char *)p + BEFORE, (int)n);
		if (j && array_of(j, "devices"))
			return j;
		json_object_put(j);
		json_tokener_reset(tok);
	}
	return NULL;
}

/* Integers lie big-endian in the stream; everything else stays as it is. */
static bool is_integer(const char *type, size_t n)
{
	return (n == 1 || n == 2 || n == 4 || n == 8) &&
	       (strstr(type, "int") || !strcmp(type, "bool") || !strcmp(type, "timer"));
}

static void keep_value(struct walk *w, const char *type, const uint8_t *p, size_t n)
{
	uint8_t le[8];

	if (!is_integer(type, n)) {
		if (n <= VALUE && strcmp(type, "unused_buffer") != 0)
			named_add(w->to, w->name, p, n);
		return;
	}
	for (size_t i = 0; i < n; i++)
		le[i] = p[n - 1 - i];
	named_add(w->to, w->name, le, n);
}

static void read_fields(struct walk *w, const struct json_object *of, unsigned depth);

/* One element: a structure with a description of its own, or bytes. */
static void read_element(struct walk *w, const struct json_object *field, uint64_t size,
			 unsigned depth)
{
	struct json_object *nested = NULL;
	const uint8_t *from = w->q->s.p;

	(void)json_object_object_get_ex(field, "struct", &nested);
	const struct json_object *inner = nested;
	if (!inner && array_of(field, "fields"))
		inner = field; /* VMSTATE_WITH_TMP: its fields lie there */
	if (!inner || depth >= DEPTH) {
		const uint8_t *p = span_take(&w->q->s, (size_t)size);
		if (p)
			keep_value(w, text_of(field, "type"), p, (size_t)size);
		return;
	}
	read_fields(w, inner, depth + 1);
	if ((uint64_t)(w->q->s.p - from) != size)
		w->q->s.bad = true;
}

static size_t append(struct walk *w, size_t at, const char *fmt, ...) INQ_PRINTF(3, 4);
static size_t append(struct walk *w, size_t at, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	int n = vsnprintf(w->name + at, NAME - at, fmt, ap);
	va_end(ap);
	return n < 0 || (size_t)n >= NAME - at ? at : at + (size_t)n;
}

static void read_field(struct walk *w, const struct json_object *field, unsigned depth)
{
	size_t at = strlen(w->name), end;
	uint64_t nr = number_of(field, "array_len", 0), size = number_of(field, "size", 0);
	uint64_t index = number_of(field, "index", UINT64_MAX);

	end = append(w, at, "%s%s", at ? "." : "", text_of(field, "name"));
	if (index != UINT64_MAX)
		end = append(w, end, "[%" PRIu64 "]", index);
	if (nr && size == 1 && !strcmp(text_of(field, "type"), "uint8")) {
		size = nr; /* bytes: one value is enough */
		nr = 0;
	}
	if (!nr && size)
		read_element(w, field, size, depth);
	for (uint64_t i = 0; i < nr && size && !w->q->s.bad; i++) {
		(void)append(w, end, "[%" PRIu64 "]", i);
		read_element(w, field, size, depth);
		w->name[end] = 0;
	}
	w->name[at] = 0;
}

/* Behind the fields: each begins with its own name and version. */
static void read_subsection(struct walk *w, const struct json_object *sub, unsigned depth)
{
	struct qemu *q = w->q;
	char name[QEMU_NAME];

	q->s.bad |= span_be(&q->s, 1) != SUBSECTION;
	qemu_string(q, name);
	span_skip(&q->s, 4); /* its version */
	q->s.bad |= strcmp(name, text_of(sub, "vmsd_name")) != 0;
	if (!q->s.bad && depth < DEPTH)
		read_fields(w, sub, depth + 1);
}

static void read_fields(struct walk *w, const struct json_object *of, unsigned depth)
{
	struct json_object *fields = array_of(of, "fields"), *subs = array_of(of, "subsections");

	for (size_t i = 0; i < length_of(fields) && !w->q->s.bad; i++)
		read_field(w, json_object_array_get_idx(fields, i), depth);
	for (size_t i = 0; i < length_of(subs) && !w->q->s.bad; i++)
		read_subsection(w, json_object_array_get_idx(subs, i), depth);
}

static bool make_cpu(struct qemu *q, uint64_t instance)
{
	if (instance >= INQ_SNAP_MAX_VCPUS)
		return false;
	if (instance >= q->nr_cpus) {
		struct named *all = reallocarray(q->cpus, instance + 1, sizeof(*all));
		if (!all)
			return false;
		memset(all + q->nr_cpus, 0, (instance + 1 - q->nr_cpus) * sizeof(*all));
		q->cpus = all;
		q->nr_cpus = (size_t)instance + 1;
	}
	q->last_cpu = (size_t)instance;
	return true;
}

/*
 * Whose state a section is.  An APIC's instance is its id, which need not be the CPU's index; it
 * comes behind its CPU (QEMU's target/i386/cpu.c, x86_cpu_realizefn).
 */
static struct named *owner_of(struct qemu *q, const char *section, uint64_t instance)
{
	if (!strcmp(section, "cpu") || !strcmp(section, "cpu_common"))
		return make_cpu(q, instance) ? &q->cpus[q->last_cpu] : &q->vm;
	return !strcmp(section, "apic") && q->nr_cpus ? &q->cpus[q->last_cpu] : &q->vm;
}

/* One section of a device; false when it is not the described one, or not whole. */
static bool read_device(struct qemu *q, const struct json_object *device)
{
	char name[QEMU_NAME];
	uint64_t kind = span_be(&q->s, 1), id = span_be(&q->s, 4);

	qemu_string(q, name);
	uint64_t instance = span_be(&q->s, 4);
	span_skip(&q->s, 4); /* its version */
	if (q->s.bad || kind != FULL || strcmp(name, text_of(device, "name")) != 0)
		return false;
	struct walk w = {.q = q, .to = owner_of(q, name, instance)};
	(void)append(&w, 0, w.to == &q->vm && instance ? "%s#%" PRIu64 : "%s", name, instance);
	if (!strcmp(name, "apic") && w.to != &q->vm) {
		const uint32_t le = htole32((uint32_t)instance);
		named_add(w.to, "apic.instance", (const uint8_t *)&le, sizeof(le));
	}
	read_fields(&w, device, 0);
	return !q->s.bad && span_be(&q->s, 1) == FOOTER && span_be(&q->s, 4) == id && !q->s.bad;
}

static enum inq_status check_memory(const struct qemu *q, struct inq_err *err)
{
	bool failed = q->vm.failed;

	for (size_t i = 0; i < q->nr_cpus; i++)
		failed |= q->cpus[i].failed;
	return failed ? inq_fail(err, INQ_ENOMEM, "state of %zu cpus", q->nr_cpus) : INQ_OK;
}

/* Behind the section's footer, which repeats its number; what comes next must be a section, too. */
static bool skip_to_footer(struct span *s, uint64_t id)
{
	enum { BYTES = 5 };

	while (s->left >= BYTES) {
		const uint8_t *p = memchr(s->p, FOOTER, s->left);
		if (!p)
			return false;
		span_skip(s, (size_t)(p - s->p));
		struct span t = *s;
		span_skip(&t, 1);
		if (span_be(&t, 4) == id && !t.bad && (!t.left || *t.p == FULL || *t.p == EOS)) {
			*s = t;
			return true;
		}
		span_skip(s, 1);
	}
	return false;
}

/*
 * Nothing describes the sections: they are told apart by their heads and footers, so that it can be
 * said in which of them the file ends.  All is there when the end of the stream is.
 */
static void find_end(struct qemu *q)
{
	while (q->s.left && *q->s.p == FULL) {
		q->section_at = qemu_at(q);
		span_skip(&q->s, 1);
		uint64_t id = span_be(&q->s, 4);
		qemu_string(q, q->section);
		q->instance = span_be(&q->s, 4);
		q->cut = q->s.bad || !skip_to_footer(&q->s, id);
		if (q->cut)
			return;
		q->nr_whole++;
	}
	q->cut = q->between = !q->s.left;
	if (q->cut || *q->s.p != EOS)
		return;
	span_skip(&q->s, 1);
	if (!q->s.left || *q->s.p != DESCRIPTION)
		return;
	snprintf(q->section, sizeof(q->section), "description of devices");
	q->section_at = qemu_at(q);
	q->instance = 0;
	q->cut = true;
}

void qemu_devices_cut(const struct qemu *q)
{
	if (!q->nr_whole)
		loader_damage(q->d, INQ_EABSENT, 0, q->d->map->n, 0,
			      "no device's section was reached whole: registers, devices and SMRAM "
			      "are unknown");
	else
		loader_damage(
			q->d, INQ_EABSENT, 0, q->d->map->n, 0,
			"registers, devices and SMRAM are unknown: what describes the devices' "
			"sections is lost, %zu of which are whole",
			q->nr_whole);
}

enum inq_status qemu_devices(struct qemu *q, struct inq_err *err)
{
	uint64_t at = qemu_at(q);
	INQ_SCOPED(json_scope) struct json_object *j = find_description(q);
	struct json_object *devices = j ? array_of(j, "devices") : NULL;

	if (!j && q->footers)
		find_end(q);
	if (!j) {
		if (q->cut)
			return INQ_OK; /* how much of memory is missing is told with it */
		loader_damage(q->d, INQ_EABSENT, 0, at, q->d->map->n - at,
			      "the stream's description of its devices is missing: registers and "
			      "SMRAM are unknown");
		return INQ_OK;
	}
	for (size_t i = 0; i < length_of(devices); i++) {
		at = qemu_at(q);
		const struct json_object *device = json_object_array_get_idx(devices, i);
		if (read_device(q, device))
			continue;
		loader_damage(q->d, INQ_ECORRUPT, 0, at, 0,
			      "section %zu of %zu (%.40s) at 0x%" PRIx64
			      " is not as described: the rest of the devices is unknown",
			      i + 1, length_of(devices), text_of(device, "name"), at);
		break;
	}
	return check_memory(q, err);
}
