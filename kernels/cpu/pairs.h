// Tiles of pairs of bfloat16, for products that AMX computes, or AVX-512's dot products of pairs where there is no AMX.
//
// A tile has 16 lines and 16 pairs of neighbours in k: of the left factor as [line][pair], of the right one as
// [pair][line]. A panel is 32 lines, two tiles for each step of 32 of k; what stands over is 0. Sums are floats, in the
// order of k. GPUNET_PAIRS says whether the processor that the library is built for has such products.
#pragma once
#include <algorithm>
#include <cstring>

#include "halves.h"
#include "pool.h"
#include "transpose.h"

#if defined(__AVX512BF16__) && defined(__AVX512BW__) && defined(__AVX512VL__)
#include <immintrin.h>
#define GPUNET_PAIRS 1
#if defined(__AMX_BF16__) && defined(__linux__)
#include <sys/syscall.h>
#include <unistd.h>
#define GPUNET_AMX 1
#endif

namespace gpunet::cpu {

constexpr int64_t TILE = 16, DEPTH = 2 * TILE, LINES = 2 * TILE;  // lines of a tile; of k in it; lines of a panel
constexpr int64_t WORDS = TILE * TILE;                            // pairs in a tile
constexpr int64_t SLICE = 16;                                     // steps of k: 32 KB of a panel

inline int64_t parts_of(int64_t total, int64_t each) { return (total + each - 1) / each; }

// 16 vectors as the columns of what they were: four times the first half and the second one in turn.
GPUNET_INLINE void turn(vf (&r)[TILE]) {
  for (int round = 0; round < 4; round++) {
    vf t[TILE];
    for (int i = 0; i < TILE / 2; i++) {
      t[2 * i] = zip_low(r[i], r[i + TILE / 2]);
      t[2 * i + 1] = zip_high(r[i], r[i + TILE / 2]);
    }
    for (int i = 0; i < TILE; i++) r[i] = t[i];
  }
}

// A factor's numbers: line i and k at x[i * ld + k] if along_k, else at x[k * ld + i]. A number of float16 is the sum of two
// of bfloat16, its parts 0 and 1: products of these have no more error than those of float16.
struct Factor {
  const uint16_t* x;
  int64_t ld, lines, k;
  bool along_k;
  bool float16 = false;
};

// Every second one of 64.
alignas(64) inline constexpr uint16_t ODD[DEPTH] = {1,  3,  5,  7,  9,  11, 13, 15, 17, 19, 21, 23, 25, 27, 29, 31,
                                                    33, 35, 37, 39, 41, 43, 45, 47, 49, 51, 53, 55, 57, 59, 61, 63};

// A part of 16 finite numbers of float16, in the upper half of 32 bits each; the rest of part 0 is to be ignored.
GPUNET_INLINE __m512i part_of(__m256i x, int64_t part) {
  const vf own = widen_float16((halves)x);
  const vf upper = (vf)((vu)own & 0xffff0000u);
  return (__m512i)(part ? own - upper : own);
}

// The tile of lines from `line` and of k from `depth` on. line_first: as [line][pair].
inline void pack_tile(const Factor& f, int64_t line, int64_t depth, bool line_first, uint32_t* to, int64_t part = 0) {
  const int64_t lines = std::clamp<int64_t>(f.lines - line, 0, TILE), some = std::min(f.k - depth, DEPTH);
  const __m512i upper = _mm512_set1_epi32(static_cast<int>(0xffff0000u));
  vf r[TILE];  // in registers: what is not there is masked, which reads nothing
  if (f.along_k) {
    const __mmask32 mask = static_cast<__mmask32>((uint64_t{1} << some) - 1);
    for (int i = 0; i < TILE; i++) {
      __m512i x = _mm512_maskz_loadu_epi16(i < lines ? mask : 0, f.x + (line + i) * f.ld + depth);
      if (f.float16)
        x = _mm512_permutex2var_epi16(part_of(_mm512_castsi512_si256(x), part), _mm512_load_si512(ODD),
                                      part_of(_mm512_extracti64x4_epi64(x, 1), part));
      r[i] = (vf)x;
    }
  } else {
    const __mmask16 mask = static_cast<__mmask16>((1u << lines) - 1);
    const auto at = [&](int64_t k) { return _mm256_maskz_loadu_epi16(k < some ? mask : 0, f.x + (depth + k) * f.ld + line); };
    for (int p = 0; p < TILE; p++)
      if (f.float16)
        r[p] = (vf)_mm512_or_si512(_mm512_srli_epi32(part_of(at(2 * p), part), 16),
                                   _mm512_and_si512(part_of(at(2 * p + 1), part), upper));
      else
        r[p] = (vf)_mm512_or_si512(_mm512_cvtepu16_epi32(at(2 * p)), _mm512_slli_epi32(_mm512_cvtepu16_epi32(at(2 * p + 1)), 16));
  }
  if (f.along_k != line_first) turn(r);
  for (int i = 0; i < TILE; i++) store(reinterpret_cast<float*>(to + i * TILE), r[i]);
}

// The slices of k, about equally long.
struct Slices {
  int64_t steps, count, each;
  // products: of parts, for each step of k.
  explicit Slices(int64_t k, int64_t products = 1) : steps(products * parts_of(k, DEPTH)) {
    count = std::max<int64_t>(1, parts_of(steps, SLICE + SLICE / 2));
    each = std::max<int64_t>(1, parts_of(steps, count));
    count = std::max<int64_t>(1, parts_of(steps, each));
  }
  int64_t size(int64_t i) const { return std::min(each, steps - i * each); }
  // Where a slice of one of some packed panels begins.
  int64_t place(int64_t i, int64_t panel, int64_t panels) const { return 2 * WORDS * (i * each * panels + panel * size(i)); }
};

// Panels [begin, end) of what stands from panel `origin` on, `panels` in all. Each step of float16 comes four times, so that
// all parts of one factor meet all of the other.
inline void pack(const Factor& f, const Slices& slices, int64_t begin, int64_t end, int64_t origin, int64_t panels, bool line_first,
                 uint32_t* to) {
  const auto put = [&](int64_t slice, int64_t panel, int64_t step) {
    uint32_t* place = to + slices.place(slice, panel - origin, panels) + 2 * WORDS * step;
    const int64_t at = slice * slices.each + step, k = f.float16 ? at / 4 : at, part = line_first ? at / 2 % 2 : at % 2;
    for (int64_t half = 0; half < 2; half++)
      pack_tile(f, panel * LINES + half * TILE, k * DEPTH, line_first, place + half * WORDS, part);
  };
  for (int64_t i = 0; i < slices.count; i++) {  // along memory
    if (f.along_k) {
      for (int64_t panel = begin; panel < end; panel++)
        for (int64_t step = 0; step < slices.size(i); step++) put(i, panel, step);
    } else {
      for (int64_t step = 0; step < slices.size(i); step++)
        for (int64_t panel = begin; panel < end; panel++) put(i, panel, step);
    }
  }
}

#if defined(GPUNET_AMX)
// The system lets a process use the tiles' registers when it is asked (arch_prctl, ARCH_REQ_XCOMP_PERM, XTILEDATA).
inline bool tiles_allowed() {
  static const bool allowed = syscall(SYS_arch_prctl, 0x1023, 18) == 0;
  return allowed;
}

struct alignas(64) Configuration {
  uint8_t palette = 1, start_row = 0, reserved[14] = {};
  uint16_t bytes[16] = {64, 64, 64, 64, 64, 64, 64, 64};
  uint8_t rows[16] = {16, 16, 16, 16, 16, 16, 16, 16};
};

inline void multiply_tiles(const uint32_t* a, const uint32_t* b, int64_t steps, bool high, bool wide, bool on, float* sums,
                           int64_t ld) {
  if (on) {
    _tile_loadd(0, sums, ld * 4);
    _tile_loadd(1, sums + TILE, ld * 4);
    _tile_loadd(2, sums + TILE * ld, ld * 4);
    _tile_loadd(3, sums + TILE * ld + TILE, ld * 4);
  } else {
    _tile_zero(0);
    _tile_zero(1);
    _tile_zero(2);
    _tile_zero(3);
  }
  for (int64_t i = 0; i < steps; i++, a += 2 * WORDS, b += 2 * WORDS) {
    _tile_loadd(4, a, 64);
    _tile_loadd(6, b, 64);
    _tile_dpbf16ps(0, 4, 6);
    if (wide) {
      _tile_loadd(7, b + WORDS, 64);
      _tile_dpbf16ps(1, 4, 7);
    }
    if (!high) continue;
    _tile_loadd(5, a + WORDS, 64);
    _tile_dpbf16ps(2, 5, 6);
    if (wide) _tile_dpbf16ps(3, 5, 7);
  }
  _tile_stored(0, sums, ld * 4);
  _tile_stored(1, sums + TILE, ld * 4);
  _tile_stored(2, sums + TILE * ld, ld * 4);
  _tile_stored(3, sums + TILE * ld + TILE, ld * 4);
}
#endif

inline void multiply_vectors(const uint32_t* first_a, const uint32_t* first_b, int64_t steps, bool high, bool wide, bool on,
                             float* sums, int64_t ld) {
  for (int64_t row = 0; row < (high ? 2 : 1); row++)
    for (int64_t column = 0; column < (wide ? 2 : 1); column++) {
      const uint32_t *a = first_a + row * WORDS, *b = first_b + column * WORDS;
      float* place = sums + row * TILE * ld + column * TILE;
      __m512 sum[TILE] = {};
      for (int64_t r = 0; on && r < TILE; r++) sum[r] = _mm512_loadu_ps(place + r * ld);
      for (int64_t i = 0; i < steps; i++, a += 2 * WORDS, b += 2 * WORDS)
        for (int64_t p = 0; p < TILE; p++) {
          const __m512bh of_b = (__m512bh)_mm512_loadu_si512(b + p * TILE);
          for (int64_t r = 0; r < TILE; r++)
            sum[r] = _mm512_dpbf16_ps(sum[r], (__m512bh)_mm512_set1_epi32(static_cast<int>(a[r * TILE + p])), of_b);
        }
      for (int64_t r = 0; r < TILE; r++) _mm512_storeu_ps(place + r * ld, sum[r]);
    }
}

// What multiplies panels, for as long as it lives; in the thread that has made it.
class Products {
 public:
  Products() {
#if defined(GPUNET_AMX)
    static const Configuration configuration;
    if (tiles_allowed()) _tile_loadconfig(&configuration), multiply_ = multiply_tiles;
#endif
  }
  ~Products() {
#if defined(GPUNET_AMX)
    if (tiles_allowed()) _tile_release();
#endif
  }
  Products(const Products&) = delete;

  // sums [32, 32], of rows `ld` apart, (+)= the product of two panels; high, wide: whether their second tiles count; on:
  // whether to add.
  void operator()(const uint32_t* a, const uint32_t* b, int64_t steps, bool high, bool wide, bool on, float* sums,
                  int64_t ld = LINES) const {
    multiply_(a, b, steps, high, wide, on, sums, ld);
  }

 private:
  decltype(&multiply_vectors) multiply_ = multiply_vectors;
};


}  // namespace gpunet::cpu

#endif
