// Storing and reducing at places that an index names, in a fixed order.
//
// Atomic additions happen in whatever order the threads come, and a floating-point sum depends on its order. Here the
// places, numbered by `keys`, are first sorted, stably: what meets at one place then lies together, in the order in
// which it was given. Sums, products and extremes are formed from left to right within pieces of PIECE elements, and
// over the pieces from left to right; of values that are stored, the last one stays. The result depends on the values
// alone. Nothing waits for the host, so that all of this can be captured in a CUDA graph.
//
// Sorting is by digits of 8 bits, with keys of 32 bits: sort.cu.
//
// T: elements; A: arithmetic; I: an integer type of indices.
#include "common.cuh"

// ---------------------------------------------------------------------------------------------------------------
// Indices. safe[i] = index[i], counted from the front; 0 for one that is out of range, which is recorded.

template <typename I>
__global__ void check_index(long long* safe, const I* __restrict__ index, long long* errors, long long count,
                            long long size, bool negative) {
    for (long long i = grid_index(); i < count; i += grid_size()) {
        const long long value = static_cast<long long>(index[i]);
        const bool inside = value < size && (value >= 0 || (negative && value >= -size));
        if (!inside) record_error(errors, ERROR_INDEX_OUT_OF_RANGE, i, value, size);
        safe[i] = !inside ? 0 : value < 0 ? value + size : value;
    }
}

namespace {

// The row of a table that an index names; 0 and `inside` false for one that is out of range.
template <typename I>
__device__ __forceinline__ long long row_of(I index, long long rows, bool negative, bool& inside) {
    const long long value = static_cast<long long>(index);
    inside = value < rows && (value >= 0 || (negative && value >= -rows));
    return !inside ? 0 : value < 0 ? value + rows : value;
}

}  // namespace

// out[i] = table[index[i]]: rows of `units` units of type U, of which a thread moves one. (An embedding, forward.)
template <typename U, typename I>
__global__ void __launch_bounds__(256)
    take_rows(void* out, const void* table, const I* __restrict__ index, long long* errors, long long count,
              long long rows, long long units, bool negative) {
    const long long i = grid_index();
    if (i >= count * units) return;
    const long long p = i / units, unit = i - p * units;
    bool inside;
    const long long row = row_of(index[p], rows, negative, inside);
    if (!inside && unit == 0) record_error(errors, ERROR_INDEX_OUT_OF_RANGE, p, static_cast<long long>(index[p]), rows);
    static_cast<U*>(out)[i] = static_cast<const U*>(table)[row * units + unit];
}

// out[r] = the sum of rows[p] over all p with index[p] = r, in the order of p; 0 where there is none. (An embedding's
// gradient.) Where `onto` is not null, it is added. One warp for a row and a strip of 32 * STRIP columns: its lanes look for the row's number among 32 indices
// at a time. For tables times indices so few that this takes less than sorting them.
constexpr int STRIP = 4;

template <typename T, typename A, typename I>
__global__ void __launch_bounds__(256)
    sum_few_rows(T* out, const T* __restrict__ given, const I* __restrict__ index, const T* __restrict__ onto,
                 long long* errors, int count, long long rows, int columns, int strips, bool negative) {
    const int lane = threadIdx.x % 32;
    const long long work = blockIdx.x * 8ll + threadIdx.x / 32, own = work / strips;
    const int column = static_cast<int>(work - own * strips) * 32 * STRIP + lane;
    if (own >= rows) return;  // the whole warp
    A sum[STRIP];
#pragma unroll
    for (int j = 0; j < STRIP; ++j) sum[j] = A(0);
    for (int first = 0; first < count; first += 32) {
        bool inside = false, mine = false;
        if (first + lane < count) {
            const I value = index[first + lane];
            mine = row_of(value, rows, negative, inside) == own && inside;
            if (!inside && work == 0)
                record_error(errors, ERROR_INDEX_OUT_OF_RANGE, first + lane, static_cast<long long>(value), rows);
        }
        for (unsigned int left = __ballot_sync(0xffffffffu, mine); left; left &= left - 1) {
            const T* const from = given + (first + __ffs(left) - 1) * static_cast<long long>(columns) + column;
#pragma unroll
            for (int j = 0; j < STRIP; ++j)
                if (column + 32 * j < columns) sum[j] += to<A>(from[32 * j]);
        }
    }
#pragma unroll
    for (int j = 0; j < STRIP; ++j) {
        const long long place = own * columns + column + 32 * j;
        if (column + 32 * j < columns) out[place] = to<T>(onto ? to<A>(onto[place]) + sum[j] : sum[j]);
    }
}

