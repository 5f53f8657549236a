// wgmma, one kernel whose instances are the wrappers.
#include "common.cuh"
#include "wgmma.cuh"

// Product<N, T, A_T, B_T>::run is wgmma_m64n<N>k16_bf16 or _f16, or wgmma_m64n<N>k8_tf32 for float.
template <int N, typename T, bool A_T, bool B_T>
struct Product;
#define WRAPPER(N, T, ...)                                                                                       \
    template <bool A_T, bool B_T>                                                                                \
    struct Product<N, T, A_T, B_T> {                                                                             \
        static __device__ __forceinline__ void run(float (&d)[N / 2], unsigned long long a, unsigned long long b, \
                                                   int accumulate) {                                             \
            __VA_ARGS__(d, a, b, accumulate);                                                                    \
        }                                                                                                        \
    };
#define LEFT(N)                                                                                                        \
    __device__ __forceinline__ void left(float (&d)[N / 2], const unsigned int (&a)[4], unsigned long long b) {        \
        wgmma_m64n##N##k8_tf32(d, a, b);                                                                               \
    }
#define WRAPPERS(N)                                             \
    WRAPPER(N, __nv_bfloat16, wgmma_m64n##N##k16_bf16<A_T, B_T>) \
    WRAPPER(N, __half, wgmma_m64n##N##k16_f16<A_T, B_T>)         \
    WRAPPER(N, float, wgmma_m64n##N##k8_tf32)                    \
    LEFT(N)
WRAPPERS(8) WRAPPERS(16) WRAPPERS(24) WRAPPERS(32) WRAPPERS(40) WRAPPERS(48) WRAPPERS(56) WRAPPERS(64)
WRAPPERS(72) WRAPPERS(80) WRAPPERS(88) WRAPPERS(96) WRAPPERS(104) WRAPPERS(112) WRAPPERS(120) WRAPPERS(128)
WRAPPERS(136) WRAPPERS(144) WRAPPERS(152) WRAPPERS(160) WRAPPERS(168) WRAPPERS(176) WRAPPERS(184) WRAPPERS(192)
WRAPPERS(200) WRAPPERS(208) WRAPPERS(216) WRAPPERS(224) WRAPPERS(232) WRAPPERS(240) WRAPPERS(248) WRAPPERS(256)

// out[128][N / 2]: the sums of `steps` products, 32 bytes of k each. a and b are given as shared memory holds them;
// from one step to the next they move on by a_step and b_step bytes. Block: 128.
template <int N, typename T, bool A_T, bool B_T>
__global__ void use_wgmma(float* out, const unsigned char* a, const unsigned char* b, int a_bytes, int b_bytes, int leading,
                          int stride, int swizzle, int a_step, int b_step, int steps) {
    extern __shared__ __align__(1024) unsigned char shared[];
    for (int i = threadIdx.x; i < a_bytes; i += 128) shared[i] = a[i];
    for (int i = threadIdx.x; i < b_bytes; i += 128) shared[a_bytes + i] = b[i];
    fence_proxy_async();
    __syncthreads();
    float d[N / 2];
    for (int i = 0; i < N / 2; ++i) d[i] = 1e30f;
    wgmma_fence();
    for (int s = 0; s < steps; ++s)
        Product<N, T, A_T, B_T>::run(d, wgmma_descriptor(shared + s * a_step, leading, stride, swizzle),
                                        wgmma_descriptor(shared + a_bytes + s * b_step, leading, stride, swizzle), s > 0);
    wgmma_commit();
    wgmma_wait<0>();
    wgmma_sums(d);
    for (int i = 0; i < N / 2; ++i) out[threadIdx.x * (N / 2) + i] = d[i];
}

// One product with both operands in rows of 128 bytes. Block: 128.
__global__ void use_wgmma_desc_sw128(float* out, const unsigned char* a, const unsigned char* b) {
    extern __shared__ __align__(1024) unsigned char shared[];
    for (int i = threadIdx.x; i < 8192; i += 128) shared[i] = a[i];
    for (int i = threadIdx.x; i < 1024; i += 128) shared[8192 + i] = b[i];
    fence_proxy_async();
    __syncthreads();
    float d[4] = {0.0f, 0.0f, 0.0f, 0.0f};
    wgmma_fence();
    wgmma_m64n8k16_bf16(d, wgmma_desc_sw128(shared), wgmma_desc_sw128(shared + 8192), 1);
    wgmma_commit();
    wgmma_wait<0>();
    for (int i = 0; i < 4; ++i) out[threadIdx.x * 4 + i] = d[i];
}

// out[128][N / 2]: of TF32, with each thread's four registers of the left operand; b as before, 32 bytes of k. Block: 128.
template <int N>
__global__ void use_wgmma_left(float* out, const unsigned int* a, const unsigned char* b, int b_bytes, int leading, int stride,
                               int swizzle) {
    extern __shared__ __align__(1024) unsigned char shared[];
    for (int i = threadIdx.x; i < b_bytes; i += 128) shared[i] = b[i];
    fence_proxy_async();
    __syncthreads();
    const unsigned int* const own = a + threadIdx.x * 4;
    const unsigned int registers[4] = {own[0], own[1], own[2], own[3]};
    float d[N / 2];
    for (int i = 0; i < N / 2; ++i) d[i] = 1.0f;
    wgmma_fence();
    left(d, registers, wgmma_descriptor(shared, leading, stride, swizzle));
    wgmma_commit();
    wgmma_wait<0>();
    wgmma_sums(d);
    for (int i = 0; i < N / 2; ++i) out[threadIdx.x * (N / 2) + i] = d[i];
}
