-- the model store: load, inspect, replace, rename, drop, options, rights
SET client_min_messages = warning;
CREATE EXTENSION IF NOT EXISTS roformer;
\getenv golden ROFORMER_GOLDEN
\set classifier :golden '/models/seqcls-en'
\set masked :golden '/models/mlm-en-untied'
\set bare :golden '/models/enc-en-proj'
\set tagger :golden '/models/tokcls-en'
CREATE VIEW stored AS
SELECT m.name, m.digest, f.files, t.tensors, c.chunks, c.bytes + f.bytes = m.bytes AS all_bytes
FROM roformer.models AS m JOIN _roformer.model AS s USING (name),
	LATERAL (SELECT count(*) AS files, sum(length(data)) AS bytes FROM _roformer.model_file WHERE model_id = s.id) AS f,
	LATERAL (SELECT count(*) AS tensors FROM _roformer.model_tensor WHERE model_id = s.id) AS t,
	LATERAL (SELECT count(*) AS chunks, sum(length(data)) AS bytes FROM _roformer.model_chunk WHERE model_id = s.id) AS c;
-- rows of the store that belong to no model
CREATE VIEW orphan AS
SELECT model_id FROM _roformer.model_file UNION SELECT model_id FROM _roformer.model_tensor
UNION SELECT model_id FROM _roformer.model_chunk UNION SELECT model_id FROM _roformer.model_grant
EXCEPT SELECT id FROM _roformer.model;

-- what is said of a model
\o /dev/null
SELECT roformer.load_model('m_classifier', :'classifier'), roformer.load_model('m_spam', 'roformer-sms-spam');
\o
\x on
SELECT name, owner = current_user AS mine, architecture, task, parameters, layers, hidden_size, vocabulary, labels, precision,
	bytes, digest, created <= now() AS created, options
FROM roformer.models WHERE name IN ('m_classifier', 'm_spam') ORDER BY name;
\x off
SELECT files, tensors, chunks, all_bytes FROM stored WHERE name = 'm_classifier';
SELECT name, dtype, shape FROM roformer.model_tensors('m_classifier') WHERE name !~ 'layer' ORDER BY name;
SELECT count(*) AS tensors, sum(CASE array_length(shape, 1) WHEN 1 THEN shape[1] ELSE shape[1] * shape[2] END) AS parameters
FROM roformer.model_tensors('m_classifier');
SELECT roformer.model_config('m_classifier') ->> 'model_type' AS model_type, pg_typeof(roformer.model_config('m_classifier'));
SELECT * FROM roformer.save_vocabulary('m_classifier') WHERE id < 5;
SELECT count(*) = (SELECT vocabulary FROM roformer.models WHERE name = 'm_classifier') AS all,
	min(id) = 0 AND max(id) = count(DISTINCT id) - 1 AS dense
FROM roformer.save_vocabulary('m_classifier');

-- the digest is that of the content, whatever its name; a model without labels; half precision
\o /dev/null
SELECT roformer.load_model('m_copy', :'classifier'), roformer.load_model('m_masked', :'masked');
\o
SELECT count(*), count(DISTINCT digest) AS contents FROM roformer.models WHERE name IN ('m_classifier', 'm_copy');
SELECT task, labels, precision FROM roformer.models WHERE name = 'm_masked';
\x on
SELECT s.precision, s.bytes, v.tensors, v.chunks, v.all_bytes
FROM roformer.models AS s JOIN stored AS v USING (name) WHERE name = 'm_spam';
\x off

-- tensors a model has no use for
SELECT roformer.load_model('m_bare', :'bare');
SELECT bool_or(name ~ 'seq_relationship') AS stored FROM roformer.model_tensors('m_bare');

