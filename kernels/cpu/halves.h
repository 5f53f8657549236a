// The half types as floats, rounded to nearest, ties to even: the bits that NumPy and ml_dtypes give.
#pragma once
#include <algorithm>

#include "args.h"
#include "vec.h"

namespace gpunet::cpu {

enum class Real { FLOAT32, FLOAT16, BFLOAT16 };

// Of an array of one of these types. bfloat16 is not NumPy's own type, and has a number of its own in each process.
inline Real real(const Array& x) {
  return x.itemsize == sizeof(float) ? Real::FLOAT32 : x.type == HALF ? Real::FLOAT16 : Real::BFLOAT16;
}
inline int64_t size_of(Real type) { return type == Real::FLOAT32 ? 4 : 2; }

typedef uint16_t halves __attribute__((vector_size(2 * LANES)));

GPUNET_INLINE vf widen_bfloat16(halves x) { return (vf)(__builtin_convertvector(x, vu) << 16); }

GPUNET_INLINE halves narrow_bfloat16(vf x) {
  const vu own = (vu)x, nearest = (own + 0x7fff + (own >> 16 & 1)) >> 16, nan = (own >> 16 & 0x8000) | 0x7fc0;
  return __builtin_convertvector((vu)(x != x ? (vi)nan : (vi)nearest), halves);
}

#if defined(__AVX512F__)
GPUNET_INLINE vf widen_float16(halves x) { return (vf)_mm512_cvtph_ps((__m256i)x); }
GPUNET_INLINE halves narrow_float16(vf x) { return (halves)_mm512_cvtps_ph((__m512)x, _MM_FROUND_TO_NEAREST_INT); }
#elif defined(__F16C__)
GPUNET_INLINE vf widen_float16(halves x) { return (vf)_mm256_cvtph_ps((__m128i)x); }
GPUNET_INLINE halves narrow_float16(vf x) { return (halves)_mm256_cvtps_ph((__m256)x, _MM_FROUND_TO_NEAREST_INT); }
#else
// The exponent's bias changes by a product with 2^112, which also makes normal what was not.
GPUNET_INLINE vf widen_float16(halves x) {
  const vu own = __builtin_convertvector(x, vu), magnitude = own & 0x7fff;
  const vu finite = (vu)((vf)(magnitude << 13) * 0x1p112f), other = magnitude << 13 | 0x7f800000;
  return (vf)((vu)(magnitude >= 0x7c00 ? (vi)other : (vi)finite) | (own & 0x8000) << 16);
}

// Below 2^-14 a sum with 1/2 rounds to float16's 24th place behind the point.
GPUNET_INLINE halves narrow_float16(vf x) {
  const vu magnitude = (vu)x & 0x7fffffff, sign = (vu)x >> 16 & 0x8000;
  const vu normal = (magnitude + 0xc8000fffu + (magnitude >> 13 & 1)) >> 13;
  const vu small = (vu)((vf)magnitude + 0.5f) - 0x3f000000;
  const vu large = (vu)(magnitude > 0x7f800000 ? vi{} + 0x7e00 : vi{} + 0x7c00);
  const vi finite = magnitude < 0x38800000 ? (vi)small : (vi)normal;
  return __builtin_convertvector((vu)(magnitude >= 0x47800000 ? (vi)large : finite) | sign, halves);
}
#endif

template <class F> inline void widen(float* to, const uint16_t* from, int64_t n, F f) {
  halves x = {};
  int64_t i = 0;
  for (; i + LANES <= n; i += LANES) {
    std::memcpy(&x, from + i, sizeof x);
    store(to + i, f(x));
  }
  if (i == n) return;
  std::memcpy(&x, from + i, sizeof(uint16_t) * (n - i));
  store(to + i, f(x), n - i);
}

template <class F> inline void narrow(uint16_t* to, const float* from, int64_t n, F f) {
  int64_t i = 0;
  for (; i + LANES <= n; i += LANES) {
    const halves x = f(load(from + i));
    std::memcpy(to + i, &x, sizeof x);
  }
  if (i == n) return;
  const halves x = f(load(from + i, n - i));
  std::memcpy(to + i, &x, sizeof(uint16_t) * (n - i));
}

// n neighbours of a half type as floats, and the other way.
inline void widen(Real type, float* to, const void* from, int64_t n) {
  const uint16_t* own = static_cast<const uint16_t*>(from);
  if (type == Real::FLOAT16) widen(to, own, n, [](halves x) { return widen_float16(x); });
  else widen(to, own, n, [](halves x) { return widen_bfloat16(x); });
}

inline void narrow(Real type, void* to, const float* from, int64_t n) {
  uint16_t* own = static_cast<uint16_t*>(to);
  if (type == Real::FLOAT16) narrow(own, from, n, [](vf x) { return narrow_float16(x); });
  else narrow(own, from, n, [](vf x) { return narrow_bfloat16(x); });
}

}  // namespace gpunet::cpu
