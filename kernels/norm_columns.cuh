// What normalisation in channels last shares (norm_channels.cu, norm_groups.cu): x is [rows, C] in memory, and statistics
// are of columns, over ranges of rows.
#pragma once

#include "norm.cuh"

// lanes: those along the columns, a power of two, at most 32 and for V > 1 at most 8; shift: its logarithm.
struct Columns {
    int rows, columns, rows_per_range, ranges, lanes, shift;
};

namespace {

// Rows that a thread has under way in each pass, as its registers allow.
template <int V>
constexpr int OF_MOMENTS = V == 8 ? 2 : 4;
constexpr int OF_RESULTS = 4, OF_SUMS = 2;
template <int V>
constexpr int OF_GRADIENTS = V == 8 ? 1 : 2;

constexpr int SLOTS = 32;  // parts of a block whose results are joined in shared memory, at most

// Columns of a tile, at most, and the logarithm of V.
template <int V>
constexpr int TILE = V == 1 ? 32 : 8 * V;
template <int V>
constexpr int LOG = V == 8 ? 3 : V == 4 ? 2 : 0;

// This thread's place: its first column, and its rows in the range.
//
// In shared memory and in what ranges leave, a tile's columns lie so that lanes are neighbours: number v * lanes + lane
// is column lane * V + v.
template <int V>
struct Place {
    int lane, column, row, step, first, last;
    bool inside;

    __device__ __forceinline__ Place(const Columns& at, int first, int end) : first(first) {
        lane = threadIdx.x & (at.lanes - 1);
        column = (blockIdx.x * at.lanes + lane) * V;
        inside = column < at.columns;
        row = threadIdx.x >> at.shift;
        step = blockDim.x >> at.shift;
        last = end - first < at.rows_per_range ? end : first + at.rows_per_range;
    }
    __device__ __forceinline__ explicit Place(const Columns& at) : Place(at, blockIdx.y * at.rows_per_range, at.rows) {}
    __device__ __forceinline__ int number(int v, const Columns& at) const { return (v << at.shift) + lane; }
};

template <int V>
__device__ __forceinline__ int column_of(int number, const Columns& at) {
    return (blockIdx.x * at.lanes + (number & (at.lanes - 1))) * V + (number >> at.shift);
}

template <int N>
struct Int {
    static constexpr int value = N;
};

// Calls visit(first element, distance of elements, how many) for the rows of a thread: N of them at a time, then the
// rest one by one. backwards: from the range's end; the distance is then the difference to 2^32.
template <int N, int V, typename F>
__device__ __forceinline__ void for_rows(const Place<V>& my, const Columns& at, bool backwards, F visit) {
    if (!my.inside) return;
    const int count = my.last - my.first;
    const unsigned int step = my.step * at.columns, apart = backwards ? 0u - step : step;
    unsigned int element = (backwards ? my.last - 1 - my.row : my.first + my.row) * at.columns + my.column;
    int row = my.row;
    if constexpr (N > 1) {
#pragma unroll 1
        for (; row + (N - 1) * my.step < count; row += N * my.step, element += N * apart) visit(element, apart, Int<N>());
    }
#pragma unroll 1
    for (; row < count; row += my.step, element += apart) visit(element, apart, Int<1>());
}

// N packs, `apart` elements from each other, all of whose loads are under way at once.
template <int N, int V, typename T>
__device__ __forceinline__ void load_rows(Pack<T, V> (&rows)[N], const T* from, unsigned int element,
                                          unsigned int apart) {
#pragma unroll
    for (int i = 0; i < N; ++i) rows[i] = load_pack<V>(from + (element + i * apart));
}

// ---- what a block knows of its tile: S has join(another S)

// Of a column: how many values, their mean, and the sum of the squares of what is left when it is subtracted.
template <typename A>
struct Moments {
    A count, mean, square;

    __device__ __forceinline__ void join(const Moments& other) {
        const A total = count + other.count, share = total > A(0) ? other.count / total : A(0), d = other.mean - mean;
        mean += d * share;
        square += other.square + d * d * (count * share);
        count = total;
    }
};

// Of a column: the sums of g, and of g (x - mean).
template <typename A>
struct alignas(2 * sizeof(A)) Sums {
    A plain, along;

