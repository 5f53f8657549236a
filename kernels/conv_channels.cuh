// What the convolutions of images in channels last share: how the launch code describes them, and who copies what.
#pragma once

#include "slices.cuh"
#include "taps.cuh"
#include "tiles.cuh"

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

    __device__ __forceinline__ unsigned int outside_y(int y) const { return outside(y, next_y, taps_y, height); }
    __device__ __forceinline__ unsigned int outside_x(int x) const { return outside(x, next_x, taps_x, width); }
    __device__ __forceinline__ int out_place(int position) const {
        const Parts parts(position, by_plane, by_row);
        return parts.a * out_image + out_first + parts.b * out_y + parts.c * out_x;
    }
};

// The same by the weight: g[positions, groups * features] by the source; columns are (tap, channel).
struct WeightChannels {
    int features, columns, groups, positions, per_split;
    int g_pitch, source_group, source_pitch, height, width;
    int start_y, start_x, step_y, step_x;
    Divisor next_y, next_x, by_plane, by_row, by_tap_row, by_channels;  // the last two: of columns

    __device__ __forceinline__ unsigned int outside_y(int y) const { return outside(y, next_y, height); }
    __device__ __forceinline__ unsigned int outside_x(int x) const { return outside(x, next_x, width); }
};

namespace {

// One thread's part in copying an operand's slice: which unit of EACH numbers of which rows of shared memory.
template <typename At, int THREADS, int EACH>
struct Places {
    static constexpr int UNIT = CHUNK / At::EACH * EACH, PER_ROW = At::PITCH / UNIT;
    static constexpr int STEP = THREADS / PER_ROW, COPIES = At::ROWS / STEP;
    static_assert(THREADS % PER_ROW == 0 && At::ROWS % STEP == 0 && (STEP & (STEP - 1)) == 0,
                  "the swizzle of a sum is a sum");
    int row, unit;

    __device__ __forceinline__ Places() : row(threadIdx.x / PER_ROW), unit(threadIdx.x % PER_ROW) {}
    // Where the unit of row `row` + i * STEP is: bytes.
    __device__ __forceinline__ int operator[](int i) const {
        return (At::place(row, unit * UNIT / CHUNK) ^ At::swizzle(i * STEP) * CHUNK) + i * STEP * At::PITCH +
               unit * UNIT % CHUNK;
    }
};

// Where tap 0 of a position lies, which may be outside, and which taps are outside: all of what is no position.
struct Spot {
    int here;
    unsigned int not_here;

