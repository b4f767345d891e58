/*
 * Knows the ways from a page to who has it: the mapping's inode and its names, the VMAs that cover
 * its place, of which only those count whose page tables lead to it, and the tables themselves.
 * Sources: Linux mm/rmap.c (rmap_walk_anon, rmap_walk_file), include/linux/rmap.h, fs/dcache.c,
 * include/linux/mm_types.h.
 */
#include "analyzers/page_owner.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "analyzers/collect/linux_task.h"
#include "arch/paging.h"

#define DOTS "..."

enum {
	PAGE = 4096,
	PAGE_SHIFT = 12,
	MAPPING_BITS = 3,    /* of page->mapping: what it is */
	VMAS_MOST = 1 << 16, /* that are looked at */
	KEPT_MOST = 4096,    /* of those, that have it */
	SAID_MOST = 12,
	NAMES_MOST = 16,       /* folders of a path */
	NAME_MOST = 64,        /* bytes of one */
	TABLES_MOST = 1 << 16, /* that are read for one answer */
	HALF = 256,            /* entries of the top table that are user mode's */
	COMM = 64,
};

/* One that has the page, at va. */
struct vma {
	uint64_t at, mm, va;
	bool sure, writable; /* sure: its page tables say so, not only that they were not dumped */
};

struct asked {
	const struct inq_machine *m;
	uint64_t pfn;
	page_owner_fn *say;
	void *ctx;
	struct vma *vma; /* KEPT_MOST */
	size_t nr_vmas, nr_said;
	bool cut; /* there may be more that map it */
	struct linux_task_shape task;
	struct inq_field pgd;
	unsigned int tables; /* that may still be looked at */
	uint64_t last_mm;    /* whose tables were looked at before */
};

static bool offset_of(const struct inq_machine *m, const char *type, const char *path,
		      uint64_t *ret)
{
	struct inq_member mb;

	if (inq_member_of(m, type, path, &mb, NULL))
		return false;
	*ret = inq_member_at(&mb);
	return true;
}

/* --- the file --- */

struct file_shape {
	struct inq_field host;             /* of address_space */
	struct inq_field ino, sb, aliases; /* of inode */
	struct inq_field type, id;         /* of super_block */
	struct inq_field parent, name;     /* of dentry */
	uint64_t alias;                    /* in a dentry, its place in the inode's list */
};

static bool file_shape(const struct inq_machine *m, struct file_shape *s)
{
	static const struct inq_shape_member mapping[] = {
		LINUX_MEMBER(struct file_shape, host, "host"), {0}};
	static const struct inq_shape_member inode[] = {
		LINUX_MEMBER(struct file_shape, ino, "i_ino"),
		LINUX_MEMBER(struct file_shape, sb, "i_sb"),
		LINUX_MEMBER(struct file_shape, aliases, "i_dentry.first"),
		{0}};
	static const struct inq_shape_member sb[] = {
		LINUX_MEMBER(struct file_shape, type, "s_type"),
		LINUX_MEMBER(struct file_shape, id, "s_id"),
		{0}};
	static const struct inq_shape_member dentry[] = {
		LINUX_MEMBER(struct file_shape, parent, "d_parent"),
		LINUX_MEMBER(struct file_shape, name, "d_name.name"),
		{0}};

	return !inq_shape(m, "struct address_space", mapping, s, NULL, NULL) &&
	       !inq_shape(m, "struct inode", inode, s, NULL, NULL) &&
	       !inq_shape(m, "struct super_block", sb, s, NULL, NULL) &&
	       !inq_shape(m, "struct dentry", dentry, s, NULL, NULL) &&
	       offset_of(m, "struct dentry", "d_u.d_alias", &s->alias);
}

/* A dentry's own; one that is longer than NAME_MOST ends with dots. */
static bool name_of(const struct inq_machine *m, const struct file_shape *s, uint64_t dentry,
		    char name[NAME_MOST + 2])
{
	uint64_t at = 0;

	if (inq_read_field(m, dentry, &s->name, &at, NULL) ||
	    linux_string(m, at, name, NAME_MOST + 2, NULL))
		return false;
	if (strlen(name) > NAME_MOST)
		memcpy(name + NAME_MOST - strlen(DOTS), DOTS, sizeof(DOTS));
	return true;
}

/*
 * From the root of its file system, or from dots where it could not be followed up to that; "": no
 * name of it is in memory.  Writes from the end.
 */
