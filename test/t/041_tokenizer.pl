# The whole tokenizer set, through SQL: ids, positions, special masks, truncation, padding, decoding.
# The vocabularies are genuine; the models around them are written here, with one layer of zeros.
use strict;
use warnings FATAL => 'all';

use FindBin;
use JSON::PP;
use PostgreSQL::Test::Utils;
use RoformerTest qw(start_server);
use Test::More;

my $golden = $ENV{ROFORMER_GOLDEN} || "$FindBin::RealBin/../golden/data";
my $directory = PostgreSQL::Test::Utils::tempdir();

my $node = start_server('tokenizer');

sub sql
{
	return $node->safe_psql('postgres', $_[0]);
}

sub write_json
{
	my ($path, $value) = @_;

	PostgreSQL::Test::Utils::append_to_file($path, JSON::PP->new->canonical->encode($value));
}

# A file of zeros in the safetensors format: header length, header, data.
sub write_weights
{
	my ($path, %shape) = @_;
	my ($offset, %header) = (0);

	foreach my $name (sort keys %shape)
	{
		my $size = 2;
		$size *= $_ foreach @{ $shape{$name} };
		$header{$name} = { dtype => 'F16', shape => $shape{$name}, data_offsets => [ $offset, $offset + $size ] };
		$offset += $size;
	}
	my $json = JSON::PP->new->canonical->encode(\%header);
	open my $file, '>:raw', $path or die "$path: $!";
	print $file pack('Q<', length $json), $json, "\0" x $offset;
	close $file;
}

# A bare encoder of hidden size 4 around a vocabulary; returns its directory.
sub write_model
{
	my ($name, $vocab, $tokenizer) = @_;
	my $path = "$directory/$name";
	my $tokens = () = slurp_file($vocab) =~ /\n/g;
	my $layer = 'encoder.layer.0';
	my %shape = (
		'embeddings.word_embeddings.weight' => [ $tokens, 4 ],
		'embeddings.token_type_embeddings.weight' => [ 2, 4 ]);

	$shape{"$_.weight"} = [ 4, 4 ], $shape{"$_.bias"} = [4]
	  foreach map { "$layer.$_" } qw(attention.self.query attention.self.key attention.self.value
	  attention.output.dense intermediate.dense output.dense);
	$shape{"$_.weight"} = [4], $shape{"$_.bias"} = [4]
	  foreach 'embeddings.LayerNorm', "$layer.attention.output.LayerNorm", "$layer.output.LayerNorm";

	mkdir $path or die "$path: $!";
	write_json("$path/config.json",
		{ architectures => ['RoFormerModel'], model_type => 'roformer', vocab_size => $tokens,
			hidden_size => 4, embedding_size => 4, num_hidden_layers => 1, num_attention_heads => 1,
			intermediate_size => 4 });
	write_json("$path/tokenizer_config.json", $tokenizer);
	PostgreSQL::Test::Utils::append_to_file("$path/vocab.txt", slurp_file($vocab));
	write_weights("$path/model.safetensors", %shape);
	return $path;
}

sub load_lines
{
	my ($table, $file) = @_;

	# U+0000 can't be in a text; neither quote nor delimiter occurs in the files
	sql(qq{
		CREATE TABLE "$table" (r jsonb);
		CREATE TEMP TABLE line (j text);
		COPY line FROM '$golden/tokenizer/$file' WITH (FORMAT csv, QUOTE e'\\x01', DELIMITER e'\\x02');
		INSERT INTO "$table" SELECT j::jsonb FROM line WHERE strpos(j, '\\u0000') = 0;
	});
}

# Ids of the records of a query that it finds different; empty is what is wanted.
sub is_empty
{
	my ($query, $name) = @_;

	is(sql("SELECT coalesce(string_agg(id, ' ' ORDER BY id), '') FROM ($query) AS s"), '', $name);
}

sql(<<'SQL');
CREATE FUNCTION ints(j jsonb) RETURNS int[] IMMUTABLE
RETURN ARRAY(SELECT x::int FROM jsonb_array_elements_text(j) WITH ORDINALITY AS t(x, n) ORDER BY n);
SQL

# ---- single texts --------------------------------------------------------------------------------

my %records = (
	'jieba-word' => 3266,
	'jieba-word-cased' => 451,
	'wordpiece-cased-stripaccents' => 305,
	'wordpiece-chinese' => 1460,
	'wordpiece-chinese-cased' => 549,
	'wordpiece-chinese-nocjksplit' => 308,
	'wordpiece-uncased' => 3192,
	'wordpiece-uncased-keepaccents' => 454);