-- names
SELECT roformer.load_model('m_classifier', :'masked');
SELECT roformer.load_model('', :'masked');
SELECT roformer.load_model(repeat('x', 64), :'masked');
SELECT roformer.load_model(e'two\nlines', :'masked');
\o /dev/null
SELECT roformer.load_model('Any "text"; ''quoted'' – 漢字', :'masked');
SELECT roformer.drop_model('Any "text"; ''quoted'' – 漢字');
\o
SELECT roformer.model_config('m_classifer');
SELECT roformer.model_config('M_SPAM');
SELECT roformer.model_config('m_mask');
SELECT roformer.model_config('nothing like it');
SELECT roformer.model_config(repeat('m_spam', 100));
SELECT roformer.load_model(NULL, 'x') IS NULL AS null, roformer.model_config(NULL) IS NULL AS null;

-- directories
SELECT roformer.load_model('m_new', '');
SELECT roformer.load_model('m_new', '.');
SELECT roformer.load_model('m_new', '../models/roformer-sms-spam');
SELECT roformer.load_model('m_new', 'roformer-sms-spam/../../../..');
SELECT roformer.load_model('m_new', 'roformer-sms-spam//');
\set VERBOSITY terse
SELECT roformer.load_model('m_new', 'no-such-model');
SELECT roformer.load_model('m_new', '/no/such/directory');
SELECT roformer.load_model('m_new', '/dev/null');
SELECT roformer.load_model('m_new', '/');
\set VERBOSITY default

-- rollback undoes a load, also that of a savepoint
BEGIN;
\o /dev/null
SELECT roformer.load_model('m_first', :'tagger');
SAVEPOINT s;
SELECT roformer.load_model('m_second', :'tagger');
\o
SELECT name, labels FROM roformer.models WHERE name IN ('m_first', 'm_second') ORDER BY name;
ROLLBACK TO s;
SELECT name FROM roformer.models WHERE name IN ('m_first', 'm_second') ORDER BY name;
\o /dev/null
SELECT roformer.load_model('m_second', :'bare');
SELECT roformer.rename_model('m_second', 'm_third');
\o
ROLLBACK;
SELECT name FROM roformer.models WHERE name IN ('m_first', 'm_second', 'm_third');
DO $$
BEGIN
	PERFORM roformer.drop_model('m_copy');
	PERFORM roformer.load_model('m_copy', 'roformer-sms-spam');
	RAISE 'undo' USING ERRCODE = 'P0001';
EXCEPTION WHEN raise_exception THEN
	RAISE WARNING 'undone';
END $$;
SELECT digest = (SELECT digest FROM roformer.models WHERE name = 'm_classifier') AS the_old_one FROM roformer.models WHERE name = 'm_copy';
SELECT * FROM orphan;

-- loaded, changed and dropped in one transaction; visible to the next command
BEGIN;
\o /dev/null
SELECT roformer.load_model('m_first', :'tagger');
SELECT roformer.set_model_option('m_first', 'max_length', '20');
SELECT roformer.replace_model('m_first', :'classifier');
SELECT roformer.rename_model('m_first', 'm_second');
\o
SELECT name, task, options FROM roformer.models WHERE name IN ('m_first', 'm_second');
SELECT count(*) FROM roformer.model_tensors('m_second');
SELECT roformer.drop_model('m_second');
SELECT name FROM roformer.models WHERE name IN ('m_first', 'm_second');
COMMIT;
SELECT * FROM orphan;

-- a model loaded after the transaction's snapshot was taken
BEGIN ISOLATION LEVEL REPEATABLE READ;
SELECT count(*) FROM roformer.models WHERE name = 'm_later';
\o /dev/null
SELECT roformer.load_model('m_later', :'tagger');
\o
SELECT count(*) FROM roformer.model_tensors('m_later');
ROLLBACK;

