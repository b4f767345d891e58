/*
 * Knows where an ELF file keeps its build id: in a note section, or where a linker left no sections
 * in a note segment.  Source: elf(5), Elf64_Nhdr; ld(1), --build-id.
 */
#include "symbols/build_id.h"

#include <errno.h>
#include <fcntl.h>
#include <gelf.h>
#include <stdbool.h>
#include <string.h>
#include <unistd.h>

#include "base/child.h"
#include "base/scope.h"
#include "base/text.h"

enum {
	MAX_NOTES = 1 << 20, /* bytes of one section; a kernel has 500 */
	MEMORY = 256 << 20,  /* for the child: headers of sections, mostly */
	SECONDS = 10,
};

static void end_elf(Elf **e)
{
	(void)elf_end(*e);
}

static void close_file(const int *fd)
{
	if (*fd >= 0)
		close(*fd);
}

static bool take_id(const uint8_t *p, size_t n, char ret_id[SYMBOLS_BUILD_ID])
{
	if (!n || n > (SYMBOLS_BUILD_ID - 1) / 2)
		return false;
	text_hex(p, n, ret_id);
	return true;
}

static bool find_in(Elf_Data *d, char ret_id[SYMBOLS_BUILD_ID])
{
	size_t at = 0, next, name, desc;
	GElf_Nhdr note;

	while (d && d->d_buf && (next = gelf_getnote(d, at, &note, &name, &desc)) > at) {
		const uint8_t *p = d->d_buf;
		if (note.n_type == NT_GNU_BUILD_ID && note.n_namesz == sizeof("GNU") &&
		    name + sizeof("GNU") <= d->d_size && !memcmp(p + name, "GNU", sizeof("GNU")) &&
		    desc <= d->d_size && note.n_descsz <= d->d_size - desc &&
		    take_id(p + desc, note.n_descsz, ret_id))
			return true;
		at = next;
	}
	return false;
}

static bool find_in_sections(Elf *e, char ret_id[SYMBOLS_BUILD_ID])
{
	for (Elf_Scn *s = NULL; (s = elf_nextscn(e, s));) {
		GElf_Shdr h;
		if (gelf_getshdr(s, &h) && h.sh_type == SHT_NOTE && h.sh_size <= MAX_NOTES &&
		    find_in(elf_getdata(s, NULL), ret_id))
			return true;
	}
	return false;
}

static bool find_in_segments(Elf *e, char ret_id[SYMBOLS_BUILD_ID])
{
	size_t n = 0;

	if (elf_getphdrnum(e, &n))
		return false;
	for (size_t i = 0; i < n && i <= INT32_MAX; i++) {
		GElf_Phdr h;
		if (gelf_getphdr(e, (int)i, &h) && h.p_type == PT_NOTE && h.p_filesz <= MAX_NOTES &&
		    h.p_offset <= INT64_MAX &&
		    find_in(elf_getdata_rawchunk(e, (int64_t)h.p_offset, (size_t)h.p_filesz,
						 ELF_T_NHDR),
			    ret_id))
			return true;
	}
	return false;
}

enum inq_status symbols_build_id_of(int fd, char ret_id[SYMBOLS_BUILD_ID], struct inq_err *err)
{
	if (elf_version(EV_CURRENT) == EV_NONE)
		return inq_fail(err, INQ_EUNSUPPORTED, "libelf is too old");
	INQ_SCOPED(end_elf) Elf *e = elf_begin(fd, ELF_C_READ, NULL);
	if (!e || elf_kind(e) != ELF_K_ELF)
		return inq_fail(err, INQ_ENOTFOUND, "no ELF file: a vmlinux is wanted");
	if (find_in_sections(e, ret_id) || find_in_segments(e, ret_id))
		return INQ_OK;
	return inq_fail(err, INQ_ENOTFOUND, "it has no build id");
}

static enum inq_status job_open(const struct child_job *job, void **ret_state, struct inq_err *err)
{
	static int fd;

	(void)err;
	fd = job->fd;
	*ret_state = &fd;
	return INQ_OK;
}

static enum inq_status job_serve(void *state, const struct child_call *call, uint8_t *buf,
				 size_t room, size_t *ret_n, struct inq_err *err)
{
	const int *fd = state;
	char id[SYMBOLS_BUILD_ID];
	enum inq_status st = symbols_build_id_of(*fd, id, err);

	(void)call;
	if (st)
		return st;
	*ret_n = strlen(id) < room ? strlen(id) : room;
	memcpy(buf, id, *ret_n);
	return INQ_OK;
}

INQ_DEFINE_SCOPE(struct child, child_stop)

enum inq_status symbols_build_id(const char *path, char ret_id[SYMBOLS_BUILD_ID],
				 struct inq_err *err)
{
	INQ_SCOPED(close_file) int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	INQ_SCOPED(child_stop_scope_) struct child *c = NULL;
	const struct child_call call = {{0}};
	char id[SYMBOLS_BUILD_ID] = {0};
	size_t n = 0;

	if (fd < 0)
		return inq_fail(err, INQ_EIO, "cannot open: %s", strerror(errno));
	const struct child_job job = {.name = "libelf",
				      .fd = fd,
				      .open = job_open,
				      .serve = job_serve,
				      .room = sizeof(id) - 1,
				      .memory = MEMORY,
				      .seconds = SECONDS};
	enum inq_status st = child_start(&job, &c, err);
	if (!st)
		st = child_ask(c, &call, id, sizeof(id) - 1, &n, err);
	if (st)
		return st;
	/* an answer is believed no more than the file */
	if (!n || strspn(id, "0123456789abcdef") != n)
		return inq_fail(err, INQ_ECORRUPT, "libelf answers nonsense");
	memcpy(ret_id, id, sizeof(id));
	return INQ_OK;
}
