// CUDA's device functions that the host's <math.h> does not have. Fast approximations give the exact function.
#pragma once

// A product or sum that CUDA promises to round by itself: keeps the compiler from fusing it with what follows.
template <class T>
inline T gpunet_sim_rounded(T value) {
#if defined(__x86_64__)
  asm("" : "+x"(value));
#else
  asm("" : "+w"(value));
#endif
  return value;
}

// ---- minimum and maximum: the overloads of CUDA; with a NaN the other operand wins -------------------------
#define GPUNET_SIM_MIN_MAX(T)                            \
  inline T min(T a, T b) { return b < a ? b : a; }       \
  inline T max(T a, T b) { return a < b ? b : a; }
GPUNET_SIM_MIN_MAX(int)
GPUNET_SIM_MIN_MAX(unsigned)
GPUNET_SIM_MIN_MAX(long)
GPUNET_SIM_MIN_MAX(unsigned long)
GPUNET_SIM_MIN_MAX(long long)
GPUNET_SIM_MIN_MAX(unsigned long long)
#undef GPUNET_SIM_MIN_MAX
inline float min(float a, float b) { return fminf(a, b); }
inline float max(float a, float b) { return fmaxf(a, b); }
inline double min(double a, double b) { return fmin(a, b); }
inline double max(double a, double b) { return fmax(a, b); }
#define GPUNET_SIM_MIXED(A, B, R)                                   \
  inline R min(A a, B b) { return min((R)a, (R)b); }                \
  inline R max(A a, B b) { return max((R)a, (R)b); }                \
  inline R min(B a, A b) { return min((R)a, (R)b); }                \
  inline R max(B a, A b) { return max((R)a, (R)b); }
GPUNET_SIM_MIXED(int, unsigned, unsigned)
GPUNET_SIM_MIXED(long long, unsigned long long, unsigned long long)
GPUNET_SIM_MIXED(float, double, double)
#undef GPUNET_SIM_MIXED

// ---- functions of one and two numbers -----------------------------------------------------------------------
inline float rsqrtf(float x) { return 1.0f / sqrtf(x); }
inline double rsqrt(double x) { return 1.0 / sqrt(x); }
inline float rsqrt(float x) { return rsqrtf(x); }
inline float __saturatef(float x) { return fminf(fmaxf(x, 0.0f), 1.0f); }
inline float __expf(float x) { return expf(x); }
inline float __exp10f(float x) { return powf(10.0f, x); }
inline float exp10f(float x) { return powf(10.0f, x); }
inline float __logf(float x) { return logf(x); }
inline float __log2f(float x) { return log2f(x); }
inline float __log10f(float x) { return log10f(x); }
inline float __powf(float x, float y) { return powf(x, y); }
inline float __sinf(float x) { return sinf(x); }
inline float __cosf(float x) { return cosf(x); }
inline float __tanf(float x) { return tanf(x); }
inline float __tanhf(float x) { return tanhf(x); }
inline float __fdividef(float x, float y) { return x / y; }
inline void __sincosf(float x, float* s, float* c) { *s = sinf(x), *c = cosf(x); }
inline void sincospif(float x, float* s, float* c) {
  const double pi = 3.14159265358979323846;
  *s = (float)sin(pi * x), *c = (float)cos(pi * x);
}
inline float normcdff(float x) { return 0.5f * erfcf(-x * 0.70710678118654752440f); }

inline float __fadd_rn(float a, float b) { return gpunet_sim_rounded(a + b); }
inline float __fsub_rn(float a, float b) { return gpunet_sim_rounded(a - b); }
inline float __fmul_rn(float a, float b) { return gpunet_sim_rounded(a * b); }
inline float __fdiv_rn(float a, float b) { return a / b; }
inline float __frcp_rn(float a) { return 1.0f / a; }
inline float __fsqrt_rn(float a) { return sqrtf(a); }
inline float __frsqrt_rn(float a) { return (float)(1.0 / sqrt((double)a)); }
inline float __fmaf_rn(float a, float b, float c) { return fmaf(a, b, c); }
inline double __dadd_rn(double a, double b) { return gpunet_sim_rounded(a + b); }
inline double __dsub_rn(double a, double b) { return gpunet_sim_rounded(a - b); }
inline double __dmul_rn(double a, double b) { return gpunet_sim_rounded(a * b); }
inline double __ddiv_rn(double a, double b) { return a / b; }
inline double __dsqrt_rn(double a) { return sqrt(a); }
inline double __fma_rn(double a, double b, double c) { return fma(a, b, c); }

// ---- conversions: CUDA's saturate, and turn NaN into 0 ------------------------------------------------------
namespace gpunet_sim {
template <class I, class F>
inline I saturating(F x) {
  constexpr int bits = int(sizeof(I) * 8) - std::is_signed_v<I>;
  const F end = (F)ldexp(1.0, bits);  // first value too large; the lowest value is -end or 0
  const I most = I(~(I)0) ^ I(std::is_signed_v<I> ? (I)1 << (sizeof(I) * 8 - 1) : 0);
  if (x != x) return 0;
  if (x >= end) return most;
  if (x < (std::is_signed_v<I> ? -end : (F)0)) return I(~most);
  return (I)x;
}
}  // namespace gpunet_sim
#define GPUNET_SIM_CONVERT(F, from, I, to)                                                          \
  inline I __##from##2##to##_rn(F x) { return gpunet_sim::saturating<I>(nearbyint(x)); }            \
  inline I __##from##2##to##_rz(F x) { return gpunet_sim::saturating<I>(trunc(x)); }                \
  inline I __##from##2##to##_rd(F x) { return gpunet_sim::saturating<I>(floor(x)); }                \
  inline I __##from##2##to##_ru(F x) { return gpunet_sim::saturating<I>(ceil(x)); }                 \
  inline F __##to##2##from##_rn(I x) { return (F)x; }
