// Every inline-PTX instruction, one small wrapper each; nowhere else is `asm` but in wgmma.cuh.
//
// The CPU simulator replaces this file by its own, with the same names and the same meaning. In brackets: the first
// architecture that has the instruction. Fragments of matrices lie as the PTX manual draws them.
#pragma once

// Address of shared memory as the 32-bit number that PTX takes.
__device__ __forceinline__ unsigned int smem_u32(const void* pointer) {
    return static_cast<unsigned int>(__cvta_generic_to_shared(pointer));
}

// ---- cp.async [sm_80] --------------------------------------------------------------------------------------------------
// Copy 16 bytes from global to shared memory without passing through registers, complete at cp_async_wait. Both
// addresses are multiples of 16. With `valid` false nothing is read and shared memory gets zeros.
// Before sm_80 there is no such instruction: the copy is an ordinary load and store, complete at once.
__device__ __forceinline__ void cp_async16(unsigned int shared, const void* global, bool valid) {
#if __CUDA_ARCH__ >= 800
    asm volatile("cp.async.cg.shared.global [%0], [%1], 16, %2;" ::"r"(shared), "l"(global), "r"(valid ? 16 : 0)
                 : "memory");
#else
    uint4 value = valid ? *static_cast<const uint4*>(global) : make_uint4(0, 0, 0, 0);
    *static_cast<uint4*>(__cvta_shared_to_generic(shared)) = value;
#endif
}

// The same through L1, which then has them for other threads of the multiprocessor that soon ask for them, too.
__device__ __forceinline__ void cp_async16_cached(unsigned int shared, const void* global, bool valid) {
#if __CUDA_ARCH__ >= 800
    asm volatile("cp.async.ca.shared.global [%0], [%1], 16, %2;" ::"r"(shared), "l"(global), "r"(valid ? 16 : 0)
                 : "memory");
#else
    cp_async16(shared, global, valid);
#endif
}

// As cp_async16 for 4 bytes, at addresses that are multiples of 4.
__device__ __forceinline__ void cp_async4(unsigned int shared, const void* global, bool valid) {
#if __CUDA_ARCH__ >= 800
    asm volatile("cp.async.ca.shared.global [%0], [%1], 4, %2;" ::"r"(shared), "l"(global), "r"(valid ? 4 : 0)
                 : "memory");
#else
    unsigned int value = valid ? *static_cast<const unsigned int*>(global) : 0u;
    *static_cast<unsigned int*>(__cvta_shared_to_generic(shared)) = value;
#endif
}

// And for 8 bytes, at multiples of 8.
__device__ __forceinline__ void cp_async8(unsigned int shared, const void* global, bool valid) {
#if __CUDA_ARCH__ >= 800
    asm volatile("cp.async.ca.shared.global [%0], [%1], 8, %2;" ::"r"(shared), "l"(global), "r"(valid ? 8 : 0)
                 : "memory");
#else
    uint2 value = valid ? *static_cast<const uint2*>(global) : make_uint2(0, 0);
    *static_cast<uint2*>(__cvta_shared_to_generic(shared)) = value;
#endif
}

// Close the group of copies that this thread started since the last commit.
__device__ __forceinline__ void cp_async_commit() {
#if __CUDA_ARCH__ >= 800
    asm volatile("cp.async.commit_group;" ::: "memory");
#endif
}

// Wait until at most N of this thread's newest groups are still under way. Other threads see the data only after a
// barrier that follows.
template <int N>
__device__ __forceinline__ void cp_async_wait() {
#if __CUDA_ARCH__ >= 800
    asm volatile("cp.async.wait_group %0;" ::"n"(N) : "memory");
#endif
}

// ---- two float32 at once [sm_100] --------------------------------------------------------------------------------------
// a * b + c of both, each rounded once, as by fmaf. Before sm_100 there is no such instruction.
__device__ __forceinline__ float2 fma_f32x2(float2 a, float2 b, float2 c) {
#if __CUDA_ARCH__ >= 1000
    float2 d;
    asm("{ .reg .b64 a, b, c, d; mov.b64 a, {%2, %3}; mov.b64 b, {%4, %5}; mov.b64 c, {%6, %7}; "
        "fma.rn.f32x2 d, a, b, c; mov.b64 {%0, %1}, d; }"
        : "=f"(d.x), "=f"(d.y) : "f"(a.x), "f"(a.y), "f"(b.x), "f"(b.y), "f"(c.x), "f"(c.y));
    return d;
#else
    return make_float2(fmaf(a.x, b.x, c.x), fmaf(a.y, b.y, c.y));
#endif
}

