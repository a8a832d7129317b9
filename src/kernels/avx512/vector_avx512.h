/*
 * vector_avx512.h - the vector that vector/rows_vector.h and activations_vector.h are written in:
 * 16 floats of AVX-512.
 */
#ifndef RF_VECTOR_AVX512_H
#define RF_VECTOR_AVX512_H

#include <immintrin.h>
#include <stddef.h>
#include <stdint.h>

#define VEC_TARGET __attribute__((target("avx512f,avx512dq")))
#define VEC_INLINE VEC_TARGET static inline __attribute__((always_inline))
#define VEC_LANES ((size_t) 16)

typedef __m512 Vec;

VEC_INLINE __mmask16
vec_first(size_t n)
{
	return (__mmask16) (0xFFFFu >> (VEC_LANES - n));
}

VEC_INLINE Vec
vec_set(float x)
{
	return _mm512_set1_ps(x);
}

VEC_INLINE Vec
vec_load(const float *p)
{
	return _mm512_loadu_ps(p);
}

/* The first n of 16 lanes, 0 < n < 16; fill in the others. */
VEC_INLINE Vec
vec_load_part(const float *p, size_t n, Vec fill)
{
	return _mm512_mask_loadu_ps(fill, vec_first(n), p);
}

VEC_INLINE void
vec_store(float *p, Vec x)
{
	_mm512_storeu_ps(p, x);
}

VEC_INLINE void
vec_store_part(float *p, size_t n, Vec x)
{
	_mm512_mask_storeu_ps(p, vec_first(n), x);
}

VEC_INLINE Vec
vec_add(Vec a, Vec b)
{
	return _mm512_add_ps(a, b);
}

VEC_INLINE Vec
vec_sub(Vec a, Vec b)
{
	return _mm512_sub_ps(a, b);
}

VEC_INLINE Vec
vec_mul(Vec a, Vec b)
{
	return _mm512_mul_ps(a, b);
}

VEC_INLINE Vec
vec_div(Vec a, Vec b)
{
	return _mm512_div_ps(a, b);
}

/* a * b + c, rounded once */
VEC_INLINE Vec
vec_fma(Vec a, Vec b, Vec c)
{
	return _mm512_fmadd_ps(a, b, c);
}

/* c - a * b, rounded once */
VEC_INLINE Vec
vec_fnma(Vec a, Vec b, Vec c)
{
	return _mm512_fnmadd_ps(a, b, c);
}

/* b where either is not a number */
VEC_INLINE Vec
vec_max(Vec a, Vec b)
{
	return _mm512_max_ps(a, b);
}

VEC_INLINE Vec
vec_min(Vec a, Vec b)
{
	return _mm512_min_ps(a, b);
}

VEC_INLINE Vec
vec_abs(Vec x)
{
	return _mm512_abs_ps(x);
}

/* magnitude with the sign of x; magnitude >= 0 */
VEC_INLINE Vec
vec_copy_sign(Vec magnitude, Vec x)
{
	return _mm512_or_ps(magnitude, _mm512_and_ps(x, _mm512_set1_ps(-0.0f)));
}

/* a > 0 ? x : y */
VEC_INLINE Vec
vec_positive(Vec a, Vec x, Vec y)
{
	return _mm512_mask_blend_ps(_mm512_cmp_ps_mask(a, _mm512_setzero_ps(), _CMP_GT_OQ), y, x);
}

VEC_INLINE Vec
vec_round(Vec x)
{
	return _mm512_roundscale_ps(x, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC);
}

/* x * 2^n for a whole n in -252 .. 252 */
VEC_INLINE Vec
vec_scale_by_power(Vec x, Vec n)
{
	return _mm512_scalef_ps(x, n);
}

/* Rounded to the upper 16 bits, ties to even; what is no number stays none. */
VEC_INLINE Vec
vec_round_bf16(Vec x)
{
	__m512i bits = _mm512_castps_si512(x);
	__m512i odd = _mm512_and_si512(_mm512_srli_epi32(bits, 16), _mm512_set1_epi32(1));
	__m512i rounded = _mm512_add_epi32(bits, _mm512_add_epi32(odd, _mm512_set1_epi32(0x7FFF)));
	__mmask16 nan = _mm512_cmp_ps_mask(x, x, _CMP_UNORD_Q);

	rounded = _mm512_mask_or_epi32(rounded, nan, bits, _mm512_set1_epi32(0x400000));
	return _mm512_castsi512_ps(_mm512_and_si512(rounded, _mm512_set1_epi32((int) 0xFFFF0000u)));
}

