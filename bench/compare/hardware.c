/*
 * hardware.c - what one core can do at most, with random data: a peak that zeros or constants reach
 * is none that a model reaches.
 *
 *   hardware        "NAME<tab>VALUE<tab>UNIT" a line; NAME<tab>-<tab>WHY for what can't run here
 *
 * fma_256 and fma_512: fp32 fused multiply-add in registers. dot_bf16: vdpbf16ps. pairs_int8_256
 * and pairs_int8_512: vpmaddwd and vpaddd, what products of bytes are without VNNI if none may
 * saturate. dot_int8_256 and dot_int8_512: vpdpbusd. amx_bf16, amx_int8: products of 16 x 64 byte
 * tiles in registers. Two operations a multiply-add. read_N: N MB read again and again by the
 * widest loads, in 2 MB pages where the system gives them; half a megabyte is in the L2 cache.
 *
 * Twelve sums at once hide the latency of each instruction. Times are processor time, the best of
 * REPEATS.
 */
#include <cpuid.h>
#include <immintrin.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#define REPEATS 15
#define SUMS 12
#define STEPS 2000000
#define TILE_STEPS 200000
#define TILE_BYTES 1024
#define MEGABYTE ((size_t) 1 << 20)
#define LARGEST (256 * MEGABYTE)
#define READ_AT_LEAST (512 * MEGABYTE)
#define READ_AHEAD ((size_t) 4096)
#define LINUX_AMX_PERMISSION 0x1023
#define AMX_TILE_DATA 18

typedef double (*Measure)(void);

static uint64_t random_state = 88172645463325252u;
static uint8_t random_bytes[4 * 64] __attribute__((aligned(64)));

static uint64_t
next_random(void)
{
	random_state ^= random_state << 13;
	random_state ^= random_state >> 7;
	return random_state ^= random_state << 17;
}

static double
seconds(void)
{
	struct timespec time;

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &time);
	return (double) time.tv_sec + (double) time.tv_nsec / 1e9;
}

/* Numbers of about 1 in fp32; small ones in bf16, so that sums stay finite. */
static void
fill_floats(void)
{
	float *values = (float *) random_bytes;

	for (size_t i = 0; i < sizeof(random_bytes) / sizeof(float); i++)
		values[i] = (float) (int32_t) next_random() / 2147483648.0f;
}

static void
fill_bf16(uint8_t *bytes, size_t size)
{
	for (size_t i = 0; i < size; i += 2)
	{
		float value = (float) (int32_t) next_random() / 2147483648.0f;

		memcpy(bytes + i, (uint8_t *) &value + 2, 2);
	}
}

static void
fill_bytes(uint8_t *bytes, size_t size)
{
	for (size_t i = 0; i < size; i++)
		bytes[i] = (uint8_t) next_random();
}

/* Twelve accumulators by name: those of an array would stay in memory. */
#define STEP(multiply, sum, a, b)                                                                  \
	do                                                                                             \
	{                                                                                              \
		sum = multiply(sum, a, b);                                                                 \
		__asm__ volatile("" : "+v"(sum));                                                          \
	} while (0)

/* The same loop for each instruction, with nothing that the compiler may take out of it. */
#define MEASURE_CHAINS(name, isa, vector, load, multiply, fill)                                    \
	__attribute__((target(isa))) static double name(void)                                          \
	{                                                                                              \
		double best = 1e30;                                                                        \
                                                                                                   \
		fill;                                                                                      \
		for (int repeat = 0; repeat < REPEATS; repeat++)                                           \
		{                                                                                          \
			vector a = load(random_bytes), b = load(random_bytes + 64);                            \
			vector c = load(random_bytes + 128), d = load(random_bytes + 192);                     \
			vector s0 = a, s1 = a, s2 = a, s3 = a, s4 = a, s5 = a;                                 \
			vector s6 = a, s7 = a, s8 = a, s9 = a, s10 = a, s11 = a;                               \
			double before = seconds();                                                             \
                                                                                                   \
			for (long n = 0; n < STEPS; n++)                                                       \
			{                                                                                      \
				STEP(multiply, s0, a, c);                                                          \
				STEP(multiply, s1, b, c);                                                          \
				STEP(multiply, s2, a, d);                                                          \
				STEP(multiply, s3, b, d);                                                          \
				STEP(multiply, s4, a, c);                                                          \
				STEP(multiply, s5, b, c);                                                          \
				STEP(multiply, s6, a, d);                                                          \
				STEP(multiply, s7, b, d);                                                          \
				STEP(multiply, s8, a, c);                                                          \
				STEP(multiply, s9, b, c);                                                          \
				STEP(multiply, s10, a, d);                                                         \
				STEP(multiply, s11, b, d);                                                         \
			}                                                                                      \
			before = seconds() - before;                                                           \
			best = before < best ? before : best;                                                  \
		}                                                                                          \
		return best;                                                                               \
	}

