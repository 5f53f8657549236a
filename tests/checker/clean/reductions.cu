// Sums, maxima and statistics: of a warp, of a block, of a grid.
#include <cooperative_groups.h>

__device__ float warp_sum(float value) {
    for (int lanes = 16; lanes > 0; lanes /= 2) value += __shfl_xor_sync(0xffffffffu, value, lanes);
    return value;
}

// May be called again at once: the barrier at the start lets all finish reading the last call's sums.
__device__ float block_sum(float value) {
    __shared__ float sums[32];
    value = warp_sum(value);
    __syncthreads();
    if (threadIdx.x % 32 == 0) sums[threadIdx.x / 32] = value;
    __syncthreads();
    return warp_sum(threadIdx.x % 32 < blockDim.x / 32 ? sums[threadIdx.x % 32] : 0.0f);
}

__global__ void tree(float* out, const float* x, int n) {
    extern __shared__ float tile[];
    int i = blockIdx.x * blockDim.x + threadIdx.x;
    tile[threadIdx.x] = i < n ? x[i] : 0;
    for (int half = blockDim.x / 2; half > 0; half /= 2) {
        __syncthreads();
        if (threadIdx.x < half) tile[threadIdx.x] += tile[threadIdx.x + half];
    }
    if (threadIdx.x == 0) out[blockIdx.x] = tile[0];
}

// The last steps within one warp, as they are right since Volta: read, __syncwarp, write, __syncwarp.
__global__ void tree_with_a_last_warp(float* out, const float* x) {
    __shared__ float tile[128];
    unsigned t = threadIdx.x;
    tile[t] = x[t];
    __syncthreads();
    if (t < 64) tile[t] += tile[t + 64];
    __syncthreads();
    if (t < 32) {
        float sum = tile[t] + tile[t + 32];
        for (int half = 16; half > 0; half /= 2) {
            __syncwarp();
            tile[t] = sum;
            __syncwarp();
            sum += tile[t ^ half];
        }
        if (t == 0) out[0] = sum;
    }
}

// The last block to finish adds up the sums of all: fence, then count.
__global__ void last_block(float* out, float* sums, unsigned* done, const float* x, int n) {
    __shared__ bool last;
    float sum = 0;
    for (int i = blockIdx.x * blockDim.x + threadIdx.x; i < n; i += gridDim.x * blockDim.x) sum += x[i];
    sum = block_sum(sum);
    if (threadIdx.x == 0) {
        sums[blockIdx.x] = sum;
        __threadfence();
        last = atomicAdd(done, 1u) == gridDim.x - 1;
    }
    __syncthreads();
    if (!last) return;
    float total = 0;
    for (int i = threadIdx.x; i < gridDim.x; i += blockDim.x) total += sums[i];
    total = block_sum(total);
    if (threadIdx.x == 0) {
        out[0] = total;
        done[0] = 0;  // for the next launch
    }
}

// The same where every thread writes and fences for itself before the barrier.
__global__ void last_block_of_many_writers(float* out, float* parts, unsigned* done, const float* x) {
    __shared__ bool last;
    int i = blockIdx.x * blockDim.x + threadIdx.x;
    parts[i] = 2 * x[i];
    __threadfence();
    __syncthreads();
    if (threadIdx.x == 0) last = atomicInc(done, gridDim.x - 1) == gridDim.x - 1;
    __syncthreads();
    if (!last) return;
    float total = 0;
    for (int i = threadIdx.x; i < gridDim.x * blockDim.x; i += blockDim.x) total += parts[i];
    total = block_sum(total);
    if (threadIdx.x == 0) out[0] = total;
}

__global__ void dot(float* out, const float* a, const float* b, int n) {
    float sum = 0;
    for (int i = blockIdx.x * blockDim.x + threadIdx.x; i < n; i += gridDim.x * blockDim.x) sum += a[i] * b[i];
    sum = warp_sum(sum);
    if (threadIdx.x % 32 == 0) atomicAdd(out, sum);
}

// One warp a row; whole warps past the end leave before anything that concerns a warp.
__global__ void softmax(float* out, const float* x, int rows, int columns) {
    int row = blockIdx.x * (blockDim.x / 32) + threadIdx.x / 32, lane = threadIdx.x % 32;
    if (row >= rows) return;
    float largest = -1e30f, sum = 0;
    for (int i = lane; i < columns; i += 32) largest = fmaxf(largest, x[row * columns + i]);
    for (int lanes = 16; lanes > 0; lanes /= 2) largest = fmaxf(largest, __shfl_xor_sync(~0u, largest, lanes));
    for (int i = lane; i < columns; i += 32) sum += expf(x[row * columns + i] - largest);
    sum = warp_sum(sum);
    for (int i = lane; i < columns; i += 32) out[row * columns + i] = expf(x[row * columns + i] - largest) / sum;
}

