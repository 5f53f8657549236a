// Sorting along a dimension, choosing what would come first, and elements by number along it.
//
// What is sorted are keys (order.cuh) with the elements' numbers, so that no two are equal and equal elements keep their
// order; `inverted` has the bits that are inverted for a descending order. The results are the numbers alone: values are
// taken by them (take_along).
//
//   rows of up to 2,048    in shared memory by a bitonic network (Batcher 1968)              sort_rows
//   the first of longer    the last key by digits from the highest, then these alone sorted   select_rows
//   longer rows            by digits of 8 bits from the lowest (Knuth 3, 5.2.5), each pass stable: counted
//                          (radix_counts), added up (radix_starts), moved (radix_place)
//
// Digits are counted without atomics: of the lanes with one digit, which __match_any_sync finds, one adds their number
// to its warp's counts.
//
// K: keys. A row's elements are `inner` apart: element j of row r is x[(r / inner * n + j) * inner + r % inner].
#include "order.cuh"

constexpr int DIGITS = 256;
constexpr unsigned int ALL_LANES = 0xffffffffu;

namespace {

__device__ __forceinline__ int digit_of(unsigned int key, int shift) {
    return key >> shift & (DIGITS - 1);
}
__device__ __forceinline__ int digit_of(unsigned long long key, int shift) {
    return static_cast<int>(key >> shift) & (DIGITS - 1);
}

// A key and a number, which decides between equal keys, in one word where they fit.
template <typename K>
struct Item;
template <>
struct Item<unsigned int> {
    unsigned long long both;
    __device__ __forceinline__ void set(unsigned int key, unsigned int number) {
        both = static_cast<unsigned long long>(key) << 32 | number;
    }
    __device__ __forceinline__ unsigned int key() const { return static_cast<unsigned int>(both >> 32); }
    __device__ __forceinline__ unsigned int number() const { return static_cast<unsigned int>(both); }
    __device__ __forceinline__ bool after(const Item& other) const { return both > other.both; }
};
template <>
struct Item<unsigned long long> {
    unsigned long long own_key;
    unsigned int own_number, unused;
    __device__ __forceinline__ void set(unsigned long long key, unsigned int number) {
        own_key = key;
        own_number = number;
        unused = 0;
    }
    __device__ __forceinline__ unsigned long long key() const { return own_key; }
    __device__ __forceinline__ unsigned int number() const { return own_number; }
    __device__ __forceinline__ bool after(const Item& other) const {
        return own_key > other.own_key || (own_key == other.own_key && own_number > other.own_number);
    }
};

// Sorts each `size` (a power of two) of the first `count` items (a multiple of it), in a block of THREADS.
template <int THREADS, typename I>
__device__ __forceinline__ void bitonic(I* items, int size, int count) {
    for (int run = 2; run <= size; run *= 2) {
        for (int distance = run / 2; distance > 0; distance /= 2) {
            for (int pair = threadIdx.x; pair < count / 2; pair += THREADS) {
                const int i = 2 * pair - (pair & (distance - 1));
                const I a = items[i], b = items[i + distance];
                if (a.after(b) == ((i & run & (size - 1)) == 0)) {
                    items[i] = b;
                    items[i + distance] = a;
                }
            }
            // The pairs of 32 neighbouring threads are in 64 neighbouring items as long as these are no farther apart.
            if (distance > 32 || (distance == 1 && run >= 64))
                __syncthreads();  // the next pairs are made of items of other warps
            else
                __syncwarp();
        }
    }
    __syncthreads();  // all is sorted before anybody reads it
}

// Where element 0 of a row is, of n; the others follow, `inner` apart.
__device__ __forceinline__ long long start_of(long long row, int n, int inner) {
    const long long outer = row / inner;
    return outer * n * inner + row - outer * inner;
}

}  // namespace

