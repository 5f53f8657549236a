// Slices of a product's operands: how they lie in shared memory, how they are copied there, and how they run through a ring
// of stages; and how fragments are read for the tensor cores.
//
// Operands lie in shared memory as in memory, in chunks of 16 bytes: rows of 64 bytes along k, or SLICE rows along the
// tile. Chunk c of row r is stored at c ^ s(r), so that the eight rows of a matrix, eight neighbouring chunks of a copy,
// and for TF32 the words of a turned fragment, lie in different banks.
#pragma once

#include "products.cuh"

namespace {

constexpr int CHUNK = 16, SLICE = 64;  // bytes
constexpr int STAGES = 3;              // of a ring

// Shared memory of a block that has a ring of slices, in bytes.
template <int TILE_M, int TILE_N>
constexpr int RING = STAGES * (TILE_M + TILE_N) * SLICE;

// How an operand's slice lies in shared memory. K_INNER: k runs along memory. MOVED: chunks of rows along the tile are
// moved about too, as fragments are read.
template <typename T, bool K_INNER, int TILE, bool MOVED = true>
struct Layout {
    static constexpr int EACH = CHUNK / sizeof(T);                           // elements in a chunk
    static constexpr int DEPTH = SLICE / sizeof(T);                          // of a slice, in k
    static constexpr int PITCH = K_INNER ? SLICE : TILE * int(sizeof(T));    // bytes of a row
    static constexpr int ROWS = K_INNER ? TILE : DEPTH, BYTES = TILE * SLICE;
    static __device__ __forceinline__ int swizzle(int row) {
        return K_INNER ? row >> 1 & 3 : !MOVED ? 0 : sizeof(T) == 2 ? row & 7 : 2 * (row & 3);
    }
    static __device__ __forceinline__ int place(int row, int chunk) {
        return row * PITCH + (chunk ^ swizzle(row)) * CHUNK;
    }
};

// One thread's part in copying slices of one operand to shared memory. WHOLE: rows of memory are multiples of 16 bytes,
// from a multiple on; else elements are copied one by one.
template <typename T, bool K_INNER, bool WHOLE, int TILE, int THREADS>
struct SliceCopy {
    using At = Layout<T, K_INNER, TILE>;
    static constexpr int PER_ROW = At::PITCH / CHUNK, STEP = THREADS / PER_ROW;  // rows between two copies of a thread
    static constexpr int COPIES = At::BYTES / CHUNK / THREADS;
    static_assert(THREADS % PER_ROW == 0 && COPIES * THREADS * CHUNK == At::BYTES, "all covered");
    static_assert(STEP % 8 == 0 || (!K_INNER && sizeof(T) == 4 && STEP % 4 == 0), "the swizzle repeats");

    const T* source;  // this thread's first element in the next slice
    int target;       // where it goes in a stage: bytes
    int pitch;        // elements between rows of memory
    int room;         // results from this thread's first one to the operand's edge
    int inside;       // this thread's first position in k within a slice

    __device__ __forceinline__ SliceCopy(const T* operand, int origin, int size, int first, int pitch_)
        : pitch(pitch_) {
        const int chunk = threadIdx.x % PER_ROW, row = threadIdx.x / PER_ROW;
        const int inner = chunk * At::EACH;
        target = At::place(row, chunk);
        room = size - origin - (K_INNER ? row : inner);
        inside = K_INNER ? inner : row;
        source = operand + (K_INNER ? static_cast<long long>(origin + row) * pitch + first + inner
                                    : static_cast<long long>(first + row) * pitch + origin + inner);
    }

    // Starts copying the next slice, of which `depth` rows (or more) are in the operand, and moves on by one slice.
    __device__ __forceinline__ void start(char* stage, int depth) {
#pragma unroll
        for (int i = 0; i < COPIES; ++i) {
            const bool valid = K_INNER ? i * STEP < room && inside < depth : 0 < room && inside + i * STEP < depth;
            const T* const from = source + static_cast<long long>(pitch) * (i * STEP);
            char* const to_shared = stage + target + i * STEP * At::PITCH;
            const int along = K_INNER ? depth - inside : room;  // elements of the chunk that are in the operand
            if (WHOLE) {
                cp_async16(smem_u32(to_shared), from, valid);
            } else if (sizeof(T) == 4) {
#pragma unroll
                for (int j = 0; j < At::EACH; ++j) cp_async4(smem_u32(to_shared) + j * 4, from + j, valid && j < along);
            } else {  // there is no such copy of two bytes
                Pack<T, At::EACH> pack;
#pragma unroll
                for (int j = 0; j < At::EACH; ++j) pack.item[j] = valid && j < along ? from[j] : to<T>(0.0f);
                store_pack<At::EACH>(reinterpret_cast<T*>(to_shared), pack);
            }
        }
        source += K_INNER ? At::DEPTH : static_cast<long long>(pitch) * At::DEPTH;
    }
};

// One lane's part in reading fragments: 16 results by one step of k, two chunks deep, as mma takes them. LEFT: of a.
// ROUND: float is rounded to TF32.
template <typename T, bool K_INNER, int TILE, bool LEFT, bool ROUND = true>
struct Fragments {
    using At = Layout<T, K_INNER, TILE>;
    static constexpr bool TURNED = !K_INNER && sizeof(T) == 4;  // ldmatrix turns 16-bit elements only
    int base;  // in a stage: bytes

