# Models are rows: dumped and restored with everything else, with the same digests, rights and options, also where the
# extension is dropped and created again.
use strict;
use warnings;
use FindBin;
use lib $FindBin::RealBin;
use RoformerTest;
use PostgreSQL::Test::Utils;
use Test::More;

my $golden = $ENV{ROFORMER_GOLDEN} || "$FindBin::RealBin/../golden/data";
my $tempdir = PostgreSQL::Test::Utils::tempdir();
my $node = start_server('dump');

my $models = 'SELECT * FROM roformer.models ORDER BY name';
my $grants = 'SELECT name, grantee FROM _roformer.model_grant JOIN _roformer.model ON id = model_id ORDER BY 1, 2';
my $tensors = q(SELECT m.name, t.* FROM roformer.models AS m, roformer.model_tensors(m.name) AS t ORDER BY 1, 2);
my $answer = q(SELECT roformer.classify_all('spam', 'You have WON a prize, call now'), roformer.classify('mood', 'a wonderful story'));
# reads every row and checks its digest
my $read = 'SELECT count(roformer.prewarm(name)) FROM roformer.models';

$node->safe_psql('postgres', qq{
	CREATE ROLE alice;
	CREATE ROLE "Bob's";
	GRANT pg_read_server_files TO alice;
	SELECT roformer.load_model('gone', '$golden/models/tokcls-en');
	SELECT roformer.load_model('spam', 'roformer-sms-spam');
	SELECT roformer.load_model('numbers 漢字', '$golden/models/mlm-en-untied');
	SET ROLE alice;
	SELECT roformer.load_model('mood', '$golden/models/seqcls-en');
	SELECT roformer.grant_model('mood', 'Bob''s');
	SELECT roformer.grant_model('mood', 'public');
	SELECT roformer.set_model_option('mood', 'labels', '{bad,"so, so",good}');
	SELECT roformer.set_model_option('mood', 'max_length', '64');
	RESET ROLE;
	SELECT roformer.drop_model('gone');
});
my %want = map { $_ => $node->safe_psql('postgres', $_) } $models, $grants, $tensors, $answer, $read;
like($want{$models}, qr/mood\|alice\|/, 'the owner is who loaded it');
like($want{$grants}, qr/mood\|-\nmood\|"Bob's"/, 'grants');

sub is_same
{
	my ($database) = @_;

	foreach ([ $models, 'models' ], [ $grants, 'grants' ], [ $tensors, 'tensors' ], [ $answer, 'answers' ], [ $read, 'contents' ])
	{
		my ($query, $what) = @$_;
		is($node->safe_psql($database, $query), $want{$query}, "$database: the same $what");
	}
	# ids go on where they were
	$node->safe_psql($database, "SELECT roformer.load_model('another', '$golden/models/tokcls-en')");
	is($node->safe_psql($database, q(SELECT id > (SELECT max(id) FROM _roformer.model WHERE name <> 'another') FROM _roformer.model WHERE name = 'another')),
		't', "$database: a new model has a new id");
	$node->safe_psql($database, "SELECT roformer.drop_model('another')");
	is($node->safe_psql($database, $read), $want{$read}, "$database: and takes nothing with it when it goes");
}

$node->safe_psql('postgres', "CREATE DATABASE $_") foreach qw(plain custom);

$node->command_ok([ 'pg_dump', '-f', "$tempdir/plain.sql", '-d', $node->connstr('postgres') ], 'pg_dump as SQL');
$node->command_ok([ 'psql', '-X', '-q', '-v', 'ON_ERROR_STOP=1', '-f', "$tempdir/plain.sql", '-d', $node->connstr('plain') ], 'restored by psql');
is_same('plain');

$node->command_ok([ 'pg_dump', '-Fc', '-f', "$tempdir/custom.dump", '-d', $node->connstr('postgres') ], 'pg_dump as archive');
$node->command_ok([ 'pg_restore', '-e', '-d', $node->connstr('custom'), "$tempdir/custom.dump" ], 'restored by pg_restore');
is_same('custom');

# ---- the extension goes and comes -----------------------------------------------------------------

my ($session) = start_session($node, 'plain');
is($session->query_safe($answer), $want{$answer}, 'a session that uses models');
$session->query_safe('DROP EXTENSION roformer');
$session->query_safe('CREATE EXTENSION roformer');
is($session->query_safe('SELECT count(*) FROM roformer.models'), 0, 'a new extension has no models');
$session->query("SELECT roformer.model_config('spam')");
like($session->{stderr}, qr/model "spam" does not exist/, 'and finds none');
$session->{stderr} = '';
$session->query_safe("SELECT roformer.load_model('spam', 'roformer-sms-spam'), roformer.load_model('mood', '$golden/models/seqcls-en')");
$session->query_safe(q(SELECT roformer.set_model_option('mood', 'labels', '{bad,"so, so",good}')));
is($session->query_safe($answer), $want{$answer}, 'what is loaded into it works');

# Created and rolled back: the session must not go on with tables that never were.
$session->query_safe('DROP EXTENSION roformer');
$session->query_safe('BEGIN');
$session->query_safe('CREATE EXTENSION roformer');
$session->query_safe("SELECT roformer.load_model('spam', 'roformer-sms-spam')");
$session->query_safe('ROLLBACK');
$session->query_safe('CREATE EXTENSION roformer');
is($session->query_safe('SELECT count(*) FROM roformer.models'), 0, 'rolled back with the extension');
$session->query_safe("SELECT roformer.load_model('spam', 'roformer-sms-spam')");
is($session->query_safe("SELECT count(roformer.prewarm('spam'))"), 1, 'loaded again');

# Maintenance that exchanges tables and indexes under a session.
$session->query_safe('REINDEX TABLE CONCURRENTLY _roformer.model');
$session->query_safe('REINDEX TABLE CONCURRENTLY _roformer.model_chunk');
$session->query_safe('VACUUM FULL _roformer.model_chunk');
$session->query_safe('CLUSTER _roformer.model_tensor USING model_tensor_pkey');
$session->query_safe("SELECT roformer.evict('spam')");
is($session->query_safe("SELECT count(roformer.prewarm('spam'))"), 1, 'after REINDEX, VACUUM FULL and CLUSTER');
$session->quit;

# ---- roles that are gone --------------------------------------------------------------------------

$node->safe_psql('custom', q(
	CREATE ROLE carol;
	SET ROLE carol;
	SELECT roformer.load_model('hers', 'roformer-sms-spam');
	RESET ROLE;
	DROP ROLE carol;));
like($node->safe_psql('custom', "SELECT owner FROM roformer.models WHERE name = 'hers'"), qr/^unknown \(OID=\d+\)$/, 'an owner who is gone');
$node->safe_psql('custom', "SELECT roformer.drop_model('hers')");
is($node->safe_psql('custom', $models), $want{$models}, 'a superuser drops what belongs to nobody');

$node->stop;
done_testing();
