// Numbers as unsigned integers that compare as the numbers do: NaN above all, 0 and -0 alike. What sorts and selects
// works with these keys.
//
// K: unsigned int for types of up to 4 bytes, unsigned long long for those of 8. A key has as many bits as its number,
// so that digits of 8 bits are as few as they can be.
#pragma once

#include "common.cuh"

template <typename T>
constexpr bool FLOATING = false;
template <>
constexpr bool FLOATING<float> = true;
template <>
constexpr bool FLOATING<double> = true;
template <>
constexpr bool FLOATING<__half> = true;
template <>
constexpr bool FLOATING<__nv_bfloat16> = true;

// The bits of a floating-point number, of which `sign` is the highest and `infinite` those of infinity.
template <typename K>
__device__ __forceinline__ K ordered(K bits, K sign, K infinite) {
    const K size = bits & (sign - 1);
    if (size > infinite) return sign | (sign - 1);
    if (size == 0) return sign;
    return bits & sign ? (sign | (sign - 1)) ^ bits : bits | sign;
}

template <typename K>
__device__ __forceinline__ K key_of(float x) {
    return ordered<unsigned int>(__float_as_uint(x), 0x80000000u, 0x7f800000u);
}
template <typename K>
__device__ __forceinline__ K key_of(double x) {
    return ordered<unsigned long long>(__double_as_longlong(x), 0x8000000000000000ull, 0x7ff0000000000000ull);
}
template <typename K>
__device__ __forceinline__ K key_of(__half x) {
    return ordered<unsigned int>(__half_as_ushort(x), 0x8000u, 0x7c00u);
}
template <typename K>
__device__ __forceinline__ K key_of(__nv_bfloat16 x) {
    return ordered<unsigned int>(__bfloat16_as_ushort(x), 0x8000u, 0x7f80u);
}
template <typename K>
__device__ __forceinline__ K key_of(bool x) {
    return x;
}
template <typename K>
__device__ __forceinline__ K key_of(unsigned char x) {
    return x;
}
template <typename K>
__device__ __forceinline__ K key_of(signed char x) {
    return static_cast<unsigned char>(x) ^ 0x80u;
}
template <typename K>
__device__ __forceinline__ K key_of(short x) {
    return static_cast<unsigned short>(x) ^ 0x8000u;
}
template <typename K>
__device__ __forceinline__ K key_of(int x) {
    return static_cast<unsigned int>(x) ^ 0x80000000u;
}
template <typename K>
__device__ __forceinline__ K key_of(long long x) {
    return static_cast<unsigned long long>(x) ^ 0x8000000000000000ull;
}

// Types as numbers, where a kernel is not made for each: as in gpunet/ops/sort_launch.py.
enum Kind { FLOAT, DOUBLE, HALF, BFLOAT16, BOOL, UINT8, INT8, INT16, INT32, INT64, COUNT, KEY };

// Key i of an array of that type; all threads have the same. COUNT: an int64 that is not
// negative and fits K; KEY: a K.
template <typename K>
__device__ __forceinline__ K key_at(const void* x, int kind, long long i) {
    if (kind == KEY) return static_cast<const K*>(x)[i];
    if constexpr (sizeof(K) == 8) {
        if (kind == DOUBLE) return key_of<K>(static_cast<const double*>(x)[i]);
        if (kind == COUNT) return static_cast<K>(static_cast<const long long*>(x)[i]);
        return key_of<K>(static_cast<const long long*>(x)[i]);
    } else {
        switch (kind) {
            case FLOAT: return key_of<K>(static_cast<const float*>(x)[i]);
            case HALF: return key_of<K>(static_cast<const __half*>(x)[i]);
            case BFLOAT16: return key_of<K>(static_cast<const __nv_bfloat16*>(x)[i]);
            case BOOL:
            case UINT8: return key_of<K>(static_cast<const unsigned char*>(x)[i]);
            case INT8: return key_of<K>(static_cast<const signed char*>(x)[i]);
            case INT16: return key_of<K>(static_cast<const short*>(x)[i]);
            case INT32: return key_of<K>(static_cast<const int*>(x)[i]);
            default: return static_cast<K>(static_cast<const long long*>(x)[i]);
        }
    }
}
