# Statistics and progress as other sessions see them: numbers of all sessions and workers, a statement while it
# runs, its end by cancelling, error, exit and crash, and who may look.
use strict;
use warnings;
use FindBin;
use lib $FindBin::RealBin;
use RoformerTest;
use PostgreSQL::Test::Utils;
use Test::More;

my $node = start_server('stats', init => [ allows_streaming => 1 ], conf => "max_connections = 120\nroformer.batch_tokens = 64\nmax_parallel_workers_per_gather = 2");
load_random($node, 'tiny', seed => 3);
load_random($node, 'wide', seed => 4, hidden => 768, layers => 4, heads => 12);
$node->safe_psql('postgres', "CREATE DATABASE other; CREATE ROLE alice LOGIN; CREATE ROLE bob LOGIN; CREATE ROLE guard LOGIN IN ROLE pg_read_all_stats");
$node->safe_psql('postgres', "SELECT roformer.grant_model('wide', 'alice'), roformer.grant_model('tiny', 'PUBLIC')");
$node->safe_psql('other', 'CREATE EXTENSION roformer');

sub look { return $node->safe_psql('postgres', $_[0], extra_params => $_[1] ? [ '-U', $_[1] ] : []) }
sub numbers { return look("SELECT calls, rows, cancelled FROM roformer.stats WHERE model = '$_[0]'") }

# ---- a statement while it runs -----------------------------------------------------------------

my $long = "SELECT count(roformer.classify('wide', repeat('word ', 20) || i)) FROM generate_series(1, 20000) AS i";
my $session = $node->background_psql('postgres', on_error_stop => 0, extra_params => [ '-U', 'alice' ]);
my $pid = $session->query_safe('SELECT pg_backend_pid()');
start_query($session, $long);
ok($node->poll_query_until('postgres', "SELECT rows > 1 FROM roformer.progress WHERE pid = $pid"), 'progress shows rows of a running statement');
is(look("SELECT database, role, model, tokens > rows, tokens_per_second > 0, started < clock_timestamp() FROM roformer.progress"),
	'postgres|alice|wide|t|t|t', 'and what it is');
my $before = look("SELECT rows FROM roformer.progress WHERE pid = $pid");
ok($node->poll_query_until('postgres', "SELECT rows > $before FROM roformer.progress WHERE pid = $pid"), 'and goes on');
ok($node->poll_query_until('postgres', "SELECT rows > 0 FROM roformer.stats WHERE model = 'wide'"), 'totals grow while it runs');

is(look('SELECT count(*) FROM roformer.progress', 'bob'), '0', 'another role does not see it');
is(look('SELECT count(*) FROM roformer.progress', 'guard'), '1', 'a member of pg_read_all_stats does');
is(look('SELECT count(*) FROM roformer.progress', 'alice'), '1', 'and the same role');
is($node->safe_psql('other', 'SELECT database, model FROM roformer.progress'), 'postgres|wide', 'also in another database');

$node->safe_psql('postgres', "SELECT pg_cancel_backend($pid)");
my ($out, $error) = finish_query($session);
like($error, qr/canceling statement due to user request/, 'cancelled');
is(look('SELECT count(*) FROM roformer.progress'), '0', 'nothing is left of it');
like(numbers('wide'), qr/^\d+\|\d+\|1$/, 'the cancelled call is counted');
is($session->query_safe("SELECT roformer.classify('tiny', 'a') IS NOT NULL"), 't', 'the session goes on');
is(numbers('tiny'), '1|1|0', 'and is counted');

# One call over an array: progress within the call.
start_query($session, "SELECT roformer.classify('wide', array_agg(repeat('word ', 20) || i)) FROM generate_series(1, 100000) AS i");
ok($node->poll_query_until('postgres', "SELECT rows > 1 FROM roformer.progress WHERE pid = $pid"), 'progress within a call over an array');
$node->safe_psql('postgres', "SELECT pg_cancel_backend($pid)");
finish_query($session);
like(numbers('wide'), qr/\|2$/, 'counted again');

# The timeout, and a call that no longer runs when a cancellation comes.
$session->query_safe("SET statement_timeout = '200ms'");
like(query_error($session, $long), qr/statement timeout/, 'statement_timeout');
like(numbers('wide'), qr/\|3$/, 'counts as cancelled');
query_error($session, "SELECT pg_sleep(10) FROM (SELECT roformer.classify('wide', 'a') OFFSET 0) AS done");
like(numbers('wide'), qr/\|3$/, 'a call that had ended does not');
$session->query_safe('RESET statement_timeout');

# ---- ends of sessions --------------------------------------------------------------------------

