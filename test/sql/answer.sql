-- answer: the part of a context that answers a question
SET client_min_messages = error;
CREATE EXTENSION IF NOT EXISTS roformer;
\getenv golden ROFORMER_GOLDEN
\set qa :golden '/models/qa-en'
\o /dev/null
SELECT roformer.load_model('qa', :'qa');
\o
CREATE TABLE passage (id int, body text);
INSERT INTO passage VALUES
	(1, 'A wonderful, heart-warming story with brilliant performances.'),
	(2, 'Straße, Weißbier, ﬁre ﬂower: Café, naïve, résumé, coöperate.'),
	(3, 'one'),
	(4, ''),
	(5, e' \t\n '),
	(6, NULL),
	(7, repeat('Four score and seven years ago our fathers brought forth on this continent a new nation. ', 30));

-- the model is a random one: what it finds is meaningless, but must be this
SELECT id, (a).answer, round((a).score::numeric, 4) AS score, (a).start, (a).length,
	(a).answer = substr(body, (a).start, (a).length) AS exact
FROM (SELECT id, body, roformer.answer('qa', 'What is the capital of France?', body) AS a FROM passage WHERE id < 7) AS s ORDER BY id;
-- nothing to answer with: NULL
SELECT id, roformer.answer('qa', 'Who?', body) IS NULL AS null FROM passage ORDER BY id;
SELECT roformer.answer('qa', NULL, 'a') IS NULL AS null, (roformer.answer('qa', '', 'a')).answer AS no_question;

-- options
SELECT id, (roformer.answer('qa', 'Who?', body, max_answer_len => 1)).answer ~ '^\S+$' AS one_word,
	(roformer.answer('qa', 'Who?', body, 100)).score >= (roformer.answer('qa', 'Who?', body)).score AS better
FROM passage WHERE id IN (1, 2, 7) ORDER BY id;
SELECT a IS NULL AS no_answer, count(*) > 10 AS many, bool_and(a IS NULL OR a = roformer.answer('qa', 'Who?', token)) AS same
FROM roformer.save_vocabulary('qa') AS v, LATERAL (SELECT roformer.answer('qa', 'Who?', token, handle_impossible_answer => true) AS a) AS s
WHERE id >= 10 AND id < 500 GROUP BY a IS NULL ORDER BY 1;
SELECT roformer.answer('qa', 'Who?', 'a', max_answer_len => 0);
SELECT roformer.answer('qa', 'Who?', 'a', doc_stride => -1);

-- windows: every word is seen in some window
SELECT length(body) AS characters, roformer.token_count('qa', body) AS tokens,
	(a).answer = substr(body, (a).start, (a).length) AS exact
FROM (SELECT body, roformer.answer('qa', 'Which?', body) AS a FROM passage WHERE id = 7) AS s;
SET roformer.max_length = 24;
SELECT stride, (a).answer = substr(body, (a).start, (a).length) AS exact, (a).score > 0 AS scored
FROM passage, unnest('{1,4,10,12,1000}'::int[]) AS stride,
	LATERAL (SELECT roformer.answer('qa', 'Which?', body, doc_stride => stride) AS a) AS s
WHERE id = 7 ORDER BY stride;
-- a stride of more than half a window is half
SELECT roformer.answer('qa', 'Which?', body, doc_stride => 12) = roformer.answer('qa', 'Which?', body) AS same FROM passage WHERE id = 7;

-- a question that leaves no room is cut, or refused
SELECT (a).answer = substr(body, (a).start, (a).length) AS exact
FROM (SELECT body, roformer.answer('qa', repeat('who ', 100), body) AS a FROM passage WHERE id = 1) AS s;
SET roformer.overflow = 'error';
SELECT roformer.answer('qa', repeat('who ', 100), 'a');
SELECT roformer.answer('qa', 'who', body) IS NOT NULL AS answered FROM passage WHERE id = 7;
RESET roformer.overflow;
SET roformer.max_length = 5;
SELECT (roformer.answer('qa', 'who who', 'a b c')).length;
SET roformer.max_length = 4;
SELECT roformer.answer('qa', 'who', 'a b c');
RESET roformer.max_length;

-- arrays: pairs, one question of many contexts, many questions of one
SELECT n, a = roformer.answer('qa', q, c) AS same
FROM (VALUES ('{What is it?,Who?,NULL,Where?}'::text[], '{"A wonderful, heart-warming story.",NULL,b,""}'::text[])) AS v(qs, cs),
	unnest(qs, cs, roformer.answer('qa', qs, cs)) WITH ORDINALITY AS t(q, c, answer, score, start, length, n),
	LATERAL (SELECT CASE WHEN answer IS NOT NULL THEN ROW(answer, score, start, length)::roformer.answer END) AS r(a) ORDER BY n;
SELECT roformer.answer('qa', 'Who?', array_agg(body ORDER BY id)) = array_agg(roformer.answer('qa', 'Who?', body) ORDER BY id) AS same FROM passage;
SELECT roformer.answer('qa', ARRAY['Who?', NULL, 'What is the capital of France?'], body)
	= ARRAY[roformer.answer('qa', 'Who?', body), NULL, roformer.answer('qa', 'What is the capital of France?', body)] AS same
FROM passage WHERE id = 1;
SELECT array_dims(roformer.answer('qa', 'Who?', '[3:4]={a,b}'::text[])) AS bounds, roformer.answer('qa', 'Who?', '{}'::text[]) AS none,
	roformer.answer('qa', '{}'::text[], 'a') AS none, pg_typeof(roformer.answer('qa', 'Who?', ARRAY['a'])), pg_typeof(roformer.answer('qa', 'Who?', 'a'));
SELECT roformer.answer('qa', ARRAY['Who?'], ARRAY['a', 'b']);
SELECT roformer.answer('qa', 'Who?', '{{a},{b}}'::text[]);

-- what such a model can do besides
SELECT roformer.classify('qa', 'a');
SELECT array_dims(roformer.logits('qa', 'Who?', 'one two'));

-- a generated column
CREATE TABLE report (body text, place text GENERATED ALWAYS AS ((roformer.answer('qa', 'Where?', body)).answer) STORED);
INSERT INTO report VALUES ('in the garden'), (''), (NULL);
SELECT body, place IS NOT DISTINCT FROM (roformer.answer('qa', 'Where?', body)).answer AS same FROM report ORDER BY body;

DROP TABLE passage, report;
\o /dev/null
SELECT roformer.drop_model('qa');
\o
