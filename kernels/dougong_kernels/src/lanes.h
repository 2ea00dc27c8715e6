// What the kernels without a matrix product share: vectors read and written in either dtype, in
// parts at the end of a row, past the caches where the result is too large for them; work split
// over threads; large pages for large results.
#pragma once
#include "vector.h"
#if defined(__linux__)
#include <sys/mman.h>
#endif

namespace {

typedef uint16_t Halves __attribute__((vector_size(2 * WIDTH)));

// To the nearest, ties to even; a NaN stays one.
inline Halves rounded(Vec v) {
#if AVX512
#if defined(__AVX512BF16__)
    // The instruction takes subnormal numbers for 0; they are rare and go the long way.
    const bool has_subnormal = _mm512_fpclass_ps_mask((__m512)v, 0x20);
    if (__builtin_expect(!has_subnormal, 1)) return (Halves)_mm512_cvtneps_pbh((__m512)v);
#endif
    const __m512i b = (__m512i)v;
    const __m512i odd = _mm512_and_si512(_mm512_srli_epi32(b, 16), _mm512_set1_epi32(1));
    const __m512i up = _mm512_add_epi32(_mm512_add_epi32(b, odd), _mm512_set1_epi32(0x7fff));
    const __mmask16 is_nan = _mm512_cmp_ps_mask((__m512)v, (__m512)v, _CMP_UNORD_Q);
    return (Halves)_mm512_cvtepi32_epi16(_mm512_mask_mov_epi32(
        _mm512_srli_epi32(up, 16), is_nan, _mm512_set1_epi32(0x7fc0)));
#else
    Halves h;
    put((bfloat16*)&h, v);
    return h;
#endif
}

// What is read back of a vector once it is written.
template <class T>
inline Vec kept(Vec v) {
    return v;
}
template <>
inline Vec kept<bfloat16>(Vec v) {
    const Halves h = rounded(v);
    return load((const bfloat16*)&h);
}

// Write a vector; `past` the caches where it is aligned to itself.
template <bool past>
inline void write(float* p, Vec v) {
#if AVX512
    if (past) return _mm512_stream_ps(p, (__m512)v);
#elif WIDTH == 8 && defined(__AVX__)
    if (past) return _mm256_stream_ps(p, (__m256)v);
#endif
    store(p, v);
}
template <bool past>
inline void write(bfloat16* p, Vec v) {
    const Halves h = rounded(v);
#if AVX512
    if (past) return _mm256_stream_si256((__m256i*)p, (__m256i)h);
#elif WIDTH == 8 && defined(__AVX__)
    if (past) return _mm_stream_si128((__m128i*)p, (__m128i)h);
#endif
    std::memcpy(p, &h, sizeof h);
}

// Fewer than W elements: the rest is zero, and not written.
template <class T>
inline Vec load_part(const T* p, int64_t n) {
    T room[W] = {};
    for (int64_t i = 0; i < n; i++) room[i] = p[i];
    return load(room);
}
template <class T>
inline void write_part(T* p, Vec v, int64_t n) {
    T room[W];
    write<false>(room, v);
    for (int64_t i = 0; i < n; i++) p[i] = room[i];
}

constexpr int64_t PAST_BYTES = 24 << 20;  // results beyond this do not stay in a cache anyway
constexpr int64_t LARGE_BYTES = 4 << 20;

// Say whether rows of `bytes` each of a result should be written past the caches.
inline bool past_caches(const void* out, int64_t row_bytes, int64_t bytes) {
    return WIDTH > 4 && bytes >= PAST_BYTES && (uintptr_t(out) | row_bytes) % 64 == 0;
}
inline void finish_past_caches() {
#if defined(__x86_64__)
    _mm_sfence();
#endif
}

// Memory that is new is cleared page by page as it is first written, and pages of 4 KiB cost more
// than the kernel itself: ask for those of 2 MiB.
inline void ask_for_large_pages(void* out, int64_t bytes) {
#if defined(__linux__) && defined(MADV_HUGEPAGE)
    if (bytes < LARGE_BYTES) return;
    const uintptr_t first = (uintptr_t(out) + 4095) & ~uintptr_t(4095);
    const uintptr_t last = (uintptr_t(out) + bytes) & ~uintptr_t(4095);
    madvise(reinterpret_cast<void*>(first), last - first, MADV_HUGEPAGE);
#else
    (void)out, (void)bytes;
#endif
}

// f(first, last) for shares of 0..n, whole multiples of `grain` but for the last.
template <class F>
inline void split(int64_t n, int64_t grain, int threads, F f) {
    const int64_t shares = (n + grain - 1) / grain;
    if (threads <= 1 || shares <= 1) return f(int64_t(0), n);
#pragma omp parallel for num_threads(threads) schedule(static)
    for (int t = 0; t < threads; t++) {
        const int64_t first = shares * t / threads * grain;
        const int64_t last = shares * (t + 1) / threads * grain;
        f(first, last < n ? last : n);
    }
}

}  // namespace