    __device__ __forceinline__ Spot(int here, unsigned int not_here) : here(here), not_here(not_here) {}
    template <typename At>
    __device__ __forceinline__ Spot(int number, int end, const At& at) {
        const Parts position(number, at.by_plane, at.by_row);
        const int y = position.b * at.step_y + at.start_y, x = position.c * at.step_x + at.start_x;
        here = ((position.a * at.height + y) * at.width + x) * at.source_pitch;
        not_here = number < end ? at.outside_y(y) | NEVER | at.outside_x(x) << 16 : ~0u;
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

// Forward, and by the input: a block's tile of positions and features, and its group.
struct GatherTile {
    int group, origin_m, origin_n;

    __device__ __forceinline__ GatherTile(const Channels& at, int tile_m, int tile_n) {
        const int tiles_m = (at.positions + tile_m - 1) / tile_m, tiles_n = (at.features + tile_n - 1) / tile_n;
        group = blockIdx.x / (tiles_m * tiles_n);
        int m, n;
        tile_position(blockIdx.x - group * tiles_m * tiles_n, tiles_m, tiles_n, m, n);
        origin_m = m * tile_m;
        origin_n = n * tile_n;
    }
};

// Its sums. spot(i, row): of the position in this row of the tile, which the thread's i-th copy is of. column(row): which
// feature of the tile lies in this row where k runs along the weight; column(a + b) is column(a) + column(b) where no bit
// is set in both. gather and copy(to shared memory, from, valid) each start copying one unit: of the source, of the weight.
template <bool TURNED, int EACH, typename Tile, typename T, typename Where, typename Column, typename Gather,
          typename Copy>
__device__ __forceinline__ void add_gathered(Tile& tile, char* shared, const T* source, const T* weight, int origin_n,
                                             const Channels& at, Where spot, Column column, Gather gather, Copy copy) {
    using PlacesM = Places<typename Tile::Left, Tile::THREADS, EACH>;
    using PlacesN = Places<typename Tile::Right, Tile::THREADS, EACH>;
    const PlacesM to_left;
    const PlacesN to_right;
    const int tap_y = at.next_y * at.width * at.source_pitch, tap_x = at.next_x * at.source_pitch;
    tile.add(shared, 0, at.depth, [&](char* stage, int k) {
        auto in_weight = [&](const Tap& tap) {
            return at.weight_first + tap.y * at.weight_y + tap.x * at.weight_x + tap.channel * at.weight_channel;
        };
        const int own_k = k + to_left.unit * EACH;
        const Tap tap(own_k, at);
        const int shift = tap.y * tap_y + tap.x * tap_x + tap.channel;
        const unsigned int bits = own_k < at.depth ? bits_of(tap.y, tap.x) : NEVER;
#pragma unroll
        for (int i = 0; i < PlacesM::COPIES; ++i) {
            const Spot from = spot(i, to_left.row + i * PlacesM::STEP);
            gather(stage + to_left[i], source + (from.here + shift), !(from.not_here & bits));
        }
        char* const stage_n = stage + Tile::Left::BYTES;
        if constexpr (TURNED) {
            const int feature = origin_n + to_right.unit * EACH;
#pragma unroll
            for (int i = 0; i < PlacesN::COPIES; ++i) {
                const int row_k = k + to_right.row + i * PlacesN::STEP;
                copy(stage_n + to_right[i], weight + (in_weight(Tap(row_k, at)) + feature),
                     feature < at.features && row_k < at.depth);
            }
        } else {
            const int feature = origin_n + column(to_right.row), place = in_weight(tap) + feature * at.weight_feature;
#pragma unroll
            for (int i = 0; i < PlacesN::COPIES; ++i) {
                const int further = column(i * PlacesN::STEP);
                copy(stage_n + to_right[i], weight + (place + further * at.weight_feature),
                     feature + further < at.features && own_k < at.depth);
            }
        }
    });
}

// By the weight: a block's tile of features and columns, its group, its split and this one's range of positions.
struct WeightTile {
    int origin_m, origin_n, group, split, first, last;

    __device__ __forceinline__ WeightTile(const WeightChannels& at, int tile_m, int tile_n) {
        const int tiles_m = (at.features + tile_m - 1) / tile_m, tiles_n = (at.columns + tile_n - 1) / tile_n;
        origin_m = blockIdx.x % tiles_m * tile_m;
        origin_n = blockIdx.x / tiles_m % tiles_n * tile_n;
        const int rest = blockIdx.x / (tiles_m * tiles_n);
        group = rest % at.groups;
        split = rest / at.groups;
        first = split * at.per_split;
        last = first + at.per_split < at.positions ? first + at.per_split : at.positions;
    }
    // Where the group's results begin, of a split where they are parts.
    __device__ __forceinline__ long long result(const WeightChannels& at, bool parts) const {
        return static_cast<long long>(parts ? split * at.groups + group : group) * at.features * at.columns;
    }
};

// Its sums; gather and copy as above, of the source and of g. A thread copies units of one tap, of several positions. Each
// lane of a warp finds out where one position lies.
template <int EACH, typename Tile, typename T, typename Gather, typename Copy>
__device__ __forceinline__ void add_by_weight(Tile& tile, char* shared, const T* g, const T* source, const WeightTile& my,
                                              const WeightChannels& at, Gather gather, Copy copy) {
    using PlacesM = Places<typename Tile::Left, Tile::THREADS, EACH>;
    using PlacesN = Places<typename Tile::Right, Tile::THREADS, EACH>;
    const PlacesN to_right;
    const int column = my.origin_n + to_right.unit * EACH;
    const Parts tap(column, at.by_tap_row, at.by_channels);
    const int shift = (tap.a * static_cast<int>(at.next_y.value) * at.width + tap.b * static_cast<int>(at.next_x.value)) *
                          at.source_pitch + tap.c;
    const unsigned int bits = column < at.columns ? bits_of(tap.a, tap.b) : NEVER;
    const PlacesM to_left;
    const int feature = my.origin_m + to_left.unit * EACH;
    tile.add(shared, my.first, my.last, [&](char* stage, int k) {
#pragma unroll
        for (int i = 0; i < PlacesM::COPIES; ++i) {
            const int position = k + to_left.row + i * PlacesM::STEP;
            copy(stage + to_left[i], g + (position * at.g_pitch + feature), feature < at.features && position < my.last);
        }
        const Spot own(k + threadIdx.x % Tile::DEPTH, my.last, at);
#pragma unroll
        for (int i = 0; i < PlacesN::COPIES; ++i) {
            const int lane = to_right.row + i * PlacesN::STEP;
            const int here = __shfl_sync(0xffffffffu, own.here, lane);
            const unsigned int not_here = __shfl_sync(0xffffffffu, own.not_here, lane);
            gather(stage + Tile::Left::BYTES + to_right[i], source + (here + shift), !(not_here & bits));
        }
    });
}

}  // namespace
