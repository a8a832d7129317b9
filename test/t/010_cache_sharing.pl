# One copy of a model for all sessions: loaded once, however many want it at the same time.
use strict;
use warnings;
use FindBin;
use lib $FindBin::RealBin;
use RoformerTest;
use PostgreSQL::Test::Utils;
use Test::More;

my $node = start_server('sharing', cache_size => '600MB');
load_random($node, 'tiny', seed => 2);

is($node->safe_psql('postgres', 'SELECT count(*) FROM roformer.cache'), '0', 'nothing is loaded before its first use');
my $bytes = $node->safe_psql('postgres', "SELECT roformer.prewarm('tiny')");
cmp_ok($bytes, '>', 100_000, 'prewarm returns the size of the image');
is( $node->safe_psql('postgres', 'SELECT model, database, bytes, precision, state, pins, loads, hits, shared FROM roformer.cache'),
	"tiny|postgres|$bytes|fp32|ready|0|1|0|t", 'the view shows what prewarm loaded');

my $answer = $node->safe_psql('postgres', "SELECT roformer.classify_score('tiny', 'abc', 'label0')");
like($answer, qr/^0\.\d+$/, 'an answer from the image');
is($node->safe_psql('postgres', "SELECT roformer.classify_score('tiny', 'abc', 'label0')"), $answer, 'another session answers the same');
is($node->safe_psql('postgres', 'SELECT loads, hits, pins FROM roformer.cache'), '1|2|0', 'both used the one image and let it go');

# Many want it at once: one loads, the others wait.
is($node->safe_psql('postgres', "SELECT roformer.evict('tiny'), roformer.evict('tiny')"), 't|f', 'evict says whether there was an image');
is(cache_rows($node), '', 'and it is gone');
my $blocker = block_loading($node);
my ($loader, $loader_pid) = start_session($node);
start_query($loader, "SELECT roformer.classify_score('tiny', 'abc', 'label0')");
wait_for_state($node, $loader_pid, 'loader');
my @waiters;
for (1 .. 5)
{
	my ($waiter, $pid) = start_session($node);
	start_query($waiter, "SELECT roformer.classify_score('tiny', 'abc', 'label0')");
	wait_for_state($node, $pid, 'waiter');
	push @waiters, $waiter;
}
is(cache_rows($node), 'tiny loading 1', 'one session loads, five wait');
$blocker->query_safe('COMMIT');
for my $session ($loader, @waiters)
{
	is(finish_query($session), $answer, 'the answer after the load');
}
is($node->safe_psql('postgres', 'SELECT loads, hits, pins FROM roformer.cache'), '2|7|0', 'loaded once more, not six times');
$_->quit for $loader, @waiters, $blocker;

# What a session pins is let go with its statement, its subtransaction, its cursor.
my ($session) = start_session($node);
$session->query_safe('BEGIN');
$session->query_safe("DECLARE c CURSOR FOR SELECT roformer.classify('tiny', 'a' || i) FROM generate_series(1, 3) i");
$session->query_safe('FETCH 1 FROM c');
is(cache_rows($node), 'tiny ready 1', 'an open cursor holds the image');
$session->query_safe('SAVEPOINT s');
like(query_error($session, "SELECT roformer.classify('tiny', 'a'), 1 / (i - 2) FROM generate_series(1, 3) i"), qr/division by zero/, 'a statement fails');
$session->query_safe('ROLLBACK TO s');
is(cache_rows($node), 'tiny ready 1', 'a failed statement in a subtransaction lets its pin go');
$session->query_safe('COMMIT');
is(cache_rows($node), 'tiny ready 0', 'and so does the end of the transaction');
$session->query_safe(q(DO $$ BEGIN FOR i IN 1 .. 3 LOOP BEGIN PERFORM roformer.classify('tiny', 'a'), 1 / (i - 2);
	EXCEPTION WHEN division_by_zero THEN NULL; END; END LOOP; END $$));
is(cache_rows($node), 'tiny ready 0', 'also in PL/pgSQL blocks that catch errors');
is( $session->query_safe("SELECT count(DISTINCT roformer.classify_score(m, 'abc', 'label0')) FROM (VALUES ('tiny'), ('tiny')) v(m), generate_series(1, 3)"),
	'1', 'a model named by a column');
$session->quit;

# Rights: anybody may look, the owner may evict.
$node->safe_psql('postgres', 'CREATE ROLE guest');
is($node->safe_psql('postgres', 'SET ROLE guest; SELECT model, state FROM roformer.cache'), 'tiny|ready', 'everybody sees what the cache of his database holds');
my ($ret, $out, $err) = $node->psql('postgres', "\\set VERBOSITY verbose\nSET ROLE guest; SELECT roformer.evict('tiny')");
like($err, qr/42501: must be owner of model "tiny"/, 'evict is for the owner');
($ret, $out, $err) = $node->psql('postgres', "\\set VERBOSITY verbose\nSELECT roformer.evict('teeny')");
like($err, qr/42704: .*"teeny"/, 'an unknown model');
($ret, $out, $err) = $node->psql('postgres', "\\set VERBOSITY verbose\nSET ROLE guest; SELECT roformer.prewarm('tiny')");
like($err, qr/42501/, 'prewarm is for those who may use the model');

# Another database: same name, another model; and names are not shown across.
$node->safe_psql('postgres', 'CREATE DATABASE other');
$node->safe_psql('other', 'CREATE EXTENSION roformer');
load_random($node, 'tiny', seed => 3, database => 'other');
isnt($node->safe_psql('other', "SELECT roformer.classify_score('tiny', 'abc', 'label0')"), $answer, 'the same name in another database is another model');
is($node->safe_psql('postgres', "SELECT roformer.classify_score('tiny', 'abc', 'label0')"), $answer, 'and leaves the first alone');
is($node->safe_psql('postgres', 'SELECT model, database FROM roformer.cache ORDER BY database'), "tiny|other\ntiny|postgres", 'a superuser sees both');
is($node->safe_psql('postgres', 'SET ROLE guest; SELECT model, database FROM roformer.cache ORDER BY database'), "|other\ntiny|postgres", 'others see no names of another database');

# A new session is ready at once, also with a large model (25 million parameters).
load_random($node, 'large', hidden => 512, layers => 6, heads => 8, vocab => 12000);
my ($first) = start_session($node);
my $loading = seconds_of(sub { $first->query_safe("SELECT roformer.classify('large', 'hello')") });
my $warm = seconds_of(sub { $first->query_safe("SELECT roformer.classify('large', 'hello')") });
my ($second) = start_session($node);
my $attaching = seconds_of(sub { $second->query_safe("SELECT roformer.classify('large', 'hello')") });
note(sprintf('first answer with loading %.0f ms, warm %.1f ms, first of the second session %.1f ms', 1000 * $loading, 1000 * $warm, 1000 * $attaching));
cmp_ok($attaching, '<', 0.5, 'the second session need not load');
is($node->safe_psql('postgres', "SELECT loads FROM roformer.cache WHERE model = 'large'"), '1', 'it did not');
$_->quit for $first, $second;

$node->stop;
done_testing();
