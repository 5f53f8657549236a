// What is done with the sums of a product or a convolution before they are stored, so that no pass over the result is
// needed for it: the bias, a batch norm by running statistics, the sum with what is there already (a residual, or a
// gradient), an activation; in this order.
//
// Each step is rounded to the result's type like that of a kernel of its own, and files with an epilogue are built with
// -fmad=false as pointwise.cu is: so the results have the bits of the separate kernels, and nobody sees what was joined.
// The sums themselves are added with multiply_add.
//
// Which steps there are is the same for a whole launch. The functions are long, and a thread has up to 128 results in
// registers: so they do not stand beside each of these. Half types pass through shared memory on their way out; there
// each thread walks over its chunks, in a loop. Of float it walks over what it has just stored, which is in the cache.
#pragma once

#include "pointwise.cuh"

// As in gpunet/ops/epilogue.py.
enum Activation { ACTIVATION_NONE, ACTIVATION_RELU, ACTIVATION_GELU, ACTIVATION_GELU_TANH, ACTIVATION_SILU };

__device__ __forceinline__ float multiply_add(float a, float b, float c) { return fmaf(a, b, c); }
__device__ __forceinline__ double multiply_add(double a, double b, double c) { return fma(a, b, c); }

namespace {

// NaN goes through all of them. In double there is ReLU alone: the others are long programs there.
template <typename A>
__device__ __forceinline__ A activated(A x, int activation) {
    if (activation == ACTIVATION_RELU) return Relu()(x);
    if constexpr (sizeof(A) == 4) {
        if (activation == ACTIVATION_GELU) return Gelu()(x);
        if (activation == ACTIVATION_GELU_TANH) return GeluTanh()(x);
        if (activation == ACTIVATION_SILU) return Silu()(x);
    }
    return x;
}

// Whether an activation is too long to stand beside each result in registers.
__device__ __forceinline__ bool is_long(int activation) { return activation > ACTIVATION_RELU; }

// N results that were rounded to their type, in place.
template <typename A = float, int N, typename T>
__device__ __forceinline__ void activate(Pack<T, N>& pack, int activation) {
    auto by = [&](auto function) {
#pragma unroll
        for (int v = 0; v < N; ++v) pack.item[v] = to<T>(function(to<A>(pack.item[v])));
    };
    if (activation == ACTIVATION_RELU) by(Relu());
    if constexpr (sizeof(A) == 4) {
        if (activation == ACTIVATION_GELU) by(Gelu());
        if (activation == ACTIVATION_GELU_TANH) by(GeluTanh());
        if (activation == ACTIVATION_SILU) by(Silu());
    }
}

// The chunks of EACH results that a thread has staged in shared memory, in place; staged(i): where the i-th is. In a loop, so
// that a long activation stands there once.
template <int CHUNKS, int EACH = 8, typename Staged>
__device__ __forceinline__ void activate_staged(Staged staged, int activation) {
    if (activation == ACTIVATION_NONE) return;
#pragma unroll 1
    for (int i = 0; i < CHUNKS; ++i) {
        auto pack = load_pack<EACH>(staged(i));
        activate(pack, activation);
        store_pack<EACH>(staged(i), pack);
    }
}

// `count` of N neighbouring elements, all of them by one access where they are `whole`; the others are 0.
template <int N, typename T>
__device__ __forceinline__ Pack<T, N> load_some(const T* from, bool whole, int count) {
    if (whole) return load_pack<N>(from);
    Pack<T, N> pack = {};
#pragma unroll
    for (int v = 0; v < N; ++v)
        if (v < count) pack.item[v] = from[v];
    return pack;
}
template <int N, typename T>
__device__ __forceinline__ void store_some(T* to_memory, const Pack<T, N>& pack, bool whole, int count) {
    if (whole) {
        store_pack<N>(to_memory, pack);
        return;
    }
#pragma unroll
    for (int v = 0; v < N; ++v)
        if (v < count) to_memory[v] = pack.item[v];
}

// One result: its sum, bias included; what is there, or null; where the value before the activation is kept, or null.
template <typename T, typename A>
__device__ __forceinline__ T finished(A sum, const T* there, T* kept, int activation) {
    T value = to<T>(sum);
    if (there) value = to<T>(to<A>(value) + to<A>(*there));
    if (kept) *kept = value;
    return activation == ACTIVATION_NONE ? value : to<T>(activated(to<A>(value), activation));
}

}  // namespace

// What follows a convolution: the vectors of a batch norm, a feature's numbers, all null without one, of which scale and
// shift may be null, too; what the result is added to, or null, which lies in memory like the result; an activation.
// W: of the vectors, unless they are `wide`, which is of A: autocast's, whose images are of half types. Said when a launch
// begins, since they are read once for each feature of a tile.
template <typename T, typename A, typename W = T>
struct After {
    const W *mean, *variance, *scale, *shift;
    const T* onto;
    A eps;
    int activation, wide;

    __device__ __forceinline__ A number(const W* vector, int feature) const {
        if constexpr (sizeof(W) < sizeof(A)) {
            if (wide) return reinterpret_cast<const A*>(vector)[feature];
        }
        return to<A>(vector[feature]);
    }
    // A feature's result of a value is value * factor + offset.
    __device__ __forceinline__ void of_feature(int feature, A& factor, A& offset) const {
        factor = A(1);
        offset = A(0);
        if (mean) {
            factor = A(1) / sqrt(number(variance, feature) + eps);
            if (scale) factor *= number(scale, feature);
            offset = (shift ? number(shift, feature) : A(0)) - number(mean, feature) * factor;
        }
    }
    // Before what it is added to, and the activation. sum: with the bias.
    __device__ __forceinline__ T normalized(A sum, A factor, A offset) const {
        const T value = to<T>(sum);
        return mean ? to<T>(to<A>(value) * factor + offset) : value;
    }
};
