// Convolution of images whose channels lie last, [N, H, W, C], by multiply-adds of numbers: float32 in its own precision,
// double, and half types where channels are not whole chunks of 16 bytes, in float32. As in conv_channels.cu, which has
// tensor cores: forward, by the input, and by the weight, in a fixed order, with the same epilogue and slices of k.
//
// A thread has 8 x 8 sums, or 8 x 4. Operands lie in shared memory as in memory, by chunks of 16 bytes:
//   - where k runs along memory a thread reads four numbers in k of each of its rows. Of float these are 16 reads for 256
//     products, as many as by a copy that were turned, and nothing passes registers on its way to shared memory;
//   - where k does not, it reads four neighbouring rows or columns of one k.
// A thread's features are four neighbours each, which leave by 16 bytes. Where k runs along the weight, features of a strip
// of 32 are turned on their way in: feature 4 l + v is row 8 v + l, so that eight lanes read neighbouring rows.
//
// WHOLE: channels and features are whole chunks, and are copied by 16 bytes. Otherwise a copy is of one number:
// neighbouring lanes copy neighbouring numbers, of the same place but where a tap ends. Where a position lies is said in a
// table, since a thread then copies sixteen. Half types pass registers, and become float on their way.
#include "conv_channels.cuh"

namespace {

constexpr int LANES_M = 4, LANES_N = 8;  // of a warp, along rows and columns

// Starts copying one unit to shared memory: a chunk, or one number as an A; zeros if it is not `valid`.
template <bool WHOLE, typename A>
struct CopyUnit {
    template <typename T>
    __device__ __forceinline__ void operator()(char* to_shared, const T* from, bool valid) const {
        if constexpr (WHOLE) cp_async16_cached(smem_u32(to_shared), from, valid);
        else if constexpr (sizeof(T) == 8) cp_async8(smem_u32(to_shared), from, valid);
        else if constexpr (sizeof(T) == 4) cp_async4(smem_u32(to_shared), from, valid);
        else *reinterpret_cast<A*>(to_shared) = valid ? to<A>(*from) : A(0);
    }
};

// A tile's sums. M_INNER, N_INNER: k runs along the memory of the left, of the right operand.
template <typename A, bool M_INNER, bool N_INNER, int TILE_M, int TILE_N, int WARPS_M, int WARPS_N>
struct Tile {
    static constexpr int THREADS = 32 * WARPS_M * WARPS_N;
    static constexpr int ROWS = TILE_M / (WARPS_M * LANES_M), COLUMNS = TILE_N / (WARPS_N * LANES_N);
    using Left = Layout<A, M_INNER, TILE_M, false>;
    using Right = Layout<A, N_INNER, TILE_N, false>;
    static constexpr int EACH = Left::EACH, DEPTH = Left::DEPTH, STAGE = Left::BYTES + Right::BYTES;
    static_assert(ROWS % 4 == 0 && COLUMNS % 4 == 0, "rows and columns are read by four");

    A sum[ROWS][COLUMNS];

    // The places of a thread's sums in the tile. Rows that lie along k are LANES_M apart, others four neighbours each.
    static __device__ __forceinline__ int row(int i) {
        const int warp = threadIdx.x / 32 % WARPS_M * (TILE_M / WARPS_M), lane = threadIdx.x % 32 / LANES_N;
        return warp + (M_INNER ? i * LANES_M + lane : i / 4 * 4 * LANES_M + lane * 4 + i % 4);
    }
    static __device__ __forceinline__ int column(int j) {
        return threadIdx.x / (32 * WARPS_M) * (TILE_N / WARPS_N) + j / 4 * 4 * LANES_N + threadIdx.x % LANES_N * 4 + j % 4;
    }
    // Which column a row of the right operand is where k runs along it; of a sum of numbers of different bits a sum.
    static __device__ __forceinline__ int turned(int row) {
        return row / 32 * 32 + row % LANES_N * 4 + row / LANES_N % 4;
    }

    // Four neighbours of one k, from number 0 of four on.
    template <int COUNT>
    static __device__ __forceinline__ void fours(A (&x)[COUNT], const char* from, int apart) {
#pragma unroll
        for (int i = 0; i < COUNT; i += 4) {
            const Pack<A, 4> pack = load_pack<4>(reinterpret_cast<const A*>(from) + i / 4 * apart);
#pragma unroll
            for (int v = 0; v < 4; ++v) x[i + v] = pack.item[v];
        }
    }

