// Many tensors in one launch: their addresses and sizes are a parameter of the kernel, so that nothing is copied to the
// device first, and a captured graph has them with the launch.
//
// The tensors' elements are cut into pieces of at most PIECE, which never cross from one tensor to the next; a block
// takes one piece, or every so many. So the load is even whatever the sizes are, and what a block computes depends on them alone.
#pragma once

#include "common.cuh"

constexpr int PIECE = 4096;  // as in gpunet/ops/many.py

// pointer[r][i]: the r-th array of tensor i, null where it has none. first[i]: number of its first piece. As a parameter
// (`const __grid_constant__`) at most 4,096 bytes, or 32,764 with a driver for CUDA 12.1 or later.
template <int ROWS, int MOST>
struct Table {
    void* pointer[ROWS][MOST];
    long long size[MOST];
    unsigned int first[MOST];
    int count, unused;
};

// Elements begin to end of a tensor.
struct Piece {
    int tensor;
    long long begin, end;
};

template <int ROWS, int MOST>
__device__ __forceinline__ Piece piece_of(const Table<ROWS, MOST>& table, unsigned int number) {
    int tensor = 0, beyond = table.count;
    while (beyond - tensor > 1) {  // the last tensor whose first piece is not after this one
        const int middle = (tensor + beyond) / 2;
        if (table.first[middle] <= number)
            tensor = middle;
        else
            beyond = middle;
    }
    const long long begin = static_cast<long long>(number - table.first[tensor]) * PIECE;
    const long long size = table.size[tensor];
    return {tensor, begin, begin + PIECE < size ? begin + PIECE : size};
}

// Whether all arrays of a tensor start at a multiple of 16 bytes; those it lacks do.
template <int ROWS, int MOST>
__device__ __forceinline__ bool aligned(const Table<ROWS, MOST>& table, int tensor) {
    unsigned long long bits = 0;
#pragma unroll
    for (int row = 0; row < ROWS; ++row) bits |= reinterpret_cast<unsigned long long>(table.pointer[row][tensor]);
    return bits % 16 == 0;
}

// Calls visit<N>(i) for this thread's share of a piece, in a block of THREADS: N = V at multiples of V, then N = 1 for
// the rest, or for all where the arrays are not aligned.
template <int THREADS, int V, typename F>
__device__ __forceinline__ void for_each_pack(const Piece& piece, bool aligned, F visit) {
    const long long whole = aligned ? piece.begin + (piece.end - piece.begin) / V * V : piece.begin;
#pragma unroll 1
    for (long long i = piece.begin + threadIdx.x * V; i < whole; i += THREADS * V) visit.template operator()<V>(i);
#pragma unroll 1
    for (long long i = whole + threadIdx.x; i < piece.end; i += THREADS) visit.template operator()<1>(i);
}
