/*
 * tokenizer_options.c - tokenizer_config.json, special_tokens_map.json and added_tokens.json.
 *
 * Read: tokenizer_class, do_lower_case, do_basic_tokenize, strip_accents, tokenize_chinese_chars,
 * never_split, model_max_length, the special tokens unk, sep, pad, cls, mask, bos and eos,
 * additional_special_tokens, added_tokens_decoder (tokenizer_config.json of newer releases) and the
 * members of added_tokens.json. A special token is a string or an object with "content".
 * special_tokens_map.json goes before tokenizer_config.json. Other keys are ignored; null is the
 * same as absent; a value of the wrong type is RF_CORRUPT.
 *
 * Numbers are read as reals: "no limit" is written as the integer 10^30.
 */
#include "rf/tokenizer.h"

#include <limits.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "rf/json.h"

#define CONFIG_NAME "tokenizer_config.json"
#define SPECIAL_MAP_NAME "special_tokens_map.json"
#define ADDED_NAME "added_tokens.json"

/* What the reference writes for "not known" and anything no text can reach. */
#define MODEL_MAX_LENGTH_LIMIT INT32_MAX

typedef struct Parser
{
	RfArena *arena;
	RfError *err;
	RfTokenizerOptions *options;
	const char **added; /* [capacity] */
	int32_t *added_ids;
	bool *added_special;
	size_t capacity;
} Parser;

static const struct
{
	const char *name;
	RfTokenizerClass tokenizer_class;
	bool fast;
} classes[] = {
	{"BertTokenizer", RF_TOKENIZER_BERT, false},
	{"BertTokenizerFast", RF_TOKENIZER_BERT, true},
	{"RoFormerTokenizer", RF_TOKENIZER_ROFORMER, false},
	{"RoFormerTokenizerFast", RF_TOKENIZER_ROFORMER, true},
};

static const struct
{
	const char *key;
	const char *literal;
} specials[RF_SPECIAL_COUNT] = {
	[RF_SPECIAL_UNK] = {"unk_token", "[UNK]"},    [RF_SPECIAL_SEP] = {"sep_token", "[SEP]"},
	[RF_SPECIAL_PAD] = {"pad_token", "[PAD]"},    [RF_SPECIAL_CLS] = {"cls_token", "[CLS]"},
	[RF_SPECIAL_MASK] = {"mask_token", "[MASK]"},
};

static RfCode
copy_string(Parser *parser, const char *text, const char **copy)
{
	*copy = rf_arena_copy(parser->arena, text, strlen(text));
	return *copy == NULL ? rf_error_memory(parser->err, strlen(text) + 1) : RF_OK;
}

/* A token as a string or as an object with "content"; key is for messages. */
static RfCode
read_token(Parser *parser, const char *key, const json_t *value, const char **token)
{
	if (json_is_object(value))
		value = json_object_get(value, "content");
	RF_FAIL_IF(!json_is_string(value), parser->err, RF_CORRUPT,
			   "\"%s\" is neither a string nor an object with a string \"content\"", key);
	RF_FAIL_IF(json_string_length(value) == 0, parser->err, RF_CORRUPT, "\"%s\" is empty", key);
	return copy_string(parser, json_string_value(value), token);
}

static RfCode
grow_added(Parser *parser)
{
	size_t capacity = parser->capacity == 0 ? 16 : parser->capacity * 2;
	size_t count = parser->options->added_count;
	const char **added;
	int32_t *ids;
	bool *special;

	RF_NEW(parser->arena, added, capacity, parser->err);
	RF_NEW(parser->arena, ids, capacity, parser->err);
	RF_NEW(parser->arena, special, capacity, parser->err);
	if (count > 0)
	{
		memcpy(added, parser->added, count * sizeof(*added));
		memcpy(ids, parser->added_ids, count * sizeof(*ids));
		memcpy(special, parser->added_special, count * sizeof(*special));
	}
	parser->added = added;
	parser->added_ids = ids;
	parser->added_special = special;
	parser->capacity = capacity;
	return RF_OK;
}

static RfCode
add_token(Parser *parser, const char *token, int32_t id, bool special)
{
	size_t at = parser->options->added_count;

	if (at == parser->capacity)
		RF_TRY(grow_added(parser));
	parser->added[at] = token;
	parser->added_ids[at] = id;
	parser->added_special[at] = special;
	parser->options->added_count++;
	return RF_OK;
}

