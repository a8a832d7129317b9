/*
 * import_upload.h - sends a model in one transaction.
 */
#ifndef IMPORT_UPLOAD_H
#define IMPORT_UPLOAD_H

#include "import_connection.h"
#include "import_model.h"

/*
 * Everything from BEGIN to COMMIT; digest (IMPORT_DIGEST_TEXT bytes) is what the server computed.
 * False: reported, connection->failure says of what kind; nothing was stored, but for an answer to
 * COMMIT that never came.
 */
extern bool import_upload(ImportConnection *connection, const ImportModel *model,
						  const ImportOptions *options, ImportProgress *progress, char *digest);

#endif
