// Products of 8-bit integers (int8.h): exact ones, and the layers that quantize their input on the way.
#include "args.h"
#include "int8.h"

using namespace gpunet::cpu;
using namespace gpunet::cpu::int8;

namespace {

// Floats as A's numbers: clamp(round(x / scale) + zero_point, -128, 127) - zero_point, and `offset`.
struct Quantizer {
  typedef Wide narrow __attribute__((vector_size(LANES * sizeof(Wide))));
  float inverse, low, high;
  int32_t offset;
  Quantizer(float scale, float zero_point)
      : inverse(1.f / scale), low(-128.f - zero_point), high(127.f - zero_point),
        offset(MOVED ? MOVED + static_cast<int32_t>(zero_point) : 0) {}

  GPUNET_INLINE narrow operator()(vf x) const {
    constexpr float POINT = 12582912.f;  // 1.5 * 2^23: what is added to it is rounded, and lies in its last bits
    vf value = x * inverse;
    value = select(value > low, value, broadcast(low));  // NaN too
    value = select(value < high, value, broadcast(high));
    return __builtin_convertvector(bits(value + POINT) - bits(broadcast(POINT)) + offset, narrow);
  }
  // n floats; up to LANES - 1 numbers behind them are written, too.
  void operator()(const float* x, int64_t n, Wide* to) const {
    for (int64_t q = 0; q < n; q += LANES) {
      const narrow found = (*this)(q + LANES <= n ? load(x + q) : load(x + q, n - q));
      std::memcpy(to + q, &found, sizeof found);
    }
  }
};

// Sums as the layer's results: times the scale of the input and of the output, and the bias.
struct Scaled {
  float scale;
  const float *factor, *bias;
  GPUNET_INLINE vf operator()(int64_t j, vi sums, int64_t columns) const {
    const bool whole = columns == LANES;
    const vf each = (whole ? load(factor + j) : load(factor + j, columns)) * scale;
    const vf y = __builtin_convertvector(sums, vf) * each;
    return bias ? y + (whole ? load(bias + j) : load(bias + j, columns)) : y;
  }
};

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
          [=](int64_t i, int64_t j, vi sums, int64_t columns) {
            std::memcpy(c + i * n + j, &sums, static_cast<size_t>(columns) * 4);
          });
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
          [=](int64_t i, int64_t j, vi sums, int64_t columns) {
            const vf found = scaled(j, sums, columns);
            if (columns == LANES) store(y + i * n + j, found);
            else store(y + i * n + j, found, columns);
          });
}
