// Accesses outside of an array. A read is wrong also where its value is not used: the address may belong to nobody.
#include "ptx.cuh"

// ---- global memory ----
__global__ void no_guard_at_the_end(float* out, const float* x, int n) {
    int i = blockIdx.x * blockDim.x + threadIdx.x;
    out[i] = x[i];  // BUG out of bounds
}

__global__ void writes_one_past_the_end(float* out, int n) {
    int i = blockIdx.x * blockDim.x + threadIdx.x;
    if (i <= n) out[i] = 1;  // BUG out of bounds
}

__global__ void reads_one_past_the_end(float* out, const float* x, int n) {
    float sum = 0;
    for (int i = threadIdx.x; i <= n; i += blockDim.x) sum += x[i];  // BUG out of bounds
    out[threadIdx.x] = sum;
}

__global__ void reads_before_the_start(float* out, const float* x, int n) {
    int i = blockIdx.x * blockDim.x + threadIdx.x;
    if (i < n) out[i] = x[i] - x[i - 1];  // BUG out of bounds
}

__global__ void unsigned_index_below_zero(float* out, const float* x, unsigned n) {
    unsigned i = blockIdx.x * blockDim.x + threadIdx.x;
    if (i < n) out[i] = x[i] - x[i - 1u];  // BUG out of bounds
}

__global__ void reads_past_the_end_and_drops_the_value(float* out, const float* x, int n) {
    int i = blockIdx.x * blockDim.x + threadIdx.x;
    float next = ((const volatile float*)x)[i + 1];  // BUG out of bounds
    if (i < n - 1) out[i] = next;
}

__global__ void halo_on_both_sides(float* out, const float* x) {
    __shared__ float tile[66];
    int i = blockIdx.x * 64 + threadIdx.x;
    tile[threadIdx.x + 1] = x[i];
    if (threadIdx.x == 0) tile[0] = i > 0 ? x[i - 1] : 0;
    if (threadIdx.x == 63) tile[65] = x[i + 1];  // BUG out of bounds
    __syncthreads();
    out[i] = tile[threadIdx.x] + tile[threadIdx.x + 1] + tile[threadIdx.x + 2];
}

// rows * columns elements: right for square matrices, which is what it was tried on.
__global__ void transposes_with_the_wrong_pitch(float* out, const float* x, int rows, int columns) {
    int column = blockIdx.x * blockDim.x + threadIdx.x, row = blockIdx.y * blockDim.y + threadIdx.y;
    if (row < rows && column < columns) out[column * columns + row] = x[row * columns + column];  // BUG out of bounds
}

__global__ void vector_load_over_the_end(float4* out, const float4* x, int n) {
    int i = blockIdx.x * blockDim.x + threadIdx.x;
    if (i < (n + 3) / 4) out[i] = x[i];  // BUG out of bounds
}

// row * pitch does not fit into an int.
__global__ void index_overflows(float* out, const float* x, int row, int pitch) {
    out[threadIdx.x] = x[row * pitch + (int)threadIdx.x];  // BUG out of bounds, overflow
}

__global__ void counts_a_key_that_has_no_bin(int* counts, const int* keys, int n) {
    int i = blockIdx.x * blockDim.x + threadIdx.x;
    if (i < n) atomicAdd(&counts[keys[i]], 1);  // BUG out of bounds
}

__global__ void reads_a_null_pointer(float* out, const float* x, const float* bias) {
    out[threadIdx.x] = x[threadIdx.x] + bias[threadIdx.x];  // BUG out of bounds
}

__global__ void null_pointers_and_more(float* y, const float* x, float* null) {
    y[threadIdx.x] = x[threadIdx.x] + null[threadIdx.x];  // BUG out of bounds
    null[3] = 1;  // BUG out of bounds
    atomicAdd(&null[1], 1.0f);  // BUG out of bounds
    y[threadIdx.x + 1] = 2;  // BUG out of bounds
}

__global__ void writes_to_a_wild_pointer(float* out) {
    float* wild = (float*)0x123456780ull;
    wild[threadIdx.x] = 1;  // BUG out of bounds
}

// Follows a table of addresses; one of the arrays is gone by the time of the launch.
__global__ void follows_a_table_of_pointers(float* out, const unsigned long long* table) {
    const float* row = (const float*)table[blockIdx.x];
    out[blockIdx.x * blockDim.x + threadIdx.x] = row[threadIdx.x];  // BUG out of bounds
}

// ---- shared memory ----
__global__ void writes_past_shared(float* out, const float* x) {
    __shared__ float tile[63];
    tile[threadIdx.x] = x[threadIdx.x];  // BUG out of bounds
    __syncthreads();
    out[threadIdx.x] = tile[0];
}