// order[...] = the numbers of a row's elements that come as first, first + 1, ... (`count` of them) when it is sorted. A
// block has TILE items: neighbouring rows of 2^bits (the least that holds n), or one row.
template <typename K, int TILE>
__global__ void __launch_bounds__(TILE / 4)
    sort_rows(long long* order, const void* x, int kind, K inverted, int rows, int n, int bits, int first,
              const Divisor inner, const Divisor count) {
    constexpr int THREADS = TILE / 4;
    __shared__ Item<K> items[TILE];
    const int size = 1 << bits, here = TILE >> bits, here_bits = 31 - __clz(here), row = blockIdx.x * here;
    const bool apart = inner.value > 1;  // then neighbouring rows lie side by side, else a row's elements
    for (int i = threadIdx.x; i < TILE; i += THREADS) {
        const int own = apart ? i & (here - 1) : i >> bits, j = apart ? i >> here_bits : i & (size - 1);
        const bool there = j < n && row + own < rows;
        const long long outer = inner(row + own);
        const K key = there ? key_at<K>(x, kind, (outer * n + j - outer) * inner.value + row + own) ^ inverted : ~K(0);
        items[own * size + j].set(key, there ? j : ALL_LANES);
    }
    __syncthreads();  // all items are there before they are compared
    bitonic<THREADS>(items, size, TILE);
    for (int i = threadIdx.x; i < here * count.value; i += THREADS) {
        const int own = apart ? i & (here - 1) : count(i), j = apart ? i >> here_bits : i - own * count.value;
        const long long outer = inner(row + own);
        if (row + own < rows)
            order[(outer * count.value + j - outer) * inner.value + row + own] = items[own * size + first + j].number();
    }
}

// ---------------------------------------------------------------------------------------------------------------
// Choosing the first of a row.

constexpr int SELECT_THREADS = 512, SELECT_WARPS = SELECT_THREADS / 32, MOST_SELECTED = 1024;

namespace {

// The sum of the values of all threads before this one and of its own; `shared` has a word for each warp, and may be
// used again at once.
template <int THREADS>
__device__ __forceinline__ unsigned int sum_up_to(unsigned int value, unsigned int* shared) {
    const int lane = threadIdx.x % 32, warp = threadIdx.x / 32;
#pragma unroll
    for (int distance = 1; distance < 32; distance *= 2) {
        const unsigned int left = __shfl_up_sync(ALL_LANES, value, distance);
        if (lane >= distance) value += left;
    }
    if (lane == 31) shared[warp] = value;
    __syncthreads();  // every warp's sum is written before others add it
    for (int w = 0; w < warp; ++w) value += shared[w];
    __syncthreads();  // all sums have been read before the next are written
    return value;
}

// Adds one to counts[digit] for every lane that is `active`. The whole warp calls.
__device__ __forceinline__ void count_digit(unsigned int* counts, int digit, bool active) {
    const unsigned int same = __match_any_sync(ALL_LANES, active ? digit : DIGITS);
    if (active && __ffs(same) - 1 == threadIdx.x % 32) counts[digit] += __popc(same);
    __syncwarp();  // the counts are written before they are read again
}

}  // namespace

// What a row's number k is: the one given, or that of its median, counted from 1 behind the NaNs at its end.
enum Which { GIVEN, MEDIAN, MEDIAN_OF_NUMBERS };

