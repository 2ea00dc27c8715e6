// Gradients of exact attention, from the logarithms of the sums of weights that forward keeps.
//
// Dao et al., "FlashAttention", 2022, arXiv:2205.14135, algorithm 4, with the loop over queries
// outside: a task owns the keys of one head, so that nothing is added to by two threads, and the
// result does not depend on which of them was faster.
#pragma once
#include "blocks.h"

namespace {

template <class T>
class Backward {
  public:
    explicit Backward(const AttentionBackward& g)
        : g_(g),
          a_(g.forward),
          depth_(padded(a_.D)),
          breadth_(padded(a_.E)),
          room_(2 * QUERIES * (a_.D + a_.E) + QUERIES * (2 * depth_ + breadth_) +
                KEYS * (2 * QUERIES + a_.D + a_.E + depth_ + breadth_) + 4096),
          q_lanes_(room_.take(QUERIES * a_.D)),
          dout_lanes_(room_.take(QUERIES * a_.E)),
          dq_lanes_(room_.take(QUERIES * a_.D)),
          q_rows_(room_.take(QUERIES * depth_)),
          dout_rows_(room_.take(QUERIES * breadth_)),
          weights_(room_.take(KEYS * QUERIES)),
          slopes_(room_.take(KEYS * QUERIES)),
          keys_(room_.take(KEYS * a_.D)),
          values_(room_.take(KEYS * a_.E)),
          dk_(room_.take(KEYS * depth_)),
          dv_(room_.take(KEYS * breadth_)) {}

    void task(int64_t b, int64_t kv, int64_t split) {
        const int64_t group = a_.H / a_.K, N = (a_.T + QUERIES - 1) / QUERIES;
        const int64_t all = group * N, per = (all + g_.splits - 1) / g_.splits;
        const int64_t place = (split * a_.B + b) * a_.K + kv;
        float* dk = g_.dk + place * a_.S * a_.D;
        float* dv = g_.dv + place * a_.S * a_.E;
        for (int64_t i = split * per; i < least(all, (split + 1) * per); i++)
            queries(b, kv, kv * group + i / N, i % N * QUERIES, dk, dv);
    }

  private:
    void queries(int64_t b, int64_t kv, int64_t h, int64_t first, float* dk, float* dv) {
        const int64_t count = least(QUERIES, a_.T - first), end = seen_by(a_, first + count - 1);
        prepare(b, h, first, count);
        for (int64_t key = 0; key < end; key += KEYS)
            meet(b, kv, first, count, key, least(KEYS, end - key), dk, dv);
        float* dq = g_.dq + ((b * a_.H + h) * a_.T + first) * a_.D;
        for (int64_t t = 0; t < count; t++)
            for (int64_t d = 0; d < a_.D; d++)
                dq[t * a_.D + d] =
                    a_.scale * dq_lanes_[t / LANES * LANES * a_.D + d * LANES + t % LANES];
    }

    void prepare(int64_t b, int64_t h, int64_t first, int64_t count) {
        const T* q = row_at<T>(a_.q, a_.q_strides, b, h, first);
        const T* out = row_at<T>(a_.out, a_.out_strides, b, h, first);
        const T* dout = static_cast<const T*>(g_.dout) + ((b * a_.H + h) * a_.T + first) * a_.E;
        const float* lse = a_.lse + (b * a_.H + h) * a_.T + first;
        std::memset(q_rows_, 0, sizeof(float) * size_t(QUERIES * depth_));
        std::memset(dout_rows_, 0, sizeof(float) * size_t(QUERIES * breadth_));
        std::memset(dq_lanes_, 0, sizeof(float) * size_t(QUERIES * a_.D));
        for (int64_t t = 0; t < QUERIES; t++) {
            lse_[t] = t < count ? lse[t] : INFINITE;
            if (t >= count) continue;
            for (int64_t d = 0; d < a_.D; d++)
                q_rows_[t * depth_ + d] = scalar(q + t * a_.q_strides[2] + d);
            for (int64_t e = 0; e < a_.E; e++)
                dout_rows_[t * breadth_ + e] = scalar(dout + t * a_.E + e);
        }
        for (int64_t t = 0; t < padded(count); t += LANES) {
            across<float>(q_rows_ + t * depth_, depth_, LANES, a_.D, 1.f, q_lanes_ + t * a_.D, LANES);
            across<float>(dout_rows_ + t * breadth_, breadth_, LANES, a_.E, 1.f, dout_lanes_ + t * a_.E,
                   LANES);
            for (int64_t v = t; v < t + LANES; v += W) deltas(out, count, v);
        }
    }

