// Matrix product: out = activation(op(a) @ op(b) + bias + onto), for any sizes, a batch of them, and each operand
// transposed or not.
//
// Fused (epilogue.cuh): adding a bias to every row, the sum with `onto`, such as a residual or a gradient that is already
// there, and an activation; in training `kept` receives the value before the activation, which its gradient needs.
//
// a is [batch, m, k], or [batch, k, m] where A_T; b is [batch, k, n], or [batch, n, k] where B_T; out, onto and kept are
// [batch, m, n]; bias is [n]. bias, onto and kept may be null. A row of an array is in one piece; the steps between rows and
// between matrices are given (see tiles.cuh), those of onto and kept are out's. Sums run over k in a fixed order.
//
// matmul_float, for float32, is made for speed. A block computes a tile of the result from slices of op(a) and op(b)
// that run through a ring of shared-memory stages (cp.async), so that loading overlaps computing. Every warp owns a
// part of the tile and every thread 8 x 16, 8 x 8 or 8 x 4 results in registers, fed by 16-byte reads from shared memory
// that are issued one step ahead of their use. Both operands lie in shared memory as [k][row or column]: an operand
// whose k runs along memory is turned on its way in, by 4-byte copies. Small results use small tiles, and there
// the warps of a block share the work along k, because too few tiles would leave the GPU idle.
//
// Where k is long and tiles are few, blocks share the work along k, too: each adds up per_split of it and stores its sums
// in `partial`, and matmul_join adds these from first to last. (A weight's gradient: 128 x 128 from 65,536 rows.)
//
// matmul_any, for the other types, is the plain tiled product: correct, not tuned.
#include "ptx.cuh"
#include "tiles.cuh"

namespace {

// One thread's part in copying slices of one operand, SLICE deep in k and TILE wide, to shared memory as
// [SLICE][TILE + PAD]. K_INNER: k runs along memory.
template <bool K_INNER, int V, int TILE, int SLICE, int THREADS>
struct SliceCopy {
    static constexpr int PAD = 4;  // keeps rows 16-byte aligned and spreads eight rows of turning copies over all banks
    static constexpr int WIDTH = TILE + PAD;
    // Rows 8, 16 and 24 would meet the banks of row 0: there the four elements of a group change places. A thread reads
    // a group whole, from a row that it knows when it is compiled, so that this costs nothing.
    static constexpr int TURN = !K_INNER ? 0 : SLICE == 16 ? 2 : 1;
    static __device__ __forceinline__ constexpr int turn(int k) { return k / 8 * TURN; }
    static constexpr int PER_ROW = K_INNER ? SLICE : TILE / V;  // copies along memory
    static constexpr int COPIES = K_INNER ? TILE * SLICE / THREADS : TILE * SLICE / V / THREADS;
    static constexpr int STEP = THREADS / PER_ROW;  // rows of memory between two copies of a thread
    static_assert(THREADS % PER_ROW == 0 && COPIES * STEP * PER_ROW * (K_INNER ? 1 : V) == TILE * SLICE, "all covered");

    const float* source;  // this thread's first element in the next slice
    unsigned int target;  // where it goes: an address in shared memory
    int pitch;   // elements between rows of memory
    int room;    // results from this thread's first one to the operand's edge, where K_INNER
    int inside;  // this thread's first position in k within a slice; beyond any depth where it is beyond the edge

    __device__ __forceinline__ SliceCopy(const float* operand, int origin, int size, int first,
                                         const float* stage, int pitch_)
        : pitch(pitch_) {
        const int inner = threadIdx.x % PER_ROW * (K_INNER ? 1 : V), outer = threadIdx.x / PER_ROW;
        target = smem_u32(stage + (K_INNER ? inner * WIDTH + (outer ^ turn(inner)) : outer * WIDTH + inner));
        room = size - origin - outer;
        inside = K_INNER ? inner : origin + inner < size ? outer : 0x7fffffff - SLICE;
        source = operand + (K_INNER ? static_cast<long long>(origin + outer) * pitch + (first + inner)
                                    : static_cast<long long>(first + outer) * pitch + (origin + inner));
    }

