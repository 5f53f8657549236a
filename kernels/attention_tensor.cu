// Scaled dot-product attention on the tensor cores, forward and backward, in half precision and bfloat16: see
// attention.cu for the method, which is the same, and for what is fused.
//
// A block has four warps, each with 16 rows of its own (queries; keys in attention_tensor_by_key), and meets one tile of
// OTHER rows after the other. All rows lie in shared memory as in memory, HEAD elements wide, what lies beyond a head's
// features as zeros; chunk c of 16 bytes of row r is stored at c ^ s(r), so that ldmatrix finds eight rows in different
// banks. Scores stay in registers: as mma gives them they are what the second product takes. Sums are float32; weights
// are rounded once, as the second product's operand.
//
// Tiles come by cp.async while the products of others run: the next keys during the product with the values, the next
// values during that with the keys.
//
// Needs rows that begin at multiples of 16 bytes, and features that are multiples of 8. Shared memory is dynamic: own
// rows, other rows, and two floats for each row.
#include "attention.cuh"
#include "products.cuh"

namespace {

constexpr int THREADS = 128, OWN = 64, CHUNK = 16;

// ROWS rows of HEAD elements in shared memory, at a multiple of 16 bytes.
template <typename T, int ROWS, int HEAD>
struct Tile {
    static constexpr int CHUNKS = HEAD / 8, PITCH = HEAD * 2, BYTES = ROWS * PITCH;
    char* start;