    // The sums of out * dout, taken in the order of the products that they are subtracted from: for
    // a query that sees one key the two are equal, and its gradient is zero as it should be.
    void deltas(const T* out, int64_t count, int64_t t) {
        Vec delta = Vec{};
        for (int64_t e = 0; e < a_.E; e++) {
            alignas(64) float value[W] = {};
            for (int64_t i = 0; i < least(W, count - t); i++)
                value[i] = scalar(out + (t + i) * a_.out_strides[2] + e);
            const int64_t lane = t / LANES * LANES * a_.E + e * LANES + t % LANES;
            delta += load(value) * load(dout_lanes_ + lane);
        }
        store(delta_ + t, delta);
    }

    void meet(int64_t b, int64_t kv, int64_t first, int64_t count, int64_t key, int64_t keys,
              float* dk, float* dv) {
        const Strided<float> k = rows_of(row_at<T>(a_.k, a_.k_strides, b, kv, key), a_.k_strides[2], keys,
                                  a_.D, keys_);
        const Strided<float> v = rows_of(row_at<T>(a_.v, a_.v_strides, b, kv, key), a_.v_strides[2], keys,
                                  a_.E, values_);
        for (int64_t t = 0; t < padded(count); t += LANES) {
            product<ZERO>(keys, k, q_lanes_ + t * a_.D, LANES, a_.D, weights_ + t, QUERIES);
            product<ZERO>(keys, v, dout_lanes_ + t * a_.E, LANES, a_.E, slopes_ + t, QUERIES);
            slopes(first + t, t, key, keys);
            product<KEEP>(a_.D, turned(k), slopes_ + t, QUERIES, keys, dq_lanes_ + t * a_.D, LANES);
        }
        const int64_t terms = padded(count);
        spread(keys, {weights_, QUERIES, 1}, dout_rows_, breadth_, a_.E, terms, dv + key * a_.E, dv_);
        spread(keys, {slopes_, QUERIES, 1}, q_rows_, depth_, a_.D, terms, dk + key * a_.D, dk_);
    }

    // Scores into weights, and the slopes of weights into slopes of scores.
    void slopes(int64_t query, int64_t t, int64_t key, int64_t keys) {
        const float factor = a_.scale * LOG2_E;
        for (int v = 0; v < VECTORS; v++) {
            const Vec lse = load(lse_ + t + v * W), delta = load(delta_ + t + v * W);
            for (int64_t j = 0; j < keys; j++) {
                float* weight = weights_ + j * QUERIES + t + v * W;
                float* slope = slopes_ + j * QUERIES + t + v * W;
                const Vec p = exp2_of(load(weight) * factor - lse);
                store(weight, p);
                store(slope, p * (load(slope) - delta));
            }
        }
        if (!a_.is_causal || key + keys <= seen_by(a_, query)) return;
        for (int64_t lane = 0; lane < LANES; lane++)
            for (int64_t j = most(0, seen_by(a_, least(query + lane, a_.T - 1)) - key); j < keys; j++)
                weights_[j * QUERIES + t + lane] = slopes_[j * QUERIES + t + lane] = 0;
    }

    // Add a product whose lanes are the features to rows in memory, which need not fill the lanes.
    void spread(int64_t keys, Strided<float> left, const float* right, int64_t ld, int64_t size,
                int64_t terms, float* to, float* room) {
        int64_t d = 0;
        for (; d + LANES <= size; d += LANES)
            product<KEEP>(keys, left, right + d, ld, terms, to + d, size);
        if (d == size) return;
        product<ZERO>(keys, left, right + d, ld, terms, room, LANES);
        for (int64_t j = 0; j < keys; j++)
            for (int64_t i = d; i < size; i++) to[j * size + i] += room[j * LANES + i - d];
    }

    const AttentionBackward& g_;
    const Attention& a_;
    int64_t depth_, breadth_;
    Room room_;
    float *q_lanes_, *dout_lanes_, *dq_lanes_, *q_rows_, *dout_rows_, *weights_, *slopes_, *keys_,
        *values_, *dk_, *dv_;
    alignas(64) float lse_[QUERIES], delta_[QUERIES];
};

template <class T>
void backward_of(const AttentionBackward& g) {
    const int64_t K = g.forward.K, tasks = g.splits * g.forward.B * K;
#pragma omp parallel num_threads(g.forward.threads)
    {
        Backward<T> worker(g);
#pragma omp for schedule(dynamic)
        for (int64_t i = 0; i < tasks; i++)
            worker.task(i / K % g.forward.B, i % K, i / (K * g.forward.B));
    }
}

void backward(const AttentionBackward* g) {
    if (g->forward.is_bfloat16) return backward_of<bfloat16>(*g);
    return backward_of<float>(*g);
}

}  // namespace
