// Where the threads of kernels/matmul.cu access shared memory, as its own code computes it: bytes.
#include "matmul.cu"

template <bool K_INNER, int V, int TILE, int SLICE, int THREADS>
__global__ void copies(int* target, long long* source, int size, int k) {
    __shared__ alignas(128) float stage[SLICE * (TILE + 4)];
    const SliceCopy<K_INNER, V, TILE, SLICE, THREADS> copy(nullptr, 0, size, 0, stage, K_INNER ? k : size);
    target[threadIdx.x] = static_cast<int>(copy.target - smem_u32(stage));
    source[threadIdx.x] = reinterpret_cast<long long>(copy.source);
}
