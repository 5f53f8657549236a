// Walking arrays of any strides together, element by element: dimensions that all arrays walk alike become one, and
// the last one is a row, handled a vector at a time. A row is contiguous, one repeated element, or gathered piece by
// piece into a buffer. Elements of half types become floats there, and results are rounded to them once.
#pragma once
#include <algorithm>
#include <cstring>

#include "args.h"
#include "halves.h"
#include "pool.h"
#include "vec.h"

namespace gpunet::cpu {

constexpr int MOST_DIMS = 64;
constexpr int64_t CHEAP = 16384, DEAR = 4096;  // elements of a slice

// N arrays, the first of which is the result, whose shape the others broadcast to.
template <int N> struct Walk {
  int dims = 0;  // without those of one element; 0 for one element in all
  int64_t shape[MOST_DIMS], rows = 1, row = 1;
  int64_t steps[N][MOST_DIMS];
  char* data[N];
  int64_t step[N] = {};  // along the row

  explicit Walk(const Array* const (&arrays)[N]) {
    const Array& out = *arrays[0];
    for (int i = 0; i < N; i++) data[i] = static_cast<char*>(arrays[i]->data);
    for (int64_t d = 0; d < out.ndim; d++) {
      if (out.shape[d] == 1) continue;
      int64_t own[N];
      for (int i = 0; i < N; i++) {
        const int64_t there = d - (out.ndim - arrays[i]->ndim);
        own[i] = there < 0 || arrays[i]->shape[there] == 1 ? 0 : arrays[i]->strides[there];
      }
      bool joins = dims > 0;
      for (int i = 0; i < N && joins; i++) joins = steps[i][dims - 1] == own[i] * out.shape[d];
      if (joins) {
        shape[dims - 1] *= out.shape[d];
      } else {
        shape[dims++] = out.shape[d];
      }
      for (int i = 0; i < N; i++) steps[i][dims - 1] = own[i];
    }
    for (int d = 0; d < dims - 1; d++) rows *= shape[d];
    if (dims) row = shape[dims - 1];
    for (int i = 0; i < N; i++) step[i] = dims ? steps[i][dims - 1] : 0;
  }

  // Calls f(pointers, n) for pieces of rows, in the pool: `grain` elements to a slice or more.
  template <class F> void run(int64_t grain, F&& f) const {
    if (rows * row == 0) return;
    const int64_t piece = std::min(row, grain), pieces = (row + piece - 1) / piece;
    parallel(rows * pieces, std::max<int64_t>(1, grain / piece), [&](int64_t begin, int64_t end) {
      char* at[N];
      int64_t index[MOST_DIMS], number = begin / pieces, within = begin % pieces * piece;
      for (int i = 0; i < N; i++) at[i] = data[i];
      for (int d = dims - 2; d >= 0; d--) {
        index[d] = number % shape[d];
        number /= shape[d];
        for (int i = 0; i < N; i++) at[i] += index[d] * steps[i][d];
      }
      for (int64_t task = begin; task < end; task++) {
        char* here[N];
        for (int i = 0; i < N; i++) here[i] = at[i] + within * step[i];
        f(here, std::min(piece, row - within));
        within += piece;
        if (within < row) continue;
        within = 0;
        for (int d = dims - 2; d >= 0; d--) {
          for (int i = 0; i < N; i++) at[i] += steps[i][d];
          if (++index[d] < shape[d]) break;
          index[d] = 0;
          for (int i = 0; i < N; i++) at[i] -= shape[d] * steps[i][d];
        }
      }
    });
  }
};

constexpr int64_t PIECE = 512;  // elements of a row that is gathered

// A row that is read: contiguous in memory, or `one` element for all.
struct Row {
  const char* data;
  bool one;
};

template <class T> inline Row contiguous(const char* data, int64_t step, int64_t n, T (&buffer)[PIECE]) {
  if (step == sizeof(T) || step == 0) return {data, step == 0};
  for (int64_t i = 0; i < n; i++) std::memcpy(buffer + i, data + i * step, sizeof(T));
  return {reinterpret_cast<const char*>(buffer), false};
}

// The same of floats, or of what becomes floats.
inline Row floats(const char* data, int64_t step, int64_t n, float (&buffer)[PIECE], Real type) {
  if (type == Real::FLOAT32) return contiguous(data, step, n, buffer);
  uint16_t gathered[PIECE];
  const Row row = contiguous(data, step, n, gathered);
  widen(type, buffer, row.data, row.one ? 1 : n);
  return {reinterpret_cast<const char*>(buffer), row.one};
}

// n results, n <= PIECE, go where they belong.
inline void spread(char* to, int64_t step, const float* from, int64_t n, Real type) {
  if (type == Real::FLOAT32) {
    for (int64_t j = 0; j < n; j++) std::memcpy(to + j * step, from + j, sizeof(float));
  } else if (step == size_of(type)) {
    narrow(type, to, from, n);
  } else {
    uint16_t rounded[PIECE];
    narrow(type, rounded, from, n);
    for (int64_t j = 0; j < n; j++) std::memcpy(to + j * step, rounded + j, sizeof(uint16_t));
  }
}

inline bool follows(int64_t step, int64_t size) { return step == size || step == 0; }

// Whether a row of floats is written where it belongs.
inline bool direct(int64_t step, Real type) { return type == Real::FLOAT32 && step == sizeof(float); }

// A number as an array of floats.
struct Number {
  float value;
  Array array;
  explicit Number(const Array& given) : value(static_cast<float>(given.number)), array(given) {
    array.data = &value;
    array.itemsize = sizeof(float);
    array.type = FLOAT;
  }
};

// ---- results of floats ---------------------------------------------------------------------------------------------------

// f(vector) for each element of out = f(x).
template <class F> void unary(const Array& out, const Array& x, int64_t grain, F f) {
  const Walk<2> walk({&out, &x});
  const Real type = real(out), type_x = real(x);
  const bool plain = direct(walk.step[0], type) && type_x == Real::FLOAT32 && follows(walk.step[1], sizeof(float));
  walk.run(grain, [&](char* const (&at)[2], int64_t n) {
    float from[PIECE], to[PIECE];
    for (int64_t i = 0; i < n; i += PIECE) {
      const int64_t count = plain ? n : std::min(PIECE, n - i);
      const Row row = floats(at[1] + i * walk.step[1], walk.step[1], count, from, type_x);
      const float* p = reinterpret_cast<const float*>(row.data);
      char* target = at[0] + i * walk.step[0];
      float* y = direct(walk.step[0], type) ? reinterpret_cast<float*>(target) : to;
      if (row.one) {
        const vf value = f(broadcast(*p));
        each(count, [&](int64_t j, auto, auto put) { put(y + j, value); });
      } else {
        each(count, [&](int64_t j, auto get, auto put) { put(y + j, f(get(p + j))); });
      }
      if (y == to) spread(target, walk.step[0], to, count, type);
      if (plain) break;
    }
  });
}

// The rows of x and y, n <= PIECE elements or contiguous: g(get_x, get_y) with functions of the place.
template <class G> GPUNET_INLINE void pairs(Row x, Row y, G&& g) {
  const float *p = reinterpret_cast<const float*>(x.data), *q = reinterpret_cast<const float*>(y.data);
  const auto all = [](const float* r) { return [r](int64_t j, auto get) { return get(r + j); }; };
  const auto one = [](const float* r) { return [v = broadcast(*r)](int64_t, auto) { return v; }; };
  if (x.one) g(one(p), y.one ? all(q) : all(q));
  else if (y.one) g(all(p), one(q));
  else g(all(p), all(q));
}

// out = f(x, y) of floats; `out` holds floats (or a half type), or bools where f gives comparisons.
template <class Out, class F> void binary(const Array& out, const Array& given_x, const Array& given_y, int64_t grain, F f) {
  const Number number_x(given_x), number_y(given_y);
  const Array &left = given_x.type == DOUBLE ? number_x.array : given_x, &right = given_y.type == DOUBLE ? number_y.array : given_y;
  const Walk<3> walk({&out, &left, &right});
  const Real type = sizeof(Out) == sizeof(float) ? real(out) : Real::FLOAT32, type_x = real(left), type_y = real(right);
  const bool to_place = walk.step[0] == sizeof(Out) && type == Real::FLOAT32;
  const bool plain = to_place && type_x == Real::FLOAT32 && type_y == Real::FLOAT32 && follows(walk.step[1], sizeof(float)) &&
                     follows(walk.step[2], sizeof(float)) && (walk.step[1] || walk.step[2]);
  walk.run(grain, [&](char* const (&at)[3], int64_t n) {
    float from_x[PIECE], from_y[PIECE];
    Out to[PIECE];
    for (int64_t i = 0; i < n; i += PIECE) {
      const int64_t count = plain ? n : std::min(PIECE, n - i);
      const Row x = floats(at[1] + i * walk.step[1], walk.step[1], count, from_x, type_x);
      Row y = floats(at[2] + i * walk.step[2], walk.step[2], count, from_y, type_y);
      if (x.one && y.one) {  // one of both as a whole row
        const float one = *reinterpret_cast<const float*>(y.data);
        for (int64_t j = 0; j < count; j++) from_y[j] = one;
        y = {reinterpret_cast<const char*>(from_y), false};
      }
      char* target = at[0] + i * walk.step[0];
      Out* z = to_place ? reinterpret_cast<Out*>(target) : to;
      pairs(x, y, [&](auto get_x, auto get_y) {
        if constexpr (sizeof(Out) == sizeof(float)) {
          each(count, [&](int64_t j, auto get, auto put) { put(z + j, f(get_x(j, get), get_y(j, get))); });
        } else {
          typedef int8_t bytes __attribute__((vector_size(LANES)));
          int64_t j = 0;
          for (; j + LANES <= count; j += LANES) {
            const auto get = [](const float* p) { return load(p); };
            const bytes truth = __builtin_convertvector(f(get_x(j, get), get_y(j, get)), bytes) & 1;
            std::memcpy(z + j, &truth, LANES);
          }
          if (j < count) {
            const int64_t rest = count - j;
            const auto get = [rest](const float* p) { return load(p, rest); };
            const bytes truth = __builtin_convertvector(f(get_x(j, get), get_y(j, get)), bytes) & 1;
            std::memcpy(z + j, &truth, rest);
          }
        }
      });
      if (z == to) {
        if constexpr (sizeof(Out) == sizeof(float)) spread(target, walk.step[0], to, count, type);
        else for (int64_t j = 0; j < count; j++) std::memcpy(target + j * walk.step[0], to + j, sizeof(Out));
      }
      if (plain) break;
    }
  });
}

}  // namespace gpunet::cpu
