/*
 * fn_option.c - arguments that choose: one of some words, or a number within limits.
 */
#include "postgres.h"

#include "lib/stringinfo.h"
#include "utils/builtins.h"

#include "pg/fn.h"

int
roformer_option_word(FunctionCallInfo fcinfo, int argument, const char *name,
					 const RoformerWord *words)
{
	char *given = text_to_cstring(PG_GETARG_TEXT_PP(argument));
	StringInfoData known;

	for (const RoformerWord *word = words; word->word != NULL; word++)
	{
		if (pg_strcasecmp(given, word->word) == 0)
			return word->value;
	}
	initStringInfo(&known);
	for (const RoformerWord *word = words; word->word != NULL; word++)
		appendStringInfo(&known, "%s%s", word == words ? "" : ", ", word->word);
	ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
					errmsg("invalid value for argument \"%s\": \"%s\"", name, given),
					errhint("Available values: %s.", known.data)));
}

int32
roformer_option_integer(FunctionCallInfo fcinfo, int argument, const char *name, int32 low,
						int32 high)
{
	int32 given = PG_GETARG_INT32(argument);

	if (given < low || given > high)
		ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
						errmsg("invalid value for argument \"%s\": %d", name, given),
						errdetail("Valid values are between %d and %d.", low, high)));
	return given;
}

double
roformer_option_real(FunctionCallInfo fcinfo, int argument, const char *name, double low,
					 double high)
{
	double given = PG_GETARG_FLOAT8(argument);

	if (!(given >= low && given <= high))
		ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
						errmsg("invalid value for argument \"%s\": %g", name, given),
						errdetail("Valid values are between %g and %g.", low, high)));
	return given;
}
