/* Knows how questions about a debug file are answered in the child that libdwarf runs in. */
#include <stdio.h>

#include "symbols/debug_index.h"
#include "symbols/debug_lines.h"
#include "symbols/debug_scope.h"
#include "symbols/debug_vars.h"

struct opened {
	struct debug_file file;
	int fd;
	struct list {
		bool made;
		struct debug_ranges ranges;
		enum inq_status (*make)(struct debug_file *f, struct debug_ranges *ret,
					struct inq_err *err);
	} addresses, variables;
};

enum inq_status debug_job_open(const struct child_job *job, void **ret_state, struct inq_err *err)
{
	static struct opened o;

	o = (struct opened){.fd = job->fd,
			    .addresses.make = debug_index_ranges,
			    .variables.make = debug_index_vars};
	*ret_state = &o;
	return debug_elf_open(job->fd, &o.file.elf, err);
}

static enum inq_status tell_info(const struct opened *o, uint8_t *buf, size_t *ret_n)
{
	struct job_info info = {
		.info_bytes = debug_elf_size(o->file.elf, DEBUG_INFO),
		.line_bytes = debug_elf_size(o->file.elf, DEBUG_LINE),
		.relocatable = debug_elf_relocatable(o->file.elf),
	};

	if (symbols_build_id_of(o->fd, info.build_id, NULL))
		*info.build_id = '\0';
	memcpy(buf, &info, sizeof(info));
	*ret_n = sizeof(info);
	return INQ_OK;
}

static enum inq_status tell_loaded(const struct opened *o, uint64_t from, uint8_t *buf, size_t room,
				   size_t *ret_n)
{
	struct debug_loaded l;
	size_t n = 0;

	while (n + sizeof(struct job_section) <= room &&
	       debug_elf_loaded(o->file.elf, (size_t)from++, &l)) {
		struct job_section s = {.addr = l.addr, .bytes = l.bytes};
		snprintf(s.name, sizeof(s.name), "%s", l.name);
		memcpy(buf + n, &s, sizeof(s));
		n += sizeof(s);
	}
	*ret_n = n;
	return INQ_OK;
}

/* One of the lists, made when it is first asked for. */
static enum inq_status tell_list(struct opened *o, struct list *l, uint64_t from, uint8_t *buf,
				 size_t room, size_t *ret_n, struct inq_err *err)
{
	enum inq_status st = l->made ? INQ_OK : l->make(&o->file, &l->ranges, err);

	if (st)
		return st;
	l->made = true;
	if (from > l->ranges.nr)
		from = l->ranges.nr;
	size_t nr = l->ranges.nr - (size_t)from, most = room / sizeof(struct job_range);
	if (nr > most)
		nr = most;
	*ret_n = nr * sizeof(struct job_range);
	if (nr)
		memcpy(buf, l->ranges.at + from, *ret_n);
	return INQ_OK;
}

static enum inq_status tell_saved(struct opened *o, uint64_t addr, uint8_t *buf, size_t room,
				  size_t *ret_n, struct inq_err *err)
{
	struct job_saved saved;
	enum inq_status st = room < sizeof(saved) ? inq_fail(err, INQ_ELIMIT, "no room")
						  : debug_saved_at(&o->file, addr, &saved, err);

	if (st)
		return st;
	memcpy(buf, &saved, sizeof(saved));
	*ret_n = sizeof(saved);
	return INQ_OK;
}

enum inq_status debug_job_serve(void *state, const struct child_call *call, uint8_t *buf,
				size_t room, size_t *ret_n, struct inq_err *err)
{
	struct opened *o = state;
	const uint64_t *arg = call->arg;

	switch ((enum job_call)arg[0]) {
	case JOB_INFO:
		return tell_info(o, buf, ret_n);
	case JOB_LOADED:
		return tell_loaded(o, arg[1], buf, room, ret_n);
	case JOB_RANGES:
		return tell_list(o, &o->addresses, arg[1], buf, room, ret_n, err);
	case JOB_LINES:
		return debug_lines_at(&o->file, arg[1], arg[2], buf, room, ret_n, err);
	case JOB_VARS:
		return tell_list(o, &o->variables, arg[1], buf, room, ret_n, err);
	case JOB_VAR:
		return debug_var_at(&o->file, arg[1], buf, room, ret_n, err);
	case JOB_SCOPE:
		return debug_scope_at(&o->file, arg[1], arg[2], buf, room, ret_n, err);
	case JOB_SAVED:
		return tell_saved(o, arg[1], buf, room, ret_n, err);
	}
	return inq_fail(err, INQ_EUSAGE, "no such call");
}
