/* The account sweep by hand: 45 sums of a segment in registers, and the worst of three cells by move before they leave.
 *
 * table: rows of 48 doubles, aligned to 64 bytes: 15 moves of volatility up and a zero, then same, then down.
 */
#include "vectors.h"

enum { WIDTH = 15, CELL = 16, STRIDE = 48, VECTORS = STRIDE / LANES, THIRD = CELL / LANES };

INLINE void store_all(double *out, const vec *worst)
{
#pragma GCC unroll 16
    for (int i = 0; i < THIRD; i++)
        STORE(out + i * LANES, worst[i]);
}

void sweep(int64_t segments, const int64_t *indptr, const int64_t *row, const double *quantity, const double *table,
           double *losses)
{
    for (int64_t a = 0; a < segments; a++) {
        vec sum[VECTORS], worst[THIRD], check = SET(0.0);
        double *out = losses + a * WIDTH, lanes[CELL], spread = 0.0;
#pragma GCC unroll 48
        for (int i = 0; i < VECTORS; i++)
            sum[i] = SET(0.0);
#pragma GCC unroll 1
        for (int64_t k = indptr[a]; k < indptr[a + 1]; k++) {
            const double *unit = table + row[k] * STRIDE;
            const vec q = SET(quantity[k]);
#pragma GCC unroll 48
            for (int i = 0; i < VECTORS; i++)
                sum[i] = FMA(q, LOAD(unit + i * LANES), sum[i]);
        }
#pragma GCC unroll 16
        for (int i = 0; i < THIRD; i++) {
            const vec up = sum[i], same = sum[THIRD + i], down = sum[2 * THIRD + i];
            worst[i] = SUB(SET(0.0), MIN(up, MIN(same, down)));
            check = ADD(check, ADD(up, ADD(same, down)));
        }
        if (a + 1 < segments) {
            store_all(out, worst); /* the sixteenth belongs to the next curve, which comes next */
        } else {
            store_all(lanes, worst);
            memcpy(out, lanes, 8 * WIDTH);
        }
        STORE(lanes, SUB(check, check)); /* a minimum may pass over NaN, a sum cannot */
        for (int i = 0; i < LANES; i++)
            spread += lanes[i];
        if (spread != 0.0)
            for (int j = 0; j < WIDTH; j++)
                out[j] = spread;
    }
}
