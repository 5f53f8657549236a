// Matrix product on the tensor cores: out = activation(op(a) @ op(b) + bias + onto), in half precision, bfloat16 and
// TF32, for any sizes, a batch of them, and each operand transposed or not. Sums are float32, over k in a fixed order.
//
// Fused: the epilogue of matmul.cu.
//
// Operands, results and the steps between rows and matrices are as in matmul.cu.
//
// A block computes a tile of the result from slices of op(a) and op(b), 64 bytes deep in k, that run through a ring of
// three stages in shared memory (cp.async): while one is multiplied two are under way, and one barrier a slice says
// that the oldest has come and the one before it is read. Every warp owns a part of the tile, 64 x 64 of 128 x 128:
// so it reads 8 KB of shared memory a slice for 64 products of 16 x 8 x 16, half of what the tensor cores could wait
// for. Its operands are read (ldmatrix) one step of k ahead of the products that use them.
//
// How slices lie in shared memory without bank conflicts is in slices.cuh.
//
// matmul_tf32x3 is nearly as exact as float32: each operand is the sum of two TF32 numbers, and of their four products
// the three largest are added up, the smallest first (as in CUTLASS's 3xTF32). It has three times the products, for the same
// reads of shared memory.
//
// Where k is long and tiles are few, blocks share the sums: each adds up per_split of k and stores its float32 sums in
// `partial`, and matmul_join adds these from first to last.
#include "slices.cuh"
#include "tiles.cuh"

