/* The TUI's model, driven by keys and looked at without a terminal. */
#include <limits.h>
#include <locale.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>
#include <curses.h>

#include "tests/tui/fake.h"
#include "tui/app.h"
#include "tui/draw.h"
#include "tui/text.h"

struct fixture {
	struct store store;
	struct tui_source src;
	struct tui t;
};

static int start(void **state)
{
	static struct fixture f;
	struct inq_err err;

	f = (struct fixture){.t = {.height = 10, .width = 78}};
	f.src = fake_source(&f.store);
	*state = &f;
	return tui_start(&f.t, &f.src, &err);
}

static int end(void **state)
{
	struct fixture *f = *state;

	tui_end(&f->t);
	return 0;
}

static struct tui *tui_of(void **state)
{
	return &((struct fixture *)*state)->t;
}

static void type(struct tui *t, const char *keys)
{
	for (; *keys; keys++)
		tui_key(t, (unsigned char)*keys);
}

static void search(struct tui *t, const char *text)
{
	type(t, "/");
	type(t, text);
	type(t, "\r");
}

/* Open a view by its name through the list of views. */
static void open_view(struct tui *t, const char *name)
{
	const struct view *v;
	size_t i = 0;

	while ((v = view_at(i)) && strcmp(v->name, name) != 0)
		i++;
	assert_non_null(v);
	type(t, "v");
	tui_page_jump(tui_top(t), i);
	type(t, "\r");
}

static const char *top_name(const struct tui *t)
{
	return tui_top(t)->view->name;
}

static const char *cell(const struct tui *t, size_t row, size_t col)
{
	return tui_rows_cell(&tui_top(t)->rows, row, col);
}

static void the_first_view_is_on_the_stack(void **state)
{
	struct tui *t = tui_of(state);

	assert_int_equal(t->nr, 1);
	assert_string_equal(top_name(t), "findings");
	assert_int_equal(tui_top(t)->rows.nr, 3);
	assert_string_equal(t->status, "");
}

static void a_view_is_prepared_before_it_is_read(void **state)
{
	struct fixture *f = *state;

	assert_int_equal(f->store.prepared, 1);
	type(&f->t, "r");
	assert_int_equal(f->store.prepared, 2);
	assert_int_equal(f->store.reads, 2);
}

static char shown[320];

static void remember(struct tui *t)
{
	snprintf(shown, sizeof(shown), "%s", t->status);
}

static void what_takes_long_is_told_before_it_begins(void **state)
{
	struct tui *t = tui_of(state);

	t->show = remember;
	type(t, "d");
	assert_string_equal(shown, "collecting insns ...");
	assert_string_equal(t->status, "");
}

static bool now(void)
{
	return true;
}

static enum inq_status save_as(void *ctx, char **ret_path, struct inq_err *err)
{
	struct store *s = ctx;

	if (s->reads > 100)
		return inq_fail(err, INQ_EIO, "a.inq: No space left on device");
	*ret_path = strdup("a.inq");
	return *ret_path ? INQ_OK : inq_fail(err, INQ_ENOMEM, "name");
}

static void w_saves_and_tells_where_or_why_not(void **state)
{
	struct fixture *f = *state;

	type(&f->t, "w");
	assert_string_equal(f->t.status, "nothing to save: this is an index already");
	f->src.save = save_as;
	type(&f->t, "w");
	assert_string_equal(f->t.status, "saved as a.inq");
	assert_false(f->t.failed);
	f->store.reads = 101;
	type(&f->t, "w");
	assert_string_equal(f->t.status, "not saved: a.inq: No space left on device");
	assert_true(f->t.failed);
}

static void a_signal_ends_the_reading_of_rows(void **state)
{
	struct tui *t = tui_of(state);

	t->stopped = now;
	open_view(t, "many");
	assert_string_equal(top_name(t), "findings");
	assert_string_equal(t->status, "view many: stopped");
}

