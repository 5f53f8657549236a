// The gradient of a convolution by its weight: sums over all pixels of products of an output's gradient with an input.
//
// Of the two, one is transposed to [pixel][lane], so that a vector holds several of its channels at one pixel; the other
// stays as it is and gives one number at a time. Which is which: the one that fills its vectors better.
#include <algorithm>
#include <vector>

#include "args.h"
#include "gathered.h"
#include "transpose.h"

namespace gpunet::cpu {
namespace {

#if defined(__AVX512F__) || defined(__aarch64__)
constexpr int ROWS = 8;  // 32 vector registers
#else
constexpr int ROWS = 4;
#endif
constexpr int VECTORS = 3;
constexpr int64_t BAND_FLOATS = 40000;  // of the transposed operand: a third of an L2 cache
constexpr int64_t BLOCK_PIXELS = 192;   // over which a tile of sums stays in registers
constexpr int64_t PART = 6;             // vectors of channels in a task
enum { TOTALS, VECTOR_SIDE, SCALAR_SIDE, DENSE };  // scratch buffers

// Distances in memory of what belongs to neighbouring pixels.
struct Steps {
  int64_t image, line, column;
};

// How many of them.
struct Extent {
  int64_t images, lines, columns;
};

// totals[i][j] (+)= sum over the pixels of one[i] * many[j], where many[j] is a vector.
template <int M, int V>
void outer(const Extent& n, const float* const* one, const Steps& by_one, const float* const* many, const Steps& by_many,
           float* totals, bool begins) {
  vf sums[M][V];
#pragma GCC unroll 8
  for (int i = 0; i < M; i++)
#pragma GCC unroll 8
    for (int j = 0; j < V; j++) sums[i][j] = begins ? zero() : load(totals + (i * V + j) * LANES);
  for (int64_t image = 0; image < n.images; image++)
    for (int64_t l = 0; l < n.lines; l++) {
      const float *a[M], *b[V];
#pragma GCC unroll 8
      for (int i = 0; i < M; i++) a[i] = one[i] + image * by_one.image + l * by_one.line;
#pragma GCC unroll 8
      for (int j = 0; j < V; j++) b[j] = many[j] + image * by_many.image + l * by_many.line;
      int64_t from_a = 0, from_b = 0;
      for (int64_t left = n.columns; left > 0; left--, from_a += by_one.column, from_b += by_many.column) {
        vf v[V];
#pragma GCC unroll 8
        for (int j = 0; j < V; j++) v[j] = load(b[j] + from_b);
#pragma GCC unroll 8
        for (int i = 0; i < M; i++) {
          vf s = broadcast(a[i][from_a]);
#pragma GCC unroll 8
          for (int j = 0; j < V; j++) sums[i][j] = fmadd(s, v[j], sums[i][j]);
        }
      }
    }
#pragma GCC unroll 8
  for (int i = 0; i < M; i++)
#pragma GCC unroll 8
    for (int j = 0; j < V; j++) store(totals + (i * V + j) * LANES, sums[i][j]);
}

class WeightGrad {
 public:
  WeightGrad(const Windows& at, float* dw, const float* g, const float* x, int64_t images, int64_t groups,
             int64_t channels, int64_t features)
      : at(at), dw(dw), g(g), x(x), images(images), groups(groups), channels(channels), features(features),
        area(at.area()), plane(at.size[1] * at.size[2]), by_channel(filling(channels, features) >=
                                                                   filling(features, channels * area)) {
    pitch = (at.out[2] - 1) * at.stride[2] + (at.kernel[2] - 1) * at.dilation[2] + 1;
    many = by_channel ? channels : features;              // what lies in the lanes
    ones = by_channel ? features : channels * area;       // what gives the single numbers
    granules = ceil_div(many, LANES);
    panels = ceil_div(ones, ROWS);
    parts = ceil_div(granules, PART);
    each = ceil_div(granules, parts);
    parts = ceil_div(granules, each);
    per_granule = by_channel ? area : 1;
    // Few tasks: the images are divided too, and the sums added up at the end.
    slices = std::min({images, std::max<int64_t>(1, images * at.count() / 512), ceil_div(32, groups * parts)});
    int64_t step = ceil_div(images, slices);
    slices = ceil_div(images, step);
    slice_images = step;
    group_floats = granules * per_granule * LANES * panels * ROWS;
  }

