-- cpu_info, and that every set of kernels this machine can run gives the same answers
SET client_min_messages = error;
CREATE EXTENSION IF NOT EXISTS roformer;
\o /dev/null
SELECT roformer.load_model('cpu_spam', 'roformer-sms-spam');
\o

-- one is chosen, and can be run; the reference can be run anywhere; each says why or why not
SELECT count(*) FILTER (WHERE chosen) AS chosen, bool_and(available) FILTER (WHERE chosen) AS can_run,
	bool_or(available) FILTER (WHERE kernels = 'ref') AS reference, bool_and(reason <> '') AS reasons
FROM roformer.cpu_info();
SET roformer.kernels = 'ref';
SELECT kernels, precisions FROM roformer.cpu_info() WHERE chosen;
RESET roformer.kernels;

CREATE TABLE score (kernels text, n int, score real);
DO $$
DECLARE
	name text;
BEGIN
	FOR name IN SELECT kernels FROM roformer.cpu_info() WHERE available LOOP
		PERFORM set_config('roformer.kernels', name, true);
		INSERT INTO score SELECT name, n, roformer.classify_score('cpu_spam', repeat('free prize call now ', n), 'spam') FROM generate_series(0, 20) AS n;
	END LOOP;
END $$;
SELECT count(*) FROM score JOIN score AS ref USING (n) WHERE ref.kernels = 'ref' AND abs(score.score - ref.score) > 2e-5;

\set VERBOSITY sqlstate
SET roformer.kernels = 'abacus';
\set VERBOSITY default

-- every precision of every set: near fp32, not the same; their images are smaller
CREATE TABLE low_score (kernels text, "precision" text, n int, score real);
DO $$
DECLARE
	name text;
	format text;
BEGIN
	FOR name, format IN SELECT kernels, unnest(precisions) FROM roformer.cpu_info() WHERE available LOOP
		PERFORM set_config('roformer.kernels', name, true), set_config('roformer.precision', format, true);
		INSERT INTO low_score SELECT name, format, n, roformer.classify_score('cpu_spam', repeat('free prize call now ', n), 'spam') FROM generate_series(0, 20) AS n;
	END LOOP;
END $$;
SELECT low.precision, count(DISTINCT low.kernels) >= 1 AS sets, max(abs(low.score - ref.score)) < 0.02 AS near, max(abs(low.score - ref.score)) > 0 AS differs
FROM low_score AS low JOIN score AS ref USING (n) WHERE ref.kernels = 'ref' AND low.precision <> 'fp32' GROUP BY low.precision ORDER BY low.precision;
SET roformer.kernels = 'ref';
SET roformer.precision = 'fp32';
SELECT roformer.prewarm('cpu_spam') AS fp32_bytes \gset
SET roformer.precision = 'bf16';
SELECT roformer.prewarm('cpu_spam') AS bf16_bytes \gset
SET roformer.precision = 'int8';
SELECT roformer.prewarm('cpu_spam') AS int8_bytes \gset
SELECT :bf16_bytes < :fp32_bytes AS bf16_is_less, :int8_bytes < :bf16_bytes AS int8_is_less;

-- OpenBLAS has fp32 only
SET roformer.kernels = 'blas';
SELECT roformer.classify('cpu_spam', 'hello');
RESET roformer.kernels;
RESET roformer.precision;

-- how far lower precisions are from fp32 is measured when a model is stored, and with texts of one's own
SELECT p.key AS "precision", (p.value->>'agreement')::float8 >= 0.95 AS agrees, (p.value->>'cosine')::float8 BETWEEN 0.99 AND 1 AS cosine,
	(p.value->>'rms')::float8 > 0 AND (p.value->>'rms')::float8 < (p.value->>'max')::float8 AS deviates
FROM roformer.models, jsonb_each(deviations) AS p WHERE name = 'cpu_spam' ORDER BY 1;
SELECT deviations AS before FROM roformer.models WHERE name = 'cpu_spam' \gset
SELECT roformer.check_model('cpu_spam', ARRAY['free prize call now', NULL, 'see you at seven then']);
SELECT deviations <> :'before'::jsonb AS measured_anew, deviations->'bf16'->'agreement' AS bf16, deviations->'int8'->'agreement' AS int8
FROM roformer.models WHERE name = 'cpu_spam';
SELECT roformer.check_model('cpu_spam', ARRAY[NULL]::text[]);

DROP TABLE score, low_score;
\o /dev/null
SELECT roformer.drop_model('cpu_spam');
\o
