// Products of bfloat16 matrices. Both factors are packed into tiles of 16 lines by 16 pairs of k, which AMX multiplies,
// or AVX-512's dot products of pairs: A's tile is [line][pair], B's [pair][line]. A panel is 32 lines, two tiles for each
// step of 32 of k; what stands over is 0. With few rows B is read once, where it lies.
#include "bgemm.h"

#include <algorithm>
#include <cstring>
#include <vector>

#include "args.h"
#include "halves.h"
#include "transpose.h"

#if defined(__AVX512BF16__) && defined(__AVX512BW__) && defined(__AVX512VL__)
#include <immintrin.h>
#if defined(__AMX_BF16__) && defined(__linux__)
#include <sys/syscall.h>
#include <unistd.h>
#define GPUNET_AMX 1
#endif

namespace gpunet::cpu {
namespace {

constexpr int64_t TILE = 16, DEPTH = 2 * TILE, LINES = 2 * TILE;  // lines of a tile; of k in it; lines of a panel
constexpr int64_t WORDS = TILE * TILE;                            // pairs in a tile
constexpr int64_t NEAR = 512 << 10;                               // bytes of A that stay in the second cache
constexpr int64_t GROUP = 8;                                      // panels of B at a time
constexpr int64_t FEW = 8;                                        // rows for which B is not packed

inline int64_t parts(int64_t total, int64_t each) { return (total + each - 1) / each; }

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

// A factor's numbers: line i and k at x[i * ld + k] if along_k, else at x[k * ld + i].
struct Factor {
  const uint16_t* x;
  int64_t ld, lines, k;
  bool along_k;
};

// The tile of lines from `line` and of k from `depth` on. line_first: as [line][pair].
inline void pack_tile(const Factor& f, int64_t line, int64_t depth, bool line_first, uint32_t* to) {
  const int64_t lines = std::clamp<int64_t>(f.lines - line, 0, TILE), some = std::min(f.k - depth, DEPTH);
  vf r[TILE] = {};
  if (f.along_k) {
    const __mmask32 mask = static_cast<__mmask32>((uint64_t{1} << some) - 1);
    for (int64_t i = 0; i < lines; i++) r[i] = (vf)_mm512_maskz_loadu_epi16(mask, f.x + (line + i) * f.ld + depth);
  } else if (lines > 0) {
    const __mmask16 mask = static_cast<__mmask16>((1u << lines) - 1);
    const auto at = [&](int64_t k) {
      return k < some ? _mm512_cvtepu16_epi32(_mm256_maskz_loadu_epi16(mask, f.x + (depth + k) * f.ld + line)) : __m512i{};
    };
    for (int64_t p = 0; p < TILE; p++) r[p] = (vf)_mm512_or_si512(at(2 * p), _mm512_slli_epi32(at(2 * p + 1), 16));
  }
  if (f.along_k != line_first) turn(r);
  for (int64_t i = 0; i < TILE; i++) store(reinterpret_cast<float*>(to + i * TILE), r[i]);
}

// Panels [begin, end): of each, for every step of k, its two tiles.
inline void pack(const Factor& f, int64_t begin, int64_t end, bool line_first, uint32_t* to) {
  for (int64_t panel = begin; panel < end; panel++)
    for (int64_t depth = 0; depth < f.k; depth += DEPTH)
      for (int64_t half = 0; half < 2; half++, to += WORDS) pack_tile(f, panel * LINES + half * TILE, depth, line_first, to);
}

#if defined(GPUNET_AMX)
// The system lets a process use the tiles' registers when it is asked (arch_prctl, ARCH_REQ_XCOMP_PERM, XTILEDATA).
bool tiles_allowed() {
  static const bool allowed = syscall(SYS_arch_prctl, 0x1023, 18) == 0;
  return allowed;
}

struct alignas(64) Configuration {
  uint8_t palette = 1, start_row = 0, reserved[14] = {};
  uint16_t bytes[16] = {64, 64, 64, 64, 64, 64, 64, 64};
  uint8_t rows[16] = {16, 16, 16, 16, 16, 16, 16, 16};
};

// sums [32, 32] = the product of two panels; high, wide: whether their second tiles count.
void multiply_tiles(const uint32_t* a, const uint32_t* b, int64_t steps, bool high, bool wide, float* sums) {
  _tile_zero(0);
  _tile_zero(1);
  _tile_zero(2);
  _tile_zero(3);
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
  _tile_stored(0, sums, LINES * 4);
  _tile_stored(1, sums + TILE, LINES * 4);
  _tile_stored(2, sums + TILE * LINES, LINES * 4);
  _tile_stored(3, sums + TILE * LINES + TILE, LINES * 4);
}
#endif

void multiply_vectors(const uint32_t* first_a, const uint32_t* first_b, int64_t steps, bool high, bool wide, float* sums) {
  for (int64_t row = 0; row < (high ? 2 : 1); row++)
    for (int64_t column = 0; column < (wide ? 2 : 1); column++) {
      const uint32_t *a = first_a + row * WORDS, *b = first_b + column * WORDS;
      __m512 sum[TILE] = {};
      for (int64_t i = 0; i < steps; i++, a += 2 * WORDS, b += 2 * WORDS)
        for (int64_t p = 0; p < TILE; p++) {
          const __m512bh of_b = (__m512bh)_mm512_loadu_si512(b + p * TILE);
          for (int64_t r = 0; r < TILE; r++)
            sum[r] = _mm512_dpbf16_ps(sum[r], (__m512bh)_mm512_set1_epi32(static_cast<int>(a[r * TILE + p])), of_b);
        }
      for (int64_t r = 0; r < TILE; r++) _mm512_storeu_ps(sums + (row * TILE + r) * LINES + column * TILE, sum[r]);
    }
}

// c = act(sums + bias) for n neighbours.
inline void finish(const float* sums, const float* bias, Act act, int64_t n, uint16_t* c) {
  for (int64_t j = 0; j < n; j += LANES) {
    const int64_t some = std::min<int64_t>(LANES, n - j);
    vf x = load(sums + j, some);
    if (bias) x += load(bias + j, some);
    if (act == Act::relu) x = x <= 0.f ? zero() : x;
    else if (act == Act::gelu) x = vgelu(x);
    else if (act == Act::gelu_tanh) x = vgelu_tanh(x);
    const halves rounded = narrow_bfloat16(x);
    std::memcpy(c + j, &rounded, sizeof(uint16_t) * some);
  }
}

// M rows of A, [M][k up to whole vectors], by all of B.
template <int M> void multiply_few(const uint16_t* a, int64_t steps, const Factor& b, int64_t m, uint16_t* c, int64_t ldc,
                                   const Epilogue& epilogue) {
  constexpr int64_t COLUMNS = M > 4 ? 2 : 4;  // along k: columns whose sums are in registers
  const int64_t depth = steps * DEPTH;
  const auto of_a = [&](int64_t row, int64_t k) { return (__m512bh)_mm512_loadu_si512(a + row * depth + k); };
  parallel(parts(b.lines, TILE), grain_of(TILE * b.k), [&](int64_t begin, int64_t end) {
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
        finish(sums[r], epilogue.bias ? epilogue.bias + j : nullptr, epilogue.act, columns, c + r * ldc + j);
    }
  });
}

thread_local std::vector<uint32_t> panels_of_a, panels_of_b;

uint32_t* room(std::vector<uint32_t>& panels, int64_t words) {
  if (static_cast<int64_t>(panels.size()) < words + TILE) panels.resize(words + TILE);
  const uintptr_t first = reinterpret_cast<uintptr_t>(panels.data());
  return reinterpret_cast<uint32_t*>((first + 63) / 64 * 64);
}

}  // namespace

