// Group norm, forward and backward: `count` = N * groups stretches of `channels` * `inner` elements
// side by side, weight and bias per channel.
#pragma once
#include "norms.h"

namespace {

template <class F, class P>
inline void each_vector(int64_t n, F f, P part) {
    int64_t i = 0;
    for (; i + W <= n; i += W) f(i);
    if (i < n) part(i, n - i);
}

template <bool past, class T>
inline void grouped(const GroupNorm& a) {
    const int64_t size = a.channels * a.inner;
    split(a.count, 1, a.threads, [&a, size](int64_t first, int64_t last) {
        for (int64_t r = first; r < last; r++) {
            const T *x = (const T*)a.x + r * size, *w = (const T*)a.weight, *b = (const T*)a.bias;
            const Moments m = moments_of<true>(Row<T>{x, nullptr, nullptr, size}, a.eps);
            if (a.moments) a.moments[2 * r] = m.mean, a.moments[2 * r + 1] = m.scale;
            for (int64_t k = 0; k < a.channels; k++) {
                const int64_t c = r % a.groups * a.channels + k;
                const T* in = x + k * a.inner;
                T* out = (T*)a.y + r * size + k * a.inner;
                const float gain = m.scale * (w ? scalar(w + c) : 1.f);
                const float offset = b ? scalar(b + c) : 0.f;
                each_vector(
                    a.inner,
                    [=](int64_t i) {
                        write<past>(out + i, (load(in + i) - m.mean) * gain + offset);
                    },
                    [=](int64_t i, int64_t n) {
                        write_part(out + i, (load_part(in + i, n) - m.mean) * gain + offset, n);
                    });
            }
        }
        if (past) finish_past_caches();
    });
}

// The share of one stretch; what it adds to the gradients of weight and bias goes to
// partial[r][channels] and, `all` floats on, to that of the bias.
template <bool past, class T>
inline void group_back(const GroupNormBackward& a, int64_t r) {
    const int64_t size = a.channels * a.inner, all_of_them = a.count * a.channels;
    const float mean = a.moments[2 * r], scale = a.moments[2 * r + 1];
    const T* w = a.weight ? (const T*)a.weight + r % a.groups * a.channels : nullptr;
    float total = 0, along = 0;
    for (int64_t k = 0; k < a.channels; k++) {
        const T *x = (const T*)a.x + r * size + k * a.inner;
        const T* dy = (const T*)a.dy + r * size + k * a.inner;
        Vec plain{}, centred{};
        each_vector(
            a.inner,
            [&](int64_t i) {
                plain += load(dy + i);
                centred += load(dy + i) * (load(x + i) - mean);
            },
            [&](int64_t i, int64_t n) {
                plain += load_part(dy + i, n);
                centred += load_part(dy + i, n) * only(load_part(x + i, n) - mean, n);
            });
        const float d = sum_of(plain), s = sum_of(centred), gain = w ? scalar(w + k) : 1.f;
        a.partial[r * a.channels + k] = s * scale;
        a.partial[all_of_them + r * a.channels + k] = d;
        total += d * gain;
        along += s * gain;
    }
    const float shift = total / size, slope = along * scale * scale / size;
    for (int64_t k = 0; k < a.channels; k++) {
        const T *x = (const T*)a.x + r * size + k * a.inner;
        const T* dy = (const T*)a.dy + r * size + k * a.inner;
        T* dx = (T*)a.dx + r * size + k * a.inner;
        const float gain = w ? scalar(w + k) : 1.f;
        const auto gradient = [=](Vec d, Vec v) {
            return scale * (d * gain - shift - (v - mean) * slope);
        };
        each_vector(
            a.inner,
            [=](int64_t i) { write<past>(dx + i, gradient(load(dy + i), load(x + i))); },
            [=](int64_t i, int64_t n) {
                write_part(dx + i, gradient(load_part(dy + i, n), load_part(x + i, n)), n);
            });
    }
}

template <bool past, class T>
inline void grouped_back(const GroupNormBackward& a) {
    split(a.count, 1, a.threads, [&a](int64_t first, int64_t last) {
        for (int64_t r = first; r < last; r++) group_back<past, T>(a, r);
        if (past) finish_past_caches();
    });
    const int64_t C = a.groups * a.channels, N = a.count / a.groups;
    for (int64_t c = 0; c < C; c++) {
        float weight = 0, bias = 0;
        for (int64_t n = 0; n < N; n++) {
            weight += a.partial[n * C + c];
            bias += a.partial[(N + n) * C + c];
        }
        if (a.dweight) put((T*)a.dweight + c, weight);
        if (a.dbias) put((T*)a.dbias + c, bias);
    }
}

template <class T>
inline void group_norm_in(const GroupNorm& a) {
    const int64_t row_bytes = a.inner * int64_t(sizeof(T));
    const int64_t bytes = a.count * a.channels * row_bytes;
    ask_for_large_pages(a.y, bytes);
    past_caches(a.y, row_bytes, bytes) ? grouped<true, T>(a) : grouped<false, T>(a);
}
void group_norm(const GroupNorm* a) {
    a->is_bfloat16 ? group_norm_in<bfloat16>(*a) : group_norm_in<float>(*a);
}

template <class T>
inline void group_norm_back(const GroupNormBackward& a) {
    const int64_t row_bytes = a.inner * int64_t(sizeof(T));
    const int64_t bytes = a.count * a.channels * row_bytes;
    ask_for_large_pages(a.dx, bytes);
    past_caches(a.dx, row_bytes, bytes) ? grouped_back<true, T>(a) : grouped_back<false, T>(a);
}
void group_norm_backward(const GroupNormBackward* a) {
    a->is_bfloat16 ? group_norm_back<bfloat16>(*a) : group_norm_back<float>(*a);
}

}  // namespace
