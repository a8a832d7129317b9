-- A model that a client sends: the calls by hand, in order and out of it.
\set VERBOSITY default
\getenv golden ROFORMER_GOLDEN
\set classifier :golden '/models/seqcls-en'
\set words :golden '/models/enc-zh-word'
SET client_min_messages = warning;
CREATE EXTENSION IF NOT EXISTS roformer;
RESET client_min_messages;
\o /dev/null
SELECT roformer.load_model('i_source', :'classifier'), roformer.load_model('i_words', :'words');
\o
CREATE ROLE regress_importer;

-- what a client does, with what is stored of another model
CREATE VIEW i_file AS
	SELECT m.name AS model, f.name, data FROM _roformer.model_file AS f JOIN _roformer.model AS m ON id = model_id;
CREATE VIEW i_chunk AS
	SELECT name AS model, tensor, first_row, data FROM _roformer.model_chunk JOIN _roformer.model ON id = model_id
	ORDER BY tensor, first_row;
CREATE FUNCTION i_files(source text) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
	PERFORM roformer.import_file(name, data) FROM i_file WHERE model = source;
END $$;
CREATE FUNCTION i_tensors(source text) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
	PERFORM roformer.import_tensor(name, dtype, shape) FROM roformer.model_tensors(source) ORDER BY name DESC;
END $$;
CREATE FUNCTION i_chunks(source text, first int DEFAULT 0, count int DEFAULT NULL) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
	PERFORM roformer.import_chunk(tensor, first_row, data)
	FROM (SELECT * FROM i_chunk WHERE model = source OFFSET first LIMIT count) AS chunk;
END $$;
CREATE FUNCTION i_send(source text) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
	PERFORM i_files(source);
	PERFORM i_tensors(source);
	PERFORM roformer.import_check();
	PERFORM i_chunks(source);
END $$;
-- rows of contents that no model has
CREATE VIEW i_orphans AS
	SELECT count(*) FROM (SELECT model_id FROM _roformer.model_file UNION ALL SELECT model_id FROM _roformer.model_tensor
						  UNION ALL SELECT model_id FROM _roformer.model_chunk) AS rows
	WHERE model_id NOT IN (SELECT id FROM _roformer.model);

-- the whole way: equal digest, equal rows
BEGIN;
SELECT roformer.import_begin('i_copy');
SELECT i_files('i_source'), i_tensors('i_source');
SELECT count(*), min(tensor), max(tensor) FROM roformer.import_check();
SELECT i_chunks('i_source');
SELECT roformer.import_finish() = (SELECT digest FROM roformer.models WHERE name = 'i_source') AS equal;
COMMIT;
SELECT count(DISTINCT (owner, architecture, task, parameters, layers, hidden_size, vocabulary, labels, precision, bytes, digest)) AS contents,
	count(*) AS models
FROM roformer.models WHERE name IN ('i_source', 'i_copy');
SELECT tensor, first_row, data FROM i_chunk WHERE model = 'i_source'
EXCEPT SELECT tensor, first_row, data FROM i_chunk WHERE model = 'i_copy';
SELECT roformer.classify_all('i_copy', 'one text') = roformer.classify_all('i_source', 'one text') AS equal;

-- a dictionary that the client sends; without one the server's own
BEGIN;
SELECT roformer.import_begin('i_words_copy'), i_send('i_words');
SELECT roformer.import_finish() = (SELECT digest FROM roformer.models WHERE name = 'i_words') AS equal;
SELECT roformer.import_begin('i_words_server');
SELECT roformer.import_file(name, data) FROM i_file WHERE model = 'i_words' AND name <> 'jieba/dict.txt' \g /dev/null
SELECT i_tensors('i_words');
SELECT count(*) > 0 AS wanted FROM roformer.import_check();
SELECT i_chunks('i_words');
SELECT roformer.import_finish() = (SELECT digest FROM roformer.models WHERE name = 'i_words') AS equal;
COMMIT;
BEGIN;
SELECT roformer.import_begin('i_own_words');
SELECT roformer.import_file(name, CASE name WHEN 'jieba/dict.txt' THEN convert_to(e'中文 3 n\n', 'UTF8') ELSE data END)
FROM i_file WHERE model = 'i_words' \g /dev/null
SELECT i_tensors('i_words');
SELECT count(*) > 0 AS wanted FROM roformer.import_check();
SELECT i_chunks('i_words');
SELECT roformer.import_finish() <> (SELECT digest FROM roformer.models WHERE name = 'i_words') AS other;
SELECT roformer.tokenize('i_own_words', '中文', false), length(m.dictionary) FROM _roformer.model AS m WHERE name = 'i_own_words';
ROLLBACK;
BEGIN;
SELECT roformer.import_begin('i_bad'), i_files('i_source'), i_tensors('i_source'), roformer.import_file('jieba/dict.txt', 'x 1 n');
SELECT * FROM roformer.import_check();
ROLLBACK;
BEGIN;
SELECT roformer.import_begin('i_bad'), i_tensors('i_words');
SELECT roformer.import_file(name, CASE name WHEN 'jieba/dict.txt' THEN '\xff' ELSE data END) FROM i_file WHERE model = 'i_words' \g /dev/null
SELECT * FROM roformer.import_check();
ROLLBACK;