-- options
SELECT roformer.set_model_option('m_classifier', 'colour', 'red');
SELECT roformer.set_model_option('m_classifier', 'max_length', '1');
SELECT roformer.set_model_option('m_classifier', 'max_length', '1048577');
SELECT roformer.set_model_option('m_classifier', 'max_length', '12 tokens');
SELECT roformer.set_model_option('m_classifier', 'max_length', '');
SELECT roformer.set_model_option('m_classifier', 'pooling', 'median');
SELECT roformer.set_model_option('m_classifier', 'overflow', 'TRUNCATE');
SELECT roformer.set_model_option('m_classifier', 'precision', 'fp64');
SELECT roformer.set_model_option('m_classifier', 'tokenizer', 'medium');
SELECT roformer.set_model_option('m_classifier', 'labels', 'a,b,c');
SELECT roformer.set_model_option('m_classifier', 'labels', '{a,b}');
SELECT roformer.set_model_option('m_classifier', 'labels', '{a,b,NULL}');
SELECT roformer.set_model_option('m_classifier', 'labels', '{a,b,a}');
SELECT roformer.set_model_option('m_classifier', 'labels', '{}');
SELECT roformer.set_model_option('m_masked', 'labels', '{a,b}');
SELECT roformer.set_model_option('m_none', 'max_length', '12');
SELECT roformer.set_model_option(NULL, 'max_length', '12');
SELECT roformer.set_model_option('m_classifier', NULL, '12');
SELECT options FROM roformer.models WHERE name = 'm_classifier';
\o /dev/null
SELECT roformer.set_model_option('m_classifier', option, value)
FROM (VALUES ('max_length', '12'), ('pooling', 'max'), ('overflow', 'error'), ('precision', 'fp32'), ('tokenizer', 'fast'),
	('labels', '{bad,"so, so","very = good"}')) AS v(option, value);
\o
SELECT labels, options FROM roformer.models WHERE name = 'm_classifier';
\o /dev/null
SELECT roformer.set_model_option('m_classifier', 'max_length', '13');
SELECT roformer.set_model_option('m_classifier', 'overflow', NULL);
SELECT roformer.set_model_option('m_classifier', 'overflow', NULL);
\o
SELECT options FROM roformer.models WHERE name = 'm_classifier';

-- replacing keeps name, owner, grants and options; labels must still fit
CREATE ROLE regress_roformer_user;
CREATE ROLE regress_roformer_member IN ROLE regress_roformer_user;
CREATE ROLE regress_roformer_other;
\o /dev/null
SELECT roformer.grant_model('m_classifier', 'regress_roformer_user');
\o
SELECT roformer.replace_model('m_classifier', :'tagger');
SELECT roformer.replace_model('m_classifier', :'masked');
\o /dev/null
SELECT roformer.set_model_option('m_classifier', 'labels', NULL);
SELECT roformer.replace_model('m_classifier', :'tagger');
\o
SELECT owner = current_user AS mine, task, cardinality(labels) AS labels, options FROM roformer.models WHERE name = 'm_classifier';
SELECT files, tensors, all_bytes, digest <> (SELECT digest FROM roformer.models WHERE name = 'm_copy') AS other_digest
FROM stored WHERE name = 'm_classifier';
SELECT grantee FROM _roformer.model_grant JOIN _roformer.model ON id = model_id WHERE name = 'm_classifier';
SELECT * FROM orphan;
\o /dev/null
SELECT roformer.replace_model('m_classifier', :'classifier');
\o
SELECT count(DISTINCT digest) AS contents FROM roformer.models WHERE name IN ('m_classifier', 'm_copy');
SELECT roformer.replace_model('m_none', :'classifier');

-- rename
SELECT roformer.rename_model('m_copy', 'm_masked');
SELECT roformer.rename_model('m_copy', 'm_copy');
SELECT roformer.rename_model('m_copy', '');
SELECT roformer.rename_model('m_none', 'm_some');
\o /dev/null
SELECT roformer.rename_model('m_copy', 'm_renamed');
\o
SELECT roformer.model_config('m_copy');
SELECT roformer.model_config('m_renamed') ->> 'model_type';