__global__ void layernorm(float* out, const float* x, const float* weight, const float* bias, int columns, float eps) {
    const float* row = x + blockIdx.x * columns;
    float sum = 0, squares = 0;
    for (int i = threadIdx.x; i < columns; i += blockDim.x) sum += row[i];
    float mean = block_sum(sum) / columns;
    for (int i = threadIdx.x; i < columns; i += blockDim.x) squares += (row[i] - mean) * (row[i] - mean);
    float factor = rsqrtf(block_sum(squares) / columns + eps);
    for (int i = threadIdx.x; i < columns; i += blockDim.x)
        out[blockIdx.x * columns + i] = (row[i] - mean) * factor * weight[i] + bias[i];
}

// Mean and variance in one reading; parts are joined by the formula of Chan, Golub and LeVeque.
struct Moments { float count, mean, squares; };
__device__ Moments join(Moments a, Moments b) {
    float count = a.count + b.count, apart = b.mean - a.mean;
    if (count == 0) return a;
    return {count, a.mean + apart * b.count / count, a.squares + b.squares + apart * apart * a.count * b.count / count};
}
__global__ void welford(float* mean, float* variance, const float* x, int columns) {
    __shared__ Moments parts[4];
    Moments m = {0, 0, 0};
    for (int i = threadIdx.x; i < columns; i += blockDim.x) m = join(m, {1, x[blockIdx.x * columns + i], 0});
    for (int lanes = 16; lanes > 0; lanes /= 2)
        m = join(m, {__shfl_down_sync(~0u, m.count, lanes), __shfl_down_sync(~0u, m.mean, lanes),
                     __shfl_down_sync(~0u, m.squares, lanes)});
    if (threadIdx.x % 32 == 0) parts[threadIdx.x / 32] = m;
    __syncthreads();
    if (threadIdx.x > 0) return;
    for (int warp = 1; warp < blockDim.x / 32; warp++) m = join(m, parts[warp]);
    mean[blockIdx.x] = m.mean;
    variance[blockIdx.x] = m.squares / m.count;
}

// Segments of any length, one tile of eight lanes each: tiles of one warp go through loops of different lengths.
__global__ void segments(float* out, const float* x, const int* starts, int count) {
    auto tile = cooperative_groups::tiled_partition<8>(cooperative_groups::this_thread_block());
    int segment = blockIdx.x * (blockDim.x / 8) + threadIdx.x / 8;
    if (segment >= count) return;  // a whole tile
    float sum = 0;
    for (int start = starts[segment]; start < starts[segment + 1]; start += 8) {
        int i = start + tile.thread_rank();
        float value = i < starts[segment + 1] ? x[i] : 0;
        for (int lanes = 4; lanes > 0; lanes /= 2) value += tile.shfl_xor(value, lanes);
        sum += value;
    }
    if (tile.thread_rank() == 0) out[segment] = sum;
}

__global__ void positives(int* out, const float* x, int n) {
    int i = blockIdx.x * blockDim.x + threadIdx.x;
    int count = __syncthreads_count(i < n && x[i] > 0);
    if (threadIdx.x == 0) out[blockIdx.x] = count;
    if (__syncthreads_or(i < n && x[i] > 100) || !__syncthreads_and(true)) out[blockIdx.x] = -1;
}

// The k largest of a row of at most 64, one after another: the winner's lane gives its value up.
__global__ void top_k(float* values, int* places, const float* x, int columns, int k) {
    int lane = threadIdx.x;
    const float* row = x + blockIdx.x * columns;
    float mine[2];
    for (int j = 0; j < 2; j++) mine[j] = lane + 32 * j < columns ? row[lane + 32 * j] : -1e30f;
    for (int step = 0; step < k; step++) {
        float best = fmaxf(mine[0], mine[1]);
        int place = mine[0] >= mine[1] ? lane : lane + 32;
        for (int lanes = 16; lanes > 0; lanes /= 2) {
            float other = __shfl_xor_sync(~0u, best, lanes);
            int other_place = __shfl_xor_sync(~0u, place, lanes);
            if (other > best || (other == best && other_place < place)) best = other, place = other_place;
        }
        if (place == lane) mine[0] = -1e30f;
        if (place == lane + 32) mine[1] = -1e30f;
        if (lane == 0) values[blockIdx.x * k + step] = best, places[blockIdx.x * k + step] = place;
    }
}

// Lanes 0 to n-1 alone, with the mask that names them.
__global__ void sum_of_some_lanes(int* out, const int* x, int n) {
    unsigned mask = __ballot_sync(0xffffffffu, threadIdx.x < n);
    if (threadIdx.x >= n) return;
    out[threadIdx.x] = __reduce_add_sync(mask, x[threadIdx.x]);
}

__global__ void two_branches_two_masks(float* out, const float* x) {
    float value = x[threadIdx.x];
    if (threadIdx.x % 32 < 16)
        value += __shfl_xor_sync(0x0000ffffu, value, 1);
    else
        value -= __shfl_xor_sync(0xffff0000u, value, 2);
    out[threadIdx.x] = value;
}
