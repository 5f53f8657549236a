// Where the threads of kernels/matmul_tensor.cu access shared memory, as its own code computes it.
#include "matmul_tensor.cu"

// The copies of a block: bytes from the stage's beginning, and elements of memory from the operand's first one.
template <typename T, bool K_INNER, int TILE, int THREADS>
__global__ void copies(int* target, long long* source, int size, int k) {
    const SliceCopy<T, K_INNER, true, TILE, THREADS> copy(nullptr, 0, size, 0, K_INNER ? k : size);
    target[threadIdx.x] = copy.target;
    source[threadIdx.x] = reinterpret_cast<long long>(copy.source);
}

// The first fragment of a warp at `origin`.
template <typename T, bool K_INNER, int TILE, bool LEFT>
__global__ void reads(int* base, int origin) {
    base[threadIdx.x] = Fragments<T, K_INNER, TILE, LEFT>(origin).base;
}
