// Which blocks of keys a block of queries attends to: from a map of the attention at a sixteenth of
// its resolution, before queries attend (`Selection`), or from bounds of pages while they decode
// (`Pages`). Definitions: selection.py.
#pragma once
#include <algorithm>
#include <cmath>
#include <numeric>
#include <vector>

#include "softmax.h"

namespace {

constexpr int64_t POOL = 16;  // positions whose mean stands for them
constexpr int64_t POOLS = KEYS / POOL;

// The means of every POOL rows, float32.
template <class T>
inline void pool(const T* from, int64_t stride, int64_t rows, int64_t D, float* to) {
    for (int64_t r = 0; r < rows; r += POOL, to += D) {
        const int64_t count = least(POOL, rows - r);
        const T* row = from + r * stride;
        int64_t d = 0;
        for (; d + W <= D; d += W) {
            Vec sum = Vec{};
            for (int64_t i = 0; i < count; i++) sum += load(row + i * stride + d);
            store(to + d, sum / float(count));
        }
        for (; d < D; d++) {
            float sum = 0;
            for (int64_t i = 0; i < count; i++) sum += scalar(row + i * stride + d);
            to[d] = sum / float(count);
        }
    }
}

// The `count` entries of the largest scores, ascending; of equals the first.
inline void largest(std::vector<float>& scores, int64_t count, std::vector<int32_t>& order,
                    int32_t* to) {
    for (float& score : scores)
        if (score != score) score = -INFINITE;
    order.resize(scores.size());
    std::iota(order.begin(), order.end(), 0);
    std::nth_element(order.begin(), order.begin() + count, order.end(), [&](int32_t a, int32_t b) {
        return scores[size_t(a)] > scores[size_t(b)] || (scores[size_t(a)] == scores[size_t(b)] && a < b);
    });
    std::sort(order.begin(), order.begin() + count);
    std::copy(order.begin(), order.begin() + count, to);
}

template <class T>
class Selector {
  public:
    Selector(const Selection& s, const float* pooled)
        : s_(s),
          pooled_(pooled),
          keys_((s.S + POOL - 1) / POOL),
          blocks_((s.S + KEYS - 1) / KEYS),
          room_(LANES * s.D * 2 + keys_ * LANES + blocks_ * LANES + 4096),
          means_(room_.take(LANES * s.D)),
          lanes_(room_.take(LANES * s.D)),
          map_(room_.take(keys_ * LANES)),
          share_(room_.take(blocks_ * LANES)) {}

    // LANES pools of queries of a head, from the first-th.
    void task(int64_t b, int64_t h, int64_t first) {
        const int64_t queries = least(LANES * POOL, s_.T - first * POOL);
        const int64_t lanes = (queries + POOL - 1) / POOL;
        const T* q = row_at<T>(s_.q, s_.q_strides, b, h, first * POOL);
        pool(q, s_.q_strides[2], queries, s_.D, means_);
        across<float>(means_, s_.D, lanes, s_.D, 1.f, lanes_, LANES);
        const float* keys = pooled_ + (b * s_.K + h / (s_.H / s_.K)) * keys_ * s_.D;
        product_of<ZERO>(lanes, keys_, Strided<float>{keys, s_.D, 1}, lanes_, LANES, s_.D, map_,
                         LANES);
        for (int64_t v = 0; v < lanes; v += W) share(first + v, v);
        for (int64_t n = 0; n * POOLS < lanes; n++) {
            std::vector<float> scores(size_t(blocks_), 0.f);
            for (int64_t m = 0; m < blocks_; m++)
                for (int64_t i = 0; i < least(POOLS, lanes - n * POOLS); i++)
                    scores[size_t(m)] += share_[m * LANES + n * POOLS + i];
            keep(b, h, first / POOLS + n, scores);
        }
    }

  private:
    // How many blocks lie before those of the queries' own positions.
    int64_t before(int64_t n) const { return most(0, n * QUERIES + s_.S - s_.T) / KEYS; }

    // The share that each block has of the softmax over pools of keys. The blocks of the queries'
    // own positions are left out under causality: they are kept in any case, and a query must not
    // be moved by keys after it.
    void share(int64_t pool, int64_t v) {
        alignas(64) int32_t seen[W];
        int64_t end = 0;
        for (int i = 0; i < W; i++) {
            const int64_t n = least((pool + i) / POOLS, (s_.T - 1) / QUERIES);
            seen[i] = int32_t(s_.is_causal ? before(n) * POOLS : keys_);
            end = most(end, seen[i]);
        }
        Ints left;
        std::memcpy(&left, seen, sizeof left);
        Vec high = all(LOWEST), total = Vec{};
        for (int64_t j = 0; j < end; j++) {
            float* score = map_ + j * LANES + v;
            const Vec shown = left > int32_t(j) ? load(score) * (s_.scale * LOG2_E) : all(LOWEST);
            store(score, shown);
            high = larger(high, shown);
        }
        for (int64_t j = 0; j < end; j++) {
            float* score = map_ + j * LANES + v;
            const Vec p = exp2_of<Coarse>(load(score) - high);
            store(score, p);
            total += p;
        }
        const Vec part = 1.f / total;
        for (int64_t m = 0; m < blocks_; m++) {
            Vec sum = Vec{};
            for (int64_t j = m * POOLS; j < least(end, (m + 1) * POOLS); j++)
                sum += load(map_ + j * LANES + v);
            store(share_ + m * LANES + v, sum * part);
        }
    }

