/* The kernel with V vectors side by side. Included once per V. */
#define CAT_(a, b) a##_##b
#define CAT(a, b) CAT_(a, b)
#define AT(p) ((p) + i + j * LANES)

INLINE void CAT(distances, V)(int64_t i, const double *forward, const double *strike, const double *vol,
                              const double *years, const double *rate, vec *a, vec *e, vec *root, vec *inverse,
                              vec *discount) {
    vec low[V], high[V], l[V], y[V], t[V];
    EACH {
        low[j] = MIN(LOAD(AT(forward)), LOAD(AT(strike)));
        high[j] = MAX(LOAD(AT(forward)), LOAD(AT(strike)));
        root[j] = SQRT(LOAD(AT(years)));
    }
    CAT(log_ratio, V)(low, high, l);
    EACH {
        vec s = MUL(LOAD(AT(vol)), root[j]);
        inverse[j] = DIV(SET(1.0), s);
        a[j] = FMA(SET(0.5), s, MAX(MUL(l[j], inverse[j]), SET(-52.0)));
        y[j] = FMA(a[j], MUL(SET(-0.5), a[j]), SET(-0.9189385332046727));
        t[j] = MAX(y[j], SET(-708.0));
    }
    CAT(exp_of, V)(t, e);
    EACH e[j] = MUL(low[j], KEEP(GE(y[j], SET(-708.0)), e[j]));
    EACH t[j] = MUL(SUB(SET(0.0), LOAD(AT(rate))), LOAD(AT(years)));
    CAT(exp_of, V)(t, discount);
}

/* One vector of each result; p1 / q1 and p2 / q2 are the Mills ratios of |a| and b. */
INLINE void CAT(results, V)(mask call, int64_t at, vec f, vec k, vec v, vec r, vec a, vec b, vec e, vec root, vec inverse,
                            vec d, vec p1, vec q1, vec p2, vec q2, double *price, double *delta, double *gamma,
                            double *vega, double *theta) {
    const vec zero = SET(0.0), one = SET(1.0);
    const mask inside = GT(a, zero), below = LE(f, k);
    vec m = MUL(p1, q2), n = MUL(p2, q1), q = MUL(q1, q2);
    vec w = DIV(one, MUL(q, f)), inverse_forward = MUL(w, q);
    w = MUL(w, e);
    vec time_value = FMA(MUL(w, f), SUB(NEGATE_WHERE(inside, m), n), KEEP(inside, MIN(f, k)));
    vec apart = SUB(f, k), intrinsic = MAX(PICK(call, apart, SUB(k, f)), zero);
    vec value = MUL(d, MIN(ADD(intrinsic, MAX(time_value, zero)), PICK(call, f, k)));
    vec tail = MUL(w, PICK(below, m, n));
    vec share = PICK(SAME(GT(PICK(below, a, b), zero), call), SUB(one, tail), tail);
    vec weighted = MUL(d, e), curvature = MUL(weighted, inverse);
    STORE(price + at, value);
    STORE(delta + at, MUL(PICK(call, d, SUB(zero, d)), share));
    STORE(gamma + at, MUL(curvature, MUL(inverse_forward, inverse_forward)));
    STORE(vega + at, MUL(weighted, root));
    STORE(theta + at, FMA(r, value, MUL(curvature, MUL(MUL(SET(-0.5), v), v))));
}

INLINE void CAT(first_order, V)(int64_t i, const uint8_t *is_call, const double *forward, const double *strike,
                                const double *vol, const double *rate, const vec *a, const vec *e, const vec *root,
                                const vec *inverse, const vec *discount, double *price, double *delta, double *gamma,
                                double *vega, double *theta) {
    vec x[V], b[V], p1[V], q1[V], p2[V], q2[V];
    EACH {
        b[j] = SUB(MUL(LOAD(AT(vol)), root[j]), a[j]);
        x[j] = ABS(a[j]);
    }
    HORNER(q1, x, MILLS_Q);
    HORNER(q2, b, MILLS_Q);
    HORNER(p1, x, MILLS_P);
    HORNER(p2, b, MILLS_P);
    EACH CAT(results, V)(load_mask(AT(is_call)), i + j * LANES, LOAD(AT(forward)), LOAD(AT(strike)), LOAD(AT(vol)),
                         LOAD(AT(rate)), a[j], b[j], e[j], root[j], inverse[j], discount[j], p1[j], q1[j], p2[j], q2[j],
                         price, delta, gamma, vega, theta);
}

/* One loop. n is a multiple of V LANES. */
void CAT(greeks_one_loop, V)(int64_t n, const uint8_t *is_call, const double *forward, const double *strike,
                             const double *vol, const double *years, const double *rate, double *price, double *delta,
                             double *gamma, double *vega, double *theta) {
    for (int64_t i = 0; i < n; i += V * LANES) {
        vec a[V], e[V], root[V], inverse[V], discount[V];
        CAT(distances, V)(i, forward, strike, vol, years, rate, a, e, root, inverse, discount);
        CAT(first_order, V)(i, is_call, forward, strike, vol, rate, a, e, root, inverse, discount, price, delta, gamma,
                            vega, theta);
    }
}

