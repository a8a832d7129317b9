/*
 * import_connection.c - the connection to the server, and statements over it.
 *
 * The connection is used without blocking: every wait is one in which a signal is noticed at once.
 * Then the statement that runs is cancelled and the connection closed, which rolls back.
 */
#include "postgres_fe.h"

#include "common/string.h"
#include "libpq-fe.h"

#include "import_connection.h"
#include "import_interrupt.h"
#include "import_message.h"

/* ---- opening --------------------------------------------------------------------------------- */

static PGconn *
connect_once(const ImportOptions *options, const char *password)
{
	const char *const keywords[] = {"host",
									"port",
									"user",
									"password",
									"dbname",
									"fallback_application_name",
									"client_encoding",
									NULL};
	/* the name of the model comes from this locale, and messages go to it */
	const char *encoding = getenv("PGCLIENTENCODING") != NULL ? NULL : "auto";
	const char *const values[] = {options->host,     options->port,     options->user, password,
								  options->database, "roformer_import", encoding,      NULL};

	return PQconnectdbParams(keywords, values, true);
}

/* Until a password is right or none is asked for any more. */
static PGconn *
connect_with_password(const ImportOptions *options)
{
	char *password = NULL;
	PGconn *conn;

	if (options->password == IMPORT_PASSWORD_ALWAYS)
		password = simple_prompt("Password: ", false);
	conn = connect_once(options, password);
	if (conn != NULL && PQstatus(conn) == CONNECTION_BAD && PQconnectionNeedsPassword(conn) &&
		password == NULL && options->password != IMPORT_PASSWORD_NEVER)
	{
		PQfinish(conn);
		password = simple_prompt("Password: ", false);
		conn = connect_once(options, password);
	}
	free(password);
	return conn;
}

/* The bytes of a message of libpq without the line's end. */
static int
trimmed_length(const char *message)
{
	size_t length = strlen(message);

	while (length > 0 && message[length - 1] == '\n')
		length--;
	return (int) length;
}

static void
show_notice(void *context, const char *message)
{
	(void) context;
	import_message_warning("server: %.*s", trimmed_length(message), message);
}

static bool
fail(ImportConnection *connection, ImportExit failure)
{
	if (connection->failure == IMPORT_DONE)
		connection->failure = failure;
	return false;
}

bool
import_connection_fail(ImportConnection *connection)
{
	const char *message =
		connection->conn == NULL ? "out of memory" : PQerrorMessage(connection->conn);

	import_message_error("%.*s", trimmed_length(message), message);
	return fail(connection, IMPORT_NO_SERVER);
}

bool
import_connection_open(ImportConnection *connection, const ImportOptions *options)
{
	PGresult *result;

	memset(connection, 0, sizeof(*connection));
	connection->conn = connect_with_password(options);
	if (connection->conn == NULL || PQstatus(connection->conn) != CONNECTION_OK)
		return import_connection_fail(connection);
	PQsetNoticeProcessor(connection->conn, show_notice, NULL);
	import_interrupt_catch();
	PQsetnonblocking(connection->conn, 1);
	/* nothing that lies in another schema can stand in for a function or operator meant here */
	result = import_connection_run(
		connection, "SELECT pg_catalog.set_config('search_path', '', false)", NULL, 0);
	PQclear(result);
	return result != NULL;
}

void
import_connection_close(ImportConnection *connection)
{
	PQfinish(connection->conn);
	connection->conn = NULL;
}

/* ---- failures -------------------------------------------------------------------------------- */

typedef struct Advice
{
	const char *sqlstate;
	const char *hint;
} Advice;

/* What the server can't know: how its functions were called. */
static const char *
advise(const char *sqlstate)
{
	static const Advice advices[] = {
		{"3F000", "Create the extension in this database: CREATE EXTENSION roformer;"},
		{"42883", "Update the extension in this database: ALTER EXTENSION roformer UPDATE;"},
		{"42P01", "Create the extension in this database: CREATE EXTENSION roformer;"},
		{"42710", "Use --replace to give it the new content, or --name to choose another name."},
	};

	for (size_t i = 0; sqlstate != NULL && i < lengthof(advices); i++)
	{
		if (strcmp(sqlstate, advices[i].sqlstate) == 0)
			return advices[i].hint;
	}
	return NULL;
}

