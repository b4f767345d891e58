/*
 * Knows how a dump lies in its file, as a writer: ELF header, program headers, notes, memory, bulk.
 * Source: docs/snapshot-format.md; elf(5).  Shares no code with the loader, so that a mistake in
 * one does not hide in the other.
 */
#include "built.h"

#include <elf.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>
#include <zlib.h>

enum { MAX_SEGMENTS = 256, MAX_PIECES = 64, PAGE = 4096, NOTE_NAME = 8 };
enum { MAX_RINGS = 4, MAX_RECORDS = 64, MAX_FILES = 4 };

struct piece {
	uint64_t gpa, memsz, file_off;
	size_t n;
	uint8_t *bytes; /* NULL: shares those of alias_of */
	size_t alias_of;
};

/* A file that is put together byte by byte. */
struct loose {
	char name[24];
	uint8_t *p;
	size_t n, cap, at;
};

struct built {
	struct loose loose[MAX_FILES]; /* the first is the dump */
	size_t nr_loose;
	bool by_folder, has_base;
	uint64_t base;
	bool is_snapshot, want_smram, want_zero, pn_xnum, packed, done;
	uint16_t ehsize;
	struct inq_snap_header header;
	struct piece seg[MAX_SEGMENTS], smram[MAX_PIECES];
	size_t nr_segs, nr_smram;
	struct inq_snap_flight flight[MAX_RINGS][MAX_RECORDS];
	uint32_t nr_flight[MAX_RINGS];
	size_t rings_at;
	uint8_t *notes;
	size_t notes_n, notes_cap;
	uint8_t *file;
	size_t file_n, bulk_at;
};

static _Noreturn void die(const char *what)
{
	fprintf(stderr, "built: %s\n", what);
	abort();
}

static void must(bool ok, const char *what)
{
	if (!ok)
		die(what);
}

static void *zeros(size_t n)
{
	void *p = calloc(1, n ? n : 1);

	must(p != NULL, "out of memory");
	return p;
}

struct built *built_core(void)
{
	struct built *b = zeros(sizeof(*b));

	b->ehsize = sizeof(Elf64_Ehdr);
	return b;
}

struct built *built_snapshot(uint32_t nr_vcpus)
{
	struct built *b = built_core();

	b->is_snapshot = true;
	b->header = (struct inq_snap_header){
		.magic = INQ_SNAP_MAGIC,
		.major = INQ_SNAP_MAJOR,
		.minor = INQ_SNAP_MINOR,
		.nr_vcpus = nr_vcpus,
		.reason = INQ_SNAP_WHY_COMMAND,
		.reason_vcpu = INQ_SNAP_VM,
		.t_realtime_ns = UINT64_C(1700000000000000000),
		.t_monotonic_ns = UINT64_C(5000000000),
		.nonce = {0xb1},
		.producer = "built 1",
		.reason_text = "built for a test",
	};
	built_note_of(b, INQ_SNAP_HEADER, INQ_SNAP_VM, &b->header, sizeof(b->header));
	return b;
}

void built_free(struct built *b)
{
	if (!b)
		return;
	for (size_t i = 0; i < b->nr_segs; i++)
		free(b->seg[i].bytes);
	for (size_t i = 0; i < b->nr_smram; i++)
		free(b->smram[i].bytes);
	for (size_t i = 0; i < b->nr_loose; i++)
		free(b->loose[i].p);
	free(b->notes);
	free(b->file);
	free(b);
}

void built_beside(struct built *b, const char *name)
{
	must(!b->file && b->nr_loose < MAX_FILES, "too many files, or finished");
	snprintf(b->loose[b->nr_loose++].name, sizeof(b->loose[0].name), "%s", name);
}

struct built *built_file(const char *name)
{
	struct built *b = built_core();

	built_beside(b, name);
	return b;
}

void built_by_folder(struct built *b)
{
	b->by_folder = true;
}

void built_set_base(struct built *b, uint64_t base)
{
	b->base = base;
	b->has_base = true;
}

const uint64_t *built_base(const struct built *b)
{
	return b->has_base ? &b->base : NULL;
}

static struct loose *loose_of(struct built *b, size_t more)
{
	must(b->nr_loose && !b->file, "not a file of bytes, or finished");
	struct loose *l = &b->loose[b->nr_loose - 1];
	if (l->at + more > l->cap) {
		l->cap = 2 * (l->at + more);
		l->p = realloc(l->p, l->cap);
		must(l->p != NULL, "out of memory");
	}
	return l;
}

