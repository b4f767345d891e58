/* Foreign text as JSON: one way for views, the report and SQL's json_text(). */
#ifndef STORE_JSON_H
#define STORE_JSON_H

#include <sqlite3.h>
#include <stddef.h>

/* Append n bytes of foreign text as a JSON string: control characters escaped as JSON does it, \xHH
   for a byte that is no UTF-8.  Neither reaches a terminal as it is. */
void store_json_text(sqlite3_str *s, const char *text, size_t n);

#endif
