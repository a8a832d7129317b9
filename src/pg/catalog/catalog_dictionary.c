/*
 * catalog_dictionary.c - the dictionary of Chinese words, a file of each model that cuts words.
 *
 * RoFormerTokenizer comes without its dictionary: the reference takes jieba's own. It is read from
 * the server's file system when such a model is loaded and stored with it, so that it is covered by
 * the model's digest and goes wherever the model goes; an upgrade of the package changes no answer.
 *
 * The file's own digest is kept in the model's row. It names the compiled dictionary in the cache,
 * which all models with the same words share, without reading five megabytes to find it.
 */
#include "catalog_private.h"

#include "pg/support.h"

/* As a file of the model; it is not looked for in a model's directory. */
#define DICTIONARY_NAME "jieba/dict.txt"

/* Where Debian's policy puts what the package python3-jieba has. */
#define PACKAGE_DIRECTORY "/usr/lib/python3/dist-packages"

static void
compute_digest(const RfFile *file, uint8 *result)
{
	RoformerDigest *digest = roformer_digest_begin();

	roformer_digest_bytes(digest, file->data, file->size);
	roformer_digest_end(digest, result);
}

/* ---- from the file system -------------------------------------------------------------------- */

static void
report_missing(const char *path)
{
	ereport(ERROR,
			(errcode(ERRCODE_UNDEFINED_FILE), errmsg("dictionary file \"%s\" does not exist", path),
			 errdetail("The model has a RoFormerTokenizer, which cuts Chinese words with jieba's "
					   "dictionary."),
			 errhint("Install the package python3-jieba on the server, or set "
					 "roformer.jieba_dictionary to a file in jieba's format.")));
}

static bool
read_file(const char *path, RfArena *arena, RfFile *file)
{
	char *directory = pstrdup(path);
	char *slash = strrchr(directory, '/');
	char *data;
	RfError err;
	RfCode code;

	*slash = '\0';
	code = rf_directory_read(slash == directory ? "/" : directory, slash + 1, ROFORMER_ROW_BYTES,
							 arena, &data, &file->size, &err);
	pfree(directory);
	if (code == RF_NOT_FOUND)
		return false;
	roformer_check(code, &err);
	file->name = DICTIONARY_NAME;
	file->data = data;
	return true;
}

/* What can't be compiled would be found at first use, long after load_model. */
static void
check_words(const RfFile *file, RfArena *arena)
{
	RfArenaMark mark = rf_arena_mark(arena);
	void *block;
	size_t size;
	RfError err;

	roformer_check(rf_jieba_compile(file->data, file->size, arena, &block, &size, &err), &err);
	rf_arena_rewind(arena, mark);
}

static void
add_path(void *arg)
{
	errcontext("dictionary file \"%s\"", (const char *) arg);
}

RfFile
roformer_dictionary_read(RfArena *arena, uint8 *digest)
{
	const char *path = roformer_jieba_dictionary[0] != '\0' ? roformer_jieba_dictionary
															: PACKAGE_DIRECTORY "/" DICTIONARY_NAME;
	ErrorContextCallback error_context = {error_context_stack, add_path, unconstify(char *, path)};
	RfFile file;
	bool found;

	error_context_stack = &error_context;
	found = read_file(path, arena, &file);
	if (found)
		check_words(&file, arena);
	error_context_stack = error_context.previous;
	if (!found)
		report_missing(path);
	compute_digest(&file, digest);
	return file;
}

/* ---- from the table -------------------------------------------------------------------------- */

void
roformer_catalog_read_dictionary(const RoformerModel *model, RfFile *file)
{
	uint8 digest[ROFORMER_DIGEST_LENGTH];

	Assert(model->has_dictionary);
	if (!roformer_catalog_read_file(model->id, DICTIONARY_NAME, file))
		ereport(ERROR, (errcode(ERRCODE_DATA_CORRUPTED),
						errmsg("stored model \"%s\" has no dictionary", model->name)));
	compute_digest(file, digest);
	if (memcmp(digest, model->dictionary, sizeof(digest)) != 0)
		ereport(ERROR, (errcode(ERRCODE_DATA_CORRUPTED),
						errmsg("stored dictionary of model \"%s\" is damaged", model->name),
						errdetail("It doesn't have the digest it had when it was stored."),
						errhint("Load the model again from its directory with replace_model.")));
}
