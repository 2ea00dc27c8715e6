// Element types and elementary functions, written so that a compiler turns loops over them into
// vector code. Everything is computed in float; bfloat16 is only how a number is stored.
#pragma once
#include <cmath>
#include <cstdint>
#include <cstring>

struct bfloat16 {
    uint16_t bits;
};

inline float as_float(uint32_t bits) {
    float value;
    std::memcpy(&value, &bits, sizeof value);
    return value;
}

inline uint32_t as_bits(float value) {
    uint32_t bits;
    std::memcpy(&bits, &value, sizeof bits);
    return bits;
}

inline float load(const float* p) { return *p; }
inline float load(const bfloat16* p) { return as_float(uint32_t(p->bits) << 16); }

inline void store(float* p, float value) { *p = value; }
inline void store(bfloat16* p, float value) {
    // Round to nearest, ties to even; a NaN stays one.
    const uint32_t bits = as_bits(value);
    const uint32_t rounded = (bits + 0x7fff + ((bits >> 16) & 1)) >> 16;
    p->bits = uint16_t((bits & 0x7fffffff) > 0x7f800000 ? 0x7fc0 : rounded);
}

// 2^x within 2 units in the last place: the exponent from the nearest integer, the rest from a
// polynomial fitted to 2^f on [-1/2, 1/2], exact at 0. Infinite from 127.5 up, 2^-126 below -126.
inline float exp2_of(float x) {
    x = x > 128.f ? 128.f : x;
    x = x < -126.f ? -126.f : x;
    const float whole = std::nearbyint(x);
    const float f = x - whole;
    float p = 1.5353362e-4f;
    p = p * f + 1.3398875e-3f;
    p = p * f + 9.61843692e-3f;
    p = p * f + 5.55033237e-2f;
    p = p * f + 2.40226477e-1f;
    p = p * f + 6.93147182e-1f;
    p = p * f + 1.f;
    return p * as_float(uint32_t(int32_t(whole) + 127) << 23);
}

// 1 / (1 + e^-x) and what it lacks to 1, each to its own last bits.
struct Sigmoid {
    float value, rest;
};

inline Sigmoid sigmoid(float x) {
    const float small = exp2_of(-1.44269504f * (x < 0.f ? -x : x));
    const float larger = 1.f / (1.f + small), smaller = small * larger;
    return {x < 0.f ? smaller : larger, x < 0.f ? larger : smaller};
}

// Probability that a normal variable lies above a >= 0, as 2^q(a). The polynomial q was fitted to
// log2 of it on [0, 9], exact at 0 and weighted so that max(a, 1) * 2^q(a) is within 4e-8.
inline float normal_above(float a) {
    float q = -1.77187474e-8f;
    q = q * a + 6.12935082e-7f;
    q = q * a - 8.76316153e-6f;
    q = q * a + 6.59511788e-5f;
    q = q * a - 2.50273471e-4f;
    q = q * a - 4.99063972e-5f;
    q = q * a + 6.99764164e-3f;
    q = q * a - 5.24702258e-2f;
    q = q * a - 4.5921281e-1f;
    q = q * a - 1.15110493f;
    q = q * a - 1.f;
    return exp2_of(q);
}
