/* One vector type for both widths, named after what it does; plain C only where neither is there. */
#if defined(__clang__)
#pragma clang fp contract(off)
#else
#pragma GCC optimize("fp-contract=off")
#endif
/* Fused where FMA is written and nowhere else, as in the kernels: results are compared bit for bit. */
#include <math.h>
#include <stdint.h>
#include <string.h>
#include "polynomials.h"

#if defined(__AVX512F__)
#include <immintrin.h>
#define LANES 8
typedef __m512d vec;
typedef __m512i bitvec;
typedef __mmask8 mask;
#define SET(x) _mm512_set1_pd(x)
#define LOAD(p) _mm512_loadu_pd(p)
#define STORE(p, x) _mm512_storeu_pd(p, x)
#define ADD _mm512_add_pd
#define SUB _mm512_sub_pd
#define MUL _mm512_mul_pd
#define DIV _mm512_div_pd
#define SQRT _mm512_sqrt_pd
#define FMA _mm512_fmadd_pd
#define FNMA _mm512_fnmadd_pd
#define MIN _mm512_min_pd
#define MAX _mm512_max_pd
#define ABS _mm512_abs_pd
#define BITS _mm512_castpd_si512
#define FLOAT _mm512_castsi512_pd
#define SETI(x) _mm512_set1_epi64(x)
#define ADDI _mm512_add_epi64
#define SUBI _mm512_sub_epi64
#define ANDI _mm512_and_si512
#define ORI _mm512_or_si512
#define SHL _mm512_slli_epi64
#define SHR _mm512_srli_epi64
#define GT(a, b) _mm512_cmp_pd_mask(a, b, _CMP_GT_OQ)
#define LE(a, b) _mm512_cmp_pd_mask(a, b, _CMP_LE_OQ)
#define GE(a, b) _mm512_cmp_pd_mask(a, b, _CMP_GE_OQ)
#define PICK(m, a, b) _mm512_mask_blend_pd(m, b, a) /* a where m, else b */
#define KEEP(m, a) _mm512_maskz_mov_pd(m, a)
#define NEGATE_WHERE(m, a) _mm512_mask_sub_pd(a, m, _mm512_setzero_pd(), a)
#define SAME(m, n) _mm512_kxnor(m, n)
static inline mask load_mask(const uint8_t *p) {
    return _mm_test_epi8_mask(_mm_loadl_epi64((const __m128i *)p), _mm_set1_epi8(-1));
}
#elif defined(__AVX2__) && defined(__FMA__)
#include <immintrin.h>
#define LANES 4
typedef __m256d vec;
typedef __m256i bitvec;
typedef __m256d mask;
#define SET(x) _mm256_set1_pd(x)
#define LOAD(p) _mm256_loadu_pd(p)
#define STORE(p, x) _mm256_storeu_pd(p, x)
#define ADD _mm256_add_pd
#define SUB _mm256_sub_pd
#define MUL _mm256_mul_pd
#define DIV _mm256_div_pd
#define SQRT _mm256_sqrt_pd
#define FMA _mm256_fmadd_pd
#define FNMA _mm256_fnmadd_pd
#define MIN _mm256_min_pd
#define MAX _mm256_max_pd
#define ABS(x) _mm256_andnot_pd(SET(-0.0), x)
#define BITS _mm256_castpd_si256
#define FLOAT _mm256_castsi256_pd
#define SETI(x) _mm256_set1_epi64x(x)
#define ADDI _mm256_add_epi64
#define SUBI _mm256_sub_epi64
#define ANDI _mm256_and_si256
#define ORI _mm256_or_si256
#define SHL _mm256_slli_epi64
#define SHR _mm256_srli_epi64
#define GT(a, b) _mm256_cmp_pd(a, b, _CMP_GT_OQ)
#define LE(a, b) _mm256_cmp_pd(a, b, _CMP_LE_OQ)
#define GE(a, b) _mm256_cmp_pd(a, b, _CMP_GE_OQ)
#define PICK(m, a, b) _mm256_blendv_pd(b, a, m)
#define KEEP(m, a) _mm256_and_pd(m, a)
#define NEGATE_WHERE(m, a) _mm256_xor_pd(a, _mm256_and_pd(m, SET(-0.0)))
#define SAME(m, n) _mm256_xor_pd(m, _mm256_xor_pd(n, FLOAT(SETI(-1))))
static inline mask load_mask(const uint8_t *p) {
    int32_t four;
    memcpy(&four, p, 4);
    return FLOAT(SUBI(_mm256_setzero_si256(), _mm256_cvtepu8_epi64(_mm_cvtsi32_si128(four))));
}
#else
#define LANES 1
typedef double vec;
typedef uint64_t bitvec;
typedef int mask;
#define SET(x) (x)
#define LOAD(p) (*(p))
#define STORE(p, x) (*(p) = (x))
#define ADD(a, b) ((a) + (b))
#define SUB(a, b) ((a) - (b))
#define MUL(a, b) ((a) * (b))
#define DIV(a, b) ((a) / (b))
#define SQRT sqrt
#define FMA(a, b, c) ((a) * (b) + (c))
#define FNMA(a, b, c) ((c) - (a) * (b))
#define MIN fmin
#define MAX fmax
#define ABS fabs
static inline uint64_t BITS(double x) { uint64_t u; memcpy(&u, &x, 8); return u; }
static inline double FLOAT(uint64_t u) { double x; memcpy(&x, &u, 8); return x; }
#define SETI(x) ((uint64_t)(x))
#define ADDI(a, b) ((a) + (b))
#define SUBI(a, b) ((a) - (b))
#define ANDI(a, b) ((a) & (b))
#define ORI(a, b) ((a) | (b))
#define SHL(a, n) ((a) << (n))
#define SHR(a, n) ((a) >> (n))
#define GT(a, b) ((a) > (b))
#define LE(a, b) ((a) <= (b))
#define GE(a, b) ((a) >= (b))
#define PICK(m, a, b) ((m) ? (a) : (b))
#define KEEP(m, a) ((m) ? (a) : 0.0)
#define NEGATE_WHERE(m, a) ((m) ? -(a) : (a))
#define SAME(m, n) ((m) == (n))
static inline mask load_mask(const uint8_t *p) { return *p; }
#endif

/* V vectors side by side: every constant is loaded once for all of them. */
#define SHORT_BLOCK 512 /* rows of the short loops, a multiple of all vectors side by side */
#define EACH for (int j = 0; j < V; j++)
#define INLINE static inline __attribute__((always_inline))

#define HORNER(out, x, table)                                                      \
    do {                                                                           \
        const int last_ = sizeof(table) / sizeof(table[0]) - 1;                    \
        EACH out[j] = SET(table[last_]);                                           \
        _Pragma("GCC unroll 16") for (int k_ = last_ - 1; k_ >= 0; k_--) {         \
            const vec c_ = SET(table[k_]);                                         \
            EACH out[j] = FMA(out[j], x[j], c_);                                   \
        }                                                                          \
    } while (0)
