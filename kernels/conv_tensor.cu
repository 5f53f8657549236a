// Convolution of images [N, C, H, W] on the tensor cores, in half precision, bfloat16 and TF32: forward, by the input, and
// by the weight. Sums are float32, in a fixed order.
//
// The products are those of conv.cu, and as there one operand is gathered from the image while it is copied to shared
// memory: out[row, position] = the sum over (plane, tap) of weight[row, (plane, tap)] * source[position, (plane, tap)].
// Fused: the bias, a batch norm by running statistics, the sum with a residual, and an activation (epilogue.cuh).
//
// Both operands lie in shared memory by rows of 64 bytes along k (slices.cuh), as ldmatrix takes them; two slices, of
// which one is multiplied while the other is filled; one barrier a slice.
//   Where a position's tap lies is a sum of two offsets, of the position and of the tap. Whether it is in the image is
// one bit for each row of taps and one for each column: a position has a word of those that are outside, a tap the word
// of its two, and one AND decides. So an element of the image costs five instructions: half of what its coordinates would.
//   Forward, lanes are neighbouring positions, and a thread gathers a chunk of 16 bytes along k, which it stores at once.
// By the weight, k is the positions: lanes are neighbours in k, and a thread stores elements of several rows.
//   The other operand is copied by chunks (cp.async) where k runs along memory in whole chunks; else by elements, too, by
// lanes that are neighbours in k. By the input that is the weight, of which planes then are features.
//   What is gathered waits in registers while a step of the slice before is multiplied: half a slice at a time, and where
// both operands come by elements a quarter.
#include "epilogue.cuh"
#include "slices.cuh"
#include "taps.cuh"

// A product whose right operand is gathered, as the launch code describes it. Of a result (image, row, y, x): place
// image * out_image + row * out_plane + out_first + y * out_y + x * out_x. Of a weight (row, plane, ty, tx): row *
// weight_row + plane * weight_plane + weight_first + ty * weight_y + tx * weight_x. In each dimension a position and a tap
// name the source's element position * step + start + tap * next. At most 15 taps each.
struct Gather {
    int rows, positions, planes, weight_group, weight_row, weight_plane, weight_first, weight_y, weight_x;
    int source_image, height, width, out_image, out_plane, out_first, out_y, out_x;
    int count_y, count_x, taps_y, taps_x, start_y, start_x, step_y, step_x, next_y, next_x;
    int source_plane, depth, lowest;  // the last: the least that a tap adds to a place
    Divisor by_plane, by_row, by_taps, by_tap_row;  // of positions: count_y * count_x, count_x; and so of taps
};

// The same by the weight: g[images, groups * rows, count_y, count_x] by the source, over positions; columns are (plane,
// tap). The steps from a tap to the next are divisors, too.
struct WeightGather {
    int rows, columns, positions, per_split, groups, source_image, source_group, height, width;
    int count_y, count_x, taps_y, taps_x, start_y, start_x, step_y, step_x;
    Divisor next_y, next_x;
    int g_image;
    Divisor by_plane, by_row, by_taps, by_tap_row;
};

namespace {

// What is `offset` bytes after `here`: an addition of 32 bits and its carry, where an index costs three instructions.
template <typename T>
__device__ __forceinline__ T after_bytes(const T* here, unsigned int offset) {
    return *reinterpret_cast<const T*>(reinterpret_cast<const char*>(here) + offset);
}

// What both kernels share: the places of a thread in its tile, and products from what is copied through registers.
template <typename T, int TILE_M, int TILE_N, int WARPS_M, int WARPS_N>
struct Gathered : Sums<T, true, true, TILE_M, TILE_N, WARPS_M, WARPS_N> {
    using Base = Sums<T, true, true, TILE_M, TILE_N, WARPS_M, WARPS_N>;
    using typename Base::Left;
    using typename Base::Right;
    using Base::COLUMNS, Base::DEPTH, Base::EACH, Base::ROWS, Base::STEPS, Base::THREADS, Base::sum;
    // Elements are copied by lanes along k, from rows that are ROW_STEP apart.
    static constexpr int ROW_STEP = THREADS / DEPTH;
    static_assert(ROW_STEP % 8 == 0 || ROW_STEP == 4, "what a row adds to the swizzle is the same for all threads");

