// Products of 8-bit integers, exact in 32 bits: C = A B' with A [m, k] and B [n, k], both with k along memory.
//
// A's rows are written by the caller as the processor multiplies them: with VNNI as bytes from 0 to 255 (numbers moved up
// by 128), four products a lane and instruction; elsewhere as 16-bit numbers, two. What moving adds to a sum is the sum of
// a row of B for each step, which is taken off again. All of it wraps around alike, so that results are exact.
//   With more than a few rows, B is packed first: lanes are rows of B, and PER of its numbers lie side by side. So no sum
// has to be added up across lanes, which would cost more than short sums themselves. With few rows B is read once, where
// it lies, and lanes are along k.
#pragma once
#include <algorithm>
#include <cstring>
#include <utility>

#include "pool.h"
#include "transpose.h"
#include "vec.h"

namespace gpunet::cpu::int8 {

#if defined(__AVX512VNNI__)
constexpr int PER = 4;            // numbers of a row whose products go to one lane
constexpr int32_t MOVED = 128;    // what is added to A's numbers
using Wide = uint8_t;
#else
constexpr int PER = 2;
constexpr int32_t MOVED = 0;
using Wide = int16_t;
#endif
constexpr int64_t WIDE = PER * LANES;  // numbers in a vector
typedef int16_t vs __attribute__((vector_size(4 * LANES)));

#if defined(__AVX512F__) || defined(__aarch64__)
constexpr int ROWS = 6, PANEL = 4;  // 32 registers: 6 x 4 sums, 4 vectors of B
#else
constexpr int ROWS = 4, PANEL = 2;  // 16: 4 x 2
#endif
constexpr int COLS = 4;                // rows of B at a time, where it is not packed
constexpr int64_t WIDTH = PANEL * LANES;
constexpr int64_t BLOCK = 16 * ROWS;   // rows of A that pass a panel of B while they stay in the second cache
constexpr int64_t AT_ONCE = 1 << 20;   // bytes of A that are written before they are multiplied
constexpr int64_t FEW = 20;           // rows for which packing B costs more than it saves

// 32 bits of A in every lane, WIDE numbers of A, and as many of B.
GPUNET_INLINE vi everywhere(const Wide* a) {
  int32_t x;
  std::memcpy(&x, a, 4);
  return x - vi{};
}
GPUNET_INLINE vi numbers(const Wide* a) {
  vi x;
  std::memcpy(&x, a, sizeof x);
  return x;
}
GPUNET_INLINE vi numbers(const int8_t* b) {
#if defined(__AVX512VNNI__)
  return (vi)_mm512_loadu_si512(b);
#elif defined(__AVX512BW__)
  return (vi)_mm512_cvtepi8_epi16(_mm256_loadu_si256(reinterpret_cast<const __m256i*>(b)));
#elif defined(__AVX2__)
  return (vi)_mm256_cvtepi8_epi16(_mm_loadu_si128(reinterpret_cast<const __m128i*>(b)));
#elif defined(__aarch64__)
  return (vi)vmovl_s8(vld1_s8(b));
#else
  vs x;
  for (int i = 0; i < WIDE; i++) x[i] = b[i];
  return (vi)x;
#endif
}

// Each lane's sum and its PER products.
GPUNET_INLINE vi add_products(vi sum, vi a, vi b) {
#if defined(__AVX512VNNI__)
  return (vi)_mm512_dpbusd_epi32((__m512i)sum, (__m512i)a, (__m512i)b);
#elif defined(__AVX512BW__)
  return sum + (vi)_mm512_madd_epi16((__m512i)a, (__m512i)b);
#elif defined(__AVX2__)
  return sum + (vi)_mm256_madd_epi16((__m256i)a, (__m256i)b);
#elif defined(__aarch64__)
  const int16x8_t x = (int16x8_t)a, y = (int16x8_t)b;
  return sum + (vi)vpaddq_s32(vmull_s16(vget_low_s16(x), vget_low_s16(y)), vmull_high_s16(x, y));
#else
  const vs x = (vs)a, y = (vs)b;
  for (int i = 0; i < LANES; i++) sum[i] += int32_t(x[2 * i]) * y[2 * i] + int32_t(x[2 * i + 1]) * y[2 * i + 1];
  return sum;
#endif
}

GPUNET_INLINE int32_t total(vi x) {
#if defined(__AVX512F__)
  return _mm512_reduce_add_epi32((__m512i)x);
#elif defined(__aarch64__)
  return vaddvq_s32((int32x4_t)x);
#else
  for (int w = LANES / 2; w > 0; w /= 2)
    for (int i = 0; i < w; i++) x[i] += x[i + w];
  return x[0];
#endif
}

inline const vi ONES = 0x01010101 - vi{};  // bytes

// ---- B where it lies ---------------------------------------------------------------------------------------------------

// Sums of M rows of A, `step` apart, and COLS rows of B; `offset` times the sum of a row of B is taken off.
template <int M>
void dots(const Wide* a, int64_t step, const int8_t* const* b, int64_t k, int32_t offset, int32_t (*out)[COLS]) {
  vi sums[M][COLS] = {}, of_b[COLS] = {};
  const auto add = [&](int64_t q, const int8_t* const* rows, int64_t at) __attribute__((always_inline)) {
#pragma GCC unroll 4
    for (int j = 0; j < COLS; j++) {
      const vi y = numbers(rows[j] + at);
      if constexpr (MOVED) of_b[j] = add_products(of_b[j], ONES, y);
#pragma GCC unroll 8
      for (int i = 0; i < M; i++) sums[i][j] = add_products(sums[i][j], numbers(a + i * step + q), y);
    }
  };
  int64_t q = 0;
  for (; q + WIDE <= k; q += WIDE) add(q, b, q);
  if (q < k) {  // what lies behind a row may not be read
    int8_t rest[COLS][WIDE] = {};
    const int8_t* rows[COLS];
    for (int j = 0; j < COLS; j++) {
      std::memcpy(rest[j], b[j] + q, static_cast<size_t>(k - q));
      rows[j] = rest[j];
    }
    add(q, rows, 0);
  }
#pragma GCC unroll 4
  for (int j = 0; j < COLS; j++) {
    const uint32_t moved = MOVED ? static_cast<uint32_t>(offset) * static_cast<uint32_t>(total(of_b[j])) : 0;
#pragma GCC unroll 8
    for (int i = 0; i < M; i++) out[i][j] = static_cast<int32_t>(static_cast<uint32_t>(total(sums[i][j])) - moved);
  }
}

// ---- B packed ----------------------------------------------------------------------------------------------------------

inline int64_t groups_of(int64_t k) { return (k + PER - 1) / PER; }

// WIDTH rows of B from b on, of which `rows` are there, as [groups][WIDTH][PER], filled up with zeros; and their sums.
inline void pack(const int8_t* b, int64_t rows, int64_t k, int8_t* to, int32_t* sums) {
  const int64_t groups = groups_of(k);
  if (PER == 4 && k % 4 == 0) {
    transpose(reinterpret_cast<const float*>(b), k / 4, rows, groups, reinterpret_cast<float*>(to), WIDTH, WIDTH);
  } else {
    std::memset(to, 0, static_cast<size_t>(groups * WIDTH * PER));
    for (int64_t c = 0; c < rows; c++) {
      const int8_t* row = b + c * k;
      int8_t* lane = to + c * PER;
      for (int64_t q = 0; q < k / PER; q++) std::memcpy(lane + q * WIDTH * PER, row + q * PER, PER);
      for (int64_t q = k / PER * PER; q < k; q++) lane[q / PER * WIDTH * PER + q % PER] = row[q];
    }
  }
  if constexpr (MOVED) {
    vi all[PANEL] = {};
    for (int64_t g = 0; g < groups; g++)
      for (int v = 0; v < PANEL; v++) all[v] = add_products(all[v], ONES, numbers(to + (g * PANEL + v) * WIDE));
    std::memcpy(sums, all, sizeof all);
  }
}

// Sums of M rows of A and a panel.
template <int M>
void tile(const Wide* a, int64_t step, const int8_t* panel, int64_t groups, vi (*out)[PANEL]) {
  vi sums[M][PANEL] = {};
  for (int64_t g = 0; g < groups; g++, a += PER, panel += WIDTH * PER) {
    vi y[PANEL];
#pragma GCC unroll 4
    for (int v = 0; v < PANEL; v++) y[v] = numbers(panel + v * WIDE);
#pragma GCC unroll 8
    for (int i = 0; i < M; i++) {
      const vi x = everywhere(a + i * step);
#pragma GCC unroll 4
      for (int v = 0; v < PANEL; v++) sums[i][v] = add_products(sums[i][v], x, y[v]);
    }
  }
#pragma GCC unroll 8
  for (int i = 0; i < M; i++)
#pragma GCC unroll 4
    for (int v = 0; v < PANEL; v++) out[i][v] = sums[i][v];
}

template <class F, int... M> void with_rows(int64_t m, F&& f, std::integer_sequence<int, M...>) {
  ((m == M + 1 ? f(std::integral_constant<int, M + 1>()) : void()), ...);
}
template <class F> void with_rows(int64_t m, F&& f) { with_rows(m, f, std::make_integer_sequence<int, ROWS>()); }

// ---- a product ---------------------------------------------------------------------------------------------------------

// fill(i, to) writes the k numbers of row i of A, and may write up to LANES - 1 behind them; each is the one that is meant and, with MOVED, `offset` more.
// Results go to a copy of `to` in each thread: begin(); then store(i, j, sums, columns), sums of row i from row j of B on,
// as many lanes as `columns` says; and done(i0, i1, j0, j1) after those of a block: at most BLOCK rows, from a multiple of
// it on, and WIDTH columns.
template <class Fill, class Results>
void product(int64_t m, int64_t n, int64_t k, const int8_t* b, int32_t offset, Fill&& fill, const Results& to) {
  if (m <= 0 || n <= 0) return;
  const int64_t step = (k + WIDE - 1) / WIDE * WIDE, bytes = step * static_cast<int64_t>(sizeof(Wide));
  const int64_t most = std::max(BLOCK, AT_ONCE / std::max<int64_t>(1, bytes) / BLOCK * BLOCK);  // rows of A
  Wide* a = reinterpret_cast<Wide*>(scratch(std::min(m, most) * bytes / 4 + 16));
  const int64_t panels = (n + WIDTH - 1) / WIDTH, panel_bytes = groups_of(k) * WIDTH * PER;
  const bool packed = m >= FEW;
  int32_t* sums_of_b = nullptr;
  int8_t* panel = nullptr;
  if (packed) {
    sums_of_b = reinterpret_cast<int32_t*>(scratch(panels * WIDTH + panels * panel_bytes / 4, 1));
    panel = reinterpret_cast<int8_t*>(sums_of_b + panels * WIDTH);
    parallel(panels, grain_of(WIDTH * k), [&](int64_t begin, int64_t end) {
      for (int64_t j = begin; j < end; j++)
        pack(b + j * WIDTH * k, std::min(WIDTH, n - j * WIDTH), k, panel + j * panel_bytes, sums_of_b + j * WIDTH);
    });
  }
  for (int64_t start = 0; start < m; start += most) {
    const int64_t count = std::min(most, m - start);
    parallel(count, grain_of(2 * k), [&](int64_t begin, int64_t end) {
      for (int64_t i = begin; i < end; i++) {
        fill(start + i, a + i * step);
        std::fill(a + i * step + k, a + (i + 1) * step, Wide{0});
      }
    });
    if (!packed) {
      const int64_t columns = (n + COLS - 1) / COLS;
      parallel(columns, grain_of(count * COLS * k, 1 << 18), [&](int64_t begin, int64_t end) {
        Results results = to;
        results.begin();
        for (int64_t j = begin * COLS; j < std::min(n, end * COLS); j += COLS) {
          const int8_t* rows[COLS];
          for (int64_t c = 0; c < COLS; c++) rows[c] = b + std::min(j + c, n - 1) * k;
          for (int64_t i = 0; i < count; i += ROWS)
            with_rows(std::min<int64_t>(ROWS, count - i), [&](auto rows_here) {
              constexpr int M = decltype(rows_here)::value;
              int32_t out[M][COLS];
              dots<M>(a + i * step, step, rows, k, offset, out);
              for (int r = 0; r < M; r++) {
                vi sums = {};
                for (int c = 0; c < COLS; c++) sums[c] = out[r][c];
                results.store(start + i + r, j, sums, std::min<int64_t>(COLS, n - j));
              }
            });
          results.done(start, start + count, j, std::min(n, j + COLS));
        }
      });
      continue;
    }
    const int64_t blocks = (count + BLOCK - 1) / BLOCK;
    parallel(blocks * panels, grain_of(std::min(count, BLOCK) * WIDTH * k, 1 << 20), [&](int64_t begin, int64_t end) {
      Results results = to;
      results.begin();
      for (int64_t task = begin; task < end; task++) {
        const int64_t i0 = task / panels * BLOCK, i1 = std::min(count, i0 + BLOCK), j = task % panels;
        vi moved[PANEL] = {};
        if constexpr (MOVED)
          for (int v = 0; v < PANEL; v++) {
            std::memcpy(&moved[v], sums_of_b + j * WIDTH + v * LANES, sizeof(vi));
            moved[v] = (vi)((vu)moved[v] * static_cast<uint32_t>(offset));
          }
        for (int64_t i = i0; i < i1; i += ROWS)
          with_rows(std::min<int64_t>(ROWS, i1 - i), [&](auto rows_here) {
            constexpr int M = decltype(rows_here)::value;
            vi out[M][PANEL];
            tile<M>(a + i * step, step, panel + j * panel_bytes, groups_of(k), out);
            for (int r = 0; r < M; r++)
              for (int v = 0; v < PANEL; v++) {
                const int64_t at = j * WIDTH + v * LANES;
                if (at < n) results.store(start + i + r, at, out[r][v] - moved[v], std::min<int64_t>(LANES, n - at));
              }
          });
        results.done(start + i0, start + i1, j * WIDTH, std::min(n, (j + 1) * WIDTH));
      }
    });
  }
}
// ---- quantized layers --------------------------------------------------------------------------------------------------

// Floats as A's numbers: clamp(round(x / scale) + zero_point, -128, 127) - zero_point, and `offset`.
struct Quantizer {
  typedef Wide narrow __attribute__((vector_size(LANES * sizeof(Wide))));
  float inverse, low, high;
  int32_t offset;
  Quantizer(float scale, float zero_point)
      : inverse(1.f / scale), low(-128.f - zero_point), high(127.f - zero_point),
        offset(MOVED ? MOVED + static_cast<int32_t>(zero_point) : 0) {}

