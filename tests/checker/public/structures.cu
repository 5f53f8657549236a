// Hash tables, lists under locks, stacks without, queues of a graph's search, filters, flags.
#include <stdio.h>
#include <stdint.h>
#include <limits.h>
#include <assert.h>
#include <cuda_runtime.h>
#include <vector>
#include <chrono>
#include <random>

typedef unsigned long long ull;
const uint32_t kHashTableCapacity = 128;

__device__ uint32_t hash(uint32_t k) {
    return (k * 2654435761u >> 7) & (kHashTableCapacity - 1);
}
// launch: insert_pairs64 2 32 u64[128]=18446744073709551615 u32[50]=randint(30) u32[50]=arange i32=50
__global__ void insert_pairs64(ull* table, const uint32_t* keys, const uint32_t* values, int n) {
    for (int i = blockIdx.x * blockDim.x + threadIdx.x; i < n; i += gridDim.x * blockDim.x) {
        ull packed = ((ull)keys[i] << 32) | values[i];
        uint32_t slot = hash(keys[i]);
        for (;;) {
            ull old = atomicCAS(table + slot, ~0ULL, packed);
            if (old == ~0ULL) break;
            if ((uint32_t)(old >> 32) == keys[i]) { atomicMax(table + slot, packed); break; }
            slot = (slot + 1) % kHashTableCapacity;
        }
    }
}

struct Entry { int key; int value; Entry* next; };
struct Lock {
    int* mutex;
    __device__ void lock() { while (atomicCAS(mutex, 0, 1) != 0) ; __threadfence(); }
    __device__ void unlock() { __threadfence(); atomicExch(mutex, 0); }
};
// launch: chain_insert 2 32 u64[8]=0 u8[40,16]=0 i32[40]=randint(100) i32[8]=0 i32=40
__global__ void chain_insert(Entry** heads, Entry* pool, const int* keys, int* locks, int n) {
    int i = blockIdx.x * blockDim.x + threadIdx.x;
    if (i >= n) return;
    int b = keys[i] % 8;
    Lock l{&locks[b]};
    for (int turn = 0; turn < 32; turn++) {
        if (turn == threadIdx.x % 32) {
            l.lock();
            pool[i].key = keys[i];
            pool[i].next = heads[b];
            heads[b] = &pool[i];
            l.unlock();
        }
    }
}
// launch: push_lockfree 2 32 u64[1]=4294967295 i32[64]=-1 i32=50
__global__ void push_lockfree(ull* head, int* next, int n) {
    int i = blockIdx.x * blockDim.x + threadIdx.x;
    if (i >= n) return;
    ull old = *(volatile ull*)head, assumed;
    do {
        assumed = old;
        next[i] = (int)(uint32_t)assumed;
        __threadfence();
        ull tagged = ((assumed >> 32) + 1) << 32 | (uint32_t)i;
        old = atomicCAS(head, assumed, tagged);
    } while (old != assumed);
}

__device__ double atomicAddDouble(double* address, double val) {
    ull* address_as_ull = (ull*)address;
    ull old = *address_as_ull, assumed;
    do {
        assumed = old;
        old = atomicCAS(address_as_ull, assumed, __double_as_longlong(val + __longlong_as_double(assumed)));
    } while (assumed != old);
    return __longlong_as_double(old);
}
__device__ static float atomicMaxFloat(float* addr, float value) {
    return (value >= 0) ? __int_as_float(atomicMax((int*)addr, __float_as_int(value)))
                        : __uint_as_float(atomicMin((unsigned int*)addr, __float_as_uint(value)));
}
#if !defined(__CUDA_ARCH__) || __CUDA_ARCH__ >= 600
#else
static __inline__ __device__ double atomicAdd(double* address, double val) { return atomicAddDouble(address, val); }
#endif
// launch: cas_sums 2 64 f64[1]=0 f32[1]=-inf f32[100]=normal i32=100
__global__ void cas_sums(double* sum, float* most, const float* x, int n) {
    int i = blockIdx.x * blockDim.x + threadIdx.x;
    if (i < n) { atomicAddDouble(sum, (double)x[i]); atomicMaxFloat(most, x[i]); }
}

