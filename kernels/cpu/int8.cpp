// Products of 8-bit integers, exact in 32 bits: C = A B' with A [m, k] and B [n, k], both with k along memory, so that
// every element is a dot product. A's rows are widened to 16 bits once, from integers or, in a quantized linear layer,
// straight from floats; B's are widened in the loop, as they are read: weights cost memory a quarter of what floats do.
// The inner step multiplies pairs of 16-bit numbers and adds them to 32-bit sums, twice as many a step as floats have.
#include <algorithm>
#include <cstring>
#include <utility>

#include "args.h"
#include "pool.h"
#include "vec.h"
#if defined(__aarch64__)
#include <arm_neon.h>
#endif

using namespace gpunet::cpu;

namespace {

constexpr int64_t WIDE = 2 * LANES;  // 16-bit numbers in a vector
typedef int16_t vs __attribute__((vector_size(4 * LANES)));
typedef int16_t vs_unaligned __attribute__((vector_size(4 * LANES), aligned(2), may_alias));

#if defined(__AVX512F__) || defined(__aarch64__)
constexpr int ROWS = 6;  // 32 registers: 6 x 4 sums, 4 vectors of B
#else
constexpr int ROWS = 3;  // 16: 3 x 4, 4 vectors of B come one after the other
#endif
constexpr int COLS = 4;
constexpr int64_t BLOCK = 16 * ROWS;  // rows of A that pass a panel of B while they stay in the second cache

GPUNET_INLINE vs widen(const int8_t* p) {
#if defined(__AVX512BW__)
  return (vs)_mm512_cvtepi8_epi16(_mm256_loadu_si256(reinterpret_cast<const __m256i*>(p)));
#elif defined(__AVX2__)
  return (vs)_mm256_cvtepi8_epi16(_mm_loadu_si128(reinterpret_cast<const __m128i*>(p)));
#elif defined(__aarch64__)
  return (vs)vmovl_s8(vld1_s8(p));
#else
  vs x;
  for (int i = 0; i < WIDE; i++) x[i] = p[i];
  return x;
#endif
}

// sum + products of pairs. Which lanes are added to which sum does not matter: all sums of a vector are added up.
GPUNET_INLINE vi add_products(vi sum, vs a, vs b) {
#if defined(__AVX512VNNI__)
  return (vi)_mm512_dpwssd_epi32((__m512i)sum, (__m512i)a, (__m512i)b);
#elif defined(__AVX512BW__)
  return sum + (vi)_mm512_madd_epi16((__m512i)a, (__m512i)b);
#elif defined(__AVX2__)
  return sum + (vi)_mm256_madd_epi16((__m256i)a, (__m256i)b);
#elif defined(__aarch64__)
  const int32x4_t low = vmlal_s16((int32x4_t)sum, vget_low_s16((int16x8_t)a), vget_low_s16((int16x8_t)b));
  return (vi)vmlal_high_s16(low, (int16x8_t)a, (int16x8_t)b);
#else
  for (int i = 0; i < LANES; i++) sum[i] += int32_t(a[2 * i]) * b[2 * i] + int32_t(a[2 * i + 1]) * b[2 * i + 1];
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

// The sums of four vectors.
GPUNET_INLINE void totals(const vi (&x)[COLS], int32_t* out) {
#if defined(__AVX2__) && !defined(__AVX512F__)
  const __m256i four = _mm256_hadd_epi32(_mm256_hadd_epi32((__m256i)x[0], (__m256i)x[1]),
                                         _mm256_hadd_epi32((__m256i)x[2], (__m256i)x[3]));
  const __m128i sums = _mm_add_epi32(_mm256_castsi256_si128(four), _mm256_extracti128_si256(four, 1));
  _mm_storeu_si128(reinterpret_cast<__m128i*>(out), sums);
#else
  for (int j = 0; j < COLS; j++) out[j] = total(x[j]);
#endif
}

// Dot products of M rows of A (`step` apart, filled up with zeros) and four rows of B.
template <int M> void tile(const int16_t* a, int64_t step, const int8_t* const* b, int64_t k, int32_t (*out)[COLS]) {
  vi sums[M][COLS] = {};
  const auto add = [&](int64_t q, const int8_t* const* rows, int64_t at) __attribute__((always_inline)) {
#pragma GCC unroll 4
    for (int j = 0; j < COLS; j++) {
      const vs y = widen(rows[j] + at);
#pragma GCC unroll 8
      for (int i = 0; i < M; i++)
        sums[i][j] = add_products(sums[i][j], *reinterpret_cast<const vs_unaligned*>(a + i * step + q), y);
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
#pragma GCC unroll 8
  for (int i = 0; i < M; i++) totals(sums[i], out[i]);
}

template <int... M> void tile_of(int64_t m, const int16_t* a, int64_t step, const int8_t* const* b, int64_t k,
                                 int32_t (*out)[COLS], std::integer_sequence<int, M...>) {
  ((m == M + 1 ? tile<M + 1>(a, step, b, k, out) : void()), ...);
}

inline int64_t padded(int64_t k) { return (k + WIDE - 1) / WIDE * WIDE; }

// Rows of A, widened by fill(row, to), against all of B; store(i, j, sums, columns) takes up to four sums of a row.
template <class Fill, class Store>
void product(int64_t m, int64_t n, int64_t k, const int8_t* b, Fill&& fill, Store&& store) {
  if (m <= 0 || n <= 0) return;
  const int64_t step = padded(k);
  int16_t* a = reinterpret_cast<int16_t*>(scratch((m * step + 1) / 2 + 16));
  parallel(m, grain_of(k), [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; i++) {
      fill(i, a + i * step);
      std::fill(a + i * step + k, a + i * step + step, int16_t{0});
    }
  });
  const int64_t blocks = (m + BLOCK - 1) / BLOCK, rows = std::min(m, BLOCK);
  const int64_t width = std::max<int64_t>(8, (int64_t{1} << 18) / std::max<int64_t>(1, rows * k)) * COLS;  // of a task
  const int64_t groups = (n + width - 1) / width;
  parallel(blocks * groups, grain_of(rows * std::min(n, width) * k, 1 << 18), [&](int64_t begin, int64_t end) {
    for (int64_t task = begin; task < end; task++) {
      const int64_t i0 = task / groups * BLOCK, i1 = std::min(m, i0 + BLOCK);
      const int64_t j0 = task % groups * width, j1 = std::min(n, j0 + width);
      for (int64_t j = j0; j < j1; j += COLS) {
        const int8_t* rows_of_b[COLS];
        for (int64_t c = 0; c < COLS; c++) rows_of_b[c] = b + std::min(j + c, n - 1) * k;
        for (int64_t i = i0; i < i1; i += ROWS) {
          int32_t sums[ROWS][COLS];
          const int64_t count = std::min<int64_t>(ROWS, i1 - i);
          tile_of(count, a + i * step, step, rows_of_b, k, sums, std::make_integer_sequence<int, ROWS>());
          for (int64_t r = 0; r < count; r++) store(i + r, j, sums[r], std::min<int64_t>(COLS, j1 - j));
        }
      }
    }
  });
}

}  // namespace

// c, a, b, m, n, k: int32 = int8 times int8.
KERNEL void int8_matmul(const Arg* args) {
  int32_t* c = ptr<int32_t>(args[0]);
  const int8_t *a = ptr<const int8_t>(args[1]), *b = ptr<const int8_t>(args[2]);
  const int64_t m = args[3].i, n = args[4].i, k = args[5].i;
  product(m, n, k, b,
          [=](int64_t i, int16_t* to) {
            for (int64_t q = 0; q < k; q++) to[q] = a[i * k + q];
          },
          [=](int64_t i, int64_t j, const int32_t* sums, int64_t count) {
            for (int64_t r = 0; r < count; r++) c[i * n + j + r] = sums[r];
          });
}

// y, x, weight, weight_scale, bias or null, scale, zero_point, m, n, k: floats, with x quantized on the way:
// y = scale * weight_scale * sum of (q - zero_point) * weight + bias, q = clamp(round(x / scale) + zero_point).
KERNEL void int8_linear(const Arg* args) {
  float* y = ptr<float>(args[0]);
  const float* x = ptr<const float>(args[1]);
  const int8_t* weight = ptr<const int8_t>(args[2]);
  const float *factor = ptr<const float>(args[3]), *bias = ptr<const float>(args[4]);
  const float scale = *ptr<const float>(args[5]), zero_point = *ptr<const float>(args[6]);
  const int64_t m = args[7].i, n = args[8].i, k = args[9].i;
  const float inverse = 1.f / scale, low = -128.f - zero_point, high = 127.f - zero_point;
  product(m, n, k, weight,
          [=](int64_t i, int16_t* to) {
            const float* row = x + i * k;
            for (int64_t q = 0; q < k; q++) {
              float value = row[q] * inverse;
              value = value > low ? value : low;  // NaN too
              value = value < high ? value : high;
              to[q] = static_cast<int16_t>(static_cast<int32_t>(__builtin_rintf(value)));
            }
          },
          [=](int64_t i, int64_t j, const int32_t* sums, int64_t count) {
            for (int64_t c = 0; c < count; c++)
              y[i * n + j + c] = static_cast<float>(sums[c]) * (scale * factor[j + c]) + (bias ? bias[j + c] : 0.f);
          });
}
