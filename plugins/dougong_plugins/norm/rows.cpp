// Norms: of rows (layer, RMS) and of groups of channels, forward and backward.
//
// A row or group is read into cache once and passed over there three times: sum, squares about the
// mean, output.
#include <vector>

#include "lanes.h"

// A row as floats: itself, or widened once into `room`, because each pass would do it again.
inline const float* widened(const float* x, int64_t, std::vector<float>&) { return x; }
inline const float* widened(const bfloat16* x, int64_t n, std::vector<float>& room) {
    room.resize(n);
    float* __restrict wide = room.data();
#pragma omp simd
    for (int64_t i = 0; i < n; i++) wide[i] = load(x + i);
    return wide;
}

struct Moments {
    float mean, scale;
};

// Sums run in four independent parts each, to hide the latency of the addition.
template <bool centred>
inline Moments moments(const float* x, int64_t n, float eps) {
    const int64_t q = n / 4;
    float mean = 0;
    if (centred) {
        float a = 0, b = 0, c = 0, d = 0;
#pragma omp simd reduction(+ : a, b, c, d)
        for (int64_t i = 0; i < q; i++) {
            a += x[i];
            b += x[i + q];
            c += x[i + 2 * q];
            d += x[i + 3 * q];
        }
        for (int64_t i = 4 * q; i < n; i++) a += x[i];
        mean = ((a + b) + (c + d)) / n;
    }
    // What the mean misses by its own rounding shows in the sum of the differences from it.
    float missed = 0, a = 0, b = 0, c = 0, d = 0;
#pragma omp simd reduction(+ : missed, a, b, c, d)
    for (int64_t i = 0; i < q; i++) {
        const float v = x[i] - mean, w = x[i + q] - mean;
        const float y = x[i + 2 * q] - mean, z = x[i + 3 * q] - mean;
        if (centred) missed += (v + w) + (y + z);
        a += v * v;
        b += w * w;
        c += y * y;
        d += z * z;
    }
    for (int64_t i = 4 * q; i < n; i++) {
        const float v = x[i] - mean;
        if (centred) missed += v;
        a += v * v;
    }
    missed /= n;
    const float square = ((a + b) + (c + d)) / n - missed * missed;
    return {mean + missed, 1.f / std::sqrt((square < 0.f ? 0.f : square) + eps)};
}

// Ask for a row before it is read: while one row is worked on in cache, the next is on its way from
// memory. The hardware looks ahead too, but not past the end of a page. A longer row would push the
// one at work out of the first cache.
template <class T>
inline void fetch(const T* row, int64_t d) {
    if (d * sizeof(T) > (16 << 10)) return;
    const char *from = reinterpret_cast<const char*>(row), *to = from + d * sizeof(T);
    for (; from < to; from += 64) __builtin_prefetch(from);
}

// y = (x - mean) * scale * weight + bias for each row of d; weight and bias may be null. The
// moments of row r go to saved[2 r] and saved[2 r + 1] unless that is null.
template <bool centred, class T>
void rows_forward(const T* __restrict x, const T* __restrict weight, const T* __restrict bias,
                  T* __restrict y, float* saved, int64_t rows, int64_t d, float eps,
                  int threads) {
    std::vector<float> gain(d, 1.f), offset(d, 0.f);
    for (int64_t i = 0; weight && i < d; i++) gain[i] = load(weight + i);
    for (int64_t i = 0; bias && i < d; i++) offset[i] = load(bias + i);
    const float *__restrict w = gain.data(), *__restrict b = offset.data();
#pragma omp parallel num_threads(threads) if (threads > 1)
    {
        std::vector<float> room;
#pragma omp for schedule(static)
        for (int64_t r = 0; r < rows; r++) {
            const float* __restrict in = widened(x + r * d, d, room);
            T* __restrict out = y + r * d;
            if (r + 1 < rows) fetch(x + (r + 1) * d, d);
            const auto [mean, scale] = moments<centred>(in, d, eps);
            if (saved) saved[2 * r] = mean, saved[2 * r + 1] = scale;
#pragma omp simd
            for (int64_t i = 0; i < d; i++) store(out + i, (in[i] - mean) * scale * w[i] + b[i]);
        }
    }
}

// With n = (x - mean) * scale and g = dy * weight: dx = scale * (g - mean(g) - n * mean(g * n)),
// without the term mean(g) where the norm is not centred. The rows are cut into parts; dy * n and
// dy of part p are added to dweight[p] and dbias[p], which start as zeros and may be null, so that
// the sums do not depend on the number of threads and no long sum loses its small terms.
template <bool centred, class T>
void rows_backward(const T* __restrict dy, const T* __restrict x, const T* __restrict weight,
                   const float* __restrict saved, T* __restrict dx, float* dweight, float* dbias,
                   int64_t rows, int64_t d, int64_t parts, int threads) {
#pragma omp parallel for num_threads(threads) if (threads > 1) schedule(static)
    for (int64_t p = 0; p < parts; p++) {
        float* __restrict dw = dweight ? dweight + p * d : nullptr;
        float* __restrict db = dbias ? dbias + p * d : nullptr;
        for (int64_t r = rows * p / parts; r < rows * (p + 1) / parts; r++) {
            const T* __restrict in = x + r * d;
            const T* __restrict grad = dy + r * d;
            const float mean = saved[2 * r], scale = saved[2 * r + 1];
            float total = 0, along = 0;
#pragma omp simd reduction(+ : total, along)
            for (int64_t i = 0; i < d; i++) {
                const float g = load(grad + i) * (weight ? load(weight + i) : 1.f);
                total += g;
                along += g * (load(in + i) - mean);
            }
            const float shift = centred ? total / d : 0.f, slope = along * scale * scale / d;
#pragma omp simd
            for (int64_t i = 0; i < d; i++) {
                const float g = load(grad + i) * (weight ? load(weight + i) : 1.f);
                store(dx + r * d + i, scale * (g - shift - (load(in + i) - mean) * slope));
            }
            if (dw) {
#pragma omp simd
                for (int64_t i = 0; i < d; i++)
                    dw[i] += load(grad + i) * (load(in + i) - mean) * scale;
            }
            if (db) {
#pragma omp simd
                for (int64_t i = 0; i < d; i++) db[i] += load(grad + i);
            }
        }
    }
}

