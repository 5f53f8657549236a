// What softmax_ce.cu and softmax_ce_cluster.cu share: what is known of a row, and rows that threads walk over.
#pragma once

#include "common.cuh"

namespace {

// What one group of threads knows about a row, put together over the group's warps.
template <typename A>
struct RowSums {
    A max;     // largest logit
    A exp;     // sum of exp(x - max)
    A linear;  // sum of x - max, for label smoothing
};

// A maximum to subtract that keeps exp(x - max) from being NaN where everything seen so far is -infinity. A sum is
// rescaled by exp(max - finite_max(new max)): one of nothing, whose maximum is -infinity, stays 0.
template <typename A>
__device__ __forceinline__ A finite_max(A max) {
    return max == -infinity<A>() ? A(0) : max;
}

// Joins the sums of the block's warps; each warp's lanes already agree, and have seen `columns` elements together.
// One barrier; every thread gets the result.
template <typename A>
__device__ __forceinline__ RowSums<A> join_warps(RowSums<A> mine, int columns) {
    __shared__ A shared_max[32], shared_exp[32], shared_linear[32];
    __shared__ int shared_columns[32];
    const int warp = threadIdx.x / 32, lane = threadIdx.x % 32;
    if (lane == 0) {
        shared_max[warp] = mine.max;
        shared_exp[warp] = mine.exp;
        shared_linear[warp] = mine.linear;
        shared_columns[warp] = columns;
    }
    __syncthreads();  // every warp's sums are written before any warp joins them
    const bool there = lane < blockDim.x / 32;
    RowSums<A> row;
    const A max = there ? shared_max[lane] : -infinity<A>();
    row.max = warp_reduce<32>(max, Max());
    const A sum = there ? shared_exp[lane] * exp(max - finite_max(row.max)) : A(0);
    row.exp = warp_reduce<32>(sum, Add());
    const A linear = there ? shared_linear[lane] + A(shared_columns[lane]) * (finite_max(max) - finite_max(row.max))
                           : A(0);
    row.linear = warp_reduce<32>(linear, Add());
    return row;
}

template <typename A>
__device__ __forceinline__ A row_loss(const RowSums<A>& row, A target_logit, A smoothing, A classes) {
    const A log_sum = log(row.exp);
    A loss = log_sum - (target_logit - row.max);
    // Apart, because 0 * infinity would make a NaN of rows with a logit of -infinity.
    if (smoothing != A(0)) loss = (A(1) - smoothing) * loss + smoothing * (log_sum - row.linear / classes);
    return loss;
}

// 1 / number of targets that are not ignore_index: the mean's factor. The whole block calls.
template <typename A>
__device__ __forceinline__ A mean_factor(const long long* targets, long long rows, long long ignore_index) {
    int count = 0;
    for (long long row = 0; row < rows; row += blockDim.x) {
        const long long own = row + threadIdx.x;
        count += __syncthreads_count(own < rows && targets[own] != ignore_index);
    }
    return A(1) / A(count);
}

// A row, or a part of it, that a block of THREADS walks over: one reading finds maximum and sum together (Milakov and
// Gimelshein: Online normalizer calculation for softmax, 2018), a second one writes the gradient. The part is classes
// `begin` to `end`, of which the first `kept` (begin and kept are multiples of V) stay in `near`, shared memory, for the
// second reading. join: puts the block's sums together with those of other blocks, behind a barrier of all of them.
// `leads`: this block writes the loss.
template <typename T, typename A, int V, int THREADS, typename Join>
__device__ __forceinline__ void walk_row(A* losses, T* dlogits, const T* logits, const long long* targets, A mean,
                                         long long* errors, long long row, int classes, int begin, int end, bool leads,
                                         long long ignore_index, double label_smoothing, int kept, T* near,
                                         Join join) {
    constexpr int STEP = THREADS * V;
    const long long target = targets[row];
    const bool ignored = target == ignore_index;
    const bool in_range = target >= 0 && target < classes;
    const bool valid = !ignored && in_range;
    const T* x = logits + row * classes + begin;
    const int columns = end - begin;
    // Read before the barrier: dlogits may be logits, and another thread writes this element after it.
    const A target_logit = valid && leads && threadIdx.x == 0 ? to<A>(x[target - begin]) : A(0);

    RowSums<A> mine = {-infinity<A>(), A(0), A(0)};
    int count = 0;
    auto take = [&](const Pack<T, V>& pack, int column) {
        if (column < kept) store_pack<V>(near + column, pack);  // for this thread alone: no barrier
        A max = mine.max;
#pragma unroll
        for (int j = 0; j < V; ++j) max = Max()(max, to<A>(pack.item[j]));
        mine.exp *= exp(mine.max - finite_max(max));
        mine.linear += A(count) * (finite_max(mine.max) - finite_max(max));
        mine.max = max;
        count += V;
#pragma unroll
        for (int j = 0; j < V; ++j) {
            const A difference = to<A>(pack.item[j]) - finite_max(max);
            mine.exp += exp(difference);
            mine.linear += difference;
        }
    };
#pragma unroll 1
    for (int column = threadIdx.x * V; column < columns; column += 2 * STEP) {  // two loads under way
        const bool two = column + STEP < columns;
        const Pack<T, V> first = load_pack<V>(x + column), second = load_pack<V>(x + (two ? column + STEP : column));
        take(first, column);
        if (two) take(second, column + STEP);
    }
    // Bring the warp's lanes to one maximum, then join the warps.
    const A max = warp_reduce<32>(mine.max, Max());
    const A shift = finite_max(mine.max) - finite_max(max);
    mine.exp = warp_reduce<32>(mine.exp * exp(mine.max - finite_max(max)), Add());
    mine.linear = warp_reduce<32>(mine.linear + A(count) * shift, Add());
    mine.max = max;
    const RowSums<A> all = join(join_warps(mine, warp_reduce<32>(count, Add())));

    const A smoothing = A(label_smoothing);
    if (leads && threadIdx.x == 0) {
        if (!ignored && !in_range) record_error(errors, ERROR_CLASS_OUT_OF_RANGE, row, target, classes);
        losses[row] = ignored ? A(0)
                      : valid ? row_loss(all, target_logit, smoothing, A(classes))
                              : infinity<A>() - infinity<A>();
    }
    if (dlogits == nullptr) return;
    T* dx = dlogits + row * classes + begin;
    const long long hit = target - begin;
    const A factor = valid ? mean : A(0);
    const A inverse = A(1) / all.exp;
    const A others = smoothing / A(classes), own = A(1) - smoothing;
    for (int column = threadIdx.x * V; column < columns; column += STEP) {
        Pack<T, V> pack = column < kept ? load_pack<V>(near + column) : load_pack<V>(x + column);
#pragma unroll
        for (int j = 0; j < V; ++j) {
            const A expected = others + (column + j == hit ? own : A(0));
            const A probability = exp(to<A>(pack.item[j]) - all.max) * inverse;
            pack.item[j] = to<T>(valid ? factor * (probability - expected) : A(0));
        }
        store_pack<V>(dx + column, pack);
    }
}

}  // namespace
