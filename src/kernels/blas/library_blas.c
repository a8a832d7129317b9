/*
 * library_blas.c - finds and loads OpenBLAS when somebody asks for it.
 *
 * OpenBLAS is neither linked nor loaded before that: a library that starts a thread pool and maps
 * work space must not be in the postmaster, from which every backend is forked. The serial build
 * (RF_OPENBLAS_PATH, found when this was built) is preferred; whatever the loader finds comes next,
 * held to one thread by the environment while it is loaded and by its own call afterwards.
 *
 * A processor newer than the library gets its oldest kernels (0.3.21 takes an Emerald Rapids for a
 * Prescott, which costs a factor of 5), so the kernels are named to it as well, unless the
 * environment names some already.
 */
#include "library_blas.h"

#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>

#include "../dispatch.h"
#include "../probe.h"

static RfSgemm loaded_sgemm;
static int call_rows;
static char description[160];

/* A variable of the environment that is there while the library is loaded. */
typedef struct Variable
{
	const char *name;
	const char *value;
	bool set_here;
} Variable;

static void
set_variable(Variable *variable)
{
	variable->set_here = variable->value != NULL && getenv(variable->name) == NULL;
	if (variable->set_here)
		setenv(variable->name, variable->value, 1);
}

static void
unset_variable(const Variable *variable)
{
	if (variable->set_here)
		unsetenv(variable->name);
}

/* What OpenBLAS calls the kernels for this machine. */
static const char *
name_kernels(void)
{
	if (rf_cpu()->avx512)
		return "SkylakeX";
	return rf_cpu()->avx2 ? "Haswell" : NULL;
}

/* RTLD_LOCAL: its symbols must not meet those of another BLAS in the process. */
static void *
open_library(void)
{
	Variable threads = {"OPENBLAS_NUM_THREADS", "1", false};
	Variable kernels = {"OPENBLAS_CORETYPE", name_kernels(), false};
	void *library = NULL;

	set_variable(&threads);
	set_variable(&kernels);
#ifdef RF_OPENBLAS_PATH
	library = dlopen(RF_OPENBLAS_PATH, RTLD_NOW | RTLD_LOCAL);
#endif
	if (library == NULL)
		library = dlopen("libopenblas.so.0", RTLD_NOW | RTLD_LOCAL);
	unset_variable(&threads);
	unset_variable(&kernels);
	return library;
}

static void
describe_library(void *library)
{
	char *(*get_config)(void) = (char *(*) (void) ) dlsym(library, "openblas_get_config");

	snprintf(description, sizeof(description), "%s, %d rows a call",
			 get_config != NULL ? get_config() : "OpenBLAS", call_rows);
}

const char *
rf_blas_load(void)
{
	static bool tried;
	static const char *refusal;
	void *library;
	void (*set_num_threads)(int);

	if (tried)
		return refusal;
	tried = true;
	library = open_library();
	if (library == NULL)
		return refusal = "OpenBLAS (libopenblas.so.0) is not installed";
	loaded_sgemm = (RfSgemm) dlsym(library, "cblas_sgemm");
	if (loaded_sgemm == NULL)
	{
		dlclose(library);
		return refusal = "the OpenBLAS that is installed has no cblas_sgemm";
	}
	set_num_threads = (void (*)(int)) dlsym(library, "openblas_set_num_threads");
	if (set_num_threads != NULL)
		set_num_threads(1);
	call_rows = rf_blas_choose_rows(loaded_sgemm);
	describe_library(library);
	return refusal = NULL;
}

const char *
rf_blas_description(void)
{
	return description;
}

RfSgemm
rf_blas_sgemm(void)
{
	return loaded_sgemm;
}

int
rf_blas_rows(void)
{
	return call_rows;
}
