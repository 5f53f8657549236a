// The simulator's kernels/ptx.cuh: the same names, one for each PTX instruction. An instruction that is not here
// fails to compile.
#pragma once
#include "gpunet_sim/async_copies.h"
#include "gpunet_sim/matrix_instructions.h"
#include "gpunet_sim/tensor_map.h"

#define SITE gpunet_sim::Site site = gpunet_sim::Site::here()

typedef unsigned int u32;
typedef unsigned long long u64;

inline unsigned smem_u32(const void* pointer) { return (unsigned)__cvta_generic_to_shared(pointer); }

// ---- cp.async ------------------------------------------------------------------------------------------------------
inline void cp_async16(unsigned shared, const void* global, bool valid, SITE) {
  gpunet_sim::copy_async(shared, global, 16, valid, site);
}
inline void cp_async16_cached(unsigned shared, const void* global, bool valid, SITE) {
  gpunet_sim::copy_async(shared, global, 16, valid, site);
}
inline void cp_async8(unsigned shared, const void* global, bool valid, SITE) {
  gpunet_sim::copy_async(shared, global, 8, valid, site);
}
inline void cp_async4(unsigned shared, const void* global, bool valid, SITE) {
  gpunet_sim::copy_async(shared, global, 4, valid, site);
}
inline void cp_async_commit() { gpunet_sim::commit_copies(); }
template <int N>
inline void cp_async_wait() {
  gpunet_sim::finish_copies(N);
}

// ---- two float32 at once ---------------------------------------------------------------------------------------------
inline float2 fma_f32x2(float2 a, float2 b, float2 c) {
  return make_float2(fmaf(a.x, b.x, c.x), fmaf(a.y, b.y, c.y));
}

// ---- barriers of part of a block -----------------------------------------------------------------------------------
inline void bar_sync(int id, int threads, SITE) { gpunet_sim::named_barrier(id, threads, true, site); }
inline void bar_arrive(int id, int threads, SITE) { gpunet_sim::named_barrier(id, threads, false, site); }

// ---- matrices --------------------------------------------------------------------------------------------------------
inline void ldmatrix_x1(unsigned (&r)[1], unsigned address, SITE) {
  gpunet_sim::load_matrices(r, address, false, site);
}
inline void ldmatrix_x1_trans(unsigned (&r)[1], unsigned address, SITE) {
  gpunet_sim::load_matrices(r, address, true, site);
}
inline void ldmatrix_x2(unsigned (&r)[2], unsigned address, SITE) {
  gpunet_sim::load_matrices(r, address, false, site);
}
inline void ldmatrix_x2_trans(unsigned (&r)[2], unsigned address, SITE) {
  gpunet_sim::load_matrices(r, address, true, site);
}
inline void ldmatrix_x4(unsigned (&r)[4], unsigned address, SITE) {
  gpunet_sim::load_matrices(r, address, false, site);
}
inline void ldmatrix_x4_trans(unsigned (&r)[4], unsigned address, SITE) {
  gpunet_sim::load_matrices(r, address, true, site);
}
inline void stmatrix_x1(unsigned address, const unsigned (&r)[1], SITE) {
  gpunet_sim::store_matrices(address, r, false, site);
}
inline void stmatrix_x1_trans(unsigned address, const unsigned (&r)[1], SITE) {
  gpunet_sim::store_matrices(address, r, true, site);
}
inline void stmatrix_x2(unsigned address, const unsigned (&r)[2], SITE) {
  gpunet_sim::store_matrices(address, r, false, site);
}
inline void stmatrix_x2_trans(unsigned address, const unsigned (&r)[2], SITE) {
  gpunet_sim::store_matrices(address, r, true, site);
}
inline void stmatrix_x4(unsigned address, const unsigned (&r)[4], SITE) {
  gpunet_sim::store_matrices(address, r, false, site);
}
inline void stmatrix_x4_trans(unsigned address, const unsigned (&r)[4], SITE) {
  gpunet_sim::store_matrices(address, r, true, site);
}
inline void mma_bf16_16816(float (&d)[4], const unsigned (&a)[4], unsigned b0, unsigned b1, SITE) {
  gpunet_sim::multiply_matrices(d, a, {b0, b1}, d, gpunet_sim::mma_m16n8k16_bf16, site);
}
inline void mma_f16_16816(float (&d)[4], const unsigned (&a)[4], unsigned b0, unsigned b1, SITE) {
  gpunet_sim::multiply_matrices(d, a, {b0, b1}, d, gpunet_sim::mma_m16n8k16_f16, site);
}
inline void mma_f16_16816_f16(unsigned (&d)[2], const unsigned (&a)[4], unsigned b0, unsigned b1, SITE) {
  gpunet_sim::multiply_matrices(d, a, {b0, b1}, d, gpunet_sim::mma_m16n8k16_f16, site);
}
inline void mma_bf16_1688(float (&d)[4], const unsigned (&a)[2], unsigned b0, SITE) {
  gpunet_sim::multiply_matrices(d, a, {b0}, d, gpunet_sim::mma_m16n8k8_bf16, site);
}
inline void mma_f16_1688(float (&d)[4], const unsigned (&a)[2], unsigned b0, SITE) {
  gpunet_sim::multiply_matrices(d, a, {b0}, d, gpunet_sim::mma_m16n8k8_f16, site);
}
inline void mma_f16_1688_f16(unsigned (&d)[2], const unsigned (&a)[2], unsigned b0, SITE) {
  gpunet_sim::multiply_matrices(d, a, {b0}, d, gpunet_sim::mma_m16n8k8_f16, site);
}
inline unsigned tf32_of(float x) { return gpunet_sim::round_to_tf32(x); }
inline void mma_tf32_1688(float (&d)[4], const unsigned (&a)[4], unsigned b0, unsigned b1, SITE) {
  gpunet_sim::multiply_matrices(d, a, {b0, b1}, d, gpunet_sim::mma_m16n8k8_tf32, site);
}
inline void mma_tf32_1684(float (&d)[4], const unsigned (&a)[2], unsigned b0, SITE) {
  gpunet_sim::multiply_matrices(d, a, {b0}, d, gpunet_sim::mma_m16n8k4_tf32, site);
}

