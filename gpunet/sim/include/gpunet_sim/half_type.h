// A 16-bit floating-point type with its pair and all of their functions. cuda_fp16.h and cuda_bf16.h include this once
// each, with the names of their types (H, H2), the word for them in functions' names (WORD) and their encoding defined.
// Arithmetic goes by way of float, with one rounding.
#define NAMED(before, after) NAMED_(before, WORD, after)
#define NAMED_(before, word, after) NAMED__(before, word, after)
#define NAMED__(before, word, after) before##word##after

struct alignas(2) H {
  uint16_t bits;
  H() = default;
  H(float x) : bits(ENCODE(x)) {}
  H(double x) : bits(ENCODE(gpunet_sim::narrowed<float>(x))) {}
  H(long double x) : H(gpunet_sim::narrowed<double>(x)) {}
  H(short x) : H((float)x) {}
  H(unsigned short x) : H((float)x) {}
  H(int x) : H((double)x) {}
  H(unsigned x) : H((double)x) {}
  H(long x) : H((long double)x) {}
  H(unsigned long x) : H((long double)x) {}
  H(long long x) : H((long double)x) {}
  H(unsigned long long x) : H((long double)x) {}
  H(RAW raw) : bits(raw.x) {}
  operator float() const { return DECODE(bits); }
  operator RAW() const { return {bits}; }
  H& operator+=(H o) { return *this = H((float)*this + (float)o); }
  H& operator-=(H o) { return *this = H((float)*this - (float)o); }
  H& operator*=(H o) { return *this = H((float)*this * (float)o); }
  H& operator/=(H o) { return *this = H((float)*this / (float)o); }
  H& operator++() { return *this += H(1.0f); }
  H& operator--() { return *this -= H(1.0f); }
  H operator++(int) { H old = *this; ++*this; return old; }
  H operator--(int) { H old = *this; --*this; return old; }
};
struct alignas(4) H2 {
  H x, y;
  H2() = default;
  H2(H x, H y) : x(x), y(y) {}
  H2(RAW2 raw) : x(RAW{raw.x}), y(RAW{raw.y}) {}
  operator RAW2() const { return {x.bits, y.bits}; }
  H2& operator+=(H2 o) { return x += o.x, y += o.y, *this; }
  H2& operator-=(H2 o) { return x -= o.x, y -= o.y, *this; }
  H2& operator*=(H2 o) { return x *= o.x, y *= o.y, *this; }
  H2& operator/=(H2 o) { return x /= o.x, y /= o.y, *this; }
};
template <> struct gpunet_sim::IsHalf<H> : std::true_type {};
template <> struct gpunet_sim::IsHalfPair<H2> : std::true_type {};

// ---- one number --------------------------------------------------------------------------------------------------
inline H operator+(H a, H b) { return a += b; }
inline H operator-(H a, H b) { return a -= b; }
inline H operator*(H a, H b) { return a *= b; }
inline H operator/(H a, H b) { return a /= b; }
inline H operator+(H a) { return a; }
inline H operator-(H a) { return a.bits ^= 0x8000, a; }
inline bool operator==(H a, H b) { return (float)a == (float)b; }
inline bool operator!=(H a, H b) { return (float)a != (float)b; }
inline bool operator<(H a, H b) { return (float)a < (float)b; }
inline bool operator>(H a, H b) { return (float)a > (float)b; }
inline bool operator<=(H a, H b) { return (float)a <= (float)b; }
inline bool operator>=(H a, H b) { return (float)a >= (float)b; }

inline H __hadd(H a, H b) { return a + b; }
inline H __hsub(H a, H b) { return a - b; }
inline H __hmul(H a, H b) { return a * b; }
inline H __hdiv(H a, H b) { return a / b; }
inline H __hadd_rn(H a, H b) { return a + b; }
inline H __hsub_rn(H a, H b) { return a - b; }
inline H __hmul_rn(H a, H b) { return a * b; }
inline H __hneg(H a) { return -a; }
inline H __habs(H a) { return a.bits &= 0x7fff, a; }
inline H __hfma(H a, H b, H c) { return H(gpunet_sim::fused((float)a, (float)b, (float)c)); }
inline bool __hisnan(H a) { return (float)a != (float)a; }
inline int __hisinf(H a) { return std::isinf((float)a) ? ((float)a < 0 ? -1 : 1) : 0; }
// Of two zeros +0 is the larger; with one NaN the other number wins, or with _nan, NaN does.
inline H __hmax(H a, H b) {
  if (__hisnan(a) || __hisnan(b)) return !__hisnan(a) ? a : !__hisnan(b) ? b : H(__builtin_nanf(""));
  return a == b ? (a.bits &= b.bits, a) : a > b ? a : b;
}
inline H __hmin(H a, H b) {
  if (__hisnan(a) || __hisnan(b)) return !__hisnan(a) ? a : !__hisnan(b) ? b : H(__builtin_nanf(""));
  return a == b ? (a.bits |= b.bits, a) : a < b ? a : b;
}
inline H __hmax_nan(H a, H b) { return __hisnan(a) || __hisnan(b) ? H(__builtin_nanf("")) : __hmax(a, b); }
inline H __hmin_nan(H a, H b) { return __hisnan(a) || __hisnan(b) ? H(__builtin_nanf("")) : __hmin(a, b); }
inline H NAMED(gpunet_sim_saturated_, )(H x) { return H(__saturatef(x)); }
inline H NAMED(gpunet_sim_positive_, )(H x) { return __hisnan(x) ? H(__builtin_nanf("")) : __hmax(x, H(0.0f)); }
inline H __hadd_sat(H a, H b) { return NAMED(gpunet_sim_saturated_, )(a + b); }
inline H __hsub_sat(H a, H b) { return NAMED(gpunet_sim_saturated_, )(a - b); }
inline H __hmul_sat(H a, H b) { return NAMED(gpunet_sim_saturated_, )(a * b); }
inline H __hfma_sat(H a, H b, H c) { return NAMED(gpunet_sim_saturated_, )(__hfma(a, b, c)); }
inline H __hfma_relu(H a, H b, H c) { return NAMED(gpunet_sim_positive_, )(__hfma(a, b, c)); }

