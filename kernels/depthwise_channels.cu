// Depthwise convolution of images whose channels lie last, [N, H, W, C]: every channel has filters of its own, M of them
// (feature f is of channel f / M), [features, kH, kW]. Forward, by the input and by the weight, as depthwise.cu.
//
// Lanes run along the channels by 16-byte accesses, V elements each, or by single ones where V does not divide the channels
// or where M > 1. Everything else a block has runs along the places. Memory is the limit of 3 x 3; issue of larger filters:
//   - forward a thread has P neighbouring results of a row, so that with steps of 1 (SLIDES) what it reads of a row of the
//     source serves up to K of them: P + K - 1 reads for P K products. By the input, with strides of 1, is the same with
//     the filter turned around;
//   - the filters of a block's channels are in shared memory, turned so that a row of taps is read by 16 bytes;
//   - by the weight a thread has the K sums of a row of taps for its channels, and walks along rows of results. Threads
//     that share sums add them up in shared memory, blocks that share them by a second launch, in a fixed order.
//
// K: the square filters' size, or 0 for any other, whose taps are read from memory.
#include "epilogue.cuh"

// In y and x: the place that tap k of result p meets is p * stride + k * dilation - low.
struct Rows {
    int height, width, out_height, out_width, kernel_y, kernel_x, stride_y, stride_x, low_y, low_x, dilation_y, dilation_x;
    int channels, features, multiplier, lanes, shift;  // lanes along the channels, a power of two, and its logarithm
    Divisor by_strip, by_row, by_stride_y, by_stride_x;  // strips of a row, rows of an image
};

namespace {

constexpr int THREADS = 128;
template <int V, bool SLIDES>
constexpr int RESULTS = !SLIDES ? 2 : V == 8 ? 4 : 8;  // of a thread in a row: P
template <int V>
constexpr int TILE = V == 1 ? 32 : 8 * V;  // channels of a block, at most

__device__ __forceinline__ bool within(int place, int size) {
    return static_cast<unsigned int>(place) < static_cast<unsigned int>(size);
}

// V numbers as they are computed with; zeros where the place is not in the image.
template <int V, typename A, typename T>
__device__ __forceinline__ void load_here(A (&x)[V], const T* from, bool inside) {
    if (inside) {
        load_as<A, V>(x, from);
    } else {
#pragma unroll
        for (int v = 0; v < V; ++v) x[v] = A(0);
    }
}

// In shared memory a row of a block's features lies so that lanes read neighbouring 16 bytes: where V is 8, the first four of
// each lane, then the others. spot: where feature number i is. load_row: a lane's V.
template <int V>
__device__ __forceinline__ int spot(int i, int lanes) {
    return V == 8 ? i % 8 / 4 * (4 * lanes) + i / 8 * 4 + i % 4 : i;
}
template <int V, typename A>
__device__ __forceinline__ void load_row(A (&x)[V], const A* row, int lane, int lanes) {
    if constexpr (V == 8) {
#pragma unroll
        for (int half = 0; half < 2; ++half) {
            const Pack<A, 4> pack = load_pack<4>(row + half * (4 * lanes) + lane * 4);
#pragma unroll
            for (int v = 0; v < 4; ++v) x[half * 4 + v] = pack.item[v];
        }
    } else {
        load_as<A, V>(x, row + lane * V);
    }
}

// The filters of a block's features, from `first` on: [tap][feature]. turned: from the last tap on.
template <int K, int V, typename T, typename A>
__device__ __forceinline__ void load_filters(A (*filters)[TILE<V>], const T* weight, int first, int features, int lanes,
                                             bool turned) {
    const int tile = lanes * V, tile_shift = 31 - __clz(tile);
    for (int i = threadIdx.x; i < K * K * tile; i += THREADS) {
        const int tap = i >> tile_shift, feature = i & (tile - 1);
        filters[tap][spot<V>(feature, lanes)] =
            first + feature < features ? to<A>(weight[(first + feature) * (K * K) + (turned ? K * K - 1 - tap : tap)])
                                       : A(0);
    }
    __syncthreads();  // the filters are there
}

}  // namespace

