// Group and instance normalisation of images in channels last: the channels of a group of an image share a mean and a
// variance. The frame is norm_channels.cu's: a block has a tile of columns and a range of an image's rows.
//
// A first launch leaves what each block knows of the groups of its tile, which may go on in other tiles; the second one joins
// what all tiles and ranges of an image know of these groups, and goes through the rows again. Where a block has all rows
// of an image, and whole groups, there is no first launch. Backward the first launch also leaves the columns' sums, which
// over all images are the gradients of weight and bias. Ranges depend on the shape alone, all is joined in a fixed order,
// and there are no atomics. Large means cost no digits of the variance (norm_channels.cu says how).
//
// Block: 64 to 512 threads, a power of two; grid: (tiles of columns, images times ranges of an image). `at` is of all
// images, its ranges are those of an image.
#include "norm_columns.cuh"

// size: places of an image; slots: groups that a tile has parts of, at most; width: channels of a group.
struct Groups {
    int size, images, slots;
    Divisor width;
};

namespace {

constexpr int MOST = 512;

// The groups that a tile of columns has parts of, and which of its columns they have.
template <int V>
struct Share {
    int first_column, end_column, first, count;

    __device__ __forceinline__ Share(int tile, const Columns& at, const Groups& of) {
        first_column = tile * (at.lanes * V);
        end_column = first_column + at.lanes * V < at.columns ? first_column + at.lanes * V : at.columns;
        first = of.width(first_column);
        count = of.width(end_column - 1) - first + 1;
    }
};

template <int V>
__device__ __forceinline__ Place<V> place_of(const Columns& at, const Groups& of, int image) {
    return Place<V>(at, image * of.size + (blockIdx.y - image * at.ranges) * at.rows_per_range, (image + 1) * of.size);
}

// What the lanes of a warp know, joined.
template <typename S>
__device__ __forceinline__ S warp_join(S own) {
#pragma unroll
    for (int distance = 16; distance > 0; distance /= 2) own.join(shuffled(own, distance));
    return own;
}

// What the block's first slot knows of columns, joined by groups; weighted(column, S) is what is joined.
template <int V, typename S, typename F>
__device__ __forceinline__ void fold(S (&groups)[TILE<V>], Known<V, S> known, const Share<V>& my, const Columns& at,
                                     const Groups& of, F weighted) {
    const int lane = threadIdx.x % 32, width = of.width.value;
    for (int q = threadIdx.x / 32; q < my.count; q += blockDim.x / 32) {
        const int begin = (my.first + q) * width, end = begin + width < my.end_column ? begin + width : my.end_column;
        S own = {};
        for (int c = (begin > my.first_column ? begin : my.first_column) + lane; c < end; c += 32) {
            const int i = c - my.first_column;
            own.join(weighted(c, known[0][(i % V << at.shift) + i / V]));
        }
        own = warp_join(own);
        if (lane == 0) groups[q] = own;
    }
    __syncthreads();  // the groups are known
}

// What all blocks of an image have left of this tile's groups, joined. parts: [range][tile][slot], of the image.
template <int V, typename S>
__device__ __forceinline__ void join_parts(S (&groups)[TILE<V>], const S* __restrict__ parts, const Share<V>& my,
                                           const Columns& at, const Groups& of) {
    const int lane = threadIdx.x % 32, width = of.width.value, tile = at.lanes * V;
    for (int q = threadIdx.x / 32; q < my.count; q += blockDim.x / 32) {
        const int group = my.first + q, first = group * width >> at.shift + LOG<V>;
        const int last = (group + 1) * width - 1 >> at.shift + LOG<V>;
        const bool by_tile = last - first >= at.ranges;  // lanes run along what there is more of
        S own = {};
        for (int i = by_tile ? 0 : first; i < (by_tile ? at.ranges : last + 1); ++i)
            for (int j = lane + (by_tile ? first : 0); j < (by_tile ? last + 1 : at.ranges); j += 32) {
                const int range = by_tile ? i : j, of_tile = by_tile ? j : i;
                own.join(parts[(range * static_cast<int>(gridDim.x) + of_tile) * of.slots + group -
                               static_cast<int>(of.width(of_tile * tile))]);
            }
        own = warp_join(own);
        if (lane == 0) groups[q] = own;
    }
    __syncthreads();  // the groups are known
}

// What a block knows of its tile's groups.
template <int V, typename S>
__device__ __forceinline__ void leave_parts(S* parts, const S (&groups)[TILE<V>], const Share<V>& my, const Groups& of) {
    if (threadIdx.x < my.count)
        parts[static_cast<long long>(blockIdx.y * gridDim.x + blockIdx.x) * of.slots + threadIdx.x] = groups[threadIdx.x];
}

struct Plain {
    template <typename S>
    __device__ __forceinline__ const S& operator()(int, const S& of_column) const {
        return of_column;
    }
};

}  // namespace