start_query($session, $long);
ok($node->poll_query_until('postgres', "SELECT rows > 1 FROM roformer.progress WHERE pid = $pid"), 'running again');
$node->safe_psql('postgres', "SELECT pg_terminate_backend($pid)");
wait_for_state($node, $pid, 'gone');
is(look('SELECT count(*) FROM roformer.progress'), '0', 'a terminated session leaves no progress');
like(numbers('wide'), qr/\|4$/, 'its call counts as cancelled');
$session->{run}->finish;

# In a transaction, between statements, nothing runs.
($session, $pid) = start_session($node);
$session->query_safe('BEGIN');
$session->query_safe("SELECT roformer.classify('tiny', 'a')");
is(look("SELECT count(*) FROM roformer.progress WHERE pid = $pid"), '0', 'idle in transaction is no progress');
$session->query_safe('COMMIT');
$session->quit;

# ---- many --------------------------------------------------------------------------------------

look('SELECT roformer.reset_stats()');
is(numbers('wide'), '0|0|0', 'reset');
my $script = PostgreSQL::Test::Utils::tempdir() . '/call.sql';
append_to_file($script, "SELECT roformer.classify('tiny', 'a b c'), roformer.classify('tiny', ARRAY['a', 'b']);\n");
$node->command_ok([ 'pgbench', '-n', '-c', '100', '-j', '2', '-t', '10', '-f', $script, 'postgres' ], 'a hundred sessions');
is(numbers('tiny'), '2000|3000|0', 'every call of every session is counted, once');
is(look('SELECT count(*) FROM roformer.progress'), '0', 'nothing runs any more');

$node->safe_psql('postgres', 'CREATE TABLE body AS SELECT i, repeat(chr(97 + i % 26), 3) AS t FROM generate_series(1, 3000) AS i; ANALYZE body');
look('SELECT roformer.reset_stats()');
my $parallel = "SET parallel_setup_cost = 0; SET parallel_tuple_cost = 0; SET min_parallel_table_scan_size = 0; ";
like($node->safe_psql('postgres', $parallel . "EXPLAIN SELECT count(roformer.classify('tiny', t)) FROM body"), qr/Parallel/, 'a parallel plan');
look($parallel . "SELECT count(roformer.classify('tiny', t)) FROM body");
is(look("SELECT rows, cancelled FROM roformer.stats WHERE model = 'tiny'"), '3000|0', 'the rows of all workers are counted');

# ---- a crash -----------------------------------------------------------------------------------

$node->append_conf('postgresql.conf', 'restart_after_crash = on');
$node->reload;
($session, $pid) = start_session($node);
start_query($session, $long);
ok($node->poll_query_until('postgres', "SELECT rows > 1 FROM roformer.progress WHERE pid = $pid"), 'running');
kill 'KILL', $pid;
$session->{run}->finish;
ok($node->poll_query_until('postgres', 'SELECT count(*) = 0 FROM roformer.progress'), 'after a crash nothing runs');
is(numbers('wide'), '0|0|0', 'and numbers begin anew');
look("SELECT roformer.classify('tiny', 'a')");
is(numbers('tiny'), '1|1|0', 'and go on');

# ---- a standby ---------------------------------------------------------------------------------

$node->backup('copy');
my $standby = PostgreSQL::Test::Cluster->new('stats_standby');
$standby->init_from_backup($node, 'copy', has_streaming => 1);
$standby->start;
$standby->safe_psql('postgres', "SELECT roformer.classify('tiny', ARRAY['a', 'b'])");
is($standby->safe_psql('postgres', "SELECT calls, rows FROM roformer.stats WHERE model = 'tiny'"), '1|2', 'a standby counts for itself');
$standby->safe_psql('postgres', 'SELECT roformer.reset_stats()');
is($standby->safe_psql('postgres', "SELECT calls, rows FROM roformer.stats WHERE model = 'tiny'"), '0|0', 'and can be reset');
is(numbers('tiny'), '1|1|0', 'apart from the primary');
$standby->stop;

# ---- without preloading ------------------------------------------------------------------------

$node->append_conf('postgresql.conf', "shared_preload_libraries = ''");
$node->restart;
($session) = start_session($node);
$session->query_safe('SET client_min_messages = warning');
$session->query_safe("SELECT roformer.classify('tiny', ARRAY['a', 'b'])");
is($session->query_safe("SELECT calls, rows FROM roformer.stats WHERE model = 'tiny'"), '1|2', "without preloading a session has its own numbers");
is(numbers('tiny'), '0|0|0', 'and another none of them');
is($session->query_safe("SELECT model, p.rows FROM (SELECT roformer.classify('tiny', 'a') OFFSET 0) AS c(label), LATERAL (SELECT * FROM roformer.progress WHERE label <> '') AS p"),
	'tiny|1', 'and sees its own statement');
$session->query_safe('SELECT roformer.reset_stats()');
is($session->query_safe("SELECT calls, rows FROM roformer.stats WHERE model = 'tiny'"), '0|0', 'reset of its own');
$session->quit;

done_testing();
