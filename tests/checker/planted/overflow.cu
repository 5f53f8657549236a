// Arithmetic whose result an int does not hold, with nothing out of bounds.

__global__ void strides_too_far(float* out, const float* x, int stride, int n) {
    int i = (blockIdx.x * blockDim.x + threadIdx.x) * stride;  // BUG overflow
    out[threadIdx.x] = i >= 0 && i < n ? x[i] : 0;
}

__global__ void steps_over_the_largest_number(unsigned char* out, int first, int n) {
    for (int i = first + threadIdx.x; i < n; i += blockDim.x)  // BUG overflow
        if (i >= 0) out[i - first] = 1; else break;
}

__global__ void multiplies_two_ints(float* out, const float* x, int row, int pitch) {
    int at = row * pitch;  // BUG overflow
    out[threadIdx.x] = at == 0 ? x[threadIdx.x] : 1;
}

__global__ void adds_up_to_too_much(int* out, const int* x) {
    int sum = 0;
    for (int i = 0; i < 4; i++) sum += x[i];  // BUG overflow
    out[threadIdx.x] = sum;
}
