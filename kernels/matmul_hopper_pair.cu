// The product of matmul_hopper.cu by pairs of blocks, which share what they read of op(b). [sm_90a: clusters]
#include "hopper.cuh"

// Block: THREADS; grid: even, at most the number of multiprocessors. Dynamic shared memory: Ring<TILE_N>::BYTES.
template <typename T, bool A_T, bool B_T, int TILE_N>
__global__ void __cluster_dims__(2, 1, 1) __launch_bounds__(THREADS, 1)
    matmul_hopper_pair(T* __restrict__ out, float* __restrict__ partial, const __grid_constant__ CUtensorMap a,
                       const __grid_constant__ CUtensorMap b, const T* __restrict__ bias, const T* __restrict__ onto,
                       T* __restrict__ kept, const Product at) {
    extern __shared__ __align__(1024) char memory[];
    hopper_product<T, A_T, B_T, TILE_N, 2>(memory, out, partial, &a, &b, bias, onto, kept, at);
}