void built_put(struct built *b, const void *p, size_t n)
{
	struct loose *l = loose_of(b, n);

	if (l->at > l->n)
		memset(l->p + l->n, 0, l->at - l->n);
	if (n)
		memcpy(l->p + l->at, p, n);
	l->at += n;
	if (l->n < l->at)
		l->n = l->at;
}

void built_put_le(struct built *b, uint64_t v, size_t n)
{
	must(n <= sizeof(v), "integers have 8 bytes at most");
	built_put(b, &v, n);
}

void built_seek(struct built *b, size_t at)
{
	loose_of(b, 0)->at = at;
}

size_t built_tell(const struct built *b)
{
	return b->loose[b->nr_loose - 1].at;
}

struct inq_snap_header *built_header(struct built *b)
{
	must(b->is_snapshot && !b->file, "no snapshot, or finished");
	return &b->header;
}

static struct piece *new_segment(struct built *b, uint64_t gpa, size_t n)
{
	must(!b->file && b->nr_segs < MAX_SEGMENTS, "too many segments, or finished");
	struct piece *s = &b->seg[b->nr_segs++];
	*s = (struct piece){.gpa = gpa, .memsz = n, .n = n};
	return s;
}

uint8_t *built_segment(struct built *b, uint64_t gpa, size_t n)
{
	return new_segment(b, gpa, n)->bytes = zeros(n);
}

void built_alias(struct built *b, uint64_t gpa, size_t seg)
{
	must(seg < b->nr_segs && b->seg[seg].bytes, "no such segment");
	new_segment(b, gpa, b->seg[seg].n)->alias_of = seg;
}

void built_memsz(struct built *b, uint64_t memsz)
{
	must(b->nr_segs > 0, "no segment");
	b->seg[b->nr_segs - 1].memsz = memsz;
}

uint8_t *built_at(struct built *b, uint64_t gpa, size_t n)
{
	for (size_t i = 0; i < b->nr_segs; i++) {
		struct piece *s = &b->seg[i];
		if (s->bytes && gpa >= s->gpa && gpa - s->gpa <= s->n && n <= s->n - (gpa - s->gpa))
			return s->bytes + (gpa - s->gpa);
	}
	must(false, "no segment there");
	return NULL;
}

static void append(struct built *b, const void *p, size_t n)
{
	size_t padded = (n + 3) & ~(size_t)3;

	must(!b->done, "finished");
	if (!n)
		return;
	while (b->notes_n + padded > b->notes_cap) {
		b->notes_cap = b->notes_cap ? 2 * b->notes_cap : PAGE;
		b->notes = realloc(b->notes, b->notes_cap);
	}
	if (!b->notes)
		die("out of memory");
	memset(b->notes + b->notes_n, 0, padded);
	memcpy(b->notes + b->notes_n, p, n);
	b->notes_n += padded;
}

void built_note(struct built *b, const char *name, uint32_t type, const void *desc, size_t n)
{
	Elf64_Nhdr head = {(Elf64_Word)strlen(name) + 1, (Elf64_Word)n, type};

	append(b, &head, sizeof(head));
	append(b, name, head.n_namesz);
	append(b, desc, n);
}

void built_note_raw(struct built *b, uint32_t type, const struct inq_snap_note *head,
		    const void *payload, size_t n)
{
	uint8_t *desc = zeros(sizeof(*head) + n);

	memcpy(desc, head, sizeof(*head));
	if (n)
		memcpy(desc + sizeof(*head), payload, n);
	built_note(b, INQ_SNAP_NOTE_NAME, type, desc, sizeof(*head) + n);
	free(desc);
}

void built_note_of(struct built *b, enum inq_snap_kind kind, uint32_t vcpu, const void *payload,
		   size_t n)
{
	struct inq_snap_note head = {.vcpu = vcpu, .kind = (uint16_t)kind, .version = 1, .size = n};

	built_note_raw(b, INQ_SNAP_NOTE_TYPE | kind, &head, payload, n);
}

void built_note_lacks(struct built *b, enum inq_snap_kind kind, uint32_t vcpu,
		      enum inq_snap_state state, int error)
{
	struct inq_snap_note head = {.vcpu = vcpu,
				     .kind = (uint16_t)kind,
				     .version = 1,
				     .state = (uint16_t)state,
				     .error = (uint16_t)error};