namespace {

// One tile of one product, or of a part of its k: that of block `block`. IN_PARTS: 3xTF32.
template <typename T, bool A_T, bool B_T, bool WHOLE, int TILE_M, int TILE_N, int WARPS_M, int WARPS_N,
          bool IN_PARTS = false>
__device__ __forceinline__ void tensor_tile(char* shared, T* __restrict__ out, float* __restrict__ partial,
                                            const T* __restrict__ a, const T* __restrict__ b,
                                            const T* __restrict__ bias, const T* __restrict__ onto,
                                            T* __restrict__ kept, const Product& at, int block) {
    const int m = at.m, n = at.n, k = at.k, batch = at.batch, activation = at.activation;
    using Tile = Sums<T, !A_T, B_T, TILE_M, TILE_N, WARPS_M, WARPS_N>;
    constexpr int WARP_M = Tile::WARP_M, WARP_N = Tile::WARP_N, ROWS = Tile::ROWS, COLUMNS = Tile::COLUMNS;
    constexpr bool MAY_SPLIT = TILE_M < 128;
    const int tiles_m = (m + TILE_M - 1) / TILE_M, tiles_n = (n + TILE_N - 1) / TILE_N;
    const int rest = block / (tiles_m * tiles_n), matrix = rest % batch, split = rest / batch;
    int tile_m, tile_n;
    tile_position(block - rest * tiles_m * tiles_n, tiles_m, tiles_n, tile_m, tile_n);
    const int origin_m = tile_m * TILE_M, origin_n = tile_n * TILE_N;
    const int first = split * at.per_split, depth = k - first < at.per_split ? k - first : at.per_split;
    SliceCopy<T, !A_T, WHOLE, TILE_M, Tile::THREADS> copy_a(a + at.a_place(matrix), origin_m, m, first, at.a_pitch);
    SliceCopy<T, B_T, WHOLE, TILE_N, Tile::THREADS> copy_b(b + at.b_place(matrix), origin_n, n, first, at.b_pitch);
    Tile tile;
    tile.template add<IN_PARTS>(shared, depth, [&](char* stage, int left) {
        copy_a.start(stage, left);
        copy_b.start(stage + Tile::Left::BYTES, left);
    });

    const int warp = threadIdx.x / 32, lane = threadIdx.x % 32, warp_m = Tile::warp_m(), warp_n = Tile::warp_n();
    const int row = lane / 4, column = lane % 4 * 2;  // of a lane's first sum in each product
    if (sizeof(T) == 4 || (MAY_SPLIT && partial)) {
        const bool is_part = MAY_SPLIT && partial;
        float* const to_sums = is_part ? partial + static_cast<long long>(split * batch + matrix) * m * n
                                       : reinterpret_cast<float*>(kept ? kept : out) + at.out_place(matrix);
        const int pitch = is_part ? n : at.out_pitch;
        const bool even = n % 2 == 0 && pitch % 2 == 0 && reinterpret_cast<unsigned long long>(to_sums) % 8 == 0;
        const float* const there = onto && !is_part ? reinterpret_cast<const float*>(onto) + at.out_place(matrix)
                                                    : nullptr;
        const bool twice = !is_part && (kept || is_long(activation));
        const bool relu = !is_part && !twice && activation == ACTIVATION_RELU;
#pragma unroll
        for (int j = 0; j < 2 * COLUMNS; ++j) {
            const int c = origin_n + warp_n + j * 8 + column;
            float add[2] = {0.0f, 0.0f};
            if (!is_part && bias) {
                if (c < n) add[0] = to<float>(bias[c]);
                if (c + 1 < n) add[1] = to<float>(bias[c + 1]);
            }
#pragma unroll
            for (int i = 0; i < 2 * ROWS; ++i) {
                const int r = origin_m + warp_m + i * 8 + row, v = i % 2 * 2;
                if (r >= m) continue;
                float* const to_row = to_sums + static_cast<long long>(r) * pitch;
                Pack<float, 2> both = {tile.sum[i / 2][j][v] + add[0], tile.sum[i / 2][j][v + 1] + add[1]};
                if (there) {
                    const float* const from = there + static_cast<long long>(r) * pitch + c;
                    if (c < n) both.item[0] += from[0];
                    if (c + 1 < n) both.item[1] += from[1];
                }
                if (relu) activate(both, ACTIVATION_RELU);
                store_pair(to_row, c, n, even, both.item[0], both.item[1]);
            }
        }
        if (!twice) return;
        float* const result = reinterpret_cast<float*>(out) + at.out_place(matrix);
#pragma unroll 1
        for (int i = 0; i < 4 * ROWS * COLUMNS; ++i) {  // every thread those that it has stored
            const int r = origin_m + warp_m + i % (2 * ROWS) * 8 + row, c = origin_n + warp_n + i / (2 * ROWS) * 8 + column;
            if (r >= m || c >= n) continue;
            const long long to_global = static_cast<long long>(r) * pitch + c;
            Pack<float, 2> both = load_some<2>(to_sums + to_global, false, n - c);
            activate(both, activation);
            store_some(result + to_global, both, false, n - c);
        }
        return;
    }

    // Half types pass through shared memory, each warp's part in its own, to leave in whole rows of 16-byte stores.
    static_assert(TILE_M * TILE_N * 2 <= RING<TILE_M, TILE_N>, "the result fits");
    cp_async_wait<0>();
    __syncthreads();  // the ring is read to its end before its memory is used again
    constexpr int PER_ROW = WARP_N / 8;  // chunks
    char* const own = shared + warp * (WARP_M * WARP_N * 2);
#pragma unroll
    for (int j = 0; j < 2 * COLUMNS; ++j) {
        const int c = origin_n + warp_n + j * 8 + column;
        float add[2] = {0.0f, 0.0f};
        if (bias) {
            if (c < n) add[0] = to<float>(bias[c]);
            if (c + 1 < n) add[1] = to<float>(bias[c + 1]);
        }
#pragma unroll
        for (int i = 0; i < 2 * ROWS; ++i) {
            const int r = i * 8 + row, v = i % 2 * 2;
            Pack<T, 2> pair;
            pair.item[0] = to<T>(tile.sum[i / 2][j][v] + add[0]);
            pair.item[1] = to<T>(tile.sum[i / 2][j][v + 1] + add[1]);
            store_pack<2>(reinterpret_cast<T*>(own + result_place<PER_ROW>(r, j)) + column, pair);
        }
    }
    __syncwarp();  // the warp's part is written before it is read
    // A lane has this chunk of every STEP-th row.
    constexpr int STEP = 32 / PER_ROW, CHUNKS = WARP_M / STEP;
    const int chunk = lane % PER_ROW, pitch = at.out_pitch, c = origin_n + warp_n + chunk * 8;
    const int left_m = c < n ? m - origin_m - warp_m - lane / PER_ROW : 0;  // rows, from the lane's first one on
    const long long place = at.out_place(matrix) + static_cast<long long>(origin_m + warp_m + lane / PER_ROW) * pitch + c;
    T* const result = out + place;
    const T* const there = onto + place;
    T* const before = kept + place;
    auto are_whole = [&](const void* first) {
        return n % 8 == 0 && pitch % 8 == 0 && reinterpret_cast<unsigned long long>(first) % CHUNK == 0;
    };
    auto staged = [&](int i) {
        return reinterpret_cast<T*>(own + result_place<PER_ROW>(i * STEP + lane / PER_ROW, chunk));
    };
    const long long step = static_cast<long long>(STEP) * pitch;  // elements
    if (onto) {
        const bool whole = are_whole(there);
#pragma unroll 4
        for (int i = 0; i < CHUNKS; ++i) {
            if (i * STEP >= left_m) continue;
            const Pack<T, 8> other = load_some<8>(there + i * step, whole, n - c);
            Pack<T, 8> pack = load_pack<8>(staged(i));
#pragma unroll
            for (int v = 0; v < 8; ++v) pack.item[v] = to<T>(to<float>(pack.item[v]) + to<float>(other.item[v]));
            store_pack<8>(staged(i), pack);
        }
    }
    if (kept) {
        const bool whole = are_whole(before);
#pragma unroll 1
        for (int i = 0; i < CHUNKS; ++i)
            if (i * STEP < left_m) store_some(before + i * step, load_pack<8>(staged(i)), whole, n - c);
    }
    activate_staged<CHUNKS>(staged, activation);
    const bool whole = are_whole(result);
#pragma unroll
    for (int i = 0; i < CHUNKS; ++i)
        if (i * STEP < left_m) store_some(result + i * step, load_pack<8>(staged(i)), whole, n - c);
}

}  // namespace

