// Few queries against many keys: bound by reading the cache once, so that its keys are split over
// the threads (Flash-Decoding) and every query of the heads that share them meets them together.
#pragma once
#include "blocks.h"

namespace {

constexpr int64_t PART = 128;  // keys

// T is how numbers are stored, Term what products of queries and keys are made of.
template <class T, class Term>
class Decode {
  public:
    explicit Decode(const Attention& a)
        : a_(a),
          group_(a.H / a.K),
          depth_((terms_of<Term>(a.D) + W - 1) / W * W),
          factor_(scales_late(a) ? a.scale * LOG2_E : LOG2_E),
          room_(group_ * a.T * depth_ + PART + W + 4096),
          queries_(reinterpret_cast<Term*>(room_.take(group_ * a.T * depth_))),
          scores_(room_.take(PART + W)) {}

    void task(int64_t b, int64_t kv, int64_t part) {
        const int64_t all = a_.blocks ? a_.counts[b * a_.K + kv] : a_.S;
        const int64_t per = (all + a_.parts - 1) / a_.parts;
        const int64_t from = least(all, part * per), to = least(all, from + per);
        for (int64_t r = 0; r < group_ * a_.T; r++) {
            const T* q = row_at<T>(a_.q, a_.q_strides, b, kv * group_ + r / a_.T, r % a_.T);
            for (int64_t k = 0; k < depth_; k += W) {
                const int64_t d = k * PER_TERM<Term>;
                const Vec terms = d < a_.D ? fetched<Term>(q + d, a_.D - d) : Vec{};
                store(reinterpret_cast<float*>(queries_ + r * depth_ + k),
                      scales_late(a_) ? terms : terms * a_.scale);
            }
            float* out = partial(b, kv, r, part);
            out[0] = LOWEST;
            std::memset(out + 1, 0, sizeof(float) * size_t(a_.E + 1));
        }
        if (!a_.blocks) return run(b, kv, part, from, to, to);
        const int32_t* blocks = a_.blocks + (b * a_.K + kv) * a_.J;
        for (int64_t i = from; i < to; i++) {
            const int64_t key = blocks[i] * a_.key_block;
            run(b, kv, part, key, least(a_.S, key + a_.key_block),
                i + 1 < to ? blocks[i + 1] * a_.key_block : a_.S);
        }
    }

  private:
    float* partial(int64_t b, int64_t kv, int64_t r, int64_t part) const {
        const int64_t row = (b * a_.K + kv) * group_ * a_.T + r;
        return a_.scratch + (row * a_.parts + part) * (a_.E + 2);
    }

    // All queries meet the keys from `from` to `to`; those from `next` on are fetched meanwhile.
    void run(int64_t b, int64_t kv, int64_t part, int64_t from, int64_t to, int64_t next) {
        for (int64_t key = from; key < to; key += PART)
            for (int64_t r = 0; r < group_ * a_.T; r++) {
                const int64_t keys = least(least(PART, to - key), seen_by(a_, r % a_.T) - key);
                const int64_t ahead = key + PART < to ? key + PART : next;
                if (keys > 0) meet(b, kv, key, keys, r, ahead, partial(b, kv, r, part));
            }
    }

    void meet(int64_t b, int64_t kv, int64_t key, int64_t keys, int64_t r, int64_t next,
              float* out) {
        const bool fetches = r == 0 && next + keys <= a_.S;
        score(row_at<T>(a_.k, a_.k_strides, b, kv, key), keys, queries_ + r * depth_,
              fetches ? (next - key) * a_.k_strides[2] : 0);
        float high = out[0];
        for (int64_t j = 0; j < keys; j++) high = scores_[j] > high ? scores_[j] : high;
        for (int64_t j = keys; j % W; j++) scores_[j] = LOWEST;
        Vec total = Vec{};
        for (int64_t j = 0; j < keys; j += W) {
            const Vec p = exp2_of((load(scores_ + j) - high) * factor_);
            store(scores_ + j, p);
            total += p;
        }
        alignas(64) float decay[W];
        store(decay, exp2_of(all((out[0] - high) * factor_)));
        out[0] = high;
        out[1] = out[1] * decay[0] + sum_of(total);
        add(row_at<T>(a_.v, a_.v_strides, b, kv, key), keys, decay[0], out + 2,
            fetches ? (next - key) * a_.v_strides[2] : 0);
    }

