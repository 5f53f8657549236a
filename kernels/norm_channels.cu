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
#include "norm_columns.cuh"

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
// onto, which may be null, and relu are what follows; the last five move running statistics, or are null.
template <typename T, typename A, typename W, int V>
__global__ void __launch_bounds__(1024, 1)
    normalize_columns(T* out, A* centre, A* spread, const T* x, const W* __restrict__ weight,
                      const W* __restrict__ bias, const Moments<A>* ranges, const Columns at, A eps, const T* onto,
                      bool relu, A* running_mean, A* running_var, long long* batches, A share, A correction) {
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
    const Normalized<A, V> result(weight, bias, my.column, A(at.rows), eps,
                                  [&](int v) -> const Moments<A>& { return known[0][my.number(v, at)]; });
    auto finish = [&](unsigned int element, unsigned int apart, auto steps) {
        constexpr int N = decltype(steps)::value;
        Pack<T, V> rows[N], others[N];
        load_rows(rows, x, element, apart);
        if (onto) load_rows(others, onto, element, apart);
#pragma unroll
        for (int i = 0; i < N; ++i) {
            result.apply(rows[i]);
            if (onto) add_onto<A>(rows[i], others[i]);
            if (relu) rectify<A>(rows[i]);
            store_pack<V>(out + (element + i * apart), rows[i]);
        }
    };
    if (onto)
        for_rows<OF_SUMS>(my, at, true, finish);
    else
        for_rows<OF_RESULTS>(my, at, true, finish);
}

// What each range knows of g and x.
template <typename T, typename A, int V>
__global__ void __launch_bounds__(1024, 1)
    columns_sums(Sums<A>* ranges, const T* g, const T* y, const T* x, const A* __restrict__ centre, const Columns at) {
    __shared__ Sums<A> known[SLOTS][TILE<V>];
    const Place<V> my(at);
    A mean[V];
    if (my.inside) load_wide<A, A, V>(mean, centre + my.column);
    find_sums<T, A, V>(known, g, y, x, mean, my, at);
    leave<V>(ranges, known, at);
}

// dx, plus `onto` where that is not null, and the gradients of the weight and the bias, which are null without them; from
// the ranges' sums, or where `ranges` is null from the block's own. y: the result of a ReLU after the norm, or null;
// residual: receives the gradient before that, or null.
template <typename T, typename A, typename W, int V>
__global__ void __launch_bounds__(1024, 1)
    normalize_columns_grad(T* dx, W* dw, W* db, T* residual, const T* g, const T* y, const T* x,
                           const A* __restrict__ centre, const A* __restrict__ spread, const W* __restrict__ weight,
                           const T* onto, const Sums<A>* ranges, const Columns at, A eps) {
    __shared__ Sums<A> known[SLOTS][TILE<V>];
    const Place<V> my(at);
    A mean[V];
    if (my.inside) load_wide<A, A, V>(mean, centre + my.column);
    if (ranges)
        join_ranges<V>(known, ranges, at);
    else
        find_sums<T, A, V>(known, g, y, x, mean, my, at);
    if (blockIdx.y == 0 && weight != nullptr && threadIdx.x < at.lanes * V) {
        const int column = column_of<V>(threadIdx.x, at);
        if (column < at.columns) {
            dw[column] = to<W>(known[0][threadIdx.x].along * inverse_root(spread[column], eps));
            db[column] = to<W>(known[0][threadIdx.x].plain);
        }
    }
    if (!my.inside) return;
    A f[V];
    load_wide<A, A, V>(f, spread + my.column);
#pragma unroll
    for (int v = 0; v < V; ++v) f[v] = inverse_root(f[v], eps);
    const NormalizedGrad<A, V> result(weight, my.column, mean, f, A(at.rows), false,
                                      [&](int v) -> const Sums<A>& { return known[0][my.number(v, at)]; });
    for_rows<OF_GRADIENTS<V>>(my, at, true, [&](unsigned int element, unsigned int apart, auto steps) {
        constexpr int N = decltype(steps)::value;
        Pack<T, V> gradients[N], rows[N];
        load_rows(gradients, g, element, apart);
        load_rows(rows, x, element, apart);
#pragma unroll
        for (int i = 0; i < N; ++i) {
            const unsigned int place = element + i * apart;
            if (y) rectify_grad<A>(gradients[i], load_pack<V>(y + place));
            if (residual) store_pack<V>(residual + place, gradients[i]);
            A add[V];
            load_onto<A, T, V>(add, onto, place);
#pragma unroll
            for (int v = 0; v < V; ++v)
                rows[i].item[v] =
                    to<T>(add[v] + result(to<A>(gradients[i].item[v]), to<A>(rows[i].item[v]), v));
            store_pack<V>(dx + place, rows[i]);
        }
    });
}
