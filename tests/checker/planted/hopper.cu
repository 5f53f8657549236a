// mbarriers and bulk tensor copies (TMA). A copy is seen by whoever has waited for the phase of the mbarrier that it
// reports to. A phase ends when all arrivals and all announced bytes have come; its parity is that of its number.
#include <cuda_fp16.h>

#include "wgmma.cuh"

// Shared memory of the kernels here: a tile of 16 rows of 32 floats, and its mbarrier.
const unsigned kBytes = 16 * 32 * 4;

__global__ void no_wait_for_the_tile(float* out, const __grid_constant__ CUtensorMap x) {
    __shared__ __align__(128) float tile[16][32];
    __shared__ unsigned long long full;
    if (threadIdx.x == 0) {
        mbar_init(&full, 1);
        mbar_fence_init();
        mbar_expect_tx(&full, kBytes);
        tma_load_2d(tile, &x, &full, 0, 0);  // OTHER
    }
    __syncthreads();
    out[threadIdx.x] = tile[3][threadIdx.x];  // BUG async copy
    mbar_wait(&full, 0);
}

// The parity of a fresh mbarrier's running phase is 0; a wait for parity 1 is over at once.
__global__ void waits_for_the_wrong_parity(float* out, const __grid_constant__ CUtensorMap x) {
    __shared__ __align__(128) float tile[16][32];
    __shared__ unsigned long long full;
    if (threadIdx.x == 0) {
        mbar_init(&full, 1);
        mbar_fence_init();
        mbar_expect_tx(&full, kBytes);
        tma_load_2d(tile, &x, &full, 0, 0);  // OTHER
    }
    __syncthreads();
    mbar_wait(&full, 1);
    out[threadIdx.x] = tile[3][threadIdx.x];  // BUG async copy
    mbar_wait(&full, 0);
}

__global__ void parity_does_not_change(float* out, const __grid_constant__ CUtensorMap x, int tiles) {
    __shared__ __align__(128) float tile[16][32];
    __shared__ unsigned long long full;
    if (threadIdx.x == 0) {
        mbar_init(&full, 1);
        mbar_fence_init();
    }
    __syncthreads();
    float sum = 0;
    for (int t = 0; t < tiles; t++) {
        if (threadIdx.x == 0) {
            mbar_expect_tx(&full, kBytes);            // ALSO misuse
            tma_load_2d(tile, &x, &full, 32 * t, 0);  // ALSO async copy
        }
        __syncthreads();
        mbar_wait(&full, 0);
        sum += tile[3][threadIdx.x];  // BUG async copy
        __syncthreads();
    }
    out[threadIdx.x] = sum;
}

__global__ void no_barrier_after_the_init(float* out, const __grid_constant__ CUtensorMap x) {
    __shared__ __align__(128) float tile[16][32];
    __shared__ unsigned long long full;
    if (threadIdx.x == 0) {
        mbar_init(&full, 1);  // OTHER
        mbar_fence_init();
        mbar_expect_tx(&full, kBytes);
        tma_load_2d(tile, &x, &full, 0, 0);
    }
    mbar_wait(&full, 0);  // BUG race
    out[threadIdx.x] = tile[threadIdx.x / 32][threadIdx.x % 32];
}

__global__ void mbarrier_without_init(float* out) {
    __shared__ unsigned long long full;
    if (threadIdx.x == 0) mbar_arrive(&full);  // BUG misuse
    out[threadIdx.x] = 1;
}

__global__ void announces_too_many_bytes(float* out, const __grid_constant__ CUtensorMap x) {
    __shared__ __align__(128) float tile[16][32];
    __shared__ unsigned long long full;
    if (threadIdx.x == 0) {
        mbar_init(&full, 1);
        mbar_fence_init();
        mbar_expect_tx(&full, kBytes + 64);
        tma_load_2d(tile, &x, &full, 0, 0);
    }
    __syncthreads();
    mbar_wait(&full, 0);  // BUG deadlock
    out[threadIdx.x] = tile[3][threadIdx.x];
}

__global__ void announces_too_few_bytes(float* out, const __grid_constant__ CUtensorMap x) {
    __shared__ __align__(128) float tile[16][32];
    __shared__ unsigned long long full;
    if (threadIdx.x == 0) {
        mbar_init(&full, 1);
        mbar_fence_init();
        mbar_expect_tx(&full, kBytes / 2);
        tma_load_2d(tile, &x, &full, 0, 0);
    }
    __syncthreads();
    mbar_wait(&full, 0);  // BUG deadlock
    out[threadIdx.x] = tile[3][threadIdx.x];
}

__global__ void waits_for_arrivals_that_do_not_come(float* out, const float* x) {
    __shared__ float tile[64];
    __shared__ unsigned long long full;
    if (threadIdx.x == 0) mbar_init(&full, 64);
    __syncthreads();
    tile[threadIdx.x] = x[threadIdx.x];
    if (threadIdx.x % 32 == 0) mbar_arrive(&full);  // right with a count of 2
    mbar_wait(&full, 0);  // BUG deadlock
    out[threadIdx.x] = tile[63 - threadIdx.x];
}