/* x: whole numbers in 0 .. 255 */
VEC_INLINE void
vec_store_bytes(uint8_t *p, Vec x)
{
	_mm_storeu_si128((__m128i *) p, _mm512_cvtepi32_epi8(_mm512_cvtps_epi32(x)));
}

VEC_INLINE float
vec_sum(Vec x)
{
	return _mm512_reduce_add_ps(x);
}

VEC_INLINE float
vec_largest(Vec x)
{
	return _mm512_reduce_max_ps(x);
}

VEC_INLINE float
vec_first_lane(Vec x)
{
	return _mm512_cvtss_f32(x);
}

/* a and b as pairs of bf16, those of a in the lower halves. */
VEC_INLINE Vec
vec_pair_bf16(Vec a, Vec b)
{
	__m512i lower = _mm512_srli_epi32(_mm512_castps_si512(vec_round_bf16(a)), 16);

	return _mm512_castsi512_ps(_mm512_or_si512(lower, _mm512_castps_si512(vec_round_bf16(b))));
}

/* The vectors as rows of a square become its columns. */
VEC_INLINE void
vec_transpose(Vec *v)
{
	__m512d pairs[16]; /* rows 4i + 0 .. 3: two columns of each four, in every 128 bits */
	Vec fours[16];

#pragma GCC unroll 4
	for (size_t i = 0; i < 16; i += 4)
	{
		pairs[i] = _mm512_castps_pd(_mm512_unpacklo_ps(v[i], v[i + 1]));
		pairs[i + 1] = _mm512_castps_pd(_mm512_unpackhi_ps(v[i], v[i + 1]));
		pairs[i + 2] = _mm512_castps_pd(_mm512_unpacklo_ps(v[i + 2], v[i + 3]));
		pairs[i + 3] = _mm512_castps_pd(_mm512_unpackhi_ps(v[i + 2], v[i + 3]));
	}
#pragma GCC unroll 4
	for (size_t i = 0; i < 16; i += 4)
	{
		fours[i] = _mm512_castpd_ps(_mm512_unpacklo_pd(pairs[i], pairs[i + 2]));
		fours[i + 1] = _mm512_castpd_ps(_mm512_unpackhi_pd(pairs[i], pairs[i + 2]));
		fours[i + 2] = _mm512_castpd_ps(_mm512_unpacklo_pd(pairs[i + 1], pairs[i + 3]));
		fours[i + 3] = _mm512_castpd_ps(_mm512_unpackhi_pd(pairs[i + 1], pairs[i + 3]));
	}
#pragma GCC unroll 4
	for (size_t i = 0; i < 4; i++)
	{
		Vec upper_even = _mm512_shuffle_f32x4(fours[i], fours[i + 4], 0x88);
		Vec upper_odd = _mm512_shuffle_f32x4(fours[i], fours[i + 4], 0xDD);
		Vec lower_even = _mm512_shuffle_f32x4(fours[i + 8], fours[i + 12], 0x88);
		Vec lower_odd = _mm512_shuffle_f32x4(fours[i + 8], fours[i + 12], 0xDD);

		v[i] = _mm512_shuffle_f32x4(upper_even, lower_even, 0x88);
		v[i + 4] = _mm512_shuffle_f32x4(upper_odd, lower_odd, 0x88);
		v[i + 8] = _mm512_shuffle_f32x4(upper_even, lower_even, 0xDD);
		v[i + 12] = _mm512_shuffle_f32x4(upper_odd, lower_odd, 0xDD);
	}
}

/* Neighbours change places: x1, x0, x3, x2, ... */
VEC_INLINE Vec
vec_swap_pairs(Vec x)
{
	return _mm512_permute_ps(x, 0xB1);
}

/* x0, x0, x2, x2, ... */
VEC_INLINE Vec
vec_even(Vec x)
{
	return _mm512_moveldup_ps(x);
}

/* x1, x1, x3, x3, ... */
VEC_INLINE Vec
vec_odd(Vec x)
{
	return _mm512_movehdup_ps(x);
}

/* a * b - c in even lanes, a * b + c in odd ones */
VEC_INLINE Vec
vec_fma_subtract_add(Vec a, Vec b, Vec c)
{
	return _mm512_fmaddsub_ps(a, b, c);
}

#endif
