// Convolution of bfloat16 images as products of tiles of pairs (pairs.h): the gathered products of gathered.h, which are
// the convolution and its gradient by the input, and the gradient by the weight.
//
// Some images at a time are first brought into a padded form, in which a tap's inputs of neighbouring outputs lie side by
// side: lines of phases for a stride, and for gathered products the numbers of two channels as a pair. There output o and
// tap t meet at base(o) + offset(t), as in gathered.cpp; so a row of a tile is a vector that is copied, or a few pieces of
// one where the outputs of a tile are of several lines. Panels of them exist for some outputs and a slice of k at a time.
#include <vector>

#include "args.h"
#include "gathered.h"
#include "pairs.h"

#if defined(GPUNET_PAIRS)
namespace gpunet::cpu {
namespace {

constexpr int64_t AT_A_TIME = 1 << 22;  // bytes of the form of some images
constexpr int64_t GROUP = 4;            // panels of outputs, or of taps, at a time
constexpr int64_t TASKS = 16;           // that there should be
enum { WEIGHTS, FORM, PANELS, SUMS };   // scratch buffers; the first two are read by all threads

uint32_t* words(int64_t count, int which) { return reinterpret_cast<uint32_t*>(scratch(count, which)); }

// The lanes [begin, begin + count) of 32.
uint32_t lanes(int64_t begin, int64_t count) { return static_cast<uint32_t>(((uint64_t{1} << count) - 1) << begin); }

// How an image's plane lies in its form.
struct Form {
  explicit Form(const Axis (&axis)[3], const int64_t (&size)[3]) : axis(axis), size(size) {
    for (int i = 0; i < 3; i++) {
      low[i] = axis[i].low();
      step[i] = axis[i].taps() == 1 ? 1 : axis[i].step;  // lines that no window meets are left out
      lines[i] = (axis[i].count - 1) * step[i] + axis[i].high() - low[i] + 1;
    }
    const Axis& x = axis[2];
    int64_t phases = 1, pitch = 0;
    for (const int64_t o : x.offset) {
      phases = std::max(phases, (o - low[2]) % x.step + 1);
      pitch = std::max(pitch, (o - low[2]) / x.step + x.count);
    }
    line = {size[2], low[2], x.step, phases, pitch};
    plane = lines[0] * lines[1] * line.floats();
    for (const int64_t oz : axis[0].offset)
      for (const int64_t oy : axis[1].offset)
        for (const int64_t ox : x.offset) {
          const int64_t column = ox - low[2];
          offsets.push_back(((oz - low[0]) * lines[1] + oy - low[1]) * line.floats() + column % x.step * pitch + column / x.step);
        }
  }

  // Calls f(where a line begins in the form, in the plane of the image or -1) for the lines of a plane.
  template <class F> void each_line(F&& f) const {
    for (int64_t z = 0; z < lines[0]; z++)
      for (int64_t y = 0; y < lines[1]; y++) {
        const int64_t depth = low[0] + z * (axis[0].taps() == 1 ? axis[0].step : 1);
        const int64_t height = low[1] + y * (axis[1].taps() == 1 ? axis[1].step : 1);
        const bool inside = depth >= 0 && depth < size[0] && height >= 0 && height < size[1];
        f((z * lines[1] + y) * line.floats(), inside ? (depth * size[1] + height) * size[2] : -1);
      }
  }

  // Whether it is the plane itself.
  bool is_plane() const {
    for (int i = 0; i < 3; i++)
      if (low[i] || axis[i].step != 1 || lines[i] != size[i]) return false;
    return line.phases == 1 && line.pitch == size[2];
  }

  int64_t outputs() const { return axis[0].count * axis[1].count * axis[2].count; }
  // Where the inputs of a line of outputs begin.
  int64_t base(int64_t row) const {
    return (row / axis[1].count * step[0] * lines[1] + row % axis[1].count * step[1]) * line.floats();
  }

