/*
 * vector_avx2.h - the vector that vector/rows_vector.h and activations_vector.h are written in: 8
 * floats of AVX2.
 */
#ifndef RF_VECTOR_AVX2_H
#define RF_VECTOR_AVX2_H

#include <immintrin.h>
#include <stddef.h>
#include <stdint.h>

#ifndef VEC_TARGET
#define VEC_TARGET __attribute__((target("avx2,fma")))
#endif
#define VEC_INLINE VEC_TARGET static inline __attribute__((always_inline))
#define VEC_LANES ((size_t) 8)

typedef __m256 Vec;

VEC_INLINE __m256i
vec_first(size_t n)
{
	return _mm256_cmpgt_epi32(_mm256_set1_epi32((int) n),
							  _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7));
}

VEC_INLINE Vec
vec_set(float x)
{
	return _mm256_set1_ps(x);
}

VEC_INLINE Vec
vec_load(const float *p)
{
	return _mm256_loadu_ps(p);
}

/* The first n of 8 lanes, 0 < n < 8; fill in the others. */
VEC_INLINE Vec
vec_load_part(const float *p, size_t n, Vec fill)
{
	__m256i mask = vec_first(n);

	return _mm256_blendv_ps(fill, _mm256_maskload_ps(p, mask), _mm256_castsi256_ps(mask));
}

VEC_INLINE void
vec_store(float *p, Vec x)
{
	_mm256_storeu_ps(p, x);
}

VEC_INLINE void
vec_store_part(float *p, size_t n, Vec x)
{
	_mm256_maskstore_ps(p, vec_first(n), x);
}

VEC_INLINE Vec
vec_add(Vec a, Vec b)
{
	return _mm256_add_ps(a, b);
}

VEC_INLINE Vec
vec_sub(Vec a, Vec b)
{
	return _mm256_sub_ps(a, b);
}

VEC_INLINE Vec
vec_mul(Vec a, Vec b)
{
	return _mm256_mul_ps(a, b);
}

VEC_INLINE Vec
vec_div(Vec a, Vec b)
{
	return _mm256_div_ps(a, b);
}

/* a * b + c, rounded once */
VEC_INLINE Vec
vec_fma(Vec a, Vec b, Vec c)
{
	return _mm256_fmadd_ps(a, b, c);
}

/* c - a * b, rounded once */
VEC_INLINE Vec
vec_fnma(Vec a, Vec b, Vec c)
{
	return _mm256_fnmadd_ps(a, b, c);
}

/* b where either is not a number */
VEC_INLINE Vec
vec_max(Vec a, Vec b)
{
	return _mm256_max_ps(a, b);
}

VEC_INLINE Vec
vec_min(Vec a, Vec b)
{
	return _mm256_min_ps(a, b);
}

VEC_INLINE Vec
vec_abs(Vec x)
{
	return _mm256_andnot_ps(_mm256_set1_ps(-0.0f), x);
}

/* magnitude with the sign of x; magnitude >= 0 */
VEC_INLINE Vec
vec_copy_sign(Vec magnitude, Vec x)
{
	return _mm256_or_ps(magnitude, _mm256_and_ps(x, _mm256_set1_ps(-0.0f)));
}

/* a > 0 ? x : y */
VEC_INLINE Vec
vec_positive(Vec a, Vec x, Vec y)
{
	return _mm256_blendv_ps(y, x, _mm256_cmp_ps(a, _mm256_setzero_ps(), _CMP_GT_OQ));
}

VEC_INLINE Vec
vec_round(Vec x)
{
	return _mm256_round_ps(x, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC);
}

VEC_INLINE Vec
vec_power(__m256i n)
{
	return _mm256_castsi256_ps(_mm256_slli_epi32(_mm256_add_epi32(n, _mm256_set1_epi32(127)), 23));
}

/* x * 2^n for a whole n in -252 .. 252: in two factors, since one has exponents to 127 only */
VEC_INLINE Vec
vec_scale_by_power(Vec x, Vec n)
{
	__m256i whole = _mm256_cvtps_epi32(n);
	__m256i half = _mm256_srai_epi32(whole, 1);

	return _mm256_mul_ps(_mm256_mul_ps(x, vec_power(half)),
						 vec_power(_mm256_sub_epi32(whole, half)));
}

/* Rounded to the upper 16 bits, ties to even; what is no number stays none. */
VEC_INLINE Vec
vec_round_bf16(Vec x)
{
	__m256i bits = _mm256_castps_si256(x);
	__m256i odd = _mm256_and_si256(_mm256_srli_epi32(bits, 16), _mm256_set1_epi32(1));
	__m256i rounded = _mm256_add_epi32(bits, _mm256_add_epi32(odd, _mm256_set1_epi32(0x7FFF)));
	__m256i quiet = _mm256_or_si256(bits, _mm256_set1_epi32(0x400000));
	Vec value = _mm256_blendv_ps(_mm256_castsi256_ps(rounded), _mm256_castsi256_ps(quiet),
								 _mm256_cmp_ps(x, x, _CMP_UNORD_Q));

	return _mm256_and_ps(value, _mm256_castsi256_ps(_mm256_set1_epi32((int) 0xFFFF0000u)));
}