    // W keys at a time, whose sums are turned so that none is added up across lanes.
    void score(const T* k, int64_t keys, const Term* q, int64_t ahead) {
        const int64_t stride = a_.k_strides[2];
        for (int64_t j = 0; j < keys; j += W, k += W * stride) {
            const int64_t rows = least(W, keys - j);
            Vec sum[W];
            for (int i = 0; i < W; i++) sum[i] = Vec{};
            if (ahead)
                for (int64_t i = 0; i < rows; i++) prefetch(k + ahead + i * stride, a_.D);
            if (rows == W && a_.D % (W * PER_TERM<Term>) == 0) whole(k, q, sum);
            else
                for (int64_t i = 0; i < rows; i++)
                    for (int64_t d = 0; d < a_.D; d += W * PER_TERM<Term>)
                        sum[i] = plus_product(
                            sum[i], as_terms(fetched<Term>(k + i * stride + d, a_.D - d), q),
                            load(q + d / PER_TERM<Term>));
            turn(sum);
            for (int half = W / 2; half; half /= 2)
                for (int i = 0; i < half; i++) sum[i] += sum[i + half];
            store(scores_ + j, sum[0]);
        }
    }

    void whole(const T* k, const Term* q, Vec (&sum)[W]) {
#pragma GCC unroll 16
        for (int i = 0; i < W; i++) {
            const T* row = k + i * a_.k_strides[2];
            for (int64_t d = 0; d < a_.D; d += W * PER_TERM<Term>)
                sum[i] = plus_product(sum[i], as_terms(fetched<Term>(row + d, a_.D), q), load(q + d / PER_TERM<Term>));
        }
    }

    void add(const T* v, int64_t keys, float decay, float* out, int64_t ahead) {
        constexpr int AT_ONCE = W == 16 ? 4 : 8;
        int64_t e = 0;
        for (; e + AT_ONCE * W <= a_.E; e += AT_ONCE * W)
            columns<AT_ONCE>(v + e, keys, decay, out + e, ahead);
        for (; e + W <= a_.E; e += W) columns<1>(v + e, keys, decay, out + e, ahead);
        for (; e < a_.E; e++) {
            float sum = out[e] * decay;
            for (int64_t j = 0; j < keys; j++)
                sum += scores_[j] * scalar(v + j * a_.v_strides[2] + e);
            out[e] = sum;
        }
    }

    template <int N>
    void columns(const T* v, int64_t keys, float decay, float* out, int64_t ahead) {
        Vec sum[N];
        for (int i = 0; i < N; i++) sum[i] = load(out + i * W) * decay;
        for (int64_t j = 0; j < keys; j++, v += a_.v_strides[2]) {
            const Vec p = all(scores_[j]);
            if (ahead) prefetch(v + ahead, N * W);
            for (int i = 0; i < N; i++) sum[i] += p * load(v + i * W);
        }
        for (int i = 0; i < N; i++) store(out + i * W, sum[i]);
    }

    const Attention& a_;
    int64_t group_, depth_;
    float factor_;
    Room room_;
    Term* queries_;
    float* scores_;
};

// Join the parts of one query.
template <class T>
void join(const Attention& a, int64_t b, int64_t h, int64_t t) {
    const float* parts = a.scratch + ((b * a.H + h) * a.T + t) * a.parts * (a.E + 2);
    T* out = const_cast<T*>(row_at<T>(a.out, a.out_strides, b, h, t));
    const float factor = scales_late(a) ? a.scale * LOG2_E : LOG2_E;
    float high = LOWEST, total = 0;
    for (int64_t i = 0; i < a.parts; i++) {
        const float own = parts[i * (a.E + 2)];
        high = own > high || own != own ? own : high;
    }
    for (int64_t i = 0; i < a.parts; i++)
        total += parts[i * (a.E + 2) + 1] *
                 __builtin_exp2f((parts[i * (a.E + 2)] - high) * factor);
    for (int64_t e = 0; e < a.E; e++) {
        float sum = 0;
        for (int64_t i = 0; i < a.parts; i++)
            sum += parts[i * (a.E + 2) + 2 + e] *
                   __builtin_exp2f((parts[i * (a.E + 2)] - high) * factor);
        put(out + e, high == LOWEST && total == total ? 0.f : sum / total);
    }
}

template <class T, class Term>
void decode_of(const Attention& a) {
#pragma omp parallel num_threads(a.threads)
    {
        Decode<T, Term> worker(a);
#pragma omp for schedule(dynamic)
        for (int64_t i = 0; i < a.B * a.K * a.parts; i++)
            worker.task(i / (a.K * a.parts), i / a.parts % a.K, i % a.parts);
#pragma omp for schedule(static)
        for (int64_t i = 0; i < a.B * a.H * a.T; i++)
            join<T>(a, i / (a.H * a.T), i / a.T % a.H, i % a.T);
    }
}

void decode(const Attention* a) {
    if (!a->is_bfloat16) return decode_of<float, float>(*a);
#if HAS_PAIRS
    if (scales_late(*a)) return decode_of<bfloat16, Pair>(*a);
#endif
    return decode_of<bfloat16, float>(*a);
}

}  // namespace
