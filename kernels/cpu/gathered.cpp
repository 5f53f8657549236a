#include "gathered.h"

#include <cstring>

#include "transpose.h"

namespace gpunet::cpu {
namespace {

#if defined(__AVX512F__) || defined(__aarch64__)
constexpr int ROWS = 8;  // 32 vector registers: 8 x 3 sums, 3 inputs, 1 weight
#else
constexpr int ROWS = 4;  // 16: 4 x 3, 3, 1
#endif
constexpr int VECTORS = 3;
constexpr int SINGLE = 8;               // vectors at a time where there is a single feature
enum { WEIGHTS, BLOCK, SUMS };  // scratch buffers
constexpr int64_t SLICE = 256;          // products that are added up before the sums are stored
constexpr int64_t BAND_FLOATS = 40000;  // of the input in a band: a third of an L2 cache
constexpr int64_t FEATURES = 128;       // whose weights of a slice are kept in the L2 cache
constexpr int64_t FEW_USES = 4;         // of the weights, up to which packing them does not pay

// sums[i][j] = sum over k of a[k * M + i] * x[base[j] + offset[k]], a vector for each i and j. Not packed, of
// a[i * row + k].
template <int M, int V, bool PACKED>
inline __attribute__((always_inline)) void product(int64_t n, const float* a, int64_t row, const int32_t* offset,
                                                   const float* const* base, vf (&sums)[M][V]) {
  const float* p[V];
  for (int j = 0; j < V; j++) p[j] = base[j];
  for (int64_t k = 0; k < n; k++) {
    int64_t o = offset[k];
    vf x[V];
#pragma GCC unroll 8
    for (int j = 0; j < V; j++) x[j] = load(p[j] + o);
#pragma GCC unroll 8
    for (int i = 0; i < M; i++) {
      vf w = broadcast(a[PACKED ? i : i * row]);
#pragma GCC unroll 8
      for (int j = 0; j < V; j++) sums[i][j] = fmadd(w, x[j], sums[i][j]);
    }
    a += PACKED ? M : 1;
  }
}

// A vector of the output: where it is read from, and where its lanes are stored.
struct Target {
  int64_t base;    // in the block
  int64_t place;   // of the first lane in the result
  int32_t lanes;   // that are used
  int32_t spread;  // distance of the lanes in the result; 0: each has its own place, or none (-1)
};

// store(y, v, n), which is slow on some chips: by 4 numbers, the last of which may overlap.
GPUNET_INLINE void store_few(float* y, vf v, int64_t n) {
  float lanes[LANES];
  store(lanes, v);
  if (n < 4) {
    for (int64_t i = 0; i < n; i++) y[i] = lanes[i];
    return;
  }
  auto four = [&](int64_t i) {
    *reinterpret_cast<v4_unaligned*>(y + i) = *reinterpret_cast<const v4_unaligned*>(lanes + i);
  };
  for (int64_t i = 0; i + 4 <= n; i += 4) four(i);
  four(n - 4);
}

inline void put(float* y, vf v, const Target& t, const int64_t* places) {
  if (t.spread == 1) {
    if (t.lanes == LANES)
      store(y + t.place, v);
    else
      store_few(y + t.place, v, t.lanes);
    return;
  }
  float lanes[LANES];
  store(lanes, v);
  if (t.spread)
    for (int i = 0; i < t.lanes; i++) y[t.place + i * t.spread] = lanes[i];
  else
    for (int i = 0; i < LANES; i++)
      if (places[i] >= 0) y[places[i]] = lanes[i];
}

// How the input of a band lies in its block.
//   rows:   [line][channel][phase][column]: vectors begin with the rows of the output
//   linear: [channel][line][column]: one long row, with some lanes wasted between the rows; for narrow images
//   flat:   [piece][channel][TILE pixels]: one tap; the pixels of all images are one long row
enum class Order { rows, linear, flat };

class Product {
 public:
  explicit Product(const Problem<float>& problem) : p(problem), z(p.axis[0]), y(p.axis[1]), x(p.axis[2]) {
    single = p.features == 1;
    planes = p.channels * z.taps();
    taps = y.taps() * x.taps();
    depth = ceil_div(planes, std::min(planes, ceil_div(planes * taps, SLICE)));
    slices = ceil_div(planes, depth);
    plane = p.size[1] * p.size[2];
    result = p.result[0] * p.result[1] * p.result[2];
    panel = single ? 1 : ROWS;
    panels = ceil_div(p.features, panel);
    low = x.low();
    phases = 1;
    pitch = 0;
    for (int64_t o : x.offset) {
      phases = std::max(phases, (o - low) % x.step + 1);
      pitch = std::max(pitch, (o - low) / x.step + x.count);
    }
    line_step = y.taps() == 1 ? 1 : y.step;  // lines that no window meets are left out
    choose_order();
    choose_bands();
    set_offsets();
    // A feature's weights lie in the order in which they are read: the convolution itself.
    packed = single || p.by_feature <= p.by_channel || taps * z.taps() != p.kernel[0] * p.kernel[1] * p.kernel[2] ||
             p.features % panel || (order == Order::flat ? 1 : p.images) * bands > FEW_USES;
  }

