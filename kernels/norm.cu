// Normalisation: batch, layer, group, instance and RMS norm, forward and backward.
//
// A group is what shares a mean and a variance. With c = x - mean, f = 1 / sqrt(variance + eps), w the weight and n
// elements in a group:
//     y  = c f w + bias
//     dx = f (g w - sum(g w) / n - f^2 c sum(g w c) / n),  dw = sum(g c f),  db = sum(g)
// RMS norm (`centred` false) has mean 0, and no sum(g w) in dx. Where x went on past the layer (a residual connection),
// its gradient from there, `onto`, is added to dx in the same pass.
//
// Fused: statistics, normalisation, weight and bias; before rows the sum with a residual, which is stored, too; after
// the norm the sum with a residual, and ReLU; backward, all three gradients, and by channels ReLU's and the residual's
// before them. All of it is limited by memory. Rows with a weight for each element (layer and RMS norm) stay in
// registers between their statistics and their result: one read and one write. Groups of runs (batch, group and instance
// norm), whose weight is the same along a run, are read again for each step; a channel of an image is small enough that
// this is served by the L2 cache.
//
// The variance is the mean square of what is left after the mean is subtracted: in one pass with the mean it would lose
// all its digits where the mean is large. Sums have a fixed order, and no atomics.
//
// T: numbers; A: arithmetic; W: weight and bias. V elements an access; V > 1 needs runs that are multiples of V elements
// and aligned arrays.
#include "norm.cuh"

namespace {

constexpr int ITEMS = 8;  // of a row, for each of the threads that share it

// Of a block for one row: as many as leave each the registers for its items.
template <typename A>
constexpr int MOST_THREADS = sizeof(A) == 8 ? 256 : 1024;

}  // namespace

// ---- rows, with a weight for each column --------------------------------------------------------------------------

// y of contiguous rows, one for each LANES = 32 threads in blocks of 256, or with LANES = 0 one for each block of whole
// warps. At most ITEMS columns a thread. weight and bias may be null. around: what is added to x first, or null; the sum
// is stored where `sum` is not null. onto, which may be null, and relu: what follows.
template <typename T, typename A, typename W, int V, int LANES>
__global__ void __launch_bounds__(LANES ? 256 : MOST_THREADS<A>, 1)
    normalize_rows(T* out, A* centre, A* spread, T* sum, const T* x, const T* around, const W* __restrict__ weight,
                   const W* __restrict__ bias, const T* onto, bool relu, long long rows, int columns, A eps,
                   bool centred) {
    __shared__ A shared[32];
    const int lanes = LANES ? LANES : blockDim.x, lane = LANES ? threadIdx.x % LANES : threadIdx.x;
    const long long row = LANES ? blockIdx.x * (256ll / LANES) + threadIdx.x / LANES : blockIdx.x;
    const int there = row < rows ? columns : 0;  // idle groups of lanes stay, because the whole warp shuffles
    const long long first = row * columns;
    A item[ITEMS];
#pragma unroll
    for (int i = 0; i < ITEMS / V; ++i) {
        const int column = (i * lanes + lane) * V;
        Pack<T, V> pack;
        if (column < there) {
            pack = load_pack<V>(x + first + column);
            if (around) {
                add_onto<A>(pack, load_pack<V>(around + first + column));
                if (sum) store_pack<V>(sum + first + column, pack);
            }
        }
#pragma unroll
        for (int j = 0; j < V; ++j) item[i * V + j] = column < there ? to<A>(pack.item[j]) : A(0);
    }
    A mean = A(0), square = A(0);
    if (centred) {
#pragma unroll
        for (int k = 0; k < ITEMS; ++k) mean += item[k];
        mean = row_reduce<LANES>(mean, A(0), Add(), shared) / A(columns);
    }
#pragma unroll
    for (int k = 0; k < ITEMS; ++k) {
        // Items beyond the row must not count.
        item[k] = (k / V * lanes + lane) * V < there ? item[k] - mean : A(0);
        square += item[k] * item[k];
    }
    square = row_reduce<LANES>(square, A(0), Add(), shared) / A(columns);
    if (lane == 0 && there) {
        centre[row] = mean;
        spread[row] = square;
    }
    const A f = inverse_root(square, eps);
#pragma unroll
    for (int i = 0; i < ITEMS / V; ++i) {
        const int column = (i * lanes + lane) * V;
        if (column >= there) continue;
        A w[V], b[V];
        if (weight) load_wide<A, W, V>(w, weight + column);
        if (bias) load_wide<A, W, V>(b, bias + column);
        Pack<T, V> pack;
#pragma unroll
        for (int j = 0; j < V; ++j) {
            A y = item[i * V + j] * f;
            if (weight) y *= w[j];
            if (bias) y += b[j];
            pack.item[j] = to<T>(y);
        }
        if (onto) add_onto<A>(pack, load_pack<V>(onto + first + column));
        if (relu) rectify<A>(pack);
        store_pack<V>(out + first + column, pack);
    }
}

