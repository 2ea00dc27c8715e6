// The probability that a normal variable lies above a >= 0, looked up where there are instructions
// for it: sixteen intervals of 0.4, on each a polynomial about its middle, fitted by us by least
// squares with relative weights. One instruction looks up a coefficient for sixteen numbers.
#pragma once
#include "lanes.h"

namespace {

#if AVX512
// Degree 5: within 3e-8 of the probability up to 2, within 1e-9 absolutely beyond.
alignas(64) const float NORMAL_FINE[6][16] = {
    {0.420740306f, 0.27425313f, 0.158655256f, 0.0807566568f, 0.0359303169f, 0.0139034456f,
     0.00466118753f, 0.00134989817f, 0.000336929545f, 7.23482153e-05f, 1.33458161e-05f,
     2.11247448e-06f, 2.86659741e-07f, 3.33220811e-08f, 3.31601124e-09f, 2.82351198e-10f},
    {-0.156417072f, -0.133289829f, -0.0967882797f, -0.0598909892f, -0.0315800756f, -0.0141898468f,
     -0.00543319061f, -0.00177273771f, -0.000492885069f, -0.000116777017f, -2.35764419e-05f,
     -4.05609535e-06f, -5.94693972e-07f, -7.4295869e-08f, -7.9095317e-09f, -7.17550741e-10f},
    {0.00625645742f, 0.0159943271f, 0.0193573739f, 0.016769506f, 0.0113690095f, 0.00624367548f,
     0.00282530324f, 0.00106362952f, 0.000335139193f, 8.87367059e-05f, 1.97986355e-05f,
     3.72991599e-06f, 5.94099674e-07f, 8.01207278e-08f, 9.1557224e-09f, 8.87177498e-10f},
    {0.00400409149f, 0.00227456214f, -1.26043943e-07f, -0.00153312157f, -0.00188618281f,
     -0.00145288766f, -0.000834496808f, -0.000378214871f, -0.0001388401f, -4.18814088e-05f,
     -1.0474394e-05f, -2.18452374e-06f, -3.80403804e-07f, -5.57455415e-08f, -6.87614632e-09f,
     -7.15179138e-10f},
    {-0.000244512485f, -0.000558141328f, -0.000513135223f, -0.000232862105f, 3.43303473e-05f,
     0.000151550485f, 0.000141130353f, 8.52526864e-05f, 3.85348649e-05f, 1.37151983e-05f,
     3.94037534e-06f, 9.26948758e-07f, 1.80693064e-07f, 2.92323143e-08f, 3.95007671e-09f,
     4.47307941e-10f},
    {-9.11180687e-05f, -2.67465275e-05f, 4.13717644e-05f, 6.22658481e-05f, 3.93428309e-05f,
     7.53100312e-06f, -9.4634961e-06f, -1.12106936e-05f, -6.93877928e-06f, -3.03257298e-06f,
     -1.0151507e-06f, -2.70732215e-07f, -6.22097147e-08f, -1.11074474e-08f, -1.63836211e-09f,
     -2.00772551e-10f},
};
// Degree 3, for bfloat16: within 1e-3 of the probability up to 3.2, within 3e-7 beyond.
alignas(64) const float NORMAL_COARSE[4][16] = {
    {0.420742184f, 0.274257392f, 0.158659115f, 0.0807583705f, 0.0359300748f, 0.0139024034f,
     0.00466025714f, 0.00134936371f, 0.000336701691f, 7.22724217e-05f, 1.33256681e-05f,
     2.10808321e-06f, 2.85248092e-07f, 3.30937056e-08f, 3.28515126e-09f, 2.78856604e-10f},
    {-0.156413123f, -0.13328293f, -0.0967817903f, -0.0598882325f, -0.0315815918f, -0.0141935898f,
     -0.00543678086f, -0.0017750588f, -0.000494013366f, -0.00011720779f, -2.37085587e-05f,
     -4.08710775e-06f, -5.93478944e-07f, -7.40789261e-08f, -7.8775324e-09f, -7.13629433e-10f},
    {0.00619549351f, 0.0158555657f, 0.0192303192f, 0.0167121515f, 0.0113773867f, 0.00628040917f,
     0.002859178f, 0.00108385971f, 0.000344165135f, 9.1902577e-05f, 2.06935456e-05f,
     3.93686514e-06f, 6.39272912e-07f, 8.74288091e-08f, 1.01432418e-08f, 9.99004546e-10f},
    {0.00396410516f, 0.00223221281f, -2.62013236e-05f, -0.00153495523f, -0.00186985685f,
     -0.00143113267f, -0.000816995511f, -0.000367880391f, -0.000134081754f, -4.01252291e-05f,
     -9.94677794e-06f, -2.06655795e-06f, -3.99844339e-07f, -5.92166174e-08f, -7.38813455e-09f,
     -7.77920561e-10f},
};

template <int terms>
inline Vec looked_up(const float (*table)[16], Vec a) {
    const __m512 place =
        _mm512_min_ps(_mm512_mul_ps((__m512)a, _mm512_set1_ps(2.5f)), _mm512_set1_ps(15.99f));
    const __m512i k = _mm512_cvttps_epi32(place);
    const __m512 u = _mm512_sub_ps(_mm512_reduce_ps(place, _MM_FROUND_TO_NEG_INF),
                                   _mm512_set1_ps(0.5f));
    __m512 p = _mm512_permutexvar_ps(k, _mm512_load_ps(table[terms - 1]));
#pragma GCC unroll 6
    for (int i = terms - 2; i >= 0; i--)
        p = _mm512_fmadd_ps(p, u, _mm512_permutexvar_ps(k, _mm512_load_ps(table[i])));
    return (Vec)p;
}
template <class P>
inline Vec normal_above(Vec a);
template <>
inline Vec normal_above<Fine>(Vec a) {
    return looked_up<6>(NORMAL_FINE, a);
}
template <>
inline Vec normal_above<Coarse>(Vec a) {
    return looked_up<4>(NORMAL_COARSE, a);
}
#else
// As 2^q(a): q was fitted to log2 of it on [0, 9], exact at 0, so that max(a, 1) * 2^q(a) is within
// 4e-8.
template <class P>
inline Vec normal_above(Vec a) {
    a = a > 9.f ? all(9.f) : a;
    Vec q = all(-1.77187474e-8f);
    q = q * a + 6.12935082e-7f;
    q = q * a - 8.76316153e-6f;
    q = q * a + 6.59511788e-5f;
    q = q * a - 2.50273471e-4f;
    q = q * a - 4.99063972e-5f;
    q = q * a + 6.99764164e-3f;
    q = q * a - 5.24702258e-2f;
    q = q * a - 4.5921281e-1f;
    q = q * a - 1.15110493f;
    q = q * a - 1.f;
    return exp2_of<P>(q);
}
#endif

}  // namespace
