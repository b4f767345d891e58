/* Knows which key does what: the only list of keys, from which help and status line are made. */
#include <curses.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tui/app.h"

enum {
	REF_MACHINE = 1U << VIEW_REF_MACHINE,
	REF_CPU = 1U << VIEW_REF_CPU,
};

static const struct view_ref *selected(const struct tui *t)
{
	static const struct view_ref none;
	const struct tui_page *p = tui_top(t);

	return p->at < p->rows.nr ? &p->rows.ref[p->at] : &none;
}

/* The space that a row names in its column SPACE, else the one that its page is about. */
static const char *space_of(const struct tui *t)
{
	const struct tui_page *p = tui_top(t);
	int col = tui_view_col(p->view, "SPACE");
	const char *cell =
		col >= 0 && p->at < p->rows.nr ? tui_rows_cell(&p->rows, p->at, (size_t)col) : "-";

	if (strcmp(cell, "-") != 0)
		return cell;
	return strcmp(p->view->name, "hits") != 0 ? p->from.text[0] : NULL;
}

/* The selected row, with what was typed to get here. */
static struct view_ref reference(const struct tui *t)
{
	struct view_ref from = *selected(t);

	from.text[0] = space_of(t);
	return from;
}

static bool is_memory(const char *view)
{
	static const char *const names[] = {"mem", "words", "text", "pt", "dis"};

	for (size_t i = 0; view && i < sizeof(names) / sizeof(*names); i++)
		if (!strcmp(names[i], view))
			return true;
	return false;
}

static void run_move(struct tui *t, const struct tui_command *c, int key)
{
	(void)key;
	tui_page_move(tui_top(t), c->n);
}

static void run_page(struct tui *t, const struct tui_command *c, int key)
{
	(void)key;
	tui_page_turn(tui_top(t), (int)c->n);
}

static void run_end(struct tui *t, const struct tui_command *c, int key)
{
	(void)key;
	tui_page_jump(tui_top(t), c->n < 0 ? 0 : SIZE_MAX);
}

/* Left of the leftmost column lies the view before. */
static void run_slide(struct tui *t, const struct tui_command *c, int key)
{
	int half = t->width > 2 ? t->width / 2 : 1;

	(void)key;
	if (!tui_page_slide(tui_top(t), c->n < 0 ? -half : half) && c->n < 0)
		tui_back(t);
}

static void open_listed(struct tui *t)
{
	const struct view_ref *ref = selected(t);
	const struct view *v =
		ref->known >> VIEW_REF_ROW & 1 ? view_at((size_t)ref->part[VIEW_REF_ROW]) : NULL;

	tui_back(t); /* the list is a question: it does not stay */
	if (v)
		tui_open(t, v, tui_fill_store, NULL);
}

static void open_from(struct tui *t, const struct view *v)
{
	struct view_ref from = is_memory(v->name) ? reference(t) : *selected(t);

	tui_open(t, v, tui_fill_store, &from);
}

static void run_open(struct tui *t, const struct tui_command *c, int key)
{
	const struct tui_page *p = tui_top(t);
	const struct view *v = p->view->opens ? view_find(p->view->opens) : NULL;

	(void)c;
	(void)key;
	if (p->fill == tui_fill_menu)
		open_listed(t);
	else if (p->fill != tui_fill_store || p->at >= p->rows.nr)
		tui_say(t, false, "nothing to open here");
	else if (v)
		open_from(t, v);
	else
		tui_open(t, &tui_record_view, tui_fill_record, selected(t));
}

static void run_back(struct tui *t, const struct tui_command *c, int key)
{
	(void)key;
	if (t->nr > 1)
		tui_back(t);
	else if (c->n)
		t->quit = true;
	else
		tui_say(t, false, "this is the first view: q quits");
}

static void run_quit(struct tui *t, const struct tui_command *c, int key)
{
	(void)c;
	(void)key;
	t->quit = true;
}

static void run_ask(struct tui *t, const struct tui_command *c, int key)
{
	(void)key;
	t->asking = (enum tui_asking)c->n;
	t->typed[0] = '\0';
}

static void run_next(struct tui *t, const struct tui_command *c, int key)
{
	(void)key;
	if (!*t->find) {
		tui_say(t, false, "nothing was searched yet: / asks");
		return;
	}
	switch (tui_page_search(tui_top(t), t->find, (int)c->n)) {
	case TUI_FOUND:
		break;
	case TUI_FOUND_WRAPPED:
		tui_say(t, false, "search went on at the other end");
		break;
	case TUI_FOUND_NOT:
		tui_say(t, true, "not found: %s", t->find);
		break;
	}
}

