// Primitives of CUB for a block and a warp.
#include <cub/block/block_radix_sort.cuh>
#include <cub/block/block_reduce.cuh>
#include <cub/warp/warp_scan.cuh>

using Reduce = cub::BlockReduce<float, 128>;
using Scan = cub::WarpScan<int>;
using Sort = cub::BlockRadixSort<int, 128, 4>;

// The sum and the sum of squares of 128 numbers.
__global__ void moments(float* y, const float* x) {
    __shared__ Reduce::TempStorage storage;
    const float value = x[threadIdx.x];
    const float sum = Reduce(storage).Sum(value);
    __syncthreads();
    const float squares = Reduce(storage).Sum(value * value);
    if (threadIdx.x == 0) y[0] = sum, y[1] = squares;
}

// Sums of the numbers up to each, warp by warp.
__global__ void scans(int* y, const int* x) {
    __shared__ Scan::TempStorage storage[4];
    int sum;
    Scan(storage[threadIdx.x / 32]).InclusiveSum(x[threadIdx.x], sum);
    y[threadIdx.x] = sum;
}

__global__ void sorts(int* y, const int* x) {
    __shared__ Sort::TempStorage storage;
    int keys[4];
    for (int k = 0; k < 4; ++k) keys[k] = x[4 * threadIdx.x + k];
    Sort(storage).Sort(keys);
    for (int k = 0; k < 4; ++k) y[4 * threadIdx.x + k] = keys[k];
}
