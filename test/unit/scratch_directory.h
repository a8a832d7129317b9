/*
 * scratch_directory.h - a temporary directory for one test, with files in it, removed afterwards.
 */
#ifndef TEST_SCRATCH_DIRECTORY_H
#define TEST_SCRATCH_DIRECTORY_H

#include <stdbool.h>
#include <stddef.h>

/* Makes the directory; its path stays valid until scratch_remove. */
extern const char *scratch_make(void);
/* Writes a file below it, making a directory for names such as "1_Pooling/config.json". */
extern void scratch_write(const char *name, const void *data, size_t size);
extern void scratch_write_text(const char *name, const char *text);
/* The path of a name below it, in a static buffer. */
extern const char *scratch_path(const char *name);
extern void scratch_remove(void);
/* The same, as cmocka's teardown. */
extern int scratch_tear_down(void **state);

/* A whole file from the repository, malloc'ed, or NULL. */
extern char *scratch_slurp(const char *path, size_t *size);

#endif
