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
    // Kept blocks of `key_block` keys (a multiple of 64, or fewer: 1 for single keys) of each block
    // of 64 queries, ascending: (B, H, N, J) of which counts (B, H, N) are used. Null: every key.
    const int32_t *blocks, *counts;
    int64_t J, key_block;
    // Decoding: the partial results, (B, H, T, parts, E + 2).
    float* scratch;
    int64_t parts;
};

// Which blocks of 64 keys each block of 64 queries attends to: index (B, H, N, J) ascending, of which
// count (B, H, N) are used. J is at least what any of them may keep.
struct Selection {
    const void *q, *k;
    int64_t B, H, K, T, S, D;
    int64_t q_strides[3], k_strides[3];
    double keep;  // share of the blocks that are seen
    float scale;
    int32_t is_causal, is_bfloat16, threads;
    int32_t *index, *count;
    int64_t J;
};

// Which J of M pages of a cache the newest queries attend to: index (B, K, J) ascending. low and
// high are bfloat16, (B, K, capacity, D): no key of a page lies outside them.
struct Pages {
    const void *q, *low, *high;
    int64_t B, H, K, T, D, M, capacity, J;
    int64_t q_strides[3];
    int32_t is_bfloat16, threads;
    int32_t* index;
};

enum ProbeKind : int32_t { FLOAT32, BFLOAT16, STREAM };

// Work that nothing but the processor limits: n steps of sums of products a thread, or n floats read.
// Done is returned in operations or bytes; 0 where there is no such instruction.
struct Probe {
    int32_t kind, threads;
    const float* data;
    int64_t n;
};

// The gradients are float32 and dense: dq (B, H, T, D), and dk (splits, B, K, S, D), dv likewise,
// zero on entry, to be added up over the first dimension. dout is dense, of the dtype of out.
struct AttentionBackward {
    Attention forward;
    const void* dout;
    float *dq, *dk, *dv;
    int64_t splits;
};

// Rows of D, dense, with the residual added first where it is not null: `sum` then takes x +
// residual, of which the norm is taken. Weight, bias and moments may be null; moments (rows, 2) takes
// the mean and the factor of each row. An RMS norm is the same without a mean.
struct RowNorm {
    const void *x, *residual, *weight, *bias;
    void *y, *sum;
    float* moments;
    int64_t rows, D;
    float eps;
    int32_t is_centred, is_bfloat16, threads;
};

// x is what was normed, the sum where there was one, and dsum what flows into it, or null. partial
// is scratch of (parts, 2, D rounded up to 16), asked for where dweight or dbias is.
struct RowNormBackward {
    const void *dy, *dsum, *x, *weight;
    const float* moments;
    void *dx, *dweight, *dbias;
    float* partial;
    int64_t rows, D, parts;
    int32_t is_centred, is_bfloat16, threads;
};

// count = N * groups stretches of `channels` * `inner` elements; weight and bias are per channel.
struct GroupNorm {
    const void *x, *weight, *bias;
    void* y;
    float* moments;
    int64_t count, groups, channels, inner;
    float eps;
    int32_t is_bfloat16, threads;
};

// partial is scratch of (2, N, groups * channels).
struct GroupNormBackward {
    const void *dy, *x, *weight;
    const float* moments;
    void *dx, *dweight, *dbias;
    float* partial;
    int64_t count, groups, channels, inner;
    int32_t is_bfloat16, threads;
};

enum ActivationKind : int32_t { SILU, SQUARED_RELU, GELU_ERF, GELU_TANH };

// y = f(x), times `up` where it is not null (then f is SILU). With dy, the gradients: y takes that
// of x and dup that of `up`.
struct Pointwise {
    const void *x, *up, *dy;
    void *y, *dup;
    int64_t n;
    int32_t kind, is_bfloat16, threads;
};

struct Level {
    const char* name;
    void (*attention)(const Attention*);
    void (*decode)(const Attention*);
    void (*select)(const Selection*);
    void (*pages)(const Pages*);
    double (*probe)(const Probe*);
    void (*backward)(const AttentionBackward*);
    void (*row_norm)(const RowNorm*);
    void (*row_norm_backward)(const RowNormBackward*);
    void (*group_norm)(const GroupNorm*);
    void (*group_norm_backward)(const GroupNormBackward*);
    void (*activation)(const Pointwise*);
};
}