// ---- barriers of part of a block ---------------------------------------------------------------------------------------
// Barrier number `id` (1 to 15; 0 is __syncthreads) for `threads` threads, a multiple of 32, in whole warps.
__device__ __forceinline__ void bar_sync(int id, int threads) {
    asm volatile("bar.sync %0, %1;" ::"r"(id), "r"(threads) : "memory");
}

// Counts at the barrier without waiting there.
__device__ __forceinline__ void bar_arrive(int id, int threads) {
    asm volatile("bar.arrive %0, %1;" ::"r"(id), "r"(threads) : "memory");
}

// ---- ldmatrix [sm_75], stmatrix [sm_90] --------------------------------------------------------------------------------
// 8x8 matrices of 16-bit elements by a whole warp. Lanes 8i to 8i + 7 give the addresses of the rows of matrix i, 16
// bytes each. Register i of lane l has elements 2 (l % 4) and 2 (l % 4) + 1 of row l / 4; transposed, of column l / 4.
__device__ __forceinline__ void ldmatrix_x1(unsigned int (&r)[1], unsigned int address) {
    asm volatile("ldmatrix.sync.aligned.m8n8.x1.shared.b16 {%0}, [%1];"
                 : "=r"(r[0]) : "r"(address) : "memory");
}

__device__ __forceinline__ void ldmatrix_x1_trans(unsigned int (&r)[1], unsigned int address) {
    asm volatile("ldmatrix.sync.aligned.m8n8.x1.trans.shared.b16 {%0}, [%1];"
                 : "=r"(r[0]) : "r"(address) : "memory");
}

__device__ __forceinline__ void ldmatrix_x2(unsigned int (&r)[2], unsigned int address) {
    asm volatile("ldmatrix.sync.aligned.m8n8.x2.shared.b16 {%0, %1}, [%2];"
                 : "=r"(r[0]), "=r"(r[1]) : "r"(address) : "memory");
}

__device__ __forceinline__ void ldmatrix_x2_trans(unsigned int (&r)[2], unsigned int address) {
    asm volatile("ldmatrix.sync.aligned.m8n8.x2.trans.shared.b16 {%0, %1}, [%2];"
                 : "=r"(r[0]), "=r"(r[1]) : "r"(address) : "memory");
}

__device__ __forceinline__ void ldmatrix_x4(unsigned int (&r)[4], unsigned int address) {
    asm volatile("ldmatrix.sync.aligned.m8n8.x4.shared.b16 {%0, %1, %2, %3}, [%4];"
                 : "=r"(r[0]), "=r"(r[1]), "=r"(r[2]), "=r"(r[3]) : "r"(address) : "memory");
}

__device__ __forceinline__ void ldmatrix_x4_trans(unsigned int (&r)[4], unsigned int address) {
    asm volatile("ldmatrix.sync.aligned.m8n8.x4.trans.shared.b16 {%0, %1, %2, %3}, [%4];"
                 : "=r"(r[0]), "=r"(r[1]), "=r"(r[2]), "=r"(r[3]) : "r"(address) : "memory");
}

__device__ __forceinline__ void stmatrix_x1(unsigned int address, const unsigned int (&r)[1]) {
    asm volatile("stmatrix.sync.aligned.m8n8.x1.shared.b16 [%0], {%1};"
                 ::"r"(address), "r"(r[0]) : "memory");
}

__device__ __forceinline__ void stmatrix_x1_trans(unsigned int address, const unsigned int (&r)[1]) {
    asm volatile("stmatrix.sync.aligned.m8n8.x1.trans.shared.b16 [%0], {%1};"
                 ::"r"(address), "r"(r[0]) : "memory");
}

