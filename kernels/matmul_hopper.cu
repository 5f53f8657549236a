// Matrix product on Hopper's tensor cores: out = activation(op(a) @ op(b) + bias + onto) in bfloat16 and half precision,
// and in TF32, with the meaning of matmul_tensor.cu. hopper.cuh says how. [sm_90a]
//
// Fused: the epilogue of matmul.cu.
#include "hopper.cuh"

// T float: k runs along op(b)'s memory, B_T; with A_T, where it runs across op(a)'s, the result is stored turned.
// Block: THREADS; grid: any size, such as the number of multiprocessors. Dynamic shared memory: Ring<TILE_N>::BYTES.
template <typename T, bool A_T, bool B_T, int TILE_N>
__global__ void __launch_bounds__(THREADS, 1)
    matmul_hopper(T* __restrict__ out, float* __restrict__ partial, const __grid_constant__ CUtensorMap a,
                  const __grid_constant__ CUtensorMap b, const T* __restrict__ bias, const T* __restrict__ onto,
                  T* __restrict__ kept, const Product at) {
    extern __shared__ __align__(1024) char memory[];
    hopper_product<T, A_T, B_T, TILE_N, 1>(memory, out, partial, &a, &b, bias, onto, kept, at);
}
