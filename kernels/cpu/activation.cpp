// Rectifiers.
#include "args.h"
#include "pool.h"
#include "vec.h"

using namespace gpunet::cpu;

constexpr int64_t GRAIN = 16384;

KERNEL void relu(const Arg* a) {  // y, x, n
  float* y = ptr<float>(a[0]);
  const float* x = ptr<const float>(a[1]);
  parallel(a[2].i, GRAIN, [=](int64_t begin, int64_t end) {
    each(end - begin, [=](int64_t i, auto get, auto put) { put(y + begin + i, vmax(get(x + begin + i), zero())); });
  });
}
