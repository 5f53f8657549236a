// Matrix products. The inner loop is a tile of C that stays in registers: ROWS x COLS vectors, over a slice of k. What it
// reads of B, a panel as wide as the tile, stays in the first cache while all rows pass; what it reads of A, a block of
// rows, in the second. Panels of B are packed (and transposed) unless so few rows use them that packing would cost more;
// blocks of A where many columns use them.
//
// Every element of C is the sum over slices of k of sums in the order of k: packed or not, in the pool or not, the same.
// Products with very few rows or columns are dot products along k instead.
#include "sgemm.h"

#include <algorithm>
#include <array>
#include <cstdlib>
#include <cstring>
#include <utility>

#include "pool.h"
#include "transpose.h"
#include "vec.h"

namespace gpunet::cpu {
namespace {

// The tile: accumulators and the vectors of a step of k fill the registers, of which AVX-512 and NEON have 32.
#if defined(__AVX512F__)
constexpr int ROWS = 14, VECTORS = 2;
#elif defined(__aarch64__)
constexpr int ROWS = 8, VECTORS = 3;
#else
constexpr int ROWS = 6, VECTORS = 2;
#endif
constexpr int COLS = VECTORS * LANES;
constexpr int64_t SLICE = 256;         // of k: a panel of B takes SLICE * COLS floats
constexpr int64_t BLOCK = 16 * ROWS;   // rows of A that are packed at once
constexpr int64_t WIDTH = 2048;        // columns of B that are packed at once
constexpr int64_t FEW_ROWS = 4;        // up to so many rows, dot products where B stands as [n, k]
constexpr int64_t UNPACKED_ROWS = ROWS > 12 ? 2 * ROWS : 24;  // up to so many rows, B is read where it is
constexpr int64_t UNPACKED_COLS = 64;  // up to so many columns, A is
constexpr int64_t NEAR = 1 << 16;      // floats of B that the second cache holds beside what else passes
constexpr int64_t FAR = 256;           // floats between columns of A from which on that is slow: each is on another page

inline int64_t parts(int64_t total, int64_t each) { return (total + each - 1) / each; }
inline int64_t up(int64_t x, int64_t to) { return parts(x, to) * to; }

struct Buffer {
  float* data = nullptr;
  int64_t size = 0;
  float* get(int64_t floats) {
    if (size < floats) {
      std::free(data);
      size = (floats + 1023) / 1024 * 1024;
      data = static_cast<float*>(std::aligned_alloc(64, static_cast<size_t>(size) * sizeof(float)));
      if (!data) std::abort();
    }
    return data;
  }
  ~Buffer() { std::free(data); }
};
thread_local Buffer panels_of_a, panels_of_b, vectors_of_a, turned_c;

// ---- the tile ----------------------------------------------------------------------------------------------------------

// How a tile finds its elements of A: packed k after k, in rows of A, or in rows of A transposed.
enum Layout { PACKED, BY_ROW, BY_COLUMN };

struct Tile {
  const float* a;
  int64_t lda;
  const float* b;
  int64_t ldb;
  int64_t k;
  float* c;
  int64_t ldc;
  int64_t last;  // columns in the last vector
  bool add;      // to what C holds
  const float *bias, *row_bias;
  bool relu;
};

template <int M, int V, Layout L> void compute(const Tile& t) {
  vf sum[M][V];
#pragma GCC unroll 16
  for (int i = 0; i < M; i++) {
#pragma GCC unroll 8
    for (int v = 0; v < V; v++) sum[i][v] = zero();
  }
#pragma GCC unroll 16
  for (int i = 0; i < M; i++) __builtin_prefetch(t.c + i * t.ldc, 1);
  const float *a = t.a, *b = t.b;
  const int64_t lda = t.lda, ldb = t.ldb;
  const int64_t a_row = L == BY_ROW ? lda : 1, a_step = L == PACKED ? M : L == BY_ROW ? 1 : lda;
#pragma GCC unroll 4
  for (int64_t k = t.k; k > 0; k--, b += ldb, a += a_step) {
    vf row[V];
#pragma GCC unroll 8
    for (int v = 0; v < V; v++) row[v] = load(b + v * LANES);
#pragma GCC unroll 16
    for (int i = 0; i < M; i++) {
      const vf x = broadcast(a[i * a_row]);
#pragma GCC unroll 8
      for (int v = 0; v < V; v++) sum[i][v] = fmadd(x, row[v], sum[i][v]);
    }
  }
  // Each step for all sums, which are still in registers: one decision a tile.
  const auto each_sum = [&](auto f) {
#pragma GCC unroll 16
    for (int i = 0; i < M; i++)
#pragma GCC unroll 8
      for (int v = 0; v < V; v++) f(sum[i][v], i, v);
  };
  const auto get = [&](const float* p, int v) { return v < V - 1 || t.last == LANES ? load(p + v * LANES) : load(p + v * LANES, t.last); };
  if (t.add) each_sum([&](vf& y, int i, int v) { y += get(t.c + i * t.ldc, v); });
  if (t.row_bias) each_sum([&](vf& y, int i, int) { y += broadcast(t.row_bias[i]); });
  if (t.bias) {
    vf bias[V];
#pragma GCC unroll 8
    for (int v = 0; v < V; v++) bias[v] = get(t.bias, v);
    each_sum([&](vf& y, int, int v) { y += bias[v]; });
  }
  if (t.relu) each_sum([](vf& y, int, int) { y = vmax(y, zero()); });
  if (t.last == LANES) {
    each_sum([&](vf& y, int i, int v) { store(t.c + i * t.ldc + v * LANES, y); });
  } else {
    each_sum([&](vf& y, int i, int v) {
      float* c = t.c + i * t.ldc + v * LANES;
      if (v < V - 1) store(c, y);
      else store(c, y, t.last);
    });
  }
}

using Compute = void (*)(const Tile&);
template <Layout L, int V, int... M> constexpr std::array<Compute, ROWS> heights(std::integer_sequence<int, M...>) {
  return {compute<M + 1, V, L>...};
}
template <Layout L, int... V> constexpr std::array<std::array<Compute, ROWS>, VECTORS> widths(std::integer_sequence<int, V...>) {
  return {heights<L, V + 1>(std::make_integer_sequence<int, ROWS>())...};
}
constexpr std::array<std::array<Compute, ROWS>, VECTORS> TILES[3] = {
    widths<PACKED>(std::make_integer_sequence<int, VECTORS>()), widths<BY_ROW>(std::make_integer_sequence<int, VECTORS>()),
    widths<BY_COLUMN>(std::make_integer_sequence<int, VECTORS>())};

inline const float* at(bool transposed, const float* x, int64_t ld, int64_t row, int64_t column) {
  return transposed ? x + column * ld + row : x + row * ld + column;
}

// ---- packing -----------------------------------------------------------------------------------------------------------

// Lane l of a or, where the bit `W` of l is set, lane l ^ W of b; and the other way round.
template <int... L, int W> inline vf pick(vf a, vf b, bool low, std::integer_sequence<int, L...>, std::integral_constant<int, W>) {
#if defined(__clang__)
  return low ? __builtin_shufflevector(a, b, (L & W ? LANES + (L ^ W) : L)...)
             : __builtin_shufflevector(a, b, (L & W ? LANES + L : L ^ W)...);
#else
  return low ? __builtin_shuffle(a, b, vi{(L & W ? LANES + (L ^ W) : L)...})
             : __builtin_shuffle(a, b, vi{(L & W ? LANES + L : L ^ W)...});
#endif
}

// A square of LANES vectors, transposed: each round swaps halves of ever smaller groups of lanes between rows that far
// apart.
template <int W> GPUNET_INLINE void transpose(vf (&x)[LANES]) {
  constexpr auto lanes = std::make_integer_sequence<int, LANES>();
  constexpr std::integral_constant<int, W> distance;
#pragma GCC unroll 16
  for (int i = 0; i < LANES; i++) {
    if (i & W) continue;
    const vf low = pick(x[i], x[i + W], true, lanes, distance);
    x[i + W] = pick(x[i], x[i + W], false, lanes, distance);
    x[i] = low;
  }
  if constexpr (W > 1) transpose<W / 2>(x);
}

// LANES rows of k elements become k steps of LANES. `step` floats lie between two steps. Rows from `rows` on count as
// zero.
inline void interleave(const float* from, int64_t ld, int64_t rows, int64_t k, float* to, int64_t step) {
  int64_t q = 0;
  if (rows == LANES) {
    for (; q + LANES <= k; q += LANES) {
      vf x[LANES];
#pragma GCC unroll 16
      for (int i = 0; i < LANES; i++) x[i] = load(from + i * ld + q);
      transpose<LANES / 2>(x);
#pragma GCC unroll 16
      for (int i = 0; i < LANES; i++) store(to + (q + i) * step, x[i]);
    }
  }
  for (; q < k; q++) {
    for (int64_t i = 0; i < rows; i++) to[q * step + i] = from[i * ld + q];
    for (int64_t i = rows; i < LANES; i++) to[q * step + i] = 0.f;
  }
}

inline int64_t panel_width(int64_t n) { return n >= COLS ? COLS : up(n, LANES); }

// Panels of B: of each, k steps of as many whole vectors as its columns need, filled up with zeros.
void pack_panels(bool tb, const float* b, int64_t ldb, int64_t n, int64_t k, float* to) {
  if (tb) {
    for (int64_t j = 0; j < n; j += COLS, to += k * COLS, b += COLS * ldb) {
      const int64_t columns = std::min<int64_t>(COLS, n - j);
      for (int64_t v = 0; v < columns; v += LANES)
        interleave(b + v * ldb, ldb, std::min<int64_t>(LANES, columns - v), k, to + v, panel_width(columns));
    }
    return;
  }
  // Row after row: panel after panel would read a few numbers of each row, from another page of memory each time.
  const int64_t whole = n / COLS * COLS, rest = n - whole, width = panel_width(rest);
  for (int64_t q = 0; q < k; q++, b += ldb) {
    for (int64_t j = 0; j < whole; j += COLS)
#pragma GCC unroll 8
      for (int v = 0; v < VECTORS; v++) store(to + j * k + q * COLS + v * LANES, load(b + j + v * LANES));
    for (int64_t j = 0; j < rest; j += LANES)
      store(to + whole * k + q * width + j, j + LANES <= rest ? load(b + whole + j) : load(b + whole + j, rest - j));
  }
}

// Panels of A: of each, k steps of at most `height` rows.
constexpr int64_t STEPS = 16;  // of k for all panels, before the next: what lies side by side in memory is read at once
template <int M> void copy_steps(const float* a, int64_t lda, int64_t steps, float* to) {
  for (int64_t q = 0; q < steps; q++) std::memcpy(to + q * M, a + q * lda, M * sizeof(float));
}
using Copy = void (*)(const float*, int64_t, int64_t, float*);
template <int... M> constexpr std::array<Copy, ROWS> copies(std::integer_sequence<int, M...>) { return {copy_steps<M + 1>...}; }
constexpr std::array<Copy, ROWS> COPIES = copies(std::make_integer_sequence<int, ROWS>());

// m rows as they lie in memory. Steps are stored as whole vectors, whose surplus the next step overwrites: up to LANES
// floats behind the panel are written.
void turn_rows(const float* a, int64_t lda, int64_t m, int64_t k, float* to) {
  int64_t q = 0;
  if constexpr (ROWS <= LANES) {
    for (; q + LANES <= k; q += LANES) {
      vf x[LANES];
#pragma GCC unroll 16
      for (int i = 0; i < LANES; i++) x[i] = i < m ? load(a + i * lda + q) : zero();
      transpose<LANES / 2>(x);
#pragma GCC unroll 16
      for (int i = 0; i < LANES; i++) store(to + (q + i) * m, x[i]);
    }
  }
  for (; q < k; q++)
    for (int64_t i = 0; i < m; i++) to[q * m + i] = a[i * lda + q];
}

void pack_rows(bool ta, const float* a, int64_t lda, int64_t rows, int64_t height, int64_t k, float* to) {
  if (!ta) {
    for (int64_t i = 0; i < rows; i += height) turn_rows(a + i * lda, lda, std::min(height, rows - i), k, to + i * k);
    return;
  }
  for (int64_t q = 0; q < k; q += STEPS)
    for (int64_t i = 0; i < rows; i += height) {
      const int64_t m = std::min(height, rows - i);
      COPIES[m - 1](a + q * lda + i, lda, std::min(STEPS, k - q), to + i * k + q * m);
    }
}

// ---- blocks ------------------------------------------------------------------------------------------------------------

struct Product {
  bool ta, tb;
  int64_t m, n, k;
  const float* a;
  int64_t lda;
  const float* b;
  int64_t ldb;
  float* c;
  int64_t ldc;
  bool accumulate;
  Epilogue epilogue;
};

__attribute__((noinline)) void activate(Act act, float* c, int64_t ldc, int64_t m, int64_t n) {
  for (int64_t i = 0; i < m; i++, c += ldc) {
    float* row = c;
    if (act == Act::relu) each(n, [row](int64_t j, auto get, auto put) { put(row + j, vmax(get(row + j), zero())); });
    if (act == Act::gelu) each(n, [row](int64_t j, auto get, auto put) { put(row + j, vgelu(get(row + j))); });
    if (act == Act::gelu_tanh) each(n, [row](int64_t j, auto get, auto put) { put(row + j, vgelu_tanh(get(row + j))); });
  }
}

// Rows i0 to i1 and columns j0 to j1 of C, over the slice of k from k0: a block of A against panels of B, which stand
// packed for columns from `packed_from` on, or null where B is read as it is.
void block(const Product& p, int64_t i0, int64_t i1, int64_t j0, int64_t j1, int64_t k0, int64_t k, const float* packed,
           int64_t packed_from) {
  // Where all panels of B lie in the second cache, they pass by a tile's rows of A, which stay in the first as they are.
  const bool by_rows = packed && !p.ta && (j1 - j0) * k <= NEAR;
  const bool last = k0 + k == p.k, pack_a = j1 - j0 > UNPACKED_COLS && i1 - i0 > 2 && !by_rows;
  const int64_t count = (i1 - i0 + ROWS - 1) / ROWS, height = (i1 - i0 + count - 1) / count;
  const Layout layout = pack_a ? PACKED : p.ta ? BY_COLUMN : BY_ROW;
  float* own = nullptr;
  if (pack_a) {
    own = panels_of_a.get((i1 - i0) * k + LANES);
    pack_rows(p.ta, at(p.ta, p.a, p.lda, i0, k0), p.lda, i1 - i0, height, k, own);
  }
  Tile t;
  t.lda = p.lda;
  t.k = k;
  t.ldc = p.ldc;
  t.add = p.accumulate || k0 > 0;
  t.relu = last && p.epilogue.act == Act::relu;
  if (!packed && i1 - i0 <= 2) {  // of one or two rows a wider tile
    const int64_t m = i1 - i0, wide = (m == 1 ? 8 : 4) * LANES;
    t.a = at(p.ta, p.a, p.lda, i0, k0);
    t.ldb = p.ldb;
    t.last = LANES;
    t.row_bias = last && p.epilogue.row_bias ? p.epilogue.row_bias + i0 : nullptr;
    for (; !pack_a && j0 + wide <= j1; j0 += wide) {
      t.b = p.b + k0 * p.ldb + j0;
      t.bias = last && p.epilogue.bias ? p.epilogue.bias + j0 : nullptr;
      t.c = p.c + i0 * p.ldc + j0;
      (m == 1 ? p.ta ? compute<1, 8, BY_COLUMN> : compute<1, 8, BY_ROW>
              : p.ta ? compute<2, 4, BY_COLUMN> : compute<2, 4, BY_ROW>)(t);
      if (last && p.epilogue.act > Act::relu) activate(p.epilogue.act, t.c, p.ldc, m, wide);
    }
  }
  if (by_rows && i1 - i0 > height) {
    for (int64_t i = i0; i < i1; i += height) block(p, i, std::min(i + height, i1), j0, j1, k0, k, packed, packed_from);
    return;
  }
  for (int64_t j = j0; j < j1; j += COLS) {
    const int64_t n = std::min<int64_t>(COLS, j1 - j), width = panel_width(n);
    t.b = packed ? packed + (j - packed_from) * k : p.b + k0 * p.ldb + j;
    t.ldb = packed ? width : p.ldb;
    float* edge = nullptr;
    if (!packed && n % LANES) {  // whole vectors of the last columns would reach beyond the row
      edge = panels_of_b.get(width * k);
      pack_panels(false, t.b, p.ldb, n, k, edge);
      t.b = edge;
      t.ldb = width;
    }
    t.last = n - (width - LANES);
    t.bias = last && p.epilogue.bias ? p.epilogue.bias + j : nullptr;
    const auto& tiles = TILES[layout][width / LANES - 1];
    for (int64_t i = i0; i < i1; i += height) {
      const int64_t m = std::min(height, i1 - i);
      t.a = pack_a ? own + (i - i0) * k : at(p.ta, p.a, p.lda, i, k0);
      t.c = p.c + i * p.ldc + j;
      t.row_bias = last && p.epilogue.row_bias ? p.epilogue.row_bias + i : nullptr;
      tiles[m - 1](t);
      if (last && p.epilogue.act > Act::relu) activate(p.epilogue.act, t.c, p.ldc, m, n);
    }
  }
}

inline int64_t even(int64_t total, int64_t most) {  // parts of a like size, each at most `most`
  return total > 0 ? parts(total, parts(total, most)) : 1;
}
inline int64_t slice_of(int64_t k) { return even(k, SLICE); }
inline int64_t block_of(int64_t m) { return up(even(m, BLOCK), ROWS); }
inline bool reads_b(const Product& p) { return !p.tb && p.m <= UNPACKED_ROWS; }

// ---- few rows or columns -----------------------------------------------------------------------------------------------

// C[i, j] for M rows of x and N of y: dot products along k, a slice after the other.
template <int M, int N>
void dots(const float* x, int64_t ldx, const float* y, int64_t ldy, int64_t k, float (&out)[FEW_ROWS][4]) {
  constexpr int64_t DOT_SLICE = 2048;  // a long sum in one go would lose digits
  for (int64_t k0 = 0; k0 < k; k0 += DOT_SLICE) {
    vf sum[M][N] = {};
    const auto step = [&](int64_t q, auto get) {
      vf a[M];
      for (int i = 0; i < M; i++) a[i] = get(x + i * ldx + q);
      for (int j = 0; j < N; j++) {
        const vf b = get(y + j * ldy + q);
        for (int i = 0; i < M; i++) sum[i][j] = fmadd(a[i], b, sum[i][j]);
      }
    };
    const int64_t end = std::min(k, k0 + DOT_SLICE);
    int64_t q = k0;
    for (; q + LANES <= end; q += LANES) step(q, [](const float* p) { return load(p); });
    if (q < end) step(q, [rest = end - q](const float* p) { return load(p, rest); });
    for (int i = 0; i < M; i++)
      for (int j = 0; j < N; j++) out[i][j] = (k0 ? out[i][j] : 0.f) + gpunet::cpu::sum(sum[i][j]);
  }
}

using Dots = void (*)(const float*, int64_t, const float*, int64_t, int64_t, float (&)[FEW_ROWS][4]);
constexpr Dots DOTS[4][2] = {{dots<1, 1>, dots<1, 4>}, {dots<2, 1>, dots<2, 4>}, {dots<3, 1>, dots<3, 3>}, {dots<4, 1>, dots<4, 3>}};

// m <= FEW_ROWS rows of x [m, k] against rows j0 to j1 of y [n, k]. Where `turned`, C is [n, m] in memory.
void few(const float* x, int64_t ldx, int64_t m, const float* y, int64_t ldy, int64_t j0, int64_t j1, bool turned,
         const Product& p) {
  const Epilogue& e = p.epilogue;
  const int wide = m <= 2 ? 4 : 3;
  for (int64_t j = j0; j < j1;) {
    const int n = j1 - j >= wide ? wide : 1;
    float out[FEW_ROWS][4];
    DOTS[m - 1][n > 1](x, ldx, y + j * ldy, ldy, p.k, out);
    for (int64_t i = 0; i < m; i++)
      for (int q = 0; q < n; q++) {
        const int64_t row = turned ? j + q : i, column = turned ? i : j + q;
        float* c = p.c + row * p.ldc + column;
        float value = out[i][q];
        if (p.accumulate) value += *c;
        if (e.row_bias) value += e.row_bias[row];
        if (e.bias) value += e.bias[column];
        *c = value;
        if (e.act != Act::none) activate(e.act, c, 1, 1, 1);
      }
    j += n;
  }
}

// Rows that stand as columns in memory, copied to lie along k.
const float* along_k(bool across, const float* x, int64_t& ld, int64_t rows, int64_t k) {
  if (!across) return x;
  float* to = vectors_of_a.get(rows * k);
  for (int64_t q = 0; q < k; q++)
    for (int64_t i = 0; i < rows; i++) to[i * k + q] = x[q * ld + i];
  ld = k;
  return to;
}

// Whether the product is one of few dot products, which `run(x, ldx, m, y, ldy, n, turned)` then computes.
template <class F> bool as_dots(const Product& p, F&& run) {
  if (p.tb && p.m <= FEW_ROWS && (p.m < p.n || p.ta)) {
    int64_t ldx = p.lda;
    const float* x = along_k(p.ta, p.a, ldx, p.m, p.k);
    run(x, ldx, p.m, p.b, p.ldb, p.n, false);
    return true;
  }
  if (!p.ta && p.n <= FEW_ROWS) {
    int64_t ldx = p.ldb;
    const float* x = along_k(!p.tb, p.b, ldx, p.n, p.k);
    run(x, ldx, p.n, p.a, p.lda, p.m, true);
    return true;
  }
  return false;
}

// Whether few columns meet an A that stands as columns, which lie far apart: then `run` computes C transposed, which reads
// rows of both factors, and adds the same numbers in the same order.
template <class F> bool as_turned(const Product& p, F&& run) {
  const Epilogue& e = p.epilogue;
  if (!p.ta || p.tb || p.lda < FAR || p.n > UNPACKED_COLS || p.m < 4 * p.n || p.k < LANES || p.accumulate || e.bias ||
      e.row_bias || e.act != Act::none)
    return false;
  float* c = turned_c.get(p.n * p.m);
  run(Product{true, false, p.n, p.m, p.k, p.b, p.ldb, p.a, p.lda, c, p.m, false, {}});
  gpunet::cpu::transpose(c, p.m, p.n, p.m, p.c, p.ldc, p.n);
  return true;
}

void empty_sum(const Product& p) {
  for (int64_t i = 0; i < p.m; i++) {
    float* row = p.c + i * p.ldc;
    for (int64_t j = 0; j < p.n; j++) {
      float value = p.accumulate ? row[j] : 0.f;
      if (p.epilogue.row_bias) value += p.epilogue.row_bias[i];
      if (p.epilogue.bias) value += p.epilogue.bias[j];
      row[j] = value;
    }
  }
  activate(p.epilogue.act, p.c, p.ldc, p.m, p.n);
}

void serial(const Product& p, const float* packed) {
  if (p.m <= 0 || p.n <= 0) return;
  if (p.k <= 0) return empty_sum(p);
  if (!packed && as_dots(p, [&](const float* x, int64_t ldx, int64_t m, const float* y, int64_t ldy, int64_t n, bool turned) {
        few(x, ldx, m, y, ldy, 0, n, turned, p);
      }))
    return;
  if (!packed && as_turned(p, [](const Product& other) { serial(other, nullptr); })) return;
  const int64_t slice = slice_of(p.k), rows = block_of(p.m);
  const bool direct = !packed && reads_b(p);
  for (int64_t j = 0; j < p.n; j += WIDTH) {
    const int64_t n = std::min(WIDTH, p.n - j), padded = up(n, LANES);
    for (int64_t k0 = 0; k0 < p.k; k0 += slice) {
      const int64_t k = std::min(slice, p.k - k0);
      const float* panels = nullptr;
      if (packed) {  // see pack(): slice after slice of all of n
        panels = packed + j * p.k + k0 * padded;
      } else if (!direct) {
        float* own = panels_of_b.get(padded * k);
        pack_panels(p.tb, at(p.tb, p.b, p.ldb, k0, j), p.ldb, n, k, own);
        panels = own;
      }
      for (int64_t i = 0; i < p.m; i += rows) block(p, i, std::min(i + rows, p.m), j, j + n, k0, k, panels, j);
    }
  }
}

}  // namespace

void sgemm(bool ta, bool tb, int64_t m, int64_t n, int64_t k, const float* a, int64_t lda, const float* b, int64_t ldb,
           float* c, int64_t ldc, bool accumulate, const Epilogue& epilogue) {
  serial({ta, tb, m, n, k, a, lda, b, ldb, c, ldc, accumulate, epilogue}, nullptr);
}

void parallel_sgemm(bool ta, bool tb, int64_t m, int64_t n, int64_t k, const float* a, int64_t lda, const float* b,
                    int64_t ldb, float* c, int64_t ldc, bool accumulate, const Epilogue& epilogue) {
  const Product p{ta, tb, m, n, k, a, lda, b, ldb, c, ldc, accumulate, epilogue};
  constexpr int64_t WORTH_IT = 1 << 17;  // multiplications that a task should have
  const int64_t workers = threads();
  if (workers == 1 || m <= 0 || n <= 0 || k <= 0 || m * n * k < 2 * WORTH_IT) return serial(p, nullptr);
  if (as_dots(p, [&](const float* x, int64_t ldx, int64_t few_rows, const float* y, int64_t ldy, int64_t count, bool turned) {
        const int64_t grain = std::max<int64_t>(12, WORTH_IT / (few_rows * k) / 12 * 12);  // the same groups as in one piece
        parallel(count, grain, [&](int64_t begin, int64_t end) { few(x, ldx, few_rows, y, ldy, begin, end, turned, p); });
      }))
    return;
  if (as_turned(p, [](const Product& q) {
        parallel_sgemm(q.ta, q.tb, q.m, q.n, q.k, q.a, q.lda, q.b, q.ldb, q.c, q.ldc, q.accumulate, q.epilogue);
      }))
    return;
  const int64_t slice = slice_of(k);
  const bool direct = reads_b(p);
  for (int64_t j = 0; j < n; j += WIDTH) {
    const int64_t width = std::min(WIDTH, n - j), padded = up(width, LANES);
    for (int64_t k0 = 0; k0 < k; k0 += slice) {
      const int64_t depth = std::min(slice, k - k0);
      float* own = nullptr;
      if (!direct) {
        own = panels_of_b.get(padded * depth);
        const int64_t count = (width + COLS - 1) / COLS;
        parallel(count, std::max<int64_t>(1, 16384 / (COLS * depth)), [&](int64_t begin, int64_t end) {
          const int64_t q = begin * COLS;
          pack_panels(tb, at(tb, b, ldb, k0, j + q), ldb, std::min(end * COLS, width) - q, depth, own + q * depth);
        });
      }
      // Blocks of rows, each against all columns, a few for each thread; where there are few rows, against groups of
      // columns. How large they are changes no sum.
      const int64_t tasks = std::max<int64_t>(1, std::min(8 * workers, m * width * depth / WORTH_IT));
      const int64_t rows = std::min(block_of(m), std::max<int64_t>(8 * ROWS, up(parts(m, tasks), ROWS)));
      const int64_t blocks = parts(m, rows), columns = up(parts(width, parts(tasks, blocks)), COLS);
      const int64_t groups = parts(width, columns);
      parallel(blocks * groups, 1, [&](int64_t begin, int64_t end) {
        for (int64_t task = begin; task < end; task++) {
          const int64_t i = task / groups * rows, q = j + task % groups * columns;
          block(p, i, std::min(i + rows, m), q, std::min(q + columns, j + width), k0, depth, own, j);
        }
      });
    }
  }
}

int64_t packed_size(int64_t n, int64_t k) { return up(n, LANES) * k; }

void pack(bool tb, int64_t n, int64_t k, const float* b, int64_t ldb, float* packed) {
  const int64_t slice = slice_of(k);
  for (int64_t j = 0; j < n; j += WIDTH) {
    const int64_t width = std::min(WIDTH, n - j), padded = up(width, LANES);
    for (int64_t k0 = 0; k0 < k; k0 += slice) {
      const int64_t depth = std::min(slice, k - k0);
      float* to = packed + j * k + k0 * padded;
      pack_panels(tb, at(tb, b, ldb, k0, j), ldb, width, depth, to);
    }
  }
}

void sgemm_packed(bool ta, int64_t m, int64_t n, int64_t k, const float* a, int64_t lda, const float* packed, float* c,
                  int64_t ldc, bool accumulate, const Epilogue& epilogue) {
  serial({ta, false, m, n, k, a, lda, nullptr, 0, c, ldc, accumulate, epilogue}, packed);
}

}  // namespace gpunet::cpu
