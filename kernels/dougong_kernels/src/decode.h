// Few queries against many keys: bound by reading the cache once, so that its keys are split over
// the threads (Flash-Decoding) and every query of the heads that share them meets them together.
#pragma once
#include "blocks.h"

namespace {

constexpr int64_t PART = 512;  // keys

template <class T>
class Decode {
  public:
    explicit Decode(const Attention& a)
        : a_(a),
          group_(a.H / a.K),
          depth_((a.D + W - 1) / W * W),
          breadth_((a.E + W - 1) / W * W),
          room_(group_ * a.T * depth_ + PART + breadth_ + 4096),
          queries_(room_.take(group_ * a.T * depth_)),
          scores_(room_.take(PART)),
          sums_(room_.take(breadth_)) {}

    void task(int64_t b, int64_t kv, int64_t part) {
        const int64_t rows = group_ * a_.T, all = a_.blocks ? a_.counts[b * a_.K + kv] : a_.S;
        const int64_t per = (all + a_.parts - 1) / a_.parts;
        const int64_t from = least(all, part * per), to = least(all, from + per);
        for (int64_t r = 0; r < rows; r++) {
            const T* q = row_at<T>(a_.q, a_.q_strides, b, kv * group_ + r / a_.T, r % a_.T);
            for (int64_t d = 0; d < depth_; d++)
                queries_[r * depth_ + d] = d < a_.D ? scalar(q + d) * a_.scale * LOG2_E : 0.f;
            float* out = a_.scratch +
                         ((((b * a_.K + kv) * group_ * a_.T + r) * a_.parts) + part) * (a_.E + 2);
            out[0] = LOWEST;
            for (int64_t e = 0; e <= a_.E; e++) out[1 + e] = 0;
        }
        if (!a_.blocks) return run(b, kv, part, from, to, rows);
        for (int64_t i = from; i < to; i++) {
            const int64_t key = a_.blocks[(b * a_.K + kv) * a_.J + i] * a_.key_block;
            run(b, kv, part, key, least(a_.S, key + a_.key_block), rows);
        }
    }

  private:
    void run(int64_t b, int64_t kv, int64_t part, int64_t from, int64_t to, int64_t rows) {
        for (int64_t key = from; key < to; key += PART)
            for (int64_t r = 0; r < rows; r++) {
                const int64_t keys =
                    least(least(PART, to - key), seen_by(a_, r % a_.T) - key);
                if (keys > 0) meet(b, kv, key, keys, r, part);
            }
    }

    void meet(int64_t b, int64_t kv, int64_t key, int64_t keys, int64_t r, int64_t part) {
        float* out = a_.scratch +
                     ((((b * a_.K + kv) * group_ * a_.T + r) * a_.parts) + part) * (a_.E + 2);
        score(row_at<T>(a_.k, a_.k_strides, b, kv, key), keys, queries_ + r * depth_);
        float high = out[0];
        for (int64_t j = 0; j < keys; j++) high = scores_[j] > high ? scores_[j] : high;
        for (int64_t j = keys; j % W; j++) scores_[j] = LOWEST;
        Vec total = Vec{};
        for (int64_t j = 0; j < keys; j += W) {
            const Vec p = exp2_of(load(scores_ + j) - high);
            store(scores_ + j, p);
            total += p;
        }
        alignas(64) float decay[W];
        store(decay, exp2_of(all(out[0] - high)));
        out[0] = high;
        out[1] = out[1] * decay[0] + sum_of(total);
        add(row_at<T>(a_.v, a_.v_strides, b, kv, key), keys, decay[0], out + 2);
    }

