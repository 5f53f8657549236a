// Arithmetic of two arrays. Codes are those of gpunet/ops/elementwise.py.
#include "elementwise.h"

using namespace gpunet::cpu;

namespace {

enum Binary { ADD, SUB, MUL, DIV, MAXIMUM, MINIMUM };

}  // namespace

KERNEL void elementwise_binary(const Arg* a) {  // code, out, x, y
  const Array &out = array(a[1]), &x = array(a[2]), &y = array(a[3]);
  switch (a[0].i) {
    case ADD: return binary<float>(out, x, y, CHEAP, [](vf p, vf q) { return p + q; });
    case SUB: return binary<float>(out, x, y, CHEAP, [](vf p, vf q) { return p - q; });
    case MUL: return binary<float>(out, x, y, CHEAP, [](vf p, vf q) { return p * q; });
    case DIV: return binary<float>(out, x, y, CHEAP, [](vf p, vf q) { return p / q; });
    case MAXIMUM: return binary<float>(out, x, y, CHEAP, [](vf p, vf q) { return vmax(p, q); });
    case MINIMUM: return binary<float>(out, x, y, CHEAP, [](vf p, vf q) { return vmin(p, q); });
  }
}