-- rights: others see that there are models, and no more
SET ROLE regress_roformer_other;
SELECT count(*) FROM roformer.models WHERE name = 'm_classifier';
SELECT count(*) FROM _roformer.model;
SELECT count(*) FROM _roformer.model_file;
SELECT count(*) FROM _roformer.model_tensor;
SELECT count(*) FROM _roformer.model_chunk;
SELECT count(*) FROM _roformer.model_grant;
SELECT nextval('_roformer.model_id_seq');
SELECT roformer.model_config('m_classifier');
SELECT count(*) FROM roformer.model_tensors('m_classifier');
SELECT count(*) FROM roformer.save_vocabulary('m_classifier');
SELECT roformer.replace_model('m_classifier', 'roformer-sms-spam');
SELECT roformer.rename_model('m_classifier', 'm_mine');
SELECT roformer.drop_model('m_classifier');
SELECT roformer.set_model_option('m_classifier', 'max_length', '12');
SELECT roformer.grant_model('m_classifier', 'regress_roformer_other');
SELECT roformer.revoke_model('m_classifier', 'regress_roformer_user');
SELECT roformer.load_model('m_mine', '/');
-- those it was granted to use it, and no more
SET ROLE regress_roformer_member;
SELECT roformer.model_config('m_classifier') ->> 'model_type';
SELECT roformer.drop_model('m_classifier');
SET ROLE regress_roformer_other;
-- who loads a model owns it
\o /dev/null
SELECT roformer.load_model('m_mine', 'roformer-sms-spam');
SELECT roformer.set_model_option('m_mine', 'max_length', '12');
\o
SELECT owner, options FROM roformer.models WHERE name = 'm_mine';
SELECT roformer.grant_model('m_mine', 'regress_roformer_nobody');
SET ROLE regress_roformer_user;
SELECT roformer.model_config('m_mine');
SET ROLE regress_roformer_other;
\o /dev/null
SELECT roformer.grant_model('m_mine', 'PUBLIC');
SELECT roformer.grant_model('m_mine', 'public');
\o
SET ROLE regress_roformer_user;
SELECT roformer.model_config('m_mine') ->> 'model_type';
SET ROLE regress_roformer_other;
\o /dev/null
SELECT roformer.revoke_model('m_mine', 'public');
SELECT roformer.revoke_model('m_mine', 'public');
\o
SET ROLE regress_roformer_user;
SELECT roformer.model_config('m_mine');
RESET ROLE;
GRANT pg_read_server_files TO regress_roformer_other;
SET ROLE regress_roformer_other;
\o /dev/null
SELECT roformer.replace_model('m_mine', :'tagger');
\o
RESET ROLE;
-- superusers may do everything
SELECT roformer.model_config('m_mine') ->> 'model_type';
\o /dev/null
SELECT roformer.grant_model('m_mine', 'regress_roformer_user');
SELECT roformer.drop_model('m_mine');
\o
SELECT * FROM orphan;

-- nothing is written where nothing may be
SET default_transaction_read_only = on;
SELECT roformer.load_model('m_new', 'roformer-sms-spam');
SELECT roformer.replace_model('m_spam', 'roformer-sms-spam');
SELECT roformer.set_model_option('m_spam', 'max_length', '12');
SELECT roformer.drop_model('m_spam');
SELECT roformer.model_config('m_spam') ->> 'model_type';
RESET default_transaction_read_only;

