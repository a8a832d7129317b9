# Model directories that are broken, lie, or are no model directories: an error that says what is wrong, nothing stored,
# no crash, no open file left behind.
use strict;
use warnings;
use FindBin;
use lib $FindBin::RealBin;
use RoformerTest;
use File::Copy;
use PostgreSQL::Test::Utils;
use Test::More;

my $golden = $ENV{ROFORMER_GOLDEN} || "$FindBin::RealBin/../golden/data";
my $tempdir = PostgreSQL::Test::Utils::tempdir();
my $node = start_server('bad_files');
my $good = slurp_bytes("$golden/models/seqcls-en/model.safetensors");
my $count = 0;

sub slurp_bytes
{
	my ($path) = @_;
	open(my $file, '<:raw', $path) or die "$path: $!";
	local $/;
	return scalar <$file>;
}

sub write_bytes
{
	my ($path, $bytes) = @_;
	open(my $file, '>:raw', $path) or die "$path: $!";
	print $file $bytes;
	close($file) or die "$path: $!";
}

# A copy of a good directory, changed by code that gets its path.
sub spoil
{
	my ($change, $model) = @_;
	my $from = "$golden/models/" . ($model // 'seqcls-en');
	my $path = "$tempdir/model" . $count++;

	mkdir $path or die "$path: $!";
	copy($_, $path) or die "$_: $!" foreach glob "$from/*";
	$change->($path);
	return $path;
}

# Loading must fail with this state and message.
sub refused
{
	my ($name, $change, $state, $message, $model) = @_;
	my $path = spoil($change, $model);
	my ($ret, $out, $err) = $node->psql('postgres', "SELECT roformer.load_model('bad', '$path')",
		extra_params => [ '-v', 'VERBOSITY=verbose' ]);

	$node->safe_psql('postgres', "SELECT roformer.drop_model('bad')") if $ret == 0;
	like($err, qr/^psql:\S+ ERROR:  (?:$state): .*(?:$message)/s, $name);
}

# ---- weights -----------------------------------------------------------------------------------

my $header_length = unpack('Q<', $good);
my $header = substr($good, 8, $header_length);
my $data = substr($good, 8 + $header_length);

sub weights
{
	my ($bytes) = @_;
	return sub { write_bytes("$_[0]/model.safetensors", $bytes) };
}

sub with_header
{
	my ($changed) = @_;
	return weights(pack('Q<', length $changed) . $changed . $data);
}

# The header with a substitution that must apply.
sub edited
{
	my ($from, $to) = @_;
	my $changed = $header;
	$changed =~ s/$from/$to/ or die "nothing to edit: $from";
	return with_header($changed);
}

sub reshaped
{
	my ($to) = @_;
	my $changed = $header;
	$changed =~ s/("classifier\.dense\.bias":\s*\{[^}]*?"shape":\s*)\[64\]/$1$to/ or die 'nothing to reshape';
	return with_header($changed);
}

refused('weights are empty', weights(''), 'XX001', 'model\.safetensors');
refused('weights are shorter than a length', weights("\1\0\0\0"), 'XX001', 'model\.safetensors');
refused('weights end in the header', weights(substr($good, 0, 100)), 'XX001', 'longer than the file');
refused('weights end in the data', weights(substr($good, 0, -1)), 'XX001', 'outside the file');
refused('weights have more bytes than tensors', weights($good . 'more'), 'XX001', 'model\.safetensors');
refused('length of the header is huge', weights("\xff" x 8 . substr($good, 8)), 'XX001', 'longer than the file');
refused('length of the header is zero', weights(pack('Q<', 0) . substr($good, 8)), 'XX001', 'model\.safetensors');
refused('header is no JSON', with_header('x' x $header_length), 'XX001', 'model\.safetensors');
refused('header is an array', with_header('[]'), 'XX001', 'model\.safetensors');
refused('header is deep', with_header('{"a":' . '[' x 100_000), 'XX001', 'model\.safetensors');
refused('header has no tensors', weights(pack('Q<', 2) . '{}'), 'XX001', 'Missing');
refused('tensor occurs twice', edited('^\{', '{"classifier.dense.bias":{"dtype":"F32","shape":[64],"data_offsets":[0,256]},'),
	'XX001', 'model\.safetensors');
refused('name is no UTF-8', edited('classifier\.dense\.bias', "classifier.dense.b\xff\xfe"), 'XX001', 'model\.safetensors');
refused('type is unknown', edited('"F32"', '"F31"'), '0A000', 'F31');
refused('type is no weight', edited('"F32"', '"I32"'), 'XX001', 'I32');
refused('shape is negative', reshaped('[-64]'), 'XX001', 'shape');
refused('shape overflows', reshaped('[4294967296,4294967296,64]'), 'XX001', 'classifier\.dense\.bias');
refused('shape has too many dimensions', reshaped('[64,1,1,1,1,1,1,1,1]'), 'XX001|54000', 'classifier\.dense\.bias');
refused('shape is another', reshaped('[8,8]'), 'XX001', 'classifier\.dense\.bias.* is \[8, 8\], not \[64\]');
refused('bytes do not fit the shape', reshaped('[65]'), 'XX001', 'classifier\.dense\.bias');
refused('bytes begin behind their end', edited('"data_offsets":\s*\[(\d+),\s*(\d+)\]', '"data_offsets":[999999,0]'), 'XX001', 'safetensors');
refused('bytes lie outside', edited('"data_offsets":\s*\[(\d+),\s*(\d+)\]', '"data_offsets":[999999999999,1000000000255]'), 'XX001', 'safetensors');
refused('offsets are no integers', edited('"data_offsets":\s*\[(\d+),\s*(\d+)\]', '"data_offsets":["0","1"]'), 'XX001', 'safetensors');
refused('tensor is missing', edited('classifier\.dense\.bias', 'classifier.dense.bios'), 'XX001', 'Missing: "classifier\.dense\.bias".*classifier\.dense\.bios');
refused('weights are missing', sub { unlink "$_[0]/model.safetensors" }, '58P01', 'model\.safetensors');
refused('weights are a directory', sub { unlink "$_[0]/model.safetensors"; mkdir "$_[0]/model.safetensors" }, '22023', 'regular file');
refused('weights are a FIFO', sub { unlink "$_[0]/model.safetensors"; system('mkfifo', "$_[0]/model.safetensors") }, '22023', 'regular file');
refused('weights are a device', sub { unlink "$_[0]/model.safetensors"; symlink '/dev/zero', "$_[0]/model.safetensors" }, '22023', 'regular file');
refused('weights are a link to themselves', sub { unlink "$_[0]/model.safetensors"; symlink 'model.safetensors', "$_[0]/model.safetensors" },
	'58030', 'model\.safetensors');
SKIP:
{
	skip 'root may read everything', 1 if $> == 0;
	refused('weights are not readable', sub { chmod 0, "$_[0]/model.safetensors" }, '42501', 'Permission denied');
}

# ---- shards ------------------------------------------------------------------------------------

my ($index) = glob "$golden/models/mlm-en-untied/*.index.json";
my $shards = slurp_file($index);

sub index_file
{
	my ($changed) = @_;
	return sub { write_bytes("$_[0]/model.safetensors.index.json", $changed) };
}

refused('shard is missing', sub { unlink((glob "$_[0]/model-*.safetensors")[1]) }, '58P01', 'model-00002', 'mlm-en-untied');
refused('shard lies elsewhere', index_file($shards =~ s/"model-0+1-of-0+3\.safetensors"/"..\/x.safetensors"/gr), '22023|XX001', '\.\./x',
	'mlm-en-untied');
refused('shard is an absolute path', index_file($shards =~ s/"model-0+1-of-0+3\.safetensors"/"\/etc\/passwd"/gr), '22023|XX001', '/etc/passwd',
	'mlm-en-untied');
refused('shard is the wrong one', index_file($shards =~ s/model-0+1-of/model-00002-of/gr), 'XX001', 'safetensors', 'mlm-en-untied');
refused('index has no map', index_file('{}'), 'XX001', 'weight_map', 'mlm-en-untied');
refused('index is no JSON', index_file('weights'), 'XX001', 'index', 'mlm-en-untied');

# ---- configuration -----------------------------------------------------------------------------

my $config = slurp_file("$golden/models/seqcls-en/config.json");

sub config
{
	my ($text) = @_;
	return sub { write_bytes("$_[0]/config.json", $text) };
}

sub setting
{
	my ($key, $value) = @_;
	my $changed = $config;
	$changed =~ s/"$key":\s*[^,}\]]*/"$key": $value/ or $changed =~ s/\{/{"$key": $value, /;
	return config($changed);
}

refused('config.json is missing', sub { unlink "$_[0]/config.json" }, '58P01', 'config\.json');
refused('config.json is empty', config(''), 'XX001', 'config\.json');
refused('config.json is no object', config('[1]'), 'XX001', 'config\.json');
refused('config.json ends early', config(substr($config, 0, length($config) / 2)), 'XX001', 'config\.json');
refused('config.json is deep', config('{"a":' x 100_000), 'XX001', 'config\.json');
refused('config.json is no UTF-8', config($config =~ s/POSITIVE/\xff\xfe/r), 'XX001', 'config\.json');
refused('config.json is huge', sub { truncate("$_[0]/config.json", 2**36) }, '54000', 'config\.json');
refused('no such model', setting('model_type', '"bert"'), '0A000', 'bert');
refused('no such activation', setting('hidden_act', '"swoosh"'), '0A000|XX001', 'swoosh');
refused('no such class', config($config =~ s/RoFormerForSequenceClassification/RoFormerForPoetry/r), '0A000', 'RoFormerForPoetry');
refused("$_->[0] is $_->[1]", setting(@$_), 'XX001|54000', $_->[0])
  foreach (
	[ num_attention_heads => 0 ], [ num_attention_heads => -8 ], [ num_attention_heads => 7 ],
	[ num_attention_heads => 1.5 ], [ num_attention_heads => '"8"' ], [ num_attention_heads => 2**31 ],
	[ num_hidden_layers => 1e9 ], [ num_hidden_layers => -1 ],
	[ hidden_size => 0 ], [ hidden_size => 2**40 ],
	[ intermediate_size => 0 ], [ intermediate_size => 2**31 ],
	[ vocab_size => 0 ], [ vocab_size => 2**40 ], [ vocab_size => -1 ],
	[ type_vocab_size => 0 ], [ type_vocab_size => 2**31 ],
	[ max_position_embeddings => 0 ], [ layer_norm_eps => -1 ], [ layer_norm_eps => '"small"' ], [ rotary_value => 2 ]);
refused('heads of one number', setting('num_attention_heads', 64), 'XX001', 'head size 1');
refused("a number beyond numbers: $_", setting('hidden_size', $_), 'XX001', 'config\.json') foreach '9223372036854775808', '1e400', 'NaN';
refused('layers that the file lacks', setting('num_hidden_layers', 3), 'XX001', 'Missing: .*layer\.2\.');
refused('sizes that the file has not', setting('intermediate_size', 256), 'XX001', 'Of another shape: .*\[128, 64\], not \[256, 64\]');
refused('labels that the file has not', config($config =~ s/"2":\s*"POSITIVE"/"2": "POSITIVE", "3": "more"/r), 'XX001', 'classifier\.out_proj');
refused('labels with a gap', config($config =~ s/"2":\s*"POSITIVE"/"7": "POSITIVE"/r), 'XX001', 'label');

# What an error quotes is shown as far as the database's encoding has it, and never hides the error.
$node->safe_psql('postgres', q(CREATE DATABASE latin1 ENCODING 'LATIN1' LOCALE 'C' TEMPLATE template0));
$node->safe_psql('latin1', 'CREATE EXTENSION roformer');
my $foreign = spoil(setting('hidden_act', qq("sw\xe6\xbc\xa2sh \xc3\xa9")));
like(($node->psql('latin1', "SELECT roformer.load_model('bad', '$foreign')"))[2], qr/ERROR: .*"sw\?sh \xe9"/, 'a quotation in LATIN1');

# ---- vocabulary and tokenizer ------------------------------------------------------------------

my $vocab = slurp_bytes("$golden/models/seqcls-en/vocab.txt");

sub vocab
{
	my ($text) = @_;
	return sub { write_bytes("$_[0]/vocab.txt", $text) };
}

refused('vocab.txt is missing', sub { unlink "$_[0]/vocab.txt" }, '58P01', 'vocab\.txt');
refused('vocab.txt is empty', vocab(''), 'XX001', 'vocab');
refused('vocab.txt has more tokens than the model', vocab($vocab . "one_too_many\n"), 'XX001',
	'more tokens than the model');
refused('vocab.txt is no UTF-8', vocab($vocab . "caf\xe9\n"), 'XX001', 'UTF-8');
refused('vocab.txt has surrogates', vocab($vocab . "\xed\xa0\x80\n"), 'XX001', 'UTF-8');
refused('vocab.txt ends within a character', vocab($vocab . "\xe6\xbc"), 'XX001', 'UTF-8');
refused('vocab.txt lacks [UNK]', vocab($vocab =~ s/^\[UNK\]$/[unk]/mr), 'XX001', '\[UNK\]');
refused('vocab.txt is a FIFO', sub { unlink "$_[0]/vocab.txt"; system('mkfifo', "$_[0]/vocab.txt") }, '22023', 'regular file');
refused('tokenizer_config.json is no JSON', sub { write_bytes("$_[0]/tokenizer_config.json", '{"do_lower_case": yes}') },
	'XX001', 'tokenizer_config\.json');
refused('special_tokens_map.json lies', sub { write_bytes("$_[0]/special_tokens_map.json", '{"unk_token": 7}') },
	'XX001', 'special_tokens_map\.json');

# ---- flipped bits ------------------------------------------------------------------------------

# Anything may come of a changed header or configuration but a crash; what is loaded can be computed with or says why not.
srand(42);
my %outcome = (loaded => 0, refused => 0);
foreach my $round (1 .. 150)
{
	my $file = (qw(model.safetensors config.json vocab.txt))[ $round % 3 ];
	my $path = spoil(
		sub {
			my $bytes = slurp_bytes("$_[0]/$file");
			my $limit = $file eq 'model.safetensors' ? 8 + $header_length : length $bytes;
			my $at = int rand $limit;
			substr($bytes, $at, 1) ^= chr(1 << int rand 8);
			write_bytes("$_[0]/$file", $bytes);
		});
	my ($ret, $out, $err) = $node->psql('postgres',
		qq{SET client_min_messages = error;
		SELECT roformer.load_model('flipped', '$path');
		SELECT roformer.classify('flipped', 'Any text at all.');
		SELECT roformer.drop_model('flipped');});
	$outcome{ $err =~ /ERROR/ ? 'refused' : 'loaded' }++;
	BAIL_OUT("server is gone after a bit of $path/$file was flipped") if $err =~ /server closed the connection/;
	$node->safe_psql('postgres', "SELECT roformer.drop_model(name) FROM roformer.models WHERE name = 'flipped'");
}
cmp_ok($outcome{refused}, '>', 20, "flipped bits are found ($outcome{refused} of 150)");

my $digest = "SELECT digest FROM roformer.models WHERE name = 'flipped'";
$node->safe_psql('postgres', "SELECT roformer.load_model('flipped', '$golden/models/seqcls-en')");
my $unchanged = $node->safe_psql('postgres', $digest);
my $flipped = spoil(sub { my $bytes = $good; substr($bytes, -1, 1) ^= "\1"; write_bytes("$_[0]/model.safetensors", $bytes) });
$node->safe_psql('postgres', "SELECT roformer.replace_model('flipped', '$flipped')");
isnt($node->safe_psql('postgres', $digest), $unchanged, 'a flipped bit of a weight changes the digest');

# A failed replacement changes nothing.
my $broken = spoil(weights(substr($good, 0, -1)));
my $before = $node->safe_psql('postgres', 'TABLE roformer.models');
my ($ret, $out, $err) = $node->psql('postgres', "SELECT roformer.replace_model('flipped', '$broken')");
isnt($ret, 0, 'a replacement fails');
is($node->safe_psql('postgres', 'TABLE roformer.models'), $before, 'and changes nothing');
$node->safe_psql('postgres', "SELECT roformer.drop_model('flipped')");

# ---- what stays --------------------------------------------------------------------------------

# Failures at every stage, over and over in one session.
my @broken = map { spoil($_) } (
	weights(substr($good, 0, -1)), edited('classifier\.dense\.bias', 'classifier.dense.bios'), setting('num_attention_heads', 0),
	vocab("\xff"), sub { unlink "$_[0]/model.safetensors" });
my ($session, $pid) = start_session($node);

sub open_files
{
	return scalar(() = glob "/proc/$pid/fd/*");
}

sub fail_all
{
	my ($rounds) = @_;
	my $paths = join(',', map { "'$_'" } @broken);

	$session->query_safe(qq{DO \$\$
	DECLARE
		path text;
	BEGIN
		FOR path IN SELECT p FROM unnest(ARRAY[$paths]) AS p, generate_series(1, $rounds) LOOP
			BEGIN
				PERFORM roformer.load_model('bad', path);
				RAISE 'loaded %', path USING ERRCODE = 'assert_failure';
			EXCEPTION WHEN OTHERS THEN
			END;
		END LOOP;
	END \$\$});
}

fail_all(1);
my $files = open_files();
my $memory = private_kb($pid);
fail_all(40);
cmp_ok(open_files(), '<=', $files, 'no file stays open after a failure');
cmp_ok(private_kb($pid), '<', $memory + 1024, 'no memory is lost by failures');
$session->quit;

is($node->safe_psql('postgres', "SELECT count(*) FROM _roformer.$_"), 0, "no row is left in $_")
  foreach qw(model model_file model_tensor model_chunk model_grant);
unlike(slurp_file($node->logfile), qr/terminated by signal|PANIC/, 'the server never crashed');

$node->stop;
done_testing();