__device__ __forceinline__ void stmatrix_x2(unsigned int address, const unsigned int (&r)[2]) {
    asm volatile("stmatrix.sync.aligned.m8n8.x2.shared.b16 [%0], {%1, %2};"
                 ::"r"(address), "r"(r[0]), "r"(r[1]) : "memory");
}

__device__ __forceinline__ void stmatrix_x2_trans(unsigned int address, const unsigned int (&r)[2]) {
    asm volatile("stmatrix.sync.aligned.m8n8.x2.trans.shared.b16 [%0], {%1, %2};"
                 ::"r"(address), "r"(r[0]), "r"(r[1]) : "memory");
}

__device__ __forceinline__ void stmatrix_x4(unsigned int address, const unsigned int (&r)[4]) {
    asm volatile("stmatrix.sync.aligned.m8n8.x4.shared.b16 [%0], {%1, %2, %3, %4};"
                 ::"r"(address), "r"(r[0]), "r"(r[1]), "r"(r[2]), "r"(r[3]) : "memory");
}

__device__ __forceinline__ void stmatrix_x4_trans(unsigned int address, const unsigned int (&r)[4]) {
    asm volatile("stmatrix.sync.aligned.m8n8.x4.trans.shared.b16 [%0], {%1, %2, %3, %4};"
                 ::"r"(address), "r"(r[0]), "r"(r[1]), "r"(r[2]), "r"(r[3]) : "memory");
}

// ---- mma.sync [sm_80; 1688 in half precision: sm_75]: d += a b, by a whole warp ----------------------------------------
// mma_<type of a and b>_<m n k>: m and n are 16 and 8. The sums are float, or __half in pairs where the name ends so.
// Before sm_80, 16816 in half precision is two of half the depth; a kernel that calls another one compiles there, and
// traps.
__device__ __forceinline__ void mma_f16_1688(float (&d)[4], const unsigned int (&a)[2], unsigned int b0);

__device__ __forceinline__ void mma_bf16_16816(float (&d)[4], const unsigned int (&a)[4], unsigned int b0, unsigned int b1) {
#if __CUDA_ARCH__ >= 800
    asm("mma.sync.aligned.m16n8k16.row.col.f32.bf16.bf16.f32 "
        "{%0, %1, %2, %3}, {%4, %5, %6, %7}, {%8, %9}, {%0, %1, %2, %3};"
        : "+f"(d[0]), "+f"(d[1]), "+f"(d[2]), "+f"(d[3])
        : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b0), "r"(b1));
#else
    __trap();
#endif
}

__device__ __forceinline__ void mma_f16_16816(float (&d)[4], const unsigned int (&a)[4], unsigned int b0, unsigned int b1) {
#if __CUDA_ARCH__ >= 800
    asm("mma.sync.aligned.m16n8k16.row.col.f32.f16.f16.f32 "
        "{%0, %1, %2, %3}, {%4, %5, %6, %7}, {%8, %9}, {%0, %1, %2, %3};"
        : "+f"(d[0]), "+f"(d[1]), "+f"(d[2]), "+f"(d[3])
        : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b0), "r"(b1));
#else
    const unsigned int first[2] = {a[0], a[1]}, second[2] = {a[2], a[3]};
    mma_f16_1688(d, first, b0);
    mma_f16_1688(d, second, b1);
#endif
}

__device__ __forceinline__ void mma_f16_16816_f16(unsigned int (&d)[2], const unsigned int (&a)[4], unsigned int b0, unsigned int b1) {
    asm("mma.sync.aligned.m16n8k16.row.col.f16.f16.f16.f16 "
        "{%0, %1}, {%2, %3, %4, %5}, {%6, %7}, {%0, %1};"
        : "+r"(d[0]), "+r"(d[1])
        : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b0), "r"(b1));
}

__device__ __forceinline__ void mma_bf16_1688(float (&d)[4], const unsigned int (&a)[2], unsigned int b0) {
    asm("mma.sync.aligned.m16n8k8.row.col.f32.bf16.bf16.f32 "
        "{%0, %1, %2, %3}, {%4, %5}, {%6}, {%0, %1, %2, %3};"
        : "+f"(d[0]), "+f"(d[1]), "+f"(d[2]), "+f"(d[3])
        : "r"(a[0]), "r"(a[1]), "r"(b0));
}

