/*
 * Types of the kernel, by what its own memory says of them (BTF), and typed reading.  Everything is
 * looked for when it is first asked for, and kept as long as the machine.  A machine whose kernel
 * was not found, or has no type information, fails with INQ_EABSENT and says why.
 * Source: Linux Documentation/bpf/btf.rst, include/uapi/linux/btf.h.
 */
#ifndef INQ_TYPES_H
#define INQ_TYPES_H

#include <stdbool.h>

#include <inquest/machine.h>

/* A type; copy it freely.  Valid as long as the machine. */
struct inq_type {
	const void *unit;  /* whose type it is: the kernel's, or a module's; NULL: no type at all */
	uint32_t id;       /* in that unit; 0: void */
	uint32_t pointers; /* so many pointers to it */
	uint64_t elements; /* and then an array of so many; 0: none; INQ_ANY_NUMBER: unknown */
};
#define INQ_ANY_NUMBER UINT64_MAX

enum inq_type_kind {
	INQ_TYPE_VOID,
	INQ_TYPE_INT, /* also bool and char */
	INQ_TYPE_FLOAT,
	INQ_TYPE_POINTER,
	INQ_TYPE_ARRAY,
	INQ_TYPE_STRUCT,
	INQ_TYPE_UNION,
	INQ_TYPE_ENUM,
	INQ_TYPE_FUNC,
	INQ_TYPE_FORWARD, /* declared, not defined */
};

/* What a type is behind its typedefs and qualifiers. */
struct inq_type_info {
	enum inq_type_kind kind;
	const char *name; /* "task_struct"; "": it has none.  Valid as long as the machine */
	uint64_t size;    /* bytes; 0 where it has none, or a last member of any length */
	uint64_t nr;      /* elements, members, enumerators, parameters */
	bool is_signed, is_char, is_bool;
};

/* A member, as found by its path. */
struct inq_member {
	const char *name;    /* the last of the path, "": anonymous */
	uint64_t bit_offset; /* from the start of the outermost */
	uint32_t bits;       /* of a bit-field; 0: it is none, and has the size of its type */
	uint32_t size;       /* bytes of its type; 0: an array of any length */
	struct inq_type type;
};
/* Bytes from the start of the outermost to the member, or to the byte of its first bit. */
static inline uint64_t inq_member_at(const struct inq_member *mb)
{
	return mb->bit_offset / 8;
}

/*
 * "struct task_struct", "enum pageflags", "pid_t", "list_head", "struct page **", "char [16]",
 * "unsigned long[]".  Without struct, union or enum: a typedef or a basic type of that name, else
 * what there is.  module NULL: the kernel's, then those of all modules that are loaded; else that
 * module's, where what it lacks is the kernel's.  A definition is preferred to a declaration.
 * Errors: INQ_ENOTFOUND, INQ_EABSENT, INQ_EUSAGE (not the text of a type), INQ_ECORRUPT.
 */
INQ_MUST enum inq_status inq_type_named(const struct inq_machine *m, const char *name,
					struct inq_type *ret, struct inq_err *err);
INQ_MUST enum inq_status inq_type_in(const struct inq_machine *m, const char *module,
				     const char *name, struct inq_type *ret, struct inq_err *err);

/* Never fails: damage yields INQ_TYPE_VOID with size 0. */
void inq_type_info(struct inq_type t, struct inq_type_info *ret);
uint64_t inq_type_size(struct inq_type t); /* bytes; 0 where it has none */
/* What a pointer leads to, an array consists of, a function returns; no type for others. */
struct inq_type inq_type_target(struct inq_type t);
/* Member i of a struct or union, parameter i of a function; false: there is none. */
bool inq_type_member(struct inq_type t, uint64_t i, struct inq_member *ret);
/* Enumerator i; the value sign-extended to 64 bits.  False: there is none. */
bool inq_type_enumerator(struct inq_type t, uint64_t i, const char **ret_name, uint64_t *ret);
/* The first enumerator with that value; NULL: none. */
const char *inq_type_enum_name(struct inq_type t, uint64_t value);
/* As C declares it: "struct list_head *next", or without name "struct list_head *".  Truncated. */
void inq_type_format(struct inq_type t, const char *name, char *buf, size_t n);
/* Of which module; NULL: the kernel. */
const char *inq_type_module(struct inq_type t);

/*
 * "mm", "mm_list.next", "cpu_context[3].x", "[2].name"; members of anonymous structs and unions
 * count as the outer one's.  No pointer is followed: a path ends at one.
 * Errors: INQ_ENOTFOUND (no such member: names the type), INQ_EUSAGE (no path, index too high).
 */
INQ_MUST enum inq_status inq_member(struct inq_type t, const char *path, struct inq_member *ret,
				    struct inq_err *err);

/* The same of a type by its name.  Errors: also those of inq_type_named. */
INQ_MUST enum inq_status inq_member_of(const struct inq_machine *m, const char *type,
				       const char *path, struct inq_member *ret,
				       struct inq_err *err);

/* "pageflags", "PG_dirty"; without a type (NULL): of any enum.  Errors: as inq_type_named. */
INQ_MUST enum inq_status inq_enum_value(const struct inq_machine *m, const char *type,
					const char *name, uint64_t *ret, struct inq_err *err);

/*
 * Shapes: the members of a structure that somebody wants, as a table.  Test for the member, never
 * for a version.
 *	struct task_offs { struct inq_field pid, state; };
 *	static const struct inq_shape_member members[] = {
 *		{offsetof(struct task_offs, pid), "pid"},
 *		{offsetof(struct task_offs, state), "__state", "state"},
 *		{0}};
 *	st = inq_shape(m, "struct task_struct", members, &offs, &size, err);
 */
