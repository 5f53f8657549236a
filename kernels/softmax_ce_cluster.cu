// Softmax cross-entropy of rows that are too long for one multiprocessor's shared memory: the BLOCKS of a cluster share a
// row, so that each logit is read once, and the rest is as in softmax_ce.cu. [sm_90: clusters]
//
// Each block keeps its part of the row in shared memory while it finds the part's maximum and sums, reads those of the
// others where these lie, and joins them in the order of the blocks; then it writes its part of the gradient. Two blocks
// fit a multiprocessor, of different rows or of one, so that one reads while another writes.
#include "cluster.cuh"
#include "softmax_ce.cuh"

namespace {

// The row's sums from those of the cluster's blocks; `columns`: of the block whose number is this thread's, modulo BLOCKS.
template <int BLOCKS>
__device__ __forceinline__ RowSums<float> join_blocks(const RowSums<float>& mine, int columns) {
    float numbers[3] = {mine.max, mine.exp, mine.linear};
    exchange<BLOCKS>(numbers);
    const float max = numbers[0], sum = numbers[1], linear = numbers[2];
    RowSums<float> row;
    row.max = warp_reduce<BLOCKS>(max, Max());
    row.exp = warp_reduce<BLOCKS>(sum * exp(max - finite_max(row.max)), Add());
    row.linear = warp_reduce<BLOCKS>(linear + columns * (finite_max(max) - finite_max(row.max)), Add());
    return row;
}

}  // namespace

// Grid: rows * BLOCKS; block: 512. Each block has `share` classes, a multiple of V, of which the first `kept`, too, are in
// dynamic shared memory; in the last blocks there may be fewer, or none.
template <typename T, int V, int BLOCKS>
__global__ void __cluster_dims__(BLOCKS, 1, 1) __launch_bounds__(512, 2)
    softmax_ce_cluster(float* losses, T* dlogits, const T* logits, const long long* __restrict__ targets,
                       const float* __restrict__ scale, long long* errors, long long rows, int classes,
                       long long ignore_index, double label_smoothing, bool count_targets, int share, int kept) {
    extern __shared__ __align__(16) unsigned char memory[];
    const float mean = count_targets ? mean_factor<float>(targets, rows, ignore_index) : scale ? *scale : 1.0f;
    auto first = [&](long long rank) { return part_begin(rank, share, classes); };
    const int rank = cluster_rank(), other = threadIdx.x % BLOCKS;
    walk_row<T, float, V, 512>(losses, dlogits, logits, targets, mean, errors, blockIdx.x / BLOCKS, classes, first(rank),
                               first(rank + 1), rank == 0, ignore_index, label_smoothing, kept,
                               reinterpret_cast<T*>(memory), [&](const RowSums<float>& block) {
                                   return join_blocks<BLOCKS>(block, first(other + 1) - first(other));
                               });
}
