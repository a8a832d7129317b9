/*
 * activations_vector.h - every RfActivation for any vector; included after a vector_<isa>.h.
 *
 * The last, partly filled vector goes through the same operations as full ones, so a value's
 * result does not depend on its place in a row. NaN stays NaN.
 */
#ifndef RF_ACTIVATIONS_VECTOR_H
#define RF_ACTIVATIONS_VECTOR_H

#include "exponential_vector.h"

#define TWO_SQRT_2_OVER_PI 1.5957691216057308f
#define SELU_SCALE 1.0507009873554805f
#define SELU_ALPHA 1.6732632423543772f
#define LAPLACE_MU 0.707107f
#define LAPLACE_SIGMA 0.282095f
#define TAILS_END 9.0f

/*
 * x Phi(x) = max(x, 0) - |x| erfc(|x| / sqrt 2) / 2: nothing cancels for negative x, and what is
 * subtracted is small for positive ones.
 */
VEC_INLINE Vec
vec_gelu(Vec x)
{
	Vec size = vec_min(vec_set(TAILS_END), vec_abs(x));
	Vec half = vec_mul(vec_mul(size, vec_set(0.5f)), vec_normal_tails(size));

	return vec_sub(vec_max(vec_set(0), x), half);
}

/* (1 + tanh(u)) / 2 = logistic(2 u) */
VEC_INLINE Vec
vec_gelu_tanh(Vec x)
{
	Vec cubic = vec_fma(vec_mul(vec_mul(x, x), x), vec_set(0.044715f), x);

	return vec_mul(x, vec_logistic(vec_mul(cubic, vec_set(TWO_SQRT_2_OVER_PI))));
}

VEC_INLINE Vec
vec_quick_gelu(Vec x)
{
	return vec_mul(x, vec_logistic(vec_mul(x, vec_set(1.702f))));
}

VEC_INLINE Vec
vec_gelu_10(Vec x)
{
	return vec_min(vec_set(10), vec_max(vec_set(-10), vec_gelu(x)));
}

VEC_INLINE Vec
vec_relu(Vec x)
{
	return vec_max(vec_set(0), x);
}

VEC_INLINE Vec
vec_relu6(Vec x)
{
	return vec_min(vec_set(6), vec_relu(x));
}

VEC_INLINE Vec
vec_silu(Vec x)
{
	return vec_mul(x, vec_logistic(x));
}

/* e / (e + 2) with e = exp(2 |x|) - 1; 1 in fp32 from 10 on */
VEC_INLINE Vec
vec_tanh(Vec x)
{
	Vec e = vec_expm1(vec_min(vec_set(20), vec_abs(vec_add(x, x))));

	return vec_copy_sign(vec_div(e, vec_add(e, vec_set(2))), x);
}

VEC_INLINE Vec
vec_linear(Vec x)
{
	return x;
}

/* tanh(log(1 + e)) = w / (w + 2) with w = e (e + 2), e = exp(x) */
VEC_INLINE Vec
vec_mish(Vec x)
{
	Vec e = vec_exp(vec_min(vec_set(20), x));
	Vec w = vec_mul(e, vec_add(e, vec_set(2)));

	return vec_mul(x, vec_div(w, vec_add(w, vec_set(2))));
}

VEC_INLINE Vec
vec_leaky_relu(Vec x)
{
	return vec_positive(x, x, vec_mul(x, vec_set(0.01f)));
}

VEC_INLINE Vec
vec_relu2(Vec x)
{
	return vec_mul(vec_relu(x), vec_relu(x));
}

VEC_INLINE Vec
vec_selu(Vec x)
{
	Vec negative = vec_mul(vec_expm1(x), vec_set(SELU_ALPHA));

	return vec_mul(vec_positive(x, x, negative), vec_set(SELU_SCALE));
}

/* Phi((x - mu) / sigma) as the reference writes it */
VEC_INLINE Vec
vec_laplace(Vec x)
{
	Vec y = vec_div(vec_sub(x, vec_set(LAPLACE_MU)), vec_set(LAPLACE_SIGMA));
	Vec tail = vec_mul(vec_normal_tails(vec_min(vec_set(TAILS_END), vec_abs(y))), vec_set(0.5f));

	return vec_positive(y, vec_sub(vec_set(1), tail), tail);
}

#define DEFINE_ACTIVATION(name)                                                                    \
	VEC_TARGET static void activate_##name(float *x, size_t n)                                     \
	{                                                                                              \
		size_t i = 0;                                                                              \
                                                                                                   \
		for (; i + VEC_LANES <= n; i += VEC_LANES)                                                 \
			vec_store(x + i, vec_##name(vec_load(x + i)));                                         \
		if (i < n)                                                                                 \
			vec_store_part(x + i, n - i, vec_##name(vec_load_part(x + i, n - i, vec_set(0))));     \
	}

DEFINE_ACTIVATION(gelu)
DEFINE_ACTIVATION(gelu_tanh)
DEFINE_ACTIVATION(quick_gelu)
DEFINE_ACTIVATION(gelu_10)
DEFINE_ACTIVATION(relu)
DEFINE_ACTIVATION(relu6)
DEFINE_ACTIVATION(silu)
DEFINE_ACTIVATION(tanh)
DEFINE_ACTIVATION(logistic)
DEFINE_ACTIVATION(linear)
DEFINE_ACTIVATION(mish)
DEFINE_ACTIVATION(leaky_relu)
DEFINE_ACTIVATION(relu2)
DEFINE_ACTIVATION(selu)
DEFINE_ACTIVATION(laplace)

static void
fill_activations(RfActivate *activate)
{
	activate[RF_ACT_GELU] = activate_gelu;
	activate[RF_ACT_GELU_TANH] = activate_gelu_tanh;
	activate[RF_ACT_GELU_FAST] = activate_gelu_tanh;
	activate[RF_ACT_QUICK_GELU] = activate_quick_gelu;
	activate[RF_ACT_GELU_10] = activate_gelu_10;
	activate[RF_ACT_RELU] = activate_relu;
	activate[RF_ACT_RELU6] = activate_relu6;
	activate[RF_ACT_SILU] = activate_silu;
	activate[RF_ACT_TANH] = activate_tanh;
	activate[RF_ACT_SIGMOID] = activate_logistic;
	activate[RF_ACT_LINEAR] = activate_linear;
	activate[RF_ACT_MISH] = activate_mish;
	activate[RF_ACT_LEAKY_RELU] = activate_leaky_relu;
	activate[RF_ACT_RELU2] = activate_relu2;
	activate[RF_ACT_SELU] = activate_selu;
	activate[RF_ACT_LAPLACE] = activate_laplace;
	activate[RF_ACT_GELU_ACCURATE] = activate_gelu_tanh;
}

#endif