    void keep(int64_t b, int64_t h, int64_t n, std::vector<float>& scores) {
        const int64_t first = n * QUERIES + s_.S - s_.T;
        const int64_t last = least(first + QUERIES, s_.S) - 1;
        const int64_t seen = s_.is_causal ? (last + KEYS) / KEYS : blocks_;
        scores.resize(size_t(most(0, seen)));
        int64_t kept = 0;
        for (int64_t m = 0; m < seen; m++) {
            const bool own = m * KEYS <= last && m * KEYS + KEYS > first;
            if (m && !own) continue;
            scores[size_t(m)] = INFINITE;
            kept++;
        }
        const int64_t wanted = int64_t(std::ceil(s_.keep * double(most(0, seen)) - 1e-9));
        const int64_t row = (b * s_.H + h) * ((s_.T + QUERIES - 1) / QUERIES) + n;
        s_.count[row] = int32_t(most(wanted, kept));
        largest(scores, s_.count[row], order_, s_.index + row * s_.J);
    }

    const Selection& s_;
    const float* pooled_;
    int64_t keys_, blocks_;
    Room room_;
    float *means_, *lanes_, *map_, *share_;
    std::vector<int32_t> order_;
};

template <class T>
void select_of(const Selection& s) {
    const int64_t pools = (s.S + POOL - 1) / POOL, heads = s.B * s.K;
    const int64_t parts = ((s.T + POOL - 1) / POOL + LANES - 1) / LANES;
    std::vector<float> pooled(size_t(heads * pools * s.D));
    constexpr int64_t PART = 64;  // pools of a task
    const int64_t shares = (pools + PART - 1) / PART;
#pragma omp parallel num_threads(s.threads)
    {
        Selector<T> worker(s, pooled.data());
#pragma omp for schedule(dynamic)
        for (int64_t i = 0; i < heads * shares; i++) {
            const int64_t head = i / shares, from = i % shares * PART;
            pool(row_at<T>(s.k, s.k_strides, head / s.K, head % s.K, from * POOL), s.k_strides[2],
                 least(PART * POOL, s.S - from * POOL), s.D,
                 pooled.data() + (head * pools + from) * s.D);
        }
#pragma omp for schedule(dynamic)
        for (int64_t i = 0; i < s.B * s.H * parts; i++)
            worker.task(i / parts / s.H, i / parts % s.H, i % parts * LANES);
    }
}

void select(const Selection* s) {
    if (s->is_bfloat16) return select_of<bfloat16>(*s);
    return select_of<float>(*s);
}

// The largest bound of a page over the queries that share its keys.
inline float bound(const Pages& p, const float* queries, int64_t rows, int64_t depth,
                   const bfloat16* low, const bfloat16* high) {
    float found = -INFINITE;
    for (int64_t r = 0; r < rows; r++) {
        Vec sum = Vec{};
        for (int64_t d = 0; d < p.D; d += W) {
            const Vec q = load(queries + r * depth + d);
            sum += larger(q * fetched<float>(low + d, p.D - d), q * fetched<float>(high + d, p.D - d));
        }
        const float own = sum_of(sum);
        found = own > found ? own : found;
    }
    return found;
}

// Queries as float32, rows of a whole number of vectors.
template <class T>
void pages_of(const Pages& p) {
    const int64_t rows = p.H / p.K * p.T, depth = (p.D + W - 1) / W * W;
#pragma omp parallel num_threads(p.threads)
    {
        std::vector<float> queries(size_t(rows * depth)), scores;
        std::vector<int32_t> order;
#pragma omp for schedule(dynamic)
        for (int64_t i = 0; i < p.B * p.K; i++) {
            for (int64_t r = 0; r < rows; r++) {
                const int64_t h = i % p.K * (p.H / p.K) + r / p.T;
                const T* q = row_at<T>(p.q, p.q_strides, i / p.K, h, r % p.T);
                for (int64_t d = 0; d < p.D; d += W)
                    store(queries.data() + r * depth + d, fetched<float>(q + d, p.D - d));
            }
            scores.resize(size_t(p.M));
            const bfloat16* low = static_cast<const bfloat16*>(p.low) + i * p.capacity * p.D;
            const bfloat16* high = static_cast<const bfloat16*>(p.high) + i * p.capacity * p.D;
            for (int64_t m = 0; m < p.M; m++)
                scores[size_t(m)] =
                    bound(p, queries.data(), rows, depth, low + m * p.D, high + m * p.D);
            scores.front() = scores.back() = INFINITE;
            largest(scores, p.J, order, p.index + i * p.J);
        }
    }
}

void pages(const Pages* p) {
    if (p->is_bfloat16) return pages_of<bfloat16>(*p);
    return pages_of<float>(*p);
}

}  // namespace
