/*
 * catalog_directory.c - a model directory on the server: who may name it, and reading what it
 * holds.
 *
 * An absolute path needs the rights of pg_read_server_files, as COPY FROM a file does. A relative
 * one names a directory below the models installed with the extension, which everybody may read:
 * its components are plain names, and it must not lead elsewhere through a symbolic link.
 *
 * Everything about a directory is checked here, before anything is stored: configuration,
 * tokenizer, name, type and shape of every tensor. Open files belong to a memory context and are
 * closed with it.
 */
#include "catalog_private.h"

#include <limits.h>
#include <stdlib.h>

#include "catalog/pg_authid.h"
#include "miscadmin.h"
#include "nodes/pg_list.h"
#include "port.h"
#include "storage/fd.h"
#include "utils/acl.h"
#include "utils/memutils.h"

#include "pg/support.h"

#define BUNDLED_MODELS "extension/roformer/models"

/* Names of unused tensors a warning spells out. */
#define MAX_LISTED 10

/* ---- path ------------------------------------------------------------------------------------ */

static void
check_file_right(const char *directory)
{
	if (!has_privs_of_role(GetUserId(), ROLE_PG_READ_SERVER_FILES))
		ereport(ERROR,
				(errcode(ERRCODE_INSUFFICIENT_PRIVILEGE),
				 errmsg("permission denied to load a model from directory \"%s\"", directory),
				 errdetail("Only roles with privileges of the \"%s\" role may name a directory by "
						   "its absolute path.",
						   "pg_read_server_files"),
				 errhint("A relative path names a model that was installed with the extension.")));
}

/* No empty component, none that begins with a dot: ".", ".." and hidden files are out. */
static void
check_components(const char *directory)
{
	const char *component = directory;

	for (;;)
	{
		if (*component == '\0' || *component == '/' || *component == '.')
			ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
							errmsg("invalid relative directory \"%s\"", directory),
							errdetail("A relative path names a model that was installed with the "
									  "extension; its components must be plain names."),
							errhint("Other directories are named by their absolute path.")));
		component = strchr(component, '/');
		if (component == NULL)
			return;
		component++;
	}
}

static int
compare_names(const ListCell *a, const ListCell *b)
{
	return strcmp(lfirst(a), lfirst(b));
}

static char *
list_bundled(const char *base)
{
	DIR *dir = AllocateDir(base);
	struct dirent *entry;
	List *entries = NIL;
	ListCell *cell;
	StringInfoData names;

	while (dir != NULL && (entry = ReadDirExtended(dir, base, LOG)) != NULL)
	{
		if (entry->d_name[0] != '.')
			entries = lappend(entries, pstrdup(entry->d_name));
	}
	if (dir != NULL)
		FreeDir(dir);

	list_sort(entries, compare_names);
	initStringInfo(&names);
	foreach (cell, entries)
		appendStringInfo(&names, "%s\"%s\"", names.len > 0 ? ", " : "", (char *) lfirst(cell));
	return names.data;
}

static void
report_not_bundled(const char *directory, const char *base)
{
	char *names = list_bundled(base);

	ereport(
		ERROR,
		(errcode(ERRCODE_UNDEFINED_FILE),
		 errmsg("no model \"%s\" was installed with the extension", directory),
		 names[0] != '\0'
			 ? errhint("There are %s. Other directories are named by their absolute path.", names)
			 : errhint("Other directories are named by their absolute path.")));
}

static char *
resolve_bundled(const char *directory)
{
	char share[MAXPGPATH];
	char base[PATH_MAX];
	char resolved[PATH_MAX];
	char *models;
	size_t length;

	check_components(directory);
	get_share_path(my_exec_path, share);
	models = psprintf("%s/%s", share, BUNDLED_MODELS);
	if (realpath(models, base) == NULL ||
		realpath(psprintf("%s/%s", base, directory), resolved) == NULL)
		report_not_bundled(directory, models);
	length = strlen(base);
	if (strncmp(resolved, base, length) != 0 || resolved[length] != '/')
		ereport(ERROR, (errcode(ERRCODE_INSUFFICIENT_PRIVILEGE),
						errmsg("directory \"%s\" leads out of the installed models", directory)));
	return pstrdup(resolved);
}

char *
roformer_directory_resolve(const char *directory)
{
	if (!is_absolute_path(directory))
		return resolve_bundled(directory);
	check_file_right(directory);
	return pstrdup(directory);
}

/* ---- content --------------------------------------------------------------------------------- */

static void
warn_unexpected(const RfMatch *match)
{
	StringInfoData names;
	size_t listed = Min(match->unexpected_count, MAX_LISTED);

	if (match->unexpected_count == 0)
		return;
	initStringInfo(&names);
	for (size_t i = 0; i < listed; i++)
		appendStringInfo(&names, "%s\"%s\"", i > 0 ? ", " : "",
						 roformer_report_text(match->unexpected[i]));
	if (listed < match->unexpected_count)
		appendStringInfo(&names, " and %zu more", match->unexpected_count - listed);
	ereport(WARNING, (errmsg_plural("%zu tensor of the checkpoint is not used",
									"%zu tensors of the checkpoint are not used",
									match->unexpected_count, match->unexpected_count),
					  errdetail("The model has no parameters named %s.", names.data)));
}

/* Everything but the dictionary; the checkpoint is left open. */
static void
read_content(RoformerDirectory *directory, const char *path)
{
	RfContent *content = &directory->content;
	RfError err;

	roformer_check(rf_content_read_files(content, path, &err), &err);
	roformer_check(rf_content_parse(content, &err), &err);
	roformer_check(
		rf_checkpoint_open(path, roformer_memory(directory->context), &directory->checkpoint, &err),
		&err);
	roformer_check(rf_content_match(content, rf_checkpoint_tensor(directory->checkpoint, 0),
									rf_checkpoint_count(directory->checkpoint), &err),
				   &err);
}

static void
close_checkpoint(void *arg)
{
	RoformerDirectory *directory = arg;

	rf_checkpoint_close(directory->checkpoint);
	directory->checkpoint = NULL;
}

/* Engine errors name files as they are called in the directory: this says in which. */
static void
add_path(void *arg)
{
	errcontext("model directory \"%s\"", (const char *) arg);
}

RoformerDirectory *
roformer_directory_open(const char *path)
{
	ErrorContextCallback error_context = {error_context_stack, add_path, unconstify(char *, path)};
	MemoryContext context = AllocSetContextCreate(CurrentMemoryContext, "roformer model directory",
												  ALLOCSET_DEFAULT_SIZES);
	MemoryContext caller = MemoryContextSwitchTo(context);
	RoformerDirectory *directory = palloc0(sizeof(RoformerDirectory));
	MemoryContextCallback *callback = palloc0(sizeof(MemoryContextCallback));

	directory->context = context;
	rf_content_init(&directory->content, roformer_memory(context));
	callback->func = close_checkpoint;
	callback->arg = directory;
	MemoryContextRegisterResetCallback(context, callback);

	error_context_stack = &error_context;
	read_content(directory, path);
	error_context_stack = error_context.previous;
	if (rf_content_needs_dictionary(&directory->content))
		roformer_dictionary_read(&directory->content);
	warn_unexpected(&directory->content.match);
	MemoryContextSwitchTo(caller);
	return directory;
}

void
roformer_directory_close(RoformerDirectory *directory)
{
	MemoryContextDelete(directory->context);
}
