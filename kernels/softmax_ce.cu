// Softmax cross-entropy, forward and backward in one pass.
//
// Fused: the row's maximum, its sum of exponentials, the loss and the gradient with respect to the logits. Apart,
// these are five kernels and five trips of [rows, classes] through device memory; together one read and one write.
// A row lives in the registers of the threads that share it, as exp(x - max), from which the gradient needs only one
// product per element. Rows too long for that are read twice, the second time from shared memory as far as it goes.
// With few targets every block counts the valid ones itself, and where one block has all rows it adds up their losses,
// so that a small loss is one launch.
//
// With p = softmax(x), t the target, C classes and label smoothing s (Szegedy et al. 2016, as PyTorch defines it):
//     loss  = (1 - s) (log sum exp(x) - x[t]) + s (log sum exp(x) - mean(x))
//     dx[j] = scale (p[j] - (1 - s) [j == t] - s / C)
// `scale` comes from device memory: 1 / number of valid targets for a mean; null means 1, for a sum. With `count` a
// block counts them. A row whose target
// is `ignore_index` has loss 0 and gradient 0; one whose target is out of range is recorded in `errors` and has loss
// NaN and gradient 0. `dlogits` may be null (loss only), and may be `logits` itself.
#include "common.cuh"

namespace {

// What one group of threads knows about a row, put together over the group's warps.
template <typename A>
struct RowSums {
    A max;     // largest logit
    A exp;     // sum of exp(x - max)
    A linear;  // sum of x - max, for label smoothing
};

// A maximum to subtract that keeps exp(x - max) from being NaN where everything seen so far is -infinity. Only for
// exponents of elements: a sum is rescaled by the true maxima, since a sum of nothing (maximum -infinity) must stay 0.
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
    const A sum = there ? shared_exp[lane] * exp(max - row.max) : A(0);
    row.exp = warp_reduce<32>(sum, Add());
    const A linear = there ? shared_linear[lane] + A(shared_columns[lane]) * (finite_max(max) - row.max) : A(0);
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

// One row in the registers of the threads that share it, `lanes` of which this is number `lane`.
template <typename T, typename A, int V, int LANES, int ITEMS>
__device__ __forceinline__ void row_in_registers(A* losses, T* dlogits, const T* logits, const long long* targets,
                                                 A mean, long long* errors, long long row, int lane, int lanes,
                                                 bool row_exists, int classes, long long ignore_index,
                                                 double label_smoothing) {
    const long long target = row_exists ? targets[row] : ignore_index;
    const bool ignored = target == ignore_index;
    const bool in_range = target >= 0 && target < classes;
    const bool valid = !ignored && in_range;
    if (!ignored && !in_range && lane == 0) record_error(errors, ERROR_CLASS_OUT_OF_RANGE, row, target, classes);
    // Read before anything is written: dlogits may be logits, and another thread writes this element.
    const A target_logit = valid && lane == 0 ? to<A>(logits[row * classes + target]) : A(0);

    // Step i of lane l covers the V classes from (i * lanes + l) * V on, so that a warp reads neighbouring addresses.
    // Columns below are counted from the lane's first one, l * V.
    const long long first = row * classes + lane * V;
    const int stride = lanes * V, columns = row_exists ? classes - lane * V : 0;
    const int hit = static_cast<int>(target) - lane * V;
    const T* from = logits + first;
    A item[ITEMS];
#pragma unroll
    for (int i = 0, at = 0; i < ITEMS / V; ++i, at += stride, from += stride) {
        Pack<T, V> pack;
        if (at < columns) pack = load_pack<V>(from);
#pragma unroll
        for (int j = 0; j < V; ++j) item[i * V + j] = at < columns ? to<A>(pack.item[j]) : -infinity<A>();
    }

    constexpr int WIDTH = LANES ? LANES : 32;
    RowSums<A> mine;
    mine.max = item[0];
#pragma unroll
    for (int i = 1; i < ITEMS; ++i) mine.max = Max()(mine.max, item[i]);
    mine.max = warp_reduce<WIDTH>(mine.max, Max());
    const A subtracted = finite_max(mine.max);
    mine.exp = mine.linear = A(0);
    int count = 0;
    if (label_smoothing != 0.0) {
#pragma unroll
        for (int i = 0, at = 0; i < ITEMS / V; ++i, at += stride) {
            if (at >= columns) continue;
            count += V;
#pragma unroll
            for (int j = 0; j < V; ++j) mine.linear += item[i * V + j] - subtracted;
        }
        mine.linear = warp_reduce<WIDTH>(mine.linear, Add());
        if (LANES == 0) count = warp_reduce<32>(count, Add());
    }
#pragma unroll
    for (int i = 0; i < ITEMS; ++i) {
        item[i] = exp(item[i] - subtracted);  // 0 past the row's end
        mine.exp += item[i];
    }
    mine.exp = warp_reduce<WIDTH>(mine.exp, Add());

    RowSums<A> all = mine;
    if constexpr (LANES == 0) all = join_warps(mine, count);
    if (!row_exists) return;

    const A smoothing = A(label_smoothing);
    if (lane == 0)
        losses[row] = ignored ? A(0)
                      : valid ? row_loss(all, target_logit, smoothing, A(classes))
                              : infinity<A>() - infinity<A>();
    if (dlogits == nullptr) return;
    const A factor = valid ? mean : A(0);
    // exp(x - mine.max) becomes exp(x - all.max) / all.exp.
    const A normalise = exp(mine.max - all.max) / all.exp;
    const A others = smoothing / A(classes), own = A(1) - smoothing;
    T* into = dlogits + first;
#pragma unroll
    for (int i = 0, at = 0; i < ITEMS / V; ++i, at += stride, into += stride) {
        if (at >= columns) continue;
        Pack<T, V> pack;
#pragma unroll
        for (int j = 0; j < V; ++j) {
            const A expected = others + (at + j == hit ? own : A(0));
            pack.item[j] = to<T>(valid ? factor * (item[i * V + j] * normalise - expected) : A(0));
        }
        store_pack<V>(into, pack);
    }
}

}  // namespace