#define LOAD_PS256(at) _mm256_load_ps((const float *) (at))
#define LOAD_PS512(at) _mm512_load_ps((const float *) (at))
#define LOAD_I256(at) _mm256_load_si256((const __m256i *) (at))
#define LOAD_I512(at) _mm512_load_si512(at)
#define FMA256(sum, a, b) _mm256_fmadd_ps(sum, a, b)
#define FMA512(sum, a, b) _mm512_fmadd_ps(sum, a, b)
#define DOT_BF16(sum, a, b)                                                                        \
	(__m512i) _mm512_dpbf16_ps((__m512) (sum), (__m512bh) (a), (__m512bh) (b))
#define PAIRS_INT8_256(sum, a, b) _mm256_add_epi32(_mm256_madd_epi16(sum, a), b)
#define PAIRS_INT8_512(sum, a, b) _mm512_add_epi32(_mm512_madd_epi16(sum, a), b)
#define DOT_INT8_256(sum, a, b) _mm256_dpbusd_avx_epi32(sum, a, b)
#define DOT_INT8_512(sum, a, b) _mm512_dpbusd_epi32(sum, a, b)

MEASURE_CHAINS(measure_fma_256, "avx2,fma", __m256, LOAD_PS256, FMA256, fill_floats())
MEASURE_CHAINS(measure_fma_512, "avx512f", __m512, LOAD_PS512, FMA512, fill_floats())
MEASURE_CHAINS(measure_dot_bf16, "avx512f,avx512bf16", __m512i, LOAD_I512, DOT_BF16,
			   fill_bf16(random_bytes, sizeof(random_bytes)))
MEASURE_CHAINS(measure_pairs_int8_256, "avx2", __m256i, LOAD_I256, PAIRS_INT8_256,
			   fill_bytes(random_bytes, sizeof(random_bytes)))
MEASURE_CHAINS(measure_pairs_int8_512, "avx512f,avx512bw", __m512i, LOAD_I512, PAIRS_INT8_512,
			   fill_bytes(random_bytes, sizeof(random_bytes)))
MEASURE_CHAINS(measure_dot_int8_256, "avx2,avxvnni", __m256i, LOAD_I256, DOT_INT8_256,
			   fill_bytes(random_bytes, sizeof(random_bytes)))
MEASURE_CHAINS(measure_dot_int8_512, "avx512f,avx512vnni", __m512i, LOAD_I512, DOT_INT8_512,
			   fill_bytes(random_bytes, sizeof(random_bytes)))

typedef struct TileConfig
{
	uint8_t palette;
	uint8_t start_row;
	uint8_t reserved[14];
	uint16_t row_bytes[16];
	uint8_t rows[16];
} TileConfig;

/*
 * 2 x 2 tiles, as a matrix product has them. gcc 12 thinks that loading a configuration reads eight
 * bytes of it: hence the barrier.
 */