__device__ __forceinline__ void mma_f16_1688(float (&d)[4], const unsigned int (&a)[2], unsigned int b0) {
    asm("mma.sync.aligned.m16n8k8.row.col.f32.f16.f16.f32 "
        "{%0, %1, %2, %3}, {%4, %5}, {%6}, {%0, %1, %2, %3};"
        : "+f"(d[0]), "+f"(d[1]), "+f"(d[2]), "+f"(d[3])
        : "r"(a[0]), "r"(a[1]), "r"(b0));
}

__device__ __forceinline__ void mma_f16_1688_f16(unsigned int (&d)[2], const unsigned int (&a)[2], unsigned int b0) {
    asm("mma.sync.aligned.m16n8k8.row.col.f16.f16.f16.f16 "
        "{%0, %1}, {%2, %3}, {%4}, {%0, %1};"
        : "+r"(d[0]), "+r"(d[1])
        : "r"(a[0]), "r"(a[1]), "r"(b0));
}

// x with 10 bits of fraction, rounded to the nearest, away from 0 in the middle [sm_80].
__device__ __forceinline__ unsigned int tf32_of(float x) {
#if __CUDA_ARCH__ >= 800
    unsigned int rounded;
    asm("cvt.rna.tf32.f32 %0, %1;" : "=r"(rounded) : "f"(x));
    return rounded;
#else
    return __float_as_uint(x);
#endif
}

// float with the lowest 13 bits ignored.
__device__ __forceinline__ void mma_tf32_1688(float (&d)[4], const unsigned int (&a)[4], unsigned int b0, unsigned int b1) {
#if __CUDA_ARCH__ >= 800
    asm("mma.sync.aligned.m16n8k8.row.col.f32.tf32.tf32.f32 "
        "{%0, %1, %2, %3}, {%4, %5, %6, %7}, {%8, %9}, {%0, %1, %2, %3};"
        : "+f"(d[0]), "+f"(d[1]), "+f"(d[2]), "+f"(d[3])
        : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b0), "r"(b1));
#else
    __trap();
#endif
}

__device__ __forceinline__ void mma_tf32_1684(float (&d)[4], const unsigned int (&a)[2], unsigned int b0) {
    asm("mma.sync.aligned.m16n8k4.row.col.f32.tf32.tf32.f32 "
        "{%0, %1, %2, %3}, {%4, %5}, {%6}, {%0, %1, %2, %3};"
        : "+f"(d[0]), "+f"(d[1]), "+f"(d[2]), "+f"(d[3])
        : "r"(a[0]), "r"(a[1]), "r"(b0));
}

// ---- mbarrier [sm_80; with bytes and try_wait: sm_90] ------------------------------------------------------------------
// A barrier in 8 bytes of shared memory. A phase ends when `count` arrivals have come and all bytes that were expected;
// phases have parity 0, 1, 0, ... and `wait` waits for the end of the phase of this parity.
__device__ __forceinline__ void mbar_init(unsigned long long* barrier, unsigned int count) {
    asm volatile("mbarrier.init.shared::cta.b64 [%0], %1;" ::"r"(smem_u32(barrier)), "r"(count) : "memory");
}

// Makes the initialised barriers known to the copy engine [sm_90]; threads of the block still need a __syncthreads.
__device__ __forceinline__ void mbar_fence_init() {
    asm volatile("fence.mbarrier_init.release.cluster;" ::: "memory");
}

// Ends the barrier's life: its memory may serve for something else.
__device__ __forceinline__ void mbar_inval(unsigned long long* barrier) {
    asm volatile("mbarrier.inval.shared::cta.b64 [%0];" ::"r"(smem_u32(barrier)) : "memory");
}

__device__ __forceinline__ void mbar_arrive(unsigned long long* barrier) {
    asm volatile("mbarrier.arrive.shared::cta.b64 _, [%0];" ::"r"(smem_u32(barrier)) : "memory");
}

