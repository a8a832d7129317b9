-- classify, classify_score, classify_all, regress
SET client_min_messages = error;
CREATE EXTENSION IF NOT EXISTS roformer;
\getenv golden ROFORMER_GOLDEN
\set directory :golden '/models/seqcls-en'
\o /dev/null
SELECT roformer.load_model('spam', 'roformer-sms-spam');
SELECT roformer.load_model('sentiment', :'directory');
\o
CREATE TABLE message (id int, body text);
INSERT INTO message VALUES
	(1, 'Are we still meeting for lunch at noon?'),
	(2, 'WINNER!! Claim your FREE prize of £1000 now, call 09061701461 today'),
	(3, NULL),
	(4, ''),
	(5, 'Sorry, went to bed early, nightnight');

SELECT id, roformer.classify('spam', body), round(roformer.classify_score('spam', body, 'spam')::numeric, 3) AS score
FROM message ORDER BY id;
SELECT id, label, round(score::numeric, 3) AS score
FROM message, unnest(roformer.classify_all('spam', body)) WITH ORDINALITY AS c(label, score, n) ORDER BY id, n;
SELECT (roformer.classify_all('spam', body))[1].label FROM message WHERE id = 2;
-- probabilities
SELECT id, round(sum(score)::numeric, 5) AS sum FROM message, unnest(roformer.classify_all('spam', body)) GROUP BY id ORDER BY id;

-- untyped literals are single texts; pairs
SELECT pg_typeof(roformer.classify('sentiment', 'a')), pg_typeof(roformer.classify('sentiment', 'a', 'b')),
	pg_typeof(roformer.classify_score('sentiment', 'a', 'POSITIVE')), pg_typeof(roformer.classify_all('sentiment', 'a', 'b'));
SELECT roformer.classify('sentiment', 'Is it good?', 'It is brilliant.') AS pair,
	(roformer.classify_all('sentiment', 'Is it good?', 'It is brilliant.'))[1].label AS first,
	roformer.classify_all('sentiment', 'Is it good?', 'It is brilliant.') <> roformer.classify_all('sentiment', 'Is it good?') AS differ,
	roformer.classify_all('sentiment', 'Is it good?', '') <> roformer.classify_all('sentiment', 'Is it good?') AS empty;

-- arrays give what single texts give, as one batch
SELECT roformer.classify('spam', array_agg(body ORDER BY id)) FROM message;
SELECT roformer.classify('spam', array_agg(body ORDER BY id)) IS NOT DISTINCT FROM array_agg(roformer.classify('spam', body) ORDER BY id) AS labels,
	roformer.classify_score('spam', array_agg(body ORDER BY id), 'ham') IS NOT DISTINCT FROM array_agg(roformer.classify_score('spam', body, 'ham') ORDER BY id) AS scores
FROM message;
SELECT count(*) AS rows, count(*) FILTER (WHERE a IS NOT DISTINCT FROM roformer.classify_all('spam', body)) AS same
FROM (SELECT * FROM message ORDER BY id) AS m, LATERAL (SELECT 1) AS o,
	LATERAL (SELECT a FROM roformer.classify_all('spam', (SELECT array_agg(body ORDER BY id) FROM message)) WITH ORDINALITY AS t(a, n) WHERE n = id) AS s;
SELECT roformer.classify('sentiment', ARRAY['a', 'b', NULL], ARRAY['c', NULL, 'd']) IS NOT DISTINCT FROM
	ARRAY[roformer.classify('sentiment', 'a', 'c'), NULL, NULL] AS pairs;
SELECT roformer.classify('spam', '{}'::text[]) AS labels, roformer.classify_score('spam', '{}'::text[], 'ham') AS scores,
	(SELECT count(*) FROM roformer.classify_all('spam', '{}'::text[])) AS rows;
SELECT roformer.classify('spam', '{NULL,NULL}'::text[]);
SELECT roformer.classify('spam', '[0:1]={hello,hi}'::text[]);
SELECT roformer.classify('spam', '{{hello},{hi}}'::text[]);
SELECT roformer.classify('sentiment', ARRAY['a', 'b'], ARRAY['c', 'd', 'e']);

-- set_model_option: other names for the labels
\o /dev/null
SELECT roformer.set_model_option('spam', 'labels', '{legitimate,junk}');
\o
SELECT roformer.classify('spam', body) FROM message WHERE id = 2;
SELECT round(roformer.classify_score('spam', body, 'junk')::numeric, 3) FROM message WHERE id = 2;

-- errors
SELECT roformer.classify_score('spam', body, 'spam') FROM message WHERE id = 2;
SELECT roformer.classify_score('sentiment', 'a', 'positive');
SELECT roformer.regress('sentiment', 'a');

DROP TABLE message;
\o /dev/null
SELECT roformer.drop_model('spam');
SELECT roformer.drop_model('sentiment');
\o