// Rows in registers: at most ITEMS classes for each of the threads that share one.
// LANES = 8 or 32: so many lanes a row, 256 / LANES rows at a time in a block of 256. LANES = 0: one row a block, of any
// number of whole warps. total, not null only for LANES > 0 and one block: the sum of all losses times the scale.
// V: elements an access; V > 1 needs rows that are multiples of V elements and arrays aligned to V elements.
template <typename T, typename A, int V, int LANES, int ITEMS>
__global__ void __launch_bounds__(LANES ? 256 : 1024, LANES ? (ITEMS > 8 ? 2 : 4) : 1)
    softmax_ce(A* losses, T* dlogits, const T* logits, const long long* __restrict__ targets,
               const A* __restrict__ scale, long long* errors, long long rows, int classes, long long ignore_index,
               double label_smoothing, bool count, T* total) {
    const A mean = count ? mean_factor<A>(targets, rows, ignore_index) : scale ? *scale : A(1);
    if constexpr (LANES == 0) {
        row_in_registers<T, A, V, 0, ITEMS>(losses, dlogits, logits, targets, mean, errors, blockIdx.x, threadIdx.x,
                                            blockDim.x, true, classes, ignore_index, label_smoothing);
    } else {
        constexpr int ROWS = 256 / LANES;
        for (long long first = static_cast<long long>(blockIdx.x) * ROWS; first < rows;
             first += static_cast<long long>(gridDim.x) * ROWS) {
            const long long row = first + threadIdx.x / LANES;  // idle lanes stay, because the whole warp shuffles
            row_in_registers<T, A, V, LANES, ITEMS>(losses, dlogits, logits, targets, mean, errors, row,
                                                    threadIdx.x % LANES, LANES, row < rows, classes, ignore_index,
                                                    label_smoothing);
        }
        if (total == nullptr) return;
        __syncthreads();  // every loss is written before any thread reads it
        A sum = A(0);
        for (long long row = threadIdx.x; row < rows; row += 256) sum += losses[row];
        sum = block_sum_once<256>(sum);
        if (threadIdx.x == 0) total[0] = to<T>(mean * sum);
    }
}

