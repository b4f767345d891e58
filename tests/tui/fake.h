/* A view set without a store: what the TUI is tested with where a real one cannot misbehave. */
#ifndef TESTS_TUI_FAKE_H
#define TESTS_TUI_FAKE_H

#include <stdbool.h>

#include "tui/tui.h"
#include "views/view.h"

struct store {
	int reads; /* times that a view was read */
	int prepared;
	bool (*escaped)(void); /* of the TUI, once it runs at a terminal */
};

/* A source over the fake views.  Preparing the view "uncollected" fails. */
struct tui_source fake_source(struct store *s);

#endif
