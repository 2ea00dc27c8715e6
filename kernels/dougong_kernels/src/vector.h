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
inline Vec all(float x) {
#if WIDTH == 16
    return Vec{x, x, x, x, x, x, x, x, x, x, x, x, x, x, x, x};
#elif WIDTH == 8
    return Vec{x, x, x, x, x, x, x, x};
#else
    return Vec{x, x, x, x};
#endif
}
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

inline Vec larger(Vec a, Vec b) {
#if WIDTH == 16 && defined(__AVX512F__)
    return (Vec)_mm512_max_ps((__m512)a, (__m512)b);
#elif WIDTH == 8 && defined(__AVX__)
    return (Vec)_mm256_max_ps((__m256)a, (__m256)b);
#else
    return a > b ? a : b;
#endif
}

inline float sum_of(Vec v) {
    float parts[W], total = 0;
    std::memcpy(parts, &v, sizeof v);
    for (int half = W / 2; half; half /= 2)
        for (int i = 0; i < half; i++) parts[i] += parts[i + half];
    total = parts[0];
    return total;
}

// 2^x for x <= 128 within 2 units in the last place, and 0 below -126. The exponent is that of the
// nearest integer, read off the last bits of x + 1.5 * 2^23; the rest is a polynomial fitted to 2^f
// on [-1/2, 1/2], exact at 0. A NaN stays one.
inline Vec exp2_of(Vec x) {
    const Vec magic = all(12582912.f);
    const Vec bounded = larger(all(-126.f), x);
    const Vec shifted = bounded + magic;
    const Vec f = bounded - (shifted - magic);
    Vec p = all(1.5353362e-4f);
    p = p * f + 1.3398875e-3f;
    p = p * f + 9.61843692e-3f;
    p = p * f + 5.55033237e-2f;
    p = p * f + 2.40226477e-1f;
    p = p * f + 6.93147182e-1f;
    p = p * f + 1.f;
    const Vec power = (Vec)(bits_of(p) + (bits_of(shifted) << 23));
    return (Vec)(bits_of(power) & ~(Ints)(x < -126.f));
}

}  // namespace