  const Axis (&axis)[3];
  const int64_t (&size)[3];
  int64_t low[3], step[3], lines[3], plane;
  Line line;
  std::vector<int64_t> offsets;  // of the taps
};

// Neighbouring lanes whose numbers lie `spread` apart: lane l's at place + l * spread.
struct Run {
  int64_t place;
  uint32_t lanes;
};

// The runs of `width` outputs of images, from number `first` of `total` on; place(image, row) is where a row of `columns`
// outputs begins.
template <class F>
void find_runs(std::vector<Run>& runs, int64_t first, int64_t width, int64_t total, int64_t rows, int64_t columns,
               int64_t spread, F&& place) {
  runs.clear();
  for (int64_t lane = 0, q = first; lane < width && q < total;) {
    const int64_t row = q / columns, column = q % columns, count = std::min({columns - column, width - lane, total - q});
    const int64_t from = place(row / rows, row % rows) + (column - lane) * spread;
    if (!runs.empty() && runs.back().place == from)
      runs.back().lanes |= lanes(lane, count);
    else
      runs.push_back({from, lanes(lane, count)});
    lane += count, q += count;
  }
}

// A vector of pairs, or of twice as many single numbers.
GPUNET_INLINE __m512i gather(const uint32_t* from, const Run* runs, int64_t count) {
  __m512i x = _mm512_maskz_loadu_epi32(static_cast<__mmask16>(runs->lanes), from + runs->place);
  for (int64_t i = 1; i < count; i++) x = _mm512_mask_loadu_epi32(x, static_cast<__mmask16>(runs[i].lanes), from + runs[i].place);
  return x;
}
GPUNET_INLINE __m512i gather(const uint16_t* from, const Run* runs, int64_t count) {
  __m512i x = _mm512_maskz_loadu_epi16(runs->lanes, from + runs->place);
  for (int64_t i = 1; i < count; i++) x = _mm512_mask_loadu_epi16(x, runs[i].lanes, from + runs[i].place);
  return x;
}

// 16 rows, of which `rows` are there: each is gathered at its offset.
template <int COUNT, class T>
inline void gather_rows(const T* form, const std::vector<Run>& runs, const int64_t* offsets, int64_t rows, __m512i (&to)[TILE]) {
  const int64_t count = COUNT ? COUNT : static_cast<int64_t>(runs.size());
  for (int64_t r = 0; r < TILE; r++) to[r] = r < rows ? gather(form + offsets[r], runs.data(), count) : __m512i{};
}
template <class T>
void gather_tile(const T* form, const std::vector<Run>& runs, const int64_t* offsets, int64_t rows, __m512i (&to)[TILE]) {
  if (runs.empty()) return std::fill(to, to + TILE, __m512i{});
  if (runs.size() == 1) gather_rows<1>(form, runs, offsets, rows, to);
  else if (runs.size() == 2) gather_rows<2>(form, runs, offsets, rows, to);
  else gather_rows<0>(form, runs, offsets, rows, to);
}

inline void put(uint32_t* to, const __m512i (&rows)[TILE]) {
  for (int64_t r = 0; r < TILE; r++) _mm512_storeu_si512(to + r * TILE, rows[r]);
}

// ---- the forms of lines ------------------------------------------------------------------------------------------------

// 16 numbers that are `step` (1 or 2) apart, each in 32 bits; of them `count` are there.
GPUNET_INLINE __m512i widened(const uint16_t* from, int64_t step, int64_t count) {
  count = std::min<int64_t>(count, TILE);
  if (step == 1) return _mm512_cvtepu16_epi32(_mm256_maskz_loadu_epi16(static_cast<__mmask16>(lanes(0, count)), from));
  return _mm512_maskz_loadu_epi16(0x55555555u & lanes(0, 2 * count), from);
}

// A line as pairs of two channels, of which the second may be null.
void pair_line(const Line& line, const uint16_t* a, const uint16_t* b, uint32_t* to) {
  for (int64_t h = 0; h < line.phases; h++, to += line.pitch) {
    const int64_t first = line.begin(h), last = line.end(h), from = line.low + h + first * line.step;
    std::fill(to, to + first, 0);
    if (line.step <= 2) {
      for (int64_t u = first; u < last; u += TILE) {
        const int64_t at = from + (u - first) * line.step;
        __m512i pair = widened(a + at, line.step, last - u);
        if (b) pair = _mm512_or_si512(pair, _mm512_slli_epi32(widened(b + at, line.step, last - u), 16));
        _mm512_mask_storeu_epi32(to + u, static_cast<__mmask16>(lanes(0, std::min(last - u, TILE))), pair);
      }
    } else {
      for (int64_t u = first; u < last; u++) {
        const int64_t at = from + (u - first) * line.step;
        to[u] = a[at] | (b ? static_cast<uint32_t>(b[at]) << 16 : 0);
      }
    }
    std::fill(to + last, to + line.pitch, 0);
  }
}

// Taps of two channels, of which the second may be null. Writes up to 15 words behind them.
GPUNET_INLINE void pair_taps(const uint16_t* a, const uint16_t* b, int64_t taps, uint32_t* to) {
  for (int64_t t = 0; t < taps; t += TILE) {
    __m512i pair = widened(a + t, 1, taps - t);
    if (b) pair = _mm512_or_si512(pair, _mm512_slli_epi32(widened(b + t, 1, taps - t), 16));
    _mm512_storeu_si512(to + t, pair);
  }
}

// A line as it is.
void single_line(const Line& line, const uint16_t* x, uint16_t* to) {
  for (int64_t h = 0; h < line.phases; h++, to += line.pitch) {
    const int64_t first = line.begin(h), last = line.end(h), from = line.low + h + first * line.step;
    std::fill(to, to + first, 0);
    if (line.step == 1)
      std::memcpy(to + first, x + from, (last - first) * sizeof(uint16_t));
    else if (line.step == 2)
      for (int64_t u = first; u < last; u += TILE)
        _mm256_mask_storeu_epi16(to + u, static_cast<__mmask16>(lanes(0, std::min(last - u, TILE))),
                                 _mm512_cvtepi32_epi16(widened(x + from + 2 * (u - first), 2, last - u)));
    else
      for (int64_t u = first; u < last; u++) to[u] = x[from + (u - first) * line.step];
    std::fill(to + last, to + line.pitch, 0);
  }
}

// ---- the convolution, and its gradient by the input --------------------------------------------------------------------

class Gathered {
 public:
  explicit Gathered(const Problem<uint16_t>& problem) : p(problem), form(p.axis, p.size) {
    taps = static_cast<int64_t>(form.offsets.size());
    pairs = (p.channels + 1) / 2;
    pixels = p.size[0] * p.size[1] * p.size[2];
    result = p.result[0] * p.result[1] * p.result[2];
    panels = parts_of(p.features, LINES);
    for (int64_t c = 0; c < pairs; c++)
      for (const int64_t o : form.offsets) offsets.push_back(c * form.plane + o);
    offsets.resize(parts_of(pairs * taps, TILE) * TILE);
  }