    __device__ __forceinline__ void multiply(const char* left, const char* right) {
        const int row_m = row(0), lane_n = threadIdx.x / (32 * WARPS_M) * (TILE_N / WARPS_N) + threadIdx.x % LANES_N;
        const int from_left = Left::place(M_INNER ? row_m : 0, 0), from_right = Right::place(N_INNER ? lane_n : 0, 0);
#pragma unroll
        for (int chunk = 0; chunk < SLICE / CHUNK; ++chunk) {
            Pack<A, EACH> along[M_INNER ? ROWS : 1];
            if constexpr (M_INNER) {
#pragma unroll
                for (int i = 0; i < ROWS; ++i)
                    along[i] = load_pack<EACH>(reinterpret_cast<const A*>(
                        left + (from_left ^ (chunk ^ Left::swizzle(i * LANES_M)) * CHUNK) + i * LANES_M * Left::PITCH));
            }
            auto one = [&](const A (&a)[ROWS], A b, int j) {
#pragma unroll
                for (int i = 0; i < ROWS; ++i) sum[i][j] = multiply_add(a[i], b, sum[i][j]);
            };
            if constexpr (N_INNER) {
#pragma unroll
                for (int j = 0; j < COLUMNS; ++j) {
                    const Pack<A, EACH> pack = load_pack<EACH>(reinterpret_cast<const A*>(
                        right + (from_right ^ chunk * CHUNK) + (j / 4 * 32 + j % 4 * LANES_N) * Right::PITCH));
#pragma unroll
                    for (int e = 0; e < EACH; ++e) {
                        A a[ROWS];
#pragma unroll
                        for (int i = 0; i < ROWS; ++i) a[i] = along[i].item[e];
                        one(a, pack.item[e], j);
                    }
                }
            } else {
#pragma unroll
                for (int e = 0; e < EACH; ++e) {
                    A a[ROWS], b[COLUMNS];
                    const int k = chunk * EACH + e;
                    if constexpr (M_INNER) {
#pragma unroll
                        for (int i = 0; i < ROWS; ++i) a[i] = along[i].item[e];
                    } else {
                        fours(a, left + k * Left::PITCH + row_m * sizeof(A), 4 * LANES_M);
                    }
                    fours(b, right + k * Right::PITCH + column(0) * sizeof(A), 4 * LANES_N);
#pragma unroll
                    for (int j = 0; j < COLUMNS; ++j) one(a, b[j], j);
                }
            }
        }
    }

    // The sums over k from `from` to `until`; copy(stage, k) starts copying the slice that begins at k.
    template <typename Copy>
    __device__ __forceinline__ void add(char* shared, int from, int until, Copy copy) {
#pragma unroll
        for (int i = 0; i < ROWS; ++i)
#pragma unroll
            for (int j = 0; j < COLUMNS; ++j) sum[i][j] = A(0);
        auto start = [&](char* stage, int k) { Ring<STAGE>::start(k < until, [&] { copy(stage, k); }); };
        Ring<STAGE> ring(shared, [&](char* stage, int i) { start(stage, from + i * DEPTH); });
#pragma unroll 1
        for (int k = from; k < until; k += DEPTH) {
            ring.wait();
            start(ring.next(), k + (STAGES - 1) * DEPTH);
            multiply(ring.reading, ring.reading + Left::BYTES);
            ring.move_on();
        }
    }
};

}  // namespace

