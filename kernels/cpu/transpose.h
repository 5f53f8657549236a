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
#define GPUNET_SHUFFLE(a, b, ...) __builtin_shufflevector(a, b, __VA_ARGS__)
#endif
#endif
#ifndef GPUNET_SHUFFLE
typedef int32_t i4 __attribute__((vector_size(16)));
#define GPUNET_SHUFFLE(a, b, ...) __builtin_shuffle(a, b, i4{__VA_ARGS__})
#endif

// to[j * to_step + i] = from[i * from_step + j] for i, j < 4
GPUNET_INLINE void transpose4(const float* from, int64_t from_step, float* to, int64_t to_step) {
  v4 r[4];
  for (int i = 0; i < 4; i++) r[i] = *reinterpret_cast<const v4_unaligned*>(from + i * from_step);
  v4 a = GPUNET_SHUFFLE(r[0], r[1], 0, 4, 1, 5), b = GPUNET_SHUFFLE(r[2], r[3], 0, 4, 1, 5);
  v4 c = GPUNET_SHUFFLE(r[0], r[1], 2, 6, 3, 7), d = GPUNET_SHUFFLE(r[2], r[3], 2, 6, 3, 7);
  v4 columns[4] = {GPUNET_SHUFFLE(a, b, 0, 1, 4, 5), GPUNET_SHUFFLE(a, b, 2, 3, 6, 7),
                   GPUNET_SHUFFLE(c, d, 0, 1, 4, 5), GPUNET_SHUFFLE(c, d, 2, 3, 6, 7)};
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
