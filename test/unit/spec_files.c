/*
 * spec_files.c - the text files of a model, from a directory of the repository or made up.
 */
#include "spec_files.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

size_t
spec_files_read(const char *directory, RfArena *arena, RfFile **files)
{
	size_t count;
	RfError err;

	if (rf_spec_read_files(directory, arena, files, &count, &err) != RF_OK)
		fail_msg("%s: %s", directory, err.message);
	return count;
}

void
spec_files_make(const char *config, RfFile *files)
{
	static const char vocab[] = "[PAD]\n[UNK]\n[CLS]\n[SEP]\n[MASK]\n";

	files[0] = (RfFile){"config.json", config, strlen(config)};
	files[1] = (RfFile){"vocab.txt", vocab, sizeof(vocab) - 1};
}
