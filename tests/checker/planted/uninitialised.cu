// Reading memory that nothing has been written to: outputs of the launch, shared memory (which holds whatever the last
// block left there), and what a copy has not filled.
#include "ptx.cuh"

__global__ void adds_to_an_output(float* out, const float* x) {
    out[threadIdx.x] += x[threadIdx.x];  // BUG uninitialised
}

__global__ void counts_into_an_output(int* counts, const int* keys) {
    atomicAdd(&counts[keys[threadIdx.x] % 8], 1);  // BUG uninitialised
}

__global__ void largest_into_an_output(int* largest, const int* x) {
    atomicMax(largest, x[threadIdx.x]);  // BUG uninitialised
}

__global__ void never_writes_shared(float* out) {
    __shared__ float tile[64];
    out[threadIdx.x] = tile[threadIdx.x];  // BUG uninitialised
}

__global__ void shared_counter_without_a_zero(int* out) {
    __shared__ int count;
    atomicAdd(&count, 1);  // BUG uninitialised
    __syncthreads();
    if (threadIdx.x == 0) out[0] = count;
}

// The threads past the end leave their elements of the tile as they are, and all are added up.
__global__ void sums_a_tile_that_is_not_full(float* out, const float* x, int n) {
    __shared__ float tile[64];
    if (threadIdx.x < n) tile[threadIdx.x] = x[threadIdx.x];
    __syncthreads();
    for (int half = 32; half > 0; half /= 2) {
        if (threadIdx.x < half) tile[threadIdx.x] += tile[threadIdx.x + half];  // BUG uninitialised
        __syncthreads();
    }
    if (threadIdx.x == 0) out[0] = tile[0];
}

__global__ void sums_of_more_warps_than_there_are(float* out, const float* x) {
    __shared__ float sums[32];
    float sum = x[threadIdx.x];
    for (int lanes = 16; lanes > 0; lanes /= 2) sum += __shfl_xor_sync(0xffffffffu, sum, lanes);
    if (threadIdx.x % 32 == 0) sums[threadIdx.x / 32] = sum;
    __syncthreads();
    if (threadIdx.x >= 32) return;
    float total = sums[threadIdx.x];  // BUG uninitialised
    for (int lanes = 16; lanes > 0; lanes /= 2) total += __shfl_xor_sync(0xffffffffu, total, lanes);
    if (threadIdx.x == 0) out[0] = total;
}

__global__ void halo_is_not_filled(float* out, const float* x) {
    __shared__ float tile[66];
    tile[threadIdx.x + 1] = x[threadIdx.x];
    __syncthreads();
    out[threadIdx.x] = tile[threadIdx.x] + tile[threadIdx.x + 2];  // BUG uninitialised
}

__global__ void reads_shared_and_drops_the_value(float* out, const float* x, int n) {
    __shared__ volatile float tile[64];
    if (threadIdx.x < n) tile[threadIdx.x] = x[threadIdx.x];
    __syncthreads();
    float value = tile[threadIdx.x];  // BUG uninitialised
    out[threadIdx.x] = threadIdx.x < n ? value : 0;
}

__global__ void sums_the_padding_of_rows(float* out, const float* x) {
    __shared__ float tile[8][9];  // the ninth column is against bank conflicts
    tile[threadIdx.y][threadIdx.x] = x[threadIdx.y * 8 + threadIdx.x];
    __syncthreads();
    if (threadIdx.y > 0 || threadIdx.x > 0) return;
    float sum = 0;
    const float* all = &tile[0][0];
    for (int i = 0; i < 72; i++) sum += all[i];  // BUG uninitialised
    out[0] = sum;
}

__global__ void dynamic_memory_is_not_zero(int* out) {
    extern __shared__ int marks[];
    marks[2 * threadIdx.x] = 1;
    __syncthreads();
    out[threadIdx.x] = marks[threadIdx.x];  // BUG uninitialised
}

// Shared memory belongs to one block: what block 0 writes is not there for block 1.
__global__ void the_first_block_fills_the_table(float* out) {
    __shared__ float table[32];
    if (blockIdx.x == 0) table[threadIdx.x] = threadIdx.x * 0.5f;
    __syncthreads();
    out[blockIdx.x * 32 + threadIdx.x] = table[31 - threadIdx.x];  // BUG uninitialised
}

__global__ void copies_an_output_into_shared(float* out) {
    __shared__ float4 tile[32];
    cp_async16(smem_u32(&tile[threadIdx.x]), out + threadIdx.x * 4, true);  // BUG uninitialised
    cp_async_commit();
    cp_async_wait<0>();
    out[threadIdx.x * 4] = tile[threadIdx.x].x;
}

__global__ void matrices_of_an_unfilled_tile(unsigned* out, const unsigned* x) {
    __shared__ __align__(16) unsigned tile[8 * 16];
    for (int i = threadIdx.x; i < 96; i += 32) tile[i] = x[i];
    __syncwarp();
    unsigned r[4];
    ldmatrix_x4(r, smem_u32(tile) + threadIdx.x % 16 * 32 + threadIdx.x / 16 * 16);  // BUG uninitialised
    for (int i = 0; i < 4; i++) out[threadIdx.x * 4 + i] = r[i];
}