// Rows of any length, one block a row: one reading finds maximum and sum together (Milakov and
// Gimelshein: Online normalizer calculation for softmax, 2018), a second one writes the gradient. The first `kept`
// classes (a multiple of V) are kept in dynamic shared memory for it. A row that fits half of a multiprocessor's takes 512
// THREADS, so that one block reads while another writes; longer ones 1024 (in double 512).
template <typename T, typename A, int V, int THREADS>
__global__ void __launch_bounds__(THREADS, sizeof(A) == 8 ? 1 : 1024 / THREADS)
    softmax_ce_long(A* losses, T* dlogits, const T* logits, const long long* __restrict__ targets,
                    const A* __restrict__ scale, long long* errors, long long rows, int classes,
                    long long ignore_index, double label_smoothing, bool count_targets, int kept) {
    constexpr int STEP = THREADS * V;
    extern __shared__ __align__(16) unsigned char memory[];
    T* const near = reinterpret_cast<T*>(memory);
    const A mean = count_targets ? mean_factor<A>(targets, rows, ignore_index) : scale ? *scale : A(1);
    const long long row = blockIdx.x;
    const long long target = targets[row];
    const bool ignored = target == ignore_index;
    const bool in_range = target >= 0 && target < classes;
    const bool valid = !ignored && in_range;
    const T* x = logits + row * classes;
    // Read before the barrier in join_warps: dlogits may be logits, and another thread writes this element after it.
    const A target_logit = valid && threadIdx.x == 0 ? to<A>(x[target]) : A(0);

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
    for (int column = threadIdx.x * V; column < classes; column += 2 * STEP) {  // two loads under way
        const bool two = column + STEP < classes;
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
    const RowSums<A> all = join_warps(mine, warp_reduce<32>(count, Add()));

    const A smoothing = A(label_smoothing);
    if (threadIdx.x == 0) {
        if (!ignored && !in_range) record_error(errors, ERROR_CLASS_OUT_OF_RANGE, row, target, classes);
        losses[row] = ignored ? A(0)
                      : valid ? row_loss(all, target_logit, smoothing, A(classes))
                              : infinity<A>() - infinity<A>();
    }
    if (dlogits == nullptr) return;
    T* dx = dlogits + row * classes;
    const A factor = valid ? mean : A(0);
    const A inverse = A(1) / all.exp;
    const A others = smoothing / A(classes), own = A(1) - smoothing;
    for (int column = threadIdx.x * V; column < classes; column += STEP) {
        Pack<T, V> pack = column < kept ? load_pack<V>(near + column) : load_pack<V>(x + column);
#pragma unroll
        for (int j = 0; j < V; ++j) {
            const A expected = others + (column + j == target ? own : A(0));
            const A probability = exp(to<A>(pack.item[j]) - all.max) * inverse;
            pack.item[j] = to<T>(valid ? factor * (probability - expected) : A(0));
        }
        store_pack<V>(dx + column, pack);
    }
}

// scale[0] = 1 / number of targets that are not ignore_index: the mean's factor. One block of 1024 threads.
template <typename A>
__global__ void __launch_bounds__(1024)
    count_valid(A* scale, const long long* __restrict__ targets, long long rows, long long ignore_index) {
    long long count = 0;
    for (long long row = threadIdx.x; row < rows; row += 1024) count += targets[row] != ignore_index;
    count = block_sum_once<1024>(count);
    if (threadIdx.x == 0) scale[0] = A(1) / A(count);
}

// total[0] = scale[0] * sum(losses), in a fixed order; null scale: 1, or what `count` makes it. One block of 1024 threads.
template <typename T, typename A>
__global__ void __launch_bounds__(1024)
    scaled_sum(T* total, const A* __restrict__ losses, const A* __restrict__ scale,
               const long long* __restrict__ targets, long long rows, long long ignore_index, bool count) {
    const A mean = count ? mean_factor<A>(targets, rows, ignore_index) : scale ? *scale : A(1);
    A sum = A(0);
    for (long long row = threadIdx.x; row < rows; row += 1024) sum += losses[row];
    sum = block_sum_once<1024>(sum);
    if (threadIdx.x == 0) total[0] = to<T>(mean * sum);
}
