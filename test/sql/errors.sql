-- what goes wrong says so, with a state of its own, and loses nothing
SET client_min_messages = error;
CREATE EXTENSION IF NOT EXISTS roformer;
\getenv golden ROFORMER_GOLDEN
\set sequence :golden '/models/seqcls-en'
\set token :golden '/models/tokcls-en'
\set masked :golden '/models/mlm-en-untied'
\set bare :golden '/models/enc-en-proj'
\o /dev/null
SELECT roformer.load_model('err_sequence', :'sequence');
SELECT roformer.load_model('err_token', :'token');
SELECT roformer.load_model('err_masked', :'masked');
SELECT roformer.load_model('err_bare', :'bare');
\o

-- the wrong kind of model
SELECT roformer.classify('err_token', 'a');
SELECT roformer.classify_score('err_masked', 'a', 'b');
SELECT roformer.classify_all('err_bare', 'a');
SELECT roformer.regress('err_token', 'a');
SELECT roformer.tag('err_sequence', 'a');
SELECT roformer.fill_mask('err_sequence', 'a [MASK]');
SELECT roformer.logits('err_bare', 'a');
SELECT roformer.embed('err_bare', 'a', 'pooler');

-- states
\set VERBOSITY sqlstate
SELECT roformer.classify('err_token', 'a');
SELECT roformer.classify('no such model', 'a');
SELECT roformer.classify('', 'a');
SELECT roformer.classify('err_sequence', '{{a},{b}}'::text[]);
SELECT roformer.classify('err_sequence', '{a,b}', '{a}'::text[]);
SELECT roformer.classify_score('err_sequence', 'a', 'no such label');
SELECT roformer.tag('err_token', 'a', 'no such aggregation');
SELECT roformer.embed('err_bare', 'a', 'no such pooling');
SELECT roformer.fill_mask('err_masked', 'a [MASK]', -1);
SELECT roformer.decode('err_bare', '{NULL}');
SELECT roformer.encode('err_bare', 'a', padding => 'max_length');
\set VERBOSITY default

-- a misspelt name
SELECT roformer.classify('err_sequense', 'a');

-- an error in the middle: subtransactions go on
DO $$
DECLARE
	label text;
BEGIN
	FOR i IN 1..100 LOOP
		BEGIN
			label := roformer.classify_score('err_sequence', 'a', 'wrong');
		EXCEPTION WHEN invalid_parameter_value THEN
			label := roformer.classify('err_sequence', 'a');
		END;
	END LOOP;
	RAISE INFO '%', label IS NOT NULL;
END $$;

-- rights
CREATE ROLE regress_roformer_reader;
GRANT USAGE ON SCHEMA roformer TO regress_roformer_reader;
SET ROLE regress_roformer_reader;
SELECT roformer.classify('err_sequence', 'a');
RESET ROLE;
\o /dev/null
SELECT roformer.grant_model('err_sequence', 'regress_roformer_reader');
\o
SET ROLE regress_roformer_reader;
SELECT roformer.classify('err_sequence', 'a') IS NOT NULL AS granted;
RESET ROLE;

-- tables of another version than the library knows
BEGIN;
ALTER TABLE _roformer.model_grant ADD COLUMN extra int;
SELECT roformer.grant_model('err_sequence', 'PUBLIC');
ROLLBACK;

\o /dev/null
SELECT roformer.drop_model(name) FROM unnest('{err_sequence,err_token,err_masked,err_bare}'::text[]) AS name;
\o
DROP OWNED BY regress_roformer_reader;
DROP ROLE regress_roformer_reader;
