// Convolution of images whose channels lie last, [N, H, W, C], on the tensor cores, in half precision, bfloat16 and TF32:
// forward, by the input, and by the weight [features, kH, kW, C]. Sums are float32, in a fixed order.
//
// Forward and by the input: out[position, feature] = the sum over (tap, channel) of source[position, (tap, channel)] *
// weight[feature, (tap, channel)]. By the weight, sums are over the positions: out[feature, (tap, channel)].
// Fused: the bias, a batch norm by running statistics, the sum with a residual, and an activation (epilogue.cuh).
//
// A tap's channels are in one piece, so that both operands come by chunks of 16 bytes (cp.async) and pass no registers:
// what takes conv_tensor.cu five instructions an element takes some six a chunk here. Whether a position's tap is in the
// image is one AND (taps.cuh); outside, a chunk is zeros.
//   Slices run through a ring of three stages, as in matmul_tensor.cu: while one is multiplied two are under way, with one
// barrier a slice.
//   k runs over strips of channels, and in a strip over all taps: neighbouring taps of neighbouring positions are the same
// chunks, which come from L1 for all but the first (cp.async.ca). Of 3 x 3 taps the L2 is asked for each chunk about once
// and not nine times. A strip is a slice deep, or all channels where these are not whole slices.
//   By the input k is (tap, feature), and channels are what runs along the weight's memory: it is read turned (TURNED), so
// that no copy of it is made.
#include "conv_channels.cuh"
#include "slices.cuh"
#include "tiles.cuh"

