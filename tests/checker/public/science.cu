// In the manner of samples of numerical work: constants in constant memory, vector types, several kernels a step.
#include <assert.h>
#include <stdio.h>
#include <math_constants.h>
#include <cuda_runtime.h>
#include <vector_types.h>
#ifdef _WIN32
#define DLLEXPORT __declspec(dllexport)
#else
#define DLLEXPORT
#endif
typedef unsigned int uint;
#define KERNEL_RADIUS 4
#define KERNEL_LENGTH (2 * KERNEL_RADIUS + 1)
__constant__ float c_Kernel[KERNEL_LENGTH] = {1, 2, 3, 4, 5, 4, 3, 2, 1};

extern "C" DLLEXPORT void setConvolutionKernel(float *h_Kernel) {
    cudaMemcpyToSymbol(c_Kernel, h_Kernel, KERNEL_LENGTH * sizeof(float));
}

#define ROWS_BLOCKDIM_X 16
#define ROWS_BLOCKDIM_Y 4
#define ROWS_RESULT_STEPS 2
#define ROWS_HALO_STEPS 1
__global__ void convolutionRowsKernel(float *d_Dst, float *d_Src, int imageW, int imageH, int pitch) {
    __shared__ float s_Data[ROWS_BLOCKDIM_Y][(ROWS_RESULT_STEPS + 2 * ROWS_HALO_STEPS) * ROWS_BLOCKDIM_X];
    const int baseX = (blockIdx.x * ROWS_RESULT_STEPS - ROWS_HALO_STEPS) * ROWS_BLOCKDIM_X + threadIdx.x;
    const int baseY = blockIdx.y * ROWS_BLOCKDIM_Y + threadIdx.y;
    d_Src += baseY * pitch + baseX;
    d_Dst += baseY * pitch + baseX;
#pragma unroll
    for (int i = ROWS_HALO_STEPS; i < ROWS_HALO_STEPS + ROWS_RESULT_STEPS; i++) {
        s_Data[threadIdx.y][threadIdx.x + i * ROWS_BLOCKDIM_X] = d_Src[i * ROWS_BLOCKDIM_X];
    }
    for (int i = 0; i < ROWS_HALO_STEPS; i++) {
        s_Data[threadIdx.y][threadIdx.x + i * ROWS_BLOCKDIM_X] =
            (baseX >= -i * ROWS_BLOCKDIM_X) ? d_Src[i * ROWS_BLOCKDIM_X] : 0;
    }
    for (int i = ROWS_HALO_STEPS + ROWS_RESULT_STEPS; i < ROWS_HALO_STEPS + ROWS_RESULT_STEPS + ROWS_HALO_STEPS; i++) {
        s_Data[threadIdx.y][threadIdx.x + i * ROWS_BLOCKDIM_X] =
            (imageW - baseX > i * ROWS_BLOCKDIM_X) ? d_Src[i * ROWS_BLOCKDIM_X] : 0;
    }
    __syncthreads();
    for (int i = ROWS_HALO_STEPS; i < ROWS_HALO_STEPS + ROWS_RESULT_STEPS; i++) {
        float sum = 0;
        for (int j = -KERNEL_RADIUS; j <= KERNEL_RADIUS; j++) {
            sum += c_Kernel[KERNEL_RADIUS - j] * s_Data[threadIdx.y][threadIdx.x + i * ROWS_BLOCKDIM_X + j];
        }
        d_Dst[i * ROWS_BLOCKDIM_X] = sum;
    }
}

template <typename T> struct vec3 { typedef float Type; };
template <> struct vec3<float> { typedef float3 Type; };
template <> struct vec3<double> { typedef double3 Type; };
template <typename T> struct vec4 { typedef float Type; };
template <> struct vec4<float> { typedef float4 Type; };
template <> struct vec4<double> { typedef double4 Type; };
__constant__ float softeningSquared = 0.01f;
__constant__ double softeningSquared_fp64 = 0.01;
template <typename T> __device__ T getSofteningSquared() { return softeningSquared; }
template <> __device__ double getSofteningSquared<double>() { return softeningSquared_fp64; }
template <typename T> __device__ T rsqrt_T(T x) { return rsqrt(x); }
template <> __device__ float rsqrt_T<float>(float x) { return rsqrtf(x); }

template <typename T>
__device__ typename vec3<T>::Type bodyBodyInteraction(typename vec3<T>::Type ai, typename vec4<T>::Type bi,
                                                      typename vec4<T>::Type bj) {
    typename vec3<T>::Type r;
    r.x = bj.x - bi.x;
    r.y = bj.y - bi.y;
    r.z = bj.z - bi.z;
    T distSqr = r.x * r.x + r.y * r.y + r.z * r.z;
    distSqr += getSofteningSquared<T>();
    T invDist = rsqrt_T(distSqr);
    T s = bj.w * invDist * invDist * invDist;
    ai.x += r.x * s;
    ai.y += r.y * s;
    ai.z += r.z * s;
    return ai;
}
template <typename T>
__global__ void integrateBodies(typename vec4<T>::Type *__restrict__ newPos,
                                typename vec4<T>::Type *__restrict__ oldPos, typename vec4<T>::Type *vel,
                                unsigned int deviceNumBodies, T deltaTime, T damping, int numTiles) {
    extern __shared__ __align__(16) unsigned char shared_bytes[];
    auto *sharedPos = reinterpret_cast<typename vec4<T>::Type *>(shared_bytes);
    int index = blockIdx.x * blockDim.x + threadIdx.x;
    if (index >= deviceNumBodies) return;
    typename vec4<T>::Type position = oldPos[index];
    typename vec3<T>::Type accel = {0.0f, 0.0f, 0.0f};
    for (int tile = 0; tile < numTiles; tile++) {
        sharedPos[threadIdx.x] = oldPos[tile * blockDim.x + threadIdx.x];
        __syncthreads();
#pragma unroll 128
        for (unsigned int counter = 0; counter < blockDim.x; counter++) {
            accel = bodyBodyInteraction<T>(accel, position, sharedPos[counter]);
        }
        __syncthreads();
    }
    typename vec4<T>::Type velocity = vel[index];
    velocity.x += accel.x * deltaTime;
    velocity.x *= damping;
    position.x += velocity.x * deltaTime;
    newPos[index] = position;
    vel[index] = velocity;
}