// The same for `count` = N * groups rows of `channels` * `inner` elements, weight and bias per
// channel; row r holds the channels (r % groups) * channels and on.
template <class T>
void groups_forward(const T* __restrict x, const T* __restrict weight, const T* __restrict bias,
                    T* __restrict y, float* saved, int64_t count, int64_t groups,
                    int64_t channels, int64_t inner, float eps, int threads) {
    const int64_t size = channels * inner;
#pragma omp parallel num_threads(threads) if (threads > 1)
    {
        std::vector<float> room;
#pragma omp for schedule(static)
        for (int64_t r = 0; r < count; r++) {
            const float* __restrict group = widened(x + r * size, size, room);
            const auto [mean, scale] = moments<true>(group, size, eps);
            if (saved) saved[2 * r] = mean, saved[2 * r + 1] = scale;
            for (int64_t k = 0; k < channels; k++) {
                const int64_t c = r % groups * channels + k;
                const float* __restrict in = group + k * inner;
                T* __restrict out = y + r * size + k * inner;
                const float gain = scale * (weight ? load(weight + c) : 1.f);
                const float offset = bias ? load(bias + c) : 0.f;
#pragma omp simd
                for (int64_t i = 0; i < inner; i++) store(out + i, (in[i] - mean) * gain + offset);
            }
        }
    }
}

// dweight and dbias are (N, C), written whole, and may not be null.
template <class T>
void groups_backward(const T* __restrict dy, const T* __restrict x, const T* __restrict weight,
                     const float* __restrict saved, T* __restrict dx, float* dweight,
                     float* dbias, int64_t count, int64_t groups, int64_t channels,
                     int64_t inner, int threads) {
    const int64_t size = channels * inner;
#pragma omp parallel for num_threads(threads) if (threads > 1) schedule(static)
    for (int64_t r = 0; r < count; r++) {
        const float mean = saved[2 * r], scale = saved[2 * r + 1];
        const T* __restrict w = weight ? weight + r % groups * channels : nullptr;
        float total = 0, along = 0;
        for (int64_t k = 0; k < channels; k++) {
            const T* __restrict in = x + r * size + k * inner;
            const T* __restrict grad = dy + r * size + k * inner;
            float plain = 0, centred = 0;
#pragma omp simd reduction(+ : plain, centred)
            for (int64_t i = 0; i < inner; i++) {
                plain += load(grad + i);
                centred += load(grad + i) * (load(in + i) - mean);
            }
            dbias[r * channels + k] = plain;
            dweight[r * channels + k] = centred * scale;
            total += plain * (w ? load(w + k) : 1.f);
            along += centred * (w ? load(w + k) : 1.f);
        }
        const float shift = total / size, slope = along * scale * scale / size;
        for (int64_t k = 0; k < channels; k++) {
            const T* __restrict in = x + r * size + k * inner;
            const T* __restrict grad = dy + r * size + k * inner;
            T* __restrict out = dx + r * size + k * inner;
            const float gain = w ? load(w + k) : 1.f;
#pragma omp simd
            for (int64_t i = 0; i < inner; i++)
                store(out + i,
                      scale * (load(grad + i) * gain - shift - (load(in + i) - mean) * slope));
        }
    }
}

#define ROWS(name, centred, type, T)                                                             \
    extern "C" void name##_##type(const T* x, const T* weight, const T* bias, T* y,              \
                                  float* saved, int64_t rows, int64_t d, float eps,              \
                                  int threads) {                                                 \
        rows_forward<centred, T>(x, weight, bias, y, saved, rows, d, eps, threads);              \
    }                                                                                            \
    extern "C" void name##_backward_##type(const T* dy, const T* x, const T* weight,             \
                                           const float* saved, T* dx, float* dweight,            \
                                           float* dbias, int64_t rows, int64_t d,                \
                                           int64_t parts, int threads) {                         \
        rows_backward<centred, T>(dy, x, weight, saved, dx, dweight, dbias, rows, d, parts,      \
                                  threads);                                                      \
    }

#define KERNELS(type, T)                                                                         \
    ROWS(layer, true, type, T)                                                                   \
    ROWS(rms, false, type, T)                                                                    \
    extern "C" void group_##type(const T* x, const T* weight, const T* bias, T* y, float* saved, \
                                 int64_t count, int64_t groups, int64_t channels,                \
                                 int64_t inner, float eps, int threads) {                        \
        groups_forward<T>(x, weight, bias, y, saved, count, groups, channels, inner, eps,        \
                          threads);                                                              \
    }                                                                                            \
    extern "C" void group_backward_##type(const T* dy, const T* x, const T* weight,              \
                                          const float* saved, T* dx, float* dweight,             \
                                          float* dbias, int64_t count, int64_t groups,           \
                                          int64_t channels, int64_t inner, int threads) {        \
        groups_backward<T>(dy, x, weight, saved, dx, dweight, dbias, count, groups, channels,    \
                           inner, threads);                                                      \
    }

KERNELS(float32, float)
KERNELS(bfloat16, bfloat16)
