/*
 * import_options.c - the command line of roformer_import.
 */
#include "import_options.h"

#include <getopt.h>
#include <stdarg.h>
#include <string.h>

#include "rf/status.h"

/* Long options without a letter. */
enum
{
	OPTION_REPLACE = 256,
	OPTION_PRECISION,
	OPTION_DICTIONARY,
	OPTION_DRY_RUN,
	OPTION_VERIFY,
	OPTION_HELP
};

static const struct option long_options[] = {
	{"name", required_argument, NULL, 'n'},
	{"replace", no_argument, NULL, OPTION_REPLACE},
	{"precision", required_argument, NULL, OPTION_PRECISION},
	{"dictionary", required_argument, NULL, OPTION_DICTIONARY},
	{"dry-run", no_argument, NULL, OPTION_DRY_RUN},
	{"verify", no_argument, NULL, OPTION_VERIFY},
	{"quiet", no_argument, NULL, 'q'},
	{"verbose", no_argument, NULL, 'v'},
	{"host", required_argument, NULL, 'h'},
	{"port", required_argument, NULL, 'p'},
	{"username", required_argument, NULL, 'U'},
	{"dbname", required_argument, NULL, 'd'},
	{"no-password", no_argument, NULL, 'w'},
	{"password", no_argument, NULL, 'W'},
	{"version", no_argument, NULL, 'V'},
	{"help", no_argument, NULL, OPTION_HELP},
	{NULL, 0, NULL, 0},
};

void
import_options_help(FILE *stream)
{
	fputs("roformer_import loads a model directory of this machine into a database.\n"
		  "\n"
		  "Usage:\n"
		  "  roformer_import [OPTION]... DIRECTORY\n"
		  "\n"
		  "The directory is read here, checked, and sent over the connection; the server needs no "
		  "access\n"
		  "to its files. All happens in one transaction: whatever interrupts it leaves nothing "
		  "behind.\n"
		  "\n"
		  "Options:\n"
		  "  -n, --name=NAME          name of the model (default: last component of DIRECTORY)\n"
		  "      --replace            give an existing model of that name the new content\n"
		  "      --precision=WORD     set the model's option \"precision\" (auto, fp32, ...)\n"
		  "      --dictionary=FILE    jieba's dictionary for models that cut Chinese words "
		  "(default: that of\n"
		  "                           python3-jieba where it is installed here, else the server's "
		  "own)\n"
		  "      --dry-run            say what the directory holds, without connecting\n"
		  "      --verify             compare the directory with the model in the database, change "
		  "nothing\n"
		  "  -q, --quiet              say nothing but errors and warnings\n"
		  "  -v, --verbose            say more\n"
		  "  -V, --version            output version information, then exit\n"
		  "  -?, --help               show this help, then exit\n"
		  "\n"
		  "Connection options:\n"
		  "  -d, --dbname=DBNAME      database to connect to, or a connection string\n"
		  "  -h, --host=HOSTNAME      database server host or socket directory\n"
		  "  -p, --port=PORT          database server port number\n"
		  "  -U, --username=USERNAME  connect as specified database user\n"
		  "  -w, --no-password        never prompt for password\n"
		  "  -W, --password           force password prompt\n"
		  "The environment variables and files of libpq (PGHOST, PGDATABASE, ~/.pgpass, ...) count "
		  "as usual.\n"
		  "\n"
		  "Exit status:\n"
		  "  0  done; with --dry-run: the model can be loaded; with --verify: the contents are "
		  "equal\n"
		  "  1  wrong usage, or the directory can't be read or is no model that can be loaded\n"
		  "  2  no connection to the server, or it was lost\n"
		  "  3  the server refused\n"
		  "  4  with --verify: the contents are different, or there is no such model\n"
		  "Ended by a signal: 130 for SIGINT, 143 for SIGTERM.\n",
		  stream);
}

static bool RF_PRINTF(3, 4) report(char *problem, size_t size, const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	vsnprintf(problem, size, fmt, args);
	va_end(args);
	return false;
}

static bool
set_name(ImportOptions *options, const char *name, size_t length, char *problem, size_t size)
{
	if (length == 0)
		return report(problem, size, "name of the model must not be empty");
	if (length >= sizeof(options->name))
		return report(problem, size, "name of the model is too long");
	memcpy(options->name, name, length);
	options->name[length] = '\0';
	return true;
}