  void run() {
    totals = scratch(slices * groups * group_floats, TOTALS);
    parallel(slices * groups * parts, 1, [&](int64_t begin, int64_t end) {
      for (int64_t u = begin; u < end; u++) add_up(u / (groups * parts), u / parts % groups, u % parts);
    });
    parallel(groups * panels, grain_of(granules * per_granule * LANES * ROWS * slices), [&](int64_t begin, int64_t end) {
      for (int64_t u = begin; u < end; u++)
        by_channel ? deliver_channels(u / panels, u % panels) : deliver_features(u / panels, u % panels);
    });
  }

 private:
  static double filling(int64_t lanes, int64_t rows) {
    return double(lanes) / double(ceil_div(lanes, LANES) * LANES) * double(rows) / double(ceil_div(rows, ROWS) * ROWS);
  }

  // Tiles of a part: up to VECTORS vectors, which are numbered (granule, tap); a part's sums lie together.
  float* part_totals(int64_t slice, int64_t group, int64_t part) const {
    return totals + (slice * groups + group) * group_floats + part * each * per_granule * LANES * panels * ROWS;
  }

  void add_up(int64_t slice, int64_t group, int64_t part) const {
    int64_t first = part * each, last = std::min(granules, first + each);
    int64_t inputs = by_channel ? (last - first) * LANES : channels;  // channels of x in this task
    int64_t band = std::max<int64_t>(1, BAND_FLOATS / std::max<int64_t>(1, inputs * at.kernel[0] * pitch * at.stride[1]));
    band = std::min(band, at.out[1]);
    float* sums = part_totals(slice, group, part);
    bool begins = true;
    // Small images are taken together: the sums are then loaded and stored less often.
    int64_t together = 1, end = std::min(images, (slice + 1) * slice_images);
    if (by_channel && at.out[0] == 1 && band == at.out[1]) together = std::max<int64_t>(1, BLOCK_PIXELS / at.count());
    for (int64_t n = slice * slice_images; n < end; n += together)
      for (int64_t z = 0; z < at.out[0]; z++)
        for (int64_t y = 0; y < at.out[1]; y += band, begins = false) {
          int64_t rows = std::min(band, at.out[1] - y);
          if (by_channel)
            channels_band(n, std::min(together, end - n), group, first, last, z, y, rows, sums, begins);
          else
            features_band(n, group, first, last, z, y, rows, sums, begins);
        }
  }

  int64_t lines_of(int64_t rows) const { return (rows - 1) * at.stride[1] + (at.kernel[1] - 1) * at.dilation[1] + 1; }

  // The vectors hold channels of x; the single numbers are those of g.
  void channels_band(int64_t n, int64_t together, int64_t group, int64_t first, int64_t last, int64_t z, int64_t y,
                     int64_t rows, float* sums, bool begins) const {
    int64_t lines = lines_of(rows), line = pitch * LANES, image = (last - first) * at.kernel[0] * lines * line;
    float* block = scratch(together * image, VECTOR_SIDE);
    for (int64_t i = 0; i < together; i++) transpose_channels(n + i, group, first, last, z, y, lines, block + i * image);
    std::vector<int64_t> vectors;
    for (int64_t c = first; c < last; c++)
      for (int64_t kz = 0; kz < at.kernel[0]; kz++)
        for (int64_t ky = 0; ky < at.kernel[1]; ky++)
          for (int64_t kx = 0; kx < at.kernel[2]; kx++)
            vectors.push_back(((((c - first) * at.kernel[0] + kz) * lines + ky * at.dilation[1]) * pitch +
                               kx * at.dilation[2]) * LANES);
    const float* rows_of_g = g + (n * groups + group) * features * at.count() + (z * at.out[1] + y) * at.out[2];
    std::vector<int64_t> singles;
    for (int64_t f = 0; f < features; f++) singles.push_back(f * at.count());
    accumulate(together, rows, rows_of_g, singles, {groups * features * at.count(), at.out[2], 1}, block, vectors,
               {image, at.stride[1] * line, at.stride[2] * LANES}, sums, begins);
  }

