# Which directories a user may load models from.
use strict;
use warnings;
use FindBin;
use lib $FindBin::RealBin;
use RoformerTest;
use PostgreSQL::Test::Utils;
use Test::More;

my $golden = $ENV{ROFORMER_GOLDEN} || "$FindBin::RealBin/../golden/data";
my $node = start_server('rights');

$node->safe_psql('postgres', 'CREATE ROLE reader IN ROLE pg_read_server_files; CREATE ROLE nobody');

sub load_as
{
	my ($role, $directory) = @_;
	my ($ret, $out, $err) = $node->psql('postgres',
		"SET ROLE $role; SET client_min_messages = error; SELECT roformer.load_model('m', '$directory')", extra_params => [ '-v', 'VERBOSITY=sqlstate' ]);
	$node->safe_psql('postgres', "SELECT roformer.drop_model(name) FROM roformer.models");
	return $ret == 0 ? 'loaded' : $err =~ /ERROR:  (\w+)/ ? $1 : $err;
}

is(load_as('reader', "$golden/models/seqcls-en"), 'loaded', 'absolute, with pg_read_server_files');
is(load_as('nobody', "$golden/models/seqcls-en"), '42501', 'absolute, without');
is(load_as('nobody', 'roformer-sms-spam'), 'loaded', 'installed with the extension');
is(load_as('nobody', '/'), '42501', 'the root');
is(load_as('nobody', '/no/such/directory'), '42501', 'no word about what is not there');
is(load_as('nobody', $_), '22023', "relative: $_")
  foreach '..', '../models', './roformer-sms-spam', 'roformer-sms-spam/.', 'roformer-sms-spam/../roformer-sms-spam', 'a//b';
is(load_as('nobody', "roformer-sms-spam/$_"), '58P01', "relative, no directory: $_") foreach 'config.json', 'none';
is(load_as('nobody', 'x' x 5000), '58P01', 'a name longer than paths can be');

# A link among the installed models must not lead out of them, though the server could follow it.
my $bundled = $node->config_data('--sharedir') . '/extension/roformer/models';
SKIP:
{
	skip "$bundled can't be written to", 4 unless -w $bundled;
	symlink "$golden/models/seqcls-en", "$bundled/outside" or die $!;
	symlink "$bundled/roformer-sms-spam", "$bundled/inside" or die $!;
	symlink "$bundled-sibling", "$bundled/sibling" or die $!;
	mkdir "$bundled-sibling" or die $!;
	is(load_as('nobody', 'outside'), '42501', 'a link that leads out');
	is(load_as('postgres', 'outside'), '42501', 'also for a superuser');
	is(load_as('nobody', 'sibling'), '42501', 'a link to a directory with a similar name');
	is(load_as('nobody', 'inside'), 'loaded', 'a link that stays inside');
	unlink "$bundled/outside", "$bundled/inside", "$bundled/sibling";
	rmdir "$bundled-sibling";
}

$node->stop;
done_testing();