static void enter_opens_what_belongs_to_the_row(void **state)
{
	struct tui *t = tui_of(state);

	type(t, "j\r");
	assert_string_equal(top_name(t), "evidence");
	assert_string_equal(cell(t, 0, 1), "two");
	type(t, "q");
	assert_string_equal(top_name(t), "findings");
	assert_int_equal(tui_top(t)->at, 1);
	type(t, "k\r");
	assert_string_equal(cell(t, 0, 1), "one");
}

static void e_opens_the_evidence_of_the_selected_finding(void **state)
{
	struct tui *t = tui_of(state);

	type(t, "je");
	assert_string_equal(cell(t, 0, 1), "two");
}

static void q_at_the_first_view_quits_and_escape_does_not(void **state)
{
	struct tui *t = tui_of(state);

	tui_key(t, TUI_KEY_ESC);
	tui_key(t, -KEY_LEFT);
	assert_false(t->quit);
	type(t, "\rq");
	assert_false(t->quit);
	type(t, "q");
	assert_true(t->quit);
}

static void capital_q_quits_from_any_depth(void **state)
{
	struct tui *t = tui_of(state);

	type(t, "\r\rQ");
	assert_true(t->quit);
}

static void a_view_that_is_open_is_gone_back_to(void **state)
{
	struct tui *t = tui_of(state);

	type(t, "?vdf");
	assert_string_equal(top_name(t), "findings");
	assert_int_equal(t->nr, 1);
}

static void a_stack_that_is_full_is_told_and_kept(void **state)
{
	struct tui *t = tui_of(state);

	open_view(t, "loop");
	for (int i = 0; i < 2 * TUI_DEPTH; i++)
		type(t, "\r");
	assert_int_equal(t->nr, TUI_DEPTH);
	assert_true(t->failed);
	assert_string_equal(cell(t, 0, 0), "30");
	type(t, "q");
	assert_string_equal(cell(t, 0, 0), "29");
}

static void a_row_that_opens_nothing_is_shown_in_full(void **state)
{
	struct tui *t = tui_of(state);

	open_view(t, "wide");
	type(t, "\r");
	assert_string_equal(top_name(t), "row");
	assert_string_equal(cell(t, 0, 0), "NAME");
	assert_string_equal(cell(t, 1, 0), "TEXT");
	assert_string_equal(cell(t, 2, 0), "UNKNOWN");
	assert_int_equal(tui_top(t)->rows.nr, 3);
	/* 300 columns in lines of 78 - 8 - 2, and of 40 - 8 - 2 */
	assert_int_equal(tui_page_lines(tui_top(t), 1), 5);
	tui_resize(t, 10, 40);
	assert_int_equal(tui_page_lines(tui_top(t), 1), 10);
	assert_int_equal(tui_page_lines(tui_top(t), 0), 1);
}

static void the_window_follows_the_selected_row(void **state)
{
	struct tui *t = tui_of(state);

	open_view(t, "many");
	struct tui_page *p = tui_top(t);
	type(t, "jjjjjjjjj");
	assert_int_equal(p->at, 9);
	assert_int_equal(p->top, 0);
	type(t, "j");
	assert_int_equal(p->top, 1);
	tui_key(t, -KEY_NPAGE);
	assert_int_equal(p->at, 20);
	assert_int_equal(p->top, 11);
	tui_key(t, -KEY_PPAGE);
	assert_int_equal(p->at, 10);
	assert_int_equal(p->top, 1);
	tui_key(t, -KEY_PPAGE);
	assert_int_equal(p->at, 9);
	assert_int_equal(p->top, 0);
	tui_key(t, -KEY_PPAGE);
	assert_int_equal(p->at, 0);
	type(t, "G");
	assert_int_equal(p->at, TUI_ROWS_MAX - 1);
	assert_int_equal(p->top, TUI_ROWS_MAX - 10);
	type(t, "gk");
	assert_int_equal(p->at, 0);
	tui_key(t, -KEY_PPAGE);
	assert_int_equal(p->top, 0);
}