static void
report_result(const PGresult *result)
{
	const char *message = PQresultErrorField(result, PG_DIAG_MESSAGE_PRIMARY);
	const char *detail = PQresultErrorField(result, PG_DIAG_MESSAGE_DETAIL);
	const char *hint = advise(PQresultErrorField(result, PG_DIAG_SQLSTATE));

	if (message == NULL)
	{
		message = PQresultErrorMessage(result);
		import_message_error("%.*s", trimmed_length(message), message);
		return;
	}
	if (hint == NULL)
		hint = PQresultErrorField(result, PG_DIAG_MESSAGE_HINT);
	import_message_error("%s", message);
	if (detail != NULL)
		import_message_detail("%s", detail);
	if (hint != NULL)
		import_message_hint("%s", hint);
}

/* What the server does at this moment, if anything, it gives up. */
static void
cancel_statement(ImportConnection *connection)
{
	PGcancel *cancel = PQgetCancel(connection->conn);
	char problem[256];

	connection->canceled = true;
	import_interrupt_release();
	if (cancel != NULL && !PQcancel(cancel, problem, sizeof(problem)))
		import_message_warning("could not send cancel request: %s", problem);
	PQfreeCancel(cancel);
}

/* ---- statements ------------------------------------------------------------------------------ */

bool
import_connection_send(ImportConnection *connection, const char *statement,
					   const ImportParameter *parameters, int count)
{
	const char *values[IMPORT_MAX_PARAMETERS] = {NULL};
	int lengths[IMPORT_MAX_PARAMETERS] = {0};
	int formats[IMPORT_MAX_PARAMETERS] = {0};

	for (int i = 0; i < count; i++)
	{
		values[i] = parameters[i].data;
		lengths[i] = (int) parameters[i].size;
		formats[i] = parameters[i].binary;
	}
	if (!PQsendQueryParams(connection->conn, statement, count, NULL, values, lengths, formats, 0))
		return import_connection_fail(connection);
	return true;
}

/* Sends what waits to be sent and reads until a result is there. */
static bool
wait_for_result(ImportConnection *connection)
{
	while (PQisBusy(connection->conn))
	{
		int unsent = PQflush(connection->conn);

		import_interrupt_poll(PQsocket(connection->conn), unsent == 1);
		if (import_interrupt_pending() && !connection->canceled)
		{
			cancel_statement(connection);
			if (!connection->committing)
				return fail(connection, IMPORT_FAILED);
		}
		if (unsent < 0 || !PQconsumeInput(connection->conn))
			return import_connection_fail(connection);
	}
	return true;
}

/* The server's last word, or libpq's, which has no severity. */
static bool
ends_connection(const PGresult *result)
{
	const char *severity = PQresultErrorField(result, PG_DIAG_SEVERITY_NONLOCALIZED);

	return severity == NULL || strcmp(severity, "FATAL") == 0 || strcmp(severity, "PANIC") == 0;
}

bool
import_connection_receive(ImportConnection *connection, PGresult **result)
{
	*result = NULL;
	if (!wait_for_result(connection))
		return false;
	*result = PQgetResult(connection->conn);
	switch (PQresultStatus(*result))
	{
		case PGRES_FATAL_ERROR:
		case PGRES_BAD_RESPONSE:
		case PGRES_PIPELINE_ABORTED:
			if (*result == NULL) /* that is PGRES_FATAL_ERROR to libpq */
				return true;
			report_result(*result);
			fail(connection, ends_connection(*result) ? IMPORT_NO_SERVER : IMPORT_REFUSED);
			PQclear(*result);
			*result = NULL;
			return false;
		default:
			return true;
	}
}

PGresult *
import_connection_run(ImportConnection *connection, const char *statement,
					  const ImportParameter *parameters, int count)
{
	PGresult *result = NULL;
	PGresult *end = NULL;

	if (!import_connection_send(connection, statement, parameters, count) ||
		!import_connection_receive(connection, &result))
		return NULL;
	/* libpq says with a NULL that nothing follows */
	if (import_connection_receive(connection, &end) && end == NULL)
		return result;
	fail(connection, IMPORT_NO_SERVER);
	PQclear(end);
	PQclear(result);
	return NULL;
}
