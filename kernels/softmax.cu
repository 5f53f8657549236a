// Softmax and its logarithm along an axis, forward and backward.
//
// Fused: maximum, sum of exponentials and result, which apart are five trips through memory. With y the result,
//     softmax:      y = exp(x - max) / sum,            dx = y (g - sum(g y))
//     log_softmax:  y = x - max - log(sum),            dx = g - exp(y) sum(g)
// All of it is limited by memory. Rows along memory of up to 8 numbers a thread stay in registers: one read, one write.
// Longer ones, one block a row, are read twice (Milakov and Gimelshein: Online normalizer calculation for softmax,
// 2018, finds maximum and sum together). An axis that lies across memory is taken by columns, 32 neighbouring ones a
// block, read twice likewise; a warp reads 32 neighbours at once.
//
// Arrays are [outer, size, inner]. V elements an access; V > 1 needs rows that are multiples of V elements and aligned
// arrays. Sums have a fixed order.
#include "softmax.cuh"

namespace {

constexpr int ITEMS = 8;  // of a row, for each of the threads that share it
constexpr int LONG = 512;  // threads of a block for a row that is longer

// Of a block for one row: as many as leave each the registers for its items.
template <typename A>
constexpr int MOST_THREADS = sizeof(A) == 8 ? 512 : 1024;

// Of a thread in a block that has a row (LANES = 0) or of one of LANES neighbouring lanes: which row, and its place.
template <int LANES>
struct Place {
    int lanes = LANES ? LANES : blockDim.x;
    int lane = LANES ? threadIdx.x % (LANES ? LANES : 1) : threadIdx.x;
    long long row = LANES ? blockIdx.x * (256ll / (LANES ? LANES : 1)) + threadIdx.x / (LANES ? LANES : 1) : blockIdx.x;
};

}  // namespace

// ---- rows in registers ------------------------------------------------------------------------------------------

// One row for each LANES = 8 or 32 threads in blocks of 256, or with LANES = 0 one for each block of whole warps; at most
// ITEMS columns a thread.
template <typename T, typename A, int V, int LANES>
__global__ void __launch_bounds__(LANES ? 256 : MOST_THREADS<A>, 1)
    softmax_rows(T* out, const T* x, long long rows, int columns, bool logarithm) {
    __shared__ A shared[32];
    const Place<LANES> place;
    const int there = place.row < rows ? columns : 0;  // idle groups of lanes stay, because the whole warp shuffles
    const T* const from = x + place.row * columns;
    A item[ITEMS];
#pragma unroll
    for (int i = 0; i < ITEMS / V; ++i) {
        const int column = (i * place.lanes + place.lane) * V;
        Pack<T, V> pack;
        if (column < there) pack = load_pack<V>(from + column);
#pragma unroll
        for (int j = 0; j < V; ++j) item[i * V + j] = column < there ? to<A>(pack.item[j]) : -infinity<A>();
    }
    Seen<A> row;
    row.max = item[0];
#pragma unroll
    for (int k = 1; k < ITEMS; ++k) row.max = Max()(row.max, item[k]);
    row.max = row_reduce<LANES>(row.max, -infinity<A>(), Max(), shared);
    row.sum = A(0);
#pragma unroll
    for (int i = 0; i < ITEMS / V; ++i)
#pragma unroll
        for (int j = 0; j < V; ++j) {
            const A e = exp(item[i * V + j] - row.max);
            const bool inside = (i * place.lanes + place.lane) * V < there;
            row.sum += inside ? e : A(0);
            if (!logarithm) item[i * V + j] = e;
        }
    row.sum = row_reduce<LANES>(row.sum, A(0), Add(), shared);
    const A shift = shift_of(row, logarithm);
#pragma unroll
    for (int i = 0; i < ITEMS / V; ++i) {
        const int column = (i * place.lanes + place.lane) * V;
        if (column >= there) continue;
        Pack<T, V> pack;
#pragma unroll
        for (int j = 0; j < V; ++j) {
            const A value = item[i * V + j];
            pack.item[j] = to<T>(logarithm ? value - row.max - shift : value * shift);
        }
        store_pack<V>(out + place.row * columns + column, pack);
    }
}

template <typename T, typename A, int V, int LANES>
__global__ void __launch_bounds__(LANES ? 256 : MOST_THREADS<A>, 1)
    softmax_rows_grad(T* dx, const T* g, const T* y, long long rows, int columns, bool logarithm) {
    __shared__ A shared[32];
    const Place<LANES> place;
    const int there = place.row < rows ? columns : 0;
    const long long start = place.row * columns;
    A gradients[ITEMS], results[ITEMS], sum = A(0);
#pragma unroll
    for (int i = 0; i < ITEMS / V; ++i) {
        const int column = (i * place.lanes + place.lane) * V;
        Pack<T, V> first, second;
        if (column < there) {
            first = load_pack<V>(g + start + column);
            second = load_pack<V>(y + start + column);
        }
#pragma unroll
        for (int j = 0; j < V; ++j) {
            const int k = i * V + j;
            gradients[k] = column < there ? to<A>(first.item[j]) : A(0);
            results[k] = column < there ? to<A>(second.item[j]) : A(0);
            sum += weight_of(gradients[k], results[k], logarithm);
        }
    }
    sum = row_reduce<LANES>(sum, A(0), Add(), shared);
#pragma unroll
    for (int i = 0; i < ITEMS / V; ++i) {
        const int column = (i * place.lanes + place.lane) * V;
        if (column >= there) continue;
        Pack<T, V> pack;
#pragma unroll
        for (int j = 0; j < V; ++j)
            pack.item[j] = to<T>(gradient(gradients[i * V + j], results[i * V + j], sum, logarithm));
        store_pack<V>(dx + start + column, pack);
    }
}

