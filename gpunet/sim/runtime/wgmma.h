// Products by a warpgroup (wgmma): m64nNk16 of 16-bit operands, both K-major in shared memory. They run beside the
// threads: operands are read, and results appear, at the wait.
#pragma once

namespace gpunet_sim {

// The swizzle of a shared-memory descriptor, in bytes.
inline unsigned swizzle_of(uint64_t descriptor) {
  constexpr unsigned bytes[4] = {0, 128, 64, 32};
  return bytes[descriptor >> 62];
}

// Address of elements 8 * half to 8 * half + 7 of a row (of A, or of B as N x K): a core matrix has 8 rows of 16 bytes.
inline char* operand_chunk(uint64_t descriptor, unsigned row, unsigned half) {
  size_t start = (descriptor & 0x3fff) << 4, leading = (descriptor >> 16 & 0x3fff) << 4;
  size_t eight_rows = (descriptor >> 32 & 0x3fff) << 4;
  unsigned swizzle = swizzle_of(descriptor);
  size_t address = start + (row >> 3) * eight_rows;
  address += swizzle ? (row & 7) * swizzle + half * 16 : (row & 7) * 16 + half * leading;
  return worker->shared + swizzled(address, swizzle);
}

// For reports each thread of the warpgroup reads its own rows: those of its number, and each 128th after.
template <class F>
inline void for_each_own_chunk(const ThreadInfo& thread, const WgmmaProduct& product, F act) {
  unsigned number = (thread.warp & 3) * 32 + thread.lane;
  for (unsigned half = 0; half < 2; half++) {
    if (number < 64) act(operand_chunk(product.a, number, half));
    for (unsigned row = number; row < product.n; row += 128) act(operand_chunk(product.b, row, half));
  }
}

void wgmma_issue(float* d, uint64_t a, uint64_t b, bool accumulate, unsigned n, bool bf16, Site site) {
  Fiber* self = running();
  for (unsigned half = 0; half < 2; half++)
    if (operand_chunk(a, 63, half) + 16 > worker->shared + kSharedReserved ||
        operand_chunk(b, n - 1, half) + 16 > worker->shared + kSharedReserved)
      fail(Kind::OutOfBounds, site, "wgmma: a descriptor leads outside of shared memory");
  if (!self->products) self->products = new std::vector<WgmmaProduct>;
  self->products->push_back({d, a, b, accumulate, bf16, n, self->wgmma_group, site});
  for_each_own_chunk(*self, self->products->back(), [&](char* chunk) { check_operand_begins(chunk, 16, site); });
}

inline void load_row(uint64_t descriptor, unsigned row, bool bf16, float (&values)[16]) {
  for (unsigned half = 0; half < 2; half++) {
    uint16_t bits[8];
    memcpy(bits, operand_chunk(descriptor, row, half), 16);
    for (unsigned i = 0; i < 8; i++) values[half * 8 + i] = bf16 ? from_bf16(bits[i]) : from_f16(bits[i]);
  }
}

// One lane's share of a product, with operands as shared memory holds them now.
inline void multiply_share(const WgmmaProduct& product) {
  unsigned warp = current->warp & 3, lane = current->lane;
  float a[2][16], b[16];
  for (unsigned i = 0; i < 2; i++) load_row(product.a, warp * 16 + lane / 4 + i * 8, product.bf16, a[i]);
  for (unsigned column = 0; column < product.n / 8; column++)
    for (unsigned e = 0; e < 2; e++) {
      load_row(product.b, column * 8 + (lane & 3) * 2 + e, product.bf16, b);
      for (unsigned i = 0; i < 2; i++) {
        float& d = product.d[column * 4 + i * 2 + e];
        float sum = product.accumulate ? d : 0.0f;
        for (unsigned k = 0; k < 16; k++) sum += a[i][k] * b[k];
        d = sum;
      }
    }
}

#ifdef GPUNET_SIM_CHECK
// Whether a product that this thread has not waited for may read the byte.
bool reads_operand(const Fiber& fiber, const WgmmaProduct& product, const char* p) {
  bool found = false;
  for_each_own_chunk(fiber, product, [&](const char* chunk) { found |= p >= chunk && p < chunk + 16; });
  return found;
}
#endif

void wgmma_commit() { running()->wgmma_group++; }

void wgmma_wait(unsigned groups_left) {
  Fiber* self = running();
  if (!self->products) return;
  size_t left = 0;
  for (WgmmaProduct& product : *self->products)
    if (product.group + groups_left < self->wgmma_group) {
      multiply_share(product);
      for_each_own_chunk(*self, product, [&](char* chunk) { check_operand_ends(chunk, 16, product.site); });
    } else {
      (*self->products)[left++] = product;
    }
  self->products->resize(left, WgmmaProduct{});
  if (!left) self->wgmma_group = 0;
}

}  // namespace gpunet_sim