-- replacing: grants and options stay, readers find the new content when it is committed
SELECT roformer.grant_model('i_copy', 'regress_importer'), roformer.set_model_option('i_copy', 'max_length', '17');
SELECT roformer.import_begin('i_copy');
BEGIN;
SELECT roformer.import_begin('i_copy', true), i_send('i_words');
SELECT digest = (SELECT digest FROM roformer.models WHERE name = 'i_source') AS unchanged FROM roformer.models WHERE name = 'i_copy';
SELECT roformer.import_finish() = digest AS equal FROM roformer.models WHERE name = 'i_words';
COMMIT;
SELECT task, options, digest = (SELECT digest FROM roformer.models WHERE name = 'i_words') AS equal,
	(SELECT count(*) FROM _roformer.model_grant JOIN _roformer.model AS m ON id = model_id WHERE m.name = 'i_copy') AS grants
FROM roformer.models WHERE name = 'i_copy';
BEGIN;
SELECT roformer.import_begin(new, or_replace => true), i_send('i_source') FROM (VALUES ('i_new')) AS v(new);
SELECT roformer.import_finish() = digest AS "equal, there was none" FROM roformer.models WHERE name = 'i_source';
COMMIT;
SELECT roformer.set_model_option('i_new', 'labels', (SELECT labels::text FROM roformer.models WHERE name = 'i_new'));
BEGIN;
SELECT roformer.import_begin('i_new', true), i_files('i_words'), i_tensors('i_words');
SELECT * FROM roformer.import_check();
ROLLBACK;

-- everybody may import, and owns it; nobody replaces another's
BEGIN;
CREATE TABLE i_kept AS SELECT * FROM i_file WHERE model = 'i_source';
CREATE TABLE i_kept_tensor AS SELECT * FROM roformer.model_tensors('i_source');
CREATE TABLE i_kept_chunk AS SELECT * FROM i_chunk WHERE model = 'i_source';
GRANT SELECT ON i_kept, i_kept_tensor, i_kept_chunk TO regress_importer;
SET LOCAL ROLE regress_importer;
SELECT roformer.import_begin('i_theirs');
SELECT roformer.import_file(name, data) FROM i_kept \g /dev/null
SELECT roformer.import_tensor(name, dtype, shape) FROM i_kept_tensor \g /dev/null
SELECT count(*) > 0 AS wanted FROM roformer.import_check();
SELECT roformer.import_chunk(tensor, first_row, data) FROM (SELECT * FROM i_kept_chunk ORDER BY tensor, first_row) AS chunk \g /dev/null
SAVEPOINT before;
RESET ROLE;
SELECT roformer.import_finish();
ROLLBACK TO before; RELEASE before;
SET LOCAL ROLE regress_importer;
SELECT length(roformer.import_finish());
RESET ROLE;
SELECT owner FROM roformer.models WHERE name = 'i_theirs';
SET LOCAL ROLE regress_importer;
SELECT roformer.import_begin('i_source', true);
ROLLBACK;
BEGIN;
SELECT roformer.import_begin('i_other');
SET LOCAL ROLE regress_importer;
SELECT roformer.import_file('config.json', '{}');
ROLLBACK;

-- a transaction ends with its import finished, or not at all
SELECT roformer.import_begin('i_alone');
BEGIN;
SELECT roformer.import_begin('i_unfinished'), i_send('i_source');
COMMIT;
BEGIN;
SELECT roformer.import_begin('i_unfinished'), i_send('i_source');
PREPARE TRANSACTION 'i_prepared';
DO $$ BEGIN PERFORM roformer.import_begin('i_unfinished'); COMMIT; END $$;
BEGIN;
SELECT roformer.import_begin('i_unfinished'), i_send('i_source');
ROLLBACK;
SELECT * FROM i_orphans;