static void run_menu(struct tui *t, const struct tui_command *c, int key)
{
	(void)c;
	(void)key;
	tui_open(t, &tui_menu_view, tui_fill_menu, NULL);
}

static void run_help(struct tui *t, const struct tui_command *c, int key)
{
	(void)c;
	(void)key;
	tui_open(t, &tui_help_view, tui_fill_help, NULL);
}

static void run_reload(struct tui *t, const struct tui_command *c, int key)
{
	(void)c;
	(void)key;
	tui_load(t, tui_top(t));
}

static void run_save(struct tui *t, const struct tui_command *c, int key)
{
	struct inq_err err = {0};
	char *path = NULL;

	(void)c;
	(void)key;
	if (!t->src->save) {
		tui_say(t, false, "nothing to save: this is an index already");
		return;
	}
	tui_say(t, false, "collecting everything ...");
	if (t->show)
		t->show(t);
	if (t->src->save(t->src->ctx, &path, &err))
		tui_say(t, true, "not saved: %s", err.msg);
	else
		tui_say(t, false, "saved as %s", path);
	free(path);
}

/* The screen is drawn afresh: curses' part, done by whoever draws. */
static void run_redraw(struct tui *t, const struct tui_command *c, int key)
{
	(void)t;
	(void)c;
	(void)key;
}

/* Does Enter lead from one view to the other, perhaps through a third? */
static bool leads_to(const struct view *from, const struct view *to)
{
	for (int steps = 0; steps < 2 && from && from->opens; steps++) {
		if (!strcmp(from->opens, to->name))
			return true;
		from = view_find(from->opens);
	}
	return false;
}

/* What belongs to the selected row, if Enter leads there; else the view as such. */
static void run_view(struct tui *t, const struct tui_command *c, int key)
{
	const struct view *v = view_find(c->view), *here = tui_top(t)->view;
	struct view_ref from = *selected(t);

	(void)key;
	if (!v) {
		tui_say(t, true, "no view %s", c->view);
		return;
	}
	if (!leads_to(here, v))
		from.known &= c->ref;
	if (!strcmp(v->name, here->name))
		from = tui_top(t)->from;
	tui_open(t, v, tui_fill_store, &from);
}

static void run_memory(struct tui *t, const struct tui_command *c, int key)
{
	const struct view *v = view_find(c->view);
	struct view_ref from = reference(t);

	(void)key;
	if (!v)
		tui_say(t, true, "no view %s", c->view);
	else if (from.known >> VIEW_REF_ADDR & 1)
		tui_open(t, v, tui_fill_store, &from);
	else
		tui_say(t, false, "this row has no address: ':' asks for one");
}

/* SPACE:ADDRESS, or an address of the space that is on the screen. */
static void go_to_place(struct tui *t)
{
	const struct view *v = view_find("mem");
	struct view_ref from = {.text = {space_of(t), t->typed}};
	char *colon = strrchr(t->typed, ':');

	if (colon) {
		*colon = '\0';
		from.text[0] = t->typed;
		from.text[1] = colon + 1;
	}
	if (v)
		tui_open(t, v, tui_fill_store, &from);
}

static void search_memory(struct tui *t)
{
	const struct view *v = view_find("hits");
	const struct view_ref from = {.text = {t->typed, space_of(t)}};

	if (v)
		tui_open(t, v, tui_fill_store, &from);
}

/* Which CPUs have rows in a view: the answer to one question, found by passing over all rows. */
struct cpu_scan {
	int64_t now;   /* shown; below 0: all */
	int dir;       /* look for the next (1), the one before (-1), exactly now (0) */
	int64_t found; /* -1: none */
	bool any;
};

static enum inq_status scan_cpu(void *ctx, const struct view_ref *ref, const char *const *cell,
				struct inq_err *err)
{
	struct cpu_scan *s = ctx;
	int64_t cpu = ref->part[VIEW_REF_CPU];

	(void)cell;
	(void)err;
	if (!(ref->known >> VIEW_REF_CPU & 1) || cpu < 0)
		return INQ_OK;
	s->any = true;
	if (s->dir > 0   ? cpu > s->now && (s->found < 0 || cpu < s->found)
	    : s->dir < 0 ? (s->now < 0 || cpu < s->now) && cpu > s->found
			 : cpu == s->now)
		s->found = cpu;
	return INQ_OK;
}

