// Batch, group and instance normalisation of arrays [images, channels, size], forward and backward.
//
// Elements that share statistics lie in `rows` runs of `length` that are `stride` apart: of one channel in all images, or
// one run of some channels of one image.
#include <algorithm>
#include <cmath>

#include "args.h"
#include "halves.h"
#include "windows.h"

namespace gpunet::cpu {
namespace {

constexpr int64_t CHUNK = 2048;  // elements that are added up in float32; chunks are added in float64
alignas(64) const float ONES[16] = {1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1};

struct Runs {
  int64_t rows, stride, length;

  int64_t count() const { return rows * length; }

  // Calls f(offset of the first run, runs, elements of each) for pieces of about CHUNK elements, in order.
  template <class F> void each_chunk(F&& f) const {
    if (length >= CHUNK) {
      for (int64_t r = 0; r < rows; r++)
        for (int64_t i = 0; i < length; i += CHUNK) f(r * stride + i, 1, std::min(CHUNK, length - i));
    } else {
      const int64_t together = CHUNK / std::max<int64_t>(1, length);
      for (int64_t r = 0; r < rows; r += together) f(r * stride, std::min(together, rows - r), length);
    }
  }
};

// f(i, get) for all vectors of some runs; `get(p)` loads at p + i. Sums in 4 registers: f returns what is added up.
template <class F> GPUNET_INLINE float add_up(int64_t rows, int64_t stride, int64_t length, F&& f) {
  vf total[4] = {};
  for (int64_t r = 0; r < rows; r++) {
    const int64_t start = r * stride;
    int64_t i = 0;
    for (; i + 4 * LANES <= length; i += 4 * LANES)
#pragma GCC unroll 4
      for (int k = 0; k < 4; k++)
        total[k] += f(start + i + k * LANES, broadcast(1.0f), [](const auto* p) { return load(p); });
    for (; i + LANES <= length; i += LANES)
      total[0] += f(start + i, broadcast(1.0f), [](const auto* p) { return load(p); });
    if (i < length) {
      const int64_t rest = length - i;
      total[1] += f(start + i, load(ONES, rest), [rest](const auto* p) { return load(p, rest); });
    }
  }
  return sum((total[0] + total[1]) + (total[2] + total[3]));
}

// Mean and variance in one pass over memory: each chunk's own, in two passes over the cache, joined (Chan et al., 1983).
template <class T> void moments(const Runs& runs, const T* x, float& mean, float& variance) {
  double count = 0, centre = 0, squares = 0;
  runs.each_chunk([&](int64_t offset, int64_t rows, int64_t length) {
    const T* part = x + offset;
    const double n = static_cast<double>(rows * length);
    const float total = add_up(rows, runs.stride, length, [=](int64_t i, vf, auto get) { return get(part + i); });
    const float m = static_cast<float>(total / n);
    const vf middle = broadcast(m);
    const float spread = add_up(rows, runs.stride, length, [=](int64_t i, vf there, auto get) {
      const vf d = (get(part + i) - middle) * there;
      return d * d;
    });
    const double difference = m - centre, all = count + n;
    centre += difference * n / all;
    squares += spread + difference * difference * count * n / all;
    count = all;
  });
  mean = static_cast<float>(centre);
  variance = static_cast<float>(squares / count);
}

// Sums of g and of g * (x - mean).
template <class T> void products(const Runs& runs, const T* g, const T* x, float mean, double& plain, double& along) {
  plain = along = 0;
  const vf middle = broadcast(mean);
  runs.each_chunk([&](int64_t offset, int64_t rows, int64_t length) {
    const T *a = g + offset, *b = x + offset;
    plain += add_up(rows, runs.stride, length, [=](int64_t i, vf, auto get) { return get(a + i); });
    along += add_up(rows, runs.stride, length, [=](int64_t i, vf, auto get) { return get(a + i) * (get(b + i) - middle); });
  });
}

float inverse_root(float variance, float eps) { return 1.0f / std::sqrt(variance + eps); }

template <class T> void normalized(int64_t n, const T* x, float mean, float factor, float offset, T* y) {
  const vf m = broadcast(mean), f = broadcast(factor), o = broadcast(offset);
  each(n, [&](int64_t i, auto get, auto put) { put(y + i, fmadd(get(x + i) - m, f, o)); });
}

// dx = g * by_g - (x - mean) * by_x - constant
template <class T>
void backward(int64_t n, const T* g, const T* x, float mean, float by_g, float by_x, float constant, T* dx) {
  const vf m = broadcast(mean), a = broadcast(by_g), b = broadcast(by_x), c = broadcast(constant);
  each(n, [&](int64_t i, auto get, auto put) { put(dx + i, get(g + i) * a - (get(x + i) - m) * b - c); });
}

// Sums over rows of f(row), a vector for LANES channels that lie beside each other, in each lane.
template <class F> GPUNET_INLINE void add_rows(int64_t rows, double* totals, F&& f) {
  std::fill(totals, totals + LANES, 0.0);
  for (int64_t r = 0; r < rows; r += 256) {
    vf part = zero();
    for (int64_t i = r; i < std::min(rows, r + 256); i++) part += f(i);
    for (int i = 0; i < LANES; i++) totals[i] += part[i];
  }
}

// Matrices [images, channels]: the lanes are channels.
template <class T> void batch_norm_columns(const Arg* a, int64_t images, int64_t channels) {
  T* y = ptr<T>(a[0]);
  float *centre = ptr<float>(a[1]), *spread = ptr<float>(a[2]);
  const T* x = ptr<const T>(a[3]);
  const float *weight = ptr<const float>(a[4]), *bias = ptr<const float>(a[5]);
  parallel(ceil_div(channels, LANES), grain_of(images * LANES), [&](int64_t begin, int64_t end) {
    for (int64_t c = begin * LANES; c < std::min(channels, end * LANES); c += LANES)
      each(std::min<int64_t>(LANES, channels - c), [&](int64_t, auto get, auto put) {
        double sums[LANES];
        vf m, v;
        add_rows(images, sums, [&](int64_t n) { return get(x + n * channels + c); });
        for (int i = 0; i < LANES; i++) m[i] = static_cast<float>(sums[i] / static_cast<double>(images));
        add_rows(images, sums, [&](int64_t n) {
          const vf d = get(x + n * channels + c) - m;
          return d * d;
        });
        for (int i = 0; i < LANES; i++) v[i] = static_cast<float>(sums[i] / static_cast<double>(images));
        put(centre + c, m);
        put(spread + c, v);
        vf factor = 1.0f / vsqrt(v + static_cast<float>(a[9].d));
        if (weight) factor *= get(weight + c);
        const vf offset = bias ? get(bias + c) : zero();
        for (int64_t n = 0; n < images; n++) put(y + n * channels + c, fmadd(get(x + n * channels + c) - m, factor, offset));
      });
  });
}

template <class T> void batch_norm_columns_grad(const Arg* a, int64_t images, int64_t channels) {
  T* dx = ptr<T>(a[0]);
  float *dw = ptr<float>(a[1]), *db = ptr<float>(a[2]);
  const T *g = ptr<const T>(a[3]), *x = ptr<const T>(a[4]);
  const float *centre = ptr<const float>(a[5]), *spread = ptr<const float>(a[6]), *weight = ptr<const float>(a[7]);
  parallel(ceil_div(channels, LANES), grain_of(images * LANES), [&](int64_t begin, int64_t end) {
    for (int64_t c = begin * LANES; c < std::min(channels, end * LANES); c += LANES)
      each(std::min<int64_t>(LANES, channels - c), [&](int64_t, auto get, auto put) {
        double plain[LANES], along[LANES];
        const vf m = get(centre + c), f = 1.0f / vsqrt(get(spread + c) + static_cast<float>(a[11].d));
        add_rows(images, plain, [&](int64_t n) { return get(g + n * channels + c); });
        add_rows(images, along, [&](int64_t n) { return get(g + n * channels + c) * (get(x + n * channels + c) - m); });
        vf total, product;
        for (int i = 0; i < LANES; i++) total[i] = static_cast<float>(plain[i]), product[i] = static_cast<float>(along[i]);
        if (dw) put(dw + c, product * f);
        if (db) put(db + c, total);
        const vf by_g = weight ? f * get(weight + c) : f, count = broadcast(static_cast<float>(images));
        const vf by_x = by_g * f * f * product / count, constant = by_g * total / count;
        for (int64_t n = 0; n < images; n++) {
          const int64_t at = n * channels + c;
          put(dx + at, get(g + at) * by_g - (get(x + at) - m) * by_x - constant);
        }
      });
  });
}

template <class T> void batch_norm_of(const Arg* a) {
  T* y = ptr<T>(a[0]);
  float *centre = ptr<float>(a[1]), *spread = ptr<float>(a[2]);
  const T* x = ptr<const T>(a[3]);
  const float *weight = ptr<const float>(a[4]), *bias = ptr<const float>(a[5]);
  const int64_t images = a[6].i, channels = a[7].i, size = a[8].i;
  if (size == 1) return batch_norm_columns<T>(a, images, channels);
  const Runs runs{images, channels * size, size};
  parallel(channels, grain_of(runs.count()), [&](int64_t begin, int64_t end) {
    for (int64_t c = begin; c < end; c++) {
      moments(runs, x + c * size, centre[c], spread[c]);
      const float factor = inverse_root(spread[c], static_cast<float>(a[9].d)) * (weight ? weight[c] : 1.0f);
      for (int64_t n = 0; n < images; n++)
        normalized(size, x + (n * channels + c) * size, centre[c], factor, bias ? bias[c] : 0.0f,
                   y + (n * channels + c) * size);
    }
  });
}

template <class T> void batch_norm_grad_of(const Arg* a) {
  T* dx = ptr<T>(a[0]);
  float *dw = ptr<float>(a[1]), *db = ptr<float>(a[2]);
  const T *g = ptr<const T>(a[3]), *x = ptr<const T>(a[4]);
  const float *centre = ptr<const float>(a[5]), *spread = ptr<const float>(a[6]), *weight = ptr<const float>(a[7]);
  const int64_t images = a[8].i, channels = a[9].i, size = a[10].i;
  if (size == 1) return batch_norm_columns_grad<T>(a, images, channels);
  const Runs runs{images, channels * size, size};
  parallel(channels, grain_of(runs.count()), [&](int64_t begin, int64_t end) {
    for (int64_t c = begin; c < end; c++) {
      double plain, along;
      products(runs, g + c * size, x + c * size, centre[c], plain, along);
      const double f = inverse_root(spread[c], static_cast<float>(a[11].d)), w = weight ? weight[c] : 1.0f;
      const double count = static_cast<double>(runs.count());
      if (dw) dw[c] = static_cast<float>(along * f);
      if (db) db[c] = static_cast<float>(plain);
      for (int64_t n = 0; n < images; n++) {
        const int64_t at = (n * channels + c) * size;
        backward(size, g + at, x + at, centre[c], static_cast<float>(f * w), static_cast<float>(f * f * f * w * along / count),
                 static_cast<float>(f * w * plain / count), dx + at);
      }
    }
  });
}

template <class T> void channel_affine_of(const Arg* a) {
  T* y = ptr<T>(a[0]);
  const T* x = ptr<const T>(a[1]);
  const float *factor = ptr<const float>(a[2]), *offset = ptr<const float>(a[3]);
  const int64_t images = a[4].i, channels = a[5].i, size = a[6].i;
  if (size == 1) {  // a row is the channels
    parallel(images, grain_of(channels), [&](int64_t begin, int64_t end) {
      for (int64_t n = begin; n < end; n++)
        each(channels, [&](int64_t c, auto get, auto put) {
          put(y + n * channels + c, fmadd(get(x + n * channels + c), get(factor + c), get(offset + c)));
        });
    });
    return;
  }
  parallel(images * channels, grain_of(size), [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; i++)
      normalized(size, x + i * size, 0.0f, factor[i % channels], offset[i % channels], y + i * size);
  });
}

template <class T> void group_norm_of(const Arg* a) {
  T* y = ptr<T>(a[0]);
  float *centre = ptr<float>(a[1]), *spread = ptr<float>(a[2]);
  const T* x = ptr<const T>(a[3]);
  const float *weight = ptr<const float>(a[4]), *bias = ptr<const float>(a[5]);
  const int64_t images = a[6].i, groups = a[7].i, channels = a[8].i, size = a[9].i;
  const Runs runs{1, 0, channels * size};
  parallel(images * groups, grain_of(runs.count()), [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; i++) {
      const T* part = x + i * runs.length;
      moments(runs, part, centre[i], spread[i]);
      const float factor = inverse_root(spread[i], static_cast<float>(a[10].d));
      if (!weight && !bias) {
        normalized(runs.length, part, centre[i], factor, 0.0f, y + i * runs.length);
        continue;
      }
      for (int64_t c = 0; c < channels; c++) {
        const int64_t channel = i % groups * channels + c;
        normalized(size, part + c * size, centre[i], factor * (weight ? weight[channel] : 1.0f),
                   bias ? bias[channel] : 0.0f, y + i * runs.length + c * size);
      }
    }
  });
}

