// Scaled dot-product attention by tiles, forward and backward, in single precision: softmax(q k^T scale + mask) v.
// Memory grows with the sequence, not with its square.
//
// A tile of 64 queries meets one tile of 64 keys after the other; the softmax over all keys is put together from the
// tiles' (Milakov and Gimelshein, "Online normalizer calculation for softmax", 2018; Dao et al., "FlashAttention",
// 2022).
// The forward pass keeps the logarithm of each row's sum, from which the backward pass computes the weights anew. That
// is two kernels, one by tiles of queries for dq and one by tiles of keys for dk and dv: each result has one block that
// adds it up in a fixed order, at the price of computing the weights twice. Tiles that a causal mask hides are left
// out.
//
// Fused: scale, mask, softmax, dropout (the weights dropped are those that dropout of the whole matrix would drop) and
// both products.
//
// q, g and out are [batch, heads, length, .], k and v [batch, heads / group, source, .]; of q, k and v the steps
// between batches, heads and rows are given, in elements. Results and gradients lie in one piece, the heads before the
// rows or behind them, as a projection to all heads takes them. Half types are read and written; all between is float.
//
// A thread holds 4 x 4 scores, and 4 rows by W columns of a result; 16 * W columns are a block's, and heads that are
// wider are the work of several blocks. Every product is of two matrices in shared memory, 16 deep; the next slice is
// read into registers meanwhile.
#include "attention.cuh"

