// Counters, locks, flags and tables in `__device__` variables.

__device__ unsigned int finished = 0;
__global__ void last_block(float* out, float* parts, const float* x) {
    __shared__ bool last;
    if (threadIdx.x == 0) parts[blockIdx.x] = x[blockIdx.x];
    __threadfence();
    if (threadIdx.x == 0) last = atomicInc(&finished, gridDim.x - 1) == gridDim.x - 1;
    __syncthreads();
    if (last && threadIdx.x == 0) {
        float sum = 0;
        for (int i = 0; i < gridDim.x; i++) sum += parts[i];
        out[0] = sum;
    }
}

__device__ int lock = 0;
__global__ void sum_under_a_lock(float* sum, const float* x) {
    if (threadIdx.x == 0) {
        while (atomicCAS(&lock, 0, 1) != 0) {}
        __threadfence();
        *sum += x[blockIdx.x];
        __threadfence();
        atomicExch(&lock, 0);
    }
}

struct Range { int first, count; };
static __device__ volatile int ready, value = 3;
__device__ __constant__ const int doubled[3] = {2, 4, 6};
namespace tables {
__device__ Range ranges[] = {{0, 2}, {2, 5}}, single{7, 1};
__device__ const char* name = "ranges";
}
__global__ void tables_of_a_module(int* out) {
    int t = threadIdx.x;
    if (t < 2) out[t] = tables::ranges[t].first + tables::ranges[t].count;
    if (t == 2) out[t] = tables::single.first + value + doubled[1] + (int)sizeof(tables::ranges);
    if (t == 3) out[t] = tables::name[1];
}
