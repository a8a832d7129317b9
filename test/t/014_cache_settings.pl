# What a session computes with follows the settings, the model's options and the user, also within one call site.
use strict;
use warnings;
use FindBin;
use lib $FindBin::RealBin;
use RoformerTest;
use PostgreSQL::Test::Utils;
use Test::More;

my $node = start_server('settings');
load_random($node, 'm', seed => 12);
load_random($node, 'other', seed => 13);
my ($session) = start_session($node);

# One call site, in a function, so that it stays the same from call to call.
$node->safe_psql('postgres', q(CREATE FUNCTION score(model text, text text) RETURNS real LANGUAGE plpgsql AS
	$$ BEGIN RETURN roformer.classify_score(model, text, 'label0'); END $$));
sub score { $session->query_safe(qq(SELECT score('$_[0]', '$_[1]'))) }

my ($text, $cut) = ('abcdefghij', 'abcdef');
$session->query_safe('BEGIN');
my $whole = score('m', $text);
my $short = score('m', $cut);
isnt($short, $whole, 'texts of ten and of six tokens');

# ---- kernels -----------------------------------------------------------------------------------

$session->query_safe("SET LOCAL roformer.kernels = 'ref'");
my $reference = score('m', $text);
cmp_ok(abs($reference - $whole), '<', 1e-5, 'other kernels, nearly the same answer');
is($session->query_safe("SELECT count(DISTINCT kernels) FROM roformer.cache WHERE model = 'm'"), '2', 'from an image of their own');
like(query_error($session, "SET roformer.kernels = 'abacus'"), qr/abacus/, 'kernels that nobody knows');
$session->query_safe('ROLLBACK');

# ---- options -----------------------------------------------------------------------------------

$session->query_safe('BEGIN');
$session->query_safe('SET LOCAL roformer.max_length = 8');
is(score('m', $text), $short, 'max_length cuts the text');
$session->query_safe('RESET roformer.max_length');
is(score('m', $text), $whole, 'and no longer when it is reset');
$session->query_safe("SELECT roformer.set_model_option('m', 'max_length', '8')");
is(score('m', $text), $short, "the model's option cuts as well");
$session->query_safe('SET LOCAL roformer.max_length = 100');
is(score('m', $text), $whole, 'but for a setting that somebody set');
$session->query_safe('RESET roformer.max_length');
$session->query_safe("SELECT roformer.set_model_option('m', 'overflow', 'error')");
$session->query_safe('SAVEPOINT s');
like(query_error($session, "SELECT score('m', '$text')"), qr/ERROR:/, 'overflow = error, as an option');
$session->query_safe('ROLLBACK TO s');
$session->query_safe("SET LOCAL roformer.overflow = 'truncate'");
is(score('m', $text), $short, 'a setting beats it, also with the value that is the default');
is($session->query_safe('SHOW roformer.overflow'), 'truncate', 'which is shown');
$session->query_safe('RESET roformer.overflow');
is($session->query_safe('SHOW roformer.overflow'), 'truncate', 'as it is when nobody has set it');
like(query_error($session, "SELECT score('m', '$text')"), qr/ERROR:/, 'and the option counts again');
$session->query_safe('ROLLBACK');
is(score('m', $text), $whole, 'options are transactional');

# ---- user --------------------------------------------------------------------------------------

$node->safe_psql('postgres', 'CREATE ROLE guest; GRANT CREATE ON SCHEMA public TO guest');
$session->query_safe('BEGIN');
score('m', $text);
$session->query_safe('SAVEPOINT s');
$session->query_safe('SET LOCAL ROLE guest');
like(query_error($session, "SELECT score('m', '$text')"), qr/permission denied for model "m"/, 'another user, other rights');
$session->query_safe('ROLLBACK TO s');
is(score('m', $text), $whole, 'the first user goes on');
$session->query_safe('COMMIT');
$node->safe_psql('postgres', "SELECT roformer.grant_model('m', 'guest')");
$session->query_safe('SET ROLE guest');
is(score('m', $text), $whole, 'a granted model');
$node->safe_psql('postgres', "SELECT roformer.revoke_model('m', 'guest')");
like(query_error($session, "SELECT score('m', '$text')"), qr/permission denied for model "m"/, 'is refused once it is revoked');
$session->query_safe('RESET ROLE');

# ---- more models than a call site keeps --------------------------------------------------------

load_random($node, "m$_", seed => 100 + $_) for 1 .. 10;
my $models = join ', ', map { "('m$_')" } 1 .. 10;
is($session->query_safe("SELECT count(DISTINCT roformer.classify_score(m, '$text', 'label0')) FROM (VALUES $models) v(m), generate_series(1, 3)"),
	'10', 'ten models in turn in one call site');
is($session->query_safe('SELECT max(pins), max(loads) FROM roformer.cache'), '0|1', 'each loaded once, none pinned afterwards');

$session->quit;
$node->stop;
done_testing();
