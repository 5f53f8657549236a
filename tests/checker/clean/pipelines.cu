// Copies that run beside the computation, and warps that do different work.
#include <cuda_bf16.h>
#include "ptx.cuh"

// Two stages: while one is added up, the next is on its way. Two barriers a step.
__global__ void double_buffer(float* out, const float* x, int tiles) {
    __shared__ float4 stage[2][64];
    auto load = [&](int t) {
        cp_async16(smem_u32(&stage[t % 2][threadIdx.x]), x + t * 256 + threadIdx.x * 4, true);
        cp_async_commit();
    };
    float sum = 0;
    load(0);
    for (int t = 0; t < tiles; t++) {
        if (t + 1 < tiles) {
            load(t + 1);
            cp_async_wait<1>();
        } else {
            cp_async_wait<0>();
        }
        __syncthreads();  // all have waited for their part of the tile
        float4 v = stage[t % 2][63 - threadIdx.x];
        sum += v.x + v.y + v.z + v.w;
        __syncthreads();  // all have read it
    }
    out[threadIdx.x] = sum;
}

// Four stages, three tiles ahead, one barrier a step: what is refilled was read before the barrier. A commit a step,
// also without a copy, keeps the count of groups the same at the end.
__global__ void four_stages(float* out, const float* x, int tiles) {
    extern __shared__ float4 stages[];  // [4][64]
    auto load = [&](int t) {
        if (t < tiles) cp_async16(smem_u32(&stages[t % 4 * 64 + threadIdx.x]), x + t * 256 + threadIdx.x * 4, true);
        cp_async_commit();
    };
    float sum = 0;
    for (int t = 0; t < 3; t++) load(t);
    for (int t = 0; t < tiles; t++) {
        cp_async_wait<2>();
        __syncthreads();
        load(t + 3);
        float4 v = stages[t % 4 * 64 + 63 - threadIdx.x];
        sum += v.x + v.y + v.z + v.w;
    }
    out[threadIdx.x] = sum;
}

// Rows that are not full: a copy that is not valid reads nothing and gives zeros.
__global__ void copies_with_a_tail(float* out, const float* x, int n) {
    __shared__ float tile[128];
    int i = blockIdx.x * 128 + threadIdx.x;
    cp_async4(smem_u32(&tile[threadIdx.x]), x + i, i < n);
    cp_async_commit();
    cp_async_wait<0>();
    __syncthreads();
    if (threadIdx.x > 0) return;
    float sum = 0;
    for (int j = 0; j < 128; j++) sum += tile[j];
    out[blockIdx.x] = sum;
}

// One warp loads, one adds up; named barriers say "full" (1, 2) and "empty" (3, 4) for each of two stages.
__global__ void specialised_warps(float* out, const float* x, int tiles) {
    __shared__ float stage[2][32];
    int lane = threadIdx.x % 32;
    if (threadIdx.x < 32) {
        for (int t = 0; t < tiles; t++) {
            if (t >= 2) bar_sync(3 + t % 2, 64);
            stage[t % 2][lane] = x[t * 32 + lane];
            bar_arrive(1 + t % 2, 64);
        }
    } else {
        float sum = 0;
        for (int t = 0; t < tiles; t++) {
            bar_sync(1 + t % 2, 64);
            sum += stage[t % 2][31 - lane];
            if (t + 2 < tiles) bar_arrive(3 + t % 2, 64);
        }
        out[lane] = sum;
    }
}