struct CsrGraph { int num_nodes; const int* __restrict__ row_ptr; const int* __restrict__ col_idx; };
// launch: bfs_frontier 2 32 struct{i32=5,i32[6]=[0,2,3,4,5,5],i32[5]=[1,2,3,3,4]} i32[5]=[0,2147483647,2147483647,2147483647,2147483647] i32[1]=0 i32[5]=-1 i32[1]=0 i32=1 i32=0
__global__ void bfs_frontier(CsrGraph g, int* level, const int* in, int* out, int* out_size, int in_size, int depth) {
    __shared__ int s_queue[64];
    __shared__ int s_size, s_base;
    if (threadIdx.x == 0) s_size = 0;
    __syncthreads();
    int t = blockIdx.x * blockDim.x + threadIdx.x;
    if (t < in_size) {
        int u = in[t];
        for (int e = g.row_ptr[u]; e < g.row_ptr[u + 1]; ++e) {
            int v = g.col_idx[e];
            if (atomicCAS(&level[v], INT_MAX, depth + 1) == INT_MAX) {
                int at = atomicAdd(&s_size, 1);
                if (at < 64) s_queue[at] = v;
                else { atomicSub(&s_size, 1); out[atomicAdd(out_size, 1)] = v; }
            }
        }
    }
    __syncthreads();
    if (threadIdx.x == 0) s_base = atomicAdd(out_size, s_size);
    __syncthreads();
    for (int i = threadIdx.x; i < s_size; i += blockDim.x) out[s_base + i] = s_queue[i];
}
// launch: triangles 1 32 i32[5]=[0,3,5,6,6] i32[6]=[1,2,3,2,3,3] u64[1]=0 i32=4
__global__ void triangles(const int* row, const int* col, ull* count, int n) {
    int u = blockIdx.x * blockDim.x + threadIdx.x, lane = threadIdx.x & 31;
    ull mine = 0;
    if (u < n)
        for (int e = row[u]; e < row[u + 1]; e++) {
            int v = col[e], a = e + 1, b = row[v];
            while (a < row[u + 1] && b < row[v + 1]) {
                if (col[a] == col[b]) { mine++; a++; b++; }
                else if (col[a] < col[b]) a++;
                else b++;
            }
        }
    for (int d = 16; d; d /= 2) mine += __shfl_down_sync(0xffffffff, mine, d);
    if (lane == 0) atomicAdd(count, mine);
}

// launch: bloom_add 1 64 u32[8]=0 u32[50]=arange i32=50
__global__ void bloom_add(uint32_t* bits, const uint32_t* keys, int n) {
    int i = threadIdx.x;
    if (i >= n) return;
    uint32_t h = keys[i] * 2654435761u;
#pragma unroll 3
    for (int k = 0; k < 3; k++) { uint32_t b = (h >> (8 * k)) & 255u; atomicOr(bits + (b >> 5), 1u << (b & 31)); }
}
// launch: producer_consumer 2 32 i32[64]=0 i32[32]=0 i32[32]
__global__ void producer_consumer(volatile int* buf, volatile int* ready, int* out) {
    int t = threadIdx.x;
    if (blockIdx.x == 0) {
        buf[t] = 10 * t;
        __threadfence();
        ready[t] = 1;
    } else {
        while (ready[t] == 0);
        __threadfence();
        out[t] = buf[t];
    }
}
// launch: odd_even_sort 1 64 i32[64]=randint(100) i32=64
__global__ void odd_even_sort(int* a, int n) {
    int i = threadIdx.x;
    for (int phase = 0; phase < n; phase++) {
        if ((i & 1) == (phase & 1) && i + 1 < n) {
            if (a[i] > a[i + 1]) { int t = a[i]; a[i] = a[i + 1]; a[i + 1] = t; }
        }
        __syncthreads();
    }
}
#define CHECK(x) { cudaError_t e = (x); if (e) { printf("%s\n", cudaGetErrorString(e)); exit(e); } }
std::vector<uint32_t> keys_of(std::mt19937& random, uint32_t n) {
    std::uniform_int_distribution<uint32_t> any(0, 1000);
    std::vector<uint32_t> keys(n);
    for (auto& key : keys) key = any(random);
    return keys;
}
int main() {
    auto start = std::chrono::high_resolution_clock::now();
    ull* table;
    CHECK(cudaMallocManaged(&table, sizeof(ull) * kHashTableCapacity));
    int least, threads;
    cudaOccupancyMaxPotentialBlockSize(&least, &threads, insert_pairs64, 0, 0);
    insert_pairs64<<<1, threads>>>(table, nullptr, nullptr, 3);
}
