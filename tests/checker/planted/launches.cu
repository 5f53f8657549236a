// Launches that do not fit the kernel, or the device.

__global__ void scale(float* out, const float* x, float factor, int n) {  // BUG argument
    int i = blockIdx.x * blockDim.x + threadIdx.x;
    if (i < n) out[i] = factor * x[i];
}

__global__ void __launch_bounds__(128) at_most_128_threads(float* out) {  // BUG limit
    out[blockIdx.x * blockDim.x + threadIdx.x] = 1;
}

__global__ void any_number_of_threads(float* out) {  // BUG limit
    out[0] = 1;
}

__global__ void dynamic_memory(float* out) {  // BUG limit
    extern __shared__ float kept[];
    kept[threadIdx.x] = 1;
    out[threadIdx.x] = kept[threadIdx.x];
}

__global__ void much_static_memory(float* out) {
    __shared__ float large[12300];  // BUG limit
    large[threadIdx.x] = 1;
    out[threadIdx.x] = large[threadIdx.x];
}
