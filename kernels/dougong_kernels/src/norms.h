// Norms of rows (layer, RMS), with the residual added first where there is one, forward and
// backward.
//
// A row is read from memory once; it is then in the first cache, and is passed over there again for
// the sum of its squares about the mean and for the output.
#pragma once
#include "interface.h"
#include "lanes.h"

namespace {

struct Moments {
    float mean, scale;
};

inline Vec only(Vec v, int64_t n) {
    float room[W];
    store(room, v);
    for (int64_t i = n; i < W; i++) room[i] = 0;
    return load(room);
}

// What the residual added, where there is one, leaves of elements i to i + W of the row.
template <class T>
struct Row {
    const T *x, *residual;
    T* sum;
    int64_t n;

    Vec at(int64_t i) const {
        if (!residual) return load(x + i);
        const Vec v = kept<T>(load(x + i) + load(residual + i));
        write<false>(sum + i, v);
        return v;
    }
    Vec part(int64_t i, int64_t rest) const {
        if (!residual) return load_part(x + i, rest);
        const Vec v = kept<T>(load_part(x + i, rest) + load_part(residual + i, rest));
        write_part(sum + i, v, rest);
        return v;
    }
    const T* made() const { return residual ? sum : x; }
};

// Sums of what the row differs from `pivot`, and of the squares of that.
struct Sums {
    float plain, squares;
};
template <bool plainly, class R>
inline Sums sums_about(const R& row, float pivot) {
    Vec plain[2]{}, squares[4]{};
    int64_t i = 0;
    for (; i + 4 * W <= row.n; i += 4 * W) {
#pragma GCC unroll 4
        for (int k = 0; k < 4; k++) {
            const Vec v = row.at(i + k * W) - pivot;
            if (plainly) plain[k % 2] += v;
            squares[k] += v * v;
        }
    }
    for (; i + W <= row.n; i += W) {
        const Vec v = row.at(i) - pivot;
        if (plainly) plain[0] += v;
        squares[0] += v * v;
    }
    if (const int64_t rest = row.n - i) {
        const Vec v = only(row.part(i, rest) - pivot, rest);
        if (plainly) plain[1] += v;
        squares[1] += v * v;
    }
    return {plainly ? sum_of(plain[0] + plain[1]) : 0.f,
            sum_of((squares[0] + squares[1]) + (squares[2] + squares[3]))};
}

inline float factor_of(float variance, float eps) {
    return 1.f / __builtin_sqrtf((variance < 0.f ? 0.f : variance) + eps);
}

// One pass where it is exact enough: about the mean of the row's beginning. Where that is more than
// the spread away from the mean, as in sorted rows, the difference of squares loses digits, and a
// second pass takes them about the mean itself.
template <bool centred, class T>
inline Moments moments_of(const Row<T>& row, float eps) {
    if (!centred) return {0.f, factor_of(sums_about<false>(row, 0.f).squares / row.n, eps)};
    const int64_t few = row.n < W ? row.n : W;
    Vec first = load_part(row.x, few);
    if (row.residual) first += load_part(row.residual, few);
    float pivot = sum_of(first) / few;
    pivot = pivot - pivot == 0.f ? pivot : 0.f;
    Sums s = sums_about<true>(row, pivot);
    float off = s.plain / row.n, variance = s.squares / row.n - off * off;
    if (!(off * off <= variance)) {
        const Row<T> again{row.made(), nullptr, nullptr, row.n};
        pivot += off;
        s = sums_about<true>(again, pivot);
        off = s.plain / row.n;  // what the mean misses by its own rounding
        variance = s.squares / row.n - off * off;
    }
    return {pivot + off, factor_of(variance, eps)};
}

// Four rows at once are more than the processor looks ahead at by itself: ask for the next ones.
template <class T>
inline void fetch_next(const Row<T>& row, const T* y, int64_t i) {
    if (!row.residual) return;
    __builtin_prefetch(row.x + row.n + i);
    __builtin_prefetch(row.residual + row.n + i);
    __builtin_prefetch(row.sum + row.n + i, 1);
    __builtin_prefetch(y + row.n + i, 1);
}

template <bool has_weight, bool has_bias, bool past, class T>
inline void scaled(const Row<T>& row, Moments m, const T* weight, const T* bias, T* y) {
    const T* x = row.made();
    const int64_t n = row.n;
    int64_t i = 0;
    for (; i + W <= n; i += W) {
        fetch_next(row, y, i);
        Vec v = (load(x + i) - m.mean) * m.scale;
        if (has_weight) v *= load(weight + i);
        if (has_bias) v += load(bias + i);
        write<past>(y + i, v);
    }
    if (const int64_t rest = n - i) {
        Vec v = (load_part(x + i, rest) - m.mean) * m.scale;
        if (has_weight) v *= load_part(weight + i, rest);
        if (has_bias) v += load_part(bias + i, rest);
        write_part(y + i, v, rest);
    }
}

template <bool centred, bool has_weight, bool has_bias, bool past, class T>
inline void normed_rows(const RowNorm& a) {
    split(a.rows, 1, a.threads, [&a](int64_t first, int64_t last) {
        for (int64_t r = first; r < last; r++) {
            const int64_t from = r * a.D;
            const T* residual = a.residual ? (const T*)a.residual + from : nullptr;
            const Row<T> row{(const T*)a.x + from, residual, (T*)a.sum + from, a.D};
            const Moments m = moments_of<centred>(row, a.eps);
            if (a.moments) a.moments[2 * r] = m.mean, a.moments[2 * r + 1] = m.scale;
            scaled<has_weight, has_bias, past>(row, m, (const T*)a.weight, (const T*)a.bias,
                                               (T*)a.y + from);
        }
        if (past) finish_past_caches();
    });
}

template <bool centred, bool past, class T>
inline void normed_with(const RowNorm& a) {
    if (a.weight && a.bias) return normed_rows<centred, true, true, past, T>(a);
    if (a.weight) return normed_rows<centred, true, false, past, T>(a);
    if (a.bias) return normed_rows<centred, false, true, past, T>(a);
    normed_rows<centred, false, false, past, T>(a);
}

template <class T>
inline void normed(const RowNorm& a) {
    const int64_t row_bytes = a.D * int64_t(sizeof(T)), bytes = a.rows * row_bytes;
    ask_for_large_pages(a.y, bytes);
    if (a.sum) ask_for_large_pages(a.sum, bytes);
    const bool past = past_caches(a.y, row_bytes, bytes);
    if (a.is_centred)
        past ? normed_with<true, true, T>(a) : normed_with<true, false, T>(a);
    else
        past ? normed_with<false, true, T>(a) : normed_with<false, false, T>(a);
}

void row_norm(const RowNorm* a) { a->is_bfloat16 ? normed<bfloat16>(*a) : normed<float>(*a); }

// With n = (x - mean) * scale and g = dy * weight: dx = scale * (g - mean(g) - n * mean(g * n)),
// without the term mean(g) where the norm is not centred, plus what flows into the sum itself.
template <bool centred, bool past, class T>
inline void row_back(const RowNormBackward& a, int64_t r, float* dweight, float* dbias) {
    const int64_t D = a.D;
    const T *x = (const T*)a.x + r * D, *dy = (const T*)a.dy + r * D, *w = (const T*)a.weight;
    const T* dsum = a.dsum ? (const T*)a.dsum + r * D : nullptr;
    T* dx = (T*)a.dx + r * D;
    const float mean = a.moments[2 * r], scale = a.moments[2 * r + 1];
    Vec total{}, along{};
    const auto meet = [&](int64_t i, Vec d, Vec v, Vec gain) {
        const Vec g = d * gain;
        if (centred) total += g;
        along += g * v;
        if (dweight) store(dweight + i, load(dweight + i) + d * v * scale);
        if (dbias) store(dbias + i, load(dbias + i) + d);
    };
    int64_t i = 0;
    for (; i + W <= D; i += W)
        meet(i, load(dy + i), load(x + i) - mean, w ? load(w + i) : all(1.f));
    if (const int64_t rest = D - i)  // the sums have room for whole vectors
        meet(i, load_part(dy + i, rest), only(load_part(x + i, rest) - mean, rest),
             w ? load_part(w + i, rest) : all(1.f));
    const float shift = centred ? sum_of(total) / D : 0.f;
    const float slope = sum_of(along) * scale * scale / D;
    const auto gradient = [&](Vec d, Vec v, Vec gain) {
        return scale * (d * gain - shift - (v - mean) * slope);
    };
    for (i = 0; i + W <= D; i += W) {
        Vec g = gradient(load(dy + i), load(x + i), w ? load(w + i) : all(1.f));
        if (dsum) g += load(dsum + i);
        write<past>(dx + i, g);
    }
    if (const int64_t rest = D - i) {
        Vec g = gradient(load_part(dy + i, rest), load_part(x + i, rest),
                         w ? load_part(w + i, rest) : all(1.f));
        if (dsum) g += load_part(dsum + i, rest);
        write_part(dx + i, g, rest);
    }
}

// Add up `parts` rows of `width` floats, `stride` apart, into n elements of the dtype.
template <class T>
inline void added_up(const float* partial, int64_t parts, int64_t stride, T* out, int64_t n) {
    for (int64_t i = 0; i < n; i += W) {
        Vec total{};
        for (int64_t p = 0; p < parts; p++) total += load(partial + p * stride + i);
        if (i + W <= n)
            write<false>(out + i, total);
        else
            write_part(out + i, total, n - i);
    }
}

// The rows are cut into parts, and what a part adds to the gradients of weight and bias is summed
// on its own, so that the result does not depend on the number of threads and no long sum loses its
// small terms. `partial` is (parts, 2, padded D).
template <bool centred, bool past, class T>
inline void normed_back(const RowNormBackward& a) {
    const int64_t width = (a.D + 15) / 16 * 16;
    split(a.parts, 1, a.threads, [&a, width](int64_t first, int64_t last) {
        for (int64_t p = first; p < last; p++) {
            float* part = a.partial ? a.partial + p * 2 * width : nullptr;
            float* dweight = a.dweight ? part : nullptr;
            float* dbias = a.dbias ? part + width : nullptr;
            for (int64_t i = 0; i < width; i++) {
                if (dweight) dweight[i] = 0;
                if (dbias) dbias[i] = 0;
            }
            for (int64_t r = a.rows * p / a.parts; r < a.rows * (p + 1) / a.parts; r++)
                row_back<centred, past, T>(a, r, dweight, dbias);
        }
        if (past) finish_past_caches();
    });
    if (a.dweight) added_up(a.partial, a.parts, 2 * width, (T*)a.dweight, a.D);
    if (a.dbias) added_up(a.partial + width, a.parts, 2 * width, (T*)a.dbias, a.D);
}

template <class T>
inline void row_norm_back(const RowNormBackward& a) {
    const int64_t row_bytes = a.D * int64_t(sizeof(T)), bytes = a.rows * row_bytes;
    ask_for_large_pages(a.dx, bytes);
    const bool past = past_caches(a.dx, row_bytes, bytes);
    if (a.is_centred)
        past ? normed_back<true, true, T>(a) : normed_back<true, false, T>(a);
    else
        past ? normed_back<false, true, T>(a) : normed_back<false, false, T>(a);
}

void row_norm_backward(const RowNormBackward* a) {
    a->is_bfloat16 ? row_norm_back<bfloat16>(*a) : row_norm_back<float>(*a);
}

}  // namespace
