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
SELECT kernels FROM roformer.cpu_info() WHERE chosen;
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

DROP TABLE score;
\o /dev/null
SELECT roformer.drop_model('cpu_spam');
\o
