// In the manner of a vendor's samples: kernels beside the program that launches and times them.
#include <cstdio>
#include <cstdlib>
#include <cmath>
#include <string.h>
#include <cuda_runtime.h>
#include <cooperative_groups.h>
#include <cooperative_groups/reduce.h>
#include <helper_cuda.h>
#include <helper_functions.h>
namespace cg = cooperative_groups;

#define checkErrors(call)                                                                            \
    do {                                                                                             \
        cudaError_t error = (call);                                                                  \
        if (error != cudaSuccess) {                                                                  \
            fprintf(stderr, "%s:%d: %s\n", __FILE__, __LINE__, cudaGetErrorString(error));           \
            exit(EXIT_FAILURE);                                                                      \
        }                                                                                            \
    } while (0)

__global__ void vectorAdd(const float *A, const float *B, float *C, int numElements) {
    int i = blockDim.x * blockIdx.x + threadIdx.x;
    if (i < numElements) {
        C[i] = A[i] + B[i] + 0.0f;
    }
}

template <int BLOCK_SIZE>
__global__ void MatrixMulCUDA(float *C, float *A, float *B, int wA, int wB) {
    int bx = blockIdx.x;
    int by = blockIdx.y;
    int tx = threadIdx.x;
    int ty = threadIdx.y;
    int aBegin = wA * BLOCK_SIZE * by;
    int aEnd = aBegin + wA - 1;
    int aStep = BLOCK_SIZE;
    int bBegin = BLOCK_SIZE * bx;
    int bStep = BLOCK_SIZE * wB;
    float Csub = 0;
    for (int a = aBegin, b = bBegin; a <= aEnd; a += aStep, b += bStep) {
        __shared__ float As[BLOCK_SIZE][BLOCK_SIZE];
        __shared__ float Bs[BLOCK_SIZE][BLOCK_SIZE];
        As[ty][tx] = A[a + wA * ty + tx];
        Bs[ty][tx] = B[b + wB * ty + tx];
        __syncthreads();
#pragma unroll
        for (int k = 0; k < BLOCK_SIZE; ++k) {
            Csub += As[ty][k] * Bs[k][tx];
        }
        __syncthreads();
    }
    int c = wB * BLOCK_SIZE * by + BLOCK_SIZE * bx;
    C[c + wB * ty + tx] = Csub;
}

#define TILE_DIM 16
#define BLOCK_ROWS 4
__global__ void transposeNoBankConflicts(float *odata, float *idata, int width, int height) {
    cg::thread_block cta = cg::this_thread_block();
    __shared__ float tile[TILE_DIM][TILE_DIM + 1];
    int xIndex = blockIdx.x * TILE_DIM + threadIdx.x;
    int yIndex = blockIdx.y * TILE_DIM + threadIdx.y;
    int index_in = xIndex + (yIndex)*width;
    xIndex = blockIdx.y * TILE_DIM + threadIdx.x;
    yIndex = blockIdx.x * TILE_DIM + threadIdx.y;
    int index_out = xIndex + (yIndex)*height;
    for (int i = 0; i < TILE_DIM; i += BLOCK_ROWS) {
        tile[threadIdx.y + i][threadIdx.x] = idata[index_in + i * width];
    }
    cg::sync(cta);
    for (int i = 0; i < TILE_DIM; i += BLOCK_ROWS) {
        odata[index_out + i * height] = tile[threadIdx.x][threadIdx.y + i];
    }
}

// A pointer to dynamic shared memory of any type.
template <class T>
struct SharedMemory {
    __device__ inline operator T *() {
        extern __shared__ int __smem[];
        return (T *)__smem;
    }
    __device__ inline operator const T *() const {
        extern __shared__ int __smem[];
        return (T *)__smem;
    }
};

