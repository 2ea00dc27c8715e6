// Moving blocks of rows to and from the layouts the products want.
#pragma once
#include <cstdlib>
#include <utility>

#include "interface.h"
#include "tile.h"

namespace {

constexpr int64_t QUERIES = 64;  // of a task; a multiple of LANES at every level
constexpr int64_t KEYS = 64;     // read at a time
constexpr float LOG2_E = 1.44269504088896341f;

inline int64_t least(int64_t a, int64_t b) { return a < b ? a : b; }
inline int64_t most(int64_t a, int64_t b) { return a > b ? a : b; }
inline int64_t padded(int64_t n) { return (n + LANES - 1) / LANES * LANES; }

// Memory of one thread, aligned for the widest vectors, given back at the end.
class Room {
  public:
    explicit Room(int64_t floats)
        : all_(static_cast<float*>(std::aligned_alloc(64, (floats * 4 + 63) / 64 * 64 + 64))),
          next_(all_) {}
    ~Room() { std::free(all_); }
    Room(const Room&) = delete;
    Room& operator=(const Room&) = delete;
    float* take(int64_t floats) {
        float* found = next_;
        next_ += (floats + 15) / 16 * 16;
        return found;
    }
    explicit operator bool() const { return all_ != nullptr; }

  private:
    float *all_, *next_;
};

template <class T>
inline const T* row_at(const void* base, const int64_t* strides, int64_t b, int64_t h, int64_t t) {
    return static_cast<const T*>(base) + b * strides[0] + h * strides[1] + t * strides[2];
}

// How many terms a row of D numbers has.
template <class Term>
constexpr int64_t PER_TERM = sizeof(Term) == sizeof(Pair) && !std::is_same_v<Term, float> ? 2 : 1;
template <class Term>
inline int64_t terms_of(int64_t D) {
    return (D + PER_TERM<Term> - 1) / PER_TERM<Term>;
}

// W terms of a row of which `left` numbers exist; the rest is zero. The bits of pairs travel as
// those of floats.
template <class Term, class T>
inline Vec fetched(const T* from, int64_t left) {
    constexpr int64_t N = W * PER_TERM<Term>;
    T part[N];
    if (left < N) {
        std::memset(part, 0, sizeof part);
        std::memcpy(part, from, sizeof(T) * size_t(left));
        from = part;
    }
    if constexpr (PER_TERM<Term> == 2) return load(reinterpret_cast<const float*>(from));
    else return load(from);
}

template <int HALF, size_t... I>
inline void exchange(Vec& a, Vec& b, std::index_sequence<I...>) {
#if defined(__clang__)
    const Vec low = __builtin_shufflevector(a, b, (int(I) & HALF ? W + int(I) - HALF : int(I))...);
    b = __builtin_shufflevector(a, b, (int(I) & HALF ? W + int(I) : int(I) + HALF)...);
#else
    const Vec low = __builtin_shuffle(a, b, Ints{(int(I) & HALF ? W + int(I) - HALF : int(I))...});
    b = __builtin_shuffle(a, b, Ints{(int(I) & HALF ? W + int(I) : int(I) + HALF)...});
#endif
    a = low;
}

// W rows of W turned in registers: halves change places at distance 1, 2, 4 and so on.
template <int HALF = 1>
inline void turn(Vec (&rows)[W]) {
#pragma GCC unroll 16
    for (int i = 0; i < W; i++)
        if (!(i & HALF)) exchange<HALF>(rows[i], rows[i + HALF], std::make_index_sequence<W>());
    if constexpr (HALF < W / 2) turn<HALF * 2>(rows);
}

// `rows` rows of D as (terms, ld), rows side by side in lanes; missing rows are zero.
template <class Term, class T>
inline void across(const T* from, int64_t stride, int64_t rows, int64_t D, float factor, Term* to,
                   int64_t ld) {
    const int64_t terms = terms_of<Term>(D);
    for (int64_t r = 0; r < ld; r += W)
        for (int64_t k = 0; k < terms; k += W) {
            const int64_t d = k * PER_TERM<Term>;
            Vec block[W];
            for (int i = 0; i < W; i++)
                block[i] = r + i < rows ? fetched<Term>(from + (r + i) * stride + d, D - d) : Vec{};
            turn(block);
            for (int i = 0; i < least(W, terms - k); i++)
                store(reinterpret_cast<float*>(to + (k + i) * ld + r),
                      PER_TERM<Term> == 1 ? block[i] * factor : block[i]);
        }
}

// The rows as terms along the row, as a rule where they lie.
inline Strided<float> rows_of(const float* from, int64_t stride, int64_t, int64_t, float*) {
    return {from, stride, 1};
}
inline Strided<float> rows_of(const bfloat16* from, int64_t stride, int64_t rows, int64_t D,
                              float* to) {
    for (int64_t r = 0; r < rows; r++) {
        int64_t d = 0;
        for (; d + W <= D; d += W) store(to + r * D + d, load(from + r * stride + d));
        for (; d < D; d++) to[r * D + d] = scalar(from + r * stride + d);
    }
    return {to, D, 1};
}

// The rows turned: terms run from one row to the next. Sets `tiny` where terms cannot hold them.
template <class T>
inline Strided<float> columns_of(const T* from, int64_t stride, int64_t rows, int64_t D, float* to,
                                 bool&) {
    return turned(rows_of(from, stride, rows, D, to));
}

#if HAS_PAIRS
inline Strided<Pair> rows_of(const bfloat16* from, int64_t stride, int64_t rows, int64_t D,
                             Pair* to) {
    if (D % 2 == 0 && stride % 2 == 0) return {reinterpret_cast<const Pair*>(from), stride / 2, 1};
    const int64_t terms = terms_of<Pair>(D);
    for (int64_t r = 0; r < rows; r++) {
        to[r * terms + terms - 1].bits = 0;
        std::memcpy(to + r * terms, from + r * stride, sizeof(bfloat16) * size_t(D));
    }
    return {to, terms, 1};
}
inline Strided<Pair> columns_of(const bfloat16* from, int64_t stride, int64_t rows, int64_t D,
                                Pair* to, bool& tiny) {
    int64_t r = 0;
    for (; r + 2 <= rows; r += 2)
        tiny |= interleave(from + r * stride, from + (r + 1) * stride, D, to + r / 2 * D);
    for (int64_t d = 0; r < rows && d < D; d++) {
        to[r / 2 * D + d].bits = from[r * stride + d].bits;
        tiny |= is_tiny(from[r * stride + d]);
    }
    return {to, 1, D};
}
#endif

template <class T>
inline void prefetch(const T* row, int64_t D) {
    for (int64_t d = 0; d < D; d += 64 / int64_t(sizeof(T))) __builtin_prefetch(row + d,0,2);
}

// The scale is applied to what scores lack to their maximum, so that it must not turn the order
// round, nor vanish beside LOWEST: then the queries take it.
inline bool scales_late(const Attention& a) { return a.scale > 1e-6f; }

// How many keys query t of T sees.
inline int64_t seen_by(const Attention& a, int64_t t) {
    if (!a.is_causal) return a.S;
    return most(0, least(a.S, t + 1 + a.S - a.T));
}

}  // namespace