    static __device__ __forceinline__ int place(int row, int chunk) {
        return row * PITCH + (chunk ^ (HEAD == 32 ? row >> 1 & 3 : row & 7)) * CHUNK;
    }
    __device__ __forceinline__ void load(const Rows<T>& rows, int width) const {
#pragma unroll
        for (int i = 0; i < ROWS * CHUNKS / THREADS; ++i) {
            const int row = (threadIdx.x + i * THREADS) / CHUNKS, chunk = (threadIdx.x + i * THREADS) % CHUNKS;
            cp_async16(smem_u32(start + place(row, chunk)), rows.first + row * rows.step + chunk * 8,
                       row < rows.count && chunk * 8 < width);
        }
        cp_async_commit();
    }
};

// sum = the products of the warp's 16 rows with the N rows of `other`: sum[j] has the columns 8 j to 8 j + 7.
template <typename T, int N, int HEAD>
__device__ __forceinline__ void multiply_rows(float (&sum)[N / 8][4], const Tile<T, OWN, HEAD>& own,
                                              const Tile<T, N, HEAD>& other) {
    const int lane = threadIdx.x % 32, warp = threadIdx.x / 32;
    const int from = own.place(warp * 16 + lane % 16, lane / 16);
    const int to = other.place(lane / 16 * 8 + lane % 8, lane / 8 % 2);
    const unsigned int own_start = smem_u32(own.start), other_start = smem_u32(other.start);
#pragma unroll
    for (int j = 0; j < N / 8; ++j)
#pragma unroll
        for (int v = 0; v < 4; ++v) sum[j][v] = 0.0f;
#pragma unroll HEAD < 128 ? HEAD / 16 : 4
    for (int step = 0; step < HEAD / 16; ++step) {
        unsigned int a[4];
        ldmatrix_x4(a, own_start + (from ^ step * 2 * CHUNK));
#pragma unroll
        for (int j = 0; j < N / 16; ++j) {
            unsigned int b[4];
            ldmatrix_x4(b, other_start + (to ^ step * 2 * CHUNK) + j * 16 * other.PITCH);
            Multiply<T>::run(sum[2 * j], a, b[0], b[1]);
            Multiply<T>::run(sum[2 * j + 1], a, b[2], b[3]);
        }
    }
}

// total += the warp's 16 x N weights times COLUMNS columns of `other`, from `origin` on.
template <typename T, int N, int HEAD, int COLUMNS>
__device__ __forceinline__ void add_columns(float (&total)[COLUMNS / 8][4], const float (&weights)[N / 8][4],
                                            const Tile<T, N, HEAD>& other, int origin) {
    const int lane = threadIdx.x % 32;
    const int from = other.place(lane / 8 % 2 * 8 + lane % 8, origin / 8 + lane / 16);
    const unsigned int start = smem_u32(other.start);
#pragma unroll
    for (int step = 0; step < N / 16; ++step) {
        unsigned int a[4];
#pragma unroll
        for (int i = 0; i < 4; ++i) {
            Pack<T, 2> pair;
            pair.item[0] = to<T>(weights[2 * step + i / 2][i % 2 * 2]);
            pair.item[1] = to<T>(weights[2 * step + i / 2][i % 2 * 2 + 1]);
            a[i] = *reinterpret_cast<const unsigned int*>(&pair);
        }
#pragma unroll
        for (int j = 0; j < COLUMNS / 16; ++j) {
            unsigned int b[4];
            ldmatrix_x4_trans(b, start + (from ^ j * 2 * CHUNK) + step * 16 * other.PITCH);
            Multiply<T>::run(total[2 * j], a, b[0], b[1]);
            Multiply<T>::run(total[2 * j + 1], a, b[2], b[3]);
        }
    }
}

// The warp's rows of a result leave through its rows of `own`, which no product reads any more, in 16-byte stores.
template <typename T, int HEAD, int COLUMNS>
__device__ __forceinline__ void store_rows(T* first, long long step, int rows, int origin, int width,
                                           const Tile<T, OWN, HEAD>& own, const float (&total)[COLUMNS / 8][4]) {
    const int lane = threadIdx.x % 32, warp = threadIdx.x / 32;
    __syncwarp();  // the warp's rows are read
#pragma unroll
    for (int j = 0; j < COLUMNS / 8; ++j)
#pragma unroll
        for (int half = 0; half < 2; ++half) {
            Pack<T, 2> pair;
            pair.item[0] = to<T>(total[j][half * 2]);
            pair.item[1] = to<T>(total[j][half * 2 + 1]);
            char* const at = own.start + own.place(warp * 16 + half * 8 + lane / 4, j);
            store_pack<2>(reinterpret_cast<T*>(at) + lane % 4 * 2, pair);
        }
    __syncwarp();  // and written
#pragma unroll
    for (int i = 0; i < COLUMNS / 16; ++i) {
        const int row = warp * 16 + (lane + i * 32) / (COLUMNS / 8), chunk = (lane + i * 32) % (COLUMNS / 8);
        if (row < rows && origin + chunk * 8 < width)
            *reinterpret_cast<uint4*>(first + row * step + origin + chunk * 8) =  // of 8 items the compiler makes pieces
                *reinterpret_cast<const uint4*>(own.start + own.place(row, chunk));
    }
}

// A thread's products become scores. BY_KEY: rows are keys. `query` and `key` are the tiles' first ones.
template <typename T, int N, bool BY_KEY>
__device__ __forceinline__ void finish_scores(float (&score)[N / 8][4], const Shape& at, const void* mask,
                                              long long origin, int query, int key) {
    constexpr int QUERIES = BY_KEY ? N : OWN, KEYS = BY_KEY ? OWN : N;
    if (sees_all(at, query, key + KEYS) && key + KEYS <= at.source && query + QUERIES <= at.length) {
#pragma unroll
        for (int j = 0; j < N / 8; ++j)
#pragma unroll
            for (int e = 0; e < 4; ++e) score[j][e] *= at.scale;
        return;
    }
    const int row = threadIdx.x / 32 * 16 + threadIdx.x % 32 / 4, column = threadIdx.x % 4 * 2;
#pragma unroll
    for (int j = 0; j < N / 8; ++j)
#pragma unroll
        for (int e = 0; e < 4; ++e) {
            const int r = row + e / 2 * 8, c = column + j * 8 + e % 2;
            score[j][e] = score_of<T>(at, mask, origin, score[j][e], query + (BY_KEY ? c : r), key + (BY_KEY ? r : c));
        }
}

// Which of a thread's weights are kept: bit 4 * j + v for weights[j][v]. `query` and `key` are of weights[0][0]; BY_KEY:
// rows are keys.
template <int N, bool BY_KEY>
__device__ __forceinline__ unsigned int kept_weights(const Shape& at, const unsigned long long* state,
                                                     unsigned long long offset, long long head, int query, int key) {
    unsigned int all = 0;
    if (!state) return ~0u;
#pragma unroll 1
    for (int i = 0; i < N / 8 * 4; ++i) {
        const int column = i / 4 * 8 + i % 2, row = i / 2 % 2 * 8;
        const long long number = (head * at.length + query + (BY_KEY ? column : row)) * at.source + key +
                                 (BY_KEY ? row : column);
        all |= (kept_of_block(at, state, offset, number >> 2) >> (number & 3) & 1u) << i;
    }
    return all;
}

template <typename T, int OTHER, int HEAD>
struct Memory {
    Tile<T, OWN, HEAD> own[2];
    Tile<T, OTHER, HEAD> other[2];
    float* log_sums;
    float* along;