	built_note_raw(b, INQ_SNAP_NOTE_TYPE | kind, &head, NULL, 0);
}

void built_prstatus(struct built *b, const uint64_t regs[27])
{
	uint8_t desc[336] = {0};

	memcpy(desc + 112, regs, 27 * sizeof(regs[0]));
	built_note(b, "CORE", NT_PRSTATUS, desc, sizeof(desc));
}

uint8_t *built_smram(struct built *b, uint64_t gpa, size_t n)
{
	must(!b->file && b->nr_smram < MAX_PIECES, "too much smram, or finished");
	struct piece *s = &b->smram[b->nr_smram++];
	*s = (struct piece){.gpa = gpa, .n = n, .bytes = zeros(n)};
	b->want_smram = true;
	return s->bytes;
}

void built_smram_note(struct built *b)
{
	b->want_smram = true;
}

void built_flight(struct built *b, uint32_t vcpu, const struct inq_snap_flight *r)
{
	must(!b->file && vcpu < MAX_RINGS && b->nr_flight[vcpu] < MAX_RECORDS, "too many records");
	b->flight[vcpu][b->nr_flight[vcpu]++] = *r;
}

void built_zero_bitmap(struct built *b)
{
	b->want_zero = true;
}

void built_pn_xnum(struct built *b)
{
	b->pn_xnum = true;
}

void built_ehsize(struct built *b, uint16_t ehsize)
{
	b->ehsize = ehsize;
}

void built_packed(struct built *b)
{
	b->packed = true;
}

static size_t page_up(const struct built *b, size_t n)
{
	return b->packed ? n : (n + PAGE - 1) / PAGE * PAGE;
}

static size_t bitmap_bytes(const struct built *b)
{
	uint64_t pages = 0;

	for (size_t i = 0; i < b->nr_segs; i++)
		pages += (b->seg[i].memsz + PAGE - 1) / PAGE;
	return (size_t)(pages + 7) / 8;
}

static const uint8_t *segment_bytes(const struct built *b, const struct piece *s)
{
	return s->bytes ? s->bytes : b->seg[s->alias_of].bytes;
}

static bool page_is_zero(const struct built *b, const struct piece *s, uint64_t off)
{
	for (uint64_t i = off; i < off + PAGE; i++)
		if (i >= s->n || segment_bytes(b, s)[i])
			return false; /* a page that is left out is not zero */
	return true;
}

static void fill_bitmap(const struct built *b, uint8_t *bits)
{
	uint64_t page = 0;

	for (size_t i = 0; i < b->nr_segs; i++)
		for (uint64_t off = 0; off < b->seg[i].memsz; off += PAGE, page++)
			if (page_is_zero(b, &b->seg[i], off))
				bits[page / 8] |= (uint8_t)(1u << (page % 8));
}

static size_t nr_phdrs(const struct built *b)
{
	return b->nr_segs + 1;
}

static size_t notes_at(const struct built *b)
{
	return sizeof(Elf64_Ehdr) + nr_phdrs(b) * sizeof(Elf64_Phdr) +
	       (b->pn_xnum ? sizeof(Elf64_Shdr) : 0);
}

/* Bytes that an INQUEST note with n bytes of payload takes in the file. */
static size_t note_takes(size_t n)
{
	return sizeof(Elf64_Nhdr) + NOTE_NAME + sizeof(struct inq_snap_note) + ((n + 3) & ~3ul);
}

static void lay_out(struct built *b)
{
	size_t at = notes_at(b) + b->notes_n;

	if (b->want_smram)
		at += note_takes(b->nr_smram * sizeof(struct inq_snap_bulk));
	if (b->want_zero)
		at += note_takes(sizeof(struct inq_snap_bulk));
	for (size_t i = 0; i < MAX_RINGS; i++)
		at += b->nr_flight[i] ? note_takes(sizeof(struct inq_snap_ring)) : 0;
	at = page_up(b, at);
	for (size_t i = 0; i < b->nr_segs; i++) {
		struct piece *s = &b->seg[i];
		s->file_off = s->bytes ? at : b->seg[s->alias_of].file_off;
		at += s->bytes ? page_up(b, s->n) : 0;
	}
	b->bulk_at = at;
	for (size_t i = 0; i < b->nr_smram; i++) {
		b->smram[i].file_off = at;
		at += b->smram[i].n;
	}
	b->rings_at = at + (b->want_zero ? bitmap_bytes(b) : 0);
	b->file_n = b->rings_at;
	for (size_t i = 0; i < MAX_RINGS; i++)
		b->file_n += b->nr_flight[i] * sizeof(b->flight[i][0]);
	b->file = zeros(b->file_n);
}