    // Starts copying the next slice, of which `depth` rows (or more) are in the operand, and moves on by one slice.
    __device__ __forceinline__ void start(int depth) {
#pragma unroll
        for (int i = 0; i < COPIES; ++i) {
            const bool valid = K_INNER ? i * STEP < room && inside < depth : inside + i * STEP < depth;
            const float* const from = source + static_cast<long long>(pitch) * (i * STEP);
            const unsigned int to_shared = target + i * STEP * (K_INNER ? 1 : WIDTH) * sizeof(float);
            if (!K_INNER && V == 4) cp_async16(to_shared, from, valid);
            else cp_async4(to_shared, from, valid);
        }
        source += K_INNER ? SLICE : static_cast<long long>(pitch) * SLICE;
    }
};

// What a block has in shared memory: a ring of slices, in the end sums of warps that share k; and what the end needs, since
// registers are what is scarce.
template <int TILE_M, int TILE_N, int SLICE, int WARPS_K>
struct Memory {
    static constexpr int STAGES = 3, RING = STAGES * SLICE * (TILE_M + TILE_N + 8);
    static constexpr int JOIN = WARPS_K > 1 ? WARPS_K * TILE_M * TILE_N : 0;
    alignas(16) float ring[RING > JOIN ? RING : JOIN];
    int place[2];
    long long place_of_result;
    float bias[TILE_N];
};

// One tile of one product, or of a part of its k: that of block `block`.
template <bool A_T, bool B_T, int V, int TILE_M, int TILE_N, int SLICE, int WARPS_M, int WARPS_N, int WARPS_K>
__device__ __forceinline__ void float_tile(Memory<TILE_M, TILE_N, SLICE, WARPS_K>& memory, float* __restrict__ out,
                                           float* __restrict__ partial, const float* __restrict__ a,
                                           const float* __restrict__ b, const float* __restrict__ bias,
                                           const float* __restrict__ onto, float* __restrict__ kept, const Product& at,
                                           int block) {
    constexpr int THREADS = 32 * WARPS_M * WARPS_N * WARPS_K;
    constexpr int STAGES = Memory<TILE_M, TILE_N, SLICE, WARPS_K>::STAGES;
    float* const shared = memory.ring;
    const int m = at.m, n = at.n, k = at.k;
    // A thread's results: groups of 4 x 4, spread over the warp's part so that 16-byte reads of neighbouring lanes
    // touch neighbouring words.
    constexpr int WARP_M = TILE_M / WARPS_M, WARP_N = TILE_N / WARPS_N;
    constexpr int LANES_M = WARP_M / 8, LANES_N = 32 / LANES_M;
    constexpr int ROWS = WARP_M / LANES_M, COLUMNS = WARP_N / LANES_N;
    static_assert(ROWS % 4 == 0 && COLUMNS % 4 == 0 && SLICE % WARPS_K == 0, "whole groups of four");
    static_assert(THREADS >= TILE_N, "a thread for each of the bias");
    static_assert(WARPS_K == 1 || WARPS_K == 8, "a step stays within eight rows of a slice");
    using CopyA = SliceCopy<!A_T, V, TILE_M, SLICE, THREADS>;
    using CopyB = SliceCopy<B_T, V, TILE_N, SLICE, THREADS>;
    constexpr int STAGE_A = SLICE * CopyA::WIDTH, STAGE = STAGE_A + SLICE * CopyB::WIDTH;
    constexpr int RING = STAGES * STAGE;
    static_assert(RING == Memory<TILE_M, TILE_N, SLICE, WARPS_K>::RING, "the ring fits");

    const int tiles_m = (m + TILE_M - 1) / TILE_M, tiles_n = (n + TILE_N - 1) / TILE_N;
    const int number = block / (tiles_m * tiles_n), matrix = number % at.batch;
    const int first = number / at.batch * at.per_split;
    int tile_m, tile_n;
    tile_position(block - number * tiles_m * tiles_n, tiles_m, tiles_n, tile_m, tile_n);
    if (threadIdx.x == 0) {
        memory.place[0] = tile_m * TILE_M;
        memory.place[1] = tile_n * TILE_N;
        memory.place_of_result = partial ? static_cast<long long>(number) * m * n : at.out_place(matrix);
    }
    if (threadIdx.x < TILE_N) {
        const int c = tile_n * TILE_N + threadIdx.x;
        memory.bias[threadIdx.x] = bias && !partial && c < n ? bias[c] : 0.0f;
    }
    CopyA copy_a(a + at.a_place(matrix), tile_m * TILE_M, m, first, shared, at.a_pitch);
    CopyB copy_b(b + at.b_place(matrix), tile_n * TILE_N, n, first, shared + STAGE_A, at.b_pitch);
    const int share = k - first < at.per_split ? k - first : at.per_split;

    const int warp = threadIdx.x / 32, lane = threadIdx.x % 32;
    const int warp_k = warp / (WARPS_M * WARPS_N);
    const int row = warp % WARPS_M * WARP_M + lane / LANES_N * 4;                         // of the first group
    const int column = warp / WARPS_M % WARPS_N * WARP_N + lane % LANES_N * 4;

    float sum[ROWS][COLUMNS];
#pragma unroll
    for (int i = 0; i < ROWS; ++i)
#pragma unroll
        for (int j = 0; j < COLUMNS; ++j) sum[i][j] = 0.0f;

    // How far what goes round the ring moves to its next stage. Addresses are moved and never computed anew: that would
    // take more instructions than the copies themselves, and each takes a turn from a product's.
    auto after = [](bool last) { return last ? STAGE - RING : STAGE; };
    int reading = 0;  // the stage that is read; the one that is written is the one before it
    auto copy_slice = [&](int depth, bool last) {  // depth: what is left of the product's; last: into the last stage
        if (depth > 0) {
            copy_a.start(depth);
            copy_b.start(depth);
        }
        cp_async_commit();  // also when empty, so that the number of groups tells which slice has arrived
        const int distance = after(last) * static_cast<int>(sizeof(float));
        copy_a.target += distance;
        copy_b.target += distance;
    };
#pragma unroll
    for (int stage = 0; stage < STAGES - 1; ++stage) copy_slice(share - stage * SLICE, false);

    // Two sets of operands in registers: one is used while the other is read from shared memory.
    float left[2][ROWS], right[2][COLUMNS];
    const float* from_a = shared + warp_k * CopyA::WIDTH + row;
    const float* from_b = shared + STAGE_A + warp_k * CopyB::WIDTH + column;
    auto fetch = [&](int set, int step) {
#pragma unroll
        for (int g = 0; g < ROWS / 4; ++g) {
            const Pack<float, 4> pack = load_pack<4>(from_a + step * WARPS_K * CopyA::WIDTH + g * 4 * LANES_M);
#pragma unroll
            for (int i = 0; i < 4; ++i)
                left[set][g * 4 + (i ^ CopyA::turn(step * WARPS_K))] = pack.item[i];
        }
#pragma unroll
        for (int g = 0; g < COLUMNS / 4; ++g) {
            const Pack<float, 4> pack = load_pack<4>(from_b + step * WARPS_K * CopyB::WIDTH + g * 4 * LANES_N);
#pragma unroll
            for (int j = 0; j < 4; ++j)
                right[set][g * 4 + (j ^ CopyB::turn(step * WARPS_K))] = pack.item[j];
        }
    };

    cp_async_wait<STAGES - 2>();
    __syncthreads();  // the first slice has arrived for every thread, and what waits for the end is written
    if (share > 0) fetch(0, 0);
    for (int depth = share; depth > 0; depth -= SLICE) {
#pragma unroll
        for (int step = 0; step < SLICE / WARPS_K; ++step) {
            const int set = step % 2;
            // Into the stage of the previous slice, which every thread has read before that slice's barrier.
            if (step == 0) copy_slice(depth - (STAGES - 1) * SLICE, reading == 0);
            if (step + 1 < SLICE / WARPS_K) {
                fetch(1 - set, step + 1);
            } else if (depth > SLICE) {
                cp_async_wait<STAGES - 2>();
                __syncthreads();  // the next slice has arrived for every thread, and this one is read
                const bool last = reading == STAGES - 1;
                const int distance = after(last);
                reading = last ? 0 : reading + 1;
                from_a += distance;
                from_b += distance;
                fetch(1 - set, 0);
            }
#pragma unroll
            for (int i = 0; i < ROWS; ++i)
#pragma unroll
                for (int j = 0; j < COLUMNS; j += 2) {
                    const float2 both = fma_f32x2(make_float2(left[set][i], left[set][i]),
                                                  make_float2(right[set][j], right[set][j + 1]),
                                                  make_float2(sum[i][j], sum[i][j + 1]));
                    sum[i][j] = both.x;
                    sum[i][j + 1] = both.y;
                }
        }
        static_assert(SLICE / WARPS_K % 2 == 0, "the next slice's first operands are in set 0 again");
    }

    const int origin_m = memory.place[0], origin_n = memory.place[1];
    float* const result = (partial ? partial : out) + memory.place_of_result;
    const float* const there = onto && !partial ? onto + memory.place_of_result : nullptr;
    float* const before = kept && !partial ? kept + memory.place_of_result : nullptr;
    const int function = partial ? ACTIVATION_NONE : at.activation, pitch = partial ? n : at.out_pitch;
    if (WARPS_K > 1) {
        // Each group of warps holds sums over its own part of k: add them up in the order of the groups.
        cp_async_wait<0>();
        __syncthreads();  // the ring is read to its end before its memory is used again
#pragma unroll
        for (int i = 0; i < ROWS; ++i)
#pragma unroll
            for (int j = 0; j < COLUMNS; j += 4) {
                const int to_sum = (row + i / 4 * 4 * LANES_M + i % 4) * TILE_N + column + j * LANES_N;
                store_pack<4>(shared + warp_k * TILE_M * TILE_N + to_sum,
                              Pack<float, 4>{sum[i][j], sum[i][j + 1], sum[i][j + 2], sum[i][j + 3]});
            }
        __syncthreads();  // every group's sums are written before they are added
        for (int i = threadIdx.x; i < TILE_M * TILE_N; i += THREADS) {
            float total = 0.0f;
#pragma unroll
            for (int g = 0; g < WARPS_K; ++g) total += shared[g * TILE_M * TILE_N + i];
            const int r = origin_m + i / TILE_N, c = origin_n + i % TILE_N;
            if (r >= m || c >= n) continue;
            const long long to_global = static_cast<long long>(r) * pitch + c;
            result[to_global] = finished(total + memory.bias[i % TILE_N], there ? there + to_global : nullptr,
                                         before ? before + to_global : nullptr, function);
        }
        return;
    }

    const bool whole_packs = n % 4 == 0 && pitch % 4 == 0 && reinterpret_cast<unsigned long long>(result) % 16 == 0 &&
                             reinterpret_cast<unsigned long long>(there) % 16 == 0 &&
                             reinterpret_cast<unsigned long long>(before) % 16 == 0;
    const bool twice = before || is_long(function);
    float* const first_to = before ? before : result;
#pragma unroll
    for (int j = 0; j < COLUMNS; j += 4) {
        const int c = origin_n + column + j * LANES_N;
        float add[4];
#pragma unroll
        for (int v = 0; v < 4; ++v) add[v] = memory.bias[column + j * LANES_N + v];
#pragma unroll
        for (int i = 0; i < ROWS; ++i) {
            const int r = origin_m + row + i / 4 * 4 * LANES_M + i % 4;
            if (r >= m) continue;
            Pack<float, 4> pack;
#pragma unroll
            for (int v = 0; v < 4; ++v) pack.item[v] = sum[i][j + v] + add[v];
            const long long to_global = static_cast<long long>(r) * pitch + c;
            if (whole_packs && c >= n) continue;
            if (there) {
                const Pack<float, 4> other = load_some<4>(there + to_global, whole_packs, n - c);
#pragma unroll
                for (int v = 0; v < 4; ++v) pack.item[v] += other.item[v];
            }
            if (!twice && function == ACTIVATION_RELU) activate(pack, ACTIVATION_RELU);
            store_some(first_to + to_global, pack, whole_packs, n - c);
        }
    }
    if (!twice) return;
#pragma unroll 1
    for (int i = 0; i < ROWS * COLUMNS / 4; ++i) {  // every thread those that it has stored
        const int own_row = i % ROWS, r = origin_m + row + own_row / 4 * 4 * LANES_M + own_row % 4;
        const int c = origin_n + column + i / ROWS * 4 * LANES_N;
        if (r >= m || c >= n) continue;
        const long long to_global = static_cast<long long>(r) * pitch + c;
        Pack<float, 4> pack = load_some<4>(first_to + to_global, whole_packs, n - c);
        activate(pack, function);
        store_some(result + to_global, pack, whole_packs, n - c);
    }
}

}  // namespace

