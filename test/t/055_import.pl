# roformer_import: what it stores, what it says, and that nothing of it stays when it doesn't get through.
use strict;
use warnings;
use FindBin;
use lib $FindBin::RealBin;
use File::Copy;
use IPC::Run;
use JSON::PP;
use RoformerTest;
use PostgreSQL::Test::Utils;
use Test::More;

my $golden = $ENV{ROFORMER_GOLDEN} || "$FindBin::RealBin/../golden/data";
my $tempdir = PostgreSQL::Test::Utils::tempdir();
my $node = start_server('import', init => [ allows_streaming => 1 ], conf => 'log_error_verbosity = verbose');
my $port = $node->port;

# Runs the program; its exit status, what it says, and what it complains of.
sub import_model
{
	my (@arguments) = @_;
	local %ENV = $node->_get_env();
	$ENV{PGDATABASE} //= 'postgres';
	my ($out, $err) = ('', '');
	my $done = IPC::Run::run([ 'roformer_import', @arguments ], '<', \undef, '>', \$out, '2>', \$err);
	return ($? >> 8, $out, $err) if ($? & 127) == 0;
	return ('signal ' . ($? & 127), $out, $err);
}

sub value
{
	my ($query, $database) = @_;
	return $node->safe_psql($database // 'postgres', $query);
}

sub digest_of
{
	my ($name, $database) = @_;
	return value("SELECT digest FROM roformer.models WHERE name = '$name'", $database);
}

# A copy of a directory that may be spoilt.
sub copy_of
{
	my ($directory, $name) = @_;
	mkdir "$tempdir/$name" or die $!;
	for my $file (grep { -f } glob "$directory/*")
	{
		copy($file, "$tempdir/$name/") or die $!;
	}
	return "$tempdir/$name";
}

# Nothing but finished models: no row of a content without a name.
sub is_clean
{
	my ($what) = @_;
	is( value(q{SELECT count(*) FROM (SELECT model_id FROM _roformer.model_file UNION ALL SELECT model_id FROM _roformer.model_tensor
				UNION ALL SELECT model_id FROM _roformer.model_chunk) AS r WHERE model_id NOT IN (SELECT id FROM _roformer.model)}),
		'0', "$what: nothing is left");
}

# ---- equal to load_model ---------------------------------------------------------------------------

for my $directory (glob "$golden/models/*")
{
	my ($name) = $directory =~ m{([^/]+)$};
	my ($loaded) = $node->psql('postgres', "SET client_min_messages = error; SELECT roformer.load_model('loaded', '$directory')");
	if ($loaded != 0)
	{
		my ($status) = import_model('-q', $directory);
		is($status, 1, "$name: what load_model refuses is refused");
		next;
	}
	my ($status, $out, $err) = import_model('-q', $directory);
	is($status, 0, "$name is imported") or diag $err;
	is(value(qq{SELECT count(DISTINCT (owner, architecture, task, parameters, layers, hidden_size, vocabulary, labels, precision, bytes, digest))
				FROM roformer.models WHERE name IN ('loaded', '$name')}), '1', 'just as load_model loads it');
	is(($node->psql('postgres', qq{SELECT tensor, first_row, sha256(data) FROM _roformer.model_chunk JOIN _roformer.model ON id = model_id WHERE name = 'loaded'
				EXCEPT SELECT tensor, first_row, sha256(data) FROM _roformer.model_chunk JOIN _roformer.model ON id = model_id WHERE name = '$name'}))[1],
		'', 'row by row');
	value("SELECT roformer.drop_model('loaded')");
}
my $classes = "$golden/models/seqcls-en";
like(value("SELECT roformer.classify('seqcls-en', 'one text')"), qr/./, 'and computes');

# ---- a format that only the client reads -----------------------------------------------------------

# Tensors of a safetensors file: name to [shape, bytes].
sub read_tensors
{
	my ($path) = @_;
	my $bytes = slurp_file($path);
	my $length = unpack 'Q<', $bytes;
	my $header = JSON::PP::decode_json(substr $bytes, 8, $length);
	delete $header->{__metadata__};
	return map {
		my ($from, $to) = @{ $header->{$_}{data_offsets} };
		$_ => [ $header->{$_}{shape}, substr($bytes, 8 + $length + $from, $to - $from) ]
	} keys %$header;
}

# msgpack with 32-bit lengths throughout: a map of maps of extension 1, which is [shape, type, bytes]
sub pack_flax
{
	my ($value) = @_;
	return join '', pack('CN', 0xDF, scalar keys %$value),
	  map { pack('CN/a*', 0xDB, $_), pack_flax($value->{$_}) } sort keys %$value
	  if ref $value eq 'HASH';
	my ($shape, $bytes) = @$value;
	my $array = pack('CN', 0xDD, 3) . pack('CN', 0xDD, scalar @$shape) . join('', map { pack 'CQ>', 0xCF, $_ } @$shape)
	  . pack('CN/a*', 0xDB, 'float32') . pack('CN/a*', 0xC6, $bytes);
	return pack('CNC', 0xC9, length $array, 1) . $array;
}

# As Flax names and turns it: kernels are [in, out], weights of norms are scales.
sub flax_tensor
{
	my ($name, $shape, $bytes) = @_;
	return ($name =~ s/weight$/scale/r, $shape, $bytes) if $name =~ /weight$/ && @$shape == 1;
	return ($name =~ s/weight$/embedding/r, $shape, $bytes) if $name =~ /embeddings\.weight$/;
	return ($name, $shape, $bytes) if $name !~ /weight$/;
	my ($rows, $columns) = @$shape;
	my @values = unpack 'L<*', $bytes;
	my @turned = map { my $column = $_; map { $values[ $_ * $columns + $column ] } 0 .. $rows - 1 } 0 .. $columns - 1;
	return ($name =~ s/weight$/kernel/r, [ $columns, $rows ], pack('L<*', @turned));
}

sub write_flax
{
	my ($path, %tensors) = @_;
	my %root;
	for my $name (keys %tensors)
	{
		my ($flax_name, @value) = flax_tensor($name, @{ $tensors{$name} });
		my @parts = split /\./, $flax_name;
		my $last = pop @parts;
		my $map = \%root;
		$map = $map->{$_} //= {} for @parts;
		$map->{$last} = \@value;
	}
	append_to_file($path, pack_flax(\%root));
}

my $flax = copy_of($classes, 'flax');
unlink "$flax/model.safetensors";
write_flax("$flax/flax_model.msgpack", read_tensors("$classes/model.safetensors"));
my ($flax_status, $flax_out, $flax_err) = import_model('-q', $flax);
is($flax_status, 0, 'a Flax file is imported') or diag $flax_err;
is(digest_of('flax'), digest_of('seqcls-en'), 'with the digest of the same weights in safetensors');
($flax_status, $flax_out, $flax_err) = import_model('--dry-run', $flax);
like($flax_out, qr/^weights +flax_model\.msgpack$/m, 'and reported as what it is');

# ---- what it says --------------------------------------------------------------------------------

my ($status, $out, $err) = import_model('-n', 'topics', $classes);
is($status, 0, 'under another name');
is($out, qq{imported model "topics"\n}, 'the result goes to stdout');
like($err, qr/^topics: 100%, \d+\.\d of \d+\.\d [kM]B(, [^,\n]+\/s)?\n\z/, 'progress to stderr, in lines');
unlike($err, qr/[\r\033]/, 'and in nothing else');
my $digest = digest_of('topics');

($status, $out, $err) = import_model('-n', 'topics', $classes);
is($status, 3, 'a name that is taken');
like($err, qr/^roformer_import: error: model "topics" already exists\nroformer_import: hint: Use --replace[^\n]*\n\z/, 'is refused before anything is sent');

($status, $out, $err) = import_model('--verify', '-n', 'topics', $classes);
is($status, 0, 'equal');
is($out, qq{equal: model "topics" has the digest $digest\n}, 'with the digest');
($status, $out, $err) = import_model('--verify', '-q', '-n', 'topics', $classes);
is("$status$out$err", '0', 'or in silence');
($status, $out, $err) = import_model('--verify', '-n', 'topics', "$golden/models/qa-en");
is($status, 4, 'different');
like($out, qr/^different: the digest is [0-9a-f]{64} here and $digest in the database\n\z/, 'both digests');
($status, $out, $err) = import_model('--verify', '-n', 'nothing', $classes);
is($status, 4, 'no such model');
like($err, qr/error: model "nothing" does not exist in the database\n/, 'says so');

($status, $out, $err) = import_model('-v', '-n', 'verbose', $classes);
is($status, 0, 'verbose');
like($err, qr/connected to database "postgres" as user "/, 'says where it is');
like($out, qr/^digest +$digest$/m, 'and what it stored');

{
	local $ENV{PGHOST} = '/nowhere';
	my ($dry_out, $dry_err);
	ok(IPC::Run::run([ 'roformer_import', '--dry-run', $classes ], '>', \$dry_out, '2>', \$dry_err), '--dry-run needs no server');
	like($dry_out, qr/^architecture +RoFormerForSequenceClassification\ntask +sequence classification\n/m, 'architecture and task');
	like($dry_out, qr/^$_$/m, "says: $_")
	  for 'weights +model\.safetensors', 'parameters +\d+', 'tensors +40', 'types +F32 \(40\)', 'missing +none', 'unexpected +none', "digest +$digest";
	IPC::Run::run([ 'roformer_import', '--dry-run', "$golden/models/enc-en-proj" ], '>', \$dry_out, '2>', \$dry_err);
	like($dry_out, qr/^unexpected +\S+\n +\S+\n/m, 'unexpected tensors by name');
	like($dry_err, qr/warning: 2 tensors of the checkpoint will not be used/, 'and a warning');
}

# ---- models that are none --------------------------------------------------------------------------

sub refuses_directory
{
	my ($what, $directory, $message) = @_;
	for my $mode (qw(--quiet --dry-run --verify))
	{
		my ($status, $out, $err) = import_model($mode, $directory);
		is($status, 1, "$what, $mode");
		like($err, $message, 'says why');
	}
}

refuses_directory('no directory', "$tempdir/nothing", qr{error: could not open directory ".*/nothing": No such file or directory});
my $spoilt = copy_of($classes, 'no-vocabulary');
unlink "$spoilt/vocab.txt";
refuses_directory('no vocabulary', $spoilt, qr/error: could not open file "vocab\.txt"/);
$spoilt = copy_of($classes, 'no-weights');
unlink "$spoilt/model.safetensors";
refuses_directory('no weights', $spoilt, qr/error: no weights found in directory/);
$spoilt = copy_of($classes, 'no-json');
append_to_file("$spoilt/config.json", '}');
refuses_directory('broken configuration', $spoilt, qr/error: .*config\.json/);
$spoilt = copy_of($classes, 'cut-off');
truncate "$spoilt/model.safetensors", (-s "$spoilt/model.safetensors") - 1;
refuses_directory('weights cut off', $spoilt, qr/error: .*model\.safetensors/);
$spoilt = copy_of("$golden/models/qa-en", 'other-class');
my $config = slurp_file("$spoilt/config.json");
unlink "$spoilt/config.json";
append_to_file("$spoilt/config.json", $config =~ s/RoFormerForQuestionAnswering/RoFormerForMaskedLM/r);
refuses_directory('missing tensors', $spoilt, qr/error: tensors do not fit the RoFormerForMaskedLM.*\n.*detail: Missing: "cls\.predictions/);
($status, $out, $err) = import_model('--dry-run', $spoilt);
like($out, qr/^architecture +RoFormerForMaskedLM$/m, 'the report has what is known');
is(value("SELECT count(*) FROM roformer.models WHERE name IN ('no-vocabulary', 'no-weights', 'no-json', 'cut-off', 'other-class')"), '0', 'none was imported');
is_clean('models that are none');
($status, $out, $err) = import_model();
is($status, 1, 'no arguments');
like($err, qr/error: no model directory is given\n.*hint: Try "roformer_import --help"/, 'point to --help');
($status, $out, $err) = import_model('--help');
like($out, qr/^Usage:\n  roformer_import \[OPTION\]\.\.\. DIRECTORY$/m, '--help');
($status, $out, $err) = import_model('--version');
like($out, qr/^roformer_import \d+\.\d+\n\z/, '--version');

# ---- options ----------------------------------------------------------------------------------------

($status, $out, $err) = import_model('-q', '-n', 'precise', '--precision', 'fp32', $classes);
is("$status$out$err", '0', 'precision');
is(value("SELECT options FROM roformer.models WHERE name = 'precise'"), '{precision=fp32}', 'is an option of the model');
($status, $out, $err) = import_model('-n', 'imprecise', '--precision', 'fp99', $classes);
is($status, 3, 'a precision that the server does not know');
like($err, qr/\Aroformer_import: error: invalid value for parameter "roformer\.precision": "fp99"\n/, 'is refused before anything is sent');
is_clean('a wrong precision');

value("CREATE ROLE other LOGIN; SELECT roformer.grant_model('topics', 'other')");
($status, $out, $err) = import_model('-q', '--replace', '-n', 'topics', '-U', 'other', "$golden/models/qa-en");
is($status, 3, "another's model is not replaced");
like($err, qr/error: must be owner of model "topics"/, 'says why');
($status, $out, $err) = import_model('-q', '--replace', '-n', 'topics', "$golden/models/qa-en");
is($status, 0, 'replaced by its owner');
is(value("SELECT task FROM roformer.models WHERE name = 'topics'"), 'question answering', 'by the new content');
is(value("SELECT count(*) FROM _roformer.model_grant JOIN _roformer.model ON id = model_id WHERE name = 'topics'"), '1', 'grants stay');
($status) = import_model('-q', '--replace', '-n', 'fresh', $classes);
is($status, 0, '--replace makes a new one where there is none');
is(digest_of('fresh'), $digest, 'of the right content');
is_clean('replacing');

value("CREATE ROLE plain LOGIN");
($status) = import_model('-q', '-n', 'of_plain', '-U', 'plain', $classes);
is($status, 0, 'a role without rights on files imports');
is(value("SELECT owner FROM roformer.models WHERE name = 'of_plain'"), 'plain', 'and owns the model');
value("REVOKE EXECUTE ON FUNCTION roformer.import_begin(text, boolean) FROM PUBLIC");
($status, $out, $err) = import_model('-q', '-n', 'of_plain_2', '-U', 'plain', $classes);
is($status, 3, 'unless that was revoked');
like($err, qr/error: permission denied for function import_begin\n/, 'says why');
value("GRANT EXECUTE ON FUNCTION roformer.import_begin(text, boolean) TO PUBLIC");

# Functions and operators of other schemas do not stand in for those meant.
value(q{CREATE SCHEMA trap; GRANT USAGE ON SCHEMA trap TO PUBLIC;
	CREATE FUNCTION trap.no(text, text) RETURNS boolean LANGUAGE plpgsql AS $$ BEGIN RAISE 'caught'; END $$;
	CREATE OPERATOR trap.= (LEFTARG = text, RIGHTARG = text, FUNCTION = trap.no);
	ALTER ROLE plain SET search_path = trap, pg_catalog});
($status, $out, $err) = import_model('-q', '--verify', '-n', 'of_plain', '-U', 'plain', $classes);
is("$status$out$err", '0', 'the search path of the role does not matter');

# ---- words ------------------------------------------------------------------------------------------

my $words = "$golden/models/enc-zh-word";
append_to_file("$tempdir/dict.txt", "中文 10 n\n文章 3 n\n");
($status) = import_model('-q', '-n', 'own_words', '--dictionary', "$tempdir/dict.txt", $words);
is($status, 0, 'a dictionary of the client');
value("SET roformer.jieba_dictionary = '$tempdir/dict.txt'; SELECT roformer.load_model('server_words', '$words')");
is(digest_of('own_words'), digest_of('server_words'), 'is the same as one of the server');
isnt(digest_of('own_words'), digest_of('enc-zh-word'), 'and not the package');
($status) = import_model('-q', '--verify', '-n', 'own_words', '--dictionary', "$tempdir/dict.txt", $words);
is($status, 0, '--verify with the dictionary');
($status) = import_model('-q', '--verify', '-n', 'own_words', $words);
is($status, 4, 'and with another');
($status, $out, $err) = import_model('-n', 'no_words', '--dictionary', "$tempdir/none.txt", $words);
is($status, 1, 'a dictionary that is not there');
like($err, qr{error: could not open file "none\.txt"}, 'says so');
append_to_file("$tempdir/broken.txt", "中文 10 n\n\xff\n");
($status, $out, $err) = import_model('-n', 'no_words', '--dictionary', "$tempdir/broken.txt", $words);
is($status, 1, 'one that is none');
like($err, qr/error: dictionary is not valid UTF-8/, 'says so');
($status, $out, $err) = import_model('--dry-run', '--dictionary', "$tempdir/dict.txt", $classes);
is($status, 0, 'one that nobody needs');
like($err, qr/warning: the dictionary is not used/, 'is not used');

# ---- connections ----------------------------------------------------------------------------------

($status, $out, $err) = import_model('-q', '-h', "$tempdir/nowhere", $classes);
is($status, 2, 'no server');
like($err, qr/^roformer_import: error: connection to server .* failed: /, 'says so');
($status, $out, $err) = import_model('-q', '-d', 'dbname=nothing', $classes);
is($status, 2, 'no such database');
value('CREATE DATABASE bare');
($status, $out, $err) = import_model('-q', '-d', 'bare', $classes);
is($status, 3, 'no extension there');
like($err, qr/error: schema "roformer" does not exist\n.*hint: Create the extension in this database: CREATE EXTENSION roformer;/, 'says how to get it');
($status, $out, $err) = import_model('-q', '-n', 'by_string', '-d', "host=@{[ $node->host ]} port=$port dbname=postgres options='-c application_name=other_name'", $classes);
is("$status$out$err", '0', 'a connection string');
value(q{CREATE DATABASE latin ENCODING 'LATIN1' LOCALE 'C' TEMPLATE template0});
value('CREATE EXTENSION roformer', 'latin');
{
	local $ENV{LC_ALL} = 'C.UTF-8';
	($status, $out, $err) = import_model('-q', '-n', "gr\xc3\xb6\xc3\x9fe", '-d', 'latin', $classes);
	is("$status$out$err", '0', 'a database of another encoding');
}
is(value(q{SELECT digest FROM roformer.models WHERE convert_to(name, 'LATIN1') = '\x6772f6df65'}, 'latin'), $digest, 'knows the name in its own');

value("CREATE ROLE locked LOGIN PASSWORD 'right'");
my $hba = $node->data_dir . '/pg_hba.conf';
my $trust = slurp_file($hba);
unlink $hba;
append_to_file($hba, "local all locked scram-sha-256\n$trust");
$node->reload;
my @locked = ('-q', '-U', 'locked', '-n', 'by_locked', $classes);
{
	local $ENV{PGPASSWORD} = 'wrong';
	($status, $out, $err) = import_model(@locked);
	is($status, 2, 'a wrong password');
	like($err, qr/password authentication failed for user "locked"/, 'says so');
}
{
	local $ENV{PGPASSFILE} = "$tempdir/none";
	($status, $out, $err) = import_model('-w', @locked);
	is($status, 2, 'no password, and none may be asked for');
}
append_to_file("$tempdir/pgpass", "*:*:*:locked:right\n");
chmod 0600, "$tempdir/pgpass";
{
	local $ENV{PGPASSFILE} = "$tempdir/pgpass";
	($status, $out, $err) = import_model('-w', @locked);
	is("$status$out$err", '0', 'a password from the file');
}

# ---- memory -----------------------------------------------------------------------------------------

write_model("$tempdir/large", hidden => 768, layers => 3, heads => 12, vocab => 2000);
my $megabytes = (-s "$tempdir/large/model.safetensors") / 2**20;
cmp_ok($megabytes, '>', 85, 'a model of ' . int($megabytes) . ' MB');
{
	local %ENV = $node->_get_env();
	$ENV{PGDATABASE} = 'postgres';
	my ($small_out, $small_err) = ('', '');
	ok(IPC::Run::run([ 'sh', '-c', 'ulimit -v 80000; exec roformer_import -q "$0"', "$tempdir/large" ], '>', \$small_out, '2>', \$small_err),
		'is imported in 78 MB of address space, libraries included') or diag $small_err;
}
is(value("SELECT bytes > 85000000 FROM roformer.models WHERE name = 'large'"), 't', 'all of it');

# ---- interruptions -----------------------------------------------------------------------------------

# Starts an import of the large model and stops it in its middle; the process and who blocks it.
sub start_blocked
{
	my (@arguments) = @_;
	my $blocker = block_loading($node);
	my $import = start_import(@arguments);

	wait_for_import("wait_event_type = 'Lock'");
	return ($import, $blocker);
}

sub start_import
{
	my (@arguments) = @_;
	local %ENV = $node->_get_env();
	$ENV{PGDATABASE} = 'postgres';
	delete $ENV{PGAPPNAME};
	my %import = (out => '', err => '');
	$import{run} = IPC::Run::start([ 'roformer_import', @arguments ], '<', \undef, '>', \$import{out}, '2>', \$import{err},
		IPC::Run::timeout($PostgreSQL::Test::Utils::timeout_default));
	return \%import;
}

sub wait_for_import
{
	my ($condition) = @_;
	$node->poll_query_until('postgres', "SELECT count(*) = 1 FROM pg_stat_activity WHERE application_name = 'roformer_import' AND $condition")
	  or die "no import where $condition";
}

sub wait_for_no_import
{
	$node->poll_query_until('postgres', q{SELECT count(*) = 0 FROM pg_stat_activity WHERE application_name = 'roformer_import'})
	  or die 'an import does not end';
}

# The signal that ended it, or its exit status.
sub end_of
{
	my ($import) = @_;
	$import->{run}->finish;
	my $result = $import->{run}->full_result(0);
	return $result & 127 ? 'signal ' . ($result & 127) : 'exit ' . ($result >> 8);
}

for my $case ([ INT => 2 ], [ TERM => 15 ], [ HUP => 1 ])
{
	my ($name, $number) = @$case;
	my ($import, $blocker) = start_blocked('-n', "by_$name", "$tempdir/large");
	kill $name, $import->{run}{KIDS}[0]{PID};
	is(end_of($import), "signal $number", "SIG$name ends it, though the server is busy");
	like($import->{err}, qr/error: interrupted; nothing was imported\n/, 'and it says so');
	wait_for_no_import();
	$blocker->query_safe('COMMIT');
	$blocker->quit;
	is(digest_of("by_$name"), '', 'there is no such model');
}
is_clean('signals');

my ($import, $blocker) = start_blocked('-n', 'by_kill', "$tempdir/large");
kill KILL => $import->{run}{KIDS}[0]{PID};
is(end_of($import), 'signal 9', 'kill -9');
$blocker->query_safe('COMMIT');
$blocker->quit;
wait_for_no_import();
is(digest_of('by_kill'), '', 'there is no such model');
is_clean('kill -9');

($import, $blocker) = start_blocked('-n', 'by_server', "$tempdir/large");
value("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'roformer_import'");
is(end_of($import), 'exit 2', 'a connection that is lost');
like($import->{err}, qr/roformer_import: error: .*terminat/s, 'says so');
$blocker->query_safe('COMMIT');
$blocker->quit;
is_clean('a lost connection');

($import, $blocker) = start_blocked('-n', 'by_cancel', "$tempdir/large");
value("SELECT pg_cancel_backend(pid) FROM pg_stat_activity WHERE application_name = 'roformer_import'");
is(end_of($import), 'exit 3', 'a statement that is cancelled by somebody else');
like($import->{err}, qr/error: canceling statement due to user request/, 'says so');
$blocker->query_safe('COMMIT');
$blocker->quit;
is_clean('a cancelled statement');

# A file that shrinks while it is read.
my $shrinking = copy_of("$tempdir/large", 'shrinking');
($import, $blocker) = start_blocked('-n', 'shrinking', $shrinking);
truncate "$shrinking/model.safetensors", 50_000_000 or die $!;
$blocker->query_safe('COMMIT');
$blocker->quit;
is(end_of($import), 'exit 1', 'a file that shrinks');
like($import->{err}, qr/error: file "model\.safetensors" ended unexpectedly/, 'says so');
wait_for_no_import();
is_clean('a file that shrinks');

# Two of one name: the second waits, can be interrupted, and is refused when the first is there.
my ($first) = start_session($node);
$first->query_safe('BEGIN');
$first->query_safe("SELECT roformer.load_model('same', '$classes')");
$import = start_import('-n', 'same', $classes);
wait_for_import("wait_event_type = 'Lock'");
kill INT => $import->{run}{KIDS}[0]{PID};
is(end_of($import), 'signal 2', 'SIGINT while waiting for the name');
wait_for_no_import();
$import = start_import('-n', 'same', $classes);
wait_for_import("wait_event_type = 'Lock'");
$first->query_safe('COMMIT');
$first->quit;
is(end_of($import), 'exit 3', 'the second one is refused');
like($import->{err}, qr/error: model "same" already exists/, 'when the first is committed');

# An answer to COMMIT that lets wait: the interrupt ends the wait for a standby, and the answer counts.
value("ALTER SYSTEM SET synchronous_standby_names = 'nobody'");
$node->reload;
$import = start_import('-n', 'committed', $classes);
wait_for_import("wait_event = 'SyncRep'");
kill INT => $import->{run}{KIDS}[0]{PID};
is(end_of($import), 'exit 0', 'SIGINT while the transaction is committed');
like($import->{out}, qr/imported model "committed"/, 'and it was');
like($import->{err}, qr/canceling wait for synchronous replication/, 'but for the standby');
$node->psql('postgres', "SET synchronous_commit = local; ALTER SYSTEM RESET synchronous_standby_names");
$node->reload;
is(digest_of('committed'), $digest, 'it is there');

# ---- a terminal ------------------------------------------------------------------------------------

my ($terminal_out, $terminal_err) = ('', '');
{
	local %ENV = $node->_get_env();
	$ENV{PGDATABASE} = 'postgres';
	my $typed = '';
	my $run = IPC::Run::start([ 'sh', '-c', 'stty cols 100; exec roformer_import -U locked -n on_terminal "$0"', "$tempdir/large" ],
		'<pty<', \$typed, '>pty>', \$terminal_out, IPC::Run::timeout($PostgreSQL::Test::Utils::timeout_default));
	$run->pump until $terminal_out =~ /Password: /;
	$typed .= "right\n";
	$run->finish;
	is($run->full_result(0), 0, 'on a terminal it asks for the password');
}
unlike($terminal_out, qr/right/, 'and shows it not');
like($terminal_out, qr/\r\033\[Kon_terminal \[=*>? *\] +\d+%  \d+\.\d of \d+\.\d MB/, 'progress is a bar');
like($terminal_out, qr/\r\033\[Kon_terminal \[=+\] 100%  [^\r\n]*\r\nimported model "on_terminal"\r\n\z/, 'that ends full');
is((grep { length > 99 } map { s/\033\[K//r } split /[\r\n]+/, $terminal_out)[0], undef, 'and fits the terminal');

$node->stop;
unlike(slurp_file($node->logfile), qr/PANIC|TRAP|terminated by signal|leak|WARNING:  0[^\n]*(snapshot|buffer|reference)/, 'the server has nothing to complain of');
done_testing();
