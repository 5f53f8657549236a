// The simulator's kernels/ptx.cuh: the same names, one for each PTX instruction. An instruction that is not here
// fails to compile.
#pragma once

typedef unsigned int u32;
typedef unsigned long long u64;

inline unsigned smem_u32(const void* pointer) { return (unsigned)__cvta_generic_to_shared(pointer); }

// ---- cp.async (sm_80) -----------------------------------------------------------------------------------------------
namespace gpunet_sim {
// Only noted here: the copy happens as late as is legal, at the wait.
inline void copy_async(unsigned shared, const void* global, unsigned size, bool valid, Site site) {
  if ((shared | (size_t)global) & (size - 1))
    fail(Kind::Misaligned, site, "cp.async of %u bytes: an address is no multiple of %u", size, size);
  ThreadInfo* self = current;
  if (__builtin_expect(self->copies_started == self->copies_room, 0)) make_room_for_copies();
  AsyncCopy& copy = self->copies[self->copies_started++];
  copy = {__cvta_shared_to_generic(shared), global, (unsigned short)size, valid, self->copy_group};
#ifdef GPUNET_SIM_CHECK
  copy.site = site;
#endif
  check_copy_started(copy);
}
}  // namespace gpunet_sim

inline void cp_async16(unsigned shared, const void* global, bool valid,
                       gpunet_sim::Site site = gpunet_sim::Site::here()) {
  gpunet_sim::copy_async(shared, global, 16, valid, site);
}
inline void cp_async4(unsigned shared, const void* global, bool valid,
                      gpunet_sim::Site site = gpunet_sim::Site::here()) {
  gpunet_sim::copy_async(shared, global, 4, valid, site);
}
inline void cp_async_commit() { gpunet_sim::current->copy_group++; }
template <int N>
inline void cp_async_wait() {
  gpunet_sim::finish_copies(N);
}

// ---- bar.sync of part of a block ------------------------------------------------------------------------------------
inline void bar_sync(int id, int threads, gpunet_sim::Site site = gpunet_sim::Site::here()) {
  gpunet_sim::named_barrier(id, threads, true, site);
}
inline void bar_arrive(int id, int threads, gpunet_sim::Site site = gpunet_sim::Site::here()) {
  gpunet_sim::named_barrier(id, threads, false, site);
}

// ---- ldmatrix (sm_75) -----------------------------------------------------------------------------------------------
namespace gpunet_sim {
// Lanes 8i to 8i+7 give the rows of matrix i; each lane gets two neighbours of a row (of a column, transposed).
inline void load_matrices(unsigned* registers, unsigned address, unsigned matrices, bool transposed, Site site) {
  if (address & 15) fail(Kind::Misaligned, site, "ldmatrix: the row's address is no multiple of 16");
  const WarpExchange* exchange = warp_exchange16(~0u, address, 0, "ldmatrix", site);
  unsigned lane = current->lane, near = lane >> 2, pair = (lane & 3) * 2;
  for (unsigned m = 0; m < matrices; m++) {
    uint16_t element[2];
    for (unsigned e = 0; e < 2; e++) {
      unsigned row = transposed ? pair + e : near, column = transposed ? near : pair + e;
      unsigned row_address = lane_value<unsigned>(exchange, m * 8 + row);
      memcpy(&element[e], (const char*)__cvta_shared_to_generic(row_address) + column * 2, 2);
    }
    registers[m] = element[0] | (unsigned)element[1] << 16;
  }
}
inline void multiply_fragments(float (&d)[4], const unsigned (&registers)[6], WarpFinisher multiply,
                               const char* operation, Site site) {
  const WarpExchange* exchange = warp_exchange(~0u, registers, sizeof registers, operation, site, multiply);
  float product[4];
  memcpy(product, exchange->lane[current->lane].bytes + 32, sizeof product);
  for (int i = 0; i < 4; i++) d[i] += product[i];
}
}  // namespace gpunet_sim

