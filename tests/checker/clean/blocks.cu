// Threads that wait for other warps and for other blocks, in loops and in barriers of the whole grid.
#include <cooperative_groups.h>

__global__ void flag_between_warps(int* out, const int* x) {
    __shared__ volatile int ready;
    __shared__ int item;
    if (threadIdx.x == 0) ready = 0;
    __syncthreads();
    if (threadIdx.x == 0) {
        item = x[0];
        __threadfence_block();
        ready = 1;
    }
    if (threadIdx.x == 32) {
        while (ready == 0) {}
        __threadfence_block();
        *out = item;
    }
}

__device__ void wait_for_all_blocks(int* arrived, int turn) {
    __syncthreads();
    if (threadIdx.x == 0) {
        __threadfence();
        atomicAdd(arrived, 1);
        while (atomicAdd(arrived, 0) < turn * gridDim.x);
        __threadfence();
    }
    __syncthreads();
}
__global__ void rotates_twice(int* y, int* z, int* arrived, const int* x) {
    int i = blockIdx.x * blockDim.x + threadIdx.x, n = gridDim.x * blockDim.x;
    y[i] = x[i];
    wait_for_all_blocks(arrived, 1);
    z[i] = y[(i + blockDim.x) % n];
    wait_for_all_blocks(arrived, 2);
    y[i] = z[(i + blockDim.x) % n];
}

__global__ void rotates_by_grid_barriers(int* y, int* z, const int* x) {
    auto grid = cooperative_groups::this_grid();
    int i = grid.thread_rank(), n = grid.size();
    y[i] = x[i];
    grid.sync();
    z[i] = y[(i + blockDim.x) % n];
    grid.sync();
    y[i] = z[(i + blockDim.x) % n];
}

// The first block hands out numbers, the others wait for theirs, one after another.
__global__ void hands_on(volatile int* turn, int* out) {
    if (threadIdx.x == 0) {
        while (*turn != gridDim.x - 1 - blockIdx.x) {}
        __threadfence();
        out[blockIdx.x] = blockIdx.x == gridDim.x - 1 ? 1 : 2 * out[blockIdx.x + 1];
        __threadfence();
        *turn = gridDim.x - blockIdx.x;
    }
}

// The blocks add up in the order of their numbers: a semaphore by inline PTX, whose waiting acquires and whose handing on
// releases.
__device__ void wait_for_turn(const int* turn, int wanted) {
    int state = -1;
    while (__syncthreads_and(state != wanted)) {
        if (threadIdx.x == 0) asm volatile("ld.global.acquire.gpu.b32 %0, [%1];\n" : "=r"(state) : "l"(turn) : "memory");
    }
    __syncthreads();
}
__device__ void give_turn(int* turn, int next) {
    __syncthreads();
    if (threadIdx.x == 0) asm volatile("st.release.gpu.global.b32 [%0], %1;\n" : : "l"(turn), "r"(next) : "memory");
}
__global__ void adds_in_order(float* sums, int* turn, const float* x) {
    float own = x[blockIdx.x * blockDim.x + threadIdx.x];
    wait_for_turn(turn, blockIdx.x);
    sums[threadIdx.x] = blockIdx.x ? sums[threadIdx.x] * 0.5f + own : own;
    give_turn(turn, blockIdx.x + 1);
}
