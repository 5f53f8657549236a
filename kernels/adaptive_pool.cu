// Adaptive pooling: the means, or the largest elements, of windows that are laid out so that a given number of them covers
// each dimension; forward and backward. Window i of o in n elements reaches from floor(i n / o) to ceil((i + 1) n / o): windows overlap
// where o does not divide n, and have different sizes.
//
// Arrays are [images, size..., channels] in memory: images in channels last; planes are images of one channel. One
// thread for V neighbouring channels of a result, which takes what it needs by reading, so that nothing is added by
// atomics and sums have a fixed order. Limited by memory: windows overlap by little, and what they share comes from the
// L1. Divisions are products (Divisor).
//
// V = 1, or as many elements as 16 bytes hold: then V divides the channels, and arrays start at such. Arrays have fewer
// than 2^31 elements, and so has a dimension's size times its windows. Block: 256; grid: a thread for each V elements of
// the result.
#include "common.cuh"

// For each dimension, of which those that are missing come first with size 1: its size and its number of windows. Packs
// of channels.
struct Adaptive {
    Divisor size[3], out[3], packs;
};

namespace {

// This thread's place in the result, whose sizes are `of`.
template <int V>
struct Element {
    unsigned int image, place[3], channel, channels;
    bool there;

    __device__ __forceinline__ Element(const Divisor (&of)[3], const Divisor& packs, unsigned int count) {
        unsigned int index = blockIdx.x * 256u + threadIdx.x;
        there = index < count;
        unsigned int rest = packs(index);
        channel = (index - rest * packs.value) * V;
        channels = packs.value * V;
#pragma unroll
        for (int i = 2; i >= 0; --i) {
            index = rest;
            rest = of[i](index);
            place[i] = index - rest * of[i].value;
        }
        image = rest;
    }
    // The first of the V channels of a place, in an array whose sizes are `of`.
    __device__ __forceinline__ unsigned int at(const Divisor (&of)[3], unsigned int z, unsigned int y,
                                               unsigned int x) const {
        return (((image * of[0].value + z) * of[1].value + y) * of[2].value + x) * channels + channel;
    }
};

// Of a dimension with `from` and `to` places on its two sides, elements and windows or the other way round, the places
// of the first side that meet place i of the second: first to last - 1.
__device__ __forceinline__ void meeting(unsigned int i, const Divisor& from, const Divisor& to, unsigned int& first,
                                        unsigned int& last) {
    first = to(i * from.value);
    last = to((i + 1) * from.value + to.value - 1);
}

// The elements of window i.
__device__ __forceinline__ unsigned int length(unsigned int i, const Divisor& size, const Divisor& out) {
    unsigned int first, last;
    meeting(i, size, out, first, last);
    return last - first;
}

// Calls visit(z, y, x) for what meets the place.
template <typename F>
__device__ __forceinline__ void for_each_meeting(const unsigned int (&place)[3], const Divisor (&from)[3],
                                                 const Divisor (&to)[3], F visit) {
    unsigned int first[3], last[3];
#pragma unroll
    for (int i = 0; i < 3; ++i) meeting(place[i], from[i], to[i], first[i], last[i]);
    for (unsigned int z = first[0]; z < last[0]; ++z)
        for (unsigned int y = first[1]; y < last[1]; ++y)
            for (unsigned int x = first[2]; x < last[2]; ++x) visit(z, y, x);
}

}  // namespace

template <typename T, typename A, int V>
__global__ void __launch_bounds__(256, 3)
    adaptive_avg_pool(T* out, const T* __restrict__ x, const Adaptive at, unsigned int count) {
    const Element<V> my(at.out, at.packs, count);
    if (!my.there) return;
    A sum[V];
#pragma unroll
    for (int v = 0; v < V; ++v) sum[v] = A(0);
    unsigned int elements = 1;
#pragma unroll
    for (int i = 0; i < 3; ++i) elements *= length(my.place[i], at.size[i], at.out[i]);
    for_each_meeting(my.place, at.size, at.out, [&](unsigned int z, unsigned int y, unsigned int x_) {
        const Pack<T, V> pack = load_pack<V>(x + my.at(at.size, z, y, x_));
#pragma unroll
        for (int v = 0; v < V; ++v) sum[v] += to<A>(pack.item[v]);
    });
#pragma unroll
    for (int v = 0; v < V; ++v) sum[v] /= A(elements);
    store_as<V>(out + my.at(at.out, my.place[0], my.place[1], my.place[2]), sum);
}

