/* The kernel with V vectors side by side. Included once per V.
 *
 * A row of cells is padded to whole vectors, in buffers of the caller: CELLS of each at least, and a table whose
 * columns are padded too. level is float64[9, rows] as the kernel has it, direction float64: 1, 0, -1. */
#define CAT_(a, b) a##_##b
#define CAT(a, b) CAT_(a, b)

INLINE vec CAT(value_of, V)(vec a, vec low, vec density, vec p1, vec q1, vec p2, vec q2) {
    const mask inside = GT(a, SET(0.0));
    vec m = MUL(p1, q2), n = MUL(p2, q1), w = DIV(MUL(low, density), MUL(q1, q2));
    return MAX(FMA(w, SUB(NEGATE_WHERE(inside, m), n), KEEP(inside, low)), SET(0.0));
}

INLINE void CAT(time_value, V)(const vec *a, const vec *b, const vec *low, vec *out) {
    vec x[V], y[V], t[V], e[V], p1[V], q1[V], p2[V], q2[V];
    EACH {
        x[j] = ABS(a[j]);
        y[j] = FMA(a[j], MUL(SET(-0.5), a[j]), SET(-0.9189385332046727));
        t[j] = MAX(y[j], SET(-708.0));
    }
    CAT(exp_of, V)(t, e);
    HORNER(q1, x, MILLS_Q);
    HORNER(q2, b, MILLS_Q);
    HORNER(p1, x, MILLS_P);
    HORNER(p2, b, MILLS_P);
    EACH out[j] = CAT(value_of, V)(a[j], low[j], KEEP(GE(y[j], SET(-708.0)), e[j]), p1[j], q1[j], p2[j], q2[j]);
}

/* The same in short loops over cells in the first caches; what is beyond n is computed, too. */
INLINE void CAT(short_values, V)(int64_t n, const double *b, const double *low, double *a) {
    double work[5 * (SHORT_BLOCK + 8)] __attribute__((aligned(64)));
    double *row[5];
    for (int k = 0; k < 5; k++) row[k] = work + k * (SHORT_BLOCK + 8);
    for (int64_t start = 0; start < n; start += SHORT_BLOCK) {
        const int64_t cells = start + SHORT_BLOCK < n ? SHORT_BLOCK : n - start;
        CAT(densities, V)(cells, a + start, row[0]);
        CAT(mills, V)(cells, a + start, row[1], row[2]);
        CAT(mills, V)(cells, b + start, row[3], row[4]);
        for (int64_t i = 0; i < cells; i += V * LANES) EACH {
            const int64_t at = i + j * LANES;
            STORE(a + start + at, CAT(value_of, V)(LOAD(a + start + at), LOAD(low + start + at), LOAD(row[0] + at),
                                                  LOAD(row[1] + at), LOAD(row[2] + at), LOAD(row[3] + at),
                                                  LOAD(row[4] + at)));
        }
    }
}

#define CELL(p) ((p) + s + j * LANES)
#define OF_DIRECTION(up, same, down) PICK(above[j], SET(up), PICK(below[j], SET(down), SET(same)))
#define ROW                                                                                                    \
    const double f = forward[i], k = strike[i], l = level[i];                                                  \
    const double up = level[rows + i], same = level[2 * rows + i], down = level[3 * rows + i];                 \
    const double one_up = level[4 * rows + i], one_same = level[5 * rows + i], one_down = level[6 * rows + i]

INLINE void CAT(cell_distances, V)(int64_t s, double f, double k, double l, double up, double same, double down,
                                   double one_up, double one_same, double one_down, const double *move,
                                   const double *log_move, const double *direction, vec *a, vec *b, vec *low) {
    mask above[V], below[V];
    EACH {
        above[j] = GT(LOAD(CELL(direction)), SET(0.0));
        below[j] = GT(SET(0.0), LOAD(CELL(direction)));
        vec stdev = OF_DIRECTION(up, same, down), inverse = OF_DIRECTION(one_up, one_same, one_down);
        vec log_low_high = SUB(SET(0.0), ABS(ADD(SET(l), LOAD(CELL(log_move)))));
        a[j] = FMA(SET(0.5), stdev, MAX(MUL(log_low_high, inverse), SET(-52.0)));
        b[j] = SUB(stdev, a[j]);
        low[j] = MIN(MUL(SET(f), ADD(SET(1.0), LOAD(CELL(move)))), SET(k));
    }
}

INLINE void CAT(cell_pnl, V)(int64_t s, int call, double f, double k, double now, double u, const double *move,
                             const double *weight, const vec *value, double *pnl) {
    EACH {
        vec shifted = MUL(SET(f), ADD(SET(1.0), LOAD(CELL(move))));
        vec intrinsic = MAX(call ? SUB(shifted, SET(k)) : SUB(SET(k), shifted), SET(0.0));
        vec moved = MIN(ADD(intrinsic, value[j]), call ? shifted : SET(k));
        STORE(CELL(pnl), MUL(MUL(LOAD(CELL(weight)), SET(u)), SUB(moved, SET(now))));
    }
}

