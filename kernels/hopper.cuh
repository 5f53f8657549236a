// What the products for Hopper's tensor cores share: matmul_hopper.cu, and matmul_hopper_pair.cu for pairs of blocks.
// [sm_90a: wgmma, TMA, mbarriers]
//
// A block stays on its multiprocessor and computes one tile after the other. Its twelve warps have two roles. One thread
// of the last four, the producer, starts the copies (TMA) of slices of op(a) and op(b), 128 bytes deep in k, into a ring of
// stages in shared memory; the copy engine writes zeros for what is outside of the operands, so that edges cost nothing.
// The other eight are two warpgroups of consumers, each with 64 rows of the tile, whose products (wgmma) read both
// operands from the ring and keep their sums in registers. A stage has two mbarriers: `full` ends a phase when its bytes
// have come, `empty` when all consumers have read it. So copies run up to STAGES slices ahead of products, also into the
// next tile while this one's results are written; a slice's products are started before those of the last are done.
//
// The producer gives up registers that it does not need; the consumers' sums take 128 a thread of their 232.
//
// Operands lie in shared memory as TMA writes them: rows of 128 bytes, swizzled. Where k runs along memory a row has 64
// of k, else 64 of the operand's rows, which wgmma takes as a turned operand.
//
// float is multiplied as TF32: the copies round it to the nearest number of 10 bits of fraction, and wgmma ignores the
// rest. A row has 32 of k; in bytes and in cycles, such a slice is one of half types. From shared memory wgmma takes TF32
// along k alone. Where k runs across op(b)'s memory, the product is computed turned, op(b)' op(a)': what is then the left
// operand comes by registers, and the result is turned as it leaves. The registers are read when the products before are
// done, while those of the other warpgroup run.
//
// Where k is long and tiles are few, blocks share the sums: each takes a tile of a part of k, and stores its float32 sums in
// `partial`; matmul_join adds these from first to last.
//
// Two blocks of a cluster, a pair, compute tiles one above the other. Each copies its own slice of op(a), and half of
// the slice of op(b) that both need, to both of them: so the L2 gives 32 KB instead of 48. A stage of either is written by
// both, when the consumers of both have read it: these tell both `empty` barriers.
#pragma once

#include "tiles.cuh"
#include "wgmma.cuh"