// Forward, or by the input with strides of 1 and one filter a channel, `turned`: of g, whose places are then the source.
// bias may be null. SLIDES: steps along x of results and of taps are 1. Grid: (tiles of features, some of all strips).
template <typename T, typename A, int V, int K, bool SLIDES>
__global__ void __launch_bounds__(THREADS, 3)
    depthwise_channels(T* __restrict__ out, const T* __restrict__ source, const T* __restrict__ weight,
                       const T* __restrict__ bias, int strips, bool turned, const Rows at, const After<T, A> after) {
    static_assert(K || !SLIDES, "taps of filters of any size are not neighbours in registers");
    constexpr int TAPS = K ? K * K : 1, WIDTH = K ? K : 1, P = RESULTS<V, SLIDES>;
    __shared__ alignas(16) A filters[TAPS][TILE<V>];
    __shared__ alignas(16) A factors[TILE<V>], offsets[TILE<V>], adds[TILE<V>];
    const int tile = at.lanes * V, first = blockIdx.x * tile, lane = threadIdx.x & (at.lanes - 1);
    for (int i = threadIdx.x; i < tile; i += THREADS) {
        if (first + i >= at.features) continue;
        const int to_i = spot<V>(i, at.lanes);
        after.of_feature(first + i, factors[to_i], offsets[to_i]);
        adds[to_i] = bias ? to<A>(bias[first + i]) : A(0);
    }
    if constexpr (K > 0) load_filters<K, V>(filters, weight, first, at.features, at.lanes, turned);
    else __syncthreads();  // the vectors are there
    const int f = first + lane * V;
    if (f >= at.features) return;
    const T* const of_channel = source + (V == 1 ? f / at.multiplier : f);
    const int step = gridDim.y * (THREADS >> at.shift);
#pragma unroll 1
    for (int strip = blockIdx.y * (THREADS >> at.shift) + (threadIdx.x >> at.shift); strip < strips; strip += step) {
        const int line = at.by_strip(strip), image = at.by_row(line);
        const int x = (strip - line * static_cast<int>(at.by_strip.value)) * P;
        const int y = (line - image * static_cast<int>(at.by_row.value)) * at.stride_y - at.low_y;
        const int left = x * at.stride_x - at.low_x;
        A sum[P][V];
#pragma unroll
        for (int p = 0; p < P; ++p)
#pragma unroll
            for (int v = 0; v < V; ++v) sum[p][v] = A(0);
        const int height = K ? K : at.kernel_y, width = K ? K : at.kernel_x;
#pragma unroll 1
        for (int ky = 0; ky < height; ++ky) {
            const int row = y + ky * at.dilation_y;
            if (!within(row, at.height)) continue;
            const T* const line_of = of_channel + (image * at.height + row) * at.width * at.channels;
            auto products = [&](int p, const A (&x_)[V], const A (&w)[V]) {
#pragma unroll
                for (int v = 0; v < V; ++v) sum[p][v] = multiply_add(w[v], x_[v], sum[p][v]);
            };
            if constexpr (SLIDES) {
                A w[WIDTH][V];
#pragma unroll
                for (int kx = 0; kx < WIDTH; ++kx) load_row(w[kx], filters[ky * WIDTH + kx], lane, at.lanes);
#pragma unroll
                for (int j = 0; j < P + WIDTH - 1; ++j) {
                    A here[V];
                    load_here<V>(here, line_of + (left + j) * at.channels, within(left + j, at.width));
#pragma unroll
                    for (int kx = 0; kx < WIDTH; ++kx)
                        if (j - kx >= 0 && j - kx < P) products(j - kx, here, w[kx]);
                }
            } else {
#pragma unroll(WIDTH)
                for (int kx = 0; kx < width; ++kx) {
                    A w[V];
                    if constexpr (K > 0) {
                        load_row(w, filters[ky * WIDTH + kx], lane, at.lanes);
                    } else {
                        const int tap = ky * width + kx, from = turned ? height * width - 1 - tap : tap;
#pragma unroll
                        for (int v = 0; v < V; ++v) w[v] = to<A>(weight[(f + v) * (height * width) + from]);
                    }
#pragma unroll
                    for (int p = 0; p < P; ++p) {
                        const int column = left + p * at.stride_x + kx * at.dilation_x;
                        A here[V];
                        load_here<V>(here, line_of + column * at.channels, within(column, at.width));
                        products(p, here, w);
                    }
                }
            }
        }
        A factor[V], offset[V], add[V];
        load_row(factor, factors, lane, at.lanes);
        load_row(offset, offsets, lane, at.lanes);
        load_row(add, adds, lane, at.lanes);
        const int place = (line * at.out_width + x) * at.features + f, activation = after.activation;
#pragma unroll
        for (int p = 0; p < P; ++p) {
            if (x + p >= at.out_width) continue;
            Pack<T, V> pack;
#pragma unroll
            for (int v = 0; v < V; ++v) pack.item[v] = after.normalized(sum[p][v] + add[v], factor[v], offset[v]);
            if (after.onto) {
                const Pack<T, V> there = load_pack<V>(after.onto + (place + p * at.features));
#pragma unroll
                for (int v = 0; v < V; ++v) pack.item[v] = to<T>(to<A>(pack.item[v]) + to<A>(there.item[v]));
            }
            if (activation == ACTIVATION_RELU) activate<A>(pack, ACTIVATION_RELU);
            store_pack<V>(out + (place + p * at.features), pack);
        }
        if (!is_long(activation)) continue;
#pragma unroll 1
        for (int p = 0; p < P && x + p < at.out_width; ++p) {  // those that it has stored
            T* const stored = out + (place + p * at.features);
            Pack<T, V> pack = load_pack<V>(stored);
            activate<A>(pack, activation);
            store_pack<V>(stored, pack);
        }
    }
}

