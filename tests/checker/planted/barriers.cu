// Barriers. __syncthreads must be reached by all threads of the block, at the same place and equally often; a named
// barrier by the number of threads that it is told, in one order everywhere. Else the block hangs, or worse, does not.
#include <cooperative_groups.h>
#include "ptx.cuh"

__global__ void one_barrier_in_each_branch(float* out) {
    if (threadIdx.x < 40)
        __syncthreads();  // OTHER
    else
        __syncthreads();  // BUG divergent barrier
    out[threadIdx.x] = 1;
}

__global__ void barrier_in_half_the_block(float* out) {
    if (threadIdx.x < 32) __syncthreads();  // BUG divergent barrier
    out[threadIdx.x] = 1;
}

__global__ void returns_before_the_barrier(float* out, const float* x, int n) {
    __shared__ float tile[64];
    if (threadIdx.x >= n) return;
    tile[threadIdx.x] = x[threadIdx.x];
    __syncthreads();  // BUG divergent barrier
    out[threadIdx.x] = tile[n - 1 - threadIdx.x];
}

__global__ void a_barrier_for_each_element_of_a_thread(float* out, const float* x, int n) {
    __shared__ float total;
    if (threadIdx.x == 0) total = 0;
    __syncthreads();
    for (int i = threadIdx.x; i < n; i += blockDim.x) {
        atomicAdd(&total, x[i]);
        __syncthreads();  // BUG divergent barrier
    }
    __syncthreads();  // OTHER
    out[threadIdx.x] = total;
}

__global__ void barrier_in_a_branch_on_data(float* out, const float* x) {
    if (x[threadIdx.x] > 0) {
        out[threadIdx.x] = 1;
        __syncthreads();  // BUG divergent barrier
    }
}

__global__ void counting_barrier_in_a_branch(int* out, const float* x) {
    if (threadIdx.x < 32) out[threadIdx.x] = __syncthreads_count(x[threadIdx.x] > 0);  // BUG divergent barrier
}

__global__ void group_barrier_in_a_branch(float* out) {
    cooperative_groups::thread_block block = cooperative_groups::this_thread_block();
    if (block.thread_rank() < 32) block.sync();  // BUG divergent barrier
    out[threadIdx.x] = 1;
}

// ---- parts of a warp at different barriers ----
__global__ void half_a_warp_waits_for_the_block(float* out) {
    if (threadIdx.x < 16)
        __syncwarp();  // BUG deadlock
    else
        __syncthreads();  // OTHER
    out[threadIdx.x] = 1;
}

__global__ void shuffle_while_others_wait_for_the_block(float* out, const float* x) {
    float value = x[threadIdx.x];
    if (threadIdx.x < 16) value += __shfl_xor_sync(0xffffffffu, value, 16);  // BUG deadlock
    __syncthreads();  // OTHER
    out[threadIdx.x] = value;
}

// ---- named barriers ----
__global__ void named_barriers_in_crossed_order(float* out) {
    if (threadIdx.x < 32) {
        bar_sync(1, 64);  // BUG deadlock
        bar_sync(2, 64);
    } else {
        bar_sync(2, 64);  // OTHER
        bar_sync(1, 64);
    }
    out[threadIdx.x] = 1;
}

__global__ void named_barrier_with_two_counts(float* out) {
    if (threadIdx.x < 32)
        bar_sync(1, 64);  // OTHER
    else
        bar_sync(1, 96);  // BUG misuse
    out[threadIdx.x] = 1;
}

__global__ void named_barrier_of_half_a_warp(float* out) {
    if (threadIdx.x < 16) bar_sync(1, 16);  // BUG misuse
    out[threadIdx.x] = 1;
}

__global__ void named_barrier_of_more_than_the_block(float* out) {
    bar_sync(1, 128);  // BUG deadlock
    out[threadIdx.x] = 1;
}

__global__ void consumer_without_a_producer(float* out, const float* x, int n) {
    __shared__ float tile[32];
    if (threadIdx.x < 32) {
        for (int i = threadIdx.x; i < n; i += 32) {
            tile[threadIdx.x] = x[i];
            bar_arrive(1, 64);
            bar_sync(2, 64);
        }
    } else {
        for (int i = threadIdx.x - 32; i < n + 32; i += 32) {  // one round more than the producer's
            bar_sync(1, 64);  // BUG deadlock
            out[i] = tile[threadIdx.x - 32];
            bar_arrive(2, 64);
        }
    }
}