// dx of such rows, plus `onto` where that is not null; partial[b] = the sums of dw and then of db over the b-th range of
// `rows_per_block` rows. Of one range `partial` is null, and these are dw and db. Without a weight all three are null.
// A block of 256 threads takes 8 rows at a time (LANES = 32), any other one (LANES = 0). count: columns, as a number.
template <typename T, typename A, typename W, int V, int LANES>
__global__ void __launch_bounds__(LANES ? 256 : MOST_THREADS<A>, 1)
    normalize_rows_grad(T* dx, W* by_weight, W* by_bias, A* partial, const T* g, const T* x,
                        const A* __restrict__ centre, const A* __restrict__ spread, const W* __restrict__ weight,
                        const T* onto, long long rows, int columns, long long rows_per_block, A eps, bool centred,
                        A count) {
    constexpr int WARPS = 8;
    __shared__ A shared[32];
    __shared__ A sums[2][LANES ? LANES * ITEMS : 1];
    const int lanes = LANES ? LANES : blockDim.x, lane = LANES ? threadIdx.x % LANES : threadIdx.x;
    const int warp = threadIdx.x / 32;
    const long long first = blockIdx.x * rows_per_block;
    const long long last = first + rows_per_block < rows ? first + rows_per_block : rows;
    A dw[ITEMS], db[ITEMS];
#pragma unroll
    for (int k = 0; k < ITEMS; ++k) dw[k] = db[k] = A(0);

    for (long long row = first + (LANES ? warp : 0); row < last; row += LANES ? WARPS : 1) {
        const A mean = centre[row], f = inverse_root(spread[row], eps);
        A c[ITEMS], gw[ITEMS], plain = A(0), along = A(0);
#pragma unroll
        for (int i = 0; i < ITEMS / V; ++i) {
            const int column = (i * lanes + lane) * V;
            if (column >= columns) {
#pragma unroll
                for (int j = 0; j < V; ++j) c[i * V + j] = gw[i * V + j] = A(0);
                continue;
            }
            A value[V], gradient[V], w[V];
            load_wide<A, T, V>(value, x + row * columns + column);
            load_wide<A, T, V>(gradient, g + row * columns + column);
            if (weight) load_wide<A, W, V>(w, weight + column);
#pragma unroll
            for (int j = 0; j < V; ++j) {
                const int k = i * V + j;
                c[k] = value[j] - mean;
                dw[k] += gradient[j] * (c[k] * f);
                db[k] += gradient[j];
                gw[k] = weight ? gradient[j] * w[j] : gradient[j];
                plain += gw[k];
                along += gw[k] * c[k];
            }
        }
        plain = centred ? row_reduce<LANES>(plain, A(0), Add(), shared) / count : A(0);
        along = row_reduce<LANES>(along, A(0), Add(), shared) * f * f / count;
#pragma unroll
        for (int i = 0; i < ITEMS / V; ++i) {
            const int column = (i * lanes + lane) * V;
            if (column >= columns) continue;
            A add[V];
            load_onto<A, T, V>(add, onto, row * columns + column);
            Pack<T, V> pack;
#pragma unroll
            for (int j = 0; j < V; ++j)
                pack.item[j] = to<T>(add[j] + f * (gw[i * V + j] - plain - c[i * V + j] * along));
            store_pack<V>(dx + row * columns + column, pack);
        }
    }
    if (by_weight == nullptr) return;
    auto finish = [&](int column, A of_weight, A of_bias) {
        if (partial) {
            partial[blockIdx.x * (2ll * columns) + column] = of_weight;
            partial[blockIdx.x * (2ll * columns) + columns + column] = of_bias;
        } else {
            by_weight[column] = to<W>(of_weight);
            by_bias[column] = to<W>(of_bias);
        }
    };
    if constexpr (LANES) {  // add the warps' sums, in the order of the warps
        for (int turn = 0; turn < WARPS; ++turn) {
            if (warp == turn) {
#pragma unroll
                for (int k = 0; k < ITEMS; ++k) {
                    const int column = (k / V * lanes + lane) * V + k % V;
                    sums[0][column] = turn ? sums[0][column] + dw[k] : dw[k];
                    sums[1][column] = turn ? sums[1][column] + db[k] : db[k];
                }
            }
            __syncthreads();  // one warp has added its sums before the next does
        }
        for (int column = threadIdx.x; column < columns; column += 256)
            finish(column, sums[0][column], sums[1][column]);
    } else {
#pragma unroll
        for (int i = 0; i < ITEMS / V; ++i) {  // V columns together, or each access would fill a part of every sector
            const int column = (i * lanes + lane) * V;
            if (column >= columns) continue;
            if (partial) {
                Pack<A, V> of_weight, of_bias;
#pragma unroll
                for (int j = 0; j < V; ++j) {
                    of_weight.item[j] = dw[i * V + j];
                    of_bias.item[j] = db[i * V + j];
                }
                store_pack<V>(partial + blockIdx.x * (2ll * columns) + column, of_weight);
                store_pack<V>(partial + blockIdx.x * (2ll * columns) + columns + column, of_bias);
            } else {
#pragma unroll
                for (int j = 0; j < V; ++j) finish(column + j, dw[i * V + j], db[i * V + j]);
            }
        }
    }
}

