/*
 * import_message.c - what the program says on stderr, in the form of PostgreSQL's programs.
 *
 * Messages may quote names from strangers' files: control characters in them must not reach a
 * terminal, which would obey them.
 */
#include "postgres_fe.h"

#include "common/logging.h"

#include "import_message.h"

#include <inttypes.h>
#include <stdarg.h>

static ImportProgress *progress_to_clear = NULL;

static void
clear_progress(void)
{
	if (progress_to_clear != NULL)
		import_progress_clear(progress_to_clear);
}

void
import_message_init(const char *argv0)
{
	pg_logging_init(argv0);
	pg_logging_set_pre_callback(clear_progress);
}

void
import_message_set_progress(ImportProgress *progress)
{
	progress_to_clear = progress;
}

static void pg_attribute_printf(3, 0)
write_message(enum pg_log_level level, enum pg_log_part part, const char *fmt, va_list args)
{
	char text[4096];

	vsnprintf(text, sizeof(text), fmt, args);
	for (char *c = text; *c != '\0'; c++)
	{
		if (((unsigned char) *c < 0x20 && *c != '\n' && *c != '\t') || *c == 0x7F)
			*c = '?';
	}
	pg_log_generic(level, part, "%s", text);
}

#define WRITE_MESSAGE(level, part)                                                                 \
	do                                                                                             \
	{                                                                                              \
		va_list args;                                                                              \
                                                                                                   \
		va_start(args, fmt);                                                                       \
		write_message(level, part, fmt, args);                                                     \
		va_end(args);                                                                              \
	} while (0)

void
import_message_error(const char *fmt, ...)
{
	WRITE_MESSAGE(PG_LOG_ERROR, PG_LOG_PRIMARY);
}

void
import_message_detail(const char *fmt, ...)
{
	WRITE_MESSAGE(PG_LOG_ERROR, PG_LOG_DETAIL);
}

void
import_message_hint(const char *fmt, ...)
{
	WRITE_MESSAGE(PG_LOG_ERROR, PG_LOG_HINT);
}

void
import_message_warning(const char *fmt, ...)
{
	WRITE_MESSAGE(PG_LOG_WARNING, PG_LOG_PRIMARY);
}

void
import_message_info(const char *fmt, ...)
{
	WRITE_MESSAGE(PG_LOG_INFO, PG_LOG_PRIMARY);
}

void
import_message_engine_error(const RfError *err)
{
	import_message_error("%s", err->message);
	if (err->detail[0] != '\0')
		import_message_detail("%s", err->detail);
	if (err->origin[0] != '\0' && err->offset != RF_NO_OFFSET)
		import_message_detail("In \"%s\", byte %" PRIu64 ".", err->origin, err->offset);
	else if (err->origin[0] != '\0')
		import_message_detail("In \"%s\".", err->origin);
	if (err->hint[0] != '\0')
		import_message_hint("%s", err->hint);
}
