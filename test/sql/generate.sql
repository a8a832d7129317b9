-- generate: text from causal language models
SET client_min_messages = error;
CREATE EXTENSION IF NOT EXISTS roformer;
\getenv golden ROFORMER_GOLDEN
\set clm :golden '/models/clm-zh-char'
\set sim :golden '/models/sim-zh-char'
\set cross :golden '/models/clm-xattn'
\set mlm :golden '/models/mlm-en-untied'
\o /dev/null
SELECT roformer.load_model('clm', :'clm'), roformer.load_model('sim', :'sim'), roformer.load_model('cross', :'cross'),
	roformer.load_model('mlm', :'mlm');
\o

SELECT proname, provolatile, proparallel, proisstrict, pg_get_function_arguments(p.oid), pg_get_function_result(p.oid)
FROM pg_proc AS p JOIN pg_namespace AS n ON n.oid = pronamespace WHERE nspname = 'roformer' AND proname = 'generate' ORDER BY p.oid;

-- greedy: what the reference gives
SELECT roformer.generate('clm', '甲乙丙丁戊己庚辛壬癸', 12);
SELECT roformer.generate('clm', '', max_new_tokens => 12);
SELECT roformer.generate('sim', '白天鹅在水中游泳', 12);
-- without an encoder beside it cross-attention is left out
SELECT length(roformer.generate('cross', 'the cat', 12)) > 0 AS goes_on;

-- the beginning of a longer text is the shorter one; the model's 512 positions are no limit
SELECT roformer.token_count('clm', t) AS tokens, starts_with(t, roformer.generate('clm', 'a', 12)) AS begins_so
FROM roformer.generate('clm', 'a', 600) AS t;

-- each text of an array as if it were alone; NULL stays, also the lower bound
SELECT n, g IS NOT DISTINCT FROM roformer.generate('clm', p, 20) AS same
FROM (SELECT '[0:3]={甲乙,NULL,"",这几块地面积还真不小}'::text[] AS prompts) AS a, ROWS FROM (unnest(prompts), unnest(roformer.generate('clm', prompts, 20)))
	WITH ORDINALITY AS t(p, g, n);
SELECT array_dims(roformer.generate('clm', '[0:3]={甲乙,NULL,"",这几块地面积还真不小}'::text[], 2)), roformer.generate('clm', '{}'::text[]);
SELECT count(*), count(DISTINCT g), bool_and(g = roformer.generate('clm', i::text, 5, 1, seed => 3)) AS same
FROM generate_series(1, 70) AS i, unnest(roformer.generate('clm', (SELECT array_agg(j::text ORDER BY j) FROM generate_series(1, 70) AS j), 5, 1, seed => 3))
	WITH ORDINALITY AS t(g, n) WHERE n = i;

-- drawn: the same seed gives the same text, others and none give others
SELECT roformer.generate('clm', '甲乙丙丁', 8, temperature => 0.8, top_k => 40, top_p => 0.95, seed => 1);
SELECT roformer.generate('sim', '白天鹅在水中游泳', 8, temperature => 0.7, top_p => 0.9, seed => -1);
SELECT count(DISTINCT roformer.generate('clm', 'a', 20, 1, seed => 42)) AS one, count(DISTINCT roformer.generate('clm', 'a', 20, 1, seed => i)) AS all,
	count(DISTINCT roformer.generate('clm', 'a', 20, 1)) AS also_all
FROM generate_series(1, 10) AS i;
SELECT count(DISTINCT t) FROM unnest(roformer.generate('clm', array_fill('a'::text, ARRAY[10]), 20, 1)) AS t;
SELECT count(DISTINCT t) FROM unnest(roformer.generate('clm', array_fill('a'::text, ARRAY[10]), 20, 1, seed => 5)) AS t;
-- limits that leave only the best token
SELECT roformer.generate('clm', 'a', 20, 1, top_k => 1, seed => 5) = g AS top_k, roformer.generate('clm', 'a', 20, 1, top_p => 0, seed => 5) = g AS top_p,
	roformer.generate('clm', 'a', 20, 0.0001, seed => 5) = g AS cold, roformer.generate('clm', 'a', 20, seed => 5) = g AS greedy
FROM roformer.generate('clm', 'a', 20) AS g;

-- long prompts are cut, or refused
SET roformer.max_length = 6;
SELECT roformer.generate('clm', '甲乙丙丁戊己庚', 12) = roformer.generate('clm', '甲乙丙丁', 12) AS cut;
SET roformer.overflow = error;
SELECT roformer.generate('clm', '甲乙丙丁戊己庚', 12);
RESET roformer.overflow;
RESET roformer.max_length;

-- NULL in, NULL out
SELECT roformer.generate(NULL, 'a') IS NULL AND roformer.generate('clm', NULL::text) IS NULL AND roformer.generate('clm', NULL::text[]) IS NULL
	AND roformer.generate('clm', 'a', max_new_tokens => NULL) IS NULL AND roformer.generate('clm', 'a', temperature => NULL) IS NULL
	AND roformer.generate('clm', 'a', top_k => NULL) IS NULL AND roformer.generate('clm', 'a', top_p => NULL) IS NULL AS nulls;

SELECT roformer.generate('clm', 'a', 0);
SELECT roformer.generate('clm', 'a', 2000000);
SELECT roformer.generate('clm', 'a', temperature => -1);
SELECT roformer.generate('clm', 'a', temperature => 'NaN');
SELECT roformer.generate('clm', 'a', temperature => 'Infinity');
SELECT roformer.generate('clm', 'a', top_k => -1);
SELECT roformer.generate('clm', 'a', top_p => 1.01);
SELECT roformer.generate('mlm', 'a');
SELECT roformer.fill_mask('clm', 'a');
SELECT roformer.generate('nobody', 'a');

-- what a decoder has besides
SELECT array_dims(roformer.logits('clm', '甲乙丙丁')), array_dims(roformer.hidden_state('cross', 'the cat')), array_dims(roformer.logits('sim', '甲乙', '丙丁')),
	cardinality(roformer.embed('sim', '甲乙', 'pooler'));
-- under the mask of RoFormer-Sim what follows a prompt changes nothing before it
SELECT (roformer.logits('sim', '甲乙', '丙丁'))[1:4][1:8] = (roformer.logits('sim', '甲乙'))[1:4][1:8] AS prompt,
	(roformer.logits('sim', '甲乙', '丙丁'))[5:5][1:8] = (roformer.logits('sim', '甲乙', '丙丁甲乙'))[5:5][1:8] AS answer;

\o /dev/null
SELECT roformer.drop_model(m) FROM unnest('{clm,sim,cross,mlm}'::text[]) AS m;
\o