// dw and db from the ranges' sums, added from first to last. One thread a column; any one-dimensional grid.
template <typename W, typename A>
__global__ void __launch_bounds__(256)
    normalize_rows_finish(W* dw, W* db, const A* __restrict__ partial, int ranges, int columns) {
    for (long long at = grid_index(); at < 2ll * columns; at += grid_size()) {
        A sum = A(0);
#pragma unroll 8
        for (int range = 0; range < ranges; ++range) sum += partial[range * 2ll * columns + at];
        (at < columns ? dw : db - columns)[at] = to<W>(sum);
    }
}

// dx of rows that are too long for registers, one block a row: read once for the sums and once more for dx.
template <typename T, typename A, typename W, int V>
__global__ void __launch_bounds__(512, 1)
    normalize_long_grad(T* dx, const T* g, const T* x, const A* __restrict__ centre, const A* __restrict__ spread,
                        const W* __restrict__ weight, const T* onto, int columns, A eps, bool centred) {
    __shared__ A shared[32];
    const long long start = blockIdx.x * static_cast<long long>(columns);
    const A mean = centre[blockIdx.x], f = inverse_root(spread[blockIdx.x], eps);
    A plain = A(0), along = A(0);
    auto each = [&](int column, A (&c)[V], A (&gw)[V]) {
        A w[V];
        load_wide<A, T, V>(c, x + start + column);
        load_wide<A, T, V>(gw, g + start + column);
        if (weight) load_wide<A, W, V>(w, weight + column);
#pragma unroll
        for (int j = 0; j < V; ++j) {
            c[j] -= mean;
            if (weight) gw[j] *= w[j];
        }
    };
    for (int column = threadIdx.x * V; column < columns; column += 512 * V) {
        A c[V], gw[V];
        each(column, c, gw);
#pragma unroll
        for (int j = 0; j < V; ++j) {
            plain += gw[j];
            along += gw[j] * c[j];
        }
    }
    plain = block_reduce(plain, A(0), Add(), shared);
    plain = centred ? plain / A(columns) : A(0);
    along = block_reduce(along, A(0), Add(), shared) * f * f / A(columns);
    for (int column = threadIdx.x * V; column < columns; column += 512 * V) {
        A c[V], gw[V];
        each(column, c, gw);
        A add[V];
        load_onto<A, T, V>(add, onto, start + column);
        Pack<T, V> pack;
#pragma unroll
        for (int j = 0; j < V; ++j) pack.item[j] = to<T>(add[j] + f * (gw[j] - plain - c[j] * along));
        store_pack<V>(dx + start + column, pack);
    }
}

