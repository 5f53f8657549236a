// What normalisation's kernels share: norm.cu and norm_channels.cu.
#pragma once

#include "common.cuh"

namespace {

template <typename A>
__device__ __forceinline__ A inverse_root(A variance, A eps) {
    return A(1) / sqrt(variance + eps);
}

template <typename A, typename W, int V>
__device__ __forceinline__ void load_wide(A (&wide)[V], const W* from) {
    const Pack<W, V> pack = load_pack<V>(from);
#pragma unroll
    for (int j = 0; j < V; ++j) wide[j] = to<A>(pack.item[j]);
}

// What a gradient is added to, if anything.
template <typename A, typename T, int V>
__device__ __forceinline__ void load_onto(A (&wide)[V], const T* onto, long long at) {
#pragma unroll
    for (int j = 0; j < V; ++j) wide[j] = A(0);
    if (onto) load_wide<A, T, V>(wide, onto + at);
}

// Running statistics of a channel move by a share towards a batch's.
template <typename A>
__device__ __forceinline__ void move(A* running_mean, A* running_var, int channel, A mean, A variance, A share,
                                     A correction) {
    running_mean[channel] = (A(1) - share) * running_mean[channel] + share * mean;
    running_var[channel] = (A(1) - share) * running_var[channel] + share * correction * variance;
}

}  // namespace