    // `tiles` of own rows; the row sums lie behind the other rows.
    __device__ __forceinline__ Memory(char* shared, int tiles) {
        own[0].start = shared;
        own[1].start = shared + own[0].BYTES;
        other[0].start = shared + tiles * own[0].BYTES;
        other[1].start = other[0].start + other[0].BYTES;
        log_sums = reinterpret_cast<float*>(other[1].start + other[0].BYTES);
        along = log_sums + OWN;
    }
};

}  // namespace

extern __shared__ char dynamic_shared[];

// Grid of all three: tiles of 64 rows, and heads times batch. log_sums: [batch, heads, length].
template <typename T, int HEAD, int OTHER>
__global__ void __launch_bounds__(THREADS, HEAD <= 128 ? 3 : 2)
    attention_tensor(T* __restrict__ out, float* __restrict__ log_sums, const T* __restrict__ q,
                     const T* __restrict__ k, const T* __restrict__ v, const void* __restrict__ mask,
                     const unsigned long long* __restrict__ state, unsigned long long offset, const Shape at) {
    const Memory<T, OTHER, HEAD> memory(dynamic_shared, 1);
    const auto &keys = memory.other[0], &values = memory.other[1];
    const Head<T> head(at, q, k, v, blockIdx.y / at.heads, blockIdx.y % at.heads,
                       blockIdx.y % at.heads / at.group);
    const int first = blockIdx.x * OWN, lane = threadIdx.x % 32, warp = threadIdx.x / 32;
    const int query = first + warp * 16 + lane / 4, column = lane % 4 * 2;
    const int end = at.causal && first + OWN < at.source ? first + OWN : at.source;
    memory.own[0].load(head.q.from(first), at.features);
    keys.load(head.k, at.features);
    values.load(head.v, at.wide);
    float total[HEAD / 8][4], top[2], mass[2];
#pragma unroll
    for (int half = 0; half < 2; ++half) {
        top[half] = -infinity<float>();
        mass[half] = 0.0f;
    }
#pragma unroll
    for (int j = 0; j < HEAD / 8; ++j)
#pragma unroll
        for (int e = 0; e < 4; ++e) total[j][e] = 0.0f;
    for (int key = 0; key < end; key += OTHER) {
        float score[OTHER / 8][4];
        cp_async_wait<1>();
        __syncthreads();  // the keys have come
        multiply_rows<T, OTHER>(score, memory.own[0], keys);
        __syncthreads();  // and are read
        if (key + OTHER < end) keys.load(head.k.from(key + OTHER), at.features);
        else cp_async_commit();
        const unsigned int kept = kept_weights<OTHER, false>(at, state, offset, head.number, query, key + column);
        finish_scores<T, OTHER, false>(score, at, mask, head.mask, first, key);
#pragma unroll
        for (int half = 0; half < 2; ++half) {
            float most = top[half];
#pragma unroll
            for (int j = 0; j < OTHER / 8; ++j) most = fmaxf(most, fmaxf(score[j][half * 2], score[j][half * 2 + 1]));
            most = warp_reduce<4>(most, Max());
            const float against = most == -infinity<float>() ? 0.0f : most, shrink = __expf(top[half] - against);
            top[half] = most;
            mass[half] *= shrink;
#pragma unroll
            for (int j = 0; j < HEAD / 8; ++j) {
                total[j][half * 2] *= shrink;
                total[j][half * 2 + 1] *= shrink;
            }
#pragma unroll
            for (int j = 0; j < OTHER / 8; ++j)
#pragma unroll
                for (int e = half * 2; e < half * 2 + 2; ++e) {
                    const float weight = __expf(score[j][e] - against);
                    mass[half] += weight;
                    score[j][e] = !state ? weight : kept >> (4 * j + e) & 1u ? weight * at.kept_scale : 0.0f;
                }
        }
        cp_async_wait<1>();
        __syncthreads();  // the values have come
        add_columns<T, OTHER, HEAD, HEAD>(total, score, values, 0);
        __syncthreads();  // and are read
        if (key + OTHER < end) values.load(head.v.from(key + OTHER), at.wide);
        else cp_async_commit();
    }
    cp_async_wait<0>();
#pragma unroll
    for (int half = 0; half < 2; ++half) {
        const float sum = warp_reduce<4>(mass[half], Add());
        const bool blind = sum == 0.0f;
#pragma unroll
        for (int j = 0; j < HEAD / 8; ++j) {
            total[j][half * 2] /= blind ? 1.0f : sum;
            total[j][half * 2 + 1] /= blind ? 1.0f : sum;
        }
        if (column == 0 && query + half * 8 < at.length)
            log_sums[head.number * at.length + query + half * 8] = blind ? infinity<float>() : top[half] + logf(sum);
    }
    store_rows<T, HEAD, HEAD>(out + at.of_out(blockIdx.y / at.heads, blockIdx.y % at.heads, first), at.of_out.row,
                              at.length - first, 0, at.wide, memory.own[0], total);
}

