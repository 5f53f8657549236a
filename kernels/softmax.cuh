// What softmax.cu and softmax_cluster.cu share: what is known of a row, and what follows from it.
#pragma once

#include "common.cuh"

namespace {

// What is known of a part of a row: its largest number, and the sum of exp(x - max).
template <typename A>
struct Seen {
    A max, sum;
};

template <typename A>
struct Join {
    __device__ __forceinline__ Seen<A> operator()(const Seen<A>& a, const Seen<A>& b) const {
        const A max = Max()(a.max, b.max);
        if (max == -infinity<A>()) return {max, a.sum + b.sum};  // of nothing, or NaN, which stays
        return {max, a.sum * exp(a.max - max) + b.sum * exp(b.max - max)};
    }
};

template <typename A, int LANES = 32>
__device__ __forceinline__ Seen<A> warp_join(Seen<A> mine) {
#pragma unroll
    for (int distance = LANES / 2; distance > 0; distance /= 2)
        mine = Join<A>()(mine, {__shfl_xor_sync(0xffffffffu, mine.max, distance),
                                __shfl_xor_sync(0xffffffffu, mine.sum, distance)});
    return mine;
}

// One more number, not -infinity.
template <typename A>
__device__ __forceinline__ void see(Seen<A>& seen, A value) {
    if (value > seen.max) {
        seen.sum = seen.sum * exp(seen.max - value) + A(1);
        seen.max = value;
    } else {
        seen.sum += exp(value - seen.max);
    }
}

// A pack of them.
template <typename T, typename A, int V>
__device__ __forceinline__ void see(Seen<A>& seen, const Pack<T, V>& pack) {
    A max = seen.max;
#pragma unroll
    for (int j = 0; j < V; ++j) max = Max()(max, to<A>(pack.item[j]));
    if (max > seen.max) {
        seen.sum *= exp(seen.max - max);
        seen.max = max;
    }
    const A subtracted = seen.max == -infinity<A>() ? A(0) : seen.max;
#pragma unroll
    for (int j = 0; j < V; ++j) seen.sum += exp(to<A>(pack.item[j]) - subtracted);
}

// What the warps of a block have seen. Once in a kernel's life; every thread gets it.
template <typename A>
__device__ __forceinline__ Seen<A> block_join(Seen<A> mine) {
    __shared__ Seen<A> shared[32];
    mine = warp_join(mine);
    if (threadIdx.x % 32 == 0) shared[threadIdx.x / 32] = mine;
    __syncthreads();  // every warp's part is written before any warp joins them
    Seen<A> all = {-infinity<A>(), A(0)};
    if (threadIdx.x % 32 < blockDim.x / 32) all = shared[threadIdx.x % 32];
    return warp_join(all);
}

template <typename A>
__device__ __forceinline__ A result(A value, const Seen<A>& row, bool logarithm, A shift) {
    return logarithm ? value - row.max - shift : exp(value - row.max) * shift;
}

// What `result` needs beside the maximum: log(sum), or 1 / sum.
template <typename A>
__device__ __forceinline__ A shift_of(const Seen<A>& row, bool logarithm) {
    return logarithm ? log(row.sum) : A(1) / row.sum;
}

// What the gradient of an element adds to its row's sum, and the gradient from that sum.
template <typename A>
__device__ __forceinline__ A weight_of(A g, A y, bool logarithm) {
    return logarithm ? g : g * y;
}
template <typename A>
__device__ __forceinline__ A gradient(A g, A y, A sum, bool logarithm) {
    return logarithm ? g - exp(y) * sum : y * (g - sum);
}

}  // namespace