// ---- mbarrier --------------------------------------------------------------------------------------------------------
inline void mbar_init(u64* barrier, unsigned count, SITE) { gpunet_sim::mbarrier_init(barrier, count, site); }
inline void mbar_fence_init() {}
inline void mbar_inval(u64* barrier, SITE) { gpunet_sim::mbarrier_invalidate(barrier, site); }
inline void mbar_arrive(u64* barrier, SITE) { gpunet_sim::mbarrier_arrive(barrier, 0, site); }
inline void mbar_expect_tx(u64* barrier, unsigned bytes, SITE) { gpunet_sim::mbarrier_arrive(barrier, bytes, site); }
inline bool mbar_test_wait(u64* barrier, unsigned parity, SITE) { return gpunet_sim::mbarrier_test(barrier, parity, site); }
inline bool mbar_try_wait(u64* barrier, unsigned parity, SITE) { return gpunet_sim::mbarrier_test(barrier, parity, site); }
inline void mbar_wait(u64* barrier, unsigned parity, SITE) { gpunet_sim::mbarrier_wait(barrier, parity, site); }

// ---- clusters: each of one block -------------------------------------------------------------------------------------
inline unsigned cluster_rank() { return 0; }
inline void cluster_sync(SITE) { __syncthreads(site); }
inline float ld_cluster_f32(const float* shared, unsigned rank, SITE) {
  if (rank) gpunet_sim::fail(site, "ld_cluster_f32: a cluster of several blocks is not simulated");
  return *shared;
}
inline void mbar_arrive_cluster(u64* barrier, unsigned rank, SITE) {
  if (rank) gpunet_sim::fail(site, "mbar_arrive_cluster: a cluster of several blocks is not simulated");
  gpunet_sim::mbarrier_arrive(barrier, 0, site);
}
inline void mbar_wait_cluster(u64* barrier, unsigned parity, SITE) { gpunet_sim::mbarrier_wait(barrier, parity, site); }

// ---- bulk copies -----------------------------------------------------------------------------------------------------
inline void fence_proxy_async() {}
inline void tma_load_1d(void* shared, const void* global, unsigned bytes, u64* barrier, SITE) {
  gpunet_sim::bulk_load(shared, global, bytes, barrier, site);
}
inline void tma_load_2d(void* shared, const void* map, u64* barrier, int x, int y, SITE) {
  gpunet_sim::tensor_load_2d(shared, map, barrier, x, y, site);
}
inline void tma_load_4d(void* shared, const void* map, u64* barrier, int x, int y, int z, int w, SITE) {
  gpunet_sim::tensor_load_4d(shared, map, barrier, x, y, z, w, site);
}
inline void tma_load_4d_multicast(void* shared, const void* map, u64* barrier, int x, int y, int z, int w,
                                  unsigned short blocks, SITE) {
  if (blocks != 1) gpunet_sim::fail(site, "tma_load_4d_multicast: a cluster of several blocks is not simulated");
  gpunet_sim::tensor_load_4d(shared, map, barrier, x, y, z, w, site);
}
inline void tma_store_1d(void* global, const void* shared, unsigned bytes, SITE) {
  gpunet_sim::bulk_store(global, shared, bytes, site);
}
inline void tma_store_2d(const void* map, const void* shared, int x, int y, SITE) {
  gpunet_sim::tensor_store_2d(map, shared, x, y, site);
}
inline void tma_commit() { gpunet_sim::bulk_commit(); }
template <int N>
inline void tma_wait_read() {
  gpunet_sim::bulk_wait(N, true);
}
template <int N>
inline void tma_wait() {
  gpunet_sim::bulk_wait(N, false);
}

// ---- registers -------------------------------------------------------------------------------------------------------
template <int N>
inline void setmaxnreg_inc() {
  static_assert(N >= 24 && N <= 256 && N % 8 == 0, "setmaxnreg takes a multiple of 8 from 24 to 256");
}
template <int N>
inline void setmaxnreg_dec() {
  setmaxnreg_inc<N>();
}

#undef SITE
