# Generating text without an end: cancel, timeout and termination act between tokens, leave no memory and no pin behind,
# and other sessions see how far it is. Results don't depend on kernels or batches.
use strict;
use warnings;
use FindBin;
use lib $FindBin::RealBin;
use RoformerTest;
use PostgreSQL::Test::Utils;
use Test::More;

my $golden = $ENV{ROFORMER_GOLDEN} || "$FindBin::RealBin/../golden/data";
my $node = start_server('generate');

$node->safe_psql('postgres', "SELECT roformer.load_model('$_', '$golden/models/$_')") foreach qw(clm-zh-char sim-zh-char);

my $short = "SELECT roformer.generate('clm-zh-char', 'a', 12)";
my $answer = $node->safe_psql('postgres', $short);
# One of these takes hours.
my $endless = "SELECT roformer.generate('sim-zh-char', array_agg(i::text), 1000000, 1, top_k => 5) FROM generate_series(1, 40) AS i";

# ---- stopping ----------------------------------------------------------------------------------

my ($ret, $out, $err);
my $seconds = seconds_of(sub {
	($ret, $out, $err) = $node->psql('postgres', "SET statement_timeout = '500ms'; $endless");
});
like($err, qr/canceling statement due to statement timeout/, 'statement_timeout while generating');
note(sprintf('it stops %.0f ms after its timeout of 500 ms', 1000 * ($seconds - 0.5)));

my ($session, $pid) = start_session($node);
my $held = "SELECT coalesce(sum(total_bytes), 0) < 4000000 FROM pg_backend_memory_contexts WHERE name LIKE 'roformer%'";

$session->query_safe($short);
start_query($session, $endless);
wait_for_state($node, $pid, 'computing');
my $progress = "SELECT model, tokens > 1000 FROM roformer.progress WHERE pid = $pid";
ok($node->poll_query_until('postgres', $progress, 'sim-zh-char|t'), 'progress counts new tokens');
$node->safe_psql('postgres', "SELECT pg_cancel_backend($pid)");
($out, $err) = finish_query($session);
like($err, qr/canceling statement due to user request/, 'a session that generates can be cancelled');
is($session->query_safe($short), $answer, 'and generates again');
is($session->query_safe($held), 't', 'the caches of its rows are given back');
is($session->query_safe("BEGIN; SAVEPOINT s; SET LOCAL statement_timeout = '200ms'"), '', 'in a subtransaction');
like(query_error($session, $endless), qr/statement timeout/, 'it can be stopped');
is($session->query_safe("ROLLBACK TO s; $short"), $answer, 'and the transaction goes on');
$session->query_safe('COMMIT');

start_query($session, $endless);
wait_for_state($node, $pid, 'computing');
$node->safe_psql('postgres', "SELECT pg_terminate_backend($pid)");
wait_for_state($node, $pid, 'gone');
$session->{run}->finish;
is($node->safe_psql('postgres', 'SELECT sum(pins) FROM roformer.cache'), '0', 'no pin is left');

# ---- what a text does not depend on ------------------------------------------------------------

my $drawn = q(SELECT md5(string_agg(t, '|' ORDER BY n)) FROM unnest(roformer.generate('clm-zh-char',
	(SELECT array_agg(i::text) FROM generate_series(1, 50) AS i), 20, 0.8, 40, 0.9, seed => 11)) WITH ORDINALITY AS u(t, n));
my $rows = q(SELECT md5(string_agg(roformer.generate('clm-zh-char', i::text, 20, 0.8, 40, 0.9, seed => 11), '|' ORDER BY i)) FROM generate_series(1, 50) AS i);
my $expected = $node->safe_psql('postgres', $drawn);
is($node->safe_psql('postgres', $rows), $expected, 'rows one by one give what an array gives');
is($node->safe_psql('postgres', "SET roformer.batch_tokens = 1; $drawn"), $expected, 'and so do prompts one by one');
my $kernels = $node->safe_psql('postgres', 'SELECT kernels FROM roformer.cpu_info() WHERE available');
is($node->safe_psql('postgres', "SET roformer.kernels = '$_'; $drawn"), $expected, "kernels $_ give the same texts")
  foreach split /\n/, $kernels;
my $parallel = q(SET parallel_setup_cost = 0; SET parallel_tuple_cost = 0; SET min_parallel_table_scan_size = 0;
	SET max_parallel_workers_per_gather = 2; SET roformer.kernels = auto;);
$node->safe_psql('postgres', 'CREATE TABLE prompt AS SELECT i FROM generate_series(1, 50) AS i; ANALYZE prompt');
my $scan = "FROM (SELECT i, roformer.generate('clm-zh-char', i::text, 20, 0.8, 40, 0.9, seed => 11) AS t FROM prompt OFFSET 0) AS s";
like($node->safe_psql('postgres', "$parallel EXPLAIN (COSTS OFF) SELECT * $scan"), qr/Gather/, 'parallel workers generate');
is($node->safe_psql('postgres', "$parallel SELECT md5(string_agg(t, '|' ORDER BY i)) $scan"), $expected, 'the same texts');

$node->stop;
done_testing();
