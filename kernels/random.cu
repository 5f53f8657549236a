// Random numbers that are the same, bit for bit, on every device.
//
// Philox 4x32-10 (in common.cuh) turns a counter and a key into four 32-bit words, without state: the numbers do not
// depend on how many threads make them. A generator is two 64-bit words in device memory, state = {seed, base}; a
// launch adds its own `offset`. Both count blocks of four words.
//
//     key      seed's low 32 bits, seed's high 32 bits
//     counter  n's low 32 bits, n's high 32 bits, 0, 0   where n = base + offset + number of the block (modulo 2^64)
//
//     bits             element i is word i % 4 of block i / 4
//     uniform float    (word >> 8) * 2^-24 of the same word as `bits`; in [0, 1)
//     uniform double   ((w0 >> 5) * 2^26 + (w1 >> 6)) * 2^-53; w0, w1 are words 2 (i % 2), 2 (i % 2) + 1 of block i / 2
//     normal float     mean + deviation * z((word + 0.5) * 2^-32), same word as `bits`, in double, rounded once
//     normal double    mean + deviation * z(((w0 >> 6) * 2^26 + (w1 >> 6) + 0.5) * 2^-52), words as for uniform double
//     dropout          element i is kept when (word >> 8) >= threshold, same word as `bits`; threshold = ceil(p * 2^24)
//
// z is the inverse of the normal distribution function: Wichura's AS 241 (Applied Statistics 37, 1988), relative error
// about 1e-16, from + - * / sqrt and a logarithm of our own, because library logarithms differ in the last bit.
// Compile with -fmad=false: a fused multiply-add rounds once where NumPy rounds twice.
//
// Fused: dropout's mask, scaling and product are one read and one write; with the sum of a residual connection around it,
// one more read.
#include "common.cuh"

