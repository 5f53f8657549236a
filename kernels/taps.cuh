// Which taps of a convolution are outside of the image at a position: a position has a word of them, a tap the word of its
// row and its column, and one AND decides.
#pragma once

#include "common.cuh"

namespace {

// A word has bits 0 to 14 for rows of taps and bits 16 to 30 for columns; NEVER is outside for every position.
constexpr unsigned int NEVER = 1u << 15;

__device__ __forceinline__ unsigned int bits_of(int tap_y, int tap_x) { return 1u << tap_y | 0x10000u << tap_x; }

// Which of a dimension's taps are outside of the source: tap t is at first + t * next.
__device__ __forceinline__ unsigned int outside(int first, int next, int taps, int size) {
    unsigned int bits = 0;
    for (int t = 0; t < taps; ++t)
        if (static_cast<unsigned int>(first + t * next) >= static_cast<unsigned int>(size)) bits |= 1u << t;
    return bits;
}

// The same for steps forward, without a loop: the taps before the first and from the last on.
__device__ __forceinline__ unsigned int outside(int first, const Divisor& next, int size) {
    const int most = 15, before = first < 0 ? next(next.value - 1 - first) : 0;
    const int until = first < size ? next(next.value - 1 + size - first) : 0;
    const unsigned int low = (1u << (before < most ? before : most)) - 1, high = (1u << (until < most ? until : most)) - 1;
    return (low | ~high) & 0x7fffu;
}

// A number as (a, b, c): which tap of which plane, or which position of which image.
struct Parts {
    int a, b, c;
    __device__ __forceinline__ Parts(int number, const Divisor& outer, const Divisor& inner) {
        a = outer(number);
        const int rest = number - a * static_cast<int>(outer.value);
        b = inner(rest);
        c = rest - b * static_cast<int>(inner.value);
    }
};

}  // namespace
