// Dropout with the random numbers of every other device: an element is kept when its 24 bits are not below the threshold.
#include "args.h"
#include "philox.h"
#include "pool.h"
#include "vec.h"

namespace gpunet::cpu {

constexpr int64_t PIECE = 16384;

// y, mask (bytes), x, what the result is added to (or null), state {seed, base}, offset, threshold, scale, size
KERNEL void dropout(const Arg* a) {
  float* y = ptr<float>(a[0]);
  uint8_t* mask = ptr<uint8_t>(a[1]);
  const float* x = ptr<const float>(a[2]);
  const float* onto = ptr<const float>(a[3]);
  const Draws draws(ptr<const uint64_t>(a[4]), a[5].i);
  const uint32_t threshold = static_cast<uint32_t>(a[6].i);
  const float scale = static_cast<float>(a[7].d);
  parallel(a[8].i, PIECE, [&](int64_t begin, int64_t end) {
    draws.words(begin, end, [&](int64_t at, const uint32_t* words, int64_t count) {
      for (int64_t i = 0; i < count; i++) {
        const bool kept = (words[i] >> 8) >= threshold;
        mask[at + i] = kept;
        y[at + i] = x[at + i] * scale * static_cast<float>(kept);
      }
      if (onto)
        for (int64_t i = 0; i < count; i++) y[at + i] += onto[at + i];
    });
  });
}

// dx, gradient, mask, scale, size
KERNEL void dropout_grad(const Arg* a) {
  float* dx = ptr<float>(a[0]);
  const float* g = ptr<const float>(a[1]);
  const uint8_t* mask = ptr<const uint8_t>(a[2]);
  const float scale = static_cast<float>(a[3].d);
  parallel(a[4].i, 2 * PIECE, [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; i++) dx[i] = g[i] * scale * static_cast<float>(mask[i] != 0);
  });
}

}  // namespace gpunet::cpu
