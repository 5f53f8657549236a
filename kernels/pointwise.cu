// Element-wise ops: one read of each operand, one write, in 16-byte accesses. Limited by memory.
//
// T: numbers; A: arithmetic; F: a function of pointwise.cuh. Operands are arrays, or numbers where the pointer is null.
// `packed`: all arrays are aligned. Any one-dimensional grid.
#include "pointwise.cuh"

namespace {

// Elements an access. Of double numbers one: functions such as exp take many registers.
template <typename T>
constexpr int PACK = sizeof(T) == 8 ? 1 : 16 / sizeof(T);

template <typename T, typename A, typename F>
struct Unary {
    T* out;
    const T* x;
    template <int N>
    __device__ __forceinline__ void operator()(long long i) const {
        A a[N];
        operand<N, T, A>(a, x, i, A(0));
        Pack<T, N> pack;
#pragma unroll
        for (int j = 0; j < N; ++j) pack.item[j] = to<T>(F()(a[j]));
        store_pack<N>(out + i, pack);
    }
};

template <typename R, typename T, typename A, typename F>
struct Binary {
    R* out;
    const T *x, *y;
    A x_number, y_number;
    template <int N>
    __device__ __forceinline__ void operator()(long long i) const {
        A a[N], b[N];
        operand<N, T, A>(a, x, i, x_number);
        operand<N, T, A>(b, y, i, y_number);
        Pack<R, N> pack;
#pragma unroll
        for (int j = 0; j < N; ++j) {
            const A value = F()(a[j], b[j]);
            if constexpr (sizeof(R) == 1)
                pack.item[j] = value != A(0);
            else
                pack.item[j] = to<R>(value);
        }
        store_pack<N>(out + i, pack);
    }
};

template <typename T>
struct Where {
    T* out;
    const bool* condition;
    const T *x, *y;
    T x_number, y_number;
    template <int N>
    __device__ __forceinline__ void operator()(long long i) const {
        const Pack<bool, N> chosen = load_pack<N>(condition + i);
        T a[N], b[N];
        operand<N, T, T>(a, x, i, x_number);
        operand<N, T, T>(b, y, i, y_number);
        Pack<T, N> pack;
#pragma unroll
        for (int j = 0; j < N; ++j) pack.item[j] = chosen.item[j] ? a[j] : b[j];
        store_pack<N>(out + i, pack);
    }
};

// x within limits, or with a gradient that where x is between them.
template <typename T, typename A>
struct Within {
    T* out;
    const T *x, *gradient;
    A low, high;
    template <int N>
    __device__ __forceinline__ void operator()(long long i) const {
        A a[N], g[N];
        operand<N, T, A>(a, x, i, A(0));
        operand<N, T, A>(g, gradient, i, A(0));
        Pack<T, N> pack;
#pragma unroll
        for (int j = 0; j < N; ++j) {
            const A inside = a[j] <= low || a[j] >= high ? A(0) : g[j];
            pack.item[j] = to<T>(gradient ? inside : clamped(a[j], low, high));
        }
        store_pack<N>(out + i, pack);
    }
};

template <typename R, typename T, typename A>
struct Cast {
    R* out;
    const T* x;
    template <int N>
    __device__ __forceinline__ void operator()(long long i) const {
        A a[N];
        operand<N, T, A>(a, x, i, A(0));
        Pack<R, N> pack;
#pragma unroll
        for (int j = 0; j < N; ++j) pack.item[j] = to<R>(a[j]);
        store_pack<N>(out + i, pack);
    }
};

}  // namespace

template <typename T, typename A, typename F>
__global__ void __launch_bounds__(256) unary(T* out, const T* x, long long size, bool packed) {
    over<PACK<T>>(size, packed, Unary<T, A, F>{out, x});
}

template <typename T, typename A, typename F>
__global__ void __launch_bounds__(256)
    binary(T* out, const T* x, const T* y, A x_number, A y_number, long long size, bool packed) {
    over<PACK<T>>(size, packed, Binary<T, T, A, F>{out, x, y, x_number, y_number});
}

