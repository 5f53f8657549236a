// Pooling in 1 to 3 spatial dimensions: the largest element, or the mean, of each window.
//
// Both are taken over a window's lines first, which lie in memory as vectors do, and then along the one line that is left.
#include <cmath>
#include <vector>

#include "args.h"
#include "windows.h"

namespace gpunet::cpu {
namespace {

enum { LINE, FORM, GRADIENT, NUMBERS };  // scratch buffers

// Calls f(offset of the line in the image) for the lines inside the image that window line (z, y) has.
template <class F> GPUNET_INLINE void each_line(const Windows& at, int64_t z, int64_t y, F&& f) {
  for (int64_t kz = 0; kz < at.kernel[0]; kz++) {
    int64_t depth = z * at.stride[0] - at.low[0] + kz * at.dilation[0];
    if (depth < 0 || depth >= at.size[0]) continue;
    for (int64_t ky = 0; ky < at.kernel[1]; ky++) {
      int64_t height = y * at.stride[1] - at.low[1] + ky * at.dilation[1];
      if (height >= 0 && height < at.size[1]) f((depth * at.size[1] + height) * at.size[2]);
    }
  }
}

// Too few windows in a line to fill vectors.
bool few_columns(const Windows& at) { return 2 * at.out[2] < LANES; }

// Calls f(column) for the columns inside the image that window o of a line has.
template <class F> GPUNET_INLINE void each_column(const Windows& at, int64_t o, F&& f) {
  int64_t column = o * at.stride[2] - at.low[2];
  for (int64_t k = 0; k < at.kernel[2]; k++, column += at.dilation[2])
    if (column >= 0 && column < at.size[2]) f(column);
}

struct Largest {
  static constexpr float START = -INFINITY;
  static GPUNET_INLINE vf join(vf a, vf b) { return vmax(a, b); }
};

struct Total {
  static constexpr float START = 0;
  static GPUNET_INLINE vf join(vf a, vf b) { return a + b; }
};

// One image: f(y, line) receives for each line of windows the joined values, which it may change, before they are stored.
template <class Op, class F>
void pool_image(const Windows& at, const Line& line, const float* x, float* y, float* joined, float* form, F&& f) {
  const bool pairs = at.kernel[2] == 2 && at.stride[2] == 2 && at.dilation[2] == 1 && at.low[2] == 0 &&
                     2 * at.out[2] <= at.size[2];
  for (int64_t z = 0; z < at.out[0]; z++)
    for (int64_t row = 0; row < at.out[1]; row++, y += at.out[2]) {
      const float* lines[64];
      int64_t count = 0;
      bool begins = true;
      auto join = [&] {  // what has been collected into `joined`
        each(at.size[2], [&](int64_t i, auto get, auto put) {
          vf v = begins ? broadcast(Op::START) : get(joined + i);
          for (int64_t l = 0; l < count; l++) v = Op::join(v, get(lines[l] + i));
          put(joined + i, v);
        });
        begins = false;
        count = 0;
      };
      each_line(at, z, row, [&](int64_t offset) {
        lines[count++] = x + offset;
        if (count == 64) join();
      });
      int64_t i = 0;
      if (pairs && begins && count == 2) {  // the most frequent case, without a pass in between
        for (; i + LANES <= at.out[2]; i += LANES) {
          vf a = Op::join(load(lines[0] + 2 * i), load(lines[1] + 2 * i));
          vf b = Op::join(load(lines[0] + 2 * i + LANES), load(lines[1] + 2 * i + LANES));
          store(y + i, Op::join(evens(a, b), odds(a, b)));
        }
        for (; i < at.out[2]; i++) {
          vf v = broadcast(Op::START);
          for (int64_t k = 0; k < 4; k++) v = Op::join(v, broadcast(lines[k / 2][2 * i + k % 2]));
          y[i] = v[0];
        }
      } else {
        join();
        if (few_columns(at)) {
          for (int64_t o = 0; o < at.out[2]; o++) {
            vf v = broadcast(Op::START);
            each_column(at, o, [&](int64_t column) { v = Op::join(v, broadcast(joined[column])); });
            y[o] = v[0];
          }
          f(z, row, y);
          continue;
        }
        const float* source = joined;
        if (line.step != 1 || line.low != 0 || line.pitch > at.size[2]) {
          line.copy(joined, form, Op::START);
          source = form;
        }
        each(at.out[2], [&](int64_t o, auto get, auto put) {
          vf v = broadcast(Op::START);
          for (int64_t k = 0; k < at.kernel[2]; k++) v = Op::join(v, get(source + line.tap(k, at.dilation[2]) + o));
          put(y + o, v);
        });
      }
      f(z, row, y);
    }
}

// By what the sums of a line of windows are divided: the elements of the window that count.
struct Divisor {
  const Windows& at;
  bool padding;  // whether elements of the padding count
  double given;  // instead, if not 0
  std::vector<float> columns;