// dq, and for the other kernel delta[row] = sum of g * out.
template <typename T, int HEAD, int OTHER>
__global__ void __launch_bounds__(THREADS, HEAD <= 64 ? 3 : 2)
    attention_tensor_by_query(T* __restrict__ dq, float* __restrict__ delta, const T* __restrict__ g,
                              const T* __restrict__ out, const float* __restrict__ log_sums, const T* __restrict__ q,
                              const T* __restrict__ k, const T* __restrict__ v, const void* __restrict__ mask,
                              const unsigned long long* __restrict__ state, unsigned long long offset, const Shape at) {
    const Memory<T, OTHER, HEAD> memory(dynamic_shared, 2);
    const auto &keys = memory.other[0], &values = memory.other[1];
    const Head<T> head(at, q, k, v, blockIdx.y / at.heads, blockIdx.y % at.heads,
                       blockIdx.y % at.heads / at.group);
    const int first = blockIdx.x * OWN, lane = threadIdx.x % 32, warp = threadIdx.x / 32;
    const int query = first + warp * 16 + lane / 4, column = lane % 4 * 2;
    const int end = at.causal && first + OWN < at.source ? first + OWN : at.source;
    const long long row = head.number * at.length + first;
    const long long place = at.of_out(blockIdx.y / at.heads, blockIdx.y % at.heads, first);
    const Rows<T> gradient{g + place, at.of_out.row, at.length - first};
    memory.own[0].load(head.q.from(first), at.features);
    memory.own[1].load(gradient, at.wide);
    keys.load(head.k, at.features);
    values.load(head.v, at.wide);
    float log_sum[2], along[2];
#pragma unroll
    for (int half = 0; half < 2; ++half) {  // four lanes a row
        const int own = warp * 16 + half * 8 + lane / 4;
        const bool inside = first + own < at.length;
        float sum = 0.0f;
        for (int c = lane % 4 * 8; inside && c < at.wide; c += 32) {
            const Pack<T, 8> x = load_pack<8>(gradient.first + own * gradient.step + c);
            const Pack<T, 8> y = load_pack<8>(out + place + own * gradient.step + c);
#pragma unroll
            for (int e = 0; e < 8; ++e) sum += to<float>(x.item[e]) * to<float>(y.item[e]);
        }
        along[half] = warp_reduce<4>(sum, Add());
        log_sum[half] = inside ? log_sums[row + own] : infinity<float>();
        if (inside && lane % 4 == 0) delta[row + own] = along[half];
    }
    float total[HEAD / 8][4];
#pragma unroll
    for (int j = 0; j < HEAD / 8; ++j)
#pragma unroll
        for (int e = 0; e < 4; ++e) total[j][e] = 0.0f;
    for (int key = 0; key < end; key += OTHER) {
        float score[OTHER / 8][4], by_weight[OTHER / 8][4];
        cp_async_wait<0>();
        __syncthreads();  // keys and values have come
        multiply_rows<T, OTHER>(score, memory.own[0], keys);
        multiply_rows<T, OTHER>(by_weight, memory.own[1], values);
        __syncthreads();  // the values are read
        if (key + OTHER < end) values.load(head.v.from(key + OTHER), at.wide);
        const unsigned int kept = kept_weights<OTHER, false>(at, state, offset, head.number, query, key + column);
        finish_scores<T, OTHER, false>(score, at, mask, head.mask, first, key);
#pragma unroll
        for (int j = 0; j < OTHER / 8; ++j)
#pragma unroll
            for (int e = 0; e < 4; ++e) {
                const float weight = __expf(score[j][e] - log_sum[e / 2]);
                if (state) by_weight[j][e] = kept >> (4 * j + e) & 1u ? by_weight[j][e] * at.kept_scale : 0.0f;
                score[j][e] = weight * (by_weight[j][e] - along[e / 2]) * at.scale;
            }
        add_columns<T, OTHER, HEAD, HEAD>(total, score, keys, 0);
        __syncthreads();  // the keys are read
        if (key + OTHER < end) keys.load(head.k.from(key + OTHER), at.features);
    }
    store_rows<T, HEAD, HEAD>(dq + at.of_dq(blockIdx.y / at.heads, blockIdx.y % at.heads, first), at.of_dq.row,
                              at.length - first, 0, at.features, memory.own[0], total);
}

