// Convolution of images [N, C, H, W], 1-d ones with H = 1: forward, by the input, and by the weight.
//
// Each is a product of matrices of which one is never stored (implicit GEMM): its elements are gathered from the image
// while tiles are copied to shared memory.
//     forward:    out[f, (n, oy, ox)] = sum over (c, ky, kx) of weight[f, (c, ky, kx)] * x[c, at (n, oy, ox), (ky, kx)]
//     by input:   dx[c, (n, y, x)]    = sum over (f, ky, kx) of weight[f, c, ky, kx] * g[f, where the tap met (y, x)]
//     by weight:  dw[f, (c, ky, kx)]  = sum over (n, oy, ox) of g[f, (n, oy, ox)] * x[c, at (n, oy, ox), (ky, kx)]
//
// A gathered element is named by a position and a tap: in each dimension it is source element
// position * step + start + tap * next_tap, or 0 outside. Forward, that is the definition. By the input, the positions
// whose distance is the stride meet the same taps at shifted places of g: for each such phase it holds, too, and each is
// a launch of its own. What follows from the number of a tap, or by the weight of a position, is said once a slice by 16
// threads and read from shared memory by all; it moves on by addition, since divisions would cost more than the sums.
//
// Every thread holds TILE_M / 16 by TILE_N / 16 results in registers. The next slice is read into registers while this
// one is multiplied, and stored to the other half of shared memory: one barrier a slice. Sums run in a fixed order; by
// the weight, where there are too few tiles to fill a GPU, blocks share the positions and a second launch adds their
// sums from first to last.
#include "epilogue.cuh"

namespace {

constexpr int THREADS = 256, SLICE = 16, PAD = 4;
constexpr int NOWHERE = -0x40000000;  // a place outside of every image, also after a tap's distance is added

// What a tap, or a position, adds to a gathered element's place: its offset in memory and its coordinates; and the other
// operand's offset. The names fit int4, by which it is read at once.
__device__ __forceinline__ int4 entry(int offset, int y, int x, int other) { return make_int4(offset, y, x, other); }

template <typename A, typename T>
__device__ __forceinline__ A gathered(const T* source, const int4& position, const int4& tap, int height, int width) {
    const bool inside = static_cast<unsigned int>(position.y + tap.y) < static_cast<unsigned int>(height) &&
                        static_cast<unsigned int>(position.z + tap.z) < static_cast<unsigned int>(width);
    return inside ? to<A>(source[position.x + tap.x]) : A(0);
}

// A number in a mixed radix, (a, b, c) with b < limit_b and c < limit_c, that moves on by SLICE.
struct Counter {
    int a, b, c, limit_b, limit_c, step_a, step_b, step_c;

    __device__ __forceinline__ Counter(int first, int limit_b, int limit_c) : limit_b(limit_b), limit_c(limit_c) {
        a = first / (limit_b * limit_c);
        b = first / limit_c % limit_b;
        c = first % limit_c;
        step_a = SLICE / (limit_b * limit_c);
        step_b = SLICE / limit_c % limit_b;
        step_c = SLICE % limit_c;
    }
    __device__ __forceinline__ void advance() {
        c += step_c;
        b += step_b;
        a += step_a;
        if (c >= limit_c) {
            c -= limit_c;
            ++b;
        }
        if (b >= limit_b) {
            b -= limit_b;
            ++a;
        }
    }
};

// Two slices of both operands, [k][row or column], of which one is multiplied while the other is filled.
template <typename A, int TILE_M, int TILE_N>
struct Tiles {
    static constexpr int ROWS = TILE_M / 16, COLUMNS = TILE_N / 16;
    static constexpr int GROUP_M = ROWS < 4 ? ROWS : 4, GROUP_N = COLUMNS < 4 ? COLUMNS : 4;
    alignas(16) A left[2][SLICE][TILE_M + PAD], right[2][SLICE][TILE_N + PAD];

    // The place of a thread's result i in the tile: groups of neighbours, 16 of which stand side by side.
    static __device__ __forceinline__ int row(int i) {
        return i / GROUP_M * 16 * GROUP_M + threadIdx.x / 16 * GROUP_M + i % GROUP_M;
    }
    static __device__ __forceinline__ int column(int j) {
        return j / GROUP_N * 16 * GROUP_N + threadIdx.x % 16 * GROUP_N + j % GROUP_N;
    }

