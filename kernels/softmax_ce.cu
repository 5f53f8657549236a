// Softmax cross-entropy, forward and backward in one pass.
//
// Fused: the row's maximum, its sum of exponentials, the loss and the gradient with respect to the logits. Apart,
// these are five kernels and five trips of [rows, classes] through device memory; together one read and one write.
// A row lives in the registers of the threads that share it, as exp(x - max), from which the gradient needs only one
// product per element. Rows too long for that are read twice, the second time from shared memory as far as it goes
// (softmax_ce_cluster.cu: of several multiprocessors).
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
#include "softmax_ce.cuh"

namespace {

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

// Rows of any length, one block a row. The first `kept` classes (a multiple of V) are kept in dynamic shared memory. A row
// that fits half of a multiprocessor's takes 512 THREADS, so that one block reads while another writes; longer ones 1024
// (in double 512).
template <typename T, typename A, int V, int THREADS>
__global__ void __launch_bounds__(THREADS, sizeof(A) == 8 ? 1 : 1024 / THREADS)
    softmax_ce_long(A* losses, T* dlogits, const T* logits, const long long* __restrict__ targets,
                    const A* __restrict__ scale, long long* errors, long long rows, int classes,
                    long long ignore_index, double label_smoothing, bool count_targets, int kept) {
    extern __shared__ __align__(16) unsigned char memory[];
    const A mean = count_targets ? mean_factor<A>(targets, rows, ignore_index) : scale ? *scale : A(1);
    walk_row<T, A, V, THREADS>(losses, dlogits, logits, targets, mean, errors, blockIdx.x, classes, 0, classes, true,
                               ignore_index, label_smoothing, kept, reinterpret_cast<T*>(memory),
                               [](const RowSums<A>& block) { return block; });
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
