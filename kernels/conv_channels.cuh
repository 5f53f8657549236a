// What the convolutions of images in channels last share: how the launch code describes them, and who copies what.
#pragma once

#include "taps.cuh"

// What the launch code describes: positions, features and channels of a group, and steps between neighbours in memory, in
// elements. Of a result (image, y, x, feature): place image * out_image + out_first + y * out_y + x * out_x + feature. Of a
// weight (feature, ty, tx, channel): feature * weight_feature + weight_first + ty * weight_y + tx * weight_x + channel *
// weight_channel. In each dimension a position and a tap name the source's place position * step + start + tap * next. At
// most 15 taps each.
struct Channels {
    int positions, features, channels, depth;  // the last: taps * channels
    int source_group, source_pitch, height, width;
    int weight_group, weight_feature, weight_channel, weight_first, weight_y, weight_x;
    int out_image, out_first, out_y, out_x;
    int count_y, count_x, taps_y, taps_x, start_y, start_x, step_y, step_x, next_y, next_x;
    Divisor by_plane, by_row;  // of positions: count_y * count_x, count_x
    Divisor by_strip, by_tap_row, by_width;  // of k: what a strip has, a row of its taps, a tap: its channels
};

// The same by the weight: g[positions, groups * features] by the source; columns are (tap, channel).
struct WeightChannels {
    int features, columns, groups, positions, per_split;
    int g_pitch, source_group, source_pitch, height, width;
    int start_y, start_x, step_y, step_x;
    Divisor next_y, next_x, by_plane, by_row, by_tap_row, by_channels;  // the last two: of columns
};

namespace {

// One thread's part in copying an operand's slice: which chunk, or which UNIT bytes, of which rows of shared memory.
template <typename At, int ROWS, int THREADS, int UNIT = 16>
struct Places {
    static constexpr int PER_ROW = At::PITCH / UNIT, STEP = THREADS / PER_ROW, COPIES = ROWS / STEP;
    static_assert(THREADS % PER_ROW == 0 && ROWS % STEP == 0 && (STEP & (STEP - 1)) == 0, "the swizzle of a sum is a sum");
    int row, chunk;

    __device__ __forceinline__ Places() : row(threadIdx.x / PER_ROW), chunk(threadIdx.x % PER_ROW) {}
    // Where the chunk of row `row` + i * STEP is: bytes.
    __device__ __forceinline__ int operator[](int i) const {
        return (At::place(row, chunk * UNIT / 16) ^ At::swizzle(i * STEP) * 16) + i * STEP * At::PITCH + chunk * UNIT % 16;
    }
};

// Which tap and which channel a number in k is.
struct Tap {
    int y, x, channel;
    __device__ __forceinline__ Tap(int k, const Channels& at) {
        const int strip = at.by_strip(k);
        const Parts tap(k - strip * static_cast<int>(at.by_strip.value), at.by_tap_row, at.by_width);
        y = tap.a;
        x = tap.b;
        channel = strip * static_cast<int>(at.by_width.value) + tap.c;
    }
};

}  // namespace