static void show_cpu(struct tui *t, int64_t cpu)
{
	struct tui_page *p = tui_top(t);

	p->from.part[VIEW_REF_CPU] = cpu < 0 ? 0 : cpu;
	p->from.known = cpu < 0 ? p->from.known & ~(uint32_t)REF_CPU : p->from.known | REF_CPU;
	tui_load(t, p);
	tui_page_show_mark(p);
}

static void switch_cpu(struct tui *t, int64_t now, int dir)
{
	struct tui_page *p = tui_top(t);
	struct cpu_scan s = {.now = now, .dir = dir, .found = -1};
	struct view_ref all = p->from;
	struct inq_err err = {0};

	all.known &= ~(uint32_t)REF_CPU;
	if (p->fill == tui_fill_store &&
	    view_each(t->src->store, p->view, all.known ? &all : NULL, scan_cpu, &s, &err))
		tui_say(t, true, "%s", err.msg);
	else if (!s.any)
		tui_say(t, false, "the rows of this view belong to no CPU");
	else if (s.found < 0 && !dir)
		tui_say(t, false, "no rows of cpu %lld here", (long long)now);
	else
		show_cpu(t, s.found);
}

static int64_t cpu_shown(const struct tui *t)
{
	const struct view_ref *from = &tui_top(t)->from;

	return from->known >> VIEW_REF_CPU & 1 ? from->part[VIEW_REF_CPU] : -1;
}

static void run_cpu_step(struct tui *t, const struct tui_command *c, int key)
{
	(void)key;
	switch_cpu(t, cpu_shown(t), (int)c->n);
}

static void run_cpu(struct tui *t, const struct tui_command *c, int key)
{
	(void)c;
	switch_cpu(t, key - '0', 0);
}

static void run_cpu_all(struct tui *t, const struct tui_command *c, int key)
{
	(void)c;
	(void)key;
	if (cpu_shown(t) >= 0)
		show_cpu(t, -1);
}

/* clang-format off */
static const struct tui_command commands[] = {
	{{'\r', '\n', -KEY_ENTER}, "Enter", "open", "open the selected row", run_open},
	{{'q'}, "q", "back", "back to the view before; at the first one, quit", run_back, .n = 1},
	{{TUI_KEY_ESC, -KEY_BACKSPACE, TUI_KEY_DEL, '\b'}, "Esc, Backspace", NULL, "back to the view before", run_back},
	{{'?', 'h', 'H', -KEY_F(1)}, "?, h, F1", "help", "this list", run_help},
	{{'/'}, "/", "search", "search forward; upper case matters if you type some", run_ask, .n = TUI_ASK_ROWS},
	{{'n'}, "n", NULL, "next row found", run_next, .n = 1},
	{{'N'}, "N", NULL, "row found before", run_next, .n = -1},
	{{'v', 's'}, "v, s", "views", "list of all views", run_menu},
	{{'f'}, "f", "findings", "findings", run_view, .view = "findings"},
	{{'e'}, "e", NULL, "evidence of the selected finding; elsewhere all evidence", run_view, .view = "evidence"},
	{{'c'}, "c", "cpus", "CPUs", run_view, .view = "cpus"},
	{{'d'}, "d", "insns", "disassembly around RIP, of the selected row's CPU if it has one", run_view,
		.view = "insns", .ref = REF_MACHINE | REF_CPU},
	{{'l'}, "l", "lapic", "local APIC, of the selected row's CPU if it has one", run_view,
		.view = "lapic", .ref = REF_MACHINE | REF_CPU},
	{{'m'}, "m", "memory", "memory at the selected row's address", run_memory, .view = "mem"},
	{{'W'}, "W", NULL, "the same as words", run_memory, .view = "words"},
	{{'T'}, "T", NULL, "the same as text", run_memory, .view = "text"},
	{{'p'}, "p", NULL, "page tables of the selected row's address", run_memory, .view = "pt"},
	{{'D'}, "D", NULL, "code at the selected row's address", run_memory, .view = "dis"},
	{{':'}, ":", NULL, "memory at a place that you type: phys:0x1000, cpu0:rsp", run_ask, .n = TUI_ASK_PLACE},
	{{'S'}, "S", NULL, "search memory: text, hex:f4eb, ptr:0x1000-0x1fff; Esc stops", run_ask, .n = TUI_ASK_MEMORY},
	{{'0', '1', '2', '3', '4', '5', '6', '7', '8', '9'}, "0-9", NULL, "only the rows of this CPU", run_cpu},
	{{'+', '='}, "+", NULL, "next CPU; behind the last, all", run_cpu_step, .n = 1},
	{{'-'}, "-", NULL, "CPU before; before the first, all", run_cpu_step, .n = -1},
	{{'a'}, "a", NULL, "rows of all CPUs", run_cpu_all},
	{{-KEY_DOWN, 'j'}, "Down, j", NULL, "next row", run_move, .n = 1},
	{{-KEY_UP, 'k'}, "Up, k", NULL, "row before", run_move, .n = -1},
	{{-KEY_NPAGE, ' ', 'F' & 31}, "PgDn, Space", NULL, "next screen", run_page, .n = 1},
	{{-KEY_PPAGE, 'b', 'B' & 31}, "PgUp, b", NULL, "screen before", run_page, .n = -1},
	{{-KEY_HOME, 'g', '<'}, "Home, g", NULL, "first row", run_end, .n = -1},
	{{-KEY_END, 'G', '>'}, "End, G", NULL, "last row", run_end, .n = 1},
	{{-KEY_RIGHT}, "Right", NULL, "see more on the right", run_slide, .n = 1},
	{{-KEY_LEFT}, "Left", NULL, "see more on the left; then back", run_slide, .n = -1},
	{{'r'}, "r", NULL, "read the view again", run_reload},
	{{'w'}, "w", NULL, "write an index: everything collected, in one file", run_save},
	{{'L' & 31}, "Ctrl-L", NULL, "draw the screen again", run_redraw},
	{{'Q'}, "Q", NULL, "quit at once", run_quit},
};
/* clang-format on */

