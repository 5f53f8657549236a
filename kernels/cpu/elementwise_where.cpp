// Comparisons, and the choice between two arrays. Codes are those of gpunet/ops/elementwise.py.
#include "elementwise.h"

using namespace gpunet::cpu;

namespace {

enum Comparison { EQ, NE, LT, LE, GT, GE };

}  // namespace

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
  const Real type = real(out), type_x = real(x), type_y = real(y);
  walk.run(CHEAP, [&](char* const (&at)[4], int64_t n) {
    int8_t truth[PIECE];
    float from_x[PIECE], from_y[PIECE], to[PIECE];
    for (int64_t i = 0; i < n; i += PIECE) {
      const int64_t count = std::min(PIECE, n - i);
      const Row c = contiguous(at[1] + i * walk.step[1], walk.step[1], count, truth);
      const Row p = floats(at[2] + i * walk.step[2], walk.step[2], count, from_x, type_x);
      const Row q = floats(at[3] + i * walk.step[3], walk.step[3], count, from_y, type_y);
      char* target = at[0] + i * walk.step[0];
      float* z = direct(walk.step[0], type) ? reinterpret_cast<float*>(target) : to;
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
      if (z == to) spread(target, walk.step[0], to, count, type);
    }
  });
}
