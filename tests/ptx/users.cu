// Kernels of the kinds that users have: test_users_kernels.py launches each.
#include <cooperative_groups.h>
#include <cuda_fp16.h>
#include <assert.h>
#include <stdio.h>
namespace cg = cooperative_groups;

extern "C" __global__ void saxpy(float* y, const float* x, float a, int n) {
    for (int i = blockIdx.x * blockDim.x + threadIdx.x; i < n; i += gridDim.x * blockDim.x) y[i] = a * x[i] + y[i];
}
__device__ int place_of(int* counter) {
    cg::coalesced_group active = cg::coalesced_threads();
    int base;
    if (active.thread_rank() == 0) base = atomicAdd(counter, active.size());
    return active.shfl(base, 0) + active.thread_rank();
}
extern "C" __global__ void keep_positive(int* kept, int* counter, const int* x, int n) {
    const int i = blockIdx.x * blockDim.x + threadIdx.x;
    if (i < n && x[i] > 0) kept[place_of(counter)] = x[i];
}
extern "C" __global__ void block_scan(int* y, const int* x, int n) {
    __shared__ int sums[32];
    const int i = blockIdx.x * blockDim.x + threadIdx.x, lane = threadIdx.x % 32, warp = threadIdx.x / 32;
    int v = i < n ? x[i] : 0;
    for (int d = 1; d < 32; d *= 2) {
        const int other = __shfl_up_sync(0xffffffff, v, d);
        if (lane >= d) v += other;
    }
    if (lane == 31) sums[warp] = v;
    __syncthreads();
    if (warp == 0) {
        int s = lane < blockDim.x / 32 ? sums[lane] : 0;
        for (int d = 1; d < 32; d *= 2) {
            const int other = __shfl_up_sync(0xffffffff, s, d);
            if (lane >= d) s += other;
        }
        sums[lane] = s;
    }
    __syncthreads();
    if (warp > 0) v += sums[warp - 1];
    if (i < n) y[i] = v;
}
extern "C" __global__ void tiles(float* y, const float* x, int n) {
    cg::thread_block block = cg::this_thread_block();
    auto tile = cg::tiled_partition<8>(block);
    const int i = blockIdx.x * blockDim.x + threadIdx.x;
    float v = i < n ? x[i] : 0;
    for (int d = tile.size() / 2; d > 0; d /= 2) v += tile.shfl_xor(v, d);
    const unsigned even = tile.ballot(threadIdx.x % 2 == 0);
    const bool has_three = tile.any(i == 3);
    if (i < n) y[i] = v + tile.thread_rank() + 100 * tile.meta_group_rank() + __popc(even) + 1000 * has_three;
}
extern __shared__ double dynamic[];
extern "C" __global__ void reversed(double* y, const double* x, int n) {
    short* order = (short*)(dynamic + blockDim.x);
    dynamic[threadIdx.x] = x[threadIdx.x];
    order[threadIdx.x] = n - 1 - threadIdx.x;
    __syncthreads();
    y[threadIdx.x] = dynamic[order[threadIdx.x]];
}
struct Pair { char tag; double weight; short by[3]; };
extern "C" __global__ void by_value(double* y, Pair p, Pair* all) {
    Pair mine = p;
    mine.by[threadIdx.x % 3] += threadIdx.x;
    all[threadIdx.x] = mine;
    y[threadIdx.x] = mine.tag * mine.weight + mine.by[threadIdx.x % 3];
}
extern "C" __global__ void shifts(long long* s, unsigned long long* u, const long long* x, const int* by) {
    const int i = threadIdx.x;
    s[4 * i] = x[i] << (by[i] & 63);
    s[4 * i + 1] = x[i] >> (by[i] & 63);
    s[4 * i + 2] = __clzll(x[i]) + 100 * __popcll(x[i]) + 10000 * __ffsll(x[i]);
    s[4 * i + 3] = __mul64hi(x[i], x[i] ^ 0x123456789abcdefLL);
    u[3 * i] = (unsigned long long)x[i] >> (by[i] & 63);
    u[3 * i + 1] = __umul64hi(x[i], 0xfedcba9876543210ULL);
    u[3 * i + 2] = (unsigned long long)x[i] / (unsigned)(by[i] + 1) + (unsigned long long)x[i] % (by[i] + 3);
}
extern "C" __global__ void halves(__half2* y, const __half2* x, const __half2* w, int n) {
    const int i = blockIdx.x * blockDim.x + threadIdx.x;
    if (i >= n) return;
    __half2 v = __hfma2(x[i], w[i], __float2half2_rn(0.5f));
    v = __hmax2(v, __half2half2(__float2half(0.f)));
    y[i] = __hadd2(v, __lowhigh2highlow(v));
}
extern "C" __global__ void blur(unsigned char* out, const unsigned char* in, int width, int height) {
    __shared__ unsigned char tile[10][18];
    const int x = blockIdx.x * 16 + threadIdx.x, y = blockIdx.y * 8 + threadIdx.y;
    for (int ty = threadIdx.y; ty < 10; ty += 8)
        for (int tx = threadIdx.x; tx < 18; tx += 16) {
            const int gx = min(max((int)blockIdx.x * 16 + tx - 1, 0), width - 1);
            const int gy = min(max((int)blockIdx.y * 8 + ty - 1, 0), height - 1);
            tile[ty][tx] = in[gy * width + gx];
        }
    __syncthreads();
    if (x >= width || y >= height) return;
    int sum = 0;
    for (int dy = 0; dy < 3; ++dy)
        for (int dx = 0; dx < 3; ++dx) sum += tile[threadIdx.y + dy][threadIdx.x + dx];
    out[y * width + x] = sum / 9;
}
__device__ __noinline__ int ackermann(int m, int n) {
    return m == 0 ? n + 1 : n == 0 ? ackermann(m - 1, 1) : ackermann(m - 1, ackermann(m, n - 1));
}
extern "C" __global__ void recursive(int* y) { y[threadIdx.x] = ackermann(threadIdx.x % 3, threadIdx.x / 3); }
extern "C" __global__ void asserts(int* y, int n) {
    assert(threadIdx.x < n && "too many");
    if (threadIdx.x == 1) printf("%d %s %5.2f %c %lld %x\n", n, "text", 1.5, 'c', -(1ll << 40), 255u);
    y[threadIdx.x] = n;
}
extern "C" __global__ void inline_ptx(unsigned* y, const unsigned* x) {
    unsigned v = x[threadIdx.x], r, lane, s;
    asm("bfe.u32 %0, %1, 4, 8;" : "=r"(r) : "r"(v));
    asm volatile("mov.u32 %0, %%laneid;" : "=r"(lane));
    asm("{ .reg .pred p; setp.gt.u32 p, %1, %2; selp.u32 %0, %1, %2, p; }" : "=r"(s) : "r"(r), "r"(lane));
    y[threadIdx.x] = __byte_perm(s, v, 0x5140) + __brev(v) + __funnelshift_l(v, s, lane);
}
template <typename T, int N> __device__ T dot(const T (&a)[N], const T* b) {
    T sum = 0;
#pragma unroll
    for (int i = 0; i < N; ++i) sum += a[i] * b[i];
    return sum;
}
template <typename T, int N> __global__ void __launch_bounds__(64, 2) rows(T* y, const T* x, int n) {
    T mine[N];
    for (int i = 0; i < N; ++i) mine[i] = x[threadIdx.x * N + (i + threadIdx.x) % N];
    if (threadIdx.x < n) y[threadIdx.x] = dot(mine, x + threadIdx.x * N);
}
__constant__ float taps[5] = {0.1f, 0.2f, 0.4f, 0.2f, 0.1f};
__device__ int launches = 7;
__device__ float kept[64];
extern "C" __global__ void filtered(float* y, const float* x, int n) {
    const int i = threadIdx.x;
    float sum = 0;
    for (int k = -2; k <= 2; ++k) if (i + k >= 0 && i + k < n) sum += taps[k + 2] * x[i + k];
    kept[i] = sum;
    if (i == 0) atomicAdd(&launches, 1);
    __syncthreads();
    y[i] = kept[n - 1 - i] + launches;
}
extern "C" __global__ void histogram(unsigned* bins, const unsigned char* x, int n) {
    __shared__ unsigned mine[256];
    for (int i = threadIdx.x; i < 256; i += blockDim.x) mine[i] = 0;
    __syncthreads();
    for (int i = blockIdx.x * blockDim.x + threadIdx.x; i < n; i += gridDim.x * blockDim.x) atomicAdd(&mine[x[i]], 1);
    __syncthreads();
    for (int i = threadIdx.x; i < 256; i += blockDim.x) if (mine[i]) atomicAdd(&bins[i], mine[i]);
}
__device__ float atomic_max(float* at, float v) {
    int* p = (int*)at, old = *p, seen;
    do {
        seen = old;
        if (__int_as_float(seen) >= v) break;
        old = atomicCAS(p, seen, __float_as_int(v));
    } while (seen != old);
    return __int_as_float(old);
}
extern "C" __global__ void largest(float* y, const float* x, int n) {
    for (int i = blockIdx.x * blockDim.x + threadIdx.x; i < n; i += gridDim.x * blockDim.x) atomic_max(y, x[i]);
}
extern "C" __global__ void last_block(float* y, float* parts, unsigned* done, const float* x, int n) {
    __shared__ bool last;
    float sum = 0;
    for (int i = blockIdx.x * 32 + threadIdx.x; i < n; i += gridDim.x * 32) sum += x[i];
    for (int d = 16; d; d /= 2) sum += __shfl_down_sync(~0u, sum, d);
    if (threadIdx.x == 0) {
        parts[blockIdx.x] = sum;
        __threadfence();
        last = atomicInc(done, gridDim.x - 1) == gridDim.x - 1;
    }
    __syncthreads();
    if (last && threadIdx.x == 0) {
        float all = 0;
        for (int b = 0; b < gridDim.x; ++b) all += ((volatile float*)parts)[b];
        *y = all;
    }
}
extern "C" __global__ void transposed(float4* y, const float4* x) {
    __shared__ float tile[32][33];
    for (int r = threadIdx.y; r < 32; r += 8) tile[r][threadIdx.x] = ((const float*)x)[r * 32 + threadIdx.x];
    __syncthreads();
    for (int r = threadIdx.y; r < 32; r += 8) ((float*)y)[r * 32 + threadIdx.x] = tile[threadIdx.x][r];
}