// Arrive, and expect this many bytes of copies more in the phase [sm_90].
__device__ __forceinline__ void mbar_expect_tx(unsigned long long* barrier, unsigned int bytes) {
    asm volatile("mbarrier.arrive.expect_tx.shared::cta.b64 _, [%0], %1;" ::"r"(smem_u32(barrier)), "r"(bytes)
                 : "memory");
}

// Whether the phase of this parity has ended.
__device__ __forceinline__ bool mbar_test_wait(unsigned long long* barrier, unsigned int parity) {
    unsigned int ended;
    asm volatile("{ .reg .pred p; mbarrier.test_wait.parity.shared::cta.b64 p, [%1], %2; selp.b32 %0, 1, 0, p; }"
                 : "=r"(ended) : "r"(smem_u32(barrier)), "r"(parity) : "memory");
    return ended;
}

// The same, after waiting for a while [sm_90].
__device__ __forceinline__ bool mbar_try_wait(unsigned long long* barrier, unsigned int parity) {
    unsigned int ended;
    asm volatile("{ .reg .pred p; mbarrier.try_wait.parity.shared::cta.b64 p, [%1], %2; selp.b32 %0, 1, 0, p; }"
                 : "=r"(ended) : "r"(smem_u32(barrier)), "r"(parity) : "memory");
    return ended;
}

// Until the phase of this parity has ended [sm_90].
__device__ __forceinline__ void mbar_wait(unsigned long long* barrier, unsigned int parity) {
    while (!mbar_try_wait(barrier, parity)) {
    }
}

// ---- clusters [sm_90] --------------------------------------------------------------------------------------------------
// Blocks of a cluster run at the same time and reach each other's shared memory. Without one a block is a cluster.
__device__ __forceinline__ unsigned int cluster_rank() {
    unsigned int rank;
    asm("mov.u32 %0, %%cluster_ctarank;" : "=r"(rank));
    return rank;
}

// Barrier for all threads of the cluster.
__device__ __forceinline__ void cluster_sync() {
    asm volatile("barrier.cluster.arrive.release; barrier.cluster.wait.acquire;" ::: "memory");
}

// The number that lies in the same place in shared memory of block `rank`.
__device__ __forceinline__ float ld_cluster_f32(const float* shared, unsigned int rank) {
    float value;
    asm volatile("{ .reg .b32 there; mapa.shared::cluster.u32 there, %1, %2; ld.shared::cluster.f32 %0, [there]; }"
                 : "=f"(value) : "r"(smem_u32(shared)), "r"(rank) : "memory");
    return value;
}

// Arrive at the barrier that lies in the same place in block `rank`.
__device__ __forceinline__ void mbar_arrive_cluster(unsigned long long* barrier, unsigned int rank) {
    asm volatile("{ .reg .b32 there; mapa.shared::cluster.u32 there, %0, %1; "
                 "mbarrier.arrive.release.cluster.shared::cluster.b64 _, [there]; }" ::"r"(smem_u32(barrier)), "r"(rank)
                 : "memory");
}

// mbar_wait for arrivals of the whole cluster's threads.
__device__ __forceinline__ void mbar_wait_cluster(unsigned long long* barrier, unsigned int parity) {
    unsigned int ended;
    do {
        asm volatile("{ .reg .pred p; mbarrier.try_wait.parity.acquire.cluster.shared::cta.b64 p, [%1], %2; "
                     "selp.b32 %0, 1, 0, p; }"
                     : "=r"(ended) : "r"(smem_u32(barrier)), "r"(parity) : "memory");
    } while (!ended);
}

// ---- bulk copies, TMA [sm_90] ------------------------------------------------------------------------------------------
// By one thread. Addresses and sizes are multiples of 16, those of boxes in shared memory of 128, swizzled of 8 times
// the swizzle's width. A CUtensorMap is a `const __grid_constant__` parameter; x counts columns, y rows, both from the
// array's first element; what is outside reads as 0 and is not written.
#ifndef __cuda_cuda_h__  // <cuda.h> has it
struct alignas(64) CUtensorMap {
    unsigned long long opaque[16];
};
#endif

// What this thread wrote to shared memory is seen by copies that start later.
__device__ __forceinline__ void fence_proxy_async() { asm volatile("fence.proxy.async.shared::cta;" ::: "memory"); }

