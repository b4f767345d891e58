/* Where the index of a dump lies, and what else lies in known places. */
#ifndef CLI_PLACES_H
#define CLI_PLACES_H

#include <stdbool.h>

/* All of these are to be freed, and are NULL when there is no memory, or no such place. */
char *places_index_beside(const char *file);
char *places_index_cached(const char *content_id);
/* The user's cache folder as such: what debuginfod fetched lies there too. */
char *places_cache(const char *below);
char *places_below_home(const char *below);

/* The folder that a path lies in: "." where it names none. */
char *places_folder_of(const char *path);

/* Can the index lie beside file?  Otherwise it goes to the cache folder. */
bool places_beside_is_writable(const char *file);

/* Where what was found out of debug files is kept. */
char *places_debug_cache(void);

/* Make the cache folder of inquest, so that something can be allowed in it.  Yields its name. */
char *places_make_cache(void);
/* The same of the one for debug files. */
char *places_make_debug_cache(void);

#endif
