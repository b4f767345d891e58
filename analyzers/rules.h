/* The rules of analyzers/rules/, made into a table by tools/embed_rules.py. */
#ifndef ANALYZERS_RULES_H
#define ANALYZERS_RULES_H

#include <inquest/rule.h>

extern const struct inq_rule analyzers_rules[]; /* ends at a NULL id */

#endif
