// Negative log-likelihood of classes, from log-probabilities [rows, classes] and class indices [rows].
//
// Fused: the targets' checks, the look-up, class weights, and the mean over the weights, which apart are a dozen passes
// over short arrays. With w the weight of a row's class, 1 without weights, and 0 for rows whose target is ignore_index:
//     loss[row] = -w log_p[row, target],  their sum times scale,  scale = 1 / sum(w) for a mean, else 1
// One number of each row is read: what limits it is the time of a launch. A target that is no class is recorded in
// `errors`, and its row has loss NaN and gradient 0. Sums have a fixed order.
#include "common.cuh"

namespace {

struct Target {
    long long column;
    bool counts, valid;
};

__device__ __forceinline__ Target target_of(const long long* targets, long long row, int classes,
                                            long long ignore_index) {
    Target target;
    target.column = targets[row];
    target.counts = target.column != ignore_index;
    target.valid = target.counts && target.column >= 0 && target.column < classes;
    return target;
}

template <typename T, typename A>
__device__ __forceinline__ A weight_of(const T* weight, const Target& target) {
    return !target.valid ? A(0) : weight ? to<A>(weight[target.column]) : A(1);
}

template <typename T, typename A>
__device__ __forceinline__ A loss_of(const T* log_p, const Target& target, A weight, long long row, int classes,
                                     long long* errors) {
    if (target.valid) return -to<A>(log_p[row * classes + target.column]) * weight;
    if (target.counts) record_error(errors, ERROR_CLASS_OUT_OF_RANGE, row, target.column, classes);
    return target.counts ? infinity<A>() - infinity<A>() : A(0);
}

}  // namespace

// One thread for each row.
template <typename T, typename A>
__global__ void __launch_bounds__(256)
    nll_rows(T* losses, const T* __restrict__ log_p, const long long* __restrict__ targets,
             const T* __restrict__ weight, long long* errors, long long rows, int classes, long long ignore_index) {
    const long long row = grid_index();
    if (row >= rows) return;
    const Target target = target_of(targets, row, classes, ignore_index);
    losses[row] = to<T>(loss_of(log_p, target, weight_of<T, A>(weight, target), row, classes, errors));
}

// total = scale * sum of all rows' losses. One block of 1024 threads.
template <typename T, typename A>
__global__ void __launch_bounds__(1024, 1)
    nll_total(T* total, A* scale, const T* __restrict__ log_p, const long long* __restrict__ targets,
              const T* __restrict__ weight, long long* errors, long long rows, int classes, long long ignore_index,
              bool mean) {
    __shared__ A shared[32];
    A sum = A(0), weights = A(0);
#pragma unroll 4
    for (long long row = threadIdx.x; row < rows; row += 1024) {
        const Target target = target_of(targets, row, classes, ignore_index);
        const A own = weight_of<T, A>(weight, target);
        weights += own;
        sum += loss_of(log_p, target, own, row, classes, errors);
    }
    sum = block_reduce(sum, A(0), Add(), shared);
    weights = block_reduce(weights, A(0), Add(), shared);
    if (threadIdx.x == 0) {
        total[0] = to<T>(mean ? sum / weights : sum);
        scale[0] = mean ? A(1) / weights : A(1);
    }
}

// dlog_p: -g w scale at the target, else 0. g has one number for each row, or one for all; a null scale is 1. One thread
// for each element.
template <typename T, typename A>
__global__ void __launch_bounds__(256)
    nll_grad(T* dlog_p, const T* __restrict__ g, const A* __restrict__ scale, const long long* __restrict__ targets,
             const T* __restrict__ weight, long long rows, int classes, long long ignore_index, bool each) {
    const long long index = grid_index();
    if (index >= rows * classes) return;
    const long long row = index / classes;
    const Target target = target_of(targets, row, classes, ignore_index);
    A value = A(0);
    if (target.valid && index - row * classes == target.column)
        value = -to<A>(g[each ? row : 0]) * weight_of<T, A>(weight, target) * (scale ? *scale : A(1));
    dlog_p[index] = to<T>(value);
}
