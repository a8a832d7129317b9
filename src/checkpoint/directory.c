/*
 * directory.c - opening and reading files below a model directory.
 *
 * Names come from index files of strangers: they can't climb out of the directory. Symbolic links
 * are followed, because the Hub's download cache consists of them; who may name a directory at all
 * is decided by the caller. Files are opened without blocking, so that a FIFO can't hold up the
 * server, and only regular files are read, so that a device can't.
 */
#include "directory.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "rf/checkpoint.h"

RfCode
rf_directory_open(const char *directory, int *fd, RfError *err)
{
	*fd = open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (*fd < 0)
	{
		int why = errno;

		return rf_error_os(err, why, "could not open directory \"%s\": %s", directory,
						   strerror(why));
	}
	return RF_OK;
}

bool
rf_directory_has(int directory, const char *name)
{
	struct stat status;

	return fstatat(directory, name, &status, 0) == 0 || (errno != ENOENT && errno != ENOTDIR);
}

/* Relative, no empty component, no "..": what can't leave the directory but by a link in it. */
static bool
is_below(const char *name)
{
	const char *component = name;

	for (;;)
	{
		size_t length = strcspn(component, "/");

		if (length == 0 || (length == 2 && memcmp(component, "..", 2) == 0))
			return false;
		if (component[length] == '\0')
			return true;
		component += length + 1;
	}
}

static RfCode
require_regular(int fd, const char *name, uint64_t *size, RfError *err)
{
	struct stat status;

	if (fstat(fd, &status) != 0)
	{
		int why = errno;

		return rf_error_os(err, why, "could not stat file \"%s\": %s", name, strerror(why));
	}
	RF_FAIL_IF(!S_ISREG(status.st_mode), err, RF_INVALID, "\"%s\" is not a regular file", name);
	*size = (uint64_t) status.st_size;
	return RF_OK;
}

RfCode
rf_directory_open_file(int directory, const char *name, RfOpenFile *file, RfError *err)
{
	RfCode code;

	RF_FAIL_IF(!is_below(name), err, RF_INVALID,
			   "file name \"%s\" does not stay inside the model directory", name);
	file->name = name;
	file->fd = openat(directory, name, O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
	if (file->fd < 0)
	{
		int why = errno;

		return rf_error_os(err, why, "could not open file \"%s\": %s", name, strerror(why));
	}
	code = require_regular(file->fd, name, &file->size, err);
	if (code != RF_OK)
		rf_open_file_close(file);
	return code;
}

void
rf_open_file_close(RfOpenFile *file)
{
	close(file->fd);
	file->fd = -1;
}

RfCode
rf_open_file_read(const RfOpenFile *file, uint64_t offset, size_t length, void *buffer,
				  RfError *err)
{
	char *to = buffer;

	while (length > 0)
	{
		ssize_t got = pread(file->fd, to, length, (off_t) offset);

		if (got < 0)
		{
			int why = errno;

			if (why == EINTR)
				continue;
			rf_error_os(err, why, "could not read file \"%s\": %s", file->name, strerror(why));
			rf_error_origin(err, file->name, offset);
			return RF_IO;
		}
		if (got == 0)
		{
			rf_error_set(err, RF_CORRUPT, "file \"%s\" ended unexpectedly", file->name);
			rf_error_detail(err,
							"It had %" PRIu64 " bytes when it was opened, and now has %" PRIu64 ".",
							file->size, offset);
			rf_error_origin(err, file->name, offset);
			return RF_CORRUPT;
		}
		to += got;
		offset += (uint64_t) got;
		length -= (size_t) got;
	}
	return RF_OK;
}

RfCode
rf_open_file_read_whole(const RfOpenFile *file, size_t limit, RfArena *arena, char **data,
						size_t *length, RfError *err)
{
	RF_FAIL_IF(file->size > limit, err, RF_LIMIT,
			   "file \"%s\" has %" PRIu64 " bytes, more than %zu", file->name, file->size, limit);
	*length = (size_t) file->size;
	RF_NEW(arena, *data, *length + 1, err);
	(*data)[*length] = '\0';
	return rf_open_file_read(file, 0, *length, *data, err);
}

RfCode
rf_directory_read(const char *directory, const char *name, size_t limit, RfArena *arena,
				  char **data, size_t *length, RfError *err)
{
	RfOpenFile file;
	RfCode code;
	int fd;

	RF_TRY(rf_directory_open(directory, &fd, err));
	code = rf_directory_open_file(fd, name, &file, err);
	close(fd);
	RF_TRY(code);
	code = rf_open_file_read_whole(&file, limit, arena, data, length, err);
	rf_open_file_close(&file);
	return code;
}
