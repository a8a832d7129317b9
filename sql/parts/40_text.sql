/*
 * What a model reads. A name is bound to its content (load_model refuses a name that exists), so
 * these are IMMUTABLE, as to_tsvector(regconfig, text) is; replace_model() is documented like
 * ALTER TEXT SEARCH CONFIGURATION. Tokenizing 400 characters takes as long as to_tsvector(), which has
 * COST 100, for 40. Arrays are taken to have ten elements, as the planner does.
 */

CREATE FUNCTION roformer.tokenize(model text, text text, add_special_tokens boolean DEFAULT true)
RETURNS text[]
LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 100
AS 'MODULE_PATHNAME', 'roformer_tokenize';

CREATE FUNCTION roformer.tokenize(model text, text text, pair text,
	add_special_tokens boolean DEFAULT true)
RETURNS text[]
LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 100
AS 'MODULE_PATHNAME', 'roformer_tokenize';

CREATE FUNCTION roformer.tokenize(model text, texts text[], add_special_tokens boolean DEFAULT true)
RETURNS SETOF text[]
LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 1000 ROWS 10
AS 'MODULE_PATHNAME', 'roformer_tokenize_set';

CREATE FUNCTION roformer.tokenize(model text, texts text[], pairs text[],
	add_special_tokens boolean DEFAULT true)
RETURNS SETOF text[]
LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 1000 ROWS 10
AS 'MODULE_PATHNAME', 'roformer_tokenize_set';

CREATE FUNCTION roformer.token_count(model text, text text)
RETURNS int
LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 100
AS 'MODULE_PATHNAME', 'roformer_token_count';

CREATE FUNCTION roformer.token_count(model text, text text, pair text)
RETURNS int
LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 100
AS 'MODULE_PATHNAME', 'roformer_token_count';

CREATE FUNCTION roformer.token_count(model text, texts text[])
RETURNS int[]
LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 1000
AS 'MODULE_PATHNAME', 'roformer_token_count_array';

CREATE FUNCTION roformer.token_count(model text, texts text[], pairs text[])
RETURNS int[]
LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 1000
AS 'MODULE_PATHNAME', 'roformer_token_count_array';

/* max_length 0 stands for no limit: NULL would make the result of a STRICT function NULL. */
CREATE FUNCTION roformer.encode(model text, text text,
	add_special_tokens boolean DEFAULT true,
	max_length int DEFAULT 0,
	truncation text DEFAULT 'longest_first',
	truncation_side text DEFAULT 'right',
	padding text DEFAULT 'none')
RETURNS roformer.encoding
LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 100
AS 'MODULE_PATHNAME', 'roformer_encode';

CREATE FUNCTION roformer.encode(model text, text text, pair text,
	add_special_tokens boolean DEFAULT true,
	max_length int DEFAULT 0,
	truncation text DEFAULT 'longest_first',
	truncation_side text DEFAULT 'right',
	padding text DEFAULT 'none')
RETURNS roformer.encoding
LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 100
AS 'MODULE_PATHNAME', 'roformer_encode';

CREATE FUNCTION roformer.encode(model text, texts text[],
	add_special_tokens boolean DEFAULT true,
	max_length int DEFAULT 0,
	truncation text DEFAULT 'longest_first',
	truncation_side text DEFAULT 'right',
	padding text DEFAULT 'none')
RETURNS roformer.encoding[]
LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 1000
AS 'MODULE_PATHNAME', 'roformer_encode_array';

CREATE FUNCTION roformer.encode(model text, texts text[], pairs text[],
	add_special_tokens boolean DEFAULT true,
	max_length int DEFAULT 0,
	truncation text DEFAULT 'longest_first',
	truncation_side text DEFAULT 'right',
	padding text DEFAULT 'none')
RETURNS roformer.encoding[]
LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 1000
AS 'MODULE_PATHNAME', 'roformer_encode_array';

CREATE FUNCTION roformer.decode(model text, ids int[], skip_special_tokens boolean DEFAULT false)
RETURNS text
LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 100
AS 'MODULE_PATHNAME', 'roformer_decode';