// Block: 32 * WARPS_M * WARPS_N * WARPS_K threads; grid: tiles of m times tiles of n times batch times splits, one-
// dimensional. Where nothing is split, partial is null and per_split is k.
// V = 4 needs arrays aligned to 16 bytes, and m (where A_T) and n (where not B_T) and pitches to be multiples of 4.
// MIN_BLOCKS: blocks that must fit a multiprocessor together, which bounds the registers.
template <bool A_T, bool B_T, int V, int TILE_M, int TILE_N, int SLICE, int WARPS_M, int WARPS_N,
          int WARPS_K, int MIN_BLOCKS>
__global__ void __launch_bounds__(32 * WARPS_M * WARPS_N * WARPS_K, MIN_BLOCKS)
    matmul_float(float* __restrict__ out, float* __restrict__ partial, const float* __restrict__ a,
                 const float* __restrict__ b, const float* __restrict__ bias, const float* __restrict__ onto,
                 float* __restrict__ kept, const Product at) {
    __shared__ Memory<TILE_M, TILE_N, SLICE, WARPS_K> memory;
    float_tile<A_T, B_T, V, TILE_M, TILE_N, SLICE, WARPS_M, WARPS_N, WARPS_K>(memory, out, partial, a, b, bias, onto,
                                                                             kept, at, blockIdx.x);
}

