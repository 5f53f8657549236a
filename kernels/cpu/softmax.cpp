// Softmax, its logarithm, their gradients, and the cross-entropy fused with its softmax and gradient.
//
// A tensor is [outer, n, inner], reduced over n. With inner == 1 a row lies in one piece and its three passes find it in
// the cache; else columns that lie side by side are computed together.
#include <cmath>
#include <limits>

#include "args.h"
#include "halves.h"
#include "pool.h"

namespace gpunet::cpu {
namespace {

constexpr float INF = std::numeric_limits<float>::infinity();
constexpr int64_t COST = 8;   // of an exponential, in units of grain_of
constexpr int64_t SIDE = 256;  // columns that are computed together

// The largest number of a row. NaN may be passed over: its exponential makes the whole row NaN anyway.
inline float largest(const float* x, int64_t n) {
  vf most[4] = {broadcast(-INF), broadcast(-INF), broadcast(-INF), broadcast(-INF)};
  int64_t i = 0;
  for (; i + 4 * LANES <= n; i += 4 * LANES)
    for (int v = 0; v < 4; v++) {
      const vf y = load(x + i + v * LANES);
      most[v] = y > most[v] ? y : most[v];
    }
  for (; i + LANES <= n; i += LANES) {
    const vf y = load(x + i);
    most[0] = y > most[0] ? y : most[0];
  }
  const vf two = most[0] > most[1] ? most[0] : most[1], other = most[2] > most[3] ? most[2] : most[3];
  float best = maximum(two > other ? two : other);
  for (; i < n; i++) best = x[i] > best ? x[i] : best;
  return best;
}

// Sum of f(vector at i) over a row; f gives 0 in the lanes beyond the row if it is told to (see `tail`).
template <class F> GPUNET_INLINE float sum_of(int64_t n, F&& f) {
  vf a = zero(), b = zero();
  int64_t i = 0;
  for (; i + 2 * LANES <= n; i += 2 * LANES) {
    a += f(i, static_cast<int64_t>(LANES));
    b += f(i + LANES, static_cast<int64_t>(LANES));
  }
  for (; i < n; i += LANES) a += f(i, n - i < LANES ? n - i : static_cast<int64_t>(LANES));
  return sum(a + b);
}

GPUNET_INLINE vf get(const float* p, int64_t n) { return n == LANES ? load(p) : load(p, n); }
GPUNET_INLINE void put(float* p, vf x, int64_t n) {
  if (n == LANES)
    store(p, x);
  else
    store(p, x, n);
}
GPUNET_INLINE vf only(vf x, int64_t n) {  // 0 in the lanes from n on
  if (n == LANES) return x;
  vi lane;
  for (int i = 0; i < LANES; i++) lane[i] = i;
  return lane < static_cast<int32_t>(n) ? x : zero();
}

// y = e^(x - most), and the sum of it. `y` may be null, or x.
inline float exponentials(float* y, const float* x, float most, int64_t n) {
  return sum_of(n, [&](int64_t i, int64_t lanes) {
    const vf e = only(vexp_short(get(x + i, lanes) - most), lanes);
    if (y) put(y + i, e, lanes);
    return e;
  });
}

inline float log_of(float x) { return vlog(broadcast(x))[0]; }

template <bool LOG> void softmax_row(float* y, const float* x, int64_t n) {
  const float most = largest(x, n), total = exponentials(LOG ? nullptr : y, x, most, n);
  if (LOG) {
    const float less = log_of(total);
    each(n, [&](int64_t i, auto get, auto put) { put(y + i, (get(x + i) - most) - less); });
  } else {
    const float share = 1.f / total;
    each(n, [&](int64_t i, auto get, auto put) { put(y + i, get(y + i) * share); });
  }
}

template <bool LOG> void softmax_columns(float* y, const float* x, int64_t n, int64_t inner, int64_t width) {
  float most[SIDE], total[SIDE];
  for (int64_t j = 0; j < width; j++) most[j] = -INF, total[j] = 0;
  for (int64_t k = 0; k < n; k++)
    each(width, [&](int64_t j, auto get, auto put) {
      const vf v = get(x + k * inner + j), m = get(most + j);
      put(most + j, v > m ? v : m);
    });
  for (int64_t k = 0; k < n; k++)
    each(width, [&](int64_t j, auto get, auto put) {
      const vf e = vexp_short(get(x + k * inner + j) - get(most + j));
      if (!LOG) put(y + k * inner + j, e);
      put(total + j, get(total + j) + e);
    });
  each(width, [&](int64_t j, auto get, auto put) { put(total + j, LOG ? vlog(get(total + j)) : 1.f / get(total + j)); });
  for (int64_t k = 0; k < n; k++)
    each(width, [&](int64_t j, auto get, auto put) {
      const int64_t at = k * inner + j;
      put(y + at, LOG ? (get(x + at) - get(most + j)) - get(total + j) : get(y + at) * get(total + j));
    });
}

// dx = y (g - sum of g y), of the logarithm g - e^y sum of g.
template <bool LOG> void gradient_row(float* dx, const float* g, const float* y, int64_t n) {
  const float total = sum_of(n, [&](int64_t i, int64_t lanes) {
    const vf a = get(g + i, lanes);
    return LOG ? a : a * get(y + i, lanes);
  });
  each(n, [&](int64_t i, auto get, auto put) {
    put(dx + i, LOG ? get(g + i) - vexp_short(get(y + i)) * total : get(y + i) * (get(g + i) - total));
  });
}

template <bool LOG>
void gradient_columns(float* dx, const float* g, const float* y, int64_t n, int64_t inner, int64_t width) {
  float total[SIDE] = {};
  for (int64_t k = 0; k < n; k++)
    each(width, [&](int64_t j, auto get, auto put) {
      const int64_t at = k * inner + j;
      put(total + j, get(total + j) + (LOG ? get(g + at) : get(g + at) * get(y + at)));
    });
  for (int64_t k = 0; k < n; k++)
    each(width, [&](int64_t j, auto get, auto put) {
      const int64_t at = k * inner + j;
      put(dx + at, LOG ? get(g + at) - vexp_short(get(y + at)) * get(total + j) : get(y + at) * (get(g + at) - get(total + j)));
    });
}

// row(first element), or columns(first element, width), for all of [outer, n, inner]; at most `side` columns together.
template <class Row, class Columns>
void along(int64_t outer, int64_t n, int64_t inner, int64_t side, Row&& row, Columns&& columns) {
  if (!n) return;
  if (inner == 1) {
    parallel(outer, grain_of(n * COST), [&](int64_t begin, int64_t end) {
      for (int64_t r = begin; r < end; r++) row(r * n);
    });
    return;
  }
  const int64_t parts = (inner + side - 1) / side;
  parallel(outer * parts, grain_of(n * COST * (inner < side ? inner : side)), [&](int64_t begin, int64_t end) {
    for (int64_t p = begin; p < end; p++) {
      const int64_t j = p % parts * side;
      columns(p / parts * n * inner + j, inner - j < side ? inner - j : side);
    }
  });
}

// Columns of half types are copied as floats: so many that the copy stays small.
template <class T> int64_t side_of(int64_t n) {
  return sizeof(T) == sizeof(float) ? SIDE : std::clamp((int64_t{1} << 16) / n / LANES * LANES, static_cast<int64_t>(LANES), SIDE);
}

template <class T> void copy_columns(float* to, const T* x, int64_t n, int64_t inner, int64_t width) {
  for (int64_t k = 0; k < n; k++) widen(to + k * width, x + k * inner, width);
}

template <bool LOG, class T> void softmax_along(const Arg* a) {
  T* y = ptr<T>(a[0]);
  const T* x = ptr<const T>(a[1]);
  const int64_t n = a[3].i, inner = a[4].i;
  if (!n) return;
  const auto row = [=](int64_t at) {
    float* buffer = scratch(n);
    float* out = results(y + at, buffer);
    softmax_row<LOG>(out, as_floats(x + at, buffer, n), n);
    deliver(y + at, out, n);
  };
  along(a[2].i, n, inner, side_of<T>(n), row, [=](int64_t at, int64_t width) {
    if constexpr (sizeof(T) == sizeof(float)) {
      softmax_columns<LOG>(y + at, x + at, n, inner, width);
    } else {
      float* buffer = scratch(n * width);
      copy_columns(buffer, x + at, n, inner, width);
      softmax_columns<LOG>(buffer, buffer, n, width, width);
      for (int64_t k = 0; k < n; k++) narrow(y + at + k * inner, buffer + k * width, width);
    }
  });
}

template <bool LOG, class T> void gradient_along(const Arg* a) {
  T* dx = ptr<T>(a[0]);
  const T *g = ptr<const T>(a[1]), *y = ptr<const T>(a[2]);
  const int64_t n = a[4].i, inner = a[5].i;
  if (!n) return;
  const auto row = [=](int64_t at) {
    float* buffer = scratch(2 * n);
    float* out = results(dx + at, buffer);
    gradient_row<LOG>(out, as_floats(g + at, buffer, n), as_floats(y + at, buffer + n, n), n);
    deliver(dx + at, out, n);
  };
  along(a[3].i, n, inner, side_of<T>(n), row, [=](int64_t at, int64_t width) {
    if constexpr (sizeof(T) == sizeof(float)) {
      gradient_columns<LOG>(dx + at, g + at, y + at, n, inner, width);
    } else {
      float *buffer = scratch(2 * n * width), *other = buffer + n * width;
      copy_columns(buffer, g + at, n, inner, width);
      copy_columns(other, y + at, n, inner, width);
      gradient_columns<LOG>(buffer, buffer, other, n, width, width);
      for (int64_t k = 0; k < n; k++) narrow(dx + at + k * inner, buffer + k * width, width);
    }
  });
}

// Of arrays of a type (Real) that is the last argument.
template <bool LOG> void softmax_of(const Arg* a) {
  with_type(static_cast<Real>(a[5].i), [=](auto element) { softmax_along<LOG, decltype(element)>(a); });
}
template <bool LOG> void gradient_of(const Arg* a) {
  with_type(static_cast<Real>(a[6].i), [=](auto element) { gradient_along<LOG, decltype(element)>(a); });
}

}  // namespace

// y, x, outer, n, inner, type
KERNEL void softmax(const Arg* a) { softmax_of<false>(a); }
KERNEL void log_softmax(const Arg* a) { softmax_of<true>(a); }

// dx, gradient, y, outer, n, inner, type
KERNEL void softmax_grad(const Arg* a) { gradient_of<false>(a); }
KERNEL void log_softmax_grad(const Arg* a) { gradient_of<true>(a); }

// loss [rows] or [1], dlogits or null, logits [rows, classes], target [rows], wrong [1], rows, classes, ignore_index,
// label_smoothing, reduction (0 none, 1 sum, 2 mean)
//
// `wrong` receives the first row whose target is no class, or -1; nothing else is then written.
KERNEL void softmax_ce(const Arg* a) {
  float *loss = ptr<float>(a[0]), *gradient = ptr<float>(a[1]);
  const float* logits = ptr<const float>(a[2]);
  const int64_t *target = ptr<const int64_t>(a[3]), rows = a[5].i, classes = a[6].i, ignored = a[7].i;
  const float smoothing = static_cast<float>(a[8].d), rest = static_cast<float>(1 - a[8].d);
  int64_t valid = 0;
  *ptr<int64_t>(a[4]) = -1;
  for (int64_t r = 0; r < rows; r++) {
    if (target[r] == ignored) continue;
    if (target[r] < 0 || target[r] >= classes) {
      *ptr<int64_t>(a[4]) = r;
      return;
    }
    valid++;
  }
  const float scale = a[9].i == 2 ? 1.f / static_cast<float>(valid) : 1.f, spread = smoothing / classes;
  float* losses = a[9].i == 0 ? loss : scratch(rows);
  parallel(rows, grain_of(classes * COST), [&](int64_t begin, int64_t end) {
    for (int64_t r = begin; r < end; r++) {
      const float* x = logits + r * classes;
      float* d = gradient ? gradient + r * classes : nullptr;
      if (target[r] == ignored) {
        losses[r] = 0;
        if (d) std::memset(d, 0, classes * sizeof(float));
        continue;
      }
      const float most = largest(x, classes), total = exponentials(d, x, most, classes), less = log_of(total);
      float each_loss = -((x[target[r]] - most) - less);
      if (smoothing != 0) {
        const float all = sum_of(classes, [&](int64_t i, int64_t lanes) {
          return only((get(x + i, lanes) - most) - less, lanes);
        });
        each_loss = rest * each_loss - smoothing * (all / classes);
      }
      losses[r] = each_loss;
      if (!d) continue;
      const float share = scale / total, minus = spread * scale;
      each(classes, [&](int64_t i, auto get, auto put) { put(d + i, get(d + i) * share - minus); });
      d[target[r]] -= rest * scale;
    }
  });
  if (a[9].i == 0) return;
  double all = 0;
  for (int64_t r = 0; r < rows; r++) all += losses[r];
  loss[0] = static_cast<float>(all) * scale;
}

}  // namespace gpunet::cpu
