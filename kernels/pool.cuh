// What pooling's kernels share: where windows lie, and which of them an element lies in.
#pragma once

#include "common.cuh"

// For each dimension: sizes of the image and of the kernel, the step between windows, the padding in front, the distance
// of taps, and how many windows there are.
struct Windows {
    int size[3], kernel[3], stride[3], low[3], dilation[3], out[3];
};

namespace {

// Calls visit(place in the image) for the taps of window `o` inside the image, in their order, while it returns true.
// FROM: the first dimension that there is, 0 or 1.
template <int FROM = 0, typename F>
__device__ __forceinline__ void for_each_tap(const Windows& at, const int (&o)[3], F visit) {
    int first[3] = {}, last[3] = {};
#pragma unroll
    for (int i = FROM; i < 3; ++i) {
        first[i] = o[i] * at.stride[i] - at.low[i];
        last[i] = first[i] + (at.kernel[i] - 1) * at.dilation[i];
        if (last[i] >= at.size[i]) last[i] = at.size[i] - 1;
    }
    for (int z = first[0]; z <= last[0]; z += FROM ? 1 : at.dilation[0]) {
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

// The same over all dimensions from FROM on, 0 or 1; visit(number of the window in its plane, window).
template <int FROM = 0, typename F>
__device__ __forceinline__ void for_each_window(const Windows& at, const int (&place)[3], F visit) {
    Meeting from[3];
    int taps[3], rest[3];  // a step between windows, in taps and what is left
#pragma unroll
    for (int i = FROM; i < 3; ++i) {
        from[i] = meeting(at, i, place[i]);
        taps[i] = at.stride[i] / at.dilation[i];
        rest[i] = at.stride[i] - taps[i] * at.dilation[i];
    }
    auto of_slice = [&](int z) {
        for_each_meeting(at, 1, from[1], taps[1], rest[1], [&](int y) {
            for_each_meeting(at, 2, from[2], taps[2], rest[2], [&](int x) {
                const int window[3] = {z, y, x};
                visit((z * at.out[1] + y) * at.out[2] + x, window);
            });
        });
    };
    if constexpr (FROM)
        of_slice(0);
    else
        for_each_meeting(at, 0, from[0], taps[0], rest[0], of_slice);
}

// By what the sum of a window is divided: `given`, or how many of its places count.
template <int FROM = 0>
__device__ __forceinline__ int share(const Windows& at, const int (&window)[3], bool padding, int given) {
    if (given) return given;
    int count = 1;
#pragma unroll
    for (int i = FROM; i < 3; ++i) {
        const int start = window[i] * at.stride[i] - at.low[i], end = start + at.kernel[i];
        const int first = padding ? -at.low[i] : 0, last = at.size[i] + (padding ? at.low[i] : 0);
        count *= (end < last ? end : last) - (start > first ? start : first);
    }
    return count;
}

}  // namespace