  GPUNET_INLINE narrow operator()(vf x) const {
    constexpr float POINT = 12582912.f;  // 1.5 * 2^23: what is added to it is rounded, and lies in its last bits
    vf value = x * inverse;
    value = select(value > low, value, broadcast(low));  // NaN too
    value = select(value < high, value, broadcast(high));
    return __builtin_convertvector(bits(value + POINT) - bits(broadcast(POINT)) + offset, narrow);
  }
  // n floats; up to LANES - 1 numbers behind them are written, too.
  void operator()(const float* x, int64_t n, Wide* to) const {
    for (int64_t q = 0; q < n; q += LANES) {
      const narrow found = (*this)(q + LANES <= n ? load(x + q) : load(x + q, n - q));
      std::memcpy(to + q, &found, sizeof found);
    }
  }
};

// Sums as the layer's results: times the scale of the input and of the output, and the bias.
struct Scaled {
  float scale;
  const float *factor, *bias;
  GPUNET_INLINE vf operator()(int64_t j, vi sums, int64_t columns) const {
    const bool whole = columns == LANES;
    const vf each = (whole ? load(factor + j) : load(factor + j, columns)) * scale;
    const vf y = __builtin_convertvector(sums, vf) * each;
    return bias ? y + (whole ? load(bias + j) : load(bias + j, columns)) : y;
  }
};

}  // namespace gpunet::cpu::int8
