/*
 * activation_ref.c - activation functions by libm.
 *
 * Formulas as the reference implementation has them; where a formula loses digits by cancellation
 * (gelu of large negative x, tanh and selu near 0) the equivalent one that doesn't is used.
 */
#include "kernels_ref.h"

#include <math.h>

#define SQRT_HALF 0.70710678118654752f
#define TWO_SQRT_2_OVER_PI 1.5957691216057308f
#define SELU_SCALE 1.0507009873554805f
#define SELU_ALPHA 1.6732632423543772f
#define LAPLACE_MU 0.707107f
#define LAPLACE_SIGMA 0.282095f

#define DEFINE_ACTIVATION(name, expression)                                                        \
	static void name(float *values, size_t n)                                                      \
	{                                                                                              \
		for (size_t i = 0; i < n; i++)                                                             \
		{                                                                                          \
			float x = values[i];                                                                   \
                                                                                                   \
			values[i] = (expression);                                                              \
		}                                                                                          \
	}

static float
logistic(float x)
{
	return 1 / (1 + expf(-x));
}

static float
gelu(float x)
{
	return 0.5f * x * erfcf(-x * SQRT_HALF);
}

/* x / 2 * (1 + tanh(sqrt(2 / pi) * (x + 0.044715 x^3))), and (1 + tanh(u)) / 2 = logistic(2 u) */
static float
gelu_tanh(float x)
{
	return x * logistic(TWO_SQRT_2_OVER_PI * (x + 0.044715f * x * x * x));
}

/* x * tanh(log(1 + e)) with e = exp(x); tanh is 1 in fp32 from 20 on */
static float
mish(float x)
{
	float e = expf(x < 20 ? x : 20);
	float w = e * (e + 2);

	return x * (w / (w + 2));
}

/* Unlike fminf and fmaxf, comparisons leave a NaN what it is. */
static float
clip(float x, float low, float high)
{
	return x < low ? low : x > high ? high : x;
}

DEFINE_ACTIVATION(activate_gelu, gelu(x))
DEFINE_ACTIVATION(activate_gelu_tanh, gelu_tanh(x))
DEFINE_ACTIVATION(activate_quick_gelu, x *logistic(1.702f * x))
DEFINE_ACTIVATION(activate_gelu_10, clip(gelu(x), -10, 10))
DEFINE_ACTIVATION(activate_relu, x < 0 ? 0 : x)
DEFINE_ACTIVATION(activate_relu6, clip(x, 0, 6))
DEFINE_ACTIVATION(activate_silu, x *logistic(x))
DEFINE_ACTIVATION(activate_tanh, tanhf(x))
DEFINE_ACTIVATION(activate_sigmoid, logistic(x))
DEFINE_ACTIVATION(activate_linear, x)
DEFINE_ACTIVATION(activate_mish, mish(x))
DEFINE_ACTIVATION(activate_leaky_relu, x > 0 ? x : 0.01f * x)
DEFINE_ACTIVATION(activate_relu2, x < 0 ? 0 : x * x)
DEFINE_ACTIVATION(activate_selu, SELU_SCALE *(x > 0 ? x : SELU_ALPHA * expm1f(x)))
DEFINE_ACTIVATION(activate_laplace, 0.5f * erfcf((LAPLACE_MU - x) / LAPLACE_SIGMA * SQRT_HALF))

void
rf_fill_activations_ref(RfActivate *activate)
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
	activate[RF_ACT_SIGMOID] = activate_sigmoid;
	activate[RF_ACT_LINEAR] = activate_linear;
	activate[RF_ACT_MISH] = activate_mish;
	activate[RF_ACT_LEAKY_RELU] = activate_leaky_relu;
	activate[RF_ACT_RELU2] = activate_relu2;
	activate[RF_ACT_SELU] = activate_selu;
	activate[RF_ACT_LAPLACE] = activate_laplace;
	activate[RF_ACT_GELU_ACCURATE] = activate_gelu_tanh;
}
