// Moving blocks of rows to and from the layouts the products want.
#pragma once
#include <cstdlib>

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

// `rows` rows of D as (D, ld), rows side by side in lanes; missing rows are zero.
template <class T>
inline void across(const T* from, int64_t stride, int64_t rows, int64_t D, float factor, float* to,
                   int64_t ld) {
    for (int64_t d0 = 0; d0 < D; d0 += 16)
        for (int64_t r = 0; r < ld; r++)
            for (int64_t d = d0; d < least(D, d0 + 16); d++)
                to[d * ld + r] = r < rows ? factor * scalar(from + r * stride + d) : 0.f;
}

// The rows as float, `ld` apart; float rows are read where they are.
inline Strided rows_of(const float* from, int64_t stride, int64_t, int64_t, float*) {
    return {from, stride, 1};
}
inline Strided rows_of(const bfloat16* from, int64_t stride, int64_t rows, int64_t D, float* to) {
    for (int64_t r = 0; r < rows; r++) {
        int64_t d = 0;
        for (; d + W <= D; d += W) store(to + r * D + d, load(from + r * stride + d));
        for (; d < D; d++) to[r * D + d] = scalar(from + r * stride + d);
    }
    return {to, D, 1};
}
inline Strided turned(Strided a) { return {a.at, a.step, a.row}; }

// How many keys query t of T sees.
inline int64_t seen_by(const Attention& a, int64_t t) {
    if (!a.is_causal) return a.S;
    return most(0, least(a.S, t + 1 + a.S - a.T));
}

// Hide from each lane the keys past those it sees. `scores` holds keys x lanes, the first key is
// `key` and the first lane query `t`.
inline void hide(const Attention& a, float* scores, int64_t ld, int64_t key, int64_t keys,
                 int64_t t) {
    if (!a.is_causal || key + keys <= seen_by(a, t)) return;
    for (int64_t lane = 0; lane < LANES; lane++)
        for (int64_t j = most(0, seen_by(a, least(t + lane, a.T - 1)) - key); j < keys; j++)
            scores[j * ld + lane] = LOWEST;
}

}  // namespace
