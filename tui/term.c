/*
 * Knows how to take a terminal and how to give it back: at the end, on a signal that asks us to
 * stop, and on one that ends us.  Source: POSIX.1 sigaction, ppoll(2), terminfo(5), ncurses(3).
 */
#include "tui/term.h"

#include <curses.h>
#include <poll.h>
#include <stdlib.h>
#include <term.h>
#include <unistd.h>

#include "tui/app.h"

enum { TYPED_AHEAD = 64 }; /* ncurses takes back 137 */

/*
 * What a signal handler may touch.  `stopped`: the signal that asked to stop.  `owner`: the process
 * that has the terminal; a child that crashes must not give back what is its parent's.
 */
static volatile sig_atomic_t stopped, owner;

static const struct {
	int signal;
	bool ends; /* it ends us, after the terminal was given back; else it only asks */
} signals[TUI_NR_SIGNALS] = {
	{SIGINT, false}, {SIGTERM, false}, {SIGHUP, false}, {SIGQUIT, true}, {SIGSEGV, true},
	{SIGBUS, true},  {SIGFPE, true},   {SIGILL, true},  {SIGABRT, true}, {SIGPIPE, true},
};

/*
 * endwin is not async-signal-safe.  It is the best that can be tried here; if it crashes or hangs,
 * the default action or the alarm ends us.
 */
static void on_end(int sig)
{
	signal(sig, SIG_DFL);
	if (owner == getpid()) {
		signal(SIGALRM, SIG_DFL);
		alarm(2);
		endwin();
		alarm(0);
	}
	raise(sig);
}

/* Asked twice before the first was obeyed: something takes too long. */
static void on_stop(int sig)
{
	if (stopped || owner != getpid())
		on_end(sig);
	stopped = sig;
}

int tui_term_signal(void)
{
	return stopped;
}

static void take_signals(struct tui_term *term)
{
	for (size_t i = 0; i < TUI_NR_SIGNALS; i++) {
		struct sigaction sa = {.sa_handler = signals[i].ends ? on_end : on_stop,
				       .sa_flags = signals[i].ends ? SA_NODEFER : SA_RESTART};
		sigemptyset(&sa.sa_mask);
		term->taken[i] = !sigaction(signals[i].signal, NULL, &term->old[i]);
		if (term->old[i].sa_handler == SIG_IGN && signals[i].signal != SIGINT)
			term->taken[i] = false; /* nohup, and SIGPIPE of careful programs */
		if (term->taken[i])
			term->taken[i] = !sigaction(signals[i].signal, &sa, NULL);
	}
}

static void give_back_signals(struct tui_term *term)
{
	for (size_t i = 0; i < TUI_NR_SIGNALS; i++)
		if (term->taken[i])
			sigaction(signals[i].signal, &term->old[i], NULL);
}

/* terminfo's answers: NULL or -1 for "cannot" and "no such capability". */
static bool has_string(const char *capability)
{
	const char *s = tigetstr(capability);

	return s && (intptr_t)s != -1 && *s;
}

static enum inq_status check_terminal(struct inq_err *err)
{
	const char *name = getenv("TERM");
	int rc = 0;

	if (!isatty(STDIN_FILENO) || !isatty(STDOUT_FILENO))
		return inq_fail(err, INQ_EUSAGE, "standard input and output must be a terminal");
	if (!name || !*name)
		return inq_fail(err, INQ_EUSAGE, "TERM is not set: the terminal's kind is unknown");
	if (setupterm(name, STDOUT_FILENO, &rc) != OK)
		return inq_fail(err, INQ_EUNSUPPORTED, "terminal %s: no terminfo entry", name);
	bool able = has_string("cup") && (has_string("clear") || has_string("ed"));
	del_curterm(cur_term);
	if (!able)
		return inq_fail(err, INQ_EUNSUPPORTED, "terminal %s cannot move its cursor", name);
	return INQ_OK;
}

/* Keys that terminals send although their terminfo entry does not say so: vt100 on a PC. */
static void add_keys(void)
{
	static const struct {
		const char *sends;
		int key;
	} keys[] = {
		{"\033[A", KEY_UP},    {"\033[B", KEY_DOWN},   {"\033[C", KEY_RIGHT},
		{"\033[D", KEY_LEFT},  {"\033OA", KEY_UP},     {"\033OB", KEY_DOWN},
		{"\033OC", KEY_RIGHT}, {"\033OD", KEY_LEFT},   {"\033[H", KEY_HOME},
		{"\033[F", KEY_END},   {"\033OH", KEY_HOME},   {"\033OF", KEY_END},
		{"\033[1~", KEY_HOME}, {"\033[4~", KEY_END},   {"\033[7~", KEY_HOME},
		{"\033[8~", KEY_END},  {"\033[5~", KEY_PPAGE}, {"\033[6~", KEY_NPAGE},
		{"\033OP", KEY_F(1)},  {"\033[11~", KEY_F(1)}, {"\033[[A", KEY_F(1)},
	};

	for (size_t i = 0; i < sizeof(keys) / sizeof(*keys); i++)
		if (!key_defined(keys[i].sends))
			define_key(keys[i].sends, keys[i].key);
}

