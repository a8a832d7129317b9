/*
 * import_connection.h - the connection to the server, and statements over it.
 */
#ifndef IMPORT_CONNECTION_H
#define IMPORT_CONNECTION_H

#include <libpq-fe.h>

#include "import_options.h"
#include "import_progress.h"

/* A parameter of a statement: text (size 0, NUL-terminated) or bytes. */
typedef struct ImportParameter
{
	const char *data;
	size_t size;
	bool binary;
} ImportParameter;

typedef struct ImportConnection
{
	PGconn *conn;
	ImportExit failure; /* of the first thing that failed, which was reported */
	bool canceled;
	bool committing; /* from here on an interrupt does not keep us from waiting for the answer */
} ImportConnection;

#define IMPORT_MAX_PARAMETERS 3

/* Asks for a password as psql does. False: reported. */
extern bool import_connection_open(ImportConnection *connection, const ImportOptions *options);
extern void import_connection_close(ImportConnection *connection);

/* Reports what libpq says went wrong; false. */
extern bool import_connection_fail(ImportConnection *connection);

/* Sends a statement without waiting. False: reported. */
extern bool import_connection_send(ImportConnection *connection, const char *statement,
								   const ImportParameter *parameters, int count);
/*
 * The next result, NULL where libpq gives NULL; statements that failed are reported. False: there
 * is no sense in going on (an error, an interrupt, the connection is gone).
 */
extern bool import_connection_receive(ImportConnection *connection, PGresult **result);
/* Both, for a statement with one result; the caller clears it. NULL: reported. */
extern PGresult *import_connection_run(ImportConnection *connection, const char *statement,
									   const ImportParameter *parameters, int count);

#endif
