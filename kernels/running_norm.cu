// Batch norm by running statistics of [N, C, ...], in one pass: y = x * factor + offset, by channels, whose two numbers
// each thread computes from the four vectors: they are in the cache, and take a square root and a quotient for V elements.
//
// Fused, as after a convolution (epilogue.cuh): the sum with a residual, and an activation. Where a convolution is
// before it, that does all of it, and nothing of this is launched.
#include "epilogue.cuh"

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
        Pack<T, V> pack = load_pack<V>(x + i);
#pragma unroll
        for (int v = 0; v < V; ++v) pack.item[v] = after.normalized(to<A>(pack.item[v]), factor, offset);
        if (after.onto) {
            const Pack<T, V> other = load_pack<V>(after.onto + i);
#pragma unroll
            for (int v = 0; v < V; ++v) pack.item[v] = to<T>(to<A>(pack.item[v]) + to<A>(other.item[v]));
        }
        activate<A>(pack, after.activation);
        store_pack<V>(out + i, pack);
    }
}