// By the input, with any strides; with K = 0 of any filters of a channel, too: dx[n, y, x, c] = the sum over its filters and
// taps of weight * g where the tap met (y, x). Grid: (tiles of channels, some of all places).
template <typename T, typename A, int V, int K>
__global__ void __launch_bounds__(THREADS, 3)
    depthwise_channels_input(T* __restrict__ dx, const T* __restrict__ g, const T* __restrict__ weight, int places,
                             const Rows at) {
    __shared__ alignas(16) A filters[K ? K * K : 1][TILE<V>];
    const int first = blockIdx.x * at.lanes * V, lane = threadIdx.x & (at.lanes - 1), c = first + lane * V;
    if constexpr (K > 0) load_filters<K, V>(filters, weight, first, at.channels, at.lanes, false);
    if (c >= at.channels) return;
    const int height = K ? K : at.kernel_y, width = K ? K : at.kernel_x, multiplier = K ? 1 : at.multiplier;
    const int step = gridDim.y * (THREADS >> at.shift);
#pragma unroll 1
    for (int place = blockIdx.y * (THREADS >> at.shift) + (threadIdx.x >> at.shift); place < places; place += step) {
        const int line = at.by_strip(place), image = at.by_row(line);
        const int x = place - line * static_cast<int>(at.by_strip.value) + at.low_x;
        const int y = line - image * static_cast<int>(at.by_row.value) + at.low_y;
        A sum[V];
#pragma unroll
        for (int v = 0; v < V; ++v) sum[v] = A(0);
#pragma unroll 1
        for (int ky = 0; ky < height; ++ky) {
            const int to_y = y - ky * at.dilation_y, row = at.by_stride_y(to_y < 0 ? 0 : to_y);
            if (row * at.stride_y != to_y || row >= at.out_height) continue;
            const T* const line_of = g + (image * at.out_height + row) * at.out_width * at.features;
#pragma unroll(K ? K : 1)
            for (int kx = 0; kx < width; ++kx) {
                const int to_x = x - kx * at.dilation_x, column = at.by_stride_x(to_x < 0 ? 0 : to_x);
                if (column * at.stride_x != to_x || column >= at.out_width) continue;
#pragma unroll 1
                for (int m = 0; m < multiplier; ++m) {
                    const int f = c * multiplier + m;
                    A here[V], w[V];
                    load_as<A, V>(here, line_of + column * at.features + f);
                    if constexpr (K > 0) {
                        load_row(w, filters[ky * K + kx], lane, at.lanes);
                    } else {
#pragma unroll
                        for (int v = 0; v < V; ++v) w[v] = to<A>(weight[(f + v) * (height * width) + ky * width + kx]);
                    }
#pragma unroll
                    for (int v = 0; v < V; ++v) sum[v] = multiply_add(w[v], here[v], sum[v]);
                }
            }
        }
        store_as<V>(dx + (place * at.channels + c), sum);
    }
}