// dw and then db of such rows, summed over ranges of `rows_per_range` rows, as normalize_rows_finish takes them. One
// thread for each column; grid: strips of 256 columns, times ranges.
template <typename T, typename A>
__global__ void __launch_bounds__(256)
    normalize_columns_sums(A* partial, const T* __restrict__ g, const T* __restrict__ x, const A* __restrict__ centre,
                           const A* __restrict__ spread, int rows, int columns, int rows_per_range, A eps) {
    const int column = blockIdx.x * 256 + threadIdx.x;
    if (column >= columns) return;
    const int first = blockIdx.y * rows_per_range, last = first + rows_per_range < rows ? first + rows_per_range : rows;
    A dw = A(0), db = A(0);
#pragma unroll 4
    for (int row = first; row < last; ++row) {
        const long long at = row * static_cast<long long>(columns) + column;
        const A gradient = to<A>(g[at]);
        dw += gradient * ((to<A>(x[at]) - centre[row]) * inverse_root(spread[row], eps));
        db += gradient;
    }
    partial += blockIdx.y * 2ll * columns;
    partial[column] = dw;
    partial[columns + column] = db;
}

// ---- groups of runs, with a weight for each run ---------------------------------------------------------------------
//
// Group r has `runs` runs of `length` elements; run s begins at r * group_step + s * run_step. Its weight is number
// r % period * weights + s * weight_step: batch norm's groups are the channels, all of whose runs have one weight;
// those of group norm are the groups of an image, with a weight for each run. One block of whole warps for each group.

namespace {

// Calls visit(offset, run, i) for this thread's share of a group: for V elements from place i of a run on, and where
// they are in memory. The places follow by addition: a division for each would cost more than the access.
template <int V, typename F>
__device__ __forceinline__ void for_each_pack(int runs, int length, long long run_step, F visit) {
    const int packs = length / V;
    const int next_run = blockDim.x / packs, next = blockDim.x % packs;
    int run = threadIdx.x / packs, i = threadIdx.x % packs;
    while (run < runs) {
        visit(run * run_step + i * V, run, i * V);
        run += next_run;
        i += next;
        if (i >= packs) {
            i -= packs;
            ++run;
        }
    }
}

// Of one group: dx from the two sums, and the gradient before the ReLU as the residual's, if that is wanted. The sums are
// divided by n: plain = sum(g w) / n and along = sum(g w c) f^2 / n.
template <typename T, typename A, typename W, int V>
__device__ __forceinline__ void write_gradient(T* dx, T* residual, const T* g, const T* y, const T* x, const T* onto,
                                               const W* weight, int weight_step, A mean, A f, A plain, A along,
                                               int runs, int length, long long run_step) {
    for_each_pack<V>(runs, length, run_step, [&](long long at, int run, int) {
        A value[V], gradient[V];
        load_wide<A, T, V>(value, x + at);
        load_gradient<A, T, V>(gradient, g, y, at);
        if (residual) store_as<V>(residual + at, gradient);
        A add[V];
        load_onto<A, T, V>(add, onto, at);
        const A w = weight ? to<A>(weight[run * weight_step]) : A(1);
        Pack<T, V> pack;
#pragma unroll
        for (int j = 0; j < V; ++j)
            pack.item[j] = to<T>(add[j] + f * (gradient[j] * w - plain - (value[j] - mean) * along));
        store_pack<V>(dx + at, pack);
    });
}

}  // namespace

