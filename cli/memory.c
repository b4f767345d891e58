/* Knows how a command line names memory of a dump. */
#include "cli/memory.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/say.h"

const struct inq_machine *cli_machine_open(const struct cli_args *a, struct session **ret_session)
{
	const struct session_plan plan = {.file = a->arg[0],
					  .vmlinux = a->vmlinux,
					  .lines = a->lines,
					  .verbose = a->verbose,
					  .base = a->base};
	struct inq_err err = {0};

	if (session_open(&plan, ret_session, &err)) {
		(void)cli_fail(a->arg[0], &err, NULL);
		return NULL;
	}
	const struct inq_machine *m = session_machine(*ret_session);
	if (!m)
		(void)cli_fail_usage("the dump that it was made from", "%s: an index has no memory",
				     a->arg[0]);
	return m;
}

bool cli_place_open(const struct cli_args *a, const char *place, struct cli_place *ret)
{
	struct inq_err err = {0};

	*ret = (struct cli_place){.s = NULL};
	ret->m = cli_machine_open(a, &ret->s);
	if (!ret->m)
		return false;
	if (!machine_place(ret->m, place, &ret->where, &ret->addr, &err))
		return true;
	(void)cli_fail(a->arg[0], &err, "inquest help mem explains places");
	return false;
}

void cli_place_close(struct cli_place *p)
{
	session_close(p->s);
}

char *cli_quote(const char *text)
{
	char *out = malloc(2 * strlen(text) + 3), *to = out;

	if (!out)
		return NULL;
	*to++ = '\'';
	for (; *text; *to++ = *text++)
		if (*text == '\'')
			*to++ = '\'';
	*to++ = '\'';
	*to = '\0';
	return out;
}

bool cli_count(const struct cli_args *a, int at, const char *what, uint64_t most, uint64_t fallback,
	       uint64_t *ret)
{
	*ret = fallback;
	if (at >= a->nr_args)
		return true;
	if (machine_number(a->arg[at], strlen(a->arg[at]), ret) && *ret && *ret <= most)
		return true;
	(void)cli_fail_usage("inquest help", "%s: no number of %s from 1 to %" PRIu64, a->arg[at],
			     what, most);
	return false;
}

int cli_place_print(const struct cli_place *p, const struct cli_args *a, const struct view *v)
{
	enum view_form form = a->sql ? VIEW_FORM_SQL : a->json ? VIEW_FORM_JSON : VIEW_FORM_TEXT;
	struct inq_err err = {0};

	return view_print(p->s->store, v, NULL, form, stdout, &err)
		       ? cli_fail(a->arg[0], &err, NULL)
		       : CLI_GOOD;
}
