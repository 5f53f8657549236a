// A product of weights with windows of an input that lies in memory as it is: what convolution, its gradient by the
// input and the transposed convolution are. No im2col: the windows are read in place, through tables of offsets.
//
// A band of output rows of one image is computed at a time. The part of the input that it needs is copied into a
// zero-padded block [channels of the slice][...], small enough for the L2 cache, and there the element that output o
// and weight k meet is block[base(o) + offset(k)]. Vectors run along the rows of the output.
#pragma once
#include <algorithm>
#include <vector>

#include "windows.h"

namespace gpunet::cpu {

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

}  // namespace gpunet::cpu