#define MEASURE_TILES(name, isa, multiply, fill)                                                   \
	__attribute__((target(isa))) static double name(void)                                          \
	{                                                                                              \
		static uint8_t tiles[4 * TILE_BYTES] __attribute__((aligned(64)));                         \
		TileConfig config = {.palette = 1};                                                        \
		double best = 1e30;                                                                        \
                                                                                                   \
		fill(tiles, sizeof(tiles));                                                                \
		for (int i = 0; i < 8; i++)                                                                \
		{                                                                                          \
			config.row_bytes[i] = 64;                                                              \
			config.rows[i] = 16;                                                                   \
		}                                                                                          \
		__asm__ volatile("" : : "r"(&config) : "memory");                                          \
		_tile_loadconfig(&config);                                                                 \
		_tile_loadd(4, tiles, 64);                                                                 \
		_tile_loadd(5, tiles + TILE_BYTES, 64);                                                    \
		_tile_loadd(6, tiles + 2 * TILE_BYTES, 64);                                                \
		_tile_loadd(7, tiles + 3 * TILE_BYTES, 64);                                                \
		for (int repeat = 0; repeat < REPEATS; repeat++)                                           \
		{                                                                                          \
			double before = seconds();                                                             \
                                                                                                   \
			_tile_zero(0);                                                                         \
			_tile_zero(1);                                                                         \
			_tile_zero(2);                                                                         \
			_tile_zero(3);                                                                         \
			for (long n = 0; n < TILE_STEPS; n++)                                                  \
			{                                                                                      \
				multiply(0, 4, 6);                                                                 \
				multiply(1, 4, 7);                                                                 \
				multiply(2, 5, 6);                                                                 \
				multiply(3, 5, 7);                                                                 \
			}                                                                                      \
			before = seconds() - before;                                                           \
			best = before < best ? before : best;                                                  \
		}                                                                                          \
		_tile_release();                                                                           \
		return best;                                                                               \
	}

MEASURE_TILES(measure_amx_bf16, "amx-tile,amx-bf16", _tile_dpbf16ps, fill_bf16)
MEASURE_TILES(measure_amx_int8, "amx-tile,amx-int8", _tile_dpbssd, fill_bytes)

/* Whether the processor has an instruction and the system saves its registers. */
static bool
has_leaf7(unsigned subleaf, char word, unsigned bit)
{
	unsigned a;
	unsigned b;
	unsigned c;
	unsigned d;

	if (!__get_cpuid_count(7, subleaf, &a, &b, &c, &d))
		return false;
	return ((word == 'a' ? a : word == 'c' ? c : d) >> bit & 1) != 0;
}

static const char *
refuse_fma_256(void)
{
	return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma")
			   ? NULL
			   : "the processor has no AVX2 with FMA";
}

static const char *
refuse_fma_512(void)
{
	return __builtin_cpu_supports("avx512f") ? NULL : "the processor has no AVX-512";
}

static const char *
refuse_dot_bf16(void)
{
	return refuse_fma_512() == NULL && has_leaf7(1, 'a', 5) ? NULL
															: "the processor has no AVX-512 BF16";
}

static const char *
refuse_dot_int8_256(void)
{
	return refuse_fma_256() == NULL && has_leaf7(1, 'a', 4) ? NULL
															: "the processor has no AVX-VNNI";
}

static const char *
refuse_dot_int8_512(void)
{
	return refuse_fma_512() == NULL && has_leaf7(0, 'c', 11) ? NULL
															 : "the processor has no AVX-512 VNNI";
}

/* Linux gives tiles only to a process that asks. */
static const char *
refuse_tiles(unsigned bit)
{
	if (!has_leaf7(0, 'd', 24) || !has_leaf7(0, 'd', bit))
		return "the processor has no AMX";
	return syscall(SYS_arch_prctl, LINUX_AMX_PERMISSION, AMX_TILE_DATA) == 0
			   ? NULL
			   : "the system refuses AMX to this process";
}

static const char *
refuse_amx_bf16(void)
{
	return refuse_tiles(22);
}

static const char *
refuse_amx_int8(void)
{
	return refuse_tiles(25);
}

typedef struct Peak
{
	const char *name;
	const char *(*refuse)(void);
	Measure measure;
	double operations; /* of one measurement */
	const char *unit;
} Peak;

#define CHAIN_OPERATIONS(lanes) (2.0 * (lanes) *SUMS * STEPS)
#define TILE_OPERATIONS(depth) (2.0 * 16 * 16 * (depth) *4 * TILE_STEPS)

static const Peak peaks[] = {
	{"fma_256", refuse_fma_256, measure_fma_256, CHAIN_OPERATIONS(8), "GFLOP/s"},
	{"fma_512", refuse_fma_512, measure_fma_512, CHAIN_OPERATIONS(16), "GFLOP/s"},
	{"dot_bf16", refuse_dot_bf16, measure_dot_bf16, CHAIN_OPERATIONS(32), "GFLOP/s"},
	{"pairs_int8_256", refuse_fma_256, measure_pairs_int8_256, CHAIN_OPERATIONS(16), "GOP/s"},
	{"pairs_int8_512", refuse_fma_512, measure_pairs_int8_512, CHAIN_OPERATIONS(32), "GOP/s"},
	{"dot_int8_256", refuse_dot_int8_256, measure_dot_int8_256, CHAIN_OPERATIONS(32), "GOP/s"},
	{"dot_int8_512", refuse_dot_int8_512, measure_dot_int8_512, CHAIN_OPERATIONS(64), "GOP/s"},
	{"amx_bf16", refuse_amx_bf16, measure_amx_bf16, TILE_OPERATIONS(32), "GFLOP/s"},
	{"amx_int8", refuse_amx_int8, measure_amx_int8, TILE_OPERATIONS(64), "GOP/s"},
};

