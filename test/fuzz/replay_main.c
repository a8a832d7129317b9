/*
 * replay_main.c - runs a fuzz target over files, and over all files of directories, given as
 * arguments: how the corpus is replayed where there is no fuzzing engine. A finding aborts, after
 * the name of the input that caused it.
 */
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

#include "fuzz_target.h"

static void
die(const char *what)
{
	perror(what);
	exit(2);
}

static uint8_t *
slurp(const char *path, size_t *size)
{
	FILE *file = fopen(path, "rb");
	struct stat status;
	uint8_t *data;

	if (file == NULL || fstat(fileno(file), &status) != 0)
		die(path);
	*size = (size_t) status.st_size;
	data = malloc(*size);
	if ((data == NULL && *size > 0) || fread(data, 1, *size, file) != *size)
		die(path);
	fclose(file);
	return data;
}

static size_t
replay_file(const char *path)
{
	size_t size;
	uint8_t *data = slurp(path, &size);

	fprintf(stderr, "%s\n", path);
	LLVMFuzzerTestOneInput(data, size);
	free(data);
	return 1;
}

static size_t
replay_directory(const char *path)
{
	struct dirent **entries;
	int count = scandir(path, &entries, NULL, alphasort);
	size_t replayed = 0;

	if (count < 0)
		die(path);
	for (int i = 0; i < count; i++)
	{
		char file[4096];

		if (entries[i]->d_name[0] != '.')
		{
			snprintf(file, sizeof(file), "%s/%s", path, entries[i]->d_name);
			replayed += replay_file(file);
		}
		free(entries[i]);
	}
	free(entries);
	return replayed;
}

int
main(int argc, char **argv)
{
	size_t replayed = 0;

	for (int i = 1; i < argc; i++)
	{
		struct stat status;

		if (stat(argv[i], &status) != 0)
			die(argv[i]);
		replayed += S_ISDIR(status.st_mode) ? replay_directory(argv[i]) : replay_file(argv[i]);
	}
	printf("%zu inputs\n", replayed);
	return replayed > 0 ? 0 : 1;
}
