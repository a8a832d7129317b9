# Cancel, timeout and termination, of a session that loads, waits or computes: it stops soon, nothing is stuck, and
# the next one loads.
use strict;
use warnings;
use FindBin;
use lib $FindBin::RealBin;
use RoformerTest;
use PostgreSQL::Test::Utils;
use Test::More;

my $node = start_server('cancel', conf => 'log_error_verbosity = verbose');
load_random($node, 'tiny', seed => 6);
load_random($node, 'wide', seed => 7, hidden => 768, layers => 4, heads => 12);
my $soon = 10; # seconds, on a machine with much else to do
my $query = "SELECT roformer.classify_score('tiny', 'abc', 'label0')";
my $answer = $node->safe_psql('postgres', $query);

# A loader held up in the middle of its load, and a session that waits for it.
sub loader_and_waiter
{
	$node->safe_psql('postgres', "SELECT roformer.evict('tiny')");
	my $blocker = block_loading($node);
	my ($loader, $loader_pid) = start_session($node);
	start_query($loader, $query);
	wait_for_state($node, $loader_pid, 'loader');
	my ($waiter, $waiter_pid) = start_session($node);
	start_query($waiter, $query);
	wait_for_state($node, $waiter_pid, 'waiter');
	return ($blocker, $loader, $loader_pid, $waiter, $waiter_pid);
}

sub finish_waiter
{
	my ($blocker, $waiter, $waiter_pid, $what) = @_;

	wait_for_state($node, $waiter_pid, 'loader');
	is(cache_rows($node), 'tiny loading 1', "after $what the waiter loads");
	$blocker->query_safe('COMMIT');
	is(finish_query($waiter), $answer, 'and answers');
	is(cache_rows($node), 'tiny ready 0', 'nothing is stuck');
	$_->quit for $waiter, $blocker;
}

# ---- the loader --------------------------------------------------------------------------------

my ($blocker, $loader, $loader_pid, $waiter, $waiter_pid) = loader_and_waiter();
$node->safe_psql('postgres', "SELECT pg_cancel_backend($loader_pid)");
finish_waiter($blocker, $waiter, $waiter_pid, 'cancelling the loader');
my ($out, $err) = finish_query($loader);
like($err, qr/canceling statement due to user request/, 'the cancelled session gets an error');
is($loader->query_safe('SELECT 1'), '1', 'and goes on');
$loader->quit;

($blocker, $loader, $loader_pid, $waiter, $waiter_pid) = loader_and_waiter();
$node->safe_psql('postgres', "SELECT pg_terminate_backend($loader_pid)");
wait_for_state($node, $loader_pid, 'gone');
finish_waiter($blocker, $waiter, $waiter_pid, 'terminating the loader');
$loader->{run}->finish;

$node->safe_psql('postgres', "SELECT roformer.evict('tiny')");
$blocker = block_loading($node);
(my $ret, $out, $err) = $node->psql('postgres', "SET statement_timeout = '200ms'; $query");
like($err, qr/canceling statement due to statement timeout/, 'statement_timeout while loading');
is(cache_rows($node), '', 'leaves no entry');

# An error caught in a subtransaction must not leave the claim to the outer transaction.
($loader, $loader_pid) = start_session($node);
$loader->query_safe("SET lock_timeout = '200ms'");
$loader->query_safe("BEGIN");
$loader->query_safe("DO \$\$ BEGIN PERFORM roformer.classify('tiny', 'abc'); EXCEPTION WHEN lock_not_available THEN NULL; END \$\$");
is(cache_rows($node), '', 'a load that fails in a block that catches it leaves no entry either');
$loader->query_safe('COMMIT');
$blocker->query_safe('COMMIT');
is($node->safe_psql('postgres', $query), $answer, 'the next session loads');
$_->quit for $loader, $blocker;

# ---- the waiter --------------------------------------------------------------------------------

($blocker, $loader, $loader_pid, $waiter, $waiter_pid) = loader_and_waiter();
my $seconds = seconds_of(sub {
	$node->safe_psql('postgres', "SELECT pg_cancel_backend($waiter_pid)");
	($out, $err) = finish_query($waiter);
	like($err, qr/canceling statement due to user request/, 'a waiter can be cancelled');
});
cmp_ok($seconds, '<', $soon, 'at once');
my ($third, $third_pid) = start_session($node);
start_query($third, $query);
wait_for_state($node, $third_pid, 'waiter');
$node->safe_psql('postgres', "SELECT pg_terminate_backend($third_pid)");
wait_for_state($node, $third_pid, 'gone');
($ret, $out, $err) = $node->psql('postgres', "SET statement_timeout = '200ms'; $query");
like($err, qr/canceling statement due to statement timeout/, 'statement_timeout while waiting');
$blocker->query_safe('COMMIT');
is(finish_query($loader), $answer, 'the loader is not disturbed');
is($node->safe_psql('postgres', 'SELECT loads - 5, pins FROM roformer.cache'), '0|0', 'and loads once');
$_->quit for $loader, $waiter, $blocker;
$third->{run}->finish;

# ---- tokenizing --------------------------------------------------------------------------------