    __device__ __forceinline__ explicit Fragments(int origin) {
        const int lane = threadIdx.x % 32, low = lane % 8;
        // Which of the four matrices this lane names a row of: its half along the results, and along k.
        const int half = LEFT ? lane / 8 % 2 : lane / 16, half_k = LEFT ? lane / 16 : lane / 8 % 2;
        if (TURNED) base = At::place(lane % 4, (origin + lane / 4) / 4) + lane / 4 % 4 * 4;
        else if (K_INNER) base = At::place(origin + half * 8 + low, half_k);
        else base = At::place(half_k * 8 + low, origin / 8 + half);
    }

    // Fragment i of step `step` in k. Chunks are numbered in fields of bits that do not overlap: a sum is an XOR, and
    // passes through the swizzle.
    __device__ __forceinline__ void read(unsigned int (&r)[4], const char* stage, int i, int step) const {
        if (TURNED) {
#pragma unroll
            for (int half = 0; half < 2; ++half)
#pragma unroll
                for (int q = 0; q < 2; ++q) {
                    const char* const at = stage + (base ^ (i * 4 + half * 2) * CHUNK) + (step * 8 + q * 4) * At::PITCH;
                    const float x = *reinterpret_cast<const float*>(at);
                    r[LEFT ? q * 2 + half : half * 2 + q] = ROUND ? tf32_of(x) : __float_as_uint(x);
                }
        } else {
            const unsigned int address =
                smem_u32(stage) + (K_INNER ? (base ^ step * 2 * CHUNK) + i * 16 * SLICE
                                           : (base ^ i * 2 * CHUNK) + step * 16 * At::PITCH);
            if (K_INNER) ldmatrix_x4(r, address);
            else ldmatrix_x4_trans(r, address);
            if (sizeof(T) == 4 && ROUND) {
#pragma unroll
                for (int j = 0; j < 4; ++j) r[j] = tf32_of(__uint_as_float(r[j]));
            }
        }
    }
};

// A ring of stages in shared memory, through which slices run: while one is used two are under way, and one barrier a slice
// says that the oldest has come and the one before it is read.
template <int STAGE>
struct Ring {
    char *const shared, *reading, *writing;

    // first(stage, i) starts slice i.
    template <typename First>
    __device__ __forceinline__ Ring(char* shared, First first)
        : shared(shared), reading(shared), writing(shared + (STAGES - 1) * STAGE) {
#pragma unroll
        for (int i = 0; i < STAGES - 1; ++i) first(shared + i * STAGE, i);
    }
    // copy() starts copying a slice, where there is one.
    template <typename Copy>
    static __device__ __forceinline__ void start(bool is_there, Copy copy) {
        if (is_there) copy();
        cp_async_commit();  // also when empty, so that the number of groups tells which slice has arrived
    }
    // Until the oldest slice has arrived for every thread, and the one before it is read.
    static __device__ __forceinline__ void wait() {
        cp_async_wait<STAGES - 2>();
        __syncthreads();
    }
    // Where the next slice goes: in place of the one that was read before the last wait.
    __device__ __forceinline__ char* next() {
        char* const stage = writing;
        writing = after(writing);
        return stage;
    }
    __device__ __forceinline__ void move_on() { reading = after(reading); }

private:
    __device__ __forceinline__ char* after(char* stage) const {
        return stage == shared + (STAGES - 1) * STAGE ? shared : stage + STAGE;
    }
};

// A tile's sums, each warp's part in its registers. M_INNER, N_INNER: k runs along the memory of the left, of the right
// operand.
template <typename T, bool M_INNER, bool N_INNER, int TILE_M, int TILE_N, int WARPS_M, int WARPS_N>
struct Sums {
    static constexpr int THREADS = 32 * WARPS_M * WARPS_N;
    static constexpr int WARP_M = TILE_M / WARPS_M, WARP_N = TILE_N / WARPS_N;
    static constexpr int ROWS = WARP_M / 16, COLUMNS = WARP_N / 16;  // fragments
    static constexpr int STEPS = SLICE / (2 * CHUNK);                // of k in a slice
    using Left = Layout<T, M_INNER, TILE_M>;
    using Right = Layout<T, N_INNER, TILE_N>;
    static constexpr int EACH = Left::EACH, DEPTH = Left::DEPTH, STAGE = Left::BYTES + Right::BYTES;

    float sum[ROWS][2 * COLUMNS][4];

    // Where the warp's part begins.
    static __device__ __forceinline__ int warp_m() { return threadIdx.x / 32 % WARPS_M * WARP_M; }
    static __device__ __forceinline__ int warp_n() { return threadIdx.x / 32 / WARPS_M * WARP_N; }

