// Bias and ReLU of a linear layer: forward, and backward with the bias gradient.
//
// Fused: forward adds the bias and clips in one read and one write. Backward masks the gradient and sums its columns
// (the bias gradient) while it is in registers, so the gradient is read once and not twice. These kernels do a
// few operations per element and are limited by memory alone: 16-byte accesses, several under way per thread.
//
// Column sums have a fixed order and no floating-point atomics: each block sums a fixed range of rows into one row of
// `partial`, and column_sum_finish adds those rows from first to last. One range: the block writes the result itself.
#include "common.cuh"

// out[i] = max(x[i] + bias[i % columns], 0), NaN kept. Any one-dimensional grid. V > 1 needs aligned arrays;
// elements after the last whole V are done singly by the first threads.
template <typename T, typename A, int V>
__global__ void __launch_bounds__(256)
    bias_relu(T* out, const T* x, const T* __restrict__ bias, long long size, int columns) {
    auto activate = [&](T value, int column) {
        const A sum = to<A>(value) + to<A>(bias[column]);
        return to<T>(sum < A(0) ? A(0) : sum);
    };
    const long long vectors = size / V, step = grid_size();
    // The column follows the index by addition: a division for every access would cost more than the access.
    int column = static_cast<int>(grid_index() * V % columns);
    const int column_step = static_cast<int>(step * V % columns);
    for (long long i = grid_index(); i < vectors; i += step) {
        Pack<T, V> pack = load_pack<V>(x + i * V);
        int c = column;
#pragma unroll
        for (int j = 0; j < V; ++j) {
            pack.item[j] = activate(pack.item[j], c);
            c = c + 1 == columns ? 0 : c + 1;
        }
        store_pack<V>(out + i * V, pack);
        column += column_step;
        if (column >= columns) column -= columns;
    }
    const long long rest = vectors * V + grid_index();
    if (V > 1 && rest < size) out[rest] = activate(x[rest], static_cast<int>(rest % columns));
}

namespace {

constexpr int WARPS = 8;  // of a column-sum block; they split the block's rows

// Sums `rows_per_block` rows of a strip of 32 * V columns; element(row, column) gives a Pack of V values of type A.
// Warp w takes rows w, w + 8, ...; the warps' sums are then added in the order of the warps.
template <typename A, int V, typename F>
__device__ __forceinline__ void sum_strip(A* sums, long long rows, int columns, long long rows_per_block, F element) {
    __shared__ A shared[WARPS][32 * V];
    const int lane = threadIdx.x % 32, warp = threadIdx.x / 32;
    const int strip = blockIdx.x * 32 * V;
    const int column = strip + lane * V;
    const long long first = blockIdx.y * rows_per_block;
    const long long last = first + rows_per_block < rows ? first + rows_per_block : rows;
    A total[V];
#pragma unroll
    for (int j = 0; j < V; ++j) total[j] = A(0);
    if (column < columns) {
#pragma unroll 4
        for (long long row = first + warp; row < last; row += WARPS) {
            const Pack<A, V> values = element(row, column);
#pragma unroll
            for (int j = 0; j < V; ++j) total[j] += values.item[j];
        }
    }
#pragma unroll
    for (int j = 0; j < V; ++j) shared[warp][lane * V + j] = total[j];
    __syncthreads();  // every warp's sums are written before they are added up
    for (int c = threadIdx.x; c < 32 * V && strip + c < columns; c += WARPS * 32) {
        A sum = A(0);
#pragma unroll
        for (int w = 0; w < WARPS; ++w) sum += shared[w][c];
        sums[static_cast<long long>(blockIdx.y) * columns + strip + c] = sum;
    }
}

template <typename A, int V, typename T>
__device__ __forceinline__ Pack<A, V> widen(const Pack<T, V>& pack) {
    Pack<A, V> wide;
#pragma unroll
    for (int j = 0; j < V; ++j) wide.item[j] = to<A>(pack.item[j]);
    return wide;
}

}  // namespace

// dx = 0 where y <= 0, else dy (so also where y is NaN); partial[b] = column sums of dx over the b-th range of rows.
// `y` is the forward's result. dx may be dy. Grid: (strips of 32 * V columns, ranges of rows); block: 256.
// V > 1 needs columns to be a multiple of V and aligned arrays.
template <typename T, typename A, int V>
__global__ void __launch_bounds__(256)
    bias_relu_backward(T* dx, A* partial, const T* dy, const T* __restrict__ y, long long rows, int columns,
                       long long rows_per_block) {
    sum_strip<A, V>(partial, rows, columns, rows_per_block, [=](long long row, int column) {
        const long long at = row * columns + column;
        Pack<T, V> gradient = load_pack<V>(dy + at);
        const Pack<T, V> output = load_pack<V>(y + at);
#pragma unroll
        for (int j = 0; j < V; ++j)
            if (to<A>(output.item[j]) <= A(0)) gradient.item[j] = to<T>(A(0));
        store_pack<V>(dx + at, gradient);
        return widen<A, V>(gradient);
    });
}

// partial[b] = column sums of x over the b-th range of rows. Grid and block as above.
template <typename T, typename A, int V>
__global__ void __launch_bounds__(256)
    column_sum(A* partial, const T* __restrict__ x, long long rows, int columns, long long rows_per_block) {
    sum_strip<A, V>(partial, rows, columns, rows_per_block, [=](long long row, int column) {
        return widen<A, V>(load_pack<V>(x + row * columns + column));
    });
}

// sums[c] = partial[0][c] + partial[1][c] + ... One thread a column; any one-dimensional grid.
template <typename T, typename A>
__global__ void __launch_bounds__(256)
    column_sum_finish(T* sums, const A* __restrict__ partial, int ranges, int columns) {
    for (long long column = grid_index(); column < columns; column += grid_size()) {
        A sum = A(0);
#pragma unroll 8
        for (int range = 0; range < ranges; ++range) sum += partial[static_cast<long long>(range) * columns + column];
        sums[column] = to<T>(sum);
    }
}