template <typename T, typename A, int V>
__global__ void __launch_bounds__(MOST, 2)
    groups_moments(Moments<A>* parts, const T* x, const Columns at, const Groups of) {
    __shared__ Moments<A> known[SLOTS][TILE<V>], groups[TILE<V>];
    const Share<V> share(blockIdx.x, at, of);
    find_moments<T, A, V>(known, x, place_of<V>(at, of, blockIdx.y / at.ranges), at);
    fold<V>(groups, known, share, at, of, Plain());
    leave_parts<V>(parts, groups, share, of);
}

// y, from what blocks have left, or where `parts` is null from the block's own rows and groups. weight and bias may be null.
// count: elements of an image's group.
template <typename T, typename A, typename W, int V>
__global__ void __launch_bounds__(MOST, 2)
    normalize_column_groups(T* out, A* centre, A* spread, const T* x, const W* __restrict__ weight,
                            const W* __restrict__ bias, const Moments<A>* parts, const Columns at, const Groups of, A eps,
                            A count) {
    __shared__ Moments<A> known[SLOTS][TILE<V>], groups[TILE<V>];
    const Share<V> share(blockIdx.x, at, of);
    const int image = blockIdx.y / at.ranges, all = of.width(at.columns);
    const Place<V> my = place_of<V>(at, of, image);
    if (parts) {
        join_parts<V>(groups, parts + static_cast<long long>(image) * at.ranges * gridDim.x * of.slots, share, at, of);
    } else {
        find_moments<T, A, V>(known, x, my, at);
        fold<V>(groups, known, share, at, of, Plain());
    }
    if (blockIdx.y == image * at.ranges && threadIdx.x < share.count &&
        (share.first + threadIdx.x) * of.width.value >= share.first_column) {  // the group begins in this tile
        const int group = image * all + share.first + threadIdx.x;
        centre[group] = groups[threadIdx.x].mean;
        spread[group] = groups[threadIdx.x].square / count;
    }
    if (!my.inside) return;
    const Normalized<A, V> result(weight, bias, my.column, count, eps, [&](int v) -> const Moments<A>& {
        return groups[of.width(my.column + v) - share.first];
    });
    for_rows<OF_RESULTS>(my, at, true, [&](unsigned int element, unsigned int apart, auto steps) {
        constexpr int N = decltype(steps)::value;
        Pack<T, V> rows[N];
        load_rows(rows, x, element, apart);
#pragma unroll
        for (int i = 0; i < N; ++i) {
            result.apply(rows[i]);
            store_pack<V>(out + (element + i * apart), rows[i]);
        }
    });
}