  Divisor(const Windows& at, bool padding, double given) : at(at), padding(padding), given(given), columns(at.out[2]) {
    for (int64_t o = 0; o < at.out[2]; o++) columns[o] = static_cast<float>(given ? given : share(2, o));
  }
  int64_t share(int i, int64_t o) const {
    int64_t start = o * at.stride[i] - at.low[i];
    int64_t first = padding ? -at.low[i] : 0, last = padding ? at.size[i] + at.low[i] : at.size[i];
    return std::min(start + at.kernel[i], last) - std::max(start, first);
  }
  float lines(int64_t z, int64_t y) const { return given ? 1.0f : static_cast<float>(share(0, z) * share(1, y)); }
  void divide(int64_t z, int64_t y, const float* from, float* to) const {
    const vf rest = broadcast(lines(z, y));
    each(at.out[2], [&](int64_t i, auto get, auto put) { put(to + i, get(from + i) / (get(&columns[i]) * rest)); });
  }
};

// Gradient of the largest element, one image: it goes to the first tap of each window that is not smaller.
void spread_pairs(const Windows& at, const float* g, const float* x, const float* y, float* dx) {
  const int64_t w = at.size[2];
  for (int64_t row = 0; row < at.out[1]; row++, g += at.out[2], y += at.out[2]) {
    const float* top = x + 2 * row * w;
    float* to = dx + 2 * row * w;
    each(at.out[2], [&](int64_t i, auto get, auto) {
      const vf largest = get(y + i), gradient = get(g + i);
      const int64_t count = 2 * std::min<int64_t>(LANES, at.out[2] - i);
      vi left = vi{} - 1;
      vf out[4];
#pragma GCC unroll 4
      for (int k = 0; k < 4; k++) {
        const float* p = top + k / 2 * w + 2 * i;
        const vf a = count >= LANES ? load(p) : load(p, count);
        const vf b = count == 2 * LANES ? load(p + LANES) : count > LANES ? load(p + LANES, count - LANES) : zero();
        const vf v = k % 2 ? odds(a, b) : evens(a, b);
        const vi hit = ~(v < largest) & left;
        out[k] = bits(hit & bits(gradient));
        left &= ~hit;
      }
      for (int k = 0; k < 2; k++) {
        float* p = to + k * w + 2 * i;
        const vf a = zip_low(out[2 * k], out[2 * k + 1]), b = zip_high(out[2 * k], out[2 * k + 1]);
        if (count >= LANES)
          store(p, a);
        else
          store(p, a, count);
        if (count == 2 * LANES)
          store(p + LANES, b);
        else if (count > LANES)
          store(p + LANES, b, count - LANES);
      }
    });
    for (int k = 0; k < 2; k++) clear(to + k * w + 2 * at.out[2], w - 2 * at.out[2]);
  }
  clear(dx + 2 * at.out[1] * w, (at.size[1] - 2 * at.out[1]) * w);
}

// Any windows, one by one: for images with few of them.
void spread_singly(const Windows& at, const float* g, const float* x, const float* y, float* dx) {
  clear(dx, at.pixels());
  for (int64_t z = 0; z < at.out[0]; z++)
    for (int64_t row = 0; row < at.out[1]; row++)
      for (int64_t o = 0; o < at.out[2]; o++, g++, y++) {
        const int64_t depth = z * at.stride[0] - at.low[0], height = row * at.stride[1] - at.low[1];
        const int64_t column = o * at.stride[2] - at.low[2];
        auto found = [&]() -> int64_t {  // -1: in the padding
          for (int64_t kz = 0; kz < at.kernel[0]; kz++)
            for (int64_t ky = 0; ky < at.kernel[1]; ky++) {
              const int64_t d = depth + kz * at.dilation[0], h = height + ky * at.dilation[1];
              const bool inside = d >= 0 && d < at.size[0] && h >= 0 && h < at.size[1];
              const int64_t line = (d * at.size[1] + h) * at.size[2];
              for (int64_t kx = 0; kx < at.kernel[2]; kx++) {
                const int64_t c = column + kx * at.dilation[2];
                const bool there = inside && c >= 0 && c < at.size[2];
                if (!((there ? x[line + c] : -INFINITY) < *y)) return there ? line + c : -1;
              }
            }
          return -1;
        }();
        if (found >= 0) dx[found] += *g;
      }
}

// Many windows. First the number of the tap of each, then for each line of the image the gradients that reach it.
class LargestGrad {
 public:
  explicit LargestGrad(const Windows& at) : at(at), line(line_of(at)) {
    depths = (at.out[0] - 1) * at.stride[0] + (at.kernel[0] - 1) * at.dilation[0] + 1;
    lines = (at.out[1] - 1) * at.stride[1] + (at.kernel[1] - 1) * at.dilation[1] + 1;
    width = line.floats(), side = line.pitch - at.out[2], padded = at.out[2] + 2 * side;
    for (int64_t kz = 0; kz < at.kernel[0]; kz++)
      for (int64_t ky = 0; ky < at.kernel[1]; ky++)
        for (int64_t kx = 0; kx < at.kernel[2]; kx++)
          taps.push_back((kz * at.dilation[0] * lines + ky * at.dilation[1]) * width + line.tap(kx, at.dilation[2]));
    for (int64_t depth = 0; depth < at.size[0]; depth++)
      for (int64_t height = 0; height < at.size[1]; height++)
        for (int64_t h = 0; h < line.phases; h++) {
          starts.push_back(sources.size());
          add_sources(depth, height, h);
        }
    starts.push_back(sources.size());
  }

