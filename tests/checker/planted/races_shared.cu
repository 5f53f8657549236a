// Races in shared memory. The rule: where two threads access one address and at least one of them writes, and not both
// by atomics, a barrier that both pass must lie between the two accesses. Threads of one warp are no exception: since
// Volta they do not run in step.
#include "ptx.cuh"

// ---- no barrier between a write and a read ----
__global__ void reads_a_neighbour_too_early(float* out, const float* x) {
    __shared__ float tile[64];
    tile[threadIdx.x] = x[threadIdx.x];      // OTHER
    out[threadIdx.x] = tile[63 - threadIdx.x];  // BUG race, uninitialised
}

__global__ void overwrites_what_others_still_read(float* out, const float* x, int steps) {
    __shared__ float tile[64];
    float sum = 0;
    for (int step = 0; step < steps; step++) {
        tile[threadIdx.x] = x[step * 64 + threadIdx.x];  // BUG race
        __syncthreads();
        sum += tile[63 - threadIdx.x];  // OTHER
    }
    out[threadIdx.x] = sum;
}

__global__ void two_threads_write_one_element(float* out, const float* x) {
    __shared__ float tile[32];
    tile[threadIdx.x / 2] = x[threadIdx.x];  // BUG race
    __syncthreads();
    out[threadIdx.x] = tile[threadIdx.x / 2];
}

__global__ void everyone_writes_one_flag(int* out, const float* x) {
    __shared__ int found;
    if (threadIdx.x == 0) found = -1;
    __syncthreads();
    if (x[threadIdx.x] > 0) found = threadIdx.x;  // BUG race
    __syncthreads();
    if (threadIdx.x == 0) out[0] = found;
}

__global__ void largest_without_atomics(float* out, const float* x) {
    __shared__ float largest;
    if (threadIdx.x == 0) largest = -1e30f;
    __syncthreads();
    if (x[threadIdx.x] > largest) largest = x[threadIdx.x];  // BUG race
    __syncthreads();
    if (threadIdx.x == 0) out[0] = largest;
}

// ---- reductions and scans ----
__global__ void tree_without_barriers(float* out, const float* x) {
    __shared__ float tile[128];
    tile[threadIdx.x] = x[threadIdx.x];
    __syncthreads();
    for (int half = 64; half > 0; half /= 2)
        if (threadIdx.x < half) tile[threadIdx.x] += tile[threadIdx.x + half];  // BUG race
    if (threadIdx.x == 0) out[0] = tile[0];
}

// The last steps of a reduction "within one warp", as was written before Volta.
__global__ void warp_synchronous_sum(float* out, const float* x) {
    __shared__ float tile[64];
    tile[threadIdx.x] = x[threadIdx.x];
    __syncthreads();
    if (threadIdx.x < 32)
        for (int half = 32; half > 0; half /= 2) tile[threadIdx.x] += tile[threadIdx.x + half];  // BUG race
    if (threadIdx.x == 0) out[0] = tile[0];
}

// volatile keeps the compiler from holding values in registers; it does not keep the lanes in step.
__global__ void warp_synchronous_sum_volatile(float* out, const float* x) {
    __shared__ volatile float tile[64];
    tile[threadIdx.x] = x[threadIdx.x];
    __syncthreads();
    if (threadIdx.x < 32)
        for (int half = 32; half > 0; half /= 2) tile[threadIdx.x] += tile[threadIdx.x + half];  // BUG race
    if (threadIdx.x == 0) out[0] = tile[0];
}

__global__ void scan_reads_and_writes_at_once(float* out, const float* x) {
    __shared__ float tile[64];
    tile[threadIdx.x] = x[threadIdx.x];
    __syncthreads();
    for (int distance = 1; distance < 64; distance *= 2) {
        if (threadIdx.x >= distance) tile[threadIdx.x] += tile[threadIdx.x - distance];  // BUG race
        __syncthreads();
    }
    out[threadIdx.x] = tile[threadIdx.x];
}

// Right but for the end: in the last step another thread may have written this thread's element.
__global__ void sort_without_a_last_barrier(float* out, const float* x) {
    __shared__ float tile[64];
    int t = threadIdx.x;
    tile[t] = x[t];
    for (int size = 2; size <= 64; size *= 2)
        for (int stride = size / 2; stride > 0; stride /= 2) {
            __syncthreads();
            int other = t ^ stride;
            if (other > t && (tile[t] > tile[other]) == ((t & size) == 0)) {
                float kept = tile[t];
                tile[t] = tile[other];
                tile[other] = kept;  // OTHER
            }
        }
    out[t] = tile[t];  // BUG race
}

// A second call writes `partial` while slower warps still read the first call's.
__device__ float block_sum(float value) {
    __shared__ float partial[2];
    for (int lanes = 16; lanes > 0; lanes /= 2) value += __shfl_xor_sync(0xffffffffu, value, lanes);
    if (threadIdx.x % 32 == 0) partial[threadIdx.x / 32] = value;  // BUG race
    __syncthreads();
    return partial[0] + partial[1];  // OTHER
}
__global__ void two_sums_with_one_buffer(float* out, const float* x) {
    float mean = block_sum(x[threadIdx.x]) / 64;
    float difference = x[threadIdx.x] - mean;
    out[threadIdx.x] = block_sum(difference * difference);
}