// The sums of g, and of g (x - mean), of each range's columns, and with the weight, which may be null, of its groups.
template <typename T, typename A, typename W, int V>
__global__ void __launch_bounds__(MOST, 2)
    groups_sums(Sums<A>* ranges, Sums<A>* parts, const T* g, const T* x, const A* __restrict__ centre,
                const W* __restrict__ weight, const Columns at, const Groups of) {
    __shared__ Sums<A> known[SLOTS][TILE<V>], groups[TILE<V>];
    const Share<V> share(blockIdx.x, at, of);
    const int image = blockIdx.y / at.ranges, all = of.width(at.columns);
    const Place<V> my = place_of<V>(at, of, image);
    A mean[V];
#pragma unroll
    for (int v = 0; v < V; ++v) mean[v] = my.inside ? centre[image * all + of.width(my.column + v)] : A(0);
    find_sums<T, A, V>(known, g, static_cast<const T*>(nullptr), x, mean, my, at);
    leave<V>(ranges, known, at);
    fold<V>(groups, known, share, at, of, [&](int column, Sums<A> sums) {
        const A w = weight ? to<A>(weight[column]) : A(1);
        return Sums<A>{w * sums.plain, w * sums.along};
    });
    leave_parts<V>(parts, groups, share, of);
}

// dx, and the gradients of the weight and the bias, which are null without them. count: as above.
template <typename T, typename A, typename W, int V>
__global__ void __launch_bounds__(MOST, 2)
    normalize_column_groups_grad(T* dx, W* dw, W* db, const T* g, const T* x, const A* __restrict__ centre,
                                 const A* __restrict__ spread, const W* __restrict__ weight,
                                 const Sums<A>* __restrict__ ranges, const Sums<A>* parts, const Columns at,
                                 const Groups of, A eps, A count) {
    __shared__ Sums<A> known[SLOTS][TILE<V>], groups[TILE<V>];
    const Share<V> share(blockIdx.x, at, of);
    const int image = blockIdx.y / at.ranges, all = of.width(at.columns);
    const Place<V> my = place_of<V>(at, of, image);
    if (weight && blockIdx.y == 0) {  // over all images
        const int tile = at.lanes * V, most = blockDim.x >> (at.shift + LOG<V>), slots = most < SLOTS ? most : SLOTS;
        const int slot = threadIdx.x >> (at.shift + LOG<V>), number = threadIdx.x & (tile - 1);
        const int column = column_of<V>(number, at);
        if (slot < slots) {
            Sums<A> own = {};
            if (column < at.columns) {
                const Sums<A>* from = ranges + blockIdx.x * tile + number;
                const long long step = static_cast<long long>(gridDim.x) * tile;
                for (int i = slot; i < of.images; i += slots) {
                    const A f = inverse_root(spread[i * all + of.width(column)], eps);
                    for (int range = 0; range < at.ranges; ++range) {
                        const Sums<A> more = from[(static_cast<long long>(i) * at.ranges + range) * step];
                        own.plain += more.plain;
                        own.along += f * more.along;
                    }
                }
            }
            known[slot][number] = own;
        }
        join_slots<V>(known, slots, at);
        if (threadIdx.x < tile && column < at.columns) {
            dw[column] = to<W>(known[0][number].along);
            db[column] = to<W>(known[0][number].plain);
        }
    }
    join_parts<V>(groups, parts + static_cast<long long>(image) * at.ranges * gridDim.x * of.slots, share, at, of);
    if (!my.inside) return;
    A mean[V], f[V];
#pragma unroll
    for (int v = 0; v < V; ++v) {
        const int group = image * all + of.width(my.column + v);
        mean[v] = centre[group];
        f[v] = inverse_root(spread[group], eps);
    }
    const NormalizedGrad<A, V> result(weight, my.column, mean, f, count, true, [&](int v) -> const Sums<A>& {
        return groups[of.width(my.column + v) - share.first];
    });
    for_rows<OF_GRADIENTS<V>>(my, at, true, [&](unsigned int element, unsigned int apart, auto steps) {
        constexpr int N = decltype(steps)::value;
        Pack<T, V> gradients[N], rows[N];
        load_rows(gradients, g, element, apart);
        load_rows(rows, x, element, apart);
#pragma unroll
        for (int i = 0; i < N; ++i) {
#pragma unroll
            for (int v = 0; v < V; ++v)
                rows[i].item[v] = to<T>(result(to<A>(gradients[i].item[v]), to<A>(rows[i].item[v]), v));
            store_pack<V>(dx + (element + i * apart), rows[i]);
        }
    });
}
