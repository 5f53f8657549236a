// Transposes of small matrices in registers, for packing.
#pragma once
#include <algorithm>
#include <cstdint>

#include "vec.h"

namespace gpunet::cpu {

typedef float v4 __attribute__((vector_size(16)));
typedef float v4_unaligned __attribute__((vector_size(16), aligned(4), may_alias));

#if defined(__has_builtin)
#if __has_builtin(__builtin_shufflevector)
#define GPUNET_SHUFFLE(type, a, b, ...) __builtin_shufflevector(a, b, __VA_ARGS__)
#endif
#endif
#ifndef GPUNET_SHUFFLE  // GCC before 12
typedef int32_t i4 __attribute__((vector_size(16)));
#define GPUNET_SHUFFLE(type, a, b, ...) __builtin_shuffle(a, b, type{__VA_ARGS__})
#endif

// Every other number of two vectors, and the two halves of what two vectors give in turn.
#if defined(__AVX512F__)
GPUNET_INLINE vf evens(vf a, vf b) { return GPUNET_SHUFFLE(vi, a, b, 0, 2, 4, 6, 8, 10, 12, 14, 16, 18, 20, 22, 24, 26, 28, 30); }
GPUNET_INLINE vf odds(vf a, vf b) { return GPUNET_SHUFFLE(vi, a, b, 1, 3, 5, 7, 9, 11, 13, 15, 17, 19, 21, 23, 25, 27, 29, 31); }
GPUNET_INLINE vf zip_low(vf a, vf b) { return GPUNET_SHUFFLE(vi, a, b, 0, 16, 1, 17, 2, 18, 3, 19, 4, 20, 5, 21, 6, 22, 7, 23); }
GPUNET_INLINE vf zip_high(vf a, vf b) { return GPUNET_SHUFFLE(vi, a, b, 8, 24, 9, 25, 10, 26, 11, 27, 12, 28, 13, 29, 14, 30, 15, 31); }
#elif defined(__AVX__)
GPUNET_INLINE vf evens(vf a, vf b) { return GPUNET_SHUFFLE(vi, a, b, 0, 2, 4, 6, 8, 10, 12, 14); }
GPUNET_INLINE vf odds(vf a, vf b) { return GPUNET_SHUFFLE(vi, a, b, 1, 3, 5, 7, 9, 11, 13, 15); }
GPUNET_INLINE vf zip_low(vf a, vf b) { return GPUNET_SHUFFLE(vi, a, b, 0, 8, 1, 9, 2, 10, 3, 11); }
GPUNET_INLINE vf zip_high(vf a, vf b) { return GPUNET_SHUFFLE(vi, a, b, 4, 12, 5, 13, 6, 14, 7, 15); }
#else
GPUNET_INLINE vf evens(vf a, vf b) { return GPUNET_SHUFFLE(vi, a, b, 0, 2, 4, 6); }
GPUNET_INLINE vf odds(vf a, vf b) { return GPUNET_SHUFFLE(vi, a, b, 1, 3, 5, 7); }
GPUNET_INLINE vf zip_low(vf a, vf b) { return GPUNET_SHUFFLE(vi, a, b, 0, 4, 1, 5); }
GPUNET_INLINE vf zip_high(vf a, vf b) { return GPUNET_SHUFFLE(vi, a, b, 2, 6, 3, 7); }
#endif

// to[j * to_step + i] = from[i * from_step + j] for i, j < 4
GPUNET_INLINE void transpose4(const float* from, int64_t from_step, float* to, int64_t to_step) {
  v4 r[4];
  for (int i = 0; i < 4; i++) r[i] = *reinterpret_cast<const v4_unaligned*>(from + i * from_step);
  v4 a = GPUNET_SHUFFLE(i4, r[0], r[1], 0, 4, 1, 5), b = GPUNET_SHUFFLE(i4, r[2], r[3], 0, 4, 1, 5);
  v4 c = GPUNET_SHUFFLE(i4, r[0], r[1], 2, 6, 3, 7), d = GPUNET_SHUFFLE(i4, r[2], r[3], 2, 6, 3, 7);
  v4 columns[4] = {GPUNET_SHUFFLE(i4, a, b, 0, 1, 4, 5), GPUNET_SHUFFLE(i4, a, b, 2, 3, 6, 7),
                   GPUNET_SHUFFLE(i4, c, d, 0, 1, 4, 5), GPUNET_SHUFFLE(i4, c, d, 2, 3, 6, 7)};
  for (int j = 0; j < 4; j++) *reinterpret_cast<v4_unaligned*>(to + j * to_step) = columns[j];
}

// to[j * to_step + i] = from[i * from_step + j] for i < rows, j < columns; for i up to `width`, a multiple of 4, 0
inline void transpose(const float* from, int64_t from_step, int64_t rows, int64_t columns, float* to, int64_t to_step,
                      int64_t width) {
  int64_t whole = rows / 4 * 4, j = 0;
  for (; j + 4 <= columns; j += 4)
    for (int64_t i = 0; i < whole; i += 4) transpose4(from + i * from_step + j, from_step, to + j * to_step + i, to_step);
  for (; j < columns; j++)
    for (int64_t i = 0; i < whole; i++) to[j * to_step + i] = from[i * from_step + j];
  if (whole < width)
    for (j = 0; j < columns; j++) {
      for (int64_t i = whole; i < rows; i++) to[j * to_step + i] = from[i * from_step + j];
      for (int64_t i = rows; i < width; i++) to[j * to_step + i] = 0;
    }
}

}  // namespace gpunet::cpu
