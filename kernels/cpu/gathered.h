// A product of weights with windows of an input that lies in memory as it is: what convolution, its gradient by the
// input and the transposed convolution are. No im2col: the windows are read in place, through tables of offsets.
//
// A band of output rows of one image is computed at a time. The part of the input that it needs is copied into a
// zero-padded block [channels of the slice][...], small enough for the L2 cache, and there the element that output o
// and weight k meet is block[base(o) + offset(k)]. Vectors run along the rows of the output.
#pragma once
#include <algorithm>
#include <cstdint>
#include <vector>

#include "pool.h"
#include "vec.h"

namespace gpunet::cpu {

// The spatial numbers of a convolution, always in 3 dimensions: missing ones in front are 1 (padding 0).
struct Windows {
  int64_t size[3], kernel[3], stride[3], low[3], dilation[3], out[3];
  int64_t area() const { return kernel[0] * kernel[1] * kernel[2]; }
  int64_t pixels() const { return size[0] * size[1] * size[2]; }
  int64_t count() const { return out[0] * out[1] * out[2]; }
};

// One dimension: output i of `count` meets, at tap t, the input at i * step + offset[t], if it is inside; it is stored
// at start + i * spread of the result. index[t] is the tap's place in the kernel.
struct Axis {
  std::vector<int64_t> offset, index;
  int64_t step, count, start, spread;
  int64_t low() const { return *std::min_element(offset.begin(), offset.end()); }
  int64_t high() const { return *std::max_element(offset.begin(), offset.end()); }
  int64_t taps() const { return static_cast<int64_t>(offset.size()); }
};

struct Problem {
  Axis axis[3];
  int64_t images, groups, channels, features;  // the last two of one group
  int64_t size[3], result[3];                  // of input and output
  const float* x;
  const float* bias;  // [groups * features] or null
  float* y;
  // weight[group * by_group + feature * by_feature + channel * by_channel + tap]
  const float* weight;
  int64_t by_group, by_feature, by_channel;
  int64_t kernel[3];
};

void gathered_product(const Problem&);

inline int64_t ceil_div(int64_t a, int64_t b) { return (a + b - 1) / b; }

GPUNET_INLINE void clear(float* y, int64_t n) {
  each(n, [&](int64_t i, auto, auto put) { put(y + i, zero()); });
}

GPUNET_INLINE void copy_floats(const float* x, float* y, int64_t n) {
  each(n, [&](int64_t i, auto get, auto put) { put(y + i, get(x + i)); });
}

// A line of an image of `width` as the kernels read it: zero-padded, and cut into `phases` (columns that are equal modulo
// `step`) of `pitch` columns: column u of phase h is the image's low + u * step + h.
struct Line {
  int64_t width, low, step, phases, pitch;
  int64_t floats() const { return phases * pitch; }

  void copy(const float* from, float* to) const {
    for (int64_t h = 0; h < phases; h++, to += pitch) {
      int64_t at = low + h;
      int64_t begin = std::min(pitch, at < 0 ? ceil_div(-at, step) : 0);
      int64_t end = at < width ? std::max(begin, std::min(pitch, ceil_div(width - at, step))) : begin;
      clear(to, begin);
      if (step == 1)
        copy_floats(from + at + begin, to + begin, end - begin);
      else if (step == 2)
        for (int64_t u = begin; u < end; u++) to[u] = from[at + 2 * u];
      else
        for (int64_t u = begin; u < end; u++) to[u] = from[at + u * step];
      clear(to + end, pitch - end);
    }
  }
};

}  // namespace gpunet::cpu