  void run(const float* g, const float* x, const float* y, float* dx) const {
    float* form = scratch(depths * lines * width + LANES, FORM);
    for (int64_t z = 0; z < depths; z++)
      for (int64_t l = 0; l < lines; l++) {
        const int64_t depth = z - at.low[0], height = l - at.low[1];
        float* to = form + (z * lines + l) * width;
        if (depth >= 0 && depth < at.size[0] && height >= 0 && height < at.size[1])
          line.copy(x + (depth * at.size[1] + height) * at.size[2], to, -INFINITY);
        else
          fill(to, width, -INFINITY);
      }
    // Both with `side` columns on both sides that belong to no tap.
    float* numbers = scratch(at.out[0] * at.out[1] * padded, NUMBERS);
    float* gradients = scratch(at.out[0] * at.out[1] * padded, GRADIENT);
    number_taps(form, g, y, numbers, gradients);
    float* sums = scratch(width, LINE);
    const size_t* start = starts.data();
    for (int64_t l = 0; l < at.size[0] * at.size[1]; l++, dx += at.size[2]) {
      for (int64_t h = 0; h < line.phases; h++, start++)
        gather(&sources[start[0]], &sources[start[1]], numbers, gradients, sums + h * line.pitch);
      line.put_back(sums, dx);
    }
  }