  void run() {
    const Slices slices(2 * pairs * taps);
    pack_weights(slices);
    const int64_t image = p.groups * pairs * form.plane;  // words
    const int64_t together = std::clamp<int64_t>(AT_A_TIME / static_cast<int64_t>(image * sizeof(uint32_t)), 1, p.images);
    std::vector<float> bias;
    if (p.bias) {
      bias.resize(p.groups * p.features);
      widen(Real::BFLOAT16, bias.data(), p.bias, p.groups * p.features);
    }
    for (int64_t n = 0; n < p.images; n += together) {
      const int64_t some = std::min(together, p.images - n);
      uint32_t* input = words(some * image, FORM);
      parallel(some * p.groups * pairs, grain_of(form.plane), [&](int64_t begin, int64_t end) {
        for (int64_t i = begin; i < end; i++) {
          const int64_t c = 2 * (i % pairs), group = i / pairs;  // of all images
          const uint16_t* x = p.x + ((n * p.groups + group) * p.channels + c) * pixels;
          uint32_t* plane = input + i * form.plane;
          form.each_line([&](int64_t to, int64_t from) {
            if (from < 0) std::fill(plane + to, plane + to + form.line.floats(), 0);
            else pair_line(form.line, x + from, c + 1 < p.channels ? x + from + pixels : nullptr, plane + to);
          });
        }
      });
      multiply(slices, n, some, input, bias.empty() ? nullptr : bias.data());
    }
  }

