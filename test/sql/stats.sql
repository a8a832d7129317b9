-- what was computed with each model, and what is being computed
-- passes are counted as they are row by row
SET roformer.enable_batch_scan = off;
SET client_min_messages = error;
CREATE EXTENSION IF NOT EXISTS roformer;
\getenv golden ROFORMER_GOLDEN
\set sequence :golden '/models/seqcls-en'
\set token :golden '/models/tokcls-en'
\o /dev/null
SELECT roformer.load_model('stats_sequence', :'sequence');
SELECT roformer.load_model('stats_token', :'token');
\o
\set numbers 'SELECT model, calls, rows, tokens, truncated_rows, cancelled, batches FROM roformer.stats WHERE model ~ ''^stats_'' ORDER BY model'

-- every model has a row
SELECT * FROM roformer.stats WHERE model = 'stats_token';
:numbers;

-- calls, rows, tokens, batches
SELECT count(roformer.classify('stats_sequence', t)) FROM (VALUES ('a cat'), ('a dog'), (NULL)) AS v(t);
SELECT array_length(roformer.classify('stats_sequence', ARRAY['a cat', NULL, 'a dog', 'a bird']), 1);
SELECT count(*) FROM roformer.tag('stats_token', ARRAY['a cat', 'a dog']);
SELECT sum(roformer.token_count('stats_sequence', t)) AS tokens FROM unnest('{a cat,a dog,a cat,a dog,a bird}'::text[]) AS t;
:numbers;
SELECT tokenize_ms > 0 AS tokenizing, compute_ms > 0 AS computing, since <= clock_timestamp() AS since
FROM roformer.stats WHERE model = 'stats_sequence';
-- tokenizing and arrays without a text are no such calls
SELECT roformer.classify('stats_sequence', '{}'::text[]), roformer.classify('stats_sequence', ARRAY[NULL]::text[]);
SELECT array_length(roformer.tokenize('stats_sequence', 'a cat'), 1);
SELECT calls FROM roformer.stats WHERE model = 'stats_sequence';

-- truncated rows
SET roformer.max_length = 4;
SELECT count(roformer.classify('stats_sequence', t)) FROM (VALUES ('cat'), ('a long text is cut here')) AS v(t);
SELECT truncated_rows FROM roformer.stats WHERE model = 'stats_sequence';
-- a call that fails is none
SET roformer.overflow = 'error';
SELECT roformer.classify('stats_sequence', 'a long text is refused here');
SELECT calls, cancelled FROM roformer.stats WHERE model = 'stats_sequence';
RESET roformer.overflow;
RESET roformer.max_length;

-- batches
SET roformer.batch_tokens = 8;
SELECT array_length(roformer.classify('stats_sequence', array_fill('a cat and a dog'::text, ARRAY[7])), 1);
SELECT batches FROM roformer.stats WHERE model = 'stats_sequence';
RESET roformer.batch_tokens;

-- what was computed stays computed
BEGIN;
SELECT array_length(roformer.classify('stats_sequence', ARRAY['a', 'b']), 1);
ROLLBACK;
SELECT calls FROM roformer.stats WHERE model = 'stats_sequence';

-- a new name keeps the numbers, a new content has none, another database's don't mix with these
SELECT roformer.rename_model('stats_sequence', 'stats_renamed');
SELECT model, calls FROM roformer.stats WHERE model ~ '^stats_' ORDER BY model;
SELECT roformer.replace_model('stats_renamed', :'token');
:numbers;
SELECT roformer.drop_model('stats_renamed');
:numbers;

-- reset
CREATE ROLE regress_roformer_stats;
SET ROLE regress_roformer_stats;
SELECT roformer.reset_stats();
SELECT model, calls FROM roformer.stats WHERE model = 'stats_token';
RESET ROLE;
SELECT roformer.reset_stats();
:numbers;

-- progress: this statement's own; only as long as it runs
\o /dev/null
SELECT roformer.load_model('stats_again', :'sequence');
\o
SELECT pid = pg_backend_pid() AS own, database = current_database() AS here, role = current_user AS mine, model, rows, tokens > 20 AS tokens,
	tokens_per_second >= 0 AS rate, started <= clock_timestamp() AS started
FROM (SELECT count(roformer.classify('stats_again', 'text ' || i)) FROM generate_series(1, 10) AS i OFFSET 0) AS work(n),
	LATERAL (SELECT * FROM roformer.progress WHERE n > 0 AND pid = pg_backend_pid()) AS p;
SELECT count(*) FROM roformer.progress WHERE pid = pg_backend_pid();
-- of several models the latest four
SELECT count(roformer.load_model('stats_' || i, :'sequence')) FROM generate_series(1, 6) AS i;
SELECT model, rows
FROM (SELECT count(roformer.classify('stats_' || i, 'a')) FROM generate_series(1, 6) AS i OFFSET 0) AS work(n),
	LATERAL (SELECT * FROM roformer.progress WHERE n > 0 AND pid = pg_backend_pid()) AS p ORDER BY model;
-- an error ends it as well
SELECT roformer.classify('stats_again', 'a'), 1 / (SELECT 0 FROM roformer.progress LIMIT 1);
SELECT count(*) FROM roformer.progress WHERE pid = pg_backend_pid();

SELECT count(roformer.drop_model(model)) FROM roformer.stats WHERE model ~ '^stats_';
DROP ROLE regress_roformer_stats;