namespace {

constexpr int TILE_M = 128;                      // rows of a tile
constexpr int WARPGROUP = 128, CONSUMERS = 2, THREADS = (CONSUMERS + 1) * WARPGROUP;
constexpr int CHUNK = 16, LINE = 128;            // bytes; the latter are a slice's depth
constexpr int ATOM = 64 * LINE;                  // bytes of 64 rows of an operand in a slice
template <typename T>
constexpr int DEPTH = LINE / sizeof(T);          // of a slice; and the columns of a tile that leave together, a strip

// Where a stage and what follows the ring are in shared memory.
template <int TILE_N>
struct Ring {
    static constexpr int STAGE = (TILE_M + TILE_N) * LINE, STAGES = 192 * 1024 / STAGE;
    static constexpr int RESULTS = STAGES * STAGE;                                     // each warp's 16 rows of a strip
    static constexpr int BARRIERS = RESULTS + CONSUMERS * 64 * LINE;
    static constexpr int BYTES = BARRIERS + 2 * STAGES * 8 + 1024;                     // and to align it
    static_assert(BYTES <= 227 * 1024, "fits a multiprocessor");
};

// The place of a ring's next slice: `parity` is that of the phase in which it is filled.
template <int STAGES>
struct Turn {
    int stage = 0;
    unsigned int parity = 0;
    __device__ __forceinline__ void next() {
        if (++stage == STAGES) {
            stage = 0;
            parity ^= 1;
        }
    }
};

template <bool A_T, bool B_T>
__device__ __forceinline__ void multiply(__nv_bfloat16, float (&d)[128], unsigned long long a, unsigned long long b,
                                         int accumulate) {
    wgmma_m64n256k16_bf16<A_T, B_T>(d, a, b, accumulate);
}
template <bool A_T, bool B_T>
__device__ __forceinline__ void multiply(__nv_bfloat16, float (&d)[64], unsigned long long a, unsigned long long b,
                                         int accumulate) {
    wgmma_m64n128k16_bf16<A_T, B_T>(d, a, b, accumulate);
}
template <bool A_T, bool B_T>
__device__ __forceinline__ void multiply(__half, float (&d)[128], unsigned long long a, unsigned long long b,
                                         int accumulate) {
    wgmma_m64n256k16_f16<A_T, B_T>(d, a, b, accumulate);
}
template <bool A_T, bool B_T>
__device__ __forceinline__ void multiply(__half, float (&d)[64], unsigned long long a, unsigned long long b,
                                         int accumulate) {
    wgmma_m64n128k16_f16<A_T, B_T>(d, a, b, accumulate);
}
template <bool A_T, bool B_T>
__device__ __forceinline__ void multiply(float, float (&d)[128], unsigned long long a, unsigned long long b,
                                         int accumulate) {
    static_assert(!A_T && !B_T, "TF32 comes along k alone");
    wgmma_m64n256k8_tf32(d, a, b, accumulate);
}
template <bool A_T, bool B_T>
__device__ __forceinline__ void multiply(float, float (&d)[64], unsigned long long a, unsigned long long b,
                                         int accumulate) {
    static_assert(!A_T && !B_T, "TF32 comes along k alone");
    wgmma_m64n128k8_tf32(d, a, b, accumulate);
}
__device__ __forceinline__ void multiply(float (&d)[128], const unsigned int (&a)[4], unsigned long long b) {
    wgmma_m64n256k8_tf32(d, a, b);
}
__device__ __forceinline__ void multiply(float (&d)[64], const unsigned int (&a)[4], unsigned long long b) {
    wgmma_m64n128k8_tf32(d, a, b);
}

// The descriptor of an operand that begins at `shared`, and what to add to it for the next product's: 32 bytes of k.
template <bool K_INNER>
__device__ __forceinline__ unsigned long long operand_at(const char* shared) {
    return wgmma_descriptor(shared, K_INNER ? CHUNK : ATOM, 1024, 128);
}
template <bool K_INNER>
constexpr int STEP = (K_INNER ? 32 : 16 * LINE) >> 4;

// One lane's part in reading a left operand of float whose rows run along memory, to registers. Boxes are of 32 rows by 32
// of k; two warps share one, each with chunks h and h + 4 of four: so the eight chunks that a warp reads at a time, of
// four k, lie in different banks.
struct TurnedLeft {
    int base;  // bytes
    __device__ __forceinline__ explicit TurnedLeft(int warp) {
        const int lane = threadIdx.x % 32, k = lane % 4;
        base = warp / 2 * DEPTH<float> * LINE + k * LINE + ((warp % 2 * 2 + lane / 16 * 4) ^ k) * CHUNK + lane / 4 % 4 * 4;
    }
    // Of a warp's 16 rows in the tile, where the four rows of its `chunk` begin.
    static __device__ __forceinline__ int row(int warp, int chunk) {
        return warp / 2 * 32 + (warp % 2 * 2 + chunk % 2 + chunk / 2 * 4) * 4;
    }
    __device__ __forceinline__ void read(unsigned int (&left)[LINE / 32][4], const char* slice) const {
#pragma unroll
        for (int step = 0; step < LINE / 32; ++step)
#pragma unroll
            for (int r = 0; r < 4; ++r) {  // the lower rows, and k's second half
                const int place = (base ^ (r % 2 * CHUNK) ^ (r / 2 * 4 * CHUNK)) + (step * 8 + r / 2 * 4) * LINE;
                left[step][r] = *reinterpret_cast<const unsigned int*>(slice + place);
            }
    }
};

// Starts the copies of ROWS rows of an operand, from `origin` on, in one slice; BLOCKS = 2: to both blocks of a pair.
template <typename T, bool K_INNER, int ROWS, int BLOCKS>
__device__ __forceinline__ void copy_slice(char* shared, const CUtensorMap* map, unsigned long long* full, int origin,
                                           int first, int inner, int outer) {
    constexpr int BOXES = K_INNER ? 1 : ROWS / DEPTH<T>, BOX = LINE * DEPTH<T>;
#pragma unroll
    for (int i = 0; i < BOXES; ++i) {
        const int x = K_INNER ? first : origin + i * DEPTH<T>, y = K_INNER ? origin : first;
        if (BLOCKS == 1) tma_load_4d(shared + i * BOX, map, full, x, y, inner, outer);
        else tma_load_4d_multicast(shared + i * BOX, map, full, x, y, inner, outer, (1 << BLOCKS) - 1);
    }
}

// The numbers of a block's tiles, and where a tile is. BLOCKS: of a cluster, whose tiles are `rank` tiles below its first.
// Where blocks share k, each part of it has all tiles, one part after the other.
template <int TILE_N, int BLOCKS>
struct Tiles {
    int tiles_m, tiles_n, each, count;  // each: of one part
    __device__ __forceinline__ explicit Tiles(const Product& at)
        : tiles_m((at.m + BLOCKS * TILE_M - 1) / (BLOCKS * TILE_M)),
          tiles_n((at.n + TILE_N - 1) / TILE_N),
          each(tiles_m * tiles_n * at.batch),
          count(each * ((at.k + at.per_split - 1) / at.per_split)) {}
    __device__ __forceinline__ void find(int tile, int rank, int& part, int& matrix, int& origin_m,
                                         int& origin_n) const {
        part = tile / each;
        tile -= part * each;
        matrix = tile / (tiles_m * tiles_n);
        int tile_m, tile_n;
        tile_position<TILE_N / 16 / BLOCKS>(tile - matrix * tiles_m * tiles_n, tiles_m, tiles_n, tile_m, tile_n);
        origin_m = (tile_m * BLOCKS + rank) * TILE_M;
        origin_n = tile_n * TILE_N;
    }
};

// Chunk c of row r of a warp's strip: a row's chunks lie in different banks, the eight rows of a matrix, and the pairs of
// chunks that four rows of float are written to.
__device__ __forceinline__ int strip_place(int row, int chunk) {
    return row * LINE + (chunk ^ (row << 1 & 6 | row >> 2 & 1)) * CHUNK;
}

// The same of a result that is turned, of which a strip has 32 rows of four chunks: a line has two rows, so that the eight
// that are written at a time lie in different banks, and the two that are read.
__device__ __forceinline__ int turned_place(int row, int chunk) {
    return (row / 4 * 2 + row % 2) * LINE + row / 2 % 2 * (LINE / 2) + (chunk ^ (row / 4 & 1)) * CHUNK;
}

// A warp's 16 rows of the tile leave: in strips of 128 bytes, through shared memory of its own, in whole rows of 16-byte
// stores, or TURNED, as columns of the result, in pieces of 32 bytes. On the way a lane walks over its four chunks for what
// follows the bias.
template <typename T, int TILE_N, bool TURNED>
__device__ __forceinline__ void leave(const float (&sum)[TILE_N / 2], char* own, T* out, const T* bias, const T* onto,
                                      T* kept, const Product& at, int matrix, int origin_m, int origin_n) {
    constexpr int EACH = CHUNK / sizeof(T), STRIP = DEPTH<T>;
    const int warp = threadIdx.x / 32, lane = threadIdx.x % 32, pitch = at.out_pitch, activation = at.activation;
    // Of a lane's first chunk, the others are STEP rows apart: which of a strip's, and where in the result.
    constexpr int STEP = TURNED ? 8 : 4;
    const int chunk = TURNED ? lane % 4 : lane % 8;
    const int row = TURNED ? lane / 16 * 4 + lane / 4 % 2 * 2 + lane / 8 % 2 : lane / 8;
    const int to_row = row + (TURNED ? origin_n : origin_m + warp * 16);
    const int to_column = TURNED ? origin_m + TurnedLeft::row(warp, chunk) : origin_n + chunk * EACH;
    const int height = TURNED ? at.n : at.m, width = TURNED ? at.m : at.n;  // of the result
    const long long place = at.out_place(matrix) + static_cast<long long>(to_row) * pitch + to_column;
    const long long step = static_cast<long long>(STEP) * pitch;
    auto are_whole = [&](const void* first) {
        return width % EACH == 0 && pitch % EACH == 0 && reinterpret_cast<unsigned long long>(first) % CHUNK == 0;
    };
    auto staged = [&](int i) {
        const int r = row + i * STEP;
        return reinterpret_cast<T*>(own + (TURNED ? turned_place(r, chunk) : strip_place(r, chunk)));
    };
    float add[2] = {0.0f, 0.0f};  // of the lane's two columns, or rows of the tile
    auto read_bias = [&](int v, int c) {
        if (bias && c < width) add[v] = to<float>(bias[c]);
    };
    if (TURNED) {
#pragma unroll
        for (int h = 0; h < 2; ++h) read_bias(h, origin_m + TurnedLeft::row(warp, lane / 16 * 2 + h) + lane / 4 % 4);
    }
    // Of stmatrix: this lane names row lane % 16, and the left or the right of two chunks.
    const int named_row = lane % 16, named_half = lane / 16;
#pragma unroll
    for (int strip = 0; strip < TILE_N / STRIP; ++strip) {
        if (origin_n + strip * STRIP >= at.n) break;
        unsigned int packed[4];  // of half types: 16 x 16 results
#pragma unroll
        for (int i = 0; i < STRIP / 8; ++i) {  // of columns that a lane has two of
            if (!TURNED) {
#pragma unroll
                for (int e = 0; e < 2; ++e) read_bias(e, origin_n + strip * STRIP + i * 8 + lane % 4 * 2 + e);
            }
#pragma unroll
            for (int h = 0; h < 2; ++h) {
                const float* const sums = sum + (strip * STRIP / 8 + i) * 4 + h * 2;
                const Pack<T, 2> both = {to<T>(sums[0] + add[TURNED ? h : 0]), to<T>(sums[1] + add[TURNED ? h : 1])};
                if constexpr (sizeof(T) == 2) {
                    reinterpret_cast<Pack<T, 2>&>(packed[i % 2 * 2 + h]) = both;
                } else if constexpr (TURNED) {
#pragma unroll
                    for (int e = 0; e < 2; ++e) {
                        char* const four = own + turned_place(i * 8 + lane % 4 * 2 + e, lane / 16 * 2 + h);
                        reinterpret_cast<T*>(four)[lane / 4 % 4] = both.item[e];
                    }
                } else {
                    char* const line = own + strip_place(lane / 4 + h * 8, i * 2 + lane % 4 / 2);
                    store_pack<2>(reinterpret_cast<T*>(line) + lane % 2 * 2, both);
                }
            }
            if (sizeof(T) == 2 && i % 2) stmatrix_x4(smem_u32(own) + strip_place(named_row, i - 1 + named_half), packed);
        }
        __syncwarp();  // the strip is written before it is read
        const long long first = place + strip * (TURNED ? static_cast<long long>(STRIP) * pitch : STRIP);
        const int left_n = width - to_column - (TURNED ? 0 : strip * STRIP);
        const int rows = left_n > 0 ? height - to_row - (TURNED ? strip * STRIP : 0) : 0;  // from the lane's first one on
        if (onto) {
            const bool whole = are_whole(onto + first);
#pragma unroll
            for (int i = 0; i < 4; ++i) {
                if (i * STEP >= rows) continue;
                const Pack<T, EACH> other = load_some<EACH>(onto + first + i * step, whole, left_n);
                Pack<T, EACH> pack = load_pack<EACH>(staged(i));
#pragma unroll
                for (int v = 0; v < EACH; ++v) pack.item[v] = to<T>(to<float>(pack.item[v]) + to<float>(other.item[v]));
                store_pack<EACH>(staged(i), pack);
            }
        }
        if (kept) {
            const bool whole = are_whole(kept + first);
#pragma unroll 1
            for (int i = 0; i < 4; ++i)
                if (i * STEP < rows) store_some(kept + first + i * step, load_pack<EACH>(staged(i)), whole, left_n);
        }
        activate_staged<4, EACH>(staged, activation);
        const bool whole = are_whole(out + first);
#pragma unroll
        for (int i = 0; i < 4; ++i)
            if (i * STEP < rows) store_some(out + first + i * step, load_pack<EACH>(staged(i)), whole, left_n);
        __syncwarp();  // and read before the next is written
    }
}

// Sums of a part of k leave as they are, in float: four lanes fill a sector, 32 bytes of a row.
template <int TILE_N>
__device__ __forceinline__ void leave_part(const float (&sum)[TILE_N / 2], float* partial, int m, int n, int first_row,
                                           int origin_n) {
    const int lane = threadIdx.x % 32, column = origin_n + lane % 4 * 2;
    const bool even = n % 2 == 0;
#pragma unroll
    for (int h = 0; h < 2; ++h) {
        const int row = first_row + lane / 4 + h * 8;
        if (row >= m) break;
        float* const to = partial + static_cast<long long>(row) * n;
#pragma unroll
        for (int i = 0; i < TILE_N / 8; ++i)
            store_pair(to, column + i * 8, n, even, sum[4 * i + 2 * h], sum[4 * i + 2 * h + 1]);
    }
}

// The tiles of a block, or of a pair of blocks. a, b: the operands' descriptors, of four dimensions, of [outer][inner]
// matrices; boxes are of 128 bytes along memory, swizzled, and in the second dimension of as many rows as a block copies
// (TILE_M, TILE_N / BLOCKS) where k runs along memory, else of DEPTH of k. k is not 0. partial: [parts, batch, m, n],
// where blocks share k, of which each part is per_split deep, whole slices; else null, and per_split is k.
template <typename T, bool A_T, bool B_T, int TILE_N, int BLOCKS>
__device__ __forceinline__ void hopper_product(char* memory, T* __restrict__ out, float* __restrict__ partial,
                                               const CUtensorMap* a, const CUtensorMap* b, const T* __restrict__ bias,
                                               const T* __restrict__ onto, T* __restrict__ kept, const Product& at) {
    using At = Ring<TILE_N>;
    constexpr int STAGES = At::STAGES, STAGE = At::STAGE, STAGE_A = TILE_M * LINE;
    constexpr int SHARE = TILE_N / BLOCKS;  // of the rows of op(b)'s slice
    constexpr bool BY_REGISTERS = sizeof(T) == 4 && A_T;
    char* const shared = memory + (-smem_u32(memory) & 1023);  // swizzles repeat every 1024 bytes
    unsigned long long* const full = reinterpret_cast<unsigned long long*>(shared + At::BARRIERS);
    unsigned long long* const empty = full + STAGES;

    if (threadIdx.x == 0) {
        for (int i = 0; i < STAGES; ++i) {
            mbar_init(full + i, 1);
            mbar_init(empty + i, BLOCKS * CONSUMERS * WARPGROUP / 32);
        }
        mbar_fence_init();
    }
    // The barriers are initialised before anyone uses them.
    if (BLOCKS == 1) __syncthreads();
    else cluster_sync();

    const int rank = BLOCKS == 1 ? 0 : cluster_rank();
    const Tiles<TILE_N, BLOCKS> tiles(at);
    const int per_part = (at.per_split + DEPTH<T> - 1) / DEPTH<T>, all = (at.k + DEPTH<T> - 1) / DEPTH<T>;  // slices
    const int group = __shfl_sync(0xffffffffu, threadIdx.x / WARPGROUP, 0);  // known to be the same for a warp
    int part, matrix, origin_m, origin_n;
    Turn<STAGES> turn;
    if (group == CONSUMERS) {
        setmaxnreg_dec<40>();
        if (threadIdx.x == CONSUMERS * WARPGROUP) {
            for (int tile = blockIdx.x / BLOCKS; tile < tiles.count; tile += gridDim.x / BLOCKS) {
                tiles.find(tile, rank, part, matrix, origin_m, origin_n);
                const int first = part * per_part, last = first + per_part < all ? first + per_part : all;
                const int inner = matrix % at.inner, outer = matrix / at.inner;
                const int a_inner = at.a_inner ? inner : 0, a_outer = at.a_outer ? outer : 0;
                const int b_inner = at.b_inner ? inner : 0, b_outer = at.b_outer ? outer : 0;
                for (int slice = first; slice < last; ++slice, turn.next()) {
                    // The first time that is the phase before the first.
                    if (BLOCKS == 1) mbar_wait(empty + turn.stage, turn.parity ^ 1);
                    else mbar_wait_cluster(empty + turn.stage, turn.parity ^ 1);
                    mbar_expect_tx(full + turn.stage, STAGE);  // also what the other block copies
                    char* const stage = shared + turn.stage * STAGE;
                    copy_slice<T, !A_T, TILE_M, 1>(stage, a, full + turn.stage, origin_m, slice * DEPTH<T>, a_inner,
                                                   a_outer);
                    copy_slice<T, B_T, SHARE, BLOCKS>(stage + STAGE_A + rank * SHARE * LINE, b, full + turn.stage,
                                                      origin_n + rank * SHARE, slice * DEPTH<T>, b_inner, b_outer);
                }
            }
        }
    } else {
        setmaxnreg_inc<232>();
        const int warp = threadIdx.x / 32, lane = threadIdx.x % 32;
        const TurnedLeft from_a(warp);  // where BY_REGISTERS
        const unsigned long long first_a = operand_at<!A_T>(shared + group * ATOM);
        const unsigned long long first_b = operand_at<B_T>(shared + STAGE_A);
        char* const own = shared + At::RESULTS + warp * 16 * LINE;
        auto release = [&](int stage) {
            __syncwarp();  // all lanes have waited for the products that read it
            if (BLOCKS == 1) {
                if (lane == 0) mbar_arrive(empty + stage);
            } else if (lane < BLOCKS) {
                mbar_arrive_cluster(empty + stage, lane);
            }
        };
        for (int tile = blockIdx.x / BLOCKS; tile < tiles.count; tile += gridDim.x / BLOCKS) {
            tiles.find(tile, rank, part, matrix, origin_m, origin_n);
            const int rest = all - part * per_part, slices = rest < per_part ? rest : per_part;
            float sum[TILE_N / 2];
            if (BY_REGISTERS) {
#pragma unroll
                for (int i = 0; i < TILE_N / 2; ++i) sum[i] = 0.0f;
            }
            int last = 0;  // the stage of the slice before
            for (int slice = 0; slice < slices; ++slice, turn.next()) {
                mbar_wait(full + turn.stage, turn.parity);
                const unsigned long long stage_a = first_a + turn.stage * (STAGE >> 4);
                const unsigned long long stage_b = first_b + turn.stage * (STAGE >> 4);
                unsigned int left[LINE / 32][4];
                if constexpr (BY_REGISTERS) {
                    wgmma_wait<0>();  // the registers are free
                    if (slice > 0) release(last);
                    from_a.read(left, shared + turn.stage * STAGE);
                }
                wgmma_fence();
#pragma unroll
                for (int step = 0; step < LINE / 32; ++step)
                    if constexpr (BY_REGISTERS) multiply(sum, left[step], stage_b + step * STEP<B_T>);
                    else multiply<A_T, !B_T>(T(), sum, stage_a + step * STEP<!A_T>, stage_b + step * STEP<B_T>,
                                             slice + step > 0);
                wgmma_commit();
                if (!BY_REGISTERS) {
                    wgmma_wait<1>();
                    if (slice > 0) release(last);
                }
                last = turn.stage;
            }
            wgmma_wait<0>();
            wgmma_sums(sum);
            release(last);
            if (!BY_REGISTERS && partial) {
                float* const own_part = partial + static_cast<long long>(part * at.batch + matrix) * at.m * at.n;
                leave_part<TILE_N>(sum, own_part, at.m, at.n, origin_m + warp * 16, origin_n);
            } else {
                leave<T, TILE_N, BY_REGISTERS>(sum, own, out, bias, onto, kept, at, matrix, origin_m, origin_n);
            }
        }
    }
    // Neither block leaves while the other may still write to its shared memory, or tell its barriers.
    if (BLOCKS > 1) cluster_sync();
}

}  // namespace