const struct tui_command *tui_command_at(size_t i)
{
	return i < sizeof(commands) / sizeof(*commands) ? &commands[i] : NULL;
}

static const struct tui_command *command_of(int key)
{
	for (size_t i = 0; i < sizeof(commands) / sizeof(*commands); i++)
		for (const int *k = commands[i].key; *k; k++)
			if (*k == key)
				return &commands[i];
	return NULL;
}

/* Step back over one character of UTF-8. */
static void erase_typed(struct tui *t)
{
	size_t n = strlen(t->typed);

	while (n && ((unsigned char)t->typed[--n] & 0xc0) == 0x80)
		;
	t->typed[n] = '\0';
}

static void append_typed(struct tui *t, int key)
{
	char mb[MB_LEN_MAX];
	mbstate_t state = {0};
	size_t n = strlen(t->typed), len = key >= ' ' ? wcrtomb(mb, (wchar_t)key, &state) : 0;

	if (len == (size_t)-1 || n + len >= sizeof(t->typed))
		return;
	memcpy(t->typed + n, mb, len);
	t->typed[n + len] = '\0';
}

static void answer(struct tui *t)
{
	static const struct tui_command forward = {.n = 1};
	enum tui_asking asked = t->asking;

	t->asking = TUI_ASK_NOT;
	if (asked == TUI_ASK_PLACE && *t->typed)
		go_to_place(t);
	else if (asked == TUI_ASK_MEMORY && *t->typed)
		search_memory(t);
	if (asked != TUI_ASK_ROWS)
		return;
	if (*t->typed)
		memcpy(t->find, t->typed, sizeof(t->find));
	run_next(t, &forward, '\r');
}

static void type_key(struct tui *t, int key)
{
	switch (key) {
	case '\r':
	case '\n':
	case -KEY_ENTER:
		answer(t);
		break;
	case TUI_KEY_ESC:
		t->asking = TUI_ASK_NOT;
		break;
	case -KEY_BACKSPACE:
	case TUI_KEY_DEL:
	case '\b':
		if (!*t->typed)
			t->asking = TUI_ASK_NOT;
		erase_typed(t);
		break;
	default:
		append_typed(t, key);
	}
}

void tui_key(struct tui *t, int key)
{
	const struct tui_command *c = command_of(key);

	if (key == TUI_KEY_NONE || !tui_top(t))
		return;
	tui_say(t, false, "%s", "");
	if (t->asking)
		type_key(t, key);
	else if (c)
		c->run(t, c, key);
	else
		tui_say(t, false, "no such key: ? lists them");
	if (tui_top(t))
		tui_page_fit(tui_top(t), t->height, t->width);
}