// Both gradients of a product that is too small to fill the GPU, in one launch: the first `left_blocks` blocks compute
// that of the left operand, g op(b), the next `right_blocks` that of the right one, op(g) op(x), and those after them the
// sums of the columns of g: a bias's gradient. Tiles as above; nothing is split.
template <bool B_T, int V, int TILE_M, int TILE_N, int SLICE, int WARPS_M, int WARPS_N, int WARPS_K, int MIN_BLOCKS>
__global__ void __launch_bounds__(32 * WARPS_M * WARPS_N * WARPS_K, MIN_BLOCKS)
    matmul_pair(float* __restrict__ left, const float* __restrict__ left_a, const float* __restrict__ left_b,
                const float* __restrict__ left_onto, const Product left_at, int left_blocks, float* __restrict__ right,
                const float* __restrict__ right_a, const float* __restrict__ right_b,
                const float* __restrict__ right_onto, const Product right_at, int right_blocks,
                float* __restrict__ sums) {
    __shared__ Memory<TILE_M, TILE_N, SLICE, WARPS_K> memory;
    const int block = blockIdx.x;
    if (block < left_blocks) {
        float_tile<false, B_T, V, TILE_M, TILE_N, SLICE, WARPS_M, WARPS_N, WARPS_K>(
            memory, left, nullptr, left_a, left_b, nullptr, left_onto, nullptr, left_at, block);
    } else if (block < left_blocks + right_blocks) {
        float_tile<true, false, V, TILE_M, TILE_N, SLICE, WARPS_M, WARPS_N, WARPS_K>(
            memory, right, nullptr, right_a, right_b, nullptr, right_onto, nullptr, right_at, block - left_blocks);
    } else {
        sum_strip<WARPS_M * WARPS_N * WARPS_K>(sums, right_a, right_at.k, right_at.m, right_at.a_pitch,
                                               block - left_blocks - right_blocks, memory.ring);
    }
}

