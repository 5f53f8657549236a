// What every kernel file uses: number types, 16-byte accesses, reductions, error records and random bits.
#pragma once

#include <cuda_bf16.h>
#include <cuda_fp16.h>

// ---------------------------------------------------------------------------------------------------------------
// Numbers. Half types are computed in float: A is the type of arithmetic ("accumulator") that belongs to a T.

template <typename A, typename T>
__device__ __forceinline__ A to(T x) {
    return static_cast<A>(x);
}
template <>
__device__ __forceinline__ float to<float, __half>(__half x) {
    return __half2float(x);
}
template <>
__device__ __forceinline__ float to<float, __nv_bfloat16>(__nv_bfloat16 x) {
    return __bfloat162float(x);
}
template <>
__device__ __forceinline__ __half to<__half, float>(float x) {
    return __float2half(x);
}
template <>
__device__ __forceinline__ __nv_bfloat16 to<__nv_bfloat16, float>(float x) {
    return __float2bfloat16(x);
}

// The C++ standard headers that have these are not there under NVRTC.
template <typename A>
__device__ __forceinline__ A infinity();
template <>
__device__ __forceinline__ float infinity<float>() {
    return __int_as_float(0x7f800000);
}
template <>
__device__ __forceinline__ double infinity<double>() {
    return __longlong_as_double(0x7ff0000000000000LL);
}

// ---------------------------------------------------------------------------------------------------------------
// 16-byte accesses. A Pack is read and written by one instruction; its address must be a multiple of its size.

template <typename T, int N>
struct alignas(sizeof(T) * N > 16 ? 16 : sizeof(T) * N) Pack {
    T item[N];
};

template <int N, typename T>
__device__ __forceinline__ Pack<T, N> load_pack(const T* pointer) {
    return *reinterpret_cast<const Pack<T, N>*>(pointer);
}

template <int N, typename T>
__device__ __forceinline__ void store_pack(T* pointer, const Pack<T, N>& pack) {
    *reinterpret_cast<Pack<T, N>*>(pointer) = pack;
}

// The same, converted to the type that is computed in, and back.
template <typename A, int V, typename T>
__device__ __forceinline__ void load_as(A (&wide)[V], const T* from) {
    const Pack<T, V> pack = load_pack<V>(from);
#pragma unroll
    for (int v = 0; v < V; ++v) wide[v] = to<A>(pack.item[v]);
}

template <int V, typename T, typename A>
__device__ __forceinline__ void store_as(T* to_memory, const A (&wide)[V]) {
    Pack<T, V> pack;
#pragma unroll
    for (int v = 0; v < V; ++v) pack.item[v] = to<T>(wide[v]);
    store_pack<V>(to_memory, pack);
}

// Two sums into neighbouring columns of a row that begins at `row`; even: n is, and the row begins at two whole elements.
template <typename T>
__device__ __forceinline__ void store_pair(T* row, int column, int n, bool even, float x, float y) {
    if (even) {
        if (column < n) store_pack<2>(row + column, Pack<T, 2>{to<T>(x), to<T>(y)});
    } else {
        if (column < n) row[column] = to<T>(x);
        if (column + 1 < n) row[column + 1] = to<T>(y);
    }
}

// Position of this thread in a one-dimensional grid, and the number of threads of that grid.
__device__ __forceinline__ long long grid_index() {
    return static_cast<long long>(blockIdx.x) * blockDim.x + threadIdx.x;
}
__device__ __forceinline__ long long grid_size() {
    return static_cast<long long>(gridDim.x) * blockDim.x;
}

// A number d by which numbers i below 2^31 are divided, with the factor and the shift that the host has found for it
// (gpunet/ops/launching.py): i / d is their product's high word, moved.
__device__ __forceinline__ unsigned int quotient(unsigned int i, unsigned int factor, unsigned int shift) {
    return (__umulhi(i, factor) + i) >> shift;
}

struct Divisor {
    unsigned int value, factor, shift;
    __device__ __forceinline__ unsigned int operator()(unsigned int i) const { return quotient(i, factor, shift); }
};

// ---------------------------------------------------------------------------------------------------------------
// Reductions. The order is fixed by the thread numbers alone, so results are the same in every run.

struct Add {
    template <typename A>
    __device__ __forceinline__ A operator()(A a, A b) const {
        return a + b;
    }
};

struct Max {
    __device__ __forceinline__ float operator()(float a, float b) const { return fmaxf(a, b); }
    __device__ __forceinline__ double operator()(double a, double b) const { return fmax(a, b); }
};

