// What training loops do with all gradients at once: their norm, clipping by it, and the loss scale of mixed precision.
//
// Fused: the norm of hundreds of tensors is one read of each and a number for each block; the second launch adds these
// up, in the order of the blocks, and scales, so that clipping takes two launches and the host reads nothing. Removing
// the loss scale and looking for infinities is one read and one write. All limited by memory.
//
// T: gradients; A: arithmetic. A grid of at most 1,024 blocks takes the pieces of the tensors (table.cuh) in turn; how
// sums are formed depends on the tensors' sizes alone.
#include "table.cuh"

namespace {

constexpr int THREADS = 256;

// Of the order 2 the squares are added up, of 1 the absolute values; of 0, which stands for infinity, it is the largest.
// A NaN stays one.
template <typename A>
struct Join {
    int order;
    __device__ __forceinline__ A operator()(A a, A b) const { return order ? a + b : (a > b || a != a) ? a : b; }
    __device__ __forceinline__ A term(A x) const { return order == 2 ? x * x : fabs(x); }
    __device__ __forceinline__ A result(A sum) const { return order == 2 ? sqrt(sum) : sum; }
};

// Over the block; every thread gets it. `shared` has 8 numbers.
template <typename A>
__device__ __forceinline__ A block_join(A value, const Join<A>& join, A* shared) {
    value = warp_reduce<32>(value, join);
    if (threadIdx.x % 32 == 0) shared[threadIdx.x / 32] = value;
    __syncthreads();  // every warp's number is written before any thread joins them
    A all = shared[0];
#pragma unroll
    for (int warp = 1; warp < THREADS / 32; ++warp) all = join(all, shared[warp]);
    return all;
}

template <typename T, typename A>
struct Terms {
    const T* from;
    Join<A> join;
    A* sum;
    template <int N>
    __device__ __forceinline__ void operator()(long long i) const {
        const Pack<T, N> pack = load_pack<N>(from + i);
#pragma unroll
        for (int j = 0; j < N; ++j) *sum = join(*sum, join.term(to<A>(pack.item[j])));
    }
};

template <typename T, typename A>
struct Scale {
    T* at;
    A factor;
    bool* infinite;
    template <int N>
    __device__ __forceinline__ void operator()(long long i) const {
        Pack<T, N> pack = load_pack<N>(at + i);
#pragma unroll
        for (int j = 0; j < N; ++j) {
            const A x = to<A>(pack.item[j]);
            if (infinite != nullptr) *infinite |= !(fabs(x) < infinity<A>());
            pack.item[j] = to<T>(x * factor);
        }
        store_pack<N>(at + i, pack);
    }
};

// What the norms' blocks have found, joined; every thread gets the norm.
template <typename A>
__device__ __forceinline__ A norm_of(const A* __restrict__ found, int count, const Join<A>& join, A* shared) {
    A sum = A(0);
    for (int i = threadIdx.x; i < count; i += THREADS) sum = join(sum, found[i]);
    return join.result(block_join(sum, join, shared));
}

}  // namespace

// found[b]: the terms of the pieces that the b-th block takes.
template <typename T, typename A, int MOST>
__global__ void __launch_bounds__(THREADS)
    norm_pieces(const __grid_constant__ Table<1, MOST> table, A* found, int pieces, int order) {
    __shared__ A shared[THREADS / 32];
    const Join<A> join{order};
    A sum = A(0);
    for (int number = blockIdx.x; number < pieces; number += gridDim.x) {
        const Piece piece = piece_of(table, number);
        const Terms<T, A> terms{static_cast<const T*>(table.pointer[0][piece.tensor]), join, &sum};
        for_each_pack<THREADS, 16 / sizeof(T)>(piece, aligned(table, piece.tensor), terms);
    }
    sum = block_join(sum, join, shared);
    if (threadIdx.x == 0) found[blockIdx.x] = sum;
}

// norm[0] from what norm_pieces has found. One block.
template <typename A>
__global__ void __launch_bounds__(THREADS) norm_finish(A* norm, const A* __restrict__ found, int count, int order) {
    __shared__ A shared[THREADS / 32];
    const A result = norm_of(found, count, Join<A>{order}, shared);
    if (threadIdx.x == 0) norm[0] = result;
}

// The same in each block; then all gradients are multiplied by min(1, most / (norm + 1e-6)).
template <typename T, typename A, int MOST>
__global__ void __launch_bounds__(THREADS)
    clip_pieces(const __grid_constant__ Table<1, MOST> table, A* norm, const A* __restrict__ found, int count,
                int pieces, int order, A most) {
    __shared__ A shared[THREADS / 32];
    const A result = norm_of(found, count, Join<A>{order}, shared);
    if (blockIdx.x == 0 && threadIdx.x == 0) norm[0] = result;
    A factor = most / (result + A(1e-6));
    factor = factor > A(1) ? A(1) : factor;  // NaN stays NaN
    for (int number = blockIdx.x; number < pieces; number += gridDim.x) {
        const Piece piece = piece_of(table, number);
        const Scale<T, A> scale{static_cast<T*>(table.pointer[0][piece.tensor]), factor, nullptr};
        for_each_pack<THREADS, 16 / sizeof(T)>(piece, aligned(table, piece.tensor), scale);
    }
}

// All gradients times one number in device memory.
template <typename T, typename A, int MOST>
__global__ void __launch_bounds__(THREADS)
    scale_pieces(const __grid_constant__ Table<1, MOST> table, const A* __restrict__ factor, int pieces) {
    for (int number = blockIdx.x; number < pieces; number += gridDim.x) {
        const Piece piece = piece_of(table, number);
        const Scale<T, A> scale{static_cast<T*>(table.pointer[0][piece.tensor]), factor[0], nullptr};
        for_each_pack<THREADS, 16 / sizeof(T)>(piece, aligned(table, piece.tensor), scale);
    }
}

// All gradients divided by the loss scale. found[b]: 1 if the b-th block has seen an infinity or NaN, else 0.
template <typename T, typename A, int MOST>
__global__ void __launch_bounds__(THREADS)
    unscale_pieces(const __grid_constant__ Table<1, MOST> table, float* found, const float* __restrict__ loss_scale,
                   int pieces) {
    const A factor = A(1) / A(loss_scale[0]);
    bool infinite = false;
    for (int number = blockIdx.x; number < pieces; number += gridDim.x) {
        const Piece piece = piece_of(table, number);
        const Scale<T, A> scale{static_cast<T*>(table.pointer[0][piece.tensor]), factor, &infinite};
        for_each_pack<THREADS, 16 / sizeof(T)>(piece, aligned(table, piece.tensor), scale);
    }
    const int any = __syncthreads_or(infinite);
    if (threadIdx.x == 0) found[blockIdx.x] = any ? 1.f : 0.f;
}

// The loss scale after a step: it shrinks when something was infinite, and grows after `interval` good steps in a row,
// unless that would be infinite.
__global__ void __launch_bounds__(32)
    move_loss_scale(float* scale, int* good_steps, const float* __restrict__ found, double growth, double backoff,
                    int interval) {
    if (threadIdx.x) return;
    const float now = scale[0];
    if (found[0] != 0.f) {
        scale[0] = static_cast<float>(now * backoff);
        good_steps[0] = 0;
        return;
    }
    const int good = good_steps[0] + 1;
    const float grown = static_cast<float>(now * growth);
    if (good == interval && grown < infinity<float>()) scale[0] = grown;
    good_steps[0] = good == interval ? 0 : good;
}