bool has_bgemm() { return true; }

void bgemm(bool ta, bool tb, int64_t m, int64_t n, int64_t k, const uint16_t* a, int64_t lda, const uint16_t* b, int64_t ldb,
           uint16_t* c, int64_t ldc, const Epilogue& epilogue) {
  const Factor left = {a, lda, m, k, !ta}, right = {b, ldb, n, k, tb};
  const int64_t steps = parts(k, DEPTH), panel = 2 * WORDS * steps, rows = parts(m, LINES), columns = parts(n, LINES);
  if (m <= FEW) {
    uint16_t* own = reinterpret_cast<uint16_t*>(room(panels_of_a, FEW * steps * TILE));
    std::memset(own, 0, FEW * steps * DEPTH * sizeof(uint16_t));
    for (int64_t i = 0; i < m; i++)
      for (int64_t j = 0; j < k; j++) own[i * steps * DEPTH + j] = ta ? a[j * lda + i] : a[i * lda + j];
    if (m == 1) return multiply_few<1>(own, steps, right, m, c, ldc, epilogue);
    if (m <= 4) return multiply_few<4>(own, steps, right, m, c, ldc, epilogue);
    return multiply_few<8>(own, steps, right, m, c, ldc, epilogue);
  }
  uint32_t* packed = room(panels_of_b, columns * panel);
  parallel(columns, grain_of(LINES * k / 4), [&](int64_t begin, int64_t end) {
    pack(right, begin, end, false, packed + begin * panel);
  });
  const int64_t block = std::clamp<int64_t>(NEAR / std::max<int64_t>(1, panel * 4), 1, 8), groups = parts(columns, GROUP);
  parallel(parts(rows, block) * groups, 1, [&](int64_t begin, int64_t end) {
    uint32_t* own = room(panels_of_a, block * panel);
    int64_t there = -1;  // whose panels these are
#if defined(GPUNET_AMX)
    static const Configuration configuration;
    if (tiles_allowed()) _tile_loadconfig(&configuration);
    const auto multiply = tiles_allowed() ? multiply_tiles : multiply_vectors;
#else
    const auto multiply = multiply_vectors;
#endif
    alignas(64) float sums[LINES * LINES];
    for (int64_t task = begin; task < end; task++) {
      const int64_t first = task / groups * block, last = std::min(first + block, rows);
      if (there != first) pack(left, first, last, true, own);
      there = first;
      for (int64_t q = task % groups * GROUP; q < std::min((task % groups + 1) * GROUP, columns); q++) {
        const int64_t wide = std::min(LINES, n - q * LINES);
        for (int64_t p = first; p < last; p++) {
          const int64_t high = std::min(LINES, m - p * LINES);
          multiply(own + (p - first) * panel, packed + q * panel, steps, high > TILE, wide > TILE, sums);
          for (int64_t i = 0; i < high; i++)
            finish(sums + i * LINES, epilogue.bias ? epilogue.bias + q * LINES : nullptr, epilogue.act, wide,
                   c + (p * LINES + i) * ldc + q * LINES);
        }
      }
    }
#if defined(GPUNET_AMX)
    if (tiles_allowed()) _tile_release();
#endif
  });
}

}  // namespace gpunet::cpu

#else

namespace gpunet::cpu {

bool has_bgemm() { return false; }
void bgemm(bool, bool, int64_t, int64_t, int64_t, const uint16_t*, int64_t, const uint16_t*, int64_t, uint16_t*, int64_t,
           const Epilogue&) {}

}  // namespace gpunet::cpu

#endif

KERNEL void bfloat16_products(const gpunet::cpu::Arg* a) {  // whether `matmul` takes bfloat16 [1]
  *gpunet::cpu::ptr<int64_t>(a[0]) = gpunet::cpu::has_bgemm();
}
