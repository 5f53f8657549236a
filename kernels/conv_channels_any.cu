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
#include "ptx.cuh"
#include "tiles.cuh"

namespace {

constexpr int CHUNK = 16, SLICE = 64, STAGES = 3;  // bytes, of k too; slices under way
constexpr int LANES_M = 4, LANES_N = 8;            // of a warp, along rows and columns

// How an operand's slice lies in shared memory. INNER: k runs along it, and rows are those of the tile; their chunks are
// moved about, so that eight neighbouring rows' chunks of one k lie in different banks.
template <typename A, bool INNER, int TILE>
struct Laid {
    static constexpr int PITCH = INNER ? SLICE : TILE * int(sizeof(A)), BYTES = TILE * SLICE;
    static __device__ __forceinline__ int swizzle(int row) { return INNER ? row >> 1 & 3 : 0; }
    static __device__ __forceinline__ int place(int row, int chunk) {
        return row * PITCH + (chunk ^ swizzle(row)) * CHUNK;
    }
};

// Starts copying one unit to shared memory: a chunk, or one number as an A; zeros if it is not `valid`.
template <bool WHOLE, typename A, typename T>
__device__ __forceinline__ void copy_unit(char* to_shared, const T* from, bool valid) {
    if constexpr (WHOLE) cp_async16_cached(smem_u32(to_shared), from, valid);
    else if constexpr (sizeof(T) == 8) cp_async8(smem_u32(to_shared), from, valid);
    else if constexpr (sizeof(T) == 4) cp_async4(smem_u32(to_shared), from, valid);
    else *reinterpret_cast<A*>(to_shared) = valid ? to<A>(*from) : A(0);
}

// A tile's sums. M_INNER, N_INNER: k runs along the memory of the left, of the right operand.
template <typename A, bool M_INNER, bool N_INNER, int TILE_M, int TILE_N, int WARPS_M, int WARPS_N>
struct Tile {
    static constexpr int THREADS = 32 * WARPS_M * WARPS_N;
    static constexpr int ROWS = TILE_M / (WARPS_M * LANES_M), COLUMNS = TILE_N / (WARPS_N * LANES_N);
    using Left = Laid<A, M_INNER, TILE_M>;
    using Right = Laid<A, N_INNER, TILE_N>;
    static constexpr int EACH = CHUNK / sizeof(A), DEPTH = SLICE / sizeof(A);  // numbers in a chunk, and of k in a slice
    static constexpr int STAGE = Left::BYTES + Right::BYTES;
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
        auto start = [&](char* stage, int k) {
            if (k < until) copy(stage, k);
            cp_async_commit();  // also when empty, so that the number of groups tells which slice has arrived
        };
        auto after = [&](char* stage) { return stage == shared + (STAGES - 1) * STAGE ? shared : stage + STAGE; };
#pragma unroll
        for (int stage = 0; stage < STAGES - 1; ++stage) start(shared + stage * STAGE, from + stage * DEPTH);
        char *reading = shared, *writing = shared + (STAGES - 1) * STAGE;
#pragma unroll 1
        for (int k = from; k < until; k += DEPTH) {
            cp_async_wait<STAGES - 2>();
            __syncthreads();  // this slice has arrived for every thread, and the one before it is read
            start(writing, k + (STAGES - 1) * DEPTH);
            multiply(reading, reading + Left::BYTES);
            reading = after(reading);
            writing = after(writing);
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
    using Left = typename Tile::Left;
    using Right = typename Tile::Right;
    constexpr int THREADS = Tile::THREADS, DEPTH = Tile::DEPTH, EACH = WHOLE ? Tile::EACH : 1, UNIT = EACH * sizeof(A);
    __shared__ alignas(128) char shared[STAGES * Tile::STAGE];
    __shared__ int2 positions[TILE_M];  // where tap 0 lies, which may be outside; which taps are

    const int tiles_m = (at.positions + TILE_M - 1) / TILE_M, tiles_n = (at.features + TILE_N - 1) / TILE_N;
    const int group = blockIdx.x / (tiles_m * tiles_n);
    int tile_m, tile_n;
    tile_position(blockIdx.x - group * tiles_m * tiles_n, tiles_m, tiles_n, tile_m, tile_n);
    const int origin_m = tile_m * TILE_M, origin_n = tile_n * TILE_N;
    source += group * at.source_group;
    weight += group * at.weight_group;
    for (int i = threadIdx.x; i < TILE_M; i += THREADS) {
        const int number = origin_m + i;
        const Parts position(number, at.by_plane, at.by_row);
        const int y = position.b * at.step_y + at.start_y, x = position.c * at.step_x + at.start_x;
        const unsigned int not_here = number < at.positions ? outside(y, at.next_y, at.taps_y, at.height) | NEVER |
                                                                  outside(x, at.next_x, at.taps_x, at.width) << 16
                                                            : ~0u;
        positions[i] = make_int2(((position.a * at.height + y) * at.width + x) * at.source_pitch,
                                 static_cast<int>(not_here));
    }
    __syncthreads();  // where the positions lie is said

    using PlacesM = Places<Left, TILE_M, THREADS, UNIT>;
    using PlacesN = Places<Right, TURNED ? DEPTH : TILE_N, THREADS, UNIT>;
    const PlacesM to_left;
    const PlacesN to_right;
    const int tap_y = at.next_y * at.width * at.source_pitch, tap_x = at.next_x * at.source_pitch;

    Tile tile;
    tile.add(shared, 0, at.depth, [&](char* stage, int k) {
        auto in_weight = [&](const Tap& tap) {
            return at.weight_first + tap.y * at.weight_y + tap.x * at.weight_x + tap.channel * at.weight_channel;
        };
        const int own_k = k + to_left.chunk * EACH;
        const Tap tap(own_k, at);
        const int shift = tap.y * tap_y + tap.x * tap_x + tap.channel;
        const unsigned int bits = own_k < at.depth ? bits_of(tap.y, tap.x) : NEVER;
#pragma unroll
        for (int i = 0; i < PlacesM::COPIES; ++i) {
            const int2 position = positions[to_left.row + i * PlacesM::STEP];
            copy_unit<WHOLE, A>(stage + to_left[i], source + (position.x + shift),
                                !(static_cast<unsigned int>(position.y) & bits));
        }
        if constexpr (TURNED) {
            const int feature = origin_n + to_right.chunk * EACH;
#pragma unroll
            for (int i = 0; i < PlacesN::COPIES; ++i) {
                const int row_k = k + to_right.row + i * PlacesN::STEP;
                copy_unit<WHOLE, A>(stage + Left::BYTES + to_right[i], weight + (in_weight(Tap(row_k, at)) + feature),
                                    feature < at.features && row_k < at.depth);
            }
        } else {
            const int feature = origin_n + Tile::turned(to_right.row);
            const int place = in_weight(tap) + feature * at.weight_feature;
#pragma unroll
            for (int i = 0; i < PlacesN::COPIES; ++i) {
                const int further = Tile::turned(i * PlacesN::STEP);
                copy_unit<WHOLE, A>(stage + Left::BYTES + to_right[i], weight + (place + further * at.weight_feature),
                                    feature + further < at.features && own_k < at.depth);
            }
        }
    });

    const int first_feature = group * at.features, activation = after.activation;
    out += first_feature;
    const T* const there = after.onto ? after.onto + first_feature : nullptr;
    auto are_whole = [&](const T* first) {  // whether accesses of four elements may start at every fourth of them
        return at.features % 4 == 0 && at.out_x % 4 == 0 &&
               reinterpret_cast<unsigned long long>(first) % (4 * sizeof(T)) == 0;
    };
    const bool whole = are_whole(out), whole_there = there && are_whole(there);
    auto place_of = [&](int position) {
        const Parts parts(position, at.by_plane, at.by_row);
        return parts.a * at.out_image + at.out_first + parts.b * at.out_y + parts.c * at.out_x;
    };
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
            const int place = place_of(position) + c;
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
            T* const stored = out + (place_of(position) + c);
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
    using Left = typename Tile::Left;
    constexpr int THREADS = Tile::THREADS, DEPTH = Tile::DEPTH, EACH = WHOLE ? Tile::EACH : 1, UNIT = EACH * sizeof(A);
    __shared__ alignas(128) char shared[STAGES * Tile::STAGE];

    const int tiles_m = (at.features + TILE_M - 1) / TILE_M, tiles_n = (at.columns + TILE_N - 1) / TILE_N;
    const int origin_m = blockIdx.x % tiles_m * TILE_M, origin_n = blockIdx.x / tiles_m % tiles_n * TILE_N;
    const int rest = blockIdx.x / (tiles_m * tiles_n), group = rest % at.groups, split = rest / at.groups;
    const int first = split * at.per_split;
    const int last = first + at.per_split < at.positions ? first + at.per_split : at.positions;
    source += group * at.source_group;
    g += group * at.features;

    // A thread copies units of one tap, of several positions. Each lane of a warp finds out where one position lies.
    using PlacesN = Places<typename Tile::Right, DEPTH, THREADS, UNIT>;
    const PlacesN to_right;
    const int column = origin_n + to_right.chunk * EACH;
    const Parts tap(column, at.by_tap_row, at.by_channels);
    const int shift = (tap.a * static_cast<int>(at.next_y.value) * at.width + tap.b * static_cast<int>(at.next_x.value)) *
                          at.source_pitch + tap.c;
    const unsigned int bits = column < at.columns ? bits_of(tap.a, tap.b) : NEVER;
    using PlacesM = Places<Left, DEPTH, THREADS, UNIT>;
    const PlacesM to_left;
    const int feature = origin_m + to_left.chunk * EACH;

    Tile tile;
    tile.add(shared, first, last, [&](char* stage, int k) {
#pragma unroll
        for (int i = 0; i < PlacesM::COPIES; ++i) {
            const int position = k + to_left.row + i * PlacesM::STEP;
            copy_unit<WHOLE, A>(stage + to_left[i], g + (position * at.g_pitch + feature),
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
            copy_unit<WHOLE, A>(stage + Left::BYTES + to_right[i], source + (from + shift), !(not_there & bits));
        }
    });

    const bool whole = at.columns % 4 == 0 &&
                       reinterpret_cast<unsigned long long>(out) % (4 * sizeof(T)) == 0;
    const long long part = static_cast<long long>(partial ? split * at.groups + group : group) * at.features * at.columns;
#pragma unroll
    for (int i = 0; i < Tile::ROWS; ++i) {
        const int row = origin_m + Tile::row(i);
        if (row >= at.features) continue;
        const long long to_row = part + static_cast<long long>(row) * at.columns;
#pragma unroll
        for (int j = 0; j < Tile::COLUMNS; j += 4) {
            const int c = origin_n + Tile::column(j);
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