static void a_smaller_window_still_holds_the_selected_row(void **state)
{
	struct tui *t = tui_of(state);

	open_view(t, "many");
	type(t, "  ");
	tui_resize(t, 3, 18);
	struct tui_page *p = tui_top(t);
	assert_true(p->top <= p->at && p->at < p->top + 3);
	tui_resize(t, 0, 0);
	tui_resize(t, -1, -1);
	type(t, "j kG");
	assert_true(p->top <= p->at);
	tui_resize(t, 50, 200);
	assert_int_equal(p->top, TUI_ROWS_MAX - 50);
}

static void rows_beyond_the_limit_are_told(void **state)
{
	struct tui *t = tui_of(state);

	open_view(t, "many");
	assert_int_equal(tui_top(t)->rows.nr, TUI_ROWS_MAX);
	assert_true(tui_top(t)->rows.more);
	assert_non_null(strstr(t->status, "more rows"));
	assert_false(t->failed);
}

static void a_cell_too_large_to_keep_is_the_end_of_the_rows(void **state)
{
	struct tui_rows r;
	struct view_ref ref = {0};
	struct inq_err err;
	char *huge = test_malloc(TUI_ROWS_BYTES_MAX / 2);

	(void)state;
	memset(huge, 'x', TUI_ROWS_BYTES_MAX / 2);
	huge[TUI_ROWS_BYTES_MAX / 2 - 1] = '\0';
	tui_rows_init(&r, 1);
	assert_int_equal(tui_rows_add(&r, &ref, (const char *[]){huge}, &err), INQ_OK);
	assert_int_equal(tui_rows_add(&r, &ref, (const char *[]){huge}, &err), INQ_ELIMIT);
	assert_true(r.more);
	assert_int_equal(r.nr, 1);
	assert_int_equal(strlen(tui_rows_cell(&r, 0, 0)), TUI_ROWS_BYTES_MAX / 2 - 1);
	tui_rows_deinit(&r);
	test_free(huge);
}

static void an_error_before_the_first_row_leaves_the_view_that_was(void **state)
{
	struct tui *t = tui_of(state);

	open_view(t, "broken");
	assert_string_equal(top_name(t), "findings");
	assert_true(t->failed);
	assert_string_equal(t->status, "view broken: query: disk I/O error");
	type(t, "j");
	assert_string_equal(t->status, "");
}

static void an_error_behind_some_rows_keeps_them(void **state)
{
	struct tui *t = tui_of(state);

	open_view(t, "torn");
	assert_string_equal(top_name(t), "torn");
	assert_int_equal(tui_top(t)->rows.nr, 1);
	assert_true(t->failed);
}

static void what_cannot_be_collected_hides_no_row(void **state)
{
	struct tui *t = tui_of(state);

	open_view(t, "uncollected");
	assert_int_equal(tui_top(t)->rows.nr, 1);
	assert_string_equal(t->status, "collector n: page was not dumped");
	assert_true(t->failed);
}

static void a_first_view_that_fails_is_an_empty_page(void **state)
{
	struct store s = {0};
	struct tui_source src = fake_source(&s);
	struct tui t = {.height = 10, .width = 78};
	struct inq_err err;

	(void)state;
	src.first = "broken";
	assert_int_equal(tui_start(&t, &src, &err), INQ_OK);
	assert_string_equal(top_name(&t), "broken");
	assert_true(t.failed);
	type(&t, "j\rnG\r+0r ");
	assert_int_equal(tui_top(&t)->rows.nr, 0);
	type(&t, "f");
	assert_string_equal(top_name(&t), "findings");
	tui_end(&t);
}

