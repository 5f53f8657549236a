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

namespace {

// Starts copying a chunk, zeros if it is not `valid`: past L1, or into it where neighbours will ask for the same.
struct CopyChunk {
    template <typename T>
    __device__ __forceinline__ void operator()(char* to_shared, const T* from, bool valid) const {
        cp_async16(smem_u32(to_shared), from, valid);
    }
};
struct GatherChunk {
    template <typename T>
    __device__ __forceinline__ void operator()(char* to_shared, const T* from, bool valid) const {
        cp_async16_cached(smem_u32(to_shared), from, valid);
    }
};

}  // namespace

// Forward, or by the input for one phase. Source and weight begin at multiples of 16 bytes, and so do the channels of each
// place; bias may be null. TURNED: weight_feature is 1, and features are whole chunks in memory; else weight_channel is.
// Grid: tiles of positions times tiles of features times groups.
template <typename T, bool TURNED, int TILE_M, int TILE_N, int WARPS_M, int WARPS_N, int MIN_BLOCKS>
__global__ void __launch_bounds__(32 * WARPS_M * WARPS_N, MIN_BLOCKS)
    conv_channels(T* __restrict__ out, const T* __restrict__ source, const T* __restrict__ weight,
                  const T* __restrict__ bias, const Channels at, const After<T, float> after) {
    using Tile = Sums<T, true, !TURNED, TILE_M, TILE_N, WARPS_M, WARPS_N>;
    __shared__ alignas(128) char shared[RING<TILE_M, TILE_N>];

    const GatherTile my(at, TILE_M, TILE_N);
    const int group = my.group, origin_m = my.origin_m, origin_n = my.origin_n;
    using PlacesM = Places<typename Tile::Left, Tile::THREADS, Tile::EACH>;
    const PlacesM to_left;
    int here[PlacesM::COPIES];
    unsigned int not_here[PlacesM::COPIES];
#pragma unroll
    for (int i = 0; i < PlacesM::COPIES; ++i) {
        const Spot spot(origin_m + to_left.row + i * PlacesM::STEP, at.positions, at);
        here[i] = spot.here;
        not_here[i] = spot.not_here;
    }
    Tile tile;
    add_gathered<TURNED, Tile::EACH>(
        tile, shared, source + group * at.source_group, weight + group * at.weight_group, origin_n, at,
        [&](int i, int) { return Spot(here[i], not_here[i]); }, [](int row) { return row; }, GatherChunk(), CopyChunk());

    const int first_feature = group * at.features, activation = after.activation;
    out += first_feature;
    const T* const there = after.onto ? after.onto + first_feature : nullptr;
    const bool evenly = at.out_y == at.count_x * at.out_x && at.out_image == at.count_y * at.out_y;
    auto place_of = [&](int position) {
        return evenly ? at.out_first + position * at.out_x : at.out_place(position);
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
    __shared__ alignas(128) char shared[RING<TILE_M, TILE_N>];

    const WeightTile my(at, TILE_M, TILE_N);
    Tile tile;
    add_by_weight<Tile::EACH>(tile, shared, g + my.group * at.features, source + my.group * at.source_group, my, at,
                              GatherChunk(), CopyChunk());
    const long long result = my.result(at, partial);
    // Columns are even, and so is where a row begins.
    if (partial) tile.store(partial + result, at.features, at.columns, my.origin_m, my.origin_n, true);
    else tile.store(out + result, at.features, at.columns, my.origin_m, my.origin_n, true);
}
