// Exact attention and attention to listed blocks of keys.
//
// Dao et al., "FlashAttention", 2022, arXiv:2205.14135, algorithm 1, with the loop over queries
// outside (as in FlashAttention-2). Queries lie in the lanes: maxima and sums over keys are then
// plain vector operations, and neither keys nor values are turned.
#pragma once
#include <vector>

#include "softmax.h"

namespace {

// T is how numbers are stored, Term what products are made of: float, or pairs of bfloat16.
template <class T, class Term>
class Forward {
  public:
    explicit Forward(const Attention& a)
        : a_(a),
          depth_(terms_of<Term>(a.D)),
          room_(QUERIES * (depth_ + a.E) + KEYS * (LANES + depth_ + a.E) + 4096),
          queries_(terms(QUERIES * depth_)),
          sums_(room_.take(QUERIES * a.E)),
          scores_(room_.take(KEYS * LANES)),
          keys_(terms(KEYS * depth_)),
          values_(terms(KEYS * a.E)),
          k_rows_(size_t(a.blocks && a.key_block < KEYS ? KEYS * a.D : 0)),
          v_rows_(size_t(a.blocks && a.key_block < KEYS ? KEYS * a.E : 0)) {
        queries_factor_ = scales_late(a) ? 1.f : a.scale;
        factor_ = scales_late(a) ? a.scale * LOG2_E : LOG2_E;
    }

    // Compute QUERIES queries of a head. Returns whether rounding took too much of them, so that
    // products of floats should take them again: values too small for pairs, or a row that cancels
    // to far less than its neighbours, of which the rounding of the weights is then a large part.
    bool task(int64_t b, int64_t h, int64_t n) {
        doubtful_ = false;
        const int64_t first = n * QUERIES, count = least(QUERIES, a_.T - first);
        const T* q = row_at<T>(a_.q, a_.q_strides, b, h, first);
        for (int64_t t = 0; t < count; t += LANES) {
            across<Term>(q + t * a_.q_strides[2], a_.q_strides[2], least(LANES, count - t), a_.D,
                   queries_factor_, queries_ + t * depth_, LANES);
            run_[t / LANES].reset();
        }
        std::memset(sums_, 0, sizeof(float) * size_t(padded(count) * a_.E));
        const int64_t end = seen_by(a_, first + count - 1), kv = h / (a_.H / a_.K);
        if (!a_.blocks) {
            for (int64_t key = 0; key < end; key += KEYS)
                meet(b, kv, first, count, key, least(KEYS, end - key), key + KEYS);
        } else {
            const int64_t at = (b * a_.H + h) * ((a_.T + QUERIES - 1) / QUERIES) + n;
            listed(b, kv, first, count, end, a_.blocks + at * a_.J, a_.counts[at]);
        }
        finish(b, h, first, count);
        return doubtful_ || cancels(count);
    }

  private:
    static constexpr float CANCELS = 1.f / (16 * 16);

    bool cancels(int64_t count) const {
        if (PER_TERM<Term> == 1) return false;
        float least = INFINITE, total = 0;
        for (int64_t t = 0; t < count; t++) {
            least = squares_[t] < least ? squares_[t] : least;
            total += squares_[t];
        }
        return least < total / float(count) * CANCELS;
    }

    Term* terms(int64_t count) { return reinterpret_cast<Term*>(room_.take(count)); }

    // Keys and values that the queries meet together: rows `k_stride` and `v_stride` apart.
    struct Block {
        const T *k, *v;
        int64_t k_stride, v_stride, keys;
        const int32_t* positions;  // ascending; null where they follow one another from `first`
        int64_t first;
    };

    void listed(int64_t b, int64_t kv, int64_t first, int64_t count, int64_t end,
                const int32_t* blocks, int64_t listed) {
        if (a_.key_block < KEYS) return gathered(b, kv, first, count, end, blocks, listed);
        for (int64_t i = 0; i < listed; i++) {
            const int64_t start = blocks[i] * a_.key_block;
            const int64_t stop = least(end, start + a_.key_block);
            for (int64_t key = start; key < stop; key += KEYS) {
                const bool last = key + KEYS >= stop;
                const int64_t next = !last          ? key + KEYS
                                     : i + 1 < listed ? blocks[i + 1] * a_.key_block
                                                      : a_.S;
                meet(b, kv, first, count, key, least(KEYS, stop - key), next);
            }
        }
    }

    // Blocks smaller than what is read at a time, single keys included, are brought together.
    void gathered(int64_t b, int64_t kv, int64_t first, int64_t count, int64_t end,
                  const int32_t* blocks, int64_t listed) {
        Block block = {k_rows_.data(), v_rows_.data(), a_.D, a_.E, 0, positions_, 0};
        const auto no_next = [](int64_t, int64_t) {};
        for (int64_t i = 0; i < listed; i++) {
            const int64_t start = blocks[i] * a_.key_block;
            for (int64_t key = start; key < least(end, start + a_.key_block); key++) {
                std::memcpy(k_rows_.data() + block.keys * a_.D,
                            row_at<T>(a_.k, a_.k_strides, b, kv, key), sizeof(T) * size_t(a_.D));
                std::memcpy(v_rows_.data() + block.keys * a_.E,
                            row_at<T>(a_.v, a_.v_strides, b, kv, key), sizeof(T) * size_t(a_.E));
                positions_[block.keys++] = int32_t(key);
                if (block.keys < KEYS) continue;
                meet(first, count, block, no_next);
                block.keys = 0;
            }
        }
        if (block.keys) meet(first, count, block, no_next);
    }

