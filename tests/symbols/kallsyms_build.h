/* Tables of kallsyms as scripts/kallsyms.c of each kernel lays them out, in memory of their own. */
#ifndef TESTS_SYMBOLS_KALLSYMS_BUILD_H
#define TESTS_SYMBOLS_KALLSYMS_BUILD_H

#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "symbols/kallsyms.h"

#define KALLSYMS_BUILD_BASE UINT64_C(0xffffffff81e00000)
#define KALLSYMS_BUILD_TEXT UINT64_C(0xffffffff81000000)
enum { KALLSYMS_BUILD_NR = 1500, KALLSYMS_BUILD_PER_CPU = 3, KALLSYMS_BUILD_BYTES = 1 << 16 };

struct kallsyms_build {
	/* how */
	bool newer;     /* the order since 6.5 */
	bool addresses; /* no CONFIG_KALLSYMS_BASE_RELATIVE */
	bool plain;     /* no CONFIG_KALLSYMS_ABSOLUTE_PERCPU */
	bool seqs;      /* kallsyms_seqs_of_names, 6.2 */
	size_t align;   /* 4 or 8 */
	size_t front;   /* more bytes in front of them */
	/* what comes of it */
	struct inq_space space; /* must be first for its readers: see kallsyms_build_read */
	struct inq_kallsyms_place at;
	uint8_t bytes[KALLSYMS_BUILD_BYTES];
	size_t n;
	uint64_t hole; /* a page that cannot be read; 0: none */
};

static inline enum inq_status kallsyms_build_read(const struct inq_space *sp, uint64_t addr,
						  void *buf, size_t n, struct inq_err *err)
{
	const struct kallsyms_build *b =
		(const void *)((const char *)sp - offsetof(struct kallsyms_build, space));
	uint64_t off = addr - KALLSYMS_BUILD_BASE;

	if (addr < KALLSYMS_BUILD_BASE || off > b->n || n > b->n - off)
		return inq_fail_at(err, INQ_EFAULT, addr, "not built");
	if (b->hole && addr < b->hole + 4096 && addr + n > b->hole)
		return inq_fail_at(err, INQ_EABSENT, b->hole, "left out");
	memcpy(buf, b->bytes + off, n);
	return INQ_OK;
}

static inline void kallsyms_build_put(struct kallsyms_build *b, uint64_t v, size_t width)
{
	for (size_t i = 0; i < width; i++)
		b->bytes[b->n++] = (uint8_t)(v >> 8 * i);
}

/* Begin a table: pad, and say where it is. */
static inline uint64_t kallsyms_build_label(struct kallsyms_build *b)
{
	while (b->n % b->align)
		kallsyms_build_put(b, 0, 1);
	return KALLSYMS_BUILD_BASE + b->n;
}

/* The address and the name with its letter of symbol i. */
static inline uint64_t kallsyms_build_symbol(size_t i, char name[KALLSYMS_MAX_NAME])
{
	static const char *const first[] = {
		"Afixed_percpu_data", "A__per_cpu_start", "Arunqueues", "T_stext", "T_text",
		"tstartup_64"};

	if (i < sizeof(first) / sizeof(*first))
		snprintf(name, KALLSYMS_MAX_NAME, "%s", first[i]);
	else if (i == 300) /* more than 127 tokens */
		snprintf(name, KALLSYMS_MAX_NAME, "t%0300d", 7);
	else if (i % 100 == 50)
		snprintf(name, KALLSYMS_MAX_NAME, "tcommon_init");
	else
		snprintf(name, KALLSYMS_MAX_NAME, "Tsys_function_%zu.cold", i);
	if (i < KALLSYMS_BUILD_PER_CPU)
		return i / 2 * 0x1000;
	return KALLSYMS_BUILD_TEXT + (i < 5 ? 0 : 16 * i);
}

/* Two tokens of several characters at codes that no character of a name has. */
static inline const char *kallsyms_build_token(size_t i, char single[2])
{
	if (i == 1)
		return "sys_function_";
	if (i == 2)
		return "_a_token_longer_than_16_bytes";
	single[0] = (char)(i < 0x21 || i > 0x7e ? '?' : i);
	single[1] = 0;
	return single;
}

