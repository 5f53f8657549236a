// Kernels that do not come to their end.

__global__ void asserts(int* out, const int* x) {
    assert(x[threadIdx.x] < 5);  // BUG assertion
    out[threadIdx.x] = x[threadIdx.x];
}

__global__ void traps(int* out, const int* x) {
    if (x[threadIdx.x] >= 5) __trap();  // BUG assertion
    out[threadIdx.x] = x[threadIdx.x];
}

__global__ void steps_over_the_end_of_the_loop(float* out, unsigned n) {
    for (unsigned i = 0; i != n; i += 2) out[i % 2] = 1;  // BUG time-out
}

__global__ void waits_for_one_block_too_many(unsigned* arrived) {
    atomicAdd(arrived, 1u);
    while (atomicAdd(arrived, 0u) <= gridDim.x) {}  // BUG deadlock
}

__global__ void locks_in_crossed_order(int* locks, int* met) {
    while (atomicExch(&locks[blockIdx.x], 1)) {}
    atomicAdd(met, 1);
    while (atomicAdd(met, 0) < 2) {}
    while (atomicExch(&locks[1 - blockIdx.x], 1)) {}  // BUG deadlock
}

__global__ void keeps_the_lock(int* lock, int* out) {
    if (threadIdx.x == 0) {
        while (atomicCAS(lock, 0, 1)) {}  // BUG deadlock
        atomicAdd(out, 1);
    }
    __syncthreads();  // OTHER
}

__global__ void backs_off_for_ever(int* flag) {
    for (unsigned ns = 8; atomicAdd(flag, 0) == 0; ns = ns < 256 ? 2 * ns : ns) __nanosleep(ns);  // BUG deadlock
}

__global__ void waits_for_a_flag_that_nobody_sets(volatile int* flag, int* out) {
    while (flag[0] == 0) {}  // BUG deadlock
    out[0] = 1;
}

__device__ int depth(const int* x, int i) { return x[i] < 0 ? 0 : 1 + depth(x, x[i]) * 3; }  // BUG limit, out of bounds
__global__ void recurses_without_end(int* out, const int* x) {
    out[threadIdx.x] = depth(x, threadIdx.x);
}

__global__ void divides_by_what_may_be_zero(int* out, const int* x) {
    out[threadIdx.x] = 100 / x[threadIdx.x];  // BUG crash
}