    // The queries meet a block of keys; the block from `next` on is fetched meanwhile.
    void meet(int64_t b, int64_t kv, int64_t first, int64_t count, int64_t key, int64_t keys,
              int64_t next) {
        const Block block = {row_at<T>(a_.k, a_.k_strides, b, kv, key),
                             row_at<T>(a_.v, a_.v_strides, b, kv, key),
                             a_.k_strides[2],
                             a_.v_strides[2],
                             keys,
                             nullptr,
                             key};
        meet(first, count, block, [&](int64_t from, int64_t rows) {
            for (int64_t j = next + from; j < least(a_.S, next + from + rows); j++) {
                prefetch(row_at<T>(a_.k, a_.k_strides, b, kv, j), a_.D);
                prefetch(row_at<T>(a_.v, a_.v_strides, b, kv, j), a_.E);
            }
        });
    }

    template <class Fetch>
    void meet(int64_t first, int64_t count, const Block& block, Fetch fetch) {
        const int64_t keys = block.keys;
        const auto k = rows_of(block.k, block.k_stride, keys, a_.D, keys_);
        const auto v = columns_of(block.v, block.v_stride, keys, a_.E, values_, doubtful_);
        const int64_t lowest = block.positions ? block.positions[0] : block.first;
        alignas(64) float decay[LANES];
        for (int64_t t = 0; t < count; t += LANES) {
            const int64_t lanes = least(LANES, count - t);
            if (seen_by(a_, first + t + lanes - 1) <= lowest) continue;
            product_of<ZERO>(lanes, keys, k, queries_ + t * depth_, LANES, depth_, scores_, LANES,
                             nullptr, fetch);
            hide(a_, scores_, block.positions, block.first, keys, first + t, lanes);
            float* sums = sums_ + t * a_.E;
            const bool shrinks =
                weigh<Term>(scores_, keys, lanes, factor_, run_[t / LANES], decay);
            const Term* weights = reinterpret_cast<const Term*>(scores_);
            const int64_t terms = terms_of<Term>(keys);
            if (shrinks) product_of<SCALE>(lanes, a_.E, v, weights, LANES, terms, sums, LANES, decay);
            else product_of<KEEP>(lanes, a_.E, v, weights, LANES, terms, sums, LANES);
        }
    }

    void finish(int64_t b, int64_t h, int64_t first, int64_t count) {
        T* out = const_cast<T*>(row_at<T>(a_.out, a_.out_strides, b, h, first));
        for (int64_t t = 0; t < count; t += W) {
            const Running& run = run_[t / LANES];
            const int64_t lane = t % LANES, rows = least(W, count - t);
            float share[W];
            for (int64_t i = 0; i < rows; i++) {
                const float total = run.total[lane + i];
                // A total of NaN is no sign of having seen nothing.
                const bool blind = seen_by(a_, first + t + i) == 0 ||
                                   (run.high[lane + i] == LOWEST && total == total);
                share[i] = blind ? 0.f : 1.f / total;
                if (a_.lse)
                    a_.lse[(b * a_.H + h) * a_.T + first + t + i] =
                        blind ? INFINITE : run.high[lane + i] * factor_ + __builtin_log2f(total);
            }
            const float* sums = sums_ + t / LANES * LANES * a_.E + lane;
            std::memset(squares_ + t, 0, sizeof(float) * W);
            for (int64_t e = 0; e < a_.E; e += W)
                written(sums + e * LANES, share, rows, e, squares_ + t,
                        out + t * a_.out_strides[2] + e);
        }
    }

    // W values from the e-th on of a few queries, out of the lanes.
    void written(const float* sums, const float* share, int64_t rows, int64_t e, float* squares,
                 T* out) {
        const int64_t values = least(W, a_.E - e);
        Vec block[W];
        for (int i = 0; i < W; i++) block[i] = i < values ? load(sums + i * LANES) : Vec{};
        turn(block);
        for (int64_t i = 0; i < rows; i++) {
            T row[W];
            const Vec value = share[i] == 0.f ? Vec{} : block[i] * share[i];
            if (PER_TERM<Term> > 1) squares[i] += sum_of(value * value);
            put(row, value);
            std::memcpy(out + i * a_.out_strides[2], row, sizeof(T) * size_t(values));
        }
    }

    const Attention& a_;
    int64_t depth_;
    Room room_;
    Term* queries_;
    float *sums_, *scores_;
    Term *keys_, *values_;
    std::vector<T> k_rows_, v_rows_;
    int32_t positions_[KEYS];
    bool doubtful_ = false;
    float squares_[QUERIES];  // of each row of the result
    float factor_, queries_factor_;
    alignas(64) Running run_[QUERIES / LANES];
};

template <class T, class Term>
void forward_of(const Attention& a) {
    const int64_t N = (a.T + QUERIES - 1) / QUERIES, tasks = a.B * a.H * N;
#pragma omp parallel num_threads(a.threads)
    {
        Forward<T, Term> worker(a);
        // Head by head, so that keys stay in the cache; the longest first, the last queries.
#pragma omp for schedule(dynamic)
        for (int64_t i = 0; i < tasks; i++)
            if (worker.task(i / N / a.H, i / N % a.H, N - 1 - i % N))
                Forward<T, float>(a).task(i / N / a.H, i / N % a.H, N - 1 - i % N);
    }
}

void forward(const Attention* a) {
    if (!a->is_bfloat16) return forward_of<float, float>(*a);
#if HAS_PAIRS
    // Scaling the queries would round them: products of float take that case.
    if (scales_late(*a)) return forward_of<bfloat16, Pair>(*a);
#endif
    return forward_of<bfloat16, float>(*a);
}

}  // namespace
