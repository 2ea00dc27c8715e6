// Which levels were built, which of them this processor can run, and the best of those.
#include <cstring>

#include "interface.h"

extern "C" {
extern const Level level_portable;
#if defined(__x86_64__)
extern const Level level_avx2, level_avx512, level_avx512_bf16;
#endif

// The level of that name, or the best if it is null; null if this processor cannot run it.
const Level* dougong_level(const char* name) {
    const Level* usable[4];
    int count = 0;
#if defined(__x86_64__)
    __builtin_cpu_init();
    const bool avx512 = __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
                        __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl");
    if (avx512 && __builtin_cpu_supports("avx512bf16")) usable[count++] = &level_avx512_bf16;
    if (avx512) usable[count++] = &level_avx512;
    if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma"))
        usable[count++] = &level_avx2;
#endif
    usable[count++] = &level_portable;
    for (int i = 0; i < count; i++)
        if (!name || !std::strcmp(name, usable[i]->name)) return usable[i];
    return nullptr;
}

const char* dougong_level_name(const Level* level) { return level->name; }
void dougong_attention(const Level* level, const Attention* a) { level->attention(a); }
void dougong_decode(const Level* level, const Attention* a) { level->decode(a); }
void dougong_select(const Level* level, const Selection* s) { level->select(s); }
void dougong_pages(const Level* level, const Pages* p) { level->pages(p); }
double dougong_probe(const Level* level, const Probe* p) { return level->probe(p); }
void dougong_attention_backward(const Level* level, const AttentionBackward* g) {
    level->backward(g);
}
void dougong_row_norm(const Level* level, const RowNorm* a) { level->row_norm(a); }
void dougong_row_norm_backward(const Level* level, const RowNormBackward* g) {
    level->row_norm_backward(g);
}
void dougong_group_norm(const Level* level, const GroupNorm* a) { level->group_norm(a); }
void dougong_group_norm_backward(const Level* level, const GroupNormBackward* g) {
    level->group_norm_backward(g);
}
void dougong_activation(const Level* level, const Pointwise* a) { level->activation(a); }
}
