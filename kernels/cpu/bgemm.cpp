// Products of matrices of half types. Both factors are packed into panels of pairs (pairs.h), float16 as its two parts. A
// slice of k of B's panel stays in the first cache while a block of A's panels passes, which stays in the second. With few
// rows B is read once, where it lies.
#include "bgemm.h"

#include <atomic>
#include <vector>

#include "args.h"
#include "pairs.h"

#if defined(GPUNET_PAIRS)
namespace gpunet::cpu {
namespace {

constexpr int64_t BLOCK = 8, GROUP = 8;  // panels of A, and of B, at a time
constexpr int64_t FEW = 8;               // rows for which B is not packed

// c = act(sums + bias) for n neighbours.
inline void finish(Real type, const float* sums, const float* bias, Act act, int64_t n, uint16_t* c) {
  for (int64_t j = 0; j < n; j += LANES) {
    const __mmask16 some = n - j >= LANES ? 0xffff : first(n - j);
    vf x = load(sums + j);  // a row of a tile is there to its end
    if (bias) x += (vf)_mm512_maskz_loadu_ps(some, bias + j);
    if (act == Act::relu) x = x <= 0.f ? zero() : x;
    else if (act == Act::gelu) x = vgelu(x);
    else if (act == Act::gelu_tanh) x = vgelu_tanh(x);
    _mm256_mask_storeu_epi16(c + j, some, (__m256i)(type == Real::FLOAT16 ? narrow_float16(x) : narrow_bfloat16(x)));
  }
}

// M rows of A, [M][k up to whole vectors], by all of B.
template <int M> void multiply_few(const uint16_t* a, int64_t steps, const Factor& b, int64_t m, uint16_t* c, int64_t ldc,
                                   const Epilogue& epilogue) {
  constexpr int64_t COLUMNS = M > 4 ? 2 : 4;  // along k: columns whose sums are in registers
  const int64_t depth = steps * DEPTH;
  const auto of_a = [&](int64_t row, int64_t k) { return (__m512bh)_mm512_loadu_si512(a + row * depth + k); };
  parallel(parts_of(b.lines, TILE), grain_of(TILE * b.k), [&](int64_t begin, int64_t end) {
    for (int64_t j = begin * TILE; j < std::min(end * TILE, b.lines); j += TILE) {
      const int64_t columns = std::min(TILE, b.lines - j);
      float sums[M][TILE] = {};
      if (b.along_k) {
        for (int64_t own = 0; own < columns; own += COLUMNS) {
          __m512 sum[M][COLUMNS] = {};
          for (int64_t k = 0; k < b.k; k += DEPTH) {
            const __mmask32 mask = static_cast<__mmask32>((uint64_t{1} << std::min(b.k - k, DEPTH)) - 1);
            for (int64_t q = 0; q < COLUMNS; q++) {
              const int64_t column = j + std::min(own + q, columns - 1);
              const __m512bh of_b = (__m512bh)_mm512_maskz_loadu_epi16(mask, b.x + column * b.ld + k);
              for (int r = 0; r < M; r++) sum[r][q] = _mm512_dpbf16_ps(sum[r][q], of_a(r, k), of_b);
            }
          }
          for (int r = 0; r < M; r++)
            for (int64_t q = 0; q < COLUMNS && own + q < columns; q++) sums[r][own + q] = _mm512_reduce_add_ps(sum[r][q]);
        }
      } else {
        const __mmask16 mask = static_cast<__mmask16>((1u << columns) - 1);
        __m512 sum[M] = {};
        for (int64_t k = 0; k < b.k; k += 2) {
          const auto row = [&](int64_t at) {
            return at < b.k ? _mm512_cvtepu16_epi32(_mm256_maskz_loadu_epi16(mask, b.x + at * b.ld + j)) : __m512i{};
          };
          const __m512bh of_b = (__m512bh)_mm512_or_si512(row(k), _mm512_slli_epi32(row(k + 1), 16));
          for (int r = 0; r < M; r++) {
            int32_t pair;
            std::memcpy(&pair, a + r * depth + k, sizeof pair);
            sum[r] = _mm512_dpbf16_ps(sum[r], (__m512bh)_mm512_set1_epi32(pair), of_b);
          }
        }
        for (int r = 0; r < M; r++) _mm512_storeu_ps(sums[r], sum[r]);
      }
      for (int64_t r = 0; r < m; r++)
        finish(Real::BFLOAT16, sums[r], epilogue.bias ? epilogue.bias + j : nullptr, epilogue.act, columns, c + r * ldc + j);
    }
  });
}

// The same of float16, in floats: rows of A [m][k], of which at most 4 are computed together.
void multiply_few_float16(const float* a, int64_t m, const Factor& b, uint16_t* c, int64_t ldc, const Epilogue& epilogue) {
  constexpr int64_t ROWS = 4;
  const Float16* of_b = reinterpret_cast<const Float16*>(b.x);
  parallel(parts_of(b.lines, TILE), grain_of(TILE * b.k), [&](int64_t begin, int64_t end) {
    for (int64_t j = begin * TILE; j < std::min(end * TILE, b.lines); j += TILE) {
      const int64_t columns = std::min(TILE, b.lines - j);
      for (int64_t first = 0; first < m; first += ROWS) {
        const int64_t rows = std::min(ROWS, m - first);
        const float* of_a[ROWS];
        for (int64_t r = 0; r < ROWS; r++) of_a[r] = a + (first + std::min(r, rows - 1)) * b.k;
        float sums[ROWS][TILE] = {};
        if (b.along_k) {
          for (int64_t q = 0; q < columns; q++) {
            const Float16* column = of_b + (j + q) * b.ld;
            vf total[ROWS] = {};
            each(b.k, [&](int64_t k, auto get, auto) {
              const vf x = get(column + k);
              for (int64_t r = 0; r < ROWS; r++) total[r] = fmadd(x, get(of_a[r] + k), total[r]);
            });
            for (int64_t r = 0; r < ROWS; r++) sums[r][q] = sum(total[r]);
          }
        } else {
          vf total[ROWS] = {};
          for (int64_t k = 0; k < b.k; k++) {
            const Float16* row = of_b + k * b.ld + j;
            const vf x = columns == TILE ? load(row) : load(row, columns);
            for (int64_t r = 0; r < ROWS; r++) total[r] = fmadd(of_a[r][k], x, total[r]);
          }
          for (int64_t r = 0; r < ROWS; r++) store(sums[r], total[r]);
        }
        for (int64_t r = 0; r < rows; r++)
          finish(Real::FLOAT16, sums[r], epilogue.bias ? epilogue.bias + j : nullptr, epilogue.act, columns,
                 c + (first + r) * ldc + j);
      }
    }
  });
}

// Whether all numbers of float16 are finite. (An infinite one has no parts: its product with a part that is 0 is NaN.)
bool all_finite(const Factor& f) {
  std::atomic<bool> all{true};
  const int64_t rows = f.along_k ? f.lines : f.k, n = f.along_k ? f.k : f.lines;
  parallel(rows, grain_of(n / 8), [&](int64_t begin, int64_t end) {
    __mmask32 found = 0;
    for (int64_t r = begin; r < end; r++)
      for (int64_t i = 0; i < n; i += DEPTH) {
        const __mmask32 mask = static_cast<__mmask32>((uint64_t{1} << std::min(n - i, DEPTH)) - 1);
        const __m512i exponent = _mm512_and_si512(_mm512_maskz_loadu_epi16(mask, f.x + r * f.ld + i), _mm512_set1_epi16(0x7c00));
        found |= _mm512_cmpeq_epi16_mask(exponent, _mm512_set1_epi16(0x7c00));
      }
    if (found) all.store(false, std::memory_order_relaxed);
  });
  return all.load(std::memory_order_relaxed);
}

// Of float16 where not all numbers are finite.
void multiply_floats(bool ta, bool tb, int64_t m, int64_t n, int64_t k, const uint16_t* a, int64_t lda, const uint16_t* b,
                     int64_t ldb, uint16_t* c, int64_t ldc, const Epilogue& epilogue) {
  std::vector<float> left(m * k), right(n * k), sums(m * n);
  for (int64_t r = 0; r < (ta ? k : m); r++) widen(Real::FLOAT16, left.data() + r * (ta ? m : k), a + r * lda, ta ? m : k);
  for (int64_t r = 0; r < (tb ? n : k); r++) widen(Real::FLOAT16, right.data() + r * (tb ? k : n), b + r * ldb, tb ? k : n);
  parallel_sgemm(ta, tb, m, n, k, left.data(), ta ? m : k, right.data(), tb ? k : n, sums.data(), n, false, epilogue);
  for (int64_t r = 0; r < m; r++) narrow(Real::FLOAT16, c + r * ldc, sums.data() + r * n, n);
}

thread_local std::vector<uint32_t> panels_of_a, panels_of_b, sums_of_tasks;

uint32_t* room(std::vector<uint32_t>& panels, int64_t words) {
  if (static_cast<int64_t>(panels.size()) < words + TILE) panels.resize(words + TILE);
  const uintptr_t first = reinterpret_cast<uintptr_t>(panels.data());
  return reinterpret_cast<uint32_t*>((first + 63) / 64 * 64);
}

}  // namespace

bool has_bgemm(Real type) {
#if defined(GPUNET_AMX)
  if (type == Real::FLOAT16) return tiles_allowed();  // else four products take longer than one of floats
#endif
  return type == Real::BFLOAT16;
}

void bgemm(Real type, bool ta, bool tb, int64_t m, int64_t n, int64_t k, const uint16_t* a, int64_t lda, const uint16_t* b,
           int64_t ldb, uint16_t* c, int64_t ldc, const Epilogue& epilogue) {
  const bool float16 = type == Real::FLOAT16;
  const Factor left = {a, lda, m, k, !ta, float16}, right = {b, ldb, n, k, tb, float16};
  if (float16 && m <= FEW) {
    float* own = reinterpret_cast<float*>(room(panels_of_a, m * k));
    for (int64_t i = 0; i < m; i++)
      for (int64_t j = 0; j < k; j++) own[i * k + j] = widen_float16(halves{ta ? a[j * lda + i] : a[i * lda + j]})[0];
    return multiply_few_float16(own, m, right, c, ldc, epilogue);
  }
  if (float16 && !(all_finite(left) && all_finite(right)))
    return multiply_floats(ta, tb, m, n, k, a, lda, b, ldb, c, ldc, epilogue);
  const Slices slices(k, float16 ? 4 : 1);
  const int64_t panel = 2 * WORDS * slices.steps, rows = parts_of(m, LINES), columns = parts_of(n, LINES);
  if (m <= FEW) {
    const int64_t depth = slices.steps * DEPTH;
    uint16_t* own = reinterpret_cast<uint16_t*>(room(panels_of_a, FEW * depth / 2));
    std::memset(own, 0, FEW * depth * sizeof(uint16_t));
    for (int64_t i = 0; i < m; i++)
      for (int64_t j = 0; j < k; j++) own[i * depth + j] = ta ? a[j * lda + i] : a[i * lda + j];
    if (m == 1) return multiply_few<1>(own, slices.steps, right, m, c, ldc, epilogue);
    if (m <= 4) return multiply_few<4>(own, slices.steps, right, m, c, ldc, epilogue);
    return multiply_few<8>(own, slices.steps, right, m, c, ldc, epilogue);
  }
  uint32_t* packed = room(panels_of_b, columns * panel);
  parallel(columns, grain_of(LINES * k / 4), [&](int64_t begin, int64_t end) {
    pack(right, slices, begin, end, 0, columns, false, packed);
  });
  const int64_t groups = parts_of(columns, GROUP), blocks = parts_of(rows, BLOCK);
  // A block of A is packed once for neighbouring groups; where there are few blocks, they are shared.
  parallel(blocks * groups, parts_of(groups, parts_of(8, blocks)), [&](int64_t begin, int64_t end) {
    uint32_t* own = room(panels_of_a, BLOCK * panel);
    float* sums = reinterpret_cast<float*>(room(sums_of_tasks, BLOCK * GROUP * LINES * LINES));
    int64_t there = -1;  // whose panels `own` has
    const Products multiply;
    for (int64_t task = begin; task < end; task++) {
      const int64_t first = task / groups * BLOCK, last = std::min(first + BLOCK, rows);
      const int64_t left_most = task % groups * GROUP, right_most = std::min(left_most + GROUP, columns);
      if (there != first) pack(left, slices, first, last, first, last - first, true, own);
      there = first;
      for (int64_t i = 0; i < slices.count; i++)
        for (int64_t q = left_most; q < right_most; q++)
          for (int64_t p = first; p < last; p++) {
            const int64_t high = std::min(LINES, m - p * LINES), wide = std::min(LINES, n - q * LINES);
            float* place = sums + (slices.count == 1 ? 0 : ((q - left_most) * BLOCK + p - first) * LINES * LINES);
            multiply(own + slices.place(i, p - first, last - first), packed + slices.place(i, q, columns), slices.size(i),
                     high > TILE, wide > TILE, i > 0, place);
            for (int64_t r = 0; i == slices.count - 1 && r < high; r++)
              finish(type, place + r * LINES, epilogue.bias ? epilogue.bias + q * LINES : nullptr, epilogue.act, wide,
                     c + (p * LINES + r) * ldc + q * LINES);
          }
    }
  });
}

}  // namespace gpunet::cpu

#else

namespace gpunet::cpu {

bool has_bgemm(Real) { return false; }
void bgemm(Real, bool, bool, int64_t, int64_t, int64_t, const uint16_t*, int64_t, const uint16_t*, int64_t, uint16_t*, int64_t,
           const Epilogue&) {}

}  // namespace gpunet::cpu

#endif

KERNEL void half_products(const gpunet::cpu::Arg* a) {  // whether `matmul` takes float16, and bfloat16 [2]
  int64_t* found = gpunet::cpu::ptr<int64_t>(a[0]);
  found[0] = gpunet::cpu::has_bgemm(gpunet::cpu::Real::FLOAT16);
  found[1] = gpunet::cpu::has_bgemm(gpunet::cpu::Real::BFLOAT16);
}
