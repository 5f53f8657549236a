// Carries a chain of element-wise calls out: chains.h.
#include "chains.h"

#include "pool.h"

using namespace gpunet::cpu;

KERNEL void chain(const Arg* a) {  // links, how many, slots of the buffer
  const Link* links = ptr<const Link>(a[0]);
  const int64_t count = a[1].i, slots = a[2].i;
  parallel(links[0].size, LINK_PIECE, [&](int64_t begin, int64_t end) {
    float* buffer = slots ? scratch(slots * LINK_PIECE, 3) : nullptr;
    for (int64_t i = 0; i < count; i++) links[i].run(begin, end, buffer);
  });
}
