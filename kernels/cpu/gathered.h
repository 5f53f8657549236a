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

// The taps and windows of a dimension.
inline Axis axis_of(const Windows& at, int i) {
  Axis axis;
  for (int64_t k = 0; k < at.kernel[i]; k++) {
    axis.offset.push_back(k * at.dilation[i] - at.low[i]);
    axis.index.push_back(k);
  }
  axis.step = at.stride[i], axis.count = at.out[i], axis.start = 0, axis.spread = 1;
  return axis;
}

template <class T> struct Problem {
  Axis axis[3];
  int64_t images, groups, channels, features;  // the last two of one group
  int64_t size[3], result[3];                  // of input and output
  const T* x;
  const T* bias;  // [groups * features] or null
  T* y;
  // weight[group * by_group + feature * by_feature + channel * by_channel + tap]
  const T* weight;
  int64_t by_group, by_feature, by_channel;
  int64_t kernel[3];
};

void gathered_product(const Problem<float>&);

// Of bfloat16, as products of pairs, and the gradient by the weight (conv_weight.cpp); where has_bgemm(BFLOAT16).
void gathered_product(const Problem<uint16_t>&);
void weight_grad(const Windows& at, uint16_t* dw, const uint16_t* g, const uint16_t* x, int64_t images, int64_t groups,
                 int64_t channels, int64_t features);

}  // namespace gpunet::cpu