 private:
  // Panels of features, [group][slice][panel].
  void pack_weights(const Slices& slices) {
    const int64_t panel = 2 * WORDS * slices.steps;
    weights = words(p.groups * panels * panel, WEIGHTS);
    const int64_t depth = slices.steps * TILE;
    std::vector<int64_t> at;  // of the taps
    for (const int64_t z : p.axis[0].index)
      for (const int64_t y : p.axis[1].index)
        for (const int64_t x : p.axis[2].index) at.push_back((z * p.kernel[1] + y) * p.kernel[2] + x);
    const bool in_order = taps == p.kernel[0] * p.kernel[1] * p.kernel[2];
    parallel(p.groups * panels, grain_of(LINES * depth, 1 << 13), [&](int64_t begin, int64_t end) {
      for (int64_t u = begin; u < end; u++) {
        const int64_t group = u / panels, i = u % panels;
        const uint16_t* source = p.weight + group * p.by_group;
        uint32_t* to = weights + group * panels * panel;
        if (taps == 1 && (p.by_channel == 1 || p.by_feature == 1)) {
          const bool along = p.by_channel == 1;
          pack({source + at[0], along ? p.by_feature : p.by_channel, p.features, p.channels, along}, slices, i, i + 1, 0,
               panels, true, to);
          continue;
        }
        uint32_t* line = words(depth + TILE, PANELS);
        for (int64_t f = 0; f < LINES; f++) {
          const bool there = i * LINES + f < p.features;
          const uint16_t* w = source + (i * LINES + f) * p.by_feature;
          for (int64_t c = 0; there && c < pairs; c++, w += 2 * p.by_channel) {
            const uint16_t* second = 2 * c + 1 < p.channels ? w + p.by_channel : nullptr;
            uint32_t* own = line + c * taps;
            if (in_order)  // what is written too much is written anew
              pair_taps(w, second, taps, own);
            else
              for (int64_t t = 0; t < taps; t++) own[t] = w[at[t]] | (second ? static_cast<uint32_t>(second[at[t]]) << 16 : 0);
          }
          std::fill(line + (there ? pairs * taps : 0), line + depth, 0);
          for (int64_t s = 0; s < slices.count; s++)
            for (int64_t step = 0; step < slices.size(s); step++)
              std::memcpy(to + slices.place(s, i, panels) + 2 * WORDS * step + f * TILE, line + (s * slices.each + step) * TILE,
                          TILE * sizeof(uint32_t));
        }
      }
    });
  }