// The first k of a range of a row, in order (count = k), or the k-th alone (count = 1). With `keys` and `numbers` they
// are written as the input of a second launch, which chooses between the ranges': its `given` are the numbers. Grid:
// (ranges, rows).
template <typename K>
__global__ void __launch_bounds__(SELECT_THREADS, 2)
    select_rows(long long* order, K* keys, unsigned int* numbers, const void* x, const unsigned int* given, int kind,
                int bits, K inverted, K nan, int which, int n, int inner, int inner_out, int per_range, int k, int count) {
    __shared__ unsigned int counts[SELECT_WARPS][DIGITS];
    __shared__ Item<K> items[MOST_SELECTED];
    __shared__ unsigned int sums[SELECT_WARPS], digit_found, before_found;
    const int warp = threadIdx.x / 32, lane = threadIdx.x % 32;
    const int begin = blockIdx.x * per_range, end = n - begin < per_range ? n : begin + per_range;
    const long long row = blockIdx.y;
    const long long start = start_of(row, n, inner), start_out = start_of(row, count, inner_out);
    const auto key = [&](long long j) { return key_at<K>(x, kind, start + j * inner) ^ inverted; };

    unsigned int rank = k;  // of what is looked for, among the elements that are still possible
    if (which != GIVEN) {
        unsigned int own = 0;
        for (int j = begin + threadIdx.x; j < end; j += SELECT_THREADS) own += key(j) == nan;
        const unsigned int up_to = sum_up_to<SELECT_THREADS>(own, sums);
        if (threadIdx.x == SELECT_THREADS - 1) digit_found = up_to;
        __syncthreads();  // the number of NaNs is there before it is read
        const unsigned int nans = digit_found, size = end - begin, rest = size - nans;
        rank = which == MEDIAN ? (nans ? rest + 1 : (size + 1) / 2) : rest ? (rest + 1) / 2 : 1;
        __syncthreads();  // it has been read before it is written again
    }
    if (rank > end - begin) rank = end - begin;
    const unsigned int wanted = rank;

    // The key of that rank, digit by digit.
    K prefix = 0, known = 0;
    for (int shift = bits - 8; shift >= 0; shift -= 8) {
        for (int i = lane; i < DIGITS; i += 32) counts[warp][i] = 0;
        __syncwarp();  // the warp's counts are cleared before they are read
        for (int at = begin + warp * 32; at < end; at += SELECT_THREADS) {  // whole warps
            const int j = at + lane;
            const K mine = j < end ? key(j) : K(0);
            const bool possible = j < end && (mine & known) == prefix;
            if (__any_sync(ALL_LANES, possible)) count_digit(counts[warp], digit_of(mine, shift), possible);
        }
        __syncthreads();  // all have counted before the counts are added up
        unsigned int own = 0;
        if (threadIdx.x < DIGITS) {
#pragma unroll
            for (int w = 0; w < SELECT_WARPS; ++w) own += counts[w][threadIdx.x];
        }
        const unsigned int up_to = sum_up_to<SELECT_THREADS>(own, sums);
        if (up_to >= rank && up_to - own < rank) {  // one thread
            digit_found = threadIdx.x;
            before_found = up_to - own;
        }
        __syncthreads();  // the digit is there before it is read
        prefix |= static_cast<K>(digit_found) << shift;
        known |= static_cast<K>(DIGITS - 1) << shift;
        rank -= before_found;
    }

    // In the order of the row: all with lower keys, and of those with that key as many as are left.
    const bool one = count == 1 && k > 1 || which != GIVEN;
    unsigned int lower = 0, equal = 0;  // before this round
    for (int at = begin; at < end; at += SELECT_THREADS) {
        const int j = at + static_cast<int>(threadIdx.x);
        const K mine = j < end ? key(j) : ~K(0);
        const bool is_lower = j < end && mine < prefix, is_equal = j < end && mine == prefix;
        const unsigned int own = is_lower | is_equal << 16;
        const unsigned int up_to = sum_up_to<SELECT_THREADS>(own, sums);
        if (threadIdx.x == SELECT_THREADS - 1) digit_found = up_to;
        const unsigned int number = equal + (up_to >> 16);  // of an equal one, counted from 1
        if (one) {
            if (is_equal && number == rank) items[0].set(mine, j);
        } else if (is_lower) {
            items[lower + (up_to & 0xffff) - 1].set(mine, j);
        } else if (is_equal && number <= rank) {
            items[wanted - rank + number - 1].set(mine, j);
        }
        __syncthreads();  // the round's numbers are there before they are read
        lower += digit_found & 0xffff;
        equal += digit_found >> 16;
        __syncthreads();  // they have been read before the next round's are written
    }
    const int found = one ? 1 : wanted;
    int size = 1;
    while (size < count) size *= 2;
    for (int i = found + threadIdx.x; i < size; i += SELECT_THREADS) items[i].set(~K(0), ALL_LANES);
    __syncthreads();  // all items are there before they are compared
    bitonic<SELECT_THREADS>(items, size, size);
    for (int i = threadIdx.x; i < count; i += SELECT_THREADS) {
        const unsigned int number = items[i].number();
        if (keys) {
            const long long place = (row * gridDim.x + blockIdx.x) * count + i;
            keys[place] = items[i].key() ^ inverted;  // as it was, since the second launch inverts it again
            numbers[place] = number;
        } else {
            order[start_out + static_cast<long long>(i) * inner_out] = given ? given[row * n + number] : number;
        }
    }
}

