// Activations element by element, forward and backward: one read of each input, one write.
#include "lanes.h"

struct Silu {
    static float value(float x) { return x / (1.f + exp2_of(-1.44269504f * x)); }
    static float slope(float x) {
        const auto [s, rest] = sigmoid(x);
        return s * (1.f + x * rest);
    }
};

struct SquaredRelu {
    // Written so that a NaN stays one.
    static float positive(float x) { return x < 0.f ? 0.f : x; }
    static float value(float x) { return positive(x) * positive(x); }
    static float slope(float x) { return 2.f * positive(x); }
};

struct GeluErf {
    // x * P(normal < x) = max(x, 0) - |x| * P(normal > |x|): no cancellation on either side.
    static float value(float x) {
        const float a = x < 0.f ? -x : x;
        const float clipped = a > 9.f ? 9.f : a;
        return (x > 0.f ? x : 0.f) - clipped * normal_above(clipped);
    }
    static float slope(float x) {
        const float a = x < 0.f ? -x : x;
        const float clipped = a > 9.f ? 9.f : a;
        const float above = normal_above(clipped);
        const float density = 0.398942280f * exp2_of(-0.721347520f * clipped * clipped);
        return (x > 0.f ? 1.f - above : above) + (x > 0.f ? clipped : -clipped) * density;
    }
};

struct GeluTanh {
    // (1 + tanh(u)) / 2 = sigmoid(2 u); w = 2 u = 2 sqrt(2 / pi) (x + 0.044715 x^3).
    static float value(float x) {
        const float w = x * (1.59576912f + 0.0713548162f * x * x);
        return x / (1.f + exp2_of(-1.44269504f * w));
    }
    static float slope(float x) {
        // Beyond 20 the sigmoid is 0 or 1 to the last bit, and w' must not overflow.
        float c = x > 20.f ? 20.f : x;
        c = c < -20.f ? -20.f : c;
        const float w = c * (1.59576912f + 0.0713548162f * c * c);
        const auto [s, rest] = sigmoid(w);
        return s + c * s * rest * (1.59576912f + 0.214064449f * c * c);
    }
};

template <class F, class T>
void forward(const T* __restrict x, T* __restrict y, int64_t n, int threads) {
#pragma omp parallel for simd num_threads(threads) if (parallel : threads > 1) schedule(static)
    for (int64_t i = 0; i < n; i++) store(y + i, F::value(load(x + i)));
}

template <class F, class T>
void backward(const T* __restrict dy, const T* __restrict x, T* __restrict dx, int64_t n,
              int threads) {
#pragma omp parallel for simd num_threads(threads) if (parallel : threads > 1) schedule(static)
    for (int64_t i = 0; i < n; i++) store(dx + i, load(dy + i) * F::slope(load(x + i)));
}

template <class T>
void swiglu(const T* __restrict gate, const T* __restrict up, T* __restrict y, int64_t n,
            int threads) {
#pragma omp parallel for simd num_threads(threads) if (parallel : threads > 1) schedule(static)
    for (int64_t i = 0; i < n; i++) store(y + i, Silu::value(load(gate + i)) * load(up + i));
}

template <class T>
void swiglu_back(const T* __restrict dy, const T* __restrict gate, const T* __restrict up,
                 T* __restrict dgate, T* __restrict dup, int64_t n, int threads) {
#pragma omp parallel for simd num_threads(threads) if (parallel : threads > 1) schedule(static)
    for (int64_t i = 0; i < n; i++) {
        const float g = load(gate + i), d = load(dy + i);
        const auto [s, rest] = sigmoid(g);
        store(dgate + i, d * load(up + i) * s * (1.f + g * rest));
        store(dup + i, d * g * s);
    }
}

#define UNARY(name, F, type, T)                                                                  \
    extern "C" void name##_##type(const T* x, T* y, int64_t n, int threads) {                    \
        forward<F, T>(x, y, n, threads);                                                         \
    }                                                                                            \
    extern "C" void name##_backward_##type(const T* dy, const T* x, T* dx, int64_t n,            \
                                           int threads) {                                        \
        backward<F, T>(dy, x, dx, n, threads);                                                   \
    }

#define KERNELS(type, T)                                                                         \
    UNARY(silu, Silu, type, T)                                                                   \
    UNARY(squared_relu, SquaredRelu, type, T)                                                    \
    UNARY(gelu_none, GeluErf, type, T)                                                           \
    UNARY(gelu_tanh, GeluTanh, type, T)                                                          \
    extern "C" void swiglu_##type(const T* gate, const T* up, T* y, int64_t n, int threads) {    \
        swiglu<T>(gate, up, y, n, threads);                                                      \
    }                                                                                            \
    extern "C" void swiglu_backward_##type(const T* dy, const T* gate, const T* up, T* dgate,    \
                                           T* dup, int64_t n, int threads) {                     \
        swiglu_back<T>(dy, gate, up, dgate, dup, n, threads);                                    \
    }

KERNELS(float32, float)
KERNELS(bfloat16, bfloat16)
