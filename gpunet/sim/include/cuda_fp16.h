// IEEE half precision, as CUDA's header of this name.
#pragma once
#include "gpunet_sim/half_rounding.h"

namespace gpunet_sim {
#if defined(__FLT16_MAX__) && !defined(GPUNET_SIM_SOFTWARE_HALF)
inline uint16_t encode_f16(float x) {
  if (x != x) return 0x7fff;  // the NaN that the hardware gives
  _Float16 half = (_Float16)x;
  uint16_t bits;
  memcpy(&bits, &half, 2);
  return bits;
}
inline float decode_f16(uint16_t bits) {
  _Float16 half;
  memcpy(&half, &bits, 2);
  return (float)half;
}
#else  // compilers before g++ 12 and clang++ 15 have no _Float16 here
inline uint16_t encode_f16(float x) {
  uint32_t bits;
  memcpy(&bits, &x, 4);
  uint16_t sign = uint16_t(bits >> 16 & 0x8000);
  float magnitude = fabsf(x);
  if (x != x) return 0x7fff;
  if (magnitude >= 65520.0f) return sign | 0x7c00;
  // Adding a number whose last bit stands where the half's last bit must be lets the adder do the rounding.
  int exponent = int(bits >> 23 & 255) - 127;
  if (exponent < -14) exponent = -14;  // denormals share the smallest exponent
  float unit = ldexpf(1.0f, exponent - 10);
  unsigned count = (unsigned)nearbyintf(magnitude / unit);  // 1024 to 2048 of them, fewer when denormal
  return uint16_t(sign | (((unsigned)(exponent + 14) << 10) + count));
}
inline float decode_f16(uint16_t bits) {
  int exponent = bits >> 10 & 31, fraction = bits & 1023;
  float magnitude = exponent == 31 ? (fraction ? __builtin_nanf("") : __builtin_inff())
                    : exponent     ? ldexpf(1024.0f + (float)fraction, exponent - 25)
                                   : ldexpf((float)fraction, -24);
  return bits & 0x8000 ? -magnitude : magnitude;
}
#endif
}  // namespace gpunet_sim

struct __half_raw { unsigned short x; };
struct __half2_raw { unsigned short x, y; };
#define H __half
#define H2 __half2
#define WORD half
#define RAW __half_raw
#define RAW2 __half2_raw
#define ENCODE gpunet_sim::encode_f16
#define DECODE gpunet_sim::decode_f16
#include "gpunet_sim/half_type.h"
typedef __half half;
typedef __half2 half2;
typedef __half nv_half;
typedef __half2 nv_half2;

inline __half2 __half2half2(__half h) { return {h, h}; }
inline __half2 __halves2half2(__half x, __half y) { return {x, y}; }
