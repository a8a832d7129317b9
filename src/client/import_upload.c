/*
 * import_upload.c - sends a model in one transaction (docs/import.md has the protocol).
 *
 * Files, tensors and chunks go through a pipeline: the next ones are on their way while the server
 * stores those before. How much may be unanswered is limited, in statements and in bytes, and so is
 * the memory that libpq keeps them in. A failing statement makes the server skip the rest of the
 * pipeline, so that nothing need be undone here.
 *
 * The digest is computed once more from what was read for sending. Where it can be compared with
 * the server's, a transfer that changed a bit is found before it is committed.
 */
#include "import_upload.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "import_message.h"

#define MAX_UNANSWERED 256
#define MAX_UNANSWERED_BYTES ((uint64_t) 4 * 1024 * 1024)

typedef struct Upload
{
	ImportConnection *connection;
	const ImportModel *model;
	ImportProgress *progress;
	ImportHash hash;
	uint64_t unanswered[MAX_UNANSWERED]; /* bytes of statements, a ring */
	size_t first;                        /* of the ring */
	size_t count;
	uint64_t bytes; /* unanswered, together */
	char *buffer;   /* of a chunk */
	size_t buffer_size;
} Upload;

static bool
fail(Upload *upload, ImportExit failure)
{
	if (upload->connection->failure == IMPORT_DONE)
		upload->connection->failure = failure;
	return false;
}

static ImportParameter
text_parameter(const char *text)
{
	return (ImportParameter){text, 0, false};
}

/* ---- the pipeline ---------------------------------------------------------------------------- */

/* The answer to the statement sent first: a result, and the NULL behind it. */
static bool
receive_answer(Upload *upload, PGresult **result)
{
	PGresult *end;

	if (!import_connection_receive(upload->connection, result))
		return false;
	if (!import_connection_receive(upload->connection, &end) || end != NULL)
	{
		PQclear(*result);
		PQclear(end);
		return fail(upload, IMPORT_NO_SERVER);
	}
	import_progress_add(upload->progress, upload->unanswered[upload->first]);
	upload->bytes -= upload->unanswered[upload->first];
	upload->first = (upload->first + 1) % MAX_UNANSWERED;
	upload->count--;
	return true;
}

/* Until no more than so many statements and bytes are unanswered. */
static bool
receive_until(Upload *upload, size_t statements, uint64_t bytes)
{
	while (upload->count > statements || upload->bytes > bytes)
	{
		PGresult *result;

		if (!receive_answer(upload, &result))
			return false;
		PQclear(result);
	}
	return true;
}

/* However large a single statement is, it can be sent when it is the only one. */
static bool
make_room(Upload *upload, uint64_t bytes)
{
	return receive_until(upload, MAX_UNANSWERED - 1,
						 bytes < MAX_UNANSWERED_BYTES ? MAX_UNANSWERED_BYTES - bytes : 0);
}

static bool
send(Upload *upload, const char *statement, const ImportParameter *parameters, int count,
	 uint64_t bytes)
{
	if (!make_room(upload, bytes) ||
		!import_connection_send(upload->connection, statement, parameters, count))
		return false;
	/* without it the server would keep its answers until its buffer is full */
	if (!PQsendFlushRequest(upload->connection->conn))
		return import_connection_fail(upload->connection);
	upload->unanswered[(upload->first + upload->count) % MAX_UNANSWERED] = bytes;
	upload->count++;
	upload->bytes += bytes;
	return true;
}

static bool
leave_pipeline(Upload *upload)
{
	PGresult *result;
	bool synchronized;

	if (!PQpipelineSync(upload->connection->conn))
		return import_connection_fail(upload->connection);
	if (!import_connection_receive(upload->connection, &result))
		return false;
	synchronized = PQresultStatus(result) == PGRES_PIPELINE_SYNC;
	PQclear(result);
	if (!synchronized || !PQexitPipelineMode(upload->connection->conn))
	{
		import_message_error("lost synchronization with the server");
		return fail(upload, IMPORT_NO_SERVER);
	}
	return true;
}

/* ---- what is sent ---------------------------------------------------------------------------- */

