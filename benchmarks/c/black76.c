/* Black-76 price, delta, gamma, vega, theta by hand: the bound of kernels/black76_arrays.py.
 *
 * The same polynomials and the same operations in the same order, so results are compared bit for bit. No input is
 * screened, no row written twice. */
#include "vectors.h"

#define V 1
#include "polynomials_form.h"
#include "black76_form.h"
#undef V
#define V 2
#include "polynomials_form.h"
#include "black76_form.h"
#undef V
#define V 4
#include "polynomials_form.h"
#include "black76_form.h"
