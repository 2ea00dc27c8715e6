// The softmax over keys as they come, a block at a time, with queries in the lanes.
#pragma once
#include "blocks.h"

namespace {

struct Running {  // of LANES queries
    float high[LANES], total[LANES];

    void reset() {
        for (int i = 0; i < LANES; i++) {
            high[i] = LOWEST;
            total[i] = 0;
        }
    }
};

// Hide from each lane the keys past those it sees. `scores` holds keys x lanes, the keys lie at
// `positions` (null: one after another from `first`), and the first lane is query `t`.
inline void hide(const Attention& a, float* scores, const int32_t* positions, int64_t first,
                 int64_t keys, int64_t t, int64_t lanes) {
    const int64_t last = positions ? positions[keys - 1] : first + keys - 1;
    if (!a.is_causal || last < seen_by(a, t)) return;
    for (int64_t v = 0; v < lanes; v += W) {
        Ints seen;
        for (int i = 0; i < W; i++) seen[i] = int32_t(seen_by(a, least(t + v + i, a.T - 1)));
        for (int64_t j = 0; j < keys; j++) {
            float* score = scores + j * LANES + v;
            const int32_t at = positions ? positions[j] : int32_t(first + j);
            store(score, seen > at ? load(score) : all(LOWEST));
        }
    }
}

// How far, as a power of two, scores may rise above the maximum they are taken relative to before
// older sums are scaled down. A lane decides for itself: no query's bits depend on another's.
constexpr float SLACK = 8;

template <class Precision>
inline Vec weight(const float* score, Vec high, float factor) {
    return exp2_of<Precision>((load(score) - high) * factor);
}

// Turn a vector of lanes of scores into weights, where they lie, and return their sums.
inline Vec weights(const float* scores, float* to, int64_t keys, Vec high, float factor) {
    Vec total[2] = {Vec{}, Vec{}};
    int64_t j = 0;
    for (; j + 2 <= keys; j += 2)
        for (int i = 0; i < 2; i++) {
            const Vec p = weight<Fine>(scores + (j + i) * LANES, high, factor);
            store(to + (j + i) * LANES, p);
            total[i] += p;
        }
    if (j == keys) return total[0] + total[1];
    const Vec p = weight<Fine>(scores + j * LANES, high, factor);
    store(to + j * LANES, p);
    return total[0] + total[1] + p;
}

#if HAS_PAIRS
// The same into pairs of keys, from the front of the scores on; the sums are those of the weights
// as rounded, so that the values are averaged by weights that do add up to one.
inline Vec weights(const float* scores, Pair* to, int64_t keys, Vec high, float factor) {
    const Ints ones = all(Pair{0x3f803f80});
    const auto pair = [&](int64_t j, Vec second) {
        const Ints both = paired(weight<Coarse>(scores + j * LANES, high, factor), second);
        std::memcpy(to + j / 2 * LANES, &both, sizeof both);
        return both;
    };
    Vec total = Vec{};
    int64_t j = 0;
    for (; j + 2 <= keys; j += 2)
        total = plus_product(
            total, pair(j, weight<Coarse>(scores + (j + 1) * LANES, high, factor)), ones);
    return j < keys ? plus_product(total, pair(j, Vec{}), ones) : total;
}
#endif

// The largest score of each lane, or `high`.
inline Vec highest(const float* scores, int64_t keys, Vec high) {
    Vec most[4] = {high, high, high, high};
    int64_t j = 0;
    for (; j + 4 <= keys; j += 4)
        for (int i = 0; i < 4; i++) most[i] = larger(most[i], load(scores + (j + i) * LANES));
    for (; j < keys; j++) most[0] = larger(most[0], load(scores + j * LANES));
    return larger(larger(most[0], most[1]), larger(most[2], most[3]));
}

// Turn scores (keys x LANES) into weights, which take their place as rows of terms. Returns whether
// older sums shrink, and then by `decay` how much.
template <class Term>
inline bool weigh(float* scores, int64_t keys, int64_t lanes, float factor, Running& run,
                  float* decay) {
    bool shrinks = false;
    for (int64_t v = 0; v < lanes; v += W) {
        const Vec before = load(run.high + v);
        Vec high = highest(scores + v, keys, before);
        const Ints rises = high > before + SLACK / factor;
        high = rises ? high : before;
        const Vec shrink = exp2_of((before - high) * factor);
        Term* to = reinterpret_cast<Term*>(scores) + v;
        const Vec total = weights(scores + v, to, keys, high, factor);
        store(decay + v, shrink);
        store(run.high + v, high);
        store(run.total + v, load(run.total + v) * shrink + total);
        shrinks |= any_of(rises);
    }
    return shrinks;
}

}  // namespace
