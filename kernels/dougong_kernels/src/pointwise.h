// Activations element by element, forward and backward: one read of each input, one write.
#pragma once
#include "interface.h"
#include "normal.h"

namespace {

// 2^x for every x: 0 far below and infinite far above.
template <class P>
inline Vec power_of_2(Vec x) {
#if AVX512
    return exp2_of<P>(x);
#else
    return exp2_of<P>(x > 128.f ? all(128.f) : x);
#endif
}

inline Vec select(Ints where, Vec yes, Vec no) {
    return (Vec)(((Ints)yes & where) | ((Ints)no & ~where));
}
inline Vec magnitude(Vec x) { return (Vec)((Ints)x & 0x7fffffff); }

// 1 / (1 + e^-x) and what it lacks to 1, each to its own last bits.
struct Sigmoid {
    Vec value, rest;
};
template <class P>
inline Sigmoid sigmoid(Vec x) {
    const Vec small = power_of_2<P>(magnitude(x) * -1.44269504f);
    const Vec high = 1.f / (1.f + small), low = small * high;
    const Ints negative = (Ints)(x < 0.f);
    return {select(negative, low, high), select(negative, high, low)};
}

// How closely a function is computed whose result is rounded to T.
template <class T>
struct Precisions {
    typedef Fine Type;
};
template <>
struct Precisions<bfloat16> {
    typedef Coarse Type;
};
template <class T>
using PrecisionOf = typename Precisions<T>::Type;

template <class P>
struct Silu {
    static Vec value(Vec x) { return x / (1.f + power_of_2<P>(x * -1.44269504f)); }
    static Vec slope(Vec x) {
        const Sigmoid s = sigmoid<P>(x);
        return s.value * (1.f + x * s.rest);
    }
};

template <class P>
struct SquaredRelu {
    // Written so that a NaN stays one.
    static Vec positive(Vec x) { return select((Ints)(x < 0.f), Vec{}, x); }
    static Vec value(Vec x) { return positive(x) * positive(x); }
    static Vec slope(Vec x) { return 2.f * positive(x); }
};

template <class P>
struct GeluErf {
    static Vec clipped(Vec x) {
        const Vec a = magnitude(x);
        return select((Ints)(a > 9.f), all(9.f), a);
    }
    // x * P(normal < x) = max(x, 0) - |x| * P(normal > |x|): no cancellation on either side.
    static Vec value(Vec x) {
        const Vec a = clipped(x);
        return select((Ints)(x < 0.f), Vec{}, x) - a * normal_above<P>(a);
    }
    static Vec slope(Vec x) {
        const Vec a = clipped(x), above = normal_above<P>(a);
        const Vec along = a * 0.398942280f * power_of_2<P>(a * a * -0.721347520f);
        return select((Ints)(x > 0.f), 1.f - above + along, above - along);
    }
};

template <class P>
struct GeluTanh {
    // (1 + tanh(u)) / 2 = sigmoid(2 u); w = 2 u = 2 sqrt(2 / pi) (x + 0.044715 x^3).
    static Vec value(Vec x) {
        const Vec w = x * (1.59576912f + 0.0713548162f * x * x);
        return x / (1.f + power_of_2<P>(w * -1.44269504f));
    }
    static Vec slope(Vec x) {
        // Beyond 20 the sigmoid is 0 or 1 to the last bit, and w' must not overflow.
        Vec c = select((Ints)(x > 20.f), all(20.f), x);
        c = select((Ints)(c < -20.f), all(-20.f), c);
        const Sigmoid s = sigmoid<P>(c * (1.59576912f + 0.0713548162f * c * c));
        return s.value + c * s.value * s.rest * (1.59576912f + 0.214064449f * c * c);
    }
};

template <class F, bool past, class T>
inline void activated(const Pointwise& a) {
    const T *x = (const T*)a.x, *up = (const T*)a.up;
    T* y = (T*)a.y;
    split(a.n, 16 * W, a.threads, [=](int64_t first, int64_t last) {
        int64_t i = first;
        if (up) {
            for (; i + W <= last; i += W) write<past>(y + i, F::value(load(x + i)) * load(up + i));
            if (const int64_t rest = last - i)
                write_part(y + i, F::value(load_part(x + i, rest)) * load_part(up + i, rest), rest);
        } else {
            for (; i + W <= last; i += W) write<past>(y + i, F::value(load(x + i)));
            if (const int64_t rest = last - i)
                write_part(y + i, F::value(load_part(x + i, rest)), rest);
        }
        if (past) finish_past_caches();
    });
}

template <class F, bool past, class T>
inline void activated_back(const Pointwise& a) {
    const T *x = (const T*)a.x, *dy = (const T*)a.dy;
    T* dx = (T*)a.y;
    split(a.n, 16 * W, a.threads, [=](int64_t first, int64_t last) {
        int64_t i = first;
        for (; i + W <= last; i += W) write<past>(dx + i, load(dy + i) * F::slope(load(x + i)));
        if (const int64_t rest = last - i)
            write_part(dx + i, load_part(dy + i, rest) * F::slope(load_part(x + i, rest)), rest);
        if (past) finish_past_caches();
    });
}

// y = silu(x) * up: dx = dy * up * silu'(x), dup = dy * silu(x).
template <bool past, class T>
inline void gated_back(const Pointwise& a) {
    const T *x = (const T*)a.x, *up = (const T*)a.up, *dy = (const T*)a.dy;
    T *dx = (T*)a.y, *dup = (T*)a.dup;
    split(a.n, 16 * W, a.threads, [=](int64_t first, int64_t last) {
        int64_t i = first;
        for (; i + W <= last; i += W) {
            const Vec g = load(x + i), d = load(dy + i);
            const Sigmoid s = sigmoid<PrecisionOf<T>>(g);
            write<past>(dx + i, d * load(up + i) * s.value * (1.f + g * s.rest));
            write<past>(dup + i, d * g * s.value);
        }
        if (const int64_t rest = last - i) {
            const Vec g = load_part(x + i, rest), d = load_part(dy + i, rest);
            const Sigmoid s = sigmoid<PrecisionOf<T>>(g);
            write_part(dx + i, d * load_part(up + i, rest) * s.value * (1.f + g * s.rest), rest);
            write_part(dup + i, d * g * s.value, rest);
        }
        if (past) finish_past_caches();
    });
}

template <class F, bool past, class T>
inline void activation_of(const Pointwise& a) {
    if (!a.dy) return activated<F, past, T>(a);
    if (a.up) return gated_back<past, T>(a);
    activated_back<F, past, T>(a);
}

template <bool past, class T>
inline void activation_by_kind(const Pointwise& a) {
    switch (a.kind) {
        case SILU: return activation_of<Silu<PrecisionOf<T>>, past, T>(a);
        case SQUARED_RELU: return activation_of<SquaredRelu<PrecisionOf<T>>, past, T>(a);
        case GELU_ERF: return activation_of<GeluErf<PrecisionOf<T>>, past, T>(a);
        case GELU_TANH: return activation_of<GeluTanh<PrecisionOf<T>>, past, T>(a);
    }
}

template <class T>
inline void activation_in(const Pointwise& a) {
    const int64_t bytes = a.n * int64_t(sizeof(T));
    ask_for_large_pages(a.y, bytes);
    if (a.dup) ask_for_large_pages(a.dup, bytes);
    if (past_caches(a.y, a.dup ? int64_t(uintptr_t(a.dup)) : 0, bytes))
        activation_by_kind<true, T>(a);
    else
        activation_by_kind<false, T>(a);
}

void activation(const Pointwise* a) {
    a->is_bfloat16 ? activation_in<bfloat16>(*a) : activation_in<float>(*a);
}

}  // namespace
