// Depthwise convolution of images [N, C, H, W]: every channel has filters of its own, M of them (feature f is of channel
// f / M). Forward, by the input and by the weight, for square filters of K x K.
//
//     forward:    out[n, f, oy, ox] = bias[f] + sum over (ky, kx) of w[f, ky, kx] * x[n, c, at (oy, ox), (ky, kx)]
//     by input:   dx[n, c, y, x]    = sum over (ky, kx) of w[c, ky, kx] * g[n, c, where the tap met (y, x)]
//     by weight:  dw[f, ky, kx]     = sum over (n, oy, ox) of g[n, f, oy, ox] * x[n, c, at (oy, ox), (ky, kx)]
//
// There is nothing to share between channels, so that a product of matrices would be a vector's. It is limited by memory:
// each element is read K K times, but once from memory, since neighbouring threads have neighbouring windows and L1 keeps
// what they share. The filter is in registers. Sums run in a fixed order; by the weight, blocks share the images of a
// channel where channels are few, and a second launch adds their sums from first to last.
#include "epilogue.cuh"

// Sizes in y and x. The place that tap k of position p meets: p * stride + k * dilation - padding.
struct Plane {
    int height, width, out_height, out_width, stride_y, stride_x, padding_y, padding_x, dilation_y, dilation_x;
};

namespace {

constexpr int THREADS = 256;

__device__ __forceinline__ bool within(int place, int size) {
    return static_cast<unsigned int>(place) < static_cast<unsigned int>(size);
}

template <int K, typename T, typename A>
__device__ __forceinline__ void load_filter(A (&filter)[K * K], const T* from) {
#pragma unroll
    for (int k = 0; k < K * K; ++k) filter[k] = to<A>(from[k]);
}

// Calls visit(place, y, x) for this thread's share of a plane, or of planes one after the other (y goes on growing).
// Places follow by addition.
template <typename F>
__device__ __forceinline__ void for_each_place(int first, int last, int step, int width, F visit) {
    const int next_y = step / width, next_x = step % width;
    int y = first / width, x = first % width;
    for (int place = first; place < last; place += step) {
        visit(place, y, x);
        y += next_y;
        x += next_x;
        if (x >= width) {
            x -= width;
            ++y;
        }
    }
}

}  // namespace

// Grid: (planes of the result, parts of a plane); block: whole warps. bias may be null.
template <typename T, typename A, int K>
__global__ void __launch_bounds__(THREADS, K == 7 ? 1 : 2)
    depthwise(T* __restrict__ out, const T* __restrict__ image, const T* __restrict__ weight,
              const T* __restrict__ bias, int features, int multiplier, const Plane at, const After<T, A> after) {
    const int n = blockIdx.x / features, f = blockIdx.x - n * features;
    const long long plane = static_cast<long long>(n) * (features / multiplier) + f / multiplier;
    const T* const from = image + plane * at.height * at.width;
    const int area = at.out_height * at.out_width;
    T* const result = out + static_cast<long long>(blockIdx.x) * area;
    A filter[K * K];
    load_filter<K>(filter, weight + f * K * K);
    A factor, offset;
    after.of_feature(f, factor, offset);
    const A add = bias ? to<A>(bias[f]) : A(0);
    const T* const there = after.onto ? after.onto + static_cast<long long>(blockIdx.x) * area : nullptr;
    for_each_place(blockIdx.y * blockDim.x + threadIdx.x, area, gridDim.y * blockDim.x, at.out_width,
                   [&](int place, int y, int x) {
        A sum = A(0);
#pragma unroll
        for (int ky = 0; ky < K; ++ky) {
            const int row = y * at.stride_y + ky * at.dilation_y - at.padding_y;
#pragma unroll
            for (int kx = 0; kx < K; ++kx) {
                const int column = x * at.stride_x + kx * at.dilation_x - at.padding_x;
                if (within(row, at.height) && within(column, at.width))
                    sum = multiply_add(filter[ky * K + kx], to<A>(from[row * at.width + column]), sum);
            }
        }
        T value = after.normalized(sum + add, factor, offset);
        if (there) value = to<T>(to<A>(value) + to<A>(there[place]));
        result[place] = after.activation == ACTIVATION_NONE ? value : to<T>(activated(to<A>(value), after.activation));
    });
}

