-- fill_mask: tokens in place of [MASK]
SET client_min_messages = error;
CREATE EXTENSION IF NOT EXISTS roformer;
\getenv golden ROFORMER_GOLDEN
\set directory :golden '/models/mlm-en-untied'
\o /dev/null
SELECT roformer.load_model('mlm', :'directory');
\o

SELECT mask, token, round(score::numeric, 4) AS score, sequence
FROM unnest(roformer.fill_mask('mlm', 'The capital of France is [MASK].'));
SELECT mask, token, sequence FROM unnest(roformer.fill_mask('mlm', 'The [MASK] sat on the [MASK].', 2));
SELECT mask, token FROM unnest(roformer.fill_mask('mlm', '[MASK]', top_k => 1));

-- no mask: nothing to fill; [mask] is an ordinary text
SELECT roformer.fill_mask('mlm', 'a text') AS none, roformer.fill_mask('mlm', '') AS empty, roformer.fill_mask('mlm', '[mask]') AS lower,
	roformer.fill_mask('mlm', NULL) IS NULL AS null;

-- all of the vocabulary adds up
SELECT round(sum(score)::numeric, 4) AS sum, count(*) = (SELECT count(*) FROM roformer.save_vocabulary('mlm')) AS all
FROM unnest(roformer.fill_mask('mlm', 'a [MASK]', (SELECT count(*)::int FROM roformer.save_vocabulary('mlm'))));

-- arrays
SELECT n, cardinality(f) AS fills, f IS NOT DISTINCT FROM roformer.fill_mask('mlm', (ARRAY['a [MASK]', NULL, 'b', '[MASK] [MASK]'])[n], 2) AS same
FROM roformer.fill_mask('mlm', ARRAY['a [MASK]', NULL, 'b', '[MASK] [MASK]'], 2) WITH ORDINALITY AS t(f, n);
SELECT count(*) FROM roformer.fill_mask('mlm', '{}'::text[]);

SELECT roformer.fill_mask('mlm', 'a [MASK]', 0);
SELECT roformer.fill_mask('mlm', 'a [MASK]', 1000000);

\o /dev/null
SELECT roformer.drop_model('mlm');
\o
