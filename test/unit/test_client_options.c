/*
 * test_client_options.c - the command line of roformer_import.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "import_options.h"

#define MAX_ARGUMENTS 16

static ImportOptions options;
static char problem[256];

/* Parses words separated by blanks. */
static bool
parse(const char *line)
{
	static char words[1024];
	char *argv[MAX_ARGUMENTS + 1] = {"roformer_import"};
	int argc = 1;

	snprintf(words, sizeof(words), "%s", line);
	problem[0] = '\0';
	for (char *word = strtok(words, " "); word != NULL; word = strtok(NULL, " "))
	{
		assert_true(argc < MAX_ARGUMENTS);
		argv[argc++] = word;
	}
	return import_options_parse(argc, argv, &options, problem, sizeof(problem));
}

static void
refuse(const char *line, const char *message)
{
	assert_false(parse(line));
	assert_string_equal(problem, message);
}

static void
name_comes_from_the_directory(void **state)
{
	static const struct
	{
		const char *line;
		const char *name;
	} cases[] = {
		{"topics", "topics"},
		{"/srv/models/topics", "topics"},
		{"models/topics/", "topics"},
		{"topics///", "topics"},
		{"--name=other topics", "other"},
		{"topics -n other", "other"},
		{"-n x .", "x"},
		{"..a", "..a"},
		{".hidden", ".hidden"},
	};

	(void) state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
	{
		if (!parse(cases[i].line))
			fail_msg("%s: %s", cases[i].line, problem);
		assert_string_equal(options.name, cases[i].name);
	}
	refuse(".", "directory \".\" gives the model no name; use --name");
	refuse("..", "directory \"..\" gives the model no name; use --name");
	refuse("a/..", "directory \"a/..\" gives the model no name; use --name");
	refuse("///", "directory \"///\" gives the model no name; use --name");
	refuse("--name= topics", "name of the model must not be empty");
}

static void
names_have_a_limit(void **state)
{
	char line[600];

	(void) state;
	snprintf(line, sizeof(line), "-n %0255d a", 0);
	assert_true(parse(line));
	assert_int_equal(strlen(options.name), 255);
	snprintf(line, sizeof(line), "-n %0256d a", 0);
	refuse(line, "name of the model is too long");
	snprintf(line, sizeof(line), "/a/%0300d", 0);
	refuse(line, "name of the model is too long");
}

static void
connection_options_are_those_of_psql(void **state)
{
	(void) state;
	assert_true(parse("-h here -p 6543 -U me -d db -w dir"));
	assert_string_equal(options.host, "here");
	assert_string_equal(options.port, "6543");
	assert_string_equal(options.user, "me");
	assert_string_equal(options.database, "db");
	assert_int_equal(options.password, IMPORT_PASSWORD_NEVER);
	assert_true(parse("--host=here --port 6543 --username=me --dbname=service=x --password dir"));
	assert_string_equal(options.host, "here");
	assert_string_equal(options.port, "6543");
	assert_string_equal(options.user, "me");
	assert_string_equal(options.database, "service=x");
	assert_int_equal(options.password, IMPORT_PASSWORD_ALWAYS);
	assert_true(parse("--no-password dir"));
	assert_int_equal(options.password, IMPORT_PASSWORD_NEVER);
	assert_true(parse("dir"));
	assert_null(options.host);
	assert_null(options.port);
	assert_null(options.user);
	assert_null(options.database);
	assert_int_equal(options.password, IMPORT_PASSWORD_IF_ASKED);
}

static void
what_is_done(void **state)
{
	(void) state;
	assert_true(parse("dir"));
	assert_int_equal(options.mode, IMPORT_UPLOAD);
	assert_string_equal(options.directory, "dir");
	assert_false(options.replace || options.quiet || options.verbose);
	assert_null(options.precision);
	assert_null(options.dictionary);
	assert_true(parse("--replace --precision fp32 --dictionary=d.txt -v dir"));
	assert_true(options.replace && options.verbose);
	assert_string_equal(options.precision, "fp32");
	assert_string_equal(options.dictionary, "d.txt");
	assert_true(parse("dir --dry-run --quiet"));
	assert_int_equal(options.mode, IMPORT_DRY_RUN);
	assert_true(options.quiet);
	assert_true(parse("--verify -- -dir"));
	assert_int_equal(options.mode, IMPORT_VERIFY);
	assert_string_equal(options.directory, "-dir");
	assert_true(parse("--help"));
	assert_true(options.help);
	assert_true(parse("-?"));
	assert_true(options.help);
	assert_true(parse("-V nonsense --and more"));
	assert_true(options.version);
}

static void
mistakes_are_named(void **state)
{
	(void) state;
	refuse("", "no model directory is given");
	refuse("a b", "too many arguments (the first is \"b\")");
	refuse("--nothing a", "unrecognized option \"--nothing\"");
	refuse("-x a", "unrecognized option \"-x\"");
	refuse("-qx a", "unrecognized option \"-x\"");
	refuse("a -n", "option \"-n\" needs an argument");
	refuse("a --precision", "option \"--precision\" needs an argument");
	refuse("--quiet=yes a", "unrecognized option \"--quiet=yes\"");
	refuse("-q -v a", "--quiet and --verbose can't be used together");
	refuse("--dry-run --verify a", "--dry-run and --verify can't be used together");
	refuse("--verify --dry-run a", "--dry-run and --verify can't be used together");
	refuse("--verify --replace a", "--replace can only be used for an import");
	refuse("--dry-run --precision=fp32 a", "--precision can only be used for an import");
}

static void
help_names_every_option(void **state)
{
	static const char *const words[] = {
		"--name",  "--replace",  "--precision",   "--dictionary", "--dry-run",    "--verify",
		"--quiet", "--verbose",  "--version",     "--help",       "--dbname",     "--host",
		"--port",  "--username", "--no-password", "--password",   "Exit status:",
	};
	char *text;
	size_t size;
	FILE *stream = open_memstream(&text, &size);

	(void) state;
	assert_non_null(stream);
	import_options_help(stream);
	assert_int_equal(fclose(stream), 0);
	for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++)
	{
		if (strstr(text, words[i]) == NULL)
			fail_msg("%s is missing", words[i]);
	}
	free(text);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(name_comes_from_the_directory),
		cmocka_unit_test(names_have_a_limit),
		cmocka_unit_test(connection_options_are_those_of_psql),
		cmocka_unit_test(what_is_done),
		cmocka_unit_test(mistakes_are_named),
		cmocka_unit_test(help_names_every_option),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
