// What the kernels of attention share: how arrays lie in memory, and what decides over a weight beside its score.
#pragma once

#include "common.cuh"

enum MaskKind { MASK_NONE, MASK_BOOLS, MASK_NUMBERS };

namespace {

// Rows of a head from some row on; `count` that there are (or more than a tile).
template <typename T>
struct Rows {
    const T* first;
    long long step;
    int count;

    __device__ __forceinline__ Rows from(int row) const { return {first + row * step, step, count - row}; }
    __device__ __forceinline__ float at(int row, int column, int width) const {
        return row < count && column < width ? to<float>(first[row * step + column]) : 0.0f;
    }
};

}  // namespace

// The steps of a result or a gradient, which lies in one piece: [batch, heads, rows, .], or [batch, rows, heads, .].
struct Place {
    long long batch, head, row;

    __device__ __forceinline__ long long operator()(int b, int h, int r) const {
        return b * batch + h * head + r * row;
    }
};

// What all kernels take beside their arrays; steps in elements. The launch code has the same structure.
struct Shape {
    long long q_batch, q_head, q_row, k_batch, k_head, k_row, v_batch, v_head, v_row;
    long long mask_batch, mask_head, mask_row, mask_column;
    Place of_out, of_dq, of_dk, of_dv;  // g lies like out
    int heads, group, length, source, features, wide;  // group: heads of queries that share one of keys
    int mask_kind, causal;
    float scale, kept_scale;
    unsigned int threshold, unused;
};

namespace {

// One head of the batch: its rows, and what decides over its weights beside the scores.
template <typename T>
struct Head {
    Rows<T> q, k, v;
    long long number, mask;  // where the mask of the head begins

    __device__ __forceinline__ Head(const Shape& at, const T* q_, const T* k_, const T* v_, int batch, int head,
                                    int key_head)
        : q{q_ + batch * at.q_batch + head * at.q_head, at.q_row, at.length},
          k{k_ + batch * at.k_batch + key_head * at.k_head, at.k_row, at.source},
          v{v_ + batch * at.v_batch + key_head * at.v_head, at.v_row, at.source},
          number(static_cast<long long>(batch) * at.heads + head),
          mask(batch * at.mask_batch + head * at.mask_head) {}
};

// A score as it goes into the exponential; what a query may not see is -infinity.
template <typename T>
__device__ __forceinline__ float score_of(const Shape& at, const void* mask, long long origin, float product, int query,
                                          int key) {
    bool seen = query < at.length && key < at.source && !(at.causal && key > query);
    float value = product * at.scale;
    if (seen && at.mask_kind != MASK_NONE) {
        const long long place = origin + query * at.mask_row + key * at.mask_column;
        if (at.mask_kind == MASK_BOOLS) seen = static_cast<const bool*>(mask)[place];
        else value += to<float>(static_cast<const T*>(mask)[place]);
    }
    return seen ? value : -infinity<float>();
}

// Whether a tile of queries sees every key of a tile of keys, so that a score needs nothing but its scale: all from some
// query on, all up to some key (exclusive).
__device__ __forceinline__ bool sees_all(const Shape& at, int first_query, int end_of_keys) {
    return at.mask_kind == MASK_NONE && !(at.causal && end_of_keys - 1 > first_query);
}

// Of the four weights from number 4 * block on, which are kept: bits.
__device__ __forceinline__ unsigned int kept_of_block(const Shape& at, const unsigned long long* state,
                                                      unsigned long long offset, long long block) {
    const uint4 w = philox(state[1] + offset + static_cast<unsigned long long>(block), state[0]);
    return ((w.x >> 8) >= at.threshold) | ((w.y >> 8) >= at.threshold) << 1 | ((w.z >> 8) >= at.threshold) << 2 |
           ((w.w >> 8) >= at.threshold) << 3;
}

}  // namespace
