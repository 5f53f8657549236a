// Products of bfloat16 matrices. Both factors are packed into tiles of 16 lines by 16 pairs of k, which AMX multiplies,
// or AVX-512's dot products of pairs: A's tile is [line][pair], B's [pair][line]. A panel is 32 lines, two tiles for each
// step of 32 of k; what stands over is 0. A slice of k of B's panel stays in the first cache while a block of A's panels
// passes, which stays in the second. With few rows B is read once, where it lies.
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
constexpr int64_t SLICE = 16;                                     // steps of k: 32 KB of a panel
constexpr int64_t BLOCK = 8, GROUP = 8;                           // panels of A, and of B, at a time
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
  vf r[TILE];  // in registers: what is not there is masked, which reads nothing
  if (f.along_k) {
    const __mmask32 mask = static_cast<__mmask32>((uint64_t{1} << some) - 1);
    for (int i = 0; i < TILE; i++)
      r[i] = (vf)_mm512_maskz_loadu_epi16(i < lines ? mask : 0, f.x + (line + i) * f.ld + depth);
  } else {
    const __mmask16 mask = static_cast<__mmask16>((1u << lines) - 1);
    const auto at = [&](int64_t k) {
      return _mm512_cvtepu16_epi32(_mm256_maskz_loadu_epi16(k < some ? mask : 0, f.x + (depth + k) * f.ld + line));
    };
    for (int p = 0; p < TILE; p++) r[p] = (vf)_mm512_or_si512(at(2 * p), _mm512_slli_epi32(at(2 * p + 1), 16));
  }
  if (f.along_k != line_first) turn(r);
  for (int i = 0; i < TILE; i++) store(reinterpret_cast<float*>(to + i * TILE), r[i]);
}

// The slices of k, about equally long.
struct Slices {
  int64_t steps, count, each;
  explicit Slices(int64_t k) : steps(parts(k, DEPTH)) {
    count = std::max<int64_t>(1, parts(steps, SLICE + SLICE / 2));
    each = std::max<int64_t>(1, parts(steps, count));
    count = std::max<int64_t>(1, parts(steps, each));
  }
  int64_t size(int64_t i) const { return std::min(each, steps - i * each); }
  // Where a slice of one of some packed panels begins.
  int64_t place(int64_t i, int64_t panel, int64_t panels) const { return 2 * WORDS * (i * each * panels + panel * size(i)); }
};

// Panels [begin, end) of what stands from panel `origin` on, `panels` in all.
inline void pack(const Factor& f, const Slices& slices, int64_t begin, int64_t end, int64_t origin, int64_t panels, bool line_first,
                 uint32_t* to) {
  const auto put = [&](int64_t slice, int64_t panel, int64_t step) {
    uint32_t* place = to + slices.place(slice, panel - origin, panels) + 2 * WORDS * step;
    for (int64_t half = 0; half < 2; half++)
      pack_tile(f, panel * LINES + half * TILE, (slice * slices.each + step) * DEPTH, line_first, place + half * WORDS);
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
bool tiles_allowed() {
  static const bool allowed = syscall(SYS_arch_prctl, 0x1023, 18) == 0;
  return allowed;
}

struct alignas(64) Configuration {
  uint8_t palette = 1, start_row = 0, reserved[14] = {};
  uint16_t bytes[16] = {64, 64, 64, 64, 64, 64, 64, 64};
  uint8_t rows[16] = {16, 16, 16, 16, 16, 16, 16, 16};
};

// sums [32, 32] (+)= the product of two panels; high, wide: whether their second tiles count; on: whether to add.
void multiply_tiles(const uint32_t* a, const uint32_t* b, int64_t steps, bool high, bool wide, bool on, float* sums) {
  if (on) {
    _tile_loadd(0, sums, LINES * 4);
    _tile_loadd(1, sums + TILE, LINES * 4);
    _tile_loadd(2, sums + TILE * LINES, LINES * 4);
    _tile_loadd(3, sums + TILE * LINES + TILE, LINES * 4);
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
  _tile_stored(0, sums, LINES * 4);
  _tile_stored(1, sums + TILE, LINES * 4);
  _tile_stored(2, sums + TILE * LINES, LINES * 4);
  _tile_stored(3, sums + TILE * LINES + TILE, LINES * 4);
}
#endif

void multiply_vectors(const uint32_t* first_a, const uint32_t* first_b, int64_t steps, bool high, bool wide, bool on,
                      float* sums) {
  for (int64_t row = 0; row < (high ? 2 : 1); row++)
    for (int64_t column = 0; column < (wide ? 2 : 1); column++) {
      const uint32_t *a = first_a + row * WORDS, *b = first_b + column * WORDS;
      float* place = sums + row * TILE * LINES + column * TILE;
      __m512 sum[TILE] = {};
      for (int64_t r = 0; on && r < TILE; r++) sum[r] = _mm512_loadu_ps(place + r * LINES);
      for (int64_t i = 0; i < steps; i++, a += 2 * WORDS, b += 2 * WORDS)
        for (int64_t p = 0; p < TILE; p++) {
          const __m512bh of_b = (__m512bh)_mm512_loadu_si512(b + p * TILE);
          for (int64_t r = 0; r < TILE; r++)
            sum[r] = _mm512_dpbf16_ps(sum[r], (__m512bh)_mm512_set1_epi32(static_cast<int>(a[r * TILE + p])), of_b);
        }
      for (int64_t r = 0; r < TILE; r++) _mm512_storeu_ps(place + r * LINES, sum[r]);
    }
}

// c = act(sums + bias) for n neighbours.
inline void finish(const float* sums, const float* bias, Act act, int64_t n, uint16_t* c) {
  for (int64_t j = 0; j < n; j += LANES) {
    const __mmask16 some = n - j >= LANES ? 0xffff : first(n - j);
    vf x = load(sums + j);  // a row of a tile is there to its end
    if (bias) x += (vf)_mm512_maskz_loadu_ps(some, bias + j);
    if (act == Act::relu) x = x <= 0.f ? zero() : x;
    else if (act == Act::gelu) x = vgelu(x);
    else if (act == Act::gelu_tanh) x = vgelu_tanh(x);
    _mm256_mask_storeu_epi16(c + j, some, (__m256i)narrow_bfloat16(x));
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

thread_local std::vector<uint32_t> panels_of_a, panels_of_b, sums_of_tasks;

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
  const Slices slices(k);
  const int64_t panel = 2 * WORDS * slices.steps, rows = parts(m, LINES), columns = parts(n, LINES);
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
  const int64_t groups = parts(columns, GROUP), blocks = parts(rows, BLOCK);
  // A block of A is packed once for neighbouring groups; where there are few blocks, they are shared.
  parallel(blocks * groups, parts(groups, parts(8, blocks)), [&](int64_t begin, int64_t end) {
    uint32_t* own = room(panels_of_a, BLOCK * panel);
    float* sums = reinterpret_cast<float*>(room(sums_of_tasks, BLOCK * GROUP * LINES * LINES));
    int64_t there = -1;  // whose panels `own` has
#if defined(GPUNET_AMX)
    static const Configuration configuration;
    if (tiles_allowed()) _tile_loadconfig(&configuration);
    const auto multiply = tiles_allowed() ? multiply_tiles : multiply_vectors;
#else
    const auto multiply = multiply_vectors;
#endif
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
              finish(place + r * LINES, epilogue.bias ? epilogue.bias + q * LINES : nullptr, epilogue.act, wide,
                     c + (p * LINES + r) * ldc + q * LINES);
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