  // Of `some` images, from number n on.
  void multiply(const Slices& slices, int64_t n, int64_t some, const uint32_t* input, const float* bias) const {
    const int64_t outputs = some * form.outputs(), columns = parts_of(outputs, LINES), blocks = parts_of(columns, GROUP);
    const int64_t parts = std::clamp<int64_t>(TASKS / (blocks * p.groups), 1, panels), each = parts_of(panels, parts);
    const int64_t count = parts_of(panels, each), image = p.groups * pairs * form.plane;
    const int64_t rows = p.axis[0].count * p.axis[1].count, width = p.axis[2].count;
    const bool several = slices.count > 1;
    parallel(p.groups * blocks * count, grain_of(GROUP * each * slices.steps, 64), [&](int64_t begin, int64_t end) {
      uint32_t* packed = words(GROUP * 2 * WORDS * slices.each, PANELS);
      float* sums = scratch((several ? GROUP * each : 1) * LINES * LINES, SUMS);
      std::vector<Run> inputs[2 * GROUP], results[2 * GROUP];
      const Products product;
      for (int64_t task = begin; task < end; task++) {
        const int64_t first = task % count * each, last = std::min(panels, first + each), group = task / count % p.groups;
        const int64_t left = task / count / p.groups * GROUP, right = std::min(columns, left + GROUP);
        for (int64_t i = 0; i < 2 * (right - left); i++) {
          const int64_t from = (2 * left + i) * TILE;
          find_runs(inputs[i], from, TILE, outputs, rows, width, 1,
                    [&](int64_t m, int64_t row) { return m * image + form.base(row); });
          find_runs(results[i], from, TILE, outputs, rows, width, p.axis[2].spread,
                    [&](int64_t m, int64_t row) { return place(n + m, row); });
        }
        const uint32_t* own = input + group * pairs * form.plane;
        const uint32_t* w = weights + group * panels * 2 * WORDS * slices.steps;
        for (int64_t s = 0; s < slices.count; s++) {
          const int64_t steps = slices.size(s);
          for (int64_t q = left; q < right; q++) {
            uint32_t* panel = packed + (q - left) * 2 * WORDS * slices.each;
            for (int64_t step = 0; step < steps; step++)
              for (int64_t half = 0; half < 2; half++) {
                const int64_t k = (s * slices.each + step) * TILE;
                __m512i tile[TILE];
                gather_tile(own, inputs[2 * (q - left) + half], &offsets[k], std::min(TILE, pairs * taps - k), tile);
                put(panel + (2 * step + half) * WORDS, tile);
              }
            for (int64_t f = first; f < last; f++) {
              float* place = sums + (several ? ((q - left) * each + f - first) * LINES * LINES : 0);
              const int64_t high = std::min(LINES, p.features - f * LINES), wide = std::min(LINES, outputs - q * LINES);
              product(w + slices.place(s, f, panels), panel, steps, high > TILE, wide > TILE, s > 0, place);
              if (s == slices.count - 1) deliver(place, group * p.features + f * LINES, high, &results[2 * (q - left)], bias);
            }
          }
        }
      }
    });
  }

  // Where a row of outputs begins in the result, of its first feature.
  int64_t place(int64_t image, int64_t row) const {
    const Axis &z = p.axis[0], &y = p.axis[1], &x = p.axis[2];
    return image * p.groups * p.features * result +
           ((z.start + row / y.count * z.spread) * p.result[1] + y.start + row % y.count * y.spread) * p.result[2] + x.start;
  }

  void deliver(const float* sums, int64_t feature, int64_t high, const std::vector<Run>* runs, const float* bias) const {
    const int64_t spread = p.axis[2].spread;
    for (int64_t r = 0; r < high; r++, sums += LINES) {
      uint16_t* y = p.y + (feature + r) * result;
      for (int64_t half = 0; half < 2; half++) {
        vf x = load(sums + half * TILE);
        if (bias) x += broadcast(bias[feature + r]);
        const halves found = narrow_bfloat16(x);
        for (const Run& run : runs[half])
          if (spread == 1)
            _mm256_mask_storeu_epi16(y + run.place, static_cast<__mmask16>(run.lanes), (__m256i)found);
          else
            for (int64_t l = 0; l < TILE; l++)
              if (run.lanes >> l & 1) y[run.place + l * spread] = found[l];
      }
    }
  }

  const Problem<uint16_t>& p;
  Form form;
  int64_t taps, pairs, pixels, result, panels;
  std::vector<int64_t> offsets;  // of the pairs, which are the rows of tiles
  uint32_t* weights = nullptr;
};

// ---- the gradient by the weight ----------------------------------------------------------------------------------------

// As products of lines (channel and tap) with features, over the outputs of all images.
class WeightGrad {
 public:
  WeightGrad(const Windows& at, uint16_t* dw, const uint16_t* g, const uint16_t* x, int64_t images, int64_t groups,
             int64_t channels, int64_t features)
      : axis{axis_of(at, 0), axis_of(at, 1), axis_of(at, 2)}, at(at), form(axis, at.size), dw(dw), g(g), x(x), images(images),
        groups(groups), channels(channels), features(features), rows(channels * at.area()), panels(parts_of(rows, LINES)),
        columns(parts_of(features, LINES)), plain(form.is_plane()), image(groups * channels * form.plane) {
    for (int64_t c = 0; c < channels; c++)
      for (const int64_t o : form.offsets) offsets.push_back(c * form.plane + o);
    offsets.resize(panels * LINES);
  }

