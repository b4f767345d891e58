/* The TUI over the fake views, as a program: for what only a terminal can show. */
#include <stdio.h>

#include "tests/tui/fake.h"

int main(void)
{
	struct store store = {0};
	struct tui_source src = fake_source(&store);
	struct inq_err err = {0};

	if (tui_run(&src, &err)) {
		fprintf(stderr, "tui_fake: %s\n", err.msg);
		return err.status == INQ_EINTR ? 3 : 2;
	}
	return 0;
}