// dk and dv, [batch, heads / group, source, .]: over the heads that share them, then the tiles of queries. Grid as above,
// with a group's heads in one block, and parts of at most 128 columns.
template <typename T, int HEAD, int OTHER>
__global__ void __launch_bounds__(THREADS, HEAD <= 32 ? 3 : 2)
    attention_tensor_by_key(T* __restrict__ dk, T* __restrict__ dv, const T* __restrict__ g,
                            const float* __restrict__ delta, const float* __restrict__ log_sums,
                            const T* __restrict__ q, const T* __restrict__ k, const T* __restrict__ v,
                            const void* __restrict__ mask, const unsigned long long* __restrict__ state,
                            unsigned long long offset, const Shape at) {
    constexpr int COLUMNS = HEAD < 128 ? HEAD : 128;
    const Memory<T, OTHER, HEAD> memory(dynamic_shared, 2);
    const auto &queries = memory.other[0], &gradients = memory.other[1];
    const int shared_heads = at.heads / at.group, batch = blockIdx.y / shared_heads;
    const int own = blockIdx.y % shared_heads, origin = blockIdx.z * COLUMNS;
    const int first = blockIdx.x * OWN, lane = threadIdx.x % 32, warp = threadIdx.x / 32;
    const int key = first + warp * 16 + lane / 4, column = lane % 4 * 2;
    float by_key[COLUMNS / 8][4], by_value[COLUMNS / 8][4];
#pragma unroll
    for (int j = 0; j < COLUMNS / 8; ++j)
#pragma unroll
        for (int e = 0; e < 4; ++e) by_key[j][e] = by_value[j][e] = 0.0f;
    {
        const Head<T> head(at, q, k, v, batch, own * at.group, own);
        memory.own[0].load(head.k.from(first), at.features);
        memory.own[1].load(head.v.from(first), at.wide);
    }
    for (int member = 0; member < at.group; ++member) {
        const Head<T> head(at, q, k, v, batch, own * at.group + member, own);
        const long long row = head.number * at.length;
        const Rows<T> gradient{g + at.of_out(batch, own * at.group + member, 0), at.of_out.row, at.length};
        const int begin = at.causal ? first : 0;
        queries.load(head.q.from(begin), at.features);
        gradients.load(gradient.from(begin), at.wide);
        for (int query = begin; query < at.length; query += OTHER) {
            if (threadIdx.x < OTHER) {
                const bool inside = query + threadIdx.x < at.length;
                memory.log_sums[threadIdx.x] = inside ? log_sums[row + query + threadIdx.x] : infinity<float>();
                memory.along[threadIdx.x] = inside ? delta[row + query + threadIdx.x] : 0.0f;
            }
            float score[OTHER / 8][4], by_weight[OTHER / 8][4];
            cp_async_wait<0>();
            __syncthreads();  // queries and gradients have come
            multiply_rows<T, OTHER>(score, memory.own[0], queries);
            const unsigned int kept = kept_weights<OTHER, true>(at, state, offset, head.number, query + column, key);
            finish_scores<T, OTHER, true>(score, at, mask, head.mask, query, first);
#pragma unroll
            for (int j = 0; j < OTHER / 8; ++j)
#pragma unroll
                for (int e = 0; e < 4; ++e) {
                    score[j][e] = __expf(score[j][e] - memory.log_sums[j * 8 + column + e % 2]);
                    const bool stays = kept >> (4 * j + e) & 1u;
                    by_weight[j][e] = !state ? score[j][e] : stays ? score[j][e] * at.kept_scale : 0.0f;
                }
            add_columns<T, OTHER, HEAD, COLUMNS>(by_value, by_weight, gradients, origin);
            multiply_rows<T, OTHER>(by_weight, memory.own[1], gradients);
            __syncthreads();  // the gradients are read
            if (query + OTHER < at.length) gradients.load(gradient.from(query + OTHER), at.wide);
#pragma unroll
            for (int j = 0; j < OTHER / 8; ++j)
#pragma unroll
                for (int e = 0; e < 4; ++e) {
                    if (state) by_weight[j][e] = kept >> (4 * j + e) & 1u ? by_weight[j][e] * at.kept_scale : 0.0f;
                    score[j][e] *= (by_weight[j][e] - memory.along[j * 8 + column + e % 2]) * at.scale;
                }
            add_columns<T, OTHER, HEAD, COLUMNS>(by_key, score, queries, origin);
            __syncthreads();  // the queries, and the rows' sums, are read
            if (query + OTHER < at.length) queries.load(head.q.from(query + OTHER), at.features);
        }
    }
    cp_async_wait<0>();
    store_rows<T, HEAD, COLUMNS>(dk + at.of_dk(batch, own, first), at.of_dk.row, at.source - first, origin, at.features,
                                 memory.own[0], by_key);
    store_rows<T, HEAD, COLUMNS>(dv + at.of_dv(batch, own, first), at.of_dv.row, at.source - first, origin, at.wide,
                                 memory.own[1], by_value);
}
