/*
 * report.c - the one place where an engine error becomes an ereport.
 *
 * The engine describes a failure in fixed buffers of UTF-8, which may quote bytes of hostile files.
 * Here they become text of the server's encoding ("?" for what is invalid or has no counterpart),
 * because a message the server can't convert would hide the error behind another one.
 */
#include "postgres.h"

#include "catalog/namespace.h"
#include "common/string.h"
#include "mb/pg_wchar.h"
#include "miscadmin.h"

#include "pg/support.h"

RoformerCanceledHook roformer_canceled_hook = NULL;

/* A refused permission is one wherever it was refused. */
static int
choose_sqlstate(const RfError *err)
{
	if (err->os_error == EACCES || err->os_error == EPERM)
		return ERRCODE_INSUFFICIENT_PRIVILEGE;
	switch (err->code)
	{
		case RF_NO_MEMORY:
			return ERRCODE_OUT_OF_MEMORY;
		case RF_CANCELED:
			return ERRCODE_QUERY_CANCELED;
		case RF_INVALID:
			return ERRCODE_INVALID_PARAMETER_VALUE;
		case RF_CORRUPT:
			return ERRCODE_DATA_CORRUPTED;
		case RF_UNSUPPORTED:
			return ERRCODE_FEATURE_NOT_SUPPORTED;
		case RF_LIMIT:
			return ERRCODE_PROGRAM_LIMIT_EXCEEDED;
		case RF_IO:
			return ERRCODE_IO_ERROR;
		case RF_NOT_FOUND:
			return ERRCODE_UNDEFINED_FILE;
		case RF_TOO_LONG:
			return ERRCODE_STRING_DATA_RIGHT_TRUNCATION;
		case RF_OK:
			break;
	}
	return ERRCODE_INTERNAL_ERROR;
}

/* Copies the valid characters of bytes, "?" for every byte that begins none. */
static char *
replace_invalid(const char *bytes, int length)
{
	char *result = palloc(length + 1);
	int used = 0;

	while (length > 0)
	{
		int valid = pg_encoding_verifymbstr(PG_UTF8, bytes, length);

		memcpy(result + used, bytes, valid);
		used += valid;
		bytes += valid;
		length -= valid;
		if (length > 0)
		{
			result[used++] = '?';
			bytes++;
			length--;
		}
	}
	result[used] = '\0';
	return result;
}

/* The characters of valid UTF-8 in the server's encoding, "?" for those it lacks. */
static char *
convert_possible(const char *utf8, int encoding)
{
	Oid conversion = FindDefaultConversionProc(PG_UTF8, encoding);
	int left = strlen(utf8);
	int space = left * MAX_CONVERSION_GROWTH + 1;
	char *result = palloc0(space);
	int used = 0;

	while (left > 0)
	{
		int done = 0;

		if (OidIsValid(conversion))
		{
			done = pg_do_encoding_conversion_buf(
				conversion, PG_UTF8, encoding, (unsigned char *) unconstify(char *, utf8), left,
				(unsigned char *) result + used, space - used, true);
			used += strlen(result + used);
		}
		if (done < left)
		{
			result[used++] = '?';
			result[used] = '\0';
			done += pg_encoding_mblen(PG_UTF8, utf8 + done);
		}
		utf8 += done;
		left -= done;
	}
	return result;
}

char *
roformer_report_text(const char *utf8)
{
	char *valid = replace_invalid(utf8, strlen(utf8));
	int encoding = GetDatabaseEncoding();

	if (encoding == PG_UTF8 || encoding == PG_SQL_ASCII || pg_is_ascii(valid))
		return valid;
	return convert_possible(valid, encoding);
}

static int
add_origin(const RfError *err)
{
	if (err->offset == RF_NO_OFFSET)
		return errcontext("%s", roformer_report_text(err->origin));
	return errcontext("%s, byte " UINT64_FORMAT, roformer_report_text(err->origin),
					  (uint64) err->offset);
}

/* The engine doesn't know what settings are called. */
static int
add_hint(const RfError *err)
{
	if (err->hint[0] != '\0')
		return errhint("%s", roformer_report_text(err->hint));
	if (err->code == RF_TOO_LONG)
		return errhint("A larger roformer.max_length reads more of such texts, and with "
					   "roformer.overflow = truncate they are cut.");
	return 0;
}

void
roformer_report_error(const RfError *err)
{
	/* Timeout, termination, conflict with recovery and Ctrl-C each have a message of their own. */
	if (err->code == RF_CANCELED)
	{
		if (roformer_canceled_hook != NULL)
			roformer_canceled_hook();
		CHECK_FOR_INTERRUPTS();
	}

	ereport(ERROR, (errcode(choose_sqlstate(err)), errmsg("%s", roformer_report_text(err->message)),
					err->detail[0] != '\0' ? errdetail("%s", roformer_report_text(err->detail)) : 0,
					add_hint(err), err->origin[0] != '\0' ? add_origin(err) : 0));
}
