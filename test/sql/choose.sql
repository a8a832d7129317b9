-- choose, choose_scores: the choice that goes best with a prompt
SET client_min_messages = error;
CREATE EXTENSION IF NOT EXISTS roformer;
\getenv golden ROFORMER_GOLDEN
\set last :golden '/models/mc-en'
\set first :golden '/models/mc-summary'
\o /dev/null
SELECT roformer.load_model('last', :'last');
SELECT roformer.load_model('first', :'first');
\o
CREATE TABLE question (id int, prompt text, choices text[]);
INSERT INTO question VALUES
	(1, 'To be, or not to be, that is the question.', '{"She sells sea-shells by the sea-shore; don''t you think so?",?,rock ''n'' roll & rhythm-and-blues}'),
	(2, '', '{a,""}'),
	(3, NULL, '{a,b}'),
	(4, 'one choice', '{only}'),
	(5, 'no choices', '{}'),
	(6, 'choices missing', NULL),
	(7, 'a NULL among them', '{NULL,a,NULL,b c d}'),
	(8, 'NULLs only', '{NULL,NULL}');

SELECT id, roformer.choose('first', prompt, choices) AS best, choices[roformer.choose('first', prompt, choices)] AS choice,
	(SELECT array_agg(round(s::numeric, 4) ORDER BY n) FROM unnest(roformer.choose_scores('first', prompt, choices)) WITH ORDINALITY AS t(s, n)) AS scores
FROM question ORDER BY id;
SELECT id, roformer.choose('last', prompt, choices) AS best, cardinality(roformer.choose_scores('last', prompt, choices)) AS scores
FROM question ORDER BY id;

-- the best has the highest score; all add up
SELECT id, s[roformer.choose('last', prompt, choices)] = (SELECT max(x) FROM unnest(s) AS x) AS highest,
	round((SELECT sum(x) FROM unnest(s) AS x)::numeric, 5) AS sum
FROM question, LATERAL roformer.choose_scores('last', prompt, choices) AS s WHERE s <> '{}' ORDER BY id;

-- the reference's numbers: the summary is the last column, padding or not, so that others' lengths count
SELECT bool_and(abs(got - want) < 2e-5) AS same
FROM ROWS FROM (unnest(roformer.choose_scores('last', 'x = (a + b) * c / d ** 2 % 7',
		ARRAY['In 2021, revenue grew 12.5% to $3.4 billion, up from $3.02bn.', 'HELLO WORLD'])),
	unnest('{0.45918128,0.54081872}'::float8[])) AS t(got, want);
WITH s AS (SELECT roformer.choose_scores(m, 'a', ARRAY['b', 'c d', long]) AS s, m
	FROM unnest('{last,first}'::text[]) AS m, (VALUES ('e'), ('e f g h i j k l m n o p')) AS l(long))
SELECT m, count(DISTINCT round((s[1] / s[2])::numeric, 4)) AS ratios FROM s GROUP BY m ORDER BY m;
-- a NULL is no choice
SELECT roformer.choose_scores('last', 'a', ARRAY['b', NULL, 'c d']) = ARRAY[s[1], NULL, s[2]] AS same
FROM roformer.choose_scores('last', 'a', ARRAY['b', 'c d']) AS s;

-- subscripts are the array's
SELECT roformer.choose('first', 'a', '[0:1]={b,c}'), array_dims(roformer.choose_scores('first', 'a', '[0:1]={b,c}')),
	roformer.choose('first', 'a', '{b,c}') AS from_1;

-- many prompts: the same choices for all, or a row for each
SELECT roformer.choose('last', ARRAY['a', NULL, 'b c'], ARRAY['d', 'e f', NULL]) AS best,
	array_dims(roformer.choose_scores('last', ARRAY['a', NULL, 'b c'], ARRAY['d', 'e f', NULL])) AS dims;
SELECT n, b = roformer.choose('last', p, c) AS best,
	s[n:n][:] IS NOT DISTINCT FROM ARRAY[roformer.choose_scores('last', p, c)] AS scores
FROM (VALUES (ARRAY['a', 'b c', ''], ARRAY['d', 'e f', 'g h i'])) AS v(ps, c),
	LATERAL roformer.choose_scores('last', ps, c) AS s,
	unnest(ps, roformer.choose('last', ps, c)) WITH ORDINALITY AS t(p, b, n) ORDER BY n;
SELECT n, b = roformer.choose('last', p, r) AS best, s[n:n][:] = ARRAY[roformer.choose_scores('last', p, r)] AS scores
FROM (VALUES (ARRAY['a', 'b c'], ARRAY[['d', 'e f', NULL], ['g h i', '', 'j']])) AS v(ps, c),
	LATERAL roformer.choose_scores('last', ps, c) AS s,
	unnest(ps, roformer.choose('last', ps, c)) WITH ORDINALITY AS t(p, b, n),
	LATERAL (SELECT array_agg(x ORDER BY i) AS r FROM unnest(c[n:n][:]) WITH ORDINALITY AS u(x, i)) AS w ORDER BY n;
SELECT roformer.choose('last', '[5:6]={a,b}'::text[], '{{c,d},{e,f}}'::text[]) AS bounds,
	roformer.choose('last', '{}'::text[], '{a}'::text[]) AS no_prompts, roformer.choose('last', '{a,b}'::text[], '{}'::text[]) AS no_choices,
	roformer.choose_scores('last', '{}'::text[], '{a}'::text[]) AS no_prompts, roformer.choose_scores('last', '{a,b}'::text[], '{}'::text[]) AS no_choices;
SELECT pg_typeof(roformer.choose('last', 'a', '{b}')), pg_typeof(roformer.choose('last', '{a}'::text[], '{b}')),
	pg_typeof(roformer.choose_scores('last', 'a', '{b}'));

SELECT roformer.choose('last', 'a', '{{b,c}}');
SELECT roformer.choose('last', '{a,b}'::text[], '{{b,c}}');
SELECT roformer.choose_scores('last', '{a,b}'::text[], '{{{b}}}');
SELECT roformer.choose('last', '{{a,b}}'::text[], '{c}');

-- long texts
SET roformer.max_length = 6;
SELECT roformer.choose_scores('last', 'a', ARRAY['b b b b b b', 'b b b']) AS cut;
SET roformer.overflow = 'error';
SELECT roformer.choose('last', 'a', ARRAY['b b b', 'b b b b b b']);
RESET roformer.overflow;
RESET roformer.max_length;

-- other kinds of models; what one for choices can do
SELECT roformer.classify('last', 'a');
SELECT roformer.logits('last', 'a');
SELECT array_dims(roformer.embed('last', 'a'));

-- a choice in a generated column
CREATE TABLE ticket (body text, kind int GENERATED ALWAYS AS (roformer.choose('first', body, '{bill,bug,praise}')) STORED);
INSERT INTO ticket VALUES ('it crashes'), (NULL);
SELECT body, kind = roformer.choose('first', body, '{bill,bug,praise}') AS same FROM ticket;

DROP TABLE question, ticket;
\o /dev/null
SELECT roformer.drop_model(name) FROM unnest('{last,first}'::text[]) AS name;
\o
