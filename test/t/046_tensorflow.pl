# The authors' TensorFlow 1 files: a model loaded from them is the one loaded from safetensors, and what bert_config.json
# leaves out follows from the tensors. TensorFlow is in no distribution: the files are written here, by the published
# formats (LevelDB's tables, tensor_bundle.proto). Formats that the server does not read are refused with a hint.
use strict;
use warnings;
use FindBin;
use lib $FindBin::RealBin;
use RoformerTest;
use File::Copy;
use JSON::PP;
use PostgreSQL::Test::Utils;
use Test::More;

my $golden = $ENV{ROFORMER_GOLDEN} || "$FindBin::RealBin/../golden/data";
my $tempdir = PostgreSQL::Test::Utils::tempdir();
my $node = start_server('tensorflow');

# ---- writing -----------------------------------------------------------------------------------

my @crc_table = map {
	my $crc = $_;
	$crc = ($crc >> 1) ^ ($crc & 1 ? 0x82F63B78 : 0) for 1 .. 8;
	$crc
} 0 .. 255;

# CRC-32C, rotated as the format has it.
sub checksum
{
	my $crc = 0xFFFFFFFF;
	$crc = ($crc >> 8) ^ $crc_table[ ($crc ^ $_) & 0xFF ] for unpack 'C*', $_[0];
	$crc ^= 0xFFFFFFFF;
	return ((($crc >> 15) | ($crc << 17)) + 0xA282EAD8) & 0xFFFFFFFF;
}

sub varint { return chr $_[0] if $_[0] < 128; return chr($_[0] & 127 | 128) . varint($_[0] >> 7) }
sub number { my ($field, $value) = @_; return varint($field << 3) . varint($value) }
sub message { my ($field, $value) = @_; return varint($field << 3 | 2) . varint(length $value) . $value }

# A block without shared beginnings of keys, with its trailer.
sub block
{
	my (@entries) = @_;
	my $content = '';
	while (my ($key, $value) = splice @entries, 0, 2)
	{
		$content .= varint(0) . varint(length $key) . varint(length $value) . $key . $value;
	}
	$content .= pack 'VV', 0, 1;
	return $content . "\0" . pack 'V', checksum("$content\0");
}

sub write_bytes
{
	my ($path, $bytes) = @_;
	open(my $file, '>:raw', $path) or die "$path: $!";
	print $file $bytes;
	close($file) or die "$path: $!";
}

sub write_checkpoint
{
	my ($directory, $variables) = @_;
	my ($data, @entries) = ('', '', number(1, 1) . message(3, number(1, 1)));

	for my $name (sort keys %$variables)
	{
		my ($shape, $bytes) = @{ $variables->{$name} };
		my $sizes = join '', map { message(2, number(1, $_)) } @$shape;
		push @entries, $name, number(1, 1) . message(2, $sizes) . number(4, length $data) . number(5, length $bytes)
		  . varint(6 << 3 | 5) . pack('V', checksum($bytes));
		$data .= $bytes;
	}
	my $table = block(@entries);
	my $handle = varint(0) . varint(length($table) - 5);
	my $index = block('z', $handle);
	my $footer = varint(0) . varint(0) . varint(length $table) . varint(length($index) - 5);
	write_bytes("$directory/bert_model.ckpt.index",
		$table . $index . $footer . "\0" x (40 - length $footer) . pack('VV', 0x8B80FB57, 0xDB477524));
	write_bytes("$directory/bert_model.ckpt.data-00000-of-00001", $data);
}

# ---- from safetensors --------------------------------------------------------------------------

sub read_safetensors
{
	my ($path) = @_;
	open(my $file, '<:raw', $path) or die "$path: $!";
	local $/;
	my $bytes = <$file>;
	my $length = unpack 'Q<', $bytes;
	my $header = decode_json(substr $bytes, 8, $length);
	delete $header->{__metadata__};
	return { map { my ($from, $to) = @{ $header->{$_}{data_offsets} };
			$_ => [ $header->{$_}{shape}, substr $bytes, 8 + $length + $from, $to - $from ] } keys %$header };
}

sub transpose
{
	my ($shape, $bytes) = @_;
	my ($rows, $columns) = @$shape;
	my @values = unpack '(a4)*', $bytes;
	return [ [ $columns, $rows ], join '', map { my $j = $_; map { $values[ $_ * $columns + $j ] } 0 .. $rows - 1 } 0 .. $columns - 1 ];
}