inline void ldmatrix_x2(unsigned (&r)[2], unsigned address, gpunet_sim::Site site = gpunet_sim::Site::here()) {
  gpunet_sim::load_matrices(r, address, 2, false, site);
}
inline void ldmatrix_x2_trans(unsigned (&r)[2], unsigned address, gpunet_sim::Site site = gpunet_sim::Site::here()) {
  gpunet_sim::load_matrices(r, address, 2, true, site);
}
inline void ldmatrix_x4(unsigned (&r)[4], unsigned address, gpunet_sim::Site site = gpunet_sim::Site::here()) {
  gpunet_sim::load_matrices(r, address, 4, false, site);
}
inline void ldmatrix_x4_trans(unsigned (&r)[4], unsigned address, gpunet_sim::Site site = gpunet_sim::Site::here()) {
  gpunet_sim::load_matrices(r, address, 4, true, site);
}

// ---- mma.sync: d += a * b (sm_80) -----------------------------------------------------------------------------------
inline void mma_bf16_16816(float (&d)[4], const unsigned (&a)[4], unsigned b0, unsigned b1,
                           gpunet_sim::Site site = gpunet_sim::Site::here()) {
  gpunet_sim::multiply_fragments(d, {a[0], a[1], a[2], a[3], b0, b1}, gpunet_sim::mma_m16n8k16_bf16, "mma.sync", site);
}
inline void mma_f16_16816(float (&d)[4], const unsigned (&a)[4], unsigned b0, unsigned b1,
                          gpunet_sim::Site site = gpunet_sim::Site::here()) {
  gpunet_sim::multiply_fragments(d, {a[0], a[1], a[2], a[3], b0, b1}, gpunet_sim::mma_m16n8k16_f16, "mma.sync", site);
}
inline void mma_tf32_1688(float (&d)[4], const unsigned (&a)[4], unsigned b0, unsigned b1,
                          gpunet_sim::Site site = gpunet_sim::Site::here()) {
  gpunet_sim::multiply_fragments(d, {a[0], a[1], a[2], a[3], b0, b1}, gpunet_sim::mma_m16n8k8_tf32, "mma.sync", site);
}

// ---- mbarrier, TMA, wgmma (sm_90) -----------------------------------------------------------------------------------
struct alignas(64) CUtensorMap {
  u64 opaque[16];
};

inline void mbar_init(u64* barrier, unsigned count, gpunet_sim::Site site = gpunet_sim::Site::here()) {
  gpunet_sim::mbarrier_init(barrier, count, site);
}
inline void mbar_fence_init() {}
inline void mbar_expect_tx(u64* barrier, unsigned bytes, gpunet_sim::Site site = gpunet_sim::Site::here()) {
  gpunet_sim::mbarrier_arrive(barrier, bytes, site);
}
inline void mbar_arrive(u64* barrier, gpunet_sim::Site site = gpunet_sim::Site::here()) {
  gpunet_sim::mbarrier_arrive(barrier, 0, site);
}
inline void mbar_wait(u64* barrier, unsigned parity, gpunet_sim::Site site = gpunet_sim::Site::here()) {
  gpunet_sim::mbarrier_wait(barrier, parity, site);
}
inline void tma_load_2d(void* shared, const void* map, u64* barrier, int x, int y,
                        gpunet_sim::Site site = gpunet_sim::Site::here()) {
  gpunet_sim::tensor_copy_2d(shared, map, barrier, x, y, site);
}

inline void wgmma_fence() {}
inline void wgmma_commit() { gpunet_sim::wgmma_commit(); }
template <int N>
inline void wgmma_wait() {
  gpunet_sim::wgmma_wait(N);
}
// Rows of 128 bytes, swizzled; eight of them are 1024 bytes apart.
inline u64 wgmma_desc_sw128(const void* shared) {
  return u64((smem_u32(shared) & 0x3ffff) >> 4) | 1ull << 16 | 64ull << 32 | 1ull << 62;
}
inline void wgmma_m64n64k16_bf16(float (&d)[32], u64 a, u64 b, int accumulate,
                                 gpunet_sim::Site site = gpunet_sim::Site::here()) {
  gpunet_sim::wgmma_issue(d, a, b, accumulate, 64, site);
}