  void run() {
    if (packed) pack();
    int64_t parts = single ? 1 : ceil_div(p.features, FEATURES);
    int64_t images = order == Order::flat ? 1 : p.images;
    if (images * bands * p.groups >= 16) parts = 1;
    int64_t each = ceil_div(panels, parts);
    parts = ceil_div(panels, each);
    int64_t units = bands * images * p.groups * parts;
    int64_t work = band_pixels * planes * taps * each * panel;
    parallel(units, grain_of(work, 1 << 18), [&](int64_t begin, int64_t end) {
      Band band;
      for (int64_t unit = begin; unit < end; unit++) {
        int64_t rest = unit / parts, part = unit % parts, group = rest % p.groups;
        rest /= p.groups;
        int64_t image = rest % images, index = rest / images;
        if (index != band.index) lay_out(band, index);
        compute(band, image, group, part * each, std::min(panels, part * each + each));
      }
    });
  }

 private:
  static constexpr int TILE = VECTORS * LANES;
  struct Run {
    int64_t from, to, count;
  };
  struct Band {
    int64_t index = -1, plane, row, rows;
    std::vector<Target> targets;
    std::vector<int64_t> places;
    std::vector<Run> runs;
  };

  void choose_order() {
    bool flat = taps * z.taps() == 1, dense = y.step == 1 && x.step == 1;
    dense_in = dense_out = true;
    for (int i = 0; i < 3; i++) {
      const Axis& a = p.axis[i];
      flat = flat && a.offset[0] == 0 && (a.count - 1) * a.step < p.size[i];
      dense_in = dense_in && a.step == 1 && a.count == p.size[i];
      dense_out = dense_out && a.spread == 1 && a.start == 0 && a.count == p.result[i];
    }
    count = z.count * y.count * x.count;
    pixels = p.images * count;
    int64_t wide = ceil_div(x.count, LANES) * LANES;  // floats for a row of the output
    order = flat && !single ? Order::flat : dense && pitch * 20 < wide * 19 ? Order::linear : Order::rows;
  }

  int64_t lines_of(int64_t rows) const { return (rows - 1) * line_step + y.high() - y.low() + 1; }

