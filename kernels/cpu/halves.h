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

// Compilers convert in two parts what the processor does in one.
#if defined(__AVX512F__)
GPUNET_INLINE vu widen_bits(halves x) { return (vu)_mm512_cvtepu16_epi32((__m256i)x); }
GPUNET_INLINE halves narrow_bits(vu x) { return (halves)_mm512_cvtepi32_epi16((__m512i)x); }
#else
GPUNET_INLINE vu widen_bits(halves x) { return __builtin_convertvector(x, vu); }
GPUNET_INLINE halves narrow_bits(vu x) { return __builtin_convertvector(x, halves); }
#endif

GPUNET_INLINE vf widen_bfloat16(halves x) { return (vf)(widen_bits(x) << 16); }

GPUNET_INLINE halves narrow_bfloat16(vf x) {
  const vu own = (vu)x, nearest = (own + 0x7fff + (own >> 16 & 1)) >> 16, nan = (own >> 16 & 0x8000) | 0x7fc0;
  return narrow_bits((vu)(x != x ? (vi)nan : (vi)nearest));
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

// Elements of arrays, for kernels that are written for any of the types: their vectors are of floats.
struct Float16 {
  uint16_t bits;
};
struct BFloat16 {
  uint16_t bits;
};
GPUNET_INLINE vf widen(const Float16*, halves x) { return widen_float16(x); }
GPUNET_INLINE vf widen(const BFloat16*, halves x) { return widen_bfloat16(x); }
GPUNET_INLINE halves narrow(const Float16*, vf x) { return narrow_float16(x); }
GPUNET_INLINE halves narrow(const BFloat16*, vf x) { return narrow_bfloat16(x); }

#define GPUNET_HALF(T)                                                                    \
  GPUNET_INLINE vf load(const T* p) {                                                     \
    halves x;                                                                             \
    std::memcpy(&x, p, sizeof x);                                                         \
    return widen(p, x);                                                                   \
  }                                                                                       \
  GPUNET_INLINE vf load(const T* p, int64_t n) { return widen(p, load_halves(p, n)); }    \
  GPUNET_INLINE void store(T* p, vf x) {                                                  \
    const halves y = narrow(p, x);                                                        \
    std::memcpy(p, &y, sizeof y);                                                         \
  }                                                                                       \
  GPUNET_INLINE void store(T* p, vf x, int64_t n) { store_halves(p, narrow(p, x), n); }

#if defined(__AVX512BW__) && defined(__AVX512VL__)
GPUNET_INLINE halves load_halves(const void* p, int64_t n) { return (halves)_mm256_maskz_loadu_epi16(first(n), p); }
GPUNET_INLINE void store_halves(void* p, halves x, int64_t n) { _mm256_mask_storeu_epi16(p, first(n), (__m256i)x); }
#else
GPUNET_INLINE halves load_halves(const void* p, int64_t n) {
  halves x = {};
  std::memcpy(&x, p, sizeof(uint16_t) * n);
  return x;
}
GPUNET_INLINE void store_halves(void* p, halves x, int64_t n) { std::memcpy(p, &x, sizeof(uint16_t) * n); }
#endif

GPUNET_HALF(Float16)
GPUNET_HALF(BFloat16)
#undef GPUNET_HALF

// f(an element of the type): what is done for an array of one of the types.
template <class F> inline void with_type(Real type, F&& f) {
  if (type == Real::FLOAT32) f(float{});
  else if (type == Real::FLOAT16) f(Float16{});
  else f(BFloat16{});
}

// n neighbours as floats, and the other way.
template <class T> inline void widen(float* to, const T* from, int64_t n) {
  each(n, [=](int64_t i, auto get, auto put) { put(to + i, get(from + i)); });
}
template <class T> inline void narrow(T* to, const float* from, int64_t n) {
  each(n, [=](int64_t i, auto get, auto put) { put(to + i, get(from + i)); });
}
inline void widen(Real type, float* to, const void* from, int64_t n) {
  if (type == Real::FLOAT16) widen(to, static_cast<const Float16*>(from), n);
  else widen(to, static_cast<const BFloat16*>(from), n);
}
inline void narrow(Real type, void* to, const float* from, int64_t n) {
  if (type == Real::FLOAT16) narrow(static_cast<Float16*>(to), from, n);
  else narrow(static_cast<BFloat16*>(to), from, n);
}

// A row as floats: itself, or its copy in a buffer; and a row of results, which `deliver` brings to where they belong.
inline const float* as_floats(const float* x, float*, int64_t) { return x; }
inline float* results(float* y, float*) { return y; }
inline void deliver(float*, const float*, int64_t) {}
template <class T> inline const float* as_floats(const T* x, float* buffer, int64_t n) {
  widen(buffer, x, n);
  return buffer;
}
template <class T> inline float* results(T*, float* buffer) { return buffer; }
template <class T> inline void deliver(T* y, const float* buffer, int64_t n) { narrow(y, buffer, n); }

}  // namespace gpunet::cpu
