// What normalisation's kernels share: norm.cu and norm_channels.cu.
#pragma once

#include "pointwise.cuh"

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

// What follows a batch norm, if anything: y + onto, and ReLU. Each step is rounded to the numbers' type like that of a
// kernel of its own, and the sum is not joined with a product before it: so the results have the bits of the separate
// kernels.
__device__ __forceinline__ float rounded_sum(float a, float b) { return __fadd_rn(a, b); }
__device__ __forceinline__ double rounded_sum(double a, double b) { return __dadd_rn(a, b); }

template <typename A, typename T, int V>
__device__ __forceinline__ void add_onto(Pack<T, V>& y, const Pack<T, V>& onto) {
#pragma unroll
    for (int j = 0; j < V; ++j) y.item[j] = to<T>(rounded_sum(to<A>(y.item[j]), to<A>(onto.item[j])));
}

template <typename A, typename T, int V>
__device__ __forceinline__ void rectify(Pack<T, V>& y) {
#pragma unroll
    for (int j = 0; j < V; ++j) y.item[j] = to<T>(Relu()(to<A>(y.item[j])));
}

// The gradient before that ReLU, from the one after it and the ReLU's result, in place.
template <typename A, typename T, int V>
__device__ __forceinline__ void rectify_grad(Pack<T, V>& g, const Pack<T, V>& y) {
#pragma unroll
    for (int j = 0; j < V; ++j) g.item[j] = to<T>(ReluGrad()(to<A>(g.item[j]), to<A>(y.item[j])));
}

// V gradients of what a norm gives: of g, before the ReLU whose result is y, unless that is null.
template <typename A, typename T, int V>
__device__ __forceinline__ void load_gradient(A (&wide)[V], const T* g, const T* y, long long at) {
    Pack<T, V> pack = load_pack<V>(g + at);
    if (y) rectify_grad<A>(pack, load_pack<V>(y + at));
#pragma unroll
    for (int j = 0; j < V; ++j) wide[j] = to<A>(pack.item[j]);
}

// Running statistics of a channel move by a share towards a batch's.
template <typename A>
__device__ __forceinline__ void move(A* running_mean, A* running_var, int channel, A mean, A variance, A share,
                                     A correction) {
    running_mean[channel] = (A(1) - share) * running_mean[channel] + share * mean;
    running_var[channel] = (A(1) - share) * running_var[channel] + share * correction * variance;
}

}  // namespace
