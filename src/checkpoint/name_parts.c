/*
 * name_parts.c - taking names apart at their slashes and putting others together.
 */
#include "name_parts.h"

#include <string.h>

void
rf_name_begin(RfName *name, char *text, size_t size)
{
	*name = (RfName){text, size, 0};
	text[0] = '\0';
}

bool
rf_name_add_part(RfName *name, RfNamePart part)
{
	if (part.length >= name->size - name->used)
		return false;
	memcpy(name->text + name->used, part.at, part.length);
	name->used += part.length;
	name->text[name->used] = '\0';
	return true;
}

bool
rf_name_add(RfName *name, const char *text)
{
	return rf_name_add_part(name, (RfNamePart){text, strlen(text)});
}

bool
rf_name_next_part(RfNamePart *rest, RfNamePart *part)
{
	const char *slash = memchr(rest->at, '/', rest->length);

	*part = *rest;
	if (slash == NULL)
		return false;
	part->length = (size_t) (slash - rest->at);
	rest->at = slash + 1;
	rest->length -= part->length + 1;
	return true;
}

bool
rf_name_part_is(RfNamePart part, const char *text)
{
	return part.length == strlen(text) && memcmp(part.at, text, part.length) == 0;
}
