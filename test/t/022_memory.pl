# Twenty sessions classify with a model of 100 million parameters and share its one copy.
use strict;
use warnings;
use FindBin;
use lib $FindBin::RealBin;
use RoformerTest;
use PostgreSQL::Test::Utils;
use Test::More;

my $sessions = 20;
my $megabytes = 15; # of private memory that each may add

plan skip_all => 'no /proc/PID/smaps_rollup' unless defined private_kb($$);

my $node = start_server('memory', cache_size => '500MB', conf => "shared_buffers = 32MB\nmax_connections = 40");
load_random($node, 'base', hidden => 768, layers => 12, heads => 12, vocab => 21000);
is($node->safe_psql('postgres', "SELECT parameters > 100000000 FROM roformer.models WHERE name = 'base'"), 't', 'a model of 100 million parameters');
my $bytes = $node->safe_psql('postgres', "SELECT roformer.prewarm('base')");
note(sprintf('its image has %.0f MB', $bytes / 1048576));

my $query = "SELECT roformer.classify('base', 'where is my order number ' || i) FROM generate_series(1, 2) i";
my @backends;
for (1 .. $sessions)
{
	my ($session, $pid) = start_session($node);
	$session->query_safe('SELECT count(*) FROM pg_class');
	push @backends, { session => $session, pid => $pid };
}
$_->{before} = private_kb($_->{pid}) for @backends;
my $hello = "SELECT roformer.classify('base', 'hello')";
my $first = seconds_of(sub { $backends[0]{session}->query_safe($hello) });
my $warm = seconds_of(sub { $backends[0]{session}->query_safe($hello) });
my $second = seconds_of(sub { $backends[1]{session}->query_safe($hello) });
note(sprintf('first answer of the first session %.0f ms, its next %.0f ms; first of the second session %.0f ms', 1000 * $first, 1000 * $warm, 1000 * $second));
is($node->safe_psql('postgres', 'SELECT loads FROM roformer.cache'), '1', 'a session that comes later finds the model loaded');
start_query($_->{session}, $query) for @backends;
finish_query($_->{session}) for @backends;

# While a cursor is open the image is pinned and the workspace held: that is the most a session takes.
for my $backend (@backends)
{
	$backend->{session}->query_safe('BEGIN');
	$backend->{session}->query_safe("DECLARE c CURSOR FOR $query");
	$backend->{session}->query_safe('FETCH 1 FROM c');
}
is($node->safe_psql('postgres', 'SELECT pins FROM roformer.cache'), $sessions, 'all sessions use one image');
my @added = sort { $a <=> $b } map { private_kb($_->{pid}) - $_->{before} } @backends;
note(sprintf('private memory added by a session: least %.1f, most %.1f MB', $added[0] / 1024, $added[-1] / 1024));
cmp_ok($added[-1], '<', $megabytes * 1024, "each session adds less than $megabytes MB of private memory");

$_->{session}->quit for @backends;
$node->poll_query_until('postgres', 'SELECT pins = 0 FROM roformer.cache') or die 'pins are left';
is($node->safe_psql('postgres', 'SELECT loads FROM roformer.cache'), '1', 'the model was loaded once');

$node->stop;
done_testing();