// Over groups of LANES neighbouring lanes (a power of two); every lane gets its group's result. The whole warp calls.
template <int LANES, typename A, typename F>
__device__ __forceinline__ A warp_reduce(A value, F combine) {
#pragma unroll
    for (int distance = LANES / 2; distance > 0; distance /= 2)
        value = combine(value, __shfl_xor_sync(0xffffffffu, value, distance));
    return value;
}

// Over a block of whole warps, in the order of the warps; every thread gets the result. `none` changes no result.
// `shared` has room for 32 values and may be used again at once.
template <typename A, typename F>
__device__ __forceinline__ A block_reduce(A value, A none, F combine, A* shared) {
    const int lane = threadIdx.x % 32;
    value = warp_reduce<32>(value, combine);
    if (lane == 0) shared[threadIdx.x / 32] = value;
    __syncthreads();  // every warp's result is written before any warp reads them
    value = lane < blockDim.x / 32 ? shared[lane] : none;
    value = warp_reduce<32>(value, combine);
    __syncthreads();  // every warp has read before the next results are written
    return value;
}

// Over the threads that share a row: LANES neighbouring ones, or with LANES = 0 the block.
template <int LANES, typename A, typename F>
__device__ __forceinline__ A row_reduce(A value, A none, F combine, A* shared) {
    if constexpr (LANES)
        return warp_reduce<LANES>(value, combine);
    else
        return block_reduce(value, none, combine, shared);
}

// Sum over a block of THREADS (a multiple of 32, at most 1024); thread 0 gets it. Once in a kernel's life, since no
// barrier protects the shared words from a second call.
template <int THREADS, typename A>
__device__ __forceinline__ A block_sum_once(A value) {
    static_assert(THREADS % 32 == 0 && THREADS <= 1024, "whole warps, whose results fit one warp");
    __shared__ A warps[THREADS / 32];
    value = warp_reduce<32>(value, Add());
    if (threadIdx.x % 32 == 0) warps[threadIdx.x / 32] = value;
    __syncthreads();  // every warp's result is written before warp 0 reads them
    if (threadIdx.x < 32) {
        value = threadIdx.x < THREADS / 32 ? warps[threadIdx.x] : A(0);
        value = warp_reduce<32>(value, Add());
    }
    return value;
}

// ---------------------------------------------------------------------------------------------------------------
// Errors found on the device: four words (code, row, value, limit) that the host reads when it next synchronises.
// The first error is kept. A kernel that records one goes on without touching memory out of bounds.

constexpr unsigned long long ERROR_CLASS_OUT_OF_RANGE = 1;  // row: which sample; value: its class; limit: classes
constexpr unsigned long long ERROR_INDEX_OUT_OF_RANGE = 2;  // row: which index; value: it; limit: the dimension's size

__device__ __forceinline__ void record_error(long long* errors, unsigned long long code, long long row,
                                             long long value, long long limit) {
    if (atomicCAS(reinterpret_cast<unsigned long long*>(errors), 0ull, code) == 0ull) {
        errors[1] = row;
        errors[2] = value;
        errors[3] = limit;
    }
}

// ---------------------------------------------------------------------------------------------------------------
// Philox 4x32-10 (Salmon, Moraes, Dror, Shaw: Parallel random numbers: as easy as 1, 2, 3; SC 2011): four random
// words from a counter and a key, without state. Known answer: counter 0, key 0 gives
// 6627e8d5 e169c58d bc57ac4c 9b00dbd8.

__device__ __forceinline__ uint4 philox(unsigned long long counter, unsigned long long key) {
    uint4 c = make_uint4(static_cast<unsigned int>(counter), static_cast<unsigned int>(counter >> 32), 0u, 0u);
    unsigned int k0 = static_cast<unsigned int>(key), k1 = static_cast<unsigned int>(key >> 32);
#pragma unroll
    for (int round = 0; round < 10; ++round) {
        unsigned int high0 = __umulhi(0xD2511F53u, c.x), low0 = 0xD2511F53u * c.x;
        unsigned int high1 = __umulhi(0xCD9E8D57u, c.z), low1 = 0xCD9E8D57u * c.z;
        c = make_uint4(high1 ^ c.y ^ k0, low1, high0 ^ c.w ^ k1, low0);
        k0 += 0x9E3779B9u;
        k1 += 0xBB67AE85u;
    }
    return c;
}