  void transpose_channels(int64_t n, int64_t group, int64_t first, int64_t last, int64_t z, int64_t y, int64_t lines,
                          float* block) const {
    const int64_t line = pitch * LANES;
    for (int64_t c = first; c < last; c++)
      for (int64_t k = 0; k < at.kernel[0]; k++) {
        int64_t depth = z * at.stride[0] - at.low[0] + k * at.dilation[0];
        for (int64_t l = 0; l < lines; l++) {
          int64_t height = y * at.stride[1] - at.low[1] + l;
          float* to = block + (((c - first) * at.kernel[0] + k) * lines + l) * line;
          bool inside = depth >= 0 && depth < at.size[0] && height >= 0 && height < at.size[1];
          int64_t begin = inside ? std::min(pitch, std::max<int64_t>(0, at.low[2])) : pitch;
          int64_t end = std::max(begin, std::min(pitch, at.size[2] + at.low[2]));
          std::fill(to, to + begin * LANES, 0.0f);
          if (inside)
            transpose(x + (((n * groups + group) * channels + c * LANES) * at.size[0] + depth) * plane +
                          height * at.size[2] + begin - at.low[2],
                      at.size[0] * plane, std::min<int64_t>(LANES, channels - c * LANES), end - begin, to + begin * LANES,
                      LANES, LANES);
          std::fill(to + end * LANES, to + line, 0.0f);
        }
      }
  }

  // The vectors hold features of g; the single numbers are those of x.
  void features_band(int64_t n, int64_t group, int64_t first, int64_t last, int64_t z, int64_t y, int64_t rows, float* sums,
                     bool begins) const {
    int64_t lines = lines_of(rows), pixels = rows * at.out[2];
    float* block = scratch((last - first) * pixels * LANES, VECTOR_SIDE);
    const Line form{at.size[2], -at.low[2], 1, 1, pitch};
    float* input = scratch(channels * at.kernel[0] * lines * pitch + LANES, SCALAR_SIDE);
    std::vector<int64_t> vectors, singles;
    for (int64_t f = first; f < last; f++) {
      transpose(g + ((n * groups + group) * features + f * LANES) * at.count() + (z * at.out[1] + y) * at.out[2], at.count(),
                std::min<int64_t>(LANES, features - f * LANES), pixels, block + (f - first) * pixels * LANES, LANES, LANES);
      vectors.push_back((f - first) * pixels * LANES);
    }
    for (int64_t c = 0; c < channels; c++)
      for (int64_t kz = 0; kz < at.kernel[0]; kz++) {
        int64_t depth = z * at.stride[0] - at.low[0] + kz * at.dilation[0];
        for (int64_t l = 0; l < lines; l++) {
          int64_t height = y * at.stride[1] - at.low[1] + l;
          float* to = input + ((c * at.kernel[0] + kz) * lines + l) * pitch;
          if (depth >= 0 && depth < at.size[0] && height >= 0 && height < at.size[1])
            form.copy(x + (((n * groups + group) * channels + c) * at.size[0] + depth) * plane + height * at.size[2], to);
          else
            clear(to, pitch);
        }
        for (int64_t ky = 0; ky < at.kernel[1]; ky++)
          for (int64_t kx = 0; kx < at.kernel[2]; kx++)
            singles.push_back(((c * at.kernel[0] + kz) * lines + ky * at.dilation[1]) * pitch + kx * at.dilation[2]);
      }
    accumulate(1, rows, input, singles, {0, at.stride[1] * pitch, at.stride[2]}, block, vectors,
               {0, at.out[2] * LANES, LANES}, sums, begins);
  }

