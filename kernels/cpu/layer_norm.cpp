// LayerNorm and RMSNorm, forward and backward: statistics over rows that lie in one piece.
//
// A row is read from memory once; what follows finds it in the cache. In the backward pass each slice of rows sums the
// gradients of weight and bias by itself; the slices' sums are added in order.
#include <cmath>

#include "args.h"
#include "halves.h"
#include "pool.h"

namespace gpunet::cpu {
namespace {

// Sum of f(i, get) over a row in four sums; `get(p)` gives 0 beyond the row, and f must give 0 for zeros.
template <class F> GPUNET_INLINE float sum_of(int64_t n, F&& f) {
  vf s[4] = {};
  const auto whole = [](const float* p) { return load(p); };
  int64_t i = 0;
  for (; i + 4 * LANES <= n; i += 4 * LANES)
    for (int v = 0; v < 4; v++) s[v] += f(i + v * LANES, whole);
  for (; i + LANES <= n; i += LANES) s[0] += f(i, whole);
  if (i < n) s[1] += f(i, [n, i](const float* p) { return load(p, n - i); });
  return sum((s[0] + s[1]) + (s[2] + s[3]));
}

float variance(const float* x, float mean, int64_t n) {
  const int64_t whole = n / LANES * LANES;
  float total = sum_of(whole, [&](int64_t i, auto get) {
    const vf c = get(x + i) - mean;
    return c * c;
  });
  for (int64_t i = whole; i < n; i++) total += (x[i] - mean) * (x[i] - mean);
  return total / n;
}

template <bool WEIGHT, bool BIAS>
void apply(float* y, const float* x, float mean, float factor, const float* weight, const float* bias, int64_t n) {
  each(n, [&](int64_t i, auto get, auto put) {
    vf v = (get(x + i) - mean) * factor;
    if (WEIGHT) v *= get(weight + i);
    if (BIAS) v += get(bias + i);
    put(y + i, v);
  });
}

template <class T> void forward(const Arg* a) {
  T* y = ptr<T>(a[0]);
  float *means = ptr<float>(a[1]), *spreads = ptr<float>(a[2]);
  const T* x = ptr<const T>(a[3]);
  const float *weight = ptr<const float>(a[4]), *bias = ptr<const float>(a[5]);
  const int64_t n = a[7].i;
  const float eps = static_cast<float>(a[8].d);
  const bool centred = a[9].i;
  parallel(a[6].i, grain_of(2 * n), [&](int64_t begin, int64_t end) {
    float* buffer = scratch(n, 1);
    for (int64_t r = begin; r < end; r++) {
      const float* row = as_floats(x + r * n, buffer, n);
      float* out = results(y + r * n, buffer);
      const float mean = centred ? sum_of(n, [&](int64_t i, auto get) { return get(row + i); }) / n : 0.f;
      const float spread = variance(row, mean, n), factor = 1.f / std::sqrt(spread + eps);
      means[r] = mean, spreads[r] = spread;
      if (weight && bias)
        apply<true, true>(out, row, mean, factor, weight, bias, n);
      else if (weight)
        apply<true, false>(out, row, mean, factor, weight, bias, n);
      else
        apply<false, false>(out, row, mean, factor, weight, bias, n);
      deliver(y + r * n, out, n);
    }
  });
}

template <class T> void backward(const Arg* a) {
  T* dx = ptr<T>(a[0]);
  float *dw = ptr<float>(a[1]), *db = ptr<float>(a[2]);
  const T *g = ptr<const T>(a[3]), *x = ptr<const T>(a[4]);
  const float *means = ptr<const float>(a[5]);
  const float *spreads = ptr<const float>(a[6]), *weight = ptr<const float>(a[7]);
  const int64_t rows = a[8].i, n = a[9].i;
  const float eps = static_cast<float>(a[10].d);
  const bool centred = a[11].i;
  // At most 64 slices, since each has sums of its own.
  int64_t grain = grain_of(4 * n);
  if (weight && grain < (rows + 63) / 64) grain = (rows + 63) / 64;
  const int64_t slices = (rows + grain - 1) / grain, size = (n + LANES - 1) / LANES * LANES;
  float* sums = weight ? scratch(2 * slices * size) : nullptr;
  parallel(rows, grain, [&](int64_t begin, int64_t end) {
    float* buffer = scratch(2 * n, 1);
    float* by_weight = sums ? sums + begin / grain * 2 * size : nullptr;
    float* by_bias = by_weight + size;
    if (sums) std::memset(by_weight, 0, 2 * size * sizeof(float));
    for (int64_t r = begin; r < end; r++) {
      const float *gr = as_floats(g + r * n, buffer, n), *xr = as_floats(x + r * n, buffer + n, n);
      const float mean = means[r], f = 1.f / std::sqrt(spreads[r] + eps);
      vf along = zero(), plain = zero();
      if (sums)
        each(n, [&](int64_t i, auto get, auto put) {
          const vf d = get(gr + i), h = (get(xr + i) - mean) * f, dh = d * get(weight + i);
          put(by_weight + i, get(by_weight + i) + d * h);
          put(by_bias + i, get(by_bias + i) + d);
          along += dh * h;
          plain += dh;
        });
      else
        each(n, [&](int64_t i, auto get, auto) {
          const vf d = get(gr + i), h = (get(xr + i) - mean) * f;
          along += d * h;
          plain += d;
        });
      const float by_x = sum(along) / n, by_mean = centred ? sum(plain) / n : 0.f;
      float* out = results(dx + r * n, buffer);
      if (sums)
        each(n, [&](int64_t i, auto get, auto put) {
          const vf h = (get(xr + i) - mean) * f;
          put(out + i, f * (get(gr + i) * get(weight + i) - by_mean - h * by_x));
        });
      else
        each(n, [&](int64_t i, auto get, auto put) {
          const vf h = (get(xr + i) - mean) * f;
          put(out + i, f * (get(gr + i) - by_mean - h * by_x));
        });
      deliver(dx + r * n, out, n);
    }
  });
  if (!sums) return;
  std::memset(dw, 0, n * sizeof(float));
  std::memset(db, 0, n * sizeof(float));
  for (int64_t s = 0; s < slices; s++)
    each(n, [&](int64_t i, auto get, auto put) {
      put(dw + i, get(dw + i) + get(sums + s * 2 * size + i));
      put(db + i, get(db + i) + get(sums + (s * 2 + 1) * size + i));
    });
}

}  // namespace

// y, mean [rows], variance or mean square [rows], x, weight or null, bias or null, rows, n, eps, centred, type of y and x (Real)
KERNEL void layer_norm(const Arg* a) {
  with_type(static_cast<Real>(a[10].i), [=](auto element) { forward<decltype(element)>(a); });
}

// dx, gradient of weight and of bias [n] or null, gradient, x, mean, variance, weight or null, rows, n, eps, centred,
// type of dx, the gradient and x (Real)
//
// With c = x - mean and f = 1 / sqrt(variance + eps):
// dx = f (g w - mean of (g w) - f^2 c mean of (g w c)), dw = sum of g c f, db = sum of g.
KERNEL void layer_norm_grad(const Arg* a) {
  with_type(static_cast<Real>(a[12].i), [=](auto element) { backward<decltype(element)>(a); });
}

}  // namespace gpunet::cpu
