// Two bfloat16 side by side, as the instruction that multiplies and adds pairs wants them: terms of
// a product are then taken two at a time, rounded once, and summed in float32.
//
// Only levels built with AVX512_BF16 have it; elsewhere bfloat16 is how numbers are stored, and
// products are taken in float32.
#pragma once
#include "vector.h"

#if AVX512 && defined(__AVX512BF16__)
#define HAS_PAIRS 1
#else
#define HAS_PAIRS 0
#endif

namespace {

struct Pair {
    uint32_t bits;
};

#if HAS_PAIRS
inline Ints load(const Pair* p) {
    Ints v;
    std::memcpy(&v, p, sizeof v);
    return v;
}
inline Ints all(Pair p) { return int32_t(p.bits) - Ints{}; }
inline Vec plus_product(Vec sum, Ints left, Ints right) {
    return (Vec)_mm512_dpbf16_ps((__m512)sum, (__m512bh)left, (__m512bh)right);
}

// Lane by lane the pair of both, `first` the lower half.
inline Ints paired(Vec first, Vec second) {
    alignas(64) static constexpr uint16_t ORDER[32] = {
        0, 16, 1, 17, 2,  18, 3,  19, 4,  20, 5,  21, 6,  22, 7,  23,
        8, 24, 9, 25, 10, 26, 11, 27, 12, 28, 13, 29, 14, 30, 15, 31};
    const __m512i sides = (__m512i)_mm512_cvtne2ps_pbh((__m512)second, (__m512)first);
    return (Ints)_mm512_permutexvar_epi16(_mm512_load_si512(ORDER), sides);
}

// Numbers so small that products with weights would be lost: the instruction takes what lies below
// 2^-126 for zero, and gives zero for it. Here: other than zero and below 2^-100.
inline bool has_tiny(__m512i numbers) {
    const __m512i size = _mm512_and_si512(numbers, _mm512_set1_epi16(0x7fff));
    return _mm512_cmplt_epu16_mask(_mm512_sub_epi16(size, _mm512_set1_epi16(1)),
                                   _mm512_set1_epi16((27 << 7) - 1)) != 0;
}
inline bool is_tiny(bfloat16 x) {
    return (x.bits & 0x7fff) && (x.bits & 0x7fff) < 27 << 7;
}

// Two rows of n numbers as n pairs. Returns whether any of them is tiny.
inline bool interleave(const bfloat16* first, const bfloat16* second, int64_t n, Pair* to) {
    alignas(64) static constexpr uint16_t ORDER[64] = {
        0,  32, 1,  33, 2,  34, 3,  35, 4,  36, 5,  37, 6,  38, 7,  39, 8,  40, 9,  41, 10, 42,
        11, 43, 12, 44, 13, 45, 14, 46, 15, 47, 16, 48, 17, 49, 18, 50, 19, 51, 20, 52, 21, 53,
        22, 54, 23, 55, 24, 56, 25, 57, 26, 58, 27, 59, 28, 60, 29, 61, 30, 62, 31, 63};
    const __m512i low = _mm512_load_si512(ORDER), high = _mm512_load_si512(ORDER + 32);
    bool tiny = false;
    int64_t i = 0;
    for (; i + 32 <= n; i += 32) {
        const __m512i a = _mm512_loadu_si512(first + i), b = _mm512_loadu_si512(second + i);
        tiny |= has_tiny(a) | has_tiny(b);
        _mm512_storeu_si512(to + i, _mm512_permutex2var_epi16(a, low, b));
        _mm512_storeu_si512(to + i + 16, _mm512_permutex2var_epi16(a, high, b));
    }
    for (; i < n; i++) {
        tiny |= is_tiny(first[i]) | is_tiny(second[i]);
        to[i].bits = first[i].bits | uint32_t(second[i].bits) << 16;
    }
    return tiny;
}
#endif

}  // namespace