// ---- rows of any length, one block a row ----------------------------------------------------------

template <typename T, typename A, int V>
__global__ void __launch_bounds__(LONG, 1)
    softmax_long(T* out, const T* x, int columns, bool logarithm) {
    x += blockIdx.x * static_cast<long long>(columns);
    out += blockIdx.x * static_cast<long long>(columns);
    Seen<A> mine = {-infinity<A>(), A(0)};
    for (int column = threadIdx.x * V; column < columns; column += LONG * V) {
        see(mine, load_pack<V>(x + column));
    }
    Seen<A> row = block_join(mine);
    if (row.max == -infinity<A>()) row.sum = row.max - row.max;  // NaN
    const A shift = shift_of(row, logarithm);
    for (int column = threadIdx.x * V; column < columns; column += LONG * V) {
        Pack<T, V> pack = load_pack<V>(x + column);
#pragma unroll
        for (int j = 0; j < V; ++j) pack.item[j] = to<T>(result(to<A>(pack.item[j]), row, logarithm, shift));
        store_pack<V>(out + column, pack);
    }
}

template <typename T, typename A, int V>
__global__ void __launch_bounds__(LONG, 1)
    softmax_long_grad(T* dx, const T* g, const T* y, int columns, bool logarithm) {
    __shared__ A shared[32];
    const long long start = blockIdx.x * static_cast<long long>(columns);
    A sum = A(0);
    for (int column = threadIdx.x * V; column < columns; column += LONG * V) {
        const Pack<T, V> first = load_pack<V>(g + start + column);
        Pack<T, V> second = first;
        if (!logarithm) second = load_pack<V>(y + start + column);
#pragma unroll
        for (int j = 0; j < V; ++j) sum += weight_of(to<A>(first.item[j]), to<A>(second.item[j]), logarithm);
    }
    sum = block_reduce(sum, A(0), Add(), shared);
    for (int column = threadIdx.x * V; column < columns; column += LONG * V) {
        const Pack<T, V> first = load_pack<V>(g + start + column), second = load_pack<V>(y + start + column);
        Pack<T, V> pack;
#pragma unroll
        for (int j = 0; j < V; ++j)
            pack.item[j] = to<T>(gradient(to<A>(first.item[j]), to<A>(second.item[j]), sum, logarithm));
        store_pack<V>(dx + start + column, pack);
    }
}

// ---- an axis that lies across memory -------------------------------------------------------------------------------

// Block: 32 columns times 8 warps, which share the axis; grid: outer times strips of 32 columns.
template <typename T, typename A>
__global__ void __launch_bounds__(256, 4)
    softmax_columns(T* out, const T* x, int size, int inner, bool logarithm) {
    __shared__ Seen<A> shared[8][32];
    const int strips = (inner + 31) / 32, lane = threadIdx.x % 32, warp = threadIdx.x / 32;
    const int column = blockIdx.x % strips * 32 + lane;
    const long long start = static_cast<long long>(blockIdx.x / strips) * size * inner + column;
    Seen<A> mine = {-infinity<A>(), A(0)};
    if (column < inner)
#pragma unroll 4
        for (int i = warp; i < size; i += 8) {
            const A value = to<A>(x[start + static_cast<long long>(i) * inner]);
            if (value != -infinity<A>()) see(mine, value);
        }
    shared[warp][lane] = mine;
    __syncthreads();  // every warp's part is written before they are joined
    Seen<A> row = shared[0][lane];
#pragma unroll
    for (int other = 1; other < 8; ++other) row = Join<A>()(row, shared[other][lane]);
    if (row.max == -infinity<A>()) row.sum = row.max - row.max;  // NaN
    if (column >= inner) return;
    const A shift = shift_of(row, logarithm);
#pragma unroll 4
    for (int i = warp; i < size; i += 8) {
        const long long at = start + static_cast<long long>(i) * inner;
        out[at] = to<T>(result(to<A>(x[at]), row, logarithm, shift));
    }
}

template <typename T, typename A>
__global__ void __launch_bounds__(256, 4)
    softmax_columns_grad(T* dx, const T* g, const T* y, int size, int inner, bool logarithm) {
    __shared__ A shared[8][32];
    const int strips = (inner + 31) / 32, lane = threadIdx.x % 32, warp = threadIdx.x / 32;
    const int column = blockIdx.x % strips * 32 + lane;
    const long long start = static_cast<long long>(blockIdx.x / strips) * size * inner + column;
    A sum = A(0);
    if (column < inner)
#pragma unroll 4
        for (int i = warp; i < size; i += 8) {
            const long long at = start + static_cast<long long>(i) * inner;
            sum += weight_of(to<A>(g[at]), to<A>(y[at]), logarithm);
        }
    shared[warp][lane] = sum;
    __syncthreads();  // every warp's part is written before they are added
    sum = shared[0][lane];
#pragma unroll
    for (int other = 1; other < 8; ++other) sum += shared[other][lane];
    if (column >= inner) return;
#pragma unroll 4
    for (int i = warp; i < size; i += 8) {
        const long long at = start + static_cast<long long>(i) * inner;
        dx[at] = to<T>(gradient(to<A>(g[at]), to<A>(y[at]), sum, logarithm));
    }
}
