// The one product everything is made of: C[r][lanes] = C * factor + sum_k A[r][k] * B[k][lanes].
// A is read by broadcast where it lies, so that keys and values are never repacked; B has its lanes
// side by side. R rows by V vectors of sums stay in registers.
#pragma once
#include "vector.h"

namespace {

#if WIDTH == 16
constexpr int ROWS = 12, VECTORS = 2;  // 24 of 32 registers
#elif WIDTH == 8
constexpr int ROWS = 6, VECTORS = 2;  // 12 of 16
#else
constexpr int ROWS = 4, VECTORS = 2;
#endif
constexpr int LANES = VECTORS * W;

struct Strided {
    const float* at;
    int64_t row, step;  // elements from one row to the next, and from one term to the next
};

enum Start { ZERO, KEEP, SCALE };

template <int R, Start S>
inline void tile(const Strided& a, const float* b, int64_t ldb, int64_t terms, float* c,
                 int64_t ldc, const float* factor) {
    Vec sum[R][VECTORS];
#pragma GCC unroll 16
    for (int r = 0; r < R; r++)
#pragma GCC unroll 4
        for (int v = 0; v < VECTORS; v++) {
            if (S == ZERO) sum[r][v] = Vec{};
            if (S == KEEP) sum[r][v] = load(c + r * ldc + v * W);
            if (S == SCALE) sum[r][v] = load(c + r * ldc + v * W) * load(factor + v * W);
        }
    const float* at = a.at;
    for (int64_t k = 0; k < terms; k++, at += a.step, b += ldb) {
        Vec right[VECTORS];
#pragma GCC unroll 4
        for (int v = 0; v < VECTORS; v++) right[v] = load(b + v * W);
#pragma GCC unroll 16
        for (int r = 0; r < R; r++) {
            const Vec left = all(at[r * a.row]);
#pragma GCC unroll 4
            for (int v = 0; v < VECTORS; v++) sum[r][v] += left * right[v];
        }
    }
#pragma GCC unroll 16
    for (int r = 0; r < R; r++)
#pragma GCC unroll 4
        for (int v = 0; v < VECTORS; v++) store(c + r * ldc + v * W, sum[r][v]);
}

template <int R, Start S>
inline void remainder(int rows, const Strided& a, const float* b, int64_t ldb, int64_t terms,
                      float* c, int64_t ldc, const float* factor) {
    if (rows == R) return tile<R, S>(a, b, ldb, terms, c, ldc, factor);
    if constexpr (R > 1) remainder<R - 1, S>(rows, a, b, ldb, terms, c, ldc, factor);
}

// `rows` rows of the product, for one group of LANES lanes.
template <Start S>
inline void product(int64_t rows, Strided a, const float* b, int64_t ldb, int64_t terms, float* c,
                    int64_t ldc, const float* factor = nullptr) {
    for (; rows >= ROWS; rows -= ROWS, a.at += ROWS * a.row, c += ROWS * ldc)
        tile<ROWS, S>(a, b, ldb, terms, c, ldc, factor);
    if (rows) remainder<ROWS - 1, S>(int(rows), a, b, ldb, terms, c, ldc, factor);
}

}  // namespace
