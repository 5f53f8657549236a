// Matrix products of arrays: batches that broadcast, views of any strides; of floats, and of half types where bgemm.h has them.
#include <algorithm>
#include <cstring>
#include <vector>

#include "args.h"
#include "bgemm.h"
#include "halves.h"
#include "pool.h"
#include "sgemm.h"

using namespace gpunet::cpu;

namespace {

// A batch of matrices [rows, cols] in memory; a vector is a matrix of one row.
struct Batch {
  const char* data;
  int64_t rows, cols, row_step, col_step;  // steps in bytes
  int64_t dims;
  int64_t steps[32];  // of the batch's dimensions, aligned to those of the result
};

Batch batch_of(const Array& x, int64_t dims) {
  Batch found = {static_cast<const char*>(x.data), 1, x.shape[x.ndim - 1], 0, x.strides[x.ndim - 1], dims, {}};
  if (x.ndim > 1) {
    found.rows = x.shape[x.ndim - 2];
    found.row_step = x.strides[x.ndim - 2];
  }
  for (int64_t d = dims, own = x.ndim - 3; d-- > 0 && own >= 0; own--)
    found.steps[d] = x.shape[own] == 1 ? 0 : x.strides[own];
  return found;
}

// One matrix as sgemm and bgemm take it.
template <class T> struct Matrix {
  const T* data;
  int64_t ld;
  bool transposed;
};

template <class T> Matrix<T> matrix(const Batch& x, const char* data, bool transposed, int which) {
  constexpr int64_t SIZE = sizeof(T);
  const T* p = reinterpret_cast<const T*>(data);
  // The step of a dimension of one element says nothing.
  const int64_t row = x.rows == 1 ? x.cols * SIZE : x.row_step, col = x.cols == 1 ? SIZE : x.col_step;
  if (col == SIZE && row >= x.cols * SIZE && row % SIZE == 0) return {p, row / SIZE, transposed};
  const int64_t row_alone = x.rows == 1 ? SIZE : x.row_step, col_alone = x.cols == 1 ? x.rows * SIZE : x.col_step;
  if (row_alone == SIZE && col_alone >= x.rows * SIZE && col_alone % SIZE == 0) return {p, col_alone / SIZE, !transposed};
  T* copy = reinterpret_cast<T*>(scratch(x.rows * x.cols, which));
  for (int64_t i = 0; i < x.rows; i++)
    for (int64_t j = 0; j < x.cols; j++) std::memcpy(copy + i * x.cols + j, data + i * x.row_step + j * x.col_step, SIZE);
  return {copy, x.cols, transposed};
}

// Whether the batch's dimensions and the rows can be walked with one step.
bool rows_follow(const Batch& x, const int64_t* shape) {
  int64_t expected = x.rows * x.row_step;
  for (int64_t d = x.dims; d-- > 0;) {
    if (shape[d] == 1) continue;
    if (x.steps[d] != expected) return false;
    expected = x.steps[d] * shape[d];
  }
  return true;
}

// alone, together: one product in this thread, and in the pool.
template <class T, class F, class G> void products(const Arg* args, const Epilogue& epilogue, F alone, G together) {
  constexpr int64_t SIZE = sizeof(T);
  const Array &out = array(args[0]), &left = array(args[1]), &right = array(args[2]);
  const bool ta = args[4].i, tb = args[5].i;
  const int64_t dims = std::max<int64_t>(0, out.ndim - 2);
  Batch a = batch_of(left, dims), c = batch_of(out, dims);
  const Batch b = batch_of(right, dims);
  const int64_t n = c.cols, k = ta ? a.rows : a.cols;
  int64_t count = 1;
  for (int64_t d = 0; d < dims; d++) count *= out.shape[d];
  if (count * c.rows * n == 0) return;
  const bool one_right = std::all_of(b.steps, b.steps + dims, [](int64_t step) { return step == 0; });
  if (count > 1 && one_right && !ta && a.col_step == SIZE && rows_follow(a, out.shape) && rows_follow(c, out.shape)) {
    a.rows = c.rows *= count;  // the batch is more rows
    count = 1;
  }
  const int64_t m = c.rows, ldc = m > 1 ? c.row_step / SIZE : n;
  const auto at = [&](const Batch& x, int64_t index) {
    const char* p = x.data;
    for (int64_t d = dims; d-- > 0; index /= out.shape[d]) p += index % out.shape[d] * x.steps[d];
    return p;
  };
  const auto one = [&](int64_t index, auto&& product) {
    const Matrix<T> x = matrix<T>(a, at(a, index), ta, 2), y = matrix<T>(b, at(b, index), tb, 3);
    product(x.transposed, y.transposed, m, n, k, x.data, x.ld, y.data, y.ld,
            reinterpret_cast<T*>(const_cast<char*>(at(c, index))), ldc, epilogue);
  };
  const int64_t work = m * n * std::max<int64_t>(k, 1);
  if (count == 1 || work > (int64_t{1} << 21)) {
    for (int64_t i = 0; i < count; i++) one(i, together);
  } else {
    parallel(count, std::max<int64_t>(1, (1 << 17) / work), [&](int64_t begin, int64_t end) {
      for (int64_t i = begin; i < end; i++) one(i, alone);
    });
  }
}

}  // namespace

// out, a, b, bias, ta, tb, act: out = act(A' B' + bias). Of the result only the batch may have strides.
KERNEL void matmul(const Arg* args) {
  Epilogue epilogue;
  epilogue.act = static_cast<Act>(args[6].i);
  if (array(args[0]).itemsize == sizeof(float)) {
    if (args[3].p) epilogue.bias = static_cast<const float*>(array(args[3]).data);
    const auto with = [](auto product) {
      return [product](bool ta, bool tb, int64_t m, int64_t n, int64_t k, const float* a, int64_t lda, const float* b,
                       int64_t ldb, float* c, int64_t ldc, const Epilogue& last) {
        product(ta, tb, m, n, k, a, lda, b, ldb, c, ldc, false, last);
      };
    };
    return products<float>(args, epilogue, with(sgemm), with(parallel_sgemm));
  }
  const Real type = real(array(args[0]));
  std::vector<float> bias;
  if (args[3].p) {
    const Array& own = array(args[3]);
    bias.resize(own.shape[0]);
    widen(type, bias.data(), own.data, own.shape[0]);
    epilogue.bias = bias.data();
  }
  const auto product = [type](auto... all) { bgemm(type, all...); };
  products<uint16_t>(args, epilogue, product, product);
}
