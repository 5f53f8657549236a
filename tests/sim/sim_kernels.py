"""Kernels for the simulator's own tests, in one source, so that they are built once."""

KERNELS = r"""
#include <cooperative_groups.h>
#include <cuda_bf16.h>
#include <cuda_fp16.h>
#include "ptx.cuh"
#include "wgmma.cuh"

template <typename T>
__global__ void add(T* out, const T* a, const T* b, int n) {  // a comment with "quotes" and __shared__ int x;
    int i = blockIdx.x * blockDim.x + threadIdx.x;
    if (i < n) out[i] = a[i] + b[i];
}

extern "C" __global__ void __launch_bounds__(256) block_sums(float* out, const float* x, int n) {
    __shared__ float partial[256];
    float sum = 0;
    for (int i = blockIdx.x * blockDim.x + threadIdx.x; i < n; i += gridDim.x * blockDim.x) sum += x[i];
    partial[threadIdx.x] = sum;
    __syncthreads();
    for (int half = blockDim.x / 2; half > 0; half /= 2) {
        if (threadIdx.x < half) partial[threadIdx.x] += partial[threadIdx.x + half];
        __syncthreads();
    }
    if (threadIdx.x == 0) out[blockIdx.x] = partial[0];
}

__global__ void shuffles(int* out) {  // [6][32]
    int lane = threadIdx.x, v = 100 + lane;
    out[lane] = __shfl_sync(0xffffffffu, v, 5);
    out[32 + lane] = __shfl_up_sync(0xffffffffu, v, 3);
    out[64 + lane] = __shfl_down_sync(0xffffffffu, v, 2, 8);
    out[96 + lane] = __shfl_xor_sync(0xffffffffu, v, 1);
    out[128 + lane] = __reduce_add_sync(0xffffffffu, v);
    auto tile = cooperative_groups::tiled_partition<8>(cooperative_groups::this_thread_block());
    out[160 + lane] = tile.shfl(v, 1);
}

__global__ void half_warp_shuffle(float* out) {  // lanes 16.. take no part: reading from them gives poison
    if (threadIdx.x < 16) out[threadIdx.x] = __shfl_sync(0x0000ffffu, 1.0f, threadIdx.x + 8);
}

__global__ void votes(unsigned* out, const int* x) {
    int lane = threadIdx.x;
    unsigned ballot = __ballot_sync(~0u, x[lane] > 0);
    int any = __any_sync(~0u, x[lane] > 1000), all = __all_sync(~0u, x[lane] < 1000);
    unsigned same = __match_any_sync(~0u, x[lane] % 4);
    int count = __syncthreads_count(x[lane] > 0);
    int either = __syncthreads_or(lane == 7), both = __syncthreads_and(lane < 31);
    if (lane != 3) return;
    out[0] = ballot, out[1] = any, out[2] = all, out[3] = same, out[4] = count, out[5] = either, out[6] = both;
}

__global__ void reverse_dynamic(int* x, int n) {
    extern __shared__ int kept[];
    for (int i = threadIdx.x; i < n; i += blockDim.x) kept[i] = x[i];
    __syncthreads();
    for (int i = threadIdx.x; i < n; i += blockDim.x) x[i] = kept[n - 1 - i];
}

template <int N>
__device__ int stays_apart(int v) {  // each instance has its own variable
    __shared__ int kept[2][N], other;
    if (threadIdx.x == 0) kept[1][N - 1] = v, other = N;
    __syncthreads();
    return kept[1][N - 1] * 10 + other;
}
__global__ void instances(int* out) {
    int one = stays_apart<1>(7), three = stays_apart<3>(8);
    out[threadIdx.x] = one * 1000 + three;
}

__global__ void histogram(int* counts, const unsigned char* x, int n) {
    for (int i = blockIdx.x * blockDim.x + threadIdx.x; i < n; i += gridDim.x * blockDim.x) atomicAdd(&counts[x[i]], 1);
}
__global__ void atomics(int* i, float* f, unsigned* u, unsigned long long* l, __half* h) {
    atomicMax(&i[0], (int)threadIdx.x); atomicMin(&i[1], -(int)threadIdx.x); atomicAdd(f, 0.5f);
    atomicInc(&u[0], 9); atomicOr(&u[1], 1u << threadIdx.x); atomicExch(&u[2], 77u);
    atomicCAS(l, 0ull, 1ull + threadIdx.x); atomicAdd(h, __half(1.0f));
}
__global__ void last_block(float* out, float* sums, unsigned* done, const float* x) {  // fence, then count
    __shared__ bool last;
    sums[blockIdx.x] = x[blockIdx.x] * 2;
    __threadfence();
    if (threadIdx.x == 0) last = atomicAdd(done, 1u) == gridDim.x - 1;
    __syncthreads();
    if (!last || threadIdx.x) return;
    float sum = 0;
    for (int i = 0; i < gridDim.x; i++) sum += sums[i];
    *out = sum;
}
__global__ void spin_lock(int* lock, int* count) {  // threads of one warp wait for each other
    while (atomicCAS(lock, 0, 1) != 0) {}
    *count += 1;
    atomicExch(lock, 0);
}

__global__ void pipeline(float* out, const float* x, int n) {  // sums of tiles of 128, loaded two ahead
    __shared__ float4 stage[3][32];
    int tiles = n / 128;
    float sum = 0;
    for (int t = 0; t < 2; t++) {
        cp_async16(smem_u32(&stage[t][threadIdx.x]), x + t * 128 + threadIdx.x * 4, t < tiles);
        cp_async_commit();
    }
    for (int t = 0; t < tiles; t++) {
        cp_async_wait<1>();
        __syncthreads();
        float4 v = stage[t % 3][31 - threadIdx.x];
        sum += v.x + v.y + v.z + v.w;
        int next = t + 2;
        cp_async16(smem_u32(&stage[next % 3][threadIdx.x]), x + next * 128 + threadIdx.x * 4, next < tiles);
        cp_async_commit();
    }
    out[threadIdx.x] = sum;
}
__global__ void no_wait(float* out, const float* x) {
    __shared__ float4 stage[32];
    cp_async16(smem_u32(&stage[threadIdx.x]), x + threadIdx.x * 4, true);
    cp_async_commit();
    __syncthreads();
    out[threadIdx.x] = stage[threadIdx.x].x;
}

// out[64][64] = a[64][k] b[64][k]^T in bfloat16: tiles by TMA two ahead, products by wgmma, 128 threads.
__global__ void hopper_product(float* out, const __grid_constant__ CUtensorMap a, const __grid_constant__ CUtensorMap b,
                               int k, int faults) {
    extern __shared__ __align__(1024) unsigned char stages[];  // [2][2][64 * 128 bytes]
    __shared__ alignas(8) u64 full[2];
    if (threadIdx.x == 0) {
        for (int s = 0; s < 2; s++) mbar_init(&full[s], 1);
        mbar_fence_init();
    }
    __syncthreads();
    auto load = [&](int t) {
        unsigned char* stage = stages + t % 2 * 16384;
        mbar_expect_tx(&full[t % 2], 16384);
        tma_load_2d(stage, &a, &full[t % 2], t * 64, 0);
        tma_load_2d(stage + 8192, &b, &full[t % 2], t * 64, 0);
    };
    const int tiles = (k + 63) / 64;
    if (threadIdx.x == 0 && !(faults & 1)) load(0);
    float d[32];
    for (int i = 0; i < 32; i++) d[i] = 0;
    for (int t = 0; t < tiles; t++) {
        if (threadIdx.x == 0 && t + 1 < tiles) load(t + 1);
        mbar_wait(&full[t % 2], t / 2 & 1);  // MARK mbarrier-wait
        wgmma_fence();
        const unsigned char* stage = stages + t % 2 * 16384;
        for (int kk = 0; kk < 4; kk++)
            wgmma_m64n64k16_bf16(d, wgmma_desc_sw128(stage) + kk * 2, wgmma_desc_sw128(stage + 8192) + kk * 2, 1);
        wgmma_commit();
        wgmma_wait<0>();
        __syncthreads();  // all have read the stage before it is loaded again
    }
    for (int i = 0; i < 32; i++) {
        int row = threadIdx.x / 32 * 16 + threadIdx.x % 32 / 4 + i / 2 % 2 * 8;
        out[row * 64 + i / 4 * 8 + threadIdx.x % 4 * 2 + i % 2] = d[i];
    }
}

template <typename T>
__device__ void multiply(float (&c)[4], const unsigned (&a)[4], const unsigned (&b)[2]);
template <>
__device__ void multiply<__nv_bfloat16>(float (&c)[4], const unsigned (&a)[4], const unsigned (&b)[2]) {
    mma_bf16_16816(c, a, b[0], b[1]);
}
template <>
__device__ void multiply<__half>(float (&c)[4], const unsigned (&a)[4], const unsigned (&b)[2]) {
    mma_f16_16816(c, a, b[0], b[1]);
}
template <typename T>
__global__ void mma_tile(float* d, const T* a, const T* b) {  // d[16][8] = a[16][16] b[8][16]^T
    __shared__ T shared_a[256], shared_b[128];
    int lane = threadIdx.x;
    for (int i = lane; i < 256; i += 32) shared_a[i] = a[i];
    for (int i = lane; i < 128; i += 32) shared_b[i] = b[i];
    __syncwarp();
    unsigned left[4], right[2];
    ldmatrix_x4(left, smem_u32(shared_a + lane % 16 * 16 + lane / 16 * 8));
    ldmatrix_x2(right, smem_u32(shared_b + lane % 8 * 16 + lane / 8 % 2 * 8));
    float c[4] = {0, 0, 0, 0};
    multiply<T>(c, left, right);
    int row = lane / 4, column = lane % 4 * 2;
    d[row * 8 + column] = c[0], d[row * 8 + column + 1] = c[1];
    d[(row + 8) * 8 + column] = c[2], d[(row + 8) * 8 + column + 1] = c[3];
}

__global__ void decode(float* f, float* g, const __half* h, const __nv_bfloat16* b) {
    int i = blockIdx.x * 256 + threadIdx.x;
    f[i] = __half2float(h[i]), g[i] = __bfloat162float(b[i]);
}
template <typename F>
__global__ void encode(__half* h, __nv_bfloat16* b, const F* x, int n) {
    int i = blockIdx.x * 256 + threadIdx.x;
    if (i < n) h[i] = __half(x[i]), b[i] = __nv_bfloat16(x[i]);
}
__global__ void half_arithmetic(__half* out, const __half* a, const __half* b, int n) {  // [4][n]
    int i = blockIdx.x * 256 + threadIdx.x;
    if (i >= n) return;
    out[i] = a[i] + b[i], out[n + i] = a[i] * b[i], out[2 * n + i] = a[i] / b[i];
    out[3 * n + i] = __hfma(a[i], b[i], a[i]);
}

__global__ void contraction(float* out, float a, float b, float c) { out[0] = a * b + c; }

__global__ void intrinsics(unsigned* u, float* f, int* i, float x) {
    u[0] = __popc(0xf0f0u), u[1] = __clz(1), u[2] = __brev(1u), u[3] = __byte_perm(0x44332211u, 0x88776655u, 0x7531u);
    u[4] = __umulhi(0x80000000u, 6u), u[5] = __funnelshift_l(0x80000000u, 1u, 1), u[6] = __ffs(8);
    i[0] = __float2int_rn(2.5f), i[1] = __float2int_rz(-1e20f), i[2] = __float2int_rd(-0.5f), i[3] = __float2int_rn(x);
    f[0] = rsqrtf(4.0f), f[1] = __saturatef(3.0f), f[2] = fmaxf(x, 1.0f), f[3] = __int_as_float(0x7f800000);
}

struct Pair { int first; double second; };
__global__ void every_kind(double* out, bool flag, signed char c, short s, unsigned u, long long l, float f, double d,
                           __half h, Pair p, const float* missing) {
    double v[] = {(double)flag, (double)c, (double)s, (double)u, (double)l, (double)f, d, (double)(float)h,
                  (double)p.first, p.second, (double)(missing == nullptr)};
    for (int i = 0; i < 11; i++) out[i] = v[i];
}

namespace inner { __global__ void in_namespace(int* out) { out[0] = 5; } }
__device__ __constant__ float table[3] = {1, 2, 3};
__global__ void geometry(int* out) {  // of a three-dimensional launch
    int block = (blockIdx.z * gridDim.y + blockIdx.y) * gridDim.x + blockIdx.x;
    int thread = (threadIdx.z * blockDim.y + threadIdx.y) * blockDim.x + threadIdx.x;
    out[block * (blockDim.x * blockDim.y * blockDim.z) + thread] = block * 100 + thread + (int)table[thread % 3];
}

// ---- mistakes; the tests look for the lines by these marks -------------------------------------------------------
__global__ void divergent_barrier(float* out) {
    if (threadIdx.x < 40)
        __syncthreads();  // MARK divergent-first
    else
        __syncthreads();  // MARK divergent-second
}
__global__ void early_return(float* out, int n) {
    if (threadIdx.x >= n) return;
    __syncthreads();  // MARK early-return
}
__global__ void deadlock(float* out) {
    if (threadIdx.x < 32) out[threadIdx.x] = __shfl_sync(~0u, 1.0f, 0);
    if (threadIdx.x == 3) return;
    if (threadIdx.x < 16) __syncwarp(0xffffu);
    else __syncthreads();  // MARK deadlock-barrier
    if (threadIdx.x < 16) bar_sync(1, 64);  // MARK deadlock-named
}
__global__ void wrong_mask(float* out) {
    if (threadIdx.x < 8) out[threadIdx.x] = __shfl_sync(0x0fu, 1.0f, 0);  // MARK wrong-mask
}
__global__ void divergent_shuffle(float* out) {
    if (threadIdx.x < 8) out[0] = __shfl_sync(~0u, 1.0f, 0);  // MARK shuffle-one
    else out[1] = __shfl_sync(~0u, 2.0f, 0);  // MARK shuffle-two
}
__global__ void writes_outside(float* out, int where) { out[where] = 1; }
__global__ void writes_outside_shared(float* out, int where) {
    __shared__ float tile[16];  // MARK shared-canary
    tile[where] = 1;
    out[0] = tile[0];
}
__global__ void too_much_shared(float* out) {
    __shared__ float large[13000];  // MARK too-much-shared
    large[threadIdx.x] = 1;
    out[0] = large[0];
}
__global__ void asserts(int* x) {
    assert(x[threadIdx.x] < 5);  // MARK assert
}
__global__ void misaligned_copy(float* out, const float* x) {
    __shared__ float4 tile[4];
    cp_async16(smem_u32(tile), x + 1, true);  // MARK misaligned
}
__global__ void uninitialised(float* out) {
    __shared__ float tile[32];
    out[threadIdx.x] = tile[threadIdx.x];
}
__global__ void waits_forever(int* flag) {
    while (atomicAdd(flag, 0) == 0) {}  // MARK spins
}
"""

EXPRESSIONS = ("add<float>", "add<double>", "add<int>", "mma_tile<__nv_bfloat16>", "mma_tile<__half>", "encode<float>",
               "encode<double>")


def line_of(mark: str) -> str:
    """ "kernel.cu:LINE" of the source line that carries a mark."""
    lines = [number for number, text in enumerate(KERNELS.split("\n"), 1) if text.endswith("MARK " + mark)]
    assert len(lines) == 1, mark
    return f"kernel.cu:{lines[0]}"
