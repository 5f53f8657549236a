// Rows of a table by number: taken, and summed up again, as embeddings and their gradients are.
//
// Sums at one row are taken in the order of the indices: the columns, not the indices, are shared among the threads.
#include "args.h"
#include "pool.h"
#include "vec.h"

namespace gpunet::cpu {
namespace {

// Whether all indices are in range; negative ones count from the back if they may.
bool in_range(const int64_t* index, int64_t count, int64_t rows, bool negative) {
  const int64_t least = negative ? -rows : 0;
  bool good = true;
  for (int64_t i = 0; i < count; i++) good &= index[i] >= least && index[i] < rows;
  return good;
}

}  // namespace

// out [count, row], table [rows, row], index [count], whether all indices were in range [1], count, rows, bytes of a row,
// whether indices may be negative. Nothing is written if one is out of range.
KERNEL void take_rows(const Arg* a) {
  char* out = ptr<char>(a[0]);
  const char* table = ptr<const char>(a[1]);
  const int64_t *index = ptr<const int64_t>(a[2]), count = a[4].i, rows = a[5].i, bytes = a[6].i;
  if (!(*ptr<int64_t>(a[3]) = in_range(index, count, rows, a[7].i))) return;
  parallel(count, grain_of(1 + bytes / 4), [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; i++) {
      const int64_t row = index[i] < 0 ? index[i] + rows : index[i];
      std::memcpy(out + i * bytes, table + row * bytes, bytes);
    }
  });
}

// table [rows, width], gradient [count, width], index, whether all were in range [1], count, rows, width, negative
KERNEL void sum_rows(const Arg* a) {
  float* table = ptr<float>(a[0]);
  const float* g = ptr<const float>(a[1]);
  const int64_t *index = ptr<const int64_t>(a[2]), count = a[4].i, rows = a[5].i, width = a[6].i;
  if (!(*ptr<int64_t>(a[3]) = in_range(index, count, rows, a[7].i))) return;
  parallel(rows * width, 1 << 16, [&](int64_t begin, int64_t end) {
    std::memset(table + begin, 0, (end - begin) * sizeof(float));
  });
  const int64_t part = count * width < 65536 || width <= 64 ? width : 64;
  parallel((width + part - 1) / part, 1, [&](int64_t begin, int64_t end) {
    const int64_t from = begin * part, to = end * part < width ? end * part : width;
    for (int64_t i = 0; i < count; i++) {
      float* row = table + (index[i] < 0 ? index[i] + rows : index[i]) * width + from;
      const float* add = g + i * width + from;
      each(to - from, [&](int64_t j, auto get, auto put) { put(row + j, get(row + j) + get(add + j)); });
    }
  });
}

}  // namespace gpunet::cpu
