/*
 * import_report.h - what --dry-run says about a model directory.
 */
#ifndef IMPORT_REPORT_H
#define IMPORT_REPORT_H

#include "import_model.h"

/* As far as the model was opened; digest NULL: it was not computed. */
extern void import_report(FILE *stream, const char *name, const ImportModel *model,
						  const char *digest);

#endif