    Fragments<T, true, TILE_M, true> left;
    Fragments<T, true, TILE_N, false> right;

    __device__ __forceinline__ Gathered() : left(Base::warp_m()), right(Base::warp_n()) {}

    static constexpr int BESIDE = THREADS / TILE_N;  // chunks of a position that are gathered at a time
    static_assert(BESIDE * STEPS * EACH == DEPTH && (BESIDE & (BESIDE - 1)) == 0, "one chunk a thread and step");

    // Where in the right operand's slice the thread stores its first chunk: bytes.
    static __device__ __forceinline__ int chunk_place() {
        return Right::place(threadIdx.x % TILE_N, threadIdx.x / TILE_N);
    }
    // Where in an operand's slice it stores the element of its i-th row.
    static __device__ __forceinline__ int element_place(int i) {
        const int k = threadIdx.x % DEPTH, row = threadIdx.x / DEPTH;
        const int first = Left::place(row, k / EACH) + k % EACH * static_cast<int>(sizeof(T));
        return (first ^ (i * ROW_STEP >> 1 & 3) * CHUNK) + i * ROW_STEP * SLICE;
    }
    // One step of a slice, in two halves: what is copied in each waits in registers.
    template <typename First, typename Between, typename Last>
    __device__ __forceinline__ void multiply(const char* stage, int step, First first, Between between, Last last) {
        unsigned int a[ROWS][4], b[4];
        first();
#pragma unroll
        for (int i = 0; i < ROWS; ++i) left.read(a[i], stage, i, step);
#pragma unroll
        for (int j = 0; j < COLUMNS; ++j) {
            if (j == COLUMNS / 2) between();
            right.read(b, stage + Left::BYTES, j, step);
#pragma unroll
            for (int i = 0; i < ROWS; ++i) {
                Multiply<T>::run(sum[i][2 * j], a[i], b[0], b[1]);
                Multiply<T>::run(sum[i][2 * j + 1], a[i], b[2], b[3]);
            }
        }
        last();
    }
};

}  // namespace

