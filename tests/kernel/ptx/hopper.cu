// mbarriers and bulk copies.
#include "ptx.cuh"

// Three phases of one barrier: out[phase][i] = 100 * phase + 63 - i, which another thread wrote. Block: 64.
__global__ void use_mbar_wait(int* out) {
    __shared__ int shared[64];
    __shared__ unsigned long long barrier;
    const int t = threadIdx.x;
    if (t == 0) {
        mbar_init(&barrier, 64);
        mbar_fence_init();
    }
    __syncthreads();
    for (int phase = 0; phase < 3; ++phase) {
        shared[t] = 100 * phase + t;
        mbar_arrive(&barrier);
        mbar_wait(&barrier, phase & 1);
        out[phase * 64 + t] = shared[63 - t];
        __syncthreads();  // all have read before it is written again
    }
}

// What is said of a barrier with a count of 2: before, after one and after two arrivals, of the phase with parity 0 and
// of the one with 1; then of a new barrier in the same place. Block: any.
__global__ void use_mbar_test_wait(int* out) {
    __shared__ unsigned long long barrier;
    if (threadIdx.x) return;
    mbar_init(&barrier, 2);
    for (int arrivals = 0; arrivals < 3; ++arrivals) {
        out[2 * arrivals] = mbar_test_wait(&barrier, 0);
        out[2 * arrivals + 1] = mbar_test_wait(&barrier, 1);
        mbar_arrive(&barrier);
    }
    mbar_inval(&barrier);
    mbar_init(&barrier, 1);
    out[6] = mbar_test_wait(&barrier, 0);
    mbar_arrive(&barrier);
    out[7] = mbar_test_wait(&barrier, 0);
}

// One thread asks again and again until the others have come: out[0] = 63. Block: 64.
__global__ void use_mbar_try_wait(int* out) {
    __shared__ unsigned long long barrier;
    __shared__ int count;
    if (threadIdx.x == 0) {
        count = 0;
        mbar_init(&barrier, 63);
    }
    __syncthreads();
    if (threadIdx.x) {
        atomicAdd(&count, 1);
        mbar_arrive(&barrier);
    } else {
        while (!mbar_try_wait(&barrier, 0)) {
        }
        out[0] = count;
    }
}

// out = the first 64 elements of x from `start`, in two copies that one barrier counts. Block: 64.
__global__ void use_tma_load_1d(float* out, const float* x, int start) {
    __shared__ __align__(128) float shared[64];
    __shared__ unsigned long long barrier;
    if (threadIdx.x == 0) {
        mbar_init(&barrier, 1);
        mbar_fence_init();
    }
    __syncthreads();
    if (threadIdx.x == 0) {
        mbar_expect_tx(&barrier, 256);
        tma_load_1d(shared, x + start, 64, &barrier);
        tma_load_1d(shared + 16, x + start + 16, 192, &barrier);
    }
    mbar_wait(&barrier, 0);
    out[threadIdx.x] = shared[threadIdx.x];
}

// out = what a box of x from (x, y) looks like in shared memory: `bytes` of it. Block: 64.
__global__ void use_tma_load_2d(unsigned char* out, const __grid_constant__ CUtensorMap map, int bytes, int x, int y) {
    extern __shared__ __align__(1024) unsigned char box[];
    __shared__ unsigned long long barrier;
    if (threadIdx.x == 0) {
        mbar_init(&barrier, 1);
        mbar_fence_init();
    }
    __syncthreads();
    if (threadIdx.x == 0) {
        mbar_expect_tx(&barrier, bytes);
        tma_load_2d(box, &map, &barrier, x, y);
    }
    mbar_wait(&barrier, 0);
    for (int i = threadIdx.x; i < bytes; i += 64) out[i] = box[i];
}

