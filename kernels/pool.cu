// Pooling of images in 1 to 3 dimensions: the largest element, or the mean, of each window; forward and backward.
//
// One thread for each result, which takes what it needs by reading: a window's elements forward, and backward what the
// windows that an element lies in have for it. So nothing is added by atomics, every result has one writer, and sums
// have a fixed order: that of the taps. Limited by memory: neighbouring threads have neighbouring results, and what
// overlapping windows read again comes from the L1.
//
// Arrays are [planes, size...]. Dimensions that are missing come first, with size 1 and one tap. No division inside
// loops: where an element's windows begin is computed once, and followed by addition.
#include "common.cuh"

// For each dimension: sizes of the image and of the kernel, the step between windows, the padding in front, the distance
// of taps, and how many windows there are.
struct Windows {
    int size[3], kernel[3], stride[3], low[3], dilation[3], out[3];
};

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

// Calls visit(place in the image) for the taps of window `o` inside the image, in their order, while it returns true.
template <typename F>
__device__ __forceinline__ void for_each_tap(const Windows& at, const int (&o)[3], F visit) {
    int first[3], last[3];
#pragma unroll
    for (int i = 0; i < 3; ++i) {
        first[i] = o[i] * at.stride[i] - at.low[i];
        last[i] = first[i] + (at.kernel[i] - 1) * at.dilation[i];
        if (last[i] >= at.size[i]) last[i] = at.size[i] - 1;
    }
    for (int z = first[0]; z <= last[0]; z += at.dilation[0]) {
        if (z < 0) continue;
        for (int y = first[1]; y <= last[1]; y += at.dilation[1]) {
            if (y < 0) continue;
            const int line = (z * at.size[1] + y) * at.size[2];
            for (int x = first[2]; x <= last[2]; x += at.dilation[2])
                if (x >= 0 && !visit(line + x)) return;
        }
    }
}

// The windows that have an element, along one dimension: from the one that meets it with its first tap, downwards.
struct Meeting {
    int window;   // the last one that begins at or before the element
    int tap;      // the tap that lies at the element or before it
    int beside;   // how far before
};

__device__ __forceinline__ Meeting meeting(const Windows& at, int i, int place) {
    const int shifted = place + at.low[i];
    Meeting m;
    m.window = shifted / at.stride[i];
    if (m.window >= at.out[i]) m.window = at.out[i] - 1;
    const int distance = shifted - m.window * at.stride[i];
    m.tap = distance / at.dilation[i];
    m.beside = distance - m.tap * at.dilation[i];
    return m;
}

// Calls visit(window) along dimension i, in the order of the taps.
template <typename F>
__device__ __forceinline__ void for_each_meeting(const Windows& at, int i, const Meeting& from, int taps, int rest,
                                                 F visit) {
    int tap = from.tap, beside = from.beside;
    for (int window = from.window; window >= 0 && tap < at.kernel[i]; --window) {
        if (beside == 0) visit(window);
        tap += taps;
        beside += rest;
        if (beside >= at.dilation[i]) {
            beside -= at.dilation[i];
            ++tap;
        }
    }
}

// The same over all dimensions; visit(number of the window in its plane, window).
template <typename F>
__device__ __forceinline__ void for_each_window(const Windows& at, const int (&place)[3], F visit) {
    Meeting from[3];
    int taps[3], rest[3];  // a step between windows, in taps and what is left
#pragma unroll
    for (int i = 0; i < 3; ++i) {
        from[i] = meeting(at, i, place[i]);
        taps[i] = at.stride[i] / at.dilation[i];
        rest[i] = at.stride[i] - taps[i] * at.dilation[i];
    }
    for_each_meeting(at, 0, from[0], taps[0], rest[0], [&](int z) {
        for_each_meeting(at, 1, from[1], taps[1], rest[1], [&](int y) {
            for_each_meeting(at, 2, from[2], taps[2], rest[2], [&](int x) {
                const int window[3] = {z, y, x};
                visit((z * at.out[1] + y) * at.out[2] + x, window);
            });
        });
    });
}

// By what the sum of a window is divided: `given`, or how many of its places count.
__device__ __forceinline__ int share(const Windows& at, const int (&window)[3], bool padding, int given) {
    if (given) return given;
    int count = 1;
#pragma unroll
    for (int i = 0; i < 3; ++i) {
        const int start = window[i] * at.stride[i] - at.low[i], end = start + at.kernel[i];
        const int first = padding ? -at.low[i] : 0, last = at.size[i] + (padding ? at.low[i] : 0);
        count *= (end < last ? end : last) - (start > first ? start : first);
    }
    return count;
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