namespace {

// The words of block `number`. `state` is read by every thread from the same address: one transaction a warp.
__device__ __forceinline__ uint4 random_words(const unsigned long long* state, unsigned long long offset,
                                              long long number) {
    return philox(state[1] + offset + static_cast<unsigned long long>(number), state[0]);
}

// Natural logarithm of a normal positive number: fdlibm's e_log.c (Sun Microsystems, 1993), with x = 2^k (1 + f),
// sqrt(1/2) <= 1 + f < sqrt(2). Written so that every operation and its order are fixed.
__device__ __forceinline__ double exact_log(double x) {
    const long long bits = __double_as_longlong(x);
    // Adding this makes the exponent round up for mantissas from sqrt(2) on.
    const long long shifted = bits + (0x3ff0000000000000LL - 0x3fe6a09e667f3bcdLL);
    const double k = static_cast<double>(static_cast<int>(shifted >> 52) - 1023);
    const double f =
        __longlong_as_double((shifted & 0x000fffffffffffffLL) + 0x3fe6a09e667f3bcdLL) - 1.0;
    const double s = f / (2.0 + f);
    const double z = s * s;
    const double r =
        z * (6.666666666666735130e-01 +
             z * (3.999999999940941908e-01 +
                  z * (2.857142874366239149e-01 +
                       z * (2.222219843214978396e-01 +
                            z * (1.818357216161805012e-01 +
                                 z * (1.531383769920937332e-01 + z * 1.479819860511658591e-01))))));
    const double half_square = 0.5 * f * f;
    return k * 6.93147180369123816490e-01 -
           ((half_square - (s * (half_square + r) + k * 1.90821492927058770002e-10)) - f);
}

// c[0] + x (c[1] + x (c[2] + ...)), N coefficients.
template <int N>
__device__ __forceinline__ double polynomial(const double (&c)[N], double x) {
    double value = c[N - 1];
#pragma unroll
    for (int i = N - 2; i >= 0; --i) value = value * x + c[i];
    return value;
}

// The standard normal number below which a share p of the distribution lies, 0 < p < 1. AS 241, function PPND16.
__device__ __forceinline__ double normal_quantile(double p) {
    const double a[8] = {3.3871328727963666080e0, 1.3314166789178437745e+2, 1.9715909503065514427e+3,
                         1.3731693765509461125e+4, 4.5921953931549871457e+4, 6.7265770927008700853e+4,
                         3.3430575583588128105e+4, 2.5090809287301226727e+3};
    const double b[8] = {1.0, 4.2313330701600911252e+1, 6.8718700749205790830e+2, 5.3941960214247511077e+3,
                         2.1213794301586595867e+4, 3.9307895800092710610e+4, 2.8729085735721942674e+4,
                         5.2264952788528545610e+3};
    const double c[8] = {1.42343711074968357734e0, 4.63033784615654529590e0, 5.76949722146069140550e0,
                         3.64784832476320460504e0, 1.27045825245236838258e0, 2.41780725177450611770e-1,
                         2.27238449892691845833e-2, 7.74545014278341407640e-4};
    const double d[8] = {1.0, 2.05319162663775882187e0, 1.67638483018380384940e0, 6.89767334985100004550e-1,
                         1.48103976427480074590e-1, 1.51986665636164571966e-2, 5.47593808499534494600e-4,
                         1.05075007164441684324e-9};
    const double e[8] = {6.65790464350110377720e0, 5.46378491116411436990e0, 1.78482653991729133580e0,
                         2.96560571828504891230e-1, 2.65321895265761230930e-2, 1.24266094738807843860e-3,
                         2.71155556874348757815e-5, 2.01033439929228813265e-7};
    const double f[8] = {1.0, 5.99832206555887937690e-1, 1.36929880922735805310e-1, 1.48753612908506148525e-2,
                         7.86869131145613259100e-4, 1.84631831751005468180e-5, 1.42151175831644588870e-7,
                         2.04426310338993978564e-15};
    const double q = p - 0.5;
    if (fabs(q) <= 0.425) {
        const double r = 0.180625 - q * q;
        return q * polynomial(a, r) / polynomial(b, r);
    }
    double r = sqrt(-exact_log(q < 0.0 ? p : 1.0 - p));
    double value;
    if (r <= 5.0) {
        r -= 1.6;
        value = polynomial(c, r) / polynomial(d, r);
    } else {
        r -= 5.0;
        value = polynomial(e, r) / polynomial(f, r);
    }
    return q < 0.0 ? -value : value;
}

// How a type is made from a block of four words: float takes one word an element, double two.
__device__ __forceinline__ Pack<float, 4> uniform_pack(uint4 w, float) {
    const float unit = 1.0f / 16777216.0f;
    return {(w.x >> 8) * unit, (w.y >> 8) * unit, (w.z >> 8) * unit, (w.w >> 8) * unit};
}
__device__ __forceinline__ Pack<double, 2> uniform_pack(uint4 w, double) {
    const double unit = 1.0 / 9007199254740992.0;
    return {((w.x >> 5) * 67108864.0 + (w.y >> 6)) * unit, ((w.z >> 5) * 67108864.0 + (w.w >> 6)) * unit};
}
__device__ __forceinline__ Pack<double, 4> open_unit_pack(uint4 w, float) {
    const double unit = 1.0 / 4294967296.0;
    return {(w.x + 0.5) * unit, (w.y + 0.5) * unit, (w.z + 0.5) * unit, (w.w + 0.5) * unit};
}
__device__ __forceinline__ Pack<double, 2> open_unit_pack(uint4 w, double) {
    const double unit = 1.0 / 4503599627370496.0;
    return {((w.x >> 6) * 67108864.0 + (w.y >> 6) + 0.5) * unit, ((w.z >> 6) * 67108864.0 + (w.w >> 6) + 0.5) * unit};
}

// Calls make(words) for every block of N elements and stores the pack; what goes past `size` is left out.
template <int N, typename T, typename F>
__device__ __forceinline__ void fill(T* out, const unsigned long long* state, unsigned long long offset,
                                     long long size, F make) {
    for (long long block = grid_index(); block * N < size; block += grid_size()) {
        const Pack<T, N> pack = make(random_words(state, offset, block));
        if (block * N + N <= size) {
            store_pack<N>(out + block * N, pack);
        } else {
#pragma unroll
            for (int j = 0; j < N; ++j)
                if (block * N + j < size) out[block * N + j] = pack.item[j];
        }
    }
}

// kept ? x * factor : 0. The product is always formed: under the condition, some compilers would read only the elements
// that are kept, one by one, instead of a whole pack.
template <typename A>
__device__ __forceinline__ A scaled_if(bool kept, A x, A factor) {
    const A scaled = x * factor;
    return kept ? scaled : A(0);
}

// What the two kernels below do. ADD: the result is added to `onto`, rounded after each, as two kernels would.
template <bool ADD, typename T, typename A, int V>
__device__ __forceinline__ void drop(T* y, bool* mask, const T* x, const T* onto, const unsigned long long* state,
                                     unsigned long long offset, unsigned int threshold, A factor, long long size) {
    for (long long block = grid_index(); block * 4 < size; block += grid_size()) {
        const uint4 w = random_words(state, offset, block);
        const bool kept[4] = {(w.x >> 8) >= threshold, (w.y >> 8) >= threshold, (w.z >> 8) >= threshold,
                              (w.w >> 8) >= threshold};
        const long long first = block * 4;
        if (V == 4 && first + 4 <= size) {
            Pack<T, 4> pack = load_pack<4>(x + first), there = {};
            if (ADD) there = load_pack<4>(onto + first);
            Pack<bool, 4> keep;
#pragma unroll
            for (int j = 0; j < 4; ++j) {
                keep.item[j] = kept[j];
                pack.item[j] = to<T>(scaled_if(kept[j], to<A>(pack.item[j]), factor));
                if (ADD) pack.item[j] = to<T>(to<A>(there.item[j]) + to<A>(pack.item[j]));
            }
            store_pack<4>(y + first, pack);
            store_pack<4>(mask + first, keep);
        } else {
#pragma unroll
            for (int j = 0; j < 4; ++j) {
                if (first + j >= size) break;
                T dropped = to<T>(kept[j] ? to<A>(x[first + j]) * factor : A(0));
                if (ADD) dropped = to<T>(to<A>(onto[first + j]) + to<A>(dropped));
                y[first + j] = dropped;
                mask[first + j] = kept[j];
            }
        }
    }
}

}  // namespace