// Loads: `barrier` counts the bytes when they have come.
__device__ __forceinline__ void tma_load_1d(void* shared, const void* global, unsigned int bytes,
                                            unsigned long long* barrier) {
    asm volatile("cp.async.bulk.shared::cluster.global.mbarrier::complete_tx::bytes [%0], [%1], %2, [%3];" ::
                 "r"(smem_u32(shared)), "l"(global), "r"(bytes), "r"(smem_u32(barrier)) : "memory");
}

__device__ __forceinline__ void tma_load_2d(void* shared, const void* map, unsigned long long* barrier, int x, int y) {
    asm volatile("cp.async.bulk.tensor.2d.shared::cluster.global.mbarrier::complete_tx::bytes [%0], [%1, {%3, %4}], [%2];"
                 ::"r"(smem_u32(shared)), "l"(map), "r"(smem_u32(barrier)), "r"(x), "r"(y) : "memory");
}

// Of an array of four dimensions: a box of one of its matrices, number z of the third and w of the fourth dimension.
__device__ __forceinline__ void tma_load_4d(void* shared, const void* map, unsigned long long* barrier, int x, int y,
                                            int z, int w) {
    asm volatile("cp.async.bulk.tensor.4d.shared::cluster.global.mbarrier::complete_tx::bytes [%0], "
                 "[%1, {%3, %4, %5, %6}], [%2];"
                 ::"r"(smem_u32(shared)), "l"(map), "r"(smem_u32(barrier)), "r"(x), "r"(y), "r"(z), "r"(w) : "memory");
}

// To the same place in each block of the cluster whose bit is set in `blocks`, whose own barrier counts the bytes.
__device__ __forceinline__ void tma_load_4d_multicast(void* shared, const void* map, unsigned long long* barrier, int x,
                                                      int y, int z, int w, unsigned short blocks) {
    asm volatile("cp.async.bulk.tensor.4d.shared::cluster.global.mbarrier::complete_tx::bytes.multicast::cluster [%0], "
                 "[%1, {%3, %4, %5, %6}], [%2], %7;"
                 ::"r"(smem_u32(shared)), "l"(map), "r"(smem_u32(barrier)), "r"(x), "r"(y), "r"(z), "r"(w), "h"(blocks)
                 : "memory");
}

// Stores: each belongs to the group that this thread commits next.
__device__ __forceinline__ void tma_store_1d(void* global, const void* shared, unsigned int bytes) {
    asm volatile("cp.async.bulk.global.shared::cta.bulk_group [%0], [%1], %2;" ::
                 "l"(global), "r"(smem_u32(shared)), "r"(bytes) : "memory");
}

__device__ __forceinline__ void tma_store_2d(const void* map, const void* shared, int x, int y) {
    asm volatile("cp.async.bulk.tensor.2d.global.shared::cta.bulk_group [%0, {%2, %3}], [%1];" ::
                 "l"(map), "r"(smem_u32(shared)), "r"(x), "r"(y) : "memory");
}

__device__ __forceinline__ void tma_commit() { asm volatile("cp.async.bulk.commit_group;" ::: "memory"); }

// Until at most N of the newest groups are under way: tma_wait_read until their shared memory has been read and may be
// written again, tma_wait until global memory has been written too.
template <int N>
__device__ __forceinline__ void tma_wait_read() {
    asm volatile("cp.async.bulk.wait_group.read %0;" ::"n"(N) : "memory");
}

template <int N>
__device__ __forceinline__ void tma_wait() {
    asm volatile("cp.async.bulk.wait_group %0;" ::"n"(N) : "memory");
}

// ---- registers of a warpgroup [sm_90a] ---------------------------------------------------------------------------------
// From here on each thread of the warp has N registers, a multiple of 8: consumers take what producers give up.
template <int N>
__device__ __forceinline__ void setmaxnreg_inc() {
    asm volatile("setmaxnreg.inc.sync.aligned.u32 %0;" ::"n"(N));
}

template <int N>
__device__ __forceinline__ void setmaxnreg_dec() {
    asm volatile("setmaxnreg.dec.sync.aligned.u32 %0;" ::"n"(N));
}
