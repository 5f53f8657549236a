// What is done with a convolution's sums before they are stored: the bias, a batch norm by running statistics, ReLU. No
// pass over the result is needed for any of them.
#pragma once

#include "common.cuh"

// Vectors of a feature's numbers, all null without a batch norm; scale and shift may be null, too.
template <typename T, typename A>
struct After {
    const T *mean, *variance, *scale, *shift;
    A eps;
    int relu;

    // A feature's result of a sum is sum * factor + offset.
    __device__ __forceinline__ void of_feature(int feature, A bias, A& factor, A& offset) const {
        factor = A(1);
        offset = bias;
        if (mean) {
            factor = A(1) / sqrt(to<A>(variance[feature]) + eps);
            if (scale) factor *= to<A>(scale[feature]);
            offset = (bias - to<A>(mean[feature])) * factor;
            if (shift) offset += to<A>(shift[feature]);
        }
    }
    __device__ __forceinline__ T finished(A sum, A factor, A offset) const {
        const A value = sum * factor + offset;
        return to<T>(relu && value < A(0) ? A(0) : value);
    }
};
