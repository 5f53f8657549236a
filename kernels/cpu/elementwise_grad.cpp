// Gradients of element-wise functions. Codes are those of gpunet/ops/elementwise.py.
#include "elementwise.h"

using namespace gpunet::cpu;

namespace {

enum Gradient { RELU, SIGMOID, TANH, SILU, GELU, GELU_TANH, LEAKY_RELU };

GPUNET_INLINE vf density(vf x) { return 0.398942280f * vexp_short(-0.5f * x * x); }

}  // namespace

KERNEL void elementwise_grad(const Arg* a) {  // code, out, g, the function's input or output, a parameter
  const Array &out = array(a[1]), &x = array(a[2]), &y = array(a[3]);
  switch (a[0].i) {
    case RELU: return binary<float>(out, x, y, CHEAP, [](vf g, vf r) { return r <= 0.f ? zero() : g; });
    case SIGMOID: return binary<float>(out, x, y, CHEAP, [](vf g, vf r) { return g * (r * (1.f - r)); });
    case TANH: return binary<float>(out, x, y, CHEAP, [](vf g, vf r) { return g * (1.f - r * r); });
    case SILU: return binary<float>(out, x, y, DEAR, [](vf g, vf v) {
      const vf s = vsigmoid(v);
      return g * (s * (1.f + v * (1.f - s)));
    });
    case GELU: return binary<float>(out, x, y, DEAR, [](vf g, vf v) {
      return g * ((verf_short(v * 0.707106781f) + 1.f) * 0.5f + v * density(v));
    });
    case GELU_TANH: return binary<float>(out, x, y, DEAR, [](vf g, vf v) {
      const vf t = vtanh(0.797884561f * (v + 0.044715f * v * v * v));
      const vf slope = 0.797884561f * (1.f + 3.f * 0.044715f * v * v);
      return g * (0.5f * (1.f + t) + 0.5f * v * (1.f - t * t) * slope);
    });
    case LEAKY_RELU: {
      const float slope = static_cast<float>(array(a[4]).number);
      return binary<float>(out, x, y, CHEAP, [slope](vf g, vf v) { return v > 0.f ? g : g * slope; });
    }
  }
}
