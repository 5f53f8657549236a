/*
In the manner of a language model's training in plain CUDA: one file, macros around every call, a switchable type.
*/
#include <stdio.h>
#include <stdlib.h>
#include <math.h>
#include <time.h>
#include <assert.h>
#include <float.h>
#include <string.h>
#include <unistd.h>
#include <cublas_v2.h>
#include <cublasLt.h>
#include <cuda_runtime.h>
#include <cooperative_groups.h>
#include <cooperative_groups/reduce.h>
#include <nvtx3/nvToolsExt.h>
#ifdef MULTI_GPU
#include <mpi.h>
#include <nccl.h>
#endif
namespace cg = cooperative_groups;

#if defined(ENABLE_BF16)
typedef __nv_bfloat16 floatX;
#define CUBLAS_LOWP CUDA_R_16BF
#else
typedef float floatX;
#define CUBLAS_LOWP CUDA_R_32F
#endif

#define CEIL_DIV(M, N) (((M) + (N)-1) / (N))
#define WARP_SIZE 32U
void cudaCheck(cudaError_t error, const char *file, int line) {
    if (error != cudaSuccess) {
        printf("[CUDA ERROR] at file %s:%d:\n%s\n", file, line, cudaGetErrorString(error));
        exit(EXIT_FAILURE);
    }
};
#define cudaCheck(err) (cudaCheck(err, __FILE__, __LINE__))
void cublasCheck(cublasStatus_t status, const char *file, int line) {
    if (status != CUBLAS_STATUS_SUCCESS) exit(EXIT_FAILURE);
}
#define cublasCheck(status) { cublasCheck((status), __FILE__, __LINE__); }
static cublasComputeType_t cublas_compute_type;
cublasHandle_t cublas_handle;
cudaDeviceProp deviceProp;

template <class ElementType>
struct alignas(16) Packed128 {
    Packed128() = default;
    __device__ explicit Packed128(int4 bits) { memcpy(&payload, &bits, sizeof(bits)); }
    __device__ static Packed128 constant(ElementType value) {
        Packed128 result;
        for (int k = 0; k < size; ++k) result.payload[k] = value;
        return result;
    }
    __device__ static Packed128 zeros() { return constant(0.f); }
    __device__ ElementType &operator[](int index) { return payload[index]; }
    __device__ const ElementType &operator[](int index) const { return payload[index]; }
    __device__ int4 get_bits() const {
        int4 bits;
        static_assert(sizeof(bits) == sizeof(payload), "Size mismatch.");
        memcpy(&bits, &payload, sizeof(bits));
        return bits;
    }
    static constexpr const size_t size = sizeof(int4) / sizeof(ElementType);
    ElementType payload[size];
};
typedef Packed128<float> f128;
typedef Packed128<floatX> x128;
template <class ElementType>
__device__ Packed128<ElementType> load128(const ElementType *address) {
    return Packed128<ElementType>{*reinterpret_cast<const int4 *>(address)};
}
template <class ElementType>
__device__ Packed128<ElementType> load128cs(const ElementType *address) {
    return Packed128<ElementType>{__ldcs(reinterpret_cast<const int4 *>(address))};
}
template <class ElementType>
__device__ void store128(ElementType *target, Packed128<ElementType> value) {
    *reinterpret_cast<int4 *>(target) = value.get_bits();
}
template <class ElementType>
__device__ void store128cs(ElementType *target, Packed128<ElementType> value) {
    __stcs(reinterpret_cast<int4 *>(target), value.get_bits());
}

__device__ inline float warpReduceSum(float val) {
    for (int offset = 16; offset > 0; offset /= 2) val += __shfl_xor_sync(0xFFFFFFFF, val, offset);
    return val;
}
__device__ inline float warpReduceMax(float val) {
    for (int offset = 16; offset > 0; offset /= 2) val = fmaxf(val, __shfl_xor_sync(0xFFFFFFFF, val, offset));
    return val;
}
using reduction_func_t = float (*)(float);
template <reduction_func_t warp_reduction>
__device__ inline float blockReduce(float val, bool final_sync = false, float out_of_bounds = 0.0f) {
    __shared__ float shared_val[WARP_SIZE];
    const int lane_id = threadIdx.x % WARP_SIZE;
    const int warp_id = threadIdx.x / WARP_SIZE;
    const int num_warps = blockDim.x / WARP_SIZE;
    float warp_val = warp_reduction(val);
    if (lane_id == 0) { shared_val[warp_id] = warp_val; }
    __syncthreads();
    warp_val = (lane_id < num_warps) ? shared_val[lane_id] : out_of_bounds;
    float block_val = warp_reduction(warp_val);
    if (final_sync) { __syncthreads(); }
    return block_val;
}