  void choose_bands() {
    if (order == Order::flat) {
      pitch = TILE;
      int64_t pieces = ceil_div(pixels, TILE);
      int64_t most = std::max<int64_t>(8, BAND_FLOATS / (TILE * std::max(depth, slices > 1 ? p.features : 1)));
      bands = ceil_div(pieces, std::min(most, pieces));
      band_rows = ceil_div(pieces, bands);
      bands = ceil_div(pieces, band_rows);
      channel_stride = TILE;
      line_stride = TILE * depth;
      block_floats = band_rows * line_stride;
      band_pixels = band_rows * TILE;
      return;
    }
    int64_t most = std::max(depth * phases * pitch * line_step, slices > 1 ? p.features * x.count : 1);
    most = std::max(BAND_FLOATS / std::max<int64_t>(1, most), ceil_div(6 * TILE, x.count));
    int64_t each = ceil_div(y.count, std::min(most, y.count));  // bands of a plane
    band_rows = ceil_div(y.count, each);
    bands = ceil_div(y.count, band_rows) * z.count;
    int64_t lines = lines_of(band_rows);
    channel_stride = phases * pitch;
    line_stride = depth * channel_stride;
    if (order == Order::linear) {
      line_stride = pitch;
      channel_stride = ceil_div(lines * pitch, 16) * 16;
      channel_stride += channel_stride / 16 % 2 ? 0 : 16;  // an odd number of cache lines: all sets are used
    }
    block_floats = order == Order::linear ? depth * channel_stride : lines * line_stride;
    band_pixels = band_rows * x.count;
  }

  void set_offsets() {
    for (int64_t c = 0; c < depth; c++)
      for (int64_t oy : y.offset)
        for (int64_t ox : x.offset) {
          int64_t line = y.taps() == 1 ? 0 : oy - y.low(), column = ox - low;
          offsets.push_back(static_cast<int32_t>(c * channel_stride + line * line_stride +
                                                 column % x.step * pitch + column / x.step));
        }
  }

  // Weights as [group][slice][panel of features][channel, tap][feature]. They are read in the order of memory.
  void pack() {
    float* all = scratch(p.groups * panels * panel * planes * taps, WEIGHTS);
    weights = all;
    auto place = [=](int64_t group, int64_t i, int64_t c) {  // of panel i and channel c
      int64_t from = c / depth * depth, many = std::min(planes - from, depth);
      return all + ((group * planes + from) * panels + i * many + c - from) * taps * panel;
    };
    if (p.by_feature > p.by_channel || single) {  // the taps are in order: the convolution itself
      parallel(p.groups * panels, grain_of(planes * taps * panel), [&](int64_t begin, int64_t end) {
        for (int64_t u = begin; u < end; u++) {
          int64_t group = u / panels, i = u % panels;
          const float* source = p.weight + group * p.by_group + i * panel * p.by_feature;
          int64_t rows = std::min(panel, p.features - i * panel);
          for (int64_t c = 0; c < planes; c += depth)
            if (single)
              for (int64_t k = c; k < std::min(planes, c + depth); k++) pack_taps(tap_of(k, source), 1, place(group, i, k));
            else
              transpose(source + c * taps, p.by_feature, rows, std::min(depth, planes - c) * taps, place(group, i, c),
                        panel, panel);
        }
      });
      return;
    }
    const int64_t blocks = ceil_div(panels, 16);  // of panels, which are written side by side
    parallel(p.groups * blocks, 1, [&](int64_t begin, int64_t end) {
      for (int64_t u = begin; u < end; u++) {
        const int64_t group = u / blocks, first = u % blocks * 16, last = std::min(panels, first + 16);
        for (int64_t c = 0; c < planes; c++) {
          float* to = place(group, first, c);
          const int64_t step = std::min(planes - c / depth * depth, depth) * taps * panel;
          const float* w = tap_of(c, p.weight + group * p.by_group + first * panel * p.by_feature);
          for (int64_t i = first; i < last; i++, to += step, w += panel * p.by_feature) {
            const int64_t rows = std::min(panel, p.features - i * panel);
            if (taps == 1 && p.by_feature == 1 && rows == ROWS)
              for (int r = 0; r < ROWS; r++) to[r] = w[r];
            else
              pack_taps(w, rows, to);
          }
        }
      }
    });
  }