__global__ void reads_past_shared(float* out, const float* x) {
    __shared__ float tile[64];
    tile[threadIdx.x] = x[threadIdx.x];
    __syncthreads();
    out[threadIdx.x] = tile[threadIdx.x + 1];  // BUG out of bounds
}

__global__ void reads_before_shared(float* out, const float* x) {
    __shared__ float tile[64];
    tile[threadIdx.x] = x[threadIdx.x];
    __syncthreads();
    out[threadIdx.x] = tile[(int)threadIdx.x - 1];  // BUG out of bounds
}

// The row after the last one is the array that was declared next.
__global__ void row_beyond_a_shared_matrix(float* out, const float* x) {
    __shared__ float left[8][8], right[8][8];
    int row = threadIdx.y, column = threadIdx.x;
    left[row][column] = x[row * 8 + column];
    right[row][column] = -x[row * 8 + column];
    __syncthreads();
    out[row * 8 + column] = left[row + 1][column] + right[row][column];  // BUG out of bounds
}

__global__ void more_dynamic_memory_than_launched(float* out, const float* x) {
    extern __shared__ float kept[];
    kept[threadIdx.x] = x[threadIdx.x];  // BUG out of bounds
    __syncthreads();
    out[threadIdx.x] = kept[0];
}

__global__ void shared_bins_for_fewer_keys(int* counts, const int* keys) {
    __shared__ int bins[8];
    if (threadIdx.x < 8) bins[threadIdx.x] = 0;
    __syncthreads();
    atomicAdd(&bins[keys[threadIdx.x]], 1);  // BUG out of bounds
    __syncthreads();
    if (threadIdx.x < 8) atomicAdd(&counts[threadIdx.x], bins[threadIdx.x]);
}

// Within the array's memory, but in the next row.
__global__ void column_beyond_a_row(float* out, const float* x) {
    __shared__ float tile[9][8];
    int row = threadIdx.y, column = threadIdx.x;
    tile[row][column] = x[row * 8 + column];
    if (row == 0) tile[8][column] = 0;
    __syncthreads();
    out[row * 8 + column] = tile[row][column + 1] - tile[row][column];  // BUG out of bounds
}

// ---- local and constant memory ----
__global__ void local_array_too_short(float* out, const float* x, int n) {
    float kept[4];
    for (int i = 0; i < n; i++) kept[i] = x[i];  // BUG out of bounds
    for (int i = 0; i < 4; i++) out[i] = kept[3 - i];
}

__constant__ float weights[4] = {1, 3, 3, 1};
__global__ void constant_table_too_short(float* out, const float* x, int n) {
    float sum = 0;
    for (int i = 0; i < n; i++) sum += weights[i] * x[threadIdx.x + i];  // BUG out of bounds
    out[threadIdx.x] = sum;
}

// ---- copies ----
__global__ void copies_bytes_over_the_end(float* out, const float* x) {
    float kept[8];
    memcpy(kept, x + threadIdx.x * 8, sizeof kept);  // BUG out of bounds
    out[threadIdx.x] = kept[7];
}

__global__ void copies_over_the_end(float4* out, const float4* x, int n) {
    __shared__ float4 tile[32];
    cp_async16(smem_u32(&tile[threadIdx.x]), &x[threadIdx.x], true);  // BUG out of bounds
    cp_async_commit();
    cp_async_wait<0>();
    __syncthreads();
    if (threadIdx.x < n) out[threadIdx.x] = tile[threadIdx.x];
}

__global__ void copies_past_shared(float4* out, const float4* x) {
    __shared__ float4 tile[31];
    cp_async16(smem_u32(&tile[0]) + threadIdx.x * 16, &x[threadIdx.x], true);  // BUG out of bounds
    cp_async_commit();
    cp_async_wait<0>();
    __syncthreads();
    if (threadIdx.x < 31) out[threadIdx.x] = tile[threadIdx.x];
}

__global__ void matrices_beyond_shared(unsigned* out, const unsigned* x) {
    __shared__ __align__(16) unsigned tile[8 * 16];  // 16 rows of 16 16-bit numbers
    for (int i = threadIdx.x; i < 128; i += 32) tile[i] = x[i];
    __syncwarp();
    unsigned r[4];
    ldmatrix_x4(r, smem_u32(tile) + (threadIdx.x % 16 + 1) * 32 + threadIdx.x / 16 * 16);  // BUG out of bounds
    for (int i = 0; i < 4; i++) out[threadIdx.x * 4 + i] = r[i];
}
