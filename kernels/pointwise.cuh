// Element-wise functions, each said once: for the kernels of pointwise.cu, and for those that are generated of chains of
// them (gpunet/ops/chains.py). Built with -fmad=false: a product and a sum of a chain are then rounded as they are in
// kernels of their own, and the results have the same bits.
//
// A: arithmetic, for integers and bool their own type. NaN goes through all of them.
#pragma once

#include "common.cuh"

template <typename A>
__device__ __forceinline__ A clamped(A x, A low, A high) {
    return x < low ? low : x > high ? high : x;
}

template <typename A>
__device__ __forceinline__ A at_least(A x, A low) {
    return x < low ? low : x;
}

template <typename A>
__device__ __forceinline__ A magnitude(A x) {
    return x < A(0) ? -x : x;
}
template <>
__device__ __forceinline__ float magnitude(float x) {
    return fabsf(x);
}
template <>
__device__ __forceinline__ double magnitude(double x) {
    return fabs(x);
}

// ---- of one number

#define UNARY(NAME, VALUE)                                    \
    struct NAME {                                             \
        template <typename A>                                 \
        __device__ __forceinline__ A operator()(A x) const {  \
            return VALUE;                                     \
        }                                                     \
    };
UNARY(Copy, x)
UNARY(Relu, x < A(0) ? A(0) : x)
UNARY(Neg, -x)
UNARY(Abs, magnitude(x))
UNARY(Floor, floor(x))
UNARY(Ceil, ceil(x))
UNARY(Trunc, trunc(x))
UNARY(Sign, A(x > A(0)) - A(x < A(0)))
UNARY(Exp2, exp2(x))
UNARY(Expm1, expm1(x))
UNARY(Log1p, log1p(x))
UNARY(Log2, log2(x))
UNARY(Exp, exp(x))
UNARY(Log, log(x))
UNARY(Sqrt, sqrt(x))
UNARY(Rsqrt, A(1) / sqrt(x))
UNARY(Reciprocal, A(1) / x)
UNARY(Tanh, tanh(x))
UNARY(Erf, erf(x))
UNARY(Sigmoid, A(1) / (A(1) + exp(-x)))
UNARY(Silu, x / (A(1) + exp(-x)))
UNARY(Hardsigmoid, clamped(x + A(3), A(0), A(6)) / A(6))
UNARY(Hardswish, x * clamped(x + A(3), A(0), A(6)) / A(6))
UNARY(Logsigmoid, (x < A(0) || x != x ? x : A(0)) - log1p(exp(-fabs(x))))
UNARY(Gelu, (A(1) + erf(x * A(0.70710678118654752440))) * x * A(0.5))
UNARY(GeluTanh, A(0.5) * x * (A(1) + tanh(A(0.79788456080286535588) * (x + A(0.044715) * x * x * x))))
#undef UNARY

// ---- of two

#define BINARY(NAME, VALUE)                                        \
    struct NAME {                                                  \
        template <typename A>                                      \
        __device__ __forceinline__ A operator()(A x, A y) const {  \
            return VALUE;                                          \
        }                                                          \
    };
