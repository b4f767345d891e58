/* A BTF, built type by type. */
#ifndef TESTS_BTF_BUILD_H
#define TESTS_BTF_BUILD_H

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "symbols/btf.h"

enum { BTF_BUILD_TYPES = 8192, BTF_BUILD_CHARS = 4096 };

struct btf_build {
	uint8_t types[BTF_BUILD_TYPES];
	char strings[BTF_BUILD_CHARS];
	uint32_t nr_bytes, nr_chars; /* zeroed is a BTF without base */
	uint32_t first_char, last;   /* of the base: how many strings, which id was last */
	uint8_t out[BTF_HEADER + BTF_BUILD_TYPES + BTF_BUILD_CHARS];
};

static inline void btf_build_word(struct btf_build *b, uint32_t v)
{
	memcpy(b->types + b->nr_bytes, &v, sizeof(v));
	b->nr_bytes += 4;
}

static inline uint32_t btf_build_string(struct btf_build *b, const char *s)
{
	uint32_t at;

	if (!b->nr_chars)
		b->nr_chars = 1;
	if (!*s)
		return 0;
	at = b->nr_chars;
	memcpy(b->strings + at, s, strlen(s) + 1);
	b->nr_chars += (uint32_t)strlen(s) + 1;
	return b->first_char + at;
}

/* Yields the type's id. */
static inline uint32_t btf_build(struct btf_build *b, enum btf_kind kind, const char *name,
				 uint32_t nr, uint32_t size_or_type, bool flag)
{
	btf_build_word(b, btf_build_string(b, name));
	btf_build_word(b, (uint32_t)kind << 24 | nr | (uint32_t)flag << 31);
	btf_build_word(b, size_or_type);
	return ++b->last;
}

/* encoding: 1 signed, 2 char, 4 bool. */
static inline uint32_t btf_build_int(struct btf_build *b, const char *name, uint32_t size,
				     uint32_t encoding)
{
	uint32_t id = btf_build(b, BTF_INT, name, 0, size, false);

	btf_build_word(b, encoding << 24 | size * 8);
	return id;
}

static inline uint32_t btf_build_array(struct btf_build *b, uint32_t type, uint32_t index,
				       uint32_t nr)
{
	uint32_t id = btf_build(b, BTF_ARRAY, "", 0, 0, false);

	btf_build_word(b, type);
	btf_build_word(b, index);
	btf_build_word(b, nr);
	return id;
}

/* A member (bits, or bits << 24 with the flag), or a variable (type is the name, then). */
static inline void btf_build_member(struct btf_build *b, const char *name, uint32_t type,
				    uint32_t bits)
{
	btf_build_word(b, btf_build_string(b, name));
	btf_build_word(b, type);
	btf_build_word(b, bits);
}

static inline void btf_build_pair(struct btf_build *b, const char *name, uint32_t v)
{
	btf_build_word(b, btf_build_string(b, name));
	btf_build_word(b, v);
}

static inline size_t btf_build_finish(struct btf_build *b)
{
	const uint32_t head[6] = {0x0001eb9f,  BTF_HEADER,  0,
				  b->nr_bytes, b->nr_bytes, b->nr_chars ? b->nr_chars : 1};

	memcpy(b->out, head, sizeof(head));
	memcpy(b->out + BTF_HEADER, b->types, b->nr_bytes);
	memcpy(b->out + BTF_HEADER + b->nr_bytes, b->strings, head[5]);
	return BTF_HEADER + b->nr_bytes + head[5];
}

/*
 * A small kernel: what lies where is in the comments of the test.  Ids: 1 int, 2 char, 3 unsigned
 * long, 4 list_head, 5 its pointer, 6 char [16], 7 anonymous union, 8 enum state, 9 u32,
 * 10 task_struct, 11 its pointer, 12 task_struct *[4], 13 prototype, 14 its pointer, 15 wake_up,
 * 16 variable current_task, 17 .data..percpu, 18 enum64 wide, 19 const char, 20 its pointer.
 */
static inline void btf_build_kernel(struct btf_build *b)
{
	btf_build_int(b, "int", 4, 1);
	btf_build_int(b, "char", 1, 1);
	btf_build_int(b, "long unsigned int", 8, 0);
	btf_build(b, BTF_STRUCT, "list_head", 2, 16, false);
	btf_build_member(b, "next", 5, 0);
	btf_build_member(b, "prev", 5, 64);
	btf_build(b, BTF_PTR, "", 0, 4, false);
	btf_build_array(b, 2, 1, 16);
	btf_build(b, BTF_UNION, "", 2, 8, false);
	btf_build_member(b, "as_int", 1, 0);
	btf_build_member(b, "as_long", 3, 0);
	btf_build(b, BTF_ENUM, "state", 2, 4, true);
	btf_build_pair(b, "RUNNING", 1);
	btf_build_pair(b, "DEAD", (uint32_t)-1);
	btf_build(b, BTF_TYPEDEF, "u32", 0, 1, false);
	btf_build(b, BTF_STRUCT, "task_struct", 8, 88, true);
	btf_build_member(b, "pid", 1, 0);
	btf_build_member(b, "on_cpu", 9, 32 | 1u << 24);
	btf_build_member(b, "prio", 1, 33 | 9u << 24);
	btf_build_member(b, "tasks", 4, 64);
	btf_build_member(b, "comm", 6, 192);
	btf_build_member(b, "", 7, 320);
	btf_build_member(b, "state", 8, 384);
	btf_build_member(b, "children", 12, 448);
	btf_build(b, BTF_PTR, "", 0, 10, false);
	btf_build_array(b, 11, 1, 4);
	btf_build(b, BTF_FUNC_PROTO, "", 3, 1, false);
	btf_build_pair(b, "p", 11);
	btf_build_pair(b, "why", 20);
	btf_build_pair(b, "", 0);
	btf_build(b, BTF_PTR, "", 0, 13, false);
	btf_build(b, BTF_FUNC, "wake_up", 1, 13, false);
	btf_build(b, BTF_VAR, "current_task", 0, 11, false);
	btf_build_word(b, 1);
	btf_build(b, BTF_DATASEC, ".data..percpu", 1, 8, false);
	btf_build_word(b, 16);
	btf_build_word(b, 0x1000);
	btf_build_word(b, 8);
	btf_build(b, BTF_ENUM64, "wide", 1, 8, false);
	btf_build_word(b, btf_build_string(b, "HIGH"));
	btf_build_word(b, 2);
	btf_build_word(b, 1);
	btf_build(b, BTF_CONST, "", 0, 2, false);
	btf_build(b, BTF_PTR, "", 0, 19, false);
}

#endif
