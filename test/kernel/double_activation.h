/*
 * double_activation.h - activation functions from their definitions, in double precision.
 */
#ifndef RF_TEST_DOUBLE_ACTIVATION_H
#define RF_TEST_DOUBLE_ACTIVATION_H

#include <math.h>

#include "rf/kernels.h"

static inline double
double_activation(RfActivation activation, double x)
{
	double tanh_gelu = 0.5 * x * (1 + tanh(sqrt(2 / M_PI) * (x + 0.044715 * x * x * x)));
	double gelu = 0.5 * x * erfc(-x * M_SQRT1_2);

	switch (activation)
	{
		case RF_ACT_GELU:
			return gelu;
		case RF_ACT_GELU_TANH:
		case RF_ACT_GELU_ACCURATE:
			return tanh_gelu;
		case RF_ACT_GELU_FAST:
			return 0.5 * x * (1 + tanh(0.7978845608 * x * (1 + 0.044715 * x * x)));
		case RF_ACT_QUICK_GELU:
			return x / (1 + exp(-1.702 * x));
		case RF_ACT_GELU_10:
			return fmin(fmax(gelu, -10), 10);
		case RF_ACT_RELU:
			return fmax(x, 0);
		case RF_ACT_RELU6:
			return fmin(fmax(x, 0), 6);
		case RF_ACT_SILU:
			return x / (1 + exp(-x));
		case RF_ACT_TANH:
			return tanh(x);
		case RF_ACT_SIGMOID:
			return 1 / (1 + exp(-x));
		case RF_ACT_LINEAR:
			return x;
		case RF_ACT_MISH:
			return x * tanh(x > 30 ? x : log1p(exp(x)));
		case RF_ACT_LEAKY_RELU:
			return x > 0 ? x : 0.01 * x;
		case RF_ACT_RELU2:
			return x > 0 ? x * x : 0;
		case RF_ACT_SELU:
			return 1.0507009873554804934193349852946 *
				   (x > 0 ? x : 1.6732632423543772848170429916717 * expm1(x));
		case RF_ACT_LAPLACE:
			return 0.5 * erfc((0.707107 - x) / (0.282095 * M_SQRT2));
	}
	return NAN;
}

#endif
