/*
 * model_directory.h - a temporary directory that a target fills with an input's files.
 */
#ifndef FUZZ_MODEL_DIRECTORY_H
#define FUZZ_MODEL_DIRECTORY_H

#include <stddef.h>

/* Its path; made at the first call, removed with its files when the program ends. */
extern const char *model_directory_path(void);
/* Writes a file of that plain name below it. */
extern void model_directory_write(const char *name, const void *data, size_t size);

#endif
