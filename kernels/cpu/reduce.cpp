// Sums, means and extremes over dimensions. An input stands as [outer, reduced, inner]; how it is split into blocks
// follows from these sizes, and blocks are put together in their order.
#include <algorithm>

#include "args.h"
#include "pool.h"
#include "vec.h"

using namespace gpunet::cpu;

namespace {

constexpr int64_t BLOCK = 8192;  // elements of a row that one thread adds up at once

struct Sum {
  static vf start() { return zero(); }
  static vf join(vf a, vf b) { return a + b; }
  static float join(float a, float b) { return a + b; }
  static float over(vf x) { return sum(x); }
};
struct Max {
  static vf start() { return broadcast(-__builtin_inff()); }
  static vf join(vf a, vf b) { return vmax(a, b); }
  static float join(float a, float b) { return a >= b || a != a ? a : b; }
  static float over(vf x) { return maximum(x); }
};
struct Min {
  static vf start() { return broadcast(__builtin_inff()); }
  static vf join(vf a, vf b) { return vmin(a, b); }
  static float join(float a, float b) { return a <= b || a != a ? a : b; }
  static float over(vf x) { return minimum(x); }
};

template <class R> float row(const float* x, int64_t n) {
  vf acc[4] = {R::start(), R::start(), R::start(), R::start()};
  int64_t i = 0;
  for (; i + 4 * LANES <= n; i += 4 * LANES)
    for (int j = 0; j < 4; j++) acc[j] = R::join(acc[j], load(x + i + j * LANES));
  for (; i + LANES <= n; i += LANES) acc[0] = R::join(acc[0], load(x + i));
  float value = R::over(R::join(R::join(acc[0], acc[1]), R::join(acc[2], acc[3])));
  for (; i < n; i++) value = R::join(value, x[i]);
  return value;
}

// [outer, reduced] -> [outer]
template <class R> void rows(float* y, const float* x, int64_t outer, int64_t reduced, float divisor) {
  const int64_t blocks = std::max<int64_t>(1, (reduced + BLOCK - 1) / BLOCK);
  if (blocks == 1) {
    parallel(outer, std::max<int64_t>(1, BLOCK / std::max<int64_t>(1, reduced)), [=](int64_t begin, int64_t end) {
      for (int64_t i = begin; i < end; i++) y[i] = row<R>(x + i * reduced, reduced) / divisor;
    });
    return;
  }
  float* parts = scratch(outer * blocks, 1);
  parallel(outer * blocks, 1, [=](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; i++) {
      const int64_t from = i % blocks * BLOCK;
      parts[i] = row<R>(x + i / blocks * reduced + from, std::min(BLOCK, reduced - from));
    }
  });
  for (int64_t i = 0; i < outer; i++) y[i] = row<R>(parts + i * blocks, blocks) / divisor;
}

// [outer, reduced, inner] -> [outer, inner], of the vectors that value(offset, get, put) gives.
template <class R, class V> void columns(float* y, int64_t outer, int64_t reduced, int64_t inner, float divisor, V value) {
  constexpr int64_t STRIP = 64 * LANES, TOGETHER = 8;  // columns whose sums stay in the first cache; rows read side by side
  const int64_t high = std::max<int64_t>(64, 4 * BLOCK / inner), blocks = std::max<int64_t>(1, (reduced + high - 1) / high);
  const int64_t strips = (inner + STRIP - 1) / STRIP;
  float* parts = blocks > 1 ? scratch(outer * blocks * inner, 1) : y;
  const int64_t work = std::min(high, std::max<int64_t>(1, reduced)) * std::min(STRIP, inner);
  parallel(outer * blocks * strips, std::max<int64_t>(1, BLOCK / work), [=](int64_t begin, int64_t end) {
    for (int64_t task = begin; task < end; task++) {
      const int64_t o = task / strips / blocks, block = task / strips % blocks, j0 = task % strips * STRIP;
      const int64_t from = block * high, to = std::min(from + high, reduced), width = std::min(STRIP, inner - j0);
      vf acc[STRIP / LANES];
      const int64_t whole = width / LANES, rest = width % LANES;
      for (int64_t v = 0; v <= whole && v < STRIP / LANES; v++) acc[v] = R::start();
      const auto get = [](const float* p) { return load(p); };
      const auto put = [](float* p, vf x) { store(p, x); };
      const auto get_rest = [rest](const float* p) { return load(p, rest); };
      const auto put_rest = [rest](float* p, vf x) { store(p, x, rest); };
      const auto add = [&](int64_t at, auto count) {  // each sum takes one row after the other
        for (int64_t v = 0; v < whole; v++) {
          vf total = acc[v];
#pragma GCC unroll 8
          for (int64_t i = 0; i < count; i++) total = R::join(total, value(at + i * inner + v * LANES, get, put));
          acc[v] = total;
        }
        if (rest)
          for (int64_t i = 0; i < count; i++)
            acc[whole] = R::join(acc[whole], value(at + i * inner + whole * LANES, get_rest, put_rest));
      };
      int64_t i = from, at = (o * reduced + from) * inner + j0;
      for (; i + TOGETHER <= to; i += TOGETHER, at += TOGETHER * inner)
        add(at, std::integral_constant<int64_t, TOGETHER>());
      add(at, to - i);
      float* out = parts + (o * blocks + block) * inner + j0;
      for (int64_t v = 0; v < whole; v++) store(out + v * LANES, blocks > 1 ? acc[v] : acc[v] / divisor);
      if (rest) store(out + whole * LANES, blocks > 1 ? acc[whole] : acc[whole] / divisor, rest);
    }
  });
  if (blocks == 1) return;
  for (int64_t o = 0; o < outer; o++)
    each(inner, [=](int64_t j, auto get, auto put) {
      vf total = get(parts + o * blocks * inner + j);
      for (int64_t b = 1; b < blocks; b++) total = R::join(total, get(parts + (o * blocks + b) * inner + j));
      put(y + o * inner + j, total / divisor);
    });
}

template <class R> void reduce(const Arg* a) {
  float* y = ptr<float>(a[0]);
  const float* x = ptr<const float>(a[1]);
  const int64_t outer = a[2].i, reduced = a[3].i, inner = a[4].i;
  const float divisor = static_cast<float>(a[5].d);
  if (outer * inner == 0) return;
  if (inner == 1) rows<R>(y, x, outer, reduced, divisor);
  else columns<R>(y, outer, reduced, inner, divisor, [x](int64_t at, auto get, auto) { return get(x + at); });
}

}  // namespace

// y, x, outer, reduced, inner, divisor: y = (sum over the reduced dimension) / divisor
KERNEL void reduce_sum(const Arg* a) { reduce<Sum>(a); }
KERNEL void reduce_max(const Arg* a) { reduce<Max>(a); }
KERNEL void reduce_min(const Arg* a) { reduce<Min>(a); }

// dx, db, g, y, rows, columns: dx = 0 where y <= 0, else g (so also where y is NaN); db its sums over the rows
KERNEL void bias_relu_grad(const Arg* a) {
  float *dx = ptr<float>(a[0]), *db = ptr<float>(a[1]);
  const float *g = ptr<const float>(a[2]), *y = ptr<const float>(a[3]);
  if (a[5].i == 0) return;
  columns<Sum>(db, 1, a[4].i, a[5].i, 1.f, [=](int64_t at, auto get, auto put) {
    const vf value = get(y + at) <= 0.f ? zero() : get(g + at);
    put(dx + at, value);
    return value;
  });
}