 private:
  struct Source {
    int64_t offset;
    int32_t tap;
  };

  // The windows' lines that have a tap in phase h of a line.
  void add_sources(int64_t depth, int64_t height, int64_t h) {
    for (int64_t kz = at.kernel[0] - 1; kz >= 0; kz--)
      for (int64_t ky = at.kernel[1] - 1; ky >= 0; ky--) {
        const int64_t z = depth + at.low[0] - kz * at.dilation[0], row = height + at.low[1] - ky * at.dilation[1];
        if (z < 0 || z % at.stride[0] || z / at.stride[0] >= at.out[0] || row < 0 || row % at.stride[1] ||
            row / at.stride[1] >= at.out[1])
          continue;
        const int64_t from = (z / at.stride[0] * at.out[1] + row / at.stride[1]) * padded + side;
        for (int64_t kx = at.kernel[2] - 1; kx >= 0; kx--)
          if (kx * at.dilation[2] % line.step == h)
            sources.push_back({from - kx * at.dilation[2] / line.step,
                               static_cast<int32_t>((kz * at.kernel[1] + ky) * at.kernel[2] + kx)});
      }
  }

  // The tap of each window, as the bits of a float, beside its gradient.
  void number_taps(const float* form, const float* g, const float* y, float* number, float* gradient) const {
    const float nothing = bits(vi{} - 1)[0];
    for (int64_t z = 0; z < at.out[0]; z++)
      for (int64_t row = 0; row < at.out[1]; row++) {
        const float* base = form + (z * at.stride[0] * lines + row * at.stride[1]) * width;
        fill(number, side, nothing);
        each(at.out[2], [&](int64_t i, auto get, auto put) {
          const vf largest = get(y + i);
          vi found = vi{} - 1;
          for (int32_t t = static_cast<int32_t>(taps.size()) - 1; t >= 0; t--) {
            const vi smaller = get(base + taps[t] + i) < largest;
            found = (found & smaller) | ((vi{} + t) & ~smaller);
          }
          put(number + side + i, bits(found));
          put(gradient + side + i, get(g + i));
        });
        fill(number + side + at.out[2], side, nothing);
        clear(gradient, side);
        clear(gradient + side + at.out[2], side);
        g += at.out[2], y += at.out[2], number += padded, gradient += padded;
      }
  }

  void gather(const Source* first, const Source* last, const float* numbers, const float* gradients, float* sums) const {
    each(line.pitch, [&](int64_t i, auto get, auto put) {
      vf v = zero();
      for (const Source* s = first; s < last; s++) {
        const vi hit = bits(get(numbers + s->offset + i)) == s->tap;
        v += bits(hit & bits(get(gradients + s->offset + i)));
      }
      put(sums + i, v);
    });
  }

  const Windows& at;
  const Line line;
  int64_t depths, lines, width, side, padded;
  std::vector<int64_t> taps;
  std::vector<Source> sources;
  std::vector<size_t> starts;
};

int64_t images_at_a_time(const Windows& at) { return grain_of(at.pixels() + at.count() * at.kernel[2], 1 << 15); }

}  // namespace
}  // namespace gpunet::cpu

using namespace gpunet::cpu;

// y, x, windows, images (with their channels)
KERNEL void max_pool(const Arg* a) {
  const Windows& at = *ptr<const Windows>(a[2]);
  const Line line = line_of(at);
  parallel(a[3].i, images_at_a_time(at), [&](int64_t begin, int64_t end) {
    float *joined = scratch(at.size[2], LINE), *form = scratch(line.floats() + LANES, FORM);
    for (int64_t n = begin; n < end; n++)
      pool_image<Largest>(at, line, ptr<const float>(a[1]) + n * at.pixels(), ptr<float>(a[0]) + n * at.count(), joined, form,
                          [](int64_t, int64_t, float*) {});
  });
}

