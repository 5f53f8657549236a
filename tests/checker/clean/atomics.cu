// Atomics, and what is built from them.
#include <cuda_fp16.h>

// Compare and swap until nobody came between. The first reading is volatile: an atomic may write at the same time.
__device__ double add_by_swapping(double* address, double value) {
    unsigned long long *word = (unsigned long long*)address, seen = *(volatile unsigned long long*)word, assumed;
    do {
        assumed = seen;
        double sum = __longlong_as_double(assumed) + value;
        seen = atomicCAS(word, assumed, (unsigned long long)__double_as_longlong(sum));
    } while (seen != assumed);
    return __longlong_as_double(seen);
}
__global__ void sum_of_doubles(double* out, const double* x, int n) {
    for (int i = blockIdx.x * blockDim.x + threadIdx.x; i < n; i += gridDim.x * blockDim.x) add_by_swapping(out, x[i]);
}

// The first reading is a plain one, as most programs have it: the compare-and-swap finds out whether it still stands.
__global__ void sum_from_a_guess(double* out, float* most, const float* x, int n) {
    __shared__ int block_most;
    if (threadIdx.x == 0) block_most = 0;
    __syncthreads();
    for (int i = blockIdx.x * blockDim.x + threadIdx.x; i < n; i += gridDim.x * blockDim.x) {
        unsigned long long *word = (unsigned long long*)out, seen = *word, assumed;
        do {
            assumed = seen;
            seen = atomicCAS(word, assumed, (unsigned long long)__double_as_longlong(__longlong_as_double(assumed) + x[i]));
        } while (seen != assumed);
        for (int old = block_most, wanted; __int_as_float(old) < x[i]; old = wanted) {
            wanted = atomicCAS(&block_most, old, __float_as_int(x[i]));
            if (wanted == old) break;
        }
    }
    __syncthreads();
    if (threadIdx.x == 0) atomicMax((int*)most, block_most);
}

__global__ void largest_half(__half* out, const __half* x, int n) {
    unsigned short* word = (unsigned short*)out;
    for (int i = blockIdx.x * blockDim.x + threadIdx.x; i < n; i += gridDim.x * blockDim.x) {
        unsigned short seen = atomicCAS(word, (unsigned short)0, (unsigned short)0), assumed;
        do {
            assumed = seen;
            if (__half2float(__ushort_as_half(assumed)) >= __half2float(x[i])) break;
            seen = atomicCAS(word, assumed, __half_as_ushort(x[i]));
        } while (seen != assumed);
    }
}

// The order of floats is that of their bits as integers, backwards where they are negative.
__global__ void smallest_and_largest(float* smallest, float* largest, const float* x, int n) {
    int i = blockIdx.x * blockDim.x + threadIdx.x;
    if (i >= n) return;
    if (x[i] >= 0) {
        atomicMin((int*)smallest, __float_as_int(x[i]));
        atomicMax((int*)largest, __float_as_int(x[i]));
    } else {
        atomicMax((unsigned*)smallest, __float_as_uint(x[i]));
        atomicMin((unsigned*)largest, __float_as_uint(x[i]));
    }
}

__global__ void marks_bits(unsigned* words, const int* places, int n) {
    int i = blockIdx.x * blockDim.x + threadIdx.x;
    if (i < n) atomicOr(&words[places[i] / 32], 1u << places[i] % 32);
}

// A lock: fences bring what it protects from one holder to the next. One thread a block takes it.
__global__ void lock_with_fences(int* count, int* lock, int rounds) {
    if (threadIdx.x != 0) return;
    for (int round = 0; round < rounds; round++) {
        while (atomicCAS(lock, 0, 1) != 0) __nanosleep(20);
        __threadfence();  // unseen: as in scans.cu, look_back
        count[0] += 1;
        __threadfence();
        atomicExch(lock, 0);
    }
}

__global__ void publishes_with_fences(float* out, float* data, int* ready) {
    if (blockIdx.x == 0) {
        data[0] = 42;
        __threadfence();
        atomicExch(ready, 1);
    } else if (atomicAdd(ready, 0) == 1) {
        __threadfence();  // unseen: as in scans.cu, look_back
        out[0] = data[0];
    }
}

// Work is dealt out by a counter in global memory until there is none left.
__global__ void takes_work_from_a_queue(float* out, int* next, const float* x, int n) {
    __shared__ int first;
    for (;;) {
        if (threadIdx.x == 0) first = atomicAdd(next, (int)blockDim.x);
        __syncthreads();
        int i = first + threadIdx.x;
        if (first >= n) break;
        if (i < n) out[i] = 2 * x[i];
        __syncthreads();
    }
}

// Each slot of a hash table is taken by one thread; open addressing.
__global__ void inserts_keys(int* table, const int* keys, int n, int slots) {
    int i = blockIdx.x * blockDim.x + threadIdx.x;
    if (i >= n) return;
    for (int slot = keys[i] * 7 % slots;; slot = (slot + 1) % slots) {
        int before = atomicCAS(&table[slot], -1, keys[i]);
        if (before == -1 || before == keys[i]) return;
    }
}

__global__ void counts_in_shared_halves(float* out, const int* keys) {
    __shared__ __half counts[16];
    if (threadIdx.x < 16) counts[threadIdx.x] = __float2half(0);
    __syncthreads();
    atomicAdd(&counts[keys[threadIdx.x] % 16], __float2half(1));
    __syncthreads();
    if (threadIdx.x < 16) out[threadIdx.x] = __half2float(counts[threadIdx.x]);
}
