/*
 * name_parts.h - taking names apart at their slashes and putting others together.
 */
#ifndef RF_NAME_PARTS_H
#define RF_NAME_PARTS_H

#include <stdbool.h>
#include <stddef.h>

/* Part of a name, not NUL-terminated. */
typedef struct RfNamePart
{
	const char *at;
	size_t length;
} RfNamePart;

/* A name being put together: always NUL-terminated. */
typedef struct RfName
{
	char *text; /* [size] */
	size_t size;
	size_t used;
} RfName;

extern void rf_name_begin(RfName *name, char *text, size_t size);
/* These return false when there is no room. */
extern bool rf_name_add(RfName *name, const char *text);
extern bool rf_name_add_part(RfName *name, RfNamePart part);

/* Cuts the first part off *rest, with the slash behind it; false when it was the last. */
extern bool rf_name_next_part(RfNamePart *rest, RfNamePart *part);
extern bool rf_name_part_is(RfNamePart part, const char *text);

#endif