  void run() {
    const int64_t bytes = sizeof(uint16_t) * std::max(image, groups * features * at.count());
    const int64_t together = std::clamp<int64_t>(AT_A_TIME / bytes, 1, images), blocks = parts_of(panels, GROUP);
    // Few tasks: the outputs are divided too, and the sums added up at the end.
    const int64_t parts = std::clamp<int64_t>(TASKS / (blocks * groups), 1, Slices(together * at.count()).count);
    float* sums = scratch(parts * groups * panels * columns * LINES * LINES, SUMS);
    for (int64_t n = 0; n < images; n += together) {
      const int64_t some = std::min(together, images - n);
      const Slices slices(some * at.count());
      const uint16_t* input = plain ? x + n * image : formed(n, some);
      const uint32_t* gradient = pack_gradient(slices, n, some);
      parallel(parts * groups * blocks, 1, [&](int64_t begin, int64_t end) {
        const Products product;
        for (int64_t task = begin; task < end; task++) {
          const int64_t first = task % blocks * GROUP, group = task / blocks % groups, part = task / blocks / groups;
          add_up(slices, part * slices.count / parts, (part + 1) * slices.count / parts, some,
                 input + group * channels * form.plane, gradient + group * columns * 2 * WORDS * slices.steps, first,
                 std::min(panels, first + GROUP), n > 0, product,
                 sums + ((part * groups + group) * panels + first) * columns * LINES * LINES);
        }
      });
    }
    parallel(groups * panels * columns, grain_of(parts * LINES * LINES), [&](int64_t begin, int64_t end) {
      for (int64_t i = begin; i < end; i++) {
        float* own = sums + i * LINES * LINES;
        for (int64_t part = 1; part < parts; part++) {
          const float* more = own + part * groups * panels * columns * LINES * LINES;
          for (int64_t j = 0; j < LINES * LINES; j += LANES) store(own + j, load(own + j) + load(more + j));
        }
        deliver(own, i / columns / panels, i / columns % panels * LINES, i % columns * LINES);
      }
    });
  }

 private:
  const uint16_t* formed(int64_t n, int64_t some) const {
    uint16_t* input = reinterpret_cast<uint16_t*>(words(some * image / 2 + 1, FORM));
    parallel(some * groups * channels, grain_of(form.plane), [&](int64_t begin, int64_t end) {
      for (int64_t i = begin; i < end; i++) {
        const uint16_t* plane = x + (n * groups * channels + i) * at.pixels();
        form.each_line([&](int64_t to, int64_t from) {
          uint16_t* line = input + i * form.plane + to;
          if (from < 0) std::fill(line, line + form.line.floats(), 0);
          else single_line(form.line, plane + from, line);
        });
      }
    });
    return input;
  }

  // Panels of features, [group][slice][panel].
  const uint32_t* pack_gradient(const Slices& slices, int64_t n, int64_t some) const {
    const int64_t panel = 2 * WORDS * slices.steps, count = at.count(), each_image = groups * features * count;
    uint32_t* all = words(groups * columns * panel, WEIGHTS);
    parallel(slices.steps, grain_of(groups * columns * LINES * DEPTH), [&](int64_t begin, int64_t end) {
      std::vector<Run> runs;
      for (int64_t step = begin; step < end; step++) {
        find_runs(runs, step * DEPTH, DEPTH, some * count, 1, count, 1, [&](int64_t m, int64_t) { return m * each_image; });
        const int64_t s = step / slices.each, within = step % slices.each;
        for (int64_t u = 0; u < groups * columns; u++) {
          uint32_t* to = all + u / columns * columns * panel + slices.place(s, u % columns, columns) + 2 * WORDS * within;
          for (int64_t f = u % columns * LINES, half = 0; half < 2; half++, f += TILE) {
            int64_t at_feature[TILE];
            for (int64_t i = 0; i < TILE; i++) at_feature[i] = i * count;
            __m512i tile[TILE];
            gather_tile(g + n * each_image + (u / columns * features + f) * count, runs, at_feature,
                        std::clamp<int64_t>(features - f, 0, TILE), tile);
            vf turned[TILE];
            for (int64_t i = 0; i < TILE; i++) turned[i] = (vf)tile[i];
            turn(turned);
            for (int64_t i = 0; i < TILE; i++) store(reinterpret_cast<float*>(to + half * WORDS + i * TILE), turned[i]);
          }
        }
      }
    });
    return all;
  }

