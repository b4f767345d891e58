/*
 * Knows how Linux maps its own image on x86-64, and which things in it show themselves.
 * Source: Linux arch/x86/kernel/head64.c (__startup_64: what lies around the image is not mapped),
 * arch/x86/mm/init_64.c (cleanup_highmap, mark_rodata_ro), init/version.c (linux_banner),
 * kernel/crash_core.c (vmcoreinfo_data, vmcoreinfo_size), arch/x86/kernel/setup_percpu.c;
 * elf(5), Elf64_Nhdr.
 */
#include "machine/image.h"

#include <ctype.h>
#include <endian.h>
#include <stdlib.h>
#include <string.h>

#include "base/scope.h"
#include "base/span.h"
#include "base/text.h"
#include "machine/bytes.h"
#include "machine/pattern.h"

enum {
	PAGE = 4096,
	CHUNK = 256 << 10,   /* what a core's own cache holds */
	MARGIN = 256,        /* the longest thing that is looked for */
	MAX_WALKS = 1 << 16, /* 256 MiB of single pages */
	BUILD_ID_BYTES = 20, /* SHA-1, ld's default */
	VDSO_PAGES = 3,      /* the images for user space lie within, with notes of their own */
	NEAR = 32,           /* bytes between vmcoreinfo_data and vmcoreinfo_size */
	LEAST_VMCOREINFO = 200,
	BLOCK_WORDS = 32, /* looked at together */
};

#define BANNER_START "Linux version "
/* n_namesz 4, n_descsz 20, NT_GNU_BUILD_ID, the name */
#define BUILD_ID_HEAD                                                                              \
	"04000000"                                                                                 \
	"14000000"                                                                                 \
	"03000000"                                                                                 \
	"474e5500"

static void free_bytes(uint8_t **p)
{
	free(*p);
}

/* One more stretch; false when it does not continue the image linearly. */
static bool add_piece(struct image *im, uint64_t va, uint64_t pa, uint64_t bytes, bool nx)
{
	uint64_t phys_base = pa - va + IMAGE_BASE;

	if (!im->nr) {
		im->first = va;
		im->phys_base = phys_base;
	}
	if (phys_base != im->phys_base)
		return false;
	struct image_piece *last = im->nr ? &im->piece[im->nr - 1] : NULL;
	im->last = va + bytes - 1;
	im->mapped += bytes;
	if (last && last->nx == nx && last->va + last->bytes == va) {
		last->bytes += bytes;
		return true;
	}
	if (im->nr == IMAGE_MAX_PIECES)
		return false;
	im->piece[im->nr++] = (struct image_piece){va, bytes, nx};
	return true;
}

/* Where to go on behind an entry that maps nothing. */
static uint64_t behind(const struct paging_mode *mode, const struct paging_walk *w, uint64_t va)
{
	int level = w->nr_steps ? w->step[w->nr_steps - 1].level : 1;
	uint64_t size = UINT64_C(1) << paging_shift(mode, level);

	return (va | (size - 1)) + 1;
}

bool image_map(const struct inq_space *phys, const struct paging_mode *mode, struct image *ret)
{
	uint64_t va = IMAGE_BASE;

	*ret = (struct image){0};
	if (mode->levels < 4)
		return false;
	for (int i = 0; i < MAX_WALKS && va >= IMAGE_BASE && va < IMAGE_END; i++) {
		struct paging_walk w;

		paging_walk(mode, phys, va, &w);
		if (w.verdict != PAGING_OK) {
			va = behind(mode, &w, va);
			continue;
		}
		uint64_t bytes = w.page_bytes - (va & (w.page_bytes - 1));
		/* what lies elsewhere in memory are modules, or no image at all */
		(void)add_piece(ret, va, w.pa, bytes, w.nx);
		va += bytes;
	}
	/* an image has its text first, and none is that long */
	return ret->nr && ret->first % IMAGE_ALIGN == 0 && ret->phys_base % PAGE == 0 &&
	       ret->mapped <= IMAGE_MAX_BYTES;
}

/* Does one of BLOCK_WORDS words equal `what` in the bits of the mask? */
typedef bool block_fn(const uint8_t *p, uint64_t mask, uint64_t what);

/* One pass over a stretch of the image. */
struct search {
	block_fn *block;
	const struct inq_space *virt;
	const struct image *im;
	const uint64_t *gs;
	size_t nr_gs, first_gs; /* the first that is known */
	struct machine_pattern banner, build_id;
	struct image_facts *out;
	uint64_t vmcoreinfo;
	bool backwards; /* from the image's end on */
	uint8_t *buf;   /* CHUNK + MARGIN bytes */
};

/* n bytes at va, in one piece if it can be: that costs one system call and no walks. */
static const uint8_t *bytes_at(const struct search *s, uint64_t va, size_t n)
{
	uint64_t pa = va - IMAGE_BASE + s->im->phys_base;

	if (inq_read(s->virt->lower, pa, s->buf, n, NULL))
		machine_read_there(s->virt, va, s->buf, n);
	return s->buf;
}