// ---------------------------------------------------------------------------------------------------------------
// Long rows. A block of RADIX_THREADS has RADIX_TILE neighbouring elements, a warp of it a part of these.

constexpr int RADIX_THREADS = 256, RADIX_WARPS = RADIX_THREADS / 32, RADIX_ITEMS = 16;
constexpr int RADIX_TILE = RADIX_THREADS * RADIX_ITEMS;

namespace {

// A thread's keys, 32 elements apart from `begin` on.
template <typename K>
__device__ __forceinline__ void load_keys(K (&keys)[RADIX_ITEMS], const void* x, int kind, K inverted, long long start,
                                          int begin, int n, int inner) {
#pragma unroll
    for (int m = 0; m < RADIX_ITEMS; ++m) {
        const long long j = begin + 32 * m;
        keys[m] = j < n ? key_at<K>(x, kind, start + j * inner) ^ inverted : K(0);
    }
}

}  // namespace

// counts[row][block][digit]. Grid: (blocks, rows).
template <typename K>
__global__ void __launch_bounds__(RADIX_THREADS)
    radix_counts(unsigned int* counts, const void* x, int kind, K inverted, int shift, int n, int inner) {
    __shared__ unsigned int shared[RADIX_WARPS][DIGITS];
    const int warp = threadIdx.x / 32, lane = threadIdx.x % 32;
    const int begin = blockIdx.x * RADIX_TILE + warp * 32 * RADIX_ITEMS + lane;
    K keys[RADIX_ITEMS];
    load_keys(keys, x, kind, inverted, start_of(blockIdx.y, n, inner), begin, n, inner);
    for (int i = lane; i < DIGITS; i += 32) shared[warp][i] = 0;
    __syncwarp();  // the counts are cleared before they are read
#pragma unroll
    for (int m = 0; m < RADIX_ITEMS; ++m) count_digit(shared[warp], digit_of(keys[m], shift), begin + 32 * m < n);
    __syncthreads();  // all warps have counted before their counts are added
    unsigned int sum = 0;
#pragma unroll
    for (int w = 0; w < RADIX_WARPS; ++w) sum += shared[w][threadIdx.x];
    counts[(static_cast<long long>(blockIdx.y) * gridDim.x + blockIdx.x) * DIGITS + threadIdx.x] = sum;
}

// Turns the counts of a row into where each block's elements of a digit begin. A block for each row, a thread for each
// digit.
__global__ void __launch_bounds__(DIGITS) radix_starts(unsigned int* counts, int blocks) {
    __shared__ unsigned int sums[DIGITS / 32];
    counts += static_cast<long long>(blockIdx.x) * blocks * DIGITS + threadIdx.x;
    unsigned int all = 0;
#pragma unroll 8
    for (int block = 0; block < blocks; ++block) all += counts[static_cast<long long>(block) * DIGITS];
    unsigned int start = sum_up_to<DIGITS>(all, sums) - all;
#pragma unroll 8
    for (int block = 0; block < blocks; ++block) {
        const unsigned int own = counts[static_cast<long long>(block) * DIGITS];
        counts[static_cast<long long>(block) * DIGITS] = start;
        start += own;
    }
}