// Forward, or by the input for one phase. Source and weight begin at multiples of 16 bytes, and so do the channels of each
// place; bias may be null. TURNED: weight_feature is 1, and features are whole chunks in memory; else weight_channel is.
// Grid: tiles of positions times tiles of features times groups.
template <typename T, bool TURNED, int TILE_M, int TILE_N, int WARPS_M, int WARPS_N, int MIN_BLOCKS>
__global__ void __launch_bounds__(32 * WARPS_M * WARPS_N, MIN_BLOCKS)
    conv_channels(T* __restrict__ out, const T* __restrict__ source, const T* __restrict__ weight,
                  const T* __restrict__ bias, const Channels at, const After<T, float> after) {
    using Tile = Sums<T, true, !TURNED, TILE_M, TILE_N, WARPS_M, WARPS_N>;
    using Left = typename Tile::Left;
    using Right = typename Tile::Right;
    constexpr int THREADS = Tile::THREADS, EACH = Tile::EACH, DEPTH = Tile::DEPTH;
    __shared__ alignas(128) char shared[RING<TILE_M, TILE_N>];

    const int tiles_m = (at.positions + TILE_M - 1) / TILE_M, tiles_n = (at.features + TILE_N - 1) / TILE_N;
    const int group = blockIdx.x / (tiles_m * tiles_n);
    int tile_m, tile_n;
    tile_position(blockIdx.x - group * tiles_m * tiles_n, tiles_m, tiles_n, tile_m, tile_n);
    const int origin_m = tile_m * TILE_M, origin_n = tile_n * TILE_N;
    source += group * at.source_group;
    weight += group * at.weight_group;

    using PlacesM = Places<Left, TILE_M, THREADS>;
    using PlacesN = Places<Right, TURNED ? DEPTH : TILE_N, THREADS>;
    const PlacesM to_left;
    const PlacesN to_right;
    int here[PlacesM::COPIES];  // where tap 0 of the position lies, which may be outside
    unsigned int not_here[PlacesM::COPIES];
#pragma unroll
    for (int i = 0; i < PlacesM::COPIES; ++i) {
        const int number = origin_m + to_left.row + i * PlacesM::STEP;
        const Parts position(number, at.by_plane, at.by_row);
        const int y = position.b * at.step_y + at.start_y, x = position.c * at.step_x + at.start_x;
        here[i] = ((position.a * at.height + y) * at.width + x) * at.source_pitch;
        not_here[i] = number < at.positions ? outside(y, at.next_y, at.taps_y, at.height) | NEVER |
                                                  outside(x, at.next_x, at.taps_x, at.width) << 16
                                            : ~0u;
    }
    const int tap_y = at.next_y * at.width * at.source_pitch, tap_x = at.next_x * at.source_pitch;

    Tile tile;
    tile.add(shared, at.depth, [&](char* stage, int left) {
        const int k = at.depth - left;
        auto in_weight = [&](const Tap& tap) {
            return at.weight_first + tap.y * at.weight_y + tap.x * at.weight_x + tap.channel * at.weight_channel;
        };
        const int own_k = k + to_left.chunk * EACH;
        const Tap tap(own_k, at);
        const int shift = tap.y * tap_y + tap.x * tap_x + tap.channel;
        const unsigned int bits = own_k < at.depth ? bits_of(tap.y, tap.x) : NEVER;
#pragma unroll
        for (int i = 0; i < PlacesM::COPIES; ++i)
            cp_async16_cached(smem_u32(stage + to_left[i]), source + (here[i] + shift), !(not_here[i] & bits));
        if constexpr (TURNED) {
            const int feature = origin_n + to_right.chunk * EACH;
#pragma unroll
            for (int i = 0; i < PlacesN::COPIES; ++i) {
                const int row_k = k + to_right.row + i * PlacesN::STEP;
                cp_async16(smem_u32(stage + Left::BYTES + to_right[i]), weight + (in_weight(Tap(row_k, at)) + feature),
                           feature < at.features && row_k < at.depth);
            }
        } else {
            const int feature = origin_n + to_right.row, place = in_weight(tap) + feature * at.weight_feature;
#pragma unroll
            for (int i = 0; i < PlacesN::COPIES; ++i)
                cp_async16(smem_u32(stage + Left::BYTES + to_right[i]),
                           weight + (place + i * PlacesN::STEP * at.weight_feature),
                           feature + i * PlacesN::STEP < at.features && own_k < at.depth);
        }
    });

    const int first_feature = group * at.features, activation = after.activation;
    out += first_feature;
    const T* const there = after.onto ? after.onto + first_feature : nullptr;
    const bool evenly = at.out_y == at.count_x * at.out_x && at.out_image == at.count_y * at.out_y;
    auto place_of = [&](int position) {
        if (evenly) return at.out_first + position * at.out_x;
        const Parts parts(position, at.by_plane, at.by_row);
        return parts.a * at.out_image + at.out_first + parts.b * at.out_y + parts.c * at.out_x;
    };
    const int lane = threadIdx.x % 32, row = lane / 4, column = lane % 4 * 2;  // of a lane's first sum in each product
    const int first_position = origin_m + Tile::warp_m(), first_column = origin_n + Tile::warp_n();
    auto finished = [&](int j, auto use) {  // of both of the lane's neighbouring features of fragment column j
        const int c = first_column + j * 8 + column;
        float factor[2] = {}, offset[2] = {}, add[2] = {};
#pragma unroll
        for (int v = 0; v < 2; ++v) {
            if (c + v >= at.features) continue;
            after.of_feature(first_feature + c + v, factor[v], offset[v]);
            if (bias) add[v] = to<float>(bias[first_feature + c + v]);
        }
#pragma unroll
        for (int i = 0; i < 2 * Tile::ROWS; ++i) {
            Pack<T, 2> pair;
#pragma unroll
            for (int v = 0; v < 2; ++v)
                pair.item[v] = after.normalized(tile.sum[i / 2][j][i % 2 * 2 + v] + add[v], factor[v], offset[v]);
            use(i, c, pair);
        }
    };
    auto are_whole = [&](const T* first, int each) {  // whether accesses of so many elements may start at each of them
        return at.features % each == 0 && at.out_x % each == 0 &&
               reinterpret_cast<unsigned long long>(first) % (each * sizeof(T)) == 0;
    };
    if (sizeof(T) == 4) {
        int places[2 * Tile::ROWS];
#pragma unroll
        for (int i = 0; i < 2 * Tile::ROWS; ++i) {
            const int position = first_position + i * 8 + row;
            places[i] = position < at.positions ? place_of(position) : -1;
        }
        const bool whole = are_whole(out, 2), whole_there = there && are_whole(there, 2);
#pragma unroll
        for (int j = 0; j < 2 * Tile::COLUMNS; ++j)
            finished(j, [&](int i, int c, Pack<T, 2> pair) {
                if (places[i] < 0 || c >= at.features) return;
                const int place = places[i] + c, count = at.features - c;
                if (there) {
                    const Pack<T, 2> other = load_some<2>(there + place, whole_there, count);
#pragma unroll
                    for (int v = 0; v < 2; ++v) pair.item[v] = to<T>(to<float>(pair.item[v]) + to<float>(other.item[v]));
                }
                if (activation == ACTIVATION_RELU) activate(pair, ACTIVATION_RELU);
                store_some(out + place, pair, whole, count);
            });
        if (!is_long(activation)) return;
#pragma unroll 1
        for (int i = 0; i < 4 * Tile::ROWS * Tile::COLUMNS; ++i) {  // every thread those that it has stored
            const int position = first_position + i % (2 * Tile::ROWS) * 8 + row;
            const int c = first_column + i / (2 * Tile::ROWS) * 8 + column;
            if (position >= at.positions || c >= at.features) continue;
            T* const stored = out + (place_of(position) + c);
            Pack<T, 2> pair = load_some<2>(stored, whole, at.features - c);
            activate(pair, activation);
            store_some(stored, pair, whole, at.features - c);
        }
        return;
    }

    // Half types pass through shared memory, each warp's part in its own, to leave by chunks.
    static_assert(TILE_M * TILE_N * 2 <= RING<TILE_M, TILE_N>, "the result fits");
    cp_async_wait<0>();
    __syncthreads();  // the ring is read to its end before its memory is used again
    constexpr int PER_ROW = Tile::WARP_N / 8;  // chunks
    char* const own = shared + threadIdx.x / 32 * (Tile::WARP_M * Tile::WARP_N * 2);
#pragma unroll
    for (int j = 0; j < 2 * Tile::COLUMNS; ++j)
        finished(j, [&](int i, int, const Pack<T, 2>& pair) {
            store_pack<2>(reinterpret_cast<T*>(own + result_place<PER_ROW>(i * 8 + row, j)) + column, pair);
        });
    __syncwarp();  // the warp's part is written before it is read
    // A lane has this chunk of every STEP-th position.
    constexpr int STEP = 32 / PER_ROW, CHUNKS = Tile::WARP_M / STEP;
    const int chunk = lane % PER_ROW, c = first_column + chunk * 8, count = at.features - c;
    const int own_position = first_position + lane / PER_ROW;
    const int left = count > 0 ? at.positions - own_position : 0;  // positions, from the lane's first one on
    auto staged = [&](int i) {
        return reinterpret_cast<T*>(own + result_place<PER_ROW>(i * STEP + lane / PER_ROW, chunk));
    };
    if (there) {
        const bool whole = are_whole(there, 8);
#pragma unroll 4
        for (int i = 0; i < CHUNKS; ++i) {
            if (i * STEP >= left) continue;
            const Pack<T, 8> other = load_some<8>(there + (place_of(own_position + i * STEP) + c), whole, count);
            Pack<T, 8> pack = load_pack<8>(staged(i));
#pragma unroll
            for (int v = 0; v < 8; ++v) pack.item[v] = to<T>(to<float>(pack.item[v]) + to<float>(other.item[v]));
            store_pack<8>(staged(i), pack);
        }
    }
    activate_staged<CHUNKS>(staged, activation);
    const bool whole = are_whole(out, 8);
#pragma unroll 4
    for (int i = 0; i < CHUNKS; ++i)
        if (i * STEP < left)
            store_some(out + (place_of(own_position + i * STEP) + c), load_pack<8>(staged(i)), whole, count);
}

