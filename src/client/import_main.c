/*
 * import_main.c - roformer_import: loads a model directory of this machine into a database.
 */
#include "import_connection.h"
#include "import_interrupt.h"
#include "import_message.h"
#include "import_model.h"
#include "import_options.h"
#include "import_report.h"
#include "import_upload.h"

#include <locale.h>
#include <string.h>

/* Progress goes to stderr, as that of PostgreSQL's programs; results go to stdout. */
static void
begin_progress(ImportProgress *progress, const ImportOptions *options, const ImportModel *model)
{
	import_progress_begin(progress, options->quiet ? NULL : stderr, options->name,
						  model->file_bytes + model->tensor_bytes);
	import_message_set_progress(progress);
}

static void
end_progress(ImportProgress *progress, bool done)
{
	if (done)
		import_progress_end(progress);
	else
		import_progress_clear(progress);
	import_message_set_progress(NULL);
}

static void
warn_unused(const ImportModel *model, const ImportOptions *options)
{
	const RfMatch *match = &model->content.match;

	if (match->unexpected_count > 0)
		import_message_warning("%zu %s of the checkpoint will not be used; the first is \"%s\"",
							   match->unexpected_count,
							   match->unexpected_count == 1 ? "tensor" : "tensors",
							   match->unexpected[0]);
	if (options->dictionary != NULL && !rf_content_needs_dictionary(&model->content))
		import_message_warning(
			"the dictionary is not used, because the tokenizer doesn't cut Chinese words");
}

/* Reads all of it; false: reported. */
static bool
compute_digest(const ImportModel *model, const ImportOptions *options, char *digest)
{
	ImportProgress progress;
	RfError err;
	bool done;

	begin_progress(&progress, options, model);
	done = import_model_digest(model, &progress, digest, &err) == RF_OK;
	end_progress(&progress, done);
	if (!done)
		import_message_engine_error(&err);
	return done;
}

/* ---- --dry-run ------------------------------------------------------------------------------- */

static ImportExit
run_dry(const ImportModel *model, const ImportOptions *options)
{
	char digest[IMPORT_DIGEST_TEXT];
	bool whole = import_model_is_whole(model);

	if (whole && !compute_digest(model, options, digest))
		return IMPORT_FAILED;
	import_report(stdout, options->name, model,
				  whole ? digest : "unknown without the dictionary (see --dictionary)");
	return IMPORT_DONE;
}

/* ---- --verify -------------------------------------------------------------------------------- */

static ImportExit
compare_digests(const ImportOptions *options, const char *here, const PGresult *result)
{
	const char *there = PQntuples(result) == 1 ? PQgetvalue(result, 0, 0) : NULL;

	if (there == NULL)
	{
		import_message_error("model \"%s\" does not exist in the database", options->name);
		return IMPORT_DIFFERENT;
	}
	if (strcmp(here, there) == 0)
	{
		if (!options->quiet)
			printf("equal: model \"%s\" has the digest %s\n", options->name, here);
		return IMPORT_DONE;
	}
	if (!options->quiet)
		printf("different: the digest is %s here and %s in the database\n", here, there);
	return IMPORT_DIFFERENT;
}

static ImportExit
run_verify(const ImportModel *model, const ImportOptions *options)
{
	const ImportParameter name[] = {{options->name, 0, false}};
	ImportConnection connection;
	ImportExit result;
	char digest[IMPORT_DIGEST_TEXT];
	PGresult *found = NULL;

	if (!import_model_is_whole(model))
	{
		import_message_error("the dictionary of Chinese words is not installed here");
		import_message_detail("It is part of the digest of this model.");
		import_message_hint("Name the file that was used with --dictionary.");
		return IMPORT_FAILED;
	}
	if (!compute_digest(model, options, digest))
		return IMPORT_FAILED;
	if (import_connection_open(&connection, options))
		found = import_connection_run(
			&connection, "SELECT digest FROM roformer.models WHERE name OPERATOR(pg_catalog.=) $1",
			name, 1);
	result = found == NULL ? connection.failure : compare_digests(options, digest, found);
	PQclear(found);
	import_connection_close(&connection);
	return result;
}

/* ---- import ---------------------------------------------------------------------------------- */

static void
report_done(const ImportModel *model, const ImportOptions *options, const char *digest)
{
	if (options->quiet)
		return;
	printf("imported model \"%s\"\n", options->name);
	if (options->verbose)
		import_report(stdout, options->name, model, digest);
}

static ImportExit
run_upload(const ImportModel *model, const ImportOptions *options)
{
	ImportConnection connection;
	ImportProgress progress;
	char digest[IMPORT_DIGEST_TEXT];
	bool done = false;

	if (import_connection_open(&connection, options))
	{
		if (options->verbose)
			import_message_info("connected to database \"%s\" as user \"%s\"",
								PQdb(connection.conn), PQuser(connection.conn));
		begin_progress(&progress, options, model);
		done = import_upload(&connection, model, options, &progress, digest);
		end_progress(&progress, done);
	}
	import_connection_close(&connection);
	if (!done && import_interrupt_pending())
		import_message_error("interrupted; nothing was imported");
	if (done)
		report_done(model, options, digest);
	return done ? IMPORT_DONE : connection.failure;
}

/* ---- main ------------------------------------------------------------------------------------ */

static ImportExit
run(const ImportOptions *options)
{
	ImportModel model;
	RfError err;
	ImportExit result = IMPORT_FAILED;

	if (import_model_open(&model, options->directory, options->dictionary, &err) == RF_OK)
	{
		warn_unused(&model, options);
		result = options->mode == IMPORT_DRY_RUN  ? run_dry(&model, options)
				 : options->mode == IMPORT_VERIFY ? run_verify(&model, options)
												  : run_upload(&model, options);
	}
	else
	{
		if (options->mode == IMPORT_DRY_RUN)
			import_report(stdout, options->name, &model, NULL);
		import_message_engine_error(&err);
	}
	import_model_close(&model);
	return result;
}

int
main(int argc, char **argv)
{
	ImportOptions options;
	ImportExit result;
	char problem[512];

	setlocale(LC_CTYPE, ""); /* not LC_NUMERIC: files have points in their numbers */
	import_message_init(argv[0]);
	if (!import_options_parse(argc, argv, &options, problem, sizeof(problem)))
	{
		import_message_error("%s", problem);
		import_message_hint("Try \"roformer_import --help\" for more information.");
		return IMPORT_FAILED;
	}
	if (options.help)
		import_options_help(stdout);
	else if (options.version)
		puts("roformer_import " ROFORMER_VERSION);
	if (options.help || options.version)
		return IMPORT_DONE;
	result = run(&options);
	if (import_interrupt_pending() && result != IMPORT_DONE)
		import_interrupt_exit();
	return result;
}
