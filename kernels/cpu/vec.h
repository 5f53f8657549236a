// Vectors of floats as wide as the target's registers: GCC's and Clang's vector extensions, so that one source serves
// AVX-512, AVX2 and NEON. Functions on vectors give each lane what they would give it alone: a kernel that handles the
// rest of a row with the partial loads and stores below computes it bit for bit as the rest of the row.
#pragma once
#include <cstdint>
#include <cstring>
#if defined(__AVX__)
#include <immintrin.h>
#elif defined(__aarch64__)
#include <arm_neon.h>
#endif

namespace gpunet::cpu {

#if defined(__AVX512F__)
constexpr int LANES = 16;
#elif defined(__AVX__)
constexpr int LANES = 8;
#else
constexpr int LANES = 4;
#endif

typedef float vf __attribute__((vector_size(4 * LANES)));
typedef int32_t vi __attribute__((vector_size(4 * LANES)));  // also what comparisons of vf give: 0 or -1 in each lane
typedef uint32_t vu __attribute__((vector_size(4 * LANES)));
typedef double vd __attribute__((vector_size(4 * LANES)));   // LANES / 2 doubles

#define GPUNET_INLINE inline __attribute__((always_inline))

// ---- loads and stores --------------------------------------------------------------------------------------------------
typedef float vf_unaligned __attribute__((vector_size(4 * LANES), aligned(4), may_alias));
typedef double vd_unaligned __attribute__((vector_size(4 * LANES), aligned(8), may_alias));

GPUNET_INLINE vf load(const float* p) { return *reinterpret_cast<const vf_unaligned*>(p); }
GPUNET_INLINE void store(float* p, vf x) { *reinterpret_cast<vf_unaligned*>(p) = x; }
GPUNET_INLINE vf broadcast(float x) { return x - vf{}; }  // x - 0 is x, also for -0
GPUNET_INLINE vf zero() { return vf{}; }

#if defined(__AVX512F__)
GPUNET_INLINE __mmask16 first(int64_t n) { return static_cast<__mmask16>((1u << n) - 1); }
GPUNET_INLINE vf load(const float* p, int64_t n) { return (vf)_mm512_maskz_loadu_ps(first(n), p); }
GPUNET_INLINE void store(float* p, vf x, int64_t n) { _mm512_mask_storeu_ps(p, first(n), (__m512)x); }
#elif defined(__AVX__)
alignas(64) inline constexpr int32_t FIRST[2 * LANES] = {-1, -1, -1, -1, -1, -1, -1, -1};
GPUNET_INLINE __m256i first(int64_t n) { return _mm256_loadu_si256(reinterpret_cast<const __m256i*>(FIRST + LANES - n)); }
GPUNET_INLINE vf load(const float* p, int64_t n) { return (vf)_mm256_maskload_ps(p, first(n)); }
GPUNET_INLINE void store(float* p, vf x, int64_t n) { _mm256_maskstore_ps(p, first(n), (__m256)x); }
#else
GPUNET_INLINE vf load(const float* p, int64_t n) {  // lanes from n on are 0; 0 <= n < LANES
  vf x = {};
  for (int64_t i = 0; i < n; i++) x[i] = p[i];
  return x;
}
GPUNET_INLINE void store(float* p, vf x, int64_t n) {
  for (int64_t i = 0; i < n; i++) p[i] = x[i];
}
#endif

// Calls f(i, load, store) for each vector of n floats, or of half types (halves.h); `load` and `store` take the address and know how many lanes
// there are: each(n, [&](int64_t i, auto get, auto put) { put(y + i, get(x + i) * get(z + i)); }).
template <class F> GPUNET_INLINE void each(int64_t n, F&& f) {
  int64_t i = 0;
  for (; i + LANES <= n; i += LANES)
    f(i, [](const auto* p) { return load(p); }, [](auto* p, vf x) { store(p, x); });
  if (i < n) {
    const int64_t rest = n - i;
    f(i, [rest](const auto* p) { return load(p, rest); }, [rest](auto* p, vf x) { store(p, x, rest); });
  }
}

// ---- arithmetic --------------------------------------------------------------------------------------------------------
// One rounding where the target has it. Written so, GCC cannot take two steps instead, as it does for some processors
// in a loop with a single sum: a row's result must not depend on how many others are computed beside it.
GPUNET_INLINE vf fmadd(vf a, vf b, vf c) {
#if defined(__AVX512F__)
  return (vf)_mm512_fmadd_ps((__m512)a, (__m512)b, (__m512)c);
#elif defined(__FMA__)
  return (vf)_mm256_fmadd_ps((__m256)a, (__m256)b, (__m256)c);
#elif defined(__aarch64__)
  return (vf)vfmaq_f32((float32x4_t)c, (float32x4_t)a, (float32x4_t)b);
#else
  return a * b + c;
#endif
}
GPUNET_INLINE vf fmadd(float a, vf b, vf c) { return fmadd(broadcast(a), b, c); }
GPUNET_INLINE vf select(vi condition, vf yes, vf no) { return condition ? yes : no; }
GPUNET_INLINE vf vmax(vf a, vf b) { return ((a >= b) | (a != a)) ? a : b; }  // NaN if either is, as NumPy and PyTorch
GPUNET_INLINE vf vmin(vf a, vf b) { return ((a <= b) | (a != a)) ? a : b; }
GPUNET_INLINE vf bits(vi x) { return (vf)x; }
GPUNET_INLINE vi bits(vf x) { return (vi)x; }
GPUNET_INLINE vf vabs(vf x) { return (vf)((vi)x & 0x7fffffff); }
GPUNET_INLINE vf copysign(vf magnitude, vf sign) { return (vf)(((vi)magnitude & 0x7fffffff) | ((vi)sign & INT32_MIN)); }
GPUNET_INLINE vf vsqrt(vf x) {
#if defined(__AVX512F__)
  return (vf)_mm512_sqrt_ps((__m512)x);
#elif defined(__AVX__)
  return (vf)_mm256_sqrt_ps((__m256)x);
#else
  vf y;
  for (int i = 0; i < LANES; i++) y[i] = __builtin_sqrtf(x[i]);
  return y;
#endif
}

// ---- over the lanes: always in this order ------------------------------------------------------------------------------
// The upper half of them is joined to the lower one, until one is left.
template <class F> GPUNET_INLINE float over_lanes(vf x, F&& f) {
#if defined(__AVX__)
  typedef float v8 __attribute__((vector_size(32)));
  typedef float v4 __attribute__((vector_size(16)));
#if defined(__AVX512F__)
  const v8 eight = f((v8)_mm512_castps512_ps256((__m512)x),
                     (v8)_mm256_castpd_ps(_mm512_extractf64x4_pd((__m512d)x, 1)));
#else
  const v8 eight = x;
#endif
  const v4 four = f((v4)_mm256_castps256_ps128((__m256)eight), (v4)_mm256_extractf128_ps((__m256)eight, 1));
  const v4 two = f(four, (v4)_mm_movehl_ps((__m128)four, (__m128)four));
  return f(two, (v4)_mm_shuffle_ps((__m128)two, (__m128)two, 1))[0];
#else
  for (int w = LANES / 2; w > 0; w /= 2)
    for (int i = 0; i < w; i++) x[i] = f(x[i], x[i + w]);
  return x[0];
#endif
}
GPUNET_INLINE float sum(vf x) { return over_lanes(x, [](auto a, auto b) { return a + b; }); }
GPUNET_INLINE float maximum(vf x) { return over_lanes(x, [](auto a, auto b) { return ((a >= b) | (a != a)) ? a : b; }); }
GPUNET_INLINE float minimum(vf x) { return over_lanes(x, [](auto a, auto b) { return ((a <= b) | (a != a)) ? a : b; }); }

// ---- functions ---------------------------------------------------------------------------------------------------------
// Errors are the greatest over all floats, against the exact value; infinities and NaN are those of the C library.
// (tests/native/test_elementwise.py tries many.)

// x = whole * ln 2 + r: e^r, and `whole`.
GPUNET_INLINE vf exp_of_rest(vf x, vf& whole) {
  const vf shift = broadcast(12582912.f);  // 1.5 * 2^23: adding it rounds to an integer
  whole = (x * 1.44269502f + shift) - shift;
  vf r = whole * -6.93145752e-1f + x;
  r = whole * -1.42860677e-6f + r;
  vf y = r * 1.37805939e-3f + 8.37312452e-3f;
  y = y * r + 4.16695364e-2f;
  y = y * r + 1.66664720e-1f;
  y = y * r + 4.99999851e-1f;
  y = y * r + 1.f;
  return y * r + 1.f;
}

// e^x: 1 ulp; results below the least normal number are rounded twice.
GPUNET_INLINE vf vexp(vf x) {
  x = x < -104.f ? broadcast(-104.f) : x;
  x = x > 89.f ? broadcast(89.f) : x;
  vf whole;
  const vf y = exp_of_rest(x, whole);
  const vi n = __builtin_convertvector(whole, vi);
  const vu half = vu(n >> 1);  // unsigned: of NaN n is anything, and may overflow
  return y * vf((half + 127) << 23) * vf((vu(n) - half + 127) << 23);
}

// The same, one step shorter: 0 below the least normal number, infinite from 88.4 on.
GPUNET_INLINE vf vexp_short(vf x) {
  x = x < -88.f ? broadcast(-88.f) : x;
  x = x > 89.f ? broadcast(89.f) : x;
  vf whole;
  const vf y = exp_of_rest(x, whole);
  return y * vf((vu(__builtin_convertvector(whole, vi)) + 127u) << 23);
}

// ln x: 1 ulp.
GPUNET_INLINE vf vlog(vf x) {
  const vi tiny = x < 1.17549435e-38f;
  const vf scaled = tiny ? x * 8388608.f : x;
  const vu exponent = (vu(scaled) - 0x3f2aaaabu) & 0xff800000u;  // unsigned: of negative numbers it wraps around
  const vf f = vf(vu(scaled) - exponent) - 1.f, s = f * f;
  const vf power = __builtin_convertvector(vi(exponent), vf) * 1.19209290e-7f + (tiny ? broadcast(-23.f) : zero());
  vf r = s * -0.130310059f - 0.121483810f;
  vf t = s * 0.140869141f + 0.139814854f;
  r = r * s - 0.166846126f;
  t = t * s + 0.200120345f;
  r = r * s - 0.249996200f;
  r = t * f + r;
  r = r * f + 0.333331972f;
  r = r * f - 0.5f;
  r = r * s + f;
  r = power * 0.693147182f + r;
  const float inf = __builtin_inff();
  r = x == 0.f ? broadcast(-inf) : r;
  r = x < 0.f ? broadcast(__builtin_nanf("")) : r;
  return ((x == inf) | (x != x)) ? x : r;
}

// tanh x: 2 ulp.
GPUNET_INLINE vf vtanh(vf x) {
  const vf t = vabs(x), s = x * x;
  const vf far = copysign(1.f - 2.f / (vexp_short(t + t) + 1.f), x);
  vf near = s * 1.57394409e-2f - 5.23025580e-2f;
  near = near * s + 1.33152977e-1f;
  near = near * s - 3.33327681e-1f;
  near = (near * s) * x + x;
  return t >= 0.55f ? far : near;  // NaN stays NaN: near
}

// erf x: 1 ulp.
GPUNET_INLINE vf verf(vf x) {
  const vf t = vabs(x), s = x * x;
  vf r = t * -1.72853470e-5f + 3.83197126e-4f;
  const vf u = t * -3.88396438e-3f + 2.42546219e-2f;
  r = r * s + u;
  r = r * t - 1.06777877e-1f;
  r = r * t - 6.34846687e-1f;
  r = r * t - 1.28717512e-1f;
  r = r * t - t;
  const vf far = copysign(1.f - vexp_short(r), x);
  vf near = s * -5.96761703e-4f + 4.99119423e-3f;
  near = near * s - 2.67681349e-2f;
  near = near * s + 1.12819925e-1f;
  near = near * s - 3.76125336e-1f;
  near = near * s + 1.28379166e-1f;
  near = near * x + x;
  return t > 0.927734375f ? (t > 4.f ? copysign(broadcast(1.f), x) : far) : near;
}

// The same in half the time, for GELU, which adds 1 to it: an error of 4e-7.
GPUNET_INLINE vf verf_short(vf x) {
  const vf s = x * x;
  vf p = s * 1.986907491e-6f + 2.845493440e-4f, q = s * 3.742062815e-5f + 1.185392699e-3f;
  p = p * s + 3.882603217e-3f;
  q = q * s + 1.520575257e-2f;
  p = p * s + 5.309941952e-2f;
  q = q * s + 1.153428158e-1f;
  p = p * s + 1.935277572e-1f;
  q = q * s + 5.048420677e-1f;
  p = p * s + 1.128379140f;
  q = q * s + 1.f;
  return vabs(x) > 3.9f ? copysign(broadcast(1.f), x) : x * p / q;
}

// Gaussian error linear units, exact and by tanh.
GPUNET_INLINE vf vgelu(vf x) { return 0.5f * x * (1.f + verf_short(x * 0.707106781f)); }
GPUNET_INLINE vf vgelu_tanh(vf x) {
  return 0.5f * x * (1.f + vtanh(0.797884561f * (x + 0.044715f * x * x * x)));
}

// 1 / (1 + e^-x): 3 ulp.
GPUNET_INLINE vf vsigmoid(vf x) { return 1.f / (1.f + vexp(-x)); }

}  // namespace gpunet::cpu