struct inq_field {
	uint32_t off;  /* bytes */
	uint32_t size; /* bytes to be read; 0: the structure has no such member here */
	uint8_t shift; /* of a bit-field in the little-endian integer of so many bytes */
	uint8_t bits;  /* its width; 0: no bit-field */
	bool is_signed;
};
struct inq_shape_member {
	size_t slot;        /* offsetof a struct inq_field in the caller's struct */
	const char *path;   /* NULL: the end of the table */
	const char *was;    /* what it was called before, or NULL */
	const char *before; /* and before that */
	bool optional;      /* it may be missing */
};
/*
 * Errors: INQ_ENOTFOUND (names what is missing), INQ_EABSENT.  ret_size may be NULL.  On failure
 * the caller's struct is unspecified.
 */
INQ_MUST enum inq_status inq_shape(const struct inq_machine *m, const char *type,
				   const struct inq_shape_member *members, void *ret_fields,
				   uint64_t *ret_size, struct inq_err *err);

/*
 * Reading, in the kernel's memory (space "kernel").  A field of 1 to 8 bytes as an integer,
 * sign-extended when its type is signed.  Errors: INQ_EABSENT (also: the field is missing here),
 * INQ_EFAULT, INQ_EUNSUPPORTED (wider).
 */
INQ_MUST enum inq_status inq_read_kernel(const struct inq_machine *m, uint64_t addr, void *buf,
					 size_t n, struct inq_err *err);
INQ_MUST enum inq_status inq_read_u64(const struct inq_machine *m, uint64_t addr, uint64_t *ret,
				      struct inq_err *err);
INQ_MUST enum inq_status inq_read_u32(const struct inq_machine *m, uint64_t addr, uint32_t *ret,
				      struct inq_err *err);
INQ_MUST enum inq_status inq_read_field(const struct inq_machine *m, uint64_t addr,
					const struct inq_field *f, uint64_t *ret,
					struct inq_err *err);
/* The same from n bytes of the structure that were read already; false: it is not in them. */
bool inq_field_of(const struct inq_field *f, const void *p, size_t n, uint64_t *ret);
/* What a member is as a field. */
struct inq_field inq_field_for(const struct inq_member *mb);

/*
 * Variables: where they are is what names.h says; what they are the kernel's type information says
 * of per-CPU variables, and a table of our own (symbols/vars.def) of others.  For a per-CPU
 * variable *ret_addr is its offset, for inq_per_cpu.  A variable that is known by name only has
 * type void. Errors: INQ_ENOTFOUND, INQ_EABSENT.
 */
INQ_MUST enum inq_status inq_var(const struct inq_machine *m, const char *name, uint64_t *ret_addr,
				 struct inq_type *ret_type, struct inq_err *err);
INQ_MUST enum inq_status inq_per_cpu(const struct inq_machine *m, const char *name, uint32_t cpu,
				     uint64_t *ret_addr, struct inq_type *ret_type,
				     struct inq_err *err);
/* Per-CPU variables of the kernel's type information, in its order; false: there is none. */
bool inq_per_cpu_at(const struct inq_machine *m, size_t i, const char **ret_name, uint64_t *ret_off,
		    struct inq_type *ret_type, uint32_t *ret_size);
/* What is added to a per-CPU offset or pointer: __per_cpu_offset[cpu]. */
INQ_MUST enum inq_status inq_per_cpu_base(const struct inq_machine *m, uint32_t cpu, uint64_t *ret,
					  struct inq_err *err);
/* How many CPUs there can be: nr_cpu_ids, else those of __per_cpu_offset that have a base. */
INQ_MUST enum inq_status inq_nr_cpus(const struct inq_machine *m, uint32_t *ret,
				     struct inq_err *err);

/*
 * Walks: nothing is ever followed without end.  Each yields the address of one object after the
 * other, INQ_ENOTFOUND-free: *ret_more false is the end.  Damage ends it with INQ_ECORRUPT (a
 * cycle, NULL or poison in a list, more than `most`), INQ_EFAULT, INQ_EABSENT; what came before
 * stands.
 */
struct inq_walk;
enum inq_walk_kind {
	INQ_WALK_LIST,   /* struct list_head: head's address; nodes behind it until head again */
	INQ_WALK_HLIST,  /* struct hlist_head, also the nulls kind: until NULL or an odd pointer */
	INQ_WALK_CHAIN,  /* head: address of the first object's node; next pointer first in it */
	INQ_WALK_RBTREE, /* struct rb_root, rb_root_cached: in order */
	INQ_WALK_XARRAY, /* struct xarray, radix_tree_root: entries that are not values */
	INQ_WALK_MAPLE,  /* struct maple_tree: entries, each once */
};
/*
 * offset: from an object to its node (list_head, hlist_node, rb_node), subtracted from what is
 * found; 0 for trees of entries.  most: objects; 0: a million.  Errors: INQ_ENOMEM, INQ_ENOTFOUND
 * (the type information lacks what the tree consists of), INQ_EABSENT.  Close accepts NULL.
 */
INQ_MUST enum inq_status inq_walk_open(const struct inq_machine *m, enum inq_walk_kind kind,
				       uint64_t head, uint64_t offset, uint64_t most,
				       struct inq_walk **ret, struct inq_err *err);
void inq_walk_close(struct inq_walk *w);
/* *ret_key, which may be NULL, is the index of an xarray's or a maple tree's entry; else the
 * number. */
INQ_MUST enum inq_status inq_walk_next(struct inq_walk *w, uint64_t *ret_addr, uint64_t *ret_key,
				       bool *ret_more, struct inq_err *err);

#endif