static void an_unknown_first_view_becomes_the_list_of_views(void **state)
{
	struct store s = {0};
	struct tui_source src = fake_source(&s);
	struct tui t = {.height = 10, .width = 78};
	struct inq_err err;

	(void)state;
	src.first = "nonsense";
	assert_int_equal(tui_start(&t, &src, &err), INQ_OK);
	assert_string_equal(t.status, "no view nonsense");
	assert_string_equal(top_name(&t), "views");
	type(&t, "\r");
	assert_string_equal(top_name(&t), "findings");
	tui_end(&t);
}

static void a_view_that_does_not_exist_is_told(void **state)
{
	struct tui *t = tui_of(state);

	type(t, "l");
	assert_string_equal(t->status, "no view lapic");
	assert_true(t->failed);
	assert_int_equal(t->nr, 1);
}

static void the_first_marked_row_is_selected(void **state)
{
	struct tui *t = tui_of(state);

	type(t, "d");
	struct tui_page *p = tui_top(t);
	assert_int_equal(p->rows.nr, 40); /* the selected finding is of cpu 1 */
	assert_int_equal(p->at, 30);
	assert_true(p->top < 30);
	assert_true(tui_page_marked(p, 30) && tui_page_marked(p, 32));
	assert_false(tui_page_marked(p, 29) || tui_page_marked(p, 33));
}

static void digits_and_plus_choose_the_cpu(void **state)
{
	struct tui *t = tui_of(state);

	type(t, "d0");
	assert_string_equal(cell(t, 0, 0), "0");
	type(t, "+");
	assert_string_equal(cell(t, 0, 0), "1");
	type(t, "+");
	assert_int_equal(tui_top(t)->rows.nr, 80);
	type(t, "-");
	assert_string_equal(cell(t, 0, 0), "1");
	assert_int_equal(tui_top(t)->rows.nr, 40);
	type(t, "-");
	assert_string_equal(cell(t, 0, 0), "0");
	type(t, "-");
	assert_int_equal(tui_top(t)->rows.nr, 80);
	type(t, "7");
	assert_string_equal(t->status, "no rows of cpu 7 here");
	assert_int_equal(tui_top(t)->rows.nr, 80);
	type(t, "1a");
	assert_int_equal(tui_top(t)->rows.nr, 80);
}

static void the_column_that_the_title_makes_superfluous_is_hidden(void **state)
{
	struct tui *t = tui_of(state);

	type(t, "da");
	assert_true(tui_page_shows(tui_top(t), 0));
	assert_int_equal(tui_page_span(tui_top(t), 1).first, 3 + 2);
	type(t, "1");
	assert_false(tui_page_shows(tui_top(t), 0));
	assert_int_equal(tui_page_span(tui_top(t), 1).first, 0);
	type(t, "f/halted\rd\r"); /* and the row in full still has it */
	assert_string_equal(cell(t, 0, 0), "CPU");
}

static void rows_of_no_cpu_have_no_filter(void **state)
{
	struct tui *t = tui_of(state);

	open_view(t, "many");
	type(t, "+");
	assert_string_equal(t->status, "the rows of this view belong to no CPU");
	type(t, "?1");
	assert_string_equal(t->status, "the rows of this view belong to no CPU");
}

static void search_goes_on_at_the_other_end(void **state)
{
	struct tui *t = tui_of(state);

	search(t, "HALTED");
	assert_true(t->failed); /* upper case matters */
	assert_int_equal(tui_top(t)->at, 0);
	search(t, "smm");
	assert_int_equal(tui_top(t)->at, 2);
	assert_string_equal(t->status, "");
	type(t, "n");
	assert_int_equal(tui_top(t)->at, 0);
	assert_non_null(strstr(t->status, "other end"));
	type(t, "N");
	assert_int_equal(tui_top(t)->at, 2);
	search(t, "Smm");
	assert_int_equal(tui_top(t)->at, 2);
	search(t, "");
	assert_string_equal(t->find, "Smm"); /* nothing typed: the same again */
}

