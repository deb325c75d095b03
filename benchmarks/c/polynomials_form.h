/* exp and ln(a/b) of kernels/polynomials.py, V vectors side by side. Included once per V. */
#define CAT_(a, b) a##_##b
#define CAT(a, b) CAT_(a, b)

INLINE void CAT(exp_of, V)(const vec *x, vec *out) {
    vec shifted[V], r[V], p[V];
    EACH {
        shifted[j] = FMA(x[j], SET(1.4426950408889634), SET(6755399441055744.0));
        vec n = SUB(shifted[j], SET(6755399441055744.0));
        r[j] = FNMA(n, SET(1.9082149292705877e-10), FNMA(n, SET(0.6931471803691238), x[j]));
    }
    HORNER(p, r, EXP);
    EACH out[j] = FLOAT(ADDI(BITS(p[j]), SHL(BITS(shifted[j]), 52)));
}

INLINE void CAT(log_ratio, V)(const vec *a, const vec *b, vec *out) {
    vec n[V], f[V], z[V], p[V];
    EACH {
        bitvec apart = SUBI(ADDI(BITS(a[j]), SETI(0x3FF8000000000000)), BITS(b[j]));
        n[j] = SUB(FLOAT(ORI(SHR(apart, 52), SETI(0x4330000000000000))), SET(4503599627371519.0));
        vec near = MUL(b[j], FLOAT(ANDI(apart, SETI(0xFFF0000000000000))));
        f[j] = DIV(SUB(a[j], near), ADD(a[j], near));
        z[j] = MUL(f[j], f[j]);
    }
    HORNER(p, z, LOG);
    EACH out[j] = FMA(n[j], SET(0.6931471805599453), MUL(f[j], p[j]));
}

/* The loops of kernels/black76_loops.py: n(a), and the Mills ratio at |x| as a quotient. */
INLINE void CAT(densities, V)(int64_t n, const double *a, double *out) {
    for (int64_t i = 0; i < n; i += V * LANES) {
        vec y[V], t[V], e[V];
        EACH {
            const vec x = LOAD(a + i + j * LANES);
            y[j] = FMA(x, MUL(SET(-0.5), x), SET(-0.9189385332046727));
            t[j] = MAX(y[j], SET(-708.0));
        }
        CAT(exp_of, V)(t, e);
        EACH STORE(out + i + j * LANES, KEEP(GE(y[j], SET(-708.0)), e[j]));
    }
}

INLINE void CAT(mills, V)(int64_t n, const double *x, double *above, double *under) {
    for (int64_t i = 0; i < n; i += V * LANES) {
        vec far[V], p[V], q[V];
        EACH far[j] = ABS(LOAD(x + i + j * LANES));
        HORNER(q, far, MILLS_Q);
        HORNER(p, far, MILLS_P);
        EACH {
            STORE(above + i + j * LANES, p[j]);
            STORE(under + i + j * LANES, q[j]);
        }
    }
}
#undef CAT
#undef CAT_
