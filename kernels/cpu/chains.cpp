// Carries a chain of element-wise calls out: chains.h.
#include "chains.h"

#include "pool.h"

using namespace gpunet::cpu;

KERNEL void chain(const Arg* a) {  // links, how many, slots of the buffer, the product in front or null
  const Link* links = ptr<const Link>(a[0]);
  const int64_t count = a[1].i, slots = a[2].i;
  const auto run = [=](int64_t begin, int64_t end, float* product) {
    float* buffer = slots ? scratch(slots * LINK_PIECE, 3) : nullptr;
    for (int64_t i = 0; i < count; i++) links[i].run(begin, end, buffer, product);
  };
  const Product* product = ptr<const Product>(a[3]);
  if (!product) return parallel(links[0].size, LINK_PIECE, [&](int64_t begin, int64_t end) { run(begin, end, nullptr); });
  const int64_t n = product->columns, rows = product->block(threads());
  parallel(product->rows, rows, [&](int64_t begin, int64_t end) {
    float* block = product->hidden ? scratch((end - begin) * n, 2) : static_cast<float*>(product->out.data) + begin * n;
    product->run(begin, end - begin, block);
    for (int64_t i = begin * n; i < end * n; i += LINK_PIECE) run(i, i + LINK_PIECE < end * n ? i + LINK_PIECE : end * n, block - begin * n);
  });
}