    __device__ __forceinline__ void multiply(A (&sum)[ROWS][COLUMNS], int half) const {
#pragma unroll
        for (int k = 0; k < SLICE; ++k) {
            A a[ROWS], b[COLUMNS];
#pragma unroll
            for (int i = 0; i < ROWS; i += GROUP_M) {
                const Pack<A, GROUP_M> pack = load_pack<GROUP_M>(&left[half][k][row(i)]);
#pragma unroll
                for (int v = 0; v < GROUP_M; ++v) a[i + v] = pack.item[v];
            }
#pragma unroll
            for (int j = 0; j < COLUMNS; j += GROUP_N) {
                const Pack<A, GROUP_N> pack = load_pack<GROUP_N>(&right[half][k][column(j)]);
#pragma unroll
                for (int v = 0; v < GROUP_N; ++v) b[j + v] = pack.item[v];
            }
#pragma unroll
            for (int i = 0; i < ROWS; ++i)
#pragma unroll
                for (int j = 0; j < COLUMNS; ++j) sum[i][j] = multiply_add(a[i], b[j], sum[i][j]);
        }
    }
};

}  // namespace

// Forward, or by the input for one phase. For each group of channels: out[row, position] = bias[row] + the sum over planes
// of the source and taps. Of a result (n, row, y, x): place n * out_image + row * out_plane + out_first + y * out_y +
// x * out_x. Of a weight (row, plane, ty, tx): row * weight_row + plane * weight_plane + weight_first + ty * weight_y +
// tx * weight_x. bias may be null; what comes after it is said in epilogue.cuh. Grid: tiles of rows times tiles of
// positions times groups.
template <typename T, typename A, int TILE_M, int TILE_N>
__global__ void __launch_bounds__(THREADS, 2)
    conv_gather(T* __restrict__ out, const T* __restrict__ source, const T* __restrict__ weight,
                const T* __restrict__ bias, int rows, int positions, int planes, int weight_group, int weight_row,
                int weight_plane, int weight_first, int weight_y, int weight_x, int source_image, int height, int width,
                int out_image, int out_plane, int out_first, int out_y, int out_x, int count_y, int count_x, int taps_y,
                int taps_x, int start_y, int start_x, int step_y, int step_x, int next_y, int next_x,
                const After<T, A> after) {
    using Tile = Tiles<A, TILE_M, TILE_N>;
    constexpr int OWN_M = TILE_M * SLICE / THREADS, OWN_N = TILE_N * SLICE / THREADS;
    static_assert(THREADS % TILE_N == 0 && THREADS % SLICE == 0, "a thread copies elements of one column");
    __shared__ Tile tile;
    __shared__ int4 taps[2][SLICE];
    __shared__ int places[TILE_N];  // of results, from the first row's
    const int tiles_m = (rows + TILE_M - 1) / TILE_M, tiles_n = (positions + TILE_N - 1) / TILE_N;
    const int first_row = blockIdx.x % tiles_m * TILE_M, first_position = blockIdx.x / tiles_m % tiles_n * TILE_N;
    const int group = blockIdx.x / (tiles_m * tiles_n), area = height * width;
    source += group * planes * area;
    weight += group * weight_group;

    // The position that this thread copies to shared memory.
    const int own_column = threadIdx.x % TILE_N, own_k = threadIdx.x / TILE_N;
    int4 position = entry(0, NOWHERE, 0, 0);
    int place = -1;
    if (first_position + own_column < positions) {
        const int p = first_position + own_column, image = p / (count_x * count_y);
        const int out_row = p / count_x % count_y, out_column = p % count_x;
        const int x = out_column * step_x + start_x, y = out_row * step_y + start_y;
        position = entry(image * source_image + y * width + x, y, x, 0);
        place = image * out_image + out_row * out_y + out_column * out_x;
    }
    if (own_k == 0) places[own_column] = place;
    // The rows of the weight that it copies, all of its one k in the slice.
    const int weight_k = threadIdx.x % SLICE, weight_m = first_row + threadIdx.x / SLICE;

    Counter at(threadIdx.x % SLICE, taps_y, taps_x);
    auto name_taps = [&](int half) {  // of the next slice
        if (threadIdx.x < SLICE) {
            const int y = at.b * next_y, x = at.c * next_x;
            taps[half][threadIdx.x] =
                at.a < planes ? entry(at.a * area + y * width + x, y, x,
                                      at.a * weight_plane + weight_first + at.b * weight_y + at.c * weight_x)
                              : entry(0, NOWHERE, 0, -1);
            at.advance();
        }
    };
    A left[OWN_M], right[OWN_N];
    auto read = [&](int half) {
        const int from = taps[half][weight_k].w;
#pragma unroll
        for (int i = 0; i < OWN_M; ++i) {
            const int row = weight_m + i * (THREADS / SLICE);
            left[i] = from >= 0 && row < rows ? to<A>(weight[from + row * weight_row]) : A(0);
        }
#pragma unroll
        for (int i = 0; i < OWN_N; ++i)
            right[i] = gathered<A>(source, position, taps[half][own_k + i * (THREADS / TILE_N)], height, width);
    };
    auto store = [&](int half) {
#pragma unroll
        for (int i = 0; i < OWN_M; ++i)
            tile.left[half][weight_k][threadIdx.x / SLICE + i * (THREADS / SLICE)] = left[i];
#pragma unroll
        for (int i = 0; i < OWN_N; ++i) tile.right[half][own_k + i * (THREADS / TILE_N)][own_column] = right[i];
    };

    A sum[Tile::ROWS][Tile::COLUMNS];
#pragma unroll
    for (int i = 0; i < Tile::ROWS; ++i)
#pragma unroll
        for (int j = 0; j < Tile::COLUMNS; ++j) sum[i][j] = A(0);

    const int depth = planes * taps_y * taps_x;
    name_taps(0);
    __syncthreads();  // the first slice's taps are named
    read(0);
    store(0);
    name_taps(1);
    __syncthreads();  // the first slice is stored, and the second one's taps are named
    for (int k = 0, half = 0; k < depth; k += SLICE, half = 1 - half) {
        const bool more = k + SLICE < depth;
        if (more) read(1 - half);
        tile.multiply(sum, half);
        if (more) store(1 - half);
        name_taps(half);
        __syncthreads();  // this slice is read and the next one stored; the taps of the one after it are named
    }

    const int first_out = group * rows * out_plane + out_first;
    out += first_out;
    const T* const there = after.onto ? after.onto + first_out : nullptr;
    const bool twice = is_long(after.activation);
    const int function = twice ? ACTIVATION_NONE : after.activation;
    A factor[Tile::ROWS], offset[Tile::ROWS], add[Tile::ROWS];
#pragma unroll
    for (int i = 0; i < Tile::ROWS; ++i) {
        const int row = first_row + Tile::row(i), feature = group * rows + row;
        if (row >= rows) continue;
        add[i] = bias ? to<A>(bias[feature]) : A(0);
        after.of_feature(feature, factor[i], offset[i]);
    }
#pragma unroll
    for (int j = 0; j < Tile::COLUMNS; ++j) {
        const int place = places[Tile::column(j)];
        if (place < 0) continue;
#pragma unroll
        for (int i = 0; i < Tile::ROWS; ++i) {
            const int row = first_row + Tile::row(i), at_row = place + row * out_plane;
            if (row >= rows) continue;
            T value = after.normalized(sum[i][j] + add[i], factor[i], offset[i]);
            if (there) value = to<T>(to<A>(value) + to<A>(there[at_row]));
            if (function == ACTIVATION_RELU) value = to<T>(Relu()(to<A>(value)));
            out[at_row] = value;
        }
    }
    if (!twice) return;
#pragma unroll 1
    for (int j = 0; j < Tile::COLUMNS; ++j) {  // every thread those that it has stored
        const int place = places[Tile::column(j)];
        if (place < 0) continue;
        T* const to_image = out + place;
#pragma unroll 1
        for (int i = 0; i < Tile::ROWS; ++i) {
            const int row = first_row + Tile::row(i);
            if (row < rows) {
                T& value = to_image[row * out_plane];
                value = to<T>(activated(to<A>(value), after.activation));
            }
        }
    }
}

