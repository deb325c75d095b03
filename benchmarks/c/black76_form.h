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
    EACH {
        const vec zero = SET(0.0), one = SET(1.0);
        const vec f = LOAD(AT(forward)), k = LOAD(AT(strike)), v = LOAD(AT(vol)), d = discount[j];
        const mask call = load_mask(AT(is_call)), inside = GT(a[j], zero), below = LE(f, k);
        vec m = MUL(p1[j], q2[j]), n = MUL(p2[j], q1[j]), q = MUL(q1[j], q2[j]);
        vec w = DIV(one, MUL(q, f)), inverse_forward = MUL(w, q);
        w = MUL(w, e[j]);
        vec time_value = FMA(MUL(w, f), SUB(NEGATE_WHERE(inside, m), n), KEEP(inside, MIN(f, k)));
        vec apart = SUB(f, k), intrinsic = MAX(PICK(call, apart, SUB(k, f)), zero);
        vec value = MUL(d, MIN(ADD(intrinsic, MAX(time_value, zero)), PICK(call, f, k)));
        vec tail = MUL(w, PICK(below, m, n));
        vec share = PICK(SAME(GT(PICK(below, a[j], b[j]), zero), call), SUB(one, tail), tail);
        vec weighted = MUL(d, e[j]), curvature = MUL(weighted, inverse[j]);
        STORE(AT(price), value);
        STORE(AT(delta), MUL(PICK(call, d, SUB(zero, d)), share));
        STORE(AT(gamma), MUL(curvature, MUL(inverse_forward, inverse_forward)));
        STORE(AT(vega), MUL(weighted, root[j]));
        STORE(AT(theta), FMA(LOAD(AT(rate)), value, MUL(curvature, MUL(MUL(SET(-0.5), v), v))));
    }
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
#undef AT
#undef CAT
#undef CAT_
