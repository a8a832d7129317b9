/*
 * Question answering: pairs of questions and contexts, one question of many contexts, many of one.
 */

CREATE FUNCTION roformer.answer(model text, question text, context text,
	max_answer_len int DEFAULT 15, doc_stride int DEFAULT 128, handle_impossible_answer boolean DEFAULT false)
RETURNS roformer.answer
LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 10000 SUPPORT roformer.inference_support
AS 'MODULE_PATHNAME', 'roformer_answer';

CREATE FUNCTION roformer.answer(model text, questions text[], contexts text[],
	max_answer_len int DEFAULT 15, doc_stride int DEFAULT 128, handle_impossible_answer boolean DEFAULT false)
RETURNS roformer.answer[]
LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 100000 SUPPORT roformer.inference_support
AS 'MODULE_PATHNAME', 'roformer_answer_array';

CREATE FUNCTION roformer.answer(model text, question text, contexts text[],
	max_answer_len int DEFAULT 15, doc_stride int DEFAULT 128, handle_impossible_answer boolean DEFAULT false)
RETURNS roformer.answer[]
LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 100000 SUPPORT roformer.inference_support
AS 'MODULE_PATHNAME', 'roformer_answer_contexts';

CREATE FUNCTION roformer.answer(model text, questions text[], context text,
	max_answer_len int DEFAULT 15, doc_stride int DEFAULT 128, handle_impossible_answer boolean DEFAULT false)
RETURNS roformer.answer[]
LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 100000 SUPPORT roformer.inference_support
AS 'MODULE_PATHNAME', 'roformer_answer_questions';
