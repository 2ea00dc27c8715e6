// The one product everything is made of: C[r][lanes] = C * factor + sum_k A[r][k] * B[k][lanes].
// A is read by broadcast where it lies, so that keys and values are never turned; B has its lanes
// side by side. R rows by V vectors of sums stay in registers. A term is a float, or a pair of
// bfloat16.
#pragma once
#include "pairs.h"

namespace {

#if WIDTH == 16
constexpr int ROWS = 6, VECTORS = 4;  // 24 of 32 registers
#elif WIDTH == 8
constexpr int ROWS = 6, VECTORS = 2;  // 12 of 16
#else
constexpr int ROWS = 4, VECTORS = 2;
#endif
constexpr int LANES = VECTORS * W;

template <class Term>
struct Strided {
    const Term* at;
    int64_t row, step;  // terms from one row to the next, and from one term of a row to the next
};
template <class Term>
inline Strided<Term> turned(Strided<Term> a) {
    return {a.at, a.step, a.row};
}

inline Vec plus_product(Vec sum, Vec left, Vec right) { return sum + left * right; }
inline Vec as_terms(Vec bits, const float*) { return bits; }
inline Vec all(const float* p) { return all(*p); }
#if HAS_PAIRS
inline Ints as_terms(Vec bits, const Pair*) { return (Ints)bits; }
inline Ints all(const Pair* p) {
    Pair x;
    std::memcpy(&x, p, sizeof x);
    return all(x);
}
#endif

enum Start { ZERO, KEEP, SCALE };

template <int R, int V, Start S, class Term>
inline void tile(const Strided<Term>& a, const Term* b, int64_t ldb, int64_t terms, float* c,
                 int64_t ldc, const float* factor) {
    Vec sum[R][V];
#pragma GCC unroll 16
    for (int r = 0; r < R; r++)
#pragma GCC unroll 4
        for (int v = 0; v < V; v++) {
            if (S == ZERO) sum[r][v] = Vec{};
            if (S == KEEP) sum[r][v] = load(c + r * ldc + v * W);
            if (S == SCALE) sum[r][v] = load(c + r * ldc + v * W) * load(factor + v * W);
        }
    const Term* at = a.at;
    for (int64_t k = 0; k < terms; k++, at += a.step, b += ldb) {
        decltype(load(b)) right[V];
#pragma GCC unroll 4
        for (int v = 0; v < V; v++) right[v] = load(b + v * W);
#pragma GCC unroll 16
        for (int r = 0; r < R; r++) {
            const auto left = all(at + r * a.row);
#pragma GCC unroll 4
            for (int v = 0; v < V; v++) sum[r][v] = plus_product(sum[r][v], left, right[v]);
        }
    }
#pragma GCC unroll 16
    for (int r = 0; r < R; r++)
#pragma GCC unroll 4
        for (int v = 0; v < V; v++) store(c + r * ldc + v * W, sum[r][v]);
}

template <int R, int V, Start S, class Term>
inline void remainder(int rows, const Strided<Term>& a, const Term* b, int64_t ldb, int64_t terms,
                      float* c, int64_t ldc, const float* factor) {
    if (rows == R) return tile<R, V, S>(a, b, ldb, terms, c, ldc, factor);
    if constexpr (R > 1) remainder<R - 1, V, S>(rows, a, b, ldb, terms, c, ldc, factor);
}

struct Nothing {
    void operator()(int64_t, int64_t) const {}
};

// `rows` rows of the product, for one group of V vectors of lanes. `ahead(first, count)` is called
// before each tile of rows, so that what comes next is fetched in between.
template <Start S, int V = VECTORS, class Term, class Ahead = Nothing>
inline void product(int64_t rows, Strided<Term> a, const Term* b, int64_t ldb, int64_t terms,
                    float* c, int64_t ldc, const float* factor = nullptr, Ahead ahead = {}) {
    int64_t r = 0;
    for (; r + ROWS <= rows; r += ROWS, a.at += ROWS * a.row, c += ROWS * ldc) {
        ahead(r, ROWS);
        tile<ROWS, V, S>(a, b, ldb, terms, c, ldc, factor);
    }
    if (r < rows) remainder<ROWS - 1, V, S>(int(rows - r), a, b, ldb, terms, c, ldc, factor);
}

// The same for lanes that need not fill the group: as few vectors as hold them.
template <Start S, class Term, class Ahead = Nothing>
inline void product_of(int64_t lanes, int64_t rows, Strided<Term> a, const Term* b, int64_t ldb,
                       int64_t terms, float* c, int64_t ldc, const float* factor = nullptr,
                       Ahead ahead = {}) {
    if (lanes <= W) return product<S, 1>(rows, a, b, ldb, terms, c, ldc, factor, ahead);
    if (lanes <= 2 * W) return product<S, 2>(rows, a, b, ldb, terms, c, ldc, factor, ahead);
    return product<S>(rows, a, b, ldb, terms, c, ldc, factor, ahead);
}

}  // namespace