// A comparison; with 16 bytes an access in the operands, the bools go out by four or eight.
template <typename T, typename A, typename F>
__global__ void __launch_bounds__(256)
    compare(bool* out, const T* x, const T* y, A x_number, A y_number, long long size, bool packed) {
    over<PACK<T>>(size, packed, Binary<bool, T, A, F>{out, x, y, x_number, y_number});
}

// Operands of fewer elements than the result, which has less than 2^31.
template <typename T, typename A, typename F>
__global__ void __launch_bounds__(256)
    binary_spread(T* out, const T* x, const T* y, const Cycle of_x, const Cycle of_y, int size) {
    for (long long i = grid_index(); i < size; i += grid_size())
        out[i] = to<T>(F()(to<A>(x[of_x(i)]), to<A>(y[of_y(i)])));
}

// out = x where the condition is true, else y.
template <typename T>
__global__ void __launch_bounds__(256)
    where(T* out, const bool* condition, const T* x, const T* y, T x_number, T y_number, long long size, bool packed) {
    over<16 / sizeof(T)>(size, packed, Where<T>{out, condition, x, y, x_number, y_number});
}

template <typename T>
__global__ void __launch_bounds__(256)
    where_spread(T* out, const bool* condition, const T* x, const T* y, T x_number, T y_number, const Cycle of_condition,
                 const Cycle of_x, const Cycle of_y, int size) {
    for (long long i = grid_index(); i < size; i += grid_size()) {
        const T a = x == nullptr ? x_number : x[of_x(i)], b = y == nullptr ? y_number : y[of_y(i)];
        out[i] = condition[of_condition(i)] ? a : b;
    }
}

// From type T to R, through A, the wider arithmetic of both.
template <typename R, typename T, typename A>
__global__ void __launch_bounds__(256) cast(R* out, const T* x, long long size, bool packed) {
    constexpr int V = sizeof(T) > sizeof(R) ? 16 / sizeof(T) : 16 / sizeof(R);
    over<V>(size, packed, Cast<R, T, A>{out, x});
}

// out = x within limits.
template <typename T, typename A>
__global__ void __launch_bounds__(256) clamp(T* out, const T* x, A low, A high, long long size, bool packed) {
    over<PACK<T>>(size, packed, Within<T, A>{out, x, nullptr, low, high});
}

// Its gradient: g where x is between the limits, else 0.
template <typename T, typename A>
__global__ void __launch_bounds__(256)
    clamp_grad(T* out, const T* g, const T* x, A low, A high, long long size, bool packed) {
    over<PACK<T>>(size, packed, Within<T, A>{out, x, g, low, high});
}

// out[i] = start + i step, computed in A.
template <typename T, typename A>
__global__ void __launch_bounds__(256) arange(T* out, A start, A step, long long size) {
    for (long long i = grid_index(); i < size; i += grid_size()) out[i] = static_cast<T>(A(i) * step + start);
}

// Where a strided array begins, and how it is walked in the order of the result: sizes (as factors of quotients) and strides in elements, the
// last dimension first. Dimensions that are not there have size 1 and stride 0.
struct Strides {
    unsigned int size[5], factor[5], shift[5], unused;
    long long stride[5];
    const void* first;
};

// out = x, of any strides: the copy that makes an array contiguous. U: an unsigned integer as wide as the elements.
template <typename U>
__global__ void __launch_bounds__(256) copy_strided(void* result, const Strides strides, int size) {
    U* out = static_cast<U*>(result);
    const U* x = static_cast<const U*>(strides.first);
    for (long long i = grid_index(); i < size; i += grid_size()) {
        unsigned int rest = i;
        long long from = 0;
#pragma unroll
        for (int d = 0; d < 5; ++d) {
            const unsigned int next = quotient(rest, strides.factor[d], strides.shift[d]);
            from += (rest - next * strides.size[d]) * strides.stride[d];
            rest = next;
        }
        out[i] = x[from];
    }
}