  // Where the taps of a plane begin.
  const float* tap_of(int64_t c, const float* source) const {
    return source + c / z.taps() * p.by_channel + z.index[c % z.taps()] * p.kernel[1] * p.kernel[2];
  }

  void pack_taps(const float* w, int64_t rows, float* to) const {
    if (taps == p.kernel[1] * p.kernel[2]) {
      transpose(w, p.by_feature, rows, taps, to, panel, panel);
      return;
    }
    for (int64_t iy : y.index)
      for (int64_t ix : x.index) {
        const float* tap = w + iy * p.kernel[2] + ix;
        for (int64_t r = 0; r < rows; r++) to[r] = tap[r * p.by_feature];
        for (int64_t r = rows; r < panel; r++) to[r] = 0;
        to += panel;
      }
  }

  // Which vectors a band has.
  void lay_out(Band& band, int64_t index) const {
    band.index = index;
    band.targets.clear();
    band.places.clear();
    if (order == Order::flat) {
      band.row = index * band_rows;
      int64_t first = band.row * TILE, many = p.groups * p.features * result;
      band.rows = std::min(ceil_div(pixels, TILE) - band.row, band_rows);
      int64_t end = std::min(band_rows * TILE, pixels - first);
      find_runs(band);
      for (int64_t q = 0; q < end; q += LANES) {
        int64_t image = (first + q) / count, at = (first + q) % count, lanes = std::min<int64_t>(LANES, end - q);
        band.targets.push_back({q / TILE * line_stride + q % TILE, image * many + result_of(at), static_cast<int32_t>(lanes),
                                dense_out && at + lanes <= count});
        for (int64_t i = 0; i < LANES; i++)
          band.places.push_back(i < lanes ? (first + q + i) / count * many + result_of((first + q + i) % count) : -1);
      }
      return;
    }
    int64_t each = bands / z.count;
    band.plane = index / each;
    band.row = index % each * band_rows;
    band.rows = std::min(band_rows, y.count - band.row);
    auto place = [&](int64_t row, int64_t column) {
      return ((z.start + band.plane * z.spread) * p.result[1] + y.start + (band.row + row) * y.spread) * p.result[2] +
             x.start + column * x.spread;
    };
    if (order == Order::rows) {
      for (int64_t row = 0; row < band.rows; row++)
        for (int64_t column = 0; column < x.count; column += LANES)
          band.targets.push_back({row * line_step * line_stride + column, place(row, column),
                                  static_cast<int32_t>(std::min<int64_t>(LANES, x.count - column)),
                                  static_cast<int32_t>(x.spread)});
      return;
    }
    for (int64_t q = 0; q < (band.rows - 1) * pitch + x.count; q += LANES) {
      int64_t row = q / pitch, column = q % pitch, lanes = std::min<int64_t>(LANES, x.count - column);
      bool together = lanes > 0 && (column + LANES <= pitch || row + 1 == band.rows);
      band.targets.push_back({q, place(row, column), static_cast<int32_t>(lanes),
                              static_cast<int32_t>(together ? x.spread : 0)});
      for (int64_t i = q; i < q + LANES; i++)
        band.places.push_back(i % pitch < x.count && i / pitch < band.rows ? place(i / pitch, i % pitch) : -1);
    }
  }

