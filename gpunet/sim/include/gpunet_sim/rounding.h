// Arithmetic and conversions with a rounding of their own (__fadd_rz, __float2int_rd, ...), and numbers by their bits.
#pragma once
#include <fenv.h>

namespace gpunet_sim {

enum class Rounding { rn = FE_TONEAREST, rz = FE_TOWARDZERO, rd = FE_DOWNWARD, ru = FE_UPWARD };

// A value that the compiler must have at hand here: it neither fuses what comes before with what follows, nor moves
// the computation to where another rounding is set.
template <class T>
inline void settle(T& value) {
  if constexpr (std::is_floating_point_v<T>) {
#if defined(__x86_64__)
    asm volatile("" : "+x"(value));
#else
    asm volatile("" : "+w"(value));
#endif
  } else {
    asm volatile("" : "+r"(value));
  }
}

template <Rounding rounding, class F, class... T>
inline auto rounded(F compute, T... operands) {
  if constexpr (rounding == Rounding::rn) {
    (settle(operands), ...);
    auto result = compute(operands...);
    settle(result);
    return result;
  } else {
    fesetround((int)rounding);
    (settle(operands), ...);
    auto result = compute(operands...);
    settle(result);
    fesetround(FE_TONEAREST);
    return result;
  }
}

// A whole number, rounded as asked; CUDA's conversions saturate and turn NaN into 0.
template <class I, Rounding rounding, class F>
inline I to_integer(F x) {
  F whole = rounding == Rounding::rn   ? std::nearbyint(x)
            : rounding == Rounding::rz ? std::trunc(x)
            : rounding == Rounding::rd ? std::floor(x)
                                       : std::ceil(x);
  constexpr int bits = int(sizeof(I) * 8) - std::is_signed_v<I>;
  const F end = (F)std::ldexp(1.0, bits);  // first value too large; the lowest value is -end or 0
  const I most = std::numeric_limits<I>::max(), least = std::numeric_limits<I>::min();
  if (whole != whole) return 0;
  if (whole >= end) return most;
  if (whole < (std::is_signed_v<I> ? -end : (F)0)) return least;
  return (I)whole;
}

template <class To, class From>
inline To bits_as(From from) {
  static_assert(sizeof(To) == sizeof(From));
  To to;
  memcpy(&to, &from, sizeof to);
  return to;
}

}  // namespace gpunet_sim

#define GPUNET_SIM_EACH_ROUNDING(define, ...) \
  define(rn, __VA_ARGS__) define(rz, __VA_ARGS__) define(rd, __VA_ARGS__) define(ru, __VA_ARGS__)

// ---- arithmetic --------------------------------------------------------------------------------------------------
#define GPUNET_SIM_ARITHMETIC(mode, T, d, fused)                                                                      \
  inline T __##d##add_##mode(T a, T b) {                                                                             \
    return gpunet_sim::rounded<gpunet_sim::Rounding::mode>([](T x, T y) { return x + y; }, a, b);                    \
  }                                                                                                                  \
  inline T __##d##sub_##mode(T a, T b) {                                                                             \
    return gpunet_sim::rounded<gpunet_sim::Rounding::mode>([](T x, T y) { return x - y; }, a, b);                    \
  }                                                                                                                  \
  inline T __##d##mul_##mode(T a, T b) {                                                                             \
    return gpunet_sim::rounded<gpunet_sim::Rounding::mode>([](T x, T y) { return x * y; }, a, b);                    \
  }                                                                                                                  \
  inline T __##d##div_##mode(T a, T b) {                                                                             \
    return gpunet_sim::rounded<gpunet_sim::Rounding::mode>([](T x, T y) { return x / y; }, a, b);                    \
  }                                                                                                                  \
  inline T __##d##rcp_##mode(T a) { return __##d##div_##mode((T)1, a); }                                             \
  inline T __##d##sqrt_##mode(T a) {                                                                                 \
    return gpunet_sim::rounded<gpunet_sim::Rounding::mode>([](T x) { return std::sqrt(x); }, a);                     \
  }                                                                                                                  \
  inline T fused##_##mode(T a, T b, T c) {                                                                            \
    return gpunet_sim::rounded<gpunet_sim::Rounding::mode>([](T x, T y, T z) { return std::fma(x, y, z); }, a, b, c);\
  }