static struct inq_snap_bulk bulk_of(const struct built *b, uint64_t gpa, uint64_t off, size_t n)
{
	return (struct inq_snap_bulk){.gpa = gpa,
				      .file_off = off,
				      .bytes = n,
				      .crc = (uint32_t)crc32(0, b->file + off, (uInt)n)};
}

static void put_memory(struct built *b)
{
	for (size_t i = 0; i < b->nr_segs; i++)
		if (b->seg[i].n)
			memcpy(b->file + b->seg[i].file_off, segment_bytes(b, &b->seg[i]),
			       b->seg[i].n);
	for (size_t i = 0; i < b->nr_smram; i++)
		memcpy(b->file + b->smram[i].file_off, b->smram[i].bytes, b->smram[i].n);
}

static void put_rings(struct built *b)
{
	size_t at = b->rings_at;

	for (uint32_t i = 0; i < MAX_RINGS; i++) {
		uint32_t n = b->nr_flight[i];
		struct inq_snap_ring r = {.file_off = at,
					  .bytes = n * sizeof(b->flight[i][0]),
					  .first = b->flight[i][0].nr,
					  .count = n,
					  .record_bytes = sizeof(b->flight[i][0])};
		if (!n)
			continue;
		memcpy(b->file + at, b->flight[i], r.bytes);
		r.crc = (uint32_t)crc32(0, b->file + at, (uInt)r.bytes);
		built_note_of(b, INQ_SNAP_FLIGHT, i, &r, sizeof(r));
		at += r.bytes;
	}
}

static void put_bulk_notes(struct built *b)
{
	struct inq_snap_bulk pieces[MAX_PIECES];
	size_t bits_n = bitmap_bytes(b), bits_at = b->file_n - bits_n;

	for (size_t i = 0; i < b->nr_smram; i++)
		pieces[i] =
			bulk_of(b, b->smram[i].gpa, (uint64_t)b->smram[i].file_off, b->smram[i].n);
	if (b->want_smram)
		built_note_of(b, INQ_SNAP_SMRAM, INQ_SNAP_VM, pieces,
			      b->nr_smram * sizeof(pieces[0]));
	if (!b->want_zero)
		return;
	fill_bitmap(b, b->file + bits_at);
	struct inq_snap_bulk zero = bulk_of(b, 0, bits_at, bits_n);
	built_note_of(b, INQ_SNAP_ZERO, INQ_SNAP_VM, &zero, sizeof(zero));
}

static void put_headers(struct built *b)
{
	Elf64_Ehdr eh = {
		.e_ident = {ELFMAG0, ELFMAG1, ELFMAG2, ELFMAG3, ELFCLASS64, ELFDATA2LSB,
			    EV_CURRENT},
		.e_type = ET_CORE,
		.e_machine = EM_X86_64,
		.e_version = EV_CURRENT,
		.e_phoff = sizeof(eh),
		.e_shoff = b->pn_xnum ? notes_at(b) - sizeof(Elf64_Shdr) : 0,
		.e_ehsize = b->ehsize,
		.e_phentsize = sizeof(Elf64_Phdr),
		.e_phnum = b->pn_xnum ? PN_XNUM : (Elf64_Half)nr_phdrs(b),
		.e_shentsize = b->pn_xnum ? sizeof(Elf64_Shdr) : 0,
		.e_shnum = b->pn_xnum,
	};
	Elf64_Phdr note = {.p_type = PT_NOTE, .p_offset = notes_at(b), .p_filesz = b->notes_n};
	Elf64_Shdr sh = {.sh_info = (Elf64_Word)nr_phdrs(b)};
	uint8_t *at = b->file + sizeof(eh);

	memcpy(b->file, &eh, sizeof(eh));
	memcpy(at, &note, sizeof(note));
	for (size_t i = 0; i < b->nr_segs; i++) {
		Elf64_Phdr load = {.p_type = PT_LOAD,
				   .p_offset = b->seg[i].file_off,
				   .p_vaddr = b->seg[i].gpa,
				   .p_paddr = b->seg[i].gpa,
				   .p_filesz = b->seg[i].n,
				   .p_memsz = b->seg[i].memsz};
		memcpy(at += sizeof(note), &load, sizeof(load));
	}
	if (b->pn_xnum)
		memcpy(b->file + eh.e_shoff, &sh, sizeof(sh));
}

