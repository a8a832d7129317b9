-- tokenize, token_count, decode: what the model reads
SET client_min_messages = error;
CREATE EXTENSION IF NOT EXISTS roformer;
\getenv golden ROFORMER_GOLDEN
\set directory :golden '/models/enc-en-proj'
\o /dev/null
SELECT roformer.load_model('tok_en', :'directory');
\o

-- all that the model gets, added tokens included
SELECT roformer.tokenize('tok_en', 'Hello, world!');
SELECT roformer.tokenize('tok_en', 'Hello, world!', add_special_tokens => false);
SELECT roformer.tokenize('tok_en', 'Café [MASK] Zürich');
SELECT roformer.token_count('tok_en', 'Hello, world!') = cardinality(roformer.tokenize('tok_en', 'Hello, world!')) AS same;

-- untyped literals are single texts
SELECT roformer.tokenize('tok_en', 'the question', 'the answer');
SELECT roformer.tokenize('tok_en', 'the question', 'the answer', false);
SELECT roformer.token_count('tok_en', 'the question', 'the answer');
SELECT pg_typeof(roformer.token_count('tok_en', '{a,b}'));

-- the empty string is a text, also as a second one; NULL gives NULL
SELECT roformer.tokenize('tok_en', '') AS one, roformer.tokenize('tok_en', '', '') AS two;
SELECT roformer.tokenize('tok_en', '', add_special_tokens => false) AS none;
SELECT roformer.token_count('tok_en', '') AS one, roformer.token_count('tok_en', 'a', '') AS two;
SELECT roformer.tokenize('tok_en', NULL) IS NULL AS text, roformer.tokenize(NULL, 'a') IS NULL AS model,
	roformer.tokenize('tok_en', 'a', NULL::text) IS NULL AS pair, roformer.token_count('tok_en', NULL::text) IS NULL AS count;

-- arrays
SELECT * FROM roformer.tokenize('tok_en', ARRAY['one story', NULL, '', 'a [MASK]']) WITH ORDINALITY;
SELECT * FROM roformer.tokenize('tok_en', ARRAY['one', 'two', NULL], ARRAY['story', NULL, 'three']) WITH ORDINALITY;
SELECT roformer.tokenize('tok_en', ARRAY['one', 'two'], add_special_tokens => false);
SELECT roformer.token_count('tok_en', ARRAY['one story', NULL, '']);
SELECT roformer.token_count('tok_en', ARRAY['one', NULL], ARRAY['story', 'two']);
SELECT roformer.token_count('tok_en', '{}'::text[]) AS count, (SELECT count(*) FROM roformer.tokenize('tok_en', '{}'::text[])) AS rows;
-- results stand where their texts stood
SELECT roformer.token_count('tok_en', '[5:6]={one,two stories}'::text[]);
SELECT roformer.token_count('tok_en', '{{a,b},{c,d}}'::text[]);
SELECT roformer.token_count('tok_en', ARRAY['a', 'b'], ARRAY['c']);
SELECT roformer.tokenize('tok_en', '{{a}}'::text[]);

-- back to text
SELECT roformer.decode('tok_en', (roformer.encode('tok_en', 'Don''t you think so , too ?')).input_ids);
SELECT roformer.decode('tok_en', (roformer.encode('tok_en', 'Don''t you think so , too ?')).input_ids, skip_special_tokens => true);
SELECT roformer.decode('tok_en', '{}') = '' AS nothing, roformer.decode('tok_en', NULL) IS NULL AS null;
-- what is outside the vocabulary is unknown
SELECT roformer.decode('tok_en', ARRAY[-1, 2147483647, 1000000]);
SELECT roformer.decode('tok_en', ARRAY[1, NULL]);
SELECT roformer.decode('tok_en', '{{1},{2}}');

-- white space of all kinds, control characters, very long words
SELECT roformer.tokenize('tok_en', e' \t\r\n\u00a0\u3000 ') AS blank, roformer.tokenize('tok_en', e'a\u0001\u200bb') AS joined;
SELECT roformer.tokenize('tok_en', repeat('x', 101)) AS unknown, roformer.token_count('tok_en', repeat('a ', 100000)) AS long;

-- the reference's two tokenizers: the fast one keeps what its older tables don't know
SELECT roformer.tokenize('tok_en', U&'the\0378n') AS slow;
\o /dev/null
SELECT roformer.set_model_option('tok_en', 'tokenizer', 'fast');
\o
SELECT roformer.tokenize('tok_en', U&'the\0378n') AS fast;
\o /dev/null
SELECT roformer.set_model_option('tok_en', 'tokenizer', 'slow');
\o
SELECT roformer.tokenize('tok_en', U&'the\0378n') AS slow;

\o /dev/null
SELECT roformer.drop_model('tok_en');
\o