static void n_without_a_search_finds_nothing(void **state)
{
	struct tui *t = tui_of(state);

	type(t, "nN");
	assert_int_equal(tui_top(t)->at, 0);
	assert_non_null(strstr(t->status, "nothing was searched"));
	open_view(t, "empty");
	search(t, "x");
	assert_true(t->failed);
}

static void what_is_typed_can_be_erased_and_given_up(void **state)
{
	struct tui *t = tui_of(state);

	type(t, "/ab");
	tui_key(t, 0x6df1);
	assert_string_equal(t->typed, "ab\xe6\xb7\xb1");
	tui_key(t, -KEY_BACKSPACE);
	assert_string_equal(t->typed, "ab");
	tui_key(t, -KEY_F(5));
	assert_string_equal(t->typed, "ab");
	type(t, "\x7f\x7f");
	assert_true(t->asking);
	type(t, "\x7f");
	assert_false(t->asking);
	type(t, "/q\x1b");
	assert_false(t->asking || t->quit);
	assert_string_equal(t->find, "");
	type(t, "/");
	for (int i = 0; i < 2 * TUI_FIND_MAX; i++)
		type(t, "x");
	assert_int_equal(strlen(t->typed), TUI_FIND_MAX - 1);
}

static void a_line_wider_than_the_screen_slides_and_then_goes_back(void **state)
{
	struct tui *t = tui_of(state);

	open_view(t, "wide");
	struct tui_page *p = tui_top(t);
	/* too wide for two blanks between columns */
	assert_int_equal(tui_page_width(p), 6 + 1 + 300 + 1 + 7);
	tui_key(t, -KEY_RIGHT);
	assert_int_equal(p->left, 39);
	for (int i = 0; i < 20; i++)
		tui_key(t, -KEY_RIGHT);
	assert_int_equal(p->left, 315 - 78);
	tui_resize(t, 10, 300);
	assert_int_equal(p->left, 15);
	tui_key(t, -KEY_LEFT);
	assert_int_equal(p->left, 0);
	assert_ptr_equal(tui_top(t), p);
	tui_key(t, -KEY_LEFT);
	assert_string_equal(top_name(t), "findings");
}

static void long_text_in_the_last_column_goes_on_below(void **state)
{
	struct tui *t = tui_of(state);

	open_view(t, "long");
	struct tui_page *p = tui_top(t);
	assert_int_equal(tui_page_width(p), 78); /* nothing is left to slide to */
	assert_int_equal(tui_page_wrap(p), 78 - 6);
	assert_int_equal(tui_page_lines(p, 0), 1);
	assert_int_equal(tui_page_lines(p, 4), 3);
	type(t, "G");
	assert_int_equal(p->at, 19);
	/* rows of 1, 1, 1, 1, 3 lines, again and again: 10 lines hold the last 6 rows */
	assert_int_equal(p->top, 14);
	tui_key(t, -KEY_PPAGE);
	assert_int_equal(p->top, 6);
	tui_key(t, -KEY_NPAGE);
	assert_int_equal(p->top, 14);
	tui_resize(t, 2, 78); /* lower than a row */
	type(t, "gjjjj");
	assert_int_equal(p->at, 4);
	assert_int_equal(p->top, 4);
	tui_key(t, -KEY_NPAGE);
	assert_int_equal(p->at, 5);
	tui_resize(t, 10, 20); /* too narrow to wrap */
	assert_int_equal(tui_page_wrap(p), 0);
	assert_true(tui_page_width(p) > 100);
}