-- savepoints: the import goes with the one it was begun in
BEGIN;
SAVEPOINT outer_one;
SELECT roformer.import_begin('i_nested'), i_send('i_source');
ROLLBACK TO outer_one;
SELECT roformer.import_finish();
ROLLBACK TO outer_one;
SELECT roformer.import_begin('i_nested'), i_files('i_source');
RELEASE outer_one;
SELECT i_tensors('i_source');
SAVEPOINT inner_one;
SELECT roformer.import_check();
ROLLBACK TO inner_one;
RELEASE inner_one;
SELECT count(*) > 0 AS wanted FROM roformer.import_check();
SAVEPOINT inner_one;
SELECT i_chunks('i_source');
ROLLBACK TO inner_one;
RELEASE inner_one;
DO $$ BEGIN PERFORM i_chunks('i_source'); EXCEPTION WHEN object_not_in_prerequisite_state THEN RAISE NOTICE '%', sqlerrm; END $$;
SELECT i_chunks('i_source');
SAVEPOINT other;
ROLLBACK TO other;
RELEASE other;
SELECT roformer.import_finish() = digest AS equal FROM roformer.models WHERE name = 'i_source';
COMMIT;
SELECT count(*) FROM roformer.models WHERE name = 'i_nested';
BEGIN;
SAVEPOINT a; SAVEPOINT b;
SELECT roformer.import_begin('i_gone'), i_send('i_source');
RELEASE b;
SELECT roformer.import_finish() IS NOT NULL AS finished;
ROLLBACK TO a;
SELECT count(*) FROM roformer.models WHERE name = 'i_gone';
SELECT roformer.import_begin('i_gone'), i_send('i_source');
ROLLBACK;
SELECT * FROM i_orphans;

-- out of order
BEGIN; SELECT roformer.import_file('config.json', '{}'); ROLLBACK;
BEGIN; SELECT roformer.import_tensor('a', 'F32', '{1}'); ROLLBACK;
BEGIN; SELECT * FROM roformer.import_check(); ROLLBACK;
BEGIN; SELECT roformer.import_chunk('a', 0, 'x'); ROLLBACK;
BEGIN; SELECT roformer.import_finish(); ROLLBACK;
BEGIN; SELECT roformer.import_begin('i_a'); SELECT roformer.import_begin('i_b'); ROLLBACK;
BEGIN; SELECT roformer.import_begin('i_a'); SELECT roformer.import_chunk('a', 0, 'x'); ROLLBACK;
BEGIN; SELECT roformer.import_begin('i_a'); SELECT roformer.import_finish(); ROLLBACK;
BEGIN; SELECT roformer.import_begin('i_a'), i_send('i_source'); SELECT roformer.import_file('modules.json', '[]'); ROLLBACK;
BEGIN; SELECT roformer.import_begin('i_a'), i_send('i_source'); SELECT * FROM roformer.import_check(); ROLLBACK;
BEGIN; SELECT roformer.import_begin('i_a'), i_send('i_source'), roformer.import_finish() \g /dev/null
SELECT roformer.import_finish(); ROLLBACK;

-- names, files, tensors
SELECT roformer.import_begin('');
SELECT roformer.import_begin(repeat('x', 64));
SELECT roformer.import_begin(NULL) IS NULL AS strict;
BEGIN; SELECT roformer.import_begin('i_a'); SELECT roformer.import_file('../config.json', '{}'); ROLLBACK;
BEGIN; SELECT roformer.import_begin('i_a'), roformer.import_file('config.json', '{}'); SELECT roformer.import_file('config.json', '{}'); ROLLBACK;
BEGIN; SELECT roformer.import_begin('i_a'); SELECT roformer.import_file('modules.json', convert_to(repeat(' ', 1048577), 'UTF8')); ROLLBACK;
BEGIN; SELECT roformer.import_begin('i_a'); SELECT roformer.import_tensor('', 'F32', '{1}'); ROLLBACK;
BEGIN; SELECT roformer.import_begin('i_a'); SELECT roformer.import_tensor(repeat('x', 256), 'F32', '{1}'); ROLLBACK;
BEGIN; SELECT roformer.import_begin('i_a'); SELECT roformer.import_tensor('a', 'float', '{1}'); ROLLBACK;
BEGIN; SELECT roformer.import_begin('i_a'); SELECT roformer.import_tensor('a', 'F32', '{-1}'); ROLLBACK;
BEGIN; SELECT roformer.import_begin('i_a'); SELECT roformer.import_tensor('a', 'F32', '{{1,2}}'); ROLLBACK;
BEGIN; SELECT roformer.import_begin('i_a'); SELECT roformer.import_tensor('a', 'F32', '{1,NULL}'); ROLLBACK;
BEGIN; SELECT roformer.import_begin('i_a'); SELECT roformer.import_tensor('a', 'F32', '{1,1,1,1,1,1,1,1,1}'); ROLLBACK;
BEGIN; SELECT roformer.import_begin('i_a'); SELECT * FROM roformer.import_check(); ROLLBACK;
BEGIN; SELECT roformer.import_begin('i_a'), i_files('i_source'); SELECT * FROM roformer.import_check(); ROLLBACK;
BEGIN; SELECT roformer.import_begin('i_a'), i_tensors('i_source'), i_files('i_source'), roformer.import_tensor('extra', 'F32', '{1}');
SELECT * FROM roformer.import_check(); ROLLBACK;
BEGIN; SELECT roformer.import_begin('i_a'), i_tensors('i_source'), i_files('i_source'), roformer.import_tensor('classifier.dense.bias', 'F32', '{1}');
SELECT * FROM roformer.import_check(); ROLLBACK;
BEGIN; SELECT roformer.import_begin('i_a'), i_files('i_source');
SELECT roformer.import_tensor(name, CASE WHEN name = 'classifier.dense.bias' THEN 'I64' ELSE dtype END,
	CASE WHEN name = 'classifier.dense.weight' THEN ARRAY[9223372036854775807, 9223372036854775807] ELSE shape END)