/* The release behind the start of a banner, when it is one; left: bytes from there on. */
static void take_banner(struct search *s, uint64_t va, const uint8_t *p, size_t left)
{
	const char *word = (const char *)p;
	size_t k = 0;

	while (k < left && k < VMCOREINFO_RELEASE && isascii(word[k]) && isgraph(word[k]))
		k++;
	if (!k || k == left || k == VMCOREINFO_RELEASE || word[k] != ' ' || !isdigit(word[0]))
		return;
	memcpy(s->out->release, word, k);
	s->out->release[k] = 0;
	s->out->banner = va;
}

static void look_for_banner(struct search *s, uint64_t va, const uint8_t *p, size_t n)
{
	const struct machine_pattern *pt = &s->banner;

	for (size_t at = 0; !s->out->banner && (at = machine_pattern_find(pt, p, n, va, at)) < n;
	     at++)
		take_banner(s, va + at, p + at + pt->n, n - at - pt->n);
}

/* The images that user space gets are ELF files, each at the start of a page. */
static bool is_of_vdso(const struct search *s, uint64_t va)
{
	for (unsigned int i = 0; i < VDSO_PAGES; i++) {
		uint64_t page = (va & ~(uint64_t)(PAGE - 1)) - UINT64_C(4096) * i;
		uint8_t magic[4];
		if (image_has(s->im, page) &&
		    !inq_read(s->virt, page, magic, sizeof(magic), NULL) &&
		    !memcmp(magic, "\177ELF", sizeof(magic)))
			return true;
	}
	return false;
}

/* The id behind the head of a note of n bytes at p, unless it is a vDSO's. */
static void take_build_id(struct search *s, uint64_t va, const uint8_t *p, size_t n)
{
	struct span id = span_of(p, n);

	span_skip(&id, s->build_id.n);
	const uint8_t *b = span_take(&id, BUILD_ID_BYTES);
	if (!b || va % 4 || is_of_vdso(s, va))
		return;
	text_hex(b, BUILD_ID_BYTES, s->out->build_id);
	s->out->build_id_at = va;
}

static void look_for_build_id(struct search *s, uint64_t va, const uint8_t *p, size_t n)
{
	for (size_t at = 0;
	     !s->out->build_id_at && (at = machine_pattern_find(&s->build_id, p, n, va, at)) < n;
	     at++)
		take_build_id(s, va + at, p + at, n - at);
}

static inline __attribute__((always_inline)) uint64_t word_at(const uint8_t *p)
{
	uint64_t v;

	memcpy(&v, p, sizeof(v)); /* tens of millions of them: a span is too slow */
	return le64toh(v);
}

/* A kernel's pointer to a page, with the length of a VMCOREINFO text beside it. */
static bool points_to_vmcoreinfo(const uint8_t *p, size_t n, size_t at)
{
	uint64_t v = word_at(p + at);

	if (v >> 56 != 0xff || v % VMCOREINFO_PAGE || v >= IMAGE_BASE)
		return false;
	for (size_t near = at < NEAR ? 0 : at - NEAR; near <= at + NEAR && near + 8 <= n;
	     near += 8) {
		uint64_t size = word_at(p + near);
		if (size >= LEAST_VMCOREINFO && size <= VMCOREINFO_PAGE)
			return true;
	}
	return false;
}

/* Does the word at `at` lead to VMCOREINFO?  Few words get as far as being read through. */
static bool leads_to_vmcoreinfo(const struct search *s, const uint8_t *p, size_t n, size_t at)
{
	char start[sizeof(VMCOREINFO_START) - 1];

	return points_to_vmcoreinfo(p, n, at) &&
	       !inq_read(s->virt, word_at(p + at), start, sizeof(start), NULL) &&
	       !memcmp(start, VMCOREINFO_START, sizeof(start));
}

/* Is this the entry of CPU s->first_gs in an array that has those of all others, too? */
static bool is_per_cpu(const struct search *s, const uint8_t *p, size_t n, size_t at)
{
	for (size_t i = s->first_gs; i < s->nr_gs && at + 8 <= n; i++, at += 8)
		if (s->gs[i] && word_at(p + at) != s->gs[i])
			return false;
	return true;
}

/* Without a branch, so that the compiler makes it wide. */
static inline __attribute__((always_inline)) bool block(const uint8_t *p, uint64_t mask,
							uint64_t what)
{
	uint64_t any = 0;

	for (size_t i = 0; i < BLOCK_WORDS; i++)
		any |= (word_at(p + 8 * i) & mask) == what;
	return any;
}

static bool block_plain(const uint8_t *p, uint64_t mask, uint64_t what)
{
	return block(p, mask, what);
}

#if defined(__x86_64__)
/* SSE2 compares no 64-bit words; the same loop in AVX2 takes a quarter of the time. */
__attribute__((target("avx2"))) static bool block_avx2(const uint8_t *p, uint64_t mask,
						       uint64_t what)
{
	return block(p, mask, what);
}
#endif

static block_fn *best_block(void)
{
#if defined(__x86_64__)
	if (__builtin_cpu_supports("avx2"))
		return block_avx2;
#endif
	return block_plain;
}