// By the weight: [group, feature, (tap, channel)], the sums over all positions; or over a split's range, as float to
// partial[split, ...], where that is not null. Both operands begin at multiples of 16 bytes, and so do the features and
// the channels of each place. Grid: tiles of features times tiles of columns times groups times splits; per_split is a
// multiple of a slice.
template <typename T, int TILE_M, int TILE_N, int WARPS_M, int WARPS_N, int MIN_BLOCKS>
__global__ void __launch_bounds__(32 * WARPS_M * WARPS_N, MIN_BLOCKS)
    conv_channels_weight(T* __restrict__ out, float* __restrict__ partial, const T* __restrict__ g,
                         const T* __restrict__ source, const WeightChannels at) {
    using Tile = Sums<T, false, false, TILE_M, TILE_N, WARPS_M, WARPS_N>;
    using Left = typename Tile::Left;
    constexpr int THREADS = Tile::THREADS, EACH = Tile::EACH, DEPTH = Tile::DEPTH;
    __shared__ alignas(128) char shared[RING<TILE_M, TILE_N>];

    const int tiles_m = (at.features + TILE_M - 1) / TILE_M, tiles_n = (at.columns + TILE_N - 1) / TILE_N;
    const int origin_m = blockIdx.x % tiles_m * TILE_M, origin_n = blockIdx.x / tiles_m % tiles_n * TILE_N;
    const int rest = blockIdx.x / (tiles_m * tiles_n), group = rest % at.groups, split = rest / at.groups;
    const int first = split * at.per_split;
    const int last = first + at.per_split < at.positions ? first + at.per_split : at.positions;
    source += group * at.source_group;
    g += group * at.features;

    // A thread copies chunks of one tap, of several positions. Each lane of a warp finds out where one position lies.
    using PlacesN = Places<typename Tile::Right, DEPTH, THREADS>;
    const PlacesN to_right;
    const Parts tap(origin_n + to_right.chunk * EACH, at.by_tap_row, at.by_channels);
    const int shift = (tap.a * static_cast<int>(at.next_y.value) * at.width + tap.b * static_cast<int>(at.next_x.value)) *
                          at.source_pitch + tap.c;
    const unsigned int bits = origin_n + to_right.chunk * EACH < at.columns ? bits_of(tap.a, tap.b) : NEVER;
    using PlacesM = Places<Left, DEPTH, THREADS>;
    const PlacesM to_left;
    const int feature = origin_m + to_left.chunk * EACH;

    Tile tile;
    tile.add(shared, last - first, [&](char* stage, int left) {
        const int k = last - left;
#pragma unroll
        for (int i = 0; i < PlacesM::COPIES; ++i) {
            const int position = k + to_left.row + i * PlacesM::STEP;
            cp_async16(smem_u32(stage + to_left[i]), g + (position * at.g_pitch + feature),
                       feature < at.features && position < last);
        }
        const int number = k + threadIdx.x % DEPTH;
        const Parts position(number, at.by_plane, at.by_row);
        const int y = position.b * at.step_y + at.start_y, x = position.c * at.step_x + at.start_x;
        const int here = ((position.a * at.height + y) * at.width + x) * at.source_pitch;
        const unsigned int not_here =
            number < last ? outside(y, at.next_y, at.height) | NEVER | outside(x, at.next_x, at.width) << 16 : ~0u;
#pragma unroll
        for (int i = 0; i < PlacesN::COPIES; ++i) {
            const int lane = to_right.row + i * PlacesN::STEP;
            const int from = __shfl_sync(0xffffffffu, here, lane);
            const unsigned int not_there = __shfl_sync(0xffffffffu, not_here, lane);
            cp_async16_cached(smem_u32(stage + Left::BYTES + to_right[i]), source + (from + shift), !(not_there & bits));
        }
    });

    const long long part = static_cast<long long>(partial ? split * at.groups + group : group) * at.features * at.columns;
    // Columns are even, and so is where a row begins.
    if (partial) tile.store(partial + part, at.features, at.columns, origin_m, origin_n, true);
    else tile.store(out + part, at.features, at.columns, origin_m, origin_n, true);
}