// The same with mbarriers, three stages and two consuming warps. A stage's use number u waits for parity u % 2 of
// "full" and, before it is filled again, for parity (u - 1) % 2 of "empty".
__global__ void specialised_warps_with_mbarriers(float* out, const float* x, int tiles) {
    __shared__ float stage[3][32];
    __shared__ unsigned long long full[3], empty[3];
    int lane = threadIdx.x % 32, warp = threadIdx.x / 32;
    if (threadIdx.x == 0) {
        for (int s = 0; s < 3; s++) mbar_init(&full[s], 32), mbar_init(&empty[s], 64);
        mbar_fence_init();
    }
    __syncthreads();
    if (warp == 0) {
        for (int t = 0; t < tiles; t++) {
            int s = t % 3, use = t / 3;
            if (use > 0) mbar_wait(&empty[s], (use - 1) % 2);
            stage[s][lane] = x[t * 32 + lane];
            mbar_arrive(&full[s]);
        }
    } else {
        float sum = 0;
        for (int t = 0; t < tiles; t++) {
            int s = t % 3, use = t / 3;
            mbar_wait(&full[s], use % 2);
            sum += stage[s][(lane + warp) % 32];
            mbar_arrive(&empty[s]);
        }
        out[threadIdx.x - 32] = sum;
    }
}

// Columns of a matrix, added up tile by tile; the tiles come by TMA, two ahead.
__global__ void tiles_by_tma(float* out, const __grid_constant__ CUtensorMap x, int tiles) {
    __shared__ __align__(128) float stage[2][16][32];
    __shared__ unsigned long long full[2];
    if (threadIdx.x == 0) {
        mbar_init(&full[0], 1);
        mbar_init(&full[1], 1);
        mbar_fence_init();
    }
    __syncthreads();
    auto load = [&](int t) {
        mbar_expect_tx(&full[t % 2], sizeof stage[0]);
        tma_load_2d(stage[t % 2], &x, &full[t % 2], 0, 16 * t);
    };
    if (threadIdx.x == 0) {
        load(0);
        if (tiles > 1) load(1);
    }
    float sum = 0;
    for (int t = 0; t < tiles; t++) {
        mbar_wait(&full[t % 2], t / 2 % 2);
        for (int row = 0; row < 16; row++) sum += stage[t % 2][row][threadIdx.x];
        __syncthreads();  // all have read the stage before it is loaded again
        if (threadIdx.x == 0 && t + 2 < tiles) load(t + 2);
    }
    out[threadIdx.x] = sum;
}

// c[16][8] of each warp: bfloat16 tiles by cp.async, ldmatrix, mma.sync. a[16][k], b[8 * warps][k].
__global__ void product_of_bfloats(float* c, const __nv_bfloat16* a, const __nv_bfloat16* b, int k) {
    constexpr int kWarps = 2, kPitch = 24;  // 16 columns and 8 of padding, against bank conflicts
    __shared__ __align__(16) __nv_bfloat16 left[2][16][kPitch], right[2][8 * kWarps][kPitch];
    int t = threadIdx.x, lane = t % 32, warp = t / 32;
    auto load = [&](int stage, int first) {
        int row = t % 32 / 2, column = t % 2 * 8;
        if (t < 32)
            cp_async16(smem_u32(&left[stage][row][column]), a + row * k + first + column, true);
        else
            cp_async16(smem_u32(&right[stage][row][column]), b + row * k + first + column, true);
        cp_async_commit();
    };
    float sum[4] = {0, 0, 0, 0};
    load(0, 0);
    for (int step = 0; step < k / 16; step++) {
        cp_async_wait<0>();
        __syncthreads();
        if (step + 1 < k / 16) load((step + 1) % 2, (step + 1) * 16);
        unsigned u[4], v[2];
        ldmatrix_x4(u, smem_u32(&left[step % 2][lane % 16][lane / 16 * 8]));
        ldmatrix_x2(v, smem_u32(&right[step % 2][warp * 8 + lane % 8][lane / 8 % 2 * 8]));
        mma_bf16_16816(sum, u, v[0], v[1]);
    }
    int row = lane / 4, column = warp * 8 + lane % 4 * 2;
    for (int i = 0; i < 4; i++) c[(row + i / 2 * 8) * 8 * kWarps + column + i % 2] = sum[i];
}
