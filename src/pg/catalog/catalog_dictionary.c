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

void
roformer_dictionary_digest(const RfFile *file, uint8 *result)
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

static void
add_path(void *arg)
{
	errcontext("dictionary file \"%s\"", (const char *) arg);
}

void
roformer_dictionary_read(RfContent *content)
{
	const char *path = roformer_jieba_dictionary[0] != '\0' ? roformer_jieba_dictionary
															: RF_DICTIONARY_PACKAGE_PATH;
	ErrorContextCallback error_context = {error_context_stack, add_path, unconstify(char *, path)};
	RfAbort abort_fn = roformer_abort();
	RfError err;
	RfCode code;

	error_context_stack = &error_context;
	code = rf_content_read_dictionary(content, path, &err);
	if (code != RF_NOT_FOUND)
	{
		roformer_check(code, &err);
		roformer_check(rf_content_check_dictionary(content, &abort_fn, &err), &err);
	}
	error_context_stack = error_context.previous;
	if (code == RF_NOT_FOUND)
		report_missing(path);
}

/* ---- from the table -------------------------------------------------------------------------- */

void
roformer_catalog_read_dictionary(const RoformerModel *model, RfFile *file)
{
	uint8 digest[ROFORMER_DIGEST_LENGTH];

	Assert(model->has_dictionary);
	if (!roformer_catalog_read_file(model->id, RF_DICTIONARY_FILE, file))
		ereport(ERROR, (errcode(ERRCODE_DATA_CORRUPTED),
						errmsg("stored model \"%s\" has no dictionary", model->name)));
	roformer_dictionary_digest(file, digest);
	if (memcmp(digest, model->dictionary, sizeof(digest)) != 0)
		ereport(ERROR, (errcode(ERRCODE_DATA_CORRUPTED),
						errmsg("stored dictionary of model \"%s\" is damaged", model->name),
						errdetail("It doesn't have the digest it had when it was stored."),
						errhint("Load the model again from its directory with replace_model.")));
}
