// Softmax and its logarithm of rows that are too long for a block's registers, forward and backward: the BLOCKS of a
// cluster share a row, each keeps its part in shared memory, and so each number is read once; the rest is as in softmax.cu.
// [sm_90: clusters]
//
// Two blocks fit a multiprocessor, of different rows or of one, so that one reads while another writes. What blocks know
// of their parts is joined in the order of the blocks.
//
// Grid: rows * BLOCKS; block: 512. Each block has `share` columns, a multiple of V, of which the first `kept`, too, are in
// dynamic shared memory, of each operand that is read twice; in the last blocks there may be fewer, or none.
#include "cluster.cuh"
#include "softmax.cuh"

namespace {

constexpr int THREADS = 512;

// Two loads of each operand are under way: calls visit(column) for the first of the packs of this thread, two at a time.
template <int V, typename F>
__device__ __forceinline__ void for_each_pair(int columns, F visit) {
#pragma unroll 1
    for (int column = threadIdx.x * V; column < columns; column += 2 * THREADS * V)
        visit(column, column + THREADS * V < columns ? column + THREADS * V : -1);
}

}  // namespace

template <typename T, int V, int BLOCKS>
__global__ void __cluster_dims__(BLOCKS, 1, 1) __launch_bounds__(THREADS, 2)
    softmax_cluster(T* out, const T* x, int columns, bool logarithm, int share, int kept) {
    extern __shared__ __align__(16) unsigned char memory[];
    T* const near = reinterpret_cast<T*>(memory);
    const int rank = cluster_rank(), begin = part_begin(rank, share, columns);
    const int own = part_begin(rank + 1, share, columns) - begin;
    const long long start = blockIdx.x / BLOCKS * static_cast<long long>(columns) + begin;
    x += start;
    out += start;
    Seen<float> mine = {-infinity<float>(), 0.0f};
    auto take = [&](const Pack<T, V>& pack, int column) {
        if (column < kept) store_pack<V>(near + column, pack);  // for this thread alone: no barrier
        see(mine, pack);
    };
    for_each_pair<V>(own, [&](int column, int next) {
        const Pack<T, V> first = load_pack<V>(x + column), second = load_pack<V>(x + (next < 0 ? column : next));
        take(first, column);
        if (next >= 0) take(second, next);
    });
    mine = block_join(mine);
    float numbers[2] = {mine.max, mine.sum};
    exchange<BLOCKS>(numbers);
    Seen<float> row = warp_join<float, BLOCKS>({numbers[0], numbers[1]});
    if (row.max == -infinity<float>()) row.sum = row.max - row.max;  // NaN
    const float shift = shift_of(row, logarithm);
    auto write = [&](Pack<T, V> pack, int column) {
#pragma unroll
        for (int j = 0; j < V; ++j) pack.item[j] = to<T>(result(to<float>(pack.item[j]), row, logarithm, shift));
        store_pack<V>(out + column, pack);
    };
    int column = threadIdx.x * V;
    for (; column < own && column < kept; column += THREADS * V) write(load_pack<V>(near + column), column);
    for (; column < own; column += THREADS * V) write(load_pack<V>(x + column), column);
}

// The logarithm's gradient reads y once, and keeps g alone.
template <typename T, int V, int BLOCKS>
__global__ void __cluster_dims__(BLOCKS, 1, 1) __launch_bounds__(THREADS, 2)
    softmax_cluster_grad(T* dx, const T* g, const T* y, int columns, bool logarithm, int share, int kept) {
    extern __shared__ __align__(16) unsigned char memory[];
    __shared__ float shared[32];
    T *const near = reinterpret_cast<T*>(memory), *const near_y = near + kept;
    const int rank = cluster_rank(), begin = part_begin(rank, share, columns);
    const int own = part_begin(rank + 1, share, columns) - begin;
    const long long start = blockIdx.x / BLOCKS * static_cast<long long>(columns) + begin;
    g += start;
    y += start;
    dx += start;
    float sum = 0.0f;
    auto take = [&](const Pack<T, V>& gradients, const Pack<T, V>& results, int column) {
        if (column < kept) {
            store_pack<V>(near + column, gradients);
            if (!logarithm) store_pack<V>(near_y + column, results);
        }
#pragma unroll
        for (int j = 0; j < V; ++j)
            sum += weight_of(to<float>(gradients.item[j]), to<float>(results.item[j]), logarithm);
    };
    for_each_pair<V>(own, [&](int column, int next) {
        const int second = next < 0 ? column : next;
        const Pack<T, V> one = load_pack<V>(g + column), two = load_pack<V>(g + second);
        Pack<T, V> of_one = one, of_two = two;
        if (!logarithm) {
            of_one = load_pack<V>(y + column);
            of_two = load_pack<V>(y + second);
        }
        take(one, of_one, column);
        if (next >= 0) take(two, of_two, next);
    });
    float numbers[1] = {block_reduce(sum, 0.0f, Add(), shared)};
    exchange<BLOCKS>(numbers);
    sum = warp_reduce<BLOCKS>(numbers[0], Add());
    auto write = [&](Pack<T, V> pack, const Pack<T, V>& results, int column) {
#pragma unroll
        for (int j = 0; j < V; ++j)
            pack.item[j] = to<T>(gradient(to<float>(pack.item[j]), to<float>(results.item[j]), sum, logarithm));
        store_pack<V>(dx + column, pack);
    };
    int column = threadIdx.x * V;
    if (logarithm)
        for (; column < own && column < kept; column += THREADS * V)
            write(load_pack<V>(near + column), load_pack<V>(y + column), column);
    for (; column < own && column < kept; column += THREADS * V)
        write(load_pack<V>(near + column), load_pack<V>(near_y + column), column);
    for (; column < own; column += THREADS * V) write(load_pack<V>(g + column), load_pack<V>(y + column), column);
}