// partial[range][f][ky][kx], over a range of the rows of all images' results. A block has the taps of all rows ky, or with
// K = 0 one tap, which blockIdx.z says. SLIDES: as above, of four results at a time. Grid: (tiles of features, ranges, K ? 1
// : taps); block: lanes times K (or 1) times rows under way.
template <typename T, typename A, int V, int K, bool SLIDES>
__global__ void __launch_bounds__(THREADS, 3)
    depthwise_channels_weight(A* __restrict__ partial, const T* __restrict__ g, const T* __restrict__ source, int rows,
                              int rows_per_range, const Rows at) {
    constexpr int WIDTH = K ? K : 1, AT_ONCE = SLIDES ? 4 : 1;
    __shared__ A shared[V * THREADS];
    const int lane = threadIdx.x & (at.lanes - 1), rest = threadIdx.x >> at.shift;
    const int own = rest / WIDTH, ways = (blockDim.x >> at.shift) / WIDTH;
    const int tap = K ? rest % WIDTH * WIDTH : blockIdx.z, width = K ? K : at.kernel_x, ky = tap / width;
    const int f = (blockIdx.x * at.lanes + lane) * V;
    const bool inside = f < at.features;
    const int last = rows - blockIdx.y * rows_per_range < rows_per_range ? rows : (blockIdx.y + 1) * rows_per_range;
    A sum[WIDTH][V];
#pragma unroll
    for (int kx = 0; kx < WIDTH; ++kx)
#pragma unroll
        for (int v = 0; v < V; ++v) sum[kx][v] = A(0);
    const T* const of_channel = source + (V == 1 ? f / at.multiplier : f);
#pragma unroll 1
    for (int line = blockIdx.y * rows_per_range + own; line < last; line += ways) {
        const int image = at.by_row(line);
        const int row = (line - image * static_cast<int>(at.by_row.value)) * at.stride_y + ky * at.dilation_y - at.low_y;
        if (!inside || !within(row, at.height)) continue;
        const T* const line_of = of_channel + (image * at.height + row) * at.width * at.channels;
        const T* from = g + line * at.out_width * at.features + f;
        int column = (K ? 0 : tap % width * at.dilation_x) - at.low_x;
#pragma unroll 1
        for (int x = 0; x < at.out_width; x += AT_ONCE, column += AT_ONCE * at.stride_x) {
            A gradient[AT_ONCE][V];
#pragma unroll
            for (int p = 0; p < AT_ONCE; ++p, from += at.features) load_here<V>(gradient[p], from, x + p < at.out_width);
#pragma unroll
            for (int j = 0; j < AT_ONCE + WIDTH - 1; ++j) {
                const int to_x = column + j * at.dilation_x;
                A here[V];
                load_here<V>(here, line_of + to_x * at.channels, within(to_x, at.width));
#pragma unroll
                for (int p = 0; p < AT_ONCE; ++p) {
                    if (j - p < 0 || j - p >= WIDTH) continue;
#pragma unroll
                    for (int v = 0; v < V; ++v) sum[j - p][v] = multiply_add(gradient[p][v], here[v], sum[j - p][v]);
                }
            }
        }
    }
    const int taps = at.kernel_y * at.kernel_x;
    const bool has_sums = own == 0 && inside;
#pragma unroll
    for (int kx = 0; kx < WIDTH; ++kx) {
        __syncthreads();  // the sums of the tap before are read
#pragma unroll
        for (int v = 0; v < V; ++v) shared[v * THREADS + threadIdx.x] = sum[kx][v];
        __syncthreads();  // this tap's sums are written
        if (!has_sums) continue;
        A total[V];
#pragma unroll
        for (int v = 0; v < V; ++v) total[v] = A(0);
#pragma unroll 1
        for (int way = 0; way < ways; ++way) {
#pragma unroll
            for (int v = 0; v < V; ++v) total[v] += shared[v * THREADS + threadIdx.x + way * WIDTH * at.lanes];
        }
#pragma unroll
        for (int v = 0; v < V; ++v)
            partial[(static_cast<long long>(blockIdx.y) * at.features + f + v) * taps + tap + kx] = total[v];
    }
}