/* The first of nr words from word `from` on that is `what` where the mask counts; nr: none. */
static size_t find_word(const struct search *s, const uint8_t *p, size_t nr, size_t from,
			uint64_t mask, uint64_t what)
{
	for (; nr - from >= BLOCK_WORDS && !s->block(p + 8 * from, mask, what);)
		from += BLOCK_WORDS;
	while (from < nr && (word_at(p + 8 * from) & mask) != what)
		from++;
	return from;
}

static void look_for_per_cpu(struct search *s, uint64_t va, const uint8_t *p, size_t n)
{
	uint64_t gs = s->gs[s->first_gs], all = ~UINT64_C(0);

	for (size_t i = 0; (i = find_word(s, p, n / 8, i, all, gs)) < n / 8; i++)
		if (is_per_cpu(s, p, n, 8 * i)) {
			s->out->per_cpu = va + 8 * i - 8 * s->first_gs;
			return;
		}
}

static bool look_for_facts(struct search *s, uint64_t va, const uint8_t *p, size_t n)
{
	look_for_banner(s, va, p, n);
	look_for_build_id(s, va, p, n);
	if (s->first_gs < s->nr_gs)
		look_for_per_cpu(s, va, p, n);
	return s->out->banner && s->out->build_id_at &&
	       (s->out->per_cpu || s->first_gs == s->nr_gs);
}

static bool look_for_vmcoreinfo(struct search *s, uint64_t va, const uint8_t *p, size_t n)
{
	const uint64_t mask = UINT64_C(0xff) << 56 | (VMCOREINFO_PAGE - 1);
	const uint64_t what = UINT64_C(0xff) << 56;

	(void)va;
	for (size_t i = 0; (i = find_word(s, p, n / 8, i, mask, what)) < n / 8; i++)
		if (leads_to_vmcoreinfo(s, p, n, 8 * i)) {
			s->vmcoreinfo = word_at(p + 8 * i);
			return true;
		}
	return false;
}

/* Looks at n bytes; true: nothing more is wanted. */
typedef bool look_fn(struct search *s, uint64_t va, const uint8_t *p, size_t n);

static bool search_chunk(struct search *s, const struct image_piece *piece, uint64_t off,
			 look_fn *look)
{
	uint64_t left = piece->bytes - off, va = piece->va + off;
	size_t n = left < CHUNK + MARGIN ? (size_t)left : CHUNK + MARGIN;

	return look(s, va, bytes_at(s, va, n), n);
}

static bool search_piece(struct search *s, const struct image_piece *piece, look_fn *look)
{
	uint64_t nr = (piece->bytes + CHUNK - 1) / CHUNK;

	for (uint64_t i = 0; i < nr; i++)
		if (search_chunk(s, piece, (s->backwards ? nr - 1 - i : i) * CHUNK, look))
			return true;
	return false;
}

static bool search_pieces(struct search *s, bool nx, look_fn *look)
{
	for (size_t i = 0; i < s->im->nr; i++) {
		const struct image_piece *p = &s->im->piece[s->backwards ? s->im->nr - 1 - i : i];
		if (p->nx == nx && search_piece(s, p, look))
			return true;
	}
	return false;
}

enum inq_status image_search(const struct inq_space *virt, const struct image *im,
			     const uint64_t *gs, size_t nr_gs, struct image_facts *ret,
			     struct inq_err *err)
{
	INQ_SCOPED(free_bytes) uint8_t *buf = malloc(CHUNK + MARGIN);
	struct search s = {.block = best_block(),
			   .virt = virt,
			   .im = im,
			   .gs = gs,
			   .nr_gs = nr_gs,
			   .out = ret,
			   .buf = buf};

	if (!buf)
		return inq_fail(err, INQ_ENOMEM, "a piece of the kernel's image");
	enum inq_status st = machine_pattern("text:" BANNER_START, &s.banner, err);
	if (!st)
		st = machine_pattern("hex:" BUILD_ID_HEAD, &s.build_id, err);
	if (st)
		return st;
	*ret = (struct image_facts){0};
	while (s.first_gs < nr_gs && !gs[s.first_gs])
		s.first_gs++;
	/* code holds none of it, but before mark_rodata_ro all may be code */
	if (!search_pieces(&s, true, look_for_facts) && !ret->banner)
		search_pieces(&s, false, look_for_facts);
	return INQ_OK;
}

enum inq_status image_find_vmcoreinfo(const struct inq_space *virt, const struct image *im,
				      uint64_t *ret, struct inq_err *err)
{
	INQ_SCOPED(free_bytes) uint8_t *buf = malloc(CHUNK + MARGIN);
	/* the pointer is of .bss, the last of an image's sections */
	struct search s = {
		.block = best_block(), .virt = virt, .im = im, .backwards = true, .buf = buf};

	if (!buf)
		return inq_fail(err, INQ_ENOMEM, "a piece of the kernel's image");
	if (!search_pieces(&s, true, look_for_vmcoreinfo))
		search_pieces(&s, false, look_for_vmcoreinfo);
	*ret = s.vmcoreinfo;
	return INQ_OK;
}
