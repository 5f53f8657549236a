// Sums, means, products and norms over dimensions of an array, in an order that depends on its shape alone.
//
// Limited by memory: each element is read once. Two layouts serve what networks ask for. Where elements that are added lie
// along memory (a mean over pixels, a sum over a row, a convolution's bias gradient), a group is added up by a warp if it
// is short, else by a block. Where they lie across it (a sum over a batch, a mean over a sequence), a warp adds up 32
// neighbouring columns. Few results of many elements are split into ranges, whose sums reduce_finish adds from first to
// last.
//
// T: numbers; A: arithmetic, of integers and bools long long, which is their results' type, too. F: what is added up, as
// below. Sums are divided by `divisor`: 1, or the number of elements of a mean.
#include "common.cuh"

template <typename T, typename A>
struct OfSums {
    using Result = T;
};
template <typename T>
struct OfSums<T, long long> {
    using Result = long long;
};
template <typename T, typename A>
using Result = typename OfSums<T, A>::Result;

// What is added up, from `none`; what of an element; what the total gives.
struct Sum : Add {
    static constexpr int none = 0;
    template <typename A>
    static __device__ __forceinline__ A of(A x) {
        return x;
    }
    template <typename A>
    static __device__ __forceinline__ A finished(A total, A divisor) {
        return total / divisor;
    }
};

struct Product {
    static constexpr int none = 1;
    template <typename A>
    __device__ __forceinline__ A operator()(A a, A b) const {
        return a * b;
    }
    template <typename A>
    static __device__ __forceinline__ A of(A x) {
        return x;
    }
    template <typename A>
    static __device__ __forceinline__ A finished(A total, A) {
        return total;
    }
};

struct Absolutes : Sum {
    template <typename A>
    static __device__ __forceinline__ A of(A x) {
        return fabs(x);
    }
};

struct Squares : Sum {
    template <typename A>
    static __device__ __forceinline__ A of(A x) {
        return x * x;
    }
    template <typename A>
    static __device__ __forceinline__ A finished(A total, A) {
        return sqrt(total);
    }
};

namespace {

template <typename F, typename O, typename A>
__device__ __forceinline__ void write_total(O* out, A* partial, long long place, A total, A divisor) {
    if (partial) partial[place] = total;
    else out[place] = to<O>(F::finished(total, divisor));
}

}  // namespace

// out[c] = the sum over n and s of x[(n * channels + c) * length + s], n from 0 to images - 1. With LANES = 32 a warp adds
// up one c, eight of them a block; with 0 a block adds up a range of `per_range` accesses of one c, and writes
// partial[range][c] if there is more than one range. Grid: (blocks for channels, ranges); block: 256. V elements an
// access: V > 1 needs x aligned and length a multiple of V.
template <typename T, typename A, typename F, int V, int LANES>
__global__ void __launch_bounds__(256)
    reduce_runs(Result<T, A>* out, A* partial, const T* __restrict__ x, int channels, int images, int length, int per_range,
                A divisor) {
    __shared__ A shared[32];
    constexpr int THREADS = LANES ? LANES : 256;
    const int channel = LANES ? blockIdx.x * 8 + threadIdx.x / 32 : blockIdx.x, lane = threadIdx.x % THREADS;
    if (channel >= channels) return;  // whole warps
    const int packs = length / V, all = images * packs, first = blockIdx.y * per_range;
    const int last = all - first < per_range ? all : first + per_range;
    A sum = A(F::none);
    // Places follow by addition: a division for each would cost more than the access.
    const int next_image = THREADS / packs, next = THREADS % packs;
    int image = (first + lane) / packs, i = (first + lane) % packs;
#pragma unroll 4
    for (int at = first + lane; at < last; at += THREADS) {
        const Pack<T, V> pack = load_pack<V>(x + (static_cast<long long>(image) * channels + channel) * length + i * V);
#pragma unroll
        for (int j = 0; j < V; ++j) sum = F()(sum, F::of(to<A>(pack.item[j])));
        image += next_image;
        i += next;
        if (i >= packs) {
            i -= packs;
            ++image;
        }
    }
    sum = LANES ? warp_reduce<32>(sum, F()) : block_reduce(sum, A(F::none), F(), shared);
    if (lane == 0) write_total<F>(out, partial, static_cast<long long>(blockIdx.y) * channels + channel, sum, divisor);
}

// out[o][c] = the sum over r of x[o][r][c], of `columns` c. A block adds up 32 columns: each of its warps every eighth row
// of rows_per_range, and then the warps' sums in their order. Grid: (strips of columns, outer, ranges); block: 256.
template <typename T, typename A, typename F>
__global__ void __launch_bounds__(256)
    reduce_columns(Result<T, A>* out, A* partial, const T* __restrict__ x, int rows, int columns, int rows_per_range,
                   A divisor) {
    constexpr int WARPS = 8;
    __shared__ A shared[WARPS][32];
    const int warp = threadIdx.x / 32, lane = threadIdx.x % 32, column = blockIdx.x * 32 + lane;
    const int first = blockIdx.z * rows_per_range;
    const int last = first + rows_per_range < rows ? first + rows_per_range : rows;
    const T* const from = x + static_cast<long long>(blockIdx.y) * rows * columns + column;
    A sum = A(F::none);
    if (column < columns) {
#pragma unroll 4
        for (int row = first + warp; row < last; row += WARPS)
            sum = F()(sum, F::of(to<A>(from[static_cast<long long>(row) * columns])));
    }
    shared[warp][lane] = sum;
    __syncthreads();  // every warp's sums are written before they are added
    if (warp > 0 || column >= columns) return;
    sum = A(F::none);
#pragma unroll
    for (int w = 0; w < WARPS; ++w) sum = F()(sum, shared[w][lane]);
    const long long outer = gridDim.y, place = (blockIdx.z * outer + blockIdx.y) * columns + column;
    write_total<F>(out, partial, place, sum, divisor);
}

// The end of a sum in ranges: out[i] = (partial[0][i] + partial[1][i] + ...) / divisor. A thread for each.
template <typename T, typename A, typename F>
__global__ void __launch_bounds__(256)
    reduce_finish(T* out, const A* __restrict__ partial, int ranges, long long count, A divisor) {
    const long long i = grid_index();
    if (i >= count) return;
    A sum = A(F::none);
#pragma unroll 8
    for (int range = 0; range < ranges; ++range) sum = F()(sum, partial[range * count + i]);
    out[i] = to<T>(F::finished(sum, divisor));
}