__global__ void encoder_forward_kernel3(floatX *out, const int *inp, const floatX *wte, const floatX *wpe, int B, int T,
                                        int C) {
    int idx = (blockIdx.x * blockDim.x + threadIdx.x) * x128::size;
    int N = B * T * C;
    if (idx >= N) { return; }
    int bt = idx / C;
    int b = bt / T;
    int t = bt % T;
    int c = idx % C;
    int ix = inp[b * T + t];
    floatX *out_btc = out + b * T * C + t * C + c;
    x128 packed_out;
    x128 wte128 = load128cs(wte + ix * C + c);
    x128 wpe128 = load128cs(wpe + t * C + c);
    for (int k = 0; k < x128::size; k++) packed_out[k] = (floatX)((float)wte128[k] + (float)wpe128[k]);
    store128(out_btc, packed_out);
}

__global__ void layernorm_forward_kernel3(floatX *__restrict__ out, float *__restrict__ mean, float *__restrict__ rstd,
                                          const floatX *__restrict__ inp, const floatX *__restrict__ weight,
                                          const floatX *__restrict__ bias, int N, int C) {
    cg::thread_block block = cg::this_thread_block();
    cg::thread_block_tile<32> warp = cg::tiled_partition<32>(block);
    int idx = blockIdx.x * warp.meta_group_size() + warp.meta_group_rank();
    if (idx >= N) { return; }
    const floatX *x = inp + idx * C;
    float sum = 0.0f;
    for (int i = warp.thread_rank(); i < C; i += warp.size()) sum += (float)x[i];
    sum = cg::reduce(warp, sum, cg::plus<float>{});
    float m = sum / C;
    if (warp.thread_rank() == 0 && mean != nullptr) { __stcs(mean + idx, m); }
    sum = 0.0f;
    for (int i = warp.thread_rank(); i < C; i += warp.size()) {
        float diff = (float)x[i] - m;
        sum += diff * diff;
    }
    sum = cg::reduce(warp, sum, cg::plus<float>{});
    float s = rsqrtf(sum / C + 1e-5f);
    if (warp.thread_rank() == 0 && rstd != nullptr) { __stcs(rstd + idx, s); }
    floatX *o = out + idx * C;
    for (int c = warp.thread_rank(); c < C; c += warp.size()) {
        float n = s * ((float)__ldcs(x + c) - m);
        __stcs(o + c, (floatX)(n * (float)weight[c] + (float)bias[c]));
    }
}

#define GELU_SCALING_FACTOR sqrtf(2.0f / M_PI)
__global__ void gelu_forward_kernel2(floatX *out, const floatX *inp) {
    int idx = (blockIdx.x * blockDim.x + threadIdx.x) * x128::size;
    x128 packed_out;
    x128 packed_inp = load128cs(inp + idx);
    for (int k = 0; k < packed_inp.size; ++k) {
        float xi = (float)packed_inp[k];
        float cube = 0.044715f * xi * xi * xi;
        packed_out[k] = (floatX)(0.5f * xi * (1.0f + tanhf(GELU_SCALING_FACTOR * (xi + cube))));
    }
    store128(out + idx, packed_out);
}

struct SoftmaxParams {
    float Scale;
    float Offset;
};
__device__ SoftmaxParams prepare_softmax_blockwide3(int64_t idx, const floatX *inp, int V, int P) {
    const floatX *x = inp + idx * P;
    float thread_maxval = -INFINITY;
    float thread_sumval = 0.0f;
    for (int i = (V - 1) - (int)threadIdx.x; i >= 0; i -= blockDim.x) {
        float v = (float)x[i];
        float old_maxval = thread_maxval;
        thread_maxval = fmaxf(thread_maxval, v);
        thread_sumval *= expf((old_maxval - thread_maxval));
        thread_sumval += expf(v - thread_maxval);
    }
    float block_maxval = blockReduce<warpReduceMax>(thread_maxval, false, -FLT_MAX);
    thread_sumval *= expf(thread_maxval - block_maxval);
    float block_sumval = blockReduce<warpReduceSum>(thread_sumval);
    return SoftmaxParams{1.f / block_sumval, block_maxval};
}
template <bool WriteDLogits = true, bool WriteProbs = false>
__global__ void __launch_bounds__(1024)
    fused_classifier_kernel5(floatX *logits, float *losses, floatX *probs, const float dloss, const int *targets, int B,
                             int T, int V, int P, std::bool_constant<WriteDLogits>) {
    int64_t idx = gridDim.x - (blockIdx.x + 1);
    int ix = targets[idx];
    SoftmaxParams sp = prepare_softmax_blockwide3(idx, logits, V, P);
    if (threadIdx.x == 0) {
        float prob = expf((float)logits[idx * P + ix] - sp.Offset) * sp.Scale;
        losses[idx] = -logf(prob);
    }
    __syncthreads();
    if constexpr (WriteDLogits) {
        for (int i = threadIdx.x; i < V; i += blockDim.x) {
            float prob = expf((float)logits[idx * P + i] - sp.Offset) * sp.Scale;
            float indicator = (i == ix) ? 1.0f : 0.0f;
            logits[idx * P + i] = (floatX)((prob - indicator) * dloss);
        }
    }
}