// All four: any one-dimensional grid; `out` aligned to 16 bytes.
__global__ void __launch_bounds__(256) random_bits(unsigned int* out, const unsigned long long* __restrict__ state,
                                                   unsigned long long offset, long long size) {
    fill<4>(out, state, offset, size, [](uint4 w) { return Pack<unsigned int, 4>{w.x, w.y, w.z, w.w}; });
}

template <typename T>
__global__ void __launch_bounds__(256)
    uniform(T* out, const unsigned long long* __restrict__ state, unsigned long long offset, long long size) {
    fill<16 / sizeof(T)>(out, state, offset, size, [](uint4 w) { return uniform_pack(w, T()); });
}

template <typename T>
__global__ void __launch_bounds__(256)
    normal(T* out, const unsigned long long* __restrict__ state, unsigned long long offset, double mean,
           double deviation, long long size) {
    constexpr int N = 16 / sizeof(T);
    fill<N>(out, state, offset, size, [=](uint4 w) {
        const Pack<double, N> unit = open_unit_pack(w, T());
        Pack<T, N> pack;
#pragma unroll
        for (int j = 0; j < N; ++j) pack.item[j] = static_cast<T>(mean + deviation * normal_quantile(unit.item[j]));
        return pack;
    });
}

// y = kept ? x * scale : 0, mask = kept. Every thread makes four elements from one block of words. y may be x.
// V = 4 needs arrays aligned to 4 elements (at most 16 bytes); V = 1 does not.
template <typename T, typename A, int V>
__global__ void __launch_bounds__(256)
    dropout(T* y, bool* mask, const T* x, const unsigned long long* __restrict__ state, unsigned long long offset,
            unsigned int threshold, double scale, long long size) {
    drop<false, T, A, V>(y, mask, x, nullptr, state, offset, threshold, A(scale), size);
}

// The same, added to `onto`, which may be y.
template <typename T, typename A, int V>
__global__ void __launch_bounds__(256)
    dropout_add(T* y, bool* mask, const T* x, const T* onto, const unsigned long long* __restrict__ state,
                unsigned long long offset, unsigned int threshold, double scale, long long size) {
    drop<true, T, A, V>(y, mask, x, onto, state, offset, threshold, A(scale), size);
}

// dx = mask ? dy * scale : 0. dx may be dy. V as for dropout.
template <typename T, typename A, int V>
__global__ void __launch_bounds__(256)
    dropout_backward(T* dx, const T* dy, const bool* __restrict__ mask, double scale, long long size) {
    const A factor = A(scale);
    const long long whole = size / V * V;
    for (long long i = grid_index() * V; i < whole; i += grid_size() * V) {
        Pack<T, V> pack = load_pack<V>(dy + i);
        const Pack<bool, V> keep = load_pack<V>(mask + i);
#pragma unroll
        for (int j = 0; j < V; ++j) pack.item[j] = to<T>(scaled_if(keep.item[j], to<A>(pack.item[j]), factor));
        store_pack<V>(dx + i, pack);
    }
    const long long rest = whole + grid_index();
    if (V > 1 && rest < size) dx[rest] = to<T>(mask[rest] ? to<A>(dy[rest]) * factor : A(0));
}
