// What the processor can do at most, for benchmarks to set their numbers against.
#pragma once
#include <vector>

#include "blocks.h"

namespace {

// `steps` sums of products in each of 24 vectors, which stay in registers; returns the operations.
template <class Term>
double multiplied(int64_t steps) {
    decltype(load(static_cast<const Term*>(nullptr))) left{}, right{};
    constexpr int SUMS = WIDTH == 16 ? 24 : 12;
    Vec sum[SUMS] = {};
    for (int64_t i = 0; i < steps; i++) {
#pragma GCC unroll 24
        for (int s = 0; s < SUMS; s++) {
            sum[s] = plus_product(sum[s], left, right);
            asm volatile("" : "+v"(sum[s]));
        }
    }
    return 2.0 * SUMS * W * PER_TERM<Term> * double(steps);
}

// Read n floats once; returns the bytes.
double streamed(const float* from, int64_t n) {
    Vec sum[4] = {};
    for (int64_t i = 0; i + 4 * W <= n; i += 4 * W)
        for (int s = 0; s < 4; s++) sum[s] += load(from + i + s * W);
    volatile float kept = sum_of(sum[0] + sum[1] + sum[2] + sum[3]);
    (void)kept;
    return 4.0 * double(n);
}

double probe(const Probe* p) {
    double total = 0;
#pragma omp parallel num_threads(p->threads) reduction(+ : total)
    {
#pragma omp for schedule(static, 1)
        for (int32_t i = 0; i < p->threads; i++) {
            const int64_t share = p->n / p->threads;
            if (p->kind == STREAM) total += streamed(p->data + i * share, share);
            if (p->kind == FLOAT32) total += multiplied<float>(p->n);
#if HAS_PAIRS
            if (p->kind == BFLOAT16) total += multiplied<Pair>(p->n);
#endif
        }
    }
    return total;
}

}  // namespace