/* Fill in what a header can only know at the end, and its two checksums. */
static void seal(struct built *b)
{
	size_t headers_n = sizeof(Elf64_Ehdr) + nr_phdrs(b) * sizeof(Elf64_Phdr);
	struct inq_snap_header *h = &b->header;
	uint8_t *at = b->notes + note_takes(0);

	for (size_t i = 0; i < b->nr_segs; i++)
		h->memory_bytes += b->seg[i].memsz;
	h->file_bytes = b->file_n;
	h->bulk_off = b->bulk_at;
	h->bulk_bytes = b->file_n - b->bulk_at;
	h->headers_crc = (uint32_t)crc32(0, b->file, (uInt)headers_n);
	h->notes_crc = 0;
	memcpy(at, h, sizeof(*h));
	h->notes_crc = (uint32_t)crc32(0, b->notes, (uInt)b->notes_n);
	memcpy(at, h, sizeof(*h));
}

uint8_t *built_finish(struct built *b, size_t *ret_n)
{
	if (!b->file && b->nr_loose) {
		b->file_n = b->loose[0].n;
		b->file = zeros(b->file_n);
		if (b->file_n)
			memcpy(b->file, b->loose[0].p, b->file_n);
	}
	if (!b->file) {
		lay_out(b);
		put_memory(b);
		put_bulk_notes(b);
		put_rings(b);
		put_headers(b);
		if (b->is_snapshot)
			seal(b);
		if (b->notes_n)
			memcpy(b->file + notes_at(b), b->notes, b->notes_n);
		b->done = true;
	}
	*ret_n = b->file_n;
	return b->file;
}

void built_truncate(struct built *b, size_t n)
{
	must(b->file && n <= b->file_n, "cut behind the end");
	b->file_n = n;
}

void built_write(struct built *b, const char *path)
{
	size_t n;
	const uint8_t *bytes = built_finish(b, &n);
	FILE *f = fopen(path, "wb");

	must(f && fwrite(bytes, 1, n, f) == n, path);
	must(fclose(f) == 0, path);
}

int built_memfd(const void *bytes, size_t n, char ret_path[32])
{
	int fd = memfd_create("built", MFD_CLOEXEC);

	must(fd >= 0 && write(fd, bytes, n) == (ssize_t)n, "memfd");
	snprintf(ret_path, 32, "/proc/self/fd/%d", fd);
	return fd;
}

void built_write_beside(const struct built *b, const char *folder)
{
	for (size_t i = 1; i < b->nr_loose; i++) {
		char path[256];
		snprintf(path, sizeof(path), "%s/%s", folder, b->loose[i].name);
		FILE *f = fopen(path, "wb");
		must(f && fwrite(b->loose[i].p, 1, b->loose[i].n, f) == b->loose[i].n, path);
		must(fclose(f) == 0, path);
	}
}

void built_place(struct built *b, struct built_place *ret)
{
	size_t n;
	const uint8_t *bytes = built_finish(b, &n);

	*ret = (struct built_place){.fd = -1};
	if (b->nr_loose < 2 && !b->by_folder) {
		ret->fd = built_memfd(bytes, n, ret->path);
		return;
	}
	strcpy(ret->folder, "/tmp/built.XXXXXX");
	must(mkdtemp(ret->folder) != NULL, ret->folder);
	snprintf(ret->path, sizeof(ret->path), "%s/%s", ret->folder, b->loose[0].name);
	built_write(b, ret->path);
	built_write_beside(b, ret->folder);
	ret->fd = open(ret->path, O_RDWR | O_CLOEXEC);
	must(ret->fd >= 0, ret->path);
	if (b->by_folder)
		strcpy(ret->path, ret->folder);
}

void built_unplace(const struct built *b, const struct built_place *at)
{
	close(at->fd);
	for (size_t i = 0; *at->folder && i < b->nr_loose; i++) {
		char path[64];
		snprintf(path, sizeof(path), "%s/%s", at->folder, b->loose[i].name);
		(void)unlink(path);
	}
	if (*at->folder)
		(void)rmdir(at->folder);
}
