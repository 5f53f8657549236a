// Where the largest and the smallest elements of a dimension are: argmax, argmin and topk. NaN is larger than every
// number (for argmin, it is the smallest); of equal elements the first counts.
#include <algorithm>
#include <limits>
#include <vector>

#include "args.h"
#include "pool.h"
#include "vec.h"

namespace gpunet::cpu {
namespace {

// The first place of the extreme of a row: by vectors first its value, then its place in the block that has it.
template <bool LARGEST> int64_t best_of(const float* x, int64_t n) {
  constexpr int64_t BLOCK = 16 * LANES;
  const float worst = LARGEST ? -std::numeric_limits<float>::infinity() : std::numeric_limits<float>::infinity();
  float best = worst;
  int64_t where = 0;
  bool found = false;
  for (int64_t from = 0; from < n; from += BLOCK) {
    const int64_t to = std::min(n, from + BLOCK), whole = from + (to - from) / LANES * LANES;
    vf most = broadcast(worst);
    vi nan = {};
    for (int64_t i = from; i < whole; i += LANES) {
      const vf v = load(x + i);
      most = (LARGEST ? v > most : v < most) ? v : most;
      nan |= v != v;
    }
    float value = LARGEST ? maximum(most) : minimum(most);
    bool any = false;
    for (int lane = 0; lane < LANES; lane++) any |= nan[lane] != 0;
    for (int64_t i = whole; i < to; i++) {
      value = (LARGEST ? x[i] > value : x[i] < value) ? x[i] : value;
      any |= x[i] != x[i];
    }
    if (any)
      for (int64_t i = from;; i++)
        if (x[i] != x[i]) return i;
    if (found && !(LARGEST ? value > best : value < best)) continue;
    best = value, found = true;
    for (where = from; x[where] != value;) where++;
  }
  return where;
}

template <bool LARGEST> void best(const Arg* a) {
  int64_t* out = ptr<int64_t>(a[0]);
  const float* x = ptr<const float>(a[1]);
  const int64_t n = a[3].i, inner = a[4].i;
  if (inner == 1) {
    parallel(a[2].i, grain_of(n), [&](int64_t begin, int64_t end) {
      for (int64_t r = begin; r < end; r++) out[r] = best_of<LARGEST>(x + r * n, n);
    });
    return;
  }
  parallel(a[2].i, grain_of(n * inner), [&](int64_t begin, int64_t end) {
    std::vector<float> most(inner);
    for (int64_t r = begin; r < end; r++) {
      const float* from = x + r * n * inner;
      int64_t* to = out + r * inner;
      for (int64_t j = 0; j < inner; j++) most[j] = from[j], to[j] = 0;
      for (int64_t k = 1; k < n; k++)
        for (int64_t j = 0; j < inner; j++) {
          const float v = from[k * inner + j], m = most[j];
          const bool better = m == m && ((LARGEST ? v > m : v < m) || v != v);
          most[j] = better ? v : m;
          to[j] = better ? k : to[j];
        }
    }
  });
}

// A number's rank as an integer: NaN above infinity; turned around for the smallest. -0 and 0 are equal.
template <bool LARGEST> inline int32_t rank(float x) {
  if (x != x) return LARGEST ? std::numeric_limits<int32_t>::max() : -std::numeric_limits<int32_t>::max();
  int32_t bits;
  x += 0.f;
  std::memcpy(&bits, &x, sizeof bits);
  bits = bits < 0 ? -(bits & 0x7fffffff) : bits;
  return LARGEST ? bits : -bits;
}

struct Entry {
  int32_t rank;
  int64_t place;
  bool operator<(const Entry& other) const { return rank != other.rank ? rank > other.rank : place < other.place; }
};

// The first k in order: a heap of the best so far, or, for a large share of the row, a partial sort of all.
template <bool LARGEST> void best_k(int64_t* out, const float* x, int64_t n, int64_t k, std::vector<Entry>& entries) {
  entries.resize(k * 8 < n ? k : n);
  const int64_t size = static_cast<int64_t>(entries.size());
  for (int64_t i = 0; i < size; i++) entries[i] = {rank<LARGEST>(x[i]), i};
  if (size == n) {
    if (k < n) std::nth_element(entries.begin(), entries.begin() + k, entries.end());
    std::sort(entries.begin(), entries.begin() + k);
  } else {
    std::make_heap(entries.begin(), entries.end());
    int32_t worst = entries.front().rank;
    for (int64_t i = k; i < n; i++) {
      const int32_t r = rank<LARGEST>(x[i]);
      if (r <= worst) continue;
      std::pop_heap(entries.begin(), entries.end());
      entries.back() = {r, i};
      std::push_heap(entries.begin(), entries.end());
      worst = entries.front().rank;
    }
    std::sort_heap(entries.begin(), entries.end());
  }
  for (int64_t i = 0; i < k; i++) out[i] = entries[i].place;
}

}  // namespace

// places [outer, inner], x [outer, n, inner], outer, n, inner
KERNEL void argmax(const Arg* a) { best<true>(a); }
KERNEL void argmin(const Arg* a) { best<false>(a); }

// places [rows, k], x [rows, n], rows, n, k, largest
KERNEL void topk(const Arg* a) {
  int64_t* out = ptr<int64_t>(a[0]);
  const float* x = ptr<const float>(a[1]);
  const int64_t n = a[3].i, k = a[4].i;
  const bool largest = a[5].i;
  if (k == 0) return;
  parallel(a[2].i, grain_of(4 * n), [&](int64_t begin, int64_t end) {
    std::vector<Entry> entries;
    for (int64_t r = begin; r < end; r++)
      largest ? best_k<true>(out + r * k, x + r * n, n, k, entries) : best_k<false>(out + r * k, x + r * n, n, k, entries);
  });
}

}  // namespace gpunet::cpu
