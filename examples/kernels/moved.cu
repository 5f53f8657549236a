__global__ void normalise(float* y, const float* x, int columns) {
    __shared__ float partial[128];
    const int t = threadIdx.x;
    const float* row = x + blockIdx.x * columns;

    float sum = 0;
    for (int i = t; i < columns; i += blockDim.x) sum += row[i];
    partial[t] = sum;

    for (int half = blockDim.x / 2; half > 0; half /= 2) {
        __syncthreads();
        if (t < half) partial[t] += partial[t + half];
    }
    for (int i = t; i < columns; i += blockDim.x) y[blockIdx.x * columns + i] = row[i] / partial[0];
}
