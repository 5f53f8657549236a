// Cumulative sums, products and logarithms of sums of exponentials along a dimension, in either direction, and the
// recurrence s_i = b_i + a_i s_(i-1) that the gradients of the last two are made of. One read and one write.
//
// Along memory (`scan_rows`) each thread has STEPS packs of V elements under way. It scans each pack, lanes join what
// they have by shuffles, warps by shared memory, and what a chunk came to is carried to the next one. Across memory
// (`scan_columns`) lanes run along the columns and warps along the dimension, each with STEPS elements. Few long rows are
// split into ranges: a first launch stores what each range comes to (`out` is null), the second one begins with what the
// ranges before its own come to; so each element is read twice, then. How rows are split follows from the shape alone,
// every order is fixed, and there are no atomics.
//
// T: elements; O: results; A: arithmetic; F: what is scanned. Elements are [outer, size, inner] in memory, fewer than
// 2^31. V > 1 needs inner = 1, a size that is a multiple of V, and aligned arrays.
#include "common.cuh"

namespace {

constexpr int STEPS = 4, WARPS = 8;
static_assert(STEPS * WARPS == 32, "a chunk's parts are scanned by one warp");

template <typename A>
struct Pair {
    A first, second;
};

// F has: what a part is; the part that changes nothing; the part of an element (and its factor); two neighbouring parts as
// one; what a part comes to.
struct Single {
    template <typename A>
    using Part = A;
    template <typename A>
    static __device__ __forceinline__ A of(A x, A) {
        return x;
    }
    template <typename A>
    static __device__ __forceinline__ A result(A part) {
        return part;
    }
};
struct Sum : Single {
    template <typename A>
    static __device__ __forceinline__ A none() {
        return A(0);
    }
    template <typename A>
    static __device__ __forceinline__ A join(A first, A second) {
        return first + second;
    }
};
struct Product : Single {
    template <typename A>
    static __device__ __forceinline__ A none() {
        return A(1);
    }
    template <typename A>
    static __device__ __forceinline__ A join(A first, A second) {
        return first * second;
    }
};
// The largest element, and the sum of the exponentials of what is left when it is subtracted: one exponential a join, and
// one logarithm a result. NaN gets into the sum, and stays there.
struct LogSumExp {
    template <typename A>
    using Part = Pair<A>;
    template <typename A>
    static __device__ __forceinline__ Pair<A> none() {
        return {-infinity<A>(), A(0)};
    }
    template <typename A>
    static __device__ __forceinline__ Pair<A> of(A x, A) {
        return {x, A(1)};
    }
    template <typename A>
    static __device__ __forceinline__ Pair<A> join(Pair<A> one, Pair<A> other) {
        const A by = exp(one.first == other.first ? A(0) : -fabs(one.first - other.first));
        return other.first > one.first ? Pair<A>{other.first, one.second * by + other.second}
                                       : Pair<A>{one.first, one.second + other.second * by};
    }
    template <typename A>
    static __device__ __forceinline__ A result(Pair<A> part) {
        return part.first + log(part.second);
    }
};
// s -> second + first s.
struct Recurrence {
    template <typename A>
    using Part = Pair<A>;
    template <typename A>
    static __device__ __forceinline__ Pair<A> none() {
        return {A(1), A(0)};
    }
    template <typename A>
    static __device__ __forceinline__ Pair<A> of(A x, A factor) {
        return {factor, x};
    }
    template <typename A>
    static __device__ __forceinline__ Pair<A> join(Pair<A> one, Pair<A> other) {
        return {one.first * other.first, other.second + other.first * one.second};
    }
    template <typename A>
    static __device__ __forceinline__ A result(Pair<A> part) {
        return part.second;
    }
};

template <typename A>
__device__ __forceinline__ A shuffled_up(A part, int distance, int width) {
    return __shfl_up_sync(0xffffffffu, part, distance, width);
}
template <typename A>
__device__ __forceinline__ Pair<A> shuffled_up(Pair<A> part, int distance, int width) {
    return {shuffled_up(part.first, distance, width), shuffled_up(part.second, distance, width)};
}
template <typename A>
__device__ __forceinline__ A shuffled_from(A part, int lane, int width) {
    return __shfl_sync(0xffffffffu, part, lane, width);
}
template <typename A>
__device__ __forceinline__ Pair<A> shuffled_from(Pair<A> part, int lane, int width) {
    return {shuffled_from(part.first, lane, width), shuffled_from(part.second, lane, width)};
}

// Each lane's part with those of all lanes before it, of groups of LANES lanes.
template <typename F, typename A, int LANES, typename P>
__device__ __forceinline__ P scanned(P part, int lane) {
#pragma unroll
    for (int distance = 1; distance < LANES; distance *= 2) {
        const P before = shuffled_up(part, distance, LANES);
        if (lane >= distance) part = F::template join<A>(before, part);
    }
    return part;
}

// The parts before each lane's own, of what `scanned` gave.
template <typename F, typename A, int LANES, typename P>
__device__ __forceinline__ P before_own(P part, int lane) {
    const P before = shuffled_up(part, 1, LANES);
    return lane ? before : F::template none<A>();
}

// What `count` parts, `apart` elements from each other, come to, in their order: each lane joins neighbours.
template <typename F, typename A, typename P>
__device__ __forceinline__ P joined(const P* parts, int count, int apart) {
    const int lane = threadIdx.x % 32, each = (count + 31) / 32;
    const int end = (lane + 1) * each < count ? (lane + 1) * each : count;
    P own = F::template none<A>();
    for (int i = lane * each; i < end; ++i) own = F::template join<A>(own, parts[static_cast<long long>(i) * apart]);
    return shuffled_from(scanned<F, A, 32>(own, lane), 31, 32);
}

}  // namespace

