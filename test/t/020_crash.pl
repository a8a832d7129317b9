# A backend killed by SIGKILL while it loads or computes: after crash recovery everything answers again.
use strict;
use warnings;
use FindBin;
use lib $FindBin::RealBin;
use RoformerTest;
use PostgreSQL::Test::Utils;
use Test::More;

my $node = start_server('crash', conf => 'restart_after_crash = on');
load_random($node, 'tiny', seed => 5);
my $query = "SELECT roformer.classify_score('tiny', 'abc', 'label0')";
my $answer = $node->safe_psql('postgres', $query);

sub kill_and_recover
{
	my ($pid, $what) = @_;
	my $offset = -s $node->logfile;

	kill 'KILL', $pid;
	ok($node->poll_query_until('postgres', 'SELECT NOT pg_is_in_recovery()'), "recovery after $what");
	like(slurp_file($node->logfile, $offset), qr/ \(PID $pid\) was terminated by signal 9/, 'it was a crash');
	is($node->safe_psql('postgres', 'SELECT count(*) FROM roformer.cache'), '0', 'the cache begins anew');
	is($node->safe_psql('postgres', $query), $answer, 'everything answers');
	is(cache_rows($node), 'tiny ready 0', 'from the cache');
}

# while loading, others waiting
$node->safe_psql('postgres', "SELECT roformer.evict('tiny')");
my $blocker = block_loading($node);
my ($loader, $loader_pid) = start_session($node);
start_query($loader, $query);
wait_for_state($node, $loader_pid, 'loader');
my ($waiter, $waiter_pid) = start_session($node);
start_query($waiter, $query);
wait_for_state($node, $waiter_pid, 'waiter');
kill_and_recover($loader_pid, 'SIGKILL while loading');
$_->{run}->finish for $loader, $waiter, $blocker;

# a waiter
$node->safe_psql('postgres', "SELECT roformer.evict('tiny')");
$blocker = block_loading($node);
($loader, $loader_pid) = start_session($node);
start_query($loader, $query);
wait_for_state($node, $loader_pid, 'loader');
($waiter, $waiter_pid) = start_session($node);
start_query($waiter, $query);
wait_for_state($node, $waiter_pid, 'waiter');
kill_and_recover($waiter_pid, 'SIGKILL while waiting');
$_->{run}->finish for $loader, $waiter, $blocker;

# while computing
my ($session, $pid) = start_session($node);
start_query($session, "SELECT count(roformer.classify('tiny', 'abc ' || i)) FROM generate_series(1, 100000000) i");
wait_for_state($node, $pid, 'computing');
kill_and_recover($pid, 'SIGKILL while computing');
$session->{run}->finish;

$node->stop;
done_testing();
