// Attention of bfloat16 by blocks, as attention.cpp has it, its products of tiles of pairs (pairs.h). What is computed on
// the way is float: weights, and their gradients, go into products as sums of two bfloat16, so that they are not rounded.
#include <vector>

#include "attention.h"
#include "pairs.h"

#if defined(GPUNET_PAIRS)
namespace gpunet::cpu {
namespace {

using Matrix = RowsOf<uint16_t>;

constexpr int64_t QUERIES = 64;         // of a block
constexpr int64_t CHUNK = 4 * QUERIES;  // queries of a head that a thread takes at once
constexpr int64_t PANEL = 2 * WORDS;    // pairs of a panel in a step

int64_t padded(int64_t n) { return parts_of(n, LINES) * LINES; }
int64_t panels_size(int64_t lines, int64_t k) { return parts_of(lines, LINES) * parts_of(k, DEPTH) * PANEL; }

// All panels of a factor, [panel][step].
void pack_all(uint32_t* to, const Factor& f, bool line_first) {
  for (int64_t line = 0; line < f.lines; line += LINES)
    for (int64_t k = 0; k < f.k; k += DEPTH)
      for (int64_t half = 0; half < 2; half++, to += WORDS) pack_tile(f, line + half * TILE, k, line_first, to);
}

// Panels as a product with what cutting off has left takes them: there a part of a weight that is 0 meets each number, and
// what is not finite counts in the other product alone. That is a copy with 0 for it, if there is any.
const uint32_t* finite(const uint32_t* panels, int64_t size, std::vector<uint32_t>& copy) {
  const __m512i exponent = _mm512_set1_epi16(0x7f80);
  const auto found = [&](__m512i x) { return _mm512_cmpeq_epi16_mask(_mm512_and_si512(x, exponent), exponent); };
  __mmask32 any = 0;
  for (int64_t i = 0; i < size; i += TILE) any |= found(_mm512_loadu_si512(panels + i));
  if (!any) return panels;
  copy.resize(size);
  for (int64_t i = 0; i < size; i += TILE) {
    const __m512i x = _mm512_loadu_si512(panels + i);
    _mm512_storeu_si512(copy.data() + i, _mm512_maskz_mov_epi16(~found(x), x));
  }
  return copy.data();
}

// Rows of a matrix as a factor of products along their length, or along their number.
Factor along_rows(Matrix x, int64_t rows, int64_t n) { return {x.p, x.ld, rows, n, true}; }
Factor across_rows(Matrix x, int64_t rows, int64_t n) { return {x.p, x.ld, n, rows, false}; }

// sums [lines, columns] (+)= the product of panels over `steps` of k; `pitch` steps lie between the panels of b.
void multiply(const Products& product, float* sums, int64_t ld, int64_t lines, int64_t columns, const uint32_t* a,
              const uint32_t* b, int64_t steps, int64_t pitch, bool on) {
  for (int64_t q = 0; q < columns; q += LINES, b += pitch * PANEL)
    for (int64_t p = 0; p < lines; p += LINES)
      product(a + p / LINES * steps * PANEL, b, steps, lines - p > TILE, columns - q > TILE, on, sums + p * ld + q, ld);
}

// Rows of floats as sums of two bfloat16, the second of which has what cutting the first one off has left (0 of an infinite
// number): each as panels of 32 rows by 32 numbers, which are the tiles of a left factor.
struct Split {
  uint32_t *high, *low;  // [QUERIES / LINES][step of keys][LINES][DEPTH]
  static constexpr int64_t STEPS = KEYS / DEPTH, SIZE = 2 * QUERIES / LINES * STEPS * PANEL;  // words of both

  explicit Split(uint32_t* place) : high(place), low(place + SIZE / 2) {}

  static int64_t place(int64_t row, int64_t step, int64_t steps) {
    return (row / LINES * steps + step) * PANEL + row % LINES * TILE;
  }

  // x [rows, KEYS], of which up to the end of n's step of keys is there.
  void fill(const float* x, int64_t rows, int64_t n) const {
    const int64_t steps = parts_of(n, DEPTH);
    const __m512i upper = _mm512_set1_epi32(static_cast<int>(0xffff0000u));
    const __m512i odd = _mm512_load_si512(ODD);
    const auto rest = [&](__m512i x) {
      const vf left = (vf)x - (vf)_mm512_and_si512(x, upper);
      return (__m512)(((vu)x & 0x7fffffffu) == 0x7f800000u ? zero() : left);
    };
    for (int64_t r = 0; r < rows; r++)
      for (int64_t step = 0; step < steps; step++) {
        const float* from = x + r * KEYS + step * DEPTH;
        const __m512i a = _mm512_loadu_si512(from), b = _mm512_loadu_si512(from + LANES);
        const int64_t at = place(r, step, steps);
        _mm512_storeu_si512(high + at, _mm512_permutex2var_epi16(a, odd, b));
        _mm512_storeu_si512(low + at, (__m512i)_mm512_cvtne2ps_pbh(rest(b), rest(a)));
      }
  }