__global__ void broadcasts_through_one_variable(float* out, const float* x, int steps) {
    __shared__ float chosen;
    float sum = 0;
    for (int step = 0; step < steps; step++) {
        if (threadIdx.x == 0) chosen = x[step];  // BUG race
        __syncthreads();
        sum += chosen;  // OTHER
    }
    out[threadIdx.x] = sum;
}

// ---- counting ----
__global__ void histogram_without_atomics(int* out, const int* keys) {
    __shared__ int bins[8];
    if (threadIdx.x < 8) bins[threadIdx.x] = 0;
    __syncthreads();
    bins[keys[threadIdx.x] % 8]++;  // BUG race
    __syncthreads();
    if (threadIdx.x < 8) out[threadIdx.x] = bins[threadIdx.x];
}

__global__ void sets_bits_of_one_word(unsigned* out, const float* x) {
    __shared__ unsigned word;
    if (threadIdx.x == 0) word = 0;
    __syncthreads();
    if (x[threadIdx.x] > 0) word |= 1u << threadIdx.x;  // BUG race
    __syncthreads();
    if (threadIdx.x == 0) out[0] = word;
}

__global__ void reads_a_counter_that_others_add_to(int* out) {
    __shared__ int count;
    if (threadIdx.x == 0) count = 0;
    __syncthreads();
    atomicAdd(&count, 1);      // OTHER
    out[threadIdx.x] = count;  // BUG race
}

__global__ void zeroes_a_counter_without_barrier(int* out) {
    __shared__ int count;
    if (threadIdx.x == 0) count = 0;  // BUG race
    atomicAdd(&count, 1);             // OTHER
    __syncthreads();
    if (threadIdx.x == 0) out[0] = count;
}

// ---- buffers ----
__global__ void double_buffer_off_by_one(float* out, const float* x, int steps) {
    __shared__ float buffer[2][64];
    buffer[0][threadIdx.x] = x[threadIdx.x];
    __syncthreads();
    float sum = 0;
    for (int step = 1; step < steps; step++) {
        buffer[step % 2][threadIdx.x] = x[step * 64 + threadIdx.x];  // OTHER
        sum += buffer[step % 2][63 - threadIdx.x];                   // BUG race, uninitialised
        __syncthreads();
    }
    out[threadIdx.x] = sum;
}

// The second array begins before the first one ends.
__global__ void overlapping_parts_of_dynamic_memory(float* out, const float* x) {
    extern __shared__ float values[];
    int* keys = (int*)(values + blockDim.x / 2);
    values[threadIdx.x] = x[threadIdx.x];  // OTHER
    keys[threadIdx.x] = threadIdx.x;       // BUG race
    __syncthreads();
    out[threadIdx.x] = values[threadIdx.x] + keys[threadIdx.x];
}

__global__ void transposes_a_tile_in_place(float* out, const float* x) {
    __shared__ float tile[8][8];
    int row = threadIdx.y, column = threadIdx.x;
    tile[row][column] = x[row * 8 + column];
    __syncthreads();
    tile[row][column] = tile[column][row];  // BUG race
    __syncthreads();
    out[row * 8 + column] = tile[row][column];
}

// ---- within a warp ----
__global__ void no_syncwarp_between_lanes(float* out, const float* x) {
    __shared__ float tile[32];
    tile[threadIdx.x] = x[threadIdx.x];         // OTHER
    out[threadIdx.x] = tile[threadIdx.x ^ 1];  // BUG race, uninitialised
}

__global__ void syncwarp_of_half_a_warp(float* out, const float* x) {
    __shared__ float tile[32];
    tile[threadIdx.x] = x[threadIdx.x];  // OTHER
    __syncwarp(threadIdx.x < 16 ? 0x0000ffffu : 0xffff0000u);
    out[threadIdx.x] = tile[threadIdx.x ^ 16];  // BUG race, uninitialised
}

// Shuffles exchange registers; only __syncwarp orders memory.
__global__ void takes_a_shuffle_for_a_barrier(float* out, const float* x) {
    __shared__ float tile[32];
    tile[threadIdx.x] = x[threadIdx.x];  // OTHER
    float first = __shfl_sync(0xffffffffu, x[threadIdx.x], 0);
    out[threadIdx.x] = tile[31 - threadIdx.x] + first;  // BUG race
}

// ---- what the launch must keep ----
__global__ void right_for_one_warp(float* out, const float* x) {
    __shared__ float tile[64];
    tile[threadIdx.x] = x[threadIdx.x];  // OTHER
    __syncwarp();
    out[threadIdx.x] = tile[blockDim.x - 1 - threadIdx.x];  // BUG race, uninitialised
}

__global__ void right_for_one_row_of_threads(float* out, const float* x) {
    __shared__ float tile[32];
    tile[threadIdx.x] = x[threadIdx.y * 32 + threadIdx.x];  // BUG race
    __syncthreads();
    out[threadIdx.y * 32 + threadIdx.x] = tile[31 - threadIdx.x];
}

__global__ void named_barrier_of_too_few_warps(float* out, const float* x) {
    __shared__ float tile[96];
    tile[threadIdx.x] = x[threadIdx.x];  // OTHER
    if (threadIdx.x < 64) bar_sync(1, 64);
    out[threadIdx.x] = tile[95 - threadIdx.x];  // BUG race, uninitialised
}
