/*
 * import_message.h - what the program says on stderr, in the form of PostgreSQL's programs.
 */
#ifndef IMPORT_MESSAGE_H
#define IMPORT_MESSAGE_H

#include "import_progress.h"
#include "rf/status.h"

/* Takes the program's path. From now on messages take that progress out of their way. */
extern void import_message_init(const char *argv0);
extern void import_message_set_progress(ImportProgress *progress); /* NULL: none */

extern void import_message_error(const char *fmt, ...) RF_PRINTF(1, 2);
extern void import_message_detail(const char *fmt, ...) RF_PRINTF(1, 2);
extern void import_message_hint(const char *fmt, ...) RF_PRINTF(1, 2);
extern void import_message_warning(const char *fmt, ...) RF_PRINTF(1, 2);
extern void import_message_info(const char *fmt, ...) RF_PRINTF(1, 2);

/* An error of the engine with all it has to say. */
extern void import_message_engine_error(const RfError *err);

#endif