static void path_of(const struct inq_machine *m, const struct file_shape *s, uint64_t inode,
		    char *buf, size_t n)
{
	uint64_t dentry = 0, parent = 0;
	char name[NAME_MOST + 2];
	size_t begin = n - 1;
	bool whole = false;

	buf[begin] = '\0';
	if (inq_read_field(m, inode, &s->aliases, &dentry, NULL) || !dentry)
		dentry = 0;
	else
		dentry -= s->alias;
	for (int i = 0; dentry; i++, dentry = parent) {
		if (inq_read_field(m, dentry, &s->parent, &parent, NULL))
			break;
		whole = parent == dentry;
		if (whole || i == NAMES_MOST || !name_of(m, s, dentry, name) ||
		    strlen(name) + sizeof(DOTS) > begin)
			break;
		begin -= strlen(name);
		memcpy(buf + begin, name, strlen(name));
		buf[--begin] = '/';
	}
	if (buf[begin] && !whole) {
		begin -= strlen(DOTS);
		memcpy(buf + begin, DOTS, strlen(DOTS));
	}
	memmove(buf, buf + begin, n - begin);
}

static void tell_file(const struct asked *q, uint64_t mapping, uint64_t index)
{
	struct file_shape s;
	uint64_t inode = 0, ino = 0, sb = 0, type = 0, at = 0, name_at = 0;
	char fs[32] = "?", id[33] = "", path[160], text[260];

	if (!file_shape(q->m, &s) || inq_read_field(q->m, mapping, &s.host, &inode, NULL) ||
	    !inode || inq_read_field(q->m, inode, &s.ino, &ino, NULL))
		return;
	if (!inq_read_field(q->m, inode, &s.sb, &sb, NULL)) {
		(void)!linux_string(q->m, sb + s.id.off, id, sizeof(id), NULL);
		if (!inq_read_field(q->m, sb, &s.type, &type, NULL) &&
		    offset_of(q->m, "struct file_system_type", "name", &at) &&
		    !inq_read_u64(q->m, type + at, &name_at, NULL))
			(void)!linux_string(q->m, name_at, fs, sizeof(fs), NULL);
	}
	path_of(q->m, &s, inode, path, sizeof(path));
	(void)snprintf(text, sizeof(text), "page %" PRIu64 " of inode %" PRIu64 " of %s (%s)%s%s",
		       index, ino, fs, id, *path ? ", " : "", path);
	q->say(q->ctx, "inode", inode, text);
}

/* A process' page tables; false: where they begin is unknown. */
static bool mode_of(const struct asked *q, uint64_t mm, struct paging_mode *ret)
{
	const struct inq_kernel *k = inq_machine_kernel(q->m);
	const struct inq_space *sp;
	uint64_t pgd = 0;

	*ret = (struct paging_mode){
		.kind = PAGING_CPU, .levels = k->levels, .nx = true, .gbpages = -1};
	return k->known & INQ_KERNEL_ROOT && !inq_read_field(q->m, mm, &q->pgd, &pgd, NULL) &&
	       !paging_resolve(k->virt, pgd, &sp, &ret->root, NULL);
}

/* --- VMAs --- */

struct vma_shape {
	struct inq_field start, end, mm, pgoff;
};

/* Does the process have the page there?  Where its tables are not in the dump, perhaps. */
static void keep_vma(struct asked *q, const struct vma *v)
{
	struct paging_mode mode;
	struct paging_walk walk;

	if (!mode_of(q, v->mm, &mode))
		return;
	paging_walk(&mode, q->m->dump->phys, v->va, &walk);
	bool sure = walk.verdict == PAGING_OK;
	if (sure ? walk.pa >> PAGE_SHIFT != q->pfn : walk.verdict != PAGING_ABSENT)
		return;
	q->cut |= q->nr_vmas == KEPT_MOST;
	if (q->nr_vmas == KEPT_MOST)
		return;
	q->vma[q->nr_vmas] = *v;
	q->vma[q->nr_vmas].sure = sure;
	q->vma[q->nr_vmas++].writable = walk.writable;
}

static void add_vma(struct asked *q, const struct vma_shape *s, uint64_t at, uint64_t index)
{
	uint64_t start = 0, end = 0, mm = 0, pgoff = 0;

	if (inq_read_field(q->m, at, &s->start, &start, NULL) ||
	    inq_read_field(q->m, at, &s->end, &end, NULL) ||
	    inq_read_field(q->m, at, &s->mm, &mm, NULL) ||
	    inq_read_field(q->m, at, &s->pgoff, &pgoff, NULL) || index < pgoff || end < start ||
	    index - pgoff >= (end - start) >> PAGE_SHIFT)
		return;
	keep_vma(q,
		 &(struct vma){.at = at, .mm = mm, .va = start + ((index - pgoff) << PAGE_SHIFT)});
}