    __device__ __forceinline__ Sums() {
#pragma unroll
        for (int i = 0; i < ROWS; ++i)
#pragma unroll
            for (int j = 0; j < 2 * COLUMNS; ++j)
#pragma unroll
                for (int v = 0; v < 4; ++v) sum[i][j][v] = 0.0f;
    }

    // Adds the products over `depth` of k, from slices that run through a ring. copy(stage, left) starts copying the slice
    // from which on so much of k is left. Fragments are read one step of k ahead of the products that use them. IN_PARTS:
    // by 3xTF32.
    template <bool IN_PARTS = false, typename Copy>
    __device__ __forceinline__ void add(char* shared, int depth, Copy copy) {
        static_assert(STEPS % 2 == 0, "the next slice's first fragments are in set 0 again");
        const Fragments<T, M_INNER, TILE_M, true, !IN_PARTS> from_left(warp_m());
        const Fragments<T, N_INNER, TILE_N, false, !IN_PARTS> from_right(warp_n());
        auto start = [&](char* stage, int left_k) { Ring<STAGE>::start(left_k > 0, [&] { copy(stage, left_k); }); };
        Ring<STAGE> ring(shared, [&](char* stage, int i) { start(stage, depth - i * DEPTH); });

        unsigned int left[2][ROWS][4], right[2][COLUMNS][4];  // one set is used while the other is read
        auto fetch = [&](int set, const char* stage, int step) {
#pragma unroll
            for (int i = 0; i < ROWS; ++i) from_left.read(left[set][i], stage, i, step);
#pragma unroll
            for (int j = 0; j < COLUMNS; ++j) from_right.read(right[set][j], stage + Left::BYTES, j, step);
        };
        ring.wait();
        if (depth > 0) fetch(0, ring.reading, 0);
        for (int left_k = depth; left_k > 0; left_k -= DEPTH) {
#pragma unroll
            for (int step = 0; step < STEPS; ++step) {
                const int set = step % 2;
                if (step == 0) start(ring.next(), left_k - (STAGES - 1) * DEPTH);
                if (step + 1 < STEPS) {
                    fetch(1 - set, ring.reading, step + 1);
                } else if (left_k > DEPTH) {
                    ring.wait();
                    ring.move_on();
                    fetch(1 - set, ring.reading, 0);
                }
                unsigned int lower_left[4], lower_right[COLUMNS][4];
                if constexpr (IN_PARTS) {
#pragma unroll
                    for (int j = 0; j < COLUMNS; ++j) split_tf32(right[set][j], lower_right[j]);
                }
#pragma unroll
                for (int i = 0; i < ROWS; ++i) {
                    if constexpr (IN_PARTS) split_tf32(left[set][i], lower_left);
#pragma unroll
                    for (int j = 0; j < COLUMNS; ++j)
#pragma unroll
                        for (int h = 0; h < 2; ++h) {
                            float(&to)[4] = sum[i][2 * j + h];
                            const unsigned int b0 = right[set][j][2 * h], b1 = right[set][j][2 * h + 1];
                            if constexpr (IN_PARTS) {
                                Multiply<T>::run(to, lower_left, b0, b1);
                                Multiply<T>::run(to, left[set][i], lower_right[j][2 * h], lower_right[j][2 * h + 1]);
                            }
                            Multiply<T>::run(to, left[set][i], b0, b1);
                        }
                }
            }
        }
    }

    // The same from `from` to `until`; copy(stage, k) starts copying the slice that begins at k.
    template <typename Copy>
    __device__ __forceinline__ void add(char* shared, int from, int until, Copy copy) {
        add(shared, until - from, [&](char* stage, int left) { copy(stage, until - left); });
    }

    // The sums leave as they are, to a matrix of which the tile begins at `row` and `column`; even: as of store_pair.
    template <typename To>
    __device__ __forceinline__ void store(To* out, int rows, int columns, int row, int column, bool even) const {
        const int lane = threadIdx.x % 32;
        row += warp_m() + lane / 4;
        column += warp_n() + lane % 4 * 2;
#pragma unroll
        for (int i = 0; i < 2 * ROWS; ++i) {
            if (row + i * 8 >= rows) break;
            To* const to_row = out + static_cast<long long>(row + i * 8) * columns;
#pragma unroll
            for (int j = 0; j < 2 * COLUMNS; ++j)
                store_pair(to_row, column + j * 8, columns, even, sum[i / 2][j][i % 2 * 2], sum[i / 2][j][i % 2 * 2 + 1]);
        }
    }
};

// Where results of half types wait, before they leave by chunks: of a row of PER_ROW chunks. Pairs of eight rows, and
// the chunks of whole rows, lie in different banks.
template <int PER_ROW>
__device__ __forceinline__ int result_place(int row, int chunk) {
    static_assert(PER_ROW == 4 || PER_ROW == 8, "which rows lie in the same banks");
    return (row * PER_ROW + (chunk ^ (PER_ROW == 4 ? row >> 1 & 3 : row & 7))) * CHUNK;
}

}  // namespace
