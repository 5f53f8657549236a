// Races in global memory, within a block and between blocks. Blocks run in any order and at the same time, and
// __syncthreads is a barrier of one block alone. What one block writes another may read only after __threadfence and an
// atomic.

// ---- the same address from many threads ----
__global__ void everyone_writes_one_element(int* out) {
    out[0] = threadIdx.x;  // BUG race
}

__global__ void blocks_add_without_atomics(float* out, const float* x) {
    out[0] += x[blockIdx.x];  // BUG race
}

__global__ void histogram_without_atomics(int* counts, const int* keys) {
    counts[keys[blockIdx.x * blockDim.x + threadIdx.x] % 8] += 1;  // BUG race
}

__global__ void scatters_to_one_place_twice(float* out, const float* x, const int* places) {
    out[places[threadIdx.x]] = x[threadIdx.x];  // BUG race
}

__global__ void compacts_with_a_plain_counter(float* out, int* count, const float* x) {
    if (x[threadIdx.x] > 0) {
        int place = count[0]++;      // BUG race
        out[place] = x[threadIdx.x];  // ALSO race
    }
}

__global__ void rows_overlap(float* out, const float* x, int columns) {
    int row = blockIdx.x, column = threadIdx.x;
    out[row * (columns - 1) + column] = x[row * columns + column];  // BUG race
}

// The stride leaves out gridDim, so that every block goes over the elements of the others.
__global__ void stride_of_one_block(float* x, int n) {
    for (int i = blockIdx.x * blockDim.x + threadIdx.x; i < n; i += blockDim.x) x[i] *= 2;  // BUG race
}

// ---- reading what others write ----
__global__ void stencil_in_place(float* x, int n) {
    int i = blockIdx.x * blockDim.x + threadIdx.x;
    if (i > 0 && i < n - 1) x[i] = (x[i - 1] + x[i + 1]) / 2;  // BUG race
}

// Right for two arrays; the launch gives one array as both.
__global__ void shift(float* out, const float* x, int n) {
    int i = blockIdx.x * blockDim.x + threadIdx.x;
    if (i < n - 1) out[i] = x[i + 1];  // BUG race
}

__global__ void scratch_without_barrier(float* out, float* scratch, const float* x) {
    scratch[threadIdx.x] = x[threadIdx.x];         // OTHER
    out[threadIdx.x] = scratch[63 - threadIdx.x];  // BUG race, uninitialised
}

__global__ void reads_the_block_before(float* sums, const float* x) {
    float before = blockIdx.x > 0 ? sums[blockIdx.x - 1] : 0;  // BUG race, uninitialised
    sums[blockIdx.x] = before + x[blockIdx.x];                 // OTHER
}

__global__ void takes_syncthreads_for_a_grid_barrier(float* out, float* scratch, const float* x, int n) {
    int i = blockIdx.x * blockDim.x + threadIdx.x;
    scratch[i] = x[i];  // OTHER
    __syncthreads();
    out[i] = scratch[n - 1 - i];  // BUG race, uninitialised
}

__global__ void reads_a_counter_that_others_add_to(int* out, int* count) {
    atomicAdd(count, 1);            // OTHER
    out[blockIdx.x] = count[0];  // BUG race
}

// ---- from block to block ----
// The last block to finish adds up the blocks' sums: right with __threadfence() before the atomicAdd.
__global__ void last_block_without_fence(float* out, float* sums, unsigned* done, const float* x) {
    __shared__ bool last;
    if (threadIdx.x == 0) {
        sums[blockIdx.x] = 2 * x[blockIdx.x];  // OTHER
        last = atomicAdd(done, 1u) == gridDim.x - 1;
    }
    __syncthreads();
    if (!last || threadIdx.x != 0) return;
    float total = 0;
    for (int i = 0; i < gridDim.x; i++) total += sums[i];  // BUG race
    out[0] = total;
}

__global__ void last_block_with_a_fence_for_the_block(float* out, float* sums, unsigned* done, const float* x) {
    __shared__ bool last;
    if (threadIdx.x == 0) {
        sums[blockIdx.x] = 2 * x[blockIdx.x];  // OTHER
        __threadfence_block();
        last = atomicAdd(done, 1u) == gridDim.x - 1;
    }
    __syncthreads();
    if (!last || threadIdx.x != 0) return;
    float total = 0;
    for (int i = 0; i < gridDim.x; i++) total += sums[i];  // BUG race
    out[0] = total;
}

__global__ void last_block_with_a_late_fence(float* out, float* sums, unsigned* done, const float* x) {
    __shared__ bool last;
    if (threadIdx.x == 0) {
        sums[blockIdx.x] = 2 * x[blockIdx.x];  // OTHER
        last = atomicAdd(done, 1u) == gridDim.x - 1;
        __threadfence();
    }
    __syncthreads();
    if (!last || threadIdx.x != 0) return;
    float total = 0;
    for (int i = 0; i < gridDim.x; i++) total += sums[i];  // BUG race
    out[0] = total;
}

// All threads of the block write, but only thread 0 fences, and no barrier brings the writes before its fence.
__global__ void last_block_without_barrier_before_the_fence(float* out, float* parts, unsigned* done, const float* x) {
    __shared__ bool last;
    parts[blockIdx.x * 64 + threadIdx.x] = 2 * x[blockIdx.x * 64 + threadIdx.x];  // OTHER
    if (threadIdx.x == 0) {
        __threadfence();
        last = atomicAdd(done, 1u) == gridDim.x - 1;
    }
    __syncthreads();
    if (!last || threadIdx.x != 0) return;
    float total = 0;
    for (int i = 0; i < gridDim.x * 64; i++) total += parts[i];  // BUG race
    out[0] = total;
}

__global__ void counts_blocks_without_atomics(float* out, float* sums, unsigned* done, const float* x) {
    sums[blockIdx.x] = 2 * x[blockIdx.x];  // OTHER
    __threadfence();
    if (done[0]++ != gridDim.x - 1) return;  // BUG race
    float total = 0;
    for (int i = 0; i < gridDim.x; i++) total += sums[i];  // ALSO race
    out[0] = total;
}

__global__ void publishes_without_fence(float* out, float* data, int* ready) {
    if (blockIdx.x == 0) {
        data[0] = 1;  // OTHER
        atomicExch(ready, 1);
    } else if (atomicAdd(ready, 0) == 1) {
        out[0] = data[0];  // BUG race
    }
}

__global__ void publishes_by_a_plain_flag(float* out, float* data, int* ready) {
    if (blockIdx.x == 0) {
        data[0] = 1;  // OTHER
        __threadfence();
        ready[0] = 1;  // OTHER
    } else if (ready[0] == 1) {  // BUG race
        out[0] = data[0];  // ALSO race
    }
}

__global__ void lock_without_fences(int* lock, int* count) {
    while (atomicCAS(lock, 0, 1) != 0) {}
    count[0] += 1;  // BUG race
    atomicExch(lock, 0);
}

// The suffix makes it an atomic for the threads of one block only.
__global__ void atomics_of_block_scope(int* count) {
    atomicAdd_block(count, 1);  // BUG race
}

// The value of a plain read is used for more than the comparison of a compare-and-swap at another place.
__global__ void guess_of_another_place(int* claimed, int* turn, int* out) {
    int mine = *turn;             // BUG race
    if (atomicCAS(claimed + threadIdx.x, mine, 1) == mine) out[threadIdx.x] = mine;
    atomicAdd(turn, 0 * mine + 1);  // OTHER
}