// Of one filter a channel. Grid: (planes of the input, parts of a plane); block: whole warps. STRIDE: of y and x, 1 or 2,
// so that dividing by it is a shift.
template <typename T, typename A, int K, int STRIDE>
__global__ void __launch_bounds__(THREADS, K == 7 ? 1 : 2)
    depthwise_input(T* __restrict__ dx, const T* __restrict__ g, const T* __restrict__ weight, int channels,
                    const Plane at) {
    const int area = at.height * at.width, out_area = at.out_height * at.out_width;
    T* const result = dx + static_cast<long long>(blockIdx.x) * area;
    const T* const from = g + static_cast<long long>(blockIdx.x) * out_area;
    A filter[K * K];
    load_filter<K>(filter, weight + blockIdx.x % channels * (K * K));
    for_each_place(blockIdx.y * blockDim.x + threadIdx.x, area, gridDim.y * blockDim.x, at.width,
                   [&](int place, int y, int x) {
        A sum = A(0);
#pragma unroll
        for (int ky = 0; ky < K; ++ky) {
            const int row = y + at.padding_y - ky * at.dilation_y, to_row = row >> (STRIDE - 1);
#pragma unroll
            for (int kx = 0; kx < K; ++kx) {
                const int column = x + at.padding_x - kx * at.dilation_x, to_column = column >> (STRIDE - 1);
                const bool met = row % STRIDE == 0 && column % STRIDE == 0;
                if (met && within(to_row, at.out_height) && within(to_column, at.out_width))
                    sum = multiply_add(filter[ky * K + kx], to<A>(from[to_row * at.out_width + to_column]), sum);
            }
        }
        result[place] = to<T>(sum);
    });
}

// partial[range][f][ky][kx], over the images of a range. Grid: (features, ranges); block: 256.
template <typename T, typename A, int K>
__global__ void __launch_bounds__(THREADS, 1)
    depthwise_weight(A* __restrict__ partial, const T* __restrict__ g, const T* __restrict__ image, int features,
                     int multiplier, int images, int images_per_range, const Plane at) {
    __shared__ A shared[32];
    const int f = blockIdx.x, channels = features / multiplier, out_area = at.out_height * at.out_width;
    const int first = blockIdx.y * images_per_range;
    const int count = images - first < images_per_range ? images - first : images_per_range;
    const long long area = static_cast<long long>(at.height) * at.width;
    const T* const of_image = image + (static_cast<long long>(first) * channels + f / multiplier) * area;
    const T* const of_g = g + (static_cast<long long>(first) * features + f) * out_area;
    A sum[K * K];
#pragma unroll
    for (int k = 0; k < K * K; ++k) sum[k] = A(0);
    int n = 0, above = 0;  // the image, and the rows of those before it
    for_each_place(threadIdx.x, count * out_area, THREADS, at.out_width, [&](int, int y, int x) {
        while (y - above >= at.out_height) {
            above += at.out_height;
            ++n;
        }
        const int own = y - above;
        const A gradient = to<A>(of_g[n * (static_cast<long long>(features) * out_area) + own * at.out_width + x]);
        const T* const from = of_image + n * (channels * area);
#pragma unroll
        for (int ky = 0; ky < K; ++ky) {
            const int row = own * at.stride_y + ky * at.dilation_y - at.padding_y;
#pragma unroll
            for (int kx = 0; kx < K; ++kx) {
                const int column = x * at.stride_x + kx * at.dilation_x - at.padding_x;
                if (within(row, at.height) && within(column, at.width))
                    sum[ky * K + kx] = multiply_add(gradient, to<A>(from[row * at.width + column]), sum[ky * K + kx]);
            }
        }
    });
    A* const result = partial + (static_cast<long long>(blockIdx.y) * features + f) * (K * K);
#pragma unroll
    for (int k = 0; k < K * K; ++k) {
        const A total = block_reduce(sum[k], A(0), Add(), shared);
        if (threadIdx.x == 0) result[k] = total;
    }
}
