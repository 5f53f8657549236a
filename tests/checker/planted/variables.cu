// `__device__` variables are global memory: what is wrong with an array's elements is wrong with them.

__device__ int total;
__global__ void sums_into_a_variable(int* out, const int* x) {
    total = total + x[threadIdx.x];  // BUG race
    if (threadIdx.x == 0) out[0] = 1;
}

__device__ float bins[8], above[8] = {1, 2, 3};
__global__ void adds_to_a_table(const float* x) {
    bins[threadIdx.x & 7] += x[threadIdx.x];  // BUG race
}

__global__ void reads_behind_a_table(float* out) {
    const float* table = above;
    out[threadIdx.x] = table[threadIdx.x];  // BUG out of bounds
}

namespace inside { static __device__ __align__(16) int2 pairs[4][2]; }
__global__ void writes_before_a_table(int2* out) {
    int2* first = &inside::pairs[0][0];
    first[(int)threadIdx.x - 2] = make_int2(1, 2);  // BUG out of bounds
    out[threadIdx.x] = make_int2(0, 0);
}

__device__ unsigned int finished = 0;
__global__ void last_block_without_a_fence(float* out, float* parts, const float* x) {
    __shared__ bool last;
    if (threadIdx.x == 0) {
        parts[blockIdx.x] = x[blockIdx.x];  // OTHER
        last = atomicInc(&finished, gridDim.x - 1) == gridDim.x - 1;
    }
    __syncthreads();
    float sum = 0;
    if (last && threadIdx.x == 0) {
        for (int i = 0; i < gridDim.x; i++) sum += parts[i];  // BUG race
        out[0] = sum;
    }
}

__device__ int lock_of_a_sum = 0;
__global__ void unlocks_without_a_fence(float* sum, const float* x) {
    while (atomicCAS(&lock_of_a_sum, 0, 1) != 0) {}
    *sum += x[blockIdx.x];  // BUG race
    atomicExch(&lock_of_a_sum, 0);
}
