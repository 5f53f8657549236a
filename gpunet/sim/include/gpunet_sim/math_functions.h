// CUDA's mathematical functions that the host's <math.h> does not have; fast approximations give the exact function.
// Newer C libraries have some of them: noexcept, as there, lets both declarations stand.
#pragma once
#include <cmath>

// ---- minimum and maximum: the overloads of CUDA; with a NaN the other operand wins -----------------------------
#define GPUNET_SIM_MIN_MAX(T)                                      \
  inline constexpr T min(T a, T b) { return b < a ? b : a; }       \
  inline constexpr T max(T a, T b) { return a < b ? b : a; }
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
GPUNET_SIM_MIXED(long, unsigned long, unsigned long)
GPUNET_SIM_MIXED(long long, unsigned long long, unsigned long long)
GPUNET_SIM_MIXED(float, double, double)
#undef GPUNET_SIM_MIXED
inline unsigned umin(unsigned a, unsigned b) { return min(a, b); }
inline unsigned umax(unsigned a, unsigned b) { return max(a, b); }
inline long long llmin(long long a, long long b) { return min(a, b); }
inline long long llmax(long long a, long long b) { return max(a, b); }
inline unsigned long long ullmin(unsigned long long a, unsigned long long b) { return min(a, b); }
inline unsigned long long ullmax(unsigned long long a, unsigned long long b) { return max(a, b); }

