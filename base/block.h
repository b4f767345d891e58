/* Memory for large tables: a page fault for each 4 KiB would cost more than filling them. */
#ifndef BASE_BLOCK_H
#define BASE_BLOCK_H

#include <stddef.h>

/*
 * nr things of so many bytes, zeroed when that is asked; free() frees them.  Large ones lie in huge
 * pages where the system has them, so they may take up to 2 MiB more.  NULL: no memory.
 */
void *block_alloc(size_t nr, size_t bytes);
void *block_alloc_zeroed(size_t nr, size_t bytes);

#endif
