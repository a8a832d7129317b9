/*
 * scratch_directory.c - a temporary directory for one test.
 */
#include "scratch_directory.h"

#include <errno.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static char directory[256];

static void
die(const char *what)
{
	perror(what);
	exit(2);
}

const char *
scratch_make(void)
{
	const char *parent = getenv("TMPDIR");

	snprintf(directory, sizeof(directory), "%s/rf_test_XXXXXX", parent == NULL ? "/tmp" : parent);
	if (mkdtemp(directory) == NULL)
		die(directory);
	return directory;
}

const char *
scratch_path(const char *name)
{
	static char path[1024];

	snprintf(path, sizeof(path), "%s/%s", directory, name);
	return path;
}

static void
make_parent(const char *path)
{
	char parent[1024];

	snprintf(parent, sizeof(parent), "%s", path);
	*strrchr(parent, '/') = '\0';
	if (mkdir(parent, 0700) != 0 && errno != EEXIST)
		die(parent);
}

void
scratch_write(const char *name, const void *data, size_t size)
{
	const char *path = scratch_path(name);
	FILE *file;

	make_parent(path);
	file = fopen(path, "wb");
	if (file == NULL || (size > 0 && fwrite(data, 1, size, file) != size) || fclose(file) != 0)
		die(path);
}

void
scratch_write_text(const char *name, const char *text)
{
	scratch_write(name, text, strlen(text));
}

static int
remove_entry(const char *path, const struct stat *status, int type, struct FTW *walk)
{
	(void) status;
	(void) type;
	(void) walk;
	return remove(path);
}

void
scratch_remove(void)
{
	if (directory[0] != '\0' && nftw(directory, remove_entry, 16, FTW_DEPTH | FTW_PHYS) != 0)
		die(directory);
	directory[0] = '\0';
}

int
scratch_tear_down(void **state)
{
	(void) state;
	scratch_remove();
	return 0;
}

char *
scratch_slurp(const char *path, size_t *size)
{
	FILE *file = fopen(path, "rb");
	char *data;
	long length;

	if (file == NULL)
		return NULL;
	if (fseek(file, 0, SEEK_END) != 0 || (length = ftell(file)) < 0)
		die(path);
	rewind(file);
	data = malloc((size_t) length + 1);
	if (data == NULL || fread(data, 1, (size_t) length, file) != (size_t) length)
		die(path);
	data[length] = '\0';
	fclose(file);
	*size = (size_t) length;
	return data;
}