// Forward, or by the input for one phase. WHOLE: rows of the weight are (plane, tap) in one piece, of whole chunks. bias
// may be null. Grid: tiles of rows times tiles of positions times groups.
template <typename T, bool WHOLE, int TILE_M, int TILE_N, int WARPS_M, int WARPS_N, int MIN_BLOCKS>
__global__ void __launch_bounds__(32 * WARPS_M * WARPS_N, MIN_BLOCKS)
    conv_tensor(T* __restrict__ out, const T* __restrict__ source, const T* __restrict__ weight,
                const T* __restrict__ bias, const Gather at, const After<T, float> after) {
    using Tile = Gathered<T, TILE_M, TILE_N, WARPS_M, WARPS_N>;
    using Left = typename Tile::Left;
    constexpr int THREADS = Tile::THREADS, EACH = Tile::EACH, DEPTH = Tile::DEPTH, STEPS = Tile::STEPS;
    constexpr int BESIDE = Tile::BESIDE, OWN = TILE_M / Tile::ROW_STEP / STEPS;  // elements of the weight
    __shared__ alignas(128) char shared[2 * Tile::STAGE];
    __shared__ alignas(16) uint2 taps[2][DEPTH];  // what a tap adds to an element's place, in bytes; and its bits
    __shared__ int weights[2][DEPTH], places[TILE_N];

    const int tiles_m = (at.rows + TILE_M - 1) / TILE_M, tiles_n = (at.positions + TILE_N - 1) / TILE_N;
    const int first_row = blockIdx.x % tiles_m * TILE_M, first_position = blockIdx.x / tiles_m % tiles_n * TILE_N;
    const int group = blockIdx.x / (tiles_m * tiles_n);

    // The position whose elements this thread gathers.
    const int own_column = threadIdx.x % TILE_N, own_chunk = threadIdx.x / TILE_N;
    const int gather_place = Tile::chunk_place();
    const T* here = source + group * at.planes * at.source_plane + at.lowest;
    unsigned int not_here = ~0u;
    int place = -1;
    if (first_position + own_column < at.positions) {
        const Parts position(first_position + own_column, at.by_plane, at.by_row);
        const int source_y = position.b * at.step_y + at.start_y, source_x = position.c * at.step_x + at.start_x;
        here += position.a * at.source_image + source_y * at.width + source_x;
        not_here = outside(source_y, at.next_y, at.taps_y, at.height) | NEVER |
                   outside(source_x, at.next_x, at.taps_x, at.width) << 16;
        place = position.a * at.out_image + at.out_first + position.b * at.out_y + position.c * at.out_x;
    }
    if (own_chunk == 0) places[own_column] = place;

    auto name_taps = [&](int half, int slice) {  // of the slice that begins there
        if (threadIdx.x < DEPTH) {
            const bool there = slice + static_cast<int>(threadIdx.x) < at.depth;
            const Parts tap(slice + threadIdx.x, at.by_taps, at.by_tap_row);
            taps[half][threadIdx.x] =
                there ? make_uint2((tap.a * at.source_plane + tap.b * at.next_y * at.width + tap.c * at.next_x -
                                    at.lowest) * static_cast<unsigned int>(sizeof(T)),
                                   bits_of(tap.b, tap.c))
                      : make_uint2(0, NEVER);
            if (!WHOLE)
                weights[half][threadIdx.x] = there ? group * at.weight_group + tap.a * at.weight_plane + at.weight_first +
                                                         tap.b * at.weight_y + tap.c * at.weight_x
                                                   : -1;
        }
    };

    SliceCopy<T, true, WHOLE, TILE_M, THREADS> copy(weight + group * at.weight_group, first_row, at.rows, 0,
                                                      at.weight_row);
    const int own_k = threadIdx.x % DEPTH, own_row = first_row + threadIdx.x / DEPTH;
    T own_weights[OWN];
    Pack<T, EACH> gathered;
    auto read_weights = [&](int part, int half) {
        const int from = weights[half][own_k];
        int place = from + (own_row + part * OWN * Tile::ROW_STEP) * at.weight_row;
#pragma unroll
        for (int i = 0; i < OWN; ++i) {
            const int row = own_row + (part * OWN + i) * Tile::ROW_STEP;
            own_weights[i] = from >= 0 && row < at.rows ? weight[place] : to<T>(0.0f);
            place += Tile::ROW_STEP * at.weight_row;  // one by one, or the compiler keeps all of these in registers
        }
    };
    auto store_weights = [&](int part, char* stage) {
#pragma unroll
        for (int i = 0; i < OWN; ++i)
            *reinterpret_cast<T*>(stage + Tile::element_place(part * OWN + i)) = own_weights[i];
    };
    auto gather = [&](int part, int half) {
        const uint4* const two = reinterpret_cast<const uint4*>(taps[half] + (own_chunk + part * BESIDE) * EACH);
#pragma unroll
        for (int v = 0; v < EACH; v += 2) {
            const uint4 named = two[v / 2];
            gathered.item[v] = not_here & named.y ? to<T>(0.0f) : after_bytes(here, named.x);
            gathered.item[v + 1] = not_here & named.w ? to<T>(0.0f) : after_bytes(here, named.z);
        }
    };
    auto store = [&](int part, char* stage) {
        store_pack<EACH>(
            reinterpret_cast<T*>(stage + Left::BYTES + (gather_place ^ part * BESIDE * CHUNK)), gathered);
    };

    Tile tile;
    name_taps(0, 0);
    if (WHOLE) copy.start(shared, at.depth);
    cp_async_commit();
    __syncthreads();  // the first slice's taps are named
#pragma unroll
    for (int part = 0; part < STEPS; ++part) {
        if (!WHOLE) {
            read_weights(part, 0);
            store_weights(part, shared);
        }
        gather(part, 0);
        store(part, shared);
    }
    name_taps(1, DEPTH);
    cp_async_wait<0>();
    __syncthreads();  // the first slice is stored, and the second one's taps are named
    for (int k = 0, half = 0; k < at.depth; k += DEPTH, half = 1 - half) {
        const bool more = k + DEPTH < at.depth;
        const char* const reading = shared + half * Tile::STAGE;
        char* const writing = shared + (1 - half) * Tile::STAGE;
        if (WHOLE && more) copy.start(writing, at.depth - k - DEPTH);
        cp_async_commit();
#pragma unroll
        for (int step = 0; step < STEPS; ++step) {
            tile.multiply(
                reading, step,
                [&] {
                    if (WHOLE && more) gather(step, 1 - half);
                    if (!WHOLE && more) read_weights(step, 1 - half);
                },
                [&] {
                    if (WHOLE || !more) return;
                    store_weights(step, writing);
                    gather(step, 1 - half);
                },
                [&] {
                    if (more) store(step, writing);
                });
        }
        name_taps(half, k + 2 * DEPTH);
        cp_async_wait<0>();
        __syncthreads();  // this slice is read and the next one stored; the taps of the one after it are named
    }

    const int first_out = group * at.rows * at.out_plane, activation = after.activation;
    out += first_out;
    const T* const there = after.onto ? after.onto + first_out : nullptr;
    const int lane = threadIdx.x % 32, row = lane / 4, column = lane % 4 * 2;  // of a lane's first sum in each product
    const bool in_a_piece = at.out_x == 1 && at.out_y == at.count_x && at.out_plane == static_cast<int>(at.by_plane.value);
    // A lane knows what is done with one of its warp's rows, and asks the others: read row by row in each fragment, the
    // vectors' pointers and types cost the loop above registers.
    static_assert(Tile::WARP_M == 32, "a row each");
    const int known_row = first_row + Tile::warp_m() + lane;
    float own_factor = 0.0f, own_offset = 0.0f, own_add = 0.0f;
    if (known_row < at.rows) {
        const int feature = group * at.rows + known_row;
        after.of_feature(feature, own_factor, own_offset);
        if (bias) own_add = to<float>(bias[feature]);
    }
    auto finished = [&](int i, auto use) {  // of both of the lane's neighbouring columns of fragment row i
        const int r = first_row + Tile::warp_m() + i * 8 + row, v = i % 2 * 2;
        auto of_row = [&](float own) { return __shfl_sync(0xffffffffu, own, i * 8 + row); };
        const float factor = of_row(own_factor), offset = of_row(own_offset), add = of_row(own_add);
#pragma unroll
        for (int j = 0; j < 2 * Tile::COLUMNS; ++j) {
            Pack<T, 2> pair;
            pair.item[0] = after.normalized(tile.sum[i / 2][j][v] + add, factor, offset);
            pair.item[1] = after.normalized(tile.sum[i / 2][j][v + 1] + add, factor, offset);
            use(r, j, pair);
        }
    };
    if (sizeof(T) == 4) {
        const bool pairs = in_a_piece && at.out_plane % 2 == 0 && reinterpret_cast<unsigned long long>(out) % 8 == 0;
#pragma unroll
        for (int i = 0; i < 2 * Tile::ROWS; ++i)
            finished(i, [&](int r, int j, Pack<T, 2> pair) {
                if (r >= at.rows) return;
                const int* const to_places = places + Tile::warp_n() + j * 8 + column;
                T* const to_row = out + r * at.out_plane;
                if (there) {
                    const T* const from = there + r * at.out_plane;
                    if (to_places[0] >= 0) pair.item[0] = to<T>(to<float>(pair.item[0]) + to<float>(from[to_places[0]]));
                    if (to_places[1] >= 0) pair.item[1] = to<T>(to<float>(pair.item[1]) + to<float>(from[to_places[1]]));
                }
                if (activation == ACTIVATION_RELU) activate(pair, ACTIVATION_RELU);
                if (pairs) {
                    if (to_places[0] >= 0) store_pack<2>(to_row + to_places[0], pair);
                } else {
                    if (to_places[0] >= 0) to_row[to_places[0]] = pair.item[0];
                    if (to_places[1] >= 0) to_row[to_places[1]] = pair.item[1];
                }
            });
        if (!is_long(activation)) return;
#pragma unroll 1
        for (int i = 0; i < 4 * Tile::ROWS * Tile::COLUMNS * 2; ++i) {  // every thread those that it has stored
            const int r = first_row + Tile::warp_m() + i / 2 % (2 * Tile::ROWS) * 8 + row;
            const int to_place = places[Tile::warp_n() + i / (4 * Tile::ROWS) * 8 + column + i % 2];
            if (r >= at.rows || to_place < 0) continue;
            T& value = out[r * at.out_plane + to_place];
            value = to<T>(activated(to<float>(value), activation));
        }
        return;
    }

    // Half types pass through shared memory, each warp's part in its own, to leave by chunks. The loop's last barrier, or
    // the one before it, says that the slices are read.
    constexpr int PER_ROW = Tile::WARP_N / 8;  // chunks
    static_assert(TILE_M * TILE_N * 2 <= 2 * Tile::STAGE, "the result fits, in half types");
    char* const own = shared + threadIdx.x / 32 * (Tile::WARP_M * Tile::WARP_N * 2);
#pragma unroll
    for (int i = 0; i < 2 * Tile::ROWS; ++i)
        finished(i, [&](int, int j, const Pack<T, 2>& pair) {
            store_pack<2>(reinterpret_cast<T*>(own + result_place<PER_ROW>(i * 8 + row, j)) + column, pair);
        });
    __syncwarp();  // the warp's part is written before it is read
    // A lane has this chunk of every STEP-th row.
    constexpr int STEP = 32 / PER_ROW, CHUNKS = Tile::WARP_M / STEP;
    const int chunk = lane % PER_ROW, own_row_out = first_row + Tile::warp_m() + lane / PER_ROW;
    const int left = at.rows - own_row_out;  // rows, from the lane's first one on
    const int* const to_places = places + Tile::warp_n() + chunk * 8;
    auto are_whole = [&](const void* first) {
        return in_a_piece && at.out_plane % 8 == 0 && reinterpret_cast<unsigned long long>(first) % CHUNK == 0;
    };
    auto staged = [&](int i) {
        return reinterpret_cast<T*>(own + result_place<PER_ROW>(i * STEP + lane / PER_ROW, chunk));
    };
    if (there) {
        const bool whole = are_whole(there);
#pragma unroll 4
        for (int i = 0; i < CHUNKS; ++i) {
            if (i * STEP >= left) continue;
            const T* const from = there + (own_row_out + i * STEP) * at.out_plane;
            Pack<T, 8> pack = load_pack<8>(staged(i)), other = {};
            if (whole) {
                if (to_places[0] >= 0) other = load_pack<8>(from + to_places[0]);
            } else {
#pragma unroll
                for (int v = 0; v < 8; ++v)
                    if (to_places[v] >= 0) other.item[v] = from[to_places[v]];
            }
#pragma unroll
            for (int v = 0; v < 8; ++v) pack.item[v] = to<T>(to<float>(pack.item[v]) + to<float>(other.item[v]));
            store_pack<8>(staged(i), pack);
        }
    }
    activate_staged<CHUNKS>(staged, activation);
    const bool whole = are_whole(out);
#pragma unroll
    for (int i = 0; i < CHUNKS; ++i) {
        if (i * STEP >= left) continue;
        const T* const from = staged(i);
        T* const to_row = out + (own_row_out + i * STEP) * at.out_plane;
        if (whole) {
            if (to_places[0] >= 0) store_pack<8>(to_row + to_places[0], load_pack<8>(from));
        } else {
#pragma unroll
            for (int v = 0; v < 8; ++v)
                if (to_places[v] >= 0) to_row[to_places[v]] = from[v];
        }
    }
}