template <class T, unsigned int blockSize, bool nIsPow2>
__global__ void reduce6(T *g_idata, T *g_odata, unsigned int n) {
    cg::thread_block cta = cg::this_thread_block();
    T *sdata = SharedMemory<T>();
    unsigned int tid = threadIdx.x;
    unsigned int i = blockIdx.x * blockSize * 2 + threadIdx.x;
    unsigned int gridSize = blockSize * 2 * gridDim.x;
    T mySum = 0;
    while (i < n) {
        mySum += g_idata[i];
        if (nIsPow2 || i + blockSize < n) mySum += g_idata[i + blockSize];
        i += gridSize;
    }
    sdata[tid] = mySum;
    cg::sync(cta);
    if ((blockSize >= 128) && (tid < 64)) {
        sdata[tid] = mySum = mySum + sdata[tid + 64];
    }
    cg::sync(cta);
    cg::thread_block_tile<32> tile32 = cg::tiled_partition<32>(cta);
    if (cta.thread_rank() < 32) {
        if (blockSize >= 64) mySum += sdata[tid + 32];
        for (int offset = tile32.size() / 2; offset > 0; offset /= 2) {
            mySum += tile32.shfl_down(mySum, offset);
        }
    }
    if (cta.thread_rank() == 0) g_odata[blockIdx.x] = mySum;
}

__device__ unsigned int retirementCount = 0;
__global__ void reduceSinglePass(const float *g_idata, float *g_odata, unsigned int n) {
    __shared__ float parts[64];
    __shared__ bool amLast;
    const unsigned tid = threadIdx.x;
    float sum = 0;
    for (unsigned i = blockIdx.x * blockDim.x + tid; i < n; i += gridDim.x * blockDim.x) sum += g_idata[i];
    parts[tid] = sum;
    __syncthreads();
    for (unsigned s = blockDim.x / 2; s > 0; s >>= 1) {
        if (tid < s) parts[tid] += parts[tid + s];
        __syncthreads();
    }
    if (tid == 0) {
        g_odata[blockIdx.x] = parts[0];
        __threadfence();
        unsigned int ticket = atomicInc(&retirementCount, gridDim.x);
        amLast = (ticket == gridDim.x - 1);
    }
    __syncthreads();
    if (amLast && tid == 0) {
        float total = 0;
        for (unsigned i = 0; i < gridDim.x; i++) total += ((volatile float *)g_odata)[i];
        g_odata[0] = total;
        retirementCount = 0;
    }
}

__global__ void reduceMultiPass(float *inputVec, double *outputVec, unsigned int n) {
    cg::grid_group grid = cg::this_grid();
    cg::thread_block block = cg::this_thread_block();
    extern double __shared__ tmp[];
    double sum = 0;
    for (int i = grid.thread_rank(); i < n; i += grid.size()) sum += inputVec[i];
    cg::thread_block_tile<32> tile = cg::tiled_partition<32>(block);
    sum = cg::reduce(tile, sum, cg::plus<double>());
    if (tile.thread_rank() == 0) tmp[tile.meta_group_rank()] = sum;
    cg::sync(block);
    if (block.thread_rank() == 0) {
        double all = 0;
        for (int i = 0; i < tile.meta_group_size(); i++) all += tmp[i];
        outputVec[blockIdx.x] = all;
    }
    cg::sync(grid);
    if (grid.thread_rank() == 0) {
        for (int b = 1; b < gridDim.x; b++) outputVec[0] += outputVec[b];
    }
}

#define HISTOGRAM_BIN_COUNT 16
#define WARP_COUNT 2
inline __device__ void addByte(unsigned *s_WarpHist, unsigned data) { atomicAdd(s_WarpHist + data, 1); }
__global__ void histogramKernel(unsigned *d_PartialHistograms, unsigned *d_Data, unsigned dataCount) {
    cg::thread_block cta = cg::this_thread_block();
    __shared__ unsigned s_Hist[WARP_COUNT * HISTOGRAM_BIN_COUNT];
    unsigned *s_WarpHist = s_Hist + (threadIdx.x >> 5) * HISTOGRAM_BIN_COUNT;
    for (unsigned i = threadIdx.x; i < WARP_COUNT * HISTOGRAM_BIN_COUNT; i += blockDim.x) s_Hist[i] = 0;
    cg::sync(cta);
    for (unsigned pos = blockIdx.x * blockDim.x + threadIdx.x; pos < dataCount; pos += blockDim.x * gridDim.x) {
        unsigned data = d_Data[pos];
        addByte(s_WarpHist, (data >> 0) & 0xFU);
        addByte(s_WarpHist, (data >> 8) & 0xFU);
    }
    cg::sync(cta);
    for (unsigned bin = threadIdx.x; bin < HISTOGRAM_BIN_COUNT; bin += blockDim.x) {
        unsigned sum = 0;
        for (unsigned i = 0; i < WARP_COUNT; i++) sum += s_Hist[bin + i * HISTOGRAM_BIN_COUNT];
        d_PartialHistograms[blockIdx.x * HISTOGRAM_BIN_COUNT + bin] = sum;
    }
}