// By the weight: partial[split, group, f, (c, ky, kx)], the sums over the split's range of positions. Grid: tiles of rows
// times tiles of columns times groups times splits. `g` is [images, groups * rows, count_y, count_x].
template <typename T, typename A, int TILE_M, int TILE_N>
__global__ void __launch_bounds__(THREADS, 2)
    conv_weight(A* __restrict__ partial, const T* __restrict__ g, const T* __restrict__ source, int rows, int columns,
                int positions, int per_split, int groups, int source_image, int source_group, int height, int width,
                int count_y, int count_x, int taps_y, int taps_x, int start_y, int start_x, int step_y, int step_x,
                int next_y, int next_x) {
    using Tile = Tiles<A, TILE_M, TILE_N>;
    constexpr int OWN_M = TILE_M * SLICE / THREADS, OWN_N = TILE_N * SLICE / THREADS;
    __shared__ Tile tile;
    __shared__ int4 places[2][SLICE], taps[TILE_N];
    const int tiles_m = (rows + TILE_M - 1) / TILE_M, tiles_n = (columns + TILE_N - 1) / TILE_N;
    const int first_row = blockIdx.x % tiles_m * TILE_M, first_column = blockIdx.x / tiles_m % tiles_n * TILE_N;
    const int rest = blockIdx.x / (tiles_m * tiles_n), group = rest % groups, split = rest / groups;
    const int plane = count_y * count_x, first = split * per_split;
    const int last = first + per_split < positions ? first + per_split : positions;
    source += group * source_group;
    g += group * rows * plane;

    if (threadIdx.x < TILE_N) {
        const int c = first_column + threadIdx.x;
        const int x = c % taps_x * next_x, y = c / taps_x % taps_y * next_y;
        taps[threadIdx.x] = c < columns ? entry(c / (taps_x * taps_y) * height * width + y * width + x, y, x, 0)
                                        : entry(0, NOWHERE, 0, 0);
    }
    Counter at(first + threadIdx.x % SLICE, count_y, count_x);
    int number = first + threadIdx.x % SLICE;
    auto name_places = [&](int half) {  // of the next slice
        if (threadIdx.x < SLICE) {
            const int y = at.b * step_y + start_y, x = at.c * step_x + start_x;
            places[half][threadIdx.x] =
                number < last ? entry(at.a * source_image + y * width + x, y, x,
                                      at.a * groups * rows * plane + at.b * count_x + at.c)
                              : entry(0, NOWHERE, 0, -1);
            at.advance();
            number += SLICE;
        }
    };
    const int own_k = threadIdx.x % SLICE, own = threadIdx.x / SLICE;
    A left[OWN_M], right[OWN_N];
    auto read = [&](int half) {
        const int4 place = places[half][own_k];
#pragma unroll
        for (int i = 0; i < OWN_M; ++i) {
            const int row = first_row + own + i * (THREADS / SLICE);
            left[i] = place.w >= 0 && row < rows ? to<A>(g[place.w + row * plane]) : A(0);
        }
#pragma unroll
        for (int i = 0; i < OWN_N; ++i)
            right[i] = gathered<A>(source, place, taps[own + i * (THREADS / SLICE)], height, width);
    };
    auto store = [&](int half) {
#pragma unroll
        for (int i = 0; i < OWN_M; ++i) tile.left[half][own_k][own + i * (THREADS / SLICE)] = left[i];
#pragma unroll
        for (int i = 0; i < OWN_N; ++i) tile.right[half][own_k][own + i * (THREADS / SLICE)] = right[i];
    };

    A sum[Tile::ROWS][Tile::COLUMNS];
#pragma unroll
    for (int i = 0; i < Tile::ROWS; ++i)
#pragma unroll
        for (int j = 0; j < Tile::COLUMNS; ++j) sum[i][j] = A(0);

    name_places(0);
    __syncthreads();  // the taps, and the first slice's places, are named
    read(0);
    store(0);
    name_places(1);
    __syncthreads();  // the first slice is stored, and the second one's places are named
    for (int k = first, half = 0; k < last; k += SLICE, half = 1 - half) {
        const bool more = k + SLICE < last;
        if (more) read(1 - half);
        tile.multiply(sum, half);
        if (more) store(1 - half);
        name_places(half);
        __syncthreads();  // this slice is read and the next one stored; the places of the one after it are named
    }

    partial += static_cast<long long>(split * groups + group) * rows * columns;
#pragma unroll
    for (int i = 0; i < Tile::ROWS; ++i) {
        const int row = first_row + Tile::row(i);
#pragma unroll
        for (int j = 0; j < Tile::COLUMNS; ++j) {
            const int column = first_column + Tile::column(j);
            if (row < rows && column < columns) partial[static_cast<long long>(row) * columns + column] = sum[i][j];
        }
    }
}
