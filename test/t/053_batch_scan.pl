# The batch scan in a server: workers, memory of a long scan, wide rows, cancelling, and without preload.
use strict;
use warnings;
use FindBin;
use lib $FindBin::RealBin;
use RoformerTest;
use PostgreSQL::Test::Utils;
use Test::More;
use JSON::PP;

my $node = start_server('batch', conf => "max_worker_processes = 8\nshared_buffers = 16MB");
load_random($node, 'tiny', seed => 8);
load_random($node, 'wide', hidden => 512, layers => 4, heads => 8, seed => 2);
$node->safe_psql('postgres', q(CREATE TABLE t AS SELECT i AS id, 'text ' || md5((i / 2)::text) AS body FROM generate_series(1, 2000) i));
$node->safe_psql('postgres', 'VACUUM ANALYZE t');

# The node of a plan, however deep.
sub find_node
{
	my ($plan) = @_;
	return $plan if ($plan->{'Custom Plan Provider'} // '') eq 'RoformerBatch';
	for my $child (@{ $plan->{Plans} // [] })
	{
		my $found = find_node($child);
		return $found if $found;
	}
	return;
}

sub analyze
{
	my ($settings, $query) = @_;
	my $text = $node->safe_psql('postgres', "$settings EXPLAIN (ANALYZE, VERBOSE, FORMAT JSON) $query");
	return find_node(decode_json($text)->[0]{Plan});
}

# ---- what EXPLAIN says, and workers ------------------------------------------------------------

my $query = q(SELECT id, roformer.classify('tiny', body), roformer.embed('tiny', body) FROM t);
my $serial = analyze('SET max_parallel_workers_per_gather = 0;', $query);
is($serial->{'Rows Read'}, 2000, 'all rows were read ahead');
cmp_ok($serial->{'Distinct Texts'}, '>=', 1001, 'every text was computed');
cmp_ok($serial->{'Distinct Texts'}, '<', 1200, 'those that came twice in a batch once');
cmp_ok($serial->{Batches}, '<', 200, 'many at a time');
is_deeply([ @$serial{qw(Precision Kernels)} ], [ 'fp32', $node->safe_psql('postgres', 'SELECT kernels FROM roformer.cpu_info() WHERE chosen') ], 'in what');
is_deeply($serial->{Model}, ['tiny'], 'with which model');
is(scalar(@{ $serial->{Calls} }), 2, 'for two calls');
cmp_ok($serial->{$_}, '>', 0, $_) for 'Tokens', 'Tokenizing', 'Computing', 'Tokens per Second';
my $sequential = $node->safe_psql('postgres', "SELECT md5(string_agg(x::text, ',' ORDER BY id)) FROM ($query) AS x");

my $workers = 'SET parallel_setup_cost = 0; SET parallel_tuple_cost = 0; SET max_parallel_workers_per_gather = 2; SET parallel_leader_participation = off;';
# ---- windows -----------------------------------------------------------------------------------

my $windowed = "SET max_parallel_workers_per_gather = 0; SET roformer.batch_tokens = 1024; SET roformer.max_length = 16; SET roformer.overflow = 'window';";
my $long = analyze($windowed, q(SELECT roformer.classify('tiny', CASE WHEN id % 10 = 0 THEN body || ' a b c d e f g h i j k l m n o p q' ELSE left(body, 5) END || id % 10) FROM t));
is($long->{Windowed}, 200, 'long texts are counted');
cmp_ok($long->{Windows}, '>=', 400, 'with their windows');
cmp_ok($long->{Batches}, '<', 40, 'and computed with others');
my $text = $node->safe_psql('postgres', "$windowed EXPLAIN (ANALYZE, VERBOSE) SELECT roformer.classify('tiny', body || ' a b c d e f g h i j k l m n o p q') FROM t WHERE id < 100");
like($text, qr/Truncated: 0  Windowed: [1-9]\d*  Windows: [1-9]\d*$/m, 'in text too');

my $parallel = analyze($workers, $query);
is($parallel->{'Rows Read'}, 2000, 'workers read all rows, once');
my $sum = 0;
$sum += $_->{'Rows Read'} for @{ $parallel->{'Batch Workers'} };
is($sum, 2000, 'and each says how many');
is($node->safe_psql('postgres', "$workers SELECT md5(string_agg(x::text, ',' ORDER BY id)) FROM ($query OFFSET 0) AS x"), $sequential, 'with the same results');

# ---- memory ------------------------------------------------------------------------------------

my ($session, $pid) = start_session($node);
$session->query_safe('SET max_parallel_workers_per_gather = 0');
my $scan = q(SELECT count(roformer.classify('tiny', body || n)) FROM t, generate_series(1, %d) AS n);
$session->query_safe(sprintf($scan, 2));
my $before = private_kb($pid);
$session->query_safe('BEGIN');
$session->query_safe("DECLARE c NO SCROLL CURSOR FOR SELECT roformer.classify('tiny', body || n) FROM t, generate_series(1, 40) AS n");
$session->query_safe('MOVE 5000 FROM c');
my $early = private_kb($pid);
$session->query_safe('MOVE 70000 FROM c');
my $late = private_kb($pid);
note(sprintf('private memory: %d kB before, %d kB after 5,000 rows, %d kB after 75,000', $before, $early, $late));
cmp_ok($late, '<', $early + 2048, 'a long scan takes no more memory than a short one');
$session->query_safe('ROLLBACK');

# Rows wider than work_mem allows go to disk, and their texts are computed together all the same.
$node->safe_psql('postgres', q(CREATE TABLE wide_rows AS SELECT i AS id, 'text ' || i AS body, string_agg(md5(i::text || j), '') AS filler FROM generate_series(1, 60) i, generate_series(1, 3000) j GROUP BY i));
my $narrow = 'SET max_parallel_workers_per_gather = 0; SET work_mem = \'256kB\'; SET roformer.batch_tokens = 1024;';
my $wide = analyze($narrow, q(SELECT filler || '', roformer.classify('tiny', body) FROM (SELECT body, filler || '' AS filler FROM wide_rows OFFSET 0) AS x ORDER BY 1));
is($wide->{'Rows Read'}, 60, 'wide rows are all read');
is($wide->{Batches}, 1, 'and computed together');
cmp_ok($wide->{'Disk Usage'}, '>', 60 * 90, 'from disk');
is($serial->{'Disk Usage'}, 0, 'where narrow ones are in memory');
my $spilling = "$narrow SELECT max(md5(filler)), max(CASE WHEN id = 50 THEN (1 / (id - 50))::text ELSE %s END) FROM (SELECT id, body, filler || '' AS filler FROM wide_rows OFFSET 0) AS x";
my ($failed, $nothing, $failure) = $node->psql('postgres', sprintf($spilling, q(roformer.classify('tiny', body))));
like($failure, qr/division by zero/, 'an error while rows are on disk');
is($node->safe_psql('postgres', 'SELECT count(*) FROM pg_ls_tmpdir()'), '0', 'leaves no file');

# Memory does not depend on how many such rows there are.
my ($spiller, $spiller_pid) = start_session($node);
$spiller->query_safe($narrow);
my @peaks;
for my $copies (2, 20)
{
	$spiller->query_safe("SELECT count(md5(filler)), max(roformer.classify('tiny', body)) FROM (SELECT body, filler || '' AS filler FROM wide_rows, generate_series(1, $copies) OFFSET 0) AS x");
	push @peaks, private_kb($spiller_pid);
}
note("private memory after 120 and 1200 wide rows: @peaks kB");
cmp_ok($peaks[1], '<', $peaks[0] + 2048, 'many wide rows take no more memory than some');
$spiller->quit;

# ---- texts that are larger or smaller than their columns ---------------------------------------

# A statement that writes begins with the largest batch. How many rows were read when a row was evaluated tells its batch.
$node->safe_psql('postgres', <<'SQL');
CREATE TABLE made AS SELECT i, md5(i::text) || ' ' || i AS body, jsonb_build_object('title', 'title of ' || i, 'filler', repeat(md5(i::text), 30)) AS document, now() + i * interval '1s' AS at
	FROM generate_series(1, 2000) i;
CREATE TABLE made_result (i int, class text, tokens int, read bigint, memory bigint);
CREATE FUNCTION spell(i int) RETURNS text LANGUAGE plpgsql IMMUTABLE LEAKPROOF AS $$ BEGIN RETURN repeat('spell it ', i % 9) || i; END $$;
CREATE FUNCTION batch_memory(i int) RETURNS bigint LANGUAGE SQL VOLATILE AS $$ SELECT sum(total_bytes)::bigint FROM pg_backend_memory_contexts WHERE i > 0 AND name LIKE 'roformer batch%' $$;
SQL
my $modest = 'SET max_parallel_workers_per_gather = 0; SET roformer.batch_tokens = 1024;';

sub make
{
	my ($text, $memory, $rows) = @_;
	$node->safe_psql('postgres', "TRUNCATE made_result; $modest INSERT INTO made_result SELECT i, roformer.classify('tiny', $text), roformer.token_count('tiny', $text), pg_stat_get_xact_tuples_returned('made'::regclass), $memory FROM made WHERE i <= $rows");
}

for my $text (q(repeat('word ', 20) || i), 'i::text', 'at::text', 'spell(i)', 'body', 'lower(body)', 'substr(body, 1, 9)', q(concat_ws(' and ', i, body, at)), q(document ->> 'title'),
	q(replace(body, 'a', ' and what else is there ')))
{
	make($text, 0, 2000);
	my ($least, $most) = split /\|/, $node->safe_psql('postgres', <<'SQL');
SELECT min(tokens), max(tokens) FROM (SELECT sum(tokens) AS tokens, row_number() OVER (ORDER BY read) AS n, count(*) OVER () AS batches FROM made_result GROUP BY read) AS batch
WHERE n BETWEEN 3 AND batches - 1
SQL
	cmp_ok($least, '>', 500, "batches of $text have hardly less than batch_tokens");
	cmp_ok($most, '<', 1500, 'and hardly more');
}

# Before a text was made nobody knows how long it is; they are computed in portions then.
my $late = q(SELECT * FROM (SELECT i, CASE WHEN i > 1000 THEN roformer.classify('tiny', repeat('word60 ', 20) || i) END FROM made OFFSET 0) AS x WHERE i % 1020 = 0 LIMIT 1);
my $portion = analyze($modest, $late);
cmp_ok($portion->{'Rows Read'}, '>', 1100, 'many rows were read ahead');
cmp_ok($portion->{Tokens}, '<', 2 * 1024 + 200, 'but not all their texts computed');

make(q(repeat('word60 ', 10000) || i), 'batch_memory(i)', 150);
my $most = $node->safe_psql('postgres', 'SELECT max(memory) FROM made_result');
cmp_ok($most, '<', 2 * 1024 * 1024, 'nor are all of them in memory');

# ---- cancelling --------------------------------------------------------------------------------

my $seconds = seconds_of(sub {
	my ($ret, $out, $err) = $node->psql('postgres', "SET statement_timeout = '500ms'; SELECT count(roformer.classify('wide', repeat(a.body || ' ', 30) || b.id)) FROM t AS a, t AS b");
	like($err, qr/canceling statement due to statement timeout/, 'a batch in the middle is cancelled');
});
cmp_ok($seconds, '<', 10, 'soon');
($failed, $nothing, $failure) = $node->psql('postgres', "SET statement_timeout = '500ms'; " . sprintf($spilling, q(roformer.classify('wide', replace(filler, 'a', ' ')))));
like($failure, qr/canceling statement due to statement timeout/, 'one with rows on disk is cancelled as well');
is($node->safe_psql('postgres', 'SELECT count(*) FROM pg_ls_tmpdir()'), '0', 'nor does cancelling leave a file');
is($node->safe_psql('postgres', 'SELECT sum(pins) FROM roformer.cache'), '0', 'and lets go of the model');

# After an error in the middle of a batch the session computes as before.
my ($ret, $out, $err) = $node->psql('postgres', "SELECT roformer.classify('tiny', body), 1 / (id - 500) FROM t; SELECT md5(string_agg(x::text, ',' ORDER BY id)) FROM ($query) AS x", on_error_stop => 0);
like($err, qr/division by zero/, 'an error between two rows');
like($out, qr/\Q$sequential\E/, 'leaves nothing behind');
$session->quit;

# ---- without preload ---------------------------------------------------------------------------

$node->append_conf('postgresql.conf', "shared_preload_libraries = ''");
$node->restart;
$out = $node->safe_psql('postgres', "EXPLAIN (COSTS OFF) $query; SELECT roformer.classify('tiny', 'text'); EXPLAIN (COSTS OFF) $query");
like($out, qr/RoformerBatch/, 'the node comes with the library');
is($node->safe_psql('postgres', "SELECT roformer.classify('tiny', 'text'); SELECT md5(string_agg(x::text, ',' ORDER BY id)) FROM ($query) AS x") =~ s/^.*\n//r, $sequential, 'and computes the same from a private copy');

$node->stop;
done_testing();