  // sums [panel][column] (+)= the products of panels [first, last) over slices [from, to).
  void add_up(const Slices& slices, int64_t from, int64_t to, int64_t some, const uint16_t* input, const uint32_t* gradient,
              int64_t first, int64_t last, bool on, const Products& product, float* sums) const {
    uint32_t* packed = words(GROUP * 2 * WORDS * slices.each, PANELS);
    std::vector<Run> runs;
    for (int64_t s = from; s < to; s++, on = true) {
      const int64_t steps = slices.size(s);
      for (int64_t step = 0; step < steps; step++) {
        find_runs(runs, (s * slices.each + step) * DEPTH, DEPTH, some * at.count(), at.out[0] * at.out[1], at.out[2], 1,
                  [&](int64_t m, int64_t row) { return m * image + form.base(row); });
        for (int64_t p = first; p < last; p++)
          for (int64_t half = 0; half < 2; half++) {
            const int64_t line = p * LINES + half * TILE;
            __m512i tile[TILE];
            gather_tile(input, runs, &offsets[line], std::clamp<int64_t>(rows - line, 0, TILE), tile);
            put(packed + ((p - first) * slices.each + step) * 2 * WORDS + half * WORDS, tile);
          }
      }
      for (int64_t p = first; p < last; p++)
        for (int64_t q = 0; q < columns; q++)
          product(packed + (p - first) * slices.each * 2 * WORDS, gradient + slices.place(s, q, columns), steps,
                  rows - p * LINES > TILE, features - q * LINES > TILE, on, sums + ((p - first) * columns + q) * LINES * LINES);
    }
  }

  void deliver(const float* sums, int64_t group, int64_t line, int64_t feature) const {
    for (int64_t i = line; i < std::min(line + LINES, rows); i += TILE)
      for (int64_t j = feature; j < std::min(feature + LINES, features); j += TILE) {
        vf tile[TILE];
        for (int64_t r = 0; r < TILE; r++) tile[r] = load(sums + (i - line + r) * LINES + j - feature);
        turn(tile);
        for (int64_t f = 0; f < std::min(TILE, features - j); f++)
          _mm256_mask_storeu_epi16(dw + (group * features + j + f) * rows + i,
                                   static_cast<__mmask16>(lanes(0, std::min(TILE, rows - i))),
                                   (__m256i)narrow_bfloat16(tile[f]));
      }
  }

  const Axis axis[3];
  const Windows& at;
  Form form;
  uint16_t* dw;
  const uint16_t *g, *x;
  int64_t images, groups, channels, features, rows, panels, columns;
  bool plain;
  int64_t image;
  std::vector<int64_t> offsets;  // of the rows
};

}  // namespace

void gathered_product(const Problem<uint16_t>& problem) { Gathered(problem).run(); }

void weight_grad(const Windows& at, uint16_t* dw, const uint16_t* g, const uint16_t* x, int64_t images, int64_t groups,
                 int64_t channels, int64_t features) {
  WeightGrad(at, dw, g, x, images, groups, channels, features).run();
}

}  // namespace gpunet::cpu

#else

namespace gpunet::cpu {

void gathered_product(const Problem<uint16_t>&) {}
void weight_grad(const Windows&, uint16_t*, const uint16_t*, const uint16_t*, int64_t, int64_t, int64_t, int64_t) {}

}  // namespace gpunet::cpu

#endif
