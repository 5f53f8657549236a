// Philox 4x32-10 (Salmon et al., "Parallel random numbers: as easy as 1, 2, 3", 2011): the numbers of gpunet/random.py.
#pragma once
#include <cstdint>

#include "vec.h"

namespace gpunet::cpu {

constexpr int64_t PHILOX_BLOCKS = 16;  // of four words, made together
constexpr int64_t PHILOX_WORDS = 4 * PHILOX_BLOCKS;

// The words of PHILOX_BLOCKS blocks from number `first` on.
inline void philox(uint64_t seed, uint64_t first, uint32_t* words) {
  constexpr int N = PHILOX_BLOCKS;
  uint32_t c0[N], c1[N], c2[N] = {}, c3[N] = {};
  for (int i = 0; i < N; i++) c0[i] = static_cast<uint32_t>(first + i), c1[i] = static_cast<uint32_t>((first + i) >> 32);
  uint32_t k0 = static_cast<uint32_t>(seed), k1 = static_cast<uint32_t>(seed >> 32);
  for (int round = 0; round < 10; round++, k0 += 0x9E3779B9u, k1 += 0xBB67AE85u)
    for (int i = 0; i < N; i++) {
      const uint64_t p0 = static_cast<uint64_t>(c0[i]) * 0xD2511F53u, p1 = static_cast<uint64_t>(c2[i]) * 0xCD9E8D57u;
      c0[i] = static_cast<uint32_t>(p1 >> 32) ^ c1[i] ^ k0;
      c1[i] = static_cast<uint32_t>(p1);
      c2[i] = static_cast<uint32_t>(p0 >> 32) ^ c3[i] ^ k1;
      c3[i] = static_cast<uint32_t>(p0);
    }
  for (int i = 0; i < N; i++) words[4 * i] = c0[i], words[4 * i + 1] = c1[i], words[4 * i + 2] = c2[i], words[4 * i + 3] = c3[i];
}

// Where random ops begin: gpunet's state {seed, base} and the offset of the call.
struct Draws {
  uint64_t seed, first;
  Draws(const uint64_t* state, int64_t offset) : seed(state[0]), first(state[1] + static_cast<uint64_t>(offset)) {}
  // Calls f(element, words, count) for pieces of the words of the elements from `from` up to `to`.
  template <class F> void words(int64_t from, int64_t to, F&& f) const {
    alignas(64) uint32_t some[PHILOX_WORDS];
    for (int64_t i = from; i < to;) {
      philox(seed, first + static_cast<uint64_t>(i / 4), some);
      const int64_t skip = i % 4, count = to - i < PHILOX_WORDS - skip ? to - i : PHILOX_WORDS - skip;
      f(i, some + skip, count);
      i += count;
    }
  }
};

}  // namespace gpunet::cpu