// One row for LANES threads in blocks of 256, or with LANES = 0 one range of a row for each block; grid: rows, or (rows,
// ranges). REVERSE: from the row's end. factors: of a recurrence, else null. parts[row, range]: what ranges come to, null
// where each row is one range.
template <typename T, typename O, typename A, typename F, int V, int LANES, bool REVERSE>
__global__ void __launch_bounds__(256, sizeof(A) == 8 ? 2 : 3)
    scan_rows(O* out, typename F::template Part<A>* parts, const T* x, const T* factors, int rows, int size, int inner,
              int per_range) {
    using P = typename F::template Part<A>;
    constexpr int GROUP = LANES ? LANES : 256, WIDTH = LANES ? LANES : 32;
    __shared__ P shared[LANES ? 1 : 32];
    const int lane = threadIdx.x % WIDTH, warp = threadIdx.x / 32, member = threadIdx.x % GROUP;
    const int row = LANES ? blockIdx.x * (256 / GROUP) + threadIdx.x / GROUP : blockIdx.x;
    const int first = LANES ? 0 : blockIdx.y * per_range;
    const int end = LANES || size - first < per_range ? size : first + per_range, last = row < rows ? end : first;
    const int image = row / inner;
    const long long start = static_cast<long long>(image) * size * inner + (row - image * inner);
    auto place = [&](int i) { return start + static_cast<long long>(REVERSE ? size - V - i : i) * (V > 1 ? 1 : inner); };

    P carry = F::template none<A>();
    if constexpr (!LANES) {
        if (parts && out) carry = joined<F, A>(parts + static_cast<long long>(row) * gridDim.y, blockIdx.y, 1);
    }
#pragma unroll 1
    for (int begin = first; begin < end; begin += GROUP * STEPS * V) {
        P part[STEPS][V];
#pragma unroll
        for (int k = 0; k < STEPS; ++k) {
            const int i = begin + (k * GROUP + member) * V;
            Pack<T, V> pack, factor;
            if (i < last) {
                pack = load_pack<V>(x + place(i));
                if (factors) factor = load_pack<V>(factors + place(i));
            }
#pragma unroll
            for (int v = 0; v < V; ++v) {
                part[k][v] = F::template none<A>();
                if (i < last) {
                    const int from = REVERSE ? V - 1 - v : v;
                    part[k][v] = F::template of<A>(to<A>(pack.item[from]), factors ? to<A>(factor.item[from]) : A(0));
                }
                if (v) part[k][v] = F::template join<A>(part[k][v - 1], part[k][v]);
            }
        }
        P before[STEPS];
        if constexpr (LANES) {
#pragma unroll
            for (int k = 0; k < STEPS; ++k) {
                const P all = scanned<F, A, WIDTH>(part[k][V - 1], lane);
                before[k] = F::template join<A>(carry, before_own<F, A, WIDTH>(all, lane));
                carry = F::template join<A>(carry, shuffled_from(all, WIDTH - 1, WIDTH));
            }
        } else {
#pragma unroll
            for (int k = 0; k < STEPS; ++k) {
                const P all = scanned<F, A, 32>(part[k][V - 1], lane);
                before[k] = before_own<F, A, 32>(all, lane);
                if (lane == 31) shared[k * WARPS + warp] = all;
            }
            __syncthreads();  // what each warp has is written before all read it
            const P all = scanned<F, A, 32>(shared[lane], lane);
#pragma unroll
            for (int k = 0; k < STEPS; ++k) {
                const int number = k * WARPS + warp;
                const P warps = shuffled_from(all, number ? number - 1 : 0, 32);
                before[k] = F::template join<A>(
                    F::template join<A>(carry, number ? warps : F::template none<A>()), before[k]);
            }
            carry = F::template join<A>(carry, shuffled_from(all, 31, 32));
            __syncthreads();  // all have read before the next chunk writes
        }
        if (!out) continue;
#pragma unroll
        for (int k = 0; k < STEPS; ++k) {
            const int i = begin + (k * GROUP + member) * V;
            if (i >= last) continue;
            Pack<O, V> pack;
#pragma unroll
            for (int v = 0; v < V; ++v)
                pack.item[v] =
                    to<O>(F::template result<A>(F::template join<A>(before[k], part[k][REVERSE ? V - 1 - v : v])));
            if constexpr (sizeof(pack) == 16)  // said so, because the compiler makes single stores of the first pack
                __stwb(reinterpret_cast<uint4*>(out + place(i)), *reinterpret_cast<const uint4*>(&pack));
            else
                store_pack<V>(out + place(i), pack);
        }
    }
    if (!out && threadIdx.x == 0) parts[static_cast<long long>(row) * gridDim.y + blockIdx.y] = carry;
}