  void accumulate(int64_t together, int64_t rows, const float* one, const std::vector<int64_t>& singles, const Steps& by_one,
                  const float* many, const std::vector<int64_t>& vectors, const Steps& by_many, float* sums,
                  bool begins) const {
    int64_t step = std::max<int64_t>(1, BLOCK_PIXELS / at.out[2]), count = static_cast<int64_t>(vectors.size());
    // Whether lines are one long line in both.
    bool joined = by_one.line == at.out[2] * by_one.column && by_many.line == at.out[2] * by_many.column;
    for (int64_t y = 0; y < rows; y += step, begins = false) {
      int64_t lines = std::min(step, rows - y);
      Extent extent{together, lines, at.out[2]};
      if (joined) extent.columns *= lines, extent.lines = 1;
      float* totals = sums;
      for (int64_t v = 0; v < count;) {
        int64_t width = count - v == 4 ? 2 : std::min<int64_t>(VECTORS, count - v);
        const float* b[VECTORS];
        for (int64_t j = 0; j < width; j++) b[j] = many + vectors[v + j] + y * by_many.line;
        for (int64_t i = 0; i < panels; i++, totals += width * ROWS * LANES) {
          const float* a[ROWS];
          for (int64_t r = 0; r < ROWS; r++) a[r] = one + singles[std::min(ones - 1, i * ROWS + r)] + y * by_one.line;
          if (by_channel) fetch(extent, one + y * by_one.line, singles, i + 1, by_one.image);
          if (width == 3)
            outer<ROWS, 3>(extent, a, by_one, b, by_many, totals, begins);
          else if (width == 2)
            outer<ROWS, 2>(extent, a, by_one, b, by_many, totals, begins);
          else
            outer<ROWS, 1>(extent, a, by_one, b, by_many, totals, begins);
        }
        v += width;
      }
    }
  }

  // The next panel's numbers, which come from far away in short pieces, on their way into the cache.
  void fetch(const Extent& extent, const float* one, const std::vector<int64_t>& singles, int64_t i, int64_t image) const {
    for (int64_t r = i * ROWS; r < std::min(ones, i * ROWS + ROWS); r++)
      for (int64_t n = 0; n < extent.images; n++)
        for (int64_t k = 0; k < extent.lines * extent.columns; k += 16)
          __builtin_prefetch(one + singles[r] + n * image + k);
  }

  // Calls f(row, vector, its sums) for the rows of panel i and each vector of a part, in the order of memory.
  template <class F> void each_vector(int64_t slice, int64_t group, int64_t part, int64_t i, F&& f) const {
    const int64_t count = (std::min(granules, (part + 1) * each) - part * each) * per_granule;
    const int64_t rows = std::min<int64_t>(ROWS, ones - i * ROWS);
    const float* sums = part_totals(slice, group, part);
    for (int64_t v = 0; v < count;) {
      const int64_t width = count - v == 4 ? 2 : std::min<int64_t>(VECTORS, count - v);
      for (int64_t r = 0; r < rows; r++)
        for (int64_t j = 0; j < width; j++) f(r, v + j, sums + ((i * ROWS + r) * width + j) * LANES);
      sums += panels * ROWS * width * LANES;
      v += width;
    }
  }