/* x: whole numbers in 0 .. 255 */
VEC_INLINE void
vec_store_bytes(uint8_t *p, Vec x)
{
	__m256i numbers = _mm256_cvtps_epi32(x);
	__m128i shorts =
		_mm_packus_epi32(_mm256_castsi256_si128(numbers), _mm256_extracti128_si256(numbers, 1));

	_mm_storel_epi64((__m128i *) p, _mm_packus_epi16(shorts, shorts));
}

VEC_INLINE float
vec_sum(Vec x)
{
	__m128 four = _mm_add_ps(_mm256_castps256_ps128(x), _mm256_extractf128_ps(x, 1));
	__m128 two = _mm_add_ps(four, _mm_movehl_ps(four, four));

	return _mm_cvtss_f32(_mm_add_ss(two, _mm_movehdup_ps(two)));
}

VEC_INLINE float
vec_largest(Vec x)
{
	__m128 four = _mm_max_ps(_mm256_castps256_ps128(x), _mm256_extractf128_ps(x, 1));
	__m128 two = _mm_max_ps(four, _mm_movehl_ps(four, four));

	return _mm_cvtss_f32(_mm_max_ss(two, _mm_movehdup_ps(two)));
}

VEC_INLINE float
vec_first_lane(Vec x)
{
	return _mm256_cvtss_f32(x);
}

/* a and b as pairs of bf16, those of a in the lower halves. */
VEC_INLINE Vec
vec_pair_bf16(Vec a, Vec b)
{
	__m256i lower = _mm256_srli_epi32(_mm256_castps_si256(vec_round_bf16(a)), 16);

	return _mm256_castsi256_ps(_mm256_or_si256(lower, _mm256_castps_si256(vec_round_bf16(b))));
}

/* The vectors as rows of a square become its columns. */
VEC_INLINE void
vec_transpose(Vec *v)
{
	__m256d pairs[8]; /* rows 4i + 0 .. 3: two columns of each four, in both halves */
	Vec fours[8];

#pragma GCC unroll 2
	for (size_t i = 0; i < 8; i += 4)
	{
		pairs[i] = _mm256_castps_pd(_mm256_unpacklo_ps(v[i], v[i + 1]));
		pairs[i + 1] = _mm256_castps_pd(_mm256_unpackhi_ps(v[i], v[i + 1]));
		pairs[i + 2] = _mm256_castps_pd(_mm256_unpacklo_ps(v[i + 2], v[i + 3]));
		pairs[i + 3] = _mm256_castps_pd(_mm256_unpackhi_ps(v[i + 2], v[i + 3]));
	}
#pragma GCC unroll 2
	for (size_t i = 0; i < 8; i += 4)
	{
		fours[i] = _mm256_castpd_ps(_mm256_unpacklo_pd(pairs[i], pairs[i + 2]));
		fours[i + 1] = _mm256_castpd_ps(_mm256_unpackhi_pd(pairs[i], pairs[i + 2]));
		fours[i + 2] = _mm256_castpd_ps(_mm256_unpacklo_pd(pairs[i + 1], pairs[i + 3]));
		fours[i + 3] = _mm256_castpd_ps(_mm256_unpackhi_pd(pairs[i + 1], pairs[i + 3]));
	}
#pragma GCC unroll 4
	for (size_t i = 0; i < 4; i++)
	{
		v[i] = _mm256_permute2f128_ps(fours[i], fours[i + 4], 0x20);
		v[i + 4] = _mm256_permute2f128_ps(fours[i], fours[i + 4], 0x31);
	}
}

/* Neighbours change places: x1, x0, x3, x2, ... */
VEC_INLINE Vec
vec_swap_pairs(Vec x)
{
	return _mm256_permute_ps(x, 0xB1);
}

/* x0, x0, x2, x2, ... */
VEC_INLINE Vec
vec_even(Vec x)
{
	return _mm256_moveldup_ps(x);
}

/* x1, x1, x3, x3, ... */
VEC_INLINE Vec
vec_odd(Vec x)
{
	return _mm256_movehdup_ps(x);
}

/* a * b - c in even lanes, a * b + c in odd ones */
VEC_INLINE Vec
vec_fma_subtract_add(Vec a, Vec b, Vec c)
{
	return _mm256_fmaddsub_ps(a, b, c);
}

#endif