# Milliseconds that encoding a large text goes on after a timeout, or takes without one.
sub late
{
	my ($timeout) = @_;
	return $node->safe_psql('postgres', <<"SQL");
SELECT roformer.token_count('tiny', 'abc') > 0 \\g /dev/null
SET statement_timeout = $timeout;
DO \$\$
BEGIN
	PERFORM roformer.encode('tiny', body) FROM large;
	INSERT INTO late VALUES (extract(epoch FROM clock_timestamp() - statement_timestamp()) * 1000);
EXCEPTION WHEN query_canceled THEN
	INSERT INTO late VALUES (extract(epoch FROM clock_timestamp() - statement_timestamp()) * 1000 - $timeout);
END \$\$;
RESET statement_timeout;
DELETE FROM late RETURNING ms;
SQL
}

$node->safe_psql('postgres', "CREATE TABLE late (ms float8); CREATE TABLE large (body text); ALTER TABLE large ALTER body SET STORAGE external; INSERT INTO large SELECT repeat('word60 ', 5000000)");
my ($encoding) = sort { $a <=> $b } map { late(0) } 1 .. 2;
my @late = sort { $a <=> $b } map { late(1 + int($encoding * $_ / 10)) } 1 .. 9;
note(sprintf('encoding takes %.0f ms, and stops after %s ms', $encoding, join(', ', map { sprintf '%.0f', $_ } @late)));
cmp_ok($late[4], '<', $encoding / 10, 'encoding a large text stops soon, wherever it is');

# ---- computing ---------------------------------------------------------------------------------

# The fastest of three: the first one may have to read from disk what later ones need not.
my $loading = 'inf';
foreach (1 .. 3)
{
	my $took = seconds_of(sub { $node->safe_psql('postgres', "SELECT roformer.prewarm('wide')") });
	$loading = $took if $took < $loading;
	$node->safe_psql('postgres', "SELECT roformer.evict('wide')");
}
my $limit = int(1000 * $loading / 4) + 1;
$seconds = seconds_of(sub {
	($ret, $out, $err) = $node->psql('postgres', "SET statement_timeout = $limit; SELECT roformer.prewarm('wide')");
});
like($err, qr/canceling statement due to statement timeout/, 'statement_timeout while reading weights');
note(sprintf('loading takes %.0f ms, and stops after %.0f ms at a timeout of %d ms', 1000 * $loading, 1000 * $seconds, $limit));
unlike(cache_rows($node), qr/wide/, 'leaves no entry');
$node->safe_psql('postgres', "SELECT roformer.prewarm('wide')");

my $text = "repeat('a b c ', 500)"; # 1500 tokens
my $whole = seconds_of(sub { $node->safe_psql('postgres', "SELECT roformer.classify('wide', $text)") });
my $long = "SELECT roformer.classify('wide', array_agg($text || i)) FROM generate_series(1, 1000) i";
$seconds = seconds_of(sub {
	($ret, $out, $err) = $node->psql('postgres', "SET statement_timeout = '500ms'; $long");
});
like($err, qr/canceling statement due to statement timeout/, 'statement_timeout while computing a batch');
note(sprintf('one text takes %.0f ms; a batch of them stops %.0f ms after its timeout of 500 ms', 1000 * $whole, 1000 * ($seconds - 0.5)));
cmp_ok($seconds, '<', $soon, 'it stops soon');

my ($session, $pid) = start_session($node);
start_query($session, $long);
wait_for_state($node, $pid, 'computing');
$seconds = seconds_of(sub {
	$node->safe_psql('postgres', "SELECT pg_cancel_backend($pid)");
	($out, $err) = finish_query($session);
	like($err, qr/canceling statement due to user request/, 'a computing session can be cancelled');
});
cmp_ok($seconds, '<', $soon, 'which is soon');
is($session->query_safe($query), $answer, 'and computes again');
start_query($session, $long);
wait_for_state($node, $pid, 'computing');
$seconds = seconds_of(sub {
	$node->safe_psql('postgres', "SELECT pg_terminate_backend($pid)");
	wait_for_state($node, $pid, 'gone');
});
cmp_ok($seconds, '<', $soon, 'a computing session can be terminated');
$session->{run}->finish;
is($node->safe_psql('postgres', 'SELECT sum(pins) FROM roformer.cache'), '0', 'no pin is left');

# Texts so short that the tokenizer looks up within none of them. The fastest of three: others may have had the processor.
my $many = "SELECT roformer.token_count('tiny', array_fill('ab'::text, ARRAY[1000000])) IS NULL";
my $every = seconds_of(sub { $node->safe_psql('postgres', $many) });
my $stopped = 'inf';
foreach (1 .. 3)
{
	my $took = seconds_of(sub {
		($ret, $out, $err) = $node->psql('postgres', 'SET statement_timeout = ' . (int(200 * $every) + 1) . "; $many");
	});
	$stopped = $took if $took < $stopped;
}
like($err, qr/canceling statement due to statement timeout/, 'statement_timeout while tokenizing many texts');
note(sprintf('a million short texts take %.0f ms; with a fifth of that as timeout they stop after %.0f ms', 1000 * $every, 1000 * $stopped));
cmp_ok($stopped, '<', 0.7 * $every, 'which stops between two of them');

$node->stop;
done_testing();
