# What newer versions of PostgreSQL brought, where calls and triggers may stand: each with the batch scan and
# without. Where the version has no such thing its tests are skipped.
use strict;
use warnings;
use FindBin;
use lib $FindBin::RealBin;
use RoformerTest;
use PostgreSQL::Test::Utils;
use Test::More;

my $node = start_server('versions');
my $version = int($node->safe_psql('postgres', 'SHOW server_version_num') / 10000);
load_random($node, 'tiny', seed => 5);
$node->safe_psql('postgres', <<'SQL');
CREATE TABLE t (id int PRIMARY KEY, kind text, body text, note text);
INSERT INTO t SELECT i, chr(97 + i % 3), CASE WHEN i % 7 > 0 THEN repeat(chr(97 + i % 26) || ' ', i % 5) || i % 11 END, 'n' || i % 4
	FROM generate_series(1, 200) AS i;
ANALYZE t;
SQL

# A statement whose rows and whose table afterwards are the same with the node and without, and whether it has one.
sub agrees
{
	my ($name, $has_node, $statement) = @_;
	my (%result, %plan);

	for my $scan ('on', 'off')
	{
		$result{$scan} = $node->safe_psql('postgres',
			"SET roformer.enable_batch_scan = $scan; BEGIN; $statement; SELECT * FROM t ORDER BY id; ROLLBACK");
		$plan{$scan} = $node->safe_psql('postgres', "SET roformer.enable_batch_scan = $scan; EXPLAIN (COSTS OFF) $statement");
	}
	is($result{on}, $result{off}, "$name: the same");
	like($result{on}, qr/label/, "$name: with results");
	is(($plan{on} =~ /RoformerBatch/ ? 1 : 0), $has_node, "$name: " . ($has_node ? 'in batches' : 'row by row'));
	unlike($plan{off}, qr/RoformerBatch/, "$name: or without");
	return;
}

sub refuses
{
	my ($name, $statement, $message) = @_;
	my ($ret, $out, $err) = $node->psql('postgres', $statement);

	like($err, $message, $name);
	return;
}

# ---- 16 ------------------------------------------------------------------------------------------

SKIP:
{
	skip 'JSON constructors and presorted aggregates came with 16', 12 if $version < 16;

	agrees('an aggregate over rows sorted by a call', 1,
		q(SELECT kind, string_agg(body, ',' ORDER BY roformer.classify('tiny', body), id), min(roformer.classify('tiny', note)) FROM t GROUP BY kind ORDER BY kind));
	agrees('a JSON constructor over a call', 1,
		q(SELECT JSON_OBJECT('id': id, 'label': roformer.classify('tiny', body)) FROM t ORDER BY id));
	agrees('a call behind IS JSON', 1,
		q(SELECT id, CASE WHEN note IS NOT JSON THEN roformer.classify('tiny', body) END FROM t WHERE body IS NOT JSON OBJECT ORDER BY id));
}

# ---- 17 ------------------------------------------------------------------------------------------

my $merge = q(MERGE INTO t USING (SELECT id + 50 AS id, body, note FROM t) AS s ON t.id = s.id
	WHEN MATCHED AND roformer.classify('tiny', s.body) = 'label1' THEN UPDATE SET kind = roformer.classify('tiny', s.note)
	WHEN NOT MATCHED BY SOURCE AND roformer.classify('tiny', t.body) <> 'label0' THEN UPDATE SET kind = 'old ' || roformer.classify('tiny', t.body)
	WHEN NOT MATCHED THEN INSERT VALUES (s.id, roformer.classify('tiny', s.body), s.body));
SKIP:
{
	skip 'MERGE BY SOURCE, its RETURNING, and JSON_TABLE came with 17', 20 if $version < 17;

	agrees('MERGE by source', 1, $merge);
	agrees('MERGE by source, returning', 1, "$merge RETURNING merge_action(), t.id, roformer.classify('tiny', t.body)");
	agrees('calls over what a MERGE returns', 1,
		"WITH m AS ($merge RETURNING merge_action() AS action, t.*) SELECT action, id, roformer.classify('tiny', body) FROM m ORDER BY id");
	agrees('calls over JSON_TABLE', 1, q(SELECT n, roformer.classify('tiny', word) FROM
		JSON_TABLE((SELECT jsonb_agg(body) FROM t), '$[*]' COLUMNS (n FOR ORDINALITY, word text PATH '$')) ORDER BY n));
	agrees('a text that JSON_VALUE may fail to find', 0,
		q(SELECT roformer.classify('tiny', JSON_VALUE(jsonb_build_object('b', body), '$.b' ERROR ON ERROR)) FROM t ORDER BY id));
}

# ---- 18 ------------------------------------------------------------------------------------------

