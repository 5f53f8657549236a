// What attention of floats and of bfloat16 share: which rows belong to a head, which keys a query sees, and how.
#pragma once
#include <cstring>
#include <limits>

#include "args.h"
#include "philox.h"
#include "vec.h"

namespace gpunet::cpu {
namespace {

constexpr float INF = std::numeric_limits<float>::infinity();
constexpr int64_t KEYS = 128;  // of a block

inline float number(float x) { return x; }
inline float number(uint16_t x) {  // of bfloat16
  const uint32_t wide = static_cast<uint32_t>(x) << 16;
  float y;
  std::memcpy(&y, &wide, sizeof y);
  return y;
}

inline float largest(const float* x, int64_t n) {
  vf most = broadcast(-INF);
  int64_t i = 0;
  for (; i + LANES <= n; i += LANES) {
    const vf y = load(x + i);
    most = y > most ? y : most;
  }
  float best = maximum(most);
  for (; i < n; i++) best = x[i] > best ? x[i] : best;
  return best;
}

// x = e^(x - most); the sum of it.
inline float exponentials(float* x, float most, int64_t n) {
  vf total = zero();
  int64_t i = 0;
  for (; i + LANES <= n; i += LANES) {
    const vf y = vexp_short(load(x + i) - most);
    store(x + i, y);
    total += y;
  }
  float all = sum(total);
  if (i < n) {
    store(x + i, vexp_short(load(x + i, n - i) - most), n - i);
    for (; i < n; i++) all += x[i];
  }
  return all;
}

template <class T> struct RowsOf {  // one head
  const T* p;
  int64_t ld;
  const T* row(int64_t i) const { return p + i * ld; }
  T* written(int64_t i) const { return const_cast<T*>(row(i)); }
};

template <class T> struct Heads {  // an array's rows for each head
  const T* p;
  const int64_t* strides;  // of the leading dimensions, then of the rows; in elements
  RowsOf<T> head(int64_t number, const int64_t* sizes, int64_t dims, int64_t group) const {
    const T* at = p;
    for (int64_t d = dims - 1; d >= 0; d--) {
      const int64_t size = d == dims - 1 ? sizes[d] / group : sizes[d];
      at += number % size * strides[d];
      number /= size;
    }
    return {at, strides[dims]};
  }
};

// T: float, or uint16_t for bfloat16.
template <class T> struct Attention {
  Heads<T> query, key, value;
  const void* mask;
  int64_t mask_kind;  // 0 none, 1 bools: where to look, 2 numbers: added
  const int64_t* mask_strides;  // leading dimensions, rows, columns
  const uint64_t* state;
  int64_t offset;
  uint32_t threshold;
  float kept_scale;
  const int64_t* sizes;  // of the leading dimensions
  int64_t dims, heads, group, L, S, d, e;
  float scale;
  bool causal, turned;

  // From `a` on: query, key, value; their strides; mask, its kind and strides; state or null, offset, threshold,
  // scale of what is kept; leading sizes, their number, heads, group, L, S, d, e, scale, causal, turned
  explicit Attention(const Arg* a)
      : query{ptr<const T>(a[0]), ptr<const int64_t>(a[3])}, key{ptr<const T>(a[1]), ptr<const int64_t>(a[4])},
        value{ptr<const T>(a[2]), ptr<const int64_t>(a[5])}, mask(a[6].p), mask_kind(a[7].i),
        mask_strides(ptr<const int64_t>(a[8])), state(ptr<const uint64_t>(a[9])), offset(a[10].i),
        threshold(static_cast<uint32_t>(a[11].i)), kept_scale(static_cast<float>(a[12].d)),
        sizes(ptr<const int64_t>(a[13])), dims(a[14].i), heads(a[15].i), group(a[16].i), L(a[17].i), S(a[18].i),
        d(a[19].i), e(a[20].i), scale(static_cast<float>(a[21].d)), causal(a[22].i), turned(a[23].i) {}

  // A head of a result or gradient [..., heads / shared_by, rows, n]; in memory [batch, rows, heads / shared_by, n] if turned.
  RowsOf<T> own(const T* p, int64_t head, int64_t shared_by, int64_t rows, int64_t n) const {
    const int64_t beside = turned ? sizes[dims - 1] / shared_by : 1;
    return {p + (head / beside * rows * beside + head % beside) * n, beside * n};
  }

  int64_t mask_at(int64_t head) const {
    int64_t at = 0;
    for (int64_t k = dims - 1; k >= 0; k--) {
      at += head % sizes[k] * mask_strides[k];
      head /= sizes[k];
    }
    return at;
  }

  // Keys of the block from j0 on that query i may see.
  int64_t seen(int64_t i, int64_t j0) const {
    const int64_t all = S - j0 < KEYS ? S - j0 : KEYS, own = causal ? i + 1 - j0 : all;
    return own < 0 ? 0 : own < all ? own : all;
  }

  // The products of query i with n keys, scaled and masked.
  void mask_row(float* s, int64_t n, int64_t head_at, int64_t i, int64_t j0) const {
    each(n, [&](int64_t j, auto get, auto put) { put(s + j, get(s + j) * scale); });
    if (!mask_kind) return;
    const int64_t step = mask_strides[dims + 1], from = head_at + i * mask_strides[dims] + j0 * step;
    if (mask_kind == 1) {
      const uint8_t* m = static_cast<const uint8_t*>(mask) + from;
      for (int64_t j = 0; j < n; j++) s[j] = m[j * step] ? s[j] : -INF;
    } else {
      const T* m = static_cast<const T*>(mask) + from;
      for (int64_t j = 0; j < n; j++) s[j] += number(m[j * step]);
    }
  }

  // n weights of query i of a head, from key j0 on: times 0 or kept_scale.
  void drop(float* p, int64_t n, int64_t head, int64_t i, int64_t j0) const {
    const int64_t from = (head * L + i) * S + j0;
    Draws(state, offset).words(from, from + n, [&](int64_t at, const uint32_t* words, int64_t count) {
      float* to = p + (at - from);
      for (int64_t k = 0; k < count; k++) to[k] = (words[k] >> 8) >= threshold ? to[k] * kept_scale : 0.f;
    });
  }

  // A row of products with n keys as exponentials. What was summed up of earlier keys, `wide` numbers and their total,
  // shrinks to the new maximum.
  void soften(float* row, int64_t n, int64_t head, int64_t mask_at, int64_t i, int64_t j0, float& most, float& total,
              float* sums, int64_t wide) const {
    mask_row(row, n, mask_at, i, j0);
    const float own = largest(row, n), now = own > most ? own : most;
    if (now == -INF) {  // nothing seen yet, or NaN, which its exponential keeps
      total += exponentials(row, 0.f, n);
    } else {
      const float shrink = most == -INF ? 1.f : vexp_short(broadcast(most - now))[0];
      total = total * shrink + exponentials(row, now, n);
      if (shrink != 1.f) each(wide, [&](int64_t c, auto get, auto put) { put(sums + c, get(sums + c) * shrink); });
      most = now;
    }
    if (state) drop(row, n, head, i, j0);
  }

  static float log_sum(float most, float total) {
    return total == 0.f ? INF : (most == -INF ? 0.f : most) + vlog(broadcast(total))[0];
  }

  // p, a row of products with n keys, as weights, and dp, their gradients, as those of the products. less: the row's
  // logarithm; mean: of the gradients over the weights.
  void harden(float* p, float* dp, int64_t n, int64_t head, int64_t mask_at, int64_t i, int64_t j0, float less,
              float mean) const {
    mask_row(p, n, mask_at, i, j0);
    if (state) drop(dp, n, head, i, j0);
    each(n, [&](int64_t j, auto get, auto put) {
      const vf w = vexp_short(get(p + j) - less);
      put(dp + j, w * (get(dp + j) - mean) * scale);
      put(p + j, w);
    });
    if (state) drop(p, n, head, i, j0);
  }
};

}  // namespace
}  // namespace gpunet::cpu