BINARY(Plus, x + y)
BINARY(Minus, x - y)
BINARY(Times, x * y)
BINARY(Divide, x / y)
BINARY(Maximum, x != x || x > y ? x : y)
BINARY(Minimum, x != x || x < y ? x : y)
BINARY(Heaviside, x == A(0) ? y : A(x > A(0)))
BINARY(And, x & y)
BINARY(Or, x | y)
BINARY(Xor, x ^ y)
// Bits that are moved beyond the number are lost; a number of places that is negative counts as too many.
BINARY(ShiftLeft, y < A(0) || y >= A(8 * sizeof(A)) ? A(0) : static_cast<A>(static_cast<unsigned long long>(x) << y))
BINARY(ShiftRight, y < A(0) || y >= A(8 * sizeof(A)) ? A(x < A(0) ? -1 : 0) : x >> y)
// Comparisons: 0 or 1.
BINARY(Equal, A(x == y))
BINARY(NotEqual, A(x != y))
BINARY(Less, A(x < y))
BINARY(LessEqual, A(x <= y))
BINARY(Greater, A(x > y))
BINARY(GreaterEqual, A(x >= y))
BINARY(LogicalAnd, A(x != A(0) && y != A(0)))
BINARY(LogicalOr, A(x != A(0) || y != A(0)))
BINARY(LogicalXor, A((x != A(0)) != (y != A(0))))
BINARY(IsNan, A(x != x))
BINARY(IsInf, A(magnitude(x) == infinity<A>()))
BINARY(IsFinite, A(magnitude(x) < infinity<A>()))
// Of activations: x is the gradient, y the result or the input, whichever the op keeps.
BINARY(ReluGrad, y <= A(0) ? A(0) : x)
BINARY(SigmoidGrad, x * (y * (A(1) - y)))
BINARY(TanhGrad, x * (A(1) - y * y))
BINARY(HardsigmoidGrad, y > A(-3) && y < A(3) ? x / A(6) : A(0))
BINARY(HardswishGrad, y <= A(-3) ? A(0) : y < A(3) ? x * (y / A(3) + A(0.5)) : x)
#undef BINARY

// Of integers: the quotient rounded down, and what it leaves, which has the divisor's sign. By 0 both are 0.
struct FloorDivide {
    template <typename A>
    __device__ __forceinline__ A operator()(A x, A y) const {
        if (y == A(0)) return A(0);
        if (A(-1) < A(0) && y == A(-1)) return A(0) - x;  // of the lowest number the quotient is none
        const A quotient = x / y;
        return quotient - A(quotient * y != x && (x < A(0)) != (y < A(0)));
    }
};

struct Remainder {
    template <typename A>
    __device__ __forceinline__ A operator()(A x, A y) const {
        if (y == A(0) || (A(-1) < A(0) && y == A(-1))) return A(0);
        const A rest = x % y;
        return rest + (rest != A(0) && (rest < A(0)) != (y < A(0)) ? y : A(0));
    }
};

// The greatest common divisor by Euclid's algorithm; remainders have either sign, which does not matter on the way.
struct Gcd {
    template <typename A>
    __device__ __forceinline__ A operator()(A x, A y) const {
        while (y != A(0)) {
            const A rest = Remainder()(x, y);
            x = y;
            y = rest;
        }
        return magnitude(x);
    }
};

struct Lcm {
    template <typename A>
    __device__ __forceinline__ A operator()(A x, A y) const {
        const A divisor = Gcd()(x, y);
        return divisor == A(0) ? A(0) : magnitude(A(x / divisor * y));
    }
};

struct Invert {
    template <typename A>
    __device__ __forceinline__ A operator()(A x) const {
        return ~x;
    }
    __device__ __forceinline__ bool operator()(bool x) const { return !x; }
};

struct SiluGrad {
    template <typename A>
    __device__ __forceinline__ A operator()(A g, A x) const {
        const A s = A(1) / (A(1) + exp(-x));
        return g * (s * (A(1) + x * (A(1) - s)));
    }
};

struct GeluGrad {
    template <typename A>
    __device__ __forceinline__ A operator()(A g, A x) const {
        const A phi = (erf(x * A(0.70710678118654752440)) + A(1)) * A(0.5);
        return g * (phi + x * (exp(x * x * A(-0.5)) * A(0.39894228040143267794)));
    }
};

struct GeluTanhGrad {
    template <typename A>
    __device__ __forceinline__ A operator()(A g, A x) const {
        const A t = tanh(A(0.79788456080286535588) * (x + A(0.044715) * x * x * x));
        const A slope = A(0.79788456080286535588) * (A(1) + A(0.134145) * x * x);
        return g * (A(0.5) * (A(1) + t) + A(0.5) * x * (A(1) - t * t) * slope);
    }
};

// ---- of up to three, with up to three numbers: a gradient comes first

#define FORMULA(NAME, VALUE)                                                                 \
    struct NAME {                                                                            \
        template <typename A>                                                                \
        __device__ __forceinline__ A operator()(A x, A y, A z, A a, A b, A c) const {        \
            return VALUE;                                                                    \
        }                                                                                    \
    };
