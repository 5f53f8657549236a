// In the manner of extensions of a deep-learning framework, and of collections of optimised kernels.
#include <torch/types.h>
#include <torch/extension.h>
#include <ATen/cuda/CUDAContext.h>
#include <c10/cuda/CUDAException.h>
#include <cuda_fp16.h>
#include <cuda_bf16.h>
#include <cuda_fp8.h>
#include <mma.h>
#include <vector>
#include <algorithm>
using namespace nvcuda;

#define WARP_SIZE 32
#define INT4(value) (reinterpret_cast<int4 *>(&(value))[0])
#define FLOAT4(value) (reinterpret_cast<float4 *>(&(value))[0])
#define HALF2(value) (reinterpret_cast<half2 *>(&(value))[0])
#define BFLOAT2(value) (reinterpret_cast<__nv_bfloat162 *>(&(value))[0])
#define LDST128BITS(value) (reinterpret_cast<float4 *>(&(value))[0])
#define CP_ASYNC_COMMIT_GROUP() asm volatile("cp.async.commit_group;\n" ::)
#define CP_ASYNC_WAIT_GROUP(n) asm volatile("cp.async.wait_group %0;\n" ::"n"(n))
#define CP_ASYNC_CG(dst, src, bytes) \
    asm volatile("cp.async.cg.shared.global.L2::128B [%0], [%1], %2;\n" ::"r"(dst), "l"(src), "n"(bytes))
#define CHECK_CUDA(x) TORCH_CHECK(x.device().is_cuda(), #x " must be a CUDA tensor")
#define CHECK_INPUT(x) CHECK_CUDA(x);

template <typename scalar_t>
__device__ __forceinline__ scalar_t sigmoid(scalar_t z) {
    return 1.0 / (1.0 + exp(-z));
}
template <typename scalar_t>
__device__ __forceinline__ scalar_t d_sigmoid(scalar_t z) {
    const auto s = sigmoid(z);
    return (1.0 - s) * s;
}

namespace {
template <typename scalar_t>
__global__ void lltm_cuda_forward_kernel(const scalar_t *__restrict__ gates, const scalar_t *__restrict__ old_cell,
                                         scalar_t *__restrict__ new_h, scalar_t *__restrict__ new_cell,
                                         size_t state_size) {
    const int column = blockIdx.x * blockDim.x + threadIdx.x;
    const int index = blockIdx.y * state_size + column;
    const int gates_row = blockIdx.y * (state_size * 3);
    if (column < state_size) {
        scalar_t input_gate = sigmoid(gates[gates_row + column]);
        scalar_t output_gate = sigmoid(gates[gates_row + state_size + column]);
        scalar_t candidate = tanh(gates[gates_row + 2 * state_size + column]);
        new_cell[index] = old_cell[index] + candidate * input_gate;
        new_h[index] = tanh(new_cell[index]) * output_gate;
    }
}
}  // namespace

std::vector<torch::Tensor> lltm_cuda_forward(torch::Tensor input, torch::Tensor old_cell) {
    CHECK_INPUT(input);
    const auto batch_size = old_cell.size(0);
    auto new_h = torch::zeros_like(old_cell);
    const dim3 blocks((batch_size + 1023) / 1024, batch_size);
    AT_DISPATCH_FLOATING_TYPES(input.scalar_type(), "lltm_forward_cuda", ([&] {
        lltm_cuda_forward_kernel<scalar_t><<<blocks, 1024>>>(input.data_ptr<scalar_t>(), old_cell.data_ptr<scalar_t>(),
            new_h.data_ptr<scalar_t>(), new_h.data_ptr<scalar_t>(), batch_size);
    }));
    C10_CUDA_KERNEL_LAUNCH_CHECK();
    return {new_h};
}

__global__ void elementwise_add_f16x8_pack_kernel(half *a, half *b, half *c, int N) {
    int idx = 8 * (blockIdx.x * blockDim.x + threadIdx.x);
    half pack_a[8], pack_b[8], pack_c[8];
    if ((idx + 7) < N) {
        LDST128BITS(pack_a[0]) = LDST128BITS(a[idx]);
        LDST128BITS(pack_b[0]) = LDST128BITS(b[idx]);
#pragma unroll
        for (int i = 0; i < 8; i += 2) {
            HALF2(pack_c[i]) = __hadd2(HALF2(pack_a[i]), HALF2(pack_b[i]));
        }
        LDST128BITS(c[idx]) = LDST128BITS(pack_c[0]);
    } else {
        for (int i = 0; idx + i < N; i++) c[idx + i] = __hadd(a[idx + i], b[idx + i]);
    }
}