  void deliver_channels(int64_t group, int64_t i) const {
    const int64_t row = each * area * LANES;
    float* block = scratch(ROWS * row, VECTOR_SIDE);
    for (int64_t part = 0; part < parts; part++) {
      for (int64_t s = 0; s < slices; s++)
        each_vector(s, group, part, i, [&](int64_t r, int64_t v, const float* sums) {
          float* to = block + r * row + v * LANES;
          store(to, s ? load(to) + load(sums) : load(sums));
        });
      for (int64_t r = 0; r < std::min<int64_t>(ROWS, features - i * ROWS); r++)
        for (int64_t c = part * each; c < std::min(granules, (part + 1) * each); c++) {
          float* to = dw + (((group * features) + i * ROWS + r) * channels + c * LANES) * area;
          const float* from = block + r * row + (c - part * each) * area * LANES;
          const int64_t lanes = std::min<int64_t>(LANES, channels - c * LANES);
          if (area == 1)
            copy_floats(from, to, lanes);
          else
            transpose(from, LANES, area, lanes, to, area, area);
        }
    }
  }

  void deliver_features(int64_t group, int64_t i) const {
    for (int64_t part = 0; part < parts; part++)
      for (int64_t s = 0; s < slices; s++)
        each_vector(s, group, part, i, [&](int64_t r, int64_t v, const float* sums) {
          const int64_t f = (part * each + v) * LANES;
          float* to = dw + (group * features + f) * ones + i * ROWS + r;
          for (int64_t l = 0; l < std::min<int64_t>(LANES, features - f); l++)
            to[l * ones] = s ? to[l * ones] + sums[l] : sums[l];
        });
  }

  const Windows& at;
  float* dw;
  const float *g, *x;
  int64_t images, groups, channels, features, area, plane;
  bool by_channel;
  int64_t pitch, many, ones, granules, panels, parts, each, per_granule, slices, slice_images, group_floats;
  float* totals = nullptr;
};

// One channel and few features in a group: vectors run along the rows of the output.
class Depthwise {
 public:
  Depthwise(const Windows& at, float* dw, const float* g, const float* x, int64_t images, int64_t groups, int64_t features)
      : at(at), dw(dw), g(g), x(x), images(images), groups(groups), features(features), area(at.area()), form(line_of(at)) {
    band = BAND_FLOATS / std::max<int64_t>(1, at.kernel[0] * at.stride[1] * form.floats());
    band = std::min(at.out[1], std::max<int64_t>(1, band));
    lines = (band - 1) * at.stride[1] + (at.kernel[1] - 1) * at.dilation[1] + 1;
    for (int64_t kz = 0; kz < at.kernel[0]; kz++)
      for (int64_t ky = 0; ky < at.kernel[1]; ky++)
        for (int64_t kx = 0; kx < at.kernel[2]; kx++)
          offsets.push_back((kz * lines + ky * at.dilation[1]) * form.floats() + form.tap(kx, at.dilation[2]));
  }

  void run() {
    parallel(groups, grain_of(images * features * at.count() * area), [&](int64_t begin, int64_t end) {
      float* sums = scratch(features * area * LANES, TOTALS);
      float* block = scratch(at.kernel[0] * lines * form.floats() + LANES, VECTOR_SIDE);
      for (int64_t group = begin; group < end; group++) {
        clear(sums, features * area * LANES);
        for (int64_t n = 0; n < images; n++)
          for (int64_t z = 0; z < at.out[0]; z++)
            for (int64_t y = 0; y < at.out[1]; y += band) {
              copy(block, x + (n * groups + group) * at.pixels(), z, y);
              for (int64_t f = 0; f < features; f++)
                add_up(sums + f * area * LANES, block,
                       g + ((n * groups + group) * features + f) * at.count() + (z * at.out[1] + y) * at.out[2],
                       std::min(band, at.out[1] - y));
            }
        for (int64_t i = 0; i < features * area; i++) dw[group * features * area + i] = sum(load(sums + i * LANES));
      }
    });
  }

 private:
  void copy(float* block, const float* image, int64_t z, int64_t y) const {
    for (int64_t k = 0; k < at.kernel[0]; k++)
      for (int64_t l = 0; l < lines; l++, block += form.floats()) {
        int64_t depth = z * at.stride[0] - at.low[0] + k * at.dilation[0], height = y * at.stride[1] - at.low[1] + l;
        if (depth >= 0 && depth < at.size[0] && height >= 0 && height < at.size[1])
          form.copy(image + (depth * at.size[1] + height) * at.size[2], block);
        else
          clear(block, form.floats());
      }
  }

