// Convolution in 1 to 3 spatial dimensions: forward, and its gradient by the input, which is also the transposed
// convolution.
#include "args.h"
#include "gathered.h"

namespace gpunet::cpu {
namespace {

int64_t floor_mod(int64_t a, int64_t b) { return (a % b + b) % b; }

}  // namespace
}  // namespace gpunet::cpu

using namespace gpunet::cpu;

// y[n, f, o] = bias[f] + sum over c, k of w[f, c, k] x[n, c, o * stride - low + k * dilation]
// y, x, w, bias (or null), windows, images, groups, channels and features of a group
KERNEL void conv(const Arg* a) {
  const Windows& at = *ptr<const Windows>(a[4]);
  Problem p;
  p.images = a[5].i, p.groups = a[6].i, p.channels = a[7].i, p.features = a[8].i;
  p.y = ptr<float>(a[0]), p.x = ptr<const float>(a[1]), p.weight = ptr<const float>(a[2]), p.bias = ptr<const float>(a[3]);
  p.by_channel = at.area(), p.by_feature = p.channels * at.area(), p.by_group = p.features * p.by_feature;
  for (int i = 0; i < 3; i++) {
    Axis& axis = p.axis[i];
    for (int64_t k = 0; k < at.kernel[i]; k++) {
      axis.offset.push_back(k * at.dilation[i] - at.low[i]);
      axis.index.push_back(k);
    }
    axis.step = at.stride[i], axis.count = at.out[i], axis.start = 0, axis.spread = 1;
    p.size[i] = at.size[i], p.result[i] = at.out[i], p.kernel[i] = at.kernel[i];
  }
  gathered_product(p);
}

// dx[n, c, i] = sum over f and those k, o with o * stride - low + k * dilation = i of w[f, c, k] g[n, f, o].
// Inputs i that are equal modulo the stride meet the same taps, and for them it is a convolution of stride 1.
// dx, g, w, windows, images, groups, channels and features of a group
KERNEL void conv_input_grad(const Arg* a) {
  const Windows& at = *ptr<const Windows>(a[3]);
  Problem p;
  p.images = a[4].i, p.groups = a[5].i, p.channels = a[7].i, p.features = a[6].i;
  p.y = ptr<float>(a[0]), p.x = ptr<const float>(a[1]), p.weight = ptr<const float>(a[2]), p.bias = nullptr;
  p.by_feature = at.area(), p.by_channel = p.features * at.area(), p.by_group = p.channels * p.by_channel;
  std::vector<Axis> choices[3];
  bool complete = true;
  for (int i = 0; i < 3; i++) {
    p.size[i] = at.out[i], p.result[i] = at.size[i], p.kernel[i] = at.kernel[i];
    for (int64_t start = 0; start < std::min(at.stride[i], at.size[i]); start++) {
      Axis axis;
      for (int64_t k = 0; k < at.kernel[i]; k++) {
        int64_t distance = start + at.low[i] - k * at.dilation[i];
        if (floor_mod(distance, at.stride[i])) continue;
        axis.offset.push_back((distance - floor_mod(distance, at.stride[i])) / at.stride[i]);
        axis.index.push_back(k);
      }
      axis.step = 1, axis.start = start, axis.spread = at.stride[i];
      axis.count = ceil_div(at.size[i] - start, at.stride[i]);
      if (axis.offset.empty())
        complete = false;  // no window meets these
      else
        choices[i].push_back(axis);
    }
  }
  if (!complete) {
    int64_t all = p.images * p.groups * p.features * at.pixels();
    parallel(all, 1 << 16, [&](int64_t begin, int64_t end) { std::fill(p.y + begin, p.y + end, 0.0f); });
  }
  for (const Axis& z : choices[0])
    for (const Axis& y : choices[1])
      for (const Axis& x : choices[2]) {
        p.axis[0] = z, p.axis[1] = y, p.axis[2] = x;
        gathered_product(p);
      }
}
