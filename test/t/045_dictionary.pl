# The dictionary of Chinese words: read when a model is loaded, part of its content from then on, and once in memory for
# all models that have the same words.
use strict;
use warnings;
use FindBin;
use lib $FindBin::RealBin;
use RoformerTest;
use PostgreSQL::Test::Utils;
use Test::More;

my $tempdir = PostgreSQL::Test::Utils::tempdir();
my $text = '中文章';

# A word model, its weights told apart by a seed.
sub write_word_model
{
	my ($name, %option) = @_;
	my $directory = "$tempdir/$name";

	write_model($directory, %option);
	unlink "$directory/vocab.txt", "$directory/tokenizer_config.json";
	append_to_file("$directory/vocab.txt", join '', map { "$_\n" } qw([PAD] [UNK] [CLS] [SEP] [MASK] 中 文 章 中文 文章));
	append_to_file("$directory/tokenizer_config.json", '{"tokenizer_class": "RoFormerTokenizer"}');
	return $directory;
}

sub write_dictionary
{
	my ($name, $content) = @_;

	unlink "$tempdir/$name";
	append_to_file("$tempdir/$name", $content);
	return "$tempdir/$name";
}

my $early = "中文 1000 n\n文章 1 n\n章 1000 n\n中 1 n\n文 1 n\n";
my $late = "中文 1 n\n文章 1000 n\n章 1 n\n中 1000 n\n文 1 n\n";
my $early_path = write_dictionary('early.txt', $early);
my $late_path = write_dictionary('late.txt', $late);
my $model = write_word_model('model', seed => 1);
my $other = write_word_model('other', seed => 2);

my $node = start_server('dictionary', conf => "roformer.jieba_dictionary = '$early_path'");