// The same of matrix (z, w) of an array of four dimensions. Block: 64.
__global__ void use_tma_load_4d(unsigned char* out, const __grid_constant__ CUtensorMap map, int bytes, int x, int y, int z,
                                int w) {
    extern __shared__ __align__(1024) unsigned char box[];
    __shared__ unsigned long long barrier;
    if (threadIdx.x == 0) {
        mbar_init(&barrier, 1);
        mbar_fence_init();
    }
    __syncthreads();
    if (threadIdx.x == 0) {
        mbar_expect_tx(&barrier, bytes);
        tma_load_4d(box, &map, &barrier, x, y, z, w);
    }
    mbar_wait(&barrier, 0);
    for (int i = threadIdx.x; i < bytes; i += 64) out[i] = box[i];
}

// The same by a cluster of one block, as the blocks of a launch without clusters are. Block: 64.
__global__ void use_tma_load_4d_multicast(unsigned char* out, const __grid_constant__ CUtensorMap map, int bytes, int x,
                                          int y, int z, int w) {
    extern __shared__ __align__(1024) unsigned char box[];
    __shared__ unsigned long long barrier;
    if (threadIdx.x == 0) {
        mbar_init(&barrier, 1);
        mbar_fence_init();
    }
    __syncthreads();
    if (threadIdx.x == 0) {
        mbar_expect_tx(&barrier, bytes);
        tma_load_4d_multicast(box, &map, &barrier, x, y, z, w, 1);
    }
    mbar_wait(&barrier, 0);
    for (int i = threadIdx.x; i < bytes; i += 64) out[i] = box[i];
}

// out = 100 t + the rank of the block, told after all 64 have arrived at a barrier of their own place. Block: 64.
__global__ void use_mbar_arrive_cluster(int* out) {
    __shared__ unsigned long long barrier;
    __shared__ int told[64];
    if (threadIdx.x == 0) {
        mbar_init(&barrier, 64);
        mbar_fence_init();
    }
    cluster_sync();
    told[threadIdx.x] = 100 * threadIdx.x + cluster_rank();
    mbar_arrive_cluster(&barrier, cluster_rank());
    mbar_wait_cluster(&barrier, 0);
    out[threadIdx.x] = told[63 - threadIdx.x];
    cluster_sync();
}

// out = 63 - t, read by its place in the block of this rank. Block: 64.
__global__ void use_ld_cluster_f32(float* out) {
    __shared__ float told[64];
    told[threadIdx.x] = threadIdx.x;
    cluster_sync();
    out[threadIdx.x] = ld_cluster_f32(told + 63 - threadIdx.x, cluster_rank());
    cluster_sync();
}

// out[0..63] = x, stored; then, as the source is free after tma_wait_read, out[64..127] = 2 x from the same place.
// Block: 64.
__global__ void use_tma_store_1d(float* out, const float* x) {
    __shared__ __align__(128) float shared[64];
    const int t = threadIdx.x;
    for (int part = 0; part < 2; ++part) {
        shared[t] = (part + 1) * x[t];
        fence_proxy_async();
        __syncthreads();
        if (t == 0) {
            tma_store_1d(out + part * 64, shared, 256);
            tma_commit();
            tma_wait_read<0>();
        }
        __syncthreads();
    }
    if (t == 0) tma_wait<0>();
}

// Stores a box of `bytes`, given as shared memory holds it, to (x, y) of the map's array. Block: 64.
__global__ void use_tma_store_2d(const unsigned char* content, const __grid_constant__ CUtensorMap map, int bytes, int x,
                                 int y) {
    extern __shared__ __align__(1024) unsigned char box[];
    for (int i = threadIdx.x; i < bytes; i += 64) box[i] = content[i];
    fence_proxy_async();
    __syncthreads();
    if (threadIdx.x) return;
    tma_store_2d(&map, box, x, y);
    tma_commit();
    tma_wait<0>();
}

// A warpgroup with fewer registers, one with more; out[i] = i. Block: 256.
__global__ void __launch_bounds__(256, 1) use_setmaxnreg_inc(int* out) {
    if (threadIdx.x < 128) {
        setmaxnreg_dec<40>();
        out[threadIdx.x] = threadIdx.x;
    } else {
        setmaxnreg_inc<232>();
        out[threadIdx.x] = threadIdx.x;
    }
}