static bool want_colors(void)
{
	const char *no = getenv("NO_COLOR"); /* https://no-color.org */

	return !(no && *no) && has_colors() && start_color() == OK;
}

enum inq_status tui_term_open(struct tui_term *term, struct inq_err *err)
{
	enum inq_status st = check_terminal(err);

	if (st)
		return st;
	*term = (struct tui_term){0};
	stopped = 0;
	take_signals(term);
	term->screen = newterm(NULL, stdout, stdin);
	if (!term->screen) {
		give_back_signals(term);
		return inq_fail(err, INQ_EUNSUPPORTED, "terminal cannot be used");
	}
	owner = getpid();
	if (!getenv("ESCDELAY"))
		set_escdelay(100);
	cbreak();
	noecho();
	nonl();
	keypad(stdscr, TRUE);
	nodelay(stdscr, TRUE);
	add_keys();
	curs_set(0);
	term->colors = want_colors();
	return INQ_OK;
}

void tui_term_close(struct tui_term *term)
{
	curs_set(1);
	endwin();
	owner = 0;
	delscreen(term->screen);
	give_back_signals(term);
}

/* Behind ESC [ or ESC O: an unknown function key, to its last byte. */
static void swallow_sequence(void)
{
	wint_t c;

	for (int i = 0; i < 32 && get_wch(&c) == OK; i++)
		if (c >= 0x40 && c <= 0x7e)
			return;
}

/* ESC alone, or what is left of a key that curses does not know. */
static int after_escape(void)
{
	wint_t c;
	int rc = get_wch(&c);

	if (rc == OK && (c == '[' || c == 'O')) {
		swallow_sequence();
		return TUI_KEY_NONE;
	}
	if (rc == OK)
		unget_wch((wchar_t)c);
	else if (rc == KEY_CODE_YES)
		ungetch((int)c);
	return TUI_KEY_ESC;
}

/* Keys that were typed meanwhile are for later, but an Esc among them is not kept waiting. */
bool tui_term_escaped(void)
{
	struct {
		int rc;
		wint_t c;
	} typed[TYPED_AHEAD];
	size_t n = 0;
	bool escaped = false;

	while (!escaped && n < TYPED_AHEAD && (typed[n].rc = get_wch(&typed[n].c)) != ERR)
		if (typed[n].rc == OK && typed[n].c == TUI_KEY_ESC)
			escaped = after_escape() == TUI_KEY_ESC;
		else
			n++;
	while (n-- && !escaped)
		if (typed[n].rc == OK)
			unget_wch((wchar_t)typed[n].c);
		else
			ungetch((int)typed[n].c);
	return escaped;
}

/* False: the terminal has gone.  Signals are let in only while waiting, so that none is missed. */
static bool wait_input(const sigset_t *let_in)
{
	struct pollfd in = {.fd = STDIN_FILENO, .events = POLLIN};

	return ppoll(&in, 1, NULL, let_in) <= 0 || !(in.revents & (POLLHUP | POLLERR | POLLNVAL));
}

static int wait_key(const sigset_t *let_in)
{
	/* Input that never turns into a key is the end of the file, again and again. */
	for (int idle = 0; idle < 64; idle++) {
		wint_t c = 0;
		int rc = get_wch(&c);
		if (rc == KEY_CODE_YES)
			return -(int)c;
		if (rc == OK)
			return c == TUI_KEY_ESC ? after_escape() : (int)c;
		if (stopped)
			return TUI_KEY_NONE;
		if (!wait_input(let_in))
			return TUI_KEY_GONE;
	}
	return TUI_KEY_GONE;
}

int tui_term_key(struct tui_term *term)
{
	sigset_t block, old;

	(void)term;
	sigemptyset(&block);
	sigaddset(&block, SIGWINCH);
	for (size_t i = 0; i < TUI_NR_SIGNALS; i++)
		if (!signals[i].ends)
			sigaddset(&block, signals[i].signal);
	sigprocmask(SIG_BLOCK, &block, &old);
	int key = wait_key(&old);
	sigprocmask(SIG_SETMASK, &old, NULL);
	return key;
}
