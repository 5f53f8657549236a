// Batch normalisation of images in channels last, and of rows: x is [rows, C] in memory, and a column shares a mean and a
// variance. The formulas are those of norm.cu; fused is what is fused there.
//
// A block has a tile of columns, 128 bytes wide where C fills it, and a range of rows: lanes run along the columns by
// 16-byte accesses, and all the other threads along the rows, each with some rows under way. The first launch leaves
// what each range knows of its columns: forward means and squares, backward two sums. The second one joins the ranges
// from first to last and goes through the rows again, from the range's end, because the end of x is what the L2 still
// has. Few rows are one range, and one launch. Ranges depend on the shape alone, sums have a fixed order, and there are
// no atomics.
//
// A large mean costs no digits of the variance: a thread takes some rows at a time, subtracts their own mean, and joins
// what it knows of two sets of values by
//     mean = mean_a + d n_b / n,  square = square_a + square_b + d^2 n_a n_b / n  with d = mean_b - mean_a, n = n_a + n_b
// (Chan, Golub, LeVeque: Updating formulae and a pairwise algorithm for computing sample variances, 1979).
//
// T: numbers; A: arithmetic; W: weight and bias. V elements an access; V > 1 needs that V divides C, and aligned arrays.
// Block: 64 to 1024 threads, a power of two; grid: (tiles of columns, ranges of rows).
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

    __device__ __forceinline__ explicit Place(const Columns& at) {
        lane = threadIdx.x & (at.lanes - 1);
        column = (blockIdx.x * at.lanes + lane) * V;
        inside = column < at.columns;
        row = threadIdx.x >> at.shift;
        step = blockDim.x >> at.shift;
        first = blockIdx.y * at.rows_per_range;
        last = at.rows - first < at.rows_per_range ? at.rows : first + at.rows_per_range;
    }
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