// The end of a product whose k was shared by blocks: its epilogue, of partial[0] + partial[1] + ..., in this order.
// A thread for each of `count` results, n in a row.
template <typename T>
__global__ void __launch_bounds__(256)
    matmul_join(T* __restrict__ out, const float* __restrict__ partial, const T* __restrict__ bias,
                const T* __restrict__ onto, T* __restrict__ kept, int activation, int n, int splits, long long count) {
    const long long i = grid_index();
    if (i >= count) return;
    float total = 0.0f;
#pragma unroll 8
    for (int split = 0; split < splits; ++split) total += partial[split * count + i];
    if (bias) total += to<float>(bias[i % n]);
    out[i] = finished(total, onto ? onto + i : nullptr, kept ? kept + i : nullptr, activation);
}

// T: any floating-point type; A: the type of the sums. Tiles of 64 x 64; block: 256; grid as above, nothing split.
template <typename T, typename A, bool A_T, bool B_T>
__global__ void __launch_bounds__(256, sizeof(A) == 8 ? 1 : 2)
    matmul_any(T* __restrict__ out, const T* __restrict__ a, const T* __restrict__ b, const T* __restrict__ bias,
               const T* __restrict__ onto, T* __restrict__ kept, const Product at) {
    const int m = at.m, n = at.n, k = at.k;
    constexpr int TILE = 64, SLICE = 16, WIDTH = TILE + 4;
    __shared__ alignas(16) A shared_a[SLICE][WIDTH], shared_b[SLICE][WIDTH];
    const int tiles_m = (m + TILE - 1) / TILE, tiles_n = (n + TILE - 1) / TILE;
    const int matrix = blockIdx.x / (tiles_m * tiles_n);
    int tile_m, tile_n;
    tile_position(blockIdx.x % (tiles_m * tiles_n), tiles_m, tiles_n, tile_m, tile_n);
    const int origin_m = tile_m * TILE, origin_n = tile_n * TILE;
    a += at.a_place(matrix);
    b += at.b_place(matrix);
    const long long result = at.out_place(matrix);
    const int row = threadIdx.x / 16 * 4, column = threadIdx.x % 16 * 4;

    A sum[4][4];
#pragma unroll
    for (int i = 0; i < 4; ++i)
#pragma unroll
        for (int j = 0; j < 4; ++j) sum[i][j] = A(0);

    for (int k0 = 0; k0 < k; k0 += SLICE) {
#pragma unroll
        for (int i = 0; i < TILE * SLICE / 256; ++i) {
            // Threads that follow each other read addresses that follow each other, whichever way the operand lies.
            const int element = threadIdx.x + i * 256;
            const int depth_a = A_T ? element / TILE : element % SLICE, r = A_T ? element % TILE : element / SLICE;
            const int depth_b = B_T ? element % SLICE : element / TILE, c = B_T ? element / SLICE : element % TILE;
            const int ka = k0 + depth_a, kb = k0 + depth_b, mr = origin_m + r, nc = origin_n + c;
            const long long at_a = static_cast<long long>(A_T ? ka : mr) * at.a_pitch + (A_T ? mr : ka);
            const long long at_b = static_cast<long long>(B_T ? nc : kb) * at.b_pitch + (B_T ? kb : nc);
            shared_a[depth_a][r] = mr < m && ka < k ? to<A>(a[at_a]) : A(0);
            shared_b[depth_b][c] = nc < n && kb < k ? to<A>(b[at_b]) : A(0);
        }
        __syncthreads();  // the slice is complete before it is read
#pragma unroll 4
        for (int depth = 0; depth < SLICE; ++depth) {
            const Pack<A, 4> left = load_pack<4>(&shared_a[depth][row]), right = load_pack<4>(&shared_b[depth][column]);
#pragma unroll
            for (int i = 0; i < 4; ++i)
#pragma unroll
                for (int j = 0; j < 4; ++j) sum[i][j] = multiply_add(left.item[i], right.item[j], sum[i][j]);
        }
        __syncthreads();  // the slice is read before the next one overwrites it
    }
#pragma unroll
    for (int i = 0; i < 4; ++i) {
        const int r = origin_m + row + i;
#pragma unroll
        for (int j = 0; j < 4; ++j) {
            const int c = origin_n + column + j;
            if (r >= m || c >= n) continue;
            const long long to_global = result + static_cast<long long>(r) * at.out_pitch + c;
            out[to_global] = finished(sum[i][j] + (bias ? to<A>(bias[c]) : A(0)), onto ? onto + to_global : nullptr,
                                      kept ? kept + to_global : nullptr, at.activation);
        }
    }
}