namespace {

constexpr int THREADS = 256, TILE = 64, SLICE = 16, PITCH = TILE + 4;
constexpr int ROOM = 2 * SLICE * PITCH;  // floats: two slices of rows, or one of columns

// sum[i][j] = the product of row y * 4 + i of left and row x * 4 + j of right, x = thread % 16, y = thread / 16.
// Rows lie turned in shared memory, [k][row]; where k / 8 is odd, pairs of rows change places, so that the 16 k of a
// row are stored to different banks.
template <typename T>
__device__ __forceinline__ void multiply_rows(float (&sum)[4][4], float* shared, const Rows<T>& left,
                                              const Rows<T>& right, int width) {
    float* const of_left = shared;
    float* const of_right = shared + SLICE * PITCH;
    const int k = threadIdx.x % SLICE, row = threadIdx.x / SLICE, x = threadIdx.x % 16 * 4, y = threadIdx.x / 16 * 4;
    float next[2][4];
    auto read = [&](int first) {
#pragma unroll
        for (int i = 0; i < 4; ++i) {
            next[0][i] = left.at(row + i * 16, first + k, width);
            next[1][i] = right.at(row + i * 16, first + k, width);
        }
    };
#pragma unroll
    for (int i = 0; i < 4; ++i)
#pragma unroll
        for (int j = 0; j < 4; ++j) sum[i][j] = 0.0f;
    read(0);
    for (int first = 0; first < width; first += SLICE) {
        __syncthreads();  // what was here is read
#pragma unroll
        for (int i = 0; i < 4; ++i) {
            const int at = k * PITCH + ((row + i * 16) ^ (k / 8 * 2));
            of_left[at] = next[0][i];
            of_right[at] = next[1][i];
        }
        __syncthreads();  // the slice is complete
        if (first + SLICE < width) read(first + SLICE);
#pragma unroll
        for (int step = 0; step < SLICE; ++step) {
            const Pack<float, 4> a = load_pack<4>(of_left + step * PITCH + y);
            const Pack<float, 4> b = load_pack<4>(of_right + step * PITCH + x);
            const int turn = step / 8 * 2;
#pragma unroll
            for (int i = 0; i < 4; ++i)
#pragma unroll
                for (int j = 0; j < 4; ++j) sum[i][j] += a.item[i ^ turn] * b.item[j ^ turn];
        }
    }
}

// Which of a block's 16 * W columns is a thread's number c.
template <int W>
__device__ __forceinline__ int column_of(int c) {
    return W < 4 ? threadIdx.x % 16 * W + c : c / 4 * 64 + threadIdx.x % 16 * 4 + c % 4;
}

// total[i][c] += the sum over the tile's rows of weights[y * 4 + i][row] times column c of right.
template <int W, typename T>
__device__ __forceinline__ void add_columns(float (&total)[4][W], const float* weights, float* shared,
                                            const Rows<T>& right, int origin, int width) {
    constexpr int WIDE = 16 * W, GROUP = W < 4 ? W : 4;
    static_assert(SLICE * WIDE <= ROOM, "a slice fits");
    const int y = threadIdx.x / 16 * 4, rows = right.count < TILE ? right.count : TILE;
    float next[W];
    auto read = [&](int first) {
#pragma unroll
        for (int i = 0; i < W; ++i) {
            const int element = threadIdx.x + i * THREADS;
            next[i] = right.at(first + element / WIDE, origin + element % WIDE, width);
        }
    };
    read(0);
    for (int first = 0; first < rows; first += SLICE) {
        __syncthreads();  // what was here is read, and at first the weights are written
#pragma unroll
        for (int i = 0; i < W; ++i) shared[threadIdx.x + i * THREADS] = next[i];
        __syncthreads();  // the slice is complete
        if (first + SLICE < rows) read(first + SLICE);
#pragma unroll
        for (int step = 0; step < SLICE; step += 4) {
            Pack<float, 4> a[4];
#pragma unroll
            for (int i = 0; i < 4; ++i) a[i] = load_pack<4>(weights + (y + i) * PITCH + first + step);
#pragma unroll
            for (int s = 0; s < 4; ++s)
#pragma unroll
                for (int c = 0; c < W; c += GROUP) {
                    const Pack<float, GROUP> b = load_pack<GROUP>(shared + (step + s) * WIDE + column_of<W>(c));
#pragma unroll
                    for (int v = 0; v < GROUP; ++v)
#pragma unroll
                        for (int i = 0; i < 4; ++i) total[i][c + v] += a[i].item[s] * b.item[v];
                }
        }
    }
}

__device__ __forceinline__ void store_weights(float* weights, const float (&value)[4][4]) {
#pragma unroll
    for (int i = 0; i < 4; ++i)
        store_pack<4>(weights + (threadIdx.x / 16 * 4 + i) * PITCH + threadIdx.x % 16 * 4,
                      Pack<float, 4>{value[i][0], value[i][1], value[i][2], value[i][3]});
}

template <typename T, int W>
__device__ __forceinline__ void store_rows(T* first, long long step, int rows, int origin, int width,
                                           const float (&total)[4][W]) {
#pragma unroll
    for (int i = 0; i < 4; ++i) {
        const int row = threadIdx.x / 16 * 4 + i;
        if (row >= rows) continue;
#pragma unroll
        for (int c = 0; c < W; ++c) {
            const int column = origin + column_of<W>(c);
            if (column < width) first[row * step + column] = to<T>(total[i][c]);
        }
    }
}

// A thread's products become scores. BY_KEY: rows are keys. The tiles' first query and key.
template <typename T, bool BY_KEY>
__device__ __forceinline__ void finish_scores(float (&score)[4][4], const Shape& at, const void* mask, long long origin,
                                              int query, int key) {
    const int x = threadIdx.x % 16 * 4, y = threadIdx.x / 16 * 4;
    const bool all = sees_all(at, query, key + TILE) && key + TILE <= at.source && query + TILE <= at.length;
#pragma unroll
    for (int i = 0; i < 4; ++i)
#pragma unroll
        for (int j = 0; j < 4; ++j)
            score[i][j] = all ? score[i][j] * at.scale
                              : score_of<T>(at, mask, origin, score[i][j], query + (BY_KEY ? x + j : y + i),
                                            key + (BY_KEY ? y + i : x + j));
}

// Which of a thread's 16 weights are kept: bit 4 * l + e for weight e of line l, four neighbouring keys of one query,
// whose words are those of one or two blocks of random numbers. All are, without a state.
__device__ __forceinline__ unsigned int kept_weights(const Shape& at, const unsigned long long* state,
                                                     unsigned long long offset, long long head, int query, int key) {
    if (!state) return 0xffffu;
    unsigned int all = 0;
#pragma unroll 1
    for (int line = 0; line < 4; ++line) {
        const long long number = (head * at.length + query + line) * at.source + key;
        unsigned int found = 0;
#pragma unroll 1
        for (int half = 0; half < 2; ++half) {
            found |= kept_of_block(at, state, offset, (number >> 2) + half) << 4 * half;
            if (number % 4 == 0) break;
        }
        all |= (found >> (number & 3) & 15u) << 4 * line;
    }
    return all;
}

__device__ __forceinline__ float factor(unsigned int kept, int line, int key, float scale) {
    return kept >> (4 * line + key) & 1u ? scale : 0.0f;
}

}  // namespace

