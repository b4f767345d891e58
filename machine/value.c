/*
 * Knows how people want to read a value: enumerators by name, text as text, pointers with what they
 * lead to, flags in hexadecimal, equal elements once.
 */
#include "machine/value.h"

#include <endian.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include <inquest/names.h>

enum { MAX_CHARS = 200, MAX_ELEMENTS = 4096, MANY = 0x10000, SYMBOL = 120 };
/* where numbers are more likely addresses: the kernel's half */
#define KERNEL_HALF UINT64_C(0xffff000000000000)

static void put_text(struct machine_value *v, const char *text)
{
	size_t have = strlen(v->text);

	snprintf(v->text + have, sizeof(v->text) - have, "%s", text);
}

static void put_unread(struct machine_value *v, enum inq_status st)
{
	put_text(v, st == INQ_EABSENT ? "(not dumped)" : "(not mapped)");
}

static void put_pointer(const struct inq_machine *m, struct machine_value *v)
{
	char part[32], name[SYMBOL];

	if (!v->raw) {
		put_text(v, "NULL");
		return;
	}
	snprintf(part, sizeof(part), "0x%" PRIx64, v->raw);
	put_text(v, part);
	if (v->raw >= KERNEL_HALF && inq_symbol_text(m, v->raw, name, sizeof(name))) {
		put_text(v, " ");
		put_text(v, name);
	}
}

static void put_enum(struct inq_type t, struct machine_value *v)
{
	const char *name = inq_type_enum_name(t, v->raw);
	char part[32];

	if (!name && (uint32_t)v->raw != v->raw) /* see btf_enumerator: without a flag */
		name = inq_type_enum_name(t, (uint32_t)v->raw);
	snprintf(part, sizeof(part), name ? " (%" PRId64 ")" : "%" PRId64, (int64_t)v->raw);
	put_text(v, name ? name : "");
	put_text(v, part);
}

/* Names of members that are bits rather than numbers. */
static bool is_bits(const char *name)
{
	return strstr(name, "flags") || strstr(name, "mask") || strstr(name, "bits");
}

static void put_integer(const struct inq_type_info *info, const char *name, struct machine_value *v)
{
	char part[48];

	if (info->is_bool && v->raw <= 1)
		snprintf(part, sizeof(part), "%s", v->raw ? "true" : "false");
	else if (is_bits(name) || (!info->is_signed && v->raw >= KERNEL_HALF))
		snprintf(part, sizeof(part), "0x%" PRIx64, v->raw);
	else if (info->is_signed)
		snprintf(part, sizeof(part), "%" PRId64, (int64_t)v->raw);
	else if (v->raw >= MANY && info->size == 8)
		snprintf(part, sizeof(part), "%" PRIu64 " (0x%" PRIx64 ")", v->raw, v->raw);
	else
		snprintf(part, sizeof(part), "%" PRIu64, v->raw);
	put_text(v, part);
}

/* What is no integer of 8 bytes at most: its bytes, the highest first. */
static void put_bytes(const struct inq_machine *m, uint64_t addr, uint64_t size,
		      struct machine_value *v)
{
	uint8_t bytes[32];
	char part[8];

	if (size > sizeof(bytes) || !size) {
		put_text(v, "(?)");
		return;
	}
	enum inq_status st = inq_read_kernel(m, addr, bytes, size, NULL);
	if (st) {
		put_unread(v, st);
		return;
	}
	put_text(v, "0x");
	for (uint64_t i = size; i-- > 0;) {
		snprintf(part, sizeof(part), "%02x", bytes[i]);
		put_text(v, part);
	}
}

/* As much of a text as can be read. */
static void put_chars(const struct inq_machine *m, uint64_t addr, uint64_t nr,
		      struct machine_value *v)
{
	char text[MAX_CHARS + 1] = "";
	size_t n = nr && nr < MAX_CHARS ? (size_t)nr : MAX_CHARS, k = 0;
	enum inq_status st = INQ_OK;

	while (k < n && !(st = inq_read_kernel(m, addr + k, text + k, 1, NULL)) && text[k])
		k++;
	if (st && !k) {
		put_unread(v, st);
		return;
	}
	text[k] = 0;
	put_text(v, "\"");
	put_text(v, text);
	put_text(v, k == MAX_CHARS ? "\"..." : "\"");
}

/* What a char * leads to. */
static void put_pointed(const struct inq_machine *m, struct inq_type t, struct machine_value *v)
{
	struct inq_type_info to;
	char byte;

	inq_type_info(inq_type_target(t), &to);
	if (!to.is_char || v->raw < KERNEL_HALF || inq_read_kernel(m, v->raw, &byte, 1, NULL))
		return;
	put_text(v, " ");
	put_chars(m, v->raw, 0, v);
}