/* A tree of VMAs, or of links to them; link: the pointer in one, node: its place in the tree. */
static void each_vma(struct asked *q, uint64_t root, uint64_t node, bool linked, uint64_t link,
		     uint64_t index)
{
	static const struct inq_shape_member members[] = {
		LINUX_MEMBER(struct vma_shape, start, "vm_start"),
		LINUX_MEMBER(struct vma_shape, end, "vm_end"),
		LINUX_MEMBER(struct vma_shape, mm, "vm_mm"),
		LINUX_MEMBER(struct vma_shape, pgoff, "vm_pgoff"),
		{0}};
	struct vma_shape s;
	struct inq_walk *w = NULL;
	uint64_t at = 0;
	bool more = true;

	if (inq_shape(q->m, "struct vm_area_struct", members, &s, NULL, NULL))
		return;
	enum inq_status st = inq_walk_open(q->m, INQ_WALK_RBTREE, root, node, VMAS_MOST, &w, NULL);
	while (!st && !(st = inq_walk_next(w, &at, NULL, &more, NULL)) && more) {
		if (linked && inq_read_u64(q->m, at + link, &at, NULL))
			q->cut = true;
		else
			add_vma(q, &s, at, index);
	}
	q->cut |= st != INQ_OK;
	inq_walk_close(w);
}

static void find_anon(struct asked *q, uint64_t anon, uint64_t index)
{
	uint64_t root = 0, node = 0, link = 0;

	if (offset_of(q->m, "struct anon_vma", "rb_root", &root) &&
	    offset_of(q->m, "struct anon_vma_chain", "rb", &node) &&
	    offset_of(q->m, "struct anon_vma_chain", "vma", &link))
		each_vma(q, anon + root, node, true, link, index);
}

static void find_file(struct asked *q, uint64_t mapping, uint64_t index)
{
	uint64_t root = 0, node = 0;

	if (offset_of(q->m, "struct address_space", "i_mmap", &root) &&
	    offset_of(q->m, "struct vm_area_struct", "shared.rb", &node))
		each_vma(q, mapping + root, node, false, 0, index);
}

/* --- processes --- */

struct process {
	uint64_t mm;
	char name[COMM + 32]; /* "process 12 (bash)" */
};

static void say_vma(struct asked *q, const struct process *p, const struct vma *v)
{
	char text[160];

	if (q->nr_said++ >= SAID_MOST)
		return;
	if (v->sure)
		(void)snprintf(text, sizeof(text), "mapped at 0x%" PRIx64 " by %s%s", v->va,
			       p->name, v->writable ? ", writable" : "");
	else
		(void)snprintf(text, sizeof(text),
			       "perhaps mapped at 0x%" PRIx64
			       " by %s, whose page tables are not in the dump",
			       v->va, p->name);
	q->say(q->ctx, "mapped", v->at, text);
}

/* What was not said of those that map it. */
static void say_rest(const struct asked *q)
{
	char text[80];

	if (q->nr_said > SAID_MOST)
		(void)snprintf(text, sizeof(text), "mapped in %s%zu more places",
			       q->cut ? "at least " : "", q->nr_said - SAID_MOST);
	else if (q->cut)
		(void)snprintf(text, sizeof(text),
			       "perhaps mapped in more places: its list is cut");
	else
		return;
	q->say(q->ctx, "mapped", 0, text);
}

static bool is_table(uint64_t entry, int level)
{
	return entry & 1 && (level == 5 || !(entry & 0x80));
}

/*
 * Is the page one of the tables below the one at pa?  va: what that maps first.  The pages that
 * tables of the last level map are no tables.
 */
static bool find_table(struct asked *q, uint64_t pa, int level, unsigned int first,
		       unsigned int last, uint64_t va, int *ret_level, uint64_t *ret_va)
{
	uint64_t entry[PAGE / 8];
	const uint64_t frame = UINT64_C(0x000ffffffffff000);

	if (pa >> PAGE_SHIFT == q->pfn) {
		*ret_level = level;
		*ret_va = va;
		return true;
	}
	if (level == 1 || !q->tables)
		return false;
	q->tables--; /* what cannot be read takes time, too */
	if (inq_read(q->m->dump->phys, pa, entry, PAGE, NULL))
		return false;
	for (unsigned int i = first; i <= last; i++)
		if (is_table(entry[i], level) &&
		    find_table(q, entry[i] & frame, level - 1, 0, PAGE / 8 - 1,
			       va | (uint64_t)i << (PAGE_SHIFT + 9 * (level - 1)), ret_level,
			       ret_va))
			return true;
	return false;
}