// By the weight: [group, row, (plane, tap)], the sums over all positions; or over a split's range, as float to
// partial[split, ...], where that is not null. WHOLE: an image's plane of g is whole chunks. Grid: tiles of rows times
// tiles of columns times groups times splits; per_split is a multiple of a slice.
template <typename T, bool WHOLE, int TILE_M, int TILE_N, int WARPS_M, int WARPS_N, int MIN_BLOCKS>
__global__ void __launch_bounds__(32 * WARPS_M * WARPS_N, MIN_BLOCKS)
    conv_tensor_weight(T* __restrict__ out, float* __restrict__ partial, const T* __restrict__ g,
                       const T* __restrict__ source, const WeightGather at) {
    using Tile = Gathered<T, TILE_M, TILE_N, WARPS_M, WARPS_N>;
    using Left = typename Tile::Left;
    constexpr int THREADS = Tile::THREADS, EACH = Tile::EACH, DEPTH = Tile::DEPTH, STEPS = Tile::STEPS;
    constexpr int PER_ROW = SLICE / CHUNK, CHUNK_STEP = THREADS / PER_ROW;  // rows between two copies of a thread
    constexpr int OWN_M = TILE_M / Tile::ROW_STEP / STEPS, OWN_N = TILE_N / Tile::ROW_STEP / STEPS;
    static_assert(CHUNK_STEP % 8 == 0, "the swizzle repeats");
    __shared__ alignas(128) char shared[2 * Tile::STAGE];
    __shared__ int2 taps[TILE_N];  // as in conv_tensor, but elements

    const int tiles_m = (at.rows + TILE_M - 1) / TILE_M, tiles_n = (at.columns + TILE_N - 1) / TILE_N;
    const int first_row = blockIdx.x % tiles_m * TILE_M, first_column = blockIdx.x / tiles_m % tiles_n * TILE_N;
    const int rest = blockIdx.x / (tiles_m * tiles_n), group = rest % at.groups, split = rest / at.groups;
    const int first = split * at.per_split;
    const int last = first + at.per_split < at.positions ? first + at.per_split : at.positions;
    source += group * at.source_group;
    g += group * at.rows * static_cast<int>(at.by_plane.value);

    static_assert(TILE_N <= THREADS, "a thread names at most one tap");
    if (threadIdx.x < TILE_N) {
        const Parts tap(first_column + threadIdx.x, at.by_taps, at.by_tap_row);
        const int offset = tap.a * at.height * at.width + tap.b * at.next_y.value * at.width + tap.c * at.next_x.value;
        const bool there = first_column + static_cast<int>(threadIdx.x) < at.columns;
        taps[threadIdx.x] = there ? make_int2(offset, static_cast<int>(bits_of(tap.b, tap.c)))
                                  : make_int2(0, static_cast<int>(NEVER));
    }

    const int own_k = threadIdx.x % DEPTH, own_row = threadIdx.x / DEPTH, own_chunk = threadIdx.x % PER_ROW;
    const int copy_row = threadIdx.x / PER_ROW, copy_place = Left::place(copy_row, own_chunk);
    const int plane = at.by_plane.value;
    auto copy_whole = [&](char* stage, int slice) {  // that begins there
        const int k = slice + own_chunk * EACH, image = at.by_plane(k);
        const T* const from = g + image * at.g_image + (k - image * plane) + (first_row + copy_row) * plane;
#pragma unroll
        for (int i = 0; i < TILE_M / CHUNK_STEP; ++i) {
            const int row = first_row + copy_row + i * CHUNK_STEP;
            cp_async16(smem_u32(stage + copy_place + i * CHUNK_STEP * SLICE), from + i * CHUNK_STEP * plane,
                       row < at.rows && k < last);
        }
    };
    T left[OWN_M], right[OWN_N];
    const T* here;
    int of_g;
    unsigned int not_here;
    auto name_position = [&](int slice) {
        const Parts spot(slice + own_k, at.by_plane, at.by_row);
        const int y = spot.b * at.step_y + at.start_y, x = spot.c * at.step_x + at.start_x;
        here = source + spot.a * at.source_image + y * at.width + x;
        of_g = spot.a * at.g_image + spot.b * at.count_x + spot.c;
        not_here = outside(y, at.next_y, at.height) | outside(x, at.next_x, at.width) << 16 | NEVER;
        if (slice + own_k >= last) not_here = ~0u;
    };
    auto read_g = [&](int part) {
        int place = of_g + (first_row + own_row + part * OWN_M * Tile::ROW_STEP) * plane;
#pragma unroll
        for (int i = 0; i < OWN_M; ++i) {
            const int row = first_row + own_row + (part * OWN_M + i) * Tile::ROW_STEP;
            left[i] = ~not_here && row < at.rows ? g[place] : to<T>(0.0f);
            place += Tile::ROW_STEP * plane;
        }
    };
    auto store_g = [&](int part, char* stage) {
#pragma unroll
        for (int i = 0; i < OWN_M; ++i)
            *reinterpret_cast<T*>(stage + Tile::element_place(part * OWN_M + i)) = left[i];
    };
    auto gather = [&](int part) {
#pragma unroll
        for (int i = 0; i < OWN_N; ++i) {
            const int2 tap = taps[own_row + (part * OWN_N + i) * Tile::ROW_STEP];
            right[i] = not_here & tap.y ? to<T>(0.0f) : here[tap.x];
        }
    };
    auto store = [&](int part, char* stage) {
#pragma unroll
        for (int i = 0; i < OWN_N; ++i)
            *reinterpret_cast<T*>(stage + Left::BYTES + Tile::element_place(part * OWN_N + i)) = right[i];
    };

    Tile tile;
    if (WHOLE) copy_whole(shared, first);
    cp_async_commit();
    name_position(first);
    __syncthreads();  // the taps are named
#pragma unroll
    for (int part = 0; part < STEPS; ++part) {
        if (!WHOLE) {
            read_g(part);
            store_g(part, shared);
        }
        gather(part);
        store(part, shared);
    }
    cp_async_wait<0>();
    __syncthreads();  // the first slice is stored
    for (int k = first, half = 0; k < last; k += DEPTH, half = 1 - half) {
        const bool more = k + DEPTH < last;
        const char* const reading = shared + half * Tile::STAGE;
        char* const writing = shared + (1 - half) * Tile::STAGE;
        if (more) {
            if (WHOLE) copy_whole(writing, k + DEPTH);
            name_position(k + DEPTH);
        }
        cp_async_commit();
#pragma unroll
        for (int step = 0; step < STEPS; ++step) {
            tile.multiply(
                reading, step,
                [&] {
                    if (WHOLE && more) gather(step);
                    if (!WHOLE && more) read_g(step);
                },
                [&] {
                    if (WHOLE || !more) return;
                    store_g(step, writing);
                    gather(step);
                },
                [&] {
                    if (more) store(step, writing);
                });
        }
        cp_async_wait<0>();
        __syncthreads();  // this slice is read and the next one stored
    }

    const long long part = static_cast<long long>(partial ? split * at.groups + group : group) * at.rows * at.columns;
    auto is_even = [&](const auto* to) {
        return at.columns % 2 == 0 && reinterpret_cast<unsigned long long>(to) % (2 * sizeof(*to)) == 0;
    };
    if (partial) tile.store(partial + part, at.rows, at.columns, first_row, first_column, is_even(partial));
    else tile.store(out + part, at.rows, at.columns, first_row, first_column, is_even(out));
}