    __device__ __forceinline__ void join(const Sums& other) {
        plain += other.plain;
        along += other.along;
    }
};

template <typename A>
__device__ __forceinline__ Moments<A> shuffled(const Moments<A>& own, int distance) {
    return {__shfl_down_sync(0xffffffffu, own.count, distance), __shfl_down_sync(0xffffffffu, own.mean, distance),
            __shfl_down_sync(0xffffffffu, own.square, distance)};
}
template <typename A>
__device__ __forceinline__ Sums<A> shuffled(const Sums<A>& own, int distance) {
    return {__shfl_down_sync(0xffffffffu, own.plain, distance), __shfl_down_sync(0xffffffffu, own.along, distance)};
}

template <int V, typename S>
using Known = S (&)[SLOTS][TILE<V>];

// Slots joined in pairs, until the first one has all. The block's threads see it.
template <int V, typename S>
__device__ __forceinline__ void join_slots(Known<V, S> known, int slots, const Columns& at) {
    const int slot = threadIdx.x >> (at.shift + LOG<V>), number = threadIdx.x & (at.lanes * V - 1);
    for (int half = slots / 2; half; half /= 2) {
        __syncthreads();  // what this joins is written
        if (slot < half) known[slot][number].join(known[slot + half][number]);
    }
    __syncthreads();  // the first slot has all
}

// What the threads know, of V columns each, joined over the block.
template <int V, typename S>
__device__ __forceinline__ void join_threads(Known<V, S> known, S (&own)[V], const Place<V>& my, const Columns& at) {
    for (int distance = 16; distance >= at.lanes; distance /= 2) {
#pragma unroll
        for (int v = 0; v < V; ++v) own[v].join(shuffled(own[v], distance));
    }
    if (threadIdx.x % 32 < at.lanes) {
#pragma unroll
        for (int v = 0; v < V; ++v) known[threadIdx.x / 32][my.number(v, at)] = own[v];
    }
    join_slots<V>(known, blockDim.x / 32, at);
}

// What the ranges have left, joined from the first to the last.
template <int V, typename S>
__device__ __forceinline__ void join_ranges(Known<V, S> known, const S* __restrict__ ranges, const Columns& at) {
    const int tile = at.lanes * V, most = blockDim.x >> (at.shift + LOG<V>), slots = most < SLOTS ? most : SLOTS;
    const int slot = threadIdx.x >> (at.shift + LOG<V>), number = threadIdx.x & (tile - 1);
    const int each = (at.ranges + slots - 1) / slots, width = gridDim.x * tile;
    if (slot < slots) {
        const int end = (slot + 1) * each < at.ranges ? (slot + 1) * each : at.ranges;
        S own = {};
#pragma unroll 4
        for (int range = slot * each; range < end; ++range)
            own.join(ranges[static_cast<long long>(range) * width + blockIdx.x * tile + number]);
        known[slot][number] = own;
    }
    join_slots<V>(known, slots, at);
}

// The first slot as this range's.
template <int V, typename S>
__device__ __forceinline__ void leave(S* ranges, Known<V, S> known, const Columns& at) {
    const int tile = at.lanes * V;
    if (threadIdx.x < tile)
        ranges[static_cast<long long>(blockIdx.y) * (gridDim.x * tile) + blockIdx.x * tile + threadIdx.x] =
            known[0][threadIdx.x];
}

template <typename T, typename A, int V>
__device__ __forceinline__ void find_moments(Known<V, Moments<A>> known, const T* x, const Place<V>& my,
                                             const Columns& at) {
    A count = A(0);
    Moments<A> own[V];
#pragma unroll
    for (int v = 0; v < V; ++v) own[v] = {A(0), A(0), A(0)};
    for_rows<OF_MOMENTS<V>>(my, at, false, [&](unsigned int element, unsigned int apart, auto steps) {
        constexpr int N = decltype(steps)::value;
        Pack<T, V> rows[N];
        load_rows(rows, x, element, apart);
        const A share = A(N) / (count + A(N)), weight = count * share;
#pragma unroll
        for (int v = 0; v < V; ++v) {
            A mean = A(0), square = A(0);
#pragma unroll
            for (int i = 0; i < N; ++i) mean += to<A>(rows[i].item[v]);
            mean *= A(1) / A(N);
#pragma unroll
            for (int i = 0; i < N; ++i) square += (to<A>(rows[i].item[v]) - mean) * (to<A>(rows[i].item[v]) - mean);
            const A d = mean - own[v].mean;
            own[v].mean += d * share;
            own[v].square += square + d * d * weight;
        }
        count += A(N);
    });
#pragma unroll
    for (int v = 0; v < V; ++v) own[v].count = count;
    join_threads<V>(known, own, my, at);
}

// y: the result of a ReLU after the norm, through which g goes first; or null.
template <typename T, typename A, int V>
__device__ __forceinline__ void find_sums(Known<V, Sums<A>> known, const T* g, const T* y, const T* x,
                                          const A (&mean)[V], const Place<V>& my, const Columns& at) {
    Sums<A> own[V];
#pragma unroll
    for (int v = 0; v < V; ++v) own[v] = {A(0), A(0)};
    for_rows<OF_SUMS>(my, at, false, [&](unsigned int element, unsigned int apart, auto steps) {
        constexpr int N = decltype(steps)::value;
        Pack<T, V> gradients[N], rows[N];
        load_rows(gradients, g, element, apart);
        if (y) {
#pragma unroll
            for (int i = 0; i < N; ++i) rectify_grad<A>(gradients[i], load_pack<V>(y + (element + i * apart)));
        }
        load_rows(rows, x, element, apart);
#pragma unroll
        for (int i = 0; i < N; ++i) {
#pragma unroll
            for (int v = 0; v < V; ++v) {
                const A gradient = to<A>(gradients[i].item[v]);
                own[v].plain += gradient;
                own[v].along += gradient * (to<A>(rows[i].item[v]) - mean[v]);
            }
        }
    });
    join_threads<V>(known, own, my, at);
}

// ---- results of a thread's V columns

// y = (x - mean) factor + offset, by the moments of each column or of its group.
template <typename A, int V>
struct Normalized {
    A mean[V], factor[V], offset[V];

