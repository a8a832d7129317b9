/*
 * directory.h - opening and reading files below a model directory.
 */
#ifndef RF_DIRECTORY_H
#define RF_DIRECTORY_H

#include "rf/memory.h"

/* A file that stays open; size is what it had when it was opened. */
typedef struct RfOpenFile
{
	const char *name;
	int fd;
	uint64_t size;
} RfOpenFile;

/* The descriptor is the caller's to close. */
extern RfCode rf_directory_open(const char *directory, int *fd, RfError *err);

/* Whether there is something of that name: true also when only trying to open it will tell. */
extern bool rf_directory_has(int directory, const char *name);

/* Opens a regular file; name (not copied) is relative, without "..". */
extern RfCode rf_directory_open_file(int directory, const char *name, RfOpenFile *file,
									 RfError *err);

extern void rf_open_file_close(RfOpenFile *file);

/* Reads exactly length bytes; RF_CORRUPT when the file ends before. */
extern RfCode rf_open_file_read(const RfOpenFile *file, uint64_t offset, size_t length,
								void *buffer, RfError *err);

/* The whole file with a NUL behind it; RF_LIMIT when it has more than limit bytes. */
extern RfCode rf_open_file_read_whole(const RfOpenFile *file, size_t limit, RfArena *arena,
									  char **data, size_t *length, RfError *err);

#endif
