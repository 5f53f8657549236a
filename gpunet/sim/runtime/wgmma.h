// Products by a warpgroup (wgmma): m64nNk16 of 16-bit operands in shared memory, m64nNk8 of TF32, which are 32 bytes of k,
// too. They run beside the threads: operands are read, and results appear, at the wait.
#pragma once

namespace gpunet_sim {

// The swizzle of a shared-memory descriptor, in bytes.
inline unsigned swizzle_of(uint64_t descriptor) {
  constexpr unsigned bytes[4] = {0, 128, 64, 32};
  return bytes[descriptor >> 62];
}

// Address of 8 elements of an operand (of A, or of B as N x K) that lie side by side, of TF32 4, within a core matrix of 8
// rows of 16 bytes: of a row, k = 8 * at to 8 * at + 7; of a turned operand, rows 8 * at to 8 * at + 7 of k = `row`.
inline char* operand_chunk(WgmmaOperand operand, unsigned row, unsigned at) {
  uint64_t descriptor = operand.descriptor;
  size_t address = (descriptor & 0x3fff) << 4, leading = (descriptor >> 16 & 0x3fff) << 4;
  size_t stride = (descriptor >> 32 & 0x3fff) << 4;
  unsigned swizzle = swizzle_of(descriptor), width = swizzle ? swizzle / 16 : 1;  // of a row of bytes, in chunks
  address += (row & 7) * width * 16;
  if (!operand.turned)
    address += (row >> 3) * stride + at * (swizzle ? 16 : leading);
  else if (swizzle)
    address += (row >> 3) * stride + at / width * leading + at % width * 16;
  else
    address += (row >> 3) * leading + at * stride;
  return worker->shared + swizzled(address, swizzle);
}

// For reports each thread of the warpgroup reads its own chunks: that of its number, and each 128th after.
template <class F>
inline void for_each_own_chunk(const ThreadInfo& thread, const WgmmaProduct& product, F act) {
  const unsigned number = (thread.warp & 3) * 32 + thread.lane;
  for (const auto& [operand, rows] : {std::pair(product.a, product.has_left ? 0 : 64u), std::pair(product.b, product.n)})
    for (unsigned chunk = number; chunk < rows * 2; chunk += 128)
      act(operand.turned ? operand_chunk(operand, chunk % 16, chunk / 16)
                         : operand_chunk(operand, chunk % rows, chunk / rows));
}

inline void issue(WgmmaProduct product) {
  Fiber* self = running();
  const Site site = product.site;
  product.group = self->wgmma_group;
  for_each_own_chunk(*self, product, [&](char* chunk) {
    if (chunk + 16 > worker->shared + kSharedReserved)
      fail(Kind::OutOfBounds, site, "wgmma: a descriptor leads outside of shared memory");
  });
  if (!self->products) self->products = new std::vector<WgmmaProduct>;
  self->products->push_back(product);
  for_each_own_chunk(*self, product, [&](char* chunk) { check_operand_begins(chunk, 16, site); });
}

void wgmma_issue(float* d, WgmmaOperand a, WgmmaOperand b, bool accumulate, unsigned n, WgmmaKind kind, Site site) {
  issue({d, a, b, accumulate, false, {}, kind, n, 0, site});
}

// The left operand, of TF32, was in registers.
void wgmma_issue_left(float* d, const float (&left)[2][8], WgmmaOperand b, unsigned n, Site site) {
  WgmmaProduct product{d, {}, b, true, true, {}, WgmmaKind::Tf32, n, 0, site};
  memcpy(product.left, left, sizeof left);
  issue(product);
}

inline unsigned depth_of(WgmmaKind kind) { return kind == WgmmaKind::Tf32 ? 8 : 16; }

inline void load_row(WgmmaOperand operand, unsigned row, WgmmaKind kind, float (&values)[16]) {
  if (kind == WgmmaKind::Tf32) {
    for (unsigned half = 0; half < 2; half++) {
      uint32_t bits[4];
      memcpy(bits, operand_chunk(operand, row, half), 16);
      for (uint32_t& each : bits) each &= ~0x1fffu;
      memcpy(values + half * 4, bits, 16);
    }
    return;
  }
  uint16_t bits[16];
  if (operand.turned)
    for (unsigned k = 0; k < 16; k++) memcpy(bits + k, operand_chunk(operand, k, row / 8) + row % 8 * 2, 2);
  else
    for (unsigned half = 0; half < 2; half++) memcpy(bits + half * 8, operand_chunk(operand, row, half), 16);
  for (unsigned k = 0; k < 16; k++) values[k] = kind == WgmmaKind::Bf16 ? from_bf16(bits[k]) : from_f16(bits[k]);
}

// One lane's share of a product, with operands as shared memory holds them now.
inline void multiply_share(const WgmmaProduct& product) {
  unsigned warp = current->warp & 3, lane = current->lane;
  float a[2][16], b[16];
  for (unsigned i = 0; i < 2; i++)
    if (product.has_left)
      memcpy(a[i], product.left[i], sizeof product.left[i]);
    else
      load_row(product.a, warp * 16 + lane / 4 + i * 8, product.kind, a[i]);
  for (unsigned column = 0; column < product.n / 8; column++)
    for (unsigned e = 0; e < 2; e++) {
      load_row(product.b, column * 8 + (lane & 3) * 2 + e, product.kind, b);
      for (unsigned i = 0; i < 2; i++) {
        float& d = product.d[column * 4 + i * 2 + e];
        float sum = product.accumulate ? d : 0.0f;
        for (unsigned k = 0; k < depth_of(product.kind); k++) sum += a[i][k] * b[k];
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