sub tokens
{
	my ($name, $database) = @_;
	return $node->safe_psql($database // 'postgres', "SELECT roformer.tokenize('$name', '$text', false)");
}

sub value
{
	return $node->safe_psql('postgres', $_[0]);
}

sub error_of
{
	my ($query) = @_;
	my ($status, $output, $error) = $node->psql('postgres', "\\set VERBOSITY verbose\n$query");

	isnt($status, 0, "fails: $query") if $error eq '';
	return $error;
}

# ---- the setting ------------------------------------------------------------------------------------

value("SELECT roformer.load_model('early', '$model')");
value("SET roformer.jieba_dictionary = '$late_path'; SELECT roformer.load_model('late', '$model')");
is(tokens('early'), '{中文,章}', 'words of one dictionary');
is(tokens('late'), '{中,文章}', 'words of another');
is(value("SELECT count(DISTINCT digest) FROM roformer.models"), '2', 'the dictionary is part of the digest');
is(value("SELECT count(*) FROM _roformer.model_file WHERE name = 'jieba/dict.txt'"), '2', 'and a file of each model');
is(value("SELECT bool_and(dictionary = sha256(data)) FROM _roformer.model JOIN _roformer.model_file f ON model_id = id WHERE f.name = 'jieba/dict.txt'"),
	't', 'found by its own digest');
value("SELECT roformer.replace_model('late', '$model')");
is(tokens('late'), '{中文,章}', 'replace_model reads it again');
is(value('SELECT count(DISTINCT digest) FROM roformer.models'), '1', 'the same content has the same digest');

value("SET roformer.jieba_dictionary = ''; SELECT roformer.load_model('package', '$model')");
is(value("SELECT length(data) > 1000000 FROM _roformer.model_file JOIN _roformer.model AS m ON model_id = id WHERE m.name = 'package' AND model_file.name = 'jieba/dict.txt'"),
	't', 'empty: that of the distribution');
is(tokens('package'), '{中,文章}', 'and its words');
is(value("SELECT count(*) FROM roformer.cache WHERE model = 'jieba dictionary'"), '3', 'three contents are cached');

like(error_of("SET roformer.jieba_dictionary = '/nowhere/dict.txt'; SELECT roformer.load_model('missing', '$model')"),
	qr{58P01: dictionary file "/nowhere/dict.txt" does not exist\nDETAIL:.*\nHINT:  Install the package python3-jieba on the server, or set roformer\.jieba_dictionary},
	'a dictionary that is not there');
write_dictionary('broken.txt', "中文 10 n\n\xff\xfe 3 n\n");
like(error_of("SET roformer.jieba_dictionary = '$tempdir/broken.txt'; SELECT roformer.load_model('broken', '$model')"),
	qr/XX001: dictionary is not valid UTF-8\nDETAIL:.*line 2\.\n(?:.*\n)*CONTEXT:  dictionary file "[^"]*broken\.txt"/, 'one that is none');
like(error_of("SET roformer.jieba_dictionary = 'early.txt'"), qr/22023: invalid value.*\nDETAIL:  The file must be named by its absolute path/,
	'a relative path');
value('CREATE ROLE guest');
like(error_of("SET ROLE guest; SET roformer.jieba_dictionary = '$late_path'"), qr/42501: permission denied to set parameter/, 'the setting is the administrator\'s');
is(value('SELECT count(*) FROM roformer.models'), '3', 'nothing is left of the failures');

# ---- one for all ------------------------------------------------------------------------------------

my $entry = q(SELECT database IS NULL, precision IS NULL, kernels, pins, state, loads, shared FROM roformer.cache WHERE model = 'jieba dictionary');

$node->restart;
value("SELECT roformer.load_model('other', '$other')");
$node->safe_psql('postgres', 'CREATE DATABASE second');
$node->safe_psql('second', "CREATE EXTENSION roformer; SELECT roformer.load_model('early', '$model')");
is(tokens('early'), '{中文,章}', 'one model');
is(tokens('other'), '{中文,章}', 'another with the same words');
is(tokens('early', 'second'), '{中文,章}', 'a model of another database');
is(value($entry), 't|t|jieba|0|ready|1|t', 'one dictionary, loaded once, of no database');
is(value("SET ROLE guest; $entry"), 't|t|jieba|0|ready|1|t', 'everybody sees it');
is(value("SELECT count(*) FROM roformer.cache WHERE model <> 'jieba dictionary'"), '3', 'three images');

my ($session) = start_session($node);
$session->query_safe('BEGIN');
$session->query_safe("DECLARE c CURSOR FOR SELECT roformer.token_count('early', repeat('$text', i)) FROM generate_series(1, 3) AS i");
$session->query_safe('FETCH 1 FROM c');
is(value($entry), 't|t|jieba|1|ready|1|t', 'in use with the model');
value("SELECT roformer.drop_model('early'), roformer.drop_model('late'), roformer.drop_model('other')");
is($session->query_safe('FETCH 1 FROM c'), '6', 'also when that was dropped meanwhile');
$session->query_safe('COMMIT');
$session->quit;
is(value($entry), 't|t|jieba|0|ready|1|t', 'and let go with it');

value("SELECT roformer.load_model('early', '$model'), roformer.load_model('other', '$other')");
$node->restart;
is(value("SELECT roformer.prewarm('early') > 0"), 't', 'prewarm');
is(value($entry), 't|t|jieba|0|ready|1|t', 'loads the dictionary too');
is(tokens('early'), '{中文,章}', 'for those who come later');

# ---- what is stored counts --------------------------------------------------------------------------

write_dictionary('early.txt', $late);
$node->restart;
is(tokens('early'), '{中文,章}', 'a file that changes changes no model');
value("UPDATE _roformer.model SET dictionary = sha256('another') WHERE name = 'other'");
like(error_of("SELECT roformer.tokenize('other', '$text')"), qr/XX001: stored dictionary of model "other" is damaged/, 'a digest that is not that of the words');
value("UPDATE _roformer.model_file SET data = data || ' ' WHERE name = 'jieba/dict.txt' AND model_id = (SELECT id FROM _roformer.model WHERE name = 'other')");
like(error_of("SELECT roformer.evict('other'), roformer.tokenize('other', '$text' || random()::text)"), qr/XX001: stored content of model "other" is damaged/, 'words that were altered');
value("SELECT roformer.drop_model('other')");

# ---- dumped, and without preloading ------------------------------------------------------------------

my $private = start_server('private', preload => 0, conf => "roformer.jieba_dictionary = '/nowhere/dict.txt'");

$node->command_ok([ 'pg_dump', '-f', "$tempdir/dump.sql", '-d', $node->connstr('postgres') ], 'pg_dump');
$private->safe_psql('postgres', 'CREATE DATABASE restored');
$private->command_ok([ 'psql', '-X', '-q', '-v', 'ON_ERROR_STOP=1', '-f', "$tempdir/dump.sql", '-d', $private->connstr('restored') ], 'restored');
is($private->safe_psql('restored', 'SELECT name, digest FROM roformer.models ORDER BY name'),
	value('SELECT name, digest FROM roformer.models ORDER BY name'), 'the same digests on a server that has no dictionary');
my ($status, $output, $notice) = $private->psql('restored', qq{
	SELECT roformer.tokenize('early', '$text', false);
	SELECT roformer.tokenize('package', '$text', false);
	SELECT count(*), bool_or(shared) FROM roformer.cache WHERE model = 'jieba dictionary';});
is($output, "{中文,章}\n{中,文章}\n2|f", 'the same words from private copies');
like($notice, qr/^[^\n]*NOTICE:  models are loaded into this session's private memory\n[^\n]*\z/, 'one notice');

$_->stop foreach $node, $private;
done_testing();
