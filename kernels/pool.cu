// Pooling of images in 1 to 3 dimensions: the largest element, or the mean, of each window; forward and backward.
//
// One thread for each result, which takes what it needs by reading: a window's elements forward, and backward what the
// windows that an element lies in have for it. So nothing is added by atomics, every result has one writer, and sums
// have a fixed order: that of the taps. Limited by memory: neighbouring threads have neighbouring results, and what
// overlapping windows read again comes from the L1.
//
// Arrays are [planes, size...]. Dimensions that are missing come first, with size 1 and one tap. No division inside
// loops: where an element's windows begin is computed once, and followed by addition.
#include "pool.cuh"

namespace {

struct Position {
    long long plane;
    int at[3];
};

// Of a number in [planes, size...].
__device__ __forceinline__ Position position(long long index, const int (&size)[3]) {
    Position p;
    const long long lines = index / size[2];
    p.at[2] = static_cast<int>(index - lines * size[2]);
    const long long slices = lines / size[1];
    p.at[1] = static_cast<int>(lines - slices * size[1]);
    p.plane = slices / size[0];
    p.at[0] = static_cast<int>(slices - p.plane * size[0]);
    return p;
}

__device__ __forceinline__ long long volume(const int (&size)[3]) {
    return static_cast<long long>(size[0]) * size[1] * size[2];
}

}  // namespace

// out: the largest element of each window, NaN if it has one. indices: its place in the image, that of the first of
// equal ones and of the last NaN. Each may be null.
template <typename T, typename A>
__global__ void __launch_bounds__(256)
    max_pool(T* out, long long* indices, const T* __restrict__ x, Windows at, long long windows) {
    const long long index = grid_index();
    if (index >= windows) return;
    const Position window = position(index, at.out);
    const T* const image = x + window.plane * volume(at.size);
    A best = -infinity<A>();
    int place = -1;
    for_each_tap(at, window.at, [&](int tap) {
        const A value = to<A>(image[tap]);
        if (place < 0 || value > best || value != value) {
            best = best != best ? best : value;
            place = tap;
        }
        return true;
    });
    if (out) out[index] = to<T>(best);
    if (indices) indices[index] = place;
}

// dx = the gradients of the windows whose largest element this is: of equal ones the first, as in max_pool.
template <typename T, typename A>
__global__ void __launch_bounds__(256, 4)
    max_pool_grad(T* dx, const T* __restrict__ g, const T* __restrict__ x, const T* __restrict__ y, Windows at,
                  long long elements) {
    const long long index = grid_index();
    if (index >= elements) return;
    const Position element = position(index, at.size);
    const long long windows = element.plane * volume(at.out);
    const T* const image = x + element.plane * volume(at.size);
    const int own = (element.at[0] * at.size[1] + element.at[1]) * at.size[2] + element.at[2];
    const A value = to<A>(image[own]);
    A sum = A(0);
    for_each_window(at, element.at, [&](int number, const int (&window)[3]) {
        const A largest = to<A>(y[windows + number]);
        if (value < largest) return;
        bool first = true;  // that is not smaller
        for_each_tap(at, window, [&](int tap) {
            if (tap == own) return false;
            first = to<A>(image[tap]) < largest;
            return first;
        });
        if (first) sum += to<A>(g[windows + number]);
    });
    dx[index] = to<T>(sum);
}

// The mean of each window. include_pad: whether places in the padding count. divisor: instead, if not 0.
template <typename T, typename A>
__global__ void __launch_bounds__(256)
    avg_pool(T* out, const T* __restrict__ x, Windows at, bool include_pad, int divisor, long long windows) {
    const long long index = grid_index();
    if (index >= windows) return;
    const Position window = position(index, at.out);
    const T* const image = x + window.plane * volume(at.size);
    A sum = A(0);
    for_each_tap(at, window.at, [&](int tap) {
        sum += to<A>(image[tap]);
        return true;
    });
    out[index] = to<T>(sum / A(share(at, window.at, include_pad, divisor)));
}

// dx = the sum of g / divisor over the windows that have the element.
template <typename T, typename A>
__global__ void __launch_bounds__(256)
    avg_pool_grad(T* dx, const T* __restrict__ g, Windows at, bool include_pad, int divisor, long long elements) {
    const long long index = grid_index();
    if (index >= elements) return;
    const Position element = position(index, at.size);
    const long long windows = element.plane * volume(at.out);
    A sum = A(0);
    for_each_window(at, element.at, [&](int number, const int (&window)[3]) {
        sum += to<A>(g[windows + number]) / A(share(at, window, include_pad, divisor));
    });
    dx[index] = to<T>(sum);
}
