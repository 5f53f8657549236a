// A number in a mixed radix, (a, b, c) with b < limit_b and c < limit_c, that moves on by STEP: which tap of which plane,
// or which position of which image, without divisions in a loop.
#pragma once

namespace {

template <int STEP>
struct Counter {
    int a, b, c, limit_b, limit_c, step_a, step_b, step_c;

    __device__ __forceinline__ Counter(int first, int limit_b, int limit_c) : limit_b(limit_b), limit_c(limit_c) {
        a = first / (limit_b * limit_c);
        b = first / limit_c % limit_b;
        c = first % limit_c;
        step_a = STEP / (limit_b * limit_c);
        step_b = STEP / limit_c % limit_b;
        step_c = STEP % limit_c;
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

}  // namespace