  void compute(const Band& band, int64_t image, int64_t group, int64_t first, int64_t last) const {
    float* input = scratch(block_floats + 2 * LANES, BLOCK);
    std::memset(input + block_floats, 0, 2 * LANES * sizeof(float));
    int64_t vectors = static_cast<int64_t>(band.targets.size());
    float* partial = slices == 1 ? nullptr : scratch(vectors * LANES * (last - first) * panel, SUMS);
    float* out = p.y + (image * p.groups + group) * p.features * result;
    int64_t together = std::max<int64_t>(1, FEATURES / panel);
    for (int64_t s = 0; s < slices; s++) {
      int64_t from = s * depth, to = std::min(planes, from + depth), many = (to - from) * taps;
      const float* own = packed ? weights + (group * planes + from) * taps * panels * panel
                                : p.weight + group * p.by_group + from * taps;
      const int64_t next = packed ? panel * many : panel * p.by_feature;  // panel
      if (order == Order::flat)
        copy_flat(band, input, group, from, to);
      else
        copy(band, input, image, group, from, to);
      for (int64_t part = first; part < last; part += together)
        for (int64_t v = 0; v < vectors;) {
          int64_t step = single ? (vectors - v >= SINGLE ? SINGLE : vectors - v >= 4 ? 4 : vectors - v >= 2 ? 2 : 1)
                                : std::min<int64_t>(VECTORS, vectors - v);
          for (int64_t i = part; i < std::min(last, part + together); i++) {
            Job job{many, own + i * next, input, &band.targets[v],
                    band.places.empty() ? nullptr : &band.places[v * LANES], s == 0, s == slices - 1,
                    partial + ((i - first) * vectors + v) * LANES * panel, out + i * panel * result,
                    p.bias ? p.bias + group * p.features + i * panel : nullptr,
                    std::min(panel, p.features - i * panel)};
            if (single)
              step == SINGLE ? tile<1, SINGLE, true>(job) : step == 4 ? tile<1, 4, true>(job)
              : step == 2    ? tile<1, 2, true>(job) : tile<1, 1, true>(job);
            else if (packed)
              step == 3 ? tile<ROWS, 3, true>(job) : step == 2 ? tile<ROWS, 2, true>(job) : tile<ROWS, 1, true>(job);
            else
              step == 3 ? tile<ROWS, 3, false>(job) : step == 2 ? tile<ROWS, 2, false>(job) : tile<ROWS, 1, false>(job);
          }
          v += step;
        }
    }
  }

  struct Job {
    int64_t products;
    const float* weights;
    const float* input;
    const Target* targets;
    const int64_t* places;
    bool begins, ends;
    float *partial, *out;
    const float* bias;
    int64_t features;
  };

  template <int M, int V, bool PACKED>
  void tile(const Job& job) const {
    vf sums[M][V];
    const float* base[V];
    for (int j = 0; j < V; j++) base[j] = job.input + job.targets[j].base;
#pragma GCC unroll 8
    for (int i = 0; i < M; i++)
#pragma GCC unroll 8
      for (int j = 0; j < V; j++) sums[i][j] = job.begins ? vf{} : load(job.partial + (i * V + j) * LANES);
    product<M, V, PACKED>(job.products, job.weights, p.by_feature, offsets.data(), base, sums);
    if (!job.ends) {
#pragma GCC unroll 8
      for (int i = 0; i < M; i++)
#pragma GCC unroll 8
        for (int j = 0; j < V; j++) store(job.partial + (i * V + j) * LANES, sums[i][j]);
      return;
    }
    bool whole = true;
    for (int j = 0; j < V; j++) whole = whole && job.targets[j].spread == 1 && job.targets[j].lanes == LANES;
    float results[M][V][LANES];
    if (whole && job.features == M) {
#pragma GCC unroll 8
      for (int i = 0; i < M; i++) {
        vf bias = broadcast(job.bias ? job.bias[i] : 0.0f);
#pragma GCC unroll 8
        for (int j = 0; j < V; j++) store(job.out + i * result + job.targets[j].place, sums[i][j] + bias);
      }
      return;
    }
#pragma GCC unroll 8
    for (int i = 0; i < M; i++)
#pragma GCC unroll 8
      for (int j = 0; j < V; j++) store(results[i][j], sums[i][j]);
    for (int i = 0; i < job.features; i++) {
      vf bias = broadcast(job.bias ? job.bias[i] : 0.0f);
      for (int j = 0; j < V; j++)
        put(job.out + i * result, load(results[i][j]) + bias, job.targets[j], job.places + j * LANES);
    }
  }

