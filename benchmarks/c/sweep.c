/* The account sweep by hand: 45 sums of a segment in registers, then the worst of three cells by move.
 *
 * table: rows of 48 doubles, aligned to 64 bytes: cells of volatility up (15 moves), same, down, three of padding.
 */
#include <stdint.h>
#include <string.h>

#ifdef __AVX512F__
enum { LANES = 8 };
#else
enum { LANES = 4 };
#endif
enum { WIDTH = 15, STRIDE = 48, VECTORS = STRIDE / LANES };
typedef double vector __attribute__((vector_size(8 * LANES)));

void sweep(int64_t segments, const int64_t *indptr, const int64_t *row, const double *quantity, const double *table,
           double *losses)
{
    for (int64_t a = 0; a < segments; a++) {
        vector sum[VECTORS] = {0};
        for (int64_t k = indptr[a]; k < indptr[a + 1]; k++) {
            const vector *unit = (const vector *)(table + row[k] * STRIDE);
            double q = quantity[k];
#pragma GCC unroll 12
            for (int i = 0; i < VECTORS; i++)
                sum[i] += q * unit[i];
        }
        double sums[STRIDE];
        memcpy(sums, sum, sizeof sums);
        double check = 0.0;
        double *out = losses + a * WIDTH;
        for (int j = 0; j < WIDTH; j++) {
            double up = sums[j], same = sums[WIDTH + j], down = sums[2 * WIDTH + j];
            double least = same < down ? same : down;
            least = up < least ? up : least;
            check += up + same + down;
            out[j] = 0.0 - least;
        }
        if (check - check != 0.0)
            for (int j = 0; j < WIDTH; j++)
                out[j] = check - check;
    }
}