// y of groups. element_step: 1 where each element of a run has a weight of its own, which is what rows that are too
// long for normalize_rows need; else 0. weight and bias may be null. onto, which may be null, and relu: what follows.
template <typename T, typename A, typename W, int V>
__global__ void __launch_bounds__(1024, 1)
    normalize_groups(T* out, A* centre, A* spread, const T* x, const W* __restrict__ weight, const W* __restrict__ bias,
                     long long group_step, long long run_step, int runs, int length, int period, int weights,
                     int weight_step, int element_step, A eps, bool centred, const T* onto, bool relu, A* running_mean,
                     A* running_var, long long* batches, A share, A correction) {
    __shared__ A shared[32];
    const int group = blockIdx.x;
    const A count = A(runs) * A(length);
    x += group * group_step;
    out += group * group_step;
    if (onto) onto += group * group_step;
    A mean = A(0), square = A(0);
    if (centred) {
        for_each_pack<V>(runs, length, run_step, [&](long long at, int, int) {
            A value[V];
            load_wide<A, T, V>(value, x + at);
#pragma unroll
            for (int j = 0; j < V; ++j) mean += value[j];
        });
        mean = block_reduce(mean, A(0), Add(), shared) / count;
    }
    for_each_pack<V>(runs, length, run_step, [&](long long at, int, int) {
        A value[V];
        load_wide<A, T, V>(value, x + at);
#pragma unroll
        for (int j = 0; j < V; ++j) square += (value[j] - mean) * (value[j] - mean);
    });
    square = block_reduce(square, A(0), Add(), shared) / count;
    if (threadIdx.x == 0) {
        centre[group] = mean;
        spread[group] = square;
        if (running_mean != nullptr) {
            move(running_mean, running_var, group, mean, square, share, correction);
            if (group == 0 && batches != nullptr) ++batches[0];
        }
    }
    const A f = inverse_root(square, eps);
    const int first = group % period * weights;
    for_each_pack<V>(runs, length, run_step, [&](long long at, int run, int i) {
        A value[V];
        load_wide<A, T, V>(value, x + at);
        const int number = first + run * weight_step + i * element_step;
        Pack<T, V> pack;
#pragma unroll
        for (int j = 0; j < V; ++j) {
            A y = (value[j] - mean) * f;
            if (weight) y *= to<A>(weight[number + j * element_step]);
            if (bias) y += to<A>(bias[number + j * element_step]);
            pack.item[j] = to<T>(y);
        }
        if (onto) add_onto<A>(pack, load_pack<V>(onto + at));
        if (relu) rectify<A>(pack);
        store_pack<V>(out + at, pack);
    });
}

// All gradients of batch norm: group r has weight number r, and dw[r] and db[r] are its own. They are null without a
// weight. y: the result of the ReLU after it, or null; residual: receives the gradient before that, or null.
template <typename T, typename A, typename W, int V>
__global__ void __launch_bounds__(1024, 1)
    normalize_channels_grad(T* dx, W* dw, W* db, T* residual, const T* g, const T* y, const T* x,
                            const A* __restrict__ centre, const A* __restrict__ spread, const W* __restrict__ weight,
                            const T* onto, long long group_step, long long run_step, int runs, int length, A eps) {
    __shared__ A shared[32];
    const int group = blockIdx.x;
    const long long start = group * group_step;
    const A mean = centre[group], f = inverse_root(spread[group], eps), count = A(runs) * A(length);
    A plain = A(0), along = A(0);
    for_each_pack<V>(runs, length, run_step, [&](long long at, int, int) {
        A value[V], gradient[V];
        load_wide<A, T, V>(value, x + start + at);
        load_gradient<A, T, V>(gradient, g, y, start + at);
#pragma unroll
        for (int j = 0; j < V; ++j) {
            plain += gradient[j];
            along += gradient[j] * (value[j] - mean);
        }
    });
    plain = block_reduce(plain, A(0), Add(), shared);
    along = block_reduce(along, A(0), Add(), shared) * f;
    A w = A(1);
    if (weight) {
        w = to<A>(weight[group]);
        if (threadIdx.x == 0) {
            dw[group] = to<W>(along);
            db[group] = to<W>(plain);
        }
    }
    auto from = [&](auto* array) { return array ? array + start : nullptr; };
    write_gradient<T, A, W, V>(dx + start, from(residual), g + start, from(y), x + start, from(onto),
                               weight ? weight + group : nullptr, 0, mean, f, w * plain / count, w * along * f / count,
                               runs, length, run_step);
}

