/* Fuzz target: what the child that libdwarf runs in may answer. Input: the bytes of a JOB_LINES. */
#include <stdlib.h>
#include <string.h>

#include "symbols/debug_info.h"
#include "tests/fuzz/must.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

static void must_be_text(const struct inq_lines *l, const char *text)
{
	if (!text)
		return;
	MUST(text >= l->text && text < l->text + sizeof(l->text) && *text);
	MUST(memchr(text, 0, (size_t)(l->text + sizeof(l->text) - text)));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	struct inq_lines *l = malloc(sizeof(*l));
	struct inq_err err = {0};

	if (!l)
		return 0;
	if (debug_info_take_lines(data, n, l, &err)) {
		MUST(err.msg[0]);
	} else {
		MUST(l->nr && l->nr <= INQ_LINES_FRAMES);
		for (size_t i = 0; i < l->nr; i++) {
			must_be_text(l, l->frame[i].function);
			must_be_text(l, l->frame[i].file);
		}
	}
	free(l);
	return 0;
}