static inline void kallsyms_build_names(struct kallsyms_build *b, uint32_t *markers)
{
	static const char token[] = "sys_function_";
	char name[KALLSYMS_MAX_NAME];
	uint8_t packed[KALLSYMS_MAX_NAME];
	size_t start = b->n;

	for (size_t i = 0; i < KALLSYMS_BUILD_NR; i++) {
		size_t n = 0;
		(void)kallsyms_build_symbol(i, name);
		for (const char *p = name; *p; n++) {
			bool match = !strncmp(p, token, sizeof(token) - 1);
			packed[n] = match ? 1 : (uint8_t)*p;
			p += match ? sizeof(token) - 1 : 1;
		}
		if (i % 256 == 0)
			markers[i / 256] = (uint32_t)(b->n - start);
		if (n > 127)
			kallsyms_build_put(b, 0x80 | (n & 0x7f) | n >> 7 << 8, 2);
		else
			kallsyms_build_put(b, n, 1);
		memcpy(b->bytes + b->n, packed, n);
		b->n += n;
	}
}

static inline void kallsyms_build_offsets(struct kallsyms_build *b)
{
	char name[KALLSYMS_MAX_NAME];

	b->at.offsets = kallsyms_build_label(b);
	for (size_t i = 0; i < KALLSYMS_BUILD_NR; i++) {
		uint64_t addr = kallsyms_build_symbol(i, name);
		if (b->addresses)
			kallsyms_build_put(b, addr, 8);
		else if (b->plain) /* per-CPU symbols are in the image since 6.15 */
			kallsyms_build_put(
				b, addr < KALLSYMS_BUILD_TEXT ? 0 : addr - KALLSYMS_BUILD_TEXT, 4);
		else
			kallsyms_build_put(
				b,
				addr < KALLSYMS_BUILD_TEXT ? addr : KALLSYMS_BUILD_TEXT - 1 - addr,
				4);
	}
	if (b->addresses)
		return;
	b->at.relative_base = kallsyms_build_label(b);
	kallsyms_build_put(b, KALLSYMS_BUILD_TEXT, 8);
}

static inline void kallsyms_build_tokens(struct kallsyms_build *b)
{
	uint16_t index[256];
	char single[2];

	b->at.token_table = kallsyms_build_label(b);
	for (size_t i = 0; i < 256; i++) {
		const char *token = kallsyms_build_token(i, single);
		index[i] = (uint16_t)(KALLSYMS_BUILD_BASE + b->n - b->at.token_table);
		memcpy(b->bytes + b->n, token, strlen(token) + 1);
		b->n += strlen(token) + 1;
	}
	b->at.token_index = kallsyms_build_label(b);
	for (size_t i = 0; i < 256; i++)
		kallsyms_build_put(b, index[i], 2);
}

/* All tables, with other bytes before and behind them. */
static inline void kallsyms_build(struct kallsyms_build *b)
{
	uint32_t markers[KALLSYMS_BUILD_NR / 256 + 1];

	b->space = (struct inq_space){.name = "built", .read = kallsyms_build_read};
	for (size_t i = 0; i < 5000 + b->front; i++)
		kallsyms_build_put(b, i * 37, 1);
	if (!b->newer)
		kallsyms_build_offsets(b);
	b->at.num_syms = kallsyms_build_label(b);
	kallsyms_build_put(b, KALLSYMS_BUILD_NR, 4);
	b->at.names = kallsyms_build_label(b);
	kallsyms_build_names(b, markers);
	(void)kallsyms_build_label(b);
	for (size_t i = 0; i < sizeof(markers) / sizeof(*markers); i++)
		kallsyms_build_put(b, markers[i], 4);
	if (b->seqs) {
		(void)kallsyms_build_label(b);
		for (size_t i = 0; i < KALLSYMS_BUILD_NR; i++)
			kallsyms_build_put(b, i * 7919 % KALLSYMS_BUILD_NR, 3);
	}
	kallsyms_build_tokens(b);
	if (b->newer)
		kallsyms_build_offsets(b);
	do /* memory ends with a page */
		kallsyms_build_put(b, b->n * 91, 1);
	while (b->n % 4096);
}

#endif