static RfCode
read_class(Parser *parser, const json_t *config)
{
	const char *name;

	RF_TRY(rf_json_string(config, "tokenizer_class", NULL, &name, parser->err));
	if (name == NULL)
		return RF_OK;
	for (size_t i = 0; i < sizeof(classes) / sizeof(classes[0]); i++)
	{
		if (strcmp(name, classes[i].name) == 0)
		{
			parser->options->tokenizer_class = classes[i].tokenizer_class;
			parser->options->fast = classes[i].fast;
			return RF_OK;
		}
	}
	rf_error_set(parser->err, RF_UNSUPPORTED, "tokenizer class \"%s\" is not supported", name);
	rf_error_detail(parser->err, "RoFormer models use BertTokenizer or RoFormerTokenizer.");
	return RF_UNSUPPORTED;
}

static RfCode
read_max_length(Parser *parser, const json_t *config)
{
	double value;

	RF_TRY(rf_json_number(config, "model_max_length", 0, &value, parser->err));
	RF_FAIL_IF(!(value >= 0) || (value < MODEL_MAX_LENGTH_LIMIT && value != floor(value)),
			   parser->err, RF_CORRUPT, "\"model_max_length\" is %g, which is no length", value);
	parser->options->model_max_length = value < MODEL_MAX_LENGTH_LIMIT ? (int64_t) value : 0;
	return RF_OK;
}

static RfCode
read_never_split(Parser *parser, const json_t *config)
{
	const json_t *list = json_object_get(config, "never_split");
	const char **texts;

	if (list == NULL || json_is_null(list))
		return RF_OK;
	RF_FAIL_IF(!json_is_array(list), parser->err, RF_CORRUPT, "\"never_split\" is not an array");
	RF_NEW(parser->arena, texts, json_array_size(list), parser->err);
	for (size_t i = 0; i < json_array_size(list); i++)
		RF_TRY(read_token(parser, "never_split", json_array_get(list, i), &texts[i]));
	parser->options->never_split = texts;
	parser->options->never_split_count = json_array_size(list);
	return RF_OK;
}

static RfCode
read_switches(Parser *parser, const json_t *config)
{
	RfTokenizerOptions *options = parser->options;
	RfError *err = parser->err;

	RF_TRY(rf_json_boolean(config, "do_lower_case", true, &options->do_lower_case, err));
	RF_TRY(rf_json_boolean(config, "do_basic_tokenize", true, &options->do_basic_tokenize, err));
	RF_TRY(rf_json_boolean(config, "strip_accents", options->do_lower_case, &options->strip_accents,
						   err));
	return rf_json_boolean(config, "tokenize_chinese_chars", true, &options->tokenize_chinese_chars,
						   err);
}

/* The special tokens of one file; those of an earlier file stay where this one has none. */
static RfCode
read_special_tokens(Parser *parser, const json_t *file)
{
	static const char *const others[] = {"bos_token", "eos_token"};
	const json_t *list = json_object_get(file, "additional_special_tokens");
	const char *token;

	for (int i = 0; i < RF_SPECIAL_COUNT; i++)
	{
		const json_t *value = json_object_get(file, specials[i].key);

		if (value != NULL && !json_is_null(value))
			RF_TRY(read_token(parser, specials[i].key, value, &parser->options->special[i]));
	}
	for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++)
	{
		const json_t *value = json_object_get(file, others[i]);

		if (value == NULL || json_is_null(value))
			continue;
		RF_TRY(read_token(parser, others[i], value, &token));
		RF_TRY(add_token(parser, token, -1, true));
	}
	if (list == NULL || json_is_null(list))
		return RF_OK;
	RF_FAIL_IF(!json_is_array(list), parser->err, RF_CORRUPT,
			   "\"additional_special_tokens\" is not an array");
	for (size_t i = 0; i < json_array_size(list); i++)
	{
		RF_TRY(read_token(parser, "additional_special_tokens", json_array_get(list, i), &token));
		RF_TRY(add_token(parser, token, -1, true));
	}
	return RF_OK;
}

/* Ids of tokens as a file says them; key is for messages. */
static RfCode
check_id(Parser *parser, const char *key, double value, int32_t *id)
{
	RF_FAIL_IF(!(value >= 0 && value < INT32_MAX && value == floor(value)), parser->err, RF_CORRUPT,
			   "\"%s\" has a token with id %g", key, value);
	*id = (int32_t) value;
	return RF_OK;
}