-- damaged rows are found out
BEGIN;
UPDATE _roformer.model_tensor SET dtype = 'F31' WHERE name = 'classifier.dense.bias' AND model_id = (SELECT id FROM _roformer.model WHERE name = 'm_spam');
SELECT count(*) FROM roformer.model_tensors('m_spam');
ROLLBACK;
BEGIN;
UPDATE _roformer.model_tensor SET shape = '{-1}' WHERE name = 'classifier.dense.bias' AND model_id = (SELECT id FROM _roformer.model WHERE name = 'm_spam');
SELECT count(*) FROM roformer.model_tensors('m_spam');
ROLLBACK;
SET client_min_messages = error; -- no NOTICE where the server doesn't share models
CREATE FUNCTION damage(change text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
	message text;
	detail text;
BEGIN
	EXECUTE replace(change, 'MODEL', (SELECT id::text FROM _roformer.model WHERE name = 'm_classifier'));
	PERFORM roformer.evict('m_classifier');
	PERFORM roformer.prewarm('m_classifier');
	RAISE 'nothing happened' USING ERRCODE = 'P0002';
EXCEPTION WHEN data_corrupted THEN
	GET STACKED DIAGNOSTICS message = MESSAGE_TEXT, detail = PG_EXCEPTION_DETAIL;
	RETURN message || ': ' || detail;
END $$;
SELECT damage(format('%s AND model_id = MODEL AND tensor = ''roformer.embeddings.word_embeddings.weight''', change)) FROM unnest(ARRAY[
	'UPDATE _roformer.model_chunk SET data = substr(data, 2) WHERE true',
	'UPDATE _roformer.model_chunk SET data = substr(data, 257) WHERE true',
	'UPDATE _roformer.model_chunk SET data = data || data WHERE true',
	'UPDATE _roformer.model_chunk SET data = '''' WHERE true',
	'UPDATE _roformer.model_chunk SET data = set_byte(data, 1000, get_byte(data, 1000) # 1) WHERE true',
	'UPDATE _roformer.model_chunk SET first_row = 1 WHERE true',
	'UPDATE _roformer.model_chunk SET first_row = -1 WHERE true',
	'DELETE FROM _roformer.model_chunk WHERE true']) AS change;
SELECT damage($$UPDATE _roformer.model_chunk SET tensor = 'zzz' WHERE model_id = MODEL AND tensor = 'classifier.dense.bias'$$);
SELECT damage($$INSERT INTO _roformer.model_chunk VALUES (MODEL, 'zzz', 0, 'abcd')$$);
SELECT damage($$UPDATE _roformer.model_file SET data = data || ' ' WHERE model_id = MODEL AND name = 'config.json'$$);
SET client_min_messages = warning;

-- ids go on behind the largest where the sequence has not followed the rows, as on a logical replica
SELECT setval('_roformer.model_id_seq', 1, false) AS sequence;
SELECT roformer.load_model('m_behind', 'roformer-sms-spam');
SELECT roformer.classify('m_behind', 'See you at noon'), id = (SELECT max(id) FROM _roformer.model) AS largest,
	id = (SELECT last_value FROM _roformer.model_id_seq) AS last FROM _roformer.model WHERE name = 'm_behind';

-- the tables are dumped with their rows
SELECT c.relname, e.extcondition[n] = '' AS all_rows
FROM pg_extension AS e, unnest(e.extconfig) WITH ORDINALITY AS x(oid, n) JOIN pg_class AS c ON c.oid = x.oid
WHERE extname = 'roformer' ORDER BY c.relname;
-- bytes are not compressed: that takes long, and can't be cancelled
SELECT attrelid::regclass, attstorage FROM pg_attribute
WHERE attrelid IN ('_roformer.model_file'::regclass, '_roformer.model_chunk'::regclass) AND attname = 'data' ORDER BY 1::text;
SELECT proname, provolatile, proparallel, proisstrict FROM pg_proc
WHERE pronamespace = 'roformer'::regnamespace AND proname ~ 'model|vocabulary' ORDER BY proname;

-- settings
SHOW roformer.precision;
SHOW roformer.overflow;
SHOW roformer.max_length;
SHOW roformer.batch_tokens;
SHOW roformer.kernels;
SET roformer.max_length = -1;
SET roformer.max_length = 1048577;
SET roformer.overflow = 'cut';
SET roformer.precision = 'fp8';
SET roformer.no_such_setting = 1;

\o /dev/null
SELECT roformer.drop_model(name) FROM roformer.models WHERE name ~ '^m_';
\o
SELECT * FROM orphan;
DROP FUNCTION damage;
DROP VIEW stored, orphan;
DROP ROLE regress_roformer_user, regress_roformer_member, regress_roformer_other;
