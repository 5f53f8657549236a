// cp.async. A thread may touch what it copies only after its own cp_async_wait for the copy's group, and what others
// copy only after a barrier that follows their wait. A stage may be refilled only when all have read it.
#include "ptx.cuh"

__global__ void never_waits(float* out, const float* x) {
    __shared__ float4 tile[32];
    cp_async16(smem_u32(&tile[threadIdx.x]), x + threadIdx.x * 4, true);  // ALSO async copy
    cp_async_commit();
    __syncthreads();
    out[threadIdx.x] = tile[threadIdx.x].x;  // BUG async copy
}

__global__ void waits_after_the_read(float* out, const float* x) {
    __shared__ float4 tile[32];
    cp_async16(smem_u32(&tile[threadIdx.x]), x + threadIdx.x * 4, true);  // ALSO async copy
    cp_async_commit();
    float value = tile[threadIdx.x].y;  // BUG async copy
    cp_async_wait<0>();
    out[threadIdx.x] = value;
}

// A copy that no commit has put into a group is in none that a wait waits for.
__global__ void waits_without_a_commit(float* out, const float* x) {
    __shared__ float4 tile[32];
    cp_async16(smem_u32(&tile[threadIdx.x]), x + threadIdx.x * 4, true);  // ALSO async copy
    cp_async_wait<0>();
    __syncthreads();
    out[threadIdx.x] = tile[threadIdx.x].x;  // BUG async copy
}

__global__ void waits_for_all_but_the_one_it_reads(float* out, const float* x) {
    __shared__ float4 tile[2][32];
    for (int stage = 0; stage < 2; stage++) {
        cp_async16(smem_u32(&tile[stage][threadIdx.x]), x + stage * 128 + threadIdx.x * 4, true);  // ALSO async copy
        cp_async_commit();
    }
    cp_async_wait<1>();
    out[threadIdx.x] = tile[0][threadIdx.x].x + tile[1][threadIdx.x].x;  // BUG async copy
    cp_async_wait<0>();
}

// At the last tile nothing was copied ahead, so that the newest group is the one to wait for.
__global__ void pipeline_that_stops_waiting_at_the_end(float* out, const float* x, int tiles) {
    __shared__ float4 stage[2][32];
    float sum = 0;
    cp_async16(smem_u32(&stage[0][threadIdx.x]), x + threadIdx.x * 4, true);  // ALSO async copy
    cp_async_commit();
    for (int t = 0; t < tiles; t++) {
        if (t + 1 < tiles) {
            const float* from = x + (t + 1) * 128 + threadIdx.x * 4;
            cp_async16(smem_u32(&stage[(t + 1) % 2][threadIdx.x]), from, true);  // ALSO async copy
            cp_async_commit();
        }
        cp_async_wait<1>();
        __syncthreads();
        sum += stage[t % 2][31 - threadIdx.x].x;  // BUG async copy
        __syncthreads();
    }
    out[threadIdx.x] = sum;
}

__global__ void no_barrier_after_the_wait(float* out, const float* x) {
    __shared__ float4 tile[64];
    cp_async16(smem_u32(&tile[threadIdx.x]), x + threadIdx.x * 4, true);  // OTHER
    cp_async_commit();
    cp_async_wait<0>();  // OTHER
    out[threadIdx.x] = tile[63 - threadIdx.x].x;  // BUG race, uninitialised, async copy
}

__global__ void barrier_before_the_wait(float* out, const float* x) {
    __shared__ float4 tile[64];
    cp_async16(smem_u32(&tile[threadIdx.x]), x + threadIdx.x * 4, true);  // OTHER
    cp_async_commit();
    __syncthreads();
    cp_async_wait<0>();  // OTHER
    out[threadIdx.x] = tile[63 - threadIdx.x].x;  // BUG race, uninitialised, async copy
}

// One stage and one barrier a step: a fast warp copies into what a slow one still reads.
__global__ void refills_what_others_still_read(float* out, const float* x, int tiles) {
    __shared__ float4 tile[64];
    float sum = 0;
    for (int t = 0; t < tiles; t++) {
        cp_async16(smem_u32(&tile[threadIdx.x]), x + t * 256 + threadIdx.x * 4, true);  // BUG race
        cp_async_commit();
        cp_async_wait<0>();
        __syncthreads();
        sum += tile[63 - threadIdx.x].x;  // OTHER
    }
    out[threadIdx.x] = sum;
}

// Three stages would do; with two, the stage that is filled is the one that others read.
__global__ void pipeline_with_a_stage_too_few(float* out, const float* x, int tiles) {
    __shared__ float4 stage[2][64];
    float sum = 0;
    for (int t = 0; t < 2; t++) {
        cp_async16(smem_u32(&stage[t][threadIdx.x]), x + t * 256 + threadIdx.x * 4, true);  // ALSO async copy
        cp_async_commit();
    }
    for (int t = 0; t < tiles; t++) {
        cp_async_wait<1>();
        __syncthreads();
        sum += stage[t % 2][63 - threadIdx.x].x;  // ALSO async copy
        if (t + 2 < tiles)
            cp_async16(smem_u32(&stage[t % 2][threadIdx.x]), x + (t + 2) * 256 + threadIdx.x * 4, true);  // BUG race
        cp_async_commit();
    }
    out[threadIdx.x] = sum;
}

__global__ void writes_where_a_copy_is_under_way(float* out, const float* x) {
    __shared__ float4 tile[32];
    cp_async16(smem_u32(&tile[threadIdx.x]), x + threadIdx.x * 4, true);  // ALSO async copy
    cp_async_commit();
    tile[threadIdx.x].x = 0;  // BUG async copy
    cp_async_wait<0>();
    out[threadIdx.x] = tile[threadIdx.x].x;
}

__global__ void two_copies_to_one_place(float* out, const float* x) {
    __shared__ float4 tile[32];
    cp_async16(smem_u32(&tile[threadIdx.x]), x + threadIdx.x * 4, true);  // ALSO async copy
    cp_async16(smem_u32(&tile[threadIdx.x]), x + 128 + threadIdx.x * 4, true);  // BUG async copy
    cp_async_commit();
    cp_async_wait<0>();
    out[threadIdx.x] = tile[threadIdx.x].x;
}

// The block ends with copies under way: the shared memory may be another block's when they arrive.
__global__ void ends_with_copies_under_way(float* out, const float* x, int tiles) {
    __shared__ float4 stage[2][32];
    float sum = 0;
    cp_async16(smem_u32(&stage[0][threadIdx.x]), x + threadIdx.x * 4, true);  // ALSO async copy
    cp_async_commit();
    for (int t = 0; t < tiles; t++) {
        cp_async16(smem_u32(&stage[(t + 1) % 2][threadIdx.x]), x + threadIdx.x * 4, true);  // BUG async copy
        cp_async_commit();
        cp_async_wait<1>();
        sum += stage[t % 2][threadIdx.x].x;
    }
    out[threadIdx.x] = sum;
}