// Of each run of contiguous groups, number r * runs + s: sums[number] = sum(g), sums[all + number] = sum(g c f).
// One warp a run, in blocks of 256.
template <typename T, typename A, int V>
__global__ void __launch_bounds__(256)
    normalize_run_sums(A* sums, const T* g, const T* x, const A* __restrict__ centre, const A* __restrict__ spread,
                       int all, int runs, int length, A eps) {
    const int number = blockIdx.x * 8 + threadIdx.x / 32;
    if (number >= all) return;  // whole warps
    const int group = number / runs;
    const long long start = static_cast<long long>(number) * length;
    const A mean = centre[group], f = inverse_root(spread[group], eps);
    A plain = A(0), along = A(0);
    for (int i = threadIdx.x % 32 * V; i < length; i += 32 * V) {
        A value[V], gradient[V];
        load_wide<A, T, V>(value, x + start + i);
        load_wide<A, T, V>(gradient, g + start + i);
#pragma unroll
        for (int j = 0; j < V; ++j) {
            plain += gradient[j];
            along += gradient[j] * (value[j] - mean);
        }
    }
    plain = warp_reduce<32>(plain, Add());
    along = warp_reduce<32>(along, Add());
    if (threadIdx.x % 32 == 0) {
        sums[number] = plain;
        sums[all + number] = along * f;
    }
}

// The gradients of group and instance norm from these sums. The first `groups` blocks write dx; those after them dw and
// db, a thread for each of the period * runs weights: their runs' sums from the first image to the last.
template <typename T, typename A, typename W, int V>
__global__ void __launch_bounds__(256)
    normalize_groups_grad(T* dx, W* dw, W* db, const A* __restrict__ sums, const T* g, const T* x,
                          const A* __restrict__ centre, const A* __restrict__ spread, const W* __restrict__ weight,
                          const T* onto, int groups, int runs, int length, int period, A eps, bool centred) {
    __shared__ A shared[32];
    const int group = blockIdx.x, all = groups * runs;
    if (group >= groups) {
        const int weights = period * runs, number = (group - groups) * 256 + threadIdx.x;
        if (number >= weights) return;
        A plain = A(0), along = A(0);
        for (int at = number; at < all; at += weights) {
            plain += sums[at];
            along += sums[all + at];
        }
        dw[number] = to<W>(along);
        db[number] = to<W>(plain);
        return;
    }
    const long long start = static_cast<long long>(group) * runs * length;
    const A mean = centre[group], f = inverse_root(spread[group], eps), count = A(runs) * A(length);
    const W* w = weight ? weight + group % period * runs : nullptr;
    A plain = A(0), along = A(0);
    for (int run = threadIdx.x; run < runs; run += 256) {
        const A factor = w ? to<A>(w[run]) : A(1);
        plain += factor * sums[group * runs + run];
        along += factor * sums[all + group * runs + run];
    }
    plain = centred ? block_reduce(plain, A(0), Add(), shared) / count : A(0);
    along = block_reduce(along, A(0), Add(), shared) * f / count;
    write_gradient<T, A, W, V>(dx + start, static_cast<T*>(nullptr), g + start, static_cast<const T*>(nullptr),
                               x + start, onto ? onto + start : nullptr, w, 1, mean, f, plain, along, runs, length,
                               length);
}

// Running statistics move by a share towards a batch's; `correction` is n / (n - 1), for the variance. A thread for each.
template <typename A>
__global__ void __launch_bounds__(256)
    move_statistics(A* running_mean, A* running_var, long long* batches, const A* __restrict__ centre,
                    const A* __restrict__ spread, A share, A correction, int count) {
    const int i = static_cast<int>(grid_index());
    if (i >= count) return;
    if (i == 0 && batches != nullptr) ++batches[0];
    move(running_mean, running_var, i, centre[i], spread[i], share, correction);
}