  void add_up(float* sums, const float* block, const float* g, int64_t rows) const {
    int64_t t = 0;
    for (; t + 9 <= area; t += 9) add_taps<9>(sums + t * LANES, block, &offsets[t], g, rows);
    for (; t + 3 <= area; t += 3) add_taps<3>(sums + t * LANES, block, &offsets[t], g, rows);
    for (; t < area; t++) add_taps<1>(sums + t * LANES, block, &offsets[t], g, rows);
  }

  template <int T> void add_taps(float* sums, const float* block, const int64_t* offset, const float* g, int64_t rows) const {
    vf s[T];
    const float* p[T];
    for (int t = 0; t < T; t++) s[t] = load(sums + t * LANES), p[t] = block + offset[t];
    for (int64_t y = 0; y < rows; y++, g += at.out[2]) {
      int64_t base = y * at.stride[1] * form.floats();
      each(at.out[2], [&](int64_t i, auto get, auto) {
        vf v = get(g + i);
#pragma GCC unroll 9
        for (int t = 0; t < T; t++) s[t] = fmadd(v, get(p[t] + base + i), s[t]);
      });
    }
    for (int t = 0; t < T; t++) store(sums + t * LANES, s[t]);
  }

  const Windows& at;
  float* dw;
  const float *g, *x;
  int64_t images, groups, features, area;
  Line form;
  int64_t band, lines;
  std::vector<int64_t> offsets;
};

// The pixels that windows of one tap meet, as dense images.
const float* met_pixels(const Windows& at, const float* x, int64_t images) {
  float* dense = scratch(images * at.count(), DENSE);
  parallel(images, grain_of(at.count()), [&](int64_t begin, int64_t end) {
    float* to = dense + begin * at.count();
    for (int64_t n = begin; n < end; n++)
      for (int64_t z = 0; z < at.out[0]; z++)
        for (int64_t y = 0; y < at.out[1]; y++) {
          const float* line = x + n * at.pixels() + (z * at.stride[0] * at.size[1] + y * at.stride[1]) * at.size[2];
          for (int64_t i = 0; i < at.out[2]; i++) *to++ = line[i * at.stride[2]];
        }
  });
  return dense;
}

}  // namespace
}  // namespace gpunet::cpu

using namespace gpunet::cpu;

// dw[f, c, k] = sum over n, o of g[n, f, o] x[n, c, o * stride - low + k * dilation]
// dw, g, x, windows, images, groups, channels and features of a group, whether they are of bfloat16
KERNEL void conv_weight_grad(const Arg* a) {
  Windows at = *ptr<const Windows>(a[3]);
  if (a[8].i)
    return weight_grad(at, ptr<uint16_t>(a[0]), ptr<const uint16_t>(a[1]), ptr<const uint16_t>(a[2]), a[4].i, a[5].i, a[6].i,
                       a[7].i);
  float* dw = ptr<float>(a[0]);
  const float *g = ptr<const float>(a[1]), *x = ptr<const float>(a[2]);
  const int64_t images = a[4].i, groups = a[5].i, channels = a[6].i, features = a[7].i;
  bool dense = true, inside = at.area() == 1;
  for (int i = 0; i < 3; i++) {
    dense = dense && at.stride[i] == 1;
    inside = inside && at.low[i] == 0 && (at.out[i] - 1) * at.stride[i] < at.size[i];
  }
  if (inside && !dense) {
    x = met_pixels(at, x, images * groups * channels);
    for (int i = 0; i < 3; i++) at.size[i] = at.out[i], at.stride[i] = 1;
  }
  if (channels == 1 && features < 4)
    Depthwise(at, dw, g, x, images, groups, features).run();
  else
    WeightGrad(at, dw, g, x, images, groups, channels, features).run();
}
