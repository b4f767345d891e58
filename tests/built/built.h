/*
 * Builds dumps for tests: cores and snapshots in memory, with right checksums, or broken on
 *purpose. Test code: running out of memory or breaking a rule of this header aborts.
 *
 *	struct built *b = built_snapshot(2);
 *	uint8_t *ram = built_segment(b, 0x1000, 0x4000);
 *	memcpy(ram + 0x10, "\xf4\xeb\xfd", 3);
 *	built_note_of(b, INQ_SNAP_REGS, 0, &regs, sizeof(regs));
 *	built_write(b, path);
 *	built_free(b);
 *
 * The same from text, one statement a line: text.h.
 */
#ifndef TESTS_BUILT_H
#define TESTS_BUILT_H

#include <inquest/dump.h>
#include <stdbool.h>

struct built;

/* A core that is not ours: no INQUEST notes unless asked for. */
struct built *built_core(void);
/* A snapshot of ours: its INQ_SNAP_HEADER note comes first, its computed fields are right. */
struct built *built_snapshot(uint32_t nr_vcpus);
void built_free(struct built *b); /* accepts NULL */

/* Snapshots only: change what is not computed (nr_vcpus, reason, times, nonce, texts). */
struct inq_snap_header *built_header(struct built *b);

/* A new PT_LOAD of n zero bytes.  The memory returned is its content: write to it until finish. */
uint8_t *built_segment(struct built *b, uint64_t gpa, size_t n);
/* A new PT_LOAD that shares its file range with the segment at index seg (from 0). */
void built_alias(struct built *b, uint64_t gpa, size_t seg);
/* Give the last segment a p_memsz of its own: more than p_filesz means pages left out. */
void built_memsz(struct built *b, uint64_t memsz);
/* The bytes at gpa of segments added before, n of them; aborts where there is none. */
uint8_t *built_at(struct built *b, uint64_t gpa, size_t n);

/* Any note; name is given without its NUL. */
void built_note(struct built *b, const char *name, uint32_t type, const void *desc, size_t n);
/* An INQUEST note of sample 0 that is present; its payload. */
void built_note_of(struct built *b, enum inq_snap_kind kind, uint32_t vcpu, const void *payload,
		   size_t n);
/* An INQUEST note without a payload: INQ_SNAP_ABSENT, or INQ_SNAP_FAILED with its errno. */
void built_note_lacks(struct built *b, enum inq_snap_kind kind, uint32_t vcpu,
		      enum inq_snap_state state, int error);
/* An INQUEST note with its head as given; may contradict itself. */
void built_note_raw(struct built *b, uint32_t type, const struct inq_snap_note *head,
		    const void *payload, size_t n);
/* A CORE/NT_PRSTATUS note; regs in the order of the kernel's user_regs_struct, r15 first. */
void built_prstatus(struct built *b, const uint64_t regs[27]);

/* What address space 1 has of its own: n zero bytes at gpa, to be written to until finish. */
uint8_t *built_smram(struct built *b, uint64_t gpa, size_t n);
/* An SMRAM note even when there is no piece. */
void built_smram_note(struct built *b);
/* One more record of a vCPU's flight record; all its members as given. */
void built_flight(struct built *b, uint32_t vcpu, const struct inq_snap_flight *r);
/* The bitmap of the pages that are zero, computed at finish. */
void built_zero_bitmap(struct built *b);

/* Frames of other producers. */
void built_pn_xnum(struct built *b);                 /* the number of headers in shdr[0].sh_info */
void built_ehsize(struct built *b, uint16_t ehsize); /* QEMU 7.2 writes 8 */
void built_packed(struct built *b);                  /* memory right behind the notes, unaligned */

/*
 * A file of another format, put together byte by byte; "name" matters only when more files lie
 * beside it.
 */
struct built *built_file(const char *name);
/* Append to it, or to the file that built_beside began. */
void built_put(struct built *b, const void *p, size_t n);
/* The same for the low n bytes of v, little-endian. */
void built_put_le(struct built *b, uint64_t v, size_t n);
/* Go on at an offset behind the end, with zeros between; or inside, over what is there. */
void built_seek(struct built *b, size_t at);
size_t built_tell(const struct built *b);
/* What is appended from here on is another file of the same folder. */
void built_beside(struct built *b, const char *name);
/* It is opened by its folder, not by the name of a file in it. */
void built_by_folder(struct built *b);

/* It is memory without a header, from base on; and what was said, NULL: nothing. */
void built_set_base(struct built *b, uint64_t base);
const uint64_t *built_base(const struct built *b);

/* The file; computed once, owned by b.  Its bytes may then be changed at will. */
uint8_t *built_finish(struct built *b, size_t *ret_n);
/* Cut the finished file. */
void built_truncate(struct built *b, size_t n);
/* Write the finished file to path. */
void built_write(struct built *b, const char *path);
/* Write the files that lie beside it to a folder. */
void built_write_beside(const struct built *b, const char *folder);
/*
 * Where it can be opened: a file without a name, or in a folder of its own when it needs one.
 * Undo it when done.
 */
struct built_place {
	char path[64], folder[32];
	int fd; /* of the dump, also to be written to */
};
void built_place(struct built *b, struct built_place *ret);
void built_unplace(const struct built *b, const struct built_place *at);
/* A file without a name with these bytes; *ret_path opens it.  Close the descriptor when done. */
int built_memfd(const void *bytes, size_t n, char ret_path[32]);

#endif