// ---- pairs, number by number -------------------------------------------------------------------------------------
inline H2 operator+(H2 a, H2 b) { return a += b; }
inline H2 operator-(H2 a, H2 b) { return a -= b; }
inline H2 operator*(H2 a, H2 b) { return a *= b; }
inline H2 operator/(H2 a, H2 b) { return a /= b; }
inline H2 operator-(H2 a) { return {-a.x, -a.y}; }
inline H2 __h2div(H2 a, H2 b) { return a / b; }
inline H2 __hcmadd(H2 a, H2 b, H2 c) {  // complex a * b + c
  return {__hfma(-a.y, b.y, __hfma(a.x, b.x, c.x)), __hfma(a.y, b.x, __hfma(a.x, b.y, c.y))};
}
#define PAIR1(name, f) \
  inline H2 name(H2 a) { return {f(a.x), f(a.y)}; }
#define PAIR2(name, f) \
  inline H2 name(H2 a, H2 b) { return {f(a.x, b.x), f(a.y, b.y)}; }
#define PAIR3(name, f) \
  inline H2 name(H2 a, H2 b, H2 c) { return {f(a.x, b.x, c.x), f(a.y, b.y, c.y)}; }
PAIR2(__hadd2, __hadd) PAIR2(__hadd2_rn, __hadd) PAIR2(__hadd2_sat, __hadd_sat)
PAIR2(__hsub2, __hsub) PAIR2(__hsub2_rn, __hsub) PAIR2(__hsub2_sat, __hsub_sat)
PAIR2(__hmul2, __hmul) PAIR2(__hmul2_rn, __hmul) PAIR2(__hmul2_sat, __hmul_sat)
PAIR2(__hmax2, __hmax) PAIR2(__hmax2_nan, __hmax_nan) PAIR2(__hmin2, __hmin) PAIR2(__hmin2_nan, __hmin_nan)
PAIR3(__hfma2, __hfma) PAIR3(__hfma2_sat, __hfma_sat) PAIR3(__hfma2_relu, __hfma_relu)
PAIR1(__hneg2, __hneg) PAIR1(__habs2, __habs)
inline H2 __hisnan2(H2 a) { return {H((float)__hisnan(a.x)), H((float)__hisnan(a.y))}; }

