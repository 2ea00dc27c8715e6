// What Python and the levels agree on: plain structs of pointers, sizes and strides.
#pragma once
#include <cstdint>

extern "C" {

// Shapes: q (B, H, T, D), k (B, K, S, D), v (B, K, S, E), out (B, H, T, E), lse (B, H, T). Strides
// are in elements, for the batch, the head and the position; the last dimension is dense.
struct Attention {
    const void *q, *k, *v;
    void* out;
    float* lse;  // log2 of the sum of weights; +inf where a query sees no key; may be null
    int64_t B, H, K, T, S, D, E;
    int64_t q_strides[3], k_strides[3], v_strides[3], out_strides[3];
    float scale;
    int32_t is_causal, is_bfloat16, threads;
    // Kept key blocks of each block of 64 queries, ascending: (B, H, N, J) of which counts (B, H, N)
    // are used. Null: every key.
    const int32_t *blocks, *counts;
    int64_t J, key_block;
    // Decoding: the partial results, (B, H, T, parts, E + 2).
    float* scratch;
    int64_t parts;
};

// The gradients are float32 and dense: dq (B, H, T, D), and dk (splits, B, K, S, D), dv likewise,
// zero on entry, to be added up over the first dimension. dout is dense, of the dtype of out.
struct AttentionBackward {
    Attention forward;
    const void* dout;
    float *dq, *dk, *dv;
    int64_t splits;
};

struct Level {
    const char* name;
    void (*attention)(const Attention*);
    void (*decode)(const Attention*);
    void (*backward)(const AttentionBackward*);
};
}
