/* What the inference functions return. Positions are 1-based, for substr(). */

CREATE TYPE roformer.encoding AS (
	input_ids int[],
	token_type_ids int[],
	special_tokens_mask int[],
	start int[],
	length int[]
);
COMMENT ON TYPE roformer.encoding IS 'a text, or a pair of texts, as the model reads it';

CREATE TYPE roformer.label_score AS (
	label text,
	score real
);
COMMENT ON TYPE roformer.label_score IS 'a label and its probability';

CREATE TYPE roformer.entity AS (
	label text,
	score real,
	entity text,
	start int,
	length int
);
COMMENT ON TYPE roformer.entity IS 'a labelled part of a text';

CREATE TYPE roformer.fill AS (
	mask int,
	token text,
	score real,
	sequence text
);
COMMENT ON TYPE roformer.fill IS 'a token in place of a mask, and the text with it';

CREATE TYPE roformer.answer AS (
	answer text,
	score real,
	start int,
	length int
);
COMMENT ON TYPE roformer.answer IS 'the part of a context that answers a question';
