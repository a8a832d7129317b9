-- encode: ids, types, special tokens, positions; truncation and padding
SET client_min_messages = error;
CREATE EXTENSION IF NOT EXISTS roformer;
\getenv golden ROFORMER_GOLDEN
\set directory :golden '/models/enc-en-proj'
\o /dev/null
SELECT roformer.load_model('enc_en', :'directory');
\o

\x on
SELECT * FROM roformer.encode('enc_en', 'A wonderful story');
SELECT * FROM roformer.encode('enc_en', 'A story', 'so what?');
SELECT * FROM roformer.encode('enc_en', '');
SELECT * FROM roformer.encode('enc_en', 'A story', add_special_tokens => false);
SELECT * FROM roformer.encode('enc_en', '', add_special_tokens => false);
\x off

-- the parts of a text by the positions of its tokens
SELECT t, start, length, '<' || substr(text, start, length) || '>' AS part
FROM (VALUES (e'¿Café?\tNaïve Ångström: 12½')) AS v(text),
	ROWS FROM (unnest(roformer.tokenize('enc_en', text)), unnest((roformer.encode('enc_en', text)).start),
		unnest((roformer.encode('enc_en', text)).length)) AS e(t, start, length);

-- truncation: by default the longer one, from its end
CREATE FUNCTION words(e roformer.encoding) RETURNS text RETURN roformer.decode('enc_en', e.input_ids);
SELECT n, words(roformer.encode('enc_en', 'the story is wonderful', max_length => n)) AS one,
	words(roformer.encode('enc_en', 'the story is wonderful', 'a heart', max_length => n)) AS pair
FROM unnest('{0,1,2,3,4,6,7,100}'::int[]) AS n;
SELECT t AS truncation, words(roformer.encode('enc_en', 'the story is wonderful', 'a heart', max_length => 6, truncation => t))
FROM unnest('{longest_first,only_first,only_second,do_not_truncate,Longest_First}'::text[]) AS t;
SELECT words(roformer.encode('enc_en', 'the story is wonderful', max_length => 4, truncation_side => 'left')) AS left,
	words(roformer.encode('enc_en', 'the story is wonderful', max_length => 4, truncation_side => 'right')) AS right;
SELECT start FROM roformer.encode('enc_en', 'the story is wonderful', max_length => 4, truncation_side => 'left');

-- padding
\x on
SELECT * FROM roformer.encode('enc_en', 'the story', 'a heart', max_length => 9, padding => 'max_length');
\x off
SELECT words(roformer.encode('enc_en', 'the story is wonderful', max_length => 8, padding => 'max_length'));

-- arrays; options by name
SELECT n, (e).input_ids, (e).start
FROM unnest(roformer.encode('enc_en', ARRAY['story', NULL, 'the heart'], max_length => 3)) WITH ORDINALITY
	AS t(input_ids, token_type_ids, special_tokens_mask, start, length, n),
LATERAL (SELECT t.input_ids, t.start) AS e;
SELECT cardinality(roformer.encode('enc_en', ARRAY['one', NULL], ARRAY['two', 'three'])),
	(roformer.encode('enc_en', ARRAY['one', NULL], ARRAY['two', 'three']))[2] IS NULL AS null;
SELECT roformer.encode('enc_en', '{}'::text[]);

-- NULL in, NULL out
SELECT roformer.encode('enc_en', NULL) IS NULL AS text, roformer.encode('enc_en', 'a', max_length => NULL) IS NULL AS option;

-- words that mean nothing
SELECT roformer.encode('enc_en', 'a', truncation => 'first');
SELECT roformer.encode('enc_en', 'a', truncation_side => 'up');
SELECT roformer.encode('enc_en', 'a', padding => 'longest');
SELECT roformer.encode('enc_en', 'a', padding => 'max_length');
SELECT roformer.encode('enc_en', 'a', max_length => -1);
SELECT roformer.encode('enc_en', 'a', max_length => 2000000000, padding => 'max_length');

DROP FUNCTION words;
\o /dev/null
SELECT roformer.drop_model('enc_en');
\o