/* Four sums hide the latency of combining. */
#define READ_LINES(name, isa, bytes)                                                               \
	__attribute__((target(isa))) static uint64_t name(const uint8_t *data, size_t size)            \
	{                                                                                              \
		typedef uint64_t Line __attribute__((vector_size(bytes)));                                 \
		Line s0 = {0}, s1 = {0}, s2 = {0}, s3 = {0};                                               \
		uint64_t sum = 0;                                                                          \
                                                                                                   \
		for (size_t i = 0; i < size; i += 4 * (bytes))                                             \
		{                                                                                          \
			const Line *lines = (const Line *) (data + i);                                         \
                                                                                                   \
			for (size_t line = 0; line < 4 * (bytes); line += 64)                                  \
				__builtin_prefetch(data + i + READ_AHEAD + line);                                  \
			s0 ^= lines[0];                                                                        \
			s1 ^= lines[1];                                                                        \
			s2 ^= lines[2];                                                                        \
			s3 ^= lines[3];                                                                        \
		}                                                                                          \
		s0 ^= s1 ^ s2 ^ s3;                                                                        \
		for (size_t i = 0; i < (bytes) / 8; i++)                                                   \
			sum ^= s0[i];                                                                          \
		return sum;                                                                                \
	}

READ_LINES(read_avx512, "avx512f", 64)
READ_LINES(read_avx2, "avx2", 32)
READ_LINES(read_sse2, "sse2", 16)

static uint64_t
read_all(const uint8_t *data, size_t size)
{
	if (__builtin_cpu_supports("avx512f"))
		return read_avx512(data, size);
	return __builtin_cpu_supports("avx2") ? read_avx2(data, size) : read_sse2(data, size);
}

/* GB/s of one footprint. */
static double
measure_read(const uint8_t *data, size_t size)
{
	size_t passes = READ_AT_LEAST / size;
	double best = 1e30;

	for (int repeat = 0; repeat < 5; repeat++)
	{
		double before = seconds();

		for (size_t pass = 0; pass < passes; pass++)
			__asm__ volatile("" : : "r"(read_all(data, size)));
		before = seconds() - before;
		best = before < best ? before : best;
	}
	return (double) size * (double) passes / best / 1e9;
}

static void
print_reads(void)
{
	static const double footprints[] = {0.5, 16, 64, 128, 256};
	size_t page = 2 * MEGABYTE;
	uint8_t *mapped =
		mmap(NULL, LARGEST + 2 * page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	uint64_t *data;

	if (mapped == MAP_FAILED)
	{
		perror("hardware: mmap");
		exit(1);
	}
	data = (uint64_t *) (((uintptr_t) mapped + page - 1) & ~(uintptr_t) (page - 1));
	(void) madvise(data, LARGEST + page, MADV_HUGEPAGE);
	for (size_t i = 0; i < LARGEST / sizeof(*data); i++)
		data[i] = next_random();
	for (size_t i = 0; i < sizeof(footprints) / sizeof(footprints[0]); i++)
		printf("read_%g\t%.1f\tGB/s\n", footprints[i],
			   measure_read((const uint8_t *) data, (size_t) (footprints[i] * (double) MEGABYTE)));
}

int
main(void)
{
	for (size_t i = 0; i < sizeof(peaks) / sizeof(peaks[0]); i++)
	{
		const char *reason = peaks[i].refuse();

		if (reason != NULL)
			printf("%s\t-\t%s\n", peaks[i].name, reason);
		else
			printf("%s\t%.1f\t%s\n", peaks[i].name, peaks[i].operations / peaks[i].measure() / 1e9,
				   peaks[i].unit);
		fflush(stdout);
	}
	print_reads();
	return 0;
}
