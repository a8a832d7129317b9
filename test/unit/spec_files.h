/*
 * spec_files.h - the text files of a model, from a directory of the repository or made up.
 */
#ifndef TEST_SPEC_FILES_H
#define TEST_SPEC_FILES_H

#include "rf/spec.h"

/* The files of rf_model_files below directory. The test fails when a required one is missing. */
extern size_t spec_files_read(const char *directory, RfArena *arena, RfFile **files);

/* config.json as given and a vocabulary of the five special tokens; files has room for two. */
extern void spec_files_make(const char *config, RfFile *files);

#endif
