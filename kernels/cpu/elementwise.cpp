// Element-wise functions and their gradients. Codes are those of gpunet/ops/elementwise.py.
#include "elementwise.h"

using namespace gpunet::cpu;

namespace {

constexpr int64_t CHEAP = 16384, DEAR = 4096;  // elements of a slice

enum Unary { RELU, NEG, ABS, EXP, LOG, SQRT, RSQRT, RECIPROCAL, TANH, SIGMOID, SILU, GELU, GELU_TANH, ERF, COPY, SQUARE,
             LEAKY_RELU, CLAMP };
enum Binary { ADD, SUB, MUL, DIV, MAXIMUM, MINIMUM, RELU_GRAD, SIGMOID_GRAD, TANH_GRAD, SILU_GRAD, GELU_GRAD,
              GELU_TANH_GRAD, LEAKY_RELU_GRAD };
enum Comparison { EQ, NE, LT, LE, GT, GE };

GPUNET_INLINE vf density(vf x) { return 0.398942280f * vexp(-0.5f * x * x); }

// A two-dimensional walk in tiles, where rows of the result are columns of what is copied.
bool copy_turned(const Walk<2>& walk) {
  int across = -1;
  for (int d = 0; d < walk.dims - 1; d++)
    if (walk.steps[1][d] == sizeof(float)) across = d;
  if (across < 0 || walk.step[0] != sizeof(float) || walk.step[1] == sizeof(float) || walk.step[1] == 0) return false;
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
        float* row = reinterpret_cast<float*>(const_cast<char*>(to) + i * walk.steps[0][across]);
        const char* column = from + i * sizeof(float);
        for (int64_t j = j0; j < std::min(j0 + TILE, wide); j++) std::memcpy(row + j, column + j * walk.step[1], sizeof(float));
      }
    }
  });
  return true;
}

