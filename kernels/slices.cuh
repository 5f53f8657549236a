// Slices of a product's operands on their way to the tensor cores: how they lie in shared memory, how they are copied
// there, and how fragments are read.
//
// Operands lie in shared memory as in memory, in chunks of 16 bytes: rows of 64 bytes along k, or SLICE rows along the
// tile. Chunk c of row r is stored at c ^ s(r), so that the eight rows of a matrix, eight neighbouring chunks of a copy,
// and for TF32 the words of a turned fragment, lie in different banks.
#pragma once

#include "products.cuh"

namespace {

constexpr int CHUNK = 16, SLICE = 64;  // bytes

// How an operand's slice lies in shared memory. K_INNER: k runs along memory.
template <typename T, bool K_INNER, int TILE>
struct Layout {
    static constexpr int EACH = CHUNK / sizeof(T);                           // elements in a chunk
    static constexpr int DEPTH = SLICE / sizeof(T);                          // of a slice, in k
    static constexpr int PITCH = K_INNER ? SLICE : TILE * int(sizeof(T));    // bytes of a row
    static constexpr int BYTES = TILE * SLICE;
    static __device__ __forceinline__ int swizzle(int row) {
        return K_INNER ? row >> 1 & 3 : sizeof(T) == 2 ? row & 7 : 2 * (row & 3);
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

// Where results of half types wait, before they leave by chunks: of a row of PER_ROW chunks. Pairs of eight rows, and
// the chunks of whole rows, lie in different banks.
template <int PER_ROW>
__device__ __forceinline__ int result_place(int row, int chunk) {
    static_assert(PER_ROW == 4 || PER_ROW == 8, "which rows lie in the same banks");
    return (row * PER_ROW + (chunk ^ (PER_ROW == 4 ? row >> 1 & 3 : row & 7))) * CHUNK;
}

}  // namespace