// ---- for double as `name` and for float as `name` and `namef` --------------------------------------------------
#define GPUNET_SIM_UNARY(name, ...)                                                  \
  inline double name(double x) noexcept { return __VA_ARGS__; }                      \
  inline float name##f(float x_) noexcept { double x = x_; return (float)(__VA_ARGS__); } \
  inline float name(float x) noexcept { return name##f(x); }

namespace gpunet_sim {
constexpr double kPi = 3.14159265358979323846, kSqrtHalf = 0.70710678118654752440;

// Exact where the result is a whole number or one half: the argument is reduced before it meets pi.
inline double sine_of_pi(double x) {
  double r = x - 2 * std::nearbyint(x / 2);  // -1 .. 1
  if (std::fabs(r) == 1 || r == 0) return std::copysign(0.0, x);
  if (std::fabs(r) <= 0.25) return std::sin(kPi * r);
  if (std::fabs(r) >= 0.75) return std::copysign(std::sin(kPi * (1 - std::fabs(r))), r);
  return std::copysign(std::cos(kPi * (0.5 - std::fabs(r))), r);
}
inline double cosine_of_pi(double x) {
  double r = std::fabs(x - 2 * std::nearbyint(x / 2));
  if (r == 0.5) return 0.0;
  if (r <= 0.25) return std::cos(kPi * r);
  if (r >= 0.75) return -std::cos(kPi * (1 - r));
  return std::sin(kPi * (0.5 - r));
}

// z with erfc(z) = y, from Newton's method (Halley's form) on the logarithm, where it converges from anywhere near.
inline double inverse_erfc(double y) {
  if (!(y >= 0 && y <= 2)) return __builtin_nan("");
  if (y == 0 || y == 2) return y == 0 ? __builtin_inf() : -__builtin_inf();
  if (y > 1) return -inverse_erfc(2 - y);
  double t = std::sqrt(-2 * std::log(y / 2));
  double z = (t - (2.30753 + t * 0.27061) / (1 + t * (0.99229 + t * 0.04481))) * kSqrtHalf;  // Abramowitz 26.2.22
  for (int i = 0; i < 4; i++) {
    double error = std::erfc(z) - y;
    double slope = -1.1283791670955126 * std::exp(-z * z);
    double step = error / slope;
    z -= step / (1 + z * step);
  }
  return z;
}
inline double inverse_erf(double y) {
  if (std::fabs(y) > 0.5) return std::copysign(inverse_erfc(1 - std::fabs(y)), y);
  double z = y / 1.1283791670955126;
  for (int i = 0; i < 6; i++) {
    double step = (std::erf(z) - y) / (1.1283791670955126 * std::exp(-z * z));
    z -= step / (1 + z * step);
  }
  return z;
}
// exp(x * x) * erfc(x): where erfc underflows, its continued fraction.
inline double scaled_erfc(double x) {
  if (x < 25) return std::exp(x * x) * std::erfc(x);
  double square = 1 / (x * x);
  return 0.56418958354775628695 / x * (1 - square / 2 * (1 - square * 1.5 * (1 - square * 2.5 * (1 - square * 3.5 * (1 - square * 4.5)))));
}
// I0 and I1 by their power series, of which all terms have one sign; the terms grow until k is near |x| / 2.
inline double modified_bessel(int order, double x) {
  if (std::fabs(x) > 714) return order && x < 0 ? -__builtin_inf() : __builtin_inf();
  double term = order ? x / 2 : 1, sum = term;
  for (int k = 1; std::fabs(term) > std::fabs(sum) * 1e-17; k++) sum += term *= x / 2 * (x / 2) / (k * double(k + order));
  return sum;
}
}  // namespace gpunet_sim

GPUNET_SIM_UNARY(rsqrt, 1.0 / std::sqrt(x))
GPUNET_SIM_UNARY(rcbrt, 1.0 / std::cbrt(x))
GPUNET_SIM_UNARY(sinpi, gpunet_sim::sine_of_pi(x))
GPUNET_SIM_UNARY(cospi, gpunet_sim::cosine_of_pi(x))
GPUNET_SIM_UNARY(erfinv, gpunet_sim::inverse_erf(x))
GPUNET_SIM_UNARY(erfcinv, gpunet_sim::inverse_erfc(x))
GPUNET_SIM_UNARY(erfcx, gpunet_sim::scaled_erfc(x))
GPUNET_SIM_UNARY(normcdf, 0.5 * std::erfc(-x * gpunet_sim::kSqrtHalf))
GPUNET_SIM_UNARY(normcdfinv, -1.4142135623730951 * gpunet_sim::inverse_erfc(2 * x))
GPUNET_SIM_UNARY(cyl_bessel_i0, gpunet_sim::modified_bessel(0, x))
GPUNET_SIM_UNARY(cyl_bessel_i1, gpunet_sim::modified_bessel(1, x))
#undef GPUNET_SIM_UNARY

#if !(defined(__GLIBC__) && defined(_GNU_SOURCE))
inline double exp10(double x) noexcept { return std::pow(10.0, x); }
inline float exp10f(float x) noexcept { return (float)std::pow(10.0, (double)x); }
inline void sincos(double x, double* s, double* c) noexcept { *s = std::sin(x), *c = std::cos(x); }
inline void sincosf(float x, float* s, float* c) noexcept { *s = std::sin(x), *c = std::cos(x); }
#endif
inline float exp10(float x) { return exp10f(x); }
inline void sincos(float x, float* s, float* c) { sincosf(x, s, c); }
inline void sincospi(double x, double* s, double* c) { *s = sinpi(x), *c = cospi(x); }
inline void sincospif(float x, float* s, float* c) { *s = sinpif(x), *c = cospif(x); }
inline void sincospi(float x, float* s, float* c) { sincospif(x, s, c); }

inline double fdivide(double x, double y) { return x / y; }
inline float fdividef(float x, float y) { return x / y; }
inline float fdivide(float x, float y) { return x / y; }

// ---- lengths -----------------------------------------------------------------------------------------------------
namespace gpunet_sim {
template <class T>
inline double length(int n, const T* x) {
  double most = 0, sum = 0;
  for (int i = 0; i < n; i++) most = std::fmax(most, std::fabs((double)x[i]));
  if (most == 0 || most - most != 0) return most;
  for (int i = 0; i < n; i++) sum += (x[i] / most) * (x[i] / most);
  return most * std::sqrt(sum);
}
}  // namespace gpunet_sim
#define GPUNET_SIM_LENGTHS(T, f)                                                                                 \
  inline T norm##f(int n, const T* x) { return (T)gpunet_sim::length(n, x); }                                    \
  inline T rnorm##f(int n, const T* x) { return (T)(1 / gpunet_sim::length(n, x)); }                             \
  inline T rhypot##f(T x, T y) { return (T)(1 / std::hypot((double)x, (double)y)); }                             \
  inline T norm3d##f(T a, T b, T c) { T v[] = {a, b, c}; return norm##f(3, v); }                                 \
  inline T rnorm3d##f(T a, T b, T c) { T v[] = {a, b, c}; return rnorm##f(3, v); }                               \
  inline T norm4d##f(T a, T b, T c, T d) { T v[] = {a, b, c, d}; return norm##f(4, v); }                         \
  inline T rnorm4d##f(T a, T b, T c, T d) { T v[] = {a, b, c, d}; return rnorm##f(4, v); }
GPUNET_SIM_LENGTHS(double, )
GPUNET_SIM_LENGTHS(float, f)
#undef GPUNET_SIM_LENGTHS

// ---- fast approximations: here the functions themselves ----------------------------------------------------------
inline float __saturatef(float x) { return x > 0.0f ? fminf(x, 1.0f) : 0.0f; }  // of NaN: 0
inline float __expf(float x) { return expf(x); }
inline float __exp10f(float x) { return exp10f(x); }
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
