// Products of 8-bit integers (int8.h): exact ones, and the layers that quantize their input on the way.
#include "args.h"
#include "int8.h"

using namespace gpunet::cpu;
using namespace gpunet::cpu::int8;

namespace {

constexpr float LEAST_SCALE = 1.1920929e-7f;  // of numbers that are all 0

// Rows of results, finished by f(j, sums, columns).
template <class T, class F> struct Rows {
  T* y;
  int64_t n;
  F finish;
  void begin() {}
  GPUNET_INLINE void store(int64_t i, int64_t j, vi sums, int64_t columns) {
    const auto found = finish(j, sums, columns);
    if (columns == LANES) std::memcpy(y + i * n + j, &found, sizeof found);
    else std::memcpy(y + i * n + j, &found, static_cast<size_t>(columns) * sizeof(T));
  }
  void done(int64_t, int64_t, int64_t, int64_t) {}
};
template <class T, class F> Rows(T*, int64_t, F) -> Rows<T, F>;

// NaN if either is.
inline float least(float a, float b) { return a <= b || a != a ? a : b; }
inline float largest(float a, float b) { return a >= b || a != a ? a : b; }

}  // namespace

// c, a, b, m, n, k: int32 = int8 times int8.
KERNEL void int8_matmul(const Arg* args) {
  int32_t* c = ptr<int32_t>(args[0]);
  const int8_t *a = ptr<const int8_t>(args[1]), *b = ptr<const int8_t>(args[2]);
  const int64_t m = args[3].i, n = args[4].i, k = args[5].i;
  product(m, n, k, b, MOVED,
          [=](int64_t i, Wide* to) {
            for (int64_t q = 0; q < k; q++) to[q] = static_cast<Wide>(a[i * k + q] + MOVED);
          },
          Rows{c, n, [](int64_t, vi sums, int64_t) { return sums; }});
}

// y, x, weight, weight_scale, bias or null, scale, zero_point, m, n, k: floats, with x quantized on the way:
// y = scale * weight_scale * sum of (q - zero_point) * weight + bias, q = clamp(round(x / scale) + zero_point).
KERNEL void int8_linear(const Arg* args) {
  float* y = ptr<float>(args[0]);
  const float* x = ptr<const float>(args[1]);
  const float scale = *ptr<const float>(args[5]), zero_point = *ptr<const float>(args[6]);
  const int64_t m = args[7].i, n = args[8].i, k = args[9].i;
  const Quantizer quantized(scale, zero_point);
  const Scaled scaled{scale, ptr<const float>(args[3]), ptr<const float>(args[4])};
  product(m, n, k, ptr<const int8_t>(args[2]), quantized.offset,
          [=](int64_t i, Wide* to) { quantized(x + i * k, k, to); },
          Rows{y, n, scaled});
}

// scale, zero_point, x, n: of the integers that stand for the numbers from the least to the largest, and 0. NaN stays.
KERNEL void int8_range(const Arg* args) {
  float *scale = ptr<float>(args[0]), *zero_point = ptr<float>(args[1]);
  const float* x = ptr<const float>(args[2]);
  const int64_t n = args[3].i, slice = 1 << 15, slices = (n + slice - 1) / slice;
  float* ends = scratch(2 * slices + 2);
  ends[0] = ends[1] = 0.f;
  parallel(slices, 1, [&](int64_t begin, int64_t end) {
    for (int64_t s = begin; s < end; s++) {
      vf low = zero(), high = zero();
      each(std::min(slice, n - s * slice), [&](int64_t i, auto get, auto) {
        const vf value = get(x + s * slice + i);
        low = vmin(low, value);
        high = vmax(high, value);
      });
      for (int i = 1; i < LANES; i++) {
        low[0] = least(low[0], low[i]);
        high[0] = largest(high[0], high[i]);
      }
      ends[2 * s] = low[0];
      ends[2 * s + 1] = high[0];
    }
  });
  for (int64_t s = 1; s < slices; s++) {
    ends[0] = least(ends[0], ends[2 * s]);
    ends[1] = largest(ends[1], ends[2 * s + 1]);
  }
  const float step = (ends[1] - ends[0]) / 255.f, zero = __builtin_rintf(-128.f - ends[0] / largest(step, LEAST_SCALE));
  *scale = largest(step, LEAST_SCALE);
  *zero_point = zero < -128.f ? -128.f : zero > 127.f ? 127.f : zero;
}