// Grid of all three: tiles of rows, heads times batch, and parts of 16 * W columns. log_sums: [batch, heads, length].
template <typename T, int W>
__global__ void __launch_bounds__(THREADS, W < 8 ? 2 : 1)
    attention(T* __restrict__ out, float* __restrict__ log_sums, const T* __restrict__ q, const T* __restrict__ k,
              const T* __restrict__ v, const void* __restrict__ mask, const unsigned long long* __restrict__ state,
              unsigned long long offset, const Shape at) {
    __shared__ alignas(16) float shared[ROOM], weights[TILE * PITCH];
    const Head<T> head(at, q, k, v, blockIdx.y / at.heads, blockIdx.y % at.heads,
                       blockIdx.y % at.heads / at.group);
    const int first = blockIdx.x * TILE, origin = blockIdx.z * 16 * W;
    const int x = threadIdx.x % 16 * 4, y = threadIdx.x / 16 * 4;
    float total[4][W], top[4], mass[4];
#pragma unroll
    for (int i = 0; i < 4; ++i) {
        top[i] = -infinity<float>();
        mass[i] = 0.0f;
#pragma unroll
        for (int c = 0; c < W; ++c) total[i][c] = 0.0f;
    }
    const int end = at.causal && first + TILE < at.source ? first + TILE : at.source;
    for (int key = 0; key < end; key += TILE) {
        float score[4][4];
        multiply_rows(score, shared, head.q.from(first), head.k.from(key), at.features);
        const unsigned int kept = kept_weights(at, state, offset, head.number, first + y, key + x);
        finish_scores<T, false>(score, at, mask, head.mask, first, key);
#pragma unroll
        for (int i = 0; i < 4; ++i) {
            float most = top[i];
#pragma unroll
            for (int j = 0; j < 4; ++j) most = fmaxf(most, score[i][j]);
            most = warp_reduce<16>(most, Max());
            const float against = most == -infinity<float>() ? 0.0f : most, shrink = expf(top[i] - against);
            top[i] = most;
            mass[i] *= shrink;
#pragma unroll
            for (int c = 0; c < W; ++c) total[i][c] *= shrink;
#pragma unroll
            for (int j = 0; j < 4; ++j) {
                score[i][j] = expf(score[i][j] - against);
                mass[i] += score[i][j];
                if (state) score[i][j] *= factor(kept, i, j, at.kept_scale);
            }
        }
        store_weights(weights, score);
        add_columns<W>(total, weights, shared, head.v.from(key), origin, at.wide);
    }
#pragma unroll
    for (int i = 0; i < 4; ++i) {
        const float sum = warp_reduce<16>(mass[i], Add());
        const bool blind = sum == 0.0f;
#pragma unroll
        for (int c = 0; c < W; ++c) total[i][c] /= blind ? 1.0f : sum;
        if (origin == 0 && x == 0 && first + y + i < at.length)
            log_sums[head.number * at.length + first + y + i] = blind ? infinity<float>() : top[i] + logf(sum);
    }
    store_rows(out + at.of_out(blockIdx.y / at.heads, blockIdx.y % at.heads, first), at.of_out.row, at.length - first,
               origin, at.wide, total);
}

// dq, and for the other kernel delta[row] = sum of g * out.
template <typename T, int W>
__global__ void __launch_bounds__(THREADS, W < 8 ? 2 : 1)
    attention_by_query(T* __restrict__ dq, float* __restrict__ delta, const T* __restrict__ g,
                       const T* __restrict__ out, const float* __restrict__ log_sums, const T* __restrict__ q,
                       const T* __restrict__ k,
                       const T* __restrict__ v, const void* __restrict__ mask,
                       const unsigned long long* __restrict__ state, unsigned long long offset, const Shape at) {
    __shared__ alignas(16) float shared[ROOM], weights[TILE * PITCH];
    __shared__ float log_sum[TILE], along[TILE];
    const Head<T> head(at, q, k, v, blockIdx.y / at.heads, blockIdx.y % at.heads,
                       blockIdx.y % at.heads / at.group);
    const int first = blockIdx.x * TILE, origin = blockIdx.z * 16 * W;
    const int x = threadIdx.x % 16 * 4, y = threadIdx.x / 16 * 4;
    const long long row = head.number * at.length + first;
    const long long place = at.of_out(blockIdx.y / at.heads, blockIdx.y % at.heads, first);
    const Rows<T> gradient{g + place, at.of_out.row, at.length - first};
    const Rows<T> result{out + place, at.of_out.row, at.length - first};
    {
        const int own = threadIdx.x / 4;  // four threads a row
        float sum = 0.0f;
        for (int c = threadIdx.x % 4; c < at.wide; c += 4)
            sum += gradient.at(own, c, at.wide) * result.at(own, c, at.wide);
        sum = warp_reduce<4>(sum, Add());
        if (threadIdx.x % 4 == 0) {
            const bool inside = first + own < at.length;
            along[own] = sum;
            log_sum[own] = inside ? log_sums[row + own] : infinity<float>();
            if (inside && origin == 0) delta[row + own] = sum;
        }
    }
    float total[4][W];
#pragma unroll
    for (int i = 0; i < 4; ++i)
#pragma unroll
        for (int c = 0; c < W; ++c) total[i][c] = 0.0f;
    const int end = at.causal && first + TILE < at.source ? first + TILE : at.source;
    for (int key = 0; key < end; key += TILE) {
        float score[4][4], by_weight[4][4];
        multiply_rows(score, shared, head.q.from(first), head.k.from(key), at.features);  // its barriers are passed
        finish_scores<T, false>(score, at, mask, head.mask, first, key);
#pragma unroll
        for (int i = 0; i < 4; ++i)
#pragma unroll
            for (int j = 0; j < 4; ++j) score[i][j] = expf(score[i][j] - log_sum[y + i]);
        multiply_rows(by_weight, shared, gradient, head.v.from(key), at.wide);
        const unsigned int kept = kept_weights(at, state, offset, head.number, first + y, key + x);
#pragma unroll
        for (int i = 0; i < 4; ++i)
#pragma unroll
            for (int j = 0; j < 4; ++j) {
                if (state) by_weight[i][j] *= factor(kept, i, j, at.kept_scale);
                score[i][j] *= (by_weight[i][j] - along[y + i]) * at.scale;
            }
        store_weights(weights, score);
        add_columns<W>(total, weights, shared, head.k.from(key), origin, at.features);
    }
    store_rows(dq + at.of_dq(blockIdx.y / at.heads, blockIdx.y % at.heads, first), at.of_dq.row, at.length - first,
               origin, at.features, total);
}

