/*
 * spec_files.c - the text files of a model, from a directory of the repository or made up.
 */
#include "spec_files.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#include "rf/checkpoint.h"

size_t
spec_files_read(const char *directory, RfArena *arena, RfFile *files)
{
	size_t count = 0;

	for (size_t i = 0; i < rf_model_files_count; i++)
	{
		const RfFileRule *rule = &rf_model_files[i];
		RfError err;
		char *data;
		size_t size;
		RfCode code =
			rf_directory_read(directory, rule->name, rule->limit, arena, &data, &size, &err);

		if (code == RF_OK)
			files[count++] = (RfFile){rule->name, data, size};
		else if (code != RF_NOT_FOUND || rule->required)
			fail_msg("%s: %s", directory, err.message);
	}
	return count;
}

void
spec_files_make(const char *config, RfFile *files)
{
	static const char vocab[] = "[PAD]\n[UNK]\n[CLS]\n[SEP]\n[MASK]\n";

	files[0] = (RfFile){"config.json", config, strlen(config)};
	files[1] = (RfFile){"vocab.txt", vocab, sizeof(vocab) - 1};
}