SKIP:
{
	skip 'virtual columns, OLD and NEW, temporal keys came with 18', 45 if $version < 18;

	$node->safe_psql('postgres', "ALTER TABLE t ADD loud text GENERATED ALWAYS AS (upper(body) || ' ' || note) VIRTUAL");
	agrees('calls over a virtual column', 1, q(SELECT id, roformer.classify('tiny', loud) FROM t WHERE roformer.classify('tiny', loud) <> 'label9' ORDER BY id));
	agrees('an outer join with one', 1, q(SELECT a.id, roformer.classify('tiny', b.loud) FROM t AS a LEFT JOIN t AS b ON b.id = a.id + 100 ORDER BY a.id));
	agrees('an UPDATE by one', 1, q(UPDATE t SET kind = roformer.classify('tiny', loud)));
	refuses('a virtual column cannot call', q(ALTER TABLE t ADD class text GENERATED ALWAYS AS (roformer.classify('tiny', body)) VIRTUAL),
		qr/user-defined function/);
	agrees('OLD and NEW', 1, q(UPDATE t SET body = note, kind = roformer.classify('tiny', body) WHERE id < 50
		RETURNING id, roformer.classify('tiny', old.body), roformer.classify('tiny', new.body), old.kind, new.kind, new.loud));
	agrees('OLD and NEW of MERGE', 1, "$merge RETURNING merge_action(), roformer.classify('tiny', old.body), roformer.classify('tiny', new.body)");
	agrees('groups by a call', 1, q(SELECT roformer.classify('tiny', body), kind, count(*), roformer.classify('tiny', max(note))
		FROM t GROUP BY GROUPING SETS ((1, 2), (1), ()) HAVING count(*) > 1 ORDER BY 1, 2));
	agrees('groups by a virtual column', 1, q(SELECT loud, roformer.classify('tiny', loud), count(*) FROM t GROUP BY loud ORDER BY 1));
	agrees('groups in a subquery', 1, q(SELECT g.class, roformer.classify('tiny', g.body) FROM
		(SELECT roformer.classify('tiny', note) AS class, body FROM t GROUP BY 1, 2) AS g LEFT JOIN t ON t.body = g.body ORDER BY 1, 2));
	agrees('a join with itself that goes', 1, q(SELECT a.id, roformer.classify('tiny', b.body) FROM t AS a JOIN t AS b USING (id)
		WHERE roformer.classify('tiny', a.body) <> 'label9' ORDER BY 1));
	unlike($node->safe_psql('postgres', q(EXPLAIN SELECT a.id, roformer.classify('tiny', b.body) FROM t AS a JOIN t AS b USING (id))),
		qr/Join|Nested/, 'it is gone');

	# triggers for each statement: texts that transition tables lack, and a key that is no btree
	$node->safe_psql('postgres', <<'SQL');
CREATE TABLE virtual (id int PRIMARY KEY, body text, loud text GENERATED ALWAYS AS (upper(body)) VIRTUAL, kind text);
CREATE TRIGGER classify AFTER INSERT ON virtual REFERENCING NEW TABLE AS fresh FOR EACH STATEMENT
	EXECUTE FUNCTION roformer.classify_trigger('tiny', 'loud', 'kind');
CREATE TABLE period (id int4range, valid daterange, body text, kind text, PRIMARY KEY (id, valid WITHOUT OVERLAPS));
CREATE TRIGGER insert_kind AFTER INSERT ON period REFERENCING NEW TABLE AS fresh FOR EACH STATEMENT
	EXECUTE FUNCTION roformer.classify_trigger('tiny', 'body', 'kind');
CREATE TRIGGER update_kind AFTER UPDATE ON period REFERENCING OLD TABLE AS stale NEW TABLE AS fresh FOR EACH STATEMENT
	EXECUTE FUNCTION roformer.classify_trigger('tiny', 'body', 'kind');
INSERT INTO period SELECT int4range(1 + i % 5, 2 + i % 5), daterange('2026-01-01'::date + i * 10, '2026-01-11'::date + i * 10), body FROM t, LATERAL (SELECT id AS i) AS n;
SQL
	refuses('a trigger does not read a virtual column', q(INSERT INTO virtual VALUES (1, 'a b')), qr/virtual generated column "loud" can't be read by a trigger/);
	my $wrong = q(SELECT count(*) FILTER (WHERE kind IS DISTINCT FROM roformer.classify('tiny', body)), count(kind) > 100 FROM period);
	is($node->safe_psql('postgres', $wrong), '0|t', 'a temporal key finds the rows that came');
	$node->safe_psql('postgres', "UPDATE period SET body = body || ' z y x', valid = daterange(lower(valid) + 3, upper(valid) + 3)");
	is($node->safe_psql('postgres', $wrong), '0|t', 'and those that moved');
}

$node->stop;
done_testing();
