/*
 * json.c - jansson behind limits.
 *
 * jansson builds the whole tree, some two hundred bytes for the two of an empty array. Values are
 * therefore counted before it sees the text.
 */
#include "rf/json.h"

#include <inttypes.h>
#include <string.h>

#include "rf/utf8.h"

/* Commas, colons and opening brackets outside strings: no fewer than values less one. */
static size_t
count_values(const char *text, size_t length)
{
	size_t count = 1;
	bool in_string = false;

	for (size_t i = 0; i < length; i++)
	{
		char c = text[i];

		if (in_string)
		{
			if (c == '\\')
				i++;
			else if (c == '"')
				in_string = false;
		}
		else if (c == '"')
			in_string = true;
		else
			count += c == ',' || c == ':' || c == '[' || c == '{';
	}
	return count;
}

static RfCode
parse_value(const char *origin, const char *text, size_t length, size_t flags, json_t **value,
			RfError *err)
{
	json_error_t why;

	*value = NULL;
	RF_FAIL_IF(length > RF_JSON_MAX_BYTES, err, RF_LIMIT,
			   "\"%s\" has %zu bytes of JSON, more than %zu", origin, length, RF_JSON_MAX_BYTES);
	RF_FAIL_IF(count_values(text, length) > RF_JSON_MAX_VALUES, err, RF_LIMIT,
			   "\"%s\" has more than %zu JSON values", origin, RF_JSON_MAX_VALUES);
	*value = json_loadb(text, length, JSON_REJECT_DUPLICATES | flags, &why);
	if (*value == NULL &&
		(json_error_code(&why) == json_error_out_of_memory || why.text[0] == '\0'))
		return rf_error_memory(err, length);
	if (*value == NULL)
	{
		rf_error_set(err, RF_CORRUPT, "\"%s\" is not valid JSON", origin);
		/* jansson quotes what is near the error, which may end within a character. */
		rf_error_detail(err, "Line %d, column %d: %.*s.", why.line, why.column,
						(int) rf_utf8_valid_prefix(why.text, strlen(why.text)), why.text);
		rf_error_origin(err, origin, (uint64_t) why.position);
		return RF_CORRUPT;
	}
	return RF_OK;
}

/* Gives back what is not of the type that was asked for. */
static RfCode
require_type(const char *origin, json_t **value, json_type type, const char *wanted, RfError *err)
{
	if (json_typeof(*value) == type)
		return RF_OK;
	json_decref(*value);
	*value = NULL;
	rf_error_set(err, RF_CORRUPT, "\"%s\" is not a JSON %s", origin, wanted);
	rf_error_origin(err, origin, 0);
	return RF_CORRUPT;
}

RfCode
rf_json_parse(const char *origin, const char *text, size_t length, json_t **object, RfError *err)
{
	RF_TRY(parse_value(origin, text, length, 0, object, err));
	return require_type(origin, object, JSON_OBJECT, "object", err);
}

RfCode
rf_json_parse_reals(const char *origin, const char *text, size_t length, json_t **object,
					RfError *err)
{
	RF_TRY(parse_value(origin, text, length, JSON_DECODE_INT_AS_REAL, object, err));
	return require_type(origin, object, JSON_OBJECT, "object", err);
}

RfCode
rf_json_parse_array(const char *origin, const char *text, size_t length, json_t **array,
					RfError *err)
{
	RF_TRY(parse_value(origin, text, length, 0, array, err));
	return require_type(origin, array, JSON_ARRAY, "array", err);
}

static const json_t *
member_of(const json_t *object, const char *key)
{
	const json_t *member = json_object_get(object, key);

	return json_is_null(member) ? NULL : member;
}

RfCode
rf_json_integer(const json_t *object, const char *key, int64_t absent, int64_t low, int64_t high,
				int64_t *value, RfError *err)
{
	const json_t *member = member_of(object, key);

	*value = absent;
	if (member == NULL)
		return RF_OK;
	RF_FAIL_IF(!json_is_integer(member), err, RF_CORRUPT, "\"%s\" is not an integer", key);
	*value = json_integer_value(member);
	RF_FAIL_IF(*value < low || *value > high, err, RF_CORRUPT,
			   "\"%s\" is %" PRId64 ", outside %" PRId64 " .. %" PRId64, key, *value, low, high);
	return RF_OK;
}

RfCode
rf_json_boolean(const json_t *object, const char *key, bool absent, bool *value, RfError *err)
{
	const json_t *member = member_of(object, key);

	*value = absent;
	if (member == NULL)
		return RF_OK;
	RF_FAIL_IF(!json_is_boolean(member), err, RF_CORRUPT, "\"%s\" is not a boolean", key);
	*value = json_is_true(member);
	return RF_OK;
}

RfCode
rf_json_number(const json_t *object, const char *key, double absent, double *value, RfError *err)
{
	const json_t *member = member_of(object, key);

	*value = absent;
	if (member == NULL)
		return RF_OK;
	RF_FAIL_IF(!json_is_number(member), err, RF_CORRUPT, "\"%s\" is not a number", key);
	*value = json_number_value(member);
	return RF_OK;
}

RfCode
rf_json_string(const json_t *object, const char *key, const char *absent, const char **value,
			   RfError *err)
{
	const json_t *member = member_of(object, key);

	*value = absent;
	if (member == NULL)
		return RF_OK;
	RF_FAIL_IF(!json_is_string(member), err, RF_CORRUPT, "\"%s\" is not a string", key);
	*value = json_string_value(member);
	return RF_OK;
}
