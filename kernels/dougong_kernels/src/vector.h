// One vector type a level, by the compiler's own vector extension: the same source is built once
// for every instruction set (flags: hatch_build.py), and everything here has internal linkage, so
// that no level can end up with the code of another.
#pragma once
#include <cstdint>
#include <cstring>
#if defined(__x86_64__)
#include <immintrin.h>
#endif

#ifndef WIDTH
#define WIDTH 4
#endif
#if WIDTH == 16 && defined(__AVX512F__)
#define AVX512 1
#endif

namespace {

constexpr int W = WIDTH;
typedef float Vec __attribute__((vector_size(4 * WIDTH)));
typedef int32_t Ints __attribute__((vector_size(4 * WIDTH)));

struct bfloat16 {
    uint16_t bits;
};

constexpr float INFINITE = __builtin_inff();
constexpr float LOWEST = -1e30f;  // below every score, and finite: LOWEST - LOWEST is 0, not NaN

inline Vec load(const float* p) {
    Vec v;
    std::memcpy(&v, p, sizeof v);
    return v;
}
inline void store(float* p, Vec v) { std::memcpy(p, &v, sizeof v); }
inline Vec all(float x) { return x - Vec{}; }
inline Ints bits_of(Vec v) { return (Ints)v; }

inline Vec load(const bfloat16* p) {
    typedef uint16_t Half __attribute__((vector_size(2 * WIDTH)));
    Half h;
    std::memcpy(&h, p, sizeof h);
    return (Vec)(__builtin_convertvector(h, Ints) << 16);
}

inline float scalar(const float* p) { return *p; }
inline float scalar(const bfloat16* p) {
    const uint32_t wide = uint32_t(p->bits) << 16;
    float x;
    std::memcpy(&x, &wide, sizeof x);
    return x;
}

inline void put(float* p, float x) { *p = x; }
inline void put(bfloat16* p, float x) {
    // To the nearest, ties to even; a NaN stays one.
    uint32_t b;
    std::memcpy(&b, &x, sizeof b);
    const uint32_t rounded = (b + 0x7fff + ((b >> 16) & 1)) >> 16;
    p->bits = uint16_t((b & 0x7fffffff) > 0x7f800000 ? 0x7fc0 : rounded);
}

// W numbers to memory, as `put` does it.
inline void put(float* p, Vec v) { store(p, v); }
inline void put(bfloat16* p, Vec v) {
    typedef uint16_t Half __attribute__((vector_size(2 * WIDTH)));
    typedef uint32_t Bits __attribute__((vector_size(4 * WIDTH)));
    const Bits b = (Bits)v, rounded = (b + 0x7fff + ((b >> 16) & 1)) >> 16;
    const Bits is_nan = (Bits)(v != v);
    const Half h = __builtin_convertvector((rounded & ~is_nan) | (is_nan & 0x7fc0), Half);
    std::memcpy(p, &h, sizeof h);
}

// The larger of two; the second where either is NaN.
inline Vec larger(Vec a, Vec b) {
#if AVX512
    return (Vec)_mm512_max_ps((__m512)a, (__m512)b);
#elif WIDTH == 8 && defined(__AVX__)
    return (Vec)_mm256_max_ps((__m256)a, (__m256)b);
#else
    return a > b ? a : b;
#endif
}

// Whether any lane of a comparison holds.
inline bool any_of(Ints holds) {
#if AVX512
    return _mm512_movepi32_mask((__m512i)holds) != 0;
#elif WIDTH == 8 && defined(__AVX__)
    return _mm256_movemask_ps((__m256)holds) != 0;
#else
    int32_t found = 0;
    for (int i = 0; i < W; i++) found |= holds[i];
    return found != 0;
#endif
}

inline float sum_of(Vec v) {
#if AVX512
    return _mm512_reduce_add_ps((__m512)v);
#else
    float parts[W];
    std::memcpy(parts, &v, sizeof v);
    for (int half = W / 2; half; half /= 2)
        for (int i = 0; i < half; i++) parts[i] += parts[i + half];
    return parts[0];
#endif
}

// Polynomials for 2^f, 1 at f = 0, of the least largest relative error (fitted by us, by linear
// programming): 1.4e-7 in float32 arithmetic with 5 terms, 1e-4 with 3, which is a twentieth of
// what rounding to bfloat16 takes.
struct Fine {
    static inline Vec power(Vec f) {
#if AVX512  // on [0, 1)
        Vec p = all(1.86713564e-3f);
        p = p * f + 9.01701581e-3f;
        p = p * f + 5.57999276e-2f;
        p = p * f + 2.40164444e-1f;
        p = p * f + 6.93151295e-1f;
#else  // on [-1/2, 1/2]
        Vec p = all(1.3264739e-3f);
        p = p * f + 9.67151299e-3f;
        p = p * f + 5.55073358e-2f;
        p = p * f + 2.40222424e-1f;
        p = p * f + 6.93147004e-1f;
#endif
        return p * f + 1.f;
    }
};
struct Coarse {
    static inline Vec power(Vec f) {
#if AVX512
        Vec p = all(7.70670474e-2f);
        p = p * f + 2.27644995e-1f;
        p = p * f + 6.95116758e-1f;
#else
        Vec p = all(5.50089329e-2f);
        p = p * f + 2.42210954e-1f;
        p = p * f + 6.93282902e-1f;
#endif
        return p * f + 1.f;
    }
};

// 2^x for x <= 127, 0 far below -126. A NaN stays one.
template <class Precision = Fine>
inline Vec exp2_of(Vec x) {
#if AVX512
    const Vec f = (Vec)_mm512_reduce_ps((__m512)x, _MM_FROUND_TO_NEG_INF);
    return (Vec)_mm512_scalef_ps((__m512)Precision::power(f), (__m512)x);
#else
    // The nearest integer is read off the last bits of x + 1.5 * 2^23.
    const Vec magic = all(12582912.f);
    const Vec bounded = larger(all(-126.f), x);
    const Vec shifted = bounded + magic;
    const Vec p = Precision::power(bounded - (shifted - magic));
    const Vec power = (Vec)(bits_of(p) + (bits_of(shifted) << 23));
    return (Vec)(bits_of(power) & ~(Ints)(x < -126.f));
#endif
}

}  // namespace
