/*
 * json.h - jansson behind limits: what the engine reads from JSON files of strangers.
 *
 * Limits: RF_JSON_MAX_BYTES of text, RF_JSON_MAX_VALUES values; jansson's own nesting limit (2048);
 * duplicate keys, U+0000 in strings and invalid UTF-8 are errors.
 */
#ifndef RF_JSON_H
#define RF_JSON_H

#include <jansson.h>

#include "rf/status.h"

/* A safetensors header of a model with 100,000 tensors has about 15 MB. */
#define RF_JSON_MAX_BYTES ((size_t) 64 * 1024 * 1024)

/* Some 11 values describe a tensor; a parsed value takes up to 250 bytes of memory. */
#define RF_JSON_MAX_VALUES ((size_t) 4 * 1024 * 1024)

/*
 * Parses one JSON object; *object is to be released with json_decref. origin names the file in
 * errors. RF_CORRUPT with the line and column where it is no JSON object.
 */
extern RfCode rf_json_parse(const char *origin, const char *text, size_t length, json_t **object,
							RfError *err);
/* The same with all numbers real, for files in which an integer need not fit 64 bits. */
extern RfCode rf_json_parse_reals(const char *origin, const char *text, size_t length,
								  json_t **object, RfError *err);
/* As rf_json_parse, for an array. */
extern RfCode rf_json_parse_array(const char *origin, const char *text, size_t length,
								  json_t **array, RfError *err);

/*
 * Members of an object, each with a value for "absent or null". RF_CORRUPT, naming the key, when
 * the member has another type or lies outside [low, high].
 */
extern RfCode rf_json_integer(const json_t *object, const char *key, int64_t absent, int64_t low,
							  int64_t high, int64_t *value, RfError *err);
extern RfCode rf_json_boolean(const json_t *object, const char *key, bool absent, bool *value,
							  RfError *err);
extern RfCode rf_json_number(const json_t *object, const char *key, double absent, double *value,
							 RfError *err);
/* The string stays owned by the object. */
extern RfCode rf_json_string(const json_t *object, const char *key, const char *absent,
							 const char **value, RfError *err);

#endif