    // moments(v): those of column v, of `count` values. weight and bias may be null.
    template <typename W, typename F>
    __device__ __forceinline__ Normalized(const W* weight, const W* bias, int column, A count, A eps, F moments) {
        if (weight) load_wide<A, W, V>(factor, weight + column);
        if (bias) load_wide<A, W, V>(offset, bias + column);
#pragma unroll
        for (int v = 0; v < V; ++v) {
            const Moments<A>& of = moments(v);
            const A f = inverse_root(of.square / count, eps);
            mean[v] = of.mean;
            factor[v] = weight ? f * factor[v] : f;
            if (!bias) offset[v] = A(0);
        }
    }
    template <typename T>
    __device__ __forceinline__ void apply(Pack<T, V>& x) const {
#pragma unroll
        for (int v = 0; v < V; ++v) x.item[v] = to<T>((to<A>(x.item[v]) - mean[v]) * factor[v] + offset[v]);
    }
};

// dx = g by_gradient - (x - mean) by_value - rest.
template <typename A, int V>
struct NormalizedGrad {
    A mean[V], by_gradient[V], by_value[V], rest[V];

    // f[v]: 1 / the standard deviation; sums(v): those of column v, over `count` values, weighted: of g times the weight.
    // weight may be null.
    template <typename W, typename F>
    __device__ __forceinline__ NormalizedGrad(const W* weight, int column, const A (&mean_)[V], const A (&f)[V], A count,
                                              bool weighted, F sums) {
        if (weight) load_wide<A, W, V>(by_gradient, weight + column);
#pragma unroll
        for (int v = 0; v < V; ++v) {
            const Sums<A>& of = sums(v);
            mean[v] = mean_[v];
            by_gradient[v] = weight ? f[v] * by_gradient[v] : f[v];
            const A of_sums = weighted ? f[v] : by_gradient[v];
            rest[v] = of_sums * of.plain / count;
            by_value[v] = of_sums * of.along * f[v] * f[v] / count;
        }
    }
    __device__ __forceinline__ A operator()(A g, A x, int v) const {
        return g * by_gradient[v] - rest[v] - (x - mean[v]) * by_value[v];
    }
};

}  // namespace