GPUNET_SIM_CONVERT(float, float, int, int)
GPUNET_SIM_CONVERT(float, float, unsigned, uint)
GPUNET_SIM_CONVERT(float, float, long long, ll)
GPUNET_SIM_CONVERT(float, float, unsigned long long, ull)
GPUNET_SIM_CONVERT(double, double, int, int)
GPUNET_SIM_CONVERT(double, double, unsigned, uint)
GPUNET_SIM_CONVERT(double, double, long long, ll)
GPUNET_SIM_CONVERT(double, double, unsigned long long, ull)
#undef GPUNET_SIM_CONVERT
inline float __double2float_rn(double x) { return (float)x; }

namespace gpunet_sim {
template <class To, class From>
inline To bits_as(From from) {
  static_assert(sizeof(To) == sizeof(From));
  To to;
  memcpy(&to, &from, sizeof to);
  return to;
}
}  // namespace gpunet_sim
inline int __float_as_int(float x) { return gpunet_sim::bits_as<int>(x); }
inline unsigned __float_as_uint(float x) { return gpunet_sim::bits_as<unsigned>(x); }
inline float __int_as_float(int x) { return gpunet_sim::bits_as<float>(x); }
inline float __uint_as_float(unsigned x) { return gpunet_sim::bits_as<float>(x); }
inline long long __double_as_longlong(double x) { return gpunet_sim::bits_as<long long>(x); }
inline double __longlong_as_double(long long x) { return gpunet_sim::bits_as<double>(x); }

// ---- integers -------------------------------------------------------------------------------------------------
inline int __popc(unsigned x) { return __builtin_popcount(x); }
inline int __popcll(unsigned long long x) { return __builtin_popcountll(x); }
inline int __clz(int x) { return x ? __builtin_clz((unsigned)x) : 32; }
inline int __clzll(long long x) { return x ? __builtin_clzll((unsigned long long)x) : 64; }
inline int __ffs(int x) { return __builtin_ffs(x); }
inline int __ffsll(long long x) { return __builtin_ffsll(x); }
inline int __mulhi(int a, int b) { return (int)((int64_t)a * b >> 32); }
inline unsigned __umulhi(unsigned a, unsigned b) { return (unsigned)((uint64_t)a * b >> 32); }
inline long long __mul64hi(long long a, long long b) { return (long long)((__int128)a * b >> 64); }
inline unsigned long long __umul64hi(unsigned long long a, unsigned long long b) {
  return (unsigned long long)((unsigned __int128)a * b >> 64);
}
inline unsigned long long __brevll(unsigned long long x) {
  unsigned long long result = 0;
  for (int i = 0; i < 64; i++, x >>= 1) result = result << 1 | (x & 1);
  return result;
}
inline unsigned __brev(unsigned x) { return (unsigned)(__brevll(x) >> 32); }
inline unsigned __funnelshift_l(unsigned low, unsigned high, unsigned shift) {
  return (unsigned)((((uint64_t)high << 32 | low) << (shift & 31)) >> 32);
}
inline unsigned __funnelshift_r(unsigned low, unsigned high, unsigned shift) {
  return (unsigned)(((uint64_t)high << 32 | low) >> (shift & 31));
}
inline unsigned __byte_perm(unsigned x, unsigned y, unsigned selector) {
  uint64_t bytes = (uint64_t)y << 32 | x;
  unsigned result = 0;
  for (int i = 0; i < 4; i++) {
    unsigned pick = selector >> 4 * i & 15, byte = unsigned(bytes >> 8 * (pick & 7)) & 255;
    if (pick & 8) byte = byte & 128 ? 255 : 0;  // the selector's top bit repeats the byte's sign
    result |= byte << 8 * i;
  }
  return result;
}

// ---- loads and stores with a cache hint: plain ones ----------------------------------------------------------
#define GPUNET_SIM_LOAD(name) template <class T> inline T name(const T* address) { return *address; }
#define GPUNET_SIM_STORE(name)                                                                       \
  template <class T> inline void name(T* address, typename std::common_type<T>::type value) { *address = value; }
GPUNET_SIM_LOAD(__ldg)
GPUNET_SIM_LOAD(__ldcg)
GPUNET_SIM_LOAD(__ldca)
GPUNET_SIM_LOAD(__ldcs)
GPUNET_SIM_LOAD(__ldlu)
GPUNET_SIM_LOAD(__ldcv)
GPUNET_SIM_STORE(__stwb)
GPUNET_SIM_STORE(__stcg)
GPUNET_SIM_STORE(__stcs)
GPUNET_SIM_STORE(__stwt)
#undef GPUNET_SIM_LOAD
#undef GPUNET_SIM_STORE