// Comparisons of one number, of pairs (1 or 0 each), of pairs as masks, and of both at once (__hb...); the forms with
// u are true for NaN also.
#define COMPARE(name, op)                                                                                     \
  inline bool __h##name(H a, H b) { return (float)a op (float)b; }                                            \
  inline bool __h##name##u(H a, H b) { return __hisnan(a) || __hisnan(b) || (float)a op (float)b; }           \
  COMPARE_PAIRS(name) COMPARE_PAIRS(name##u)
#define COMPARE_PAIRS(name)                                                                                   \
  inline H2 __h##name##2(H2 a, H2 b) { return {H((float)__h##name(a.x, b.x)), H((float)__h##name(a.y, b.y))}; } \
  inline unsigned __h##name##2_mask(H2 a, H2 b) {                                                             \
    return (__h##name(a.x, b.x) ? 0xffffu : 0) | (__h##name(a.y, b.y) ? 0xffff0000u : 0);                     \
  }                                                                                                           \
  inline bool __hb##name##2(H2 a, H2 b) { return __h##name(a.x, b.x) && __h##name(a.y, b.y); }
COMPARE(eq, ==) COMPARE(lt, <) COMPARE(le, <=) COMPARE(gt, >) COMPARE(ge, >=)
inline bool __hne(H a, H b) { return !__hisnan(a) && !__hisnan(b) && (float)a != (float)b; }
inline bool __hneu(H a, H b) { return (float)a != (float)b; }
COMPARE_PAIRS(ne) COMPARE_PAIRS(neu)
inline bool operator==(H2 a, H2 b) { return __hbeq2(a, b); }
inline bool operator!=(H2 a, H2 b) { return __hbneu2(a, b); }
inline bool operator<(H2 a, H2 b) { return __hblt2(a, b); }
inline bool operator>(H2 a, H2 b) { return __hbgt2(a, b); }
inline bool operator<=(H2 a, H2 b) { return __hble2(a, b); }
inline bool operator>=(H2 a, H2 b) { return __hbge2(a, b); }

#define FUNCTION(name, expression)                                                                    \
  inline H h##name(H h) { float x = h; return H(expression); }                                        \
  PAIR1(h2##name, h##name)
FUNCTION(ceil, ceilf(x)) FUNCTION(floor, floorf(x)) FUNCTION(trunc, truncf(x)) FUNCTION(rint, nearbyintf(x))
FUNCTION(exp, expf(x)) FUNCTION(exp2, exp2f(x)) FUNCTION(exp10, exp10f(x)) FUNCTION(log, logf(x))
FUNCTION(log2, log2f(x)) FUNCTION(log10, log10f(x)) FUNCTION(sin, sinf(x)) FUNCTION(cos, cosf(x))
FUNCTION(sqrt, sqrtf(x)) FUNCTION(rsqrt, 1.0 / sqrt((double)x)) FUNCTION(rcp, 1.0f / x) FUNCTION(tanh, tanhf(x))
FUNCTION(tanh_approx, tanhf(x))

// ---- conversions -------------------------------------------------------------------------------------------------
inline float NAMED(__, 2float)(H h) { return h; }
inline H NAMED(__float2, )(float x) { return H(x); }
inline H NAMED(__double2, )(double x) { return H(x); }
inline H NAMED(__float2, _rn)(float x) { return H(x); }
#define DIRECTED(mode) \
  inline H NAMED(__float2, _##mode)(float x) { return gpunet_sim::directed<H, gpunet_sim::Rounding::mode>(x); }
DIRECTED(rz) DIRECTED(rd) DIRECTED(ru)
#define INTEGER_MODE(I, i, mode)                                                                                     \
  inline I NAMED(__, 2##i##_##mode)(H h) { return gpunet_sim::to_integer<I, gpunet_sim::Rounding::mode>((float)h); } \
  inline H NAMED(__##i##2, _##mode)(I x) {                                                                           \
    if (gpunet_sim::Rounding::mode == gpunet_sim::Rounding::rn) return H(x);                                         \
    return gpunet_sim::directed<H, gpunet_sim::Rounding::mode>((long double)x);                                      \
  }
#define INTEGER(I, i) INTEGER_MODE(I, i, rn) INTEGER_MODE(I, i, rz) INTEGER_MODE(I, i, rd) INTEGER_MODE(I, i, ru)
INTEGER(short, short) INTEGER(unsigned short, ushort) INTEGER(int, int) INTEGER(unsigned, uint)
INTEGER(long long, ll) INTEGER(unsigned long long, ull)
inline signed char NAMED(__, 2char_rz)(H h) {
  return gpunet_sim::to_integer<signed char, gpunet_sim::Rounding::rz>((float)h);
}
inline unsigned char NAMED(__, 2uchar_rz)(H h) {
  return gpunet_sim::to_integer<unsigned char, gpunet_sim::Rounding::rz>((float)h);
}
inline short NAMED(__, _as_short)(H h) { return (short)h.bits; }
inline unsigned short NAMED(__, _as_ushort)(H h) { return h.bits; }
inline H NAMED(__short_as_, )(short bits) { return H(RAW{(unsigned short)bits}); }
inline H NAMED(__ushort_as_, )(unsigned short bits) { return H(RAW{bits}); }

inline H2 NAMED(__floats2, 2_rn)(float x, float y) { return {x, y}; }
inline H2 NAMED(__float22, 2_rn)(float2 v) { return {v.x, v.y}; }
inline H2 NAMED(__float2, 2_rn)(float x) { return {x, x}; }
inline float2 NAMED(__, 22float2)(H2 v) { return {v.x, v.y}; }
inline float __low2float(H2 v) { return v.x; }
inline float __high2float(H2 v) { return v.y; }
inline H NAMED(__low2, )(H2 v) { return v.x; }
inline H NAMED(__high2, )(H2 v) { return v.y; }
inline H2 NAMED(__low2, 2)(H2 v) { return {v.x, v.x}; }
inline H2 NAMED(__high2, 2)(H2 v) { return {v.y, v.y}; }
inline H2 NAMED(__lows2, 2)(H2 a, H2 b) { return {a.x, b.x}; }
inline H2 NAMED(__highs2, 2)(H2 a, H2 b) { return {a.y, b.y}; }
inline H2 __lowhigh2highlow(H2 v) { return {v.y, v.x}; }
inline H2 NAMED(make_, 2)(H x, H y) { return {x, y}; }

#undef NAMED
#undef NAMED_
#undef NAMED__
#undef PAIR1
#undef PAIR2
#undef PAIR3
#undef COMPARE
#undef COMPARE_PAIRS
#undef FUNCTION
#undef DIRECTED
#undef INTEGER_MODE
#undef INTEGER
#undef H
#undef H2
#undef WORD
#undef RAW
#undef RAW2
#undef ENCODE
#undef DECODE
