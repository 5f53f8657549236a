// Batch norm by running statistics of [N, C, ...], in one pass: y = x * factor + offset, by channels, whose two numbers
// each thread computes from the four vectors: they are in the cache, and take a square root and a quotient for V elements.
// Of images in channels last, and of rows, a thread keeps the numbers of V channels for all its rows.
//
// Fused, as after a convolution (epilogue.cuh): the sum with a residual, and an activation. Where a convolution is
// before it, that does all of it, and nothing of this is launched.
#include "epilogue.cuh"

namespace {

// V elements of one place, or of one channel: by(v) gives the factor and the offset of each.
template <typename T, typename A, typename W, int V, typename F>
__device__ __forceinline__ void normalize_pack(T* out, const T* x, const After<T, A, W>& after, long long i, F by) {
    Pack<T, V> pack = load_pack<V>(x + i);
#pragma unroll
    for (int v = 0; v < V; ++v) pack.item[v] = by(pack.item[v], v);
    if (after.onto) {
        const Pack<T, V> other = load_pack<V>(after.onto + i);
#pragma unroll
        for (int v = 0; v < V; ++v) pack.item[v] = to<T>(to<A>(pack.item[v]) + to<A>(other.item[v]));
    }
    activate<A>(pack, after.activation);
    store_pack<V>(out + i, pack);
}

// As After::of_feature, of V neighbours.
template <typename T, typename A, typename W, int V>
__device__ __forceinline__ void of_features(const After<T, A, W>& after, int feature, A (&factor)[V], A (&offset)[V]) {
    Pack<W, V> mean = load_pack<V>(after.mean + feature), variance = load_pack<V>(after.variance + feature), scale, shift;
    if (after.scale) scale = load_pack<V>(after.scale + feature);
    if (after.shift) shift = load_pack<V>(after.shift + feature);
#pragma unroll
    for (int v = 0; v < V; ++v) {
        factor[v] = A(1) / sqrt(to<A>(variance.item[v]) + after.eps);
        if (after.scale) factor[v] *= to<A>(scale.item[v]);
        offset[v] = (after.shift ? to<A>(shift.item[v]) : A(0)) - to<A>(mean.item[v]) * factor[v];
    }
}

}  // namespace

// Block: 256; grid: any. V = 1, or as many elements as 16 bytes hold: then arrays start at such, and planes are whole
// packs. W: of the vectors.
template <typename T, typename A, typename W, int V>
__global__ void __launch_bounds__(256)
    running_norm(T* __restrict__ out, const T* __restrict__ x, const Cycle channel_of, const After<T, A, W> after,
                 long long size) {
#pragma unroll 1
    for (long long i = grid_index() * V; i < size; i += grid_size() * V) {
        A factor, offset;
        after.of_feature(channel_of(static_cast<unsigned int>(i)), factor, offset);
        normalize_pack<T, A, W, V>(out, x, after, i,
                                   [&](T value, int) { return after.normalized(to<A>(value), factor, offset); });
    }
}

// Of [rows, columns]. Block: 256; grid: (tiles of `lanes` * V columns, any). lanes: a power of two with logarithm `shift`.
// V = 1, or as many elements as 16 bytes hold: then arrays and vectors start at such, and rows are whole packs.
template <typename T, typename A, typename W, int V>
__global__ void __launch_bounds__(256)
    running_norm_rows(T* __restrict__ out, const T* __restrict__ x, const After<T, A, W> after, int rows, int columns,
                      int lanes, int shift) {
    const int column = (blockIdx.x * lanes + (threadIdx.x & (lanes - 1))) * V, each = 256 >> shift;
    if (column >= columns) return;
    A factor[V], offset[V];
    of_features(after, column, factor, offset);
#pragma unroll 1
    for (int row = blockIdx.y * each + (threadIdx.x >> shift); row < rows; row += gridDim.y * each)
        normalize_pack<T, A, W, V>(out, x, after, static_cast<long long>(row) * columns + column, [&](T value, int v) {
            return after.normalized(to<A>(value), factor[v], offset[v]);
        });
}