FROM roformer.model_tensors('i_source') \g /dev/null
SELECT * FROM roformer.import_check(); ROLLBACK;
BEGIN; SELECT roformer.import_begin('i_a'), i_tensors('i_source');
SELECT roformer.import_file(name, CASE name WHEN 'vocab.txt' THEN convert_to(e'[PAD]\n[UNK]\n', 'UTF8') ELSE data END)
FROM i_file WHERE model = 'i_source' \g /dev/null
SELECT * FROM roformer.import_check(); ROLLBACK;

-- chunks: another tensor, row, size; too few, too many
BEGIN; SELECT roformer.import_begin('i_a'), i_files('i_source'), i_tensors('i_source');
SELECT tensor, chunk_rows FROM roformer.import_check() LIMIT 1;
SELECT roformer.import_chunk('nothing', 0, 'x'); ROLLBACK;
BEGIN; SELECT roformer.import_begin('i_a'), i_files('i_source'), i_tensors('i_source'), (SELECT count(*) FROM roformer.import_check()) \g /dev/null
SELECT i_chunks('i_source', 1, 1); ROLLBACK;
BEGIN; SELECT roformer.import_begin('i_a'), i_files('i_source'), i_tensors('i_source'), (SELECT count(*) FROM roformer.import_check()) \g /dev/null
SELECT roformer.import_chunk('classifier.dense.bias', -1, 'x'); ROLLBACK;
BEGIN; SELECT roformer.import_begin('i_a'), i_files('i_source'), i_tensors('i_source'), (SELECT count(*) FROM roformer.import_check()) \g /dev/null
SELECT roformer.import_chunk('classifier.dense.bias', 0, 'x'); ROLLBACK;
BEGIN; SELECT roformer.import_begin('i_a'), i_files('i_source'), i_tensors('i_source'), (SELECT count(*) FROM roformer.import_check()) \g /dev/null
SELECT i_chunks('i_source', 0, 3);
SELECT roformer.import_finish(); ROLLBACK;
BEGIN; SELECT roformer.import_begin('i_a'), i_send('i_source'); SELECT i_chunks('i_source', 0, 1); ROLLBACK;

-- the same transaction may do anything in between
BEGIN; SELECT roformer.import_begin('i_a'), i_send('i_source'); SELECT roformer.load_model('i_a', :'classifier'); SELECT roformer.import_finish(); ROLLBACK;
BEGIN; SELECT roformer.import_begin('i_new', true), i_send('i_source'); SELECT roformer.drop_model('i_new');
SELECT roformer.import_finish() = digest AS "equal, of a new model" FROM roformer.models WHERE name = 'i_source'; COMMIT;
BEGIN; SELECT roformer.import_begin('i_a'); SET TRANSACTION READ ONLY; SELECT roformer.import_file('config.json', '{}'); ROLLBACK;
BEGIN READ ONLY; SELECT roformer.import_begin('i_a'); ROLLBACK;
SELECT * FROM i_orphans;

SET client_min_messages = warning;
SELECT roformer.drop_model(name) FROM roformer.models WHERE starts_with(name, 'i_') \g /dev/null
DROP VIEW i_orphans, i_file, i_chunk;
DROP FUNCTION i_files, i_tensors, i_chunks, i_send;
DROP ROLE regress_importer;
