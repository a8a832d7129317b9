/*
 * Text from causal language models. VOLATILE, because without a seed each call gives another text
 * unless temperature is 0. Not STRICT: no seed is NULL; a NULL elsewhere gives NULL. A token costs
 * about as much as a short text does elsewhere, and by default there are up to 64 of them.
 */

CREATE FUNCTION roformer.generate(
	model text, prompt text, max_new_tokens int DEFAULT 64, temperature double precision DEFAULT 0,
	top_k int DEFAULT 0, top_p double precision DEFAULT 1, seed bigint DEFAULT NULL)
RETURNS text
LANGUAGE C VOLATILE PARALLEL SAFE COST 100000
AS 'MODULE_PATHNAME', 'roformer_generate';

CREATE FUNCTION roformer.generate(
	model text, prompts text[], max_new_tokens int DEFAULT 64, temperature double precision DEFAULT 0,
	top_k int DEFAULT 0, top_p double precision DEFAULT 1, seed bigint DEFAULT NULL)
RETURNS text[]
LANGUAGE C VOLATILE PARALLEL SAFE COST 1000000
AS 'MODULE_PATHNAME', 'roformer_generate_array';