foreach my $set (sort keys %records)
{
	my ($first) = split /\n/, slurp_file("$golden/tokenizer/$set.jsonl"), 2;
	my $options = decode_json($first);
	my $vocab = delete $options->{vocab};
	my $path = write_model($set, "$golden/vocab/$vocab", $options);

	sql("SELECT roformer.load_model('$set', '$path')");
	load_lines($set, "$set.jsonl");
	# cn: code points that Unicode 14 doesn't know; what becomes of them depends on the library
	sql(qq{
		CREATE VIEW "$set records" AS SELECT r, r->>'id' AS id, r->>'text' AS text FROM "$set"
		WHERE r ? 'id' AND NOT r ? 'cn'});
	is(sql(qq{SELECT count(*) FROM "$set records"}), $records{$set}, "$set: all records are there");
	is_empty(qq{
		SELECT id FROM "$set records", roformer.encode('$set', text, add_special_tokens => false) AS e
		WHERE e.input_ids IS DISTINCT FROM ints(r->'ids')}, "$set: ids");
	is_empty(qq{
		SELECT id FROM "$set records", roformer.encode('$set', text, add_special_tokens => false) AS e
		WHERE ARRAY(SELECT unnest(ARRAY[s - 1, s - 1 + l]) FROM unnest(e.start, e.length) WITH ORDINALITY AS t(s, l, n) ORDER BY n)
			IS DISTINCT FROM ints(r->'offsets')}, "$set: positions");
	sql("SELECT roformer.set_model_option('$set', 'tokenizer', 'fast')");
	is_empty(qq{
		SELECT id FROM "$set records", roformer.encode('$set', text, add_special_tokens => false) AS e
		WHERE e.input_ids IS DISTINCT FROM ints(coalesce(r->'fast_ids', r->'ids'))}, "$set: ids of the fast tokenizer");
	sql("SELECT roformer.set_model_option('$set', 'tokenizer', NULL)");
	is_empty(qq{
		SELECT id FROM "$set records", roformer.encode('$set', text) AS e, ints(r->'ids') AS ids
		WHERE e.input_ids IS DISTINCT FROM 101 || ids || 102
			OR e.special_tokens_mask IS DISTINCT FROM 1 || array_fill(0, ARRAY[cardinality(ids)]) || 1
			OR e.start[1] IS NOT NULL OR e.length[cardinality(e.length)] IS NOT NULL
			OR roformer.token_count('$set', text) <> cardinality(ids) + 2}, "$set: added tokens");
	is(sql(qq{
		SELECT count(*) FROM "$set records",
		LATERAL (SELECT t, s FROM unnest(roformer.tokenize('$set', text, add_special_tokens => false)) WITH ORDINALITY AS a(t, n)
			JOIN unnest((roformer.encode('$set', text, add_special_tokens => false)).input_ids) WITH ORDINALITY AS b(i, n) USING (n)
			JOIN roformer.save_vocabulary('$set') AS v(i, s) USING (i)) AS t
		WHERE t <> s}), 0, "$set: tokens");
	is(sql(qq{
		SELECT count(*) FROM
			(SELECT array_agg(text ORDER BY id) AS texts, array_agg(roformer.encode('$set', text) ORDER BY id) AS one FROM "$set records") AS s
		WHERE roformer.encode('$set', texts) <> one}), 0, "$set: arrays give what single texts give");
}

# ---- calls with pairs, truncation, padding -------------------------------------------------------

my %model = (
	bert_base_uncased => 'wordpiece-uncased',
	bert_base_chinese => 'wordpiece-chinese',
	roformer_chinese_base => 'jieba-word');

load_lines('pairs', 'encode-pairs.jsonl');
load_lines('ids', 'decode.jsonl');

foreach my $vocab (sort keys %model)
{
	my $model = $model{$vocab};

	# Padding on the left and rounding up are not offered; 'longest' pads nothing in a single call.
	sql(qq{
		CREATE VIEW "$vocab calls" AS
		SELECT r->>'id' AS id, r, CASE WHEN r->>'text_pair' IS NULL
			THEN roformer.encode('$model', r->>'text', special, max_length, truncation, side, padding)
			ELSE roformer.encode('$model', r->>'text', r->>'text_pair', special, max_length, truncation, side, padding)
			END AS e
		FROM (SELECT r, coalesce((r->'args'->>'add_special_tokens')::boolean, true) AS special,
			coalesce((r->'args'->>'max_length')::int, 0) AS max_length,
			CASE coalesce(r->'args'->>'truncation', 'false') WHEN 'true' THEN 'longest_first'
				WHEN 'false' THEN 'do_not_truncate' ELSE r->'args'->>'truncation' END AS truncation,
			r->>'truncation_side' AS side,
			CASE r->'args'->>'padding' WHEN 'max_length' THEN 'max_length' ELSE 'none' END AS padding
			FROM pairs WHERE r->>'vocab' = '$vocab' AND NOT r ? 'error') AS s
		WHERE NOT (r->'args' ? 'pad_to_multiple_of' AND coalesce(r->'args'->>'padding', 'false') <> 'false')
			AND NOT (r->>'padding_side' = 'left' AND padding = 'max_length')});
	cmp_ok(sql(qq{SELECT count(*) FROM "$vocab calls"}), '>', 80, "$vocab: calls are there");
	foreach my $field (qw(input_ids token_type_ids special_tokens_mask))
	{
		is_empty(qq{SELECT id FROM "$vocab calls" WHERE (e).$field IS DISTINCT FROM ints(r->'$field')},
			"$vocab: $field of calls");
	}
	foreach my $case ([ 'decode', 'false' ], [ 'decode_skip', 'true' ])
	{
		my ($field, $skip) = @$case;

		is_empty(qq{
			SELECT r->>'id' AS id FROM ids WHERE r->>'vocab' = '$vocab'
			AND roformer.decode('$model', ints(r->'ids'), $skip) IS DISTINCT FROM r->>'$field'},
			"$vocab: $field");
	}
}
is(sql('SELECT count(*) FROM ids'), 270, 'all lists of ids are there');

$node->stop;
done_testing();
