-- texts longer than max_length, in windows that overlap
SET client_min_messages = error;
CREATE EXTENSION IF NOT EXISTS roformer;
\getenv golden ROFORMER_GOLDEN
\set masked :golden '/models/mlm-en-untied'
\o /dev/null
SELECT roformer.load_model('win_sms', 'roformer-sms-spam');
SELECT roformer.load_model('win_ner', 'roformer-ner-en');
SELECT roformer.load_model('win_embed', 'roformer-embed-en');
SELECT roformer.load_model('win_masked', :'masked');
\o

CREATE TABLE win_text AS
SELECT 1 AS id, 'See you at noon then?' AS body
UNION ALL SELECT 2, repeat('I will be home at six and we can eat, ok? ', 12) || 'Sara called from Mexico. '
	|| repeat('Then we may go to the city with Peter Miller or stay in, as you like. ', 12) || 'Claim your free prize now!'
UNION ALL SELECT 3, '';

-- what fits is as it was
SET roformer.max_length = 32;
CREATE TABLE win_cut AS SELECT id, roformer.classify_score('win_sms', body, 'spam') AS score, roformer.embed('win_embed', body) AS vector,
	roformer.tag('win_ner', body, 'first') AS entities, roformer.token_count('win_sms', body) AS tokens FROM win_text;
SET roformer.overflow = 'window';
SELECT id, tokens, roformer.classify_score('win_sms', body, 'spam') = score AS score, roformer.embed('win_embed', body) = vector AS vector,
	roformer.tag('win_ner', body, 'first') = entities AS entities FROM win_text JOIN win_cut USING (id) ORDER BY id;
-- entities of the whole text, each once, where they are
SELECT e.label, e.entity, substr(body, e.start, e.length) = e.entity AS placed FROM win_text, unnest(roformer.tag('win_ner', body, 'first')) AS e
WHERE id = 2 AND e.entity ~ '^(Sara|Mexico)$' ORDER BY e.start;
SELECT count(*) AS peters FROM win_text, unnest(roformer.tag('win_ner', body, 'first')) AS e WHERE id = 2 AND e.entity ~ '^Peter';
SELECT count(*) FROM win_text, regexp_matches(body, 'Peter', 'g') WHERE id = 2;
-- alone or beside others
SELECT id, roformer.classify_score('win_sms', body, 'spam') = (roformer.classify_score('win_sms', array_agg(body) OVER all_rows, 'spam'))[row_number() OVER all_rows] AS same
FROM win_text WINDOW all_rows AS (ORDER BY id ROWS BETWEEN UNBOUNDED PRECEDING AND UNBOUNDED FOLLOWING);
SELECT roformer.classify('win_sms', body) = (SELECT label FROM unnest(roformer.classify_all('win_sms', body)) LIMIT 1) AS best,
	round(roformer.similarity('win_embed', body, body)::numeric, 4) AS same FROM win_text WHERE id = 2;
-- mean pooling is the mean over all tokens: of twice the text nearly the same
SELECT roformer.similarity('win_embed', body, body || ' ' || body) > 0.99 AS near FROM win_text WHERE id = 2;

-- row by row or in batches
SET roformer.enable_batch_scan = on;
CREATE TABLE win_on AS SELECT id, roformer.classify_score('win_sms', body, 'spam') AS score, roformer.embed('win_embed', body, 'cls') AS vector,
	roformer.tag('win_ner', body) AS entities FROM win_text;
SET roformer.enable_batch_scan = off;
SELECT count(*) FROM win_text JOIN win_on USING (id) WHERE (score, vector, entities) IS DISTINCT FROM
	(roformer.classify_score('win_sms', body, 'spam'), roformer.embed('win_embed', body, 'cls'), roformer.tag('win_ner', body));
RESET roformer.enable_batch_scan;

-- counted
SELECT roformer.reset_stats();
SELECT count(roformer.classify('win_sms', body)) FROM win_text;
SELECT rows, tokens - windows * 32 AS tokens_that_fit, truncated_rows, windowed_rows, windows FROM roformer.stats WHERE model = 'win_sms';
-- pairs: a text that stands in all windows is cut at half their length
SELECT roformer.classify('win_sms', 'short', body) IS NOT NULL FROM win_text WHERE id = 2;
SELECT roformer.classify('win_sms', body, body) IS NOT NULL FROM win_text WHERE id = 2;
SELECT rows, truncated_rows, windowed_rows FROM roformer.stats WHERE model = 'win_sms';

-- what can't be done so is an error
SELECT roformer.fill_mask('win_masked', body || ' [MASK]') FROM win_text WHERE id = 2;
SELECT roformer.hidden_state('win_sms', body) FROM win_text WHERE id = 2;
SET roformer.max_length = 2;
SELECT roformer.classify('win_sms', body) FROM win_text WHERE id = 2;
RESET roformer.max_length;
RESET roformer.overflow;

-- as an option of the model
SELECT roformer.set_model_option('win_sms', 'overflow', 'window'), roformer.set_model_option('win_sms', 'max_length', '32');
SELECT roformer.reset_stats();
SELECT count(roformer.classify('win_sms', body)) FROM win_text;
SELECT windowed_rows > 0 AS windowed FROM roformer.stats WHERE model = 'win_sms';
SET roformer.overflow = 'error';
SELECT roformer.classify('win_sms', body) FROM win_text WHERE id = 2;
RESET roformer.overflow;
SELECT roformer.set_model_option('win_sms', 'overflow', 'windows');

DROP TABLE win_text, win_cut, win_on;
SELECT count(roformer.drop_model(name)) FROM roformer.models WHERE name ~ '^win_';