// ---------------------------------------------------------------------------------------------------------------
// Reductions over equal keys. Rows of `columns` elements: target[keys[p]] takes rows[order[p]], p from 0 to size - 1.

struct Sum {
    template <typename A>
    __device__ __forceinline__ A operator()(A a, A b) const {
        return static_cast<A>(a + b);
    }
};

struct Product {
    template <typename A>
    __device__ __forceinline__ A operator()(A a, A b) const {
        return static_cast<A>(a * b);
    }
};

// The comparisons with itself let NaN through.
struct Largest {
    template <typename A>
    __device__ __forceinline__ A operator()(A a, A b) const {
        return b > a || b != b ? b : a;
    }
};

struct Smallest {
    template <typename A>
    __device__ __forceinline__ A operator()(A a, A b) const {
        return b < a || b != b ? b : a;
    }
};

constexpr int PIECE = 64;

namespace {

template <typename T, typename A, typename F>
__device__ __forceinline__ void combine(T& target, A value) {
    target = to<T>(F()(to<A>(target), value));
}

}  // namespace

// One thread for each piece and column. A key whose elements all lie in the piece is done here. For one that goes on
// into other pieces the thread leaves its part: in `heads` if the key came from the piece before, else in `tails`.
template <typename T, typename A, typename F>
__global__ void reduce_pieces(T* target, A* heads, A* tails, const T* __restrict__ rows,
                              const long long* __restrict__ keys, const long long* __restrict__ order, long long size,
                              long long columns) {
    const long long pieces = (size + PIECE - 1) / PIECE;
    for (long long i = grid_index(); i < pieces * columns; i += grid_size()) {
        const long long column = i % columns, begin = i / columns * PIECE;
        const long long end = begin + PIECE < size ? begin + PIECE : size;
        long long key = keys[begin];
        bool continued = begin > 0 && keys[begin - 1] == key;
        A value = to<A>(rows[order[begin] * columns + column]);
        for (long long p = begin + 1; p < end; ++p) {
            const A next = to<A>(rows[order[p] * columns + column]);
            if (keys[p] == key) {
                value = F()(value, next);
                continue;
            }
            if (continued)
                heads[i] = value;
            else
                combine<T, A, F>(target[key * columns + column], value);
            continued = false;
            key = keys[p];
            value = next;
        }
        if (continued)
            heads[i] = value;
        else if (end < size && keys[end] == key)
            tails[i] = value;
        else
            combine<T, A, F>(target[key * columns + column], value);
    }
}

// One thread for each piece and column: if a key begins in this piece and goes on, its parts are joined.
template <typename T, typename A, typename F>
__global__ void join_pieces(T* target, const A* __restrict__ heads, const A* __restrict__ tails,
                            const long long* __restrict__ keys, long long size, long long columns) {
    const long long pieces = (size + PIECE - 1) / PIECE;
    for (long long i = grid_index(); i < pieces * columns; i += grid_size()) {
        const long long column = i % columns, begin = i / columns * PIECE, end = begin + PIECE;
        if (end >= size || keys[end] != keys[end - 1]) continue;
        const long long key = keys[end];
        if (begin > 0 && keys[begin - 1] == key) continue;  // it began in a piece before this one
        A value = tails[i];
        long long piece = i / columns;
        do {
            ++piece;
            value = F()(value, heads[piece * columns + column]);
        } while ((piece + 1) * PIECE < size && keys[(piece + 1) * PIECE] == key);
        combine<T, A, F>(target[key * columns + column], value);
    }
}

// One thread for each element: of the rows with one key the last is stored.
template <typename T>
__global__ void store_last(T* target, const T* __restrict__ rows, const long long* __restrict__ keys,
                           const long long* __restrict__ order, long long size, long long columns) {
    for (long long i = grid_index(); i < size * columns; i += grid_size()) {
        const long long column = i % columns, p = i / columns;
        if (p + 1 == size || keys[p + 1] != keys[p])
            target[keys[p] * columns + column] = rows[order[p] * columns + column];
    }
}
