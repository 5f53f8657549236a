// The largest or smallest elements of an array along dimensions, and where they are: argmax, argmin, amax, amin.
//
// Limited by memory: each element is read once. Elements are compared by their keys (order.cuh), with the bits inverted
// for the smallest; NaN is the extreme of both. Of equal ones the first counts, so that the result depends on nothing
// but the values. The layouts, and the ranges of few results of many elements, are those of reduce.cu.
//
// T: elements; K: keys.
#include "order.cuh"

// Where the element of a result with number p lies: p counts those that are compared, `inner` results are neighbours,
// `length` compared ones are.
struct Places {
    int inner, length;
    long long of_outer, of_inner, of_image, of_element;
    __device__ __forceinline__ long long operator()(long long result, unsigned int p) const {
        const long long outer = result / inner, image = p / length;
        return outer * of_outer + (result - outer * inner) * of_inner + image * of_image +
               (p - image * length) * of_element;
    }
};

namespace {

// The best key so far and its number, of which the lowest counts.
template <typename K>
struct Best {
    K key;
    unsigned int place;
    __device__ __forceinline__ void follow(K other, unsigned int number) {  // of numbers that ascend
        if (other > key) {
            key = other;
            place = number;
        }
    }
    __device__ __forceinline__ void take(K other, unsigned int number) {
        if (other > key || (other == key && number < place)) {
            key = other;
            place = number;
        }
    }
};

// The lowest key, at the first number that there is; no key at all is after every number.
template <typename K>
__device__ __forceinline__ Best<K> lowest(unsigned int first, bool any) {
    return {K(0), any ? first : 0xffffffffu};
}

// T's key, larger for what is nearer to the extreme.
template <typename K, typename T>
__device__ __forceinline__ K rank_of(T x, K inverted) {
    const K key = key_of<K>(x);
    if (FLOATING<T> && key == ~K(0) >> 8 * (sizeof(K) - sizeof(T))) return ~K(0);
    return key ^ inverted;
}

template <typename K>
__device__ __forceinline__ Best<K> warp_best(Best<K> best) {
#pragma unroll
    for (int distance = 16; distance > 0; distance /= 2) {
        const K key = __shfl_xor_sync(0xffffffffu, best.key, distance);
        best.take(key, __shfl_xor_sync(0xffffffffu, best.place, distance));
    }
    return best;
}

// A result, or of a range its part.
template <typename T, typename K>
__device__ __forceinline__ void write_best(long long* order, T* values, K* keys, unsigned int* places, const T* x,
                                           const Places& at, long long part, long long result, const Best<K>& best) {
    if (keys) {
        keys[part] = best.key;
        places[part] = best.place;
    } else {
        if (order) order[result] = best.place;
        if (values) values[result] = x[at(result, best.place)];
    }
}

}  // namespace

// x[(image * channels + channel) * length + s]: a result for each channel. With LANES = 32 a warp finds it, eight of them
// a block; with 0 a block looks at a range of `per_range` accesses. Grid: (blocks for channels, ranges); block: 256.
template <typename T, typename K, int V, int LANES>
__global__ void __launch_bounds__(256)
    best_runs(long long* order, T* values, K* keys, unsigned int* places, const T* __restrict__ x, const Places at,
              K inverted, int channels, int images, int length, int per_range) {
    __shared__ Best<K> shared[8];
    constexpr int THREADS = LANES ? LANES : 256;
    const int channel = LANES ? blockIdx.x * 8 + threadIdx.x / 32 : blockIdx.x, lane = threadIdx.x % THREADS;
    if (channel >= channels) return;  // whole warps
    const int packs = length / V, all = images * packs, first = blockIdx.y * per_range;
    const int last = all - first < per_range ? all : first + per_range;
    Best<K> best = lowest<K>((first + lane) * V, first + lane < last);
    // Places follow by addition: a division for each would cost more than the access.
    const int next_image = THREADS / packs, next = THREADS % packs;
    int image = (first + lane) / packs, i = (first + lane) % packs;
#pragma unroll 4
    for (int p = first + lane; p < last; p += THREADS) {
        const Pack<T, V> pack = load_pack<V>(x + (static_cast<long long>(image) * channels + channel) * length + i * V);
#pragma unroll
        for (int j = 0; j < V; ++j) best.follow(rank_of<K>(pack.item[j], inverted), p * V + j);
        image += next_image;
        i += next;
        if (i >= packs) {
            i -= packs;
            ++image;
        }
    }
    best = warp_best(best);
    if constexpr (LANES == 0) {
        if (threadIdx.x % 32 == 0) shared[threadIdx.x / 32] = best;
        __syncthreads();  // every warp's best is written before they are compared
#pragma unroll
        for (int warp = 0; warp < 8; ++warp) best.take(shared[warp].key, shared[warp].place);
    }
    if (lane == 0)
        write_best(order, values, keys, places, x, at, static_cast<long long>(blockIdx.y) * channels + channel, channel,
                   best);
}

// x[outer][row][column]: a result for each outer and column. A block has 32 columns, each of its warps every eighth row
// of rows_per_range. Grid: (strips of columns, outer, ranges); block: 256.
template <typename T, typename K>
__global__ void __launch_bounds__(256)
    best_columns(long long* order, T* values, K* keys, unsigned int* places, const T* __restrict__ x, const Places at,
                 K inverted, int rows, int columns, int rows_per_range) {
    constexpr int WARPS = 8;
    __shared__ Best<K> shared[WARPS][32];
    const int warp = threadIdx.x / 32, lane = threadIdx.x % 32, column = blockIdx.x * 32 + lane;
    const int first = blockIdx.z * rows_per_range;
    const int last = first + rows_per_range < rows ? first + rows_per_range : rows;
    const T* const from = x + static_cast<long long>(blockIdx.y) * rows * columns + column;
    Best<K> best = lowest<K>(first + warp, first + warp < last);
    if (column < columns) {
#pragma unroll 4
        for (int row = first + warp; row < last; row += WARPS)
            best.follow(rank_of<K>(from[static_cast<long long>(row) * columns], inverted), row);
    }
    shared[warp][lane] = best;
    __syncthreads();  // every warp's best is written before they are compared
    if (warp > 0 || column >= columns) return;
#pragma unroll
    for (int w = 1; w < WARPS; ++w) best.take(shared[w][lane].key, shared[w][lane].place);
    const long long result = static_cast<long long>(blockIdx.y) * columns + column;
    write_best(order, values, keys, places, x, at,
               static_cast<long long>(blockIdx.z) * gridDim.y * columns + result, result, best);
}

// The best of the ranges' results. A thread for each of `count`.
template <typename T, typename K>
__global__ void __launch_bounds__(256)
    best_finish(long long* order, T* values, const K* __restrict__ keys, const unsigned int* __restrict__ places,
                const T* __restrict__ x, const Places at, int ranges, long long count) {
    const long long i = grid_index();
    if (i >= count) return;
    Best<K> best = lowest<K>(0, false);
#pragma unroll 8
    for (int range = 0; range < ranges; ++range) best.take(keys[range * count + i], places[range * count + i]);
    write_best<T, K>(order, values, nullptr, nullptr, x, at, 0, i, best);
}
