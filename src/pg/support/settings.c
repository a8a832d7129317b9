/*
 * settings.c - the roformer.* settings.
 */
#include "postgres.h"

#include "miscadmin.h"
#include "utils/guc.h"

#include "pg/support.h"
#include "rf/engine.h"

/* Shared memory is asked for in bytes, in size_t; this is 16 TB. */
#define MAX_CACHE_SIZE (16 * 1024 * 1024)

int roformer_cache_size;
char *roformer_kernels;
int roformer_precision = ROFORMER_PRECISION_AUTO;
int roformer_max_length;
int roformer_overflow = ROFORMER_OVERFLOW_UNSET;
int roformer_batch_tokens;
bool roformer_enable_batch_scan = true;
char *roformer_jieba_dictionary;
char *roformer_prewarm_models;

static const struct config_enum_entry precision_values[] = {
	{"auto", ROFORMER_PRECISION_AUTO, false},
	{"fp32", ROFORMER_PRECISION_FP32, false},
	{"bf16", ROFORMER_PRECISION_BF16, false},
	{"int8", ROFORMER_PRECISION_INT8, false},
	{NULL, 0, false},
};

/*
 * The default reads "truncate" too, but can be told from one that somebody set: only that beats a
 * model's option.
 */
static const struct config_enum_entry overflow_values[] = {
	{"truncate", RF_OVERFLOW_TRUNCATE, false},
	{"error", RF_OVERFLOW_ERROR, false},
	{"window", RF_OVERFLOW_WINDOW, false},
	{"truncate", ROFORMER_OVERFLOW_UNSET, true},
	{NULL, 0, false},
};

static int
find_word(const struct config_enum_entry *values, const char *word)
{
	for (; values->name != NULL; values++)
	{
		if (strcmp(values->name, word) == 0)
			return values->val;
	}
	return -1;
}

int
roformer_settings_find_precision(const char *word)
{
	return find_word(precision_values, word);
}

int
roformer_settings_find_overflow(const char *word)
{
	return find_word(overflow_values, word);
}

/*
 * The postmaster takes any name: a foreign library behind a set of kernels must not be loaded
 * there, and a server should start on a machine that lacks an instruction set. The first use
 * complains.
 */
static bool
check_kernels(char **newval, void **extra, GucSource source)
{
	const RfKernels *kernels;
	RfError err;

	if (IsPostmasterEnvironment && !IsUnderPostmaster)
		return true;
	if (rf_kernels_choose(*newval, &kernels, &err) == RF_OK)
		return true;
	GUC_check_errmsg("%s", err.message);
	if (err.detail[0] != '\0')
		GUC_check_errdetail("%s", err.detail);
	if (err.hint[0] != '\0')
		GUC_check_errhint("%s", err.hint);
	return false;
}

static bool
check_prewarm(char **newval, void **extra, GucSource source)
{
	const char *complaint;

	list_free_deep(roformer_prewarm_parse(*newval, &complaint));
	if (complaint != NULL)
		GUC_check_errdetail("%s", complaint);
	return complaint == NULL;
}

/*
 * A library loaded by a session can't define settings that only the postmaster may change. Their
 * values mean nothing there, but they must stay settings: ALTER SYSTEM is used to prepare a restart
 * with preloading, and the configuration file may have them already.
 */
static void
define_start_settings(void)
{
	GucContext context = process_shared_preload_libraries_in_progress ? PGC_POSTMASTER : PGC_SIGHUP;

	DefineCustomIntVariable("roformer.cache_size", "Shared memory for models.",
							"Takes effect when roformer is in shared_preload_libraries; "
							"0 gives every session a copy of its own.",
							&roformer_cache_size, 512, 0, MAX_CACHE_SIZE, context, GUC_UNIT_MB,
							NULL, NULL, NULL);
	DefineCustomStringVariable("roformer.prewarm", "Models to load when the server starts.",
							   "A list of database.model.", &roformer_prewarm_models, "", context,
							   GUC_LIST_INPUT, check_prewarm, NULL, NULL);
}

static void
define_engine_settings(void)
{
	DefineCustomEnumVariable("roformer.precision", "Number format models are computed in.", NULL,
							 &roformer_precision, ROFORMER_PRECISION_AUTO, precision_values,
							 PGC_USERSET, 0, NULL, NULL, NULL);
	DefineCustomStringVariable("roformer.kernels", "Set of compute kernels.",
							   "\"auto\" is the best this machine has; others are for tests and "
							   "comparison.",
							   &roformer_kernels, "auto", PGC_USERSET, 0, check_kernels, NULL,
							   NULL);
	DefineCustomIntVariable("roformer.batch_tokens", "Most tokens computed together.",
							"0 lets the engine choose.", &roformer_batch_tokens, 0, 0,
							ROFORMER_MAX_TOKENS, PGC_USERSET, 0, NULL, NULL, NULL);
	DefineCustomBoolVariable("roformer.enable_batch_scan",
							 "Enables computing the texts of several rows together.", NULL,
							 &roformer_enable_batch_scan, true, PGC_USERSET, GUC_EXPLAIN, NULL,
							 NULL, NULL);
}

/* The server's working directory is nothing an administrator should have to know. */
static bool
check_jieba_dictionary(char **newval, void **extra, GucSource source)
{
	if (**newval == '\0' || is_absolute_path(*newval))
		return true;
	GUC_check_errdetail("The file must be named by its absolute path.");
	return false;
}

static void
define_text_settings(void)
{
	DefineCustomIntVariable("roformer.max_length",
							"Most tokens of a text, special tokens included.",
							"0 is the model's own limit.", &roformer_max_length, 0, 0,
							ROFORMER_MAX_TOKENS, PGC_USERSET, 0, NULL, NULL, NULL);
	DefineCustomEnumVariable("roformer.overflow", "What happens to longer texts.", NULL,
							 &roformer_overflow, ROFORMER_OVERFLOW_UNSET, overflow_values,
							 PGC_USERSET, 0, NULL, NULL, NULL);
	DefineCustomStringVariable("roformer.jieba_dictionary", "File of words for models in Chinese.",
							   "Stored with the model by load_model and replace_model; empty for "
							   "the file of the package python3-jieba.",
							   &roformer_jieba_dictionary, "", PGC_SUSET, 0, check_jieba_dictionary,
							   NULL, NULL);
}

void
roformer_settings_define(void)
{
	define_start_settings();
	define_engine_settings();
	define_text_settings();
	MarkGUCPrefixReserved("roformer");
}