template <typename T, typename A, int V>
__device__ __forceinline__ void find_sums(Known<V, Sums<A>> known, const T* g, const T* x,
                                          const A* __restrict__ centre, const Place<V>& my, const Columns& at) {
    A mean[V];
    Sums<A> own[V];
    if (my.inside) load_wide<A, A, V>(mean, centre + my.column);
#pragma unroll
    for (int v = 0; v < V; ++v) own[v] = {A(0), A(0)};
    for_rows<OF_SUMS>(my, at, false, [&](unsigned int element, unsigned int apart, auto steps) {
        constexpr int N = decltype(steps)::value;
        Pack<T, V> gradients[N], rows[N];
        load_rows(gradients, g, element, apart);
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

}  // namespace

// What each range knows of x.
template <typename T, typename A, int V>
__global__ void __launch_bounds__(1024, 1)
    columns_moments(Moments<A>* ranges, const T* x, const Columns at) {
    __shared__ Moments<A> known[SLOTS][TILE<V>];
    const Place<V> my(at);
    find_moments<T, A, V>(known, x, my, at);
    leave<V>(ranges, known, at);
}

// y, from what the ranges know, or where `ranges` is null from the block's own, of all rows. weight and bias may be null;
// the last five move running statistics, or are null.
template <typename T, typename A, typename W, int V>
__global__ void __launch_bounds__(1024, 1)
    normalize_columns(T* out, A* centre, A* spread, const T* x, const W* __restrict__ weight,
                      const W* __restrict__ bias, const Moments<A>* ranges, const Columns at, A eps, A* running_mean,
                      A* running_var, long long* batches, A share, A correction) {
    __shared__ Moments<A> known[SLOTS][TILE<V>];
    const Place<V> my(at);
    if (ranges)
        join_ranges<V>(known, ranges, at);
    else
        find_moments<T, A, V>(known, x, my, at);
    if (blockIdx.y == 0 && threadIdx.x < at.lanes * V) {
        const int column = column_of<V>(threadIdx.x, at);
        if (column < at.columns) {
            const A mean = known[0][threadIdx.x].mean, variance = known[0][threadIdx.x].square / A(at.rows);
            centre[column] = mean;
            spread[column] = variance;
            if (running_mean != nullptr) {
                move(running_mean, running_var, column, mean, variance, share, correction);
                if (column == 0 && batches != nullptr) ++batches[0];
            }
        }
    }
    if (!my.inside) return;
    A mean[V], factor[V], offset[V];
    if (weight) load_wide<A, W, V>(factor, weight + my.column);
    if (bias) load_wide<A, W, V>(offset, bias + my.column);
#pragma unroll
    for (int v = 0; v < V; ++v) {
        const Moments<A>& of = known[0][my.number(v, at)];
        const A f = inverse_root(of.square / A(at.rows), eps);
        mean[v] = of.mean;
        factor[v] = weight ? f * factor[v] : f;
        if (!bias) offset[v] = A(0);
    }
    for_rows<OF_RESULTS>(my, at, true, [&](unsigned int element, unsigned int apart, auto steps) {
        constexpr int N = decltype(steps)::value;
        Pack<T, V> rows[N];
        load_rows(rows, x, element, apart);
#pragma unroll
        for (int i = 0; i < N; ++i) {
#pragma unroll
            for (int v = 0; v < V; ++v)
                rows[i].item[v] = to<T>((to<A>(rows[i].item[v]) - mean[v]) * factor[v] + offset[v]);
            store_pack<V>(out + (element + i * apart), rows[i]);
        }
    });
}

// What each range knows of g and x.
template <typename T, typename A, int V>
__global__ void __launch_bounds__(1024, 1)
    columns_sums(Sums<A>* ranges, const T* g, const T* x, const A* __restrict__ centre, const Columns at) {
    __shared__ Sums<A> known[SLOTS][TILE<V>];
    const Place<V> my(at);
    find_sums<T, A, V>(known, g, x, centre, my, at);
    leave<V>(ranges, known, at);
}

// dx, plus `onto` where that is not null, and the gradients of the weight and the bias, which are null without them; from
// the ranges' sums, or where `ranges` is null from the block's own.
template <typename T, typename A, typename W, int V>
__global__ void __launch_bounds__(1024, 1)
    normalize_columns_grad(T* dx, W* dw, W* db, const T* g, const T* x, const A* __restrict__ centre,
                           const A* __restrict__ spread, const W* __restrict__ weight, const T* onto,
                           const Sums<A>* ranges, const Columns at, A eps) {
    __shared__ Sums<A> known[SLOTS][TILE<V>];
    const Place<V> my(at);
    if (ranges)
        join_ranges<V>(known, ranges, at);
    else
        find_sums<T, A, V>(known, g, x, centre, my, at);
    if (blockIdx.y == 0 && weight != nullptr && threadIdx.x < at.lanes * V) {
        const int column = column_of<V>(threadIdx.x, at);
        if (column < at.columns) {
            dw[column] = to<W>(known[0][threadIdx.x].along * inverse_root(spread[column], eps));
            db[column] = to<W>(known[0][threadIdx.x].plain);
        }
    }
    if (!my.inside) return;
    // dx = g by_gradient - (x - mean) by_value - rest.
    A mean[V], variance[V], by_gradient[V], by_value[V], rest[V];
    load_wide<A, A, V>(mean, centre + my.column);
    load_wide<A, A, V>(variance, spread + my.column);
    if (weight) load_wide<A, W, V>(by_gradient, weight + my.column);
#pragma unroll
    for (int v = 0; v < V; ++v) {
        const Sums<A>& of = known[0][my.number(v, at)];
        const A f = inverse_root(variance[v], eps);
        by_gradient[v] = weight ? f * by_gradient[v] : f;
        rest[v] = by_gradient[v] * of.plain / A(at.rows);
        by_value[v] = by_gradient[v] * of.along * f * f / A(at.rows);
    }
    for_rows<OF_GRADIENTS<V>>(my, at, true, [&](unsigned int element, unsigned int apart, auto steps) {
        constexpr int N = decltype(steps)::value;
        Pack<T, V> gradients[N], rows[N];
        load_rows(gradients, g, element, apart);
        load_rows(rows, x, element, apart);
#pragma unroll
        for (int i = 0; i < N; ++i) {
            const unsigned int place = element + i * apart;
            A add[V];
            load_onto<A, T, V>(add, onto, place);
#pragma unroll
            for (int v = 0; v < V; ++v)
                rows[i].item[v] = to<T>(add[v] + (to<A>(gradients[i].item[v]) * by_gradient[v] - rest[v]
                                                  - (to<A>(rows[i].item[v]) - mean[v]) * by_value[v]));
            store_pack<V>(dx + place, rows[i]);
        }
    });
}
