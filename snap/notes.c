/* Knows how an ELF note is laid out, and what gdb wants in NT_PRSTATUS. */
#include "snap/notes.h"

#include <stdlib.h>
#include <string.h>

enum { PRSTATUS_BYTES = 336, PRSTATUS_PID = 32, PRSTATUS_REGS = 112 };

_Static_assert(sizeof(struct inq_snap_note) == 24, "no padding in the file format");
_Static_assert(sizeof(struct inq_snap_header) == 288, "no padding in the file format");
_Static_assert(sizeof(struct inq_snap_slot) == 40, "no padding in the file format");
_Static_assert(sizeof(struct inq_snap_tsc) == 16, "no padding in the file format");
_Static_assert(sizeof(struct inq_snap_bulk) == 32, "no padding in the file format");

void snap_notes_deinit(struct snap_notes *n)
{
	free(n->bytes);
	*n = (struct snap_notes){0};
}

/* size zero bytes at the end, rounded up to 4; NULL after a failure. */
static uint8_t *grow(struct snap_notes *n, size_t size)
{
	size_t padded = (size + 3) & ~(size_t)3;

	if (n->failed || padded > INQ_SNAP_MAX_NOTES - n->len) {
		n->failed = 1;
		return NULL;
	}
	if (padded > n->room - n->len) {
		size_t room = 2 * n->room + padded + 4096;
		uint8_t *p = realloc(n->bytes, room);

		if (!p) {
			n->failed = 1;
			return NULL;
		}
		n->bytes = p;
		n->room = room;
	}
	uint8_t *at = n->bytes + n->len;
	memset(at, 0, padded);
	n->len += padded;
	return at;
}

void snap_notes_raw(struct snap_notes *n, const void *data, size_t size)
{
	uint8_t *at = size ? grow(n, size) : NULL;

	if (at)
		memcpy(at, data, size);
}

static void add_head(struct snap_notes *n, const char *name, uint32_t type, size_t descsz)
{
	Elf64_Nhdr h = {(Elf64_Word)strlen(name) + 1, (Elf64_Word)descsz, type};
	uint8_t *at = grow(n, sizeof(h));

	if (at)
		memcpy(at, &h, sizeof(h));
	at = grow(n, h.n_namesz);
	if (at)
		memcpy(at, name, h.n_namesz);
}

void snap_notes_prstatus(struct snap_notes *n, unsigned index,
			 const uint64_t reg[SNAP_NR_USER_REGS])
{
	uint32_t pid = index + 1;

	add_head(n, "CORE", NT_PRSTATUS, PRSTATUS_BYTES);
	uint8_t *d = grow(n, PRSTATUS_BYTES);
	if (!d)
		return;
	memcpy(d + PRSTATUS_PID, &pid, sizeof(pid));
	memcpy(d + PRSTATUS_REGS, reg, SNAP_NR_USER_REGS * sizeof(*reg));
}

_Static_assert(sizeof(struct snap_qemu_cpu) == 440, "as QEMU has it");

void snap_notes_foreign(struct snap_notes *n, const char *name, uint32_t type, const void *data,
			size_t size)
{
	add_head(n, name, type, size);
	uint8_t *d = size ? grow(n, size) : NULL;

	if (d)
		memcpy(d, data, size);
}

/* Header and payload; the payload's offset, 0 after a failure. */
static size_t add(struct snap_notes *n, const struct inq_snap_note *h, const void *data)
{
	add_head(n, INQ_SNAP_NOTE_NAME, INQ_SNAP_NOTE_TYPE | h->kind, sizeof(*h) + h->size);
	uint8_t *d = grow(n, sizeof(*h) + h->size);

	if (!d)
		return 0;
	memcpy(d, h, sizeof(*h));
	if (h->size)
		memcpy(d + sizeof(*h), data, h->size);
	return (size_t)(d + sizeof(*h) - n->bytes);
}

size_t snap_notes_add_in(struct snap_notes *n, enum inq_snap_sample sample, uint32_t vcpu,
			 enum inq_snap_kind kind, const void *data, size_t size)
{
	struct inq_snap_note h = {
		.vcpu = vcpu, .sample = sample, .kind = (uint16_t)kind, .version = 1, .size = size};

	return add(n, &h, data);
}

size_t snap_notes_add(struct snap_notes *n, uint32_t vcpu, enum inq_snap_kind kind,
		      const void *data, size_t size)
{
	return snap_notes_add_in(n, INQ_SNAP_NOW, vcpu, kind, data, size);
}

void snap_notes_missing(struct snap_notes *n, uint32_t vcpu, enum inq_snap_kind kind,
			enum inq_snap_state state, int error)
{
	struct inq_snap_note h = {.vcpu = vcpu,
				  .kind = (uint16_t)kind,
				  .version = 1,
				  .state = (uint16_t)state,
				  .error = (uint16_t)error};

	(void)add(n, &h, NULL);
}

void snap_notes_append(struct snap_notes *to, const struct snap_notes *from)
{
	if (to->failed || from->failed || from->len > INQ_SNAP_MAX_NOTES - to->len) {
		to->failed = 1;
		return;
	}
	uint8_t *p = realloc(to->bytes, to->len + from->len + 1);
	if (!p) {
		to->failed = 1;
		return;
	}
	if (from->len)
		memcpy(p + to->len, from->bytes, from->len);
	to->bytes = p;
	to->room = to->len + from->len + 1;
	to->len += from->len;
}

Elf64_Ehdr snap_core_header(size_t nr_phdrs)
{
	return (Elf64_Ehdr){
		.e_ident = {ELFMAG0, ELFMAG1, ELFMAG2, ELFMAG3, ELFCLASS64, ELFDATA2LSB,
			    EV_CURRENT},
		.e_type = ET_CORE,
		.e_machine = EM_X86_64,
		.e_version = EV_CURRENT,
		.e_phoff = sizeof(Elf64_Ehdr),
		.e_ehsize = sizeof(Elf64_Ehdr),
		.e_phentsize = sizeof(Elf64_Phdr),
		.e_phnum = nr_phdrs < PN_XNUM ? (uint16_t)nr_phdrs : PN_XNUM,
	};
}