  void copy(const Band& band, float* block, int64_t image, int64_t group, int64_t from, int64_t to) const {
    const float* source = p.x + (image * p.groups + group) * p.channels * p.size[0] * plane;
    const Line form{p.size[2], low, x.step, phases, pitch};
    int64_t lines = lines_of(band.rows), by = y.taps() == 1 ? y.step : 1, top = band.row * y.step + y.low();
    auto copy_line = [&](int64_t c, int64_t l) {
      const int64_t depth_at = band.plane * z.step + z.offset[c % z.taps()], at = top + l * by;
      float* line = block + (c - from) * channel_stride + l * line_stride;
      if (depth_at >= 0 && depth_at < p.size[0] && at >= 0 && at < p.size[1])
        form.copy(source + (c / z.taps() * p.size[0] + depth_at) * plane + at * p.size[2], line);
      else
        fill_loosely(line, phases * pitch, 0.0f);
    };
    // In the order of memory: a line's last vector may reach into the next line.
    if (order == Order::linear) {
      for (int64_t c = from; c < to; c++)
        for (int64_t l = 0; l < lines; l++) copy_line(c, l);
    } else {
      for (int64_t l = 0; l < lines; l++)
        for (int64_t c = from; c < to; c++) copy_line(c, l);
    }
  }

  void copy_flat(const Band& band, float* block, int64_t group, int64_t from, int64_t to) const {
    const int64_t image_size = p.size[0] * plane;
    const float* source = p.x + (group * p.channels + from) * image_size;
    for (int64_t c = from; c < to; c++, source += image_size, block += TILE)
      for (const Run& run : band.runs)
        if (run.count == TILE && x.step == 1)
          for (int j = 0; j < VECTORS; j++) store(block + run.to + j * LANES, load(source + run.from + j * LANES));
        else if (x.step == 1)
          copy_floats(source + run.from, block + run.to, run.count);
        else
          for (int64_t i = 0; i < run.count; i++) block[run.to + i] = source[run.from + i * x.step];
  }

  // What lies in one piece and, in the input, in one row.
  void find_runs(Band& band) const {
    const int64_t begin = band.row * TILE, end = std::min(pixels, begin + band.rows * TILE);
    const int64_t row = dense_in ? count : x.count, image_size = p.groups * p.channels * p.size[0] * plane;
    band.runs.clear();
    for (int64_t q = begin; q < end; q += band.runs.back().count) {
      const int64_t at = q % count, offset = q - begin;
      band.runs.push_back({q / count * image_size + input_of(at), offset / TILE * line_stride + offset % TILE,
                           std::min({end - q, row - at % row, TILE - offset % TILE})});
    }
  }

  // Where a pixel, of the `count` that an image of the output has here, lies in the input, and where in the result.
  int64_t input_of(int64_t at) const {
    if (dense_in) return at;
    const int64_t row = at / x.count;
    return (row / y.count * z.step * p.size[1] + row % y.count * y.step) * p.size[2] + at % x.count * x.step;
  }
  int64_t result_of(int64_t at) const {
    if (dense_out) return at;
    const int64_t row = at / x.count;
    return ((z.start + row / y.count * z.spread) * p.result[1] + y.start + row % y.count * y.spread) * p.result[2] + x.start +
           at % x.count * x.spread;
  }

  const Problem<float>& p;
  const Axis &z, &y, &x;
  bool single, packed;
  int64_t planes, taps, slices, depth, plane, result, panel, panels, low, phases, pitch, line_step;
  int64_t bands, band_rows, band_pixels, channel_stride, line_stride, block_floats;
  int64_t count, pixels;  // of the output here: of an image, of all
  bool dense_in, dense_out;
  Order order;
  const float* weights = nullptr;
  std::vector<int32_t> offsets;
};

}  // namespace

void gathered_product(const Problem<float>& problem) { Product(problem).run(); }

}  // namespace gpunet::cpu