// Columns: inner > 1. Block: 32 columns times 8 warps, each with STEPS neighbouring elements of a chunk; grid: (outer times
// strips of 32 columns, ranges). parts[outer, range, column].
template <typename T, typename O, typename A, typename F, bool REVERSE>
__global__ void __launch_bounds__(256, sizeof(A) == 8 ? 2 : 4)
    scan_columns(O* out, typename F::template Part<A>* parts, const T* x, const T* factors, int size, int inner,
                 int per_range) {
    using P = typename F::template Part<A>;
    __shared__ P shared[WARPS][32];
    const int strips = (inner + 31) / 32, lane = threadIdx.x % 32, warp = threadIdx.x / 32;
    const int image = blockIdx.x / strips, column = (blockIdx.x - image * strips) * 32 + lane;
    const int first = blockIdx.y * per_range, end = size - first < per_range ? size : first + per_range;
    const int last = column < inner ? end : first;
    const long long start = static_cast<long long>(image) * size * inner + column;
    auto place = [&](int i) { return start + static_cast<long long>(REVERSE ? size - 1 - i : i) * inner; };
    P* own = parts ? parts + static_cast<long long>(image) * gridDim.y * inner + column : nullptr;

    P carry = F::template none<A>();
    if (out && parts && column < inner)
#pragma unroll 8
        for (int range = 0; range < blockIdx.y; ++range)
            carry = F::template join<A>(carry, own[static_cast<long long>(range) * inner]);
#pragma unroll 1
    for (int begin = first; begin < end; begin += STEPS * WARPS) {
        P part[STEPS];
        T value[STEPS], factor[STEPS];
#pragma unroll
        for (int k = 0; k < STEPS; ++k) {
            const int i = begin + warp * STEPS + k;
            if (i < last) {
                value[k] = x[place(i)];
                if (factors) factor[k] = factors[place(i)];
            }
        }
#pragma unroll
        for (int k = 0; k < STEPS; ++k) {
            const bool there = begin + warp * STEPS + k < last;
            part[k] = there ? F::template of<A>(to<A>(value[k]), factors ? to<A>(factor[k]) : A(0)) : F::template none<A>();
            if (k) part[k] = F::template join<A>(part[k - 1], part[k]);
        }
        shared[warp][lane] = part[STEPS - 1];
        __syncthreads();  // what each warp has is written before all read it
        P before = carry;
#pragma unroll
        for (int other = 0; other < WARPS; ++other) {
            if (other == warp) before = carry;
            carry = F::template join<A>(carry, shared[other][lane]);
        }
        __syncthreads();  // all have read before the next chunk writes
        if (!out) continue;
#pragma unroll
        for (int k = 0; k < STEPS; ++k) {
            const int i = begin + warp * STEPS + k;
            if (i < last) out[place(i)] = to<O>(F::template result<A>(F::template join<A>(before, part[k])));
        }
    }
    if (!out && warp == 0 && column < inner) own[static_cast<long long>(blockIdx.y) * inner] = carry;
}
