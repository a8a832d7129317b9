/*
 * prewarm_list.c - what roformer.prewarm says: models to load when the server starts.
 *
 *   list     = [ element { "," element } ]
 *   element  = database "." model
 *   database, model = characters other than "," "." and quotes, without blanks around them,
 *                     or any characters in double quotes, a quote within them doubled
 *
 * Names are as they are: nothing is folded to lower case. Rejected: names that are empty or longer
 * than names are.
 */
#include "postgres.h"

#include "parser/scansup.h"

#include "pg/support.h"

static const char *
skip_blanks(const char *at)
{
	while (scanner_isspace(*at))
		at++;
	return at;
}

/* Appends to name [NAMEDATALEN]; false when it is full. */
static bool
add_character(char *name, int *length, char character)
{
	if (*length >= NAMEDATALEN - 1)
		return false;
	name[(*length)++] = character;
	name[*length] = '\0';
	return true;
}

/* Behind the name that begins here, or NULL with *complaint. */
static const char *
read_quoted(const char *at, char *name, const char **complaint)
{
	int length = 0;

	for (at++; *at != '"' || at[1] == '"'; at++)
	{
		if (*at == '\0')
		{
			*complaint = "A quoted name is not ended.";
			return NULL;
		}
		if (*at == '"')
			at++;
		if (!add_character(name, &length, *at))
		{
			*complaint = "A name is too long.";
			return NULL;
		}
	}
	return at + 1;
}

static const char *
read_bare(const char *at, char *name, const char **complaint)
{
	int length = 0;

	for (; *at != '\0' && strchr(",.\"", *at) == NULL; at++)
	{
		if (!add_character(name, &length, *at))
		{
			*complaint = "A name is too long.";
			return NULL;
		}
	}
	while (length > 0 && scanner_isspace(name[length - 1]))
		name[--length] = '\0';
	return at;
}

static const char *
read_name(const char *at, char *name, const char **complaint)
{
	at = skip_blanks(at);
	name[0] = '\0';
	at = *at == '"' ? read_quoted(at, name, complaint) : read_bare(at, name, complaint);
	if (at != NULL && name[0] == '\0')
	{
		*complaint = "Elements have the form database.model; neither name is empty.";
		return NULL;
	}
	return at == NULL ? NULL : skip_blanks(at);
}

static const char *
read_element(const char *at, RoformerPrewarmName *element, const char **complaint)
{
	at = read_name(at, element->database, complaint);
	if (at == NULL)
		return NULL;
	if (*at != '.')
	{
		*complaint = "Elements have the form database.model.";
		return NULL;
	}
	at = read_name(at + 1, element->model, complaint);
	if (at == NULL)
		return NULL;
	if (*at != ',' && *at != '\0')
	{
		*complaint = "A name with commas, dots or quotes must stand in double quotes.";
		return NULL;
	}
	return at;
}

List *
roformer_prewarm_parse(const char *value, const char **complaint)
{
	const char *at = skip_blanks(value);
	List *elements = NIL;

	*complaint = NULL;
	while (*at != '\0')
	{
		RoformerPrewarmName *element = palloc0(sizeof(*element));

		at = read_element(at, element, complaint);
		if (at == NULL)
			return NIL;
		elements = lappend(elements, element);
		if (*at == '\0')
			break;
		at = skip_blanks(at + 1);
		if (*at == '\0')
		{
			*complaint = "An element is missing behind the last comma.";
			return NIL;
		}
	}
	return elements;
}