    void score(const T* k, int64_t keys, const float* q) {
        const int64_t stride = a_.k_strides[2], D = a_.D;
        int64_t j = 0;
        for (; j + 4 <= keys; j += 4, k += 4 * stride) {
            Vec sum[4] = {Vec{}, Vec{}, Vec{}, Vec{}};
            int64_t d = 0;
            for (; d + W <= D; d += W) {
                const Vec right = load(q + d);
                for (int i = 0; i < 4; i++) {
                    if (d % (64 / int64_t(sizeof(T))) == 0) __builtin_prefetch(k + (i + 16) * stride + d);
                    sum[i] += load(k + i * stride + d) * right;
                }
            }
            for (int i = 0; i < 4; i++) {
                scores_[j + i] = sum_of(sum[i]);
                for (int64_t e = d; e < D; e++) scores_[j + i] += scalar(k + i * stride + e) * q[e];
            }
        }
        for (; j < keys; j++, k += stride) {
            Vec sum = Vec{};
            int64_t d = 0;
            for (; d + W <= D; d += W) sum += load(k + d) * load(q + d);
            scores_[j] = sum_of(sum);
            for (; d < D; d++) scores_[j] += scalar(k + d) * q[d];
        }
    }

    void add(const T* v, int64_t keys, float decay, float* out) {
        constexpr int AT_ONCE = 8;
        const int64_t stride = a_.v_strides[2];
        int64_t e = 0;
        for (; e + AT_ONCE * W <= a_.E; e += AT_ONCE * W) columns<AT_ONCE>(v + e, stride, keys, decay, out + e);
        for (; e + W <= a_.E; e += W) columns<1>(v + e, stride, keys, decay, out + e);
        for (; e < a_.E; e++) {
            float sum = out[e] * decay;
            for (int64_t j = 0; j < keys; j++) sum += scores_[j] * scalar(v + j * stride + e);
            out[e] = sum;
        }
    }

    template <int N>
    void columns(const T* v, int64_t stride, int64_t keys, float decay, float* out) {
        Vec sum[N];
        for (int i = 0; i < N; i++) sum[i] = load(out + i * W) * decay;
        for (int64_t j = 0; j < keys; j++, v += stride) {
            const Vec p = all(scores_[j]);
            for (int i = 0; i < N; i++) {
                if (i * W % (64 / int64_t(sizeof(T))) == 0) __builtin_prefetch(v + 16 * stride + i * W);
                sum[i] += p * load(v + i * W);
            }
        }
        for (int i = 0; i < N; i++) store(out + i * W, sum[i]);
    }

    const Attention& a_;
    int64_t group_, depth_, breadth_;
    Room room_;
    float *queries_, *scores_, *sums_;
};

// Join the parts of one query.
template <class T>
void join(const Attention& a, int64_t b, int64_t h, int64_t t) {
    const float* parts = a.scratch + ((b * a.H + h) * a.T + t) * a.parts * (a.E + 2);
    T* out = const_cast<T*>(row_at<T>(a.out, a.out_strides, b, h, t));
    float high = LOWEST, total = 0;
    for (int64_t i = 0; i < a.parts; i++) {
        const float own = parts[i * (a.E + 2)];
        high = own > high || own != own ? own : high;
    }
    for (int64_t i = 0; i < a.parts; i++)
        total += parts[i * (a.E + 2) + 1] * __builtin_exp2f(parts[i * (a.E + 2)] - high);
    for (int64_t e = 0; e < a.E; e++) {
        float sum = 0;
        for (int64_t i = 0; i < a.parts; i++)
            sum += parts[i * (a.E + 2) + 2 + e] * __builtin_exp2f(parts[i * (a.E + 2)] - high);
        put(out + e, high == LOWEST && total == total ? 0.f : sum / total);
    }
}

template <class T>
void decode_of(const Attention& a) {
#pragma omp parallel num_threads(a.threads)
    {
        Decode<T> worker(a);
#pragma omp for schedule(dynamic)
        for (int64_t i = 0; i < a.B * a.K * a.parts; i++)
            worker.task(i / (a.K * a.parts), i / a.parts % a.K, i % a.parts);
#pragma omp for schedule(static)
        for (int64_t i = 0; i < a.B * a.H * a.T; i++)
            join<T>(a, i / (a.H * a.T), i / a.T % a.H, i % a.T);
    }
}

void decode(const Attention* a) {
    if (a->is_bfloat16) return decode_of<bfloat16>(*a);
    return decode_of<float>(*a);
}

}  // namespace