template <const int kWarpSize = WARP_SIZE>
__device__ __forceinline__ float warp_reduce_sum_bf16_f32(__nv_bfloat16 val) {
    float val_f32 = __bfloat162float(val);
#pragma unroll
    for (int mask = kWarpSize >> 1; mask >= 1; mask >>= 1) {
        val_f32 += __shfl_xor_sync(0xffffffff, val_f32, mask);
    }
    return val_f32;
}
template <const int NUM_THREADS = 64>
__global__ void block_all_reduce_sum_bf16_f32_kernel(__nv_bfloat16 *a, float *y, int N) {
    int tid = threadIdx.x;
    int idx = blockIdx.x * NUM_THREADS + tid;
    constexpr int NUM_WARPS = (NUM_THREADS + WARP_SIZE - 1) / WARP_SIZE;
    __shared__ float reduce_smem[NUM_WARPS];
    __nv_bfloat16 sum_bf16 = (idx < N) ? a[idx] : __float2bfloat16(0.0f);
    int warp = tid / WARP_SIZE;
    int lane = tid % WARP_SIZE;
    float sum_f32 = warp_reduce_sum_bf16_f32<WARP_SIZE>(sum_bf16);
    if (lane == 0) reduce_smem[warp] = sum_f32;
    __syncthreads();
    float sum = (lane < NUM_WARPS) ? reduce_smem[lane] : 0.0f;
    for (int mask = WARP_SIZE >> 1; mask >= 1; mask >>= 1) sum += __shfl_xor_sync(0xffffffff, sum, mask);
    if (tid == 0) atomicAdd(y, sum);
}

template <const int BM = 32, const int BN = 32, const int BK = 8, const int TM = 4, const int TN = 4>
__global__ void sgemm_t_4x4_async_kernel(float *a, float *b, float *c, const int M, const int N, const int K) {
    __shared__ float s_a[2][BM][BK], s_b[2][BK][BN];
    const int bx = blockIdx.x, by = blockIdx.y, tid = threadIdx.x;
    const int load_a_m = tid / 2, load_a_k = (tid % 2) * 4, load_b_k = tid / 8, load_b_n = (tid % 8) * 4;
    float r_c[TM][TN] = {0.0f};
    auto load = [&](int stage, int bk) {
        unsigned a_ptr = __cvta_generic_to_shared(&s_a[stage][load_a_m][load_a_k]);
        CP_ASYNC_CG(a_ptr, &a[(by * BM + load_a_m) * K + bk * BK + load_a_k], 16);
        unsigned b_ptr = __cvta_generic_to_shared(&s_b[stage][load_b_k][load_b_n]);
        CP_ASYNC_CG(b_ptr, &b[(bk * BK + load_b_k) * N + bx * BN + load_b_n], 16);
        CP_ASYNC_COMMIT_GROUP();
    };
    load(0, 0);
    for (int bk = 0; bk < K / BK; ++bk) {
        CP_ASYNC_WAIT_GROUP(0);
        __syncthreads();
        if (bk + 1 < K / BK) load((bk + 1) & 1, bk + 1);
        for (int k = 0; k < BK; k++)
            for (int m = 0; m < TM; m++)
                for (int n = 0; n < TN; n++)
                    r_c[m][n] += s_a[bk & 1][tid / 8 * TM + m][k] * s_b[bk & 1][k][tid % 8 * TN + n];
    }
    for (int m = 0; m < TM; m++) FLOAT4(c[(by * BM + tid / 8 * TM + m) * N + bx * BN + tid % 8 * TN]) = FLOAT4(r_c[m][0]);
}