/* Two loops over blocks in the first cache, what is between them in the rows of the output. */
void CAT(greeks_two_loops, V)(int64_t n, const uint8_t *is_call, const double *forward, const double *strike,
                              const double *vol, const double *years, const double *rate, double *price, double *delta,
                              double *gamma, double *vega, double *theta) {
    for (int64_t start = 0; start < n; start += 512) {
        const int64_t end = start + 512 < n ? start + 512 : n;
        vec a[V], e[V], root[V], inverse[V], discount[V];
        for (int64_t i = start; i < end; i += V * LANES) {
            CAT(distances, V)(i, forward, strike, vol, years, rate, a, e, root, inverse, discount);
            EACH {
                STORE(AT(price), a[j]);
                STORE(AT(delta), e[j]);
                STORE(AT(gamma), root[j]);
                STORE(AT(vega), inverse[j]);
                STORE(AT(theta), discount[j]);
            }
        }
        for (int64_t i = start; i < end; i += V * LANES) {
            EACH {
                a[j] = LOAD(AT(price));
                e[j] = LOAD(AT(delta));
                root[j] = LOAD(AT(gamma));
                inverse[j] = LOAD(AT(vega));
                discount[j] = LOAD(AT(theta));
            }
            CAT(first_order, V)(i, is_call, forward, strike, vol, rate, a, e, root, inverse, discount, price, delta,
                                gamma, vega, theta);
        }
    }
}
/* Six short loops over blocks, each one chain, what is between them in an array of the caller's nearest caches. */
#define WORK(row) (work + (row) * (SHORT_BLOCK + 8))
enum CAT(work_rows, V) { CAT(A, V), CAT(B, V), CAT(ROOT, V), CAT(INVERSE, V), CAT(DISCOUNT, V), CAT(DENSITY, V),
                         CAT(ABOVE, V), CAT(UNDER, V) = CAT(ABOVE, V) + 2, CAT(END, V) = CAT(UNDER, V) + 2 };
#define ROW_OF(name) WORK(CAT(name, V))

INLINE void CAT(short_distances, V)(int64_t n, const double *forward, const double *strike, const double *vol,
                                    const double *years, const double *rate, double *work) {
    for (int64_t i = 0; i < n; i += V * LANES) {
        vec low[V], high[V], l[V];
        EACH {
            low[j] = MIN(LOAD(AT(forward)), LOAD(AT(strike)));
            high[j] = MAX(LOAD(AT(forward)), LOAD(AT(strike)));
        }
        CAT(log_ratio, V)(low, high, l);
        EACH STORE(AT(ROW_OF(A)), l[j]);
    }
    for (int64_t i = 0; i < n; i += V * LANES) EACH {
        vec root = SQRT(LOAD(AT(years))), s = MUL(LOAD(AT(vol)), root), inverse = DIV(SET(1.0), s);
        vec a = FMA(SET(0.5), s, MAX(MUL(LOAD(AT(ROW_OF(A))), inverse), SET(-52.0)));
        STORE(AT(ROW_OF(A)), a);
        STORE(AT(ROW_OF(B)), SUB(s, a));
        STORE(AT(ROW_OF(ROOT)), root);
        STORE(AT(ROW_OF(INVERSE)), inverse);
        STORE(AT(ROW_OF(DISCOUNT)), MUL(SUB(SET(0.0), LOAD(AT(rate))), LOAD(AT(years))));
    }
    for (int64_t i = 0; i < n; i += V * LANES) {
        vec t[V], e[V];
        EACH t[j] = LOAD(AT(ROW_OF(DISCOUNT)));
        CAT(exp_of, V)(t, e);
        EACH STORE(AT(ROW_OF(DISCOUNT)), e[j]);
    }
}

void CAT(greeks_short_loops, V)(int64_t n, const uint8_t *is_call, const double *forward, const double *strike,
                                const double *vol, const double *years, const double *rate, double *price,
                                double *delta, double *gamma, double *vega, double *theta) {
    double work[CAT(END, V) * (SHORT_BLOCK + 8)] __attribute__((aligned(64)));
    for (int64_t start = 0; start < n; start += SHORT_BLOCK) {
        const int64_t rows = start + SHORT_BLOCK < n ? SHORT_BLOCK : n - start;
        CAT(short_distances, V)(rows, forward + start, strike + start, vol + start, years + start, rate + start, work);
        CAT(densities, V)(rows, ROW_OF(A), ROW_OF(DENSITY));
        for (int side = 0; side < 2; side++)
            CAT(mills, V)(rows, WORK(CAT(A, V) + side), WORK(CAT(ABOVE, V) + side), WORK(CAT(UNDER, V) + side));
        for (int64_t i = 0; i < rows; i += V * LANES) EACH {
            const int64_t at = start + i + j * LANES;
            const vec f = LOAD(forward + at), k = LOAD(strike + at);
            CAT(results, V)(load_mask(is_call + at), at, f, k, LOAD(vol + at), LOAD(rate + at), LOAD(AT(ROW_OF(A))),
                            LOAD(AT(ROW_OF(B))), MUL(MIN(f, k), LOAD(AT(ROW_OF(DENSITY)))), LOAD(AT(ROW_OF(ROOT))),
                            LOAD(AT(ROW_OF(INVERSE))), LOAD(AT(ROW_OF(DISCOUNT))), LOAD(AT(WORK(CAT(ABOVE, V)))),
                            LOAD(AT(WORK(CAT(UNDER, V)))), LOAD(AT(WORK(CAT(ABOVE, V) + 1))),
                            LOAD(AT(WORK(CAT(UNDER, V) + 1))), price, delta, gamma, vega, theta);
        }
    }
}
#undef WORK
#undef ROW_OF
#undef AT
#undef CAT
#undef CAT_
