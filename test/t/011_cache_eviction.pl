# A cache smaller than its models: least recently used images make room, those in use stay.
use strict;
use warnings;
use FindBin;
use lib $FindBin::RealBin;
use RoformerTest;
use PostgreSQL::Test::Utils;
use Test::More;

# Images of about 6, 10 and 16 MB in 24 MB.
my $node = start_server('eviction', cache_size => '24MB');
my %vocab = (small => 2500, small2 => 2500, medium => 6500, large => 12000);
my $seed = 0;
load_random($node, $_, hidden => 256, heads => 4, vocab => $vocab{$_}, seed => ++$seed) for sort keys %vocab;
load_random($node, 'huge', hidden => 256, heads => 4, vocab => 30000);

sub answer { $node->safe_psql('postgres', "SELECT roformer.classify_score('$_[0]', 'abc def', 'label1')") }
sub evict_all { $node->safe_psql('postgres', 'SELECT roformer.evict(name) FROM roformer.models') }
sub resident { $node->safe_psql('postgres', "SELECT string_agg(model, ' ' ORDER BY model) FROM roformer.cache") }

my %expected = map { $_ => answer($_) } sort keys %vocab;
is(scalar(keys %{ { reverse %expected } }), 4, 'four models, four answers');
evict_all();
answer($_) for qw(small medium small large);
is(resident(), 'large small', 'the least recently used image made room');

# Over and over in changing order: an image that another overwrites would change its answers.
srand(4);
my $wrong = 0;
for (1 .. 60)
{
	my $model = (sort keys %vocab)[ int(rand(4)) ];
	$wrong++ if answer($model) ne $expected{$model};
}
is($wrong, 0, 'answers stay the same while images come and go');
is($node->safe_psql('postgres', 'SELECT sum(bytes) <= 24 * 1024 * 1024 AND max(pins) = 0 FROM roformer.cache'), 't', 'the cache keeps to its size');
cmp_ok($node->safe_psql('postgres', 'SELECT max(loads) FROM roformer.cache'), '>', 1, 'loads counts on when an image comes back');

# What is in use can't be evicted.
evict_all();
my ($session) = start_session($node);
$session->query_safe('BEGIN');
$session->query_safe("DECLARE c CURSOR FOR SELECT roformer.classify_score('large', text, 'label1') FROM (VALUES ('abc def'), ('abc def')) v(text)");
$session->query_safe('FETCH 1 FROM c');
my $before = resident();
my ($ret, $out, $err) = $node->psql('postgres', "\\set VERBOSITY verbose\nSELECT roformer.classify('medium', 'abc')");
like($err, qr/ERROR:  53200: the model cache is too small for model "medium": its image needs \d+ MB/, 'no room beside an image in use');
like($err, qr/DETAIL:  The cache has 24 MB, of which images in use hold 1\d MB\./, 'the detail says what holds it');
like($err, qr/HINT:  Increase roformer\.cache_size to more than 2\d MB/, 'the hint says how large it must be');
is(resident(), $before, 'nothing was evicted in vain, and no entry is left');
is(answer('small'), $expected{small}, 'a smaller one fits');
is($node->safe_psql('postgres', "SELECT roformer.evict('large')"), 't', 'evicting an image in use');
is($node->safe_psql('postgres', "SELECT state, pins FROM roformer.cache WHERE model = 'large'"), 'dropped|1', 'makes it go with its user');
is($session->query_safe('FETCH 1 FROM c'), $expected{large}, 'who still computes from it');
$session->query_safe('COMMIT');
is($node->safe_psql('postgres', "SELECT count(*) FROM roformer.cache WHERE model = 'large'"), '0', 'then it is gone');
is(answer('medium'), $expected{medium}, 'and others have room again');
$session->quit;

($ret, $out, $err) = $node->psql('postgres', "\\set VERBOSITY verbose\nSELECT roformer.classify('huge', 'abc')");
like($err, qr/53200: .*"huge": its image needs 3\d MB/, 'a model larger than the cache');
like($err, qr/HINT:  Increase roformer\.cache_size to at least 3\d MB/, 'and how large it should be');
is(answer('small'), $expected{small}, 'smaller models still work');

# A call site that alternates between more models than fit, one at a time.
is( $node->safe_psql('postgres', "SELECT count(*) FROM (SELECT roformer.classify_score(m, 'abc def', 'label1') s, m
		FROM (VALUES ('small'), ('medium'), ('small'), ('small2')) v(m)) x"),
	'4', 'several models in one call site');

$node->stop;
done_testing();