// Moves keys and numbers to where they come by a digit. The last pass has `order` and writes the numbers of those that
// come as first, first + 1, ... (count of them), with `sorted` also their keys, which are then counts. `numbers` is null
// before the first pass, when each element is where it was. Grid: (blocks, rows).
template <typename K>
__global__ void __launch_bounds__(RADIX_THREADS)
    radix_place(K* keys_out, unsigned int* numbers_out, long long* order, long long* sorted, const void* x,
                const unsigned int* numbers, const unsigned int* starts, int kind, K inverted, int shift, int n,
                int inner, int inner_out, int first, int count) {
    __shared__ unsigned int shared[RADIX_WARPS][DIGITS];
    const int warp = threadIdx.x / 32, lane = threadIdx.x % 32;
    const int begin = blockIdx.x * RADIX_TILE + warp * 32 * RADIX_ITEMS + lane;
    const long long row = blockIdx.y;
    const long long start_out = start_of(row, count, inner_out);
    K keys[RADIX_ITEMS];
    unsigned int rank[RADIX_ITEMS];  // within the warp's elements of the digit
    load_keys(keys, x, kind, inverted, start_of(row, n, inner), begin, n, inner);
    for (int i = lane; i < DIGITS; i += 32) shared[warp][i] = 0;
    __syncwarp();  // the counts are cleared before they are read
#pragma unroll
    for (int m = 0; m < RADIX_ITEMS; ++m) {
        const bool there = begin + 32 * m < n;
        const int digit = digit_of(keys[m], shift);
        const unsigned int same = __match_any_sync(ALL_LANES, there ? digit : DIGITS);
        rank[m] = shared[warp][digit] + __popc(same & ((1u << lane) - 1));
        __syncwarp();  // all have read the count before one lane moves it on
        if (there && __ffs(same) - 1 == lane) shared[warp][digit] += __popc(same);
        __syncwarp();  // it is moved on before the next elements are counted
    }
    __syncthreads();  // all warps have counted before a thread adds up its digit
    unsigned int start = starts[(row * gridDim.x + blockIdx.x) * DIGITS + threadIdx.x];
#pragma unroll
    for (int w = 0; w < RADIX_WARPS; ++w) {
        const unsigned int own = shared[w][threadIdx.x];
        shared[w][threadIdx.x] = start;
        start += own;
    }
    __syncthreads();  // every digit's beginnings are there before elements are moved
#pragma unroll
    for (int m = 0; m < RADIX_ITEMS; ++m) {
        const int j = begin + 32 * m;
        if (j >= n) continue;
        const unsigned int place = shared[warp][digit_of(keys[m], shift)] + rank[m];
        const unsigned int number = numbers ? numbers[row * n + j] : j;
        if (order == nullptr) {
            keys_out[row * n + place] = keys[m] ^ inverted;
            numbers_out[row * n + place] = number;
        } else if (place - first < count) {
            order[start_out + static_cast<long long>(place - first) * inner_out] = number;
            if (sorted) sorted[row * n + place] = static_cast<long long>(keys[m]);
        }
    }
}

// ---------------------------------------------------------------------------------------------------------------
// Elements by number along a dimension.

// out[o][j][i] = x[o][index[o][j][i]][i], of `size` rows of `inner` elements in x; in the result of `row` elements for
// each o. U: a unit as wide as the elements; I: an integer type. An index out of range is recorded.
template <typename U, typename I>
__global__ void __launch_bounds__(256)
    take_along(void* out, const void* x, const I* __restrict__ index, long long* errors, int all, int size,
               const Divisor row, const Divisor inner) {
    const long long at = grid_index();
    if (at >= all) return;
    const unsigned int outer = row(at), rest = at - outer * row.value, i = rest - inner(rest) * inner.value;
    const long long j = static_cast<long long>(index[at]);
    const bool inside = j >= 0 && j < size;
    if (!inside) record_error(errors, ERROR_INDEX_OUT_OF_RANGE, at, j, size);
    const long long from = (static_cast<long long>(outer) * size + (inside ? j : 0)) * inner.value + i;
    static_cast<U*>(out)[at] = static_cast<const U*>(x)[from];
}

// Its gradient where each o and i has one index: out[o][j][i] = value[o][i] where index[o][i] is j, else 0. Everything is
// written, so that nothing has to be cleared.
template <typename U, typename I>
__global__ void __launch_bounds__(256)
    put_along(void* out, const void* value, const I* __restrict__ index, long long* errors, int all, int size,
              const Divisor row, const Divisor inner) {
    const long long at = grid_index();
    if (at >= all) return;
    const unsigned int outer = row(at), rest = at - outer * row.value, j = inner(rest);
    const long long from = static_cast<long long>(outer) * inner.value + rest - j * inner.value;
    const long long chosen = static_cast<long long>(index[from]);
    if (j == 0 && (chosen < 0 || chosen >= size)) record_error(errors, ERROR_INDEX_OUT_OF_RANGE, from, chosen, size);
    static_cast<U*>(out)[at] = chosen == j ? static_cast<const U*>(value)[from] : U(0);
}
