/* The types of variables that no kernel tells. */
#ifndef SYMBOLS_VARS_H
#define SYMBOLS_VARS_H

/* As in C, for inq_type_named; NULL: not in our table (vars.def).  Static. */
const char *symbols_var_type(const char *name);

#endif