void copy(const Array& out, const Array& given) {
  const Number number(given);
  const Array& x = given.type == DOUBLE ? number.array : given;
  const Walk<2> walk({&out, &x});
  if (copy_turned(walk)) return;
  if (walk.step[0] == sizeof(float) && walk.step[1] == sizeof(float)) {
    walk.run(CHEAP, [](char* const (&at)[2], int64_t n) { std::memcpy(at[0], at[1], n * sizeof(float)); });
    return;
  }
  unary(out, x, CHEAP, [](vf v) { return v; });
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

KERNEL void elementwise_binary(const Arg* a) {  // code, out, x, y, a parameter
  const Array &out = array(a[1]), &x = array(a[2]), &y = array(a[3]);
  switch (a[0].i) {
    case ADD: return binary<float>(out, x, y, CHEAP, [](vf p, vf q) { return p + q; });
    case SUB: return binary<float>(out, x, y, CHEAP, [](vf p, vf q) { return p - q; });
    case MUL: return binary<float>(out, x, y, CHEAP, [](vf p, vf q) { return p * q; });
    case DIV: return binary<float>(out, x, y, CHEAP, [](vf p, vf q) { return p / q; });
    case MAXIMUM: return binary<float>(out, x, y, CHEAP, [](vf p, vf q) { return vmax(p, q); });
    case MINIMUM: return binary<float>(out, x, y, CHEAP, [](vf p, vf q) { return vmin(p, q); });
    // Gradients: g, then the input or the output.
    case RELU_GRAD: return binary<float>(out, x, y, CHEAP, [](vf g, vf r) { return r <= 0.f ? zero() : g; });
    case SIGMOID_GRAD: return binary<float>(out, x, y, CHEAP, [](vf g, vf r) { return g * (r * (1.f - r)); });
    case TANH_GRAD: return binary<float>(out, x, y, CHEAP, [](vf g, vf r) { return g * (1.f - r * r); });
    case SILU_GRAD: return binary<float>(out, x, y, DEAR, [](vf g, vf v) {
      const vf s = vsigmoid(v);
      return g * (s * (1.f + v * (1.f - s)));
    });
    case GELU_GRAD: return binary<float>(out, x, y, DEAR, [](vf g, vf v) {
      return g * ((verf(v * 0.707106781f) + 1.f) * 0.5f + v * density(v));
    });
    case GELU_TANH_GRAD: return binary<float>(out, x, y, DEAR, [](vf g, vf v) {
      const vf t = vtanh(0.797884561f * (v + 0.044715f * v * v * v));
      const vf slope = 0.797884561f * (1.f + 3.f * 0.044715f * v * v);
      return g * (0.5f * (1.f + t) + 0.5f * v * (1.f - t * t) * slope);
    });
    case LEAKY_RELU_GRAD: {
      const float slope = static_cast<float>(array(a[4]).number);
      return binary<float>(out, x, y, CHEAP, [slope](vf g, vf v) { return v > 0.f ? g : g * slope; });
    }
  }
}

KERNEL void elementwise_compare(const Arg* a) {  // code, out, x, y
  const Array &out = array(a[1]), &x = array(a[2]), &y = array(a[3]);
  switch (a[0].i) {
    case EQ: return binary<int8_t>(out, x, y, CHEAP, [](vf p, vf q) { return vi(p == q); });
    case NE: return binary<int8_t>(out, x, y, CHEAP, [](vf p, vf q) { return vi(p != q); });
    case LT: return binary<int8_t>(out, x, y, CHEAP, [](vf p, vf q) { return vi(p < q); });
    case LE: return binary<int8_t>(out, x, y, CHEAP, [](vf p, vf q) { return vi(p <= q); });
    case GT: return binary<int8_t>(out, x, y, CHEAP, [](vf p, vf q) { return vi(p > q); });
    case GE: return binary<int8_t>(out, x, y, CHEAP, [](vf p, vf q) { return vi(p >= q); });
  }
}

KERNEL void elementwise_where(const Arg* a) {  // out, condition, x, y
  const Array &out = array(a[0]), &condition = array(a[1]), &given_x = array(a[2]), &given_y = array(a[3]);
  const Number number_x(given_x), number_y(given_y);
  const Array &x = given_x.type == DOUBLE ? number_x.array : given_x, &y = given_y.type == DOUBLE ? number_y.array : given_y;
  const Walk<4> walk({&out, &condition, &x, &y});
  walk.run(CHEAP, [&](char* const (&at)[4], int64_t n) {
    int8_t truth[PIECE];
    float from_x[PIECE], from_y[PIECE], to[PIECE];
    for (int64_t i = 0; i < n; i += PIECE) {
      const int64_t count = std::min(PIECE, n - i);
      const Row c = contiguous(at[1] + i * walk.step[1], walk.step[1], count, truth);
      const Row p = contiguous(at[2] + i * walk.step[2], walk.step[2], count, from_x);
      const Row q = contiguous(at[3] + i * walk.step[3], walk.step[3], count, from_y);
      char* target = at[0] + i * walk.step[0];
      float* z = walk.step[0] == sizeof(float) ? reinterpret_cast<float*>(target) : to;
      const float *px = reinterpret_cast<const float*>(p.data), *py = reinterpret_cast<const float*>(q.data);
      const vf one_x = broadcast(*px), one_y = broadcast(*py);
      typedef int8_t bytes __attribute__((vector_size(LANES)));
      each(count, [&](int64_t j, auto get, auto put) {
        bytes mask = bytes{} + *c.data;
        if (!c.one) {
          if (count - j >= LANES) std::memcpy(&mask, c.data + j, LANES);
          else std::memcpy(&mask, c.data + j, count - j);
        }
        const vi chosen = __builtin_convertvector(mask, vi) != 0;
        put(z + j, select(chosen, p.one ? one_x : get(px + j), q.one ? one_y : get(py + j)));
      });
      if (z == to)
        for (int64_t j = 0; j < count; j++) std::memcpy(target + j * walk.step[0], to + j, sizeof(float));
    }
  });
}
