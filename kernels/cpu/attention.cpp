// Scaled dot-product attention by blocks, forward and backward: memory grows with the sequence, not with its square.
//
// A block of queries meets one block of keys after the other; the softmax over all keys is put together from the blocks'
// (Milakov and Gimelshein, "Online normalizer calculation for softmax", 2018; Dao et al., "FlashAttention", 2022). The
// forward pass keeps the logarithm of each row's sum, from which the backward pass computes the weights anew. Blocks of
// keys that a causal mask hides are left out. Dropped weights are those that dropout of the whole matrix would drop.
//
// query [..., L, d], key [..., S, d], value [..., S, e]: any strides but for the last dimension. `group` query heads
// share one head of keys and values.
#include "attention.h"
#include "pool.h"
#include "tile.h"
#include "transpose.h"
#include "vec.h"

namespace gpunet::cpu {
namespace {

constexpr int64_t QUERIES = 48;  // of a block
constexpr int WIDE = 2;
constexpr int64_t WIDTH = WIDE * LANES;
constexpr int64_t CHUNK = 5 * QUERIES;  // queries of a head that a thread takes at once
static_assert(KEYS % WIDTH == 0, "a block is a whole number of panels");

int64_t padded(int64_t n) { return (n + WIDTH - 1) / WIDTH * WIDTH; }

using Matrix = RowsOf<float>;

// Panels of WIDTH rows, transposed: [rows / WIDTH][n][WIDTH], 0 beyond the last row.
void pack_transposed(float* to, Matrix x, int64_t rows, int64_t n) {
  for (int64_t r0 = 0; r0 < rows; r0 += WIDTH, to += n * WIDTH)
    transpose(x.row(r0), x.ld, rows - r0 < WIDTH ? rows - r0 : WIDTH, n, to, WIDTH, WIDTH);
}

// The rows as a right factor: where they are, or, if their length is not a multiple of WIDTH, in a padded copy.
Matrix as_factor(float* to, Matrix x, int64_t rows, int64_t n) {
  const int64_t ld = padded(n);
  if (ld == n) return x;
  for (int64_t r = 0; r < rows; r++) {
    std::memcpy(to + r * ld, x.row(r), n * sizeof(float));
    std::memset(to + r * ld + n, 0, (ld - n) * sizeof(float));
  }
  return {to, ld};
}
int64_t factor_size(int64_t rows, int64_t n) { return padded(n) == n ? 0 : rows * padded(n); }

// s [rows, KEYS] = x [rows, n] times the packed panels that the first `keys` columns take.
void times_panels(float* s, Matrix x, int64_t rows, const float* panels, int64_t n, int64_t keys) {
  for (int64_t j = 0; j < keys; j += WIDTH, panels += n * WIDTH)
    even_tiles<TILE_ROWS<WIDE>>(rows, [&](auto count, int64_t i) {
      vf sums[count.count][WIDE];
      tile(sums, n, x.row(i), x.ld, 1, panels, WIDTH);
      for (int r = 0; r < count.count; r++)
        for (int v = 0; v < WIDE; v++) store(s + (i + r) * KEYS + j + v * LANES, sums[r][v]);
    });
}

// to [rows, n] += A factor, where A [rows, k] has its elements at a[row * down + k * along].
void add_product(float* to, int64_t ld, int64_t rows, int64_t n, int64_t k, const float* a, int64_t down, int64_t along,
                 Matrix factor) {
  for (int64_t j = 0; j < n; j += WIDTH)
    even_tiles<TILE_ROWS<WIDE>>(rows, [&](auto count, int64_t i) {
      vf sums[count.count][WIDE];
      tile(sums, k, a + i * down, down, along, factor.p + j, factor.ld);
      for (int r = 0; r < count.count; r++) {
        float* out = to + (i + r) * ld + j;
        if (n - j >= WIDTH)
          for (int v = 0; v < WIDE; v++) store(out + v * LANES, load(out + v * LANES) + sums[r][v]);
        else
          each(n - j, [&](int64_t c, auto get, auto put) { put(out + c, get(out + c) + sums[r][c / LANES]); });
      }
    });
}

void clear(Matrix x, int64_t rows, int64_t n) {
  for (int64_t r = 0; r < rows; r++) std::memset(x.written(r), 0, n * sizeof(float));
}

void forward(float* out, float* log_sums, const Attention<float>& at) {
  const int64_t d = at.d, e = at.e, wide_e = padded(e), chunks = (at.L + CHUNK - 1) / CHUNK;
  const int64_t keys_size = padded(at.S) * d, values_size = factor_size(at.S, e);
  parallel(at.heads * chunks, 1, [&](int64_t begin, int64_t end) {
    float* keys = scratch(keys_size + values_size + QUERIES * (KEYS + wide_e + 2));
    float *values = keys + keys_size, *s = values + values_size, *sums = s + QUERIES * KEYS;
    float *most = sums + QUERIES * wide_e, *total = most + QUERIES;
    for (int64_t task = begin; task < end; task++) {
      const int64_t head = task / chunks, first = task % chunks * CHUNK;
      const int64_t last = first + CHUNK < at.L ? first + CHUNK : at.L;
      const int64_t S = at.causal && last < at.S ? last : at.S, mask_at = at.mask_kind ? at.mask_at(head) : 0;
      const Matrix q = at.query.head(head, at.sizes, at.dims, 1);
      pack_transposed(keys, at.key.head(head / at.group, at.sizes, at.dims, at.group), S, d);
      const Matrix own = at.own(out, head, 1, at.L, e);
      const Matrix v = as_factor(values, at.value.head(head / at.group, at.sizes, at.dims, at.group), S, e);
      for (int64_t i0 = first; i0 < last; i0 += QUERIES) {
        const int64_t rows = last - i0 < QUERIES ? last - i0 : QUERIES;
        std::memset(sums, 0, rows * wide_e * sizeof(float));
        for (int64_t r = 0; r < rows; r++) most[r] = -INF, total[r] = 0;
        for (int64_t j0 = 0; j0 < S; j0 += KEYS) {
          const int64_t width = at.seen(i0 + rows - 1, j0);
          if (!width) break;
          times_panels(s, {q.row(i0), q.ld}, rows, keys + j0 * d, d, width);
          for (int64_t r = 0; r < rows; r++) {
            float* row = s + r * KEYS;
            const int64_t n = at.seen(i0 + r, j0);
            if (n < width) std::memset(row + n, 0, (width - n) * sizeof(float));
            if (n) at.soften(row, n, head, mask_at, i0 + r, j0, most[r], total[r], sums + r * wide_e, wide_e);
          }
          add_product(sums, wide_e, rows, wide_e, width, s, KEYS, 1, {v.row(j0), v.ld});
        }
        for (int64_t r = 0; r < rows; r++) {
          const float share = total[r] == 0.f ? 0.f : 1.f / total[r];
          float* to = own.written(i0 + r);
          each(e, [&](int64_t c, auto get, auto put) { put(to + c, get(sums + r * wide_e + c) * share); });
          log_sums[head * at.L + i0 + r] = at.log_sum(most[r], total[r]);
        }
      }
    }
  });
}

// One task is a head of keys and values with all its queries, so that sums are taken in one order.
void backward(float* dq, float* dk, float* dv, const float* g, const float* out, const float* log_sums,
              const Attention<float>& at) {
  const int64_t d = at.d, e = at.e, L = at.L, S = at.S;
  const int64_t sizes[] = {padded(S) * d, padded(S) * e, factor_size(S, d), factor_size(L, d), factor_size(L, e),
                           QUERIES * KEYS, QUERIES * KEYS, QUERIES};
  int64_t size = 0;
  for (const int64_t each : sizes) size += each;
  parallel(at.heads / at.group, 1, [&](int64_t begin, int64_t end) {
    float* parts[8];
    parts[0] = scratch(size);
    for (int i = 1; i < 8; i++) parts[i] = parts[i - 1] + sizes[i - 1];
    float *keys = parts[0], *values = parts[1], *s = parts[5], *ds = parts[6], *along = parts[7];
    for (int64_t shared = begin; shared < end; shared++) {
      const Matrix k = at.key.head(shared, at.sizes, at.dims, at.group);
      const Matrix v = at.value.head(shared, at.sizes, at.dims, at.group);
      pack_transposed(keys, k, S, d);
      pack_transposed(values, v, S, e);
      const Matrix k_factor = as_factor(parts[2], k, S, d);
      const Matrix own_dk = at.own(dk, shared, at.group, S, d), own_dv = at.own(dv, shared, at.group, S, e);
      clear(own_dk, S, d);
      clear(own_dv, S, e);
      for (int64_t head = shared * at.group; head < (shared + 1) * at.group; head++) {
        const Matrix q = at.query.head(head, at.sizes, at.dims, 1), q_factor = as_factor(parts[3], q, L, d);
        const Matrix go = at.own(g, head, 1, L, e), y = at.own(out, head, 1, L, e), own_dq = at.own(dq, head, 1, L, d);
        const Matrix g_factor = as_factor(parts[4], go, L, e);
        const int64_t mask_at = at.mask_kind ? at.mask_at(head) : 0;
        clear(own_dq, L, d);
        for (int64_t i0 = 0; i0 < L; i0 += QUERIES) {
          const int64_t rows = L - i0 < QUERIES ? L - i0 : QUERIES;
          for (int64_t r = 0; r < rows; r++) {  // the mean of the gradient over the weights
            const float *a = go.row(i0 + r), *b = y.row(i0 + r);
            vf total = zero();
            each(e, [&](int64_t c, auto get, auto) { total += get(a + c) * get(b + c); });
            along[r] = sum(total);
          }
          for (int64_t j0 = 0; j0 < S; j0 += KEYS) {
            const int64_t width = at.seen(i0 + rows - 1, j0);
            if (!width) break;
            times_panels(s, {q.row(i0), q.ld}, rows, keys + j0 * d, d, width);
            times_panels(ds, {go.row(i0), go.ld}, rows, values + j0 * e, e, width);
            for (int64_t r = 0; r < rows; r++) {
              float *p = s + r * KEYS, *dp = ds + r * KEYS;
              const int64_t n = at.seen(i0 + r, j0);
              if (n < width) {
                std::memset(p + n, 0, (width - n) * sizeof(float));
                std::memset(dp + n, 0, (width - n) * sizeof(float));
              }
              if (n) at.harden(p, dp, n, head, mask_at, i0 + r, j0, log_sums[head * L + i0 + r], along[r]);
            }
            add_product(own_dv.written(j0), own_dv.ld, width, e, rows, s, 1, KEYS, {g_factor.row(i0), g_factor.ld});
            add_product(own_dk.written(j0), own_dk.ld, width, d, rows, ds, 1, KEYS, {q_factor.row(i0), q_factor.ld});
            add_product(own_dq.written(i0), own_dq.ld, rows, d, width, ds, KEYS, 1, {k_factor.row(j0), k_factor.ld});
          }
        }
      }
    }
  });
}

}  // namespace

// out [..., L, e], logarithm of each row's sum [..., L], then as Attention takes them
KERNEL void attention(const Arg* a) { forward(ptr<float>(a[0]), ptr<float>(a[1]), Attention<float>(a + 2)); }

// gradients of query, key and value; gradient [..., L, e], out, logarithms, then as Attention takes them
KERNEL void attention_grad(const Arg* a) {
  backward(ptr<float>(a[0]), ptr<float>(a[1]), ptr<float>(a[2]), ptr<const float>(a[3]), ptr<const float>(a[4]),
           ptr<const float>(a[5]), Attention<float>(a + 6));
}

}  // namespace gpunet::cpu