/* added_tokens_decoder: id, as a string, to an object. */
static RfCode
read_decoder(Parser *parser, const json_t *config)
{
	const char *const key = "added_tokens_decoder";
	json_t *decoder = json_object_get(config, key);
	const char *name;
	json_t *value;

	if (decoder == NULL || json_is_null(decoder))
		return RF_OK;
	RF_FAIL_IF(!json_is_object(decoder), parser->err, RF_CORRUPT, "\"%s\" is not an object", key);
	json_object_foreach(decoder, name, value)
	{
		const char *token;
		int32_t id = 0;
		bool special;

		RF_FAIL_IF(name[0] == '\0' || name[strspn(name, "0123456789")] != '\0', parser->err,
				   RF_CORRUPT, "\"%s\" has a member that is no id", key);
		RF_TRY(check_id(parser, key, strtod(name, NULL), &id));
		RF_FAIL_IF(!json_is_object(value), parser->err, RF_CORRUPT,
				   "\"%s\" has a token that is not an object", key);
		RF_TRY(read_token(parser, key, value, &token));
		RF_TRY(rf_json_boolean(value, "special", false, &special, parser->err));
		RF_TRY(add_token(parser, token, id, special));
	}
	return RF_OK;
}

/* added_tokens.json: token to id. Whether one is special stands elsewhere. */
static RfCode
read_added(Parser *parser, json_t *added)
{
	const char *name;
	json_t *value;

	json_object_foreach(added, name, value)
	{
		const char *token;
		int32_t id = 0;

		RF_FAIL_IF(!json_is_number(value), parser->err, RF_CORRUPT,
				   "the id of token \"%s\" is not a number", name);
		RF_FAIL_IF(name[0] == '\0', parser->err, RF_CORRUPT, "an added token is empty");
		RF_TRY(check_id(parser, ADDED_NAME, json_number_value(value), &id));
		RF_TRY(copy_string(parser, name, &token));
		RF_TRY(add_token(parser, token, id, false));
	}
	return RF_OK;
}

static RfCode
read_config(Parser *parser, json_t *config)
{
	RF_TRY(read_class(parser, config));
	RF_TRY(read_switches(parser, config));
	RF_TRY(read_max_length(parser, config));
	RF_TRY(read_never_split(parser, config));
	RF_TRY(read_special_tokens(parser, config));
	return read_decoder(parser, config);
}

static RfCode
read_special_map(Parser *parser, json_t *special_map)
{
	return read_special_tokens(parser, special_map);
}

typedef RfCode (*Reader)(Parser *parser, json_t *file);

static RfCode
read_file(Parser *parser, const char *name, const char *text, size_t length, Reader reader)
{
	json_t *file;
	RfCode code;

	if (text == NULL)
		return RF_OK;
	RF_TRY(rf_json_parse_reals(name, text, length, &file, parser->err));
	code = reader(parser, file);
	json_decref(file);
	if (code != RF_OK && code != RF_NO_MEMORY)
		rf_error_origin(parser->err, name, RF_NO_OFFSET);
	return code;
}

static void
set_defaults(RfTokenizerOptions *options)
{
	memset(options, 0, sizeof(*options));
	/* What the reference takes for a RoFormer model whose files name no class. */
	options->tokenizer_class = RF_TOKENIZER_ROFORMER;
	options->do_lower_case = true;
	options->do_basic_tokenize = true;
	options->strip_accents = true;
	options->tokenize_chinese_chars = true;
	for (int i = 0; i < RF_SPECIAL_COUNT; i++)
		options->special[i] = specials[i].literal;
}

/* A special token is special wherever else it is listed: it is never lower-cased. */
static RfCode
mark_special(Parser *parser)
{
	RfTokenizerOptions *options = parser->options;
	/* Not json_object(): in a backend that name is PostgreSQL's SQL function, and its comes first. */
	json_t *texts = json_pack("{}");
	bool stored = texts != NULL;

	for (int i = 0; stored && i < RF_SPECIAL_COUNT; i++)
		stored = json_object_set_new(texts, options->special[i], json_true()) == 0;
	for (size_t i = 0; stored && i < options->added_count; i++)
		if (parser->added_special[i])
			stored = json_object_set_new(texts, parser->added[i], json_true()) == 0;
	for (size_t i = 0; stored && i < options->added_count; i++)
		parser->added_special[i] = json_object_get(texts, parser->added[i]) != NULL;
	json_decref(texts);
	return stored ? RF_OK : rf_error_memory(parser->err, options->added_count);
}

RfCode
rf_tokenizer_options_parse(const char *config, size_t config_length, const char *special_map,
						   size_t special_map_length, const char *added, size_t added_length,
						   RfArena *arena, RfTokenizerOptions *options, RfError *err)
{
	Parser parser = {.arena = arena, .err = err, .options = options};

	set_defaults(options);
	RF_TRY(read_file(&parser, CONFIG_NAME, config, config_length, read_config));
	RF_TRY(read_file(&parser, SPECIAL_MAP_NAME, special_map, special_map_length, read_special_map));
	RF_TRY(read_file(&parser, ADDED_NAME, added, added_length, read_added));
	RF_TRY(mark_special(&parser));
	options->added = parser.added;
	options->added_ids = parser.added_ids;
	options->added_special = parser.added_special;
	return RF_OK;
}
