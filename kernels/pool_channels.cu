// Pooling of images in channels last: what pool.cu does, with its bits, of [N, H, W, C] in memory.
//
// One thread for V neighbouring channels of a result, which takes what it needs by reading, so that nothing is added by
// atomics; lanes run along the channels, and what overlapping windows read again comes from the L1. Limited by memory.
// No division inside loops, and those before them are products (Divisor).
//
// V = 1, or as many elements as 16 bytes hold: then V divides C, and arrays start at such. Arrays have fewer than 2^31
// elements. Block: 256; grid: one thread for each V elements of the result.
#include "pool.cuh"

// Of the result: packs of V channels in a place, and its sizes.
struct Places {
    Divisor packs, width, height;
};

namespace {

template <int V>
struct Element {
    int image, place[3], channel, channels;  // the place as pool.cuh has it, in three dimensions
    bool there;

    __device__ __forceinline__ Element(const Places& of, int count) {
        const unsigned int index = blockIdx.x * 256u + threadIdx.x;
        there = index < static_cast<unsigned int>(count);
        const unsigned int line = of.packs(index), row = of.width(line);
        channel = static_cast<int>(index - line * of.packs.value) * V;
        channels = static_cast<int>(of.packs.value) * V;
        image = static_cast<int>(of.height(row));
        place[0] = 0;
        place[1] = static_cast<int>(row - image * of.height.value);
        place[2] = static_cast<int>(line - row * of.width.value);
    }
    // Where the first of the V channels of place 0 of this image is, of images of `places` places.
    __device__ __forceinline__ long long start(int places) const {
        return static_cast<long long>(image) * places * channels + channel;
    }
};

}  // namespace

// out: the largest element of each window, NaN if it has one. indices: its place in the image, that of the first of
// equal ones and of the last NaN. Each may be null.
template <typename T, typename A, int V>
__global__ void __launch_bounds__(256, 3)
    max_pool_channels(T* out, long long* indices, const T* __restrict__ x, const Windows at, const Places of, int count) {
    const Element<V> my(of, count);
    if (!my.there) return;
    const T* const image = x + my.start(at.size[1] * at.size[2]);
    A best[V];
    int first[V];
#pragma unroll
    for (int v = 0; v < V; ++v) {
        best[v] = -infinity<A>();
        first[v] = -1;
    }
    for_each_tap<1>(at, my.place, [&](int tap) {
        A value[V];
        load_as<A, V>(value, image + static_cast<long long>(tap) * my.channels);
#pragma unroll
        for (int v = 0; v < V; ++v) {
            if (first[v] < 0 || value[v] > best[v] || value[v] != value[v]) {
                best[v] = best[v] != best[v] ? best[v] : value[v];
                first[v] = tap;
            }
        }
        return true;
    });
    const long long result = my.start(at.out[1] * at.out[2])
                             + static_cast<long long>(my.place[1] * at.out[2] + my.place[2]) * my.channels;
    if (out) store_as<V>(out + result, best);
    if (indices) {
#pragma unroll
        for (int v = 0; v < V; ++v) indices[result + v] = first[v];
    }
}

// dx = the gradients of the windows whose largest element this is: of equal ones the first, as in max_pool_channels.
template <typename T, typename A, int V>
__global__ void __launch_bounds__(256, 3)
    max_pool_channels_grad(T* dx, const T* __restrict__ g, const T* __restrict__ x, const T* __restrict__ y,
                           const Windows at, const Places of, int count) {
    const Element<V> my(of, count);
    if (!my.there) return;
    const T* const image = x + my.start(at.size[1] * at.size[2]);
    const long long windows = my.start(at.out[1] * at.out[2]);
    const int own = my.place[1] * at.size[2] + my.place[2];
    Pack<T, V> value = load_pack<V>(image + static_cast<long long>(own) * my.channels);
    A sum[V];
#pragma unroll
    for (int v = 0; v < V; ++v) sum[v] = A(0);
    for_each_window<1>(at, my.place, [&](int number, const int (&window)[3]) {
        const long long place = windows + static_cast<long long>(number) * my.channels;
        const Pack<T, V> largest = load_pack<V>(y + place);
        unsigned int first = 0;  // the channels of which this may be the first that is not smaller
#pragma unroll
        for (int v = 0; v < V; ++v)
            if (!(to<A>(value.item[v]) < to<A>(largest.item[v]))) first |= 1u << v;
        if (!first) return;
        for_each_tap<1>(at, window, [&](int tap) {
            if (tap == own) return false;
            const Pack<T, V> before = load_pack<V>(image + static_cast<long long>(tap) * my.channels);
#pragma unroll
            for (int v = 0; v < V; ++v)
                if (!(to<A>(before.item[v]) < to<A>(largest.item[v]))) first &= ~(1u << v);
            return first != 0;
        });
        if (!first) return;
        const Pack<T, V> gradient = load_pack<V>(g + place);
#pragma unroll
        for (int v = 0; v < V; ++v)
            if (first >> v & 1u) sum[v] += to<A>(gradient.item[v]);
    });
    store_as<V>(dx + my.start(at.size[1] * at.size[2]) + static_cast<long long>(own) * my.channels, sum);
}

// The mean of each window. include_pad: whether places in the padding count. divisor: instead, if not 0.
template <typename T, typename A, int V>
__global__ void __launch_bounds__(256, 3)
    avg_pool_channels(T* out, const T* __restrict__ x, const Windows at, bool include_pad, int divisor,
                      const Places of, int count) {
    const Element<V> my(of, count);
    if (!my.there) return;
    const T* const image = x + my.start(at.size[1] * at.size[2]);
    A sum[V];
#pragma unroll
    for (int v = 0; v < V; ++v) sum[v] = A(0);
    for_each_tap<1>(at, my.place, [&](int tap) {
        A value[V];
        load_as<A, V>(value, image + static_cast<long long>(tap) * my.channels);
#pragma unroll
        for (int v = 0; v < V; ++v) sum[v] += value[v];
        return true;
    });
    const A by = A(share<1>(at, my.place, include_pad, divisor));
#pragma unroll
    for (int v = 0; v < V; ++v) sum[v] /= by;
    store_as<V>(out + my.start(at.out[1] * at.out[2])
                    + static_cast<long long>(my.place[1] * at.out[2] + my.place[2]) * my.channels,
                sum);
}

// dx = the sum of g / divisor over the windows that have the element.
template <typename T, typename A, int V>
__global__ void __launch_bounds__(256, 3)
    avg_pool_channels_grad(T* dx, const T* __restrict__ g, const Windows at, bool include_pad, int divisor,
                           const Places of, int count) {
    const Element<V> my(of, count);
    if (!my.there) return;
    const long long windows = my.start(at.out[1] * at.out[2]);
    A sum[V];
#pragma unroll
    for (int v = 0; v < V; ++v) sum[v] = A(0);
    for_each_window<1>(at, my.place, [&](int number, const int (&window)[3]) {
        A gradient[V];
        load_as<A, V>(gradient, g + windows + static_cast<long long>(number) * my.channels);
        const A by = A(share<1>(at, window, include_pad, divisor));
#pragma unroll
        for (int v = 0; v < V; ++v) sum[v] += gradient[v] / by;
    });
    const int own = my.place[1] * at.size[2] + my.place[2];
    store_as<V>(dx + my.start(at.size[1] * at.size[2]) + static_cast<long long>(own) * my.channels, sum);
}