// Forward, or by the input for one phase: as conv_channels. bias may be null. TURNED: weight_feature is 1; else
// weight_channel is. WHOLE: T is A; source and weight begin at multiples of 16 bytes, and the channels of each place, and
// what of the weight runs along memory, are whole chunks. Grid: tiles of positions times tiles of features times groups.
template <typename T, typename A, bool WHOLE, bool TURNED, int TILE_M, int TILE_N, int WARPS_M, int WARPS_N, int MIN_BLOCKS>
__global__ void __launch_bounds__(32 * WARPS_M * WARPS_N, MIN_BLOCKS)
    conv_channels_any(T* __restrict__ out, const T* __restrict__ source, const T* __restrict__ weight,
                      const T* __restrict__ bias, const Channels at, const After<T, A> after) {
    using Tile = Tile<A, true, !TURNED, TILE_M, TILE_N, WARPS_M, WARPS_N>;
    constexpr int EACH = WHOLE ? Tile::EACH : 1;
    __shared__ alignas(128) char shared[RING<TILE_M, TILE_N>];
    __shared__ int2 positions[TILE_M];  // the spot of each

    const GatherTile my(at, TILE_M, TILE_N);
    const int group = my.group, origin_m = my.origin_m, origin_n = my.origin_n;
    for (int i = threadIdx.x; i < TILE_M; i += Tile::THREADS) {
        const Spot spot(origin_m + i, at.positions, at);
        positions[i] = make_int2(spot.here, static_cast<int>(spot.not_here));
    }
    __syncthreads();  // where the positions lie is said

    Tile tile;
    add_gathered<TURNED, EACH>(
        tile, shared, source + group * at.source_group, weight + group * at.weight_group, origin_n, at,
        [&](int, int row) {
            const int2 spot = positions[row];
            return Spot(spot.x, static_cast<unsigned int>(spot.y));
        },
        [](int row) { return Tile::turned(row); }, CopyUnit<WHOLE, A>(), CopyUnit<WHOLE, A>());

    const int first_feature = group * at.features, activation = after.activation;
    out += first_feature;
    const T* const there = after.onto ? after.onto + first_feature : nullptr;
    auto are_whole = [&](const T* first) {  // whether accesses of four elements may start at every fourth of them
        return at.features % 4 == 0 && at.out_x % 4 == 0 &&
               reinterpret_cast<unsigned long long>(first) % (4 * sizeof(T)) == 0;
    };
    const bool whole = are_whole(out), whole_there = there && are_whole(there);
#pragma unroll
    for (int j = 0; j < Tile::COLUMNS; j += 4) {
        const int c = origin_n + Tile::column(j), count = at.features - c;
        if (count <= 0) continue;
        A factor[4], offset[4], add[4];
#pragma unroll
        for (int v = 0; v < 4; ++v) {
            if (v >= count) continue;
            after.of_feature(first_feature + c + v, factor[v], offset[v]);
            add[v] = bias ? to<A>(bias[first_feature + c + v]) : A(0);
        }
#pragma unroll
        for (int i = 0; i < Tile::ROWS; ++i) {
            const int position = origin_m + Tile::row(i);
            if (position >= at.positions) continue;
            const int place = at.out_place(position) + c;
            Pack<T, 4> pack;
#pragma unroll
            for (int v = 0; v < 4; ++v)
                if (v < count) pack.item[v] = after.normalized(tile.sum[i][j + v] + add[v], factor[v], offset[v]);
            if (there) {
                const Pack<T, 4> other = load_some<4>(there + place, whole_there, count);
#pragma unroll
                for (int v = 0; v < 4; ++v)
                    if (v < count) pack.item[v] = to<T>(to<A>(pack.item[v]) + to<A>(other.item[v]));
            }
            if (activation == ACTIVATION_RELU) activate<A>(pack, ACTIVATION_RELU);
            store_some(out + place, pack, whole, count);
        }
    }
    if (!is_long(activation)) return;
#pragma unroll 1
    for (int j = 0; j < Tile::COLUMNS; j += 4) {  // every thread those that it has stored
        const int c = origin_n + Tile::column(j);
        if (c >= at.features) continue;
#pragma unroll 1
        for (int i = 0; i < Tile::ROWS; ++i) {
            const int position = origin_m + Tile::row(i);
            if (position >= at.positions) continue;
            T* const stored = out + (at.out_place(position) + c);
            Pack<T, 4> pack = load_some<4>(stored, whole, at.features - c);
            activate<A>(pack, activation);
            store_some(stored, pack, whole, at.features - c);
        }
    }
}

// By the weight: [group, feature, (tap, channel)], the sums over all positions; or over a split's range, to partial[split,
// ...], where that is not null. WHOLE: T is A; both operands begin at multiples of 16 bytes, and so do the features and the
// channels of each place. Grid: tiles of features times tiles of columns times groups times splits; per_split is a multiple
// of a slice.
template <typename T, typename A, bool WHOLE, int TILE_M, int TILE_N, int WARPS_M, int WARPS_N, int MIN_BLOCKS>
__global__ void __launch_bounds__(32 * WARPS_M * WARPS_N, MIN_BLOCKS)
    conv_channels_any_weight(T* __restrict__ out, A* __restrict__ partial, const T* __restrict__ g,
                             const T* __restrict__ source, const WeightChannels at) {
    using Tile = Tile<A, false, false, TILE_M, TILE_N, WARPS_M, WARPS_N>;
    constexpr int EACH = WHOLE ? Tile::EACH : 1;
    __shared__ alignas(128) char shared[RING<TILE_M, TILE_N>];

    const WeightTile my(at, TILE_M, TILE_N);
    Tile tile;
    add_by_weight<EACH>(tile, shared, g + my.group * at.features, source + my.group * at.source_group, my, at,
                        CopyUnit<WHOLE, A>(), CopyUnit<WHOLE, A>());

    const bool whole = at.columns % 4 == 0 &&
                       reinterpret_cast<unsigned long long>(out) % (4 * sizeof(T)) == 0;
    const long long result = my.result(at, partial);
#pragma unroll
    for (int i = 0; i < Tile::ROWS; ++i) {
        const int row = my.origin_m + Tile::row(i);
        if (row >= at.features) continue;
        const long long to_row = result + static_cast<long long>(row) * at.columns;
#pragma unroll
        for (int j = 0; j < Tile::COLUMNS; j += 4) {
            const int c = my.origin_n + Tile::column(j);
            if (c >= at.columns) continue;
            if (partial) {
                Pack<A, 4> pack;
#pragma unroll
                for (int v = 0; v < 4; ++v) pack.item[v] = tile.sum[i][j + v];
                store_some(partial + to_row + c, pack, at.columns % 4 == 0, at.columns - c);
            } else {
                Pack<T, 4> pack;
#pragma unroll
                for (int v = 0; v < 4; ++v) pack.item[v] = to<T>(tile.sum[i][j + v]);
                store_some(out + to_row + c, pack, whole, at.columns - c);
            }
        }
    }
}
