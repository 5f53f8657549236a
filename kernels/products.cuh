// d += a b on the tensor cores, by the type of a and b: 16 x 16 by 16 x 8, and half as deep for float as TF32.
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
