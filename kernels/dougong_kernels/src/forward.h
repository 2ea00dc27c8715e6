// Exact attention and attention to listed blocks of keys.
//
// Dao et al., "FlashAttention", 2022, arXiv:2205.14135, algorithm 1, with the loop over queries
// outside (as in FlashAttention-2). Queries lie in the lanes: maxima and sums over keys are then
// plain vector operations, and neither keys nor values are repacked.
#pragma once
#include "blocks.h"

namespace {

struct Running {  // of LANES queries
    float high[LANES], total[LANES];
};

// Turn scores (keys x lanes) into weights, and return by `decay` what older sums shrink by.
inline void weigh(float* scores, int64_t keys, float factor, Running& run, float* decay) {
    for (int v = 0; v < VECTORS; v++) {
        float* column = scores + v * W;
        const Vec before = load(run.high + v * W);
        Vec high = before;
        for (int64_t j = 0; j < keys; j++) high = larger(high, load(column + j * LANES));
        Vec total = Vec{}, more = Vec{};
        int64_t j = 0;
        for (; j + 2 <= keys; j += 2) {
            const Vec p = exp2_of((load(column + j * LANES) - high) * factor);
            const Vec r = exp2_of((load(column + (j + 1) * LANES) - high) * factor);
            store(column + j * LANES, p);
            store(column + (j + 1) * LANES, r);
            total += p;
            more += r;
        }
        if (j < keys) {
            const Vec p = exp2_of((load(column + j * LANES) - high) * factor);
            store(column + j * LANES, p);
            total += p;
        }
        const Vec shrink = exp2_of((before - high) * factor);
        store(decay + v * W, shrink);
        store(run.high + v * W, high);
        store(run.total + v * W, load(run.total + v * W) * shrink + total + more);
    }
}

template <class T>
class Forward {
  public:
    explicit Forward(const Attention& a)
        : a_(a),
          room_(QUERIES * (a.D + a.E) + KEYS * (LANES + a.D + a.E) + 4096),
          queries_(room_.take(QUERIES * a.D)),
          sums_(room_.take(QUERIES * a.E)),
          scores_(room_.take(KEYS * LANES)),
          keys_(room_.take(KEYS * a.D)),
          values_(room_.take(KEYS * a.E)) {
        // The scale is applied to what scores lack to their maximum, so that it must not turn the
        // order round, nor vanish beside LOWEST: then the queries take it.
        const bool late = a.scale > 1e-6f;
        queries_factor_ = late ? 1.f : a.scale;
        factor_ = late ? a.scale * LOG2_E : LOG2_E;
    }

    void task(int64_t b, int64_t h, int64_t n) {
        const int64_t first = n * QUERIES, count = least(QUERIES, a_.T - first);
        const T* q = row_at<T>(a_.q, a_.q_strides, b, h, first);
        for (int64_t t = 0; t < count; t += LANES)
            across(q + t * a_.q_strides[2], a_.q_strides[2], least(LANES, count - t), a_.D,
                   queries_factor_, queries_ + t * a_.D, LANES);
        std::memset(sums_, 0, sizeof(float) * size_t(padded(count) * a_.E));
        for (int64_t s = 0; s < QUERIES / LANES; s++)
            for (int64_t i = 0; i < LANES; i++) {
                run_[s].high[i] = LOWEST;
                run_[s].total[i] = 0;
            }
        const int64_t end = seen_by(a_, first + count - 1), kv = h / (a_.H / a_.K);
        if (!a_.blocks) {
            for (int64_t key = 0; key < end; key += KEYS)
                meet(b, kv, first, count, key, least(KEYS, end - key));
        } else {
            const int64_t at = (b * a_.H + h) * ((a_.T + QUERIES - 1) / QUERIES) + n;
            for (int64_t i = 0; i < a_.counts[at]; i++) {
                const int64_t start = a_.blocks[at * a_.J + i] * a_.key_block;
                const int64_t stop = least(end, start + a_.key_block);
                for (int64_t key = start; key < stop; key += KEYS)
                    meet(b, kv, first, count, key, least(KEYS, stop - key));
            }
        }
        finish(b, h, first, count);
    }

  private:
    void meet(int64_t b, int64_t kv, int64_t first, int64_t count, int64_t key, int64_t keys) {
        const Strided k = rows_of(row_at<T>(a_.k, a_.k_strides, b, kv, key), a_.k_strides[2], keys,
                                  a_.D, keys_);
        const Strided v = turned(rows_of(row_at<T>(a_.v, a_.v_strides, b, kv, key),
                                         a_.v_strides[2], keys, a_.E, values_));
        alignas(64) float decay[LANES];
        for (int64_t t = 0; t < count; t += LANES) {
            if (seen_by(a_, first + least(t + LANES, count) - 1) <= key) continue;
            product<ZERO>(keys, k, queries_ + t * a_.D, LANES, a_.D, scores_, LANES);
            hide(a_, scores_, LANES, key, keys, first + t);
            weigh(scores_, keys, factor_, run_[t / LANES], decay);
            product<SCALE>(a_.E, v, scores_, LANES, keys, sums_ + t * a_.E, LANES, decay);
        }
    }

    void finish(int64_t b, int64_t h, int64_t first, int64_t count) {
        T* out = const_cast<T*>(row_at<T>(a_.out, a_.out_strides, b, h, first));
        for (int64_t t = 0; t < count; t++) {
            const int64_t lane = t % LANES;
            const Running& run = run_[t / LANES];
            const float total = run.total[lane];
            // A total of NaN is no sign of having seen nothing.
            const bool blind = seen_by(a_, first + t) == 0 ||
                               (run.high[lane] == LOWEST && total == total);
            const float share = blind ? 0.f : 1.f / total;
            const float* sum = sums_ + t / LANES * LANES * a_.E + lane;
            for (int64_t e = 0; e < a_.E; e++)
                put(out + t * a_.out_strides[2] + e, blind ? 0.f : sum[e * LANES] * share);
            if (a_.lse)
                a_.lse[(b * a_.H + h) * a_.T + first + t] =
                    blind ? INFINITE
                          : run.high[lane] * factor_ + __builtin_log2f(total);
        }
    }

    const Attention& a_;
    Room room_;
    float *queries_, *sums_, *scores_, *keys_, *values_, factor_, queries_factor_;
    alignas(64) Running run_[QUERIES / LANES];
};

template <class T>
void forward_of(const Attention& a) {
    const int64_t N = (a.T + QUERIES - 1) / QUERIES, tasks = a.B * a.H * N;
#pragma omp parallel num_threads(a.threads)
    {
        Forward<T> worker(a);
        // The longest tasks first: under causality those are the last queries.
#pragma omp for schedule(dynamic)
        for (int64_t i = 0; i < tasks; i++)
            worker.task(i % (a.B * a.H) / a.H, i % a.H, N - 1 - i / (a.B * a.H));
    }
}

void forward(const Attention* a) {
    if (a->is_bfloat16) return forward_of<bfloat16>(*a);
    return forward_of<float>(*a);
}

}  // namespace