template <class T> void group_norm_grad_of(const Arg* a) {
  T* dx = ptr<T>(a[0]);
  float *dw = ptr<float>(a[1]), *db = ptr<float>(a[2]);
  const T *g = ptr<const T>(a[3]), *x = ptr<const T>(a[4]);
  const float *centre = ptr<const float>(a[5]), *spread = ptr<const float>(a[6]), *weight = ptr<const float>(a[7]);
  const int64_t images = a[8].i, groups = a[9].i, channels = a[10].i, size = a[11].i;
  const Runs run{1, 0, size};
  float* along_all = scratch(2 * images * groups * channels);  // for each image, and behind it `plain`
  float* plain_all = along_all + images * groups * channels;
  parallel(images * groups, grain_of(channels * size), [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; i++) {
      const double f = inverse_root(spread[i], static_cast<float>(a[12].d)), count = static_cast<double>(channels * size);
      double plain = 0, along = 0;
      for (int64_t c = 0; c < channels; c++) {
        const int64_t at = (i * channels + c) * size;
        const double w = weight ? weight[i % groups * channels + c] : 1.0f;
        double one, other;
        products(run, g + at, x + at, centre[i], one, other);
        along_all[i * channels + c] = static_cast<float>(other * f);
        plain_all[i * channels + c] = static_cast<float>(one);
        plain += one * w;
        along += other * w;
      }
      for (int64_t c = 0; c < channels; c++) {
        const int64_t at = (i * channels + c) * size;
        const double w = weight ? weight[i % groups * channels + c] : 1.0f;
        backward(size, g + at, x + at, centre[i], static_cast<float>(f * w), static_cast<float>(f * f * f * along / count),
                 static_cast<float>(f * plain / count), dx + at);
      }
    }
  });
  const int64_t all = groups * channels;
  if (dw)
    parallel(all, grain_of(2 * images), [&](int64_t begin, int64_t end) {
      for (int64_t c = begin; c < end; c++) {
        double along = 0, plain = 0;
        for (int64_t n = 0; n < images; n++) along += along_all[n * all + c], plain += plain_all[n * all + c];
        dw[c] = static_cast<float>(along);
        db[c] = static_cast<float>(plain);
      }
    });
}