# The variables of the original code that have these tensors.
sub variables_of
{
	my ($tensors) = @_;
	my %variables;
	for my $name (keys %$tensors)
	{
		my ($variable, $tensor) = ($name =~ tr{.}{/}r, $tensors->{$name});
		next if $name =~ /embed_positions|position_ids|predictions\.decoder/;
		$variable =~ s{^roformer/}{bert/};
		$variable =~ s{layer/}{layer_};
		$variable =~ s{^bert/embeddings_project}{bert/encoder/embedding_hidden_mapping_in};
		$variable =~ s{^cls/predictions/bias$}{cls/predictions/output_bias};
		if ($variable =~ s{LayerNorm/weight$}{LayerNorm/gamma} || $variable =~ s{LayerNorm/bias$}{LayerNorm/beta}
			|| $variable =~ s{_embeddings/weight$}{_embeddings}) { }
		elsif ($variable =~ s{/weight$}{/kernel}) { $tensor = transpose(@$tensor) }
		$variables{$variable} = $tensor;
	}
	return \%variables;
}

sub copy_model
{
	my ($model, @files) = @_;
	my $directory = "$tempdir/$model";
	mkdir $directory or die "$directory: $!";
	copy("$golden/models/$model/$_", $directory) or die "$model/$_: $!" foreach @files;
	write_checkpoint($directory, variables_of(read_safetensors("$golden/models/$model/model.safetensors")));
	return $directory;
}

# ---- with config.json: the same model ----------------------------------------------------------

for my $model (qw(seqcls-en tokcls-en qa-en))
{
	my $directory = copy_model($model, qw(config.json vocab.txt tokenizer_config.json special_tokens_map.json));
	$node->safe_psql('postgres', "SELECT roformer.load_model('plain', '$golden/models/$model'), roformer.load_model('original', '$directory')");
	is($node->safe_psql('postgres', q(SELECT count(DISTINCT digest), count(*) FROM roformer.models)), '1|2', "$model: one digest");
	$node->safe_psql('postgres', q(SELECT roformer.drop_model('plain'), roformer.drop_model('original')));
}

# ---- with bert_config.json: the same results ---------------------------------------------------

for (['mlm-v2-zh', 'RoFormerForMaskedLM'], ['sim-zh-char', 'RoFormerForCausalLM'], ['mlm-zh-word', 'RoFormerForMaskedLM'])
{
	my ($model, $architecture) = @$_;
	my $directory = copy_model($model, qw(vocab.txt tokenizer_config.json special_tokens_map.json));
	my $config = decode_json(slurp_file("$golden/models/$model/config.json"));

	delete @$config{qw(architectures model_type norm_type use_bias pooler_activation is_decoder)};
	$config->{max_position} = delete $config->{max_position_embeddings};
	write_bytes("$directory/bert_config.json", encode_json($config));
	$node->safe_psql('postgres', "SELECT roformer.load_model('plain', '$golden/models/$model'), roformer.load_model('original', '$directory')");
	is($node->safe_psql('postgres', q(SELECT architecture FROM roformer.models WHERE name = 'original')), $architecture,
		"$model: the tensors say what it is");
	is($node->safe_psql('postgres', q(SELECT roformer.model_config('original') ->> 'max_position')), $config->{max_position},
		"$model: its configuration is shown");
	my ($plain, $original) = map { $node->safe_psql('postgres', "SELECT roformer.logits('$_', '今天天气')") } qw(plain original);
	is($original, $plain, "$model: the same logits");
	$node->safe_psql('postgres', q(SELECT roformer.drop_model('plain'), roformer.drop_model('original')));
}

# ---- refused -----------------------------------------------------------------------------------

for (['bert_model.ckpt.data-00000-of-00001', 'XX001', 'wrong checksum'], ['bert_model.ckpt.index', 'XX001', 'wrong checksum'])
{
	my ($file, $state, $message) = @$_;
	my $path = "$tempdir/seqcls-en/$file";
	my $bytes = do { open(my $in, '<:raw', $path) or die $!; local $/; <$in> };

	write_bytes($path, substr($bytes, 0, 100) . chr(ord(substr $bytes, 100, 1) ^ 1) . substr($bytes, 101));
	my ($ret, $out, $err) = $node->psql('postgres', "SELECT roformer.load_model('bad', '$tempdir/seqcls-en')",
		extra_params => [ '-v', 'VERBOSITY=verbose' ]);
	like($err, qr/ERROR:  $state: .*$message/, "$file: damage is found");
	write_bytes($path, $bytes);
}

for my $file (qw(tf_model.h5 flax_model.msgpack))
{
	my $directory = "$tempdir/$file";
	mkdir $directory or die "$directory: $!";
	copy("$golden/models/seqcls-en/$_", $directory) or die "$_: $!" foreach qw(config.json vocab.txt tokenizer_config.json);
	write_bytes("$directory/$file", 'x');
	my ($ret, $out, $err) = $node->psql('postgres', "SELECT roformer.load_model('bad', '$directory')",
		extra_params => [ '-v', 'VERBOSITY=verbose' ]);
	like($err, qr/ERROR:  0A000: weights in "\Q$file\E" .*HINT:  .*roformer_import/s, "$file: the client program reads it");
}
is($node->safe_psql('postgres', 'SELECT count(*) FROM roformer.models'), '0', 'nothing was stored');

$node->stop;
done_testing();