// Each lane 0 arrives before the other lanes of its warp have written.
__global__ void arrives_for_lanes_that_still_write(float* out, const float* x) {
    __shared__ float tile[64];
    __shared__ unsigned long long full;
    if (threadIdx.x == 0) mbar_init(&full, 2);
    __syncthreads();
    tile[threadIdx.x] = x[threadIdx.x];  // OTHER
    if (threadIdx.x % 32 == 0) mbar_arrive(&full);
    mbar_wait(&full, 0);
    out[threadIdx.x] = tile[63 - threadIdx.x];  // BUG race, uninitialised
}

__global__ void loads_over_a_tile_that_others_read(float* out, const __grid_constant__ CUtensorMap x, int tiles) {
    __shared__ __align__(128) float tile[16][32];
    __shared__ unsigned long long full;
    if (threadIdx.x == 0) {
        mbar_init(&full, 1);
        mbar_fence_init();
    }
    __syncthreads();
    float sum = 0;
    for (int t = 0; t < tiles; t++) {
        if (threadIdx.x == 0) {
            mbar_expect_tx(&full, kBytes);
            tma_load_2d(tile, &x, &full, 32 * t, 0);  // BUG race, async copy
        }
        mbar_wait(&full, t % 2);
        sum += tile[threadIdx.x / 32][threadIdx.x % 32];  // OTHER
    }
    out[threadIdx.x] = sum;
}

__global__ void box_larger_than_the_tile(float* out, const __grid_constant__ CUtensorMap x) {
    __shared__ __align__(128) float tile[15][32];
    __shared__ unsigned long long full;
    if (threadIdx.x == 0) {
        mbar_init(&full, 1);
        mbar_fence_init();
        mbar_expect_tx(&full, kBytes);
        tma_load_2d(tile, &x, &full, 0, 0);  // BUG out of bounds
    }
    __syncthreads();
    mbar_wait(&full, 0);
    out[threadIdx.x] = tile[3][threadIdx.x];
}

__global__ void tile_at_an_unaligned_address(float* out, const __grid_constant__ CUtensorMap x) {
    __shared__ __align__(128) float tile[17][32];
    __shared__ unsigned long long full;
    if (threadIdx.x == 0) {
        mbar_init(&full, 1);
        mbar_fence_init();
        mbar_expect_tx(&full, kBytes);
        tma_load_2d(&tile[0][4], &x, &full, 0, 0);  // BUG misaligned
    }
    __syncthreads();
    mbar_wait(&full, 0);
    out[threadIdx.x] = tile[3][threadIdx.x];
}

__global__ void ends_before_the_tile_has_come(float* out, const __grid_constant__ CUtensorMap x) {
    __shared__ __align__(128) float tile[16][32];
    __shared__ unsigned long long full;
    if (threadIdx.x == 0) {
        mbar_init(&full, 1);
        mbar_fence_init();
        mbar_expect_tx(&full, kBytes);
        tma_load_2d(tile, &x, &full, 0, 0);  // BUG async copy
    }
    out[threadIdx.x] = 1;
}

// Products by a warpgroup of 64 and of 8 rows, in shared memory as rows of 16 bytes: k = 0..7 of all rows, then 8..15.
__device__ unsigned long long operand(const __half* tile, int rows) {
    return wgmma_descriptor(tile, 16 * rows, 128, 0);
}

__global__ void product_before_the_barrier(float* out, const __half* x) {
    __shared__ __align__(128) __half a[16 * 64], b[16 * 8];
    b[threadIdx.x] = x[threadIdx.x];
    for (int i = threadIdx.x; i < 16 * 64; i += 128) a[i] = __half(0.0f);
    __syncthreads();
    for (int i = threadIdx.x; i < 16 * 64; i += 128) a[i] = x[i];  // OTHER
    float sums[4] = {};
    wgmma_fence();
    wgmma_m64n8k16_f16(sums, operand(a, 64), operand(b, 8), false);  // BUG race
    wgmma_commit();
    wgmma_wait<0>();
    wgmma_sums(sums);
    for (int i = 0; i < 4; i++) out[4 * threadIdx.x + i] = sums[i];
}

__global__ void operand_that_is_too_small(float* out, const __half* x) {
    __shared__ __align__(128) __half b[16 * 8], a[16 * 32];
    b[threadIdx.x] = x[threadIdx.x];
    for (int i = threadIdx.x; i < 16 * 32; i += 128) a[i] = x[i];
    __syncthreads();
    float sums[4] = {};
    wgmma_fence();
    wgmma_m64n8k16_f16(sums, operand(a, 64), operand(b, 8), false);  // BUG out of bounds
    wgmma_commit();
    wgmma_wait<0>();
    wgmma_sums(sums);
    for (int i = 0; i < 4; i++) out[4 * threadIdx.x + i] = sums[i];
}

__global__ void next_operand_over_the_last(float* out, const __half* x) {
    __shared__ __align__(128) __half a[16 * 64], b[16 * 8];
    float sums[4] = {};
    b[threadIdx.x] = x[threadIdx.x];
    for (int t = 0; t < 2; t++) {
        for (int i = threadIdx.x; i < 16 * 64; i += 128) a[i] = x[i + t];  // BUG race
        __syncthreads();
        wgmma_fence();
        wgmma_m64n8k16_f16(sums, operand(a, 64), operand(b, 8), t);  // OTHER
        wgmma_commit();
        wgmma_wait<0>();
    }
    wgmma_sums(sums);
    for (int i = 0; i < 4; i++) out[4 * threadIdx.x + i] = sums[i];
}
