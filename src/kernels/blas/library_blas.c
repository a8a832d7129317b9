/*
 * library_blas.c - finds and loads OpenBLAS when somebody asks for it.
 *
 * OpenBLAS is neither linked nor loaded before that: a library that starts a thread pool and maps
 * work space must not be in the postmaster, from which every backend is forked. The serial build
 * (RF_OPENBLAS_PATH, found when this was built) is preferred; whatever the loader finds comes next,
 * held to one thread by the environment while it is loaded and by its own call afterwards.
 */
#include "library_blas.h"

#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>

#include "../dispatch.h"

#define THREADS_VARIABLE "OPENBLAS_NUM_THREADS"

static RfSgemm loaded_sgemm;
static char description[128];

/* RTLD_LOCAL: its symbols must not meet those of another BLAS in the process. */
static void *
open_library(void)
{
	void *library = NULL;
	bool set_here = getenv(THREADS_VARIABLE) == NULL;

	if (set_here)
		setenv(THREADS_VARIABLE, "1", 1);
#ifdef RF_OPENBLAS_PATH
	library = dlopen(RF_OPENBLAS_PATH, RTLD_NOW | RTLD_LOCAL);
#endif
	if (library == NULL)
		library = dlopen("libopenblas.so.0", RTLD_NOW | RTLD_LOCAL);
	if (set_here)
		unsetenv(THREADS_VARIABLE);
	return library;
}

static void
describe_library(void *library)
{
	char *(*get_config)(void) = (char *(*) (void) ) dlsym(library, "openblas_get_config");

	snprintf(description, sizeof(description), "%s",
			 get_config != NULL ? get_config() : "OpenBLAS");
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