__global__ void shfl_scan_test(int *data, int width, int *partial_sums = NULL) {
    extern __shared__ int sums[];
    int id = ((blockIdx.x * blockDim.x) + threadIdx.x);
    int lane_id = id % warpSize;
    int warp_id = threadIdx.x / warpSize;
    int value = data[id];
#pragma unroll
    for (int i = 1; i <= width; i *= 2) {
        unsigned int mask = 0xffffffff;
        int n = __shfl_up_sync(mask, value, i, width);
        if (lane_id >= i) value += n;
    }
    if (threadIdx.x % warpSize == warpSize - 1) sums[warp_id] = value;
    __syncthreads();
    if (warp_id == 0 && lane_id < (blockDim.x / warpSize)) {
        int warp_sum = sums[lane_id];
        int mask = (1 << (blockDim.x / warpSize)) - 1;
        for (int i = 1; i <= (blockDim.x / warpSize); i *= 2) {
            int n = __shfl_up_sync(mask, warp_sum, i, (blockDim.x / warpSize));
            if (lane_id >= i) warp_sum += n;
        }
        sums[lane_id] = warp_sum;
    }
    __syncthreads();
    if (warp_id > 0) value += sums[warp_id - 1];
    data[id] = value;
    if (partial_sums != NULL && threadIdx.x == blockDim.x - 1) partial_sums[blockIdx.x] = value;
}

void constantInit(float *data, int size, float val) {
    for (int i = 0; i < size; ++i) data[i] = val;
}

int MatrixMultiply(int argc, char **argv, int block_size, const dim3 &dimsA, const dim3 &dimsB) {
    float *h_A, *d_A;
    checkErrors(cudaMallocHost(&h_A, sizeof(float) * dimsA.x * dimsA.y));
    cudaStream_t stream;
    constantInit(h_A, dimsA.x * dimsA.y, 1.0f);
    checkErrors(cudaMalloc(reinterpret_cast<void **>(&d_A), sizeof(float) * dimsA.x * dimsA.y));
    cudaEvent_t start, stop;
    checkErrors(cudaEventCreate(&start));
    checkErrors(cudaStreamCreateWithFlags(&stream, cudaStreamNonBlocking));
    dim3 threads(block_size, block_size), grid(dimsB.x / threads.x, dimsA.y / threads.y);
    MatrixMulCUDA<16><<<grid, threads, 0, stream>>>(d_A, d_A, d_A, dimsA.x, dimsB.x);
    checkErrors(cudaEventRecord(stop, stream));
    printf("Performance= %.2f GFlop/s\n", 1.0);
    checkErrors(cudaFree(d_A));
    return EXIT_SUCCESS;
}

int main(int argc, char **argv) {
    printf("[Matrix Multiply Using CUDA] - Starting...\n");
    if (checkCmdLineFlag(argc, (const char **)argv, "help")) exit(EXIT_SUCCESS);
    int dev = findCudaDevice(argc, (const char **)argv);
    vectorAdd<<<1, 256>>>(nullptr, nullptr, nullptr, 0);
    void *kernelArgs[] = {(void *)&dev};
    checkErrors(cudaLaunchCooperativeKernel((void *)reduceMultiPass, 1, 1, kernelArgs, 0, NULL));
    exit(MatrixMultiply(argc, argv, 32, dim3(320, 320, 1), dim3(640, 320, 1)));
}