/* Integers, enumerators, pointers. */
static void put_scalar(const struct inq_machine *m, const struct inq_member *mb,
		       const struct inq_type_info *info, uint64_t addr, struct machine_value *v)
{
	struct inq_field f = inq_field_for(mb);

	f.off = 0;
	if (info->kind == INQ_TYPE_FLOAT || info->size > 8 || !info->size) {
		put_bytes(m, addr, info->size, v);
		return;
	}
	enum inq_status st = inq_read_field(m, addr, &f, &v->raw, NULL);
	if (st) {
		put_unread(v, st);
		return;
	}
	v->is_known = true;
	if (info->kind == INQ_TYPE_POINTER) {
		put_pointer(m, v);
		put_pointed(m, mb->type, v);
	} else if (info->kind == INQ_TYPE_ENUM) {
		put_enum(mb->type, v);
	} else {
		put_integer(info, mb->name, v);
	}
}

/* One run of equal elements. */
static bool put_run(struct machine_value *v, const char *one, uint64_t nr, bool first)
{
	char part[MACHINE_VALUE_TEXT + 48];

	if (nr > 1)
		snprintf(part, sizeof(part), "%s%s <%" PRIu64 " times>", first ? "" : ", ", one,
			 nr);
	else
		snprintf(part, sizeof(part), "%s%s", first ? "" : ", ", one);
	if (strlen(v->text) + strlen(part) + 8 > sizeof(v->text)) {
		put_text(v, ", ...");
		return false;
	}
	put_text(v, part);
	return true;
}

static void put_elements(const struct inq_machine *m, struct inq_type element, uint64_t addr,
			 uint64_t nr, struct machine_value *v)
{
	struct inq_member mb = {.name = "", .type = element};
	struct inq_type_info info;
	struct machine_value last = {.opens = false}, now;
	uint64_t run = 0, size = inq_type_size(element);
	bool first = true, room = true;

	inq_type_info(element, &info);
	mb.size = (uint32_t)size;
	put_text(v, "{");
	for (uint64_t i = 0; i < nr && i < MAX_ELEMENTS && room; i++) {
		now = (struct machine_value){.opens = false};
		put_scalar(m, &mb, &info, addr + i * size, &now);
		if (run && strcmp(now.text, last.text) != 0) {
			room = put_run(v, last.text, run, first);
			first = false;
			run = 0;
		}
		last = now;
		run++;
	}
	if (run && room)
		room = put_run(v, last.text, run, first);
	put_text(v, nr > MAX_ELEMENTS && room ? ", ...}" : "}");
}

static bool is_scalar(enum inq_type_kind kind)
{
	return kind == INQ_TYPE_INT || kind == INQ_TYPE_ENUM || kind == INQ_TYPE_POINTER ||
	       kind == INQ_TYPE_FLOAT;
}

static void put_array(const struct inq_machine *m, struct inq_type t, uint64_t nr, uint64_t addr,
		      struct machine_value *v)
{
	struct inq_type element = inq_type_target(t);
	struct inq_type_info info;

	inq_type_info(element, &info);
	bool is_endless = nr == INQ_ANY_NUMBER;
	if (info.is_char && nr)
		put_chars(m, addr, is_endless ? 0 : nr, v);
	else if (!nr || is_endless)
		put_text(v, "{}");
	else if (is_scalar(info.kind) && info.size)
		put_elements(m, element, addr, nr, v);
	else
		v->opens = true;
}

void machine_value(const struct inq_machine *m, const struct inq_member *mb, uint64_t addr,
		   struct machine_value *ret)
{
	struct inq_type_info info;

	*ret = (struct machine_value){.opens = false};
	inq_type_info(mb->type, &info);
	switch (info.kind) {
	case INQ_TYPE_STRUCT:
	case INQ_TYPE_UNION:
		ret->opens = true;
		return;
	case INQ_TYPE_ARRAY:
		put_array(m, mb->type, info.nr, addr, ret);
		return;
	case INQ_TYPE_INT:
	case INQ_TYPE_ENUM:
	case INQ_TYPE_POINTER:
	case INQ_TYPE_FLOAT:
		put_scalar(m, mb, &info, addr, ret);
		return;
	case INQ_TYPE_VOID:
	case INQ_TYPE_FUNC:
	case INQ_TYPE_FORWARD:
		put_text(ret, "(no value)");
	}
}
