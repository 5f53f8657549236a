// One kernel for each wrapper of ptx.cuh, named use_<wrapper>, which uses little else. test_ptx.py launches them on the
// simulator and on the GPU: one meaning for both. Here: cp.async, addresses of shared memory, and pairs of
// numbers.
#include "ptx.cuh"

// distances[i]: bytes from the first element of shared memory to the i-th; values[i]: i-th element, written through its
// 32-bit address. Block: 64.
__global__ void use_smem_u32(unsigned int* distances, int* values) {
    __shared__ int shared[64];
    const unsigned int address = smem_u32(&shared[threadIdx.x]);
    *static_cast<int*>(__cvta_shared_to_generic(address)) = 1000 + threadIdx.x;
    __syncthreads();  // another thread's element is read
    distances[threadIdx.x] = address - smem_u32(shared);
    values[threadIdx.x] = shared[63 - threadIdx.x];
}

// out[i] = what thread 63 - i copied: x[i's source], or zeros where it is not valid. `from` counts packs of 16 bytes and
// leads outside of x where the copy is not valid. Block: 64.
__global__ void use_cp_async16(float4* out, const float4* x, const long long* from, const bool* valid) {
    __shared__ float4 shared[64];
    shared[threadIdx.x] = make_float4(-1.0f, -1.0f, -1.0f, -1.0f);
    cp_async16(smem_u32(&shared[threadIdx.x]), x + from[threadIdx.x], valid[threadIdx.x]);
    cp_async_commit();
    cp_async_wait<0>();
    __syncthreads();  // another thread's copy is read
    out[threadIdx.x] = shared[63 - threadIdx.x];
}

// The same through L1.
__global__ void use_cp_async16_cached(float4* out, const float4* x, const long long* from, const bool* valid) {
    __shared__ float4 shared[64];
    shared[threadIdx.x] = make_float4(-1.0f, -1.0f, -1.0f, -1.0f);
    cp_async16_cached(smem_u32(&shared[threadIdx.x]), x + from[threadIdx.x], valid[threadIdx.x]);
    cp_async_commit();
    cp_async_wait<0>();
    __syncthreads();  // another thread's copy is read
    out[threadIdx.x] = shared[63 - threadIdx.x];
}

// The same by 4 bytes.
__global__ void use_cp_async4(float* out, const float* x, const long long* from, const bool* valid) {
    __shared__ float shared[64];
    shared[threadIdx.x] = -1.0f;
    cp_async4(smem_u32(&shared[threadIdx.x]), x + from[threadIdx.x], valid[threadIdx.x]);
    cp_async_commit();
    cp_async_wait<0>();
    __syncthreads();  // another thread's copy is read
    out[threadIdx.x] = shared[63 - threadIdx.x];
}

// The same by 8 bytes.
__global__ void use_cp_async8(float2* out, const float2* x, const long long* from, const bool* valid) {
    __shared__ float2 shared[64];
    shared[threadIdx.x] = make_float2(-1.0f, -1.0f);
    cp_async8(smem_u32(&shared[threadIdx.x]), x + from[threadIdx.x], valid[threadIdx.x]);
    cp_async_commit();
    cp_async_wait<0>();
    __syncthreads();  // another thread's copy is read
    out[threadIdx.x] = shared[63 - threadIdx.x];
}

// Block: 64.
__global__ void use_fma_f32x2(float2* out, const float2* x, const float2* y, const float2* z) {
    out[threadIdx.x] = fma_f32x2(x[threadIdx.x], y[threadIdx.x], z[threadIdx.x]);
}

// out[0] = x[0], copied in a group of its own; out[1] = x[1] + x[2], copied in one group. The empty group counts too:
// with it, wait<1> leaves nothing of the second one under way. Block: 64.
__global__ void use_cp_async_commit(float* out, const float* x) {
    __shared__ float shared[3][64];
    const int t = threadIdx.x;
    cp_async4(smem_u32(&shared[0][t]), x + t, true);
    cp_async_commit();
    cp_async4(smem_u32(&shared[1][t]), x + 64 + t, true);
    cp_async4(smem_u32(&shared[2][t]), x + 128 + t, true);
    cp_async_commit();
    cp_async_wait<1>();
    out[t] = shared[0][t];
    cp_async_commit();
    cp_async_wait<1>();
    out[64 + t] = shared[1][t] + shared[2][t];
}

// out[s] = x[s] for a ring of four stages that is read as each stage arrives, oldest first. Block: 64.
__global__ void use_cp_async_wait(float* out, const float* x) {
    __shared__ float shared[4][64];
    const int t = threadIdx.x;
    for (int stage = 0; stage < 4; ++stage) {
        cp_async4(smem_u32(&shared[stage][t]), x + stage * 64 + t, true);
        cp_async_commit();
    }
    cp_async_wait<3>();
    out[t] = shared[0][t];
    cp_async_wait<2>();
    out[64 + t] = shared[1][t];
    cp_async_wait<1>();
    out[128 + t] = shared[2][t];
    cp_async_wait<0>();
    out[192 + t] = shared[3][t];
}

// The first warp writes and goes on; the second waits for it. out[i] = 100 + i. Block: 64.
__global__ void use_bar_arrive(int* out) {
    __shared__ int shared[64];
    const int t = threadIdx.x;
    if (t < 32) {
        shared[t] = 100 + t;
        shared[32 + t] = 132 + t;
        bar_arrive(1, 64);
    } else {
        bar_sync(1, 64);
        out[t] = shared[t];
        out[t - 32] = shared[t - 32];
    }
}

// Two barriers for a warp each: out[i] = 31 - i within its warp. Block: 64.
__global__ void use_bar_sync(int* out) {
    __shared__ int shared[64];
    const int t = threadIdx.x, warp = t / 32;
    shared[t] = t % 32;
    bar_sync(1 + warp, 32);
    out[t] = shared[warp * 32 + 31 - t % 32];
}
