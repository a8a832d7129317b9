-- embed, similarity
SET client_min_messages = error;
CREATE EXTENSION IF NOT EXISTS roformer;
\getenv golden ROFORMER_GOLDEN
\set directory :golden '/models/enc-zh-char-pool'
\o /dev/null
SELECT roformer.load_model('embed', 'roformer-embed-en');
SELECT roformer.load_model('pooler', :'directory');
\o

SELECT array_ndims(e) AS dimensions, array_length(e, 1) AS length, (SELECT round(sqrt(sum(x::float8 ^ 2))::numeric, 5) FROM unnest(e) AS x) AS norm
FROM roformer.embed('embed', 'a tool to draw graphs') AS e;
SELECT array_length(roformer.embed('embed', ''), 1) AS empty, roformer.embed('embed', NULL) IS NULL AS null;

-- the directory's pooling is the default
SELECT p, roformer.embed('embed', 'some text', p) = roformer.embed('embed', 'some text') AS is_default
FROM unnest('{default,cls,mean,max}'::text[]) AS p;
SELECT p, array_length(roformer.embed('pooler', '我喜欢吃苹果', p), 1) AS length,
	roformer.embed('pooler', '我喜欢吃苹果', p) = roformer.embed('pooler', '我喜欢吃苹果') AS is_default
FROM unnest('{cls,mean,max,pooler}'::text[]) AS p;
\o /dev/null
SELECT roformer.set_model_option('pooler', 'pooling', 'pooler');
\o
SELECT roformer.embed('pooler', '我喜欢吃苹果') = roformer.embed('pooler', '我喜欢吃苹果', 'pooler') AS set_model_option;

-- arrays: one row of numbers for each element
SELECT array_dims(roformer.embed('embed', ARRAY['one', 'two', 'three']));
SELECT ARRAY(SELECT unnest(e[2:2])) = roformer.embed('embed', 'two') AS same
FROM roformer.embed('embed', ARRAY['one', 'two', 'three']) AS e;
SELECT array_dims(e), e[1][1] IS NULL AND e[1][256] IS NULL AS null, ARRAY(SELECT unnest(e[2:2])) = roformer.embed('embed', 'two', 'max') AS same,
	e[3][1] IS NULL AND e[3][256] IS NULL AS null, array_position(ARRAY(SELECT unnest(e[2:2])), NULL) IS NULL AS complete
FROM roformer.embed('embed', ARRAY[NULL, 'two', NULL], 'max') AS e;
SELECT array_dims(roformer.embed('embed', '[0:1]={one,two}'::text[]));
SELECT roformer.embed('embed', '{}'::text[]);
SELECT roformer.embed('embed', '{{a,b}}'::text[]);

-- the cosine, whatever the lengths of the vectors
SELECT roformer.similarity('embed', 'a text editor', 'an editor for texts') > roformer.similarity('embed', 'a text editor', 'weather forecast') AS nearer,
	abs(roformer.similarity('embed', 'same', 'same') - 1) < 1e-6 AS one;
SELECT abs(roformer.similarity('pooler', '苹果', '香蕉') - (
	SELECT sum(a::float8 * b::float8) / sqrt(sum(a::float8 ^ 2)) / sqrt(sum(b::float8 ^ 2))
	FROM ROWS FROM (unnest(roformer.embed('pooler', '苹果')), unnest(roformer.embed('pooler', '香蕉'))) AS t(a, b))) < 1e-5 AS cosine;
SELECT roformer.similarity('embed', ARRAY['one', 'two', NULL], ARRAY['three', NULL, 'four']) IS NOT DISTINCT FROM
	ARRAY[roformer.similarity('embed', 'one', 'three'), NULL, NULL] AS arrays;
SELECT roformer.similarity('embed', 'a', NULL::text) IS NULL AS null;

-- any model can embed
\set directory :golden '/models/seqcls-en'
\o /dev/null
SELECT roformer.load_model('sentiment', :'directory');
\o
SELECT array_length(roformer.embed('sentiment', 'a text'), 1);
SELECT roformer.embed('sentiment', 'a text', 'pooler');
SELECT roformer.embed('embed', 'a text', 'median');
-- more than an array can hold is refused before it is computed
SELECT roformer.embed('sentiment', array_fill('a text'::text, ARRAY[2200000]));

\o /dev/null
SELECT roformer.drop_model(name) FROM unnest('{embed,pooler,sentiment}'::text[]) AS name;
\o
