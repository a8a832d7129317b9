/*
 * json.c - jansson behind limits.
 */
#include "rf/json.h"

#include <inttypes.h>

RfCode
rf_json_parse(const char *origin, const char *text, size_t length, json_t **object, RfError *err)
{
	json_error_t why;

	*object = NULL;
	if (length > RF_JSON_MAX_BYTES)
	{
		rf_error_set(err, RF_LIMIT, "\"%s\" has %zu bytes of JSON, more than %zu", origin, length,
					 RF_JSON_MAX_BYTES);
		return RF_LIMIT;
	}
	*object = json_loadb(text, length, JSON_REJECT_DUPLICATES, &why);
	if (*object == NULL)
	{
		rf_error_set(err, RF_CORRUPT, "\"%s\" is not valid JSON", origin);
		rf_error_detail(err, "Line %d, column %d: %s.", why.line, why.column, why.text);
		rf_error_origin(err, origin, (uint64_t) why.position);
		return RF_CORRUPT;
	}
	if (!json_is_object(*object))
	{
		json_decref(*object);
		*object = NULL;
		rf_error_set(err, RF_CORRUPT, "\"%s\" is not a JSON object", origin);
		rf_error_origin(err, origin, 0);
		return RF_CORRUPT;
	}
	return RF_OK;
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
