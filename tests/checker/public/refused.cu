// What is not simulated is refused by name, where a kernel uses it.
#include <cooperative_groups.h>
#include <cub/cub.cuh>
#include <cuda/barrier>
#include <cuda/pipeline>
#include <curand_kernel.h>
#include <mma.h>
#include <torch/extension.h>

// refused: with_barrier cuda::barrier
__global__ void with_barrier(float* x) {
  using barrier = cuda::barrier<cuda::thread_scope_block>;
  __shared__ barrier bar;
  if (threadIdx.x == 0) init(&bar, blockDim.x);
  __syncthreads();
  bar.arrive_and_wait();
  x[threadIdx.x] = 1;
}
// refused: with_pipeline cuda::make_pipeline
__global__ void with_pipeline(float* x) {
  auto pipe = cuda::make_pipeline();
  pipe.producer_acquire();
  pipe.producer_commit();
  x[0] = 1;
}
// refused: with_optional cuda::std
__global__ void with_optional(float* x) {
  cuda::std::mutex lock;
  x[0] = 1;
}
// refused: with_block_scan cub::BlockScan
__global__ void with_block_scan(int* x) {
  typedef cub::BlockScan<int, 64> Scan;
  __shared__ typename Scan::TempStorage storage;
  int mine = x[threadIdx.x];
  Scan(storage).InclusiveSum(mine, mine);
  x[threadIdx.x] = mine;
}
// refused: with_accessor<float> torch::PackedTensorAccessor32
template <typename scalar_t>
__global__ void with_accessor(torch::PackedTensorAccessor32<scalar_t, 2> x) { x[blockIdx.x][threadIdx.x] = 0; }
// refused: with_wide_sum<float> at::acc_type
template <typename scalar_t>
__global__ void with_wide_sum(scalar_t* x) {
  using wide = at::acc_type<scalar_t, true>;
  x[0] = static_cast<scalar_t>(wide(x[0]) + wide(x[1]));
}
// refused: with_texture cudaTextureObject_t
__global__ void with_texture(cudaTextureObject_t image, float* y) { y[threadIdx.x] = tex2D<float>(image, 0.5f, 0.5f); }
// refused: parent <<<
__global__ void child(int* x) { x[0] = 1; }
__global__ void parent(int* x) { child<<<1, 1>>>(x); }