__global__ void hgemm_wmma_kernel(half *A, half *B, half *C, int M, int N, int K) {
    wmma::fragment<wmma::accumulator, 16, 16, 16, half> C_frag;
    wmma::fill_fragment(C_frag, 0.0);
    wmma::store_matrix_sync(C, C_frag, N, wmma::mem_row_major);
}
__global__ void relu_fp8_kernel(__nv_fp8_storage_t *x) { x[threadIdx.x] = 0; }

template <typename T, int VecSize>
struct alignas(sizeof(T) * VecSize) aligned_vector {
    T val[VecSize];
};
template <typename T, typename F, int VecSize>
__global__ void vectorized_elementwise(T *out, const T *in, int n, F f) {
    using vec = aligned_vector<T, VecSize>;
    int i = blockIdx.x * blockDim.x + threadIdx.x;
    if (i * VecSize + VecSize <= n) {
        vec v = reinterpret_cast<const vec *>(in)[i];
#pragma unroll
        for (int k = 0; k < VecSize; k++) v.val[k] = f(v.val[k]);
        reinterpret_cast<vec *>(out)[i] = v;
    }
}
struct SiluFunctor {
    float scale;
    __device__ float operator()(float x) const { return scale * x / (1 + __expf(-x)); }
};
template __global__ void vectorized_elementwise<float, SiluFunctor, 4>(float *, const float *, int, SiluFunctor);

enum class RopeMode : int { kHalf, kInterleaved };
namespace detail { namespace rope {
template <RopeMode Mode, typename T>
__global__ void __launch_bounds__(128, 2) rotate(T *x, const float2 *__restrict__ table, int heads, int dim) {
    const int token = blockIdx.x, half_dim = dim >> 1;
    for (int i = threadIdx.x; i < heads * half_dim; i += blockDim.x) {
        int head = i / half_dim, k = i % half_dim;
        float2 cs = __ldg(&table[token * half_dim + k]);
        T *base = x + (token * heads + head) * dim;
        int a = Mode == RopeMode::kHalf ? k : 2 * k, b = Mode == RopeMode::kHalf ? k + half_dim : 2 * k + 1;
        float u = float(base[a]), v = float(base[b]);
        base[a] = T(u * cs.x - v * cs.y);
        base[b] = T(u * cs.y + v * cs.x);
    }
}
}}  // namespace detail::rope

__global__ void count_unique_per_warp(const int *__restrict__ keys, int *counts, int n) {
    int i = blockIdx.x * blockDim.x + threadIdx.x;
    unsigned active = __ballot_sync(0xffffffffu, i < n);
    if (i < n) {
        unsigned peers = __match_any_sync(active, keys[i]);
        if (__ffs(peers) - 1 == (threadIdx.x & 31)) atomicAdd(&counts[keys[i]], __popc(peers));
    }
}

__device__ int append_aggregated(int *counter) {
    unsigned active = __activemask();
    int leader = __ffs(active) - 1, lane = threadIdx.x & 31, base = 0;
    if (lane == leader) base = atomicAdd(counter, __popc(active));
    base = __shfl_sync(active, base, leader);
    return base + __popc(active & ((1u << lane) - 1));
}
__global__ void filter(int *out, int *counter, const int *in, int n) {
    int i = threadIdx.x + blockIdx.x * blockDim.x;
    if (i < n && in[i] > 0) out[append_aggregated(counter)] = in[i];
}

torch::Tensor block_all_reduce_sum(torch::Tensor x) {
    auto options = torch::TensorOptions().dtype(torch::kFloat32).device(torch::kCUDA, 0);
    auto y = torch::zeros({1}, options);
    cudaStream_t stream = at::cuda::getCurrentCUDAStream();
    block_all_reduce_sum_bf16_f32_kernel<64><<<dim3(1), dim3(64), 0, stream>>>(
        reinterpret_cast<__nv_bfloat16 *>(x.data_ptr()), y.data_ptr<float>(), x.numel());
    return y;
}
#define STRINGFY(str) #str
#define TORCH_BINDING_COMMON_EXTENSION(func) m.def(STRINGFY(func), &func, STRINGFY(func));
PYBIND11_MODULE(TORCH_EXTENSION_NAME, m) {
    m.def("forward", &lltm_cuda_forward, "LLTM forward (CUDA)");
    TORCH_BINDING_COMMON_EXTENSION(block_all_reduce_sum)
}
