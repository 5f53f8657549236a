// Sums and means over dimensions of an array, in an order that depends on its shape alone.
//
// Limited by memory: each element is read once. Two layouts serve what networks ask for. Where elements that are added lie
// along memory (a mean over pixels, a sum over a row, a convolution's bias gradient), a group is added up by a warp if it
// is short, else by a block. Where they lie across it (a sum over a batch, a mean over a sequence), a warp adds up 32
// neighbouring columns. Few results of many elements are split into ranges, whose sums reduce_finish adds from first to
// last.
//
// T: numbers; A: arithmetic. Results are divided by `divisor`: 1, or the number of elements of a mean.
#include "common.cuh"

namespace {

template <typename T, typename A>
__device__ __forceinline__ void write_sum(T* out, A* partial, long long place, A sum, A divisor) {
    if (partial) partial[place] = sum;
    else out[place] = to<T>(sum / divisor);
}

}  // namespace

// out[c] = the sum over n and s of x[(n * channels + c) * length + s], n from 0 to images - 1. With LANES = 32 a warp adds
// up one c, eight of them a block; with 0 a block adds up a range of `per_range` accesses of one c, and writes
// partial[range][c] if there is more than one range. Grid: (blocks for channels, ranges); block: 256. V elements an
// access: V > 1 needs x aligned and length a multiple of V.
template <typename T, typename A, int V, int LANES>
__global__ void __launch_bounds__(256)
    reduce_runs(T* out, A* partial, const T* __restrict__ x, int channels, int images, int length, int per_range,
                A divisor) {
    __shared__ A shared[32];
    constexpr int THREADS = LANES ? LANES : 256;
    const int channel = LANES ? blockIdx.x * 8 + threadIdx.x / 32 : blockIdx.x, lane = threadIdx.x % THREADS;
    if (channel >= channels) return;  // whole warps
    const int packs = length / V, all = images * packs, first = blockIdx.y * per_range;
    const int last = all - first < per_range ? all : first + per_range;
    A sum = A(0);
    // Places follow by addition: a division for each would cost more than the access.
    const int next_image = THREADS / packs, next = THREADS % packs;
    int image = (first + lane) / packs, i = (first + lane) % packs;
#pragma unroll 4
    for (int at = first + lane; at < last; at += THREADS) {
        const Pack<T, V> pack = load_pack<V>(x + (static_cast<long long>(image) * channels + channel) * length + i * V);
#pragma unroll
        for (int j = 0; j < V; ++j) sum += to<A>(pack.item[j]);
        image += next_image;
        i += next;
        if (i >= packs) {
            i -= packs;
            ++image;
        }
    }
    sum = LANES ? warp_reduce<32>(sum, Add()) : block_reduce(sum, A(0), Add(), shared);
    if (lane == 0) write_sum(out, partial, static_cast<long long>(blockIdx.y) * channels + channel, sum, divisor);
}

// out[o][c] = the sum over r of x[o][r][c], of `columns` c. A block adds up 32 columns: each of its warps every eighth row
// of rows_per_range, and then the warps' sums in their order. Grid: (strips of columns, outer, ranges); block: 256.
template <typename T, typename A>
__global__ void __launch_bounds__(256)
    reduce_columns(T* out, A* partial, const T* __restrict__ x, int rows, int columns, int rows_per_range, A divisor) {
    constexpr int WARPS = 8;
    __shared__ A shared[WARPS][32];
    const int warp = threadIdx.x / 32, lane = threadIdx.x % 32, column = blockIdx.x * 32 + lane;
    const int first = blockIdx.z * rows_per_range;
    const int last = first + rows_per_range < rows ? first + rows_per_range : rows;
    const T* const from = x + static_cast<long long>(blockIdx.y) * rows * columns + column;
    A sum = A(0);
    if (column < columns) {
#pragma unroll 4
        for (int row = first + warp; row < last; row += WARPS) sum += to<A>(from[static_cast<long long>(row) * columns]);
    }
    shared[warp][lane] = sum;
    __syncthreads();  // every warp's sums are written before they are added
    if (warp > 0 || column >= columns) return;
    sum = A(0);
#pragma unroll
    for (int w = 0; w < WARPS; ++w) sum += shared[w][lane];
    const long long outer = gridDim.y, place = (blockIdx.z * outer + blockIdx.y) * columns + column;
    write_sum(out, partial, place, sum, divisor);
}

// The end of a sum in ranges: out[i] = (partial[0][i] + partial[1][i] + ...) / divisor. A thread for each.
template <typename T, typename A>
__global__ void __launch_bounds__(256)
    reduce_finish(T* out, const A* __restrict__ partial, int ranges, long long count, A divisor) {
    const long long i = grid_index();
    if (i >= count) return;
    A sum = A(0);
#pragma unroll 8
    for (int range = 0; range < ranges; ++range) sum += partial[range * count + i];
    out[i] = to<T>(sum / divisor);
}