template <class T> void move(const Arg* a) {
  T *running_mean = ptr<T>(a[0]), *running_variance = ptr<T>(a[1]);
  const float *centre = ptr<const float>(a[3]), *spread = ptr<const float>(a[4]);
  const vf kept = broadcast(static_cast<float>(1.0 - a[6].d)), by_mean = broadcast(static_cast<float>(a[6].d)),
           by_variance = broadcast(static_cast<float>(a[6].d * a[7].d));
  each(a[5].i, [&](int64_t i, auto get, auto put) {
    put(running_mean + i, fmadd(get(running_mean + i), kept, get(centre + i) * by_mean));
    put(running_variance + i, fmadd(get(running_variance + i), kept, get(spread + i) * by_variance));
  });
}

}  // namespace
}  // namespace gpunet::cpu

using namespace gpunet::cpu;

// y, mean [channels], variance [channels], x, weight and bias (or null), images, channels, size, eps,
// and the type of y and x (Real)
KERNEL void batch_norm(const Arg* a) {
  with_type(static_cast<Real>(a[10].i), [=](auto element) { batch_norm_of<decltype(element)>(a); });
}

// dx, dw [channels] and db (or null), g, x, mean, variance, weight (or null), images, channels, size, eps,
// and the type of dx, g and x (Real)
KERNEL void batch_norm_grad(const Arg* a) {
  with_type(static_cast<Real>(a[12].i), [=](auto element) { batch_norm_grad_of<decltype(element)>(a); });
}