// dx, g, x, y, windows, images
KERNEL void max_pool_grad(const Arg* a) {
  const Windows& at = *ptr<const Windows>(a[4]);
  const LargestGrad many(at);
  bool pairs = at.size[0] == 1 && at.kernel[0] == 1;
  for (int i = 1; i < 3; i++)
    pairs = pairs && at.kernel[i] == 2 && at.stride[i] == 2 && at.dilation[i] == 1 && at.low[i] == 0 &&
            2 * at.out[i] <= at.size[i];
  parallel(a[5].i, images_at_a_time(at), [&](int64_t begin, int64_t end) {
    for (int64_t n = begin; n < end; n++) {
      const float *g = ptr<const float>(a[1]) + n * at.count(), *y = ptr<const float>(a[3]) + n * at.count();
      const float* x = ptr<const float>(a[2]) + n * at.pixels();
      float* dx = ptr<float>(a[0]) + n * at.pixels();
      if (pairs)
        spread_pairs(at, g, x, y, dx);
      else if (few_columns(at))
        spread_singly(at, g, x, y, dx);
      else
        many.run(g, x, y, dx);
    }
  });
}

// y, x, windows, images, whether the padding counts, divisor (0: the number of elements)
KERNEL void avg_pool(const Arg* a) {
  const Windows& at = *ptr<const Windows>(a[2]);
  const Line line = line_of(at);
  const Divisor divisor(at, a[4].i, a[5].d);
  parallel(a[3].i, images_at_a_time(at), [&](int64_t begin, int64_t end) {
    float *joined = scratch(at.size[2], LINE), *form = scratch(line.floats() + LANES, FORM);
    for (int64_t n = begin; n < end; n++)
      pool_image<Total>(at, line, ptr<const float>(a[1]) + n * at.pixels(), ptr<float>(a[0]) + n * at.count(), joined, form,
                        [&](int64_t z, int64_t row, float* y) { divisor.divide(z, row, y, y); });
  });
}

// dx, g, windows, images, whether the padding counts, divisor (0: the number of elements)
KERNEL void avg_pool_grad(const Arg* a) {
  const Windows& at = *ptr<const Windows>(a[2]);
  const Line line = line_of(at);
  const Divisor divisor(at, a[4].i, a[5].d);
  parallel(a[3].i, images_at_a_time(at), [&](int64_t begin, int64_t end) {
    float *shares = scratch(at.out[2], GRADIENT), *form = scratch(line.floats() + LANES, FORM), *whole = scratch(at.size[2], LINE);
    for (int64_t n = begin; n < end; n++) {
      const float* g = ptr<const float>(a[1]) + n * at.count();
      float* dx = ptr<float>(a[0]) + n * at.pixels();
      clear(dx, at.pixels());
      for (int64_t z = 0; z < at.out[0]; z++)
        for (int64_t row = 0; row < at.out[1]; row++, g += at.out[2]) {
          divisor.divide(z, row, g, shares);
          clear(whole, at.size[2]);
          if (few_columns(at)) {
            for (int64_t o = 0; o < at.out[2]; o++) each_column(at, o, [&](int64_t column) { whole[column] += shares[o]; });
          } else {
            clear(form, line.floats());
            for (int64_t k = 0; k < at.kernel[2]; k++) {
              float* to = form + line.tap(k, at.dilation[2]);
              each(at.out[2], [&](int64_t i, auto get, auto put) { put(to + i, get(to + i) + get(shares + i)); });
            }
            line.add_back(form, whole);
          }
          each_line(at, z, row, [&](int64_t offset) {
            float* to = dx + offset;
            each(at.size[2], [&](int64_t i, auto get, auto put) { put(to + i, get(to + i) + get(whole + i)); });
          });
        }
    }
  });
}
