// Sums of tiles that come by asynchronous copies, in the ways of libcu++: x is a row of tiles, thread t adds up what
// stands at t from the end of each. One block of 128 threads.
#include <cooperative_groups.h>
#include <cuda/barrier>
#include <cuda/pipeline>

namespace cg = cooperative_groups;
constexpr int STAGES = 2, THREADS = 128;

// A pipeline of each thread for itself: it reads what it has copied.
__global__ void of_a_thread(float* y, const float* x, int tiles) {
    __shared__ alignas(16) float4 tile[STAGES][THREADS];
    auto pipe = cuda::make_pipeline();
    const int t = threadIdx.x;
    const auto* rows = reinterpret_cast<const float4*>(x);
    float sum = 0;
    for (int k = 0, fetched = 0; k < tiles; ++k) {
        for (; fetched < k + STAGES; ++fetched) {
            pipe.producer_acquire();
            if (fetched < tiles)
                cuda::memcpy_async(&tile[fetched % STAGES][t], rows + fetched * THREADS + t,
                                   cuda::aligned_size_t<16>(sizeof(float4)), pipe);
            pipe.producer_commit();
        }
        cuda::pipeline_consumer_wait_prior<STAGES - 1>(pipe);
        const float4 value = tile[k % STAGES][t];
        sum += value.x + value.y + value.z + value.w;
        pipe.consumer_release();
    }
    y[t] = sum;
}

// A pipeline of the block, in which all threads copy and read.
__global__ void of_a_block(float* y, const float* x, int tiles) {
    __shared__ float tile[STAGES][THREADS];
    __shared__ cuda::pipeline_shared_state<cuda::thread_scope_block, STAGES> state;
    const auto block = cg::this_thread_block();
    auto pipe = cuda::make_pipeline(block, &state);
    float sum = 0;
    for (int k = 0, fetched = 0; k < tiles; ++k) {
        for (; fetched < tiles && fetched < k + STAGES; ++fetched) {
            pipe.producer_acquire();
            cuda::memcpy_async(block, tile[fetched % STAGES], x + fetched * THREADS, sizeof(float) * THREADS, pipe);
            pipe.producer_commit();
        }
        pipe.consumer_wait();
        sum += tile[k % STAGES][THREADS - 1 - threadIdx.x];
        pipe.consumer_release();
    }
    y[threadIdx.x] = sum;
}

// Half of the threads copy, and half read.
__global__ void of_two_roles(float* y, const float* x, int tiles) {
    constexpr int HALF = THREADS / 2;
    __shared__ float tile[STAGES][HALF];
    __shared__ cuda::pipeline_shared_state<cuda::thread_scope_block, STAGES> state;
    const auto block = cg::this_thread_block();
    const bool produces = threadIdx.x < HALF;
    auto pipe = cuda::make_pipeline(block, &state,
                                    produces ? cuda::pipeline_role::producer : cuda::pipeline_role::consumer);
    const int t = threadIdx.x % HALF;
    if (produces) {
        for (int k = 0; k < tiles; ++k) {
            pipe.producer_acquire();
            cuda::memcpy_async(&tile[k % STAGES][t], x + k * HALF + t, sizeof(float), pipe);
            pipe.producer_commit();
        }
        return;
    }
    float sum = 0;
    for (int k = 0; k < tiles; ++k) {
        pipe.consumer_wait();
        sum += tile[k % STAGES][HALF - 1 - t];
        pipe.consumer_release();
    }
    y[t] = sum;
}

// A barrier that waits for the copies too.
__global__ void by_a_barrier(float* y, const float* x, int tiles) {
    __shared__ alignas(16) float tile[THREADS];
    __shared__ cuda::barrier<cuda::thread_scope_block> arrived;
    const auto block = cg::this_thread_block();
    if (threadIdx.x == 0) init(&arrived, THREADS);
    block.sync();
    float sum = 0;
    for (int k = 0; k < tiles; ++k) {
        cuda::memcpy_async(block, tile, x + k * THREADS, cuda::aligned_size_t<16>(sizeof(float) * THREADS), arrived);
        arrived.arrive_and_wait();
        sum += tile[THREADS - 1 - threadIdx.x];
        block.sync();
    }
    y[threadIdx.x] = sum;
}

// Arrival and wait apart, and work of one's own between them.
__global__ void arrives_first(float* y, const float* x, int tiles) {
    __shared__ float tile[THREADS];
    __shared__ cuda::barrier<cuda::thread_scope_block> arrived;
    if (threadIdx.x == 0) init(&arrived, THREADS);
    __syncthreads();
    float sum = 0;
    for (int k = 0; k < tiles; ++k) {
        tile[threadIdx.x] = x[k * THREADS + threadIdx.x];
        auto token = arrived.arrive();
        sum += 0.0f * x[threadIdx.x];
        arrived.wait(std::move(token));
        sum += tile[THREADS - 1 - threadIdx.x];
        arrived.arrive_and_wait();
    }
    y[threadIdx.x] = sum;
}