__device__ inline float lerp(float start, float end, float weight) { return fma(weight, end, fma(-weight, start, start)); }
template <typename Tp, typename Tg>
__global__ void adamw_kernel3(Tp *params_memory, float *master_params_memory, Tg *grads_memory, float *m_memory,
                              float *v_memory, size_t num_parameters, ptrdiff_t w_stride, float learning_rate,
                              float beta1, float beta2, float beta1_correction, float beta2_correction, float eps,
                              float weight_decay, float grad_scale) {
    size_t idx = blockIdx.x * blockDim.x + threadIdx.x;
    if (idx >= num_parameters) { return; }
    params_memory += blockIdx.y * w_stride;
    float grad = grad_scale * (float)grads_memory[idx];
    float m = m_memory[idx];
    float v = v_memory[idx];
    m = lerp(grad, m, beta1);
    m_memory[idx] = m;
    v = lerp(grad * grad, v, beta2);
    v_memory[idx] = v;
    m /= beta1_correction;
    v /= beta2_correction;
    float old_param = (master_params_memory != NULL) ? master_params_memory[idx] : (float)params_memory[idx];
    float param = old_param - (learning_rate * (m / (sqrtf(v) + eps) + weight_decay * old_param));
    params_memory[idx] = (Tp)param;
    if (master_params_memory != NULL) { master_params_memory[idx] = param; }
}

__global__ void matmul_backward_bias_kernel4(floatX *dbias, const floatX *dout, int B, int T, int OC) {
    extern __shared__ float smem[];
    const int warp_id = threadIdx.x / warpSize;
    const int lane_id = threadIdx.x % warpSize;
    const int tl = blockIdx.x * warpSize;
    const int vstep = blockDim.x / warpSize;
    const floatX *dout_col = dout + tl + lane_id;
    float dout_sum = 0.0f;
    for (int row = warp_id; row < B * T; row += vstep) dout_sum += (float)dout_col[row * OC];
    smem[lane_id + warp_id * warpSize] = dout_sum;
    __syncthreads();
    dout_sum = 0.0f;
    if (warp_id == 0) {
        for (int j = 0; j < vstep; j++) dout_sum += smem[lane_id + j * warpSize];
        dbias[tl + lane_id] += (floatX)dout_sum;
    }
}

void encoder_forward(floatX *out, const int *inp, const floatX *wte, const floatX *wpe, int B, int T, int C,
                     cudaStream_t stream) {
    const int block_size = 256;
    const int N = B * T * C;
    encoder_forward_kernel3<<<CEIL_DIV(N, (int)(block_size * x128::size)), block_size, 0, stream>>>(out, inp, wte, wpe,
                                                                                                   B, T, C);
    cudaCheck(cudaGetLastError());
}

void matmul_forward_cublaslt(floatX *out, floatX *inp, floatX *weight, int B, int T, int C, int OC) {
    int has_bias = 0;
    cublasLtMatmulDesc_t operationDesc;
    const float alpha = 1.0f, beta = 0.0f;
    cublasCheck(cublasLtMatmulDescCreate(&operationDesc, cublas_compute_type, CUDA_R_32F));
    cublasCheck(cublasGemmEx(cublas_handle, CUBLAS_OP_T, CUBLAS_OP_N, OC, B * T, C, &alpha, weight, CUBLAS_LOWP, C, inp,
                             CUBLAS_LOWP, C, &beta, out, CUBLAS_LOWP, OC, CUDA_R_32F, CUBLAS_GEMM_DEFAULT));
}

typedef struct {
    int max_seq_len;
    int vocab_size;
} GPT2Config;
typedef struct {
    GPT2Config config;
    float *params_memory;
    unsigned long long rng_state;
} GPT2;

void gpt2_build_from_checkpoint(GPT2 *model, const char *checkpoint_path) {
    FILE *model_file = fopen(checkpoint_path, "rb");
    if (model_file == NULL) { printf("Error opening model file\n"); exit(EXIT_FAILURE); }
    int model_header[256];
    fread(model_header, sizeof(int), 256, model_file);
    model->config.max_seq_len = model_header[2];
    fclose(model_file);
}
unsigned int random_u32(unsigned long long *state) {
    *state ^= *state >> 12;
    return (*state * 0x2545F4914F6CDD1Dull) >> 32;
}

int main(int argc, char *argv[]) {
    GPT2 model;
    gpt2_build_from_checkpoint(&model, "gpt2_124M.bin");
    for (int i = 1; i < argc; i += 2) {
        if (argv[i][1] == 'b') { model.config.vocab_size = atoi(argv[i + 1]); }
    }
    struct timespec start;
    clock_gettime(CLOCK_MONOTONIC, &start);
    cudaGetDeviceProperties(&deviceProp, 0);
    cublasCheck(cublasCreate(&cublas_handle));
    nvtxRangePushA("step");
    encoder_forward(nullptr, nullptr, nullptr, nullptr, 4, 64, 768, 0);
    return 0;
}
