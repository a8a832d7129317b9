# Parallel workers compute from the shared image, load it where they come first, and give the same results.
use strict;
use warnings;
use FindBin;
use lib $FindBin::RealBin;
use RoformerTest;
use PostgreSQL::Test::Utils;
use Test::More;

my $node = start_server('parallel', conf => 'max_worker_processes = 8');
load_random($node, 'tiny', seed => 8);
$node->safe_psql('postgres', q(CREATE TABLE t AS SELECT i AS id, 'text ' || md5(i::text) AS body FROM generate_series(1, 2000) i));
$node->safe_psql('postgres', q(ALTER TABLE t SET (parallel_workers = 2)));
$node->safe_psql('postgres', 'VACUUM ANALYZE t');

my $query = q(SELECT md5(string_agg(s::text, ',' ORDER BY id)) FROM (SELECT id, roformer.classify_score('tiny', body, 'label1') AS s FROM t OFFSET 0) x);
my $parallel = 'SET max_parallel_workers_per_gather = 2; SET parallel_setup_cost = 0; SET parallel_tuple_cost = 0; SET min_parallel_table_scan_size = 0;';

my $serial = $node->safe_psql('postgres', $query);
like($node->safe_psql('postgres', "$parallel EXPLAIN (COSTS OFF) $query"), qr/Gather/, 'the plan is parallel');
is($node->safe_psql('postgres', "$parallel $query"), $serial, 'two workers and the leader give the same result');
is($node->safe_psql('postgres', "$parallel SET parallel_leader_participation = off; $query"), $serial, 'so do workers alone');
is($node->safe_psql('postgres', 'SELECT loads, pins FROM roformer.cache'), '1|0', 'from one image');

$node->safe_psql('postgres', "SELECT roformer.evict('tiny')");
is($node->safe_psql('postgres', "$parallel SET parallel_leader_participation = off; $query"), $serial, 'workers load the image when they come first');
is($node->safe_psql('postgres', 'SELECT loads, pins FROM roformer.cache'), '2|0', 'once');
my $force = $node->pg_version < 16 ? 'force_parallel_mode' : 'debug_parallel_query';
is($node->safe_psql('postgres', "SET $force = on; SELECT roformer.classify_score('tiny', body, 'label1') = (SELECT roformer.classify_score('tiny', 'text ' || md5('7'), 'label1')) FROM t WHERE id = 7"),
	't', "a plan that is parallel by $force");

# A model that only the leader's open transaction can see.
my $directory = PostgreSQL::Test::Utils::tempdir() . '/new';
write_model($directory, seed => 9);
my ($ret, $out, $err) = $node->psql('postgres',
	"BEGIN; SELECT roformer.load_model('new', '$directory'); $parallel SELECT count(roformer.classify('new', body)) FROM t; ROLLBACK;");
is($out =~ s/^\n//r, '2000', 'workers see a model that their transaction loaded') or diag($err);

# A worker that fails, and a parallel query that is cancelled, let go of everything.
($ret, $out, $err) = $node->psql('postgres', "$parallel SELECT count(roformer.classify('tiny', body)) FROM t WHERE 1 / (id - 1500) < 5");
like($err, qr/division by zero/, 'an error in a worker');
($ret, $out, $err) = $node->psql('postgres', "$parallel SET statement_timeout = '300ms'; SELECT count(roformer.classify('tiny', a.body || b.body)) FROM t a, t b");
like($err, qr/statement timeout/, 'a timeout in the middle of a parallel query');
is($node->safe_psql('postgres', "SELECT sum(pins) FROM roformer.cache"), '0', 'no pin is left');

# Without a shared cache each worker has its own copy; the leader alone says so.
$node->append_conf('postgresql.conf', 'roformer.cache_size = 0');
$node->restart;
($ret, $out, $err) = $node->psql('postgres', "$parallel $query");
is($out, $serial, 'the same from private copies');
is(scalar(() = $err =~ /NOTICE/g), 1, 'with one NOTICE');

$node->stop;
done_testing();
