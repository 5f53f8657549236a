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

template <bool COMPARES, typename R, typename T, typename A, typename F>
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
            if constexpr (COMPARES)
                pack.item[j] = value != A(0);
            else
                pack.item[j] = to<R>(value);
        }
        store_pack<N>(out + i, pack);
    }
};

template <typename T, typename A, typename F>
struct Formula {
    T* out;
    const T *x, *y, *z;
    A a, b, c;
    template <int N>
    __device__ __forceinline__ void operator()(long long i) const {
        A u[N], v[N], w[N];
        operand<N, T, A>(u, x, i, A(0));
        operand<N, T, A>(v, y, i, A(0));
        operand<N, T, A>(w, z, i, A(0));
        Pack<T, N> pack;
#pragma unroll
        for (int j = 0; j < N; ++j) pack.item[j] = to<T>(F()(u[j], v[j], w[j], a, b, c));
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
    over<PACK<T>>(size, packed, Binary<false, T, T, A, F>{out, x, y, x_number, y_number});
}

// Arrays that a function does not have are null, and numbers 0.
template <typename T, typename A, typename F>
__global__ void __launch_bounds__(256)
    formula(T* out, const T* x, const T* y, const T* z, A a, A b, A c, long long size, bool packed) {
    over<PACK<T>>(size, packed, Formula<T, A, F>{out, x, y, z, a, b, c});
}

// A comparison; with 16 bytes an access in the operands, the bools go out by four or eight.
template <typename T, typename A, typename F>
__global__ void __launch_bounds__(256)
    compare(bool* out, const T* x, const T* y, A x_number, A y_number, long long size, bool packed) {
    over<PACK<T>>(size, packed, Binary<true, bool, T, A, F>{out, x, y, x_number, y_number});
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

// ---- operands of any strides, broadcast ones among them

// out = x: the copy that makes an array contiguous. U: an unsigned integer as wide as the elements.
template <typename U>
__global__ void __launch_bounds__(256) copy_strided(void* out, const Walk<1> walk, int size) {
    for (long long i = grid_index(); i < size; i += grid_size()) {
        long long at[1];
        walk(i, at);
        static_cast<U*>(out)[i] = static_cast<const U*>(walk.first[0])[at[0]];
    }
}

template <typename T, typename A, typename F>
__global__ void __launch_bounds__(256) unary_strided(T* out, const Walk<1> walk, int size) {
    for (long long i = grid_index(); i < size; i += grid_size()) {
        long long at[1];
        walk(i, at);
        out[i] = to<T>(F()(walk.operand<T, A>(0, at[0], A(0))));
    }
}

template <typename T, typename A, typename F>
__global__ void __launch_bounds__(256)
    binary_strided(T* out, const Walk<2> walk, A x_number, A y_number, int size) {
    for (long long i = grid_index(); i < size; i += grid_size()) {
        long long at[2];
        walk(i, at);
        out[i] = to<T>(F()(walk.operand<T, A>(0, at[0], x_number), walk.operand<T, A>(1, at[1], y_number)));
    }
}

template <typename T, typename A, typename F>
__global__ void __launch_bounds__(256)
    compare_strided(bool* out, const Walk<2> walk, A x_number, A y_number, int size) {
    for (long long i = grid_index(); i < size; i += grid_size()) {
        long long at[2];
        walk(i, at);
        out[i] = F()(walk.operand<T, A>(0, at[0], x_number), walk.operand<T, A>(1, at[1], y_number)) != A(0);
    }
}

template <typename T>
__global__ void __launch_bounds__(256)
    where_strided(T* out, const Walk<3> walk, T x_number, T y_number, int size) {
    for (long long i = grid_index(); i < size; i += grid_size()) {
        long long at[3];
        walk(i, at);
        const T a = walk.operand<T, T>(1, at[1], x_number), b = walk.operand<T, T>(2, at[2], y_number);
        out[i] = static_cast<const bool*>(walk.first[0])[at[0]] ? a : b;
    }
}

// From type T to R, through A.
template <typename R, typename T, typename A>
__global__ void __launch_bounds__(256) cast_strided(R* out, const Walk<1> walk, int size) {
    for (long long i = grid_index(); i < size; i += grid_size()) {
        long long at[1];
        walk(i, at);
        out[i] = to<R>(walk.operand<T, A>(0, at[0], A(0)));
    }
}