/* One loop per row, the last vectors of a row partly beyond it. */
void CAT(scenarios_by_row, V)(int64_t rows, int64_t scenarios, const uint8_t *is_call, const double *forward,
                              const double *strike, const double *unit, const double *level, const double *move,
                              const double *log_move, const double *direction, const double *weight, double *buffer,
                              double *pnl) {
    for (int64_t i = 0; i < rows; i++) {
        ROW;
        for (int64_t s = 0; s < scenarios; s += V * LANES) {
            vec a[V], b[V], low[V], value[V];
            CAT(cell_distances, V)(s, f, k, l, up, same, down, one_up, one_same, one_down, move, log_move, direction, a,
                                   b, low);
            CAT(time_value, V)(a, b, low, value);
            CAT(cell_pnl, V)(s, is_call[i], f, k, level[7 * rows + i], unit[i], move, weight, value, buffer);
        }
        memcpy(pnl + i * scenarios, buffer, scenarios * sizeof(double));
    }
}

/* Three loops over blocks of rows, time values in one loop or in short ones; cells packed without gaps: what a row writes beyond its end, the next one overwrites. */
INLINE void CAT(by_block, V)(int is_short, int64_t rows, int64_t scenarios, const uint8_t *is_call, const double *forward,
                                const double *strike, const double *unit, const double *level, const double *move,
                                const double *log_move, const double *direction, const double *weight, double *buffer,
                                double *pnl) {
    const int64_t block = 1024 / scenarios, stride = 1024 + 64;
    double *as = buffer, *bs = buffer + stride, *lows = buffer + 2 * stride, *out = buffer + 3 * stride;
    for (int64_t start = 0; start < rows; start += block) {
        const int64_t end = start + block < rows ? start + block : rows;
        for (int64_t i = start; i < end; i++) {
            ROW;
            for (int64_t s = 0; s < scenarios; s += LANES * V) {
                const int64_t at = (i - start) * scenarios + s;
                vec a[V], b[V], low[V];
                CAT(cell_distances, V)(s, f, k, l, up, same, down, one_up, one_same, one_down, move, log_move, direction,
                                       a, b, low);
                EACH {
                    STORE(as + at + j * LANES, a[j]);
                    STORE(bs + at + j * LANES, b[j]);
                    STORE(lows + at + j * LANES, low[j]);
                }
            }
        }
        if (is_short)
            CAT(short_values, V)((end - start) * scenarios, bs, lows, as);
        else
            for (int64_t at = 0; at < (end - start) * scenarios; at += LANES * V) {
                vec a[V], b[V], low[V], value[V];
                EACH {
                    a[j] = LOAD(as + at + j * LANES);
                    b[j] = LOAD(bs + at + j * LANES);
                    low[j] = LOAD(lows + at + j * LANES);
                }
                CAT(time_value, V)(a, b, low, value);
                EACH STORE(as + at + j * LANES, value[j]);
            }
        for (int64_t i = start; i < end; i++) {
            const double f = forward[i], k = strike[i];
            for (int64_t s = 0; s < scenarios; s += LANES * V) {
                vec value[V];
                EACH value[j] = LOAD(as + (i - start) * scenarios + s + j * LANES);
                CAT(cell_pnl, V)(s, is_call[i], f, k, level[7 * rows + i], unit[i], move, weight, value, out);
            }
            memcpy(pnl + i * scenarios, out, scenarios * sizeof(double));
        }
    }
}

void CAT(scenarios_by_block, V)(int64_t rows, int64_t scenarios, const uint8_t *is_call, const double *forward,
                                 const double *strike, const double *unit, const double *level, const double *move,
                                 const double *log_move, const double *direction, const double *weight, double *buffer,
                                 double *pnl) {
    CAT(by_block, V)(0, rows, scenarios, is_call, forward, strike, unit, level, move, log_move, direction, weight,
                     buffer, pnl);
}

void CAT(scenarios_in_short_loops, V)(int64_t rows, int64_t scenarios, const uint8_t *is_call, const double *forward,
                                 const double *strike, const double *unit, const double *level, const double *move,
                                 const double *log_move, const double *direction, const double *weight, double *buffer,
                                 double *pnl) {
    CAT(by_block, V)(1, rows, scenarios, is_call, forward, strike, unit, level, move, log_move, direction, weight,
                     buffer, pnl);
}
#undef ROW
#undef OF_DIRECTION
#undef CELL
#undef CAT
#undef CAT_