__device__ inline float cndGPU(float d) {
    const float A1 = 0.31938153f, A2 = -0.356563782f, A3 = 1.781477937f, A4 = -1.821255978f, A5 = 1.330274429f;
    const float RSQRT2PI = 0.39894228040143267793994605993438f;
    float K = __fdividef(1.0f, (1.0f + 0.2316419f * fabsf(d)));
    float cnd = RSQRT2PI * __expf(-0.5f * d * d) * (K * (A1 + K * (A2 + K * (A3 + K * (A4 + K * A5)))));
    if (d > 0) cnd = 1.0f - cnd;
    return cnd;
}
__launch_bounds__(128) __global__ void BlackScholesGPU(float2 *__restrict d_CallResult, float2 *__restrict d_PutResult,
                                                       float2 *__restrict d_StockPrice, float2 *__restrict d_Strike,
                                                       float Riskfree, float Volatility, int optN) {
    const int opt = blockDim.x * blockIdx.x + threadIdx.x;
    if (opt < (optN / 2)) {
        float2 S = d_StockPrice[opt], X = d_Strike[opt], call, put;
        auto body = [&](float &c, float &p, float s, float x) {
            float sqrtT = __fdividef(1.0F, rsqrtf(1.0f));
            float d1 = __fdividef(__logf(s / x) + (Riskfree + 0.5f * Volatility * Volatility), Volatility * sqrtT);
            float CNDD1 = cndGPU(d1), CNDD2 = cndGPU(d1 - Volatility * sqrtT), expRT = __expf(-Riskfree);
            c = s * CNDD1 - x * expRT * CNDD2;
            p = x * expRT * (1.0f - CNDD2) - s * (1.0f - CNDD1);
        };
        body(call.x, put.x, S.x, X.x);
        body(call.y, put.y, S.y, X.y);
        d_CallResult[opt] = call;
        d_PutResult[opt] = put;
    }
}

#define ELEMENTARY_LOG2SIZE 4
__global__ void fwtBatch1Kernel(float *d_Output, float *d_Input, int log2N) {
    const int N = 1 << log2N;
    const int base = blockIdx.x << log2N;
    extern __shared__ float s_data[];
    for (int pos = threadIdx.x; pos < N; pos += blockDim.x) s_data[pos] = d_Input[base + pos];
    for (int stride = N / 2; stride > 0; stride >>= 1) {
        __syncthreads();
        for (int pos = threadIdx.x; pos < N / 2; pos += blockDim.x) {
            int lo = pos & (stride - 1);
            int i0 = ((pos - lo) << 1) + lo;
            int i1 = i0 + stride;
            float D0 = s_data[i0], D1 = s_data[i1];
            s_data[i0] = D0 + D1;
            s_data[i1] = D0 - D1;
        }
    }
    __syncthreads();
    for (int pos = threadIdx.x; pos < N; pos += blockDim.x) d_Output[base + pos] = s_data[pos];
}

template <typename T, int ROWS>
__global__ void spmv_csr_vector(const int *__restrict__ offsets, const int *__restrict__ columns,
                                const T *__restrict__ values, const T *__restrict__ x, T *y, const int rows) {
    const int row = blockIdx.x * ROWS + threadIdx.y;
    if (row >= rows) return;
    T sum = 0;
    for (int j = offsets[row] + threadIdx.x; j < offsets[row + 1]; j += warpSize) sum += values[j] * x[columns[j]];
    for (int d = warpSize >> 1; d; d >>= 1) sum += __shfl_down_sync(0xffffffff, sum, d);
    if (threadIdx.x == 0) y[row] = sum;
}

struct Graph {
    int nodes;
    const int *__restrict__ first;
    const int *__restrict__ to;
};
__global__ void bfs_step(Graph g, const bool *frontier, int *level, int depth, int *done) {
    int v = blockIdx.x * blockDim.x + threadIdx.x;
    if (v >= g.nodes || !frontier[v]) return;
    for (int e = g.first[v]; e < g.first[v + 1]; e++)
        if (atomicCAS(&level[g.to[e]], -1, depth) == -1) atomicExch(done, 0);
}

__global__ void jacobi(const double *__restrict__ a, double *__restrict__ b, int nx, int ny, double *norm) {
    int ix = blockIdx.x * blockDim.x + threadIdx.x + 1;
    int iy = blockIdx.y * blockDim.y + threadIdx.y + 1;
    double local = 0;
    if (iy < ny - 1 && ix < nx - 1) {
        double v = 0.25 * (a[iy * nx + ix + 1] + a[iy * nx + ix - 1] + a[(iy + 1) * nx + ix] + a[(iy - 1) * nx + ix]);
        b[iy * nx + ix] = v;
        double r = v - a[iy * nx + ix];
        local = r * r;
    }
    if (local > 0) atomicAdd(norm, local);
}

int main() {
    printf("%d\n", KERNEL_LENGTH);
    BlackScholesGPU<<<1, 128>>>(0, 0, 0, 0, 0.02f, 0.3f, 4);
    return cudaDeviceSynchronize();
}