static bool
send_files(Upload *upload)
{
	const RfContent *content = &upload->model->content;

	for (size_t i = 0; i < content->file_count; i++)
	{
		const RfFile *file = &content->files[i];
		ImportParameter parameters[] = {text_parameter(file->name), {file->data, file->size, true}};

		import_hash_file(&upload->hash, file);
		if (!send(upload, "SELECT roformer.import_file($1, $2)", parameters, 2, file->size))
			return false;
	}
	return true;
}

static void
write_shape(const RfTensorDesc *tensor, char *text, size_t size)
{
	size_t used = (size_t) snprintf(text, size, "{");

	for (int i = 0; i < tensor->rank; i++)
		used += (size_t) snprintf(text + used, size - used, "%s%" PRIu64, i > 0 ? "," : "",
								  tensor->shape[i]);
	snprintf(text + used, size - used, "}");
}

static bool
send_tensors(Upload *upload)
{
	for (size_t i = 0; i < upload->model->content.match.count; i++)
	{
		RfTensorDesc tensor = rf_content_parameter(&upload->model->content, i);
		char shape[24 * RF_MAX_RANK];
		ImportParameter parameters[] = {
			text_parameter(tensor.name),
			text_parameter(rf_dtype_name(tensor.dtype)),
			text_parameter(shape),
		};

		write_shape(&tensor, shape, sizeof(shape));
		if (!send(upload, "SELECT roformer.import_tensor($1, $2, $3)", parameters, 3, 0))
			return false;
	}
	return true;
}

/* The result is the caller's to clear. */
static bool
ask_what_is_wanted(Upload *upload, PGresult **wanted)
{
	return send(upload, "SELECT tensor, chunk_rows FROM roformer.import_check()", NULL, 0, 0) &&
		   receive_until(upload, 1, UINT64_MAX) && receive_answer(upload, wanted);
}

static bool
send_chunk(Upload *upload, size_t parameter, uint64_t first, uint64_t rows, size_t size)
{
	char first_row[24];
	RfError err;
	ImportParameter parameters[] = {
		text_parameter(upload->model->content.match.parameters[parameter].name),
		text_parameter(first_row),
		{upload->buffer, size, true},
	};

	snprintf(first_row, sizeof(first_row), "%" PRIu64, first);
	if (import_model_read(upload->model, parameter, first, rows, upload->buffer, &err) != RF_OK)
	{
		import_message_engine_error(&err);
		return fail(upload, IMPORT_FAILED);
	}
	import_hash_bytes(&upload->hash, upload->buffer, size);
	return send(upload, "SELECT roformer.import_chunk($1, $2, $3)", parameters, 3, size);
}

static bool
grow_buffer(Upload *upload, size_t size)
{
	char *buffer = size <= upload->buffer_size ? upload->buffer : realloc(upload->buffer, size);

	if (buffer == NULL)
	{
		import_message_error("out of memory for a chunk of %zu bytes", size);
		return fail(upload, IMPORT_FAILED);
	}
	upload->buffer = buffer;
	if (upload->buffer_size < size)
		upload->buffer_size = size;
	return true;
}

static bool
send_tensor_chunks(Upload *upload, size_t parameter, uint64_t chunk_rows)
{
	RfTensorDesc tensor = rf_content_parameter(&upload->model->content, parameter);
	uint64_t rows = rf_tensor_rows(&tensor);
	size_t row_bytes = import_model_row_bytes(upload->model, parameter);

	import_hash_tensor(&upload->hash, &tensor);
	if (chunk_rows > rows)
		chunk_rows = rows;
	if (!grow_buffer(upload, chunk_rows * row_bytes))
		return false;
	for (uint64_t first = 0; first < rows; first += chunk_rows)
	{
		uint64_t count = rows - first < chunk_rows ? rows - first : chunk_rows;

		if (!send_chunk(upload, parameter, first, count, count * row_bytes))
			return false;
	}
	return true;
}

static int
compare_name(const void *name, const void *parameter)
{
	return strcmp(name, ((const RfParameter *) parameter)->name);
}

