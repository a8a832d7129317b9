/*
 * import_options.h - the command line of roformer_import.
 */
#ifndef IMPORT_OPTIONS_H
#define IMPORT_OPTIONS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

typedef enum ImportMode
{
	IMPORT_UPLOAD,
	IMPORT_DRY_RUN,
	IMPORT_VERIFY
} ImportMode;

typedef enum ImportPassword
{
	IMPORT_PASSWORD_IF_ASKED,
	IMPORT_PASSWORD_NEVER, /* -w */
	IMPORT_PASSWORD_ALWAYS /* -W */
} ImportPassword;

/* What the program ends with; in the man-like help and in docs/import.md. */
typedef enum ImportExit
{
	IMPORT_DONE = 0,
	IMPORT_FAILED = 1,    /* usage, or the model on this machine */
	IMPORT_NO_SERVER = 2, /* no connection, or it was lost */
	IMPORT_REFUSED = 3,   /* by the server */
	IMPORT_DIFFERENT = 4  /* --verify: another content, or no such model */
} ImportExit;

/* Strings point into argv, but for the name that was made of the directory's. */
typedef struct ImportOptions
{
	ImportMode mode;
	const char *directory;
	char name[256]; /* longer ones are longer than any model's and refused here */
	const char *precision;
	const char *dictionary;
	const char *host;
	const char *port;
	const char *user;
	const char *database; /* a name or a connection string */
	ImportPassword password;
	bool replace;
	bool quiet;
	bool verbose;
	bool help;
	bool version;
} ImportOptions;

/* False, with the problem in words, for a command line that can't be meant. */
extern bool import_options_parse(int argc, char **argv, ImportOptions *options, char *problem,
								 size_t size);
extern void import_options_help(FILE *stream);

#endif
