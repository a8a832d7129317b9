/*
 * test_tiles.c - the tile registers of AMX belong to a GEMM while it runs and to nobody else, and
 * a process that may not have them does without.
 */
#include "every_set.h"

#include <errno.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "../../src/kernels/amx/tiles_amx.h"
#include "../../src/kernels/probe.h"

#if defined(__x86_64__)

#include <cpuid.h>

#define TILE_STATE 0x60000u /* configuration and tiles, in XCR0 and in XINUSE */

/* XINUSE: what state is not in its initial one. */
static uint32_t
live_state(void)
{
	uint32_t low;
	uint32_t high;

	__asm__ volatile("xgetbv" : "=a"(low), "=d"(high) : "c"(1));
	return low;
}

static bool
tells_live_state(void)
{
	unsigned a;
	unsigned b;
	unsigned c;
	unsigned d;

	return __get_cpuid_count(0xD, 1, &a, &b, &c, &d) && (a & 1u << 2) != 0;
}

AMX_TARGET static void
use_a_tile(void)
{
	TileShapes shapes = {.palette = 1, .bytes = {TILE_BYTES}, .rows = {TILE_ROWS}};
	uint8_t from[TILE_ROWS][TILE_BYTES];

	memset(from, 1, sizeof(from));
	tile_configure(&shapes);
	tile_load(0, from, TILE_BYTES);
}

AMX_TARGET static void
release_tiles(void)
{
	tile_release();
}

static void
check_released(const RfKernels *kernels, RfPrecision precision, size_t m, size_t n, size_t k)
{
	const RfFormat *format = &kernels->formats[precision];
	size_t row_size = rf_row_size(format, k);
	size_t weight_size = format->weight_size(format, n, k);
	RfGemm gemm = {.m = m, .n = n, .k = k, .lda = row_size, .ldc = n};
	char *rows = calloc(m + format->row_group, row_size);
	void *weight = aligned_alloc(64, (weight_size + 63) / 64 * 64);

	memset(weight, 0, weight_size);
	gemm.a = rows;
	gemm.weight = weight;
	gemm.c = malloc(m * n * sizeof(float));
	gemm.activation = RF_ACT_LINEAR;
	format->gemm(kernels, format, &gemm);
	assert_int_equal(live_state() & TILE_STATE, 0);
	free(rows);
	free(weight);
	free(gemm.c);
}

/* One block and several, with terms behind the last whole step and without. */
static void
test_released(void **state)
{
	const RfKernels *kernels;
	RfError err;

	(void) state;
	if (!rf_cpu()->amx || !tells_live_state())
		skip();
	assert_int_equal(rf_kernels_choose("amx", &kernels, &err), RF_OK);
	use_a_tile();
	assert_int_equal(live_state() & TILE_STATE, TILE_STATE);
	release_tiles();
	assert_int_equal(live_state() & TILE_STATE, 0);
	for (RfPrecision precision = RF_PRECISION_BF16; precision < RF_PRECISIONS; precision++)
	{
		check_released(kernels, precision, 1, 1, 1);
		check_released(kernels, precision, 16, 32, 64);
		check_released(kernels, precision, 70, 40, 270);
	}
}

/* From here on arch_prctl(ARCH_REQ_XCOMP_PERM) fails in this process. */
static bool
refuse_permission(void)
{
	struct sock_filter program[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_arch_prctl, 0, 3),
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, args[0])),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, 0x1023, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EPERM),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
	};
	struct sock_fprog filter = {.len = sizeof(program) / sizeof(program[0]), .filter = program};

	return prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0 &&
		   prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &filter) == 0;
}

enum
{
	DOES_WITHOUT,
	NO_FILTER,
	HAS_TILES,
	ANOTHER_REASON,
	CHOSEN,
	NOTHING_CHOSEN
};

/* In a process of its own, which has not probed yet. */
static int
compute_without_permission(void)
{
	const RfKernels *kernels;
	RfError err;

	if (!refuse_permission())
		return NO_FILTER;
	if (rf_cpu()->amx)
		return HAS_TILES;
	if (rf_cpu()->avx512_bf16 &&
		strcmp(rf_cpu()->amx_reason,
			   "the operating system does not let this process use AMX tiles") != 0)
		return ANOTHER_REASON;
	if (rf_kernels_choose("amx", &kernels, &err) != RF_UNSUPPORTED ||
		strstr(err.message, rf_cpu()->amx_reason) == NULL)
		return CHOSEN;
	if (rf_kernels_choose("auto", &kernels, &err) != RF_OK)
		return NOTHING_CHOSEN;
	return DOES_WITHOUT;
}

/* The reason is compared where it can be told from others: on a processor that has AMX. */
static void
test_refused(void **state)
{
	pid_t child = fork();
	int status;

	(void) state;
	assert_true(child >= 0);
	if (child == 0)
		_exit(compute_without_permission());
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_true(WIFEXITED(status));
	if (WEXITSTATUS(status) == NO_FILTER)
		skip();
	if (WEXITSTATUS(status) == ANOTHER_REASON)
		assert_false(rf_cpu()->amx);
	else
		assert_int_equal(WEXITSTATUS(status), DOES_WITHOUT);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_refused),
		cmocka_unit_test(test_released),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

#else

int
main(void)
{
	return 0;
}

#endif
