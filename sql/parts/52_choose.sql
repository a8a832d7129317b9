/*
 * Multiple choice. The result of choose() is a subscript: choices[choose(model, prompt, choices)] is
 * the best choice. Many prompts share an array of choices, or have a row each of one of two
 * dimensions.
 */

CREATE FUNCTION roformer.choose(model text, prompt text, choices text[])
RETURNS int
LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 10000 SUPPORT roformer.inference_support
AS 'MODULE_PATHNAME', 'roformer_choose';

CREATE FUNCTION roformer.choose(model text, prompts text[], choices text[])
RETURNS int[]
LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 100000 SUPPORT roformer.inference_support
AS 'MODULE_PATHNAME', 'roformer_choose_array';

CREATE FUNCTION roformer.choose_scores(model text, prompt text, choices text[])
RETURNS real[]
LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 10000 SUPPORT roformer.inference_support
AS 'MODULE_PATHNAME', 'roformer_choose_scores';

CREATE FUNCTION roformer.choose_scores(model text, prompts text[], choices text[])
RETURNS real[]
LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 100000 SUPPORT roformer.inference_support
AS 'MODULE_PATHNAME', 'roformer_choose_scores_array';
