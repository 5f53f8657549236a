// d += a b on the tensor cores, by the type of a and b: 16 x 16 by 16 x 8, and half as deep for float as TF32. And float
// as the sum of two TF32 numbers.
#pragma once

#include "common.cuh"
#include "ptx.cuh"

template <typename T>
struct Multiply;
template <>
struct Multiply<__half> {
    static __device__ __forceinline__ void run(float (&d)[4], const unsigned int (&a)[4], unsigned int b0,
                                               unsigned int b1) {
        mma_f16_16816(d, a, b0, b1);
    }
};
template <>
struct Multiply<__nv_bfloat16> {
    static __device__ __forceinline__ void run(float (&d)[4], const unsigned int (&a)[4], unsigned int b0,
                                               unsigned int b1) {
        mma_bf16_16816(d, a, b0, b1);
    }
};
template <>
struct Multiply<float> {
    static __device__ __forceinline__ void run(float (&d)[4], const unsigned int (&a)[4], unsigned int b0,
                                               unsigned int b1) {
        mma_tf32_1688(d, a, b0, b1);
    }
};

// x becomes its upper part, rounded to TF32, and `lower` what that leaves: 11 bits each and a sign, of float's 24 all but
// one. By integers, four instructions a number where two conversions take eight; NaN and infinity leave NaN in `lower`.
__device__ __forceinline__ void split_tf32(unsigned int (&x)[4], unsigned int (&lower)[4]) {
#pragma unroll
    for (int i = 0; i < 4; ++i) {
        const float whole = __uint_as_float(x[i]);
        x[i] = (x[i] + 0x1000u) & 0xffffe000u;
        lower[i] = __float_as_uint(whole - __uint_as_float(x[i])) & 0xffffe000u;
    }
}