// Block: 32 * WARPS_M * WARPS_N threads; grid: tiles of m times tiles of n times batch times splits, one-dimensional.
// WHOLE needs operands that start at multiples of 16 bytes, and rows of memory and pitches that are multiples of that.
// partial: [splits, batch, m, n], or null where nothing is split, as by the large tiles; per_split is a multiple of a slice.
template <typename T, bool A_T, bool B_T, bool WHOLE, int TILE_M, int TILE_N, int WARPS_M, int WARPS_N, int MIN_BLOCKS>
__global__ void __launch_bounds__(32 * WARPS_M * WARPS_N, MIN_BLOCKS)
    matmul_tensor(T* __restrict__ out, float* __restrict__ partial, const T* __restrict__ a, const T* __restrict__ b,
                  const T* __restrict__ bias, const T* __restrict__ onto, T* __restrict__ kept, const Product at) {
    __shared__ alignas(128) char shared[RING<TILE_M, TILE_N>];
    tensor_tile<T, A_T, B_T, WHOLE, TILE_M, TILE_N, WARPS_M, WARPS_N>(shared, out, partial, a, b, bias, onto, kept, at,
                                                                      blockIdx.x);
}

// The same of float operands by 3xTF32.
template <bool A_T, bool B_T, bool WHOLE, int TILE_M, int TILE_N, int WARPS_M, int WARPS_N, int MIN_BLOCKS>
__global__ void __launch_bounds__(32 * WARPS_M * WARPS_N, MIN_BLOCKS)
    matmul_tf32x3(float* __restrict__ out, float* __restrict__ partial, const float* __restrict__ a,
                  const float* __restrict__ b, const float* __restrict__ bias, const float* __restrict__ onto,
                  float* __restrict__ kept, const Product at) {
    __shared__ alignas(128) char shared[RING<TILE_M, TILE_N>];
    tensor_tile<float, A_T, B_T, WHOLE, TILE_M, TILE_N, WARPS_M, WARPS_N, true>(shared, out, partial, a, b, bias, onto,
                                                                                kept, at, blockIdx.x);
}

// Both gradients of a product, and the sums of a bias's gradient, in one launch: as matmul_pair in matmul.cu.
template <typename T, bool B_T, bool WHOLE, int TILE_M, int TILE_N, int WARPS_M, int WARPS_N, int MIN_BLOCKS>
__global__ void __launch_bounds__(32 * WARPS_M * WARPS_N, MIN_BLOCKS)
    matmul_tensor_pair(T* __restrict__ left, const T* __restrict__ left_a, const T* __restrict__ left_b,
                       const T* __restrict__ left_onto, const Product left_at, int left_blocks, T* __restrict__ right,
                       const T* __restrict__ right_a, const T* __restrict__ right_b, const T* __restrict__ right_onto,
                       const Product right_at, int right_blocks, T* __restrict__ sums) {
    __shared__ alignas(128) char shared[RING<TILE_M, TILE_N>];
    const int block = blockIdx.x;
    if (block < left_blocks) {
        tensor_tile<T, false, B_T, WHOLE, TILE_M, TILE_N, WARPS_M, WARPS_N>(shared, left, nullptr, left_a, left_b,
                                                                            nullptr, left_onto, nullptr, left_at, block);
    } else if (block < left_blocks + right_blocks) {
        tensor_tile<T, true, false, WHOLE, TILE_M, TILE_N, WARPS_M, WARPS_N>(
            shared, right, nullptr, right_a, right_b, nullptr, right_onto, nullptr, right_at,
            block - left_blocks);
    } else {
        sum_strip<WARPS_M * WARPS_N>(sums, right_a, right_at.k, right_at.m, right_at.a_pitch,
                                     block - left_blocks - right_blocks, reinterpret_cast<float*>(shared));
    }
}
