/*
 * exponential_vector.h - exp and what is made of it, for any vector; included after a
 * vector_<isa>.h.
 *
 * exp(x) = 2^n * exp(r) with n = round(x / ln 2), |r| <= ln 2 / 2; ln 2 is subtracted in two parts
 * (Cody and Waite). exp(r) - 1 = r + r^2 q(r) with q of degree 4, fitted to 3e-9 of exp(r).
 *
 * erfc(x / sqrt 2) = 2^-(x p(x)) for 0 <= x <= 9 with p of degree 10: the exponent is smooth where
 * erfc itself spans 19 decades. Fitted to 4e-9 in x erfc(x / sqrt 2) / 2, which is what gelu needs.
 *
 * Both are fits of this project (weighted least squares, reweighted towards the minimax).
 */
#ifndef RF_EXPONENTIAL_VECTOR_H
#define RF_EXPONENTIAL_VECTOR_H

#define LOG2_E 1.44269504088896341f
#define LN_2 0.693147180559945309f
#define LN_2_HIGH 0.693359375f
#define LN_2_LOW -2.12194440e-4f
/* Beyond these exp is infinite, or 0, in fp32. */
#define EXP_HIGHEST 89.0f
#define EXP_LOWEST -105.0f

/* exp(r) - 1 for |r| <= ln 2 / 2 */
VEC_INLINE Vec
vec_exp_small(Vec r)
{
	Vec q = vec_set(0.00138145964f);

	q = vec_fma(q, r, vec_set(0.00836871709f));
	q = vec_fma(q, r, vec_set(0.0416683881f));
	q = vec_fma(q, r, vec_set(0.166665206f));
	q = vec_fma(q, r, vec_set(0.499999934f));
	return vec_fma(vec_mul(r, r), q, r);
}

/* x = n ln 2 + r */
VEC_INLINE Vec
vec_reduce(Vec x, Vec *n)
{
	*n = vec_round(vec_mul(x, vec_set(LOG2_E)));
	return vec_fnma(*n, vec_set(LN_2_LOW), vec_fnma(*n, vec_set(LN_2_HIGH), x));
}

VEC_INLINE Vec
vec_exp(Vec x)
{
	Vec n;
	Vec r;

	x = vec_max(vec_set(EXP_LOWEST), vec_min(vec_set(EXP_HIGHEST), x));
	r = vec_reduce(x, &n);
	return vec_scale_by_power(vec_add(vec_exp_small(r), vec_set(1)), n);
}

/* exp(x) - 1 for x <= 88, exact near 0 */
VEC_INLINE Vec
vec_expm1(Vec x)
{
	Vec n;
	Vec r;
	Vec power;

	x = vec_max(vec_set(EXP_LOWEST), vec_min(vec_set(88.0f), x));
	r = vec_reduce(x, &n);
	power = vec_scale_by_power(vec_set(1), n);
	return vec_fma(power, vec_exp_small(r), vec_sub(power, vec_set(1)));
}

/* erfc(x / sqrt 2) for 0 <= x <= 9 */
VEC_INLINE Vec
vec_normal_tails(Vec x)
{
	Vec p = vec_set(-1.34500476e-09f);
	Vec exponent;
	Vec n;

	p = vec_fma(p, x, vec_set(6.02323401e-08f));
	p = vec_fma(p, x, vec_set(-1.15835521e-06f));
	p = vec_fma(p, x, vec_set(1.2467668e-05f));
	p = vec_fma(p, x, vec_set(-8.06030611e-05f));
	p = vec_fma(p, x, vec_set(0.000285287243f));
	p = vec_fma(p, x, vec_set(-7.51221855e-07f));
	p = vec_fma(p, x, vec_set(-0.00695457926f));
	p = vec_fma(p, x, vec_set(0.0524502114f));
	p = vec_fma(p, x, vec_set(0.459217197f));
	p = vec_fma(p, x, vec_set(1.15110463f));
	exponent = vec_mul(vec_sub(vec_set(0), x), p);
	n = vec_round(exponent);
	p = vec_exp_small(vec_mul(vec_sub(exponent, n), vec_set(LN_2)));
	return vec_scale_by_power(vec_add(p, vec_set(1)), n);
}

/* 1 / (1 + exp(-x)) */
VEC_INLINE Vec
vec_logistic(Vec x)
{
	Vec e = vec_exp(vec_sub(vec_set(0), x));

	return vec_div(vec_set(1), vec_add(e, vec_set(1)));
}

#endif
