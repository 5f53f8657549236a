// Threads that wait for other warps and for other blocks, and are not ordered after what they wait for.
#include <cooperative_groups.h>

__global__ void flag_without_a_fence(int* out, const int* x) {
    __shared__ volatile int ready;
    __shared__ int item;
    if (threadIdx.x == 0) ready = 0;
    __syncthreads();
    if (threadIdx.x == 0) {
        item = x[0];  // OTHER
        ready = 1;
    }
    if (threadIdx.x == 32) {
        while (!ready) {}
        *out = item;  // BUG race
    }
}

__global__ void counts_in_a_volatile_variable(int* out) {
    __shared__ volatile int count;
    if (threadIdx.x == 0) count = 0;
    __syncthreads();
    if (threadIdx.x % 32 == 0) count = count + 1;  // BUG race
    __syncthreads();
    out[threadIdx.x] = count;
}

__global__ void announces_a_histogram_without_a_fence(int* out, int* histogram, int* arrived, const int* keys) {
    atomicAdd(&histogram[keys[threadIdx.x]], 1);  // OTHER
    __syncthreads();
    if (threadIdx.x == 0) {
        atomicAdd(arrived, 1);
        while (atomicAdd(arrived, 0) < gridDim.x) {}
    }
    __syncthreads();
    if (threadIdx.x < 4) out[blockIdx.x * 4 + threadIdx.x] = histogram[threadIdx.x];  // BUG race
}

__global__ void fences_its_own_writes_alone(int* out, int* parts, int* arrived, const int* x) {
    parts[blockIdx.x * blockDim.x + threadIdx.x] = x[threadIdx.x];  // OTHER
    if (threadIdx.x == 0) {
        __threadfence();
        atomicAdd(arrived, 1);
        while (atomicAdd(arrived, 0) < gridDim.x) {}
        __threadfence();
    }
    __syncthreads();
    out[blockIdx.x * blockDim.x + threadIdx.x] = parts[(gridDim.x - 1 - blockIdx.x) * blockDim.x + threadIdx.x];  // BUG race
}

__global__ void no_second_barrier_of_the_grid(int* y, const int* x) {
    auto grid = cooperative_groups::this_grid();
    int i = grid.thread_rank(), n = grid.size();
    y[i] = x[i];
    grid.sync();
    int next = y[(i + blockDim.x) % n];  // OTHER
    y[i] = next;  // BUG race
}

__global__ void a_block_leaves_before_the_barrier(int* y, const int* x) {
    if (blockIdx.x == 1) return;
    y[blockIdx.x] = x[blockIdx.x];
    cooperative_groups::this_grid().sync();  // BUG deadlock
}

__global__ void passes_the_turn_relaxed(float* sums, int* turn, const float* x) {
    if (threadIdx.x == 0) {
        int state = -1;
        do asm volatile("ld.acquire.gpu.global.s32 %0, [%1];" : "=r"(state) : "l"(turn) : "memory");
        while (state != blockIdx.x);
        sums[0] = blockIdx.x ? sums[0] * 0.5f + x[blockIdx.x] : x[0];  // BUG race
        asm volatile("st.relaxed.gpu.global.s32 [%0], %1;" : : "l"(turn), "r"(blockIdx.x + 1) : "memory");
    }
}

__global__ void takes_the_lock_of_another_bin(float* sums, int* locks, const int* bins) {
    int i = blockIdx.x * blockDim.x + threadIdx.x, bin = bins[i], lock = i % 8;
    bool done = false;
    while (!done) {
        if (atomicCAS(&locks[lock], 0, 1) == 0) {
            __threadfence();
            sums[bin] += 1;  // BUG race
            __threadfence();
            atomicExch(&locks[lock], 0);
            done = true;
        }
    }
}

__global__ void moves_with_one_lock_of_two(float* sums, int* locks, const int* from, const int* to) {
    int i = blockIdx.x * blockDim.x + threadIdx.x;
    bool done = from[i] == to[i];
    while (!done) {
        if (atomicCAS(&locks[from[i]], 0, 1) == 0) {
            __threadfence();
            sums[from[i]] -= 1;  // OTHER
            sums[to[i]] += 1;    // BUG race
            __threadfence();
            atomicExch(&locks[from[i]], 0);
            done = true;
        }
    }
}

__global__ void reads_the_sum_without_the_lock(float* out, float* sum, int* lock) {
    if (threadIdx.x > 0) return;
    while (atomicCAS(lock, 0, 1) != 0) {}
    __threadfence();
    *sum += 1;  // BUG race
    __threadfence();
    atomicExch(lock, 0);
    out[blockIdx.x] = *sum;  // OTHER
}

__global__ void keeps_the_lock_at_a_barrier(int* lock, int* count) {
    while (atomicCAS(lock, 0, 1) != 0) {}  // BUG deadlock
    __threadfence();
    *count += 1;
    __syncthreads();  // OTHER
    __threadfence();
    atomicExch(lock, 0);
}