GPUNET_SIM_EACH_ROUNDING(GPUNET_SIM_ARITHMETIC, float, f, __fmaf)
GPUNET_SIM_EACH_ROUNDING(GPUNET_SIM_ARITHMETIC, double, d, __fma)
#undef GPUNET_SIM_ARITHMETIC
#define GPUNET_SIM_IEEE(mode, unused) \
  inline float __fmaf_ieee_##mode(float a, float b, float c) { return __fmaf_##mode(a, b, c); }
GPUNET_SIM_EACH_ROUNDING(GPUNET_SIM_IEEE, )
#undef GPUNET_SIM_IEEE
inline float __frsqrt_rn(float a) { return (float)(1.0 / sqrt((double)a)); }

// ---- conversions -------------------------------------------------------------------------------------------------
#define GPUNET_SIM_CONVERT(mode, F, from, I, to)                                                                      \
  inline I __##from##2##to##_##mode(F x) { return gpunet_sim::to_integer<I, gpunet_sim::Rounding::mode>(x); }         \
  inline F __##to##2##from##_##mode(I x) {                                                                            \
    return gpunet_sim::rounded<gpunet_sim::Rounding::mode>([](I i) { return (F)i; }, x);                              \
  }
GPUNET_SIM_EACH_ROUNDING(GPUNET_SIM_CONVERT, float, float, int, int)
GPUNET_SIM_EACH_ROUNDING(GPUNET_SIM_CONVERT, float, float, unsigned, uint)
GPUNET_SIM_EACH_ROUNDING(GPUNET_SIM_CONVERT, float, float, long long, ll)
GPUNET_SIM_EACH_ROUNDING(GPUNET_SIM_CONVERT, float, float, unsigned long long, ull)
GPUNET_SIM_EACH_ROUNDING(GPUNET_SIM_CONVERT, double, double, int, int)
GPUNET_SIM_EACH_ROUNDING(GPUNET_SIM_CONVERT, double, double, unsigned, uint)
GPUNET_SIM_EACH_ROUNDING(GPUNET_SIM_CONVERT, double, double, long long, ll)
GPUNET_SIM_EACH_ROUNDING(GPUNET_SIM_CONVERT, double, double, unsigned long long, ull)
#undef GPUNET_SIM_CONVERT
#define GPUNET_SIM_NARROW(mode, unused)                                                                     \
  inline float __double2float_##mode(double x) {                                                            \
    return gpunet_sim::rounded<gpunet_sim::Rounding::mode>([](double d) { return (float)d; }, x);           \
  }
GPUNET_SIM_EACH_ROUNDING(GPUNET_SIM_NARROW, )
#undef GPUNET_SIM_NARROW

// ---- the bits of a number ----------------------------------------------------------------------------------------
inline int __float_as_int(float x) { return gpunet_sim::bits_as<int>(x); }
inline unsigned __float_as_uint(float x) { return gpunet_sim::bits_as<unsigned>(x); }
inline float __int_as_float(int x) { return gpunet_sim::bits_as<float>(x); }
inline float __uint_as_float(unsigned x) { return gpunet_sim::bits_as<float>(x); }
inline long long __double_as_longlong(double x) { return gpunet_sim::bits_as<long long>(x); }
inline double __longlong_as_double(long long x) { return gpunet_sim::bits_as<double>(x); }
inline int __double2hiint(double x) { return (int)(__double_as_longlong(x) >> 32); }
inline int __double2loint(double x) { return (int)__double_as_longlong(x); }
inline double __hiloint2double(int high, int low) {
  return __longlong_as_double((long long)((unsigned long long)(unsigned)high << 32 | (unsigned)low));
}
