// The norm of all gradients together, and their scaling to it: each one call for all tensors.
#include <cmath>
#include <vector>

#include "args.h"
#include "pool.h"
#include "vec.h"

namespace gpunet::cpu {
namespace {

constexpr int64_t PIECE = 8192;

// Calls f(number of the piece, tensor, first element, count) for pieces of all tensors.
template <class F> int64_t over_pieces(const int64_t* sizes, int64_t count, F&& f) {
  std::vector<int64_t> first(count + 1, 0);
  for (int64_t t = 0; t < count; t++) first[t + 1] = first[t] + (sizes[t] + PIECE - 1) / PIECE;
  parallel(first[count], 4, [&](int64_t begin, int64_t end) {
    int64_t t = 0;
    for (int64_t piece = begin; piece < end; piece++) {
      while (first[t + 1] <= piece) t++;
      const int64_t from = (piece - first[t]) * PIECE;
      f(piece, t, from, sizes[t] - from < PIECE ? sizes[t] - from : PIECE);
    }
  });
  return first[count];
}

}  // namespace

// norm [1], tensors, sizes, how many: the root of the sum of squares. Pieces are summed in single, together in double
// precision.
KERNEL void total_norm(const Arg* a) {
  const Arg* tensors = ptr<const Arg>(a[1]);
  const int64_t *sizes = ptr<const int64_t>(a[2]), count = a[3].i;
  int64_t pieces = 0;
  for (int64_t t = 0; t < count; t++) pieces += (sizes[t] + PIECE - 1) / PIECE;
  std::vector<double> sums(pieces);
  over_pieces(sizes, count, [&](int64_t piece, int64_t t, int64_t from, int64_t size) {
    const float* x = ptr<const float>(tensors[t]) + from;
    vf s[4] = {};
    int64_t i = 0;
    for (; i + 4 * LANES <= size; i += 4 * LANES)
      for (int v = 0; v < 4; v++) {
        const vf y = load(x + i + v * LANES);
        s[v] += y * y;
      }
    double total = sum((s[0] + s[1]) + (s[2] + s[3]));
    for (; i < size; i++) total += static_cast<double>(x[i]) * x[i];
    sums[piece] = total;
  });
  double total = 0;
  for (const double each : sums) total += each;
  *ptr<float>(a[0]) = static_cast<float>(std::sqrt(total));
}

// tensors, sizes, how many, factor [1]: each element times the factor, in place
KERNEL void scale_all(const Arg* a) {
  const Arg* tensors = ptr<const Arg>(a[0]);
  const float factor = *ptr<const float>(a[3]);
  over_pieces(ptr<const int64_t>(a[1]), a[2].i, [&](int64_t, int64_t t, int64_t from, int64_t size) {
    float* x = ptr<float>(tensors[t]) + from;
    each(size, [&](int64_t i, auto get, auto put) { put(x + i, get(x + i) * factor); });
  });
}

}  // namespace gpunet::cpu