// dx = the sum of g / elements over the windows that have the element.
template <typename T, typename A, int V>
__global__ void __launch_bounds__(256, 3)
    adaptive_avg_pool_grad(T* dx, const T* __restrict__ g, const Adaptive at, unsigned int count) {
    const Element<V> my(at.size, at.packs, count);
    if (!my.there) return;
    A sum[V];
#pragma unroll
    for (int v = 0; v < V; ++v) sum[v] = A(0);
    for_each_meeting(my.place, at.out, at.size, [&](unsigned int z, unsigned int y, unsigned int x) {
        const Pack<T, V> pack = load_pack<V>(g + my.at(at.out, z, y, x));
        const A elements = A(length(z, at.size[0], at.out[0]) * length(y, at.size[1], at.out[1])
                             * length(x, at.size[2], at.out[2]));
#pragma unroll
        for (int v = 0; v < V; ++v) sum[v] += to<A>(pack.item[v]) / elements;
    });
    store_as<V>(dx + my.at(at.size, my.place[0], my.place[1], my.place[2]), sum);
}

// out: the largest element of each window, NaN if it has one; indices: its place among those of a channel, that of the
// first of equal ones and of the last NaN, as in max_pool.
template <typename T, typename A, int V>
__global__ void __launch_bounds__(256, 3)
    adaptive_max_pool(T* out, long long* indices, const T* __restrict__ x, const Adaptive at, unsigned int count) {
    const Element<V> my(at.out, at.packs, count);
    if (!my.there) return;
    A best[V];
    int first[V];
#pragma unroll
    for (int v = 0; v < V; ++v) {
        best[v] = -infinity<A>();
        first[v] = -1;
    }
    for_each_meeting(my.place, at.size, at.out, [&](unsigned int z, unsigned int y, unsigned int x_) {
        A value[V];
        load_as<A, V>(value, x + my.at(at.size, z, y, x_));
        const int place = static_cast<int>((z * at.size[1].value + y) * at.size[2].value + x_);
#pragma unroll
        for (int v = 0; v < V; ++v) {
            if (first[v] < 0 || value[v] > best[v] || value[v] != value[v]) {
                best[v] = best[v] != best[v] ? best[v] : value[v];
                first[v] = place;
            }
        }
    });
    const unsigned int result = my.at(at.out, my.place[0], my.place[1], my.place[2]);
    store_as<V>(out + result, best);
    store_as<V>(indices + result, first);
}

// dx = the sum of g over the windows whose largest element this is.
template <typename T, typename A, int V>
__global__ void __launch_bounds__(256, 3)
    adaptive_max_pool_grad(T* dx, const T* __restrict__ g, const long long* __restrict__ indices, const Adaptive at,
                           unsigned int count) {
    const Element<V> my(at.size, at.packs, count);
    if (!my.there) return;
    const long long own = (my.place[0] * at.size[1].value + my.place[1]) * at.size[2].value + my.place[2];
    A sum[V];
#pragma unroll
    for (int v = 0; v < V; ++v) sum[v] = A(0);
    for_each_meeting(my.place, at.out, at.size, [&](unsigned int z, unsigned int y, unsigned int x) {
        const unsigned int window = my.at(at.out, z, y, x);
        const Pack<T, V> pack = load_pack<V>(g + window);
        const Pack<long long, V> largest = load_pack<V>(indices + window);
#pragma unroll
        for (int v = 0; v < V; ++v)
            if (largest.item[v] == own) sum[v] += to<A>(pack.item[v]);
    });
    store_as<V>(dx + my.at(at.size, my.place[0], my.place[1], my.place[2]), sum);
}