static void a_line_breaks_at_a_blank(void **state)
{
	const char *next = "";

	(void)state;
	assert_int_equal(tui_text_break("one two three", 9, &next), 7);
	assert_string_equal(next, "three");
	assert_int_equal(tui_text_break("one two three", 7, &next), 7);
	assert_string_equal(next, "three");
	assert_int_equal(tui_text_break("onetwothree", 4, &next), 4);
	assert_string_equal(next, "wothree");
	assert_int_equal(tui_text_break("one", 9, &next), 3);
	assert_string_equal(next, "");
	assert_int_equal(tui_text_break("", 9, &next), 0);
	assert_string_equal(next, "");
	/* wider than the line: still a step */
	assert_int_equal(tui_text_break("\xe6\xb7\xb1\xe6\xb7\xb1", 1, &next), 3);
}

static void columns_are_as_wide_as_their_widest_cell(void **state)
{
	struct tui *t = tui_of(state);
	const struct tui_page *p = tui_top(t);

	assert_int_equal(tui_page_span(p, 0).width, 8); /* as the view asks */
	assert_int_equal(tui_page_span(p, 1).first, 10);
	assert_int_equal(tui_page_span(p, 1).width, (int)strlen("smm-tight-loop"));
	assert_int_equal(tui_page_span(p, 2).first, 26);
	assert_int_equal(tui_page_span(p, 2).width, 3); /* as its heading */
	assert_int_equal(tui_page_span(p, 3).first, 31);
}

static void the_help_lists_every_key_that_does_something(void **state)
{
	struct tui *t = tui_of(state);
	const struct tui_command *c;
	size_t i = 0;

	type(t, "?");
	for (; (c = tui_command_at(i)); i++) {
		assert_string_equal(cell(t, i, 0), c->names);
		assert_true(*c->doc && c->key[0] && c->run);
	}
	assert_true(tui_top(t)->rows.nr > i);
}

static void no_key_has_two_meanings(void **state)
{
	const struct tui_command *a, *b;

	(void)state;
	for (size_t i = 0; (a = tui_command_at(i)); i++)
		for (size_t j = i + 1; (b = tui_command_at(j)); j++)
			for (const int *k = a->key; *k; k++)
				for (const int *l = b->key; *l; l++)
					assert_int_not_equal(*k, *l);
}

static void every_key_in_every_view_is_survived(void **state)
{
	struct tui *t = tui_of(state);

	for (size_t v = 0; view_at(v); v++) {
		const char *name = view_at(v)->name;
		if (!strcmp(name, "crash") || !strcmp(name, "stuck") || !strcmp(name, "many"))
			continue;
		for (int key = -KEY_MAX; key < 256; key++) {
			while (t->nr > 1)
				tui_back(t);
			open_view(t, view_at(v)->name);
			tui_key(t, key);
			t->asking = t->quit = false;
			assert_true(t->nr >= 1);
			assert_true(!tui_top(t)->rows.nr || tui_top(t)->at < tui_top(t)->rows.nr);
		}
	}
}

static void rows_come_before_all_else_on_a_small_screen(void **state)
{
	(void)state;
	for (int lines = 1; lines < 100; lines++) {
		struct tui_frame f = tui_frame(lines);
		assert_true(f.height >= 1);
		assert_int_equal(f.body + f.height + (f.status >= 0), lines);
		assert_true(f.title < f.body && f.head < f.body);
	}
	struct tui_frame f = tui_frame(24);
	assert_int_equal(f.title, 0);
	assert_int_equal(f.head, 1);
	assert_int_equal(f.height, 21);
	assert_int_equal(f.status, 23);
}

static void clip(const char *text, int skip, int room, const wchar_t *expected)
{
	struct tui_clip c = {text, skip, room};
	wchar_t got[64] = {0}, wc;
	int width, total = 0;

	for (size_t i = 0; i < 63 && tui_clip_next(&c, &wc, &width); i++) {
		got[i] = wc;
		total += width;
	}
	assert_true(total <= room || room < 0);
	assert_memory_equal(got, expected, (wcslen(expected) + 1) * sizeof(*got));
}

