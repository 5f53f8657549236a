// Element-wise functions of one array, and copies. Codes are those of gpunet/ops/elementwise.py.
#include "elementwise.h"

using namespace gpunet::cpu;

namespace {

enum Unary { RELU, NEG, ABS, EXP, LOG, SQRT, RSQRT, RECIPROCAL, TANH, SIGMOID, SILU, GELU, GELU_TANH, ERF, COPY, SQUARE,
             LEAKY_RELU, CLAMP };

// A two-dimensional walk in tiles, where rows of the result are columns of what is copied.
template <class T> bool copy_turned(const Walk<2>& walk) {
  int across = -1;
  for (int d = 0; d < walk.dims - 1; d++)
    if (walk.steps[1][d] == sizeof(T)) across = d;
  if (across < 0 || walk.step[0] != sizeof(T) || walk.step[1] == sizeof(T) || walk.step[1] == 0) return false;
  constexpr int64_t TILE = 32;
  const int64_t high = walk.shape[across], wide = walk.row, others = walk.rows / high;
  const int64_t tiles_high = (high + TILE - 1) / TILE, tiles_wide = (wide + TILE - 1) / TILE;
  parallel(others * tiles_high * tiles_wide, 16, [&](int64_t begin, int64_t end) {
    for (int64_t task = begin; task < end; task++) {
      const char *to = walk.data[0], *from = walk.data[1];
      int64_t other = task / (tiles_high * tiles_wide);
      for (int d = walk.dims - 2; d >= 0; d--) {
        if (d == across) continue;
        to += other % walk.shape[d] * walk.steps[0][d];
        from += other % walk.shape[d] * walk.steps[1][d];
        other /= walk.shape[d];
      }
      const int64_t i0 = task / tiles_wide % tiles_high * TILE, j0 = task % tiles_wide * TILE;
      for (int64_t i = i0; i < std::min(i0 + TILE, high); i++) {
        T* row = reinterpret_cast<T*>(const_cast<char*>(to) + i * walk.steps[0][across]);
        const char* column = from + i * sizeof(T);
        for (int64_t j = j0; j < std::min(j0 + TILE, wide); j++) std::memcpy(row + j, column + j * walk.step[1], sizeof(T));
      }
    }
  });
  return true;
}

// Of one type, of which only the size matters.
template <class T> void copy_same(const Walk<2>& walk) {
  if (copy_turned<T>(walk)) return;
  if (walk.step[0] == sizeof(T) && walk.step[1] == sizeof(T)) {
    walk.run(CHEAP, [](char* const (&at)[2], int64_t n) { std::memcpy(at[0], at[1], n * sizeof(T)); });
    return;
  }
  walk.run(CHEAP, [&](char* const (&at)[2], int64_t n) {
    if (walk.step[0] == sizeof(T) && walk.step[1] == 0) {
      std::fill_n(reinterpret_cast<T*>(at[0]), n, *reinterpret_cast<const T*>(at[1]));
      return;
    }
    for (int64_t j = 0; j < n; j++) std::memcpy(at[0] + j * walk.step[0], at[1] + j * walk.step[1], sizeof(T));
  });
}

void copy(const Array& out, const Array& given) {
  const Number number(given);
  const Array& x = given.type == DOUBLE ? number.array : given;
  if (real(out) != real(x)) return unary(out, x, CHEAP, [](vf v) { return v; });
  const Walk<2> walk({&out, &x});
  real(out) == Real::FLOAT32 ? copy_same<float>(walk) : copy_same<uint16_t>(walk);
}

}  // namespace

KERNEL void elementwise_unary(const Arg* a) {  // code, out, x, two parameters
  const Array &out = array(a[1]), &x = array(a[2]);
  switch (a[0].i) {
    case RELU: return unary(out, x, CHEAP, [](vf v) { return v <= 0.f ? zero() : v; });
    case NEG: return unary(out, x, CHEAP, [](vf v) { return -v; });
    case ABS: return unary(out, x, CHEAP, [](vf v) { return vabs(v); });
    case EXP: return unary(out, x, DEAR, [](vf v) { return vexp(v); });
    case LOG: return unary(out, x, DEAR, [](vf v) { return vlog(v); });
    case SQRT: return unary(out, x, DEAR, [](vf v) { return vsqrt(v); });
    case RSQRT: return unary(out, x, DEAR, [](vf v) { return 1.f / vsqrt(v); });
    case RECIPROCAL: return unary(out, x, DEAR, [](vf v) { return 1.f / v; });
    case TANH: return unary(out, x, DEAR, [](vf v) { return vtanh(v); });
    case SIGMOID: return unary(out, x, DEAR, [](vf v) { return vsigmoid(v); });
    case SILU: return unary(out, x, DEAR, [](vf v) { return v / (1.f + vexp(-v)); });
    case GELU: return unary(out, x, DEAR, [](vf v) { return vgelu(v); });
    case GELU_TANH: return unary(out, x, DEAR, [](vf v) { return vgelu_tanh(v); });
    case ERF: return unary(out, x, DEAR, [](vf v) { return verf(v); });
    case COPY: return copy(out, x);
    case SQUARE: return unary(out, x, CHEAP, [](vf v) { return v * v; });
    case LEAKY_RELU: {
      const float slope = static_cast<float>(array(a[3]).number);
      return unary(out, x, CHEAP, [slope](vf v) { return v > 0.f ? v : v * slope; });
    }
    case CLAMP: {
      const float low = static_cast<float>(array(a[3]).number), high = static_cast<float>(array(a[4]).number);
      return unary(out, x, CHEAP, [low, high](vf v) { return vmin(vmax(v, broadcast(low)), broadcast(high)); });
    }
  }
}

KERNEL void convert(const Arg* a) { copy(array(a[0]), array(a[1])); }  // out, x, of two types