/* Of "a/b/" it is "b". */
static bool
derive_name(ImportOptions *options, char *problem, size_t size)
{
	const char *end = options->directory + strlen(options->directory);
	const char *start;
	size_t length;

	while (end > options->directory && end[-1] == '/')
		end--;
	for (start = end; start > options->directory && start[-1] != '/';)
		start--;
	length = (size_t) (end - start);
	if (length == 0 || (length <= 2 && strncmp(start, "..", length) == 0))
		return report(problem, size, "directory \"%s\" gives the model no name; use --name",
					  options->directory);
	return set_name(options, start, length, problem, size);
}

static void
set_connection(int letter, const char *argument, ImportOptions *options)
{
	switch (letter)
	{
		case 'h':
			options->host = argument;
			break;
		case 'p':
			options->port = argument;
			break;
		case 'U':
			options->user = argument;
			break;
		case 'd':
			options->database = argument;
			break;
		case 'w':
			options->password = IMPORT_PASSWORD_NEVER;
			break;
		case 'W':
			options->password = IMPORT_PASSWORD_ALWAYS;
			break;
	}
}

static bool
set_mode(ImportOptions *options, ImportMode mode, char *problem, size_t size)
{
	if (options->mode != IMPORT_UPLOAD && options->mode != mode)
		return report(problem, size, "--dry-run and --verify can't be used together");
	options->mode = mode;
	return true;
}

static bool
set_option(int letter, char *argument, ImportOptions *options, char *problem, size_t size)
{
	switch (letter)
	{
		case 'n':
			return set_name(options, argument, strlen(argument), problem, size);
		case OPTION_REPLACE:
			options->replace = true;
			break;
		case OPTION_PRECISION:
			options->precision = argument;
			break;
		case OPTION_DICTIONARY:
			options->dictionary = argument;
			break;
		case OPTION_DRY_RUN:
			return set_mode(options, IMPORT_DRY_RUN, problem, size);
		case OPTION_VERIFY:
			return set_mode(options, IMPORT_VERIFY, problem, size);
		case 'q':
			options->quiet = true;
			break;
		case 'v':
			options->verbose = true;
			break;
		case 'V':
			options->version = true;
			break;
		case OPTION_HELP:
			options->help = true;
			break;
		default:
			set_connection(letter, argument, options);
	}
	return true;
}

/* What getopt_long says of an option it doesn't know, or one without its argument. */
static bool
report_option(char **argv, int letter, char *problem, size_t size)
{
	char short_name[3] = {'-', (char) optopt, '\0'};
	bool is_short =
		optopt > 0 && optopt < OPTION_REPLACE && strncmp(argv[optind - 1], "--", 2) != 0;
	const char *name = is_short ? short_name : argv[optind - 1];

	if (letter == ':')
		return report(problem, size, "option \"%s\" needs an argument", name);
	return report(problem, size, "unrecognized option \"%s\"", name);
}

static bool
check_together(const ImportOptions *options, char *problem, size_t size)
{
	if (options->quiet && options->verbose)
		return report(problem, size, "--quiet and --verbose can't be used together");
	if (options->mode != IMPORT_UPLOAD && options->replace)
		return report(problem, size, "--replace can only be used for an import");
	if (options->mode != IMPORT_UPLOAD && options->precision != NULL)
		return report(problem, size, "--precision can only be used for an import");
	return true;
}

static bool
take_directory(int argc, char **argv, ImportOptions *options, char *problem, size_t size)
{
	if (optind == argc)
		return report(problem, size, "no model directory is given");
	if (optind + 1 < argc)
		return report(problem, size, "too many arguments (the first is \"%s\")", argv[optind + 1]);
	options->directory = argv[optind];
	if (options->name[0] == '\0')
		return derive_name(options, problem, size);
	return true;
}

bool
import_options_parse(int argc, char **argv, ImportOptions *options, char *problem, size_t size)
{
	int letter;

	memset(options, 0, sizeof(*options));
	optind = 0; /* glibc: begin anew, also for a second command line */
	while ((letter = getopt_long(argc, argv, ":n:qvh:p:U:d:wWV", long_options, NULL)) != -1)
	{
		/* -? is what getopt_long gives for unknown options, too */
		if (letter == '?' && strcmp(argv[optind - 1], "-?") == 0)
			letter = OPTION_HELP;
		if (letter == '?' || letter == ':')
			return report_option(argv, letter, problem, size);
		if (!set_option(letter, optarg, options, problem, size))
			return false;
		if (options->help || options->version)
			return true;
	}
	return check_together(options, problem, size) &&
		   take_directory(argc, argv, options, problem, size);
}