// Running mean and variance [channels], a count to be raised by one (or null), a batch's mean and variance, channels, the
// share by which the running ones move, the variance's factor, type of the running ones (Real)
KERNEL void move_statistics(const Arg* a) {
  if (int64_t* count = ptr<int64_t>(a[2])) ++*count;
  with_type(static_cast<Real>(a[8].i), [=](auto element) { move<decltype(element)>(a); });
}

// y, x, factor [channels], offset, images, channels, size,
// type of y and x (Real): y = x * factor + offset
KERNEL void channel_affine(const Arg* a) {
  with_type(static_cast<Real>(a[7].i), [=](auto element) { channel_affine_of<decltype(element)>(a); });
}

// Sums of g * x and of g [channels], g, x, images, channels, size
KERNEL void channel_sums(const Arg* a) {
  float *along = ptr<float>(a[0]), *plain = ptr<float>(a[1]);
  const float *g = ptr<const float>(a[2]), *x = ptr<const float>(a[3]);
  const int64_t images = a[4].i, channels = a[5].i, size = a[6].i;
  const Runs runs{images, channels * size, size};
  parallel(channels, grain_of(runs.count()), [&](int64_t begin, int64_t end) {
    for (int64_t c = begin; c < end; c++) {
      double one, other;
      products(runs, g + c * size, x + c * size, 0.0f, one, other);
      plain[c] = static_cast<float>(one);
      along[c] = static_cast<float>(other);
    }
  });
}

// y, mean [images, groups], variance, x, weight [groups * channels] and bias (or null), images, groups, channels of a
// group, size, eps,
// and the type of y and x (Real)
KERNEL void group_norm(const Arg* a) {
  with_type(static_cast<Real>(a[11].i), [=](auto element) { group_norm_of<decltype(element)>(a); });
}

// dx, dw [groups * channels] and db (or null), g, x, mean [images, groups], variance, weight (or null), images, groups,
// channels of a group, size, eps,
// and the type of dx, g and x (Real)
KERNEL void group_norm_grad(const Arg* a) {
  with_type(static_cast<Real>(a[13].i), [=](auto element) { group_norm_grad_of<decltype(element)>(a); });
}
