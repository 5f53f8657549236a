// Convolution in 1 to 3 spatial dimensions: forward, and its gradient by the input, which is also the transposed
// convolution.
#include "args.h"
#include "gathered.h"
#include "sgemm.h"

namespace gpunet::cpu {
namespace {

int64_t floor_mod(int64_t a, int64_t b) { return (a % b + b) % b; }

// Where windows do not lie side by side, inputs that meet the same taps are too few for long vectors. Then all taps'
// products are formed at once, a few channels of an image at a time, and added where they belong, in the taps' order.
constexpr int64_t PRODUCTS = 1 << 15;  // that are kept until they are added

bool worth_scattering(const Windows& at, int64_t features) {
  return at.stride[2] > 1 && at.area() > 1 && features >= 16 && at.count() >= 64;
}

void scatter(float* dx, const float* products, const Windows& at) {
  // The outputs, first to last, whose input is inside: o * stride + the number that is returned.
  const auto range = [&](int axis, int64_t k, int64_t& first, int64_t& last) {
    const int64_t from = k * at.dilation[axis] - at.low[axis], inside = at.size[axis] - from, stride = at.stride[axis];
    first = from < 0 ? ceil_div(-from, stride) : 0;
    last = inside > 0 ? std::min(at.out[axis], ceil_div(inside, stride)) : 0;
    return from;
  };
  for (int64_t kz = 0; kz < at.kernel[0]; kz++)
    for (int64_t ky = 0; ky < at.kernel[1]; ky++)
      for (int64_t kx = 0; kx < at.kernel[2]; kx++, products += at.count()) {
        int64_t z0, z1, y0, y1, x0, x1;
        const int64_t z = range(0, kz, z0, z1), y = range(1, ky, y0, y1), x = range(2, kx, x0, x1), step = at.stride[2];
        for (int64_t oz = z0; oz < z1; oz++)
          for (int64_t oy = y0; oy < y1; oy++) {
            const float* from = products + (oz * at.out[1] + oy) * at.out[2];
            float* to = dx + ((oz * at.stride[0] + z) * at.size[1] + oy * at.stride[1] + y) * at.size[2] + x;
            for (int64_t ox = x0; ox < x1; ox++) to[ox * step] += from[ox];
          }
      }
}

// dx, g, w as in conv_input_grad
void scattered(float* dx, const float* g, const float* w, const Windows& at, int64_t images, int64_t groups,
               int64_t channels, int64_t features) {
  const int64_t area = at.area(), count = at.count(), pixels = at.pixels(), row = channels * area;
  const int64_t each = std::min(channels, std::max<int64_t>(1, PRODUCTS / (area * count)));
  const int64_t parts = ceil_div(channels, each);
  parallel(images * groups * parts, 1, [&](int64_t begin, int64_t end) {
    float* products = scratch(each * area * count);
    for (int64_t task = begin; task < end; task++) {
      const int64_t group = task / parts % groups, first = task % parts * each, some = std::min(each, channels - first);
      sgemm(true, false, some * area, count, features, w + group * features * row + first * area, row,
            g + task / parts * features * count, count, products, count, false);
      float* own = dx + (task / parts * channels + first) * pixels;
      clear(own, some * pixels);
      for (int64_t c = 0; c < some; c++) scatter(own + c * pixels, products + c * area * count, at);
    }
  });
}

template <class T> void forward(const Arg* a) {
  const Windows& at = *ptr<const Windows>(a[4]);
  Problem<T> p;
  p.images = a[5].i, p.groups = a[6].i, p.channels = a[7].i, p.features = a[8].i;
  p.y = ptr<T>(a[0]), p.x = ptr<const T>(a[1]), p.weight = ptr<const T>(a[2]), p.bias = ptr<const T>(a[3]);
  p.by_channel = at.area(), p.by_feature = p.channels * at.area(), p.by_group = p.features * p.by_feature;
  for (int i = 0; i < 3; i++) {
    p.axis[i] = axis_of(at, i);
    p.size[i] = at.size[i], p.result[i] = at.out[i], p.kernel[i] = at.kernel[i];
  }
  gathered_product(p);
}

// Inputs i that are equal modulo the stride meet the same taps, and for them it is a convolution of stride 1.
template <class T> void input_grad(const Arg* a) {
  const Windows& at = *ptr<const Windows>(a[3]);
  if constexpr (sizeof(T) == sizeof(float))
    if (worth_scattering(at, a[7].i))
      return scattered(ptr<T>(a[0]), ptr<const T>(a[1]), ptr<const T>(a[2]), at, a[4].i, a[5].i, a[6].i, a[7].i);
  Problem<T> p;
  p.images = a[4].i, p.groups = a[5].i, p.channels = a[7].i, p.features = a[6].i;
  p.y = ptr<T>(a[0]), p.x = ptr<const T>(a[1]), p.weight = ptr<const T>(a[2]), p.bias = nullptr;
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
    parallel(all, 1 << 16, [&](int64_t begin, int64_t end) { std::fill(p.y + begin, p.y + end, T{}); });
  }
  for (const Axis& z : choices[0])
    for (const Axis& y : choices[1])
      for (const Axis& x : choices[2]) {
        p.axis[0] = z, p.axis[1] = y, p.axis[2] = x;
        gathered_product(p);
      }
}

}  // namespace
}  // namespace gpunet::cpu

using namespace gpunet::cpu;

// y[n, f, o] = bias[f] + sum over c, k of w[f, c, k] x[n, c, o * stride - low + k * dilation]
// y, x, w, bias (or null), windows, images, groups, channels and features of a group, whether they are of bfloat16
KERNEL void conv(const Arg* a) { a[9].i ? forward<uint16_t>(a) : forward<float>(a); }

// dx[n, c, i] = sum over f and those k, o with o * stride - low + k * dilation = i of w[f, c, k] g[n, f, o].
// dx, g, w, windows, images, groups, channels and features of a group, whether they are of bfloat16
KERNEL void conv_input_grad(const Arg* a) { a[8].i ? input_grad<uint16_t>(a) : input_grad<float>(a); }