static void a_clip_never_shows_half_a_wide_character(void **state)
{
	(void)state;
	clip("abcdef", 2, 3, L"cde");
	clip("abc", 3, 3, L"");
	clip("abc", 0, 0, L"");
	clip("abc", 0, -5, L"");
	clip("a\xe6\xb7\xb1z", 0, 4, L"a\x6df1z");
	clip("a\xe6\xb7\xb1z", 0, 2, L"a ");
	clip("a\xe6\xb7\xb1z", 2, 9, L" z");
	clip("a\xe6\xb7\xb1z", 3, 9, L"z");
	clip("a\xcc\x81z", 0, 9, L"a\x301z");
}

static void no_text_reaches_the_terminal_as_a_command(void **state)
{
	(void)state;
	clip("\x1b[m", 0, 9, L"?[m");
	clip("\x7f\x01\n", 0, 9, L"???");
	clip("\xc2\x9b", 0, 9, L"??");      /* C1 */
	clip("\xff\xe6\xb7", 0, 9, L"???"); /* no UTF-8 */
	clip("\xe2\x80\xae", 0, 9, L"?");   /* right-to-left override */
	assert_int_equal(tui_text_width("\xe6\xb7\xb1\xe3\x81\x84"), 4);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, start, end)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(the_first_view_is_on_the_stack),
		TEST(a_view_is_prepared_before_it_is_read),
		TEST(what_takes_long_is_told_before_it_begins),
		TEST(w_saves_and_tells_where_or_why_not),
		TEST(a_signal_ends_the_reading_of_rows),
		TEST(enter_opens_what_belongs_to_the_row),
		TEST(e_opens_the_evidence_of_the_selected_finding),
		TEST(q_at_the_first_view_quits_and_escape_does_not),
		TEST(capital_q_quits_from_any_depth),
		TEST(a_view_that_is_open_is_gone_back_to),
		TEST(a_stack_that_is_full_is_told_and_kept),
		TEST(a_row_that_opens_nothing_is_shown_in_full),
		TEST(the_window_follows_the_selected_row),
		TEST(a_smaller_window_still_holds_the_selected_row),
		TEST(rows_beyond_the_limit_are_told),
		cmocka_unit_test(a_cell_too_large_to_keep_is_the_end_of_the_rows),
		TEST(an_error_before_the_first_row_leaves_the_view_that_was),
		TEST(an_error_behind_some_rows_keeps_them),
		TEST(what_cannot_be_collected_hides_no_row),
		cmocka_unit_test(a_first_view_that_fails_is_an_empty_page),
		cmocka_unit_test(an_unknown_first_view_becomes_the_list_of_views),
		TEST(a_view_that_does_not_exist_is_told),
		TEST(the_first_marked_row_is_selected),
		TEST(digits_and_plus_choose_the_cpu),
		TEST(the_column_that_the_title_makes_superfluous_is_hidden),
		TEST(rows_of_no_cpu_have_no_filter),
		TEST(search_goes_on_at_the_other_end),
		TEST(n_without_a_search_finds_nothing),
		TEST(what_is_typed_can_be_erased_and_given_up),
		TEST(a_line_wider_than_the_screen_slides_and_then_goes_back),
		TEST(long_text_in_the_last_column_goes_on_below),
		cmocka_unit_test(a_line_breaks_at_a_blank),
		TEST(columns_are_as_wide_as_their_widest_cell),
		TEST(the_help_lists_every_key_that_does_something),
		cmocka_unit_test(no_key_has_two_meanings),
		TEST(every_key_in_every_view_is_survived),
		cmocka_unit_test(rows_come_before_all_else_on_a_small_screen),
		cmocka_unit_test(a_clip_never_shows_half_a_wide_character),
		cmocka_unit_test(no_text_reaches_the_terminal_as_a_command),
	};

	if (!setlocale(LC_ALL, "C.UTF-8"))
		return 1;
	return cmocka_run_group_tests(tests, NULL, NULL);
}
