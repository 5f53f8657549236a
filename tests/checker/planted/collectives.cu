// Warp collectives. All lanes that the mask names, and that have not exited, must execute the same collective with the
// same mask; the calling lane is one of them; and a lane may read only from lanes that take part.
#include <cooperative_groups.h>

__global__ void mask_without_the_caller(float* out, const float* x) {
    if (threadIdx.x < 8) out[threadIdx.x] = __shfl_sync(0x0000000fu, x[threadIdx.x], 0);  // BUG mask
}

__global__ void syncwarp_without_the_caller(float* out) {
    if (threadIdx.x < 20) __syncwarp(0x0000ffffu);  // BUG mask
    out[threadIdx.x] = 1;
}

__global__ void reads_a_lane_outside_the_mask(float* out, const float* x) {
    if (threadIdx.x < 16) out[threadIdx.x] = __shfl_sync(0x0000ffffu, x[threadIdx.x], threadIdx.x + 8);  // BUG mask
}

__global__ void one_shuffle_in_each_branch(float* out, const float* x) {
    float value = x[threadIdx.x];
    if (threadIdx.x < 8)
        value += __shfl_xor_sync(0xffffffffu, value, 1);  // OTHER
    else
        value += __shfl_xor_sync(0xffffffffu, value, 2);  // BUG mask
    out[threadIdx.x] = value;
}

// Lanes from 20 on are gone when the others add up: what they would have brought is undefined.
__global__ void sums_after_an_early_return(float* out, const float* x, int n) {
    if (threadIdx.x >= n) return;
    float sum = x[threadIdx.x];
    for (int lanes = 16; lanes > 0; lanes /= 2) sum += __shfl_down_sync(0xffffffffu, sum, lanes);  // BUG mask
    if (threadIdx.x == 0) out[0] = sum;
}

__global__ void full_mask_in_a_branch(float* out, const float* x) {
    if (x[threadIdx.x] > 0) {
        float other = __shfl_xor_sync(0xffffffffu, x[threadIdx.x], 1);  // BUG mask
        out[threadIdx.x] = other;
    }
}

// The block's second warp has 16 lanes.
__global__ void sums_a_warp_that_is_not_full(float* out, const float* x) {
    float sum = x[threadIdx.x];
    for (int lanes = 16; lanes > 0; lanes /= 2) sum += __shfl_xor_sync(0xffffffffu, sum, lanes);  // BUG mask
    out[threadIdx.x] = sum;
}

__global__ void lanes_with_different_masks(float* out, const float* x) {
    unsigned mask = threadIdx.x < 16 ? 0x0000ffffu : 0xffffffffu;
    out[threadIdx.x] = __shfl_xor_sync(mask, x[threadIdx.x], 16);  // BUG mask
}

// The lanes that end the loop first meet the others' ballot with a shuffle.
__global__ void ballot_in_a_loop_of_different_lengths(unsigned* out, const float* x, int n) {
    unsigned positive = 0;
    for (int i = threadIdx.x; i < n; i += 32)
        positive |= __ballot_sync(0xffffffffu, x[i] > 0);  // BUG mask
    out[threadIdx.x] = __shfl_sync(0xffffffffu, positive, 0);  // OTHER
}

__global__ void width_that_is_no_power_of_two(float* out, const float* x) {
    out[threadIdx.x] = __shfl_sync(0xffffffffu, x[threadIdx.x], 0, 24);  // BUG misuse
}

__global__ void reduce_in_one_branch_and_vote_in_the_other(int* out, const int* x) {
    if (threadIdx.x % 2)
        out[threadIdx.x] = __reduce_add_sync(0xffffffffu, x[threadIdx.x]);  // BUG mask
    else
        out[threadIdx.x] = __any_sync(0xffffffffu, x[threadIdx.x] > 0);  // OTHER
}

__global__ void tile_collective_by_half_a_tile(float* out, const float* x) {
    auto tile = cooperative_groups::tiled_partition<8>(cooperative_groups::this_thread_block());
    if (tile.thread_rank() < 4)
        out[threadIdx.x] = tile.shfl_xor(x[threadIdx.x], 1);  // BUG mask
    else
        tile.sync();  // OTHER
}

__global__ void sums_with_the_active_mask(int* out, const int* x) {
    int v = x[threadIdx.x];
    if (v & 1) v = 3 * v + 1;
    unsigned together = __activemask();  // BUG mask
    for (int o = 16; o > 0; o /= 2) v += __shfl_xor_sync(together, v, o);  // OTHER
    if (threadIdx.x == 0) *out = v;
}

__global__ void takes_the_active_mask_for_a_barrier(int* out, const int* x) {
    __shared__ int parts[32];
    parts[threadIdx.x] = x[threadIdx.x];  // OTHER
    __syncwarp(__activemask());
    out[threadIdx.x] = parts[31 - threadIdx.x];  // BUG race
}