FORMULA(LeakyRelu, x > A(0) ? x : x * a)
FORMULA(LeakyReluGrad, y > A(0) ? x : x * a)
FORMULA(Elu, x > A(0) ? x * b : expm1(x * c) * (a * b))
FORMULA(EluGrad, y <= A(0) ? x * (exp(y * c) * (a * b * c)) : x * b)
FORMULA(Softplus, x * a > b ? x : log1p(exp(x * a)) / a)
FORMULA(SoftplusGrad, y * a > b ? x : x / (A(1) + exp(-(y * a))))
FORMULA(Threshold, x <= a ? b : x)
FORMULA(ThresholdGrad, y <= a ? A(0) : x)
FORMULA(Hardshrink, x >= -a && x <= a ? A(0) : x)
FORMULA(Softshrink, x - clamped(x, -a, a))
FORMULA(ShrinkGrad, y >= -a && y <= a ? A(0) : x)
FORMULA(Bce, (y - A(1)) * at_least(log1p(-x), A(-100)) - y * at_least(log(x), A(-100)))
FORMULA(BceGrad, x * (y - z) / at_least((A(1) - y) * y, A(1e-12f)))
FORMULA(Power, a == A(2) ? x * x : pow(x, a))
FORMULA(Mish, x * tanh((x < A(0) ? A(0) : x) + log1p(exp(-magnitude(x)))))
#undef FORMULA

struct MishGrad {
    template <typename A>
    __device__ __forceinline__ A operator()(A g, A x, A, A, A, A) const {
        const A t = tanh((x < A(0) ? A(0) : x) + log1p(exp(-magnitude(x)))), s = A(1) / (A(1) + exp(-x));
        return g * (t + x * s * (A(1) - t * t));
    }
};

// ---- operands

// Where an operand that is broadcast has the number of element i: (i / inner) % count.
struct Cycle {
    Divisor inner, count;
    __device__ __forceinline__ unsigned int operator()(unsigned int i) const {
        const unsigned int run = inner(i);
        return run - count(run) * count.value;
    }
};

// Where N operands begin, and how they are walked in the order of the result, which has less than 2^31 elements: sizes
// (as factors of quotients) and strides in elements, the last dimension first. Dimensions that are not there have size 1
// and stride 0.
template <int N>
struct Walk {
    unsigned int size[5], factor[5], shift[5], unused;
    long long stride[N][5];
    const void* first[N];

    __device__ __forceinline__ void operator()(unsigned int i, long long (&at)[N]) const {
#pragma unroll
        for (int k = 0; k < N; ++k) at[k] = 0;
#pragma unroll
        for (int d = 0; d < 5; ++d) {
            const unsigned int next = quotient(i, factor[d], shift[d]), place = i - next * size[d];
#pragma unroll
            for (int k = 0; k < N; ++k) at[k] += place * stride[k][d];
            i = next;
        }
    }

    // An operand's element, or a number where it is none.
    template <typename T, typename A>
    __device__ __forceinline__ A operand(int k, long long at, A number) const {
        return first[k] == nullptr ? number : to<A>(static_cast<const T*>(first[k])[at]);
    }
};

// N numbers of an array, or one number N times.
template <int N, typename T, typename A>
__device__ __forceinline__ void operand(A (&to_)[N], const T* from, long long i, A number) {
    if (from == nullptr) {
#pragma unroll
        for (int j = 0; j < N; ++j) to_[j] = number;
        return;
    }
    const Pack<T, N> pack = load_pack<N>(from + i);
#pragma unroll
    for (int j = 0; j < N; ++j) to_[j] = to<A>(pack.item[j]);
}

// Calls visit<N>(i) for this thread's share of all elements: N = V at multiples of V, then N = 1 for the rest, or for all
// where the arrays are not `packed`, that is aligned.
template <int V, typename F>
__device__ __forceinline__ void over(long long size, bool packed, F visit) {
    const long long whole = packed ? size / V * V : 0;
#pragma unroll 1
    for (long long i = grid_index() * V; i < whole; i += grid_size() * V) visit.template operator()<V>(i);
#pragma unroll 1
    for (long long i = whole + grid_index(); i < size; i += grid_size()) visit.template operator()<1>(i);
}