/* A server that asks for what isn't there is of another version, or none of ours. */
static bool
send_wanted(Upload *upload, const PGresult *wanted)
{
	const RfMatch *match = &upload->model->content.match;

	for (int row = 0; row < PQntuples(wanted); row++)
	{
		const char *name = PQgetvalue(wanted, row, 0);
		uint64_t chunk_rows = strtoull(PQgetvalue(wanted, row, 1), NULL, 10);
		const RfParameter *parameter =
			bsearch(name, match->parameters, match->count, sizeof(RfParameter), compare_name);

		if (parameter == NULL || chunk_rows == 0)
		{
			import_message_error("server asks for %" PRIu64 " rows at a time of tensor \"%s\"",
								 chunk_rows, name);
			import_message_hint("The extension in the database may be of another version than "
								"this program.");
			return fail(upload, IMPORT_REFUSED);
		}
		if (!send_tensor_chunks(upload, (size_t) (parameter - match->parameters), chunk_rows))
			return false;
	}
	return true;
}

static bool
send_content(Upload *upload)
{
	PGresult *wanted;
	bool sent;

	if (!send_files(upload) || !send_tensors(upload) || !ask_what_is_wanted(upload, &wanted))
		return false;
	sent = send_wanted(upload, wanted);
	PQclear(wanted);
	return sent && receive_until(upload, 0, 0);
}

/* ---- the transaction ------------------------------------------------------------------------- */

static bool
run(Upload *upload, const char *statement, const ImportParameter *parameters, int count)
{
	PGresult *result = import_connection_run(upload->connection, statement, parameters, count);

	PQclear(result);
	return result != NULL;
}

/* A precision that the server doesn't know is refused before anything is sent. */
static bool
begin(Upload *upload, const ImportOptions *options)
{
	ImportParameter name[] = {text_parameter(options->name),
							  text_parameter(options->replace ? "true" : "false")};
	ImportParameter precision[] = {text_parameter(options->precision)};

	return run(upload, "BEGIN", NULL, 0) &&
		   run(upload, "SELECT roformer.import_begin($1, $2)", name, 2) &&
		   (options->precision == NULL ||
			run(upload, "SELECT pg_catalog.set_config('roformer.precision', $1, true)", precision,
				1));
}

static bool
check_digest(Upload *upload, const char *here, const char *there)
{
	if (!import_model_is_whole(upload->model) || strcmp(here, there) == 0)
		return true;
	import_message_error("what the server received is not what was sent");
	import_message_detail("The digest is %s here and %s on the server.", here, there);
	return fail(upload, IMPORT_REFUSED);
}

static bool
finish(Upload *upload, const char *here, char *digest)
{
	PGresult *result =
		import_connection_run(upload->connection, "SELECT roformer.import_finish()", NULL, 0);

	if (result == NULL)
		return false;
	snprintf(digest, IMPORT_DIGEST_TEXT, "%s",
			 PQntuples(result) == 1 ? PQgetvalue(result, 0, 0) : "");
	PQclear(result);
	return check_digest(upload, here, digest);
}

static bool
set_precision(Upload *upload, const ImportOptions *options)
{
	ImportParameter parameters[] = {text_parameter(options->name),
									text_parameter(options->precision)};

	return options->precision == NULL ||
		   run(upload, "SELECT roformer.set_model_option($1, 'precision', $2)", parameters, 2);
}

/* Once it is sent only the server knows what becomes of it. */
static bool
commit(Upload *upload)
{
	upload->connection->committing = true;
	if (run(upload, "COMMIT", NULL, 0))
		return true;
	if (PQstatus(upload->connection->conn) == CONNECTION_BAD)
		import_message_hint("The connection was lost while the transaction was committed; --verify "
							"tells whether the model is there.");
	return false;
}

static bool
transfer(Upload *upload, const ImportOptions *options)
{
	if (!begin(upload, options))
		return false;
	if (!PQenterPipelineMode(upload->connection->conn))
		return import_connection_fail(upload->connection);
	return send_content(upload) && leave_pipeline(upload);
}

bool
import_upload(ImportConnection *connection, const ImportModel *model, const ImportOptions *options,
			  ImportProgress *progress, char *digest)
{
	Upload upload = {.connection = connection, .model = model, .progress = progress};
	char here[IMPORT_DIGEST_TEXT] = "";
	bool done;

	import_hash_begin(&upload.hash);
	done = transfer(&upload, options);
	if (!import_hash_end(&upload.hash, here) && done)
	{
		import_message_error("could not compute SHA-256");
		done = fail(&upload, IMPORT_FAILED);
	}
	done =
		done && finish(&upload, here, digest) && set_precision(&upload, options) && commit(&upload);
	free(upload.buffer);
	return done;
}
