// Convolution with 8-bit weights, of images that are quantized on the way (int8.h).
//
// The images become numbers with the channels last, and padded; so a line of taps of a window is one piece of memory, and
// the rows of the product are copied together from such pieces. A few images at a time, so that they stay in the cache. Results
// are turned by blocks, to leave along planes.
#include "args.h"
#include "int8.h"
#include "windows.h"

using namespace gpunet::cpu;
using namespace gpunet::cpu::int8;

namespace {

constexpr int64_t SHORT = 32;            // numbers that a copy of known length takes
constexpr int64_t AT_A_TIME = 1 << 21;  // bytes of padded images

// Channels [channels][width] of a line as numbers [width][channels].
void turn(const float* x, int64_t plane, int64_t channels, int64_t width, const Quantizer& quantized, Wide* to) {
  constexpr int64_t TOGETHER = 16, PIECE = 64;
  Wide found[TOGETHER][PIECE];
  for (int64_t c = 0; c < channels; c += TOGETHER)
    for (int64_t at = 0; at < width; at += PIECE) {
      const int64_t here = std::min(TOGETHER, channels - c), length = std::min(PIECE, width - at);
      for (int64_t i = 0; i < here; i++) quantized(x + (c + i) * plane + at, length, found[i]);
      for (int64_t q = 0; q < length; q++)
        for (int64_t i = 0; i < here; i++) to[(at + q) * channels + c + i] = found[i][q];
    }
}

// Results of windows as planes [images, features, count], turned by blocks.
struct Planes {
  float* y;
  int64_t features, count;
  Scaled scaled;
  float* block;  // [WIDTH][BLOCK]
  void begin() { block = scratch(WIDTH * BLOCK, 3); }
  GPUNET_INLINE void store(int64_t i, int64_t j, vi sums, int64_t columns) {
    const vf found = scaled(j, sums, columns);
    float* to = block + j % WIDTH * BLOCK + i % BLOCK;
    for (int64_t c = 0; c < columns; c++) to[c * BLOCK] = found[c];
  }
  void done(int64_t i0, int64_t i1, int64_t j0, int64_t j1) {
    for (int64_t j = j0; j < j1; j++)
      for (int64_t i = i0; i < i1;) {
        const int64_t place = i % count, length = std::min(i1 - i, count - place);
        copy_floats(block + j % WIDTH * BLOCK + i % BLOCK, y + (i / count * features + j) * count + place, length);
        i += length;
      }
  }
};

}  // namespace

// y, x, weight, weight_scale, bias or null, scale, zero_point, windows, images, channels, features: as int8_linear, with
// the weight as [features, kernel..., channels].
KERNEL void int8_conv(const Arg* args) {
  float* y = ptr<float>(args[0]);
  const float* x = ptr<const float>(args[1]);
  const int8_t* weight = ptr<const int8_t>(args[2]);
  const float scale = *ptr<const float>(args[5]), zero_point = *ptr<const float>(args[6]);
  const Windows& at = *ptr<const Windows>(args[7]);
  const int64_t images = args[8].i, channels = args[9].i, features = args[10].i;
  const Quantizer quantized(scale, zero_point);
  const Scaled scaled{scale, ptr<const float>(args[3]), ptr<const float>(args[4])};

  const int64_t rows = at.size[1], columns = at.size[2], plane = rows * columns, count = at.out[1] * at.out[2];
  int64_t padded[3];
  for (int d = 1; d < 3; d++) padded[d] = (at.out[d] - 1) * at.stride[d] + (at.kernel[d] - 1) * at.dilation[d] + 1;
  const int64_t line = padded[2] * channels, image = padded[1] * line;
  const int64_t left = std::clamp<int64_t>(at.low[2], 0, padded[2]), first = std::max<int64_t>(0, -at.low[2]);
  const int64_t width = std::max<int64_t>(0, std::min(columns - first, padded[2] - left));
  // Pieces of a window: lines of taps where these are neighbours, else single taps.
  const int64_t piece = (at.dilation[2] == 1 ? at.kernel[2] : 1) * channels, pieces = at.kernel[2] * channels / piece;
  const int64_t depth = at.area() * channels;
  const int64_t together = std::max<int64_t>(1, AT_A_TIME / static_cast<int64_t>(image * sizeof(Wide)));
  Wide* const turned = reinterpret_cast<Wide*>(
      scratch((std::min(images, together) * image + SHORT) * static_cast<int64_t>(sizeof(Wide)) / 4 + 1, 2));

  for (int64_t start = 0; start < images; start += together) {
    const int64_t here = std::min(together, images - start);
    parallel(here * padded[1], grain_of(2 * line), [&](int64_t begin, int64_t end) {
      for (int64_t i = begin; i < end; i++) {
        Wide* to = turned + i * line;
        const int64_t row = i % padded[1] - at.low[1];
        if (row < 0 || row >= rows) {
          std::fill(to, to + line, static_cast<Wide>(quantized.offset));
          continue;
        }
        std::fill(to, to + left * channels, static_cast<Wide>(quantized.offset));
        std::fill(to + (left + width) * channels, to + line, static_cast<Wide>(quantized.offset));
        turn(x + (start + i / padded[1]) * channels * plane + row * columns + first, plane, channels, width, quantized,
             to + left * channels);
      }
    });
    product(here * count, features, depth, weight, quantized.offset,
            [&](int64_t i, Wide* to) {
              const int64_t place = i % count, oy = place / at.out[2], ox = place % at.out[2];
              const Wide* from = turned + i / count * image + oy * at.stride[1] * line + ox * at.stride[2] * channels;
              const Wide* const last = to + depth - piece;
              for (int64_t ky = 0; ky < at.kernel[1]; ky++, from += at.dilation[1] * line)
                for (int64_t p = 0; p < pieces; p++, to += piece) {
                  const Wide* const here = from + p * at.dilation[2] * channels;
                  if (piece <= SHORT && to < last) std::memcpy(to, here, SHORT * sizeof(Wide));  // the next one overwrites
                  else std::memcpy(to, here, static_cast<size_t>(piece) * sizeof(Wide));
                }
            },
            Planes{y + start * features * count, features, count, scaled, nullptr});
  }
}
