// IEEE half precision and bfloat16 as bits.
#pragma once

namespace gpunet_sim {

inline uint16_t encode_bf16(float x) {
  uint32_t bits;
  memcpy(&bits, &x, 4);
  if ((bits & 0x7fffffff) > 0x7f800000) return 0x7fff;  // the NaN that the hardware gives
  return uint16_t((bits + 0x7fff + (bits >> 16 & 1)) >> 16);
}
inline float decode_bf16(uint16_t half) {
  uint32_t bits = (uint32_t)half << 16;
  float x;
  memcpy(&x, &bits, 4);
  return x;
}

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