static void say_table(struct asked *q, uint64_t mm, const struct paging_mode *mode, bool kernel,
		      const char *whose)
{
	int level = 0, shift = PAGE_SHIFT + 9 * mode->levels;
	uint64_t va = 0, base = kernel ? UINT64_MAX << (shift - 1) : 0;
	char text[160];

	if (!find_table(q, mode->root, mode->levels, kernel ? HALF : 0,
			kernel ? PAGE / 8 - 1 : HALF - 1, base, &level, &va))
		return;
	if (level == mode->levels)
		(void)snprintf(text, sizeof(text), "top page table (%s) of %s",
			       paging_table_name(level), whose);
	else
		(void)snprintf(text, sizeof(text), "page table (%s) of %s, from 0x%" PRIx64 " on",
			       paging_table_name(level), whose, va);
	q->say(q->ctx, "table", mm, text);
}

struct tour {
	struct asked *q;
	bool tables; /* which process has it as a page table? else: who maps it? */
};

static enum inq_status on_task(void *ctx, uint64_t task, struct inq_err *err)
{
	const struct tour *t = ctx;
	struct asked *q = t->q;
	struct process p = {0};
	struct paging_mode mode;
	uint64_t pid = 0, tgid = 0;
	char comm[COMM] = "";

	(void)err;
	if (inq_read_field(q->m, task, &q->task.mm, &p.mm, NULL) || !p.mm ||
	    inq_read_field(q->m, task, &q->task.pid, &pid, NULL) ||
	    inq_read_field(q->m, task, &q->task.tgid, &tgid, NULL) || pid != tgid ||
	    linux_string(q->m, task + q->task.comm.off, comm,
			 q->task.comm.size < COMM ? q->task.comm.size + 1 : COMM, NULL))
		return INQ_OK;
	(void)snprintf(p.name, sizeof(p.name), "process %" PRIu64 " (%s)", tgid, comm);
	for (size_t i = 0; !t->tables && i < q->nr_vmas; i++)
		if (q->vma[i].mm == p.mm)
			say_vma(q, &p, &q->vma[i]);
	if (t->tables && p.mm != q->last_mm && mode_of(q, p.mm, &mode))
		say_table(q, p.mm, &mode, false, p.name);
	q->last_mm = p.mm;
	return INQ_OK;
}

static void ask_processes(struct asked *q, bool tables)
{
	struct tour t = {q, tables};

	if (!linux_task_shape(q->m, &q->task, NULL))
		(void)!linux_tasks_each(q->m, &q->task, NULL, on_task, &t, NULL);
}

static void tell_table(struct asked *q)
{
	const struct inq_kernel *k = inq_machine_kernel(q->m);
	const struct paging_mode mode = {
		.kind = PAGING_CPU, .levels = k->levels, .root = k->root, .nx = true};

	q->tables = TABLES_MOST;
	ask_processes(q, true);
	if (k->known & INQ_KERNEL_ROOT)
		say_table(q, 0, &mode, true, "the kernel");
	if (!q->tables)
		q->say(q->ctx, "table", 0, "not all page tables were read: it may be in others");
}

void page_owner_tell(const struct inq_machine *m, uint64_t pfn, const struct page_facts *facts,
		     uint64_t before, page_owner_fn *say, void *ctx)
{
	static const struct inq_shape_member members[] = {{0, "pgd", NULL, NULL, false}, {0}};
	struct asked q = {.m = m, .pfn = pfn, .say = say, .ctx = ctx};
	uint64_t index = facts->index + before, mapping = facts->mapping & ~(uint64_t)MAPPING_BITS;
	bool is_file = !strcmp(facts->type, "file");

	if (is_file)
		tell_file(&q, mapping, index);
	q.vma = calloc(KEPT_MOST, sizeof(*q.vma));
	if (!q.vma || inq_shape(m, "struct mm_struct", members, &q.pgd, NULL, NULL)) {
		free(q.vma);
		return;
	}
	if (is_file)
		find_file(&q, mapping, index);
	else if (!strcmp(facts->type, "anon"))
		find_anon(&q, mapping, index);
	else if (!strcmp(facts->type, "table"))
		tell_table(&q);
	if (q.nr_vmas)
		ask_processes(&q, false);
	say_rest(&q);
	free(q.vma);
}
