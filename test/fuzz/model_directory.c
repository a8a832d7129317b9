/*
 * model_directory.c - a temporary directory that a target fills with an input's files, in memory
 * where the system has /dev/shm.
 */
#include "model_directory.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static char path[64];

static void
die(const char *what)
{
	perror(what);
	exit(2);
}

static void
remove_directory(void)
{
	DIR *directory = opendir(path);
	struct dirent *entry;

	if (directory == NULL)
		return;
	while ((entry = readdir(directory)) != NULL)
	{
		if (entry->d_name[0] != '.')
			unlinkat(dirfd(directory), entry->d_name, 0);
	}
	closedir(directory);
	rmdir(path);
}

const char *
model_directory_path(void)
{
	if (path[0] == '\0')
	{
		snprintf(path, sizeof(path), "%s/rf_fuzz_XXXXXX",
				 access("/dev/shm", W_OK) == 0 ? "/dev/shm" : "/tmp");
		if (mkdtemp(path) == NULL)
			die(path);
		atexit(remove_directory);
	}
	return path;
}

void
model_directory_write(const char *name, const void *data, size_t size)
{
	char file[128];
	int fd;

	snprintf(file, sizeof(file), "%s/%s", model_directory_path(), name);
	fd = open(file, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	if (fd < 0 || write(fd, data, size) != (ssize_t) size || close(fd) != 0)
		die(file);
}
