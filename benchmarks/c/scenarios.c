/* Time values of scenario cells by hand: the bound of kernels/scenarios_options.py.
 *
 * The same hoisting (ln(F'/K) additive, s and 1/s per row and direction of volatility), the same polynomials and the same
 * operations in the same order, so results are compared bit for bit. Rows are options, columns scenarios. */
#include <stdlib.h>
#include "vectors.h"

#define V 1
#include "polynomials_form.h"
#include "scenarios_form.h"
#undef V
#define V 2
#include "polynomials_form.h"
#include "scenarios_form.h"
#undef V
#define V 4
#include "polynomials_form.h"
#include "scenarios_form.h"