  // sums [rows, columns] += the product with the panels of b, which is over n keys; finite_b: the same as `finite` has it.
  void multiply_rows(const Products& product, float* sums, int64_t ld, int64_t rows, int64_t n, const uint32_t* b,
                     const uint32_t* finite_b, int64_t pitch, int64_t columns) const {
    multiply(product, sums, ld, rows, columns, high, b, parts_of(n, DEPTH), pitch, true);
    multiply(product, sums, ld, rows, columns, low, finite_b, parts_of(n, DEPTH), pitch, true);
  }

  // sums [n, columns] += the product of what is transposed with the panels of b, which is over the rows.
  void multiply_columns(const Products& product, float* sums, int64_t ld, int64_t rows, int64_t n, uint32_t* packed,
                        const uint32_t* b, const uint32_t* finite_b, int64_t columns) const {
    const int64_t steps = parts_of(n, DEPTH), row_steps = parts_of(rows, DEPTH);
    for (const uint32_t* part : {high, low}) {
      uint32_t* to = packed;
      for (int64_t step = 0; step < steps; step++)
        for (int64_t r = 0; r < rows; r += LINES) {
          const Factor f = {reinterpret_cast<const uint16_t*>(part + place(r, step, steps)), DEPTH,
                            std::min(n - step * DEPTH, DEPTH), std::min(rows - r, LINES), false};
          for (int64_t half = 0; half < 2; half++, to += WORDS) pack_tile(f, half * TILE, 0, true, to);
        }
      multiply(product, sums, ld, n, columns, packed, part == low ? finite_b : b, row_steps, row_steps, true);
    }
  }
};

// Buffers of a thread, one after the other.
struct Buffers {
  float* next;
  float* floats(int64_t count) {
    float* found = next;
    next += parts_of(count, LANES) * LANES;
    return found;
  }
  uint32_t* words(int64_t count) { return reinterpret_cast<uint32_t*>(floats(count)); }
};

void put_rows(Matrix to, const float* from, int64_t ld, int64_t rows, int64_t n) {
  for (int64_t r = 0; r < rows; r++) narrow(Real::BFLOAT16, to.written(r), from + r * ld, n);
}

void forward(uint16_t* out, float* log_sums, const Attention<uint16_t>& at) {
  const int64_t d = at.d, e = at.e, wide_e = padded(e), chunks = parts_of(at.L, CHUNK), steps = parts_of(d, DEPTH);
  const int64_t keys_size = panels_size(at.S, d), values_size = panels_size(e, at.S), queries_size = panels_size(QUERIES, d);
  const int64_t size = keys_size + values_size + queries_size + Split::SIZE +
                       QUERIES * (KEYS + wide_e + 2);
  parallel(at.heads * chunks, 1, [&](int64_t begin, int64_t end) {
    Buffers buffers{scratch(size)};
    uint32_t *keys = buffers.words(keys_size), *values = buffers.words(values_size), *queries = buffers.words(queries_size);
    const Split split(buffers.words(Split::SIZE));
    float *s = buffers.floats(QUERIES * KEYS), *sums = buffers.floats(QUERIES * wide_e);
    float *most = buffers.floats(QUERIES), *total = buffers.floats(QUERIES);
    std::vector<uint32_t> copy;
    const Products product;
    for (int64_t task = begin; task < end; task++) {
      const int64_t head = task / chunks, first = task % chunks * CHUNK, last = std::min(at.L, first + CHUNK);
      const int64_t S = at.causal ? std::min(last, at.S) : at.S, mask_at = at.mask_kind ? at.mask_at(head) : 0;
      const int64_t key_steps = parts_of(S, DEPTH);
      const Matrix q = at.query.head(head, at.sizes, at.dims, 1), own = at.own(out, head, 1, at.L, e);
      pack_all(keys, along_rows(at.key.head(head / at.group, at.sizes, at.dims, at.group), S, d), false);
      pack_all(values, across_rows(at.value.head(head / at.group, at.sizes, at.dims, at.group), S, e), false);
      const uint32_t* finite_values = finite(values, panels_size(e, S), copy);
      for (int64_t i0 = first; i0 < last; i0 += QUERIES) {
        const int64_t rows = std::min(QUERIES, last - i0);
        pack_all(queries, along_rows({q.row(i0), q.ld}, rows, d), true);
        std::memset(sums, 0, QUERIES * wide_e * sizeof(float));
        for (int64_t r = 0; r < rows; r++) most[r] = -INF, total[r] = 0;
        for (int64_t j0 = 0; j0 < S; j0 += KEYS) {
          const int64_t width = at.seen(i0 + rows - 1, j0);
          if (!width) break;
          multiply(product, s, KEYS, rows, width, queries, keys + j0 / LINES * steps * PANEL, steps, steps, false);
          for (int64_t r = 0; r < rows; r++) {
            float* row = s + r * KEYS;
            const int64_t n = at.seen(i0 + r, j0);
            std::memset(row + n, 0, (padded(width) - n) * sizeof(float));
            if (n) at.soften(row, n, head, mask_at, i0 + r, j0, most[r], total[r], sums + r * wide_e, wide_e);
          }
          split.fill(s, rows, width);
          split.multiply_rows(product, sums, wide_e, rows, width, values + j0 / DEPTH * PANEL,
                              finite_values + j0 / DEPTH * PANEL, key_steps, e);
        }
        for (int64_t r = 0; r < rows; r++) {
          const float share = total[r] == 0.f ? 0.f : 1.f / total[r];
          float* row = sums + r * wide_e;
          each(e, [&](int64_t c, auto get, auto put) { put(row + c, get(row + c) * share); });
          log_sums[head * at.L + i0 + r] = at.log_sum(most[r], total[r]);
        }
        put_rows({own.row(i0), own.ld}, sums, wide_e, rows, e);
      }
    }
  });
}

// One task is a head of keys and values with all its queries, so that sums are taken in one order.
void backward(uint16_t* dq, uint16_t* dk, uint16_t* dv, const uint16_t* g, const uint16_t* out, const float* log_sums,
              const Attention<uint16_t>& at) {
  const int64_t d = at.d, e = at.e, L = at.L, S = at.S, wide_d = padded(d), wide_e = padded(e), wide_S = padded(S);
  const int64_t d_steps = parts_of(d, DEPTH), e_steps = parts_of(e, DEPTH), key_steps = parts_of(S, DEPTH);
  const int64_t packed_size = panels_size(KEYS, QUERIES);
  const int64_t size = panels_size(S, d) + panels_size(S, e) + panels_size(d, S) + 2 * panels_size(QUERIES, d) +
                       2 * panels_size(QUERIES, e) + packed_size + 2 * Split::SIZE + 2 * QUERIES * KEYS +
                       wide_S * (wide_d + wide_e) + QUERIES * (wide_d + 1);
  parallel(at.heads / at.group, 1, [&](int64_t begin, int64_t end) {
    Buffers buffers{scratch(size)};
    uint32_t *keys = buffers.words(panels_size(S, d)), *values = buffers.words(panels_size(S, e));
    uint32_t *keys_across = buffers.words(panels_size(d, S)), *packed = buffers.words(packed_size);
    uint32_t *queries = buffers.words(panels_size(QUERIES, d)), *queries_across = buffers.words(panels_size(QUERIES, d));
    uint32_t *gradients = buffers.words(panels_size(QUERIES, e)), *gradients_across = buffers.words(panels_size(QUERIES, e));
    const Split weights(buffers.words(Split::SIZE)), by_scores(buffers.words(Split::SIZE));
    float *s = buffers.floats(QUERIES * KEYS), *ds = buffers.floats(QUERIES * KEYS), *along = buffers.floats(QUERIES);
    float *by_keys = buffers.floats(wide_S * wide_d), *by_values = buffers.floats(wide_S * wide_e);
    float *by_queries = buffers.floats(QUERIES * wide_d);
    std::vector<uint32_t> copy;
    const Products product;
    for (int64_t shared = begin; shared < end; shared++) {
      const Matrix k = at.key.head(shared, at.sizes, at.dims, at.group);
      pack_all(keys, along_rows(k, S, d), false);
      pack_all(keys_across, across_rows(k, S, d), false);
      pack_all(values, along_rows(at.value.head(shared, at.sizes, at.dims, at.group), S, e), false);
      std::memset(by_keys, 0, wide_S * wide_d * sizeof(float));
      std::memset(by_values, 0, wide_S * wide_e * sizeof(float));
      for (int64_t head = shared * at.group; head < (shared + 1) * at.group; head++) {
        const Matrix q = at.query.head(head, at.sizes, at.dims, 1), own_dq = at.own(dq, head, 1, L, d);
        const Matrix go = at.own(g, head, 1, L, e), y = at.own(out, head, 1, L, e);
        const int64_t mask_at = at.mask_kind ? at.mask_at(head) : 0;
        for (int64_t i0 = 0; i0 < L; i0 += QUERIES) {
          const int64_t rows = std::min(QUERIES, L - i0);
          const Matrix own_q = {q.row(i0), q.ld}, own_g = {go.row(i0), go.ld};
          pack_all(queries, along_rows(own_q, rows, d), true);
          pack_all(queries_across, across_rows(own_q, rows, d), false);
          pack_all(gradients, along_rows(own_g, rows, e), true);
          pack_all(gradients_across, across_rows(own_g, rows, e), false);
          const uint32_t* finite_gradients = finite(gradients_across, panels_size(e, rows), copy);
          std::memset(by_queries, 0, QUERIES * wide_d * sizeof(float));
          for (int64_t r = 0; r < rows; r++) {  // the mean of the gradient over the weights
            const uint16_t *a = go.row(i0 + r), *b = y.row(i0 + r);
            vf total = zero();
            for (int64_t c = 0; c < e; c += LANES) {
              const __mmask16 some = e - c >= LANES ? 0xffff : first(e - c);
              total += widen_bfloat16((halves)_mm256_maskz_loadu_epi16(some, a + c)) *
                       widen_bfloat16((halves)_mm256_maskz_loadu_epi16(some, b + c));
            }
            along[r] = sum(total);
          }
          for (int64_t j0 = 0; j0 < S; j0 += KEYS) {
            const int64_t width = at.seen(i0 + rows - 1, j0);
            if (!width) break;
            multiply(product, s, KEYS, rows, width, queries, keys + j0 / LINES * d_steps * PANEL, d_steps, d_steps, false);
            multiply(product, ds, KEYS, rows, width, gradients, values + j0 / LINES * e_steps * PANEL, e_steps, e_steps, false);
            for (int64_t r = 0; r < rows; r++) {
              float *p = s + r * KEYS, *dp = ds + r * KEYS;
              const int64_t n = at.seen(i0 + r, j0);
              std::memset(p + n, 0, (padded(width) - n) * sizeof(float));
              std::memset(dp + n, 0, (padded(width) - n) * sizeof(float));
              if (n) at.harden(p, dp, n, head, mask_at, i0 + r, j0, log_sums[head * L + i0 + r], along[r]);
            }
            weights.fill(s, rows, width);
            by_scores.fill(ds, rows, width);
            const uint32_t* own_keys = keys_across + j0 / DEPTH * PANEL;
            weights.multiply_columns(product, by_values + j0 * wide_e, wide_e, rows, width, packed, gradients_across,
                                     finite_gradients, e);
            // What is not finite of queries and keys makes weights NaN or 0: either way its products are NaN.
            by_scores.multiply_columns(product, by_keys + j0 * wide_d, wide_d, rows, width, packed, queries_across,
                                       queries_across, d);
            by_scores.multiply_rows(product, by_queries, wide_d, rows, width, own_keys, own_keys, key_steps, d);
          }
          put_rows({own_dq.row(i0), own_dq.ld}, by_queries, wide_d, rows, d);
        }
      }
      put_rows(at.own(dk, shared, at.group, S, d), by_keys, wide_d, S, d);
      put_rows(at.own(dv, shared, at.group, S, e), by_values, wide_e, S, e);
    }
  });
}

}  // namespace

// As attention and attention_grad, of arrays of bfloat16; logarithms are floats.
KERNEL void attention_bfloat16(const Arg* a) {
  forward(ptr<uint16_t>(a[0]), ptr<float>(a[1]), Attention<uint16_t>(a + 2));
}
KERNEL void attention_bfloat16_grad(const Arg* a) {
  backward(ptr<uint16_t>(a[0]), ptr<uint16_t>(a[1]), ptr<uint16_t>(a[2]), ptr<const uint16_t>(a[3]),
           ptr<const uint16_t>(a[4]), ptr<const float>(a[5]), Attention<uint16_t>(a + 6));
}

}  // namespace gpunet::cpu
#endif
