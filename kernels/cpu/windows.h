// Windows that slide over the last dimensions of [images, channels, size...], and lines of images as kernels read them.
#pragma once
#include <algorithm>
#include <cstdint>

#include "pool.h"
#include "transpose.h"
#include "vec.h"

namespace gpunet::cpu {

// The spatial numbers of a convolution, always in 3 dimensions: missing ones in front are 1 (padding 0).
struct Windows {
  int64_t size[3], kernel[3], stride[3], low[3], dilation[3], out[3];
  int64_t area() const { return kernel[0] * kernel[1] * kernel[2]; }
  int64_t pixels() const { return size[0] * size[1] * size[2]; }
  int64_t count() const { return out[0] * out[1] * out[2]; }
};

inline int64_t ceil_div(int64_t a, int64_t b) { return (a + b - 1) / b; }

GPUNET_INLINE void fill(float* y, int64_t n, float value) {
  each(n, [&](int64_t i, auto, auto put) { put(y + i, broadcast(value)); });
}

GPUNET_INLINE void clear(float* y, int64_t n) { fill(y, n, 0.0f); }

GPUNET_INLINE void copy_floats(const float* x, float* y, int64_t n) {
  each(n, [&](int64_t i, auto get, auto put) { put(y + i, get(x + i)); });
}

// The same with whole vectors: up to LANES - 1 more numbers are written.
GPUNET_INLINE void fill_loosely(float* y, int64_t n, float value) {
  for (int64_t i = 0; i < n; i += LANES) store(y + i, broadcast(value));
}

GPUNET_INLINE void copy_loosely(const float* x, float* y, int64_t n) {
  int64_t i = 0;
  for (; i + LANES <= n; i += LANES) store(y + i, load(x + i));
  if (i < n) store(y + i, load(x + i, n - i));
}

// A line of an image of `width` as the kernels read it: padded, and cut into `phases` (columns that are equal modulo
// `step`) of `pitch` columns: column u of phase h is the image's low + u * step + h.
struct Line {
  int64_t width, low, step, phases, pitch;
  int64_t floats() const { return phases * pitch; }

  // The columns of a phase that are inside the image.
  int64_t begin(int64_t h) const { return std::min(pitch, low + h < 0 ? ceil_div(-low - h, step) : 0); }
  int64_t end(int64_t h) const {
    return low + h < width ? std::max(begin(h), std::min(pitch, ceil_div(width - low - h, step))) : begin(h);
  }

  // Where tap k of a kernel begins, of taps `dilation` apart.
  int64_t tap(int64_t k, int64_t dilation) const { return k * dilation % step * pitch + k * dilation / step; }

  // Writes up to LANES numbers too many behind the form, where lines that are copied later, or nothing, may lie.
  void copy(const float* from, float* to, float outside = 0.0f) const {
    for (int64_t h = 0; h < phases; h++, to += pitch) {
      const int64_t first = begin(h), last = end(h);
      const float* inside = from + low + h;
      fill_loosely(to, first, outside);
      if (step == 1) {
        copy_loosely(inside + first, to + first, last - first);
      } else if (step == 2) {
        int64_t u = first;
        for (; u + LANES < last; u += LANES)
          store(to + u, evens(load(inside + 2 * u), load(inside + 2 * u + LANES)));
        for (; u < last; u++) to[u] = inside[2 * u];
      } else {
        for (int64_t u = first; u < last; u++) to[u] = inside[u * step];
      }
      fill_loosely(to + last, pitch - last, outside);
    }
  }

  // The reverse, into all of an image's line; columns that the form has not are 0.
  void put_back(const float* form, float* image) const {
    if (phases == 2 && step == 2 && low <= 0) {  // two columns at a time, from the two phases in turn
      const int64_t h = -low % 2, last = std::min(width, 2 * pitch + low);
      const float *a = form + h * pitch - low / 2, *b = form + (1 - h) * pitch - low / 2 + h;
      int64_t i = 0;
      for (; i + 2 * LANES <= last; i += 2 * LANES, a += LANES, b += LANES) {
        store(image + i, zip_low(load(a), load(b)));
        store(image + i + LANES, zip_high(load(a), load(b)));
      }
      for (; i < last; i += 2) {
        image[i] = *a++;
        if (i + 1 < last) image[i + 1] = *b++;
      }
      if (last < width) clear(image + last, width - last);
      return;
    }
    if (step == 1) {
      clear(image, low + begin(0));
      copy_floats(form + begin(0), image + low + begin(0), end(0) - begin(0));
      clear(image + low + end(0), width - low - end(0));
      return;
    }
    clear(image, width);
    for (int64_t h = 0; h < phases; h++, form += pitch)
      for (int64_t u = begin(h); u < end(h); u++) image[low + h + u * step] = form[u];
  }

  // Added to it.
  void add_back(const float* form, float* image) const {
    for (int64_t h = 0; h < phases; h++, form += pitch) {
      const int64_t first = begin(h), last = end(h);
      float* inside = image + low + h;
      if (step == 1)
        each(last - first, [&](int64_t i, auto get, auto put) {
          put(inside + first + i, get(inside + first + i) + get(form + first + i));
        });
      else
        for (int64_t u = first; u < last; u++) inside[u * step] += form[u];
    }
  }
};

// The form of a line whose windows are those of the last dimension.
inline Line line_of(const Windows& at) {
  const int64_t reach = (at.kernel[2] - 1) * at.dilation[2], step = at.stride[2];
  return {at.size[2], -at.low[2], step, std::min(step, reach + 1), reach / step + at.out[2]};
}

}  // namespace gpunet::cpu