// dk and dv, [batch, heads / group, source, .]: over the heads that share them, then the tiles of queries. Grid as
// above, with a group's heads in one block.
template <typename T, int W>
__global__ void __launch_bounds__(THREADS, 1)
    attention_by_key(T* __restrict__ dk, T* __restrict__ dv, const T* __restrict__ g, const float* __restrict__ delta,
                     const float* __restrict__ log_sums, const T* __restrict__ q, const T* __restrict__ k,
                     const T* __restrict__ v, const void* __restrict__ mask,
                     const unsigned long long* __restrict__ state, unsigned long long offset, const Shape at) {
    __shared__ alignas(16) float shared[ROOM], weights[TILE * PITCH];
    __shared__ float log_sum[TILE], along[TILE];
    const int shared_heads = at.heads / at.group, batch = blockIdx.y / shared_heads, own = blockIdx.y % shared_heads;
    const int first = blockIdx.x * TILE, origin = blockIdx.z * 16 * W;
    const int x = threadIdx.x % 16 * 4, y = threadIdx.x / 16 * 4;
    float by_key[4][W], by_value[4][W];
#pragma unroll
    for (int i = 0; i < 4; ++i)
#pragma unroll
        for (int c = 0; c < W; ++c) by_key[i][c] = by_value[i][c] = 0.0f;
    for (int member = 0; member < at.group; ++member) {
        const Head<T> head(at, q, k, v, batch, own * at.group + member, own);
        for (int query = at.causal ? first : 0; query < at.length; query += TILE) {
            const long long row = head.number * at.length + query;
            const Rows<T> gradient{g + at.of_out(batch, own * at.group + member, query), at.of_out.row,
                                   at.length - query};
            __syncthreads();  // the sums of the last tile are read
            if (threadIdx.x < TILE) {
                const bool inside = query + threadIdx.x < at.length;
                log_sum[threadIdx.x] = inside ? log_sums[row + threadIdx.x] : infinity<float>();
                along[threadIdx.x] = inside ? delta[row + threadIdx.x] : 0.0f;
            }
            float score[4][4], used[4][4];
            multiply_rows(score, shared, head.k.from(first), head.q.from(query), at.features);  // its barriers pass
            const unsigned int kept = kept_weights(at, state, offset, head.number, query + x, first + y);
            finish_scores<T, true>(score, at, mask, head.mask, query, first);
#pragma unroll
            for (int i = 0; i < 4; ++i)
#pragma unroll
                for (int j = 0; j < 4; ++j) {
                    score[i][j] = expf(score[i][j] - log_sum[x + j]);
                    used[i][j] = score[i][j];
                    if (state) used[i][j] *= factor(kept, j, i, at.kept_scale);
                }
            store_weights(weights, used);
            add_columns<W>(by_value, weights, shared, gradient, origin, at.wide);
            multiply_rows(used, shared, head.v.from(first), gradient, at.wide);
#pragma unroll
            for (int i = 0; i < 4; ++i)
#pragma unroll
                for (int j = 0; j < 4; ++j) {
                    if (state) used[i][j] *= factor(kept, j, i, at.kept_scale);
                    score[i][j] *= (used[i][j] - along[x + j]) * at.scale;
                }
            store_weights(weights, score);
            add_columns<W>(by_key, weights, shared, head.q.from(query), origin, at.features);
        }
    }
    store_rows(dk + at.of_dk(batch, own, first), at.of_dk.row, at.source - first, origin, at.features, by_key);
    store_rows(dv + at.of_dv(batch, own, first), at.of_dv.row, at.source - first, origin, at.wide, by_value);
}
